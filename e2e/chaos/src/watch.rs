//! How long each session is off line, as WhatsApp's server sees it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fake_whatsapp::AccountHandle;
use parking_lot::Mutex;
use tokio::task::JoinSet;

/// How exact times are.
const LOOK: Duration = Duration::from_millis(20);

/// Watches the connections of accounts until it is dropped.
#[derive(Debug)]
pub struct Watch {
    lines: Arc<Mutex<Vec<Line>>>,
    _looking: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Line {
    off_since: Option<Instant>,
    gaps: Vec<(Instant, Duration)>,
}

impl Watch {
    /// Begins.
    #[must_use]
    pub fn begin(accounts: Vec<AccountHandle>) -> Self {
        let lines: Vec<Line> = accounts.iter().map(|_| Line::default()).collect();
        let lines = Arc::new(Mutex::new(lines));
        let mut looking = JoinSet::new();
        looking.spawn(look(accounts, Arc::clone(&lines)));
        Self { lines, _looking: looking }
    }

    /// The gaps that began after `since` and are over, and how many still last.
    #[must_use]
    pub fn gaps(&self, since: Instant) -> (Vec<Duration>, usize) {
        let lines = self.lines.lock();
        let over = lines.iter().flat_map(|line| &line.gaps);
        let gaps = over.filter(|(began, _)| *began >= since).map(|(_, gap)| *gap).collect();
        (gaps, lines.iter().filter(|line| line.off_since.is_some()).count())
    }

    /// How many are on line.
    #[must_use]
    pub fn on_line(&self) -> usize {
        self.lines.lock().iter().filter(|line| line.off_since.is_none()).count()
    }
}

async fn look(accounts: Vec<AccountHandle>, lines: Arc<Mutex<Vec<Line>>>) {
    loop {
        let now = Instant::now();
        for (account, line) in accounts.iter().zip(lines.lock().iter_mut()) {
            match (account.connected() > 0, line.off_since) {
                (true, Some(since)) => {
                    line.gaps.push((since, now - since));
                    line.off_since = None;
                }
                (false, None) => line.off_since = Some(now),
                (true, None) | (false, Some(_)) => {}
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}
