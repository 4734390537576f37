//! Identities, Signal sessions, pre-keys and sender keys.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage::{Change, StateRow};
use wacore::store::{
    error::{Result, StoreError},
    traits::SignalStore,
};

use super::{SqlBackend, kinds};

/// `number` of a one-time key that WhatsApp has.
const UPLOADED: i64 = 1;

/// So many one-time keys are read only to compare WhatsApp's copies with ours, after each connect, and nobody waits for
/// that.
const MANY_PREKEYS: usize = 100;

impl SqlBackend {
    async fn put_records(&self, kind: &'static str, records: &[(Arc<str>, Bytes)]) -> Result<()> {
        self.write(records.iter().map(|(key, record)| Change::put(kind, &**key, &**record)).collect()).await
    }
}

fn prekey(id: u32, record: &[u8], uploaded: bool) -> Change {
    Change::Put {
        kind: kinds::PREKEY,
        key: kinds::number(id),
        value: record.to_vec(),
        number: if uploaded { UPLOADED } else { 0 },
        expires_at: None,
    }
}

/// The id that a row's key spells.
fn id_of(row: &StateRow) -> Result<u32> {
    row.key.parse().map_err(|_| StoreError::Validation(format!("{} is not a key id", row.key)))
}

#[async_trait]
impl SignalStore for SqlBackend {
    async fn put_identity(&self, address: &str, key: [u8; 32]) -> Result<()> {
        self.put(kinds::IDENTITY, address, key).await
    }

    async fn put_identities_batch(&self, identities: &[(Arc<str>, [u8; 32])]) -> Result<()> {
        let puts = identities.iter().map(|(address, key)| Change::put(kinds::IDENTITY, &**address, *key));
        self.write(puts.collect()).await
    }

    async fn load_identity(&self, address: &str) -> Result<Option<[u8; 32]>> {
        let Some(key) = self.get(kinds::IDENTITY, address).await? else { return Ok(None) };
        let key =
            key.try_into().map_err(|_| StoreError::Validation("an identity key is 32 bytes".to_owned()))?;
        Ok(Some(key))
    }

    async fn delete_identity(&self, address: &str) -> Result<()> {
        self.delete(kinds::IDENTITY, address).await
    }

    async fn get_session(&self, address: &str) -> Result<Option<Bytes>> {
        Ok(self.get(kinds::SESSION, address).await?.map(Bytes::from))
    }

    async fn put_session(&self, address: &str, session: &[u8]) -> Result<()> {
        self.put(kinds::SESSION, address, session).await
    }

    async fn put_sessions_batch(&self, sessions: &[(Arc<str>, Bytes)]) -> Result<()> {
        self.put_records(kinds::SESSION, sessions).await
    }

    async fn delete_session(&self, address: &str) -> Result<()> {
        self.delete(kinds::SESSION, address).await
    }

    async fn has_signal_state_for_user(&self, user: &str) -> Result<bool> {
        for kind in [kinds::SESSION, kinds::IDENTITY] {
            for end in ['@', ':'] {
                if self.check(self.state.has_prefix(kind, &format!("{user}{end}")).await)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn store_prekey(&self, id: u32, record: &[u8], uploaded: bool) -> Result<()> {
        self.write(vec![prekey(id, record, uploaded)]).await
    }

    async fn store_prekeys_batch(&self, keys: &[(u32, Bytes)], uploaded: bool) -> Result<()> {
        self.write(keys.iter().map(|(id, record)| prekey(*id, record, uploaded)).collect()).await
    }

    async fn load_prekey(&self, id: u32) -> Result<Option<Bytes>> {
        Ok(self.get(kinds::PREKEY, &kinds::number(id)).await?.map(Bytes::from))
    }

    async fn load_prekeys_batch(&self, ids: &[u32]) -> Result<Vec<(u32, Bytes)>> {
        let _turn = if ids.len() > MANY_PREKEYS { self.leisure.turn().await } else { None };
        let keys: Vec<String> = ids.iter().map(|id| kinds::number(*id)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let rows = self.check(self.state.get_many(kinds::PREKEY, &keys).await)?;
        rows.into_iter().map(|row| Ok((id_of(&row)?, Bytes::from(row.value)))).collect()
    }

    async fn mark_prekeys_uploaded(&self, ids: &[u32]) -> Result<()> {
        self.writable()?;
        let keys: Vec<String> = ids.iter().map(|id| kinds::number(*id)).collect();
        // Changes only what is there: a key that was used up meanwhile must not come back.
        self.check(self.state.set_number(kinds::PREKEY, &keys, UPLOADED).await)
    }

    async fn remove_prekey(&self, id: u32) -> Result<()> {
        self.delete(kinds::PREKEY, &kinds::number(id)).await
    }

    async fn get_max_prekey_id(&self) -> Result<u32> {
        let last = self.check(self.state.last_key(kinds::PREKEY).await)?;
        Ok(last.and_then(|key| key.parse().ok()).unwrap_or(0))
    }

    async fn store_signed_prekey(&self, id: u32, record: &[u8]) -> Result<()> {
        self.put(kinds::SIGNED_PREKEY, &kinds::number(id), record).await
    }

    async fn load_signed_prekey(&self, id: u32) -> Result<Option<Vec<u8>>> {
        self.get(kinds::SIGNED_PREKEY, &kinds::number(id)).await
    }

    async fn load_all_signed_prekeys(&self) -> Result<Vec<(u32, Vec<u8>)>> {
        let rows = self.check(self.state.list(kinds::SIGNED_PREKEY).await)?;
        rows.into_iter().map(|row| Ok((id_of(&row)?, row.value))).collect()
    }

    async fn remove_signed_prekey(&self, id: u32) -> Result<()> {
        self.delete(kinds::SIGNED_PREKEY, &kinds::number(id)).await
    }

    async fn put_sender_key(&self, address: &str, record: &[u8]) -> Result<()> {
        self.put(kinds::SENDER_KEY, address, record).await
    }

    async fn put_sender_keys_batch(&self, sender_keys: &[(Arc<str>, Bytes)]) -> Result<()> {
        self.put_records(kinds::SENDER_KEY, sender_keys).await
    }

    async fn get_sender_key(&self, address: &str) -> Result<Option<Vec<u8>>> {
        self.get(kinds::SENDER_KEY, address).await
    }

    async fn delete_sender_key(&self, address: &str) -> Result<()> {
        self.delete(kinds::SENDER_KEY, address).await
    }
}
