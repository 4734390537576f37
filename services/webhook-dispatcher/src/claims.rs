//! The claim loop: takes work when there is some and when there is capacity for it, and gives back what cannot be
//! done soon.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use bus::{Hints, messages::Hint, subjects};
use domain::{DeliveryId, EndpointId, webhook::ClaimedDelivery};
use futures::FutureExt as _;
use rand::RngExt as _;
use telemetry::metrics;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use webhooks::Sender;

use crate::{
    Parts, Settings,
    chain::{Chain, Held, Workshop},
    lane::Lane,
};

/// How often to look when no hint comes. Shorter than the shortest pause before a retry, so that each look learns of
/// the retries that come due before the next.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// How often to free what others have left behind, and to try again when the database does not answer.
const FREE_EVERY: Duration = Duration::from_secs(10);
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Idle lanes that are kept for what they know about their endpoints.
const MANY_LANES: usize = 1024;

pub(crate) struct Claims {
    parts: Parts,
    settings: Settings,
    workshop: Arc<Workshop>,
    stop: CancellationToken,
    capacity: Arc<Semaphore>,
    lanes: HashMap<EndpointId, Arc<Lane>>,
    chains: JoinSet<VecDeque<Held>>,
    /// What goes back before the next claim.
    to_return: Vec<Held>,
    /// More is due than was taken.
    more: bool,
}

/// What to do next.
enum Wake {
    Stop,
    /// Claim: something may have become due.
    Look,
    /// Claim if more was due: there is more room now.
    Ended(Result<VecDeque<Held>, JoinError>),
}

impl Claims {
    pub(crate) fn new(parts: Parts, settings: Settings, sender: Sender, stop: CancellationToken) -> Self {
        let capacity = Arc::new(Semaphore::new(settings.concurrency.get() as usize));
        let (all, free) = (settings.concurrency.get() as usize, Arc::clone(&capacity));
        metrics().dispatcher_in_hand.ask(move || {
            u32::try_from(all.saturating_sub(free.available_permits())).map_or(f64::INFINITY, f64::from)
        });
        let workshop = Workshop {
            database: parts.database.clone(),
            sender,
            timeout: settings.timeout,
            stop: stop.clone(),
        };
        Self {
            workshop: Arc::new(workshop),
            stop,
            capacity,
            lanes: HashMap::new(),
            chains: JoinSet::new(),
            to_return: Vec::new(),
            more: true,
            parts,
            settings,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut hints = match self.parts.bus.subscribe::<Hint>(subjects::deliveries_due(), 16).await {
            Ok(hints) => Some(hints),
            Err(error) => {
                tracing::warn!(%error, "webhooks are looked for by the clock only");
                None
            }
        };
        if self.start().await {
            self.work(&mut hints).await;
        }
        self.end().await;
    }

    /// Frees what the process before left behind; until that is done nothing is claimed. `false` when stopped.
    async fn start(&self) -> bool {
        let all = self.parts.database.is_embedded();
        while !self.free_abandoned(all).await {
            tokio::select! {
                () = self.stop.cancelled() => return false,
                () = tokio::time::sleep(AFTER_FAILURE) => {}
            }
        }
        true
    }

    async fn free_abandoned(&self, all: bool) -> bool {
        match self.parts.database.free_abandoned_deliveries(all).await {
            Ok(0) => true,
            Ok(freed) => {
                tracing::info!(freed, "took over deliveries that another dispatcher left behind");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "cannot look for deliveries that were left behind");
                false
            }
        }
    }

    async fn work(&mut self, hints: &mut Option<Hints<Hint>>) {
        let mut next_look = Instant::now();
        let mut next_free = Instant::now() + FREE_EVERY;
        loop {
            // Only when the clock says so: a busy time has hints, and the retries it makes are not due that soon.
            let by_clock = Instant::now() >= next_look;
            if by_clock && Instant::now() >= next_free {
                self.free_abandoned(false).await;
                next_free = Instant::now() + FREE_EVERY;
            }
            let full = self.claim().await;
            if by_clock {
                next_look = self.after_look().await;
            }
            if full && !self.stop.is_cancelled() {
                self.collect();
                continue;
            }
            loop {
                match self.wait(hints, next_look).await {
                    Wake::Stop => return,
                    Wake::Look => break,
                    Wake::Ended(ended) => {
                        self.ended(ended);
                        self.collect();
                        if self.more || !self.to_return.is_empty() {
                            break;
                        }
                    }
                }
            }
        }
    }

