//! Messages with a file that WhatsApp's media host has.

use domain::media::{MediaKind, OutgoingMedia, UploadedMedia};
use waproto::whatsapp::{
    self as wa,
    message::{AudioMessage, DocumentMessage, ImageMessage, StickerMessage, VideoMessage},
};

/// The message of an uploaded file.
pub(super) fn message(media: &OutgoingMedia, upload: &UploadedMedia) -> wa::Message {
    let context_info = context(media);
    let about = &upload.about;
    let mimetype = Some(about.mime_type.clone());
    let caption = media.caption.clone().filter(|caption| !caption.is_empty());
    let jpeg_thumbnail = about.thumbnail.clone();
    let streaming_sidecar = upload.streaming_sidecar.clone();
    let (width, height, seconds) = (about.width, about.height, about.seconds);
    // What every kind of file has, under the same names in messages of different types.
    macro_rules! file {
        ($type:ident { $($own:ident $(: $value:expr)?),+ }) => {
            Some($type {
                url: Some(upload.url.clone()),
                direct_path: Some(upload.direct_path.clone()),
                media_key: Some(upload.media_key.clone()),
                file_sha256: Some(upload.file_sha256.clone()),
                file_enc_sha256: Some(upload.file_enc_sha256.clone()),
                file_length: Some(upload.size),
                media_key_timestamp: Some(upload.media_key_timestamp),
                mimetype,
                context_info: context_info.into(),
                $($own $(: $value)?,)+
                ..Default::default()
            })
            .into()
        };
    }
    let mut message = wa::Message::default();
    match media.kind {
        MediaKind::Image => {
            message.image_message = file!(ImageMessage { caption, width, height, jpeg_thumbnail });
        }
        MediaKind::Video => {
            message.video_message =
                file!(VideoMessage { caption, width, height, seconds, jpeg_thumbnail, streaming_sidecar });
        }
        MediaKind::Audio => {
            message.audio_message = file!(AudioMessage { seconds, streaming_sidecar });
        }
        MediaKind::Voice => {
            message.audio_message = file!(AudioMessage { seconds, streaming_sidecar, ptt: Some(true) });
        }
        MediaKind::Document => {
            let file_name = media.file_name.clone();
            let title = file_name.clone();
            message.document_message = file!(DocumentMessage { caption, file_name, title, jpeg_thumbnail });
        }
        MediaKind::Sticker => {
            let is_animated = Some(about.animated);
            message.sticker_message = file!(StickerMessage { width, height, is_animated });
        }
    }
    message
}

/// The message that it answers, and the people whom its caption mentions.
fn context(media: &OutgoingMedia) -> Option<wa::ContextInfo> {
    if media.quoted.is_none() && media.mentions.is_empty() {
        return None;
    }
    Some(wa::ContextInfo {
        mentioned_jid: media.mentions.clone(),
        ..media.quoted.as_ref().map_or_else(wa::ContextInfo::default, super::context)
    })
}

#[cfg(test)]
mod tests {
    use domain::{
        Timestamp,
        media::{MediaAbout, MediaSource},
        message::{Content, Quote},
    };

    use super::{
        super::{Setting, to_whatsapp},
        *,
    };

    fn media(kind: MediaKind) -> OutgoingMedia {
        OutgoingMedia {
            kind,
            source: MediaSource::Url("http://h/x".to_owned()),
            caption: Some("look @62811".to_owned()),
            file_name: Some("a.pdf".to_owned()),
            quoted: None,
            mentions: vec!["62811@s.whatsapp.net".to_owned()],
        }
    }

    fn upload() -> UploadedMedia {
        UploadedMedia {
            url: "https://host/v/x".to_owned(),
            direct_path: "/v/x".to_owned(),
            media_key: vec![1; 32],
            file_sha256: vec![2; 32],
            file_enc_sha256: vec![3; 32],
            size: 4096,
            media_key_timestamp: 1_700_000_000,
            streaming_sidecar: Some(vec![9]),
            about: MediaAbout {
                mime_type: "x/y".to_owned(),
                width: Some(640),
                height: Some(480),
                seconds: Some(7),
                thumbnail: Some(vec![5]),
                animated: true,
            },
        }
    }

    fn sent(kind: MediaKind) -> wa::Message {
        message(&media(kind), &upload())
    }

    #[test]
    fn each_kind_of_file_is_a_message_of_its_own() {
        let image = sent(MediaKind::Image).image_message.into_option().unwrap();
        assert_eq!((image.width, image.height, image.file_length), (Some(640), Some(480), Some(4096)));
        assert_eq!((image.caption.as_deref(), image.jpeg_thumbnail), (Some("look @62811"), Some(vec![5])));
        assert_eq!(image.context_info.as_option().unwrap().mentioned_jid, ["62811@s.whatsapp.net"]);
        assert_eq!((image.media_key, image.direct_path.as_deref()), (Some(vec![1; 32]), Some("/v/x")));
        let video = sent(MediaKind::Video).video_message.into_option().unwrap();
        assert_eq!((video.seconds, video.streaming_sidecar), (Some(7), Some(vec![9])));
        for (kind, ptt) in [(MediaKind::Audio, None), (MediaKind::Voice, Some(true))] {
            let audio = sent(kind).audio_message.into_option().unwrap();
            assert_eq!((audio.ptt, audio.mimetype.as_deref()), (ptt, Some("x/y")));
        }
        let document = sent(MediaKind::Document).document_message.into_option().unwrap();
        assert_eq!((document.file_name.as_deref(), document.caption.is_some()), (Some("a.pdf"), true));
        let sticker = sent(MediaKind::Sticker).sticker_message.into_option().unwrap();
        assert_eq!((sticker.is_animated, sticker.width), (Some(true), Some(640)));
    }

    #[test]
    fn a_file_can_be_an_answer() {
        let quoted = Quote {
            message_id: "3EB0AA".to_owned(),
            participant: "62811@s.whatsapp.net".to_owned(),
            text: Some("question".to_owned()),
        };
        let answer = OutgoingMedia { quoted: Some(quoted), mentions: Vec::new(), ..media(MediaKind::Image) };
        let image = message(&answer, &upload()).image_message.into_option().unwrap();
        assert_eq!(image.context_info.as_option().unwrap().stanza_id.as_deref(), Some("3EB0AA"));
    }

    #[test]
    fn without_an_upload_there_is_no_message() {
        let setting = Setting { chat: "", own: None, at: Timestamp(0), upload: None };
        assert!(to_whatsapp(&Content::Media(media(MediaKind::Image)), &setting).is_none());
        let silent =
            OutgoingMedia { caption: Some(String::new()), mentions: Vec::new(), ..media(MediaKind::Image) };
        let image = message(&silent, &upload()).image_message.into_option().unwrap();
        assert!(image.caption.is_none() && image.context_info.is_unset());
    }
}
