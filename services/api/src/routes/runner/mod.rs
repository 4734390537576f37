//! The processes that hold sessions, for the operator.

pub(crate) mod drain;
pub(crate) mod fleet;
pub(crate) mod list;
pub(crate) mod move_session;

use std::time::Duration;

use axum::http::StatusCode;
use bus::{RequestError, messages::RunnerCommand, messages::RunnerReply, subjects};
use domain::RunnerId;
use storage::Runner;

use crate::{error::Problem, state::ApiState};

/// How long a runner may take to say that it has begun.
const PATIENCE: Duration = Duration::from_secs(5);

/// A runner that others could go to: it takes sessions, and its lease holds.
fn takes_sessions(runner: &Runner) -> bool {
    runner.accepting && !runner.lease_left.is_zero()
}

/// Tells a runner to do something; returns when it has begun.
async fn command(state: &ApiState, runner: RunnerId, command: &RunnerCommand) -> Result<(), RequestError> {
    let RunnerReply::Begun = state.bus.request(&subjects::runner(runner), command, PATIENCE).await?;
    Ok(())
}

fn not_found(words: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "runner_not_found", words.to_string())
}

fn no_other(words: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::CONFLICT, "no_other_runner", words.to_string())
}
