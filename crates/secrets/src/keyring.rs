//! Sealing what lies in the database: XChaCha20-Poly1305 under the keys of the installation.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{AeadInOut as _, KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const KEY: usize = 32;
const FINGERPRINT: usize = 4;
const NONCE: usize = 24;
const TAG: usize = 16;
/// Version, fingerprint of the key, nonce.
const HEAD: usize = 1 + FINGERPRINT + NONCE;

/// The keys of an installation: the first one seals, every one opens. Cheap to clone.
///
/// A sealed value is `version (1) ‖ key fingerprint (4) ‖ nonce (24) ‖ ciphertext ‖ tag (16)`: 45 bytes more
/// than what is inside.
#[derive(Clone)]
pub struct KeyRing {
    keys: Arc<[Key]>,
}

struct Key {
    fingerprint: [u8; FINGERPRINT],
    cipher: XChaCha20Poly1305,
    signing: Zeroizing<[u8; 32]>,
}

/// The keys cannot be used. Says which one by its place, never what it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// There is no key at all.
    #[error("no key is given")]
    Empty,
    /// A key is not the base64 form of 32 bytes.
    #[error("key {place} is not 32 bytes in base64 (make one with `openssl rand -base64 32`)")]
    Malformed {
        /// Counted from 1.
        place: usize,
    },
    /// A key is there twice.
    #[error("key {place} is the same as one before it")]
    Repeated {
        /// Counted from 1.
        place: usize,
    },
}

/// A sealed value does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is not something that [`KeyRing::seal`] made.
    #[error("not a sealed value of a known version")]
    Malformed,
    /// Its key is not in the ring: a key was removed from `SECRET_KEYS` too early, or this is another
    /// installation's database.
    #[error("sealed with key {fingerprint}, which is not in SECRET_KEYS")]
    UnknownKey {
        /// The first bytes of the key's hash, in hexadecimal digits.
        fingerprint: String,
    },
    /// It was changed, or belongs to another place (`aad`).
    #[error("the sealed value was changed or belongs elsewhere")]
    Forged,
}

