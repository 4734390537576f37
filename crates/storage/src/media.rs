//! Files of messages that came in: promised with their event, fetched by the session's owner, served by name, and
//! removed when they are old. Until a file is fetched or given up, its event's deliveries wait.

use std::time::Duration;

use domain::{
    Fence, MediaId, SessionId, Timestamp, UserId,
    event::{File, with_file},
    media::{InboundMedia, MediaClaims, MediaKind, RemoteFile, served_name, served_name_again},
};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use crate::{
    Result,
    database::{Database, Shared},
    driver::{Tx, runs, with_conn},
    error::Error,
    events::NewEvent,
    fence,
    rows::word,
};

/// How long deliveries wait for a file that nobody fetches, such as because its session is no longer on line. After
/// that they go out and say that it is still to come.
pub const PATIENCE: Duration = Duration::from_mins(15);

/// A file that is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMedia {
    pub id: MediaId,
    pub kind: MediaKind,
    pub remote: RemoteFile,
    pub claims: MediaClaims,
    /// How often it was tried in vain.
    pub attempts: i32,
}

/// The files of a session that wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitingMedia {
    /// Those whose time has come, the oldest first.
    pub due: Vec<PendingMedia>,
    /// When the next of the others is due.
    pub next: Option<Timestamp>,
}

/// A file that was fetched and is in the media store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedMedia {
    pub mime_type: String,
    /// For its name, without a dot.
    pub extension: String,
    pub size: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

/// A file that is served, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMedia {
    pub id: MediaId,
    pub session: SessionId,
    pub user: UserId,
    pub name: String,
    pub mime_type: String,
    pub file_name: Option<String>,
    pub size: u64,
    pub sha256: String,
    /// It was there, and is no longer kept.
    pub removed: bool,
}

/// What is sealed of a file that is to be fetched.
#[derive(Serialize, Deserialize)]
struct Source {
    remote: RemoteFile,
    #[serde(default)]
    claims: MediaClaims,
}

fn source_place(id: MediaId) -> Vec<u8> {
    format!("media/{id}/source").into_bytes()
}

#[derive(FromRow)]
struct PendingRow {
    id: Uuid,
    kind: String,
    source: Option<Vec<u8>>,
    attempts: i32,
    next_attempt_at: i64,
}

#[derive(FromRow)]
struct StoredRow {
    id: Uuid,
    session_id: Uuid,
    user_id: i64,
    name: String,
    mime_type: Option<String>,
    file_name: Option<String>,
    size: Option<i64>,
    sha256: Option<String>,
    state: String,
}

macro_rules! stored_columns {
    () => {
        "id, session_id, user_id, name, mime_type, file_name, size, sha256, state"
    };
}

/// A promise that is being kept or broken.
#[derive(FromRow)]
struct Promise {
    event_id: Uuid,
    message_id: String,
    kind: String,
    file_name: Option<String>,
    payload: Option<String>,
}

