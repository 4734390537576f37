//! The server's Noise identity and the certificate chain it presents.

use wacore_libsignal::protocol::{CurveError, KeyPair};
use waproto::buffa::{Message as _, MessageField};
use waproto::whatsapp::CertChain;
use waproto::whatsapp::cert_chain::NoiseCertificate;
use waproto::whatsapp::cert_chain::noise_certificate::Details;

/// Serial numbers of the two certificates; the root above them is number 0.
const INTERMEDIATE_SERIAL: u32 = 1;
const LEAF_SERIAL: u32 = 2;
/// Clients try the resuming handshake only while both certificates are within their validity.
const DAY: u64 = 86_400;

/// The static Noise key of one server and the certificates that name it.
pub(crate) struct ServerIdentity {
    /// The key every handshake proves possession of.
    pub(crate) key: KeyPair,
    /// The encoded chain, sent encrypted in each handshake.
    pub(crate) chain: Vec<u8>,
    /// The public key of the root, for clients that can be told to trust another one than WhatsApp's.
    pub(crate) root: Vec<u8>,
}

impl ServerIdentity {
    /// Makes fresh keys. The leaf is signed by the intermediate, as clients check; the intermediate is signed by a
    /// root of our own, which no client knows by itself: WhatsApp's root key is a constant of every client.
    pub(crate) fn generate(now: u64) -> Result<Self, CurveError> {
        let mut random = rand::rng();
        let root = KeyPair::generate(&mut random);
        let intermediate = KeyPair::generate(&mut random);
        let key = KeyPair::generate(&mut random);
        let chain = CertChain {
            leaf: MessageField::some(certificate(
                &key,
                LEAF_SERIAL,
                INTERMEDIATE_SERIAL,
                &intermediate,
                now,
            )?),
            intermediate: MessageField::some(certificate(&intermediate, INTERMEDIATE_SERIAL, 0, &root, now)?),
        };
        Ok(Self { key, chain: chain.encode_to_vec(), root: root.public_key.public_key_bytes().to_vec() })
    }
}

fn certificate(
    subject: &KeyPair,
    serial: u32,
    issuer_serial: u32,
    issuer: &KeyPair,
    now: u64,
) -> Result<NoiseCertificate, CurveError> {
    let details = Details {
        serial: Some(serial),
        issuer_serial: Some(issuer_serial),
        key: Some(subject.public_key.public_key_bytes().to_vec()),
        not_before: Some(now.saturating_sub(30 * DAY)),
        not_after: Some(now + 365 * DAY),
    }
    .encode_to_vec();
    let signature = issuer.calculate_signature(&details, &mut rand::rng())?;
    Ok(NoiseCertificate { details: Some(details), signature: Some(signature.to_vec()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wacore_libsignal::protocol::PublicKey;

    #[test]
    fn each_certificate_is_signed_by_the_one_above() {
        let identity = ServerIdentity::generate(1_700_000_000).expect("keys");
        let chain = waproto::codec::cert_chain_decode(&identity.chain).expect("chain");
        let leaf = chain.leaf.into_option().expect("leaf");
        let intermediate = chain.intermediate.into_option().expect("intermediate");
        let details = waproto::codec::noise_certificate_details_decode(
            intermediate.details.as_deref().expect("details of the intermediate"),
        )
        .expect("details");
        assert_eq!(details.issuer_serial, Some(0));
        let issuer = PublicKey::from_djb_public_key_bytes(details.key.as_deref().expect("key")).expect("key");
        let signed = leaf.details.expect("details of the leaf");
        assert!(issuer.verify_signature(&signed, &leaf.signature.expect("signature")));
        let root = PublicKey::from_djb_public_key_bytes(&identity.root).expect("key");
        let signed = intermediate.details.expect("details of the intermediate");
        assert!(root.verify_signature(&signed, &intermediate.signature.expect("signature")));
    }
}
