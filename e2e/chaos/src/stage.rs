//! Everything that a scenario plays on.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use e2e::{
    PATIENCE, Rest, WebhookReceiver,
    cluster::{Member, Role, Shared, link},
    eventually,
};
use fake_whatsapp::{AccountHandle, FakeWhatsApp, Options};
use futures::{StreamExt as _, stream};
use scratch::{Nats, Postgres};

use crate::{
    Plan,
    audit::Audit,
    traffic::{Line, Traffic},
    watch::Watch,
};

/// Numbers that are linked at the same time.
const LINKED_AT_ONCE: usize = 6;

/// The servers, the processes and the linked numbers.
pub struct Stage {
    pub plan: Plan,
    // The processes go before their servers.
    pub apis: Vec<Member>,
    pub runners: Vec<Member>,
    pub dispatchers: Vec<Member>,
    pub lines: Vec<Line>,
    pub watch: Watch,
    pub audit: Audit,
    pub whatsapp: FakeWhatsApp,
    pub webhooks: WebhookReceiver,
    pub postgres: Postgres,
    pub nats: Nats,
    shared: Shared,
    started: usize,
}

impl Stage {
    /// Starts two APIs, three runners and two dispatchers, and links the numbers.
    #[expect(clippy::expect_used, reason = "nothing can be shown without it")]
    pub async fn set(plan: Plan) -> Self {
        let postgres = Postgres::start().expect("PostgreSQL");
        let nats = Nats::start().expect("NATS");
        let whatsapp = FakeWhatsApp::start(Options::default()).await.expect("a WhatsApp server");
        let webhooks = WebhookReceiver::start().await;
        let rebalance = plan.rebalance_per_second.to_string();
        let shared = Shared {
            database: postgres.database().expect("a database"),
            nats: nats.url(),
            whatsapp: whatsapp.chat_url(),
            webhooks: webhooks.url(),
            settings: vec![
                ("RUNNER_REBALANCE_PER_SECOND".to_owned(), rebalance),
                ("SEND_WAIT_SECONDS".to_owned(), "3".to_owned()),
                ("WEBHOOK_TIMEOUT_SECONDS".to_owned(), "5".to_owned()),
            ],
        };
        let mut stage = Self {
            plan,
            apis: Vec::new(),
            runners: Vec::new(),
            dispatchers: Vec::new(),
            lines: Vec::new(),
            watch: Watch::begin(Vec::new()),
            audit: {
                // The first process makes the schema; the triggers come after it.
                let mut first = Member::prepare(&shared, Role::Api, "api-first").await;
                first.up().await;
                first.terminate().await;
                Audit::install(&shared.database).await
            },
            whatsapp,
            webhooks,
            postgres,
            nats,
            shared,
            started: 0,
        };
        for role in [Role::Api, Role::Api, Role::WebhookDispatcher, Role::WebhookDispatcher] {
            stage.add(role).await;
        }
        for _ in 0..3 {
            stage.add(Role::SessionRunner).await;
        }
        stage.link_all().await;
        stage
    }

    /// Starts one more process, and waits until it is ready.
    pub async fn add(&mut self, role: Role) {
        self.started += 1;
        let name = match role {
            Role::Api => format!("api-{}", self.started),
            Role::SessionRunner => format!("runner-{}", self.started),
            Role::WebhookDispatcher => format!("dispatcher-{}", self.started),
        };
        let mut member = Member::prepare(&self.shared, role, &name).await;
        member.up().await;
        match role {
            Role::Api => self.apis.push(member),
            Role::SessionRunner => self.runners.push(member),
            Role::WebhookDispatcher => self.dispatchers.push(member),
        }
    }

    async fn link_all(&mut self) {
        let began = Instant::now();
        let lines = (0..self.plan.sessions)
            .map(|number| Line { session: format!("s{number:03}"), phone: format!("62811{number:07}") });
        let lines: Vec<Line> = lines.collect();
        let rests = self.rests();
        let (whatsapp, rests) = (&self.whatsapp, &rests);
        stream::iter(lines.iter().enumerate())
            .for_each_concurrent(LINKED_AT_ONCE, |(number, line)| async move {
                link(&rests[number % rests.len()], whatsapp, &line.session, &line.phone).await;
            })
            .await;
        self.watch = Watch::begin(accounts(&self.whatsapp, &lines));
        self.lines = lines;
        say(&format!("{} numbers linked in {:.1?}", self.lines.len(), began.elapsed()));
        self.well(PATIENCE).await;
    }

    /// The URL of the database, past the wires that can be cut.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.shared.database
    }

    /// Somebody who calls each API.
    #[must_use]
    pub fn rests(&self) -> Vec<Rest> {
        self.apis.iter().map(Member::rest).collect()
    }

    /// Texts both ways.
    pub async fn traffic(&self, name: &str) -> Traffic {
        Traffic::begin(&self.whatsapp, self.rests(), &self.lines, self.plan.every, name).await
    }

    /// Waits until every number is on line and held by a runner that lives.
    pub async fn well(&self, within: Duration) {
        eventually("all numbers on line", within, async || {
            (self.watch.on_line() == self.lines.len()).then_some(())
        })
        .await;
    }

    /// Lets a while pass.
    pub async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    /// How many sessions each runner holds, by name.
    pub async fn shares(&self) -> Vec<(String, usize)> {
        let holds = self.audit.holds().await.unwrap_or_default();
        let held = |name: &str| holds.iter().filter(|hold| hold.runner.as_deref() == Some(name)).count();
        self.runners.iter().map(|runner| (runner.name().to_owned(), held(runner.name()))).collect()
    }

    /// The phones whose sessions a runner holds now.
    pub async fn phones_of(&self, runner: &str) -> Vec<AccountHandle> {
        let holds = self.audit.holds().await.unwrap_or_default();
        let held = |line: &&Line| {
            holds.iter().any(|hold| hold.session == line.session && hold.runner.as_deref() == Some(runner))
        };
        let lines: Vec<Line> = self.lines.iter().filter(held).cloned().collect();
        accounts(&self.whatsapp, &lines)
    }

    /// Keeps what all processes wrote.
    pub fn save_logs(&self, folder: &Path) {
        for member in self.apis.iter().chain(&self.runners).chain(&self.dispatchers) {
            let _ = member.save_log(folder);
        }
    }

    /// Ends the last of the runners for good.
    pub async fn remove_runner(&mut self) {
        if let Some(mut runner) = self.runners.pop() {
            runner.terminate().await;
        }
    }
}

fn accounts(whatsapp: &FakeWhatsApp, lines: &[Line]) -> Vec<AccountHandle> {
    lines.iter().filter_map(|line| whatsapp.account(&line.phone).ok()).collect()
}

/// Says what is going on.
pub fn say(words: &str) {
    use std::io::Write as _;
    // Nobody reads any more: nothing is left to be said.
    let _ = writeln!(std::io::stdout(), "{words}");
}
