//! What is stored for a session, under which keys.
//!
//! Keys of several parts are joined with `/`, which no JID contains. Addresses are the library's: `user[:device]@server.0`.
//! `number` is 0 and `expires_at` is none where nothing else is said; times are seconds since 1970, as the library
//! counts.

/// The device: identity, registration, account. Key: [`THE`]. JSON.
pub(super) const DEVICE: &str = "device";
/// A contact's identity key. Key: address. 32 bytes.
pub(super) const IDENTITY: &str = "identity";
/// A Signal session. Key: address.
pub(super) const SESSION: &str = "session";
/// A one-time key. Key: its id in ten digits. `number`: 1 when it was uploaded.
pub(super) const PREKEY: &str = "prekey";
/// A signed pre-key. Key: its id in ten digits.
pub(super) const SIGNED_PREKEY: &str = "signed_prekey";
/// A group's sender key. Key: the library's name of it.
pub(super) const SENDER_KEY: &str = "sender_key";
/// Whether a device has our sender key of a group. Key: group/device. One byte, 0 or 1.
pub(super) const SENDER_KEY_DEVICE: &str = "sender_key_device";
/// A key of the app state. Key: its id in hexadecimal. JSON. `number`: when it was made.
pub(super) const SYNC_KEY: &str = "sync_key";
/// How far a collection of the app state is known. Key: the collection. JSON.
pub(super) const SYNC_VERSION: &str = "sync_version";
/// A mutation of the app state. Key: collection/index MAC in hexadecimal. `number`: the version it came with.
pub(super) const SYNC_MAC: &str = "sync_mac";
/// Which phone number a LID belongs to. Key: LID without a server. JSON.
pub(super) const LID: &str = "lid";
/// Which LID a phone number has. Key: phone number. The LID, whose row has the rest.
pub(super) const PHONE: &str = "phone";
/// The base key of a session at the time of a retry. Key: address/message id.
pub(super) const BASE_KEY: &str = "base_key";
/// The devices of a user. Key: user. JSON.
pub(super) const DEVICES: &str = "devices";
/// What is known about a group. Key: JID.
pub(super) const GROUP: &str = "group";
/// A trusted-contact token. Key: JID. JSON. `number`: when the token was made.
pub(super) const TC_TOKEN: &str = "tc_token";
/// A sent message, kept for retries. Key: chat/message id. `expires_at`: when it was sent; the library says how old
/// is too old.
pub(super) const SENT: &str = "sent";
/// A message that came in and is not yet in the inbox. Key: chat/sender/message id. `expires_at`: when it came.
pub(super) const PENDING: &str = "pending";
/// A message's secret, for what refers to it later. Key: chat/sender/message id. 32 bytes. `number`: when the
/// message was sent, the later one wins. `expires_at`: when it is no longer needed, none for never; the later one
/// wins. `storage` merges rows of this kind.
pub(super) const MSG_SECRET: &str = "msg_secret";

/// The key where there is only one.
pub(super) const THE: &str = "the";

/// All kinds. The device comes first: without it the rest means nothing, so that is what a wipe begins with.
pub(super) const ALL: &[&str] = &[
    DEVICE,
    IDENTITY,
    SESSION,
    PREKEY,
    SIGNED_PREKEY,
    SENDER_KEY,
    SENDER_KEY_DEVICE,
    SYNC_KEY,
    SYNC_VERSION,
    SYNC_MAC,
    LID,
    PHONE,
    BASE_KEY,
    DEVICES,
    GROUP,
    TC_TOKEN,
    SENT,
    PENDING,
    MSG_SECRET,
];

/// What must not come back from a backup: states that move on with every message, whose keys have been used since, and
/// what is asked again anyway. Without them the first message to a contact begins a session anew, and a contact whose
/// message cannot be read sends it again.
pub(super) const NOT_IN_BACKUPS: &[&str] =
    &[SESSION, SENDER_KEY, SENDER_KEY_DEVICE, BASE_KEY, DEVICES, GROUP];

/// A key of several parts. Message ids are the sender's words: they may contain what a database cannot store.
pub(super) fn key(parts: &[&str]) -> String {
    let joined = parts.join("/");
    if joined.contains('\0') { joined.replace('\0', "%00") } else { joined }
}

/// What keys that begin with these parts begin with.
pub(super) fn prefix(parts: &[&str]) -> String {
    let mut prefix = key(parts);
    prefix.push('/');
    prefix
}

/// A number as a key that sorts as the number does.
pub(super) fn number(id: u32) -> String {
    format!("{id:010}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_can_be_stored_anywhere() {
        assert_eq!(key(&["a@lid", "b:1@lid", "3EB0"]), "a@lid/b:1@lid/3EB0");
        assert_eq!(key(&["a@lid", "3E\0B"]), "a@lid/3E%00B");
        assert_eq!(prefix(&["g@g.us"]), "g@g.us/");
        assert!(number(9) < number(10));
        assert_eq!(number(u32::MAX).len(), 10);
    }
}
