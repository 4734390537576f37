//! Votes in polls come encrypted with the poll's own secret: what was chosen can be read by whoever has seen the poll.

use domain::{
    detail::{Detail, KnownPoll},
    event::InboundMessage,
};
use wacore::{
    poll::{PollVoteCiphertext, compute_option_hash, decrypt_poll_vote_with_secret},
    store::traits::Backend,
};
use waproto::whatsapp as wa;

/// The session's own addresses.
pub(super) struct Own(pub(super) Vec<String>);

/// Which options a vote is for; `None` when it cannot be read.
pub(super) async fn chosen(
    backend: &dyn Backend,
    own: &Own,
    message: &wa::Message,
    vote: &InboundMessage,
    poll: &KnownPoll,
) -> Option<Vec<String>> {
    let Some(Detail::PollVote { message_id, .. }) = &vote.detail else { return None };
    let encrypted = message.poll_update_message.as_option()?.vote.as_option()?;
    let sealed = PollVoteCiphertext {
        enc_payload: encrypted.enc_payload.as_deref()?,
        enc_iv: encrypted.enc_iv.as_deref()?,
    };
    let authors = if poll.authors.is_empty() { &own.0 } else { &poll.authors };
    let secret = match &poll.secret {
        Some(secret) => secret.clone(),
        None => secret(backend, vote, authors, message_id).await?,
    };
    let voters = [Some(&vote.sender), vote.sender_alt.as_ref()];
    // The vote is bound to the addresses that the voter's client used, by number or by LID.
    let hashes = authors.iter().find_map(|author| {
        voters
            .into_iter()
            .flatten()
            .find_map(|voter| decrypt_poll_vote_with_secret(sealed, &secret, message_id, author, voter).ok())
    })?;
    let names = poll.options.iter().filter(|option| {
        let hash = compute_option_hash(option);
        hashes.iter().any(|chosen| chosen[..] == hash[..])
    });
    Some(names.cloned().collect())
}

/// The secret that came with the poll of somebody else.
async fn secret(
    backend: &dyn Backend,
    vote: &InboundMessage,
    authors: &[String],
    poll: &str,
) -> Option<Vec<u8>> {
    let chats = [Some(&vote.chat), vote.chat_alt.as_ref()];
    for chat in chats.into_iter().flatten() {
        for author in authors {
            match backend.get_msg_secret(chat, author, poll).await {
                Ok(Some(secret)) => return Some(secret),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "the secret of a poll could not be read");
                    return None;
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;
    use wacore::{poll::encrypt_poll_vote_with_secret, store::in_memory::InMemoryBackend};

    use super::*;

    const OWN: &str = "62810@s.whatsapp.net";
    const VOTER: &str = "100200@lid";
    const VOTER_ALT: &str = "62811@s.whatsapp.net";

    fn vote(for_options: &[&str], secret: &[u8], author: &str, voter: &str) -> wa::Message {
        let hashes: Vec<_> = for_options.iter().map(|name| compute_option_hash(name).to_vec()).collect();
        let (payload, iv) = encrypt_poll_vote_with_secret(&hashes, secret, "POLL", author, voter).unwrap();
        wa::Message {
            poll_update_message: Some(wa::message::PollUpdateMessage {
                vote: Some(wa::message::PollEncValue {
                    enc_payload: Some(payload),
                    enc_iv: Some(iv.to_vec()),
                })
                .into(),
                ..Default::default()
            })
            .into(),
            ..Default::default()
        }
    }

    async fn read(message: &wa::Message, poll: &KnownPoll) -> Option<Vec<String>> {
        let told = InboundMessage {
            message_id: "VOTE".into(),
            chat: VOTER.into(),
            sender: VOTER.into(),
            chat_alt: Some(VOTER_ALT.into()),
            sender_alt: Some(VOTER_ALT.into()),
            push_name: None,
            text: None,
            kind: "poll_vote".into(),
            detail: Some(Detail::PollVote { message_id: "POLL".into(), options: None }),
            sent_at: Timestamp(0),
            replayed: false,
            media: None,
        };
        chosen(&InMemoryBackend::new(), &Own(vec![OWN.into()]), message, &told, poll).await
    }

    #[tokio::test]
    async fn a_vote_is_read_whichever_address_it_is_bound_to() {
        let secret = [5; 32];
        let poll = KnownPoll {
            options: vec!["now".into(), "later".into()],
            authors: Vec::new(),
            secret: Some(secret.to_vec()),
        };
        for voter in [VOTER, VOTER_ALT] {
            let message = vote(&["later"], &secret, OWN, voter);
            assert_eq!(read(&message, &poll).await, Some(vec!["later".to_owned()]), "{voter}");
        }
        assert_eq!(read(&vote(&[], &secret, OWN, VOTER), &poll).await, Some(Vec::new()), "a vote taken back");
        assert_eq!(read(&vote(&["unknown"], &secret, OWN, VOTER), &poll).await, Some(Vec::new()));
        assert_eq!(read(&vote(&["now"], &[6; 32], OWN, VOTER), &poll).await, None, "another secret");
        assert_eq!(read(&vote(&["now"], &secret, "1@s.whatsapp.net", VOTER), &poll).await, None);
        let foreign = KnownPoll { authors: vec!["1@s.whatsapp.net".into()], secret: None, ..poll };
        assert_eq!(read(&vote(&["now"], &secret, OWN, VOTER), &foreign).await, None, "no secret");
    }
}
