//! Visiting cards, as WhatsApp's clients write and read them (vCard 3.0, RFC 2426).

/// Longest card, in characters.
pub const MAX_VCARD_CHARS: usize = 16_384;

/// A card with a name and a phone number (digits only). `waid` is what makes WhatsApp's clients offer a chat.
#[must_use]
pub fn vcard(name: &str, phone: &str, organization: Option<&str>) -> String {
    let name = escaped(name);
    let organization = organization.map(|text| format!("ORG:{}\n", escaped(text))).unwrap_or_default();
    format!(
        "BEGIN:VCARD\nVERSION:3.0\nN:;{name};;;\nFN:{name}\n{organization}\
         TEL;type=CELL;type=VOICE;waid={phone}:+{phone}\nEND:VCARD"
    )
}

/// It begins and ends as a card does.
#[must_use]
pub fn is_vcard(text: &str) -> bool {
    let text = text.trim().as_bytes();
    let starts = |word: &[u8]| text.len() >= word.len() && text[..word.len()].eq_ignore_ascii_case(word);
    let ends =
        |word: &[u8]| text.len() >= word.len() && text[text.len() - word.len()..].eq_ignore_ascii_case(word);
    starts(b"BEGIN:VCARD") && ends(b"END:VCARD")
}

/// Text as it may stand in a value: nothing in it ends the line or the field.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ',' | ';' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_says_who_and_where() {
        assert_eq!(
            vcard("Budi Santoso", "628110000002", Some("Toko")),
            "BEGIN:VCARD\nVERSION:3.0\nN:;Budi Santoso;;;\nFN:Budi Santoso\nORG:Toko\n\
             TEL;type=CELL;type=VOICE;waid=628110000002:+628110000002\nEND:VCARD"
        );
    }

    #[test]
    fn a_name_cannot_add_lines_of_its_own() {
        let card = vcard("Eve\r\nTEL:+1;x,y\\", "62811", None);
        assert!(card.contains("FN:Eve\\nTEL:+1\\;x\\,y\\\\\n"), "{card}");
        assert_eq!(card.lines().filter(|line| line.starts_with("TEL")).count(), 1);
    }

    #[test]
    fn only_cards_are_cards() {
        for (text, is) in [
            ("BEGIN:VCARD\nVERSION:3.0\nEND:VCARD", true),
            ("\n begin:vcard\r\nend:vcard \n", true),
            ("BEGIN:VCARD", false),
            ("é", false),
            ("", false),
        ] {
            assert_eq!(is_vcard(text), is, "{text:?}");
        }
    }
}
