//! Links that open one file to whoever has them, until they expire.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{MediaId, Timestamp};
use secrets::KeyRing;
use url::Url;

/// What the signature is for, so that none of another purpose fits.
const PURPOSE: &str = "media link";

/// Makes and checks links.
#[derive(Debug, Clone)]
pub struct Links {
    base: Option<Url>,
    lifetime: Duration,
    keys: KeyRing,
}

/// Why a link opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("the link has expired")]
    Expired,
    /// It was changed, or signed with a key that is gone.
    #[error("the link is not valid")]
    Invalid,
}

impl Links {
    /// Links below `base`, the address that others reach the gateway at; without one they begin with the path. They
    /// work for `lifetime`, and no longer than a key of `keys` is in use.
    #[must_use]
    pub const fn new(base: Option<Url>, lifetime: Duration, keys: KeyRing) -> Self {
        Self { base, lifetime, keys }
    }

    /// A link to the file that is served under `name`, which has to be made of letters, digits, `-`, `_` and `.`.
    #[must_use]
    pub fn address(&self, file: MediaId, name: &str, now: Timestamp) -> String {
        let expires = (now + self.lifetime).seconds();
        let signature = URL_SAFE_NO_PAD.encode(self.keys.sign(PURPOSE, &signed(file, expires)));
        self.below(&format!("/media/{name}?id={file}&expires={expires}&signature={signature}"))
    }

    /// The address of a path of this gateway, as others reach it.
    #[must_use]
    pub fn below(&self, path: &str) -> String {
        let base = self.base.as_ref().map_or("", |base| base.as_str().trim_end_matches('/'));
        format!("{base}{path}")
    }

    /// Whether a link that ends like this opens the file.
    pub fn check(
        &self,
        file: MediaId,
        expires: i64,
        signature: &str,
        now: Timestamp,
    ) -> Result<(), LinkError> {
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| LinkError::Invalid)?;
        if !self.keys.signed(PURPOSE, &signed(file, expires), &signature) {
            return Err(LinkError::Invalid);
        }
        if now.seconds() >= expires { Err(LinkError::Expired) } else { Ok(()) }
    }
}

fn signed(file: MediaId, expires: i64) -> Vec<u8> {
    [&file.uuid().as_bytes()[..], &expires.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_500);
    const HOUR: Duration = Duration::from_hours(1);

    fn links(base: Option<&str>) -> Links {
        let keys = KeyRing::parse(&KeyRing::generate()).unwrap();
        Links::new(base.map(|base| base.parse().unwrap()), HOUR, keys)
    }

    fn signature(link: &str) -> &str {
        link.split("signature=").nth(1).unwrap()
    }

    #[test]
    fn a_link_opens_its_file_until_it_expires() {
        let links = links(Some("https://gateway.example/wa/"));
        let (file, other) = (MediaId::new(), MediaId::new());
        let link = links.address(file, "3EB0.jpg", NOW);
        let expected = format!("https://gateway.example/wa/media/3EB0.jpg?id={file}&expires=1800003600&");
        assert!(link.starts_with(&expected), "{link}");
        let signature = signature(&link);
        let late = NOW + HOUR;
        let table = [
            (file, 1_800_003_600, signature, NOW, Ok(())),
            (file, 1_800_003_600, signature, late, Err(LinkError::Expired)),
            (file, 1_900_000_000, signature, late, Err(LinkError::Invalid)),
            (other, 1_800_003_600, signature, NOW, Err(LinkError::Invalid)),
            (file, 1_800_003_600, &signature[1..], NOW, Err(LinkError::Invalid)),
            (file, 1_800_003_600, "", NOW, Err(LinkError::Invalid)),
            (file, 1_800_003_600, "%%%", NOW, Err(LinkError::Invalid)),
        ];
        for (file, expires, signature, now, expected) in table {
            assert_eq!(links.check(file, expires, signature, now), expected, "{expires} {signature}");
        }
    }

    #[test]
    fn without_an_address_of_its_own_a_link_is_a_path() {
        let link = links(None).address(MediaId::new(), "a.ogg", NOW);
        assert!(link.starts_with("/media/a.ogg?id=med_"), "{link}");
    }
}
