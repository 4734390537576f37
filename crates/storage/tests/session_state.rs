use domain::Fence;
use storage::{Change, Error, SessionStore, StateRow};

use crate::stand::on_both;

fn put(kind: &'static str, key: &str, value: &str) -> Change {
    Change::put(kind, key, value.as_bytes())
}

fn delete(kind: &'static str, key: &str) -> Change {
    Change::Delete { kind, key: key.to_owned() }
}

fn secret(key: &str, value: &str, number: i64, expires_at: Option<i64>) -> Change {
    Change::Put { kind: "msg_secret", key: key.into(), value: value.as_bytes().to_vec(), number, expires_at }
}

async fn value(store: &SessionStore, kind: &'static str, key: &str) -> Option<String> {
    let row = store.get(kind, key).await.unwrap()?;
    Some(String::from_utf8(row.value).unwrap())
}

fn keys(rows: &[StateRow]) -> Vec<&str> {
    rows.iter().map(|row| row.key.as_str()).collect()
}

on_both! {
    async fn values_are_put_replaced_and_removed(stand) {
        let admin = stand.admin().await;
        let store = stand.database.session_store(stand.held(admin, "shop").await);
        let other = stand.database.session_store(stand.held(admin, "second").await);
        store.write(vec![put("k", "a", "1"), put("k", "b", ""), put("other", "a", "2")]).await.unwrap();
        store.write(Vec::new()).await.unwrap();
        assert_eq!(value(&store, "k", "a").await.unwrap(), "1");
        assert_eq!(value(&store, "k", "b").await.unwrap(), "");
        assert_eq!(value(&other, "k", "a").await, None);
        store.write(vec![put("k", "a", "3"), delete("k", "b"), delete("k", "never")]).await.unwrap();
        assert_eq!(value(&store, "k", "a").await.unwrap(), "3");
        assert_eq!(value(&store, "k", "b").await, None);
        assert_eq!(value(&store, "other", "a").await.unwrap(), "2");
        let mut found = store.get_many("k", &["a", "b", "c", "a"]).await.unwrap();
        assert_eq!(found.pop().unwrap().value, b"3");
        assert!(found.is_empty());
        assert!(!format!("{:?} {:?}", put("k", "a", "hidden"), store.get("k", "a").await).contains("hidden"));
    }

    async fn what_is_written_behind_comes_before_what_is_written_later(stand) {
        let admin = stand.admin().await;
        let fence = stand.held(admin, "shop").await;
        let store = stand.database.session_store(fence);
        store.write_behind(vec![put("k", "a", "1")]).await.unwrap();
        store.write_behind(vec![put("k", "a", "2"), put("k", "b", "3")]).await.unwrap();
        store.settle().await.unwrap();
        assert_eq!(value(&store, "k", "a").await.unwrap(), "2");
        store.write_behind(vec![put("k", "b", "4")]).await.unwrap();
        store.write(vec![delete("k", "a")]).await.unwrap();
        assert_eq!((value(&store, "k", "a").await, value(&store, "k", "b").await), (None, Some("4".to_owned())));

        // Under a lost claim nothing is written, and nobody else's write fails with it.
        let old = stand.database.session_store(Fence { token: fence.token - 1, ..fence });
        old.write_behind(vec![put("k", "b", "stale")]).await.unwrap();
        store.write(vec![put("k", "c", "5")]).await.unwrap();
        old.settle().await.unwrap();
        assert_eq!(value(&store, "k", "b").await.unwrap(), "4");
        assert_eq!(value(&store, "k", "c").await.unwrap(), "5");
    }

    async fn the_last_change_wins(stand) {
        let admin = stand.admin().await;
        let store = stand.database.session_store(stand.held(admin, "shop").await);
        let table = [
            (vec![put("k", "a", "1"), put("k", "a", "2")], Some("2")),
            (vec![put("k", "a", "3"), delete("k", "a")], None),
            (vec![delete("k", "a"), put("k", "a", "4")], Some("4")),
            (vec![put("k", "a", "5"), delete("k", "a"), put("k", "a", "6"), delete("k", "a")], None),
        ];
        for (changes, expected) in table {
            store.write(changes.clone()).await.unwrap();
            assert_eq!(value(&store, "k", "a").await.as_deref(), expected, "{changes:?}");
        }
        // Over several writes of one batch as well.
        let (first, second, third) =
            tokio::join!(store.write(vec![put("k", "b", "1")]), store.write(vec![delete("k", "b")]),
                store.write(vec![put("k", "b", "3")]));
        assert!(first.is_ok() && second.is_ok() && third.is_ok());
        assert_eq!(value(&store, "k", "b").await.unwrap(), "3");
    }

    async fn message_secrets_are_merged(stand) {
        let admin = stand.admin().await;
        let store = stand.database.session_store(stand.held(admin, "shop").await);
        let expiry = "SELECT COALESCE(expires_at, -1) FROM session_state WHERE kind = 'msg_secret'";
        let table = [
            (secret("a", "1", 5, Some(100)), "1", 5, 100),
            (secret("a", "2", 3, Some(50)), "2", 5, 100),
            (secret("a", "3", 9, Some(200)), "3", 9, 200),
            (secret("a", "4", 1, None), "4", 9, -1),
            (secret("a", "5", 1, Some(300)), "5", 9, -1),
        ];
        for (change, text, number, expires_at) in table {
            store.write(vec![change]).await.unwrap();
            let row = store.get("msg_secret", "a").await.unwrap().unwrap();
            assert_eq!((row.value.as_slice(), row.number), (text.as_bytes(), number));
            assert_eq!(stand.number(expiry).await, expires_at);
        }
        // In one write it comes to the same.
        store.write(vec![secret("b", "1", 7, Some(9)), secret("b", "2", 2, Some(30))]).await.unwrap();
        let row = store.get("msg_secret", "b").await.unwrap().unwrap();
        assert_eq!((row.value.as_slice(), row.number), (b"2".as_slice(), 7));
        // What was removed is not merged with.
        store.write(vec![delete("msg_secret", "b"), secret("b", "3", 1, Some(1))]).await.unwrap();
        let row = store.get("msg_secret", "b").await.unwrap().unwrap();
        assert_eq!((row.value.as_slice(), row.number), (b"3".as_slice(), 1));
        store.write(vec![secret("b", "4", 8, None), delete("msg_secret", "b")]).await.unwrap();
        assert_eq!(store.get("msg_secret", "b").await.unwrap(), None);
        assert_eq!(store.delete_expired("msg_secret", i64::MAX).await.unwrap(), 0, "the other one never expires");
    }

    async fn lists_are_in_the_order_of_bytes(stand) {
        let admin = stand.admin().await;
        let store = stand.database.session_store(stand.held(admin, "shop").await);
        let all = ["B", "a", "a-1", "a.", "aa", "b", "é", "日本", "日本語", "😀", "😀1"];
        store.write(all.iter().rev().map(|key| put("k", key, key)).collect()).await.unwrap();
        let listed = store.list("k").await.unwrap();
        assert_eq!(keys(&listed), all);
        assert!(listed.iter().all(|row| row.value == row.key.as_bytes()));
        let table: [(&str, &[&str]); 7] = [
            ("a", &["a", "a-1", "a.", "aa"]),
            ("日本", &["日本", "日本語"]),
            ("日", &["日本", "日本語"]),
            ("😀", &["😀", "😀1"]),
            ("é", &["é"]),
            ("%", &[]),
            ("A", &[]),
        ];
        for (prefix, expected) in table {
            assert_eq!(keys(&store.list_prefix("k", prefix).await.unwrap()), expected, "{prefix}");
            assert_eq!(store.has_prefix("k", prefix).await.unwrap(), !expected.is_empty(), "{prefix}");
        }
        assert_eq!(store.last_key("k").await.unwrap().as_deref(), Some("😀1"));
        assert_eq!(store.last_key("none").await.unwrap(), None);
        assert_eq!(store.delete_prefix("k", "日").await.unwrap(), 2);
        assert_eq!(store.delete_prefix("k", "a-").await.unwrap(), 1);
        assert_eq!(store.list("k").await.unwrap().len(), 8);
    }

    async fn numbers_find_the_newest_and_are_set_on_what_is_there(stand) {
        let admin = stand.admin().await;
        let store = stand.database.session_store(stand.held(admin, "shop").await);
        let numbered = |key: &str, number| Change::Put {
            kind: "k", key: key.into(), value: vec![1], number, expires_at: Some(number),
        };
        store.write(vec![numbered("a", 5), numbered("b", 9), numbered("c", 9), numbered("d", 1)]).await.unwrap();
        assert_eq!(store.newest_key("k").await.unwrap().as_deref(), Some("c"));
        let chosen = ["a".to_owned(), "never".to_owned()];
        store.set_number("k", &chosen, 10).await.unwrap();
        assert_eq!(store.newest_key("k").await.unwrap().as_deref(), Some("a"));
        assert_eq!(store.list("k").await.unwrap().len(), 4, "nothing was inserted");
        assert_eq!(store.delete_expired("k", 9).await.unwrap(), 2);
        assert_eq!(keys(&store.list("k").await.unwrap()), ["b", "c"]);
    }

    async fn of_two_that_take_one_gets_it(stand) {
        let admin = stand.admin().await;
        let store = stand.database.session_store(stand.held(admin, "shop").await);
        store.write(vec![put("k", "a", "once")]).await.unwrap();
        let (first, second) = tokio::join!(store.take("k", "a"), store.take("k", "a"));
        let taken: Vec<_> = [first.unwrap(), second.unwrap()].into_iter().flatten().collect();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].value, b"once");
        assert_eq!(value(&store, "k", "a").await, None);
    }

    async fn values_are_sealed_to_their_place(stand) {
        let admin = stand.admin().await;
        let store = stand.database.session_store(stand.held(admin, "shop").await);
        store.write(vec![put("k", "a", "a very secret key"), put("k", "b", "another")]).await.unwrap();
        let raw = stand.bytes("SELECT value FROM session_state WHERE key = 'a'").await;
        assert!(!raw.windows(6).any(|part| part == b"secret"), "{raw:?}");
        stand.execute("UPDATE session_state SET value =
            (SELECT s.value FROM session_state s WHERE s.key = 'a') WHERE key = 'b'").await;
        assert_eq!(value(&store, "k", "a").await.unwrap(), "a very secret key");
        let moved = store.get("k", "b").await;
        assert!(matches!(moved, Err(Error::Unreadable { .. })), "{moved:?}");
    }

    async fn many_changes_at_once_all_arrive(stand) {
        let admin = stand.admin().await;
        let store = stand.database.session_store(stand.held(admin, "shop").await);
        let changes = |round: usize| (0..333).map(|n| put("k", &format!("{n:04}"), &format!("{round}"))).collect();
        for round in 0..2 {
            store.write(changes(round)).await.unwrap();
        }
        let rows = store.list("k").await.unwrap();
        assert_eq!(rows.len(), 333);
        assert!(rows.iter().all(|row| row.value == b"1"));
    }
}
