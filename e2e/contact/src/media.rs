//! Media sent and received by a contact.

use crate::error::Error;
use crate::inbox::Received;
use crate::{Contact, address};
use waproto::whatsapp::Message;
use whatsapp_rust::download::{Downloadable, MediaType};
use whatsapp_rust::media::{
    AudioOptions, DocumentOptions, ImageOptions, VideoOptions, audio_message, document_message,
    image_message, video_message,
};
use whatsapp_rust::upload::UploadOptions;

/// What a file is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// Sound.
    Audio,
    /// A voice note.
    Voice,
    /// Any file.
    Document,
}

impl Contact {
    /// Uploads a file and sends it; returns the message id.
    pub async fn send_media(
        &self,
        to: &str,
        kind: MediaKind,
        file: Vec<u8>,
        caption: Option<&str>,
    ) -> Result<String, Error> {
        let client = self.client()?;
        let media_type = match kind {
            MediaKind::Image => MediaType::Image,
            MediaKind::Video => MediaType::Video,
            MediaKind::Audio | MediaKind::Voice => MediaType::Audio,
            MediaKind::Document => MediaType::Document,
        };
        let upload =
            client.upload(file, media_type, UploadOptions::default()).await.map_err(Error::client)?;
        let caption = caption.map(str::to_owned);
        let message = match kind {
            MediaKind::Image => image_message(upload, ImageOptions { caption, ..ImageOptions::default() }),
            MediaKind::Video => video_message(upload, VideoOptions { caption, ..VideoOptions::default() }),
            MediaKind::Audio => audio_message(upload, AudioOptions::default()),
            MediaKind::Voice => {
                audio_message(upload, AudioOptions { ptt: Some(true), ..AudioOptions::default() })
            }
            MediaKind::Document => {
                document_message(upload, DocumentOptions { caption, ..DocumentOptions::default() })
            }
        };
        let sent = client.send_message(address(to)?, message).await.map_err(Error::client)?;
        Ok(sent.message_id)
    }

    /// Downloads and decrypts the file of a message; `None` when it has none.
    pub async fn download(&self, received: &Received) -> Result<Option<Vec<u8>>, Error> {
        let client = self.client()?;
        match file_of(&received.message) {
            Some(file) => client.download(file).await.map(Some).map_err(Error::client),
            None => Ok(None),
        }
    }
}

fn file_of(message: &Message) -> Option<&dyn Downloadable> {
    let image = message.image_message.as_option().map(|file| file as &dyn Downloadable);
    let video = message.video_message.as_option().map(|file| file as &dyn Downloadable);
    let audio = message.audio_message.as_option().map(|file| file as &dyn Downloadable);
    let document = message.document_message.as_option().map(|file| file as &dyn Downloadable);
    let sticker = message.sticker_message.as_option().map(|file| file as &dyn Downloadable);
    image.or(video).or(audio).or(document).or(sticker)
}
