//! Texts both ways, each with a name of its own, and what became of them.
//!
//! Out: a careful client asks one of the APIs to send, again under the same key until it has an answer. In: a phone
//! says something to a number. A text is accepted when the caller heard so; from then on it must arrive.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use e2e::{Rest, WebhookReceiver};
use fake_whatsapp::{AccountHandle, FakeWhatsApp};
use parking_lot::Mutex;
use rand::RngExt as _;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::report::Report;

/// How long a client waits before it asks again.
const AGAIN: Duration = Duration::from_millis(300);

/// Who the sessions talk to.
const CONTACTS: usize = 8;

/// How long everything may take to arrive after the last text was accepted.
const PATIENCE: Duration = Duration::from_mins(3);

/// A linked number.
#[derive(Debug, Clone)]
pub struct Line {
    pub session: String,
    pub phone: String,
}

/// Texts that go both ways until they are stopped.
pub struct Traffic {
    whatsapp: FakeWhatsApp,
    contacts: Vec<AccountHandle>,
    book: Arc<Book>,
    stop: CancellationToken,
    senders: JoinSet<()>,
    noting: JoinSet<()>,
}

/// What was accepted, when, and how it went.
#[derive(Debug, Default)]
struct Book {
    out: Mutex<HashMap<String, Instant>>,
    incoming: Mutex<HashMap<String, Instant>>,
    /// When each text was first seen at the phone it was meant for.
    arrived: Mutex<HashMap<String, Instant>>,
    answered: AtomicUsize,
    queued: AtomicUsize,
    /// Answers of 4xx and 5xx.
    refused: Mutex<Refusals>,
    /// Requests without an answer.
    unanswered: AtomicUsize,
}

/// How often requests were refused, by status and code, as in `503 not_ready`.
pub type Refusals = BTreeMap<String, usize>;

/// What became of all texts.
#[derive(Debug, Default)]
pub struct Count {
    pub accepted_out: usize,
    pub accepted_in: usize,
    /// Accepted by an API, and not at the phone.
    pub lost_out: Vec<String>,
    /// At the phone as two messages.
    pub doubled: Vec<String>,
    /// Sent to a number, and no webhook.
    pub missing_webhooks: Vec<String>,
    /// Webhooks for one message under more than one id.
    pub doubled_webhooks: Vec<String>,
    /// Attempts beyond the first that a receiver saw.
    pub repeated_webhooks: usize,
    pub refused: Refusals,
    pub unanswered: usize,
    pub queued: usize,
    pub out_times: Vec<Duration>,
    pub webhook_times: Vec<Duration>,
}

impl Traffic {
    /// Begins: every line sends and is sent something about every `every`.
    pub async fn begin(
        whatsapp: &FakeWhatsApp,
        apis: Vec<Rest>,
        lines: &[Line],
        every: Duration,
        name: &str,
    ) -> Self {
        let mut contacts = Vec::new();
        for number in 0..CONTACTS {
            contacts.push(whatsapp.create_account(&format!("6285500000{number:02}")).await);
        }
        let mut traffic = Self {
            whatsapp: whatsapp.clone(),
            contacts,
            book: Arc::default(),
            stop: CancellationToken::new(),
            senders: JoinSet::new(),
            noting: JoinSet::new(),
        };
        let apis: Arc<[Rest]> = apis.into();
        for (number, line) in lines.iter().enumerate() {
            let contact = traffic.contacts[number % CONTACTS].clone();
            let out = Out {
                book: Arc::clone(&traffic.book),
                apis: Arc::clone(&apis),
                line: line.clone(),
                to: contact.number().to_owned(),
                name: format!("{name} out {}", line.session),
            };
            traffic.senders.spawn(out.run(every, traffic.stop.clone()));
            let incoming = In {
                book: Arc::clone(&traffic.book),
                contact,
                line: line.clone(),
                name: format!("{name} in {}", line.session),
            };
            traffic.senders.spawn(incoming.run(every, traffic.stop.clone()));
        }
        traffic.noting.spawn(note_arrivals(traffic.contacts.clone(), Arc::clone(&traffic.book)));
        traffic
    }

