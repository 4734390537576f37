//! Who leads: the holder of a coordination Lease, by the rules of Kubernetes' own components. A holder renews every
//! two seconds; one that has not for the Lease's duration, by the clock of who watches it, is succeeded. Nobody's wall
//! clock is believed.

use std::time::Duration;

use domain::SharedClock;
use k8s_openapi::{
    api::coordination::v1::LeaseSpec,
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, Refusal};

/// The rhythm of an election.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// How long others wait for a silent holder.
    pub duration: Duration,
    /// How long a holder goes on itself without a renewal that succeeded; shorter.
    pub deadline: Duration,
    /// How often a holder renews, and others look.
    pub pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            deadline: Duration::from_secs(10),
            pause: Duration::from_secs(2),
        }
    }
}

/// What to do about the Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is ours: say that we are alive.
    Renew,
    /// It is nobody's any more.
    Take,
    /// It is another's.
    Wait,
}

/// The Lease as it was when it last changed, and when that was seen.
#[derive(Debug)]
struct Observed {
    holder: String,
    renewed: Option<MicroTime>,
    at: Instant,
}

/// What one candidate knows.
#[derive(Debug)]
struct Candidate {
    me: String,
    timing: Timing,
    observed: Option<Observed>,
}

pub(crate) struct Election {
    cluster: Cluster,
    clock: SharedClock,
    candidate: Candidate,
    /// When the last renewal that succeeded was begun; `None` when this process does not lead.
    renewed: Option<Instant>,
    /// What was last complained about.
    said: String,
}

impl Election {
    pub(crate) const fn new(cluster: Cluster, me: String, clock: SharedClock, timing: Timing) -> Self {
        let candidate = Candidate { me, timing, observed: None };
        Self { cluster, clock, candidate, renewed: None, said: String::new() }
    }

    /// Waits until this process leads; `false` at `stop`.
    pub(crate) async fn win(&mut self, stop: &CancellationToken) -> bool {
        while !stop.is_cancelled() {
            if self.attempt().await {
                return true;
            }
            let _ = tokio::time::timeout(self.candidate.timing.pause, stop.cancelled()).await;
        }
        false
    }

    /// Goes on leading; returns when that is over.
    pub(crate) async fn keep(&mut self) {
        let Timing { deadline, pause, .. } = self.candidate.timing;
        loop {
            tokio::time::sleep(pause).await;
            let left = self.renewed.map_or(Duration::ZERO, |at| deadline.saturating_sub(at.elapsed()));
            // Whoever cannot renew must not go on, and an answer that is on its way counts for nothing.
            let held = tokio::time::timeout(left, self.attempt()).await.unwrap_or(false);
            let over = self.renewed.is_none_or(|at| at.elapsed() >= deadline);
            if over || (!held && self.candidate.has_lost()) {
                self.renewed = None;
                return;
            }
        }
    }

    /// Leaves the Lease to whoever comes first, if it is ours.
    pub(crate) async fn step_down(&mut self) {
        if self.renewed.take().is_none() {
            return;
        }
        let Ok(mut lease) = self.cluster.lease().await else { return };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() != Some(&self.candidate.me) {
            return;
        }
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        match self.cluster.write_lease(&lease).await {
            Ok(()) => tracing::info!("this runner no longer decides how many runners there are"),
            Err(error) => tracing::info!(%error, "the Lease was not given back; it will run out"),
        }
    }

    /// Renews the Lease or takes it; whether it is ours now.
    async fn attempt(&mut self) -> bool {
        let begun = Instant::now();
        match self.try_once(begun).await {
            Ok(true) => {
                self.renewed = Some(begun);
                self.said.clear();
                true
            }
            Ok(false) | Err(Refusal::Conflict(_)) => false,
            Err(refusal) => {
                let text = refusal.to_string();
                if text != self.said {
                    tracing::warn!(error = text, "the Lease cannot be had; trying again");
                    self.said = text;
                }
                false
            }
        }
    }

