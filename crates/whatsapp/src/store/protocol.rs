//! What the protocol needs besides keys: who has which key, who is who, devices, groups, and messages on their way.

use std::time::Duration;

use async_trait::async_trait;
use storage::Change;
use wacore::store::{
    error::Result,
    traits::{
        DeviceListRecord, LidPnMappingEntry, PendingInboundKey, PendingInboundRow, ProtocolStore,
        TcTokenEntry,
    },
};

use super::{SqlBackend, json, kinds, parsed};

/// How often a message that came in is offered to the store before the client is given up, and the pauses.
const PENDING_PAUSES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(1), Duration::from_secs(3)];

fn devices_of(record: &DeviceListRecord) -> Result<Change> {
    Ok(Change::put(kinds::DEVICES, record.user.clone(), json(record)?))
}

fn pending_key(key: &PendingInboundKey<'_>) -> String {
    kinds::key(&[key.chat, key.sender, key.id])
}

impl SqlBackend {
    /// The rows of a mapping: both directions, and without the old number's.
    async fn mapping(&self, entry: &LidPnMappingEntry) -> Result<Vec<Change>> {
        let mut changes = Vec::with_capacity(3);
        let old: Option<LidPnMappingEntry> = self.get_json(kinds::LID, &entry.lid).await?;
        if let Some(old) = old.filter(|old| old.phone_number != entry.phone_number) {
            let its_lid = self.get(kinds::PHONE, &old.phone_number).await?;
            if its_lid.as_deref() == Some(entry.lid.as_bytes()) {
                changes.push(Change::Delete { kind: kinds::PHONE, key: old.phone_number });
            }
        }
        changes.push(Change::put(kinds::LID, entry.lid.clone(), json(entry)?));
        changes.push(Change::put(kinds::PHONE, entry.phone_number.clone(), entry.lid.as_bytes()));
        Ok(changes)
    }

    /// Stores messages that came in. The library has already moved its keys past them, in memory: if they cannot be
    /// kept, nothing of that may be kept either, or WhatsApp's next try would look like a repetition.
    async fn keep_pending(&self, changes: Vec<Change>) -> Result<()> {
        for pause in PENDING_PAUSES {
            match self.state.write(changes.clone()).await {
                Err(storage::Error::Unavailable(_) | storage::Error::Full(_)) if self.link.lease.held() => {
                    tokio::time::sleep(pause).await;
                }
                done => return self.settle_pending(done).await,
            }
        }
        let last = self.state.write(changes).await;
        self.settle_pending(last).await
    }

    async fn settle_pending(&self, done: storage::Result<()>) -> Result<()> {
        if let Err(error) = &done
            && !matches!(error, storage::Error::LeaseLost)
        {
            self.link.break_off(error.to_string()).await;
        }
        self.check(done)
    }
}

#[async_trait]
impl ProtocolStore for SqlBackend {
    async fn get_sender_key_devices(&self, group_jid: &str) -> Result<Vec<(String, bool)>> {
        let prefix = kinds::prefix(&[group_jid]);
        let rows = self.check(self.state.list_prefix(kinds::SENDER_KEY_DEVICE, &prefix).await)?;
        Ok(rows.into_iter().map(|row| (row.key[prefix.len()..].to_owned(), row.value == [1])).collect())
    }

    async fn set_sender_key_status(&self, group_jid: &str, entries: &[(&str, bool)]) -> Result<()> {
        let put = |(device, has): &(&str, bool)| {
            Change::put(kinds::SENDER_KEY_DEVICE, kinds::key(&[group_jid, device]), [u8::from(*has)])
        };
        self.write(entries.iter().map(put).collect()).await
    }

    async fn clear_sender_key_devices(&self, group_jid: &str) -> Result<()> {
        self.delete_prefix(kinds::SENDER_KEY_DEVICE, &kinds::prefix(&[group_jid])).await
    }

    async fn delete_sender_key_device_rows(&self, device_jids: &[&str]) -> Result<()> {
        // Across all groups; rare enough, a device that went away, to go through all of them.
        let rows = self.check(self.state.list(kinds::SENDER_KEY_DEVICE).await)?;
        let gone = |key: &str| key.split_once('/').is_some_and(|(_, device)| device_jids.contains(&device));
        let deletes = rows
            .into_iter()
            .filter(|row| gone(&row.key))
            .map(|row| Change::Delete { kind: kinds::SENDER_KEY_DEVICE, key: row.key });
        self.write(deletes.collect()).await
    }

