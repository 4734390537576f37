//! The REST API: routes under [`router`], served by [`Api::run`] or [`serve`].
//!
//! # How to add a route
//! 1. `routes/<noun>/<verb>.rs`: the handler with its error enum, its `OpenAPI` text and its tests. It takes a
//!    `Caller` (anybody with valid credentials), an `Actor` (and it changes something) or a `Watcher`, then its
//!    fields in the order of the contract.
//! 2. Its `From<Error> for Problem`: which status, code and words.
//! 3. One line in `router.rs`, and one among the paths of its document. A body of which the text says "as `data`" gets
//!    its envelope there, and the answers that every route may give are added (`documented.rs`).
//! 4. What a key must be for to open it, in `auth/scopes.rs`. Without that it is for people only.
//! 5. `UPDATE_DOCS=1 cargo test -p api` writes `openapi.json` anew.

mod access;
mod announce;
mod asking;
mod audit;
mod auth;
mod documented;
mod edge;
mod error;
mod fields;
#[cfg(test)]
mod hostile_tests;
mod json;
mod listing;
mod page;
mod pairing;
mod removal;
mod router;
mod routes;
mod sending;
mod serve;
mod shares;
mod state;
mod stopping;
mod stream;
#[cfg(test)]
mod testing;

use bus::{Received, messages::Hint, subjects};
use tokio::net::TcpListener;

pub use auth::LoginLimits;
pub use router::{openapi, router};
pub use serve::serve;
pub use state::{ApiState, Parts, Settings};

/// Hints that may wait to be read.
const HINTS: usize = 1024;

/// The API of one process: the server, what keeps its memory of users true, and what finishes removals.
pub struct Api {
    state: ApiState,
}

impl Api {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { state: ApiState::new(parts) }
    }

    /// Serves on `listener` until the parts' `shutdown`, then drains and returns.
    pub async fn run(self, listener: TcpListener) {
        let state = self.state;
        let (settings, shutdown) = (&state.settings, &state.shutdown);
        tokio::join!(
            serve(listener, router(state.clone()), settings, shutdown.clone()),
            shutdown.run_until_cancelled(state.listen()),
            shutdown.run_until_cancelled(removal::go_on(&state)),
        );
    }
}

impl ApiState {
    /// Forgets what is remembered about users and sessions that changed, as hints tell; ends when the bus is closed.
    /// Without it changes are noticed within seconds.
    pub async fn listen(&self) {
        tokio::join!(self.listen_for_users(), self.listen_for_sessions());
    }

    async fn listen_for_users(&self) {
        let Ok(mut hints) = self.bus.subscribe(subjects::any_user_changed(), HINTS).await else { return };
        while let Some(received) = hints.next().await {
            match received {
                Received::Hint(Hint::UserChanged { user }) => self.credentials.forget(user).await,
                Received::Hint(_) => {}
                Received::Lagged => self.credentials.forget_all(),
            }
        }
    }

    async fn listen_for_sessions(&self) {
        let Ok(mut hints) = self.bus.subscribe::<Hint>(subjects::any_session_changed(), HINTS).await else {
            return;
        };
        while let Some(Received::Hint(_) | Received::Lagged) = hints.next().await {
            self.senders.forget_all();
        }
    }
}
