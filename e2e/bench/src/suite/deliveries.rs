//! Webhooks a second, with how many dispatchers: a backlog is waiting when they start.

use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{RunnerId, SystemClock, Timestamp, UserId, event::InboundMessage};
use scratch::{Dir, Nats, Postgres, Process, free_port};
use secrets::KeyRing;
use storage::{Database, Options, RunnerRegistration, Started};

use super::Plan;
use crate::{
    problem::{Problem, Result},
    receiver::Receiver,
    report::{Report, say},
};

/// The same in the benchmark and in the dispatchers.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Webhooks of one round.
const BACKLOG: u64 = 20_000;

/// They belong to so many chats: those of one chat go out one after the other.
const CHATS: u64 = 500;

/// How long a round may take.
const DEADLINE: Duration = Duration::from_mins(5);

#[expect(clippy::cast_precision_loss, reason = "some thousands of webhooks")]
pub(crate) async fn run(plan: &Plan) -> Result<Report> {
    let mut report =
        Report::new("deliveries", "webhooks a second from a backlog, to a receiver that answers at once");
    let postgres = Postgres::start_durable()?;
    let nats = Nats::start()?;
    let receiver = Receiver::start().await?;
    let url = postgres.database()?;
    report.database("PostgreSQL on this machine, fsync on");
    report.setting("webhooks", BACKLOG);
    report.setting("chats", CHATS);
    let keys = KeyRing::parse(&KEY.into()).map_err(|error| Problem::Setup(error.to_string()))?;
    let database = Database::open(&Options::new(&url), Arc::new(keys), Arc::new(SystemClock)).await?;
    database.put_admin("admin", "none").await?;
    database.set_base_endpoint(Some(&receiver.url())).await?;
    for dispatchers in [1, 2, 4] {
        backlog(&database, &receiver, dispatchers).await?;
        let folder = Dir::new();
        let began = Instant::now();
        let mut processes = Vec::new();
        for _ in 0..dispatchers {
            let mut command = Command::new(&plan.program);
            command.arg("webhook-dispatcher").current_dir(folder.path());
            for setting in config::reference().into_iter().flat_map(|(_, settings)| settings) {
                command.env_remove(setting.name);
            }
            command.env("DATABASE_URL", &url).env("NATS_URL", nats.url()).env("SECRET_KEYS", KEY);
            command
                .env("EGRESS_ALLOW", "127.0.0.0/8")
                .env("HEALTH_ADDR", format!("127.0.0.1:{}", free_port()));
            processes.push(Process::start("dispatcher", &command));
        }
        let arrived = receiver.collect(DEADLINE).await;
        let took = began.elapsed().as_secs_f64();
        if arrived.missing > 0 {
            let said = processes.iter().map(Process::log).collect::<String>();
            return Err(Problem::Setup(format!("{} webhooks did not come:\n{said}", arrived.missing)));
        }
        report.figure(format!("{dispatchers} dispatchers"), BACKLOG as f64 / took, "/s");
        report.figure(format!("{dispatchers} dispatchers: repeated"), arrived.repeated as f64, "webhooks");
        for process in &mut processes {
            process.terminate();
            process.wait(DEADLINE).await;
        }
    }
    report.note("the clock runs from the start of the processes until the last webhook has come");
    database.close().await;
    Ok(report)
}

/// Makes a round's webhooks, as a runner does when messages come in.
async fn backlog(database: &Database, receiver: &Receiver, round: u32) -> Result<()> {
    say(format_args!("  making {BACKLOG} webhooks"));
    let name = format!("bench-{round}");
    let Started::Session(_) = database.start_session(UserId::ADMIN, &name).await? else {
        return Err(Problem::Setup(format!("{name} is taken")));
    };
    let id = RunnerId::new();
    let runner = RunnerRegistration {
        id,
        name: "bench".to_owned(),
        version: "0".to_owned(),
        capacity: 1,
        place: storage::Placement::default(),
    };
    database.register_runner(&runner, Duration::from_hours(1)).await?;
    let claimed = database.claim_sessions(id, 1).await?;
    let fence = claimed.first().ok_or_else(|| Problem::Setup("no session to claim".to_owned()))?.fence;
    for first in (0..BACKLOG).step_by(100) {
        let messages = (first..first + 100).map(|number| InboundMessage {
            message_id: format!("{round}-{number}"),
            chat: format!("{}@s.whatsapp.net", number % CHATS),
            sender: format!("{}@s.whatsapp.net", number % CHATS),
            chat_alt: None,
            sender_alt: None,
            push_name: None,
            text: Some(receiver.announce(Instant::now())),
            kind: "text".to_owned(),
            detail: None,
            media: None,
            sent_at: Timestamp(0),
            replayed: false,
        });
        database.commit_inbound(fence, messages.collect()).await?;
    }
    Ok(())
}
