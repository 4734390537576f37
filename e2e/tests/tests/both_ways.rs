//! A text goes out over REST and arrives on another device; what that device answers arrives at the webhook.

use e2e::{Gateway, PATIENCE, Storage, Webhook, World};
use rstest::rstest;
use serde_json::{Value, json};

const OURS: &str = "628110000001";
const THEIRS: &str = "628110000002";

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn texts_arrive_as_they_were_written(#[case] storage: Storage) {
    let world = World::new(storage).await;
    let gateway = Gateway::start(&world).await;
    gateway.link("shop", OURS).await;
    let contact = world.contact(THEIRS).await;

    let long: String = "Selamat pagi, 你好, שלום, 🌅👩‍👩‍👧 ".chars().cycle().take(34_500).collect();
    assert!(long.len() > 60_000, "it is {} bytes long", long.len());
    for text in ["halo", "  two\nlines\t\"quoted\" \\ \u{0} end ", "🇮🇩 👩🏽‍🚀 e\u{301}", &long]
    {
        let answer =
            gateway.post("/message/send-text", json!({"session": "shop", "to": THEIRS, "text": text})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let id = sent_as_the_contract_says(&answer.json);
        let received = contact.next_message(PATIENCE).await.unwrap();
        assert_eq!(received.text.as_deref(), Some(text));
        assert_eq!(received.id, id);
        assert!(world.whatsapp.ledger().has(OURS, &id));
    }

    contact.send_text(OURS, "terima kasih 🙏").await.unwrap();
    contact.send_text(OURS, "that is all").await.unwrap();
    world.webhooks.text("that is all", PATIENCE).await;
    let messages = world.webhooks.messages();
    let texts: Vec<_> = messages.iter().map(|webhook| webhook.text("message")).collect();
    assert_eq!(texts, ["terima kasih 🙏", "that is all"], "one webhook each, and none for what was sent");
    received_as_the_contract_says(&messages[0], messages[1].body["sequence"].as_i64().unwrap());
    session_webhooks_came(&world);
}

/// The answer of the Node gateway; returns the message's id.
fn sent_as_the_contract_says(answer: &Value) -> String {
    assert_eq!(keys(answer), ["data"]);
    let data = &answer["data"];
    assert_eq!(
        keys(data),
        ["id", "key", "message", "messageTimestamp", "status"],
        "the contract's, and our `id`"
    );
    let id = data["key"]["id"].as_str().unwrap();
    assert_eq!(
        data["key"],
        json!({"remoteJid": format!("{THEIRS}@s.whatsapp.net"), "fromMe": true, "id": id})
    );
    assert!(data["message"].is_object(), "{data}");
    assert!(data["messageTimestamp"].as_str().unwrap().parse::<i64>().unwrap() > 1_700_000_000, "{data}");
    assert_eq!(data["status"], "PENDING");
    id.to_owned()
}

fn received_as_the_contract_says(webhook: &Webhook, next_sequence: i64) {
    let body = &webhook.body;
    let expected = [
        "event",
        "file",
        "from",
        "lid",
        "media",
        "media_url",
        "message",
        "messageId",
        "participant",
        "phone",
        "replayed",
        "sequence",
        "session",
        "timestamp",
        "type",
    ];
    assert_eq!(keys(body), expected);
    let from = format!("{THEIRS}@s.whatsapp.net");
    assert_eq!(webhook.text("session"), "shop");
    assert_eq!(webhook.text("from"), from);
    assert_eq!(
        body["media"],
        json!({"image": null, "video": null, "document": null, "audio": null, "sticker": null})
    );
    assert!(!webhook.text("messageId").is_empty());
    assert!(body["timestamp"].as_i64().unwrap() > 1_700_000_000, "{body}");
    assert_eq!((webhook.text("event"), webhook.text("type")), ("message", "text"));
    assert_eq!(body["sequence"].as_i64().unwrap() + 1, next_sequence);
    assert_eq!(webhook.text("phone"), from);
    assert!(webhook.text("lid").ends_with("@lid"), "{body}");
    assert_eq!(keys(&body["participant"]), ["lid", "phone", "pushName"]);
    assert_eq!(body["participant"]["phone"], json!(from));
    assert_eq!(body["replayed"], json!(false));
    assert_eq!(webhook.headers["content-type"], "application/json");
    assert!(webhook.id.starts_with("evt_"), "{}", webhook.id);
    assert!(webhook.headers.contains_key("webhook-timestamp"));
}

fn session_webhooks_came(world: &World) {
    let sessions = world.webhooks.sessions();
    let words: Vec<_> = sessions.iter().map(|webhook| webhook.text("status")).collect();
    let connected = words.iter().position(|word| *word == "connected");
    let connecting = words.iter().position(|word| *word == "connecting");
    assert!(connecting.is_some() && connecting < connected, "{words:?}");
    for webhook in sessions {
        let expected = [
            "event",
            "needs_person",
            "needs_qr",
            "number",
            "reason",
            "sequence",
            "session",
            "since",
            "state",
            "status",
            "timestamp",
        ];
        assert_eq!(keys(&webhook.body), expected);
        assert_eq!(webhook.text("session"), "shop");
    }
}
