//! From WebSocket bytes to frames and back.
//!
//! A WebSocket message is only a piece of a byte stream: a frame may span several of them or share one.

use bytes::{Bytes, BytesMut};
use wacore_binary::consts::WA_CONN_HEADER;
use wacore_noise::NoiseCipher;
use wacore_noise::framing::{FRAME_LENGTH_SIZE, FrameDecoder, append_frame_header_into};

/// Routing bytes that a client may send ahead of the header: `ED 00 01`, a 24-bit length, that many bytes.
const ROUTING_MAGIC: [u8; 3] = [0xED, 0x00, 0x01];
const GCM_TAG: usize = 16;

/// Why a byte stream is not WhatsApp's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("connection header {0:02x?} is not WA\\x06\\x03")]
    Header(Vec<u8>),
    #[error("a frame does not decrypt: {0}")]
    Decrypt(#[from] wacore_noise::NoiseError),
    #[error("a frame is too large or empty")]
    Size,
}

/// Strips the connection header, then yields the frames' contents.
pub(crate) struct FrameReader {
    prelude: Option<Vec<u8>>,
    frames: FrameDecoder,
}

impl FrameReader {
    pub(crate) fn new() -> Self {
        Self { prelude: Some(Vec::new()), frames: FrameDecoder::new() }
    }

    /// Takes in bytes as they arrive.
    pub(crate) fn feed(&mut self, data: &[u8]) -> Result<(), FrameError> {
        let Some(mut prelude) = self.prelude.take() else {
            self.frames.feed(data);
            return Ok(());
        };
        prelude.extend_from_slice(data);
        match header_length(&prelude)? {
            Some(length) => self.frames.feed(prelude.get(length..).unwrap_or_default()),
            None => self.prelude = Some(prelude),
        }
        Ok(())
    }

    /// The next whole frame, if one has arrived.
    pub(crate) fn next_frame(&mut self) -> Option<BytesMut> {
        if self.prelude.is_some() { None } else { self.frames.decode_frame() }
    }
}

/// How long the header at the start of `bytes` is, routing bytes included; `None` while more bytes are needed.
fn header_length(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    let mut start = 0;
    if bytes.starts_with(&ROUTING_MAGIC) {
        let Some(length) = bytes.get(3..6) else { return Ok(None) };
        start = 6 + length.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
    } else if bytes.len() < ROUTING_MAGIC.len() && ROUTING_MAGIC.starts_with(bytes) {
        return Ok(None);
    }
    match bytes.get(start..start + WA_CONN_HEADER.len()) {
        None => Ok(None),
        Some(header) if header == WA_CONN_HEADER => Ok(Some(start + WA_CONN_HEADER.len())),
        Some(header) => Err(FrameError::Header(header.to_vec())),
    }
}

/// The two directions of an established connection.
pub(crate) struct Ciphers {
    read: NoiseCipher,
    write: NoiseCipher,
    received: u32,
    sent: u32,
}

impl Ciphers {
    pub(crate) fn new(read: NoiseCipher, write: NoiseCipher) -> Self {
        Self { read, write, received: 0, sent: 0 }
    }

    /// Decrypts a frame's content where it lies.
    pub(crate) fn open(&mut self, frame: &mut BytesMut) -> Result<(), FrameError> {
        self.read.decrypt_in_place_with_counter(self.received, frame)?;
        self.received = self.received.wrapping_add(1);
        Ok(())
    }

    /// Encrypts a packed stanza and appends it, framed, to `out`.
    pub(crate) fn seal(&mut self, stanza: &[u8], out: &mut BytesMut) -> Result<(), FrameError> {
        append_frame_header_into(stanza.len() + GCM_TAG, None, out).map_err(|_| FrameError::Size)?;
        let mut body = out.split_off(out.len());
        body.reserve(stanza.len() + GCM_TAG);
        body.extend_from_slice(stanza);
        self.write.encrypt_in_place_with_counter(self.sent, &mut body)?;
        self.sent = self.sent.wrapping_add(1);
        out.unsplit(body);
        Ok(())
    }
}

/// Frames a clear handshake message.
pub(crate) fn clear_frame(content: &[u8]) -> Result<Bytes, FrameError> {
    let mut out = BytesMut::with_capacity(content.len() + FRAME_LENGTH_SIZE);
    append_frame_header_into(content.len(), None, &mut out).map_err(|_| FrameError::Size)?;
    out.extend_from_slice(content);
    Ok(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_may_come_in_pieces_and_after_routing_bytes() {
        let mut reader = FrameReader::new();
        for byte in [0xED, 0x00, 0x01, 0, 0, 2, 7, 7, b'W', b'A', 6, 3, 0, 0, 1, 42] {
            reader.feed(&[byte]).expect("header");
        }
        assert_eq!(reader.next_frame().as_deref(), Some(&[42][..]));
        assert!(reader.next_frame().is_none());
    }

    #[test]
    fn another_dictionary_is_refused() {
        assert!(matches!(FrameReader::new().feed(b"WA\x06\x02"), Err(FrameError::Header(_))));
    }
}
