//! Events and their deliveries: what came in is stored here before WhatsApp hears that it arrived.

use std::collections::{HashMap, HashSet};

use domain::{
    DeliveryId, EventId, Fence, SessionId, Timestamp, UserId,
    event::{EventKind, InboundMessage},
};
use sqlx::QueryBuilder;
use telemetry::trace;
use uuid::Uuid;

use crate::{
    Result,
    database::{Database, Shared},
    driver::{Tx, runs, with_conn},
    endpoints,
    error::Error,
    fence::Allowed,
    group_commit::Write,
    media,
};

/// What a commit of messages did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Messages that were not known before.
    pub new: usize,
    /// Webhooks that are due because of them.
    pub deliveries: usize,
    /// Files that are to be fetched because of them.
    pub media: usize,
}

impl Database {
    /// Stores messages with their webhooks, all or none, and with the trace that the caller is in; those that are known
    /// already are left as they are.
    /// Returns after the commit: now WhatsApp may hear that they arrived.
    pub async fn commit_inbound(&self, fence: Fence, messages: Vec<InboundMessage>) -> Result<Committed> {
        let traceparent = trace::current();
        self.writes.write(CommitInbound { fence, messages, traceparent }).await?.ok_or(Error::LeaseLost)
    }
}

/// An event that is not stored yet.
pub(crate) struct NewEvent<'a> {
    pub id: EventId,
    pub session: SessionId,
    pub user: UserId,
    pub kind: EventKind,
    pub sequence: i64,
    pub message: Option<&'a InboundMessage>,
    /// The chat that it belongs to.
    pub chat: Option<&'a str>,
    pub payload: String,
    /// The trace that it belongs to; one begins with its webhook otherwise.
    pub traceparent: Option<&'a str>,
}

impl NewEvent<'_> {
    fn brings_a_file(&self) -> bool {
        self.message.is_some_and(|message| message.media.is_some())
    }

    /// When its deliveries are due: one that brings a file waits for it.
    fn due(&self, now: Timestamp) -> Timestamp {
        if self.brings_a_file() { now + media::PATIENCE } else { now }
    }
}

pub(crate) struct CommitInbound {
    fence: Fence,
    messages: Vec<InboundMessage>,
    traceparent: Option<String>,
}

/// What makes a message one message: the session, the chat, the sender, WhatsApp's id.
type Key<'a> = (SessionId, &'a str, &'a str, &'a str);

fn key(session: SessionId, message: &InboundMessage) -> Key<'_> {
    (session, &message.chat, &message.sender, &message.message_id)
}

impl Write for CommitInbound {
    /// `None` when the claim did not hold.
    type Output = Option<Committed>;

    fn fence(&self) -> Option<Fence> {
        Some(self.fence)
    }

    async fn apply(
        writes: &[&Self],
        allowed: &Allowed,
        shared: &Shared,
        tx: &mut Tx,
    ) -> Result<Vec<Self::Output>> {
        let now = shared.clock.now();
        let (callers, offered): (Vec<usize>, Vec<(SessionId, &InboundMessage)>) = writes
            .iter()
            .enumerate()
            .filter(|(_, write)| allowed.contains(write.fence))
            .flat_map(|(caller, write)| {
                write.messages.iter().map(move |message| (caller, (write.fence.session, message)))
            })
            .unzip();
        let known = known(tx, &offered).await?;
        let mut met: HashSet<Key<'_>> = HashSet::new();
        let (callers, new): (Vec<usize>, Vec<_>) = callers
            .into_iter()
            .zip(offered)
            .filter(|(_, (session, message))| {
                let key = key(*session, message);
                !known.contains(&owned(key)) && met.insert(key)
            })
            .unzip();
        let owners = count_up(tx, &new, now).await?;
        let traces: Vec<_> = callers.iter().map(|caller| writes[*caller].traceparent.as_deref()).collect();
        let events = number(&new, &traces, &owners)?;
        media::promise_all(tx, shared, &events, now).await?;
        let deliveries = announce(tx, &events, now).await?;

        let mut committed = vec![Committed::default(); writes.len()];
        let mut caller_of = HashMap::with_capacity(events.len());
        for (event, caller) in events.iter().zip(callers) {
            committed[caller].new += 1;
            committed[caller].media += usize::from(event.brings_a_file());
            caller_of.insert(event.id, caller);
        }
        for caller in deliveries.iter().filter_map(|event| caller_of.get(event)) {
            committed[*caller].deliveries += 1;
        }
        Ok(writes
            .iter()
            .zip(committed)
            .map(|(write, committed)| allowed.contains(write.fence).then_some(committed))
            .collect())
    }
}

type OwnedKey = (Uuid, String, String, String);

fn owned((session, chat, sender, id): Key<'_>) -> OwnedKey {
    (session.uuid(), chat.to_owned(), sender.to_owned(), id.to_owned())
}

/// Those of the offered messages that are stored already.
async fn known(tx: &mut Tx, offered: &[(SessionId, &InboundMessage)]) -> Result<HashSet<OwnedKey>> {
    let mut known = HashSet::new();
    for run in runs(offered) {
        let rows: Vec<OwnedKey> = with_conn!(tx, conn => {
            let mut query = QueryBuilder::new(
                "SELECT e.session_id, e.chat, e.sender, e.message_id FROM (",
            );
            query.push_values(run, |mut values, (session, message)| {
                let (session, chat, sender, id) = owned(key(*session, message));
                values.push_bind(session).push_bind(chat).push_bind(sender).push_bind(id);
            });
            // Not `(…) IN (VALUES …)`: SQLite reads the whole index for that.
            query.push(
                ") AS v JOIN events e ON e.session_id = v.column1 AND e.chat = v.column2
                   AND e.sender = v.column3 AND e.message_id = v.column4
                 WHERE e.message_id IS NOT NULL",
            );
            query.build_query_as().fetch_all(conn).await?
        });
        known.extend(rows);
    }
    Ok(known)
}

