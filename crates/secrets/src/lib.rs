//! Everything that keeps secrets secret: sealing at rest ([`KeyRing`], and
//! [`Sealer`] for files), passwords ([`Passwords`]), API keys
//! ([`Token`]), and a keyed hash to remember what was verified ([`KeyedHash`]). Types that hold a secret print
//! nothing of it; comparisons take the same time wherever the difference lies.

mod keyfile;
mod keyring;
mod password;
mod stream;
mod token;

pub use keyfile::KeyFileError;
pub use keyring::{InvalidKeys, KeyRing, OpenError};
pub use password::{MAX_PASSWORD_BYTES, PasswordError, Passwords, is_bcrypt};
pub use stream::{Sealer, StreamError, Unsealing};
pub use token::{KeyedHash, TOKEN_PREFIX, Token, TokenHash, hash_token, same};

use rand::Rng as _;

/// Bytes from the thread's cryptographically secure generator, which is seeded by the operating system.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
