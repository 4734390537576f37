//! Passwords, hashed with bcrypt away from the threads that serve requests.

use std::{fmt, sync::Arc};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// The longest password, in bytes: bcrypt ignores what comes after.
pub const MAX_PASSWORD_BYTES: usize = 72;

/// The length of a bcrypt hash.
const BCRYPT_CHARS: usize = 60;

/// Hashes and verifies passwords. Cheap to clone; the clones share the bound.
#[derive(Clone)]
pub struct Passwords {
    cost: u32,
    running: Arc<Semaphore>,
}

/// A password could not be hashed or verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Longer than [`MAX_PASSWORD_BYTES`].
    #[error("a password has at most {MAX_PASSWORD_BYTES} bytes")]
    TooLong,
    /// What is stored is not a bcrypt hash.
    #[error("the stored password is not a bcrypt hash")]
    InvalidHash,
    /// The process is stopping.
    #[error("the process is stopping")]
    Stopping,
}

impl Passwords {
    /// `cost` is bcrypt's (4 to 31, each step doubles the time; others are brought into that range), `parallel`
    /// how many are computed at once: more than there are cores only makes all of them slower.
    #[must_use]
    pub fn new(cost: u32, parallel: usize) -> Self {
        Self { cost: cost.clamp(4, 31), running: Arc::new(Semaphore::new(parallel.max(1))) }
    }

    /// The bcrypt hash (`$2b$…`) to store.
    pub async fn hash(&self, password: &SecretString) -> Result<String, PasswordError> {
        let password = checked(password)?;
        let cost = self.cost;
        self.run(move || bcrypt::hash(password.expose_secret(), cost))
            .await?
            // The cost is in range; what is left is a lack of randomness, which nobody can work without.
            .map_err(|_| PasswordError::Stopping)
    }

    /// Whether the password is the one that was hashed, by us or another program (`$2a$`, `$2b$`, `$2x$`,
    /// `$2y$`).
    pub async fn verify(&self, password: &SecretString, hash: &str) -> Result<bool, PasswordError> {
        let password = checked(password)?;
        let hash = hash.to_owned();
        self.run(move || bcrypt::verify(password.expose_secret(), &hash))
            .await?
            .map_err(|_| PasswordError::InvalidHash)
    }

    /// Takes as long as verifying a wrong password, and always says no: for names that do not exist.
    pub async fn verify_unknown(&self, password: &SecretString) -> Result<bool, PasswordError> {
        // A well-formed hash that no password is known for.
        let hash = format!("$2b${:02}${}", self.cost, ".".repeat(53));
        self.verify(password, &hash).await.map(|_| false)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let permit = Arc::clone(&self.running).acquire_owned().await.map_err(|_| PasswordError::Stopping)?;
        let task = spawn_blocking(move || {
            // Kept until the thread is done, even when the caller gave up.
            let _permit = permit;
            work()
        });
        task.await.map_err(|_| PasswordError::Stopping)
    }
}

/// Whether [`Passwords::verify`] can do something with this hash.
#[must_use]
pub fn is_bcrypt(hash: &str) -> bool {
    hash.parse::<bcrypt::HashParts>().is_ok()
        && ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|version| hash.starts_with(version))
        && hash.len() == BCRYPT_CHARS
}

fn checked(password: &SecretString) -> Result<SecretString, PasswordError> {
    let fits = password.expose_secret().len() <= MAX_PASSWORD_BYTES;
    fits.then(|| password.clone()).ok_or(PasswordError::TooLong)
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("cost", &self.cost).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again() {
        let passwords = Passwords::new(4, 2);
        let hash = passwords.hash(&"päss:word".into()).await.unwrap();
        assert!(hash.starts_with("$2b$04$"), "{hash}");
        assert_eq!(passwords.verify(&"päss:word".into(), &hash).await, Ok(true));
        assert_eq!(passwords.verify(&"päss:wor".into(), &hash).await, Ok(false));
        assert_eq!(passwords.verify_unknown(&"päss:word".into()).await, Ok(false));
    }

    /// Made with `crypt_blowfish` and libxcrypt.
    #[tokio::test]
    async fn hashes_of_other_programs_verify() {
        let passwords = Passwords::new(4, 2);
        let table = [
            ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("rasmuslerdorf", "$2y$05$BCryptRequires22Chrctem7qd90g0Jth8jtpbiyapshSPlcRigCO"),
        ];
        for (password, hash) in table {
            assert_eq!(passwords.verify(&password.into(), hash).await, Ok(true), "{hash}");
            assert_eq!(passwords.verify(&"wrong".into(), hash).await, Ok(false), "{hash}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_hashed_is_refused_by_kind() {
        let passwords = Passwords::new(4, 2);
        let longest: SecretString = "x".repeat(72).into();
        let hash = passwords.hash(&longest).await.unwrap();
        assert_eq!(passwords.verify(&longest, &hash).await, Ok(true));
        let longer: SecretString = "x".repeat(73).into();
        assert_eq!(passwords.hash(&longer).await, Err(PasswordError::TooLong));
        assert_eq!(passwords.verify(&longer, &hash).await, Err(PasswordError::TooLong));
        assert_eq!(passwords.verify_unknown(&longer).await, Err(PasswordError::TooLong));
        for hash in ["", "plain", "$1$salt$hash", "$2b$99$......................"] {
            assert_eq!(passwords.verify(&"x".into(), hash).await, Err(PasswordError::InvalidHash), "{hash}");
        }
    }

    #[test]
    fn other_hashes_are_told_apart() {
        assert!(is_bcrypt("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"));
        for text in ["", "plain", "$2b$10$short", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"] {
            assert!(!is_bcrypt(text), "{text}");
        }
        assert!(!is_bcrypt(&format!("$2b$10${}", "é".repeat(53))));
    }

    #[tokio::test]
    async fn an_unknown_name_costs_what_a_wrong_password_costs() {
        let passwords = Passwords::new(8, 2);
        let hash = passwords.hash(&"right".into()).await.unwrap();
        let (mut wrong, mut unknown) = (Duration::MAX, Duration::MAX);
        for _ in 0..5 {
            let started = Instant::now();
            assert_eq!(passwords.verify(&"wrong".into(), &hash).await, Ok(false));
            wrong = wrong.min(started.elapsed());
            let started = Instant::now();
            assert_eq!(passwords.verify_unknown(&"wrong".into()).await, Ok(false));
            unknown = unknown.min(started.elapsed());
        }
        assert!(wrong < unknown * 2 && unknown < wrong * 2, "{wrong:?} {unknown:?}");
    }
}
