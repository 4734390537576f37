//! Receipts: recipients tell how far messages that were sent have come.

use std::collections::HashMap;

use domain::{
    EventId, Fence, MessageId, SessionId, Timestamp, UserId,
    event::{EventKind, ReceiptWebhook},
    message::MessageState,
};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::{
    Result,
    database::{Database, Shared},
    driver::{Tx, runs, with_conn},
    endpoints,
    error::Error,
    events::{NewEvent, announce},
    fence::Allowed,
    group_commit::Write,
    rows::word,
};

/// What a recipient told about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// WhatsApp's id of the message.
    pub message_id: String,
    /// The recipient has seen it; otherwise their device has it.
    pub read: bool,
    pub at: Timestamp,
}

impl Database {
    /// Notes what recipients told about messages of a session. States only go forward, and each time stays what it was
    /// first; messages that the gateway did not send are passed over. Returns how many webhooks are due because of it.
    pub async fn note_receipts(&self, fence: Fence, receipts: Vec<Receipt>) -> Result<usize> {
        self.writes.write(NoteReceipts { fence, receipts }).await?.ok_or(Error::LeaseLost)
    }
}

pub(crate) struct NoteReceipts {
    fence: Fence,
    receipts: Vec<Receipt>,
}

/// When a message was delivered and read, as far as this batch tells.
#[derive(Clone, Copy)]
struct Times {
    delivered: Timestamp,
    read: Option<Timestamp>,
}

/// A message that came further.
#[derive(sqlx::FromRow)]
struct Moved {
    id: Uuid,
    session_id: Uuid,
    /// Whose session it is; somebody else may have sent the message.
    owner: i64,
    wa_id: String,
    chat: String,
    state: String,
    delivered_at: i64,
    read_at: Option<i64>,
}

impl Moved {
    const fn owner(&self) -> UserId {
        UserId(self.owner)
    }
}

impl Write for NoteReceipts {
    /// How many webhooks are due; `None` when the claim did not hold.
    type Output = Option<usize>;

    fn fence(&self) -> Option<Fence> {
        Some(self.fence)
    }

    async fn apply(
        writes: &[&Self],
        allowed: &Allowed,
        shared: &Shared,
        tx: &mut Tx,
    ) -> Result<Vec<Option<usize>>> {
        let held = || writes.iter().filter(|write| allowed.contains(write.fence));
        let moved = advance(tx, &gathered(held().copied())).await?;
        let due = tell(tx, &moved, shared.clock.now()).await?;
        Ok(writes
            .iter()
            .map(|write| {
                allowed
                    .contains(write.fence)
                    .then(|| due.get(&write.fence.session).copied().unwrap_or_default())
            })
            .collect())
    }
}

