//! Which schema a database has, whether this code can run on it, and bringing it up to date.
//!
//! Expand, then contract: a migration first adds, and only a later release takes away what nobody uses any more. So
//! during a rollout the version before runs on the schema of the version after. `schema_floor` says how old code may
//! be; migrations that this code does not know are nothing to it otherwise.

use std::collections::BTreeSet;

use sqlx::{
    PgConnection, SqliteConnection,
    migrate::{MigrateError, Migrator},
};

use crate::database::OpenError;

fn sqlite_migrations() -> Migrator {
    let mut migrations = sqlx::migrate!("../../migrations/sqlite");
    migrations.set_ignore_missing(true);
    migrations
}

fn postgres_migrations() -> Migrator {
    let mut migrations = sqlx::migrate!("../../migrations/postgres");
    migrations.set_ignore_missing(true);
    migrations
}

/// What a database says about its schema.
#[derive(Debug, Default)]
struct Found {
    /// The migrations that were applied.
    applied: BTreeSet<i64>,
    /// The oldest migration that code must know to run here.
    floor: Option<i64>,
}

/// What to do with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It has everything that this code needs.
    Good,
    /// This migration is the first that it lacks.
    Behind(i64),
    /// This migration is unknown here, and changed what this code relies on.
    Newer(i64),
}

fn judge(known: &BTreeSet<i64>, found: &Found) -> Verdict {
    let newest = known.last().copied().unwrap_or(0);
    if let Some(unknown) = found.applied.difference(known).last()
        && found.floor.is_none_or(|floor| floor > newest)
    {
        return Verdict::Newer(*unknown);
    }
    known.difference(&found.applied).next().map_or(Verdict::Good, |missing| Verdict::Behind(*missing))
}

fn versions(migrations: &Migrator) -> BTreeSet<i64> {
    migrations.iter().map(|migration| migration.version).collect()
}

/// Looks at a schema and brings it up to date when `migrate` says so.
macro_rules! prepare {
    ($name:ident, $connection:ty, $migrations:ident, $exists:literal) => {
        pub(crate) async fn $name(connection: &mut $connection, migrate: bool) -> Result<(), OpenError> {
            let unreadable = |error: sqlx::Error| OpenError::Migration(error.to_string());
            let exists = async |connection: &mut $connection, table: &str| -> Result<bool, OpenError> {
                let exists = sqlx::query_scalar($exists).bind(table.to_owned());
                exists.fetch_one(connection).await.map_err(unreadable)
            };
            let mut found = Found::default();
            if exists(connection, "_sqlx_migrations").await? {
                let applied: Vec<i64> =
                    sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
                        .fetch_all(&mut *connection)
                        .await
                        .map_err(unreadable)?;
                found.applied.extend(applied);
            }
            if exists(connection, "schema_floor").await? {
                found.floor = sqlx::query_scalar("SELECT MAX(migration) FROM schema_floor")
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(unreadable)?;
            }
            let migrations = $migrations();
            match judge(&versions(&migrations), &found) {
                Verdict::Newer(unknown) => Err(OpenError::Newer(unknown)),
                Verdict::Behind(missing) if !migrate => Err(OpenError::Behind { missing }),
                Verdict::Good => Ok(()),
                Verdict::Behind(_) => migrations.run(connection).await.map_err(|error| match error {
                    MigrateError::VersionMissing(version) => OpenError::Newer(version),
                    other => OpenError::Migration(other.to_string()),
                }),
            }
        }
    };
}

prepare!(
    prepare_sqlite,
    SqliteConnection,
    sqlite_migrations,
    "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1)"
);
prepare!(prepare_postgres, PgConnection, postgres_migrations, "SELECT to_regclass($1) IS NOT NULL");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_runs_on_the_schema_after_its_own_until_that_takes_something_away() {
        let table: [(&[i64], Option<i64>, Verdict); 8] = [
            (&[], None, Verdict::Behind(1)),
            (&[1], None, Verdict::Behind(2)),
            (&[1, 2], Some(1), Verdict::Good),
            (&[1, 2, 3], Some(1), Verdict::Good),
            (&[1, 2, 3], Some(2), Verdict::Good),
            (&[1, 2, 3], Some(3), Verdict::Newer(3)),
            (&[1, 2, 3], None, Verdict::Newer(3)),
            // Somebody else's release had a migration between ours: it is still to be applied.
            (&[1, 3], Some(1), Verdict::Behind(2)),
        ];
        for (applied, floor, expected) in table {
            let found = Found { applied: applied.iter().copied().collect(), floor };
            assert_eq!(judge(&BTreeSet::from([1, 2]), &found), expected, "{applied:?} {floor:?}");
        }
    }
}
