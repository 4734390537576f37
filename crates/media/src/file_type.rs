//! What a file is, by its first bytes.

use std::borrow::Cow;

use domain::media::{MediaClaims, MediaKind, OGG_OPUS, extension_of};

/// How many of a file's first bytes are enough to tell.
pub const HEAD: usize = 8192;

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileType {
    /// Such as `image/png`.
    pub mime_type: Cow<'static, str>,
    /// Without a dot.
    pub extension: Cow<'static, str>,
}

impl FileType {
    const UNKNOWN: Self = Self::new("application/octet-stream", "bin");

    const fn new(mime_type: &'static str, extension: &'static str) -> Self {
        Self { mime_type: Cow::Borrowed(mime_type), extension: Cow::Borrowed(extension) }
    }

    /// Looks at the first [`HEAD`] bytes, or at all if there are fewer.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        // An ISO base media file: its brand says what is in it, and there are more brands than anybody lists.
        if let Some(brand) = head.get(4..12).and_then(|box_head| box_head.strip_prefix(b"ftyp")) {
            match brand {
                [b'3', b'g', ..] => return Some(Self::new("video/3gpp", "3gp")),
                [b'M', b'4', b'A' | b'B', _] => return Some(Self::new("audio/mp4", "m4a")),
                [b'M', b'4', b'V', _] => return Some(Self::new("video/mp4", "mp4")),
                _ => {}
            }
        }
        let found = infer::get(head)?;
        Some(match found.mime_type() {
            "audio/m4a" => Self::new("audio/mp4", "m4a"),
            "audio/opus" => Self::new(OGG_OPUS, "ogg"),
            mime_type => Self::new(mime_type, found.extension()),
        })
    }

    /// The type of a file that goes out, of which something is always known: what is readable is text.
    #[must_use]
    pub fn of_any(head: &[u8]) -> Self {
        Self::of(head)
            .unwrap_or_else(|| if is_text(head) { Self::new("text/plain", "txt") } else { Self::UNKNOWN })
    }

    /// The type of a file that came in. Where the content does not tell, which is so for text and for the many formats that
    /// are a ZIP inside, a document may be what its sender calls it; it is never served as something that a browser
    /// runs.
    #[must_use]
    pub fn received(head: &[u8], kind: MediaKind, claims: &MediaClaims) -> Self {
        let found = Self::of(head);
        if kind != MediaKind::Document || found.as_ref().is_some_and(Self::is_specific) {
            return found.unwrap_or(Self::UNKNOWN);
        }
        let found = found.unwrap_or(Self::UNKNOWN);
        let extension = claims.file_name.as_deref().and_then(extension_of);
        let mime_type = claims.mime_type.as_deref().filter(|claimed| is_harmless(claimed));
        Self {
            mime_type: mime_type.map_or(found.mime_type, |claimed| Cow::Owned(claimed.to_ascii_lowercase())),
            extension: extension.map_or(found.extension, Cow::Owned),
        }
    }

    /// The content tells more than that it is some container or text.
    fn is_specific(&self) -> bool {
        !self.mime_type.starts_with("text/")
            && !matches!(
                &*self.mime_type,
                "application/zip" | "application/x-ole-storage" | "application/octet-stream"
            )
    }
}

/// UTF-8 without control characters; the last character may be cut in two by the end of the head.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !c.is_whitespace())
}

