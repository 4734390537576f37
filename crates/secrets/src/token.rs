//! Random tokens, and hashes that stand for secrets.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// How an API key begins, so that people and scanners know one when they see it.
pub const TOKEN_PREFIX: &str = "wag_";

/// A random token: an API key, or the value of the dashboard's cookie. Shown once, stored as [`TokenHash`].
#[derive(Debug, Clone)]
pub struct Token(SecretString);

impl Token {
    /// `wag_` and 32 random bytes in base64url: 47 characters.
    #[must_use]
    pub fn generate() -> Self {
        let bytes = Zeroizing::new(crate::random_bytes::<32>());
        Self(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(*bytes)).into())
    }

    /// The token itself, to hand it to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        hash_token(self.expose())
    }
}

/// What is stored of a token. A token has 256 random bits, so a fast hash without salt is enough, and it can
/// be looked up. Equality takes the same time wherever the difference lies.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The 32 bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for TokenHash {
    /// From what was stored.
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// The hash of a token that somebody presents.
#[must_use]
pub fn hash_token(token: &str) -> TokenHash {
    TokenHash(*blake3::hash(token.as_bytes()).as_bytes())
}

/// Whether two secrets are the same. The time taken tells nothing about either, not even its length.
#[must_use]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    // blake3's own comparison takes constant time.
    blake3::hash(one) == blake3::hash(other)
}

/// A hash under a key that only this process knows and that dies with it: to remember which credentials were
/// verified without keeping them, or anything that could be tried against them.
#[derive(Clone)]
pub struct KeyedHash(Zeroizing<[u8; 32]>);

impl KeyedHash {
    /// With a fresh random key.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(crate::random_bytes()))
    }

    /// The hash of several values: (`ab`, `c`) and (`a`, `bc`) differ.
    #[must_use]
    pub fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        *hasher.finalize().as_bytes()
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_random_and_known_by_their_hash() {
        let (one, two) = (Token::generate(), Token::generate());
        assert!(one.expose().starts_with("wag_") && one.expose().len() == 47, "{}", one.expose());
        assert_ne!(one.expose(), two.expose());
        assert_eq!(hash_token(one.expose()), one.hash());
        assert_ne!(one.hash(), two.hash());
        assert_eq!(TokenHash::from(*one.hash().as_bytes()), one.hash());
    }

    #[test]
    fn secrets_are_compared_whole() {
        let table =
            [("", "", true), ("a", "a", true), ("a", "b", false), ("a", "aa", false), ("", "a", false)];
        for (one, other, expected) in table {
            assert_eq!(same(one.as_bytes(), other.as_bytes()), expected, "{one} {other}");
        }
    }

    #[test]
    fn a_keyed_hash_depends_on_every_part_and_on_the_process() {
        let keyed = KeyedHash::random();
        assert_eq!(keyed.hash(&[b"anna", b"pass"]), keyed.hash(&[b"anna", b"pass"]));
        let others: [&[&[u8]]; 4] =
            [&[b"annap", b"ass"], &[b"annapass"], &[b"anna", b"pass", b""], &[b"anna", b"Pass"]];
        for other in others {
            assert_ne!(keyed.hash(&[b"anna", b"pass"]), keyed.hash(other));
        }
        assert_ne!(keyed.hash(&[b"anna"]), KeyedHash::random().hash(&[b"anna"]));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let token = Token::generate();
        let printed = format!("{token:?} {:?} {:?}", token.hash(), KeyedHash::random());
        assert!(!printed.contains(&token.expose()[4..]), "{printed}");
    }
}
