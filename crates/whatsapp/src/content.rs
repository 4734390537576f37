//! What the gateway sends, in WhatsApp's words.

use domain::message::{Content, Quote};
use waproto::whatsapp as wa;

/// The message as WhatsApp's protocol has it.
pub(crate) fn to_whatsapp(content: &Content) -> wa::Message {
    match content {
        Content::Text { text, quoted: None } => {
            wa::Message { conversation: Some(text.clone()), ..Default::default() }
        }
        Content::Text { text, quoted: Some(quote) } => wa::Message {
            extended_text_message: Some(wa::message::ExtendedTextMessage {
                text: Some(text.clone()),
                context_info: Some(context(quote)).into(),
                ..Default::default()
            })
            .into(),
            ..Default::default()
        },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_a_conversation() {
        let message = to_whatsapp(&Content::Text { text: "hi".to_owned(), quoted: None });
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
            let message = to_whatsapp(&Content::Text { text: "answer".to_owned(), quoted });
            let text = message.extended_text_message.as_option().unwrap();
            assert_eq!(text.text.as_deref(), Some("answer"));
            let context = text.context_info.as_option().unwrap();
            assert_eq!(context.stanza_id.as_deref(), Some("3EB0AA"));
            assert_eq!(context.participant.as_deref(), Some("62811@s.whatsapp.net"));
            let quoted = context.quoted_message.as_option().unwrap();
            assert_eq!(quoted.conversation.as_deref(), Some(shown));
        }
    }
}