/// A media type in its plain form that no browser takes for a page.
fn is_harmless(mime_type: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let Some((kind, subtype)) = mime_type.split_once('/') else { return false };
    let lower = subtype.to_ascii_lowercase();
    mime_type.len() <= 127
        && token(kind)
        && token(subtype)
        && !["html", "xml", "svg", "javascript", "ecmascript", "script"]
            .iter()
            .any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F'];

    fn opus() -> Vec<u8> {
        let mut head = b"OggS\0\x02".to_vec();
        head.resize(28, 0);
        head.extend(b"OpusHead\x01\x01");
        head
    }

    #[test]
    fn content_decides() {
        let ftyp = |brand: &str| [b"\0\0\0\x18ftyp", brand.as_bytes(), b"\0\0\0\0"].concat();
        let table = [
            (PNG.to_vec(), Some(("image/png", "png"))),
            (JPEG.to_vec(), Some(("image/jpeg", "jpg"))),
            (b"RIFF\x10\0\0\0WEBPVP8L\0\0\0\0".to_vec(), Some(("image/webp", "webp"))),
            (b"GIF89a\x01\0\x01\0".to_vec(), Some(("image/gif", "gif"))),
            (opus(), Some((OGG_OPUS, "ogg"))),
            (b"OggS\0\x02\0\0\0\0\0\0".to_vec(), Some(("audio/ogg", "ogg"))),
            (b"ID3\x04\0\0\0\0\0\0".to_vec(), Some(("audio/mpeg", "mp3"))),
            (b"#!AMR\n\0\0\0\0\0\0\0".to_vec(), Some(("audio/amr", "amr"))),
            (ftyp("isom"), Some(("video/mp4", "mp4"))),
            (ftyp("mp42"), Some(("video/mp4", "mp4"))),
            (ftyp("3gp5"), Some(("video/3gpp", "3gp"))),
            (ftyp("M4A "), Some(("audio/mp4", "m4a"))),
            (ftyp("M4V "), Some(("video/mp4", "mp4"))),
            (ftyp("qt  "), Some(("video/quicktime", "mov"))),
            (b"%PDF-1.7".to_vec(), Some(("application/pdf", "pdf"))),
            (b"just text".to_vec(), None),
            (Vec::new(), None),
        ];
        for (head, expected) in table {
            let found = FileType::of(&head);
            let found = found.as_ref().map(|found| (&*found.mime_type, &*found.extension));
            assert_eq!(found, expected, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn what_is_readable_is_text() {
        let table: [(&[u8], &str); 6] = [
            (b"a,b\r\n1,2\t", "text/plain"),
            ("größe €".as_bytes(), "text/plain"),
            (&"größe €".as_bytes()[..10], "text/plain"),
            (b"a\0b", "application/octet-stream"),
            (b"\xff\xfe", "application/octet-stream"),
            (PNG, "image/png"),
        ];
        for (head, mime_type) in table {
            assert_eq!(FileType::of_any(head).mime_type, mime_type, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn senders_are_believed_only_where_it_does_no_harm() {
        let claims = |mime_type: &str, file_name: &str| MediaClaims {
            mime_type: Some(mime_type.into()),
            file_name: Some(file_name.into()),
        };
        let zip = b"PK\x03\x04\x14\0\0\0\0\0".as_slice();
        let html = b"<html><script>alert(1)</script>".as_slice();
        let table = [
            (PNG, MediaKind::Document, claims("application/pdf", "a.pdf"), ("image/png", "png")),
            (JPEG, MediaKind::Image, claims("text/html", "a.html"), ("image/jpeg", "jpg")),
            (b"?", MediaKind::Image, claims("image/png", "a.png"), ("application/octet-stream", "bin")),
            (b"a,b", MediaKind::Document, claims("text/csv", "A.CSV"), ("text/csv", "csv")),
            (zip, MediaKind::Document, claims("application/vnd.x", "a.apk"), ("application/vnd.x", "apk")),
            (zip, MediaKind::Document, claims("", "no extension"), ("application/zip", "zip")),
            (b"x", MediaKind::Document, claims("text/html", "a.txt"), ("application/octet-stream", "txt")),
            (
                b"x",
                MediaKind::Document,
                claims("image/svg+xml", "../../a"),
                ("application/octet-stream", "bin"),
            ),
            (b"x", MediaKind::Document, claims("a/b\r\nx: y", "a.t t"), ("application/octet-stream", "bin")),
            (b"x", MediaKind::Document, MediaClaims::default(), ("application/octet-stream", "bin")),
        ];
        for (head, kind, claims, expected) in table {
            let found = FileType::received(head, kind, &claims);
            assert_eq!((&*found.mime_type, &*found.extension), expected, "{claims:?}");
        }
        let page = FileType::received(html, MediaKind::Document, &claims("text/html", "a.html"));
        assert_eq!(page.extension, "html");
    }
}
