//! What a decrypted message is, in the gateway's words. Pure.

use domain::{
    Timestamp,
    detail::Detail,
    event::InboundMessage,
    media::{InboundMedia, MediaClaims, MediaKind, RemoteFile},
};
use wacore::download::Downloadable;
use wacore::types::message::{MessageCategory, MessageInfo};
use wacore_binary::{Jid, JidExt as _, Server};
use waproto::whatsapp::{
    self as wa,
    message::{FutureProofMessage, protocol_message::Type as ProtocolType},
};

use super::detail::detail;

/// Wrappers within wrappers are followed this far; nobody's client nests deeper.
const MAX_DEPTH: usize = 8;

/// What is kept of a file's name, in characters; file systems allow no more bytes.
const MAX_FILE_NAME: usize = 255;

/// The message for the inbox; `None` for what is not told: own messages, broadcasts and stories, channels, and what
/// devices say to each other.
pub(super) fn inbound(message: &wa::Message, info: &MessageInfo) -> Option<InboundMessage> {
    let source = &info.source;
    let person_or_group = source.chat.is_group() || is_person(&source.chat);
    if source.is_from_me || !person_or_group || info.category == MessageCategory::Peer {
        return None;
    }
    let (message, edited) = unwrapped(message);
    // An edit brings the file again that the edited message has brought.
    let media = if edited.is_some() { None } else { media(message) };
    let (kind, detail) = if let Some(edit) = edited {
        ("edit", Some(Detail::Edited { message_id: edit.message_id().map(clean) }))
    } else if let Some(message_id) = deleted(message) {
        ("delete", Some(Detail::Deleted { message_id: clean(message_id) }))
    } else {
        (kind(message)?, detail(message))
    };
    let chat = canonical(&source.chat);
    let sender = canonical(&source.sender);
    let sender_alt = source.sender_alt.as_ref().map(canonical).filter(|alt| *alt != sender);
    Some(InboundMessage {
        message_id: clean(&info.id),
        chat_alt: if chat == sender { sender_alt.clone() } else { None },
        chat,
        sender,
        sender_alt,
        push_name: Some(clean(&info.push_name)).filter(|name| !name.is_empty()),
        text: text(message).map(clean),
        kind: kind.to_owned(),
        detail,
        sent_at: Timestamp(info.timestamp.timestamp_millis()),
        replayed: info.is_offline,
        media,
    })
}

fn is_person(jid: &Jid) -> bool {
    jid.server.is_pn_family()
        || jid.server.is_lid_family()
        || matches!(jid.server, Server::Legacy | Server::Bot)
}

/// A JID without the device, and without what says where the device is hosted.
fn canonical(jid: &Jid) -> String {
    let server = match jid.server {
        Server::Hosted | Server::Legacy => Server::Pn,
        Server::HostedLid => Server::Lid,
        other => other,
    };
    clean(Jid { server, ..jid.to_non_ad() }.to_string())
}

/// Without the one character that PostgreSQL cannot store.
pub(super) fn clean(text: impl AsRef<str>) -> String {
    text.as_ref().replace('\0', "")
}

/// What says that a message is the new form of an earlier one.
struct Edit<'a>(&'a wa::message::ProtocolMessage);

impl Edit<'_> {
    fn message_id(&self) -> Option<&str> {
        self.0.key.as_option()?.id.as_deref()
    }
}

/// The message inside of its wrappers, and what says that it is the new form of an earlier one.
fn unwrapped(message: &wa::Message) -> (&wa::Message, Option<Edit<'_>>) {
    let mut current = message;
    let mut edited = None;
    for _ in 0..MAX_DEPTH {
        if let Some(inner) = wrapped(current) {
            current = inner;
        } else if let Some((edit, inner)) = edit(current) {
            current = inner;
            edited = Some(edit);
        } else {
            break;
        }
    }
    (current, edited)
}

/// An edit comes as a protocol message that carries the new content.
fn edit(message: &wa::Message) -> Option<(Edit<'_>, &wa::Message)> {
    let protocol = message.protocol_message.as_option()?;
    Some((Edit(protocol), protocol.edited_message.as_option()?))
}

