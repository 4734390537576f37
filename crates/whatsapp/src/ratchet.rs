//! Keys that the other side will answer under, stored before anything is sent with them.
//!
//! The library stores Signal sessions up to 25 ms behind. What was received it derives again after a crash. But a
//! message that came in can also make the session's next own key pair, at random, and the next message that goes out
//! carries its public half. When the process dies before the private half is stored, the other side answers under a
//! key that nobody has any more: each answer fails, is asked for again, and comes late and out of order. Hence what
//! came in since sessions were last stored is stored before the next message goes out.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;

/// Whether a session of one client may have keys that are in memory only.
#[derive(Debug, Default)]
pub(crate) struct Ratchet {
    stepped: AtomicBool,
    /// Those who come while sessions are being stored wait for that.
    settling: Mutex<()>,
}

impl Ratchet {
    /// A message was decrypted.
    pub(crate) fn stepped(&self) {
        self.stepped.store(true, Ordering::Release);
    }

    /// Stores what has to be before a message is encrypted.
    pub(crate) async fn settle<E>(&self, store: impl AsyncFnOnce() -> Result<(), E>) -> Result<(), E> {
        let _turn = self.settling.lock().await;
        if !self.stepped.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        store().await.inspect_err(|_| self.stepped())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_came_in_is_stored_once_before_the_next_goes_out() {
        let ratchet = Ratchet::default();
        let mut stored = 0;
        for (stepped, so_far) in [(false, 0), (true, 1), (false, 1), (true, 2)] {
            if stepped {
                ratchet.stepped();
            }
            let store = async || {
                stored += 1;
                Ok::<_, ()>(())
            };
            ratchet.settle(store).await.unwrap();
            assert_eq!(stored, so_far);
        }
    }

    #[tokio::test]
    async fn what_could_not_be_stored_is_still_to_be_stored() {
        let ratchet = Ratchet::default();
        ratchet.stepped();
        assert_eq!(ratchet.settle(async || Err("full")).await, Err("full"));
        assert_eq!(ratchet.settle(async || Err("full")).await, Err("full"), "tried again");
    }

    #[tokio::test]
    async fn nobody_sends_while_it_is_being_stored() {
        let ratchet = Ratchet::default();
        ratchet.stepped();
        let done = AtomicBool::new(false);
        let first = ratchet.settle(async || {
            tokio::task::yield_now().await;
            done.store(true, Ordering::SeqCst);
            Ok::<_, ()>(())
        });
        let second = async {
            ratchet.settle(async || Ok::<_, ()>(())).await.unwrap();
            assert!(done.load(Ordering::SeqCst));
        };
        let (first, ()) = tokio::join!(first, second);
        first.unwrap();
    }
}
