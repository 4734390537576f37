//! What came in, looked up by WhatsApp's id: to quote it, to answer it, to read a vote in it.

use std::collections::HashMap;

use domain::{
    SessionId,
    detail::KnownPoll,
    message::{Content, Quote},
};
use serde::Deserialize;
use sqlx::QueryBuilder;

use crate::{
    Result,
    database::Database,
    driver::{runs, with_conn},
    error::Error,
};

/// Where a received message is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub chat: String,
    /// Who wrote it: in a group one of its members.
    pub author: String,
}

/// The parts of a message's payload that are looked at again.
#[derive(Deserialize)]
struct Payload {
    message: Option<String>,
    poll: Option<Poll>,
    participant: Option<Participant>,
}

#[derive(Deserialize)]
struct Poll {
    options: Vec<String>,
}

#[derive(Deserialize)]
struct Participant {
    phone: Option<String>,
    lid: Option<String>,
}

impl Database {
    /// A received message as another one quotes it.
    pub async fn received_message(&self, session: SessionId, message_id: &str) -> Result<Option<Quote>> {
        let Some((author, payload)) = self.received(session, message_id).await? else { return Ok(None) };
        Ok(Some(Quote { message_id: message_id.to_owned(), participant: author, text: payload.message }))
    }

    /// Where received messages are from; those that are not known are left out.
    pub async fn origins(
        &self,
        session: SessionId,
        message_ids: &[String],
    ) -> Result<HashMap<String, Origin>> {
        let mut reader = self.reader().await?;
        let mut origins = HashMap::with_capacity(message_ids.len());
        for run in runs(message_ids) {
            let rows: Vec<(String, String, String)> = with_conn!(&mut reader, conn => {
                let mut query = QueryBuilder::new(
                    "SELECT message_id, chat, sender FROM events
                     WHERE chat IS NOT NULL AND sender IS NOT NULL AND session_id = ",
                );
                query.push_bind(session.uuid()).push(" AND message_id IN (");
                let mut list = query.separated(", ");
                for id in run {
                    list.push_bind(id.clone());
                }
                query.push(")");
                query.build_query_as().fetch_all(conn).await?
            });
            origins.extend(rows.into_iter().map(|(id, chat, author)| (id, Origin { chat, author })));
        }
        Ok(origins)
    }

    /// A poll that a session made or received.
    pub async fn poll(&self, session: SessionId, message_id: &str) -> Result<Option<KnownPoll>> {
        if let Some(sent) = self.message_by_wa_id(session, message_id).await? {
            let Content::Poll { options, secret, .. } = sent.content else { return Ok(None) };
            return Ok(Some(KnownPoll { options, authors: Vec::new(), secret: Some(secret.0.to_vec()) }));
        }
        let Some((author, payload)) = self.received(session, message_id).await? else { return Ok(None) };
        let Some(poll) = payload.poll else { return Ok(None) };
        let mut authors = vec![author];
        let others = payload.participant.into_iter().flat_map(|author| [author.phone, author.lid]);
        authors.extend(others.flatten().filter(|other| *other != authors[0]).collect::<Vec<_>>());
        Ok(Some(KnownPoll { options: poll.options, authors, secret: None }))
    }

    async fn received(&self, session: SessionId, message_id: &str) -> Result<Option<(String, Payload)>> {
        let mut reader = self.reader().await?;
        let row: Option<(Option<String>, String)> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT sender, payload FROM events WHERE session_id = $1 AND message_id = $2 LIMIT 1",
            )
            .bind(session.uuid())
            .bind(message_id)
            .fetch_optional(conn)
            .await?
        });
        let Some((Some(author), payload)) = row else { return Ok(None) };
        let payload = serde_json::from_str(&payload)
            .map_err(|error| Error::Unreadable { what: "event", reason: error.to_string() })?;
        Ok(Some((author, payload)))
    }
}
