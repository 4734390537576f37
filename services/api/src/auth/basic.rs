//! The `Authorization` header.

use std::str;

use axum::http::{HeaderMap, header};
use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// With or without padding: clients send both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A name and a password, not checked yet.
pub(super) struct Basic {
    decoded: Zeroizing<Vec<u8>>,
    colon: usize,
}

impl Basic {
    /// Reads `Basic …`; `None` when it is anything else.
    pub(super) fn parse(header: &[u8]) -> Option<Self> {
        let encoded = after_scheme(header, b"basic ")?;
        let decoded = Zeroizing::new(BASE64.decode(encoded).ok()?);
        // A password may have colons, a name may not.
        let colon = decoded.iter().position(|&byte| byte == b':')?;
        str::from_utf8(&decoded).ok()?;
        Some(Self { decoded, colon })
    }

    /// A name and a password that came in another way.
    pub(super) fn of(username: &str, password: &SecretString) -> Self {
        let decoded = Zeroizing::new([username, password.expose_secret()].join(":").into_bytes());
        Self { decoded, colon: username.len() }
    }

    pub(super) fn username(&self) -> &str {
        str::from_utf8(&self.decoded[..self.colon]).unwrap_or_default()
    }

    pub(super) fn password(&self) -> &str {
        str::from_utf8(&self.decoded[self.colon + 1..]).unwrap_or_default()
    }
}

/// What stands behind `Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    after_scheme(headers.get(header::AUTHORIZATION)?.as_bytes(), b"bearer ")
}

/// What stands behind an authentication scheme, which may be written in any case.
fn after_scheme<'a>(header: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = header.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD as PADDED;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_name_and_a_password_come_out_as_they_went_in(name in "[^:]*", password in any::<String>()) {
            let header = format!("Basic {}", PADDED.encode(format!("{name}:{password}")));
            let basic = Basic::parse(header.as_bytes());
            let read = basic.as_ref().map(|basic| (basic.username(), basic.password()));
            prop_assert_eq!(read, Some((&*name, &*password)));
        }

        #[test]
        fn any_header_is_read_or_not(header in prop::collection::vec(any::<u8>(), 0..80), tail in "[A-Za-z0-9+/=]{0,40}") {
            let looks_right = format!("Basic {tail}").into_bytes();
            for header in [header, looks_right] {
                if let Some(basic) = Basic::parse(&header) {
                    prop_assert!(!basic.username().contains(':'));
                }
            }
        }
    }

    #[test]
    fn names_end_at_the_first_colon() {
        let table = [
            ("Basic YWRtaW46YWRtaW4=", Some(("admin", "admin"))),
            ("basic YWRtaW46YWRtaW4", Some(("admin", "admin"))),
            ("BASIC  YTpiOmM6", Some(("a", "b:c:"))),
            ("Basic Og==", Some(("", ""))),
            ("Basic w6TDtjrDvA==", Some(("äö", "ü"))),
            ("Basic YWRtaW4=", None),
            ("Basic ***", None),
            ("Basic /zr/", None),
            ("Basic", None),
            ("Bearer YTpi", None),
            ("", None),
        ];
        for (header, expected) in table {
            let basic = Basic::parse(header.as_bytes());
            let read = basic.as_ref().map(|basic| (basic.username(), basic.password()));
            assert_eq!(read, expected, "{header}");
        }
    }
}
