//! Sealing what is too large for memory: a file in pieces, each sealed to its place in the whole.
//!
//! A sealed file is a title in plain text, 16 random bytes that name the file, then pieces, each behind a byte that is 1
//! for the last one, and its length (4 bytes, big endian). A piece is sealed to title, file, number, and whether it is
//! the last: pieces that are left out, exchanged, repeated, or taken from another file do not open, and an end that is
//! missing is noticed.

use std::io::{self, Read, Write};

use crate::{KeyRing, OpenError};

/// Plain bytes of a piece; the last one may have less.
const PIECE: usize = 256 * 1024;
/// What sealing adds at most.
const OVERHEAD: usize = 64;
const FILE: usize = 16;

/// Why a sealed file cannot be read. Within an [`io::Error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// It does not begin with its title.
    #[error("it is something else")]
    Foreign,
    /// It ends before its end, or is shorter than it was.
    #[error("its end is missing")]
    Truncated,
    /// Something follows its end.
    #[error("something follows its end")]
    Longer,
    /// A piece does not open.
    #[error(transparent)]
    Sealed(#[from] OpenError),
}

impl StreamError {
    /// The reason within an error of a [`Unsealing`] reader, if it is one of these.
    #[must_use]
    pub fn within(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        Self::other(error)
    }
}

/// The place of the next piece.
struct Place {
    title: &'static str,
    file: [u8; FILE],
    number: u64,
}

impl Place {
    /// What the next piece is sealed to.
    fn next(&mut self, last: bool) -> Vec<u8> {
        let mut place = Vec::with_capacity(self.title.len() + FILE + 9);
        place.extend_from_slice(self.title.as_bytes());
        place.extend_from_slice(&self.file);
        place.extend_from_slice(&self.number.to_be_bytes());
        place.push(last.into());
        self.number += 1;
        place
    }
}

/// Seals what is written to it. Without [`Sealer::finish`] the file has no end, which readers notice.
pub struct Sealer<W> {
    keys: KeyRing,
    place: Place,
    piece: Vec<u8>,
    writer: W,
}

impl<W: Write> Sealer<W> {
    /// Begins a sealed file. `title` says what it is; readers ask for it.
    pub fn begin(mut writer: W, keys: &KeyRing, title: &'static str) -> io::Result<Self> {
        let file = crate::random_bytes();
        writer.write_all(title.as_bytes())?;
        writer.write_all(&file)?;
        let place = Place { title, file, number: 0 };
        Ok(Self { keys: keys.clone(), place, piece: Vec::with_capacity(PIECE), writer })
    }

