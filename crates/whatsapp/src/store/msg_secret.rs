//! Secrets of messages, which later edits, votes and reactions are read with.

use async_trait::async_trait;
use storage::Change;
use wacore::store::{
    error::Result,
    traits::{MsgSecretEntry, MsgSecretStore},
};

use super::{SqlBackend, kinds};

fn put(entry: &MsgSecretEntry) -> Change {
    Change::Put {
        kind: kinds::MSG_SECRET,
        key: kinds::key(&[&entry.chat, &entry.sender, &entry.msg_id]),
        value: entry.secret.to_vec(),
        number: entry.message_ts,
        expires_at: (entry.expires_at != 0).then_some(entry.expires_at),
    }
}

#[async_trait]
impl MsgSecretStore for SqlBackend {
    async fn put_msg_secrets(&self, entries: Vec<MsgSecretEntry>) -> Result<usize> {
        self.write(entries.iter().map(put).collect()).await?;
        Ok(entries.len())
    }

    async fn get_msg_secret(&self, chat: &str, sender: &str, msg_id: &str) -> Result<Option<Vec<u8>>> {
        self.get(kinds::MSG_SECRET, &kinds::key(&[chat, sender, msg_id])).await
    }

    async fn get_msg_secret_with_ts(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> Result<Option<(Vec<u8>, i64)>> {
        let key = kinds::key(&[chat, sender, msg_id]);
        let row = self.check(self.state.get(kinds::MSG_SECRET, &key).await)?;
        Ok(row.map(|row| (row.value, row.number)))
    }

    async fn delete_expired_msg_secrets(&self, cutoff_timestamp: i64) -> Result<u32> {
        // The library means "at or before", the store "before".
        self.delete_expired(kinds::MSG_SECRET, cutoff_timestamp.saturating_add(1)).await
    }
}