/// A session's owner and name, and the number of its latest event.
struct Owner {
    user: UserId,
    name: String,
    sequence: i64,
}

/// Counts the sessions' events up by what is new.
async fn count_up(
    tx: &mut Tx,
    new: &[(SessionId, &InboundMessage)],
    now: Timestamp,
) -> Result<HashMap<SessionId, Owner>> {
    let mut counts: HashMap<SessionId, i64> = HashMap::new();
    for (session, _) in new {
        *counts.entry(*session).or_default() += 1;
    }
    let counts: Vec<_> = counts.into_iter().collect();
    let mut owners = HashMap::with_capacity(counts.len());
    for run in runs(&counts) {
        let rows: Vec<(Uuid, i64, String, i64)> = with_conn!(tx, conn => {
            let mut query = QueryBuilder::new("UPDATE sessions SET last_message_at = ");
            query.push_bind(now.0).push(", event_sequence = event_sequence + v.column2 FROM (");
            query.push_values(run, |mut values, (session, count)| {
                values.push_bind(session.uuid()).push_bind(*count);
            });
            query.push(
                ") AS v WHERE sessions.id = v.column1
                 RETURNING sessions.id, sessions.user_id, sessions.name, sessions.event_sequence",
            );
            query.build_query_as().fetch_all(conn).await?
        });
        owners.extend(rows.into_iter().map(|(id, user, name, sequence)| {
            (SessionId::from(id), Owner { user: UserId(user), name, sequence })
        }));
    }
    Ok(owners)
}

/// Turns messages into events, numbered in their order.
fn number<'a>(
    new: &[(SessionId, &'a InboundMessage)],
    traces: &[Option<&'a str>],
    owners: &HashMap<SessionId, Owner>,
) -> Result<Vec<NewEvent<'a>>> {
    let mut left: HashMap<SessionId, i64> = HashMap::new();
    for (session, _) in new {
        *left.entry(*session).or_default() += 1;
    }
    new.iter()
        .zip(traces)
        .map(|((session, message), traceparent)| {
            let owner = owners.get(session).ok_or(Error::LeaseLost)?;
            let left = left.entry(*session).or_default();
            *left -= 1;
            let sequence = owner.sequence - *left;
            let payload = serde_json::to_string(&message.webhook(&owner.name, sequence))
                .map_err(|error| Error::Refused(error.to_string()))?;
            Ok(NewEvent {
                id: EventId::new(),
                session: *session,
                user: owner.user,
                kind: EventKind::Message,
                sequence,
                message: Some(message),
                chat: Some(&message.chat),
                payload,
                traceparent: *traceparent,
            })
        })
        .collect()
}

/// Stores events and a delivery for each endpoint that wants them; returns the event of each delivery.
pub(crate) async fn announce(tx: &mut Tx, events: &[NewEvent<'_>], now: Timestamp) -> Result<Vec<EventId>> {
    for run in runs(events) {
        with_conn!(tx, conn => {
            let mut query = QueryBuilder::new(
                "INSERT INTO events (id, session_id, user_id, kind, sequence, chat, sender, message_id,
                   payload, created_at, traceparent) ",
            );
            query.push_values(run, |mut values, event| {
                values
                    .push_bind(event.id.uuid())
                    .push_bind(event.session.uuid())
                    .push_bind(event.user.0)
                    .push_bind(event.kind.as_str())
                    .push_bind(event.sequence)
                    .push_bind(event.chat.map(ToOwned::to_owned))
                    .push_bind(event.message.map(|message| message.sender.clone()))
                    .push_bind(event.message.map(|message| message.message_id.clone()))
                    .push_bind(event.payload.clone())
                    .push_bind(now.0)
                    .push_bind(event.traceparent.map(ToOwned::to_owned));
            });
            query.build().execute(conn).await?;
        });
    }
    let subscriptions = endpoints::subscriptions(tx, events.iter().map(|event| event.user)).await?;
    let deliveries: Vec<_> = events
        .iter()
        .flat_map(|event| {
            subscriptions.wanting(event.user, event.kind).map(move |endpoint| (event, endpoint))
        })
        .collect();
    for run in runs(&deliveries) {
        with_conn!(tx, conn => {
            let mut query = QueryBuilder::new(
                "INSERT INTO deliveries (id, event_id, endpoint_id, user_id, ordering_key, state, next_attempt_at,
                   created_at) ",
            );
            query.push_values(run, |mut values, (event, endpoint)| {
                values
                    .push_bind(DeliveryId::new().uuid())
                    .push_bind(event.id.uuid())
                    .push_bind(endpoint.uuid())
                    .push_bind(event.user.0)
                    .push_bind(ordering_key(event))
                    .push_bind("pending")
                    .push_bind(event.due(now).0)
                    .push_bind(now.0);
            });
            query.build().execute(conn).await?;
        });
    }
    Ok(deliveries.iter().map(|(event, _)| event.id).collect())
}

/// What goes out one after the other: the messages and receipts of a chat; the states of a session.
fn ordering_key(event: &NewEvent<'_>) -> String {
    let session = event.session.uuid().simple();
    event.chat.map_or_else(|| session.to_string(), |chat| format!("{session} {chat}"))
}
