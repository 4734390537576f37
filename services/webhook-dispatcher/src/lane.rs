//! What one endpoint may take of a dispatcher's capacity.
//!
//! Deliveries are claimed by age, so the backlog of an endpoint that does not answer comes first in every claim.
//! How much of it is kept in hand depends on how the endpoint has been lately: one that is quick gets work in stock;
//! one that is slow gets what it can have in progress; one that has not been tried yet, or let us wait for
//! nothing, gets an eighth of that. The rest goes back, and the endpoint is left out of claims until there is room again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Semaphore, SemaphorePermit};

/// An attempt that ends within this time was quick.
const QUICK: Duration = Duration::from_secs(1);

/// How long a delivery waits for a request before it to end, before it goes back.
const PATIENCE: Duration = Duration::from_secs(1);

/// How an endpoint has been lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Nothing is known, or its last request took long and brought no answer.
    Silent,
    /// It answered its last request, but took long.
    Slow,
    /// Its last request ended at once, well or not.
    Quick,
}

/// One endpoint's part of the capacity.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Requests at the same time.
    size: usize,
    slots: Semaphore,
    /// Deliveries in hand: in progress, waiting, or being settled.
    held: AtomicUsize,
    pace: AtomicU8,
}

/// A delivery's place in a lane; given up when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Lane>);

impl Lane {
    pub(crate) fn new(size: usize) -> Self {
        let silent = AtomicU8::new(Pace::Silent as u8);
        Self { size, slots: Semaphore::new(size), held: AtomicUsize::new(0), pace: silent }
    }

    fn pace(&self) -> Pace {
        match self.pace.load(Ordering::Relaxed) {
            pace if pace == Pace::Quick as u8 => Pace::Quick,
            pace if pace == Pace::Slow as u8 => Pace::Slow,
            _ => Pace::Silent,
        }
    }

    /// It should get nothing more for now.
    pub(crate) fn is_busy(&self) -> bool {
        self.held.load(Ordering::Relaxed) >= busy_from(self.pace(), self.size)
    }

    /// Nothing of it is in hand.
    pub(crate) fn is_idle(&self) -> bool {
        self.held.load(Ordering::Relaxed) == 0
    }

    /// A place for one more delivery, if there is room.
    pub(crate) fn place(self: &Arc<Self>) -> Option<Place> {
        // Only the claiming task adds, so there cannot be more than were seen here.
        (self.held.load(Ordering::Relaxed) < most(self.pace(), self.size)).then(|| {
            self.held.fetch_add(1, Ordering::Relaxed);
            Place(Arc::clone(self))
        })
    }

    /// Waits for its turn to make a request; `None` when it does not come soon.
    pub(crate) async fn slot(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(slot) = self.slots.try_acquire() {
            return Some(slot);
        }
        if self.pace() != Pace::Quick {
            return None;
        }
        tokio::time::timeout(PATIENCE, self.slots.acquire()).await.ok()?.ok()
    }

    /// Notes how a request ended.
    pub(crate) fn ended(&self, took: Duration, answered: bool) {
        let pace = match (took <= QUICK, answered) {
            (true, _) => Pace::Quick,
            (false, true) => Pace::Slow,
            (false, false) => Pace::Silent,
        };
        self.pace.store(pace as u8, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The most deliveries in hand.
const fn most(pace: Pace, size: usize) -> usize {
    match pace {
        Pace::Quick => size * 2,
        Pace::Slow => size,
        Pace::Silent => size.div_ceil(8),
    }
}

/// With this many in hand, claims leave the endpoint out.
const fn busy_from(pace: Pace, size: usize) -> usize {
    match pace {
        Pace::Quick | Pace::Slow => size,
        Pace::Silent => size.div_ceil(8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_get_more_than_the_silent() {
        let table = [
            // pace, size, most, busy from
            (Pace::Quick, 64, 128, 64),
            (Pace::Slow, 64, 64, 64),
            (Pace::Silent, 64, 8, 8),
            (Pace::Silent, 1, 1, 1),
            (Pace::Quick, 1, 2, 1),
        ];
        for (pace, size, expected, busy) in table {
            assert_eq!((most(pace, size), busy_from(pace, size)), (expected, busy), "{pace:?} {size}");
        }
    }

    #[test]
    fn places_follow_the_pace() {
        let lane = Arc::new(Lane::new(16));
        let places: Vec<_> = std::iter::from_fn(|| lane.place()).collect();
        assert_eq!(places.len(), 2, "an endpoint nothing is known of");
        assert!(lane.is_busy() && !lane.is_idle());
        lane.ended(Duration::from_millis(3), true);
        assert!(!lane.is_busy());
        assert_eq!(std::iter::from_fn(|| lane.place()).collect::<Vec<_>>().len(), 30);
        drop(places);
        assert!(lane.is_idle());
        lane.ended(Duration::from_secs(15), false);
        assert_eq!(std::iter::from_fn(|| lane.place()).collect::<Vec<_>>().len(), 2);
    }
}
