use std::{path::Path, time::Duration};

use secrecy::ExposeSecret as _;

use crate::{
    Config, DatabaseTarget, LogFormat, Sampled, Source, Synchronous, TraceSampler, markdown, reference,
};

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn environment(list: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    Config::from_sources(None, &[], &pairs(list)).map_err(texts)
}

fn file(text: &str) -> Result<Config, Vec<String>> {
    Config::from_sources(Some(text), &[], &[]).map_err(texts)
}

fn texts(problems: crate::Problems) -> Vec<String> {
    problems.0.into_iter().map(|problem| problem.to_string()).collect()
}

#[test]
fn nothing_needs_to_be_set() {
    let config = environment(&[]).unwrap();
    assert_eq!((config.http.port, config.http.body_limit), (5001, 1 << 20));
    assert_eq!(config.storage.sqlite_synchronous, Synchronous::Full);
    assert_eq!(config.runner.lease, Duration::from_secs(6));
    assert_eq!((config.send.wait, config.send.ttl), (Duration::from_secs(10), Duration::from_hours(24)));
    assert!(config.egress.allow.is_empty() && config.nats.url.is_none() && !config.send.typing_indicator);
    assert!(config.listen().unwrap().local_only);
    let DatabaseTarget::Sqlite(path) = config.database() else { panic!("not SQLite") };
    assert_eq!(path, Path::new("./data/gateway.db"));
}

#[test]
fn the_environment_wins_over_dotenv_and_that_over_the_file() {
    let text = "port = 1\nadmin_user = 'file'\nrunner_capacity = 7\n";
    let dotenv = pairs(&[("PORT", "2"), ("ADMIN_USER", "dotenv"), ("KEY", "")]);
    let config =
        Config::from_sources(Some(text), &dotenv, &pairs(&[("PORT", "3"), ("ADMIN_USER", "")])).unwrap();
    assert_eq!(
        (config.http.port, config.access.admin_user.as_str(), config.runner.capacity),
        (3, "dotenv", 7)
    );
    let source = |name| config.in_force.iter().find(|setting| setting.name == name).unwrap().source;
    assert_eq!(source("PORT"), Source::Environment);
    assert_eq!(source("ADMIN_USER"), Source::Dotenv);
    assert_eq!(source("RUNNER_CAPACITY"), Source::File);
    assert_eq!(source("KEY"), Source::Default);
}

