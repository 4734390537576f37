//! What can be wrong with a database when it is opened, and that it is said.

use std::{fs, path::Path, process::Command, sync::Arc, time::Duration};

use domain::SystemClock;
use scratch::Dir;
use sqlx::{AssertSqlSafe, SqlitePool};
use storage::{Change, Database, Error, OpenError, Options};

use crate::stand::{Raw, Stand, keys};

async fn open(url: &str) -> Result<Database, OpenError> {
    Database::open(&Options::new(url), keys(), Arc::new(SystemClock)).await
}

async fn refused(url: &str) -> OpenError {
    match open(url).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => error,
    }
}

fn sqlite(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

#[tokio::test]
async fn a_new_file_is_made_with_its_folder_and_found_again() {
    let folder = Dir::new();
    let path = folder.join("a/b/test.db");
    let database = open(&sqlite(&path)).await.unwrap();
    assert!(database.is_embedded());
    database.ping().await.unwrap();
    database.put_admin("admin", "hash").await.unwrap();
    database.close().await;
    drop(database);
    let again = open(&sqlite(&path)).await.unwrap();
    assert!(again.user_by_name("admin").await.unwrap().is_some());
}

#[tokio::test]
async fn a_foreign_file_is_left_alone() {
    let folder = Dir::new();
    let text = folder.join("notes.db");
    let content = "these are notes, not a database. ".repeat(200);
    fs::write(&text, &content).unwrap();
    let error = refused(&sqlite(&text)).await;
    assert!(matches!(error, OpenError::NotOurs { .. }), "{error}");
    assert_eq!(fs::read_to_string(&text).unwrap(), content);
    assert!(!error.is_transient());

    let other = folder.join("other.db");
    let pool = SqlitePool::connect(&format!("{}?mode=rwc", sqlite(&other))).await.unwrap();
    sqlx::query("CREATE TABLE songs (title TEXT)").execute(&pool).await.unwrap();
    pool.close().await;
    let before = fs::read(&other).unwrap();
    let error = refused(&sqlite(&other)).await;
    assert!(matches!(error, OpenError::NotOurs { .. }), "{error}");
    assert_eq!(fs::read(&other).unwrap(), before);
}

#[tokio::test]
async fn a_truncated_file_is_noticed() {
    let folder = Dir::new();
    let path = folder.join("test.db");
    let database = open(&sqlite(&path)).await.unwrap();
    database.put_admin("admin", "hash").await.unwrap();
    database.close().await;
    drop(database);
    let length = fs::metadata(&path).unwrap().len();
    for kept in [100, 4096, length / 2] {
        let part = folder.join(format!("part{kept}.db"));
        let content = fs::read(&path).unwrap();
        fs::write(&part, &content[..usize::try_from(kept).unwrap()]).unwrap();
        let error = refused(&sqlite(&part)).await;
        assert!(matches!(error, OpenError::NotOurs { .. }), "{kept} of {length} bytes: {error}");
    }
}

#[tokio::test]
async fn a_file_serves_one_process() {
    let folder = Dir::new();
    let path = folder.join("test.db");
    let first = open(&sqlite(&path)).await.unwrap();
    let error = refused(&sqlite(&path)).await;
    assert!(matches!(&error, OpenError::InUse(file) if *file == path), "{error}");
    drop(first);
    // The lock goes with the last task that holds the database.
    scratch::wait_for(Duration::from_secs(10), async || open(&sqlite(&path)).await.is_ok()).await;
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_refused() {
    let folder = Dir::new();
    let path = folder.join("test.db");
    let lock = folder.join("test.db.lock");
    let mut other = Command::new("flock").arg(&lock).args(["sleep", "60"]).spawn().unwrap();
    scratch::wait_for(Duration::from_secs(10), async || {
        fs::File::create(&lock).is_ok_and(|file| file.try_lock().is_err())
    })
    .await;
    let error = refused(&sqlite(&path)).await;
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
}

#[tokio::test]
async fn a_path_that_cannot_be_a_file_is_named() {
    let folder = Dir::new();
    let error = refused(&sqlite(folder.path())).await;
    assert!(matches!(error, OpenError::File { .. } | OpenError::NotOurs { .. }), "{error}");
    fs::write(folder.join("file"), "x").unwrap();
    let error = refused(&sqlite(&folder.join("file/test.db"))).await;
    assert!(matches!(error, OpenError::File { .. }), "{error}");
}

/// As a newer version leaves the database behind.
const NEWER: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    VALUES (9999, 'of the future', TRUE, '', 0)";

/// When it has taken something away that this version needs.
const CONTRACTED: &str = "UPDATE schema_floor SET migration = 9999";

#[tokio::test]
async fn a_newer_schema_serves_until_it_takes_something_away() {
    let folder = Dir::new();
    let path = folder.join("test.db");
    open(&sqlite(&path)).await.unwrap().close().await;
    let pool = SqlitePool::connect(&sqlite(&path)).await.unwrap();
    sqlx::query(NEWER).execute(&pool).await.unwrap();
    // The lock goes with the last task that holds the database.
    scratch::wait_for(Duration::from_secs(10), async || match open(&sqlite(&path)).await {
        Ok(database) => {
            database.ping().await.unwrap();
            database.close().await;
            true
        }
        Err(error) => {
            assert!(matches!(error, OpenError::InUse(_)), "{error}");
            false
        }
    })
    .await;
    sqlx::query(CONTRACTED).execute(&pool).await.unwrap();
    pool.close().await;
    let mut error = None;
    scratch::wait_for(Duration::from_secs(10), async || {
        error = open(&sqlite(&path)).await.err();
        !matches!(error, Some(OpenError::InUse(_)))
    })
    .await;
    assert!(matches!(error, Some(OpenError::Newer(9999))), "{error:?}");

    let url = scratch::postgres_url().unwrap();
    open(&url).await.unwrap().close().await;
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    sqlx::query(AssertSqlSafe(NEWER)).execute(&pool).await.unwrap();
    open(&url).await.unwrap().close().await;
    sqlx::query(AssertSqlSafe(CONTRACTED)).execute(&pool).await.unwrap();
    let error = refused(&url).await;
    assert!(matches!(error, OpenError::Newer(9999)), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn who_may_not_migrate_waits_for_who_does() {
    let folder = Dir::new();
    for url in [sqlite(&folder.join("test.db")), scratch::postgres_url().unwrap()] {
        let waiting = Options { migrate: false, ..Options::new(&url) };
        let open_without = || Database::open(&waiting, keys(), Arc::new(SystemClock));
        let error = open_without().await.err().unwrap();
        assert!(matches!(error, OpenError::Behind { missing: 1 }), "{url}: {error}");
        assert!(error.is_transient() && error.to_string().contains("wa-gateway migrate"), "{error}");
        scratch::wait_for(Duration::from_secs(10), async || match open(&url).await {
            Ok(database) => {
                database.close().await;
                true
            }
            Err(_) => false,
        })
        .await;
        scratch::wait_for(Duration::from_secs(10), async || open_without().await.is_ok()).await;
    }
}

#[tokio::test]
async fn other_schemes_are_refused() {
    for url in ["mysql://h/d", "", "data/test.db", "postgres:/h", "Postgres//h"] {
        let error = refused(url).await;
        assert!(matches!(error, OpenError::UnknownScheme), "{url}: {error}");
    }
    let error = refused("postgres://h:port/d").await;
    assert!(matches!(error, OpenError::InvalidUrl(_)), "{error}");
}

#[tokio::test]
async fn postgres_says_why_it_refuses() {
    let stand = Stand::postgres().await;
    stand.execute("DROP ROLE IF EXISTS nologin_test").await;
    stand.execute("CREATE ROLE nologin_test NOLOGIN").await;
    let Raw::Postgres(pool) = &stand.raw else { unreachable!() };
    let options = pool.connect_options();
    let server = format!("{}:{}", options.get_host(), options.get_port());
    let refusals = [
        format!("postgres://nologin_test@{server}/postgres"),
        format!("postgres://nobody_of_that_name:wrong@{server}/postgres"),
        format!("postgres://{}@{server}/no_such_database", options.get_username()),
    ];
    for url in refusals {
        let error = refused(&url).await;
        assert!(matches!(error, OpenError::Refused(_)), "{url}: {error}");
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn an_unreachable_server_is_worth_another_try() {
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", scratch::free_port());
    let error = refused(&url).await;
    assert!(matches!(error, OpenError::Unreachable(_)), "{error}");
    assert!(error.is_transient());
    assert!(error.to_string().contains("refused"), "the reason is told: {error}");
}

#[tokio::test]
async fn two_can_open_a_new_postgres_database_at_once() {
    let url = scratch::postgres_url().unwrap();
    let (first, second) = tokio::join!(open(&url), open(&url));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(!first.is_embedded());
    first.ping().await.unwrap();
    second.ping().await.unwrap();
}

/// A disk that is full, as far as that can be had without one: what is stored does not fit a tiny file system.
#[tokio::test]
async fn a_full_disk_is_said_and_nothing_is_half_stored() {
    let folder = Dir::new();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(folder.path())
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        println!("skipped: a tiny file system cannot be mounted here");
        return;
    }
    let outcome = fill_up(&folder.join("test.db")).await;
    let _ = Command::new("umount").arg("-l").arg(folder.path()).status();
    let (stored, error) = outcome;
    assert!(matches!(error, Error::Full(_)), "{error}");
    assert!(stored > 0);
}

async fn fill_up(path: &Path) -> (usize, Error) {
    let database = open(&sqlite(path)).await.unwrap();
    database.put_admin("admin", "hash").await.unwrap();
    let runner = domain::RunnerId::new();
    let registration = storage::RunnerRegistration {
        id: runner,
        name: "r".into(),
        version: "1".into(),
        capacity: 1,
        place: storage::Placement::default(),
    };
    database.register_runner(&registration, Duration::from_mins(1)).await.unwrap();
    database.start_session(domain::UserId::ADMIN, "shop").await.unwrap();
    let fence = database.claim_sessions(runner, 1).await.unwrap()[0].fence;
    let store = database.session_store(fence);
    for round in 0..1000 {
        let changes = (0..4).map(|n| Change::put("k", format!("{round}-{n}"), vec![7; 4000])).collect();
        if let Err(error) = store.write(changes).await {
            assert!(store.get("k", &format!("{round}-0")).await.unwrap().is_none());
            assert_eq!(store.list("k").await.unwrap().len(), round * 4);
            return (round, error);
        }
    }
    panic!("4 MB fit into 1 MB");
}
