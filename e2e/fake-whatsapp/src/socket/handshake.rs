//! The responder's side of WhatsApp's Noise handshakes: XX, the resuming IK, and `XXfallback` when IK cannot be read.
//!
//! No I/O: bytes in, bytes out.

use crate::socket::cert::ServerIdentity;
use crate::socket::frames::Ciphers;
use wacore_binary::consts::{NOISE_PATTERN_IK, NOISE_PATTERN_XX, NOISE_PATTERN_XXFALLBACK, WA_CONN_HEADER};
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::{HandshakeError, NoiseHandshake};
use waproto::buffa::{Message as _, MessageField};
use waproto::whatsapp::handshake_message::ServerHello;
use waproto::whatsapp::{ClientPayload, HandshakeMessage};

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("noise: {0}")]
    Noise(#[from] HandshakeError),
    #[error("the handshake message lacks {0}")]
    Missing(&'static str),
    #[error("not protobuf: {0}")]
    Decode(#[from] waproto::buffa::DecodeError),
}

/// Which handshake a connection came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// First contact.
    Xx,
    /// Resumed with the server's key known.
    Ik,
    /// Resumed with a key that is not ours (any more).
    XxFallback,
}

/// A finished handshake.
pub(crate) struct Established {
    pub(crate) ciphers: Ciphers,
    pub(crate) client_static: [u8; 32],
    pub(crate) payload: ClientPayload,
    pub(crate) pattern: Pattern,
}

/// What the first message leads to.
pub(crate) enum Hello {
    /// Send this, then read the client's last message with [`Pending::finish`].
    Continue(Vec<u8>, Box<Pending>),
    /// Send this; the connection is established.
    Done(Vec<u8>, Box<Established>),
}

/// XX between the server's message and the client's last one.
pub(crate) struct Pending {
    noise: NoiseHandshake,
    ephemeral: KeyPair,
    pattern: Pattern,
}

/// Answers the client's first message.
pub(crate) fn answer(identity: &ServerIdentity, client_hello: &[u8]) -> Result<Hello, Refused> {
    let hello = waproto::codec::handshake_message_decode(client_hello)?
        .client_hello
        .into_option()
        .ok_or(Refused::Missing("clientHello"))?;
    let client_ephemeral = hello.ephemeral.ok_or(Refused::Missing("the ephemeral key"))?;
    let Some((encrypted_static, encrypted_payload)) = hello.r#static.zip(hello.payload) else {
        return start_xx(identity, &client_ephemeral, Pattern::Xx);
    };
    match resume(identity, &client_ephemeral, &encrypted_static, &encrypted_payload) {
        Ok((bytes, established)) => Ok(Hello::Done(bytes, Box::new(established))),
        Err(Refused::Noise(_)) => start_xx(identity, &client_ephemeral, Pattern::XxFallback),
        Err(other) => Err(other),
    }
}

fn start_xx(identity: &ServerIdentity, client_ephemeral: &[u8], pattern: Pattern) -> Result<Hello, Refused> {
    let name = if pattern == Pattern::Xx { NOISE_PATTERN_XX } else { NOISE_PATTERN_XXFALLBACK };
    let mut noise = NoiseHandshake::new(name, &WA_CONN_HEADER)?;
    let ephemeral = KeyPair::generate(&mut rand::rng());
    noise.authenticate(client_ephemeral);
    noise.authenticate(ephemeral.public_key.public_key_bytes());
    noise.mix_shared_secret(ephemeral.private_key.serialize(), client_ephemeral)?;
    let encrypted_static = noise.encrypt(identity.key.public_key.public_key_bytes())?;
    noise.mix_shared_secret(identity.key.private_key.serialize(), client_ephemeral)?;
    let payload = noise.encrypt(&identity.chain)?;
    let bytes = server_hello(&ephemeral, Some(encrypted_static), payload);
    Ok(Hello::Continue(bytes, Box::new(Pending { noise, ephemeral, pattern })))
}

fn resume(
    identity: &ServerIdentity,
    client_ephemeral: &[u8],
    encrypted_static: &[u8],
    encrypted_payload: &[u8],
) -> Result<(Vec<u8>, Established), Refused> {
    let mut noise = NoiseHandshake::new(NOISE_PATTERN_IK, &WA_CONN_HEADER)?;
    noise.authenticate(identity.key.public_key.public_key_bytes());
    noise.authenticate(client_ephemeral);
    noise.mix_shared_secret(identity.key.private_key.serialize(), client_ephemeral)?;
    let client_static = key_of(&noise.decrypt(encrypted_static)?)?;
    noise.mix_shared_secret(identity.key.private_key.serialize(), &client_static)?;
    let payload = noise.decrypt(encrypted_payload)?;
    let ephemeral = KeyPair::generate(&mut rand::rng());
    noise.authenticate(ephemeral.public_key.public_key_bytes());
    noise.mix_shared_secret(ephemeral.private_key.serialize(), client_ephemeral)?;
    noise.mix_shared_secret(ephemeral.private_key.serialize(), &client_static)?;
    let chain = noise.encrypt(&identity.chain)?;
    let bytes = server_hello(&ephemeral, None, chain);
    Ok((bytes, established(noise, client_static, &payload, Pattern::Ik)?))
}

impl Pending {
    /// Reads the client's last message.
    pub(crate) fn finish(mut self, client_finish: &[u8]) -> Result<Established, Refused> {
        let finish = waproto::codec::handshake_message_decode(client_finish)?
            .client_finish
            .into_option()
            .ok_or(Refused::Missing("clientFinish"))?;
        let encrypted_static = finish.r#static.ok_or(Refused::Missing("the static key"))?;
        let encrypted_payload = finish.payload.ok_or(Refused::Missing("the payload"))?;
        let client_static = key_of(&self.noise.decrypt(&encrypted_static)?)?;
        self.noise.mix_shared_secret(self.ephemeral.private_key.serialize(), &client_static)?;
        let payload = self.noise.decrypt(&encrypted_payload)?;
        established(self.noise, client_static, &payload, self.pattern)
    }
}

fn established(
    noise: NoiseHandshake,
    client_static: [u8; 32],
    payload: &[u8],
    pattern: Pattern,
) -> Result<Established, Refused> {
    // Named for the initiator: what it writes is what we read.
    let (read, write) = noise.finish()?;
    let payload = ClientPayload::decode_from_slice(payload)?;
    Ok(Established { ciphers: Ciphers::new(read, write), client_static, payload, pattern })
}

fn key_of(bytes: &[u8]) -> Result<[u8; 32], Refused> {
    bytes.try_into().map_err(|_| Refused::Missing("a key of 32 bytes"))
}

fn server_hello(ephemeral: &KeyPair, encrypted_static: Option<Vec<u8>>, payload: Vec<u8>) -> Vec<u8> {
    HandshakeMessage {
        server_hello: MessageField::some(ServerHello {
            ephemeral: Some(ephemeral.public_key.public_key_bytes().to_vec()),
            r#static: encrypted_static,
            payload: Some(payload),
            ..ServerHello::default()
        }),
        ..HandshakeMessage::default()
    }
    .encode_to_vec()
}