/// WhatsApp's id of the message that this one takes back.
fn deleted(message: &wa::Message) -> Option<&str> {
    let protocol = message.protocol_message.as_option()?;
    (protocol.r#type == Some(ProtocolType::REVOKE)).then(|| protocol.key.as_option()?.id.as_deref())?
}

fn wrapped(message: &wa::Message) -> Option<&wa::Message> {
    let future_proof: [Option<&FutureProofMessage>; 12] = [
        message.ephemeral_message.as_option(),
        message.view_once_message.as_option(),
        message.view_once_message_v2.as_option(),
        message.view_once_message_v2_extension.as_option(),
        message.document_with_caption_message.as_option(),
        message.edited_message.as_option(),
        message.group_mentioned_message.as_option(),
        message.associated_child_message.as_option(),
        message.lottie_sticker_message.as_option(),
        message.bot_invoke_message.as_option(),
        message.limit_sharing_message.as_option(),
        message.spoiler_message.as_option(),
    ];
    let wrapper = future_proof.into_iter().flatten().find_map(|wrapper| wrapper.message.as_option());
    wrapper.or_else(|| message.device_sent_message.as_option()?.message.as_option())
}

/// The contract's `message`: the first of these that is there.
fn text(message: &wa::Message) -> Option<&str> {
    let candidates = [
        message.conversation.as_deref(),
        message.extended_text_message.as_option().and_then(|m| m.text.as_deref()),
        message.image_message.as_option().and_then(|m| m.caption.as_deref()),
        message.video_message.as_option().and_then(|m| m.caption.as_deref()),
        message.document_message.as_option().and_then(|m| m.caption.as_deref()),
        message.contact_message.as_option().and_then(|m| m.display_name.as_deref()),
        message.location_message.as_option().and_then(|m| m.comment.as_deref()),
        message.live_location_message.as_option().and_then(|m| m.caption.as_deref()),
    ];
    candidates.into_iter().flatten().find(|text| !text.is_empty())
}

/// The word for what kind of message it is; `None` for what only devices need to know.
fn kind(m: &wa::Message) -> Option<&'static str> {
    if m.protocol_message.is_set() {
        return None;
    }
    let table: &[(bool, &'static str)] = &[
        (m.conversation.is_some() || m.extended_text_message.is_set(), "text"),
        (m.image_message.is_set(), "image"),
        (m.video_message.is_set() || m.ptv_message.is_set(), "video"),
        (m.audio_message.as_option().is_some_and(|audio| audio.ptt == Some(true)), "voice"),
        (m.audio_message.is_set(), "audio"),
        (m.document_message.is_set(), "document"),
        (m.sticker_message.is_set(), "sticker"),
        (m.contact_message.is_set(), "contact"),
        (m.contacts_array_message.is_set(), "contacts"),
        (m.location_message.is_set(), "location"),
        (m.live_location_message.is_set(), "live_location"),
        (m.reaction_message.is_set() || m.enc_reaction_message.is_set(), "reaction"),
        (is_poll(m), "poll"),
        (m.poll_update_message.is_set(), "poll_vote"),
        (m.event_message.is_set(), "event"),
        (m.enc_event_response_message.is_set(), "event_response"),
        (m.album_message.is_set(), "album"),
        (m.sticker_pack_message.is_set(), "sticker_pack"),
        (m.group_invite_message.is_set(), "group_invite"),
        (m.product_message.is_set(), "product"),
        (m.order_message.is_set(), "order"),
        (m.list_message.is_set(), "list"),
        (m.buttons_message.is_set(), "buttons"),
        (m.template_message.is_set(), "template"),
        (m.interactive_message.is_set(), "interactive"),
        (is_reply(m), "interactive_reply"),
        (m.comment_message.is_set() || m.enc_comment_message.is_set(), "comment"),
        (m.pin_in_chat_message.is_set(), "pin"),
        (m.keep_in_chat_message.is_set(), "keep"),
        (m.call_log_messsage.is_set() || m.call.is_set(), "call"),
        (m.secret_encrypted_message.is_set(), "edit"),
    ];
    table.iter().find(|(is, _)| *is).map(|(_, word)| *word).or_else(|| {
        let only_keys = m.sender_key_distribution_message.is_set()
            || m.fast_ratchet_key_sender_key_distribution_message.is_set();
        (!only_keys).then_some("unknown")
    })
}

/// The file that a message brings; `None` also when it does not say where the file is.
fn media(m: &wa::Message) -> Option<InboundMedia> {
    let film = m.video_message.as_option().or_else(|| m.ptv_message.as_option());
    if let Some(image) = m.image_message.as_option() {
        inbound_media(MediaKind::Image, image, image.mimetype.as_ref(), None)
    } else if let Some(film) = film {
        inbound_media(MediaKind::Video, film, film.mimetype.as_ref(), None)
    } else if let Some(audio) = m.audio_message.as_option() {
        let kind = if audio.ptt == Some(true) { MediaKind::Voice } else { MediaKind::Audio };
        inbound_media(kind, audio, audio.mimetype.as_ref(), None)
    } else if let Some(document) = m.document_message.as_option() {
        let name = document.file_name.as_ref().or(document.title.as_ref());
        inbound_media(MediaKind::Document, document, document.mimetype.as_ref(), name)
    } else if let Some(sticker) = m.sticker_message.as_option() {
        inbound_media(MediaKind::Sticker, sticker, sticker.mimetype.as_ref(), None)
    } else {
        None
    }
}

fn inbound_media(
    kind: MediaKind,
    file: &dyn Downloadable,
    mime_type: Option<&String>,
    file_name: Option<&String>,
) -> Option<InboundMedia> {
    let short = |text: &String| clean(text.chars().take(MAX_FILE_NAME).collect::<String>());
    let claims = MediaClaims {
        mime_type: mime_type.map(short),
        file_name: file_name.map(short).filter(|name| !name.is_empty()),
    };
    let remote = RemoteFile {
        direct_path: file.direct_path()?.to_owned(),
        media_key: file.media_key()?.to_owned(),
        file_sha256: file.file_sha256().unwrap_or_default().to_owned(),
        file_enc_sha256: file.file_enc_sha256().unwrap_or_default().to_owned(),
        size: file.file_length().unwrap_or(0),
    };
    Some(InboundMedia { kind, claims, remote })
}

fn is_poll(m: &wa::Message) -> bool {
    poll(m).is_some()
}

/// The poll that a message asks for.
pub(super) fn poll(m: &wa::Message) -> Option<&wa::message::PollCreationMessage> {
    let forms = [
        &m.poll_creation_message,
        &m.poll_creation_message_v2,
        &m.poll_creation_message_v3,
        &m.poll_creation_message_v5,
    ];
    forms.into_iter().find_map(|form| form.as_option())
}

fn is_reply(m: &wa::Message) -> bool {
    m.list_response_message.is_set()
        || m.buttons_response_message.is_set()
        || m.template_button_reply_message.is_set()
        || m.interactive_response_message.is_set()
}

/// The message that a vote, or anything else, is inside of its wrappers.
pub(super) fn inner(message: &wa::Message) -> &wa::Message {
    unwrapped(message).0
}

#[cfg(test)]
mod tests;
