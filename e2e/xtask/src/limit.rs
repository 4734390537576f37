//! What hangs is ended, so that a run says which step it was instead of never ending.

use std::{
    collections::HashMap,
    fs,
    process::{Child, Command},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

/// What one command of a step may take: more than twice what the longest one takes on two cores.
pub(crate) const LIMIT: Duration = Duration::from_mins(35);

/// Ends a process and all that it started unless it is called off in time.
pub(crate) struct Limit {
    /// Its end calls it off.
    running: Sender<()>,
    watch: JoinHandle<bool>,
}

impl Limit {
    pub(crate) fn of(child: &Child, limit: Duration) -> Self {
        let process = child.id();
        let (running, over) = mpsc::channel();
        let watch = thread::spawn(move || {
            let late = over.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
            if late {
                end(&family(process, &parents()));
            }
            late
        });
        Self { running, watch }
    }

    /// Calls it off; returns whether it was too late.
    pub(crate) fn was_reached(self) -> bool {
        drop(self.running);
        self.watch.join().unwrap_or(false)
    }
}

fn end(processes: &[u32]) {
    let processes = processes.iter().map(ToString::to_string);
    // Those that have ended by themselves are none of its business.
    let _ = Command::new("kill").arg("-KILL").args(processes).output();
}

/// A process and those that it started, and those that they started.
fn family(first: u32, parents: &HashMap<u32, u32>) -> Vec<u32> {
    let mut family = vec![first];
    let mut seen = 0;
    while let Some(&parent) = family.get(seen) {
        family.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(child, _)| *child));
        seen += 1;
    }
    family
}

/// Every process with the one that started it, as Linux shows them in `/proc`.
fn parents() -> HashMap<u32, u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    processes
        .filter_map(|process: u32| {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            Some((process, parent(&stat)?))
        })
        .collect()
}

/// The parent in a line of `/proc/<process>/stat`: the second field after the name, which is in
/// parentheses and may hold some itself.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_parent_is_read_whatever_the_name_is() {
        assert_eq!(parent("42 (sh) S 7 42 42 0"), Some(7));
        assert_eq!(parent("42 (a) S 1 (b)) S 7 42"), Some(7));
        assert_eq!(parent("42 (sh"), None);
    }

    #[test]
    fn what_hangs_is_ended_with_all_that_it_started() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 600 & wait"]).stdout(Stdio::piped());
        let child = shell.spawn().unwrap();
        let limit = Limit::of(&child, Duration::from_millis(200));
        // Nobody has the pipe any more only when `sleep` is gone as well.
        assert!(!child.wait_with_output().unwrap().status.success());
        assert!(limit.was_reached());
    }

    #[test]
    fn what_ends_in_time_ends_by_itself() {
        let mut child = Command::new("true").spawn().unwrap();
        let limit = Limit::of(&child, Duration::from_mins(1));
        assert!(child.wait().unwrap().success());
        assert!(!limit.was_reached());
    }
}
