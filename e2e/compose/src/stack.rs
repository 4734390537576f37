//! The images, and the containers of one run.

use std::{fs, path::Path, process::Command, time::Instant};

use e2e::Rest;
use scratch::free_port;
use tempfile::NamedTempFile;

use crate::{
    engine::{Engine, said},
    say,
};

/// Tags of this run's images, so that nobody's own are replaced.
const RELEASE: &str = "wa-gateway:e2e";
const DEMO: &str = "wa-gateway-demo:e2e";
const PROJECT: &str = "wa-gateway-e2e";
/// The profiles that commands are about.
const EVERYTHING: [&str; 4] = ["--profile", "demo", "--profile", "observability"];
/// Base image of the short form where stand-ins are used.
const DEBIAN: &str = "debian:bookworm-slim";

/// What the profile `observability` adds, and the variable that names its image.
const OBSERVERS: [(&str, &str); 3] = [
    ("prometheus", "PROMETHEUS_IMAGE"),
    ("otel-collector", "OTEL_COLLECTOR_IMAGE"),
    ("grafana", "GRAFANA_IMAGE"),
];

pub const PASSWORD: &str = "a password of this run";

/// Compose's project; taken down when dropped.
pub struct Stack<'a> {
    pub engine: &'a Engine,
    /// The image that ships; in the short form there is none, and the demo's stands in.
    pub image: &'static str,
    pub keep: bool,
    settings: NamedTempFile,
    /// Of the two gateways' APIs.
    pub api: Rest,
    pub demo: Rest,
    /// Ports of the demo's page and of its control API.
    pub page: Rest,
    pub control: Rest,
    pub prometheus: Rest,
    /// Of the profile `observability`, what cannot be had here.
    absent: Vec<&'static str>,
    up: bool,
}

impl<'a> Stack<'a> {
    /// Builds the images.
    #[expect(clippy::expect_used, reason = "no check can go on without it")]
    pub fn build(engine: &'a Engine, full: bool) -> Self {
        for which in ["run", "observe"] {
            stand_ins(engine, which);
        }
        let absent = absent(engine);
        // Without a collector nobody is to wait for one.
        let collector = if absent.contains(&"otel-collector") { "" } else { "http://otel-collector:4318" };
        let [api, demo, page, control, prometheus, grafana] = [0; 6].map(|_| free_port());
        let image = if full { RELEASE } else { DEMO };
        let settings = NamedTempFile::new().expect("a file for settings");
        let text = format!(
            "ADMIN_PASSWORD={PASSWORD}\nSECRET_KEYS=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\
             POSTGRES_PASSWORD=postgres-of-this-run\nNATS_TOKEN=nats-of-this-run\nWA_GATEWAY_IMAGE={image}\n\
             WA_GATEWAY_DEMO_IMAGE={DEMO}\nPORT={api}\nDEMO_PORT={demo}\nDEMO_PAGE_PORT={page}\n\
             DEMO_CONTROL_PORT={control}\nPROMETHEUS_PORT={prometheus}\nGRAFANA_PORT={grafana}\n\
             OTEL_EXPORTER_OTLP_ENDPOINT={collector}\n"
        );
        fs::write(settings.path(), text).expect("settings");
        let admin = |port| Rest::admin(port).login("admin", PASSWORD);
        let stack = Self {
            engine,
            image,
            keep: false,
            settings,
            api: admin(api),
            demo: admin(demo),
            page: admin(page),
            control: admin(control),
            prometheus: admin(prometheus).authorization(None),
            absent,
            up: false,
        };
        if full {
            stand_ins(engine, "build");
            stack.build_image(RELEASE, "gateway", &[]);
            stack.build_image(DEMO, "demo", &[]);
        } else {
            stack.build_from_tests();
        }
        for image in if full { &[RELEASE, DEMO][..] } else { &[DEMO] } {
            let size = stack.inspect(image, "{{.Size}}").parse::<u64>().unwrap_or(0);
            say(format_args!("{image}: {:.1} MiB", mebibytes(size)));
        }
        stack
    }