    /// How many texts were accepted so far, out and in.
    #[must_use]
    pub fn accepted(&self) -> (usize, usize) {
        (self.book.out.lock().len(), self.book.incoming.lock().len())
    }

    /// Stops, waits until everything has arrived or nothing more comes, and counts.
    pub async fn end(mut self, webhooks: &WebhookReceiver) -> Count {
        self.stop.cancel();
        let deadline = Instant::now() + PATIENCE;
        // A request that is under way is not cut off: its text would be accepted, and nobody would know.
        let senders = async { while self.senders.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(PATIENCE, senders).await;
        loop {
            let count = self.count(webhooks);
            let complete = count.lost_out.is_empty() && count.missing_webhooks.is_empty();
            if complete || Instant::now() > deadline {
                self.noting.shutdown().await;
                return self.count(webhooks);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn count(&self, webhooks: &WebhookReceiver) -> Count {
        let mut count = Count {
            refused: self.book.refused.lock().clone(),
            unanswered: self.book.unanswered.load(Ordering::Relaxed),
            queued: self.book.queued.load(Ordering::Relaxed),
            ..Count::default()
        };
        self.count_out(&mut count);
        self.count_in(webhooks, &mut count);
        count
    }

    fn count_out(&self, count: &mut Count) {
        let mut ids: HashMap<String, BTreeSet<String>> = HashMap::new();
        for message in self.contacts.iter().flat_map(AccountHandle::received) {
            ids.entry(message.text.unwrap_or_default()).or_default().insert(message.id);
        }
        let out = self.book.out.lock();
        count.accepted_out = out.len();
        let arrived = self.book.arrived.lock();
        for (text, accepted) in out.iter() {
            match ids.get(text).map_or(0, BTreeSet::len) {
                0 => count.lost_out.push(text.clone()),
                1 => {}
                _ => count.doubled.push(text.clone()),
            }
            if let Some(at) = arrived.get(text) {
                count.out_times.push(at.saturating_duration_since(*accepted));
            }
        }
    }

    fn count_in(&self, webhooks: &WebhookReceiver, count: &mut Count) {
        let mut seen: HashMap<String, (HashSet<String>, Instant)> = HashMap::new();
        let mut attempts = 0;
        let incoming = self.book.incoming.lock();
        webhooks.look(|webhooks| {
            for webhook in webhooks.iter().filter(|webhook| webhook.path == "/message") {
                let text = webhook.text("message");
                if incoming.contains_key(text) {
                    attempts += 1;
                    let entry = seen.entry(text.to_owned()).or_insert_with(|| (HashSet::new(), webhook.at));
                    entry.0.insert(webhook.id.clone());
                }
            }
        });
        count.accepted_in = incoming.len();
        for (text, sent) in incoming.iter() {
            match seen.get(text) {
                None => count.missing_webhooks.push(text.clone()),
                Some((ids, at)) => {
                    count.webhook_times.push(at.saturating_duration_since(*sent));
                    if ids.len() > 1 {
                        count.doubled_webhooks.push(text.clone());
                    }
                }
            }
        }
        count.repeated_webhooks = attempts - seen.len();
    }

    /// The server that all of it goes through.
    #[must_use]
    pub const fn whatsapp(&self) -> &FakeWhatsApp {
        &self.whatsapp
    }
}

impl Count {
    /// Promises that no request was refused, unless with one of these answers.
    pub(crate) fn none_refused_but(&self, report: &mut Report, allowed: &[&str]) {
        let refused: Vec<_> =
            self.refused.iter().filter(|(answer, _)| !allowed.contains(&answer.as_str())).collect();
        report.promise(refused.is_empty(), || format!("requests failed: {refused:?}"));
    }

    /// Notes the figures, and what is not as promised.
    pub(crate) fn report(&mut self, report: &mut Report) {
        report.count("texts accepted by the APIs", self.accepted_out);
        report.count("texts sent to the numbers", self.accepted_in);
        report.zero("lost", self.lost_out.len());
        report.zero("doubled at WhatsApp", self.doubled.len());
        report.zero("webhooks missing", self.missing_webhooks.len());
        report.zero("webhooks doubled under another id", self.doubled_webhooks.len());
        report.count("webhook attempts repeated", self.repeated_webhooks);
        report.count("texts answered 202", self.queued);
        let refused: usize = self.refused.values().sum();
        report.count("requests answered with an error", refused);
        for (answer, times) in &self.refused {
            report.count(format!("requests answered {answer}"), *times);
        }
        report.count("requests without an answer", self.unanswered);
        report.times("from request to phone", &mut self.out_times);
        report.times("from phone to webhook", &mut self.webhook_times);
        for (what, texts) in [("lost", &self.lost_out), ("missing", &self.missing_webhooks)] {
            report.promise(texts.is_empty(), || format!("{what}: {:?}", &texts[..texts.len().min(5)]));
        }
    }
}

/// A client of one session.
struct Out {
    book: Arc<Book>,
    apis: Arc<[Rest]>,
    line: Line,
    to: String,
    name: String,
}

impl Out {
    async fn run(self, every: Duration, stop: CancellationToken) {
        pause(every, 0.0..1.0, &stop).await;
        for number in 0.. {
            if stop.is_cancelled() {
                return;
            }
            self.send(number).await;
            pause(every, 0.5..1.5, &stop).await;
        }
    }

    async fn send(&self, number: usize) {
        let text = format!("{} {number}", self.name);
        let body = json!({"session": self.line.session, "to": self.to, "text": text});
        let began = Instant::now();
        for attempt in 0.. {
            let api = &self.apis[(number + attempt) % self.apis.len()];
            let call = api.call(http::Method::POST, "/message/send-text").json(&body).idempotent(&text);
            match call.send().await {
                Ok(answer) if matches!(answer.status, 200 | 202) => {
                    let counter = if answer.status == 200 { &self.book.answered } else { &self.book.queued };
                    counter.fetch_add(1, Ordering::Relaxed);
                    self.book.out.lock().insert(text, began);
                    return;
                }
                Ok(answer) => {
                    let code = answer.json["code"].as_str().unwrap_or("without a code");
                    let answer = format!("{} {code}", answer.status);
                    *self.book.refused.lock().entry(answer).or_default() += 1;
                }
                Err(_) => drop(self.book.unanswered.fetch_add(1, Ordering::Relaxed)),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// A phone that talks to one number.
struct In {
    book: Arc<Book>,
    contact: AccountHandle,
    line: Line,
    name: String,
}

impl In {
    async fn run(self, every: Duration, stop: CancellationToken) {
        pause(every, 0.0..1.0, &stop).await;
        for number in 0.. {
            if stop.is_cancelled() {
                return;
            }
            let text = format!("{} {number}", self.name);
            // Noted first: it may arrive before `say` is back.
            self.book.incoming.lock().insert(text.clone(), Instant::now());
            if self.contact.say(&self.line.phone, &text).is_err() {
                self.book.incoming.lock().remove(&text);
            }
            pause(every, 0.5..1.5, &stop).await;
        }
    }
}

async fn pause(every: Duration, between: std::ops::Range<f64>, stop: &CancellationToken) {
    let pause = every.mul_f64(rand::rng().random_range(between));
    stop.run_until_cancelled(tokio::time::sleep(pause)).await;
}

/// Notes when texts arrive at the phones.
async fn note_arrivals(contacts: Vec<AccountHandle>, book: Arc<Book>) {
    let mut counts = vec![0; contacts.len()];
    loop {
        for (contact, count) in contacts.iter().zip(&mut counts) {
            let arrived = contact.arrived();
            if arrived != *count {
                *count = arrived;
                let now = Instant::now();
                let mut seen = book.arrived.lock();
                for message in contact.received() {
                    seen.entry(message.text.unwrap_or_default()).or_insert(now);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
