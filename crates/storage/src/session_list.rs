//! Sessions as people look at them: a page at a time, looked for by name, number and state, with what went through.

use std::collections::HashMap;

use domain::{
    RunnerId, SessionId, Timestamp, UserId,
    session::{Session, SessionState},
    traffic::Counted,
};
use sqlx::{Database as Driver, QueryBuilder};
use uuid::Uuid;

use crate::{
    Result,
    database::Database,
    driver::{runs, with_conn},
    sessions::Row,
};

/// Which sessions; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Whose they are.
    pub user: Option<UserId>,
    /// The name of whose they are.
    pub username: Option<String>,
    /// A part of the name or of the number, in any case.
    pub search: Option<String>,
    /// One of these; none stands for all.
    pub states: Vec<SessionState>,
    /// The runner that holds them now.
    pub runner: Option<RunnerId>,
}

/// A session, and the name of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSession {
    pub session: Session,
    pub username: String,
}

#[derive(sqlx::FromRow)]
struct Listed {
    username: String,
    #[sqlx(flatten)]
    session: Row,
}

/// Adds the conditions of a filter on the sessions `s` and their users `u`.
fn push_filter<'a, D>(query: &mut QueryBuilder<D>, filter: &'a SessionFilter)
where
    D: Driver,
    i64: sqlx::Encode<'a, D> + sqlx::Type<D>,
    String: sqlx::Encode<'a, D> + sqlx::Type<D>,
    Uuid: sqlx::Encode<'a, D> + sqlx::Type<D>,
{
    query.push("TRUE");
    if let Some(user) = filter.user {
        query.push(" AND s.user_id = ").push_bind(user.0);
    }
    if let Some(username) = &filter.username {
        query.push(" AND u.username = ").push_bind(username.replace('\0', ""));
    }
    if let Some(search) = &filter.search {
        let pattern = contains(search);
        query.push(" AND (LOWER(s.name) LIKE ").push_bind(pattern.clone());
        query.push(" ESCAPE '!' OR s.phone LIKE ").push_bind(pattern).push(" ESCAPE '!')");
    }
    if !filter.states.is_empty() {
        let words: Vec<_> = filter.states.iter().map(|state| format!("'{state}'")).collect();
        query.push(" AND s.state IN (").push(words.join(", ")).push(")");
    }
    if let Some(runner) = filter.runner {
        query.push(" AND s.runner_id = ").push_bind(runner.uuid());
    }
}

/// A pattern for texts that contain this one, whatever it is made of.
fn contains(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars().filter(|c| *c != '\0') {
        if matches!(c, '!' | '%' | '_') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

impl Database {
    /// The sessions that match, by name, from behind the name `after` on.
    pub async fn session_page(
        &self,
        filter: &SessionFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ListedSession>> {
        let mut reader = self.reader().await?;
        let rows: Vec<Listed> = with_conn!(&mut reader, conn => {
            let mut query = QueryBuilder::new(
                "SELECT u.username, s.id, s.user_id, s.name, s.wanted, s.state, s.reason, s.since,
                   s.credentials_present, s.phone, s.qr, s.qr_expires_at, s.last_message_at, s.disconnected_since,
                   s.created_at
                 FROM sessions s JOIN users u ON u.id = s.user_id WHERE ",
            );
            push_filter(&mut query, filter);
            if let Some(after) = after {
                query.push(" AND s.name > ").push_bind(after.to_owned());
            }
            query.push(" ORDER BY s.name LIMIT ").push_bind(i64::from(limit));
            query.build_query_as().fetch_all(conn).await?
        });
        let listed =
            |row: Listed| Ok(ListedSession { username: row.username, session: row.session.try_into()? });
        rows.into_iter().map(listed).collect()
    }

    /// How many sessions match.
    pub async fn count_sessions(&self, filter: &SessionFilter) -> Result<u64> {
        let mut reader = self.reader().await?;
        let count: i64 = with_conn!(&mut reader, conn => {
            let mut query =
                QueryBuilder::new("SELECT COUNT(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE ");
            push_filter(&mut query, filter);
            query.build_query_scalar().fetch_one(conn).await?
        });
        Ok(count.unsigned_abs())
    }

    /// How many messages went through each of these sessions from `since` on. Reads indexes only.
    pub async fn traffic_since(
        &self,
        sessions: &[SessionId],
        since: Timestamp,
    ) -> Result<HashMap<SessionId, Counted>> {
        let mut reader = self.reader().await?;
        let mut traffic = HashMap::with_capacity(sessions.len());
        for run in runs(sessions) {
            let rows: Vec<(Uuid, i64, i64)> = with_conn!(&mut reader, conn => {
                let mut query = QueryBuilder::new(
                    "SELECT v.column1, (SELECT COUNT(*) FROM outbound o
                       WHERE o.session_id = v.column1 AND o.accepted_at >= ",
                );
                query.push_bind(since.0).push(
                    "), (SELECT COUNT(*) FROM events e
                       WHERE e.session_id = v.column1 AND e.kind = 'message' AND e.created_at >= ",
                );
                query.push_bind(since.0).push(") FROM (");
                query.push_values(run, |mut values, session| {
                    values.push_bind(session.uuid());
                });
                query.push(") AS v");
                query.build_query_as().fetch_all(conn).await?
            });
            traffic.extend(rows.into_iter().map(|(session, sent, received)| {
                let counted = Counted { sent: sent.unsigned_abs(), received: received.unsigned_abs() };
                (SessionId::from(session), counted)
            }));
        }
        Ok(traffic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_a_pattern_is_looked_for_as_it_is() {
        let table = [("", "%%"), ("Shop", "%shop%"), ("50%_!", "%50!%!_!!%"), ("a\0b", "%ab%"), ("Ä", "%ä%")];
        for (text, expected) in table {
            assert_eq!(contains(text), expected, "{text}");
        }
    }
}
