//! What the README tells people to type does what the README says, as it stands: only the ports are others, behind the
//! backs of curl and Node.js.

use std::{
    fs,
    process::{Command, Output},
};

use e2e::{Node, PATIENCE, binary, eventually, mismatch, node};
use scratch::{Dir, Process, free_port};
use serde_json::{Value, json};

const README: &str = include_str!("../../../README.md");

/// What is another value at each run; the rest of an answer is as the README prints it.
const VARIES: &[(&str, &str)] = &[
    ("id", "<word>"),
    ("messageId", "<word>"),
    ("messageTimestamp", "<digits>"),
    ("timestamp", "<number>"),
    ("sequence", "<number>"),
    ("lid", "<text>"),
    ("hours_without_message", "<number>"),
    ("last_message_at", "<time>"),
    ("last_state_change_at", "<time>"),
];

/// The demo, as `cargo run --package demo` starts it.
struct Demo {
    process: Process,
    port: u16,
    control: u16,
    home: Dir,
}

impl Demo {
    async fn start(arguments: &[&str]) -> Self {
        let port = free_port();
        let mut command = Command::new(binary("demo"));
        command.args(["--port", &port.to_string()]).args(arguments);
        let process = Process::start("demo", &command);
        let said = eventually("the introduction of the demo", PATIENCE, async || {
            let said = process.log();
            said.contains("Ctrl-C stops it.").then_some(said)
        })
        .await;
        let control = said.split("curl http://127.0.0.1:").nth(1).and_then(|rest| rest.split('/').next());
        let control = control.and_then(|port| port.parse().ok()).expect("the port of the stand-in");
        let home = Dir::new();
        let rules = format!(
            "silent\nshow-error\nconnect-to = \"localhost:5001:127.0.0.1:{port}\"\n\
             connect-to = \"127.0.0.1:5002:127.0.0.1:{control}\"\n"
        );
        fs::write(home.join(".curlrc"), rules).unwrap();
        Self { process, port, control, home }
    }

    /// Types a line.
    fn typed(&self, line: &str) -> Value {
        let shell = Command::new("sh").args(["-c", line]).env("CURL_HOME", self.home.path()).output();
        let Output { status, stdout, stderr } = shell.unwrap();
        let (said, complained) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{line}: {status}: {said}{complained}");
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{line}: {error}: {said}"))
    }

    /// The webhook with this message that it has shown.
    async fn shown(&self, message: &str) -> Value {
        eventually(&format!("the webhook with {message:?}"), PATIENCE, async || {
            let said = self.process.log();
            let shown = said.split("── webhook /message\n").skip(1);
            let mut webhooks = shown.filter_map(|rest| {
                serde_json::Deserializer::from_str(rest).into_iter::<Value>().next()?.ok()
            });
            webhooks.find(|webhook| webhook["message"] == message)
        })
        .await
    }
}

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README.split(&*fence).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

/// What the README prints, with kinds in the place of what varies.
fn expected(mut printed: Value) -> Value {
    fn vary(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match VARIES.iter().find(|(varies, _)| varies == name) {
                        Some((_, kind)) => *value = json!(kind),
                        None => vary(value),
                    }
                }
            }
            Value::Array(values) => values.iter_mut().for_each(vary),
            _ => {}
        }
    }
    vary(&mut printed);
    printed
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_the_tour_answer_what_it_prints() {
    let demo = Demo::start(&[]).await;
    let console = blocks("console");
    assert!(console.len() >= 4, "the tour has lines to type: {console:?}");
    for block in console {
        let (line, printed) = block.split_once('\n').expect("a line and its answer");
        let line = line.strip_prefix("$ ").expect("a line to type");
        let printed: Value = serde_json::from_str(printed).expect("the answer is JSON");
        let answer = demo.typed(line);
        assert_eq!(mismatch(&expected(printed), &answer), None, "{line}\n{answer}");
    }
    for printed in blocks("json") {
        let printed: Value = serde_json::from_str(printed).expect("the webhook is JSON");
        let shown = demo.shown(printed["message"].as_str().unwrap_or_default()).await;
        assert_eq!(mismatch(&expected(printed), &shown), None, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_sends_and_answers() {
    let program = blocks("js");
    assert_eq!(program.len(), 1);
    let port = free_port();
    let demo = Demo::start(&["--webhooks", &format!("http://localhost:{port}")]).await;
    let mut command = node();
    let ports = json!({"5001": demo.port, "3000": port}).to_string();
    command
        .args(["--import", "./ports.mjs", "--input-type=module", "--eval", program[0]])
        .env("PORTS", ports);
    let program = Node::start("the README's program", command);
    let printed = async |words: &str| {
        eventually(&format!("{words:?} from the program"), PATIENCE, async || {
            program.lines().into_iter().find(|line| line.contains(words))
        })
        .await
    };
    printed("sent as 3EB0").await;
    let control = format!("curl http://127.0.0.1:{}/accounts/628110000003", demo.control);
    demo.typed(&format!("{control}/say --json '{{\"to\":\"628110000001\",\"text\":\"Good\"}}'"));
    printed("628110000003@s.whatsapp.net writes: Good").await;
    let texts = eventually("the answer on Citra's phone", PATIENCE, async || {
        let inbox = demo.typed(&format!("{control}/inbox"));
        let texts: Vec<_> = inbox.as_array()?.iter().map(|message| message["text"].clone()).collect();
        (texts.len() >= 2).then_some(texts)
    })
    .await;
    assert_eq!(texts, ["We are open", "Thank you"]);
}