/// One entry for each message, with the earliest of its times: of two rows that name the same message an update
/// would take either.
fn gathered<'a>(writes: impl Iterator<Item = &'a NoteReceipts>) -> Vec<((SessionId, &'a str), Times)> {
    let mut gathered: HashMap<(SessionId, &str), Times> = HashMap::new();
    for write in writes {
        for receipt in &write.receipts {
            let read = receipt.read.then_some(receipt.at);
            gathered
                .entry((write.fence.session, &receipt.message_id))
                .and_modify(|times| {
                    times.delivered = times.delivered.min(receipt.at);
                    times.read = times.read.into_iter().chain(read).min();
                })
                .or_insert(Times { delivered: receipt.at, read });
        }
    }
    gathered.into_iter().collect()
}

/// Moves messages on; returns those for which something was new. A receipt can be faster than the note that the
/// message was sent: what was delivered was sent.
async fn advance(tx: &mut Tx, receipts: &[((SessionId, &str), Times)]) -> Result<Vec<Moved>> {
    let mut moved = Vec::new();
    for run in runs(receipts) {
        let rows: Vec<Moved> = with_conn!(tx, conn => {
            let mut query = QueryBuilder::new(
                "UPDATE outbound SET
                   state = CASE WHEN v.column4 IS NULL AND outbound.read_at IS NULL THEN 'delivered' ELSE 'read' END,
                   sent_at = COALESCE(outbound.sent_at, v.column3),
                   delivered_at = COALESCE(outbound.delivered_at, v.column3),
                   read_at = COALESCE(outbound.read_at, v.column4)
                 FROM (",
            );
            query.push_values(run, |mut values, ((session, message), times)| {
                values
                    .push_bind(session.uuid())
                    .push_bind((*message).to_owned())
                    .push_bind(times.delivered.0)
                    .push_bind(times.read.map(|at| at.0));
            });
            query.push(
                ") AS v WHERE outbound.session_id = v.column1 AND outbound.wa_id = v.column2
                   AND outbound.state IN ('queued', 'sent', 'delivered')
                   AND (outbound.delivered_at IS NULL OR v.column4 IS NOT NULL)
                 RETURNING outbound.id, outbound.session_id, outbound.wa_id, outbound.chat,
                   (SELECT s.user_id FROM sessions s WHERE s.id = outbound.session_id) AS owner,
                   outbound.state, outbound.delivered_at, outbound.read_at",
            );
            query.build_query_as().fetch_all(conn).await?
        });
        moved.extend(rows);
    }
    Ok(moved)
}

/// Stores an event for each message that came further, where somebody asked for that; returns how many webhooks are
/// due for each session.
async fn tell(tx: &mut Tx, moved: &[Moved], now: Timestamp) -> Result<HashMap<SessionId, usize>> {
    let subscriptions = endpoints::subscriptions(tx, moved.iter().map(Moved::owner)).await?;
    let mut wanted: Vec<&Moved> = moved
        .iter()
        .filter(|moved| subscriptions.wanting(moved.owner(), EventKind::Receipt).next().is_some())
        .collect();
    wanted.sort_by_key(|moved| (moved.session_id, moved.read_at.unwrap_or(moved.delivered_at)));
    let mut events = Vec::with_capacity(wanted.len());
    for of_session in wanted.chunk_by(|a, b| a.session_id == b.session_id) {
        let Some(session) = of_session.first().map(|moved| moved.session_id) else { continue };
        let (name, mut sequence) = count_up(tx, session, of_session.len()).await?;
        for moved in of_session {
            sequence += 1;
            events.push(event(moved, &name, sequence)?);
        }
    }
    let mut due: HashMap<SessionId, usize> = HashMap::new();
    let sessions: HashMap<EventId, SessionId> =
        events.iter().map(|event| (event.id, event.session)).collect();
    for session in announce(tx, &events, now).await?.iter().filter_map(|event| sessions.get(event)) {
        *due.entry(*session).or_default() += 1;
    }
    Ok(due)
}

/// Counts a session's events up; returns its name, and the number of its latest event before.
async fn count_up(tx: &mut Tx, session: Uuid, by: usize) -> Result<(String, i64)> {
    let by = i64::try_from(by).unwrap_or(i64::MAX);
    let (name, after): (String, i64) = with_conn!(tx, conn => {
        sqlx::query_as(
            "UPDATE sessions SET event_sequence = event_sequence + $2 WHERE id = $1 RETURNING name, event_sequence",
        )
        .bind(session)
        .bind(by)
        .fetch_one(conn)
        .await?
    });
    Ok((name, after - by))
}

fn event<'a>(moved: &'a Moved, session: &str, sequence: i64) -> Result<NewEvent<'a>> {
    let status: MessageState = word(&moved.state)?;
    let webhook = ReceiptWebhook {
        session,
        event: EventKind::Receipt,
        id: MessageId::from(moved.id),
        message_id: &moved.wa_id,
        to: &moved.chat,
        status,
        sequence,
        timestamp: Timestamp(moved.read_at.unwrap_or(moved.delivered_at)).seconds(),
    };
    Ok(NewEvent {
        id: EventId::new(),
        session: moved.session_id.into(),
        user: moved.owner(),
        kind: EventKind::Receipt,
        sequence,
        message: None,
        chat: Some(&moved.chat),
        payload: serde_json::to_string(&webhook).map_err(|error| Error::Refused(error.to_string()))?,
        traceparent: None,
    })
}
