//! Two kinds of load. Closed: every connection sends its next request as soon as it has its answer, which finds the
//! most that a service can do. Open: requests are due at fixed times, whether or not earlier ones have been answered, and
//! the clock of each starts when it is due; only this shows the latency that users would see.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::{runtime, task::JoinSet, time::timeout};

use crate::{
    http::Connection,
    problem::{Problem, Result},
};

/// Latencies up to this are told apart, in microseconds.
const LONGEST: u64 = 120_000_000;

/// How long after the end of a load its last answers are waited for.
const LAST_ANSWERS: Duration = Duration::from_secs(30);

/// Writes request `n` of its place into the buffer. A place has one request under way at a time in a closed load.
pub(crate) type Make = dyn Fn(u64, u64, &mut Vec<u8>) + Send + Sync;

/// What was measured.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Microseconds.
    pub latency: Histogram<u64>,
    /// How late requests were begun, in microseconds: what the generator and the machine add by themselves.
    pub lateness: Histogram<u64>,
    /// What did not end with a 200.
    pub failures: BTreeMap<String, u64>,
    pub elapsed: Duration,
}

impl Measured {
    pub(crate) fn new() -> Self {
        Self {
            latency: histogram(),
            lateness: histogram(),
            failures: BTreeMap::new(),
            elapsed: Duration::ZERO,
        }
    }

    /// Successes in one second.
    #[expect(clippy::cast_precision_loss, reason = "counts of a few million")]
    pub(crate) fn rate(&self) -> f64 {
        self.latency.len() as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of some minutes")]
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// Milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of some minutes")]
    pub(crate) fn late(&self, quantile: f64) -> f64 {
        self.lateness.value_at_quantile(quantile) as f64 / 1000.0
    }

    fn note(&mut self, taken: Duration, outcome: std::result::Result<u16, io::ErrorKind>) {
        match outcome {
            Ok(200) => self.latency.saturating_record(micros(taken)),
            Ok(status) => *self.failures.entry(format!("status {status}")).or_default() += 1,
            Err(kind) => *self.failures.entry(kind.to_string()).or_default() += 1,
        }
    }
}

#[expect(clippy::expect_used, reason = "the bounds are constants that fit")]
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("bounds that a histogram can have")
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// One request with its time-out; a connection that failed is opened anew for the next one.
struct Sender {
    address: SocketAddr,
    connection: Option<Connection>,
    request: Vec<u8>,
}

impl Sender {
    const fn new(address: SocketAddr) -> Self {
        Self { address, connection: None, request: Vec::new() }
    }