    async fn try_once(&mut self, now: Instant) -> Result<bool, Refusal> {
        let mut lease = self.cluster.lease().await?;
        let step = self.candidate.step(lease.spec.as_ref(), now);
        if step == Step::Wait {
            return Ok(false);
        }
        let at = jiff::Timestamp::from_millisecond(self.clock.now().0).ok().map(MicroTime);
        self.candidate.sign(lease.spec.get_or_insert_default(), step, at);
        self.cluster.write_lease(&lease).await?;
        self.candidate.observe(lease.spec.as_ref(), now);
        Ok(true)
    }
}

impl Candidate {
    fn step(&mut self, spec: Option<&LeaseSpec>, now: Instant) -> Step {
        let holder = spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
        self.observe(spec, now);
        if holder == self.me {
            return Step::Renew;
        }
        let duration = spec
            .and_then(|spec| spec.lease_duration_seconds)
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(self.timing.duration, Duration::from_secs);
        let silent = self.observed.as_ref().is_some_and(|seen| now.duration_since(seen.at) >= duration);
        if holder.is_empty() || silent { Step::Take } else { Step::Wait }
    }

    /// Remembers the Lease, if it has changed.
    fn observe(&mut self, spec: Option<&LeaseSpec>, now: Instant) {
        let holder = spec.and_then(|spec| spec.holder_identity.clone()).unwrap_or_default();
        let renewed = spec.and_then(|spec| spec.renew_time.clone());
        let known = self.observed.as_ref();
        if known.is_none_or(|known| (&known.holder, &known.renewed) != (&holder, &renewed)) {
            self.observed = Some(Observed { holder, renewed, at: now });
        }
    }

    /// Another holds the Lease, as far as is known.
    fn has_lost(&self) -> bool {
        self.observed.as_ref().is_some_and(|seen| seen.holder != self.me)
    }

