use wacore::time::from_millis;
use wacore::types::message::MessageSource;
use waproto::whatsapp::message::{
    AudioMessage, ContactMessage, DocumentMessage, ExtendedTextMessage, ImageMessage, LiveLocationMessage,
    LocationMessage, PollCreationMessage, ProtocolMessage, ReactionMessage, SenderKeyDistributionMessage,
    StickerMessage, VideoMessage,
};

use super::*;

fn text_of(text: &str) -> wa::Message {
    wa::Message { conversation: Some(text.to_owned()), ..Default::default() }
}

fn wrap(message: wa::Message) -> FutureProofMessage {
    FutureProofMessage { message: Some(message).into() }
}

fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

fn info() -> MessageInfo {
    MessageInfo {
        id: "3EB0AA".to_owned(),
        push_name: "Budi".to_owned(),
        timestamp: from_millis(1_700_000_000_000).unwrap(),
        source: MessageSource {
            chat: jid("100200@lid"),
            sender: jid("100200:4@lid"),
            sender_alt: Some(jid("62811:4@s.whatsapp.net")),
            ..MessageSource::default()
        },
        ..MessageInfo::default()
    }
}

fn told(message: &wa::Message) -> Option<(String, Option<String>)> {
    inbound(message, &info()).map(|message| (message.kind, message.text))
}

macro_rules! message {
    ($field:ident: $value:expr) => {
        wa::Message { $field: Some($value).into(), ..Default::default() }
    };
}

#[test]
fn a_message_has_the_addresses_of_people_not_of_devices() {
    let message = inbound(&text_of("halo"), &info()).unwrap();
    assert_eq!(
        message,
        InboundMessage {
            message_id: "3EB0AA".into(),
            chat: "100200@lid".into(),
            sender: "100200@lid".into(),
            chat_alt: Some("62811@s.whatsapp.net".into()),
            sender_alt: Some("62811@s.whatsapp.net".into()),
            push_name: Some("Budi".into()),
            text: Some("halo".into()),
            kind: "text".into(),
            detail: None,
            sent_at: Timestamp(1_700_000_000_000),
            replayed: false,
            media: None,
        }
    );
}

#[test]
fn in_a_group_only_the_member_has_another_address() {
    let mut info = info();
    info.source.chat = jid("1203@g.us");
    info.source.is_group = true;
    info.is_offline = true;
    let message = inbound(&text_of("halo"), &info).unwrap();
    assert_eq!((message.chat.as_str(), message.chat_alt), ("1203@g.us", None));
    assert_eq!(message.sender, "100200@lid");
    assert_eq!(message.sender_alt.as_deref(), Some("62811@s.whatsapp.net"));
    assert!(message.replayed);
}

#[test]
fn hosted_devices_belong_to_the_same_people() {
    let mut info = info();
    info.source.sender = Jid { server: Server::HostedLid, ..jid("100200:99@lid") };
    info.source.sender_alt = Some(Jid { server: Server::Hosted, ..jid("62811:99@s.whatsapp.net") });
    let message = inbound(&text_of("halo"), &info).unwrap();
    assert_eq!(message.sender, "100200@lid");
    assert_eq!(message.sender_alt.as_deref(), Some("62811@s.whatsapp.net"));
}

#[test]
fn the_first_text_there_is_is_the_message() {
    let image =
        |caption: Option<&str>| ImageMessage { caption: caption.map(Into::into), ..Default::default() };
    let table = [
        (text_of("plain"), "text", Some("plain")),
        (
            message!(extended_text_message: ExtendedTextMessage { text: Some("long".into()), ..Default::default() }),
            "text",
            Some("long"),
        ),
        (message!(image_message: image(Some("look"))), "image", Some("look")),
        (message!(image_message: image(None)), "image", None),
        (message!(image_message: image(Some(""))), "image", None),
        (
            message!(video_message: VideoMessage { caption: Some("see".into()), ..Default::default() }),
            "video",
            Some("see"),
        ),
        (
            message!(document_message: DocumentMessage { caption: Some("read".into()), ..Default::default() }),
            "document",
            Some("read"),
        ),
        (
            message!(contact_message: ContactMessage { display_name: Some("Ani".into()), ..Default::default() }),
            "contact",
            Some("Ani"),
        ),
        (
            message!(location_message: LocationMessage { comment: Some("here".into()), ..Default::default() }),
            "location",
            Some("here"),
        ),
        (
            message!(live_location_message: LiveLocationMessage {
                caption: Some("moving".into()),
                ..Default::default()
            }),
            "live_location",
            Some("moving"),
        ),
        (message!(audio_message: AudioMessage::default()), "audio", None),
        (message!(sticker_message: StickerMessage::default()), "sticker", None),
        (
            message!(reaction_message: ReactionMessage { text: Some("👍".into()), ..Default::default() }),
            "reaction",
            None,
        ),
        (message!(poll_creation_message_v3: PollCreationMessage::default()), "poll", None),
        (wa::Message::default(), "unknown", None),
    ];
    for (message, kind, text) in table {
        let expected = (kind.to_owned(), text.map(ToOwned::to_owned));
        assert_eq!(told(&message), Some(expected), "{kind}");
    }
}

