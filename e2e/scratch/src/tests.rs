use std::{process::Command, time::Duration};

use super::*;

const SOON: Duration = Duration::from_secs(10);

fn alive(pid: u32) -> bool {
    // A zombie has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

#[tokio::test]
async fn a_process_is_started_signalled_and_killed() {
    let mut process = Process::start(
        "sleeper",
        &shell("trap 'echo bye; exit 7' TERM; echo hello; while :; do sleep 0.05; done"),
    );
    wait_for(SOON, async || process.log().contains("hello")).await;
    assert_eq!(process.exit_code(), None);
    process.terminate();
    assert_eq!(process.wait(SOON).await, Some(7));
    assert!(process.log().contains("bye"));

    let mut process = Process::start("sleeper", &shell("exec sleep 60"));
    let pid = process.pid().unwrap();
    assert!(alive(pid));
    process.kill();
    assert!(!alive(pid));
    assert_eq!(process.exit_code(), Some(137));
}

#[tokio::test]
async fn a_process_does_not_outlive_its_value_or_its_parent() {
    let process = Process::start("sleeper", &shell("exec sleep 60"));
    let pid = process.pid().unwrap();
    drop(process);
    assert!(!alive(pid));

    // A parent that is killed cannot clean up: its guard does. The parent here is another copy of this test.
    let note = Dir::new();
    let mut parent = Command::new(std::env::current_exe().unwrap());
    parent.args(["--exact", "tests::parent_for_the_test_above", "--ignored"]).env("NOTE", note.join("pid"));
    let mut parent = Process::start("parent", &parent);
    wait_for(SOON, async || std::fs::read_to_string(note.join("pid")).is_ok_and(|text| text.ends_with('\n')))
        .await;
    let orphan: u32 = std::fs::read_to_string(note.join("pid")).unwrap().trim().parse().unwrap();
    assert!(alive(orphan));
    let folder = std::fs::read_to_string(note.join("folder")).unwrap();
    assert!(Path::new(&folder).is_dir());
    parent.kill();
    wait_for(SOON, async || !alive(orphan) && !Path::new(&folder).exists()).await;
}

#[test]
#[ignore = "only a helper of the test above"]
fn parent_for_the_test_above() {
    let Some(note) = std::env::var_os("NOTE") else { return };
    let process = Process::start("orphan", &shell("exec sleep 60"));
    let folder = process.log_path().parent().unwrap().display().to_string();
    std::fs::write(Path::new(&note).with_file_name("folder"), folder).unwrap();
    std::fs::write(note, format!("{}\n", process.pid().unwrap())).unwrap();
    std::thread::sleep(Duration::from_secs(30));
}

#[tokio::test]
async fn readiness_is_an_answer_of_200() {
    let port = free_port();
    let script = format!(
        "import http.server as h\nh.HTTPServer(('127.0.0.1', {port}), h.SimpleHTTPRequestHandler).serve_forever()"
    );
    let Some(python) = find_program("python3", &[]) else { return };
    let mut command = Command::new(python);
    command.args(["-c", &script]).current_dir("/");
    let mut process = Process::start("web", &command);
    process.ready(&format!("http://127.0.0.1:{port}/"), SOON).await;
}

#[test]
fn databases_are_fresh_and_survive_a_restart() {
    let mut server = Postgres::start().unwrap();
    let (one, two) = (server.database().unwrap(), server.database().unwrap());
    assert_ne!(one, two);
    assert!(
        one.starts_with(&format!("postgres://postgres@127.0.0.1:{}/test_", server_port(&server))),
        "{one}"
    );
    server.restart().unwrap();
    assert_ne!(server.database().unwrap(), one);
}

fn server_port(server: &Postgres) -> String {
    server.url().rsplit(':').next().unwrap().split('/').next().unwrap().to_owned()
}

#[test]
fn shared_servers_answer_and_give_fresh_databases() {
    assert_ne!(postgres_url().unwrap(), postgres_url().unwrap());
    assert_eq!(nats_url().unwrap(), nats_url().unwrap());
}

#[test]
fn nats_can_be_stopped_and_started_again() {
    let mut nats = Nats::start().unwrap();
    let address = nats.url().replace("nats://", "");
    assert!(std::net::TcpStream::connect(&address).is_ok());
    nats.stop();
    assert!(std::net::TcpStream::connect(&address).is_err());
    nats.restart().unwrap();
    assert!(std::net::TcpStream::connect(&address).is_ok());
}

#[tokio::test]
#[should_panic(expected = "what was waited for did not come")]
async fn waiting_has_an_end() {
    wait_for(Duration::from_millis(20), async || false).await;
}