    fn sign(&self, spec: &mut LeaseSpec, step: Step, at: Option<MicroTime>) {
        if step == Step::Take {
            spec.lease_transitions =
                Some(spec.lease_transitions.map_or(0, |number| number.saturating_add(1)));
            spec.acquire_time.clone_from(&at);
        }
        spec.holder_identity = Some(self.me.clone());
        spec.lease_duration_seconds = i32::try_from(self.timing.duration.as_secs()).ok();
        spec.renew_time = at;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::SystemClock;
    use serde_json::json;

    use super::*;
    use crate::testing::ApiServer;

    fn candidate(me: &str) -> Candidate {
        Candidate { me: me.to_owned(), timing: Timing::default(), observed: None }
    }

    fn at(seconds: i64) -> Option<MicroTime> {
        jiff::Timestamp::from_second(seconds).ok().map(MicroTime)
    }

    /// A Lease of `holder` that was renewed at some second of its own clock.
    fn lease(holder: &str, renewed: i64) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            renew_time: at(renewed),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn a_silent_holder_is_succeeded_after_the_duration_as_it_was_watched() {
        let start = Instant::now();
        let mut anna = candidate("anna");
        // Seconds of our clock, the Lease as it is then, and what to do.
        let table = [
            // Its own clock may say whatever it likes.
            (0, Some(lease("ben", 1_000_000)), Step::Wait),
            (14, Some(lease("ben", 1_000_000)), Step::Wait),
            (15, Some(lease("ben", 3)), Step::Wait),
            (29, Some(lease("ben", 3)), Step::Wait),
            (30, Some(lease("ben", 3)), Step::Take),
            (31, Some(lease("clara", 3)), Step::Wait),
            (32, Some(lease("", 3)), Step::Take),
            (33, Some(lease("anna", 4)), Step::Renew),
            (99, Some(lease("anna", 4)), Step::Renew),
            (100, Some(LeaseSpec::default()), Step::Take),
            (101, None, Step::Take),
        ];
        for (seconds, spec, expected) in table {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(anna.step(spec.as_ref(), now), expected, "at {seconds} s: {spec:?}");
        }
    }

    const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/runners";

    fn election(server: &ApiServer, me: &str) -> Election {
        let cluster = Cluster::new(server.client(), None, "runners", "runners");
        Election::new(cluster, me.to_owned(), Arc::new(SystemClock), Timing::default())
    }

    fn holder(server: &ApiServer) -> String {
        server.object(LEASE)["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn one_leads_at_a_time() {
        let (server, stop) = (ApiServer::default(), CancellationToken::new());
        let (mut anna, mut ben) = (election(&server, "anna"), election(&server, "ben"));
        // Without a Lease nobody leads.
        let waiting = tokio::time::timeout(Duration::from_mins(1), anna.win(&stop)).await;
        assert!(waiting.is_err());
        server.put(LEASE, json!({"metadata": {"name": "runners"}}));
        assert!(anna.win(&stop).await);
        assert_eq!(holder(&server), "anna");
        tokio::select! {
            () = anna.keep() => panic!("anna renews"),
            _ = ben.win(&stop) => panic!("ben waits"),
            () = tokio::time::sleep(Duration::from_mins(10)) => {}
        }
        // She says that she goes: he need not wait for her Lease to run out.
        let began = Instant::now();
        anna.step_down().await;
        assert!(ben.win(&stop).await);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        // He dies.
        drop(ben);
        let began = Instant::now();
        assert!(anna.win(&stop).await);
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(15) && took < Duration::from_secs(20), "{took:?}");
        assert_eq!(holder(&server), "anna");
        stop.cancel();
        assert!(!election(&server, "clara").win(&stop).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_renew_stops_before_another_starts() {
        let (server, stop) = (ApiServer::default(), CancellationToken::new());
        server.put(LEASE, json!({"metadata": {"name": "runners"}}));
        let mut anna = election(&server, "anna");
        assert!(anna.win(&stop).await);
        let began = Instant::now();
        server.away(true);
        anna.keep().await;
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(9) && took < Duration::from_secs(12), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_succeeded_knows() {
        let (server, stop) = (ApiServer::default(), CancellationToken::new());
        server.put(LEASE, json!({"metadata": {"name": "runners"}}));
        let mut anna = election(&server, "anna");
        assert!(anna.win(&stop).await);
        let spec = serde_json::to_value(lease("ben", 1)).unwrap();
        server.put(LEASE, json!({"metadata": {"name": "runners"}, "spec": spec}));
        let began = Instant::now();
        anna.keep().await;
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        anna.step_down().await;
        assert_eq!(holder(&server), "ben", "it is not hers to give");
    }

    #[test]
    fn a_holder_knows_when_another_has_taken_over() {
        let mut anna = candidate("anna");
        let mut spec = LeaseSpec::default();
        anna.sign(&mut spec, Step::Take, at(1));
        anna.observe(Some(&spec), Instant::now());
        assert_eq!((anna.has_lost(), spec.lease_transitions), (false, Some(0)));
        candidate("ben").sign(&mut spec, Step::Take, at(2));
        assert_eq!(anna.step(Some(&spec), Instant::now()), Step::Wait);
        assert!(anna.has_lost());
        assert_eq!((spec.lease_transitions, spec.acquire_time), (Some(1), at(2)));
    }

    #[test]
    fn a_renewal_leaves_who_and_since_when_as_it_is() {
        let anna = candidate("anna");
        let mut spec = LeaseSpec::default();
        anna.sign(&mut spec, Step::Take, at(1));
        anna.sign(&mut spec, Step::Renew, at(3));
        assert_eq!((spec.acquire_time, spec.renew_time), (at(1), at(3)));
        assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("anna"), Some(0)));
        assert_eq!(spec.lease_duration_seconds, Some(15));
    }
}