impl Database {
    /// The files of a session that are to be fetched, up to `limit` of those that are due.
    pub async fn waiting_media(&self, session: SessionId, limit: u32) -> Result<WaitingMedia> {
        let now = self.now();
        let mut reader = self.reader().await?;
        let rows: Vec<PendingRow> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT id, kind, source, attempts, next_attempt_at FROM media
                 WHERE session_id = $1 AND state = 'pending' ORDER BY next_attempt_at, id LIMIT $2",
            )
            .bind(session.uuid())
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
        });
        let mut waiting = WaitingMedia::default();
        for row in rows {
            if row.next_attempt_at > now.0 {
                waiting.next = Some(Timestamp(row.next_attempt_at));
                break;
            }
            waiting.due.push(self.opened(row)?);
        }
        Ok(waiting)
    }

    fn opened(&self, row: PendingRow) -> Result<PendingMedia> {
        let id = MediaId::from(row.id);
        let unreadable = |reason: String| Error::Unreadable { what: "media", reason };
        let sealed = row.source.ok_or_else(|| unreadable("it has no source".to_owned()))?;
        let opened = self.shared.keys.open(&sealed, &source_place(id));
        let opened = opened.map_err(|error| unreadable(error.to_string()))?;
        let Source { remote, claims } =
            serde_json::from_slice(&opened).map_err(|error| unreadable(error.to_string()))?;
        Ok(PendingMedia { id, kind: word(&row.kind)?, remote, claims, attempts: row.attempts })
    }

    /// Notes that a file could not be fetched and when to try again.
    pub async fn put_off_media(
        &self,
        fence: Fence,
        id: MediaId,
        until: Timestamp,
        reason: &str,
    ) -> Result<()> {
        let mut tx = self.fenced(fence).await?;
        with_conn!(&mut tx, conn => {
            sqlx::query(
                "UPDATE media SET attempts = attempts + 1, next_attempt_at = $2, failure = $3
                 WHERE id = $1 AND session_id = $4 AND state = 'pending'",
            )
            .bind(id.uuid())
            .bind(until.0)
            .bind(reason)
            .bind(fence.session.uuid())
            .execute(conn)
            .await?;
        });
        Ok(tx.commit().await?)
    }

    /// A file is in the media store: names it, tells the event's webhooks about it, and lets them go out. `link` makes the
    /// address for a name. Returns the name; `None` when the file was not waited for any more.
    pub async fn keep_media(
        &self,
        fence: Fence,
        id: MediaId,
        fetched: &FetchedMedia,
        link: impl Fn(&str) -> String + Send,
    ) -> Result<Option<String>> {
        let now = self.now();
        let mut tx = self.fenced(fence).await?;
        let Some(promise) = promise(&mut tx, fence.session, id).await? else { return Ok(None) };
        let name = free_name(&mut tx, fence.session, id, &promise, &fetched.extension).await?;
        with_conn!(&mut tx, conn => {
            sqlx::query(
                "UPDATE media SET state = 'stored', source = NULL, failure = NULL, name = $2, mime_type = $3,
                   size = $4, sha256 = $5, stored_at = $6 WHERE id = $1",
            )
            .bind(id.uuid())
            .bind(&name)
            .bind(&fetched.mime_type)
            .bind(i64::try_from(fetched.size).unwrap_or(i64::MAX))
            .bind(&fetched.sha256)
            .bind(now.0)
            .execute(conn)
            .await?;
        });
        let file = File::Stored {
            kind: word(&promise.kind)?,
            name: &name,
            mime_type: &fetched.mime_type,
            size: fetched.size,
            sha256: &fetched.sha256,
            file_name: promise.file_name.as_deref(),
        };
        tell(&mut tx, &promise, &file, Some(&link(&name))).await?;
        release(&mut tx, promise.event_id, now).await?;
        tx.commit().await?;
        Ok(Some(name))
    }

    /// A file will not be fetched: tells the event's webhooks why, and lets them go out. Returns whether it was waited
    /// for.
    pub async fn give_up_media(&self, fence: Fence, id: MediaId, reason: &str) -> Result<bool> {
        let now = self.now();
        let mut tx = self.fenced(fence).await?;
        let Some(promise) = promise(&mut tx, fence.session, id).await? else { return Ok(false) };
        with_conn!(&mut tx, conn => {
            sqlx::query(
                "UPDATE media SET state = 'missing', source = NULL, failure = $2, attempts = attempts + 1 WHERE id = $1",
            )
            .bind(id.uuid())
            .bind(reason)
            .execute(conn)
            .await?;
        });
        let file =
            File::Missing { kind: word(&promise.kind)?, file_name: promise.file_name.as_deref(), reason };
        tell(&mut tx, &promise, &file, None).await?;
        release(&mut tx, promise.event_id, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The files that are served under a name, or were: of one user, or of everybody. The latest first.
    pub async fn media_named(&self, name: &str, of: Option<UserId>) -> Result<Vec<StoredMedia>> {
        let mut reader = self.reader().await?;
        let rows: Vec<StoredRow> = with_conn!(&mut reader, conn => {
            sqlx::query_as(concat!(
                "SELECT ", stored_columns!(), " FROM media
                 WHERE name = $1 AND ($2 OR user_id = $3) ORDER BY id DESC LIMIT 16"
            ))
            .bind(name)
            .bind(of.is_none())
            .bind(of.map_or(0, |user| user.0))
            .fetch_all(conn)
            .await?
        });
        Ok(rows.into_iter().map(StoredMedia::from).collect())
    }

    /// The file of that id, if it is served or was.
    pub async fn media(&self, id: MediaId) -> Result<Option<StoredMedia>> {
        let mut reader = self.reader().await?;
        let row: Option<StoredRow> = with_conn!(&mut reader, conn => {
            sqlx::query_as(concat!("SELECT ", stored_columns!(), " FROM media WHERE id = $1 AND name IS NOT NULL"))
                .bind(id.uuid())
                .fetch_optional(conn)
                .await?
        });
        Ok(row.map(StoredMedia::from))
    }

    /// A transaction in which a claim holds.
    pub(crate) async fn fenced(&self, fence: Fence) -> Result<Tx> {
        let mut tx = self.begin().await?;
        let allowed = fence::check(&mut tx, [fence]).await?;
        if allowed.contains(fence) { Ok(tx) } else { Err(Error::LeaseLost) }
    }
}

async fn promise(tx: &mut Tx, session: SessionId, id: MediaId) -> Result<Option<Promise>> {
    Ok(with_conn!(tx, conn => {
        sqlx::query_as(
            "SELECT m.event_id, m.message_id, m.kind, m.file_name, e.payload
             FROM media m LEFT JOIN events e ON e.id = m.event_id
             WHERE m.id = $1 AND m.session_id = $2 AND m.state = 'pending'",
        )
        .bind(id.uuid())
        .bind(session.uuid())
        .fetch_optional(conn)
        .await?
    }))
}

/// The name to serve a file under. Two senders may have chosen the same message id.
async fn free_name(
    tx: &mut Tx,
    session: SessionId,
    id: MediaId,
    promise: &Promise,
    extension: &str,
) -> Result<String> {
    let plain = served_name(&promise.message_id, extension);
    let taken: bool = with_conn!(tx, conn => {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM media WHERE session_id = $1 AND name = $2)")
            .bind(session.uuid())
            .bind(&plain)
            .fetch_one(conn)
            .await?
    });
    Ok(if taken {
        served_name_again(&promise.message_id, &id.uuid().simple().to_string(), extension)
    } else {
        plain
    })
}

