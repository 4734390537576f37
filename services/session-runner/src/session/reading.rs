//! What of a session's queue is read from storage next: pure decisions.

use domain::MessageId;

/// Where to read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum From {
    /// Behind what was read last.
    Here,
    /// The beginning: also what was stored late.
    Start,
}

/// All that is stored behind a place, page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Counts up; a run finds everything that was stored before it began.
    pub(super) number: u64,
    pub(super) from: From,
    /// Where its next page begins.
    pub(super) position: i64,
}

/// What is being read, and what should be read next; one page at a time.
#[derive(Debug, Default)]
pub(super) struct Reading {
    under_way: bool,
    /// A run that has more to read.
    unfinished: Option<Run>,
    wanted: Option<From>,
    /// Runs that have begun.
    runs: u64,
    /// What storage has noted while a page was being read, which may still come up in that page.
    noted: Vec<MessageId>,
}

impl Reading {
    pub(super) fn want(&mut self, from: From) {
        self.wanted = self.wanted.max(Some(from));
    }

    pub(super) const fn is_wanted(&self) -> bool {
        self.wanted.is_some() || self.unfinished.is_some()
    }

    /// The number of the run that begins next.
    pub(super) const fn next_number(&self) -> u64 {
        self.runs + 1
    }

    /// The run whose next page should be read now, if any; its page is under way until [`Reading::was_read`].
    pub(super) fn next(&mut self, read_to: i64) -> Option<Run> {
        if self.under_way {
            return None;
        }
        let unfinished = self.unfinished.take();
        let run = unfinished.or_else(|| {
            let from = self.wanted.take()?;
            self.runs += 1;
            let position = if from == From::Start { 0 } else { read_to };
            Some(Run { number: self.runs, from, position })
        })?;
        self.under_way = true;
        Some(run)
    }

    /// A page of `run` was read; `more` is where the next one begins. Returns what may be forgotten now.
    pub(super) fn was_read(&mut self, run: Run, more: Option<i64>) -> Vec<MessageId> {
        self.under_way = false;
        self.unfinished = more.map(|position| Run { position, ..run });
        std::mem::take(&mut self.noted)
    }

    /// Whether a message that storage has noted is to be remembered until the page under way was read.
    pub(super) fn keeps(&mut self, id: MessageId) -> bool {
        if self.under_way {
            self.noted.push(id);
        }
        self.under_way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_page_at_a_time_and_a_run_to_its_end_before_the_next() {
        let mut reading = Reading::default();
        assert_eq!(reading.next(7), None, "nothing is wanted");
        reading.want(From::Here);
        let first = reading.next(7).unwrap();
        assert_eq!(first, Run { number: 1, from: From::Here, position: 7 });
        reading.want(From::Start);
        reading.want(From::Here);
        assert_eq!(reading.next(7), None, "a page is under way");
        reading.was_read(first, Some(9));
        assert_eq!(reading.next(9), Some(Run { position: 9, ..first }), "the same run goes on");
        reading.was_read(first, None);
        assert_eq!(reading.next_number(), 2);
        assert_eq!(reading.next(11), Some(Run { number: 2, from: From::Start, position: 0 }));
        reading.was_read(first, None);
        assert!(!reading.is_wanted(), "the beginning covers what is behind it");
    }

    #[test]
    fn what_is_noted_during_a_page_is_remembered_until_it_was_read() {
        let mut reading = Reading::default();
        let id = MessageId::new();
        assert!(!reading.keeps(id));
        reading.want(From::Start);
        let run = reading.next(0).unwrap();
        assert!(reading.keeps(id), "the page may have it as still to be sent");
        assert_eq!(reading.was_read(run, None), [id]);
        assert!(!reading.keeps(id));
    }
}
