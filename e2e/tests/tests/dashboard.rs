//! The dashboard in a browser: each test runs a program of `e2e/dashboard` on processes of its own.

use std::{path::Path, time::Duration};

use e2e::{
    Gateway, Storage, World,
    cluster::{Member, Role, Shared},
    database_of, node_in,
};
use rstest::rstest;
use scratch::{nats_url, postgres_url};

/// How long one of the programs may take: a browser on a busy machine.
const DEADLINE: Duration = Duration::from_mins(12);

const MANY_SESSIONS: &str = "
    WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 999)
    INSERT INTO sessions (id, user_id, name, wanted, state, since, created_at)
    SELECT randomblob(16), 1, printf('number-%04d', n), FALSE, 'stopped', 1795376171500, 1795376171500 FROM number";

/// Runs a program to its end.
async fn run(program: &str, world: &World, gateway: &str, settings: &[(&str, &str)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboard");
    let mut node = node_in(&folder);
    node.args(["--test", "--test-force-exit", "--test-timeout=690000", program]).kill_on_drop(true);
    node.env("GATEWAY", gateway).env("PHONES", world.whatsapp.control_url());
    node.envs(settings.iter().copied());
    let ended = tokio::time::timeout(DEADLINE, node.output()).await;
    let output = ended.unwrap_or_else(|_| panic!("{program} took longer than {DEADLINE:?}")).unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{program}: {}\n{}", output.status, said.concat());
}

async fn start(world: &World) -> (Gateway, String) {
    let gateway = Gateway::start(world).await;
    let page = gateway.get("/app").await;
    assert!(page.text.contains("id=\"root\""), "this gateway was built without its dashboard: {}", page.text);
    let url = format!("http://{}", gateway.address());
    (gateway, url)
}

#[rstest]
#[case::on_a_desktop("desktop")]
#[case::on_a_phone("phone")]
#[tokio::test(flavor = "multi_thread")]
async fn people_do_what_they_do_all_day(#[case] screen: &str) {
    let world = World::new(Storage::Sqlite).await;
    let (_gateway, url) = start(&world).await;
    run("people.test.js", &world, &url, &[("SCREEN", screen)]).await;
}

#[rstest]
#[case::messages_on_a_desktop("messages.test.js", "desktop")]
#[case::linking_on_a_phone("linking.test.js", "phone")]
#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_linked_and_send_everything(#[case] program: &str, #[case] screen: &str) {
    let world = World::new(Storage::Sqlite).await;
    let (_gateway, url) = start(&world).await;
    run(program, &world, &url, &[("SCREEN", screen)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_said() {
    let world = World::new(Storage::Sqlite).await;
    let (gateway, url) = start(&world).await;
    database_of(&gateway.database_file(), &[MANY_SESSIONS]).await;
    let pid = gateway.pid().expect("it runs").to_string();
    run("trouble.test.js", &world, &url, &[("GATEWAY_PID", &pid)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_open_to_everybody_small_and_still() {
    let world = World::new(Storage::Sqlite).await;
    let (_gateway, url) = start(&world).await;
    run("looks.test.js", &world, &url, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_is_drained() {
    let world = World::new(Storage::Postgres).await;
    let shared = Shared {
        database: postgres_url().unwrap(),
        nats: nats_url().unwrap(),
        whatsapp: world.whatsapp.chat_url(),
        webhooks: world.webhooks.url(),
        settings: vec![("NATS_PREFIX".to_owned(), "dashboard".to_owned())],
    };
    let members = [
        (Role::Api, "api-1"),
        (Role::SessionRunner, "runner-1"),
        (Role::SessionRunner, "runner-2"),
        (Role::WebhookDispatcher, "dispatcher-1"),
    ];
    let mut running = Vec::new();
    for (role, name) in members {
        let mut member = Member::prepare(&shared, role, name).await;
        member.up().await;
        running.push(member);
    }
    let url = running[0].url("");
    run("runners.test.js", &world, &url, &[]).await;
}
