//! Where webhooks go.

use std::collections::{BTreeSet, HashMap};

use domain::{EndpointId, Timestamp, UserId, event::EventKind, webhook::UrlLayout};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::{
    Result,
    database::Database,
    deliveries::give_up_waiting,
    driver::{Tx, runs, with_conn},
    rows::word,
};

/// The kinds that an endpoint of the contract wants.
const CONTRACT_KINDS: &str = ",message,session,";

/// What an endpoint's signing secrets are sealed to.
#[must_use]
pub fn endpoint_secret_place(endpoint: EndpointId) -> Vec<u8> {
    format!("endpoints/{endpoint}/secret").into_bytes()
}

impl Database {
    /// Sets what signs the webhooks of an endpoint: `whsec_…`, or several separated by spaces while one is being
    /// replaced; `None` for no signature. Returns whether the endpoint is there.
    pub async fn set_endpoint_secrets(&self, endpoint: EndpointId, secrets: Option<&str>) -> Result<bool> {
        let sealed = secrets
            .map(|secrets| self.shared.keys.seal(secrets.as_bytes(), &endpoint_secret_place(endpoint)));
        let mut tx = self.begin().await?;
        let changed = with_conn!(&mut tx, conn => {
            sqlx::query("UPDATE endpoints SET secret = $2 WHERE id = $1")
                .bind(endpoint.uuid())
                .bind(sealed)
                .execute(conn)
                .await?
                .rows_affected()
        });
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Sets the address that webhooks of users without a callback go to; `None` takes it away.
    pub async fn set_base_endpoint(&self, url: Option<&str>) -> Result<()> {
        let mut tx = self.begin().await?;
        set_contract_endpoint(&mut tx, None, UrlLayout::Base, url, self.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Sets a user's callback; `None` takes it away.
    pub async fn set_callback(&self, user: UserId, url: Option<&str>) -> Result<()> {
        let mut tx = self.begin().await?;
        set_callback(&mut tx, user, url, self.now()).await?;
        Ok(tx.commit().await?)
    }
}

/// [`Database::set_callback`] as a part of something larger.
pub(crate) async fn set_callback(tx: &mut Tx, user: UserId, url: Option<&str>, now: Timestamp) -> Result<()> {
    set_contract_endpoint(tx, Some(user), UrlLayout::Callback, url, now).await
}

async fn set_contract_endpoint(
    tx: &mut Tx,
    user: Option<UserId>,
    layout: UrlLayout,
    url: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    // An endpoint that had deliveries is kept, so that its history is; taken away means disabled. With another
    // address, what waits goes there: its owner has moved.
    let changed: Vec<Uuid> = with_conn!(tx, conn => {
        sqlx::query_scalar(
            "UPDATE endpoints SET url = COALESCE($3, url), enabled = ($3 IS NOT NULL), disabled_reason = NULL
             WHERE layout = $1 AND COALESCE(user_id, 0) = COALESCE($2, 0)
               AND (url <> $3 OR enabled <> ($3 IS NOT NULL) OR $3 IS NULL)
             RETURNING id",
        )
        .bind(layout.as_str())
        .bind(user.map(|user| user.0))
        .bind(url)
        .fetch_all(conn)
        .await?
    });
    // Not what waits for the operator's: that address is read at every start, and one start without it must not
    // give anything up.
    if url.is_none() && layout == UrlLayout::Callback {
        for endpoint in changed {
            give_up_waiting(tx, endpoint.into(), "the callback was taken away", now).await?;
        }
    }
    if let Some(url) = url {
        with_conn!(tx, conn => {
            sqlx::query(
                "INSERT INTO endpoints (id, user_id, layout, url, kinds, enabled, created_at)
                 VALUES ($1, $2, $3, $4, $5, TRUE, $6)
                 ON CONFLICT DO NOTHING",
            )
            .bind(EndpointId::new().uuid())
            .bind(user.map(|user| user.0))
            .bind(layout.as_str())
            .bind(url)
            .bind(CONTRACT_KINDS)
            .bind(now.0)
            .execute(conn)
            .await?;
        });
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    user_id: Option<i64>,
    layout: String,
    kinds: String,
    enabled: bool,
    disabled_reason: Option<String>,
}

/// Which endpoints want what, for some users.
#[derive(Default)]
pub(crate) struct Subscriptions {
    /// The operator's, for users who have no callback.
    base: Vec<Subscription>,
    of_user: HashMap<UserId, Vec<Subscription>>,
}

struct Subscription {
    endpoint: EndpointId,
    layout: UrlLayout,
    kinds: String,
    enabled: bool,
    /// Its owner took it away, as opposed to one that was disabled because its receiver asked for it.
    removed: bool,
}

impl Subscriptions {
    /// The endpoints that want events of `kind` of this user: their own, and the operator's base unless they have
    /// a callback.
    pub(crate) fn wanting(&self, user: UserId, kind: EventKind) -> impl Iterator<Item = EndpointId> {
        let own = self.of_user.get(&user).map_or(&[][..], Vec::as_slice);
        let has_callback = own.iter().any(|own| own.layout == UrlLayout::Callback && !own.removed);
        let base = if has_callback { &[][..] } else { &self.base };
        own.iter()
            .chain(base)
            .filter(move |subscription| {
                subscription.enabled && subscription.kinds.split(',').any(|word| word == kind.as_str())
            })
            .map(|subscription| subscription.endpoint)
    }
}

/// Looks up what the endpoints of `users`, and the operator's, want.
pub(crate) async fn subscriptions(tx: &mut Tx, users: impl Iterator<Item = UserId>) -> Result<Subscriptions> {
    let users: Vec<UserId> = users.collect::<BTreeSet<_>>().into_iter().collect();
    let mut subscriptions = Subscriptions::default();
    if users.is_empty() {
        return Ok(subscriptions);
    }
    for (nth, run) in runs(&users).enumerate() {
        let rows: Vec<Row> = with_conn!(tx, conn => {
            let mut query = QueryBuilder::new(
                "SELECT id, user_id, layout, kinds, enabled, disabled_reason FROM endpoints WHERE ",
            );
            query.push(if nth == 0 { "user_id IS NULL OR user_id IN (" } else { "user_id IN (" });
            let mut list = query.separated(", ");
            for user in run {
                list.push_bind(user.0);
            }
            query.push(")");
            query.build_query_as().fetch_all(conn).await?
        });
        for row in rows {
            let subscription = Subscription {
                endpoint: row.id.into(),
                layout: word(&row.layout)?,
                kinds: row.kinds,
                enabled: row.enabled,
                removed: !row.enabled && row.disabled_reason.is_none(),
            };
            match row.user_id {
                None => subscriptions.base.push(subscription),
                Some(user) => subscriptions.of_user.entry(UserId(user)).or_default().push(subscription),
            }
        }
    }
    Ok(subscriptions)
}
