//! Who gets in, and who does not.

use std::{num::NonZeroU32, time::Duration};

use bus::{messages::Hint, subjects};
use domain::UserId;
use storage::NewUser;
use tokio::time::{sleep, timeout};

use super::{LoginLimits, Peer};
use crate::{state::Settings, testing::Rig};

const REALM: &str = r#"Basic realm="WA Gateway""#;

#[tokio::test]
async fn without_credentials_or_with_wrong_ones_nobody_gets_in() {
    let rig = Rig::new().await;
    for path in ["/session", "/status", "/message/x", "/session/start?session=x", "/session/logout"] {
        let answer = rig.get(path).anonymous().send().await;
        answer.is(401, r#"{"message":"Unauthorized","code":"unauthorized"}"#);
        assert_eq!(answer.header("www-authenticate"), REALM);
    }
    for header in
        ["Bearer x", "Basic", "Basic ***", "Basic YWRtaW4=", "admin:admin", "Digest YWRtaW46YWRtaW4="]
    {
        let answer = rig.get("/session").header("authorization", header).send().await;
        answer.fails(401, "unauthorized", "Unauthorized");
    }
    let long = "x".repeat(100);
    for (name, password) in [
        ("admin", "Admin"),
        ("admin", ""),
        ("", ""),
        ("nobody", "admin"),
        ("Admin", "admin"),
        ("admin", &long),
    ] {
        let answer = rig.get("/session").basic(name, password).send().await;
        answer.is(401, r#"{"message":"Invalid credentials","code":"invalid_credentials"}"#);
        assert_eq!(answer.header("www-authenticate"), REALM);
    }
}

#[tokio::test]
async fn credentials_come_before_everything_else() {
    let rig = Rig::new().await;
    let answer = rig.request("POST", "/message/send-text").anonymous();
    let answer = answer.header("content-type", "application/json").body("{").send().await;
    answer.fails(401, "unauthorized", "Unauthorized");
}

#[tokio::test]
async fn a_password_may_have_colons() {
    let rig = Rig::new().await;
    let password_hash = rig.passwords.hash(&"a:b:".into()).await.unwrap();
    let user = NewUser { username: "ünal".into(), password_hash };
    rig.database.create_user(&user).await.unwrap();
    rig.get("/session").basic("ünal", "a:b:").send().await.is(200, r#"{"data":[]}"#);
    assert_eq!(rig.get("/session").basic("ünal", "a:b").send().await.status, 401);
}

#[tokio::test]
async fn a_changed_password_is_noticed_at_the_hint() {
    let rig = Rig::new().await;
    let listening = rig.state.clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { listening.listen().await });
    assert_eq!(rig.get("/session").send().await.status, 200);
    let hash = rig.passwords.hash(&"new".into()).await.unwrap();
    rig.database.put_admin("admin", &hash).await.unwrap();
    let noticed = async {
        while rig.get("/session").send().await.status != 401 {
            let user = UserId::ADMIN;
            rig.bus.publish(&subjects::user_changed(user), &Hint::UserChanged { user });
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(2), noticed).await.expect("the old password still works");
    assert_eq!(rig.get("/session").basic("admin", "new").send().await.status, 200);
}

#[tokio::test]
async fn a_changed_password_is_noticed_without_a_hint_too() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/session").send().await.status, 200);
    let hash = rig.passwords.hash(&"new".into()).await.unwrap();
    rig.database.put_admin("admin", &hash).await.unwrap();
    let noticed = async {
        while rig.get("/session").send().await.status != 401 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(7), noticed).await.expect("the old password still works");
}

#[tokio::test]
async fn guessing_ends_with_a_pause_and_what_is_remembered_still_works() {
    let most = |most| NonZeroU32::new(most).unwrap();
    let login_limits =
        LoginLimits { per_address: most(100), per_name: most(3), window: Duration::from_mins(5) };
    let rig = Rig::with(Settings { login_limits, ..Settings::default() }).await;
    let (home, away) = (Peer("10.0.0.1".parse().unwrap()), Peer("10.0.0.2".parse().unwrap()));
    assert_eq!(rig.get("/session").extension(home).send().await.status, 200);
    let guess = |n: usize| rig.get("/session").extension(away).basic("admin", &format!("guess {n}")).send();
    for n in 0..3 {
        assert_eq!(guess(n).await.status, 401);
    }
    let answer = guess(3).await;
    answer.fails(429, "too_many_failures", "Too many failed logins, try again later");
    let pause: u64 = answer.header("retry-after").parse().unwrap();
    assert!((90..=100).contains(&pause), "{pause}");
    assert_eq!(rig.get("/session").extension(home).send().await.status, 200);
    let anna = rig.user("anna").await;
    assert_eq!(rig.get("/session").extension(away).by(&anna).send().await.status, 200, "another name");
}

#[tokio::test]
async fn a_burst_with_one_password_costs_one_check() {
    let rig = Rig::new().await;
    let wrong = (0..50).map(|_| rig.get("/session").basic("admin", "wrong").send());
    let answers = futures::future::join_all(wrong).await;
    assert!(answers.iter().all(|answer| answer.status == 401), "one guess, not fifty");
    let right = (0..50).map(|_| rig.get("/session").send());
    assert!(futures::future::join_all(right).await.iter().all(|answer| answer.status == 200));
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_client_is_the_one_that_must_wait() {
    let most = |most| NonZeroU32::new(most).unwrap();
    let login_limits =
        LoginLimits { per_address: most(3), per_name: most(100), window: Duration::from_mins(5) };
    let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let rig = Rig::with(Settings { trusted_proxies, login_limits, ..Settings::default() }).await;
    let ingress = Peer("10.0.0.1".parse().unwrap());
    let from = |client: &str, password: &str| {
        let call = rig.get("/session").extension(ingress).header("x-forwarded-for", client);
        call.basic("admin", password).send()
    };
    for n in 0..3 {
        // A forged first entry buys nothing.
        assert_eq!(from(&format!("192.0.2.{n}, 198.51.100.7"), &format!("guess {n}")).await.status, 401);
    }
    assert_eq!(from("198.51.100.7", "guess").await.status, 429);
    assert_eq!(from("198.51.100.7", "admin").await.status, 429, "also with the right one");
    assert_eq!(from("198.51.100.8", "admin").await.status, 200, "others behind the same proxy do not wait");
}

#[tokio::test]
async fn what_is_for_admins_is_refused_to_others() {
    let rig = Rig::new().await;
    let anna = rig.user("anna").await;
    for (method, path) in [
        ("GET", "/admin"),
        ("GET", "/admin/users"),
        ("POST", "/admin/users"),
        ("PUT", "/admin/users/1/password"),
        ("DELETE", "/admin/users/1"),
        ("PUT", "/admin/users/x/session-config"),
    ] {
        let answer = rig.request(method, path).by(&anna).send().await;
        answer.is(403, r#"{"message":"Admin access required","code":"admin_required"}"#);
        rig.request(method, path).anonymous().send().await.fails(401, "unauthorized", "Unauthorized");
    }
}
