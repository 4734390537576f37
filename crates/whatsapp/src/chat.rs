//! What a client does in chats besides sending: marks as read, shows that somebody is typing, looks people up.

use domain::message::Typing;
use wacore_binary::{Jid, JidExt as _};

use crate::client::{CheckError, Client};

/// What somebody shows of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Where the picture can be fetched for a while; `None` when there is none, or it is not for everybody.
    pub picture_url: Option<String>,
    /// The text about themselves.
    pub status: Option<String>,
}

impl Client {
    /// Shows in a chat that somebody is typing, or no longer is. A courtesy: that it failed is not told.
    pub async fn typing(&self, chat: &str, typing: Typing) {
        let Ok(chat) = chat.parse::<Jid>() else { return };
        if self.may_ask().is_err() {
            return;
        }
        let state = self.shared.library.chatstate();
        let sent = match typing {
            Typing::Composing => state.send_composing(&chat).await,
            Typing::Recording => state.send_recording(&chat).await,
            Typing::Paused => state.send_paused(&chat).await,
        };
        if let Err(error) = sent {
            tracing::debug!(error = %error, "the typing state was not sent");
        }
    }

    /// Tells the author of messages that they were read; in a group, `author` is who wrote them.
    pub async fn mark_read(
        &self,
        chat: &str,
        author: Option<&str>,
        message_ids: &[String],
    ) -> Result<(), CheckError> {
        self.may_ask()?;
        let address = |jid: &str| {
            jid.parse::<Jid>().map_err(|_| CheckError::Refused { reason: format!("{jid} is not a JID") })
        };
        let (chat, author) = (address(chat)?, author.map(address).transpose()?);
        let ids: Vec<_> = message_ids.iter().map(String::as_str).collect();
        let marked = self.shared.library.mark_as_read(&chat, author.as_ref(), &ids).await;
        // The receipt is written and not answered, so all that can fail is the writing.
        marked.map_err(|error| {
            tracing::debug!(error = %error, "messages were not marked as read");
            CheckError::NotConnected
        })
    }

    /// What somebody, or a group, shows of themselves; `None` when WhatsApp does not know them.
    pub async fn profile(&self, jid: &str) -> Result<Option<Profile>, CheckError> {
        self.may_ask()?;
        let Ok(jid) = jid.parse::<Jid>() else { return Ok(None) };
        let jid = jid.to_non_ad();
        let contacts = self.shared.library.contacts();
        if jid.is_group() {
            let picture = contacts.get_profile_picture(&jid, false).await;
            let picture_url = picture.map_err(|error| CheckError::of(&error))?.map(|picture| picture.url);
            return Ok(Some(Profile { picture_url, status: None }));
        }
        if !(jid.is_pn() || jid.is_lid()) {
            return Ok(None);
        }
        let of_one = std::slice::from_ref(&jid);
        let known = contacts.is_on_whatsapp(of_one).await.map_err(|error| CheckError::of(&error))?;
        if !known.iter().any(|known| known.is_registered) {
            return Ok(None);
        }
        let (picture, about) =
            tokio::join!(contacts.get_profile_picture(&jid, false), contacts.get_user_info(of_one));
        let about = about.map_err(|error| CheckError::of(&error))?;
        let status = about.into_values().find_map(|info| info.status).filter(|status| !status.is_empty());
        let picture_url = picture.map_err(|error| CheckError::of(&error))?.map(|picture| picture.url);
        Ok(Some(Profile { picture_url, status }))
    }
}
