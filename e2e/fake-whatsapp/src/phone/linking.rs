//! The phone's part in linking a companion: the secret of a pairing by code, and the app-state keys.

use super::Phone;
use crate::error::Error;
use wacore::crypto::hkdf_sha256_into;
use wacore_libsignal::crypto::aes_256_gcm_decrypt;
use wacore_libsignal::protocol::{KeyPair, PublicKey};
use waproto::buffa::{Message as _, MessageField};
use waproto::whatsapp::message::{
    AppStateSyncKey, AppStateSyncKeyData, AppStateSyncKeyFingerprint, AppStateSyncKeyId,
    AppStateSyncKeyShare, HistorySyncNotification, HistorySyncType, ProtocolMessage, protocol_message,
};
use waproto::whatsapp::{HistorySync, Message, PhoneNumberToLIDMapping, Pushname, history_sync};

const SALT: usize = 32;
const NONCE: usize = 12;
const KEY: usize = 32;
const BUNDLE_KEY_INFO: &[u8] = b"link_code_pairing_key_bundle_encryption_key";
const ADV_SECRET_INFO: &[u8] = b"adv_secret";
/// The id of the only app-state key.
const SYNC_KEY_ID: [u8; 6] = [0, 0, 0, 0, 0, 1];

/// Opens the companion's key bundle and derives the secret both sides authenticate the pairing with.
pub(crate) fn adv_secret(
    phone: &Phone,
    ephemeral: &KeyPair,
    companion_ephemeral: &[u8; 32],
    companion_identity: &[u8],
    bundle: &[u8],
) -> Result<[u8; 32], Error> {
    let refuse = |what: &str| Error::Signal(what.to_owned());
    let ephemeral_shared =
        ephemeral.calculate_agreement(&PublicKey::from_djb_public_key_bytes(companion_ephemeral)?)?;
    let identity_shared = phone
        .identities
        .own
        .private_key()
        .calculate_agreement(&PublicKey::from_djb_public_key_bytes(companion_identity)?)?;
    let (salt, rest) = bundle.split_at_checked(SALT).ok_or_else(|| refuse("the key bundle is short"))?;
    let (nonce, sealed) = rest.split_at_checked(NONCE).ok_or_else(|| refuse("the key bundle is short"))?;
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| refuse("the key bundle is short"))?;
    let mut key = [0; KEY];
    hkdf_sha256_into(&ephemeral_shared, Some(salt), BUNDLE_KEY_INFO, &mut key)
        .map_err(|_| refuse("no bundle key"))?;
    let mut opened = Vec::new();
    aes_256_gcm_decrypt(&key, &nonce, b"", sealed, &mut opened)
        .map_err(|_| refuse("the bundle does not open"))?;
    let random = opened.get(2 * KEY..3 * KEY).ok_or_else(|| refuse("the key bundle is short"))?;
    let secret = [&ephemeral_shared[..], &identity_shared, random].concat();
    let mut adv = [0; KEY];
    hkdf_sha256_into(&secret, None, ADV_SECRET_INFO, &mut adv).map_err(|_| refuse("no pairing secret"))?;
    Ok(adv)
}

/// The message that hands the app-state key to a companion.
pub(crate) fn key_share(phone: &Phone) -> Message {
    let key = AppStateSyncKey {
        key_id: MessageField::some(AppStateSyncKeyId { key_id: Some(SYNC_KEY_ID.to_vec()) }),
        key_data: MessageField::some(AppStateSyncKeyData {
            key_data: Some(phone.sync_key.to_vec()),
            fingerprint: MessageField::some(AppStateSyncKeyFingerprint {
                raw_id: Some(1),
                current_index: Some(0),
                device_indexes: vec![0],
            }),
            timestamp: Some(i64::try_from(crate::clock::unix_seconds()).unwrap_or_default()),
        }),
    };
    Message {
        protocol_message: MessageField::some(ProtocolMessage {
            r#type: Some(protocol_message::Type::APP_STATE_SYNC_KEY_SHARE),
            app_state_sync_key_share: MessageField::some(AppStateSyncKeyShare { keys: vec![key] }),
            ..ProtocolMessage::default()
        }),
        ..Message::default()
    }
}

/// The message that brings a new companion its history: there is none, but some clients show nothing before they have
/// been told so. It is small enough to travel in the message instead of as a file.
pub(crate) fn history(number: &str, lid: &str, push_name: Option<String>) -> Message {
    let jid = format!("{number}@s.whatsapp.net");
    let history = HistorySync {
        sync_type: history_sync::HistorySyncType::INITIAL_BOOTSTRAP,
        chunk_order: Some(1),
        progress: Some(100),
        pushnames: vec![Pushname { id: Some(jid.clone()), pushname: push_name }],
        phone_number_to_lid_mappings: vec![PhoneNumberToLIDMapping {
            pn_jid: Some(jid),
            lid_jid: Some(lid.to_owned()),
        }],
        ..HistorySync::default()
    };
    let payload = zlib(&history.encode_to_vec());
    Message {
        protocol_message: MessageField::some(ProtocolMessage {
            r#type: Some(protocol_message::Type::HISTORY_SYNC_NOTIFICATION),
            history_sync_notification: MessageField::some(HistorySyncNotification {
                file_length: Some(payload.len() as u64),
                sync_type: Some(HistorySyncType::INITIAL_BOOTSTRAP),
                chunk_order: Some(1),
                progress: Some(100),
                initial_hist_bootstrap_inline_payload: Some(payload),
                ..HistorySyncNotification::default()
            }),
            ..ProtocolMessage::default()
        }),
        ..Message::default()
    }
}

/// A zlib stream (RFC 1950) of one stored block: a few bytes need no compression, and no library for it.
fn zlib(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let data = data.get(..usize::from(length)).unwrap_or(data);
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in data {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    let checksum = ((high << 16) | low).to_be_bytes();
    [&[0x78, 0x01, 0x01][..], &length.to_le_bytes(), &(!length).to_le_bytes(), data, &checksum].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_block_is_what_every_zlib_reads() {
        // python3 -c 'import zlib; print(zlib.compress(b"halo", 0).hex())'
        assert_eq!(hex::encode(zlib(b"halo")), "7801010400fbff68616c6f040e01a5");
        assert_eq!(hex::encode(zlib(b"")), "7801010000ffff00000001");
    }
}
