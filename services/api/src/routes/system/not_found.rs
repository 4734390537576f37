//! Whatever has no route.

use crate::error::Problem;

pub(crate) async fn handler() -> Problem {
    Problem::route_not_found()
}
