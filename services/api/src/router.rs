//! Every route, on one screen.

use axum::{
    Router,
    middleware::from_fn,
    routing::{any, delete, get, post, put},
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Deprecated, InfoBuilder,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::{
    documented,
    edge::edge,
    error,
    routes::{
        api_key, app, audit, auth, contact, dashboard, delivery, endpoint, event, link, media, message,
        pages, runner, session, status, system, user, webhook_auth,
    },
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
        .route("/auth/login", post(auth::login::handler))
        .route("/auth/logout", post(auth::logout::handler))
        .route("/auth/me", get(auth::me::handler))
        .route("/api-keys", get(api_key::list::handler).post(api_key::create::handler))
        .route("/api-keys/{id}", delete(api_key::revoke::handler))
        .route("/session", get(session::list::handler))
        .route("/sessions", get(session::page::handler))
        .route("/session/start", post(session::start::handler).get(session::start_page::handler).head(none))
        .route("/session/logout", any(session::logout::handler))
        .route("/session/{name}", get(session::get::handler))
        .route("/session/{name}/restart", post(session::restart::handler))
        .route("/session/{name}/stop", post(session::stop::handler))
        .route("/session/{name}/pair-code", post(session::pair_code::handler))
        .route("/session/{name}/qr", get(session::qr::handler))
        .route("/session/{name}/qr/events", get(session::qr_events::handler))
        .route("/session/{name}/events", get(session::history::handler))
        .route("/session/{name}/messages", get(session::messages::handler))
        .route("/session/{name}/stats", get(session::stats::handler))
        .route("/session/{name}/picture", get(session::picture::handler))
        .route("/session/{name}/share", post(session::share::handler).delete(session::revoke_share::handler))
        .route("/link/{token}/state", get(link::state::handler))
        .route("/link/{token}/qr/events", get(link::qr_events::handler))
        .route("/link/{token}/pair-code", post(link::pair_code::handler))
        .route("/events", get(event::stream::handler))
        .route("/message/send-text", post(message::send_text::handler).get(send_text_query).head(none))
        .route("/message/send-image", post(message::send_image::handler))
        .route("/message/send-video", post(message::send_video::handler))
        .route("/message/send-document", post(message::send_document::handler))
        .route("/message/send-audio", post(message::send_audio::handler))
        .route("/message/send-voice", post(message::send_voice::handler))
        .route("/message/send-sticker", post(message::send_sticker::handler))
        .route("/media/{name}", get(media::get::handler))
        .route("/message/send-location", post(message::send_location::handler))
        .route("/message/send-contact", post(message::send_contact::handler))
        .route("/message/send-poll", post(message::send_poll::handler))
        .route("/message/send-reaction", post(message::send_reaction::handler))
        .route("/message/edit", post(message::edit::handler))
        .route("/message/delete", post(message::delete::handler))
        .route("/message/mark-read", post(message::mark_read::handler))
        .route("/message/typing", post(message::typing::handler))
        .route("/message/{id}", get(message::get::handler))
        .route("/contact/check", post(contact::check::handler))
        .route("/profile", post(contact::profile::handler))
        .route("/admin/audit", get(audit::list::handler))
        .route("/admin/fleet", get(runner::fleet::handler))
        .route("/admin/runners", get(runner::list::handler))
        .route("/admin/runners/{id}/drain", post(runner::drain::handler))
        .route("/admin/sessions/{name}/move", post(runner::move_session::handler))
        .route("/status", get(status::fleet::handler))
        .route("/status/{session}", get(status::session::handler))
        .route("/admin", get(pages::admin::handler))
        .route("/admin/users", get(user::list::handler).post(user::create::handler))
        .route("/admin/users/{id}", delete(user::delete::handler))
        .route("/admin/users/{id}/password", put(user::set_password::handler))
        .route("/admin/users/{id}/session-config", put(user::configure::handler))
        .route("/dashboard", get(pages::dashboard::handler))
        .route("/dashboard/session-info", get(dashboard::session_info::handler))
        .route("/dashboard/callback", put(dashboard::set_callback::handler))
        .route("/dashboard/start-session", post(dashboard::start_session::handler))
        .route("/dashboard/disconnect-session", post(dashboard::disconnect_session::handler))
        .route("/app", get(app::get::handler))
        .route("/app/", get(app::get::handler))
        .route("/app/{*path}", get(app::get::handler))
        .route("/link/{token}", get(app::link::handler))
        .route("/docs", get(pages::docs::handler))
        .route("/docs/{file}", get(pages::docs::file))
        .route("/assets/{file}", get(pages::asset::handler))
        .route("/dashboard/webhook-auth", get(webhook_auth::get::handler).put(webhook_auth::set::handler))
        .route("/dashboard/webhook-auth/oauth2-client-credentials", post(webhook_auth::obtain_token::handler))
        .route("/dashboard/webhook-auth/oauth2-token", post(webhook_auth::exchange_code::handler))
        .route("/admin/users/{id}/webhook-auth", put(webhook_auth::set_for_user::handler))
        .route("/webhook/oauth2/authorize", post(webhook_auth::authorize::handler))
        .route("/webhook/endpoints", get(endpoint::list::handler).post(endpoint::create::handler))
        .route(
            "/webhook/endpoints/{id}",
            get(endpoint::get::handler).put(endpoint::update::handler).delete(endpoint::remove::handler),
        )
        .route("/webhook/endpoints/{id}/rotate-secret", post(endpoint::rotate_secret::handler))
        .route("/webhook/endpoints/{id}/test", post(endpoint::send_test::handler))
        .route("/webhook/deliveries", get(delivery::list::handler))
        .route("/webhook/deliveries/replay", post(delivery::replay_many::handler))
        .route("/webhook/deliveries/{id}", get(delivery::get::handler))
        .route("/webhook/deliveries/{id}/replay", post(delivery::replay::handler))
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
        (name = "auth", description = "Logging in to the dashboard, and keys for programs"),
        (name = "session", description = "Numbers: link them, list them, unlink them"),
        (name = "link", description = "What a link to a session's code opens, without an account"),
        (name = "message", description = "Messages: send them, see how far they came"),
        (name = "contact", description = "The people at the other side"),
        (name = "event", description = "What happens, as it happens"),
        (name = "runner", description = "The processes that hold sessions, for the operator"),
        (name = "media", description = "Files of messages that came in"),
        (name = "webhook", description = "Events on their way to you: where to, how they authenticate, what became of them"),
        (name = "status", description = "What a monitor watches"),
        (name = "user", description = "Users, kept by an admin"),
        (name = "dashboard", description = "What a user sees and sets of their own"),
        (name = "page", description = "Pages for people"),
        (name = "system", description = "The process itself"),
    ),
    paths(
        auth::login::handler, auth::logout::handler, auth::me::handler, api_key::list::handler,
        api_key::create::handler, api_key::revoke::handler, audit::list::handler,
        session::page::handler, session::messages::handler, session::stats::handler, session::picture::handler,
        session::share::handler, session::revoke_share::handler, link::state::handler, link::qr_events::handler,
        link::pair_code::handler, runner::fleet::handler,
        session::list::handler, session::start::handler, session::start_page::handler, session::logout::handler,
        session::get::handler, session::restart::handler, session::stop::handler, session::pair_code::handler,
        session::qr::handler, session::qr_events::handler, session::history::handler, event::stream::handler,
        message::send_text::handler, message::send_text_query::handler, message::send_location::handler,
        message::send_contact::handler, message::send_poll::handler, message::send_reaction::handler,
        message::edit::handler, message::delete::handler, message::mark_read::handler, message::typing::handler,
        message::send_image::handler, message::send_video::handler, message::send_document::handler,
        message::send_audio::handler, message::send_voice::handler, message::send_sticker::handler,
        message::get::handler, media::get::handler, contact::check::handler, contact::profile::handler,
        runner::list::handler, runner::drain::handler, runner::move_session::handler,
        status::fleet::handler, status::session::handler, system::welcome::handler,
        system::health::handler, system::ready::handler, system::openapi::handler,
        user::list::handler, user::create::handler, user::delete::handler, user::set_password::handler,
        user::configure::handler, dashboard::session_info::handler, dashboard::set_callback::handler,
        dashboard::start_session::handler, dashboard::disconnect_session::handler,
        pages::dashboard::handler, pages::admin::handler, pages::docs::handler, app::link::handler,
        webhook_auth::get::handler, webhook_auth::set::handler, webhook_auth::obtain_token::handler,
        webhook_auth::exchange_code::handler, webhook_auth::set_for_user::handler,
        webhook_auth::authorize::handler, endpoint::list::handler, endpoint::create::handler,
        endpoint::get::handler, endpoint::update::handler, endpoint::remove::handler,
        endpoint::rotate_secret::handler, endpoint::send_test::handler, delivery::list::handler,
        delivery::get::handler, delivery::replay::handler, delivery::replay_many::handler,
    ),
    components(schemas(error::ProblemBody, sending::SentBody)),
    security(("basic" = []), ("api_key" = []), ("cookie" = [])),
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
        let about = "A key of `POST /api-keys`, `wag_…`; it opens the routes that its scopes are for";
        components.add_security_scheme("api_key", scheme(HttpAuthScheme::Bearer, about));
        let cookie = ApiKeyValue::with_description("wag_session", "What `POST /auth/login` sets");
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
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
