//! Checks, one after the other, each with its name and its time.

use std::{fmt::Display, io::Write as _, panic::AssertUnwindSafe, time::Instant};

use futures::FutureExt as _;

/// The checks so far. One that fails does so by a panic, as tests do.
#[derive(Debug, Default)]
pub struct Suite {
    passed: usize,
    failed: Vec<String>,
}

impl Suite {
    /// Runs a check; whether it passed.
    pub async fn check(&mut self, name: &str, check: impl Future<Output = ()>) -> bool {
        let began = Instant::now();
        let passed = AssertUnwindSafe(check).catch_unwind().await.is_ok();
        let took = began.elapsed().as_secs_f64();
        if passed {
            self.passed += 1;
            self.say(format_args!("ok      {took:>6.1} s  {name}"));
        } else {
            self.failed.push(name.to_owned());
            self.say(format_args!("FAILED  {took:>6.1} s  {name}"));
        }
        passed
    }

    /// Says how it went; whether all passed, and there were any.
    pub fn passed(&self) -> bool {
        self.say(format_args!("{} passed, {} failed", self.passed, self.failed.len()));
        for name in &self.failed {
            self.say(format_args!("  {name}"));
        }
        self.failed.is_empty() && self.passed > 0
    }

    /// Writes a line.
    pub fn say(&self, text: impl Display) {
        // Nobody reads any more: nothing is left to be said.
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}
