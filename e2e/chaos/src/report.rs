//! What a scenario found.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

/// The figures of one scenario, and what of them was not as promised.
#[derive(Debug, Serialize)]
pub struct Report {
    scenario: &'static str,
    sessions: usize,
    figures: Vec<Figure>,
    broken: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
}

impl Report {
    pub(crate) const fn new(scenario: &'static str, sessions: usize) -> Self {
        Self { scenario, sessions, figures: Vec::new(), broken: Vec::new() }
    }

    /// Notes a figure.
    pub(crate) fn figure(&mut self, what: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { what: what.into(), value, unit });
    }

    /// Notes a number of things.
    #[expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]
    pub(crate) fn count(&mut self, what: impl Into<String>, count: usize) {
        self.figure(what, count as f64, "");
    }

    /// Notes how times are spread.
    pub(crate) fn times(&mut self, what: &str, times: &mut [Duration]) {
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("longest", 1.0)] {
            self.figure(format!("{what}, {name}"), quantile(times, share).as_secs_f64(), "s");
        }
    }

    /// Notes a number that must be zero.
    pub(crate) fn zero(&mut self, what: &str, count: usize) {
        self.count(what, count);
        self.promise(count == 0, || format!("{what}: {count}"));
    }

    /// Notes what was promised and is not so.
    pub(crate) fn promise(&mut self, kept: bool, words: impl FnOnce() -> String) {
        if !kept {
            self.broken.push(words());
        }
    }

    /// What was promised and is not so.
    #[must_use]
    pub fn broken(&self) -> &[String] {
        &self.broken
    }

    /// A table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let width = self.figures.iter().map(|figure| figure.what.len()).max().unwrap_or(0);
        let mut lines = vec![format!("{} ({} sessions)", self.scenario, self.sessions)];
        for Figure { what, value, unit } in &self.figures {
            let value = if unit.is_empty() { format!("{value}") } else { format!("{value:.3} {unit}") };
            lines.push(format!("  {what:width$}  {value}"));
        }
        lines.extend(self.broken.iter().map(|words| format!("  NOT AS PROMISED: {words}")));
        lines.join("\n")
    }

    /// Writes it as JSON; returns where.
    pub fn save(&self, folder: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.json", self.scenario));
        fs::write(&path, serde_json::to_vec_pretty(self)?)?;
        Ok(path)
    }
}

/// The time that a share of all times does not exceed.
pub(crate) fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into a list of a few thousand"
    )]
    let index = ((times.len() as f64 * share).ceil() as usize).saturating_sub(1);
    times.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let mut times: Vec<_> = (1..=100).rev().map(Duration::from_secs).collect();
        for (share, seconds) in [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1)] {
            assert_eq!(quantile(&mut times, share), Duration::from_secs(seconds), "{share}");
        }
        assert_eq!(quantile(&mut [], 0.5), Duration::ZERO);
    }

    #[test]
    fn what_must_be_zero_and_is_not_is_said() {
        let mut report = Report::new("test", 1);
        report.zero("lost", 0);
        assert!(report.broken().is_empty());
        report.zero("doubled", 2);
        assert_eq!(report.broken(), ["doubled: 2"]);
        assert!(report.table().contains("NOT AS PROMISED: doubled: 2"));
    }
}
