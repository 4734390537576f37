//! The control API.
use crate::server::Inner;
use axum::Router;
use std::sync::Arc;
/// All routes.
pub(crate) fn router(_inner: &Arc<Inner>) -> Router { Router::new() }
