//! What the gateway sends, in WhatsApp's words.

mod file;

use domain::{
    Timestamp,
    media::UploadedMedia,
    message::{Content, PollSecret, Quote, Target},
};
use waproto::whatsapp::{
    self as wa,
    message::{poll_creation_message::Option as PollOption, protocol_message::Type as ProtocolType},
};

/// What a message depends on besides its content.
pub(crate) struct Setting<'a> {
    /// The chat it goes to.
    pub(crate) chat: &'a str,
    /// The session's own address in that chat, when it is a group: a message of one's own is named with it.
    pub(crate) own: Option<String>,
    /// When it was accepted: the same in every try.
    pub(crate) at: Timestamp,
    /// Its file, on WhatsApp's media host.
    pub(crate) upload: Option<&'a UploadedMedia>,
}

/// The message as WhatsApp's protocol has it; `None` for one with a file that was not uploaded.
pub(crate) fn to_whatsapp(content: &Content, setting: &Setting<'_>) -> Option<wa::Message> {
    Some(match content {
        Content::Text { text, quoted, mentions } => self::text(text, quoted.as_ref(), mentions),
        Content::Location { latitude, longitude, name, address } => wa::Message {
            location_message: Some(wa::message::LocationMessage {
                degrees_latitude: Some(latitude.get()),
                degrees_longitude: Some(longitude.get()),
                name: name.clone(),
                address: address.clone(),
                ..Default::default()
            })
            .into(),
            ..Default::default()
        },
        Content::Contact { name, vcard } => wa::Message {
            contact_message: Some(wa::message::ContactMessage {
                display_name: Some(name.clone()),
                vcard: Some(vcard.clone()),
                ..Default::default()
            })
            .into(),
            ..Default::default()
        },
        Content::Poll { name, options, selectable, secret } => poll(name, options, *selectable, secret),
        Content::Reaction { to, emoji } => wa::Message {
            reaction_message: Some(wa::message::ReactionMessage {
                key: Some(key(to, setting.chat)).into(),
                text: Some(emoji.clone()),
                sender_timestamp_ms: Some(setting.at.0),
                ..Default::default()
            })
            .into(),
            ..Default::default()
        },
        Content::Edit { of, text } => {
            let key = wa::MessageKey { participant: setting.own.clone(), ..key(of, setting.chat) };
            protocol(wa::message::ProtocolMessage {
                key: Some(key).into(),
                r#type: Some(ProtocolType::MESSAGE_EDIT),
                edited_message: Some(self::text(text, None, &[])).into(),
                timestamp_ms: Some(setting.at.0),
                ..Default::default()
            })
        }
        Content::Delete { of } => protocol(wa::message::ProtocolMessage {
            key: Some(key(of, setting.chat)).into(),
            r#type: Some(ProtocolType::REVOKE),
            ..Default::default()
        }),
        Content::Media(media) => file::message(media, setting.upload?),
    })
}

fn text(text: &str, quoted: Option<&Quote>, mentions: &[String]) -> wa::Message {
    if quoted.is_none() && mentions.is_empty() {
        return wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
    }
    let context = wa::ContextInfo {
        mentioned_jid: mentions.to_vec(),
        ..quoted.map_or_else(wa::ContextInfo::default, context)
    };
    wa::Message {
        extended_text_message: Some(wa::message::ExtendedTextMessage {
            text: Some(text.to_owned()),
            context_info: Some(context).into(),
            ..Default::default()
        })
        .into(),
        ..Default::default()
    }
}

/// Points to the quoted message. Without its text the recipient's phone finds it by its id, or shows nothing.
fn context(quote: &Quote) -> wa::ContextInfo {
    wa::ContextInfo {
        stanza_id: Some(quote.message_id.clone()),
        participant: Some(quote.participant.clone()),
        quoted_message: Some(wa::Message {
            conversation: Some(quote.text.clone().unwrap_or_default()),
            ..Default::default()
        })
        .into(),
        ..Default::default()
    }
}

/// A poll with one answer travels in another field than one with several: what WhatsApp Web does.
fn poll(name: &str, options: &[String], selectable: u32, secret: &PollSecret) -> wa::Message {
    let option = |name: &String| PollOption { option_name: Some(name.clone()), ..Default::default() };
    let poll = wa::message::PollCreationMessage {
        name: Some(name.to_owned()),
        options: options.iter().map(option).collect(),
        selectable_options_count: Some(selectable),
        ..Default::default()
    };
    let context = wa::MessageContextInfo { message_secret: Some(secret.0.to_vec()), ..Default::default() };
    let message = wa::Message { message_context_info: Some(context).into(), ..Default::default() };
    if selectable == 1 {
        wa::Message { poll_creation_message_v3: Some(poll).into(), ..message }
    } else {
        wa::Message { poll_creation_message: Some(poll).into(), ..message }
    }
}

fn protocol(message: wa::message::ProtocolMessage) -> wa::Message {
    wa::Message { protocol_message: Some(message).into(), ..Default::default() }
}

fn key(target: &Target, chat: &str) -> wa::MessageKey {
    wa::MessageKey {
        remote_jid: Some(chat.to_owned()),
        from_me: Some(target.from_me),
        id: Some(target.message_id.clone()),
        participant: target.participant.clone(),
    }
}

#[cfg(test)]
mod tests {
    use domain::Degrees;

    use super::*;

    const CHAT: &str = "62811@s.whatsapp.net";