    async fn wait(&mut self, hints: &mut Option<Hints<Hint>>, next_look: Instant) -> Wake {
        let hint = async {
            match hints {
                Some(hints) => hints.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Wake::Stop,
            hint = hint => {
                if hint.is_none() {
                    *hints = None;
                }
                // One look answers all that have come.
                while let Some(Some(Some(_))) = hints.as_mut().map(|hints| hints.next().now_or_never()) {}
                Wake::Look
            }
            Some(ended) = self.chains.join_next() => Wake::Ended(ended),
            () = tokio::time::sleep_until(next_look) => Wake::Look,
        }
    }

    /// When to look again by the clock.
    async fn after_look(&mut self) -> Instant {
        if self.lanes.len() > MANY_LANES {
            self.lanes.retain(|_, lane| !lane.is_idle());
        }
        let longest = LOOK_EVERY.mul_f64(rand::rng().random_range(0.8..1.2));
        let due = match self.parts.database.next_delivery_due().await {
            Ok(due) => due.map(|due| due.since(self.parts.clock.now())),
            Err(error) => {
                tracing::warn!(%error, "cannot look when the next delivery is due");
                None
            }
        };
        Instant::now() + due.unwrap_or(longest).min(longest)
    }

    /// Notes what has ended in the meantime.
    fn collect(&mut self) {
        while let Some(ended) = self.chains.try_join_next() {
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Result<VecDeque<Held>, JoinError>) {
        match ended {
            Ok(rest) => self.to_return.extend(rest),
            Err(error) => {
                tracing::error!(%error, "sending webhooks failed; they are sent again when their claim runs out");
            }
        }
    }

    /// Gives back what cannot be done soon, then takes what can. Returns whether it should be called again at once.
    async fn claim(&mut self) -> bool {
        self.give_back().await;
        let most = self.settings.concurrency_per_endpoint.get() as usize;
        let free = self.capacity.available_permits().min(most);
        let Some((mut permits, limit)) = u32::try_from(free)
            .ok()
            .filter(|limit| *limit > 0)
            .and_then(|limit| Some((Arc::clone(&self.capacity).try_acquire_many_owned(limit).ok()?, limit)))
        else {
            self.more = true;
            return false;
        };
        let busy: Vec<EndpointId> =
            self.lanes.iter().filter(|(_, lane)| lane.is_busy()).map(|(endpoint, _)| *endpoint).collect();
        let held_until = Instant::now() + self.settings.hold;
        let claimed = match self.parts.database.claim_deliveries(limit, self.settings.hold, &busy).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, "cannot claim deliveries; trying again");
                self.more = true;
                // Nothing else would slow the loop down while the database is away.
                tokio::select! {
                    () = self.stop.cancelled() => {}
                    () = tokio::time::sleep(AFTER_FAILURE) => {}
                }
                return false;
            }
        };
        self.more = claimed.more;
        let full = claimed.deliveries.len() >= limit as usize;
        let with_capacity = |delivery| Some((delivery, permits.split(1)?));
        let held = claimed.deliveries.into_iter().filter_map(with_capacity).collect();
        drop(permits);
        self.start_chains(held, held_until);
        self.give_back().await;
        full
    }

    fn start_chains(&mut self, claimed: Vec<(ClaimedDelivery, OwnedSemaphorePermit)>, held_until: Instant) {
        // What a lane has no room for goes back, with everything behind it: places may come free meanwhile.
        let mut full: HashSet<EndpointId> = HashSet::new();
        let mut chains: BTreeMap<(EndpointId, String), VecDeque<Held>> = BTreeMap::new();
        for (delivery, capacity) in claimed {
            let endpoint = delivery.endpoint;
            let place = if full.contains(&endpoint) { None } else { self.lane(endpoint).place() };
            let fits = place.is_some();
            let key = (endpoint, delivery.ordering_key.clone());
            let held = Held { delivery, _capacity: capacity, _place: place };
            if fits {
                chains.entry(key).or_default().push_back(held);
            } else {
                full.insert(endpoint);
                self.to_return.push(held);
                self.more = true;
            }
        }
        for ((endpoint, _), deliveries) in chains {
            let chain = Chain {
                workshop: Arc::clone(&self.workshop),
                lane: Arc::clone(self.lane(endpoint)),
                deliveries,
                held_until,
            };
            self.chains.spawn(chain.run());
        }
    }

    fn lane(&mut self, endpoint: EndpointId) -> &Arc<Lane> {
        let size = self.settings.concurrency_per_endpoint.get() as usize;
        self.lanes.entry(endpoint).or_insert_with(|| Arc::new(Lane::new(size)))
    }

    async fn give_back(&mut self) {
        if self.to_return.is_empty() {
            return;
        }
        // Their capacity is free once they are back.
        let held = std::mem::take(&mut self.to_return);
        let ids: Vec<DeliveryId> = held.iter().map(|held| held.delivery.id).collect();
        if let Err(error) = self.parts.database.return_deliveries(&ids).await {
            tracing::warn!(%error, deliveries = ids.len(), "cannot give deliveries back before their claim runs out");
        }
        self.more = true;
    }

    /// Waits for what is in flight and gives back the rest.
    async fn end(mut self) {
        while let Some(ended) = self.chains.join_next().await {
            self.ended(ended);
        }
        self.give_back().await;
    }
}
