use std::{collections::HashSet, fmt::Write as _, fs, path::Path};

use super::{SPECS, process};

const BEGIN: &str = "<!-- metrics: written by `UPDATE_DOCS=1 cargo test -p telemetry` from the table in crates/telemetry -->\n";
const END: &str = "<!-- end of metrics -->\n";

fn markdown() -> String {
    let mut text =
        String::from("| Metric | Kind | Labels | Reported by | What it says |\n|---|---|---|---|---|\n");
    for spec in SPECS {
        let labels: Vec<_> =
            spec.labels.iter().map(|label| format!("`{}`", label.replace('.', "_"))).collect();
        let (name, kind, labels) = (spec.prometheus(), spec.kind(), labels.join(", "));
        let _ = writeln!(text, "| `{name}` | {kind} | {labels} | {} | {} |", spec.by, spec.help);
    }
    text
}

#[test]
fn the_documentation_has_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/telemetry.md");
    let written = fs::read_to_string(&path).unwrap();
    let (before, rest) = written.split_once(BEGIN).expect("the mark before the table");
    let (_, after) = rest.split_once(END).expect("the mark behind the table");
    let expected = format!("{before}{BEGIN}{}{END}{after}", markdown());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(written == expected, "docs/telemetry.md is old: run `UPDATE_DOCS=1 cargo test -p telemetry`");
}

/// Rules and the dashboard ask for metrics that exist.
#[test]
fn rules_and_dashboard_name_metrics_of_the_table() {
    let known: HashSet<String> = SPECS
        .iter()
        .flat_map(|spec| {
            let name = spec.prometheus();
            ["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")).into_iter().chain([name])
        })
        .chain(process::NAMES.map(str::to_owned))
        .collect();
    for file in ["alerts.yaml", "grafana-dashboard.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docker/observability").join(file);
        let text = fs::read_to_string(&path).unwrap();
        let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        let asked: Vec<_> = words
            .filter(|word| {
                ["wa_gateway_", "http_server_", "process_"].iter().any(|own| word.starts_with(own))
            })
            .collect();
        assert!(asked.len() > 10, "{file} asks for {asked:?}");
        for name in asked {
            assert!(known.contains(name), "{file} asks for {name}, which no process reports");
        }
    }
}

#[test]
fn names_are_prometheus_names_and_come_once() {
    let mut met = HashSet::new();
    for spec in SPECS {
        let name = spec.prometheus();
        let allowed = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        assert!(name.chars().all(allowed), "{name}");
        assert!(met.insert(name.clone()), "{name} comes twice");
        assert!(spec.help.ends_with('.'), "{name}: {}", spec.help);
        assert!(spec.buckets.is_sorted(), "{name}");
        assert_eq!(spec.buckets.is_empty(), spec.kind() != "histogram", "{name}");
    }
}