    async fn send(&mut self) -> std::result::Result<u16, io::ErrorKind> {
        let exchange = async {
            if self.connection.is_none() {
                self.connection = Some(Connection::open(self.address).await?);
            }
            let Some(connection) = &mut self.connection else {
                return Err(io::ErrorKind::NotConnected.into());
            };
            Ok(connection.exchange(&self.request).await?.status)
        };
        let outcome: io::Result<u16> =
            timeout(LAST_ANSWERS, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        outcome.map_err(|error| {
            self.connection = None;
            error.kind()
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a generator on a thread of its own, where all its connections share one event loop.
async fn on_a_thread<F>(work: impl FnOnce() -> F + Send + 'static) -> Result<Measured>
where
    F: Future<Output = Measured>,
{
    let thread = move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.map(|runtime| runtime.block_on(work()))
    };
    match tokio::task::spawn_blocking(thread).await {
        Ok(measured) => measured.map_err(Problem::io("the load generator")),
        Err(_) => Err(Problem::Setup("the load generator failed".to_owned())),
    }
}

/// A closed load on `places` connections. The first `warm_up` of it is not counted.
pub(crate) async fn closed(
    address: SocketAddr,
    places: u64,
    warm_up: Duration,
    duration: Duration,
    make: Arc<Make>,
) -> Result<Measured> {
    on_a_thread(move || async move {
        let measured = Arc::new(Mutex::new(Measured::new()));
        let from = Instant::now() + warm_up;
        let until = from + duration;
        let mut senders = JoinSet::new();
        for place in 0..places {
            let (measured, make) = (Arc::clone(&measured), Arc::clone(&make));
            senders.spawn(async move {
                let mut sender = Sender::new(address);
                for n in 0.. {
                    make(place, n, &mut sender.request);
                    let began = Instant::now();
                    if began >= until {
                        return;
                    }
                    let outcome = sender.send().await;
                    let now = Instant::now();
                    if now >= from && now < until {
                        lock(&measured).note(now - began, outcome);
                    } else if outcome.is_err() && now < from {
                        // Nothing to learn from; do not spin.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            });
        }
        while senders.join_next().await.is_some() {}
        let mut measured = std::mem::replace(&mut *lock(&measured), Measured::new());
        measured.elapsed = duration;
        measured
    })
    .await
}

/// An open load: `rate` requests a second, spread evenly over the places; as many connections as it takes, up to
/// `connections`, beyond which requests wait in line (and their clocks run).
pub(crate) async fn open(
    address: SocketAddr,
    places: u64,
    connections: usize,
    rate: f64,
    duration: Duration,
    make: Arc<Make>,
) -> Result<Measured> {
    on_a_thread(move || async move {
        let measured = Arc::new(Mutex::new(Measured::new()));
        let (due, arrivals) = async_channel::unbounded();
        let pacer = thread::spawn(move || {
            every(rate, duration, |n, at| {
                let _ = due.try_send((n, at));
            });
        });
        let mut senders = JoinSet::new();
        let began = Instant::now();
        for _ in 0..connections {
            let (measured, make, arrivals) = (Arc::clone(&measured), Arc::clone(&make), arrivals.clone());
            senders.spawn(async move {
                let mut sender = Sender::new(address);
                while let Ok((n, at)) = arrivals.recv().await {
                    make(n % places, n / places, &mut sender.request);
                    let late = at.elapsed();
                    let outcome = sender.send().await;
                    let mut measured = lock(&measured);
                    measured.lateness.saturating_record(micros(late));
                    measured.note(at.elapsed(), outcome);
                }
            });
        }
        while senders.join_next().await.is_some() {}
        let _ = pacer.join();
        let mut measured = std::mem::replace(&mut *lock(&measured), Measured::new());
        measured.elapsed = began.elapsed();
        measured
    })
    .await
}

/// Calls at fixed times, `rate` a second, on this thread; `at` is when the call was due. Sleeps as precisely as the
/// system can, which asynchronous timers (whole milliseconds) do not.
pub(crate) fn every(rate: f64, duration: Duration, mut call: impl FnMut(u64, Instant)) {
    let gap = Duration::from_secs_f64(1.0 / rate.max(0.001));
    let began = Instant::now();
    let mut at = began;
    let mut n = 0;
    while at < began + duration {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        call(n, at);
        n += 1;
        at += gap;
    }
}

/// Calls a thing for each number below `count`, `parallel` at a time, and stops at the first problem.
pub(crate) async fn in_parallel<F, W>(parallel: usize, numbers: std::ops::Range<u64>, work: F) -> Result<()>
where
    F: Fn(Arc<AtomicU64>, u64) -> W,
    W: Future<Output = Result<()>> + Send + 'static,
{
    let next = Arc::new(AtomicU64::new(numbers.start));
    let mut tasks = JoinSet::new();
    for _ in 0..parallel {
        tasks.spawn(work(Arc::clone(&next), numbers.end));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| Problem::Setup(error.to_string()))??;
    }
    Ok(())
}

/// The next number below `end`.
pub(crate) fn take(next: &AtomicU64, end: u64) -> Option<u64> {
    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_due_evenly() {
        let mut calls = Vec::new();
        every(1000.0, Duration::from_millis(20), |n, at| calls.push((n, at)));
        assert_eq!(calls.len(), 20);
        assert!(calls.windows(2).all(|pair| pair[1].1 - pair[0].1 == Duration::from_millis(1)));
    }

    #[test]
    fn only_a_200_counts_as_done() {
        let mut measured = Measured::new();
        measured.note(Duration::from_millis(3), Ok(200));
        measured.note(Duration::from_millis(3), Ok(202));
        measured.note(Duration::from_millis(3), Err(io::ErrorKind::TimedOut));
        assert_eq!((measured.latency.len(), measured.failed()), (1, 2));
        assert!((measured.quantile(0.5) - 3.0).abs() < 0.01);
    }
}