    async fn clear_all_sender_key_devices(&self) -> Result<()> {
        self.delete_prefix(kinds::SENDER_KEY_DEVICE, "").await
    }

    async fn get_lid_mapping(&self, lid: &str) -> Result<Option<LidPnMappingEntry>> {
        self.get_json(kinds::LID, lid).await
    }

    async fn get_pn_mapping(&self, phone: &str) -> Result<Option<LidPnMappingEntry>> {
        let Some(lid) = self.get(kinds::PHONE, phone).await? else { return Ok(None) };
        self.get_json(kinds::LID, &String::from_utf8_lossy(&lid)).await
    }

    async fn put_lid_mapping(&self, entry: &LidPnMappingEntry) -> Result<()> {
        let changes = self.mapping(entry).await?;
        self.write(changes).await
    }

    async fn put_lid_mappings(&self, entries: &[LidPnMappingEntry]) -> Result<()> {
        let mut changes = Vec::with_capacity(entries.len() * 2);
        for entry in entries {
            changes.extend(self.mapping(entry).await?);
        }
        self.write(changes).await
    }

    async fn get_all_lid_mappings(&self) -> Result<Vec<LidPnMappingEntry>> {
        let rows = self.check(self.state.list(kinds::LID).await)?;
        rows.iter().map(|row| parsed(&row.value)).collect()
    }

    async fn save_base_key(&self, address: &str, message_id: &str, base_key: &[u8]) -> Result<()> {
        self.put(kinds::BASE_KEY, &kinds::key(&[address, message_id]), base_key).await
    }

    async fn has_same_base_key(
        &self,
        address: &str,
        message_id: &str,
        current_base_key: &[u8],
    ) -> Result<bool> {
        let saved = self.get(kinds::BASE_KEY, &kinds::key(&[address, message_id])).await?;
        Ok(saved.as_deref() == Some(current_base_key))
    }

    async fn delete_base_key(&self, address: &str, message_id: &str) -> Result<()> {
        self.delete(kinds::BASE_KEY, &kinds::key(&[address, message_id])).await
    }

    async fn update_device_list(&self, record: DeviceListRecord) -> Result<()> {
        self.write(vec![devices_of(&record)?]).await
    }

    async fn update_device_lists(&self, records: Vec<DeviceListRecord>) -> Result<()> {
        let changes: Result<Vec<Change>> = records.iter().map(devices_of).collect();
        self.write(changes?).await
    }

    async fn get_devices(&self, user: &str) -> Result<Option<DeviceListRecord>> {
        self.get_json(kinds::DEVICES, user).await
    }

    async fn delete_devices(&self, user: &str) -> Result<()> {
        self.delete(kinds::DEVICES, user).await
    }

    async fn get_group_metadata(&self, group_jid: &str) -> Result<Option<Vec<u8>>> {
        self.get(kinds::GROUP, group_jid).await
    }

    async fn put_group_metadata(&self, group_jid: &str, blob: &[u8]) -> Result<()> {
        self.put(kinds::GROUP, group_jid, blob).await
    }

    async fn delete_group_metadata(&self, group_jid: &str) -> Result<()> {
        self.delete(kinds::GROUP, group_jid).await
    }

    async fn get_tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>> {
        self.tc_token(jid).await
    }

    async fn put_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> Result<()> {
        self.change_tc_token(jid, |_| Some(Some(entry.clone()))).await
    }

    async fn delete_tc_token(&self, jid: &str) -> Result<()> {
        self.change_tc_token(jid, |token| token.is_some().then_some(None)).await
    }

    async fn get_all_tc_token_jids(&self) -> Result<Vec<String>> {
        let rows = self.check(self.state.list(kinds::TC_TOKEN).await)?;
        Ok(rows.into_iter().map(|row| row.key).collect())
    }

