//! What the library keeps for a session, in the gateway's database. One file for each of the library's traits;
//! [`kinds`] says what is stored where.
//!
//! Batches are one write, so they happen whole or not at all, and a write returns when it is durable: the library
//! relies on both when it decides what may go to the wire.

mod app_sync;
mod device;
mod kinds;
mod leisure;
mod msg_secret;
mod protocol;
mod renewal;
mod signal;
mod tc_tokens;

use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};
use storage::{Change, SessionStore};
use wacore::store::error::{Result, StoreError};

use crate::link::Link;
pub(crate) use leisure::Leisure;
use tc_tokens::TcTokens;

pub use renewal::{NOT_IN_BACKUPS, renew};

/// One session's store, under one claim.
pub struct SqlBackend {
    state: SessionStore,
    link: Arc<Link>,
    tc_tokens: TcTokens,
    leisure: Leisure,
}

impl SqlBackend {
    pub(crate) fn new(state: SessionStore, link: Arc<Link>, leisure: Leisure) -> Self {
        Self { state, link, tc_tokens: TcTokens::default(), leisure }
    }

    /// A store without a client, for tests of the store.
    #[doc(hidden)]
    pub fn alone(state: SessionStore, lease: Arc<dyn crate::Lease>) -> Self {
        let (events, _nobody) = tokio::sync::mpsc::unbounded_channel();
        Self::new(state, Arc::new(Link::new(lease, events)), Leisure::default())
    }

    /// Removes everything.
    pub async fn wipe(&self) -> Result<()> {
        self.check(self.state.settle().await)?;
        for kind in kinds::ALL {
            self.check(self.state.delete_prefix(kind, "").await)?;
        }
        Ok(())
    }

    /// Translates an error for the library; a lost claim is told to the owner first.
    fn check<T>(&self, outcome: storage::Result<T>) -> Result<T> {
        outcome.map_err(|error| {
            if matches!(error, storage::Error::LeaseLost) {
                self.link.lease.lost();
            }
            match error {
                storage::Error::Unavailable(_) => StoreError::Connection(Box::new(error)),
                storage::Error::Unreadable { .. } => StoreError::Serialization(Box::new(error)),
                storage::Error::LeaseLost | storage::Error::Full(_) | storage::Error::Refused(_) => {
                    StoreError::Database(Box::new(error))
                }
            }
        })
    }

    /// Carries out the changes together, and returns when they are durable.
    async fn write(&self, changes: Vec<Change>) -> Result<()> {
        self.writable()?;
        self.check(self.state.write(changes).await)
    }

    /// After a message was lost to the store, nothing that depends on it may be written either. Nor does a process
    /// that knows its claim to be gone need the database to tell.
    fn writable(&self) -> Result<()> {
        if !self.link.lease.held() {
            return Err(StoreError::Database(Box::new(storage::Error::LeaseLost)));
        }
        if self.link.is_broken() {
            let error = storage::Error::Unavailable("an earlier write failed".to_owned());
            return Err(StoreError::Connection(Box::new(error)));
        }
        Ok(())
    }

    async fn put(&self, kind: &'static str, key: &str, value: impl Into<Vec<u8>>) -> Result<()> {
        self.write(vec![Change::put(kind, key, value)]).await
    }

    async fn put_json(&self, kind: &'static str, key: &str, value: &impl Serialize) -> Result<()> {
        self.put(kind, key, json(value)?).await
    }

    async fn delete(&self, kind: &'static str, key: &str) -> Result<()> {
        self.write(vec![Change::Delete { kind, key: key.to_owned() }]).await
    }

    async fn get(&self, kind: &'static str, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.check(self.state.get(kind, key).await)?.map(|row| row.value))
    }

    async fn get_json<T: DeserializeOwned>(&self, kind: &'static str, key: &str) -> Result<Option<T>> {
        self.get(kind, key).await?.as_deref().map(parsed).transpose()
    }

    /// Removes what expired before `cutoff`.
    async fn delete_expired(&self, kind: &'static str, cutoff: i64) -> Result<u32> {
        self.writable()?;
        let removed = self.check(self.state.delete_expired(kind, cutoff).await)?;
        Ok(u32::try_from(removed).unwrap_or(u32::MAX))
    }

    async fn delete_prefix(&self, kind: &'static str, prefix: &str) -> Result<()> {
        self.writable()?;
        self.check(self.state.delete_prefix(kind, prefix).await)?;
        Ok(())
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| StoreError::Serialization(Box::new(error)))
}

fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::Serialization(Box::new(error)))
}
