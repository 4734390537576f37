use std::net::IpAddr;

use domain::access::AuditAction as A;
use storage::{AuditFilter, AuditRecord};

use crate::stand::{MINUTE, START, Stand, on_both};

async fn note(stand: &Stand, actor: &str, action: A, target: Option<&str>) {
    let record = AuditRecord {
        actor: actor.into(),
        action,
        target: target.map(Into::into),
        address: Some("::ffff:192.0.2.7".parse::<IpAddr>().unwrap()),
        detail: None,
    };
    stand.database.add_audit_record(&record).await.unwrap();
}

on_both! {
    async fn what_was_done_is_found_by_who_and_what(stand) {
        let database = &stand.database;
        for (actor, action) in [("anna", A::LogIn), ("bob", A::LogIn), ("anna", A::KeyCreated)] {
            note(&stand, actor, action, Some("x")).await;
            stand.clock.advance(MINUTE);
        }
        let found = async |actor: Option<&str>, action: Option<A>, before: Option<i64>, limit: u32| {
            let filter = AuditFilter { actor: actor.map(Into::into), action, before };
            let entries = database.audit(&filter, limit).await.unwrap();
            entries.into_iter().map(|entry| format!("{} {}", entry.actor, entry.action)).collect::<Vec<_>>()
        };
        assert_eq!(found(None, None, None, 9).await, ["anna key_created", "bob log_in", "anna log_in"]);
        assert_eq!(found(Some("anna"), None, None, 9).await, ["anna key_created", "anna log_in"]);
        assert_eq!(found(None, Some(A::LogIn), None, 1).await, ["bob log_in"]);
        assert_eq!(found(Some("bob"), Some(A::KeyCreated), None, 9).await, Vec::<String>::new());
        let first = database.audit(&AuditFilter::default(), 1).await.unwrap().remove(0);
        assert_eq!(found(None, None, Some(first.position), 9).await, ["bob log_in", "anna log_in"]);
        assert_eq!((first.at, first.target.as_deref()), (START + MINUTE * 2, Some("x")));
        assert_eq!(first.address.as_deref(), Some("192.0.2.7"));
    }

    async fn what_strangers_say_is_kept_short(stand) {
        note(&stand, &"ü\0".repeat(500), A::LogInRefused, Some("a\0b")).await;
        let entry = stand.database.audit(&AuditFilter::default(), 1).await.unwrap().remove(0);
        assert_eq!((entry.actor.as_str(), entry.target.as_deref()), (&*"ü".repeat(256), Some("ab")));
    }

    async fn it_is_kept_for_a_time(stand) {
        for n in 0..5 {
            note(&stand, &format!("user {n}"), A::LogIn, None).await;
            stand.clock.advance(MINUTE);
        }
        let before = START + MINUTE * 3;
        let swept = stand.database.sweep_audit(before, 2).await.unwrap();
        assert_eq!((swept.removed, swept.next), (2, Some(())));
        let swept = stand.database.sweep_audit(before, 2).await.unwrap();
        assert_eq!((swept.removed, swept.next), (1, None));
        let left = stand.database.audit(&AuditFilter::default(), 9).await.unwrap();
        assert_eq!(left.iter().map(|entry| &*entry.actor).collect::<Vec<_>>(), ["user 4", "user 3"]);
    }
}
