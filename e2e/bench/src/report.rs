//! What a benchmark says: a table for people, JSON for machines. The only place that prints.

use std::fmt::Write as _;
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use domain::{Clock as _, SystemClock};
use serde::Serialize;

use crate::{
    machine::{Machine, load_average},
    problem::{Problem, Result},
};

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(goal) => value >= goal,
            Self::AtMost(goal) => value <= goal,
        }
    }
}

/// One measured figure.
#[derive(Debug, Clone, Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<Goal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<bool>,
    /// The machine's load average of the minute before.
    load_average: f64,
}

/// What one benchmark found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    benchmark: &'static str,
    about: &'static str,
    at: String,
    /// `release` or `debug`.
    build: &'static str,
    versions: BTreeMap<&'static str, String>,
    database: Option<String>,
    machine: Machine,
    settings: BTreeMap<&'static str, String>,
    figures: Vec<Figure>,
    notes: Vec<String>,
}

/// How the benchmarks themselves were built; the gateway beside them was built the same way.
pub(crate) const BUILD: &str = if cfg!(debug_assertions) { "debug" } else { "release" };

impl Report {
    pub(crate) fn new(benchmark: &'static str, about: &'static str) -> Self {
        Self {
            benchmark,
            about,
            at: SystemClock.now().to_rfc3339(),
            build: BUILD,
            versions: BTreeMap::new(),
            database: None,
            machine: Machine::this(),
            settings: BTreeMap::new(),
            figures: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The version of something that takes part.
    pub(crate) fn version(&mut self, of: &'static str, version: impl Into<String>) {
        self.versions.insert(of, version.into());
    }

    /// Where the gateway keeps its facts.
    pub(crate) fn database(&mut self, name: impl Into<String>) {
        self.database = Some(name.into());
    }

    /// How it was run.
    pub(crate) fn setting(&mut self, name: &'static str, value: impl std::fmt::Display) {
        self.settings.insert(name, value.to_string());
    }

    /// Something to know when reading the figures.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// A figure without a goal.
    pub(crate) fn figure(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.add(name.into(), value, unit, None);
    }

    /// A figure with a goal.
    pub(crate) fn against(&mut self, name: impl Into<String>, value: f64, unit: &'static str, goal: Goal) {
        self.add(name.into(), value, unit, Some(goal));
    }

    fn add(&mut self, name: String, value: f64, unit: &'static str, goal: Option<Goal>) {
        say(format_args!("  {name}: {}", shown(value, unit)));
        let met = goal.map(|goal| goal.met(value));
        self.figures.push(Figure { name, value, unit, goal, met, load_average: load_average() });
    }

    /// What its file is called, without the extension.
    pub(crate) fn name(&self) -> String {
        match &self.database {
            Some(database) if database.starts_with("three processes") => {
                format!("{}-cluster", self.benchmark)
            }
            Some(database) if database.starts_with("PostgreSQL") => format!("{}-postgres", self.benchmark),
            _ => self.benchmark.to_owned(),
        }
    }

    /// Whether every goal was met.
    pub(crate) fn met(&self) -> bool {
        self.figures.iter().all(|figure| figure.met != Some(false))
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        let mut text = format!("\n{}: {}\n", self.benchmark, self.about);
        let machine = &self.machine;
        let _ = write!(text, "  {} build, {} cores ({})", self.build, machine.cores, machine.processor);
        if let Some(database) = &self.database {
            let _ = write!(text, ", {database}");
        }
        let settings: Vec<String> =
            self.settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let _ = write!(text, "\n  {}\n\n", settings.join(", "));
        let rows: Vec<[String; 5]> = self.figures.iter().map(Figure::row).collect();
        let titles = ["", "measured", "goal", "", "load average"].map(str::to_owned);
        let width = |column: usize| {
            let cells = rows.iter().chain([&titles]).map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths = [0, 1, 2, 3, 4].map(width);
        let [names, values, goals, verdicts, loads] = widths;
        for row in [&titles].into_iter().chain(&rows) {
            let [name, value, goal, verdict, load] = row;
            let line = format!(
                "  {name:names$}  {value:>values$}  {goal:>goals$}  {verdict:verdicts$}  {load:>loads$}"
            );
            text += line.trim_end();
            text.push('\n');
        }
        for note in &self.notes {
            let _ = writeln!(text, "  - {note}");
        }
        say(format_args!("{text}"));
    }

    /// Writes the JSON to `file`, or to its usual place.
    pub(crate) fn save(&self, file: Option<&Path>) -> Result<PathBuf> {
        let file = file.map_or_else(|| results().join(format!("{}.json", self.name())), Path::to_owned);
        let json = serde_json::to_string_pretty(self).map_err(|error| Problem::Setup(error.to_string()))?;
        let save = || {
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&file, json + "\n")
        };
        save().map_err(Problem::io(file.display().to_string()))?;
        Ok(file)
    }
}

impl Figure {
    fn row(&self) -> [String; 5] {
        let goal = match self.goal {
            None => String::new(),
            Some(Goal::AtLeast(goal)) => format!("≥ {}", shown(goal, self.unit)),
            Some(Goal::AtMost(goal)) => format!("≤ {}", shown(goal, self.unit)),
        };
        let verdict = match self.met {
            None => "",
            Some(true) => "met",
            Some(false) => "MISSED",
        };
        [
            self.name.clone(),
            shown(self.value, self.unit),
            goal,
            verdict.to_owned(),
            format!("{:.1}", self.load_average),
        ]
    }
}

/// The folder for results in the package, wherever it was started from.
fn results() -> PathBuf {
    let package =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("e2e/bench"), PathBuf::from);
    package.join("results")
}

fn shown(value: f64, unit: &str) -> String {
    let number = if value.fract() == 0.0 || value.abs() >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    };
    if unit.is_empty() { number } else { format!("{number} {unit}") }
}

/// Prints a line. A reader that went away is no error.
pub(crate) fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Prints a line about what went wrong.
pub(crate) fn complain(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_at_its_bound() {
        for (goal, value, met) in [
            (Goal::AtLeast(20.0), 20.0, true),
            (Goal::AtLeast(20.0), 19.9, false),
            (Goal::AtMost(5.0), 5.0, true),
            (Goal::AtMost(5.0), 5.1, false),
        ] {
            assert_eq!(goal.met(value), met, "{goal:?} {value}");
        }
    }

    #[test]
    fn numbers_are_shown_with_as_many_digits_as_mean_something() {
        assert_eq!(shown(20_123.4, "/s"), "20123 /s");
        assert_eq!(shown(3.456, "ms"), "3.46 ms");
        assert_eq!(shown(0.0, ""), "0");
    }
}
