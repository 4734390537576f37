//! The app state: its keys, how far it is known, and the mutations it is made of.

use std::collections::HashMap;

use async_trait::async_trait;
use storage::Change;
use wacore::{
    appstate::hash::HashState,
    store::{
        error::{Result, StoreError},
        traits::{AppStateSyncKey, AppSyncStore},
    },
};
use wacore_appstate::processor::AppStateMutationMAC;

use super::{SqlBackend, json, kinds};

fn mac_key(collection: &str, index_mac: &[u8]) -> String {
    kinds::key(&[collection, &hex::encode(index_mac)])
}

#[async_trait]
impl AppSyncStore for SqlBackend {
    async fn get_sync_key(&self, key_id: &[u8]) -> Result<Option<AppStateSyncKey>> {
        self.get_json(kinds::SYNC_KEY, &hex::encode(key_id)).await
    }

    async fn set_sync_key(&self, key_id: &[u8], key: AppStateSyncKey) -> Result<()> {
        self.write(vec![Change::Put {
            kind: kinds::SYNC_KEY,
            key: hex::encode(key_id),
            value: json(&key)?,
            number: key.timestamp,
            expires_at: None,
        }])
        .await
    }

    async fn get_version(&self, name: &str) -> Result<HashState> {
        Ok(self.get_json(kinds::SYNC_VERSION, name).await?.unwrap_or_default())
    }

    async fn set_version(&self, name: &str, state: HashState) -> Result<()> {
        self.put_json(kinds::SYNC_VERSION, name, &state).await
    }

    async fn put_mutation_macs(
        &self,
        name: &str,
        version: u64,
        mutations: &[AppStateMutationMAC],
    ) -> Result<()> {
        let number = i64::try_from(version).unwrap_or(i64::MAX);
        let put = |mutation: &AppStateMutationMAC| Change::Put {
            kind: kinds::SYNC_MAC,
            key: mac_key(name, &mutation.index_mac),
            value: mutation.value_mac.clone(),
            number,
            expires_at: None,
        };
        self.write(mutations.iter().map(put).collect()).await
    }

    async fn get_mutation_mac(&self, name: &str, index_mac: &[u8]) -> Result<Option<Vec<u8>>> {
        self.get(kinds::SYNC_MAC, &mac_key(name, index_mac)).await
    }

    async fn get_mutation_macs(
        &self,
        name: &str,
        index_macs: &[[u8; 32]],
    ) -> Result<HashMap<[u8; 32], Vec<u8>>> {
        let keys: HashMap<String, [u8; 32]> =
            index_macs.iter().map(|index_mac| (mac_key(name, index_mac), *index_mac)).collect();
        let wanted: Vec<&str> = keys.keys().map(String::as_str).collect();
        let rows = self.check(self.state.get_many(kinds::SYNC_MAC, &wanted).await)?;
        Ok(rows.into_iter().filter_map(|row| Some((*keys.get(&row.key)?, row.value))).collect())
    }

    async fn delete_mutation_macs(&self, name: &str, index_macs: &[Vec<u8>]) -> Result<()> {
        let delete =
            |index_mac: &Vec<u8>| Change::Delete { kind: kinds::SYNC_MAC, key: mac_key(name, index_mac) };
        self.write(index_macs.iter().map(delete).collect()).await
    }

    async fn clear_mutation_macs(&self, name: &str) -> Result<()> {
        self.delete_prefix(kinds::SYNC_MAC, &kinds::prefix(&[name])).await
    }

    async fn get_latest_sync_key_id(&self) -> Result<Option<Vec<u8>>> {
        let Some(key) = self.check(self.state.newest_key(kinds::SYNC_KEY).await)? else { return Ok(None) };
        let id = hex::decode(key).map_err(|error| StoreError::Serialization(Box::new(error)))?;
        Ok(Some(id))
    }
}
