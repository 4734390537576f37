//! How long a voice note plays.

/// A page of an Ogg stream is never longer: 27 bytes of header, 255 lengths, 255 segments of 255 bytes.
const LONGEST_PAGE: usize = 27 + 255 + 255 * 255;

/// Opus counts its samples at this rate, whatever the sound was recorded at.
const SAMPLES_A_SECOND: u64 = 48_000;

const CAPTURE: &[u8] = b"OggS";
/// Where a page's header has the position of its last sample.
const POSITION: std::ops::Range<usize> = 6..14;

/// Listens to an Ogg file of Opus as it passes by: its last page says how long it is.
#[derive(Debug, Default)]
pub struct OpusLength {
    /// The end of what has passed so far; the last page begins in it.
    tail: Vec<u8>,
}

impl OpusLength {
    /// More of the file.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        if self.tail.len() > 4 * LONGEST_PAGE {
            self.tail.drain(..self.tail.len() - LONGEST_PAGE);
        }
    }

    /// Whole seconds, at least one; `None` when the file does not say.
    #[must_use]
    pub fn seconds(&self) -> Option<u32> {
        let start = self.tail.windows(CAPTURE.len()).rposition(|window| window == CAPTURE)?;
        let position = self.tail.get(start..)?.get(POSITION)?;
        let samples = u64::from_le_bytes(position.try_into().ok()?);
        // All ones: no packet ends on this page.
        if samples == u64::MAX {
            return None;
        }
        u32::try_from(samples.div_ceil(SAMPLES_A_SECOND)).ok().map(|seconds| seconds.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(samples: u64, length: usize) -> Vec<u8> {
        let mut page = b"OggS\0\0".to_vec();
        page.extend(samples.to_le_bytes());
        page.resize(page.len() + 13 + length, 7);
        page
    }

    #[test]
    fn the_last_page_tells_the_length() {
        let table = [
            (vec![page(0, 19), page(48_000 * 3, 4000)], Some(3)),
            (vec![page(0, 19), page(48_000 * 3 + 1, 60_000)], Some(4)),
            (vec![page(0, 19)], Some(1)),
            (vec![page(u64::MAX, 10)], None),
            (vec![page(u64::MAX - 1, 10)], None),
            (vec![b"OggS\0".to_vec()], None),
            (vec![Vec::new()], None),
        ];
        for (pages, seconds) in table {
            for size in [1, 7, 65_536, 1 << 20] {
                let mut length = OpusLength::default();
                pages.concat().chunks(size).for_each(|chunk| length.feed(chunk));
                assert_eq!(length.seconds(), seconds, "{} pages, {size} bytes at a time", pages.len());
            }
        }
    }

    #[test]
    fn a_long_file_is_not_kept() {
        let mut length = OpusLength::default();
        for second in 1..=1000 {
            length.feed(&page(48_000 * second, 60_000));
        }
        assert_eq!(length.seconds(), Some(1000));
        assert!(length.tail.capacity() < 16 * LONGEST_PAGE);
    }
}
