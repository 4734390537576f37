//! What a message carries besides its text. Pure.

use domain::{
    Degrees,
    detail::{Card, Detail},
};
use waproto::whatsapp::{self as wa, message as part};

use super::map::{clean, poll};

/// The detail of a message without wrappers; `None` for kinds that have none.
pub(super) fn detail(message: &wa::Message) -> Option<Detail> {
    if let Some(location) = message.location_message.as_option() {
        return place(location);
    }
    if let Some(location) = message.live_location_message.as_option() {
        return moving(location);
    }
    if let Some(contact) = message.contact_message.as_option() {
        return Some(Detail::Contact(card(contact)));
    }
    if let Some(contacts) = message.contacts_array_message.as_option() {
        return Some(Detail::Contacts(contacts.contacts.iter().map(card).collect()));
    }
    if let Some(reaction) = message.reaction_message.as_option() {
        return Some(Detail::Reaction {
            message_id: clean(reaction.key.as_option()?.id.as_deref()?),
            emoji: clean(reaction.text.as_deref().unwrap_or_default()),
        });
    }
    if let Some(vote) = message.poll_update_message.as_option() {
        let message_id = clean(vote.poll_creation_message_key.as_option()?.id.as_deref()?);
        return Some(Detail::PollVote { message_id, options: None });
    }
    poll(message).map(|poll| Detail::Poll {
        name: clean(poll.name.as_deref().unwrap_or_default()),
        options: poll.options.iter().filter_map(|option| option.option_name.as_deref()).map(clean).collect(),
        selectable: poll.selectable_options_count.unwrap_or_default(),
    })
}

/// A place that is nowhere on Earth is none.
fn place(location: &part::LocationMessage) -> Option<Detail> {
    Some(Detail::Location {
        latitude: location.degrees_latitude.and_then(Degrees::new)?,
        longitude: location.degrees_longitude.and_then(Degrees::new)?,
        name: said(location.name.as_deref()),
        address: said(location.address.as_deref()),
        url: said(location.url.as_deref()),
        live: location.is_live.unwrap_or(false),
    })
}

fn moving(location: &part::LiveLocationMessage) -> Option<Detail> {
    Some(Detail::Location {
        latitude: location.degrees_latitude.and_then(Degrees::new)?,
        longitude: location.degrees_longitude.and_then(Degrees::new)?,
        name: None,
        address: None,
        url: None,
        live: true,
    })
}

fn card(contact: &part::ContactMessage) -> Card {
    Card { name: said(contact.display_name.as_deref()), vcard: said(contact.vcard.as_deref()) }
}

fn said(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(clean)
}

#[cfg(test)]
mod tests {
    use waproto::whatsapp::message::poll_creation_message::Option as PollOption;

    use super::*;

    macro_rules! message {
        ($field:ident: $value:expr) => {
            wa::Message { $field: Some($value).into(), ..Default::default() }
        };
    }

    fn key(id: &str) -> wa::MessageKey {
        wa::MessageKey { id: Some(id.to_owned()), ..Default::default() }
    }

    fn location(latitude: f64) -> wa::Message {
        message!(location_message: part::LocationMessage {
            degrees_latitude: Some(latitude),
            degrees_longitude: Some(106.8),
            name: Some("Monas".into()),
            address: Some(String::new()),
            ..Default::default()
        })
    }

    #[test]
    fn each_kind_has_its_own() {
        let degrees = |degrees| Degrees::new(degrees).unwrap();
        let contact = || part::ContactMessage { display_name: Some("A\0ni".into()), ..Default::default() };
        let ani = || Card { name: Some("Ani".into()), vcard: None };
        let option = |name: &str| PollOption { option_name: Some(name.into()), ..Default::default() };
        let place = Detail::Location {
            latitude: degrees(-6.2),
            longitude: degrees(106.8),
            name: Some("Monas".into()),
            address: None,
            url: None,
            live: false,
        };
        let table = [
            (location(-6.2), Some(place)),
            (location(-600.0), None),
            (message!(contact_message: contact()), Some(Detail::Contact(ani()))),
            (
                message!(contacts_array_message: part::ContactsArrayMessage {
                    contacts: vec![contact(), contact()],
                    ..Default::default()
                }),
                Some(Detail::Contacts(vec![ani(), ani()])),
            ),
            (
                message!(reaction_message: part::ReactionMessage {
                    key: Some(key("AA")).into(),
                    text: Some("👍".into()),
                    ..Default::default()
                }),
                Some(Detail::Reaction { message_id: "AA".into(), emoji: "👍".into() }),
            ),
            (
                message!(reaction_message: part::ReactionMessage {
                    key: Some(key("AA")).into(),
                    ..Default::default()
                }),
                Some(Detail::Reaction { message_id: "AA".into(), emoji: String::new() }),
            ),
            (message!(reaction_message: part::ReactionMessage::default()), None),
            (
                message!(poll_creation_message_v3: part::PollCreationMessage {
                    name: Some("When?".into()),
                    options: vec![option("now"), option("later")],
                    selectable_options_count: Some(1),
                    ..Default::default()
                }),
                Some(Detail::Poll {
                    name: "When?".into(),
                    options: vec!["now".into(), "later".into()],
                    selectable: 1,
                }),
            ),
            (
                message!(poll_update_message: part::PollUpdateMessage {
                    poll_creation_message_key: Some(key("AA")).into(),
                    ..Default::default()
                }),
                Some(Detail::PollVote { message_id: "AA".into(), options: None }),
            ),
            (wa::Message { conversation: Some("hi".into()), ..Default::default() }, None),
        ];
        for (message, expected) in table {
            assert_eq!(detail(&message), expected);
        }
    }
}
