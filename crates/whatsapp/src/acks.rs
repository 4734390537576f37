//! Who waits for which acknowledgement of WhatsApp's server.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// What the server said to a message: taken, or refused with a code.
pub(crate) type Ack = Result<(), String>;

/// The messages of one client that are on their way.
#[derive(Debug, Default)]
pub(crate) struct Acks(Mutex<HashMap<String, oneshot::Sender<Ack>>>);

impl Acks {
    /// Expects an acknowledgement of `id`; what comes back fails when the connection ends before.
    pub(crate) fn expect(&self, id: &str) -> oneshot::Receiver<Ack> {
        let (sender, receiver) = oneshot::channel();
        self.0.lock().insert(id.to_owned(), sender);
        receiver
    }

    /// The server has spoken about `id`. Tells whether anybody had waited.
    pub(crate) fn resolve(&self, id: &str, ack: Ack) -> bool {
        let waiting = self.0.lock().remove(id);
        waiting.is_some_and(|waiting| waiting.send(ack).is_ok())
    }

    /// Nobody waits for `id` any more.
    pub(crate) fn forget(&self, id: &str) {
        self.0.lock().remove(id);
    }

    /// The connection ended: no acknowledgement will come.
    pub(crate) fn abandon_all(&self) {
        // The memory goes too: an idle session should not keep the room of its busiest moment.
        std::mem::take(&mut *self.0.lock());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_waits_for_its_own() {
        let acks = Acks::default();
        let (one, two, three) = (acks.expect("1"), acks.expect("2"), acks.expect("3"));
        assert!(acks.resolve("2", Err("463".to_owned())));
        assert!(acks.resolve("1", Ok(())));
        assert!(!acks.resolve("1", Ok(())));
        assert!(!acks.resolve("unknown", Ok(())));
        acks.abandon_all();
        assert_eq!(one.await, Ok(Ok(())));
        assert_eq!(two.await, Ok(Err("463".to_owned())));
        assert!(three.await.is_err());
    }
}