#[test]
fn wrappers_are_taken_off() {
    let document =
        message!(document_message: DocumentMessage { caption: Some("bill".into()), ..Default::default() });
    let image = message!(image_message: ImageMessage { caption: Some("once".into()), ..Default::default() });
    let edited = message!(protocol_message: ProtocolMessage {
        edited_message: Some(text_of("better")).into(),
        ..Default::default()
    });
    let table = [
        (message!(ephemeral_message: wrap(text_of("gone soon"))), "text", "gone soon"),
        (message!(document_with_caption_message: wrap(document)), "document", "bill"),
        (message!(view_once_message_v2: wrap(image.clone())), "image", "once"),
        (message!(ephemeral_message: wrap(message!(view_once_message: wrap(image)))), "image", "once"),
        (edited.clone(), "edit", "better"),
        (message!(edited_message: wrap(edited)), "edit", "better"),
    ];
    for (message, kind, text) in table {
        assert_eq!(told(&message), Some((kind.to_owned(), Some(text.to_owned()))), "{text}");
    }
}

#[test]
fn a_message_wrapped_without_end_ends() {
    let mut message = text_of("deep");
    for _ in 0..100 {
        message = message!(ephemeral_message: wrap(message));
    }
    assert_eq!(told(&message), Some(("unknown".to_owned(), None)));
}

#[test]
fn what_is_not_for_people_is_not_told() {
    let protocol = message!(protocol_message: ProtocolMessage::default());
    assert_eq!(told(&protocol), None);
    let keys = message!(sender_key_distribution_message: SenderKeyDistributionMessage::default());
    assert_eq!(told(&keys), None);

    let hidden = |change: &dyn Fn(&mut MessageInfo)| {
        let mut info = info();
        change(&mut info);
        inbound(&text_of("x"), &info).is_none()
    };
    assert!(hidden(&|info| info.source.is_from_me = true));
    assert!(hidden(&|info| info.source.chat = jid("status@broadcast")));
    assert!(hidden(&|info| info.source.chat = jid("123@broadcast")));
    assert!(hidden(&|info| info.source.chat = jid("123@newsletter")));
    assert!(hidden(&|info| info.category = MessageCategory::Peer));
    assert!(!hidden(&|_| {}));
}

#[test]
fn nothing_comes_through_that_cannot_be_stored() {
    let mut info = info();
    info.id = "3E\0B0".to_owned();
    info.push_name = "Bu\0di".to_owned();
    let message = inbound(&text_of("ha\0lo"), &info).unwrap();
    assert_eq!(message.message_id, "3EB0");
    assert_eq!(message.push_name.as_deref(), Some("Budi"));
    assert_eq!(message.text.as_deref(), Some("halo"));
}

#[test]
fn a_file_is_told_with_what_opens_it() {
    let document = DocumentMessage {
        direct_path: Some("/v/t62/x?oe=1".into()),
        media_key: Some(vec![1; 32]),
        file_sha256: Some(vec![2; 32]),
        file_enc_sha256: Some(vec![3; 32]),
        file_length: Some(9),
        mimetype: Some("application/pdf".into()),
        file_name: Some(format!("a\0{}", "ü".repeat(400))),
        ..Default::default()
    };
    let message = inbound(&message!(document_message: document.clone()), &info()).unwrap();
    let media = message.media.unwrap();
    assert_eq!((media.kind, media.remote.size), (MediaKind::Document, 9));
    assert_eq!(media.remote.direct_path, "/v/t62/x?oe=1");
    assert_eq!((media.remote.media_key, media.remote.file_enc_sha256), (vec![1; 32], vec![3; 32]));
    assert_eq!(media.claims.mime_type.as_deref(), Some("application/pdf"));
    assert_eq!(media.claims.file_name.unwrap().chars().count(), MAX_FILE_NAME - 1);

    let voice = |ptt| AudioMessage {
        direct_path: Some("/x".into()),
        media_key: Some(vec![1; 32]),
        ptt,
        ..Default::default()
    };
    for (ptt, kind) in
        [(Some(true), MediaKind::Voice), (Some(false), MediaKind::Audio), (None, MediaKind::Audio)]
    {
        let message = inbound(&message!(audio_message: voice(ptt)), &info()).unwrap();
        assert_eq!((message.kind.as_str(), message.media.unwrap().kind), (kind.as_str(), kind));
    }

    let nowhere = DocumentMessage { direct_path: None, ..document.clone() };
    let edited = wa::Message {
        protocol_message: Some(ProtocolMessage {
            edited_message: Some(message!(document_message: document)).into(),
            ..Default::default()
        })
        .into(),
        ..Default::default()
    };
    for without in [message!(document_message: nowhere), edited, text_of("halo")] {
        assert_eq!(inbound(&without, &info()).unwrap().media, None);
    }
}