#[test]
fn values_take_many_forms() {
    let config = environment(&[
        ("HOST", "localhost"),
        ("TYPING_INDICATOR", "on"),
        ("RUNNER_RENEW_SECONDS", "0.25"),
        ("EGRESS_ALLOW", "10.1.0.0/16, fd00::/8,192.168.1.7"),
        ("TRUSTED_PROXIES", "10.0.0.0/8"),
        ("SQLITE_SYNCHRONOUS", "normal"),
        ("METRICS_ADDR", "127.0.0.1:9464"),
        ("NATS_URL", "nats://one:4222, tls://two"),
        ("DATABASE_URL", "postgres://u:p@db/wa"),
        ("KEY", " spaced "),
        ("LOG_FORMAT", "text"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
    ])
    .unwrap();
    let logging = &config.logging;
    assert_eq!(logging.trace_sampler, TraceSampler { parent_based: false, others: Sampled::Part });
    assert_eq!((logging.otlp_traces, logging.otlp_metrics), (true, false));
    assert!((logging.trace_ratio - 0.25).abs() < f64::EPSILON);
    assert!(config.http.host.unwrap().is_loopback() && config.send.typing_indicator);
    assert_eq!(config.runner.renew, Duration::from_millis(250));
    assert_eq!(config.egress.allow.len(), 3);
    assert_eq!(config.http.trusted_proxies, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(config.webhooks.key.as_ref().unwrap().expose_secret(), "spaced");
    assert_eq!(config.log_format(false), LogFormat::Text);
    assert!(
        matches!(config.database(), DatabaseTarget::Postgres(url) if url.expose() == "postgres://u:p@db/wa")
    );
    for (url, expected) in [("sqlite:a/b.db", "a/b.db"), ("sqlite:///a/b.db?mode=rwc", "/a/b.db")] {
        let DatabaseTarget::Sqlite(path) = environment(&[("DATABASE_URL", url)]).unwrap().database() else {
            panic!("{url}")
        };
        assert_eq!(path, Path::new(expected));
    }
}

#[test]
fn the_format_of_logs_follows_the_terminal() {
    let config = environment(&[]).unwrap();
    assert_eq!((config.log_format(true), config.log_format(false)), (LogFormat::Text, LogFormat::Json));
}

#[test]
fn a_wrong_value_is_refused_with_its_name_and_what_is_allowed() {
    let table = [
        ("PORT", "http", "PORT=http from the environment must be a whole number from 1 to 65535"),
        (
            "OTEL_TRACES_SAMPLER_ARG",
            "1.5",
            "OTEL_TRACES_SAMPLER_ARG=1.5 from the environment must be a number from 0 to 1",
        ),
        (
            "OTEL_TRACES_SAMPLER_ARG",
            "NaN",
            "OTEL_TRACES_SAMPLER_ARG=NaN from the environment must be a number from 0 to 1",
        ),
        ("PORT", "0", "PORT=0 from the environment must be a whole number from 1 to 65535"),
        (
            "HOST",
            "gateway",
            "HOST=gateway from the environment must be an IP address of this machine, such as 127.0.0.1, 0.0.0.0 or ::",
        ),
        ("TYPING_INDICATOR", "maybe", "TYPING_INDICATOR=maybe from the environment must be true or false"),
        (
            "WEBHOOK_TIMEOUT_SECONDS",
            "0",
            "WEBHOOK_TIMEOUT_SECONDS=0 from the environment must be a number of seconds from 0.5 to 300",
        ),
        (
            "SEND_WAIT_SECONDS",
            "-1",
            "SEND_WAIT_SECONDS=-1 from the environment must be a number of seconds from 0 to 300",
        ),
        (
            "SEND_WAIT_SECONDS",
            "NaN",
            "SEND_WAIT_SECONDS=NaN from the environment must be a number of seconds from 0 to 300",
        ),
        ("SQLITE_SYNCHRONOUS", "off", "SQLITE_SYNCHRONOUS=off from the environment must be full or normal"),
        (
            "EGRESS_ALLOW",
            "10.0.0.0/33",
            "EGRESS_ALLOW=10.0.0.0/33 from the environment must be networks such as 10.1.0.0/16 or addresses, separated by commas",
        ),
        (
            "NATS_PREFIX",
            "a b",
            "NATS_PREFIX=a b from the environment must be letters, digits, dashes and underscores, in parts separated by dots",
        ),
        ("STATUS_TOKEN", "tooshort", "STATUS_TOKEN from the environment must be 24 to 512 bytes long"),
        (
            "SECRET_KEYS",
            "hunter2",
            "SECRET_KEYS from the environment must be different keys of 32 bytes in base64 (`openssl rand -base64 32`), separated by commas",
        ),
        (
            "DATABASE_URL",
            "mysql://u:p@db/wa",
            "DATABASE_URL from the environment must be a URL that starts with postgres: or postgresql: or sqlite:",
        ),
        (
            "WEBHOOK_BASE_URL",
            "ftp://x",
            "WEBHOOK_BASE_URL from the environment must be a URL that starts with http: or https:",
        ),
    ];
    for (name, value, expected) in table {
        assert_eq!(environment(&[(name, value)]).unwrap_err(), [expected]);
    }
}

#[test]
fn everything_wrong_is_said_at_once() {
    let problems = Config::from_sources(
        Some("prot = 1\n[runner]\ncapacity = 'many'"),
        &pairs(&[("WEBHOOK_TIMOUT_SECONDS", "1")]),
        &pairs(&[("PORT", "x"), ("BCRYPT_COST", "99")]),
    )
    .unwrap_err();
    assert_eq!(problems.0.len(), 5, "{problems}");
}

#[test]
fn an_unknown_name_is_refused_where_it_must_be_ours() {
    let table = [
        ("prot = 1", "prot from the configuration file is no setting; did you mean PORT?"),
        (
            "[runner]\ncapcity = 1",
            "runner.capcity from the configuration file is no setting; did you mean RUNNER_CAPACITY?",
        ),
        ("favourite_colour = 'blue'", "favourite_colour from the configuration file is no setting"),
        ("runner_name = 'a'\n[runner]\nname = 'b'", "RUNNER_NAME is there twice in the configuration file"),
        (
            "port = 2026-01-01",
            "port in the configuration file must be text, a number, true or false, or a list of these",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(file(text).unwrap_err(), [expected]);
    }
    assert!(
        file("port = 1\nhost = ").unwrap_err()[0]
            .starts_with("the configuration file is not valid TOML in line 2")
    );

    assert_eq!(
        environment(&[("WEBHOOK_CONCURENCY", "1")]).unwrap_err(),
        ["WEBHOOK_CONCURENCY from the environment is no setting; did you mean WEBHOOK_CONCURRENCY?"]
    );
    let others = [
        ("PATH", "/bin"),
        ("PROT", "1"),
        ("DATABASE_PASSWORD", "x"),
        ("RUNNER_OS", "Linux"),
        ("WEBHOOK_DISPATCHER_SERVICE_HOST", "10.0.0.1"),
        ("WEBHOOK_DISPATCHER_SERVICE_PORT_HTTP", "80"),
        ("WEBHOOK_DISPATCHER_PORT", "tcp://10.0.0.1:80"),
        ("WEBHOOK_DISPATCHER_PORT_80_TCP_ADDR", "10.0.0.1"),
    ];
    environment(&others).unwrap();
}

#[test]
fn the_file_may_use_tables_and_lists() {
    let config = file(
        "egress_allow = ['10.0.0.0/8', '::1']\n[runner.lease]\nseconds = 7.5\n[typing]\nindicator = true",
    )
    .unwrap();
    assert_eq!((config.egress.allow.len(), config.runner.lease), (2, Duration::from_millis(7500)));
    assert!(config.send.typing_indicator);
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    let table: [(&[(&str, &str)], &str); 5] = [
        (
            &[("RUNNER_FENCE_SECONDS", "6")],
            "RUNNER_FENCE_SECONDS (6) must be shorter than RUNNER_LEASE_SECONDS (6)",
        ),
        (
            &[("RUNNER_RENEW_SECONDS", "5")],
            "RUNNER_RENEW_SECONDS (5) must be shorter than RUNNER_FENCE_SECONDS (4)",
        ),
        (
            &[("SEND_WAIT_SECONDS", "30")],
            "SEND_WAIT_SECONDS (30) must be shorter than REQUEST_TIMEOUT_SECONDS (30)",
        ),
        (&[("AUTOSCALE_MIN", "11")], "AUTOSCALE_MIN (11) must not be more than AUTOSCALE_MAX (10)"),
        (
            &[("WEBHOOK_CONCURRENCY", "8")],
            "WEBHOOK_CONCURRENCY_PER_ENDPOINT (16) must not be more than WEBHOOK_CONCURRENCY (8)",
        ),
    ];
    for (list, expected) in table {
        assert_eq!(environment(list).unwrap_err(), [expected]);
    }
}

#[test]
fn no_secret_is_ever_shown() {
    let list = [
        ("ADMIN_PASSWORD", "hunter2"),
        ("STATUS_TOKEN", "hunter2hunter2hunter2hunter2"),
        ("SECRET_KEYS", "hunter2ZAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk="),
        ("KEY", "hunter2"),
        ("DATABASE_URL", "postgres://anna:hunter2@db/wa?password=hunter2"),
        ("NATS_URL", "nats://hunter2@one,nats://u:hunter2@two"),
        ("MEDIA_URL", "s3://hunter2:hunter2@bucket/path"),
        ("WEBHOOK_BASE_URL", "https://u:hunter2@example.org/hook?token=hunter2"),
        ("PORT", "0"),
    ];
    let refused = environment(&list).unwrap_err().join("\n");
    let config = environment(&list[..list.len() - 1]).unwrap();
    for said in [
        refused,
        config.describe(),
        format!("{config:?}"),
        format!("{:?} {:?}", config.access, config.storage),
    ] {
        assert!(!said.contains("hunter2"), "{said}");
    }
    let described = config.describe();
    assert!(
        described.contains("DATABASE_URL                     = postgres://***@db/wa  [the environment]"),
        "{described}"
    );
    assert!(
        described.contains("NATS_URL                         = nats://***@one,nats://***@two"),
        "{described}"
    );
}

#[test]
fn every_default_is_allowed_and_every_setting_is_explained() {
    let settings: Vec<_> = reference().into_iter().flat_map(|(_, settings)| settings).collect();
    assert!(settings.len() > 40);
    for setting in settings {
        assert!(setting.help.ends_with('.') && setting.help.len() > 10, "{}", setting.name);
        assert!(setting.default.is_some() == setting.unset.is_empty(), "{}", setting.name);
    }
}

#[test]
fn the_documentation_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, markdown()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == markdown(), "docs/configuration.md is old: run `UPDATE_DOCS=1 cargo test -p config`");
}

#[test]
fn the_named_file_is_read_or_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    let missing = Config::load(Some(&path)).unwrap_err();
    assert!(missing.to_string().contains("gateway.toml"), "{missing}");
    std::fs::write(&path, "runner_capacity = 17").unwrap();
    assert_eq!(Config::load(Some(&path)).unwrap().runner.capacity, 17);
}

