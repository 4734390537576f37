//! What is to be true of the image and of what Compose starts.

use std::{
    fs,
    time::{Duration, Instant},
};

use e2e::{Rest, eventually};
use http::Method;
use scratch::free_port;
use serde_json::{Value, json};

use crate::{
    engine::said,
    say,
    stack::{PASSWORD, Stack, mebibytes, run},
};

/// Containers start slowly on a machine that does other work.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// The image that ships is not to grow beyond this.
const LARGEST: u64 = 60 << 20;

/// Everything that runs one of our images.
const SERVICES: [&str; 7] = [
    "api",
    "session-runner",
    "webhook-dispatcher",
    "demo-api",
    "demo-session-runner-1",
    "demo-session-runner-2",
    "demo-webhook-dispatcher",
];

pub const BUDI: &str = "628110000002";
const ANNA: &str = "628110000001";
const CITRA: &str = "628110000003";

/// Without `.env` Compose says what to do, and there is no secret to fall back on.
#[expect(clippy::expect_used, reason = "no check can go on without it")]
pub fn first_start_explains_itself(stack: &Stack<'_>) {
    for missing in ["POSTGRES_PASSWORD", "NATS_TOKEN", "SECRET_KEYS", "ADMIN_PASSWORD"] {
        let settings = tempfile::NamedTempFile::new().expect("a file for settings");
        let all = ["POSTGRES_PASSWORD", "NATS_TOKEN", "SECRET_KEYS", "ADMIN_PASSWORD"];
        let others = all.into_iter().filter(|name| *name != missing).map(|name| format!("{name}=x\n"));
        fs::write(settings.path(), others.collect::<String>()).expect("settings");
        let mut command = stack.engine.compose();
        command.arg("--env-file").arg(settings.path()).args(["config", "--quiet"]);
        let output = command.output().expect("Compose runs");
        let words = said(&output);
        assert!(!output.status.success(), "it starts without {missing}");
        assert!(words.contains("copy .env.example to .env"), "without {missing} it says: {words}");
    }
}

/// What a container says about settings that cannot be, and what is in the image.
#[expect(clippy::expect_used, reason = "no check can go on without it")]
pub fn image(stack: &Stack<'_>, ships: bool) {
    let started = |settings: &[&str]| {
        let mut command = stack.engine.docker();
        command.args(["run", "--rm", "--read-only"]);
        for setting in settings {
            command.args(["--env", setting]);
        }
        let output = command.arg(stack.image).output().expect("a container");
        (output.status.code(), said(&output))
    };
    let (code, words) = started(&[]);
    assert!(code == Some(2) && words.contains("ADMIN_PASSWORD"), "without a password: {code:?} {words}");
    if !ships {
        return;
    }
    let (code, words) = started(&["ADMIN_PASSWORD=x", "WHATSAPP_URL=ws://127.0.0.1:1/ws/chat"]);
    assert!(code == Some(2) && words.contains("wss://"), "a WhatsApp that is none: {code:?} {words}");
    let size = stack.inspect(stack.image, "{{.Size}}").parse::<u64>().unwrap_or(u64::MAX);
    assert!(size <= LARGEST, "{:.1} MiB are more than {:.1}", mebibytes(size), mebibytes(LARGEST));
    let title = stack.inspect(stack.image, "{{index .Config.Labels \"org.opencontainers.image.title\"}}");
    assert_eq!(title, "wa-gateway");
}

/// Both gateways are there, with two runners each.
pub async fn whole(stack: &Stack<'_>) {
    for (what, rest) in [("the gateway", &stack.api), ("the demo", &stack.demo)] {
        let began = Instant::now();
        eventually(&format!("two runners of {what}"), PATIENCE, async || {
            (runners(rest).await.len() == 2).then_some(())
        })
        .await;
        say(format_args!("{what} is ready after {:.1} s", began.elapsed().as_secs_f64()));
    }
    eventually("both numbers of the demo", PATIENCE, async || connected(stack).await.then_some(())).await;
    for service in SERVICES {
        for container in stack.containers(service) {
            eventually(&format!("{service} healthy"), PATIENCE, async || {
                (stack.inspect(&container, "{{.State.Health.Status}}") == "healthy").then_some(())
            })
            .await;
        }
    }
}

/// The runners that a gateway has.
async fn runners(rest: &Rest) -> Vec<Value> {
    let call = rest.call(Method::GET, "/admin/runners");
    let answer = call.send().await.ok().filter(|answer| answer.status == 200);
    answer.and_then(|answer| answer.json["data"].as_array().cloned()).unwrap_or_default()
}

async fn connected(stack: &Stack<'_>) -> bool {
    let answer = stack.demo.call(Method::GET, "/status").send().await;
    let Ok(answer) = answer else { return false };
    let sessions = answer.json["sessions"].as_array().cloned().unwrap_or_default();
    sessions.len() == 2 && sessions.iter().all(|session| session["state"] == "connected")
}

