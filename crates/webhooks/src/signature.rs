//! Signatures after the Standard Webhooks specification (<https://www.standardwebhooks.com>): `v1,` and the base64
//! form of HMAC-SHA256 over `id.timestamp.body`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{EventId, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::SecretString;
use sha2::Sha256;

/// What marks a secret as one of the specification.
const PREFIX: &str = "whsec_";

/// The endpoint's secret is not one of the specification: `whsec_` and base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint's signing secret is not `whsec_` and base64")]
pub(crate) struct InvalidSecret;

/// A fresh secret of 32 random bytes.
#[must_use]
pub fn new_secret() -> SecretString {
    format!("{PREFIX}{}", STANDARD.encode(secrets::random_bytes::<32>())).into()
}

/// The value of `webhook-signature`. `secrets` are separated by spaces: while a secret is being replaced there are
/// two, and a receiver that knows either is content.
pub(crate) fn sign(
    secrets: &str,
    event: EventId,
    at: Timestamp,
    body: &[u8],
) -> Result<String, InvalidSecret> {
    let mut signatures = Vec::new();
    for secret in secrets.split_whitespace() {
        let key =
            secret.strip_prefix(PREFIX).and_then(|key| STANDARD.decode(key).ok()).ok_or(InvalidSecret)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| InvalidSecret)?;
        mac.update(format!("{event}.{}.", at.seconds()).as_bytes());
        mac.update(body);
        signatures.push(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
    }
    if signatures.is_empty() { Err(InvalidSecret) } else { Ok(signatures.join(" ")) }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use standardwebhooks::Webhook;

    use super::*;

    const ONE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const TWO: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const BODY: &[u8] = br#"{"message":"halo"}"#;

    fn verifies(signature: &str, event: EventId, secret: &str, body: &[u8]) -> bool {
        let at = domain::Clock::now(&domain::SystemClock).seconds();
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", event.to_string().parse().unwrap());
        headers.insert("webhook-timestamp", at.to_string().parse().unwrap());
        headers.insert("webhook-signature", signature.parse().unwrap());
        Webhook::new(secret).unwrap().verify(body, &headers).is_ok()
    }

    #[test]
    fn receivers_can_verify_it_with_either_secret() {
        let (event, now) = (EventId::new(), domain::Clock::now(&domain::SystemClock));
        let now = Timestamp::from_seconds(now.seconds());
        let signature = sign(&format!("{ONE} {TWO}"), event, now, BODY).unwrap();
        for secret in [ONE, TWO] {
            assert!(verifies(&signature, event, secret, BODY), "{signature}");
        }
        assert!(!verifies(&signature, event, ONE, b"{}"));
        assert!(!verifies(&signature, EventId::new(), ONE, BODY));
        assert!(!verifies(&sign(TWO, event, now, BODY).unwrap(), event, ONE, BODY));
    }

    #[test]
    fn fresh_secrets_work() {
        use secrecy::ExposeSecret as _;
        let now = Timestamp::from_seconds(domain::Clock::now(&domain::SystemClock).seconds());
        let (one, two) = (new_secret(), new_secret());
        assert_ne!(one.expose_secret(), two.expose_secret());
        let event = EventId::new();
        let signature = sign(one.expose_secret(), event, now, BODY).unwrap();
        assert!(verifies(&signature, event, one.expose_secret(), BODY));
        assert!(!verifies(&signature, event, two.expose_secret(), BODY));
    }

    #[test]
    fn other_secrets_are_refused() {
        for secret in ["", "  ", "plain", "whsec_not base64", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert_eq!(sign(secret, EventId::new(), Timestamp(0), BODY), Err(InvalidSecret), "{secret:?}");
        }
    }
}
