//! What is measured from outside: the machine, and a process's memory and processor time, as Linux tells them.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    load::{histogram, micros},
    problem::{Problem, Result},
};

/// Clock ticks in a second, in which Linux counts processor time for `/proc`.
const TICKS: f64 = 100.0;

/// The machine that a result is from.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub cores: usize,
    pub processor: String,
    pub memory_mib: u64,
    pub kernel: String,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let kib = field(&read("/proc/meminfo"), "MemTotal").unwrap_or(0);
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: read("/proc/cpuinfo")
                .lines()
                .find_map(|line| {
                    line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned())
                })
                .unwrap_or_default(),
            memory_mib: kib / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

/// The load average of the last minute: how many were running or waiting for a core.
pub(crate) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

/// Resident memory of processes together, in KiB.
pub(crate) fn resident(pids: &[u32]) -> Result<u64> {
    pids.iter().map(|pid| memory_of(*pid, "VmRSS")).sum()
}

fn memory_of(pid: u32, which: &str) -> Result<u64> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).map_err(Problem::io("memory of the gateway"))?;
    field(&status, which).ok_or_else(|| Problem::Setup("the gateway has ended".to_owned()))
}

/// The most resident memory that each of these has had since [`forget_peak`], together, in KiB.
pub(crate) fn peak(pids: &[u32]) -> Result<u64> {
    pids.iter().map(|pid| memory_of(*pid, "VmHWM")).sum()
}

/// Begins a new count of the most resident memory.
pub(crate) fn forget_peak(pids: &[u32]) -> Result<()> {
    pids.iter().try_for_each(|pid| {
        fs::write(format!("/proc/{pid}/clear_refs"), "5").map_err(Problem::io("memory of the gateway"))
    })
}

/// Processor time that processes have used so far, together.
pub(crate) fn processor_time(pids: &[u32]) -> Result<Duration> {
    pids.iter().map(|pid| processor_time_of(*pid)).sum()
}

fn processor_time_of(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(Problem::io("processor time"))?;
    ticks(&stat)
        .map(|ticks| Duration::from_secs_f64(ticks / TICKS))
        .ok_or_else(|| Problem::Setup("processor time is told in another form".to_owned()))
}

/// `name: 123 kB`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time. The name in brackets may contain anything, so count from behind it.
fn ticks(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: f64 = fields.nth(11)?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// How long the disk under `folder` takes to make 4 KiB durable, in milliseconds: median of a hundred.
#[expect(clippy::cast_precision_loss, reason = "microseconds of some seconds")]
pub(crate) fn disk(folder: &Path) -> Result<f64> {
    let measure = || -> io::Result<f64> {
        let path = folder.join("fsync");
        let mut file = File::create(&path)?;
        let mut times = histogram();
        for _ in 0..100 {
            let began = Instant::now();
            file.write_all(&[0; 4096])?;
            file.sync_data()?;
            times.saturating_record(micros(began.elapsed()));
        }
        fs::remove_file(path)?;
        Ok(times.value_at_quantile(0.5) as f64 / 1000.0)
    };
    measure().map_err(Problem::io("the data folder"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_behind_the_name() {
        let stat = "12 (a) b (c)) S 1 12 12 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 100 0 0";
        assert_eq!(ticks(stat), Some(300.0));
        assert!(processor_time(&[std::process::id()]).is_ok());
    }

    #[test]
    fn memory_is_found_by_its_name() {
        assert_eq!(field("VmRSSx: 1 kB\nVmRSS:\t  42 kB\n", "VmRSS"), Some(42));
        let me = std::process::id();
        assert!(resident(&[me]).unwrap() > 0);
        forget_peak(&[me]).unwrap();
        assert!(peak(&[me]).unwrap() >= resident(&[me]).unwrap() / 2);
    }
}
