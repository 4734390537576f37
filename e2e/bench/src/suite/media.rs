//! One document of 1 GiB each way: how long it takes, and how much memory the gateway takes for it at its peak.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, http::header, response::IntoResponse as _, routing::get};
use bytes::Bytes;
use contact::{Contact, MediaKind};
use fake_whatsapp::{FakeWhatsApp, Options};
use futures::stream;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

use super::Plan;
use crate::{
    fleet,
    gateway::Gateway,
    machine,
    problem::{Problem, Result},
    receiver::Receiver,
    report::{Goal, Report},
};

/// The size of the document, in blocks.
const BLOCKS: u64 = 16 * 1024;
const BLOCK: usize = 64 * 1024;
const SIZE: u64 = BLOCKS * BLOCK as u64;

/// What the gateway may take on top of what it had, in MiB.
const EXTRA: f64 = 64.0;

/// How long one way may take.
const WITHIN: Duration = Duration::from_mins(15);

const BOUNDARY: &str = "a-boundary-that-no-file-has";

pub(crate) async fn run(plan: &Plan) -> Result<Report> {
    let mut report = Report::new("media", "a document of 1 GiB out and in");
    let options = Options { tls_listen: None, control_listen: None, ..Options::default() };
    let whatsapp = FakeWhatsApp::start(options).await?;
    let receiver = Receiver::start().await?;
    let (url, webhooks) = (whatsapp.chat_url(), receiver.url());
    let gateway = Gateway::start(&plan.program, &plan.data, plan.database, &url, Some(&webhooks)).await?;
    gateway.describe(&mut report)?;
    report.setting("bytes", SIZE);
    fleet::link(&whatsapp, &gateway, 0..1).await?;
    let number = fleet::contact(0, 0);
    let contact = Contact::link(&whatsapp, &number).await.map_err(setup)?;
    let origin = Origin::start().await?;
    // A first, small message, so that what every message needs is there already.
    contact.send_text(&fleet::number(0), "hello").await.map_err(setup)?;

    let order = json!({"session": fleet::name(0), "to": number, "text": "", "document_url": origin.url,
        "document_name": "large.bin"});
    let peak = Peak::watch(&gateway)?;
    let id = accepted(&gateway, &order).await?;
    sent(&gateway, &id).await?;
    peak.report(&mut report, "out, from a URL")?;
    checked(&contact).await?;

    let peak = Peak::watch(&gateway)?;
    let id = uploaded(&gateway, &number).await?;
    sent(&gateway, &id).await?;
    peak.report(&mut report, "out, as a form")?;
    checked(&contact).await?;

    let peak = Peak::watch(&gateway)?;
    let caption = receiver.announce(Instant::now());
    let file = (0..BLOCKS).flat_map(block).collect();
    let to = fleet::number(0);
    let id = contact.send_media(&to, MediaKind::Document, file, Some(&caption)).await.map_err(setup)?;
    let arrived = receiver.collect(WITHIN).await;
    if arrived.missing > 0 {
        return Err(Problem::Setup("no webhook came for the document".to_owned()));
    }
    peak.report(&mut report, "in, until the webhook")?;

    let peak = Peak::watch(&gateway)?;
    served(&gateway, &id).await?;
    peak.report(&mut report, "served from the media store")?;
    report.note("the contact's encryption and upload are part of the time for the way in");
    report.note("origin, contact, WhatsApp's server and the webhook receiver are this process");
    Ok(report)
}

/// A piece of the document; no two are alike.
fn block(number: u64) -> Vec<u8> {
    let words = BLOCK as u64 / 8;
    let word = |at: u64| (number * words + at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..words).flat_map(|at| word(at).to_le_bytes()).collect()
}

fn is_the_document(bytes: &[u8]) -> bool {
    bytes.len() as u64 == SIZE && (0..).zip(bytes.chunks(BLOCK)).all(|(number, found)| found == block(number))
}

fn setup(error: impl std::fmt::Display) -> Problem {
    Problem::Setup(error.to_string())
}

/// The gateway's memory from now on.
struct Peak {
    pids: Vec<u32>,
    before: u64,
    began: Instant,
}

impl Peak {
    fn watch(gateway: &Gateway) -> Result<Self> {
        let pids = gateway.pids()?;
        machine::forget_peak(&pids)?;
        Ok(Self { before: machine::resident(&pids)?, pids, began: Instant::now() })
    }