impl KeyRing {
    /// Reads `SECRET_KEYS`: keys separated by commas or line ends, each 32 bytes in base64, each with an
    /// optional name in front (`2026-01:q83v…`) that is for people only.
    pub fn parse(text: &SecretString) -> Result<Self, InvalidKeys> {
        let parts = text.expose_secret().split([',', '\n']).map(str::trim).filter(|part| !part.is_empty());
        let mut keys: Vec<Key> = Vec::new();
        for (index, part) in parts.enumerate() {
            let place = index + 1;
            let encoded = part.rsplit_once(':').map_or(part, |(_, key)| key);
            let bytes =
                Zeroizing::new(STANDARD.decode(encoded).map_err(|_| InvalidKeys::Malformed { place })?);
            let bytes = bytes.as_array::<KEY>().ok_or(InvalidKeys::Malformed { place })?;
            let key = Key::new(bytes);
            if keys.iter().any(|other| other.fingerprint == key.fingerprint) {
                return Err(InvalidKeys::Repeated { place });
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(InvalidKeys::Empty) } else { Ok(Self { keys: keys.into() }) }
    }

    /// A fresh key, in the form that [`KeyRing::parse`] reads.
    #[must_use]
    pub fn generate() -> SecretString {
        let key = Zeroizing::new(crate::random_bytes::<KEY>());
        STANDARD.encode(*key).into()
    }

    /// Seals `plaintext` for the place that `aad` names, such as table, row and column: nowhere else does it
    /// open.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the cipher's only error is a plaintext of 256 GiB")]
    pub fn seal(&self, plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
        let key = &self.keys[0];
        let mut nonce = XNonce::default();
        rand::rng().fill_bytes(&mut nonce);
        let mut sealed = Vec::with_capacity(HEAD + plaintext.len() + TAG);
        sealed.push(VERSION);
        sealed.extend_from_slice(&key.fingerprint);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let tag = key
            .cipher
            .encrypt_inout_detached(&nonce, aad, (&mut sealed[HEAD..]).into())
            .expect("a plaintext is shorter than 256 GiB");
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Opens what [`KeyRing::seal`] sealed with the same `aad`.
    pub fn open(&self, sealed: &[u8], aad: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (head, rest) = sealed.split_first_chunk::<HEAD>().ok_or(OpenError::Malformed)?;
        let (text, tag) = rest.split_last_chunk::<TAG>().ok_or(OpenError::Malformed)?;
        let [VERSION, head @ ..] = head else { return Err(OpenError::Malformed) };
        let (fingerprint, nonce) = head.split_at(FINGERPRINT);
        let key = self
            .keys
            .iter()
            .find(|key| key.fingerprint == fingerprint)
            .ok_or_else(|| OpenError::UnknownKey { fingerprint: hex::encode(fingerprint) })?;
        let nonce = XNonce::try_from(nonce).map_err(|_| OpenError::Malformed)?;
        let mut opened = text.to_vec();
        key.cipher
            .decrypt_inout_detached(&nonce, aad, opened.as_mut_slice().into(), &Tag::from(*tag))
            .map_err(|_| OpenError::Forged)?;
        Ok(opened)
    }

    /// Signs a message for a purpose, with a key of its own that is derived from the first one. Not for what must
    /// outlive that key.
    #[must_use]
    pub fn sign(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        self.keys[0].sign(purpose, message)
    }

    /// Whether any of the keys signed this message for this purpose.
    #[must_use]
    pub fn signed(&self, purpose: &str, message: &[u8], signature: &[u8]) -> bool {
        self.keys.iter().any(|key| crate::same(&key.sign(purpose, message), signature))
    }

    /// Whether a sealed value was sealed with a key that no longer seals, so that it should be sealed anew
    /// before that key is removed.
    #[must_use]
    pub fn is_outdated(&self, sealed: &[u8]) -> bool {
        sealed.get(1..=FINGERPRINT).is_some_and(|fingerprint| fingerprint != self.keys[0].fingerprint)
    }
}

impl Key {
    fn new(bytes: &[u8; KEY]) -> Self {
        let hash = blake3::derive_key("wa-gateway 2026 secret key fingerprint", bytes);
        Self {
            fingerprint: [hash[0], hash[1], hash[2], hash[3]],
            cipher: XChaCha20Poly1305::new(&(*bytes).into()),
            signing: Zeroizing::new(blake3::derive_key("wa-gateway 2026 signatures", bytes)),
        }
    }

    fn sign(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.signing);
        hasher.update(&(purpose.len() as u64).to_le_bytes()).update(purpose.as_bytes()).update(message);
        *hasher.finalize().as_bytes()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| hex::encode(key.fingerprint))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const TWO: &str = "//////////////////////////////////////////8=";

    fn ring(text: &str) -> KeyRing {
        KeyRing::parse(&text.into()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let ring = ring(ONE);
        for plaintext in [&b""[..], b"x", &[7; 10_000]] {
            let sealed = ring.seal(plaintext, b"users/1/secret");
            assert_eq!((sealed.len(), sealed.capacity()), (plaintext.len() + 45, plaintext.len() + 45));
            assert_eq!(ring.open(&sealed, b"users/1/secret").unwrap(), plaintext);
            assert_eq!(ring.open(&sealed, b"users/2/secret"), Err(OpenError::Forged));
            assert_ne!(ring.seal(plaintext, b""), ring.seal(plaintext, b""), "a nonce is used once");
        }
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let ring = ring(ONE);
        let sealed = ring.seal(b"hello", b"");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            let expected = match index {
                0 => OpenError::Malformed,
                1..=4 => OpenError::UnknownKey { fingerprint: hex::encode(&changed[1..5]) },
                _ => OpenError::Forged,
            };
            assert_eq!(ring.open(&changed, b""), Err(expected), "{index}");
            let short = if index < 45 { OpenError::Malformed } else { OpenError::Forged };
            assert_eq!(ring.open(&sealed[..index], b""), Err(short), "{index}");
        }
    }

    #[test]
    fn keys_rotate() {
        let old = ring(ONE).seal(b"hello", b"");
        let both = ring(&format!("2026:{TWO}, 2025:{ONE}"));
        assert_eq!(both.open(&old, b"").unwrap(), b"hello");
        let new = both.seal(b"hello", b"");
        assert!(both.is_outdated(&old) && !both.is_outdated(&new));
        assert_eq!(ring(TWO).open(&new, b"").unwrap(), b"hello");
        assert!(matches!(ring(TWO).open(&old, b""), Err(OpenError::UnknownKey { .. })));
    }

    /// Values sealed by any released version open for ever.
    #[test]
    fn the_layout_stays() {
        // Nonce, ciphertext and tag were made with another implementation.
        let parts = [
            "01",
            "837f6534",
            "404142434445464748494a4b4c4d4e4f5051525354555657",
            "b5197615b3921c62d3e42560d854b40005a8e6ef69bac40b",
        ];
        let sealed = hex::decode(parts.concat()).unwrap();
        assert_eq!(ring(ONE).open(&sealed, b"place").unwrap(), b"a secret");
    }

    #[test]
    fn unusable_keys_are_named_by_their_place() {
        let table = [
            ("", InvalidKeys::Empty),
            (" , ", InvalidKeys::Empty),
            ("c2hvcnQ=", InvalidKeys::Malformed { place: 1 }),
            (&format!("{ONE},not base64"), InvalidKeys::Malformed { place: 2 }),
            (&format!("{ONE},again:{ONE}"), InvalidKeys::Repeated { place: 2 }),
        ];
        for (text, error) in table {
            assert_eq!(KeyRing::parse(&text.into()).unwrap_err(), error, "{text}");
        }
        KeyRing::parse(&KeyRing::generate()).unwrap();
    }

    #[test]
    fn a_signature_is_for_one_message_and_purpose_and_survives_a_new_key() {
        let old = ring(ONE);
        let signature = old.sign("links", b"a");
        let both = ring(&format!("{TWO},{ONE}"));
        assert!(old.signed("links", b"a", &signature) && both.signed("links", b"a", &signature));
        let others: [(&str, &[u8]); 3] = [("links", b"b"), ("link", b"sa"), ("other", b"a")];
        for (purpose, message) in others {
            assert!(!both.signed(purpose, message, &signature), "{purpose}");
        }
        assert!(!both.signed("links", b"a", &signature[..31]) && !both.signed("links", b"a", b""));
        assert!(!ring(TWO).signed("links", b"a", &signature));
        assert_ne!(both.sign("links", b"a"), signature, "the first key signs");
    }

    #[test]
    fn keys_are_not_printed() {
        let printed = format!("{:?}", ring(ONE));
        assert_eq!(printed.len(), "[\"00000000\"]".len(), "{printed}");
    }
}