    /// The demo's image of the programs that tests use.
    #[expect(clippy::expect_used, reason = "no check can go on without it")]
    fn build_from_tests(&self) {
        let folder = Path::new("target/image/demo");
        fs::create_dir_all(folder).expect("a folder for programs");
        for name in ["wa-gateway", "demo"] {
            run(Command::new("strip").arg("-o").arg(folder.join(name)).arg(e2e::binary(name)));
        }
        let mut arguments = vec!["PROGRAMS=prebuilt"];
        // Where stand-ins are used, that of Debian has all that is needed here.
        let label = "{{index .Config.Labels \"wa-gateway.stand-in\"}}";
        let stand_in = self.engine.docker().args(["image", "inspect", "--format", label, DEBIAN]).output();
        if stand_in.is_ok_and(|output| output.status.success() && !output.stdout.trim_ascii().is_empty()) {
            arguments.push("RUST_IMAGE=debian:bookworm-slim");
        }
        self.build_image(DEMO, "demo", &arguments);
        fs::remove_dir_all(folder).expect("the folder for programs goes");
    }

    fn build_image(&self, tag: &str, target: &str, arguments: &[&str]) {
        let began = Instant::now();
        let mut command = self.engine.docker();
        command.args(["build", "--file", "docker/Dockerfile", "--tag", tag, "--target", target]);
        for argument in arguments {
            command.args(["--build-arg", argument]);
        }
        run(command.arg("."));
        say(format_args!("built {tag} in {:.0} s", began.elapsed().as_secs_f64()));
    }

    /// Starts everything that can be had here, both profiles too.
    pub fn up(&mut self) {
        self.up = true;
        let all = run(self.compose().args(EVERYTHING).args(["config", "--services"]));
        let wanted = all.lines().filter(|service| !self.absent.contains(service));
        run(self.compose().args(EVERYTHING).args(["up", "--detach", "--no-build"]).args(wanted));
    }

    /// Whether a service of the profile `observability` can be had here.
    pub fn has(&self, service: &str) -> bool {
        !self.absent.contains(&service)
    }

    /// What a service has written.
    pub fn logs(&self, service: &str) -> String {
        run(self.compose().args(EVERYTHING).args(["logs", "--no-color", "--no-log-prefix", service]))
    }

    /// A command of Compose on this project.
    pub fn compose(&self) -> Command {
        let mut command = self.engine.compose();
        command.args(["--project-name", PROJECT, "--env-file"]).arg(self.settings.path());
        command
    }

    /// The ids of a service's containers.
    pub fn containers(&self, service: &str) -> Vec<String> {
        let ids = run(self.compose().args(EVERYTHING).args(["ps", "--quiet", service]));
        ids.lines().map(str::to_owned).collect()
    }

    /// What the engine knows about a container or an image.
    pub fn inspect(&self, of: &str, format: &str) -> String {
        run(self.engine.docker().args(["inspect", "--format", format, of]))
    }
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        if !self.up || self.keep {
            return;
        }
        if std::thread::panicking() {
            // What the containers said is the best there is to find out why.
            let logs = self.compose().args(EVERYTHING).args(["logs", "--tail", "40"]).output();
            say(logs.map(|output| said(&output)).unwrap_or_default());
        }
        let down = ["down", "--volumes", "--remove-orphans", "--timeout", "10"];
        let _ = self.compose().args(EVERYTHING).args(down).output();
    }
}

/// Makes the base images that no registry gives.
fn stand_ins(engine: &Engine, which: &str) {
    let mut command = Command::new("e2e/images/make.sh");
    run(command.arg(which).env("DOCKER", engine.program()));
}

/// What of the profile `observability` has no image here.
#[expect(clippy::expect_used, reason = "no check can go on without it")]
fn absent(engine: &Engine) -> Vec<&'static str> {
    let file = fs::read_to_string("docker-compose.yml").expect("the compose file");
    let there = |variable: &str| {
        let image = file.split_once(&format!("${{{variable}:-")).and_then(|(_, rest)| rest.split_once('}'));
        let (image, _) = image.expect("the compose file names it");
        let inspected = engine.docker().args(["image", "inspect", image]).output();
        inspected.is_ok_and(|output| output.status.success())
    };
    let absent = OBSERVERS.into_iter().filter(|(_, variable)| !there(variable)).map(|(service, _)| service);
    let absent: Vec<_> = absent.collect();
    if !absent.is_empty() {
        say(format_args!("no image, and nothing to stand in for it: {}", absent.join(", ")));
    }
    absent
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}

/// Runs a command that must succeed; returns what it wrote to standard output.
///
/// # Panics
/// When it fails; says what it wrote.
#[track_caller]
#[expect(clippy::expect_used, reason = "no check can go on without it")]
pub fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, said(&output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
