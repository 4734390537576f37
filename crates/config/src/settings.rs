//! The table of settings: one row is name, type, default, help and secrecy of one setting.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;
use secrecy::SecretString;
use secrets::KeyRing;

use crate::{
    InForce, LogFormat, Problems, SecretUrl, Setting, Synchronous, TraceSampler, checks,
    reference::setting,
    rule::{
        Address, Choice, File, Flag, Keys, Networks, Number, Or, Part, Seconds, Secret, Socket,
        SubjectPrefix, Text, Unset, Urls,
    },
    sources::{Reader, Values},
};

/// Names that begin like this are ours: one that is not in the table is a mistake. Prefixes under which other
/// programs keep settings (`DATABASE_`, `NATS_`, `OTEL_`) are not among them.
pub(crate) const OWN_PREFIXES: &[&str] = &[
    "RUNNER_",
    "SEND_",
    "MEDIA_",
    "WEBHOOK_",
    "WHATSAPP_",
    "SQLITE_",
    "EGRESS_",
    "BCRYPT_",
    "LOGIN_FAILURES_",
    "AUDIT_",
    "AUTOSCALE_",
];

macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        $group:ident: $Group:ident {
            $( $(#[doc = $help:literal])+ $name:ident $field:ident: $ty:ty = $rule:expr; )+
        }
    )+) => {
        $(
            $(#[doc = $about])+
            #[derive(Debug, Clone)]
            pub struct $Group { $( $(#[doc = $help])+ pub $field: $ty, )+ }
        )+

        /// Every setting, in groups. Prints itself without secrets.
        #[derive(Clone)]
        pub struct Config {
            $( $(#[doc = $about])+ pub $group: $Group, )+
            pub(crate) in_force: Vec<InForce>,
        }

        impl Config {
            /// Puts the settings together: `file` is the text of a TOML file; in `dotenv` and `environment` a
            /// name may come several times, and the last one counts. An empty value is as good as none.
            pub fn from_sources(
                file: Option<&str>,
                dotenv: &[(String, String)],
                environment: &[(String, String)],
            ) -> Result<Self, Problems> {
                let mut reader = Reader::new(Values::collect(file, dotenv, environment, NAMES));
                $( $( let $field = reader.read(stringify!($name), &$rule); )+ let $group = ($($field,)+); )+
                let (in_force, mut problems) = reader.finish();
                let config = (|| {
                    $( let ($($field,)+) = $group; let $group = $Group { $($field: $field?,)+ }; )+
                    Some(Self { $($group,)+ in_force })
                })();
                if let Some(config) = &config {
                    problems.extend(checks::conflicts(config));
                }
                match config {
                    Some(config) if problems.is_empty() => Ok(config),
                    _ => Err(Problems(problems)),
                }
            }
        }

        const NAMES: &[&str] = &[$($(stringify!($name)),+),+];

        pub(crate) fn table() -> Vec<(&'static str, Vec<Setting>)> {
            vec![$((
                concat!($($about),+),
                vec![$(setting(stringify!($name), concat!($($help),+), &$rule)),+],
            )),+]
        }
    };
}

settings! {
    /// HTTP: where the API listens and what it takes.
    http: Http {
        /// Address to listen on.
        HOST host: Option<IpAddr> = Unset("0.0.0.0; without an `ADMIN_PASSWORD` of your own 127.0.0.1", Address);
        /// Port to listen on.
        PORT port: u16 = Or("5001", Number(1..=65_535));
        /// Largest request body.
        BODY_LIMIT_BYTES body_limit: usize = Or("1048576", Number(1024..=104_857_600));
        /// Time for one request; must be longer than `SEND_WAIT_SECONDS`.
        REQUEST_TIMEOUT_SECONDS request_timeout: Duration = Or("30", Seconds(1000..=600_000));
        /// Proxies in front of the gateway, such as an ingress: the addresses that they add to `X-Forwarded-For` count as the client's when failed logins are limited, and their `X-Forwarded-Proto` says whether the dashboard's cookie is for HTTPS only.
        TRUSTED_PROXIES trusted_proxies: Vec<IpNet> = Or("", Networks);
        /// Address and port of `/health` and `/ready` of a `session-runner` or a `webhook-dispatcher`, which have no other HTTP.
        HEALTH_ADDR health: SocketAddr = Or("0.0.0.0:5002", Socket);
        /// Address and port of `/metrics`, for Prometheus; see docs/telemetry.md.
        METRICS_ADDR metrics: Option<SocketAddr> = Unset("no metrics", Socket);
    }
    /// Access: who may use the gateway.
    access: Access {
        /// Name of the user with all rights.
        ADMIN_USER admin_user: String = Or("admin", Text);
        /// That user's password.
        ADMIN_PASSWORD admin_password: Option<SecretString> = Unset("`admin`, and only this machine can connect", Secret(1..=72));
        /// Bearer token that opens `/status` for monitoring.
        STATUS_TOKEN status_token: Option<SecretString> = Unset("no such token", Secret(24..=512));
        /// Keys that seal secrets in the database; the first seals, all open. To rotate, put a new one in front.
        SECRET_KEYS secret_keys: Option<KeyRing> = Unset("a key file in `DATA_DIR`, made at the first start", Keys);
        /// Cost of password hashes; each step doubles the time.
        BCRYPT_COST bcrypt_cost: u32 = Or("12", Number(4..=16));
        /// Failed logins from one address within `LOGIN_FAILURES_WINDOW_SECONDS` before it must wait.
        LOGIN_FAILURES_PER_ADDRESS login_failures_per_address: u32 = Or("30", Number(1..=100_000));
        /// Failed logins to one name within `LOGIN_FAILURES_WINDOW_SECONDS` before it must wait.
        LOGIN_FAILURES_PER_NAME login_failures_per_name: u32 = Or("10", Number(1..=100_000));
        /// The window of both.
        LOGIN_FAILURES_WINDOW_SECONDS login_failures_window: Duration = Or("300", Seconds(1000..=86_400_000));
        /// How long the audit log is kept, in days. 0: for ever.
        AUDIT_RETENTION_DAYS audit_retention_days: u32 = Or("90", Number(0..=36_500));
    }
    /// Storage: where facts and files are kept.
    storage: Storage {
        /// Folder for the SQLite database, media and the key file.
        DATA_DIR data_dir: PathBuf = Or("./data", File);
        /// Database: `postgres://user:password@host/name`, or `sqlite:path`.
        DATABASE_URL database_url: Option<SecretUrl> = Unset("SQLite in `DATA_DIR`", Urls { schemes: &["postgres", "postgresql", "sqlite"], several: false });
        /// Connections of one process to PostgreSQL.
        DATABASE_MAX_CONNECTIONS database_max_connections: u32 = Or("20", Number(2..=1000));
        /// Bring the database's schema up to date at the start, one process after the other. Otherwise a start waits until `wa-gateway migrate` has done it.
        MIGRATE_ON_START migrate_on_start: bool = Or("true", Flag);
        /// `full`: what was accepted survives a power cut. `normal`: faster, and the last moments may be lost in one.
        SQLITE_SYNCHRONOUS sqlite_synchronous: Synchronous = Or("full", Choice(&[("full", Synchronous::Full), ("normal", Synchronous::Normal)]));
    }
    /// Media: files of messages, both ways.
    media: Media {
        /// Where files are kept: `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`. Credentials come from the service's own settings, such as `AWS_ACCESS_KEY_ID` and `AWS_ENDPOINT`.
        MEDIA_URL url: Option<SecretUrl> = Unset("the folder `media` in `DATA_DIR`", Urls { schemes: &["file", "s3", "gs", "az", "azure", "abfs", "abfss"], several: false });
        /// Address that others reach this gateway at, for links to files in webhooks.
        PUBLIC_URL public_url: Option<SecretUrl> = Unset("links begin with the path", Urls { schemes: &["http", "https"], several: false });
        /// How long such a link opens its file without a login.
        MEDIA_LINK_TTL_SECONDS link_ttl: Duration = Or("604800", Seconds(60_000..=31_536_000_000));
        /// Days that received files are kept, once webhooks have told about them; 0: for ever.
        MEDIA_RETENTION_DAYS retention_days: u32 = Or("30", Number(0..=36_500));
        /// What received files may take up in all; beyond that the oldest are removed.
        MEDIA_MAX_BYTES max_bytes: Option<u64> = Unset("no such limit", Number(1..=u64::MAX));
        /// How long one file may take on each part of its way.
        MEDIA_TRANSFER_SECONDS transfer: Duration = Or("1800", Seconds(1000..=86_400_000));
        /// Largest picture that is sent.
        MEDIA_IMAGE_MAX_BYTES image_max: u64 = Or("16777216", Number(1..=67_108_864_u64));
        /// Largest film that is sent.
        MEDIA_VIDEO_MAX_BYTES video_max: u64 = Or("67108864", Number(1..=2_147_483_648_u64));
        /// Largest sound or voice note that is sent.
        MEDIA_AUDIO_MAX_BYTES audio_max: u64 = Or("16777216", Number(1..=2_147_483_648_u64));
        /// Largest sticker that is sent.
        MEDIA_STICKER_MAX_BYTES sticker_max: u64 = Or("1048576", Number(1..=67_108_864_u64));
        /// Largest document that is sent, and largest file of any kind that is received.
        MEDIA_DOCUMENT_MAX_BYTES document_max: u64 = Or("2147483648", Number(1..=2_147_483_648_u64));
    }
    /// NATS: how the processes `wa-gateway api`, `session-runner` and `webhook-dispatcher` talk. Needs PostgreSQL.
    nats: Nats {
        /// Servers: `nats://host:4222`, `nats://user:password@host`, `nats://token@host`, `tls://host`.
        NATS_URL url: Option<SecretUrl> = Unset("everything in one process", Urls { schemes: &["nats", "tls"], several: true });
        /// First part of every subject, so that several installations can share one NATS.
        NATS_PREFIX prefix: String = Or("wa-gateway", SubjectPrefix);
        /// User, together with `NATS_PASSWORD`.
        NATS_USER user: Option<String> = Unset("the login in `NATS_URL`", Text);
        /// Password of `NATS_USER`.
        NATS_PASSWORD password: Option<SecretString> = Unset("the login in `NATS_URL`", Secret(1..=4096));
        /// Token, in place of a user.
        NATS_TOKEN token: Option<SecretString> = Unset("the login in `NATS_URL`", Secret(1..=4096));
        /// File with the seed of an `NKey`, in place of a user.
        NATS_NKEY_FILE nkey_file: Option<PathBuf> = Unset("the login in `NATS_URL`", File);
        /// File with NATS credentials (`.creds`), in place of a user.
        NATS_CREDENTIALS_FILE credentials_file: Option<PathBuf> = Unset("the login in `NATS_URL`", File);
        /// File with certificates (PEM) to trust besides those of the system.
        NATS_CA_FILE ca_file: Option<PathBuf> = Unset("those of the system only", File);
        /// How long a start waits for NATS; then it goes on without, and is not ready until NATS is there.
        NATS_CONNECT_SECONDS connect: Duration = Or("5", Seconds(0..=3_600_000));
    }
    /// WhatsApp: which servers to connect to.
    whatsapp: Whatsapp {
        /// WebSocket address of the servers.
        WHATSAPP_URL url: Option<SecretUrl> = Unset("WhatsApp's own", Urls { schemes: &["wss", "ws"], several: false });
    }
    /// Session runners: who holds which session.
    runner: Runner {
        /// Name that the API shows for this process.
        RUNNER_NAME name: Option<String> = Unset("the host's name", Text);
        /// Sessions that this process holds at most.
        RUNNER_CAPACITY capacity: u32 = Or("5000", Number(1..=1_000_000));
        /// Connects begun per second; 0: as fast as it can.
        RUNNER_CONNECTS_PER_SECOND connects_per_second: u32 = Or("100", Number(0..=100_000));
        /// How long a claim on sessions outlives the last sign of life of its runner.
        RUNNER_LEASE_SECONDS lease: Duration = Or("6", Seconds(500..=300_000));
        /// After this time without a sign of life that succeeded, a runner cuts its own connections; must be shorter than `RUNNER_LEASE_SECONDS`.
        RUNNER_FENCE_SECONDS fence: Duration = Or("4", Seconds(200..=300_000));
        /// Time between signs of life; must be shorter than `RUNNER_FENCE_SECONDS`.
        RUNNER_RENEW_SECONDS renew: Duration = Or("1", Seconds(50..=300_000));
        /// The longest that a stop waits for its sessions to be handed over.
        RUNNER_DRAIN_SECONDS drain: Duration = Or("20", Seconds(1000..=3_600_000));
        /// Sessions handed over at the same time.
        RUNNER_HAND_OVER_AT_ONCE hand_over_at_once: usize = Or("20", Number(1..=1000));
        /// Sessions above its share that it gives to other runners in a second; 0: none.
        RUNNER_REBALANCE_PER_SECOND rebalance_per_second: u32 = Or("1", Number(0..=1000));
    }
    /// Kubernetes: where a session runner is in a cluster, and how the runners size their own Deployment there; the chart sets all of it.
    kubernetes: Kubernetes {
        /// Name of its pod, for `/admin/runners`.
        POD_NAME pod: Option<String> = Unset("none", Text);
        /// Namespace of its pod.
        POD_NAMESPACE namespace: Option<String> = Unset("that of the service account", Text);
        /// Node that its pod is on, for `/admin/runners`.
        NODE_NAME node: Option<String> = Unset("none", Text);
        /// Deployment that the runners size; one of them is elected.
        AUTOSCALE_DEPLOYMENT deployment: Option<String> = Unset("nobody sizes anything", Text);
        /// Coordination Lease by which it is; it must be there.
        AUTOSCALE_LEASE lease: Option<String> = Unset("of the same name", Text);
        /// Runners at least.
        AUTOSCALE_MIN min: u32 = Or("1", Number(1..=10_000));
        /// Runners at most; not less than `AUTOSCALE_MIN`.
        AUTOSCALE_MAX max: u32 = Or("10", Number(1..=10_000));
        /// Runners beyond one for every `RUNNER_CAPACITY` sessions.
        AUTOSCALE_SPARE spare: u32 = Or("1", Number(0..=1000));
        /// How long fewer must have been enough before one goes.
        AUTOSCALE_STABILISATION_SECONDS stabilisation: Duration = Or("300", Seconds(0..=86_400_000));
        /// Time between looks.
        AUTOSCALE_INTERVAL_SECONDS interval: Duration = Or("15", Seconds(100..=3_600_000));
    }
    /// Sending: messages on their way to WhatsApp.
    send: Send {
        /// How long a request waits for WhatsApp before it is answered with `202` and the message goes on alone.
        SEND_WAIT_SECONDS wait: Duration = Or("10", Seconds(0..=300_000));
        /// How long a message may wait for its session.
        MESSAGE_TTL_SECONDS ttl: Duration = Or("86400", Seconds(1000..=2_592_000_000));
        /// Messages that may wait for one session.
        SEND_QUEUE_LIMIT queue_limit: u64 = Or("10000", Number(1..=10_000_000));
        /// How long messages that were sent, or failed, are kept, in days. 0: for ever.
        MESSAGES_RETENTION_DAYS messages_retention_days: u32 = Or("90", Number(0..=36_500));
        /// Show "typing" before a message, as the Node gateway did: up to five seconds each. A request may say otherwise.
        TYPING_INDICATOR typing_indicator: bool = Or("off", Flag);
    }
    /// Webhooks: events on their way to users.
    webhooks: Webhooks {
        /// Where events of users without a URL of their own go: `/message` and `/session` are appended.
        WEBHOOK_BASE_URL base_url: Option<SecretUrl> = Unset("such events are not sent", Urls { schemes: &["http", "https"], several: false });
        /// Value of the header `key` on every webhook.
        KEY key: Option<SecretString> = Unset("no such header", Secret(1..=4096));
        /// Time for one attempt, from the connection to the last byte of the answer.
        WEBHOOK_TIMEOUT_SECONDS timeout: Duration = Or("15", Seconds(500..=300_000));
        /// Attempts at once in one process.
        WEBHOOK_CONCURRENCY concurrency: usize = Or("256", Number(1..=10_000));
        /// Of these, to one endpoint.
        WEBHOOK_CONCURRENCY_PER_ENDPOINT concurrency_per_endpoint: usize = Or("16", Number(1..=10_000));
        /// How much of an answer is read.
        WEBHOOK_ANSWER_LIMIT_BYTES answer_limit: u64 = Or("65536", Number(0..=16_777_216));
        /// How long events and their delivered webhooks are kept, in days; webhooks that were given up are kept three times as long. 0: for ever.
        EVENTS_RETENTION_DAYS events_retention_days: u32 = Or("30", Number(0..=36_500));
    }
    /// Outgoing requests: where URLs given by users may lead.
    egress: Egress {
        /// Networks that are allowed although they are not public; what this environment names is always allowed.
        EGRESS_ALLOW allow: Vec<IpNet> = Or("", Networks);
    }
    /// Logs, traces and metrics.
    logging: Logging {
        /// Which log lines are written, in the form of Rust's `tracing`: `info,bus=debug`.
        RUST_LOG filter: Option<String> = Unset("information, and warnings only from libraries", Text);
        /// Form of log lines.
        LOG_FORMAT format: Option<LogFormat> = Unset("text at a terminal, else json", Choice(&[("json", LogFormat::Json), ("text", LogFormat::Text)]));
        /// Collector that traces and metrics are sent to, over OTLP (HTTP, protobuf): `/v1/traces` and `/v1/metrics` are appended. The other `OTEL_*` variables are read from the environment only; see docs/telemetry.md.
        OTEL_EXPORTER_OTLP_ENDPOINT otlp_endpoint: Option<SecretUrl> = Unset("nothing is sent", Urls { schemes: &["http", "https"], several: false });
        /// Whether traces are sent there.
        OTEL_TRACES_EXPORTER otlp_traces: bool = Or("otlp", Choice(&[("otlp", true), ("none", false)]));
        /// Whether metrics are sent there.
        OTEL_METRICS_EXPORTER otlp_metrics: bool = Or("otlp", Choice(&[("otlp", true), ("none", false)]));
        /// Which traces are kept. `parentbased_…`: a request or a message that goes on with a trace does as that one does, and the rest is for those that begin one.
        OTEL_TRACES_SAMPLER trace_sampler: TraceSampler = Or("parentbased_traceidratio", Choice(TraceSampler::NAMES));
        /// The part of the traces that `…traceidratio` keeps, from 0 to 1.
        OTEL_TRACES_SAMPLER_ARG trace_ratio: f64 = Or("1", Part);
    }
}
