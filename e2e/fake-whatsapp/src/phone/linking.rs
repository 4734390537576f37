//! The phone's part in linking a companion: the secret of a pairing by code, and the app-state keys.

use super::Phone;
use crate::error::Error;
use wacore::crypto::hkdf_sha256_into;
use wacore_libsignal::crypto::aes_256_gcm_decrypt;
use wacore_libsignal::protocol::{KeyPair, PublicKey};
use waproto::buffa::MessageField;
use waproto::whatsapp::Message;
use waproto::whatsapp::message::{
    AppStateSyncKey, AppStateSyncKeyData, AppStateSyncKeyFingerprint, AppStateSyncKeyId,
    AppStateSyncKeyShare, ProtocolMessage, protocol_message,
};

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