    /// Writes the last piece; gives back what it was written to, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.write_piece(true)?;
        self.writer.flush()?;
        Ok(self.writer)
    }

    fn write_piece(&mut self, last: bool) -> io::Result<()> {
        let sealed = self.keys.seal(&self.piece, &self.place.next(last));
        self.piece.clear();
        let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        self.writer.write_all(&[last.into()])?;
        self.writer.write_all(&length.to_be_bytes())?;
        self.writer.write_all(&sealed)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() == PIECE {
            self.write_piece(false)?;
        }
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Only [`Sealer::finish`] writes a piece that is not full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what a [`Sealer`] wrote. Nothing comes out of it that was changed; that all of it was there is known only
/// when it has been read to its end.
pub struct Unsealing<R> {
    keys: KeyRing,
    place: Place,
    piece: Vec<u8>,
    read: usize,
    last: bool,
    reader: R,
}

impl<R: Read> Unsealing<R> {
    /// Reads the beginning of a sealed file with this title.
    pub fn begin(mut reader: R, keys: &KeyRing, title: &'static str) -> io::Result<Self> {
        let mut head = Vec::with_capacity(title.len());
        Read::by_ref(&mut reader).take(title.len() as u64).read_to_end(&mut head)?;
        if head != title.as_bytes() {
            return Err(StreamError::Foreign.into());
        }
        let mut file = [0; FILE];
        reader.read_exact(&mut file).map_err(cut)?;
        let place = Place { title, file, number: 0 };
        Ok(Self { keys: keys.clone(), place, piece: Vec::new(), read: 0, last: false, reader })
    }

    fn next_piece(&mut self) -> io::Result<()> {
        let mut head = [0; 5];
        self.reader.read_exact(&mut head).map_err(cut)?;
        let [last, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if last > 1 || length > PIECE + OVERHEAD {
            return Err(StreamError::Sealed(OpenError::Malformed).into());
        }
        let mut sealed = vec![0; length];
        self.reader.read_exact(&mut sealed).map_err(cut)?;
        self.last = last == 1;
        self.piece = self.keys.open(&sealed, &self.place.next(self.last)).map_err(StreamError::Sealed)?;
        self.read = 0;
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let mut more = [0];
        match self.reader.read(&mut more)? {
            0 => Ok(()),
            _ => Err(StreamError::Longer.into()),
        }
    }
}

fn cut(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { StreamError::Truncated.into() } else { error }
}

impl<R: Read> Read for Unsealing<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            if self.last {
                self.end()?;
                return Ok(0);
            }
            self.next_piece()?;
        }
        let taken = bytes.len().min(self.piece.len() - self.read);
        bytes[..taken].copy_from_slice(&self.piece[self.read..self.read + taken]);
        self.read += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLE: &str = "a test 1\n";

    fn ring() -> KeyRing {
        KeyRing::parse(&KeyRing::generate()).unwrap()
    }

    fn sealed(keys: &KeyRing, plain: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::begin(Vec::new(), keys, TITLE).unwrap();
        sealer.write_all(plain).unwrap();
        sealer.finish().unwrap()
    }

    fn opened(keys: &KeyRing, sealed: &[u8]) -> Result<Vec<u8>, StreamError> {
        let mut plain = Vec::new();
        Unsealing::begin(sealed, keys, TITLE)
            .and_then(|mut unsealing| unsealing.read_to_end(&mut plain))
            .map(|_| plain)
            .map_err(|error| StreamError::within(&error).cloned().unwrap())
    }

    /// The sealed pieces, and what is before them.
    fn pieces(sealed: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (head, mut rest) = sealed.split_at(TITLE.len() + FILE);
        let mut pieces = Vec::new();
        while let Some(length) = rest.get(1..5) {
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
            let (piece, after) = rest.split_at(5 + length);
            pieces.push(piece.to_vec());
            rest = after;
        }
        (head.to_vec(), pieces)
    }

    #[test]
    fn what_goes_in_comes_out() {
        let keys = ring();
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let plain: Vec<u8> = (0..=255).cycle().take(length).collect();
            assert_eq!(opened(&keys, &sealed(&keys, &plain)).as_ref(), Ok(&plain), "{length}");
        }
    }

    #[test]
    fn every_missing_byte_and_every_byte_too_many_is_noticed() {
        let keys = ring();
        let whole = sealed(&keys, b"hello");
        for length in 0..whole.len() {
            let expected = if length < TITLE.len() { StreamError::Foreign } else { StreamError::Truncated };
            assert_eq!(opened(&keys, &whole[..length]), Err(expected), "{length}");
        }
        assert_eq!(opened(&keys, &[whole, vec![0]].concat()), Err(StreamError::Longer));
    }

    #[test]
    fn pieces_open_in_their_place_only() {
        let keys = ring();
        let (head, parts) = pieces(&sealed(&keys, &vec![7; 3 * PIECE + 5]));
        let [first, second, _, last] = &parts[..] else { unreachable!("{}", parts.len()) };
        let (_, others) = pieces(&sealed(&keys, &vec![7; 3 * PIECE + 5]));
        let made_last = [&[1], &second[1..]].concat();
        let forged = StreamError::Sealed(OpenError::Forged);
        let table: [(&str, Vec<&[u8]>, StreamError); 6] = [
            ("left out", vec![first, last], forged.clone()),
            ("exchanged", vec![second, first, last], forged.clone()),
            ("repeated", vec![first, first, last], forged.clone()),
            ("of another file", vec![first, &others[1], last], forged.clone()),
            ("called the last", vec![first, &made_last], forged),
            ("without its end", vec![first, second], StreamError::Truncated),
        ];
        for (what, parts, expected) in table {
            let file = [&[&head[..]], &parts[..]].concat().concat();
            assert_eq!(opened(&keys, &file), Err(expected), "{what}");
        }
    }

    #[test]
    fn other_keys_open_nothing_and_a_length_is_not_believed() {
        let keys = ring();
        let whole = sealed(&keys, b"hello");
        assert!(matches!(opened(&ring(), &whole), Err(StreamError::Sealed(OpenError::UnknownKey { .. }))));
        let mut huge = whole;
        huge[TITLE.len() + FILE + 1] = 0xff;
        assert_eq!(opened(&keys, &huge), Err(StreamError::Sealed(OpenError::Malformed)));
    }
}
