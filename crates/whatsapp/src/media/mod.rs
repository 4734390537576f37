//! Files: encrypted and up, down and decrypted, in pieces.

mod fetch;
mod seal;
mod upload;

pub use fetch::{FetchError, PlainStream};
pub use seal::{SealError, Sealed, Sealing};
pub use upload::UploadError;

use domain::media::MediaKind;
use wacore::download::MediaType;

/// The kind by which WhatsApp derives a file's keys and chooses its place on the media host.
const fn media_type(kind: MediaKind) -> MediaType {
    match kind {
        MediaKind::Image => MediaType::Image,
        MediaKind::Video => MediaType::Video,
        MediaKind::Audio | MediaKind::Voice => MediaType::Audio,
        MediaKind::Document => MediaType::Document,
        MediaKind::Sticker => MediaType::Sticker,
    }
}
