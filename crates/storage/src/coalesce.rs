//! Many equal questions, one query.
//!
//! Monitors and clients ask the same things over and over. A question joins a query that has *not yet started*, so
//! its answer is never older than the question itself; while a query runs, the next one gathers.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OnceCell};

use crate::Result;

/// What is asked, and about whom.
type Question = (&'static str, i64);

type Answer = Arc<dyn Any + Send + Sync>;

#[derive(Default)]
struct Slot {
    /// The query that questions can still join.
    next: Mutex<Option<Arc<OnceCell<Result<Answer>>>>>,
    /// Held while a query of this slot runs.
    running: AsyncMutex<()>,
}

/// Gathers equal questions.
#[derive(Default)]
pub(crate) struct Coalesce {
    slots: Mutex<HashMap<Question, Arc<Slot>>>,
}

/// Slots that are kept before idle ones are dropped.
const MANY_SLOTS: usize = 1024;

impl Coalesce {
    /// The answer to `question`; `ask` is run at most once for all that ask it in the
    /// same moment.
    pub(crate) async fn ask<T, F>(&self, question: Question, ask: impl FnOnce() -> F) -> Result<Arc<T>>
    where
        T: Send + Sync + 'static,
        F: Future<Output = Result<T>>,
    {
        let slot = self.slot(question);
        let cell = Arc::clone(lock(&slot.next).get_or_insert_default());
        let answer = cell
            .get_or_init(|| async {
                let _running = slot.running.lock().await;
                // From here on the query runs: later questions need another one.
                lock(&slot.next).take();
                ask().await.map(|answer| Arc::new(answer) as Answer)
            })
            .await
            .clone()?;
        answer.downcast().map_err(|_| crate::Error::Unreadable {
            what: "answer",
            reason: format!("the question {} has two types of answer", question.0),
        })
    }

    fn slot(&self, question: Question) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        if slots.len() >= MANY_SLOTS && !slots.contains_key(&question) {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(question).or_default())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn equal_questions_share_a_query_and_never_get_an_older_answer() {
        let coalesce = Coalesce::default();
        let asked = AtomicUsize::new(0);
        let ask = || {
            coalesce.ask(("number", 1), || async {
                let number = asked.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok(number)
            })
        };
        let answers = futures::future::join_all((0..50).map(|_| ask())).await;
        assert!(answers.iter().all(Result::is_ok));
        let shared = asked.load(Ordering::SeqCst);
        assert!(shared <= 2, "50 questions at once took {shared} queries");
        assert_eq!(*ask().await.unwrap(), shared, "a question after the answer asks again");
    }
}
