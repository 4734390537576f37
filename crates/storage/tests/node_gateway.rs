//! Files in the shape that the Node gateway leaves, and what is taken over from them.

use std::path::{Path, PathBuf};

use domain::{Timestamp, UserId};
use scratch::Dir;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use storage::{NodeGatewayError, NodeUser, read_node_gateway};

use crate::stand::on_both;

const HASH: &str = "$2b$10$abcdefghijklmnopqrstuuS8YkFpKs5bM4b3e6Zg8sTQ1dG1sPzPS";

const SCHEMA: &str = "CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT UNIQUE NOT NULL, password TEXT NOT NULL,
    is_admin INTEGER DEFAULT 0, session_name TEXT, callback_url TEXT, webhook_auth_type TEXT DEFAULT 'none',
    webhook_auth_username TEXT, webhook_auth_password TEXT, webhook_auth_bearer_token TEXT, oauth2_client_id TEXT,
    oauth2_client_secret TEXT, oauth2_token_url TEXT, oauth2_scope TEXT, oauth2_access_token TEXT,
    oauth2_refresh_token TEXT, oauth2_token_expiry INTEGER, created_at DATETIME DEFAULT CURRENT_TIMESTAMP)";

async fn node_database(folder: &Dir, statements: &[&str]) -> PathBuf {
    let path = folder.join("wa_gateway.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe((*statement).to_owned())).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    path
}

async fn refused(path: &Path) -> String {
    match read_node_gateway(path).await {
        Ok(users) => panic!("{users:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn every_column_is_read() {
    let folder = Dir::new();
    let path = node_database(
        &folder,
        &[
            SCHEMA,
            "INSERT INTO users (username, password, is_admin) VALUES ('admin', 'x', 1)",
            "INSERT INTO users VALUES (7, 'anna', 'the hash', 0, 'shop', 'https://hooks.example/a', 'oauth2', 'u',
               'p', 'b', 'ci', 'cs', 'https://t.example', 's', 'at', 'rt', 1795376171500.0, '2024-05-06 07:08:09')",
            "INSERT INTO users (username, password, callback_url) VALUES ('bob', 'other', '')",
        ],
    )
    .await;
    let before = std::fs::read(&path).unwrap();
    let users = read_node_gateway(&path).await.unwrap();
    let names: Vec<_> = users.iter().map(|user| (&*user.username, user.is_admin)).collect();
    assert_eq!(names, [("admin", true), ("anna", false), ("bob", false)]);
    let anna = &users[1];
    assert_eq!((anna.id, anna.password_hash.as_str()), (Some(7), "the hash"));
    assert_eq!(anna.session_name.as_deref(), Some("shop"));
    assert_eq!(anna.callback_url.as_deref(), Some("https://hooks.example/a"));
    assert_eq!(anna.created_at, Timestamp::from_sql("2024-05-06 07:08:09"));
    let auth = &anna.webhook_auth;
    let open = [&auth.kind, &auth.username, &auth.client_id, &auth.token_url, &auth.scope];
    let open: Vec<_> = open.iter().map(|text| text.as_deref().unwrap()).collect();
    assert_eq!(open, ["oauth2", "u", "ci", "https://t.example", "s"]);
    let secret =
        [&auth.password, &auth.bearer_token, &auth.client_secret, &auth.access_token, &auth.refresh_token];
    let secret: Vec<_> = secret.iter().map(|text| text.as_ref().unwrap().expose_secret()).collect();
    assert_eq!(secret, ["p", "b", "cs", "at", "rt"]);
    assert_eq!(auth.token_expiry, Some(1_795_376_171_500));
    let shown = format!("{anna:?} {auth:?}");
    assert!(!shown.contains("the hash") && !shown.contains("\"cs\"") && !shown.contains("\"p\""), "{shown}");
    assert_eq!(users[2].callback_url, None, "an empty text is none");
    assert_eq!(std::fs::read(&path).unwrap(), before, "the file stays as it is");
}

#[tokio::test]
async fn columns_may_be_missing_but_for_two() {
    let folder = Dir::new();
    let path = node_database(
        &folder,
        &[
            "CREATE TABLE users (username TEXT, password TEXT, something_new TEXT)",
            "INSERT INTO users VALUES ('anna', 'hash', 'x')",
        ],
    )
    .await;
    let users = read_node_gateway(&path).await.unwrap();
    assert_eq!((users[0].username.as_str(), users[0].id, users[0].is_admin), ("anna", None, false));
    assert!(users[0].created_at.is_none() && users[0].webhook_auth.kind.is_none());
}

#[tokio::test]
async fn other_files_are_refused_in_words() {
    let folder = Dir::new();
    let said = refused(&folder.join("nowhere.db")).await;
    assert!(said.starts_with("there is no file") && said.ends_with("nowhere.db"), "{said}");
    assert!(matches!(read_node_gateway(folder.path()).await, Err(NodeGatewayError::Missing(_))), "a folder");

    let foreign = node_database(&folder, &["CREATE TABLE recipes (name TEXT)"]).await;
    let said = refused(&foreign).await;
    assert!(
        said.ends_with(
            "is not a database of the Node gateway: it has no table `users` with a column `username`"
        ),
        "{said}"
    );

    let other = Dir::new();
    let half = node_database(&other, &["CREATE TABLE users (username TEXT, mail TEXT)"]).await;
    let said = refused(&half).await;
    assert!(said.ends_with("it has no table `users` with a column `password`"), "{said}");

    let text = folder.join("text.db");
    std::fs::write(&text, "not a database at all, but long enough to look at it twice".repeat(20)).unwrap();
    let said = refused(&text).await;
    assert!(said.contains("is not a database of the Node gateway"), "{said}");
    let empty = folder.join("empty.db");
    std::fs::write(&empty, "").unwrap();
    assert!(refused(&empty).await.contains("it has no table `users`"));
}

fn user(id: Option<i64>, username: &str) -> NodeUser {
    NodeUser {
        id,
        username: username.into(),
        password_hash: HASH.into(),
        is_admin: false,
        session_name: Some("shop".into()),
        callback_url: Some("https://hooks.example/a".into()),
        created_at: Timestamp::from_sql("2024-05-06 07:08:09"),
        webhook_auth: storage::NodeWebhookAuth::default(),
    }
}

on_both! {
    async fn a_user_is_taken_as_they_are_and_once(stand) {
        let database = &stand.database;
        stand.admin().await;
        let bob = stand.user("bob").await;
        assert_eq!(database.import_user(&user(Some(7), "anna")).await.unwrap(), Some(UserId(7)));
        let stored = database.user_by_name("anna").await.unwrap().unwrap();
        assert_eq!((stored.password_hash.as_str(), stored.user.is_admin), (HASH, false));
        let account = database.account(UserId(7)).await.unwrap().unwrap();
        assert_eq!((account.session_name.as_str(), account.callback_url.as_deref()),
            ("shop", Some("https://hooks.example/a")));
        assert_eq!(account.user.created_at.to_sql(), "2024-05-06 07:08:09");

        // Once more, and under a name that is taken: nothing changes.
        database.set_password(UserId(7), "since then").await.unwrap();
        assert_eq!(database.import_user(&user(Some(7), "anna")).await.unwrap(), None);
        assert_eq!(database.import_user(&user(Some(9), "bob")).await.unwrap(), None);
        assert_eq!(database.import_user(&user(Some(9), "admin")).await.unwrap(), None);
        assert_eq!(database.user_by_name("anna").await.unwrap().unwrap().password_hash, "since then");
        assert_eq!(database.account(bob).await.unwrap().unwrap().callback_url, None);

        // A number that somebody has, or that is the admin's, is not taken from them.
        for (id, name) in [(Some(bob.0), "carla"), (Some(1), "dora"), (Some(-4), "emil"), (None, "fritz")] {
            let imported = database.import_user(&user(id, name)).await.unwrap().unwrap();
            assert!(imported > UserId(7), "{name} is {imported}");
        }
        assert!(stand.user("gerd").await > UserId(7), "numbers go on");
    }

    async fn webhook_settings_and_tokens_come_along(stand) {
        let secret = |text: &str| Some(SecretString::from(text));
        let auth = storage::NodeWebhookAuth {
            kind: Some("oauth2".into()),
            client_id: Some("ci".into()),
            client_secret: secret("cs"),
            token_url: Some("https://t.example".into()),
            access_token: secret("at"),
            refresh_token: secret("rt"),
            token_expiry: Some(1_795_376_171_500),
            ..storage::NodeWebhookAuth::default()
        };
        let anna = NodeUser { webhook_auth: auth.clone(), ..user(None, "anna") };
        let anna = stand.database.import_user(&anna).await.unwrap().unwrap();
        let stored = stand.database.webhook_auth(anna).await.unwrap();
        assert_eq!(stored.settings.oauth2().unwrap().secret.expose_secret(), "cs");
        let tokens = stored.tokens.as_ref().unwrap();
        assert_eq!((tokens.access.expose_secret(), tokens.expires_at), ("at", Timestamp(1_795_376_171_500)));
        assert_eq!(tokens.renew_at, Timestamp(1_795_376_111_500));
        assert_eq!(stand.database.account(anna).await.unwrap().unwrap().webhook_auth_type, "oauth2");

        // Without what its type needs it is nothing; what it says must be said elsewhere.
        let incomplete = storage::NodeWebhookAuth { client_secret: None, ..auth };
        assert!(incomplete.settings().is_err());
        let bob = NodeUser { webhook_auth: incomplete, ..user(None, "bob") };
        let bob = stand.database.import_user(&bob).await.unwrap().unwrap();
        assert!(!stand.database.webhook_auth(bob).await.unwrap().settings.has_credentials());
    }
}
