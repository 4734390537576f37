//! Section 6: what a receiver gets.

use e2e::{PATIENCE, Storage, World, mismatch};
use serde_json::json;

use super::{OURS, THEIRS, gateway};

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_sessions_are_posted_with_the_key() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = gateway(&world, &[("KEY", "what-only-we-know")]).await;
    gateway.link("shop", OURS).await;
    let phone = world.whatsapp.create_account(THEIRS).await;
    phone.say(OURS, "satu").unwrap();
    let group = world.whatsapp.create_group(THEIRS, "Pelanggan", &[OURS]).unwrap();
    phone.say(&group, "dua").unwrap();
    // Our own messages, also those that our phone sends, are skipped.
    world.whatsapp.account(OURS).unwrap().say(THEIRS, "tidak").unwrap();
    gateway.send("shop", THEIRS, "tidak juga", "own").await;
    phone.say(OURS, "tiga").unwrap();
    // Chats go side by side.
    for text in ["satu", "dua", "tiga"] {
        world.webhooks.text(text, PATIENCE).await;
    }

    let person = format!("{THEIRS}@s.whatsapp.net");
    let message = |from: &str, text: &str| {
        json!({"session": "shop", "from": from, "message": text, "messageId": "<word>", "timestamp": "<number>",
            "media": {"image": null, "video": null, "document": null, "audio": null, "...": 0}, "...": 0})
    };
    let expected = [message(&person, "satu"), message(&group, "dua"), message(&person, "tiga")];
    let messages = world.webhooks.messages();
    assert_eq!(messages.len(), expected.len(), "{messages:#?}");
    for expected in expected {
        let fits = messages.iter().any(|webhook| mismatch(&expected, &webhook.body).is_none());
        assert!(fits, "{expected} is not among {messages:#?}");
    }
    let sessions = world.webhooks.sessions();
    let words: Vec<_> = sessions.iter().map(|webhook| webhook.text("status")).collect();
    assert_eq!((words.first(), words.last()), (Some(&"connecting"), Some(&"connected")), "{words:?}");
    let expected = json!({"session": "shop", "status": "<word>", "...": 0});
    for webhook in &sessions {
        assert_eq!(mismatch(&expected, &webhook.body), None, "{}", webhook.body);
    }
    for webhook in world.webhooks.all() {
        assert_eq!(webhook.headers["key"], "what-only-we-know");
        assert_eq!(webhook.headers["content-type"], "application/json");
        assert!(!webhook.headers.contains_key("authorization"));
        assert!(matches!(&*webhook.path, "/message" | "/session"), "{}", webhook.path);
    }
    gateway.get("/session/logout?session=shop").await;
    let bye = world.webhooks.state("shop", "logged_out", PATIENCE).await;
    assert_eq!(bye.text("status"), "disconnected");
}
