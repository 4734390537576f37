//! Users come, are kept apart, go completely, and move here from the Node gateway.

use e2e::{Gateway, PATIENCE, Rest, Storage, World, database_of, eventually};
use http::Method;
use rstest::rstest;
use serde_json::{Value, json};

async fn create(gateway: &Gateway, name: &str) -> (Rest, i64) {
    let body = json!({"username": name, "password": "a:secret"});
    let answer = gateway.post("/admin/users", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    (gateway.login(name, "a:secret"), answer.json["data"]["id"].as_i64().unwrap())
}

async fn link(world: &World, user: &Rest, session: &str, phone: &str) {
    let answer = user.post("/session/start", json!({"session": session})).await;
    let qr = answer.json["qr"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned();
    world.whatsapp.scan(Some(phone), &qr).await.unwrap();
    eventually("a session that is connected", PATIENCE, async || {
        let status = user.get(&format!("/status/{session}")).await;
        (status.json["connected"] == true).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_has_sessions_and_webhooks_of_their_own() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::start(&world).await;
    let ((anna, _), (bob, _)) = (create(&gateway, "anna").await, create(&gateway, "bob").await);
    link(&world, &anna, "shop", "628110000001").await;
    link(&world, &bob, "shop", "628110000002").await;
    assert_eq!(anna.get("/session").await.json, json!({"data": ["anna_shop"]}));
    assert_eq!(bob.get("/session").await.json, json!({"data": ["bob_shop"]}));
    assert_eq!(gateway.get("/session").await.json, json!({"data": ["anna_shop", "bob_shop"]}));

    let callback = json!({"callback_url": format!("{}/anna", world.webhooks.url())});
    let answer = anna.call(Method::PUT, "/dashboard/callback").json(&callback).answered().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let phone = world.whatsapp.create_account("628220000000").await;
    phone.say("628110000001", "to anna").unwrap();
    phone.say("628110000002", "to bob").unwrap();
    let arrived = async |text: &str| {
        let found = || world.webhooks.all().into_iter().find(|webhook| webhook.text("message") == text);
        eventually("a message at its user's webhook", PATIENCE, async || found()).await
    };
    let (hers, his) = (arrived("to anna").await, arrived("to bob").await);
    assert_eq!(
        (hers.body["session"].as_str(), his.body["session"].as_str()),
        (Some("anna_shop"), Some("bob_shop"))
    );
    assert!(hers.path.ends_with("/anna") && his.path.ends_with("/message"), "{} {}", hers.path, his.path);
}

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_goes_on_after_the_process_died_in_the_middle(#[case] storage: Storage) {
    let world = World::new(storage).await;
    let mut gateway = Gateway::start(&world).await;
    let (anna, id) = create(&gateway, "anna").await;
    link(&world, &anna, "shop", "628110000001").await;
    gateway.link("main", "628110000002").await;
    let rest = gateway.rest();
    let path = format!("/admin/users/{id}");
    tokio::join!(async { drop(rest.call(Method::DELETE, &path).send().await) }, async {
        // She is nobody from the first moment on; what she had may still be there.
        eventually("a login that is refused", PATIENCE, async || {
            let answer = anna.call(Method::GET, "/session").send().await;
            answer.is_ok_and(|answer| answer.status == 401).then_some(())
        })
        .await;
        gateway.kill();
    });
    gateway.up().await;
    assert_eq!(anna.get("/session").await.status, 401);
    eventually("the rest of the removal", PATIENCE, async || {
        let sessions = gateway.get("/session").await.json;
        let users = gateway.get("/admin/users").await.json;
        let gone = sessions == json!({"data": ["main"]})
            && users["data"].as_array().is_some_and(|all| all.len() == 1);
        gone.then_some(())
    })
    .await;
    // The name is free once everything is gone, and nothing of the first one comes back.
    let again = eventually("a user of the same name", PATIENCE, async || {
        let body = json!({"username": "anna", "password": "another"});
        let answer = gateway.post("/admin/users", body).await;
        (answer.status == 200).then(|| answer.json["data"]["id"].as_i64().unwrap())
    })
    .await;
    assert!(again > id);
    assert_eq!(gateway.login("anna", "another").get("/session").await.json, json!({"data": []}));
    gateway.connected("main").await;
}

/// What the Node gateway left: bcrypt of "rasmuslerdorf", made by another program.
const NODE: &[&str] = &[
    "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT UNIQUE, password TEXT, is_admin INTEGER,
       session_name TEXT, callback_url TEXT, webhook_auth_type TEXT, created_at DATETIME DEFAULT CURRENT_TIMESTAMP)",
    "INSERT INTO users VALUES (1, 'admin', 'x', 1, 'admin', NULL, 'none', '2024-01-02 03:04:05')",
    "INSERT INTO users VALUES (5, 'anna', '$2y$05$BCryptRequires22Chrctem7qd90g0Jth8jtpbiyapshSPlcRigCO', 0, 'shop',
       'https://hooks.example/a', 'none', '2024-01-02 03:04:05')",
    "INSERT INTO users VALUES (6, 'broken', 'plain text', 0, 'x', NULL, 'none', '2024-01-02 03:04:05')",
];

#[rstest]
#[case::sqlite(Storage::Sqlite)]
#[case::postgres(Storage::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn users_of_the_node_gateway_log_in_as_before(#[case] storage: Storage) {
    let world = World::new(storage).await;
    let mut gateway = Gateway::prepare(&world);
    let file = gateway.file("wa_gateway.db");
    let path = file.display().to_string();
    let missing = gateway.run(&["import", "--from", &path]).await;
    assert_eq!(missing.code, Some(1), "{}", missing.said);
    assert!(missing.said.contains("there is no file"), "{}", missing.said);
    database_of(&file, NODE).await;

    let dry = gateway.run(&["import", "--from", &path, "--dry-run"]).await;
    assert_eq!(dry.code, Some(0), "{}", dry.said);
    assert!(
        dry.said.contains("1 taken over, 0 there already, 1 refused (dry run: no user was written)."),
        "{}",
        dry.said
    );
    if storage == Storage::Sqlite {
        assert!(!gateway.database_file().exists(), "a dry run makes no database");
    }
    for expected in ["1 taken over, 0 there already, 1 refused.", "0 taken over, 1 there already, 1 refused."]
    {
        let run = gateway.run(&["import", "--from", &path]).await;
        assert_eq!(run.code, Some(0), "{}", run.said);
        assert!(run.said.contains(expected), "{}", run.said);
    }

    gateway.up().await;
    let anna = gateway.login("anna", "rasmuslerdorf");
    let info: Value = anna.get("/dashboard/session-info").await.json;
    assert_eq!(
        (&info["data"]["session_name"], &info["data"]["callback_url"]),
        (&json!("shop"), &json!("https://hooks.example/a")),
        "{info}"
    );
    let users = gateway.get("/admin/users").await.json;
    let ids: Vec<_> =
        users["data"].as_array().unwrap().iter().map(|user| user["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [1, 5]);
    assert_eq!(users["data"][1]["created_at"], "2024-01-02 03:04:05");
    if storage == Storage::Sqlite {
        let busy = gateway.run(&["import", "--from", &path]).await;
        assert_eq!(busy.code, Some(1));
        assert!(busy.said.contains("is in use by another process"), "{}", busy.said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_program_is_not_imported() {
    let world = World::new(Storage::Sqlite).await;
    let gateway = Gateway::prepare(&world);
    let file = gateway.file("wa_gateway.db");
    e2e::foreign_database(&file).await;
    let run = gateway.run(&["import", "--from", &file.display().to_string()]).await;
    assert_eq!(run.code, Some(1), "{}", run.said);
    assert!(run.said.contains("is not a database of the Node gateway"), "{}", run.said);
    assert!(!gateway.database_file().exists(), "nothing was begun");
}
