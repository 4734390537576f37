//! The benchmarks, one file each.

pub(crate) mod auth;
pub(crate) mod claims;
pub(crate) mod deliveries;
pub(crate) mod idle;
pub(crate) mod inbound;
pub(crate) mod media;
pub(crate) mod restart;
pub(crate) mod send;

use std::{path::PathBuf, time::Duration};

use crate::{gateway::Database, load::Measured, machine, problem::Result, report::Report};

/// What all benchmarks are given.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub program: PathBuf,
    pub data: PathBuf,
    pub database: Database,
    /// Each benchmark has a default of its own for what is `None`.
    pub seconds: Option<u64>,
    pub sessions: Option<u64>,
    pub connections: Option<u64>,
    pub rate: Option<f64>,
}

impl Plan {
    fn duration(&self, seconds: u64) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(seconds))
    }
}

/// Processor time that the gateway and this process use while something goes on: their share of the cores says
/// more than a rate on a machine that does other things as well.
struct Meter {
    gateway: Vec<u32>,
    before: (Duration, Duration),
}

/// Processor time, the gateway's and ours.
struct Used {
    gateway: Duration,
    ours: Duration,
}

impl Meter {
    fn start(gateway: Vec<u32>) -> Result<Self> {
        Ok(Self { before: read(&gateway)?, gateway })
    }

    fn stop(&self) -> Result<Used> {
        let now = read(&self.gateway)?;
        Ok(Used { gateway: now.0.saturating_sub(self.before.0), ours: now.1.saturating_sub(self.before.1) })
    }
}

fn read(gateway: &[u32]) -> Result<(Duration, Duration)> {
    Ok((machine::processor_time(gateway)?, machine::processor_time(&[std::process::id()])?))
}

impl Used {
    /// Reports the gateway's time for each of `count` things.
    #[expect(clippy::cast_precision_loss, reason = "counts of a few million")]
    fn report(&self, report: &mut Report, what: &str, count: u64) {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count.max(1) as f64;
        report.figure(format!("{what}: processor time of the gateway, each"), each(self.gateway), "µs");
        report.figure(format!("{what}: of generator and fake server, each"), each(self.ours), "µs");
    }
}

/// Says what did not end with a 200.
fn failures(report: &mut Report, what: &str, measured: &Measured) {
    for (failure, times) in &measured.failures {
        report.note(format!("{what}: {times} times {failure}"));
    }
}
