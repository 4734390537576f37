//! The server as a process of its own.

#![expect(clippy::print_stdout, reason = "a measurement has to be seen")]

use super::{ANNA, BUDI, SOON};
use contact::{Contact, Options, Server};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Process {
    child: Child,
    control_url: String,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fake-whatsapp"))
            .args(["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"])
            .args(arguments)
            .env("RUST_LOG", "info")
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let ready = lines.find_map(|line| line.ok().filter(|line| line.contains("ready"))).expect("ready");
        let control_url = ready.split("control_url=\"").nth(1).and_then(|rest| rest.split('"').next());
        let control_url = control_url.expect("control_url").to_owned();
        // Somebody has to read on, or the process stops when the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, control_url }
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_reach_a_server_in_another_process() {
    let process = Process::start(&["--account", BUDI]);
    let server = Server::remote(&process.control_url).await.expect("server");
    let anna = Contact::link(&server, ANNA).await.expect("linked");
    let budi = Contact::link(&server, BUDI).await.expect("linked");
    anna.send_text(BUDI, "dari luar").await.expect("sent");
    assert_eq!(budi.next_message(SOON).await.expect("received").text.as_deref(), Some("dari luar"));
}

/// Not a test but a measurement; run with
/// `cargo test --release -p fake-whatsapp -- --ignored --nocapture measure`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn measure() {
    let process = Process::start(&["--lazy-phones"]);
    let server = Server::remote(&process.control_url).await.expect("server");
    let empty = process.resident_kib();
    println!("server alone: {empty} KiB");
    let options = Options { keep_messages: false, ..Options::default() };
    let begin = Instant::now();
    let mut contacts = Vec::new();
    for number in 0..1000 {
        let number = format!("62812{number:07}");
        contacts.push(Contact::link_with(&server, &number, options.clone()).await.expect("linked"));
    }
    println!("1000 linked one after the other: {:?}", begin.elapsed());
    let full = process.resident_kib();
    println!("server with 1000 connections: {full} KiB, {} KiB each", (full - empty) / 1000);
    let begin = Instant::now();
    for batch in contacts.chunks(50) {
        let connects = batch.iter().map(Contact::reconnect);
        for result in futures::future::join_all(connects).await {
            result.expect("connected");
        }
    }
    println!("1000 connected again, 50 at a time: {:?}", begin.elapsed());
    for (pairs, each) in [(1, 5000), (10, 2000)] {
        texts(&contacts, pairs, each).await;
    }
}

async fn texts(contacts: &[Contact], pairs: usize, each: usize) {
    let pairs = || contacts.chunks(2).take(pairs);
    for pair in pairs() {
        let before = pair[1].received();
        pair[0].send_text(pair[1].number(), "first").await.expect("sent");
        pair[1].wait_received(before + 1, SOON).await.expect("received");
    }
    let before: Vec<u64> = pairs().map(|pair| pair[1].received()).collect();
    let begin = Instant::now();
    futures::future::join_all(pairs().map(|pair| async {
        for number in 0..each {
            pair[0].send_text(pair[1].number(), &format!("text {number}")).await.expect("sent");
        }
    }))
    .await;
    let sent = begin.elapsed();
    for (pair, before) in pairs().zip(before) {
        pair[1].wait_received(before + each as u64, Duration::from_mins(2)).await.expect("received");
    }
    let received = begin.elapsed();
    let total = u32::try_from(pairs().count() * each).expect("a small number");
    println!(
        "{} pairs x {each} texts: sent {:.0}/s, received {:.0}/s",
        pairs().count(),
        f64::from(total) / sent.as_secs_f64(),
        f64::from(total) / received.as_secs_f64()
    );
}
