//! What Prometheus's own libraries say of every process, under their names, from Linux's `/proc`.

use std::{fs, time::SystemTime};

use opentelemetry::metrics::Meter;

/// Of these the descriptions are Prometheus's own.
#[cfg(test)]
pub(super) const NAMES: [&str; 4] = [
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
];

pub(super) fn observe(meter: &Meter) {
    let page = rustix::param::page_size();
    let ticks = rustix::param::clock_ticks_per_second();
    meter
        .f64_observable_counter("process.cpu")
        .with_unit("s")
        .with_description("Total user and system CPU time spent in seconds.")
        .with_callback(move |seen| {
            if let Some(spent) = stat().and_then(|stat| cpu_ticks(&stat)) {
                seen.observe(number(spent) / number(ticks), &[]);
            }
        })
        .build();
    meter
        .f64_observable_gauge("process.resident_memory")
        .with_unit("By")
        .with_description("Resident memory size in bytes.")
        .with_callback(move |seen| {
            let pages = stat().and_then(|stat| field(&stat, 24)?.parse::<u64>().ok());
            if let Some(pages) = pages {
                seen.observe(number(pages) * number(u64::try_from(page).unwrap_or(0)), &[]);
            }
        })
        .build();
    meter
        .f64_observable_gauge("process.open_fds")
        .with_description("Number of open file descriptors.")
        .with_callback(|seen| {
            if let Ok(open) = fs::read_dir("/proc/self/fd") {
                // The folder itself is open while it is read.
                seen.observe(number(u64::try_from(open.count()).unwrap_or(0).saturating_sub(1)), &[]);
            }
        })
        .build();
    let started = since_1970();
    meter
        .f64_observable_gauge("process.start_time")
        .with_unit("s")
        .with_description("Start time of the process since unix epoch in seconds.")
        .with_callback(move |seen| seen.observe(started, &[]))
        .build();
}

#[expect(clippy::cast_precision_loss, reason = "what is lost is less than a byte in a petabyte")]
const fn number(number: u64) -> f64 {
    number as f64
}

fn stat() -> Option<String> {
    fs::read_to_string("/proc/self/stat").ok()
}

/// A field of `/proc/self/stat` by its number in proc(5). The name of the program, the second, may hold anything.
fn field(stat: &str, wanted: usize) -> Option<&str> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(wanted.checked_sub(3)?)
}

fn cpu_ticks(stat: &str) -> Option<u64> {
    let time = |wanted| field(stat, wanted)?.parse::<u64>().ok();
    Some(time(14)? + time(15)?)
}

#[expect(clippy::disallowed_methods, reason = "the time of this start, for people; nothing is decided by it")]
fn since_1970() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_any_name() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 100 23 0 0 20 0 4 0 99 1000 55 18446744073709551615";
        assert_eq!(cpu_ticks(stat), Some(123));
        assert_eq!(field(stat, 24), Some("55"));
        assert_eq!(field("nonsense", 14), None);
    }

    #[test]
    fn this_process_has_used_memory() {
        let own = stat().unwrap();
        assert!(field(&own, 24).unwrap().parse::<u64>().unwrap() > 0, "{own}");
    }
}
