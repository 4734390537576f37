//! The order in which a session's messages go out: one at a time in each chat, chats side by side.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use domain::{MessageId, Timestamp, message::Message};
use tokio::time::Instant;

/// The longest that a message waits before it goes again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Messages that are stored and not yet sent, as far as they have been read.
#[derive(Default)]
pub(crate) struct Outbox {
    chats: HashMap<String, Chat>,
    /// Chats whose first message may go now, in turn.
    ready: VecDeque<String>,
    /// Everything that was read and is not yet known to storage as sent or failed.
    known: HashSet<MessageId>,
    /// The largest position that was read.
    read_to: i64,
}

#[derive(Default)]
struct Chat {
    waiting: VecDeque<Arc<Message>>,
    /// Its first message is on its way.
    busy: bool,
    /// Its first message must wait until then.
    not_before: Option<Instant>,
    /// How often its first message has failed for now.
    failures: u32,
}

impl Outbox {
    /// Takes in messages as they were read, in their order; those that are known already are passed over.
    pub(crate) fn add(&mut self, messages: Vec<Message>) {
        for message in messages {
            self.read_to = self.read_to.max(message.position);
            self.put(message);
        }
    }

    /// Takes in a message that was not read, with nothing else waiting in its chat. Not if it may have been read before,
    /// and then be sent already.
    pub(crate) fn add_unread(&mut self, message: Message) -> bool {
        let fresh = message.position > self.read_to;
        if fresh {
            self.put(message);
        }
        fresh
    }

    fn put(&mut self, message: Message) {
        if !self.known.insert(message.id) {
            return;
        }
        let chat = self.chats.entry(message.chat.clone()).or_default();
        if chat.waiting.is_empty() && !chat.busy {
            self.ready.push_back(message.chat.clone());
        }
        // Two that were stored at the same moment may be read in either order.
        let place = chat.waiting.partition_point(|earlier| earlier.position < message.position);
        let place = if chat.busy { place.max(1) } else { place };
        chat.waiting.insert(place, Arc::new(message));
    }

    /// The next message that may go; its chat is busy until [`Outbox::done`] or [`Outbox::again`].
    pub(crate) fn next(&mut self) -> Option<Arc<Message>> {
        while let Some(name) = self.ready.pop_front() {
            let Some(chat) = self.chats.get_mut(&name) else { continue };
            if let (Some(first), false) = (chat.waiting.front(), chat.busy) {
                chat.busy = true;
                return Some(Arc::clone(first));
            }
        }
        None
    }

    /// A message has left the queue, sent or failed; the next of its chat may go.
    pub(crate) fn done(&mut self, message: &Message) {
        if let Some(chat) = self.chats.get_mut(&message.chat) {
            chat.waiting.pop_front();
            chat.busy = false;
            chat.failures = 0;
            if chat.waiting.is_empty() {
                self.chats.remove(&message.chat);
            } else {
                self.ready.push_back(message.chat.clone());
            }
        }
    }

    /// A message could not be sent; it stays first in its chat and may go again after `pause`, which doubles with
    /// each failure.
    pub(crate) fn again(&mut self, message: &Message, now: Instant, pause: Duration) {
        if let Some(chat) = self.chats.get_mut(&message.chat) {
            chat.busy = false;
            chat.not_before = Some(now + (pause * (1 << chat.failures.min(8))).min(LONGEST_PAUSE));
            chat.failures += 1;
        }
    }

    /// Lets those go whose time to wait is over.
    pub(crate) fn wake(&mut self, now: Instant) {
        for (name, chat) in &mut self.chats {
            if chat.not_before.is_some_and(|at| at <= now) {
                chat.not_before = None;
                self.ready.push_back(name.clone());
            }
        }
    }

