//! The services as real processes, with texts both ways, while somebody kills, freezes and cuts them off. Afterwards
//! everything is counted: what was accepted and what arrived, at each end and for each text.
//!
//! - [`stage`]: PostgreSQL, NATS, a WhatsApp server, a webhook receiver, and the processes, each with wires of its own
//!   that can be cut.
//! - [`traffic`]: texts both ways, each with a name of its own, and the [`traffic::Count`] of what became of them.
//! - [`watch`]: how long each session was off line, and how often it changed hands.
//! - [`audit`]: what PostgreSQL itself saw: no runner may write for a session that another one owns.
//! - [`scenarios`]: one thing that goes wrong each, and what must be true of it.
//! - [`report`]: the figures, printed and as JSON under `target/chaos`.
//!
//! `cargo xtask chaos` runs all of it in its long form, `cargo xtask chaos NAME` one; the tests run the short form.

pub mod audit;
pub mod report;
pub mod scenarios;
pub mod stage;
pub mod traffic;
pub mod watch;

use std::time::Duration;

/// How large and how long.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Linked numbers.
    pub sessions: usize,
    /// Between two texts of one session in one direction.
    pub every: Duration,
    /// How long something is away that comes back.
    pub away: Duration,
    /// How long texts go on before and after.
    pub settle: Duration,
    /// How often WhatsApp drops everybody.
    pub drops: usize,
    /// Sessions above its share that a runner gives in a second.
    pub rebalance_per_second: u32,
    /// Whether times are promised: not so where other work shares the processors.
    pub strict: bool,
}

impl Plan {
    /// What the promises are made for.
    #[must_use]
    pub const fn long() -> Self {
        Self {
            sessions: 200,
            every: Duration::from_secs(8),
            away: Duration::from_secs(30),
            settle: Duration::from_secs(5),
            drops: 10,
            rebalance_per_second: 5,
            strict: true,
        }
    }

    /// What every change is tried with.
    #[must_use]
    pub const fn short() -> Self {
        Self {
            sessions: 30,
            every: Duration::from_secs(2),
            away: Duration::from_secs(8),
            settle: Duration::from_secs(2),
            drops: 2,
            rebalance_per_second: 20,
            strict: false,
        }
    }
}