async fn tell(tx: &mut Tx, promise: &Promise, file: &File<'_>, url: Option<&str>) -> Result<()> {
    // Its event may have been removed meanwhile.
    let Some(payload) = &promise.payload else { return Ok(()) };
    let payload = with_file(payload, file, url)
        .map_err(|error| Error::Unreadable { what: "event", reason: error.to_string() })?;
    with_conn!(tx, conn => {
        sqlx::query("UPDATE events SET payload = $2 WHERE id = $1")
            .bind(promise.event_id)
            .bind(payload)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Lets an event's deliveries go out now, and those that had been put off behind them, but for what waits for a file of
/// its own.
async fn release(tx: &mut Tx, event: Uuid, now: Timestamp) -> Result<()> {
    with_conn!(tx, conn => {
        sqlx::query(
            "UPDATE deliveries SET next_attempt_at = $2
             WHERE state = 'pending' AND attempts = 0 AND next_attempt_at > $2
               AND EXISTS (SELECT 1 FROM deliveries d
                           WHERE d.event_id = $1 AND d.endpoint_id = deliveries.endpoint_id
                             AND d.ordering_key = deliveries.ordering_key AND d.position <= deliveries.position)
               AND NOT EXISTS (SELECT 1 FROM media m WHERE m.event_id = deliveries.event_id AND m.state = 'pending')",
        )
        .bind(event)
        .bind(now.0)
        .execute(conn)
        .await?;
    });
    Ok(())
}

/// A session was removed: nobody will fetch its files.
pub(crate) async fn give_up_all(tx: &mut Tx, session: SessionId, now: Timestamp) -> Result<()> {
    const REASON: &str = "the session was removed";
    let promises: Vec<Promise> = with_conn!(tx, conn => {
        sqlx::query_as(
            "SELECT m.event_id, m.message_id, m.kind, m.file_name, e.payload
             FROM media m LEFT JOIN events e ON e.id = m.event_id
             WHERE m.session_id = $1 AND m.state = 'pending'",
        )
        .bind(session.uuid())
        .fetch_all(conn)
        .await?
    });
    with_conn!(tx, conn => {
        sqlx::query(
            "UPDATE media SET state = 'missing', source = NULL, failure = $2
             WHERE session_id = $1 AND state = 'pending'",
        )
        .bind(session.uuid())
        .bind(REASON)
        .execute(conn)
        .await?;
    });
    for promise in promises {
        let file_name = promise.file_name.as_deref();
        let file = File::Missing { kind: word(&promise.kind)?, file_name, reason: REASON };
        tell(tx, &promise, &file, None).await?;
        release(tx, promise.event_id, now).await?;
    }
    Ok(())
}

/// Stores the promises of files that new events bring.
pub(crate) async fn promise_all(
    tx: &mut Tx,
    shared: &Shared,
    events: &[NewEvent<'_>],
    now: Timestamp,
) -> Result<()> {
    let promises = events.iter().filter_map(|event| {
        let message = event.message?;
        Some((event, &message.message_id, message.media.as_ref()?))
    });
    let mut rows = Vec::new();
    for (event, message_id, InboundMedia { kind, claims, remote }) in promises {
        let id = MediaId::new();
        let source = Source { remote: remote.clone(), claims: claims.clone() };
        let source = serde_json::to_vec(&source).map_err(|error| Error::Refused(error.to_string()))?;
        let source = shared.keys.seal(&source, &source_place(id));
        rows.push((id, event, message_id, *kind, claims.file_name.clone(), source));
    }
    for run in runs(&rows) {
        with_conn!(tx, conn => {
            let mut query = QueryBuilder::new(
                "INSERT INTO media (id, session_id, user_id, event_id, message_id, state, kind, file_name, source,
                   next_attempt_at, created_at) ",
            );
            query.push_values(run, |mut values, (id, event, message_id, kind, file_name, source)| {
                values
                    .push_bind(id.uuid())
                    .push_bind(event.session.uuid())
                    .push_bind(event.user.0)
                    .push_bind(event.id.uuid())
                    .push_bind((*message_id).clone())
                    .push_bind("pending")
                    .push_bind(kind.as_str())
                    .push_bind(file_name.clone())
                    .push_bind(source.clone())
                    .push_bind(now.0)
                    .push_bind(now.0);
            });
            query.build().execute(conn).await?;
        });
    }
    Ok(())
}

impl From<StoredRow> for StoredMedia {
    fn from(row: StoredRow) -> Self {
        Self {
            id: row.id.into(),
            session: row.session_id.into(),
            user: UserId(row.user_id),
            name: row.name,
            mime_type: row.mime_type.unwrap_or_default(),
            file_name: row.file_name,
            size: row.size.and_then(|size| size.try_into().ok()).unwrap_or(0),
            sha256: row.sha256.unwrap_or_default(),
            removed: row.state != "stored",
        }
    }
}
