//! Endpoints as their owners see them: made, changed, listed with how they have been, removed.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt::Write as _,
};

use domain::{
    EndpointId, Timestamp, UserId,
    event::EventKind,
    webhook::{Endpoint, LastDelivery, MOST_COUNTED, MOST_ENDPOINTS, SECRET_OVERLAP},
};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{AssertSqlSafe, QueryBuilder};
use uuid::Uuid;

use crate::{
    Result,
    database::Database,
    deliveries::{DISABLED, give_up_waiting},
    dialect::LOCK_ROWS,
    driver::{Reader, with_conn},
    endpoints::endpoint_secret_place,
    rows::word,
};

/// How many of the newest deliveries are looked at for the last one of each endpoint.
const NEWEST: i64 = 1000;

/// A change that was made on the ground of what has changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointChanged {
    Done,
    /// It is not as the change expected it to be.
    Meanwhile,
    NotFound,
}

/// What an endpoint is set to, in one word: another one after every change of that.
#[must_use]
pub fn endpoint_revision(endpoint: &Endpoint) -> String {
    let Endpoint { url, kinds, description, enabled, disabled_reason, .. } = endpoint;
    revision(url, kinds, description.as_deref(), *enabled, disabled_reason.as_deref())
}

fn revision(
    url: &str,
    kinds: &[EventKind],
    description: Option<&str>,
    enabled: bool,
    disabled_reason: Option<&str>,
) -> String {
    let set = serde_json::json!([url, kinds, description, enabled, disabled_reason]).to_string();
    secrets::hash_token(&set).as_bytes()[..8].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An endpoint to be.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    pub user: UserId,
    pub url: String,
    pub kinds: Vec<EventKind>,
    pub description: Option<String>,
    /// `whsec_…`: signs what is sent to it.
    pub secret: SecretString,
}

/// What is to be different about an endpoint; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointChange {
    pub url: Option<String>,
    pub kinds: Option<Vec<EventKind>>,
    /// An empty one takes it away.
    pub description: Option<String>,
    pub enabled: Option<bool>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    user_id: Option<i64>,
    layout: String,
    url: String,
    kinds: String,
    description: Option<String>,
    enabled: bool,
    disabled_reason: Option<String>,
    secret: Option<Vec<u8>>,
    previous_secret: Option<Vec<u8>>,
    previous_secret_until: Option<i64>,
    created_at: i64,
    pending: i64,
    dead: i64,
}

#[derive(sqlx::FromRow)]
struct LastRow {
    endpoint_id: Uuid,
    id: Uuid,
    state: String,
    attempts: i32,
    last_status: Option<i32>,
    last_error: Option<String>,
    at: i64,
}

/// Rows of endpoints that are there for their owners: neither removed nor a callback that was taken away.
const VISIBLE: &str =
    "SELECT e.id, e.user_id, e.layout, e.url, e.kinds, e.description, e.enabled, e.disabled_reason,
       e.secret, e.previous_secret, e.previous_secret_until, e.created_at,
       (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries d
         WHERE d.endpoint_id = e.id AND d.state IN ('pending', 'claimed') LIMIT $1) AS p) AS pending,
       (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries d
         WHERE d.endpoint_id = e.id AND d.state = 'dead' LIMIT $1) AS p) AS dead
     FROM endpoints e
     WHERE e.removed_at IS NULL AND (e.layout = 'plain' OR e.enabled OR e.disabled_reason IS NOT NULL) AND ";

impl Row {
    fn endpoint(self, now: Timestamp) -> Result<Endpoint> {
        let overlaps = self.previous_secret_until.is_some_and(|until| until > now.0);
        Ok(Endpoint {
            id: self.id.into(),
            user: self.user_id.map(UserId),
            layout: word(&self.layout)?,
            url: self.url,
            // A kind of a later version is nobody's business here.
            kinds: self.kinds.split(',').filter_map(EventKind::parse).collect(),
            description: self.description,
            enabled: self.enabled,
            disabled_reason: self.disabled_reason,
            secret: self.secret,
            previous_secret: self.previous_secret.filter(|_| overlaps),
            previous_secret_until: self.previous_secret_until.filter(|_| overlaps).map(Timestamp),
            created_at: Timestamp(self.created_at),
            pending: self.pending,
            dead: self.dead,
            last: None,
        })
    }
}

/// How storage keeps the kinds that an endpoint wants.
fn written(kinds: &[EventKind]) -> String {
    let words: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
    format!(",{},", words.join(","))
}

