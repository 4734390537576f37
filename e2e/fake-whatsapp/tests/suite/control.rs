use super::{ANNA, BUDI, SOON, assert_all_handled, link, server};
use contact::Notice;
use serde_json::{Value, json};

struct Control {
    client: reqwest::Client,
    url: String,
}

impl Control {
    #[expect(clippy::disallowed_methods, reason = "the control API of the test server")]
    fn new(server: &fake_whatsapp::FakeWhatsApp) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("client");
        Self { client, url: server.control_url() }
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.client.get(format!("{}{path}", self.url)).send().await.expect("answer");
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.json().await.expect("json")
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let response =
            self.client.post(format!("{}{path}", self.url)).json(&body).send().await.expect("answer");
        let status = response.status().as_u16();
        (status, response.json().await.expect("json"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_done_from_outside() {
    let server = server().await;
    let anna = link(&server, ANNA).await;
    let control = Control::new(&server);
    assert!(control.get("/").await["routes"]["POST /scan"].is_string());
    assert_eq!(control.post("/accounts", json!({"phone": BUDI})).await.0, 200);
    let (status, said) =
        control.post(&format!("/accounts/{BUDI}/say"), json!({"to": ANNA, "text": "halo"})).await;
    assert_eq!(status, 200);
    let received = anna.next_message(SOON).await.expect("received");
    assert_eq!(Some(received.id.as_str()), said["id"].as_str());
    anna.send_text(BUDI, "balas").await.expect("sent");
    control.get(&format!("/accounts/{BUDI}/wait?text=balas&within_ms=20000")).await;
    assert_eq!(control.get(&format!("/accounts/{BUDI}/inbox")).await[0]["text"], "balas");
    assert_eq!(control.get("/ledger").await["accepted"][0]["from"], ANNA);
    assert!(!control.get(&format!("/accounts/{ANNA}/journal")).await.as_array().expect("list").is_empty());
    let (status, _) = control.post("/accounts/123/say", json!({"to": ANNA, "text": "x"})).await;
    assert_eq!(status, 404);
    let kick = json!({"kind": "replaced"});
    assert_eq!(control.post(&format!("/accounts/{ANNA}/kick"), kick).await.1["kicked"], 1);
    anna.wait_notice(Notice::Replaced, SOON).await.expect("replaced");
    let failure = json!({"failure": {"temporary-ban": {"code": 101, "expire": 60}}, "always": true});
    assert_eq!(control.post(&format!("/accounts/{ANNA}/fail-login"), failure).await.0, 200);
    assert_eq!(control.post("/media/fault", json!({"fault": {"status": 404}})).await.0, 200);
    assert_eq!(control.post("/delay", json!({"millis": 0})).await.0, 200);
    let group = control.post("/groups", json!({"creator": BUDI, "subject": "g", "members": [ANNA]})).await.1;
    assert!(group["jid"].as_str().expect("jid").ends_with("@g.us"));
    assert_all_handled(&server);
}