    #[expect(clippy::cast_precision_loss, reason = "kilobytes of some gigabytes")]
    fn report(&self, report: &mut Report, what: &str) -> Result<()> {
        let mib = |kib: u64| kib as f64 / 1024.0;
        let (took, peak) = (self.began.elapsed().as_secs_f64(), machine::peak(&self.pids)?);
        report.figure(format!("{what}: time"), took, "s");
        report.figure(format!("{what}: rate"), SIZE as f64 / f64::from(1 << 20) / took, "MiB/s");
        report.figure(format!("{what}: memory before"), mib(self.before), "MiB");
        report.figure(format!("{what}: memory at its peak"), mib(peak), "MiB");
        let extra = mib(peak.saturating_sub(self.before));
        report.against(format!("{what}: extra memory"), extra, "MiB", Goal::AtMost(EXTRA));
        Ok(())
    }
}

/// Serves the document, made as it goes.
struct Origin {
    url: String,
    _server: JoinSet<()>,
}

impl Origin {
    async fn start() -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Problem::io("the origin"))?;
        let address = listener.local_addr().map_err(Problem::io("the origin"))?;
        let router = Router::new().route(
            "/",
            get(async || {
                let blocks = stream::iter(
                    (0..BLOCKS).map(|number| Ok::<_, std::io::Error>(Bytes::from(block(number)))),
                );
                ([(header::CONTENT_LENGTH, SIZE)], Body::from_stream(blocks)).into_response()
            }),
        );
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url: format!("http://{address}/"), _server: server })
    }
}

/// Asks for a document to be sent; it takes longer than the gateway lets a caller wait.
async fn accepted(gateway: &Gateway, order: &Value) -> Result<String> {
    let mut caller = gateway.api().connect().await?;
    let answer = match caller.call("POST", "/message/send-document", Some(order)).await {
        Err(Problem::Answer { status: 202, body, .. }) => body,
        Ok(answer) => answer.to_string(),
        Err(problem) => return Err(problem),
    };
    id_of(&answer)
}

fn id_of(answer: &str) -> Result<String> {
    let answer: Value = serde_json::from_str(answer).map_err(setup)?;
    let id = answer["data"]["id"].as_str();
    id.map(str::to_owned).ok_or_else(|| Problem::Setup(format!("no id in {answer}")))
}

/// Uploads the document as a part of a form, made as it goes.
async fn uploaded(gateway: &Gateway, to: &str) -> Result<String> {
    let field = |name: &str, value: &str| {
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let start = [
        field("session", &fleet::name(0)),
        field("to", to),
        field("text", ""),
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n"),
    ];
    let (start, end) = (start.concat(), format!("\r\n--{BOUNDARY}--\r\n"));
    let length = start.len() as u64 + SIZE + end.len() as u64;
    let head = gateway.api().head(
        "POST",
        "/message/send-document",
        &format!("multipart/form-data; boundary={BOUNDARY}"),
        length,
    );
    let exchange = async {
        let mut stream = TcpStream::connect(gateway.api().address).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(start.as_bytes()).await?;
        for number in 0..BLOCKS {
            stream.write_all(&block(number)).await?;
        }
        stream.write_all(end.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = exchange.await.map_err(Problem::io("the upload"))?;
    id_of(answer.split_once("\r\n\r\n").map_or("", |(_, body)| body))
}

/// Waits until a message is sent.
async fn sent(gateway: &Gateway, id: &str) -> Result<()> {
    let deadline = Instant::now() + WITHIN;
    let mut caller = gateway.api().connect().await?;
    loop {
        let message = caller.call("GET", &format!("/message/{id}"), None).await?["data"].clone();
        match message["state"].as_str() {
            Some("queued") if Instant::now() < deadline => sleep(Duration::from_millis(100)).await,
            Some("queued" | "failed") | None => return Err(Problem::Setup(format!("not sent: {message}"))),
            Some(_) => return Ok(()),
        }
    }
}

/// The contact has the document as it is.
async fn checked(contact: &Contact) -> Result<()> {
    let received = contact.next_message(WITHIN).await.map_err(setup)?;
    let file = contact.download(&received).await.map_err(setup)?.unwrap_or_default();
    if is_the_document(&file) {
        Ok(())
    } else {
        Err(Problem::Setup("the contact got another file".to_owned()))
    }
}

/// The gateway serves the document as it is.
async fn served(gateway: &Gateway, id: &str) -> Result<()> {
    let head = gateway.api().head("GET", &format!("/media/{id}.bin"), "application/json", 0);
    let exchange = async {
        let mut stream = TcpStream::connect(gateway.api().address).await?;
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = exchange.await.map_err(Problem::io("the download"))?;
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |end| end + 4);
    if is_the_document(&answer[body..]) {
        Ok(())
    } else {
        let head = String::from_utf8_lossy(&answer[..body]).into_owned();
        Err(Problem::Setup(format!("the gateway served another file: {head}")))
    }
}
