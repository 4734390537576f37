//! Files that messages carry: what kinds there are, which types and sizes each may have, and what is known of one on
//! its way out or in.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{MessageId, message::Quote, session::text_enum};

text_enum! {
    /// What a file is sent as.
    MediaKind {
        /// A picture.
        Image = "image",
        /// A film.
        Video = "video",
        /// Sound, such as music.
        Audio = "audio",
        /// A voice note.
        Voice = "voice",
        /// Any file, under its own name.
        Document = "document",
        /// A picture of 512 × 512 without a frame.
        Sticker = "sticker",
    }
}

/// The type of what voice notes are, and of the only sound in an Ogg file that phones play.
pub const OGG_OPUS: &str = "audio/ogg; codecs=opus";

impl MediaKind {
    /// Whether a file of this type (such as `image/png`) can be sent as this: what WhatsApp's
    /// clients show on every platform, and pictures that are turned into that.
    #[must_use]
    pub fn accepts(self, mime_type: &str) -> bool {
        match self {
            Self::Image | Self::Sticker => matches!(mime_type, "image/jpeg" | "image/png" | "image/webp"),
            Self::Video => matches!(mime_type, "video/mp4" | "video/3gpp"),
            Self::Audio => {
                matches!(mime_type, "audio/mpeg" | "audio/mp4" | "audio/aac" | "audio/amr" | OGG_OPUS)
            }
            Self::Voice => mime_type == OGG_OPUS,
            Self::Document => true,
        }
    }

    /// What [`accepts`](Self::accepts) accepts, for people.
    #[must_use]
    pub const fn accepted(self) -> &'static str {
        match self {
            Self::Image | Self::Sticker => "JPEG, PNG or WebP",
            Self::Video => "MP4 or 3GP",
            Self::Audio => "MP3, M4A, AAC, AMR or Ogg with Opus",
            Self::Voice => "Ogg with Opus",
            Self::Document => "any file",
        }
    }

    /// The field of a webhook's `media` that names a file of this kind: for the contract a voice note is audio.
    #[must_use]
    pub const fn webhook_field(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio | Self::Voice => "audio",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }
}

/// The largest files that are sent, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaLimits {
    pub image: u64,
    pub video: u64,
    /// Voice notes too.
    pub audio: u64,
    pub sticker: u64,
    /// Also the largest file of any kind that is taken in.
    pub document: u64,
}

impl Default for MediaLimits {
    /// What WhatsApp's own clients send.
    fn default() -> Self {
        Self { image: 16 << 20, video: 64 << 20, audio: 16 << 20, sticker: 1 << 20, document: 2 << 30 }
    }
}

impl MediaLimits {
    /// The limit for a file of this type that is to be sent as this kind: a sticker that is still a photograph may be as
    /// large as one, because it becomes smaller.
    #[must_use]
    pub fn of_source(&self, kind: MediaKind, mime_type: &str) -> u64 {
        match kind {
            MediaKind::Sticker if mime_type != "image/webp" => self.image,
            kind => self.of(kind),
        }
    }

    /// The limit for a file whose type is not known yet.
    #[must_use]
    pub fn of_any_source(&self, kind: MediaKind) -> u64 {
        self.of(kind).max(self.of_source(kind, ""))
    }

    /// The limit of one kind.
    #[must_use]
    pub const fn of(&self, kind: MediaKind) -> u64 {
        match kind {
            MediaKind::Image => self.image,
            MediaKind::Video => self.video,
            MediaKind::Audio | MediaKind::Voice => self.audio,
            MediaKind::Sticker => self.sticker,
            MediaKind::Document => self.document,
        }
    }
}

/// A file that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingMedia {
    pub kind: MediaKind,
    pub source: MediaSource,
    /// Shown under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// What a document is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<Quote>,
    /// JIDs of the people that the caption mentions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
}

/// Where a file that is to be sent comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaSource {
    /// Whoever holds the session fetches it.
    Url(String),
    /// It came with the request and is in the media store.
    Stored(StoredUpload),
}

/// A file that came with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredUpload {
    /// The message it came for; the media store keeps it under this.
    pub message: MessageId,
    /// In bytes.
    pub size: u64,
    /// Of its content, in hexadecimal digits.
    pub sha256: String,
}

/// A file that WhatsApp's media host has, encrypted, and what recipients are told of it. Enough to send the message
/// again without another upload.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadedMedia {
    pub url: String,
    pub direct_path: String,
    pub media_key: Vec<u8>,
    pub file_sha256: Vec<u8>,
    pub file_enc_sha256: Vec<u8>,
    /// Of the plaintext, in bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub media_key_timestamp: i64,
    /// Lets recipients play sound and films before all of it is there.
    pub streaming_sidecar: Option<Vec<u8>>,
    pub about: MediaAbout,
}

/// What a file shows of itself before anybody downloads it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaAbout {
    pub mime_type: String,
    pub width: Option<u32>,
    pub height: Option<u32>,
    /// How long it plays.
    pub seconds: Option<u32>,
    /// A small JPEG.
    pub thumbnail: Option<Vec<u8>>,
    /// A sticker that moves.
    #[serde(default)]
    pub animated: bool,
}

impl fmt::Debug for UploadedMedia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadedMedia").field("size", &self.size).finish_non_exhaustive()
    }
}

/// A file that a message brought: where WhatsApp's media host keeps it, and how to open it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteFile {
    /// The path on whichever media host; the sender wrote it.
    pub direct_path: String,
    pub media_key: Vec<u8>,
    pub file_sha256: Vec<u8>,
    pub file_enc_sha256: Vec<u8>,
    /// Of the plaintext, in bytes, as the sender says.
    pub size: u64,
}