    async fn delete_expired_tc_tokens(&self, token_cutoff: i64, sender_cutoff: i64) -> Result<u32> {
        self.retain_tc_tokens(|token| {
            let received = !token.token.is_empty() && token.token_timestamp >= token_cutoff;
            received || token.sender_timestamp.is_some_and(|at| at >= sender_cutoff)
        })
        .await
    }

    async fn touch_tc_token_sender_timestamp(&self, jid: &str, sender_timestamp: i64) -> Result<()> {
        self.change_tc_token(jid, |token| {
            let token = token.unwrap_or_else(|| TcTokenEntry {
                token: Vec::new(),
                token_timestamp: sender_timestamp,
                sender_timestamp: None,
            });
            let latest = token.sender_timestamp.map_or(sender_timestamp, |at| at.max(sender_timestamp));
            Some(Some(TcTokenEntry { sender_timestamp: Some(latest), ..token }))
        })
        .await
    }

    async fn store_received_tc_token(&self, jid: &str, token: &[u8], token_timestamp: i64) -> Result<()> {
        self.change_tc_token(jid, |known| {
            // A stale write must not replace a newer token; a placeholder without one is no obstacle.
            let newer = known
                .as_ref()
                .is_some_and(|known| !known.token.is_empty() && known.token_timestamp > token_timestamp);
            let sender_timestamp = known.and_then(|known| known.sender_timestamp);
            (!newer).then(|| Some(TcTokenEntry { token: token.to_vec(), token_timestamp, sender_timestamp }))
        })
        .await
    }

    /// Not awaited: the message waits in the gateway's own storage until it is noted as sent, which is queued later. Were
    /// this lost in a crash, so would be that, and the message would go again.
    async fn store_sent_message(&self, chat_jid: &str, message_id: &str, payload: &[u8]) -> Result<()> {
        self.writable()?;
        let change = Change::Put {
            kind: kinds::SENT,
            key: kinds::key(&[chat_jid, message_id]),
            value: payload.to_vec(),
            number: 0,
            expires_at: Some(wacore::time::now_secs()),
        };
        self.check(self.state.write_behind(vec![change]).await)
    }

    async fn take_sent_message(&self, chat_jid: &str, message_id: &str) -> Result<Option<Vec<u8>>> {
        self.writable()?;
        self.check(self.state.settle().await)?;
        let taken = self.state.take(kinds::SENT, &kinds::key(&[chat_jid, message_id])).await;
        Ok(self.check(taken)?.map(|row| row.value))
    }

    async fn delete_expired_sent_messages(&self, cutoff_timestamp: i64) -> Result<u32> {
        self.delete_expired(kinds::SENT, cutoff_timestamp).await
    }

    async fn store_pending_inbound(&self, chat: &str, sender: &str, id: &str, message: &[u8]) -> Result<()> {
        self.store_pending_inbound_batch(&[PendingInboundRow { chat, sender, id, message }]).await
    }

    async fn get_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<Option<Vec<u8>>> {
        self.get(kinds::PENDING, &kinds::key(&[chat, sender, id])).await
    }

    async fn delete_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<()> {
        self.delete_pending_inbound_batch(&[PendingInboundKey { chat, sender, id }]).await
    }

    async fn delete_expired_pending_inbound(&self, cutoff_timestamp: i64) -> Result<u32> {
        self.delete_expired(kinds::PENDING, cutoff_timestamp).await
    }

    async fn store_pending_inbound_batch(&self, rows: &[PendingInboundRow<'_>]) -> Result<()> {
        self.link.ratchet.stepped();
        self.writable()?;
        let now = wacore::time::now_secs();
        let put = |row: &PendingInboundRow<'_>| Change::Put {
            kind: kinds::PENDING,
            key: kinds::key(&[row.chat, row.sender, row.id]),
            value: row.message.to_vec(),
            number: 0,
            expires_at: Some(now),
        };
        self.keep_pending(rows.iter().map(put).collect()).await
    }

    async fn delete_pending_inbound_batch(&self, keys: &[PendingInboundKey<'_>]) -> Result<()> {
        let delete =
            |key: &PendingInboundKey<'_>| Change::Delete { kind: kinds::PENDING, key: pending_key(key) };
        self.write(keys.iter().map(delete).collect()).await
    }
}
