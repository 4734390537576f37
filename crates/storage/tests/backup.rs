//! Databases that come back from a backup, and SQLite's copy for one.

use std::fs;

use scratch::Dir;
use storage::{Change, Error, OpenError, copy_sqlite, hold_sqlite, sqlite_contents};

use crate::stand::{START, Stand, on_both};

const RATCHET: &str = "session";
const DEVICE: &str = "device";

on_both! {
    async fn what_comes_back_begins_anew(stand) {
        let admin = stand.admin().await;
        let before = stand.held(admin, "shop").await;
        let store = stand.database.session_store(before);
        let changes = vec![Change::put(RATCHET, "a", b"used"), Change::put(DEVICE, "the", b"linked")];
        store.write(changes).await.unwrap();

        let claims = stand.database.begin_anew(&[RATCHET]).await.unwrap();
        assert_eq!(claims.len(), 1);
        assert!(claims[0].session == before.session && claims[0].token > before.token);
        let anew = stand.database.session_store(claims[0]);
        assert!(anew.get(RATCHET, "a").await.unwrap().is_none());
        assert_eq!(anew.get(DEVICE, "the").await.unwrap().unwrap().value, b"linked");
        anew.write(vec![Change::put(RATCHET, "a", b"fresh")]).await.unwrap();
        let late = store.write(vec![Change::put(RATCHET, "a", b"late")]).await;
        assert!(matches!(late, Err(Error::LeaseLost)), "{late:?}");
        assert!(stand.database.runners().await.unwrap().is_empty());
        assert_eq!(stand.database.holder(before.session).await.unwrap(), None);
        assert_eq!(stand.number("SELECT event_sequence FROM sessions").await, START.0, "ahead of all before");

        stand.execute("UPDATE sessions SET event_sequence = 9000000000000").await;
        stand.database.begin_anew(&[RATCHET]).await.unwrap();
        assert_eq!(stand.number("SELECT event_sequence FROM sessions").await, 9_000_000_000_000);
    }
}

#[tokio::test]
async fn a_copy_is_made_while_the_database_is_in_use_and_lacks_what_is_left_out() {
    let folder = Dir::new();
    let stand = Stand::sqlite_at(&folder.join("gateway.db")).await;
    let admin = stand.admin().await;
    let fence = stand.held(admin, "shop").await;
    let marker: Vec<u8> = b"0123456789abcdef".repeat(64);
    let store = stand.database.session_store(fence);
    store.write(vec![Change::put(RATCHET, &*"ratchet".repeat(20), marker)]).await.unwrap();
    store.write(vec![Change::put(DEVICE, "the", b"linked")]).await.unwrap();

    let copy = folder.join("copy.db");
    let contents = copy_sqlite(&folder.join("gateway.db"), &copy, &[RATCHET]).await.unwrap();
    assert_eq!((contents.sessions, contents.newest), (1, START));
    assert_eq!(sqlite_contents(&copy).await.unwrap(), Some(contents));
    let bytes = fs::read(&copy).unwrap();
    let key = "ratchet".repeat(20);
    assert!(!bytes.windows(key.len()).any(|part| part == key.as_bytes()), "nor in its unused pages");
    let twice = copy_sqlite(&folder.join("gateway.db"), &copy, &[]).await;
    assert!(matches!(twice, Err(OpenError::File { .. })), "{twice:?}");
}

#[tokio::test]
async fn only_databases_of_ours_are_copied() {
    let folder = Dir::new();
    let copy = |name: &str| {
        let (from, to) = (folder.join(name), folder.join(format!("copy of {name}")));
        async move { copy_sqlite(&from, &to, &[]).await.unwrap_err() }
    };
    assert!(matches!(copy("missing.db").await, OpenError::File { .. }));
    fs::write(folder.join("text.db"), "not a database, but long enough to be read as one".repeat(100))
        .unwrap();
    assert!(matches!(copy("text.db").await, OpenError::NotOurs { .. }));
    fs::write(folder.join("empty.db"), "").unwrap();
    assert!(matches!(copy("empty.db").await, OpenError::NotOurs { .. }));
    assert_eq!(sqlite_contents(&folder.join("empty.db")).await.unwrap(), None);
}

#[tokio::test]
async fn who_holds_a_database_keeps_others_out() {
    let folder = Dir::new();
    let path = folder.join("gateway.db");
    let held = hold_sqlite(&path).unwrap();
    assert!(matches!(hold_sqlite(&path), Err(OpenError::InUse(_))));
    drop(held);
    let stand = Stand::sqlite_at(&path).await;
    assert!(matches!(hold_sqlite(&path), Err(OpenError::InUse(_))));
    stand.database.close().await;
}