impl fmt::Debug for RemoteFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteFile").field("size", &self.size).finish_non_exhaustive()
    }
}

/// A file that a message brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMedia {
    pub kind: MediaKind,
    /// What the sender says about its type and name.
    pub claims: MediaClaims,
    pub remote: RemoteFile,
}

/// What a sender says about a file; nothing that may be relied on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaClaims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
}

/// Pauses between tries to fetch a file from WhatsApp's media host; deliveries wait for it a little longer than all of
/// them together.
const FETCH_PAUSES: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(5),
];

/// How long to wait after a file could not be fetched so many times; `None`: give up.
#[must_use]
pub fn after_failed_fetch(failures: i32) -> Option<Duration> {
    let place = usize::try_from(failures).ok()?.checked_sub(1)?;
    FETCH_PAUSES.get(place).copied()
}

/// The longest part of a message id that a file name keeps.
const MAX_ID_CHARS: usize = 64;

/// The name that a received file is served under: `<message id>.<extension>`. A message id is the sender's word, so
/// what could mean anything in a path or a header is replaced.
#[must_use]
pub fn served_name(message_id: &str, extension: &str) -> String {
    format!("{}.{extension}", safe_id(message_id))
}

/// The name for a file when another message of the session has taken the plain one: two senders may choose the same id.
#[must_use]
pub fn served_name_again(message_id: &str, distinction: &str, extension: &str) -> String {
    format!("{}_{distinction}.{extension}", safe_id(message_id))
}

fn safe_id(message_id: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let id: String = message_id.chars().take(MAX_ID_CHARS).map(safe).collect();
    if id.is_empty() { "message".to_owned() } else { id }
}

/// The extension of a file's name, in lower case: the part behind the last dot, if it is a few letters and digits.
#[must_use]
pub fn extension_of(file_name: &str) -> Option<String> {
    let (stem, extension) = file_name.trim_end().rsplit_once('.')?;
    let plausible = !stem.is_empty()
        && (1..=10).contains(&extension.len())
        && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    plausible.then(|| extension.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_become_harmless_names() {
        let long = "A".repeat(300);
        let table = [
            ("3EB0AA01", "3EB0AA01.ogg"),
            ("../../etc/passwd", "______etc_passwd.ogg"),
            ("a/b\\c:d\0e\r\nf", "a_b_c_d_e__f.ogg"),
            ("\"quoted\"; x=y", "_quoted___x_y.ogg"),
            (".hidden", "_hidden.ogg"),
            ("٣", "_.ogg"),
            ("", "message.ogg"),
            (&long, &format!("{}.ogg", "A".repeat(64))),
        ];
        for (id, name) in table {
            assert_eq!(served_name(id, "ogg"), name, "{id:?}");
        }
        assert_eq!(served_name_again("a/b", "0193", "jpg"), "a_b_0193.jpg");
    }

    #[test]
    fn extensions_are_short_words() {
        let table = [
            ("report.PDF", Some("pdf")),
            ("a.tar.gz", Some("gz")),
            ("a.gz ", Some("gz")),
            (".bashrc", None),
            ("report", None),
            ("report.", None),
            ("a.b/c", None),
            ("a.nam e", None),
            ("a.averyverylongone", None),
            ("", None),
        ];
        for (name, extension) in table {
            assert_eq!(extension_of(name).as_deref(), extension, "{name}");
        }
    }

    #[test]
    fn a_file_is_tried_for_some_minutes() {
        let pauses: Vec<_> = (1..=6).map(after_failed_fetch).collect();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(pauses, [seconds(2), seconds(10), seconds(30), seconds(120), seconds(300), None]);
        assert_eq!((after_failed_fetch(0), after_failed_fetch(-1)), (None, None));
    }

    #[test]
    fn each_kind_has_its_types_and_its_limit() {
        let table = [
            (MediaKind::Image, "image/png", true),
            (MediaKind::Image, "image/gif", false),
            (MediaKind::Sticker, "image/webp", true),
            (MediaKind::Video, "video/mp4", true),
            (MediaKind::Video, "video/quicktime", false),
            (MediaKind::Audio, "audio/mpeg", true),
            (MediaKind::Audio, "audio/x-wav", false),
            (MediaKind::Voice, OGG_OPUS, true),
            (MediaKind::Audio, "audio/ogg", false),
            (MediaKind::Voice, "audio/mpeg", false),
            (MediaKind::Document, "application/octet-stream", true),
        ];
        for (kind, mime_type, accepted) in table {
            assert_eq!(kind.accepts(mime_type), accepted, "{kind} {mime_type}");
        }
        let limits = MediaLimits::default();
        assert_eq!(limits.of(MediaKind::Voice), limits.audio);
        assert_eq!(limits.of(MediaKind::Document), 2_147_483_648);
        assert_eq!(limits.of_source(MediaKind::Sticker, "image/webp"), limits.sticker);
        assert_eq!(limits.of_source(MediaKind::Sticker, "image/png"), limits.image);
        assert_eq!(limits.of_any_source(MediaKind::Sticker), limits.image);
        assert_eq!(limits.of_any_source(MediaKind::Video), limits.video);
    }

    #[test]
    fn keys_are_not_printed() {
        let remote = RemoteFile {
            direct_path: "/secret".into(),
            media_key: vec![77; 32],
            file_sha256: Vec::new(),
            file_enc_sha256: Vec::new(),
            size: 5,
        };
        assert_eq!(format!("{remote:?}"), "RemoteFile { size: 5, .. }");
    }
}
