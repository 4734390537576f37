//! The fencing check: who still owns a session may write for it.

use std::collections::{BTreeSet, HashSet};

use domain::{Fence, SessionId};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::{
    dialect,
    driver::{Tx, runs, with_conn},
};

/// The claims that were still valid when the transaction locked them; nobody can take these sessions over
/// before it ends.
#[derive(Debug, Default)]
pub(crate) struct Allowed(HashSet<Fence>);

impl Allowed {
    pub(crate) fn contains(&self, fence: Fence) -> bool {
        self.0.contains(&fence)
    }
}

/// Locks the sessions of `fences` and tells which of the claims still hold.
pub(crate) async fn check(
    tx: &mut Tx,
    fences: impl IntoIterator<Item = Fence>,
) -> Result<Allowed, sqlx::Error> {
    // In one order everywhere, so that two transactions cannot wait for each other.
    let wanted: BTreeSet<(SessionId, i64)> =
        fences.into_iter().map(|fence| (fence.session, fence.token)).collect();
    let wanted: Vec<_> = wanted.into_iter().collect();
    let lock = dialect::LOCK_ROWS.of(tx);
    let mut allowed = HashSet::with_capacity(wanted.len());
    for run in runs(&wanted) {
        let rows: Vec<(Uuid, i64)> = with_conn!(tx, conn => {
            let mut query = QueryBuilder::new("SELECT s.id, s.token FROM sessions s JOIN (");
            query.push_values(run, |mut row, (session, token)| {
                row.push_bind(session.uuid()).push_bind(*token);
            });
            query.push(") AS v ON s.id = v.column1 AND s.token = v.column2 ORDER BY s.id").push(lock);
            query.build_query_as().fetch_all(conn).await?
        });
        allowed.extend(rows.into_iter().map(|(id, token)| Fence { session: id.into(), token }));
    }
    Ok(Allowed(allowed))
}
