//! What Prometheus and Grafana are given: rules that can be read and do what their cases say, a dashboard that is JSON.

use std::process::Command;

use crate::step::{Outcome, run};

const FOLDER: &str = "docker/observability";

/// `promtool` comes with Debian's package `prometheus`.
pub(crate) fn check() -> Outcome {
    let promtool = |arguments: &[&str]| run(Command::new("promtool").args(arguments).current_dir(FOLDER));
    let json = || {
        run(Command::new("python3")
            .args(["-m", "json.tool", "grafana-dashboard.json", "/dev/null"])
            .current_dir(FOLDER))
    };
    let steps: [&dyn Fn() -> Outcome; 3] = [
        &|| promtool(&["check", "rules", "alerts.yaml"]),
        &|| promtool(&["test", "rules", "alerts-test.yaml"]),
        &json,
    ];
    steps.iter().map(|step| step()).find(|outcome| *outcome != Outcome::Passed).unwrap_or(Outcome::Passed)
}