    /// When the next one's time to wait is over.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.chats.values().filter_map(|chat| chat.not_before).min()
    }

    /// Takes out what is no longer worth sending, but for what is on its way.
    pub(crate) fn take_expired(&mut self, now: Timestamp) -> Vec<Arc<Message>> {
        let mut expired = Vec::new();
        for chat in self.chats.values_mut() {
            let on_its_way = usize::from(chat.busy);
            let (kept, gone): (Vec<_>, Vec<_>) = chat
                .waiting
                .drain(..)
                .enumerate()
                .partition(|(place, message)| *place < on_its_way || message.expires_at > now);
            chat.waiting = kept.into_iter().map(|(_, message)| message).collect();
            expired.extend(gone.into_iter().map(|(_, message)| message));
        }
        self.chats.retain(|_, chat| chat.busy || !chat.waiting.is_empty());
        expired
    }

    /// Storage knows by now what became of a message.
    pub(crate) fn forget(&mut self, id: MessageId) {
        self.known.remove(&id);
    }

    pub(crate) fn knows(&self, id: MessageId) -> bool {
        self.known.contains(&id)
    }

    /// How many messages it holds.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Where to go on reading.
    pub(crate) const fn read_to(&self) -> i64 {
        self.read_to
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        SessionId, UserId,
        message::{Content, MessageState},
    };

    use super::*;

    fn message(position: i64, chat: &str) -> Message {
        Message {
            id: MessageId::new(),
            position,
            session: SessionId::new(),
            user: UserId(2),
            wa_id: format!("WA{position}"),
            chat: chat.to_owned(),
            content: Content::plain(""),
            state: MessageState::Queued,
            failure: None,
            accepted_at: Timestamp(0),
            expires_at: Timestamp(100),
            sent_at: None,
            delivered_at: None,
            read_at: None,
            traceparent: None,
        }
    }

    fn positions(outbox: &mut Outbox) -> Vec<i64> {
        std::iter::from_fn(|| outbox.next()).map(|message| message.position).collect()
    }

    #[test]
    fn chats_go_side_by_side_and_one_at_a_time_within() {
        let mut outbox = Outbox::default();
        let messages = vec![message(1, "a"), message(2, "a"), message(3, "b")];
        let first = messages[0].clone();
        outbox.add(messages);
        assert_eq!(positions(&mut outbox), [1, 3]);
        outbox.done(&first);
        assert_eq!(positions(&mut outbox), [2]);
        assert_eq!(outbox.read_to(), 3);
    }

    #[test]
    fn what_is_read_twice_is_sent_once() {
        let mut outbox = Outbox::default();
        let one = message(1, "a");
        outbox.add(vec![one.clone()]);
        outbox.add(vec![one.clone()]);
        assert_eq!(positions(&mut outbox), [1]);
        outbox.done(&one);
        outbox.add(vec![one.clone()]);
        assert_eq!(positions(&mut outbox), [] as [i64; 0], "it is known until storage has noted it");
        outbox.forget(one.id);
        assert_eq!(outbox.len(), 0);
    }

    #[test]
    fn what_was_not_read_goes_out_unless_it_may_have_gone_already() {
        let mut outbox = Outbox::default();
        outbox.add(vec![message(2, "a")]);
        assert!(outbox.add_unread(message(3, "b")));
        assert!(!outbox.add_unread(message(1, "c")), "a reader may have seen it, and sent it");
        assert_eq!(positions(&mut outbox), [2, 3]);
        assert_eq!(outbox.read_to(), 2, "others before it may not have been read");
    }

    #[test]
    fn a_late_commit_takes_its_place_but_never_before_what_is_on_its_way() {
        let mut outbox = Outbox::default();
        let (second, fourth) = (message(2, "a"), message(4, "a"));
        outbox.add(vec![second.clone(), fourth]);
        assert_eq!(outbox.next().unwrap().position, 2);
        outbox.add(vec![message(1, "a"), message(3, "a")]);
        outbox.done(&second);
        let mut order = Vec::new();
        while let Some(next) = outbox.next() {
            order.push(next.position);
            outbox.done(&next);
        }
        assert_eq!(order, [1, 3, 4]);
    }

    #[test]
    fn what_failed_for_now_stays_first() {
        let mut outbox = Outbox::default();
        let one = message(1, "a");
        outbox.add(vec![one.clone(), message(2, "a")]);
        outbox.next().unwrap();
        let now = Instant::now();
        for seconds in [1, 2, 4] {
            outbox.again(&one, now, Duration::from_secs(1));
            assert!(outbox.next().is_none());
            let due = now + Duration::from_secs(seconds);
            assert_eq!(outbox.next_wake(), Some(due));
            outbox.wake(due);
            assert_eq!(outbox.next().unwrap().position, 1);
        }
    }

    #[test]
    fn what_expired_is_taken_out_but_not_what_is_on_its_way() {
        let mut outbox = Outbox::default();
        outbox.add(vec![message(1, "a"), message(2, "a"), message(3, "b")]);
        outbox.next().unwrap();
        let mut expired: Vec<_> =
            outbox.take_expired(Timestamp(100)).iter().map(|message| message.position).collect();
        expired.sort_unstable();
        assert_eq!(expired, [2, 3]);
        assert!(outbox.next().is_none());
    }
}
