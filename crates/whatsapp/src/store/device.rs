//! The device itself.

use async_trait::async_trait;
use wacore::{
    stats::StorageResourceReport,
    store::{Device, error::Result, traits::DeviceStore},
};

use super::{SqlBackend, kinds};

#[async_trait]
impl DeviceStore for SqlBackend {
    async fn save(&self, device: &Device) -> Result<()> {
        self.put_json(kinds::DEVICE, kinds::THE, device).await
    }

    async fn load(&self) -> Result<Option<Device>> {
        self.get_json(kinds::DEVICE, kinds::THE).await
    }

    async fn exists(&self) -> Result<bool> {
        self.check(self.state.has_prefix(kinds::DEVICE, kinds::THE).await)
    }

    async fn create(&self) -> Result<i32> {
        self.save(&Device::new()).await?;
        // The session is the store's own affair, so there is one device here, and it is the first.
        Ok(1)
    }

    async fn resource_report(&self) -> StorageResourceReport {
        StorageResourceReport { memory_bytes: Some(0), ..StorageResourceReport::default() }
    }
}