    fn said(content: &Content) -> wa::Message {
        to_whatsapp(content, &Setting { chat: CHAT, own: None, at: Timestamp(7), upload: None }).unwrap()
    }

    fn target(from_me: bool, participant: Option<&str>) -> Target {
        Target { message_id: "3EB0AA".into(), from_me, participant: participant.map(Into::into) }
    }

    #[test]
    fn plain_text_is_a_conversation() {
        let message = said(&Content::plain("hi"));
        assert_eq!(message.conversation.as_deref(), Some("hi"));
        assert!(message.extended_text_message.is_unset());
    }

    #[test]
    fn a_quote_points_to_what_it_answers() {
        for (known, shown) in [(Some("question"), "question"), (None, "")] {
            let quoted = Some(Quote {
                message_id: "3EB0AA".to_owned(),
                participant: "62811@s.whatsapp.net".to_owned(),
                text: known.map(ToOwned::to_owned),
            });
            let message = said(&Content::Text { text: "answer".to_owned(), quoted, mentions: Vec::new() });
            let text = message.extended_text_message.as_option().unwrap();
            assert_eq!(text.text.as_deref(), Some("answer"));
            let context = text.context_info.as_option().unwrap();
            assert_eq!(context.stanza_id.as_deref(), Some("3EB0AA"));
            assert_eq!(context.participant.as_deref(), Some("62811@s.whatsapp.net"));
            let quoted = context.quoted_message.as_option().unwrap();
            assert_eq!(quoted.conversation.as_deref(), Some(shown));
        }
    }

    #[test]
    fn who_is_mentioned_is_named() {
        let mentions = vec!["62899@s.whatsapp.net".to_owned()];
        let message =
            said(&Content::Text { text: "hi @62899".into(), quoted: None, mentions: mentions.clone() });
        let text = message.extended_text_message.as_option().unwrap();
        let context = text.context_info.as_option().unwrap();
        assert_eq!((&context.mentioned_jid, context.stanza_id.as_deref()), (&mentions, None));
    }

    #[test]
    fn a_place_and_a_card_are_what_they_were() {
        let place = said(&Content::Location {
            latitude: Degrees::new(-6.175).unwrap(),
            longitude: Degrees::new(106.827).unwrap(),
            name: Some("Monas".into()),
            address: None,
        });
        let place = place.location_message.as_option().unwrap();
        assert_eq!((place.degrees_latitude, place.degrees_longitude), (Some(-6.175), Some(106.827)));
        assert_eq!((place.name.as_deref(), place.address.as_deref()), (Some("Monas"), None));
        let card = said(&Content::Contact { name: "Ani".into(), vcard: "BEGIN".into() });
        let card = card.contact_message.as_option().unwrap();
        assert_eq!((card.display_name.as_deref(), card.vcard.as_deref()), (Some("Ani"), Some("BEGIN")));
    }

    #[test]
    fn a_poll_carries_its_secret() {
        for (selectable, single) in [(1, true), (2, false)] {
            let message = said(&Content::Poll {
                name: "When?".into(),
                options: vec!["now".into(), "later".into()],
                selectable,
                secret: PollSecret([9; 32]),
            });
            assert_eq!(message.poll_creation_message_v3.is_set(), single);
            let poll =
                message.poll_creation_message_v3.as_option().or(message.poll_creation_message.as_option());
            let options: Vec<_> =
                poll.unwrap().options.iter().filter_map(|o| o.option_name.clone()).collect();
            assert_eq!(options, ["now", "later"]);
            let context = message.message_context_info.as_option().unwrap();
            assert_eq!(context.message_secret.as_deref(), Some(&[9; 32][..]));
        }
    }

    #[test]
    fn a_reaction_names_the_message_and_its_author() {
        let member = "62899@s.whatsapp.net";
        let message = said(&Content::Reaction { to: target(false, Some(member)), emoji: "👍".into() });
        let reaction = message.reaction_message.as_option().unwrap();
        assert_eq!((reaction.text.as_deref(), reaction.sender_timestamp_ms), (Some("👍"), Some(7)));
        let key = reaction.key.as_option().unwrap();
        assert_eq!((key.remote_jid.as_deref(), key.id.as_deref()), (Some(CHAT), Some("3EB0AA")));
        assert_eq!((key.from_me, key.participant.as_deref()), (Some(false), Some(member)));
    }

    #[test]
    fn an_edit_and_a_deletion_are_protocol_messages() {
        let edit = Content::Edit { of: target(true, None), text: "better".into() };
        let group =
            Setting { chat: "1203@g.us", own: Some("100@lid".into()), at: Timestamp(7), upload: None };
        for (setting, own) in [
            (group, Some("100@lid")),
            (Setting { chat: CHAT, own: None, at: Timestamp(7), upload: None }, None),
        ] {
            let message = to_whatsapp(&edit, &setting).unwrap();
            let edit = message.protocol_message.as_option().unwrap();
            assert_eq!(edit.r#type, Some(ProtocolType::MESSAGE_EDIT));
            assert_eq!(edit.edited_message.as_option().unwrap().conversation.as_deref(), Some("better"));
            let key = edit.key.as_option().unwrap();
            assert_eq!((key.id.as_deref(), key.participant.as_deref()), (Some("3EB0AA"), own));
        }
        let message = said(&Content::Delete { of: target(true, None) });
        let deletion = message.protocol_message.as_option().unwrap();
        assert_eq!(deletion.r#type, Some(ProtocolType::REVOKE));
        assert_eq!(deletion.key.as_option().unwrap().from_me, Some(true));
    }
}
