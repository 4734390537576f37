//! Every route, on one screen.

use axum::{
    Router,
    middleware::from_fn,
    routing::{any, get, post},
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Deprecated, InfoBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::{
    documented,
    edge::edge,
    error,
    routes::{message, session, status, system},
    sending,
    state::ApiState,
};

/// The whole API, ready to serve.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/", get(system::welcome::handler))
        .route("/health", get(system::health::handler))
        .route("/ready", get(system::ready::handler))
        .route("/openapi.json", get(system::openapi::handler))
        .route("/session", get(session::list::handler))
        .route("/session/start", post(session::start::handler).get(session::start_page::handler).head(none))
        .route("/session/logout", any(session::logout::handler))
        .route("/session/{name}/qr", get(session::qr::handler))
        .route("/message/send-text", post(message::send_text::handler).get(send_text_query).head(none))
        .route("/message/{id}", get(message::get::handler))
        .route("/status", get(status::fleet::handler))
        .route("/status/{session}", get(status::session::handler))
        .fallback(system::not_found::handler)
        .method_not_allowed_fallback(system::not_found::handler)
        .layer(from_fn(edge))
        .with_state(state)
}

/// `HEAD` on a `GET` that changes things: it changes nothing.
use system::not_found::handler as none;

use message::send_text_query::handler as send_text_query;

/// The document that describes them.
#[derive(OpenApi)]
#[openapi(
    info(title = "WhatsApp gateway", description = "Send and receive WhatsApp messages over HTTP."),
    tags(
        (name = "session", description = "Numbers: link them, list them, unlink them"),
        (name = "message", description = "Messages: send them, see how far they came"),
        (name = "status", description = "What a monitor watches"),
        (name = "system", description = "The process itself"),
    ),
    paths(
        session::list::handler, session::start::handler, session::start_page::handler, session::logout::handler,
        session::qr::handler, message::send_text::handler, message::send_text_query::handler,
        message::get::handler, status::fleet::handler, status::session::handler, system::welcome::handler,
        system::health::handler, system::ready::handler, system::openapi::handler,
    ),
    components(schemas(error::ProblemBody, sending::SentBody)),
    security(("basic" = [])),
    modifiers(&Finish),
)]
struct Document;

struct Finish;

impl Modify for Finish {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = |scheme, about: &str| {
            SecurityScheme::Http(HttpBuilder::new().scheme(scheme).description(Some(about)).build())
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(
            "basic",
            scheme(
                HttpAuthScheme::Basic,
                "Name and password of a user; the admin's come from the environment",
            ),
        );
        components.add_security_scheme("status_token", scheme(HttpAuthScheme::Bearer, "`STATUS_TOKEN`"));
        // Rust's own attribute would be a warning at its route above.
        let deprecated =
            document.paths.paths.get_mut("/message/send-text").and_then(|item| item.get.as_mut());
        if let Some(operation) = deprecated {
            operation.deprecated = Some(Deprecated::True);
        }
        documented::complete(document);
    }
}

/// Describes every route, in `OpenAPI` 3.1.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.info = InfoBuilder::from(document.info).version(env!("CARGO_PKG_VERSION")).license(None).build();
    document
}