#[test]
fn one_of_several_processes_says_all_that_it_lacks() {
    let said = |list: &[(&str, &str)]| match environment(list).unwrap().one_of_several("api") {
        Ok(()) => Vec::new(),
        Err(problems) => texts(problems),
    };
    let lacking = said(&[]);
    assert_eq!(lacking.len(), 3, "{lacking:?}");
    for (text, name) in lacking.iter().zip(["DATABASE_URL", "NATS_URL", "SECRET_KEYS"]) {
        assert!(
            text.starts_with("`wa-gateway api` ") && text.contains(&format!("set {name} to "))
                || text.contains("set NATS_URL ("),
            "{text}"
        );
    }
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let all = [("DATABASE_URL", "postgres://u@h/d"), ("NATS_URL", "nats://h"), ("SECRET_KEYS", key)];
    assert_eq!(said(&all), Vec::<String>::new());
    assert_eq!(said(&[all[1], all[2], ("DATABASE_URL", "sqlite:x.db")]).len(), 1);
}

#[test]
fn there_is_one_way_to_log_in_to_nats() {
    let pair = [("NATS_USER", "anna"), ("NATS_PASSWORD", "p@ss")];
    assert!(environment(&pair).is_ok());
    for (list, words) in [
        (vec![pair[0]], "go together"),
        (vec![pair[0], pair[1], ("NATS_TOKEN", "t")], "only one of NATS_USER, NATS_TOKEN"),
        (vec![("NATS_NKEY_FILE", "a"), ("NATS_CREDENTIALS_FILE", "b")], "only one of NATS_NKEY_FILE"),
    ] {
        let problems = environment(&list).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(words), "{problems:?}");
    }
}
