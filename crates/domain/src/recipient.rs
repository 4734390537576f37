//! Whom a message is for: what callers write in `to`, and the JID that it means.

/// `to` had nothing in it once white space and `+` were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("parameter \"to\" is required")]
pub struct MissingRecipient;

/// Turns a caller's `to` into a JID, after the rules of the Node gateway:
/// white space and `+` are dropped; anything with an `@` is a JID and left alone; a group keeps the dash of
/// `digits-digits`; a person's number loses its dashes.
pub fn parse_recipient(to: &str, is_group: bool) -> Result<String, MissingRecipient> {
    let mut jid: String = to.chars().filter(|c| !c.is_whitespace() && *c != '+').collect();
    if jid.is_empty() {
        return Err(MissingRecipient);
    }
    if jid.contains('@') {
        return Ok(jid);
    }
    if is_group {
        jid.push_str("@g.us");
    } else {
        jid.retain(|c| c != '-');
        if jid.is_empty() {
            return Err(MissingRecipient);
        }
        jid.push_str("@s.whatsapp.net");
    }
    Ok(jid)
}

/// The phone number of a person's JID, if it has one: `62811@s.whatsapp.net` is `62811`.
#[must_use]
pub fn phone_of(jid: &str) -> Option<&str> {
    let (user, server) = jid.split_once('@')?;
    let user = user.split([':', '.']).next()?;
    (server == "s.whatsapp.net" && !user.is_empty() && user.bytes().all(|b| b.is_ascii_digit()))
        .then_some(user)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_jid_means_itself_and_has_no_gaps(to in any::<String>(), is_group in any::<bool>()) {
            if let Ok(jid) = parse_recipient(&to, is_group) {
                prop_assert!(jid.contains('@'));
                prop_assert!(!jid.contains(|c: char| c.is_whitespace() || c == '+'), "{jid:?}");
                prop_assert_eq!(parse_recipient(&jid, is_group), Ok(jid));
            }
        }

        #[test]
        fn a_number_is_found_however_it_is_written(
            digits in "[1-9][0-9]{6,14}", gaps in prop::collection::vec(prop::sample::select(vec!["", " ", "-", "+", "\u{a0}", "\t"]), 17),
        ) {
            let written: String = gaps.into_iter().zip(digits.split("")).flat_map(|(gap, digit)| [gap, digit]).collect();
            let jid = parse_recipient(&written, false).unwrap();
            prop_assert_eq!(phone_of(&jid), Some(&*digits));
        }

        #[test]
        fn a_phone_number_is_digits_or_nothing(jid in any::<String>()) {
            prop_assert!(phone_of(&jid).is_none_or(|phone| phone.bytes().all(|byte| byte.is_ascii_digit())));
        }
    }

    #[test]
    fn to_is_read_as_the_node_gateway_reads_it() {
        let table = [
            ("628123456789", false, "628123456789@s.whatsapp.net"),
            ("+62 812-3456-789", false, "628123456789@s.whatsapp.net"),
            ("628123@s.whatsapp.net", false, "628123@s.whatsapp.net"),
            ("12345@lid", false, "12345@lid"),
            ("1203630-1234", true, "1203630-1234@g.us"),
            ("1203630", true, "1203630@g.us"),
            ("1203630@g.us", true, "1203630@g.us"),
        ];
        for (to, is_group, jid) in table {
            assert_eq!(parse_recipient(to, is_group).as_deref(), Ok(jid), "{to}");
        }
        for empty in ["", "  ", "+", "-", "+ -"] {
            assert_eq!(parse_recipient(empty, false), Err(MissingRecipient), "{empty:?}");
        }
    }

    #[test]
    fn only_a_person_has_a_phone_number() {
        assert_eq!(phone_of("62811@s.whatsapp.net"), Some("62811"));
        assert_eq!(phone_of("62811:3@s.whatsapp.net"), Some("62811"));
        assert_eq!(phone_of("62811@lid"), None);
        assert_eq!(phone_of("1203@g.us"), None);
        assert_eq!(phone_of("abc@s.whatsapp.net"), None);
    }
}