/// A text from one number to the other shows up on the page, and so does one from a phone that is not on the gateway.
pub async fn both_ways(stack: &Stack<'_>) {
    talk(stack, "first").await;
    let page = stack.page.get("/").await;
    assert!(page.status == 200 && page.text.contains("Webhooks that arrived"), "{}", page.text);
}

async fn talk(stack: &Stack<'_>, words: &str) {
    let (out, answer) = (format!("{words}: hello budi"), format!("{words}: hello anna"));
    stack.demo.send("anna", BUDI, &out, &out).await;
    let path = format!("/accounts/{CITRA}/say");
    // The phone comes into being a moment after the two numbers.
    eventually("a phone that writes", PATIENCE, async || {
        let said = stack.control.post(&path, json!({"to": ANNA, "text": answer})).await;
        (said.status == 200).then_some(())
    })
    .await;
    eventually(&format!("both texts of {words:?} on the page"), PATIENCE, async || {
        let page = stack.page.get("/arrived").await;
        let arrived = page.json.as_array().cloned().unwrap_or_default();
        let got = |session: &str, text: &str| {
            arrived
                .iter()
                .any(|webhook| webhook["body"]["session"] == session && webhook["body"]["message"] == text)
        };
        (got("budi", &out) && got("anna", &answer)).then_some(())
    })
    .await;
}

/// As Docker was told, and as the kernel sees it.
#[expect(clippy::expect_used, reason = "no check can go on without it")]
pub fn hardened(stack: &Stack<'_>) {
    for service in SERVICES {
        let containers = stack.containers(service);
        assert!(!containers.is_empty(), "{service} runs");
        for container in containers {
            let of = |format| stack.inspect(&container, format);
            assert_eq!(of("{{.Config.User}}"), "65532:65532", "{service}");
            assert_eq!(of("{{.HostConfig.ReadonlyRootfs}}"), "true", "{service}");
            assert_eq!(of("{{.HostConfig.CapDrop}}"), "[ALL]", "{service}");
            let pid = of("{{.State.Pid}}");
            let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its process");
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().split_whitespace().next().unwrap_or_default().to_owned()
            };
            assert_eq!(field("Uid:"), "65532", "{service}");
            assert_eq!(field("CapEff:"), "0000000000000000", "{service}");
            assert_eq!(field("NoNewPrivs:"), "1", "{service}");
            let mounts = fs::read_to_string(format!("/proc/{pid}/mounts")).expect("its mounts");
            let root = mounts.lines().find(|line| line.split(' ').nth(1) == Some("/")).unwrap_or_default();
            let options = root.split(' ').nth(3).unwrap_or_default();
            assert!(options.split(',').any(|option| option == "ro"), "{service}: {root}");
        }
    }
    say("no container runs as root, has a capability, or writes to its root file system");
}

/// `docker compose kill` of a runner: its sessions are connected by the other one, and texts go both ways again.
pub async fn a_killed_runner_is_replaced(stack: &Stack<'_>) {
    let all = runners(&stack.demo).await;
    let most = all.iter().max_by_key(|runner| runner["sessions"].as_i64());
    let name = most.and_then(|runner| runner["name"].as_str()).unwrap_or_default().to_owned();
    run(stack.compose().args(["--profile", "demo", "kill", &name]));
    let began = Instant::now();
    eventually("the other runner holds both", PATIENCE, async || {
        let left = runners(&stack.demo).await;
        let [runner] = &left[..] else { return None };
        (runner["sessions"] == 2 && connected(stack).await).then_some(())
    })
    .await;
    let took = began.elapsed();
    talk(stack, "after a kill").await;
    say(format_args!(
        "{name} was killed: its sessions are connected elsewhere after {:.1} s",
        took.as_secs_f64()
    ));
}

/// One container with everything, a read-only root file system and one volume; and a backup of it.
pub async fn single(stack: &Stack<'_>) {
    let port = free_port();
    let mut command = stack.engine.docker();
    let publish = format!("127.0.0.1:{port}:5001");
    command.args(["run", "--detach", "--rm", "--read-only", "--cap-drop", "ALL", "--publish", &publish]);
    let container = run(command.args(["--env", &format!("ADMIN_PASSWORD={PASSWORD}"), stack.image]));
    let rest = Rest::admin(port).login("admin", PASSWORD);
    let get = || rest.call(Method::GET, "/status").send();
    eventually("a gateway in one container", PATIENCE, async || {
        get().await.ok().filter(|answer| answer.status == 200).map(drop)
    })
    .await;
    let program = "/usr/local/bin/wa-gateway";
    let exec = |arguments: &[&str]| {
        let mut command = stack.engine.docker();
        run(command.args(["exec", &container, program]).args(arguments))
    };
    let done = exec(&["backup", "--to", "/data/a.backup"]);
    assert!(done.contains("0 sessions"), "{done}");
    let checked = exec(&["restore", "--check", "--from", "/data/a.backup"]);
    assert!(checked.contains("is whole"), "{checked}");
    run(stack.engine.docker().args(["stop", "--time", "20", &container]));
    say("one container alone: ready, and backed up");
}