impl Database {
    /// Makes an endpoint; `None` when its owner has as many as one may have, or is gone.
    pub async fn create_endpoint(&self, new: &NewEndpoint) -> Result<Option<EndpointId>> {
        let id = EndpointId::new();
        let secret = new.secret.expose_secret().as_bytes();
        let sealed = self.shared.keys.seal(secret, &endpoint_secret_place(id));
        let mut tx = self.begin().await?;
        // Locked, so that two at once are not both the last one.
        let owner = format!("SELECT s.id FROM users s WHERE s.id = $1{}", LOCK_ROWS.of(&tx));
        let made = with_conn!(&mut tx, conn => {
            let owner: Option<i64> = sqlx::query_scalar(AssertSqlSafe(owner))
                .bind(new.user.0)
                .fetch_optional(&mut *conn)
                .await?;
            let Some(owner) = owner else { return Ok(None) };
            sqlx::query(
                "INSERT INTO endpoints (id, user_id, layout, url, kinds, enabled, description, secret, created_at)
                 SELECT $1, $2, 'plain', $3, $4, TRUE, $5, $6, $7
                 WHERE $8 > (SELECT COUNT(*) FROM endpoints
                             WHERE user_id = $2 AND layout = 'plain' AND removed_at IS NULL)",
            )
            .bind(id.uuid())
            .bind(owner)
            .bind(&new.url)
            .bind(written(&new.kinds))
            .bind(new.description.as_deref())
            .bind(sealed)
            .bind(self.now().0)
            .bind(i64::try_from(MOST_ENDPOINTS).unwrap_or(i64::MAX))
            .execute(conn)
            .await?
            .rows_affected()
        });
        tx.commit().await?;
        Ok((made == 1).then_some(id))
    }

    /// The endpoints of a user, oldest first; with `operators` also the operator's.
    pub async fn endpoints(&self, user: UserId, operators: bool) -> Result<Vec<Endpoint>> {
        let sql =
            format!("{VISIBLE}(e.user_id = $2 OR ($3 AND e.user_id IS NULL)) ORDER BY e.created_at, e.id");
        let mut reader = self.reader().await?;
        let rows: Vec<Row> = with_conn!(&mut reader, conn => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(MOST_COUNTED)
                .bind(user.0)
                .bind(operators)
                .fetch_all(conn)
                .await?
        });
        let mut newest = if operators { newest(&mut reader, None).await? } else { HashMap::new() };
        newest.extend(self::newest(&mut reader, Some(user)).await?);
        let now = self.now();
        rows.into_iter()
            .map(|row| {
                let last = newest.remove(&row.id);
                Ok(Endpoint { last, ..row.endpoint(now)? })
            })
            .collect()
    }

    /// One endpoint, whoever owns it.
    pub async fn endpoint(&self, id: EndpointId) -> Result<Option<Endpoint>> {
        let mut reader = self.reader().await?;
        let row: Option<Row> = with_conn!(&mut reader, conn => {
            sqlx::query_as(AssertSqlSafe(format!("{VISIBLE}e.id = $2")))
                .bind(MOST_COUNTED)
                .bind(id.uuid())
                .fetch_optional(conn)
                .await?
        });
        let Some(row) = row else { return Ok(None) };
        let last = newest(&mut reader, row.user_id.map(UserId)).await?.remove(&row.id);
        Ok(Some(Endpoint { last, ..row.endpoint(self.now())? }))
    }

    /// Changes an endpoint. What waits for one that is disabled is given up; one that is enabled again begins with
    /// what comes from now on. With `expected`, only if that is its [revision](endpoint_revision).
    pub async fn change_endpoint(
        &self,
        id: EndpointId,
        change: &EndpointChange,
        expected: Option<&str>,
    ) -> Result<EndpointChanged> {
        let mut tx = self.begin().await?;
        let sql = format!(
            "SELECT s.url, s.kinds, s.description, s.enabled, s.disabled_reason FROM endpoints s
             WHERE s.id = $1 AND s.removed_at IS NULL{}",
            LOCK_ROWS.of(&tx)
        );
        let set: Option<Set> = with_conn!(&mut tx, conn => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(id.uuid()).fetch_optional(conn).await?
        });
        let Some(set) = set else { return Ok(EndpointChanged::NotFound) };
        if expected.is_some_and(|expected| expected != set.revision()) {
            return Ok(EndpointChanged::Meanwhile);
        }
        let changed = with_conn!(&mut tx, conn => {
            sqlx::query(
                "UPDATE endpoints SET url = COALESCE($2, url), kinds = COALESCE($3, kinds),
                   description = NULLIF(COALESCE($4, description), ''), enabled = COALESCE($5, enabled),
                   disabled_reason = CASE WHEN $5 IS NULL OR (NOT $5 AND NOT enabled) THEN disabled_reason
                     WHEN $5 THEN NULL ELSE 'its owner disabled it' END
                 WHERE id = $1 AND removed_at IS NULL",
            )
            .bind(id.uuid())
            .bind(change.url.as_deref())
            .bind(change.kinds.as_deref().map(written))
            .bind(change.description.as_deref())
            .bind(change.enabled)
            .execute(conn)
            .await?
            .rows_affected()
        });
        if changed == 1 && change.enabled == Some(false) {
            give_up_waiting(&mut tx, id, DISABLED, self.now()).await?;
        }
        tx.commit().await?;
        Ok(if changed == 1 { EndpointChanged::Done } else { EndpointChanged::NotFound })
    }

    /// Removes an endpoint that its owner made. Its deliveries stay listed; those that wait are given up. `false`
    /// when there is none.
    pub async fn remove_endpoint(&self, id: EndpointId) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let removed = with_conn!(&mut tx, conn => {
            sqlx::query(
                "UPDATE endpoints SET removed_at = $2, enabled = FALSE, disabled_reason = 'it was removed',
                   secret = NULL, previous_secret = NULL
                 WHERE id = $1 AND layout = 'plain' AND removed_at IS NULL",
            )
            .bind(id.uuid())
            .bind(now.0)
            .execute(conn)
            .await?
            .rows_affected()
        });
        if removed == 1 {
            give_up_waiting(&mut tx, id, "the endpoint was removed", now).await?;
        }
        tx.commit().await?;
        Ok(removed == 1)
    }

    /// Gives an endpoint a new signing secret (`whsec_…`); the one before signs as well for
    /// [`SECRET_OVERLAP`]. Returns until when, if there was one; `None` when there is no such endpoint.
    pub async fn rotate_endpoint_secret(
        &self,
        id: EndpointId,
        secret: &SecretString,
    ) -> Result<Option<Option<Timestamp>>> {
        let until = self.now() + SECRET_OVERLAP;
        let sealed = self.shared.keys.seal(secret.expose_secret().as_bytes(), &endpoint_secret_place(id));
        let mut tx = self.begin().await?;
        let until: Option<Option<i64>> = with_conn!(&mut tx, conn => {
            sqlx::query_scalar(
                "UPDATE endpoints SET previous_secret = secret, secret = $2,
                   previous_secret_until = CASE WHEN secret IS NULL THEN NULL ELSE $3 END
                 WHERE id = $1 AND removed_at IS NULL RETURNING previous_secret_until",
            )
            .bind(id.uuid())
            .bind(sealed)
            .bind(until.0)
            .fetch_optional(conn)
            .await?
        });
        tx.commit().await?;
        Ok(until.map(|until| until.map(Timestamp)))
    }
}

/// What is set about an endpoint.
#[derive(sqlx::FromRow)]
struct Set {
    url: String,
    kinds: String,
    description: Option<String>,
    enabled: bool,
    disabled_reason: Option<String>,
}

impl Set {
    fn revision(&self) -> String {
        let kinds: Vec<_> = self.kinds.split(',').filter_map(EventKind::parse).collect();
        let (description, reason) = (self.description.as_deref(), self.disabled_reason.as_deref());
        revision(&self.url, &kinds, description, self.enabled, reason)
    }
}

/// The newest delivery that was tried of each endpoint, among the newest of this user, or of all.
async fn newest(reader: &mut Reader, user: Option<UserId>) -> Result<HashMap<Uuid, LastDelivery>> {
    let rows: Vec<LastRow> = with_conn!(reader, conn => {
        let mut query = QueryBuilder::new(
            "SELECT endpoint_id, id, state, attempts, last_status, last_error,
               COALESCE(finished_at, created_at) AS at FROM deliveries",
        );
        if let Some(user) = user {
            query.push(" WHERE user_id = ").push_bind(user.0);
        }
        query.push(" ORDER BY position DESC LIMIT ").push_bind(NEWEST);
        query.build_query_as().fetch_all(conn).await?
    });
    let mut newest = HashMap::new();
    for row in rows.into_iter().filter(|row| row.attempts > 0) {
        if let Entry::Vacant(vacant) = newest.entry(row.endpoint_id) {
            vacant.insert(row.try_into()?);
        }
    }
    Ok(newest)
}

impl TryFrom<LastRow> for LastDelivery {
    type Error = crate::Error;

    fn try_from(row: LastRow) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            state: word(&row.state)?,
            status: row.last_status.and_then(|status| u16::try_from(status).ok()),
            error: row.last_error,
            at: Timestamp(row.at),
        })
    }
}
