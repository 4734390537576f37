//! What a key must be for to open a route. A route that is not named here is for people, not for keys.

use axum::http::Method;
use domain::access::Scope;

/// What a route asks of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// A scope.
    For(Scope),
    /// Any key will do.
    Nothing,
    /// Somebody who logged in.
    Person,
}

/// What the route of this pattern asks of a key.
pub(super) fn asked(method: &Method, route: &str) -> Asks {
    use Scope as S;
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let of = |read, write| Asks::For(if reads { read } else { write });
    let (first, rest) =
        route.trim_start_matches('/').split_once('/').unwrap_or((route.trim_start_matches('/'), ""));
    match (first, rest) {
        ("auth", "me") => Asks::Nothing,
        ("message", "{id}") | ("media", _) | ("events", "") | ("session", "{name}/messages") => {
            Asks::For(S::MessagesRead)
        }
        ("message" | "contact", _) | ("profile", "") => Asks::For(S::MessagesSend),
        // Who sees the code links a phone with it; some of the contract's `GET`s change things.
        ("session", "start" | "logout" | "{name}/qr" | "{name}/qr/events")
        | ("dashboard", "start-session" | "disconnect-session") => Asks::For(S::SessionsWrite),
        ("session", _) => of(S::SessionsRead, S::SessionsWrite),
        ("sessions", "") | ("status", _) | ("dashboard", "session-info") => Asks::For(S::SessionsRead),
        ("dashboard", "callback") | ("webhook", _) => of(S::WebhooksRead, S::WebhooksWrite),
        ("dashboard", rest) if rest.starts_with("webhook-auth") => of(S::WebhooksRead, S::WebhooksWrite),
        ("admin", rest) if !rest.is_empty() => Asks::For(S::Admin),
        _ => Asks::Person,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_route_asks_for_what_it_does() {
        let table = [
            ("GET", "/session", "sessions:read"),
            ("GET", "/sessions", "sessions:read"),
            ("GET", "/session/{name}", "sessions:read"),
            ("GET", "/session/{name}/stats", "sessions:read"),
            ("GET", "/session/{name}/messages", "messages:read"),
            ("GET", "/session/{name}/qr", "sessions:write"),
            ("GET", "/session/{name}/qr/events", "sessions:write"),
            ("POST", "/session/{name}/share", "sessions:write"),
            ("GET", "/session/start", "sessions:write"),
            ("POST", "/session/start", "sessions:write"),
            ("GET", "/session/logout", "sessions:write"),
            ("POST", "/message/send-text", "messages:send"),
            ("GET", "/message/send-text", "messages:send"),
            ("GET", "/message/{id}", "messages:read"),
            ("GET", "/media/{name}", "messages:read"),
            ("GET", "/events", "messages:read"),
            ("POST", "/profile", "messages:send"),
            ("POST", "/contact/check", "messages:send"),
            ("GET", "/status", "sessions:read"),
            ("GET", "/status/{session}", "sessions:read"),
            ("GET", "/webhook/deliveries", "webhooks:read"),
            ("POST", "/webhook/deliveries/replay", "webhooks:write"),
            ("GET", "/dashboard/webhook-auth", "webhooks:read"),
            ("PUT", "/dashboard/callback", "webhooks:write"),
            ("POST", "/dashboard/start-session", "sessions:write"),
            ("GET", "/admin/users", "admin"),
            ("POST", "/admin/runners/{id}/drain", "admin"),
            ("GET", "/auth/me", "nothing"),
            ("GET", "/api-keys", "person"),
            ("POST", "/auth/logout", "person"),
            ("GET", "/admin", "person"),
            ("GET", "/dashboard", "person"),
            ("GET", "/somewhere/new", "person"),
        ];
        for (method, route, expected) in table {
            let asks = match asked(&method.parse().unwrap(), route) {
                Asks::For(scope) => scope.as_str(),
                Asks::Nothing => "nothing",
                Asks::Person => "person",
            };
            assert_eq!(asks, expected, "{method} {route}");
        }
    }

    /// A route that is new is thought of here, or is for people only.
    #[test]
    fn what_is_documented_is_for_keys_but_for_a_few() {
        let document = json!(crate::openapi());
        let mut for_people = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let open = operation["security"] == json!([{}]);
                let method: Method = method.to_uppercase().parse().unwrap();
                if !open && asked(&method, path) == Asks::Person {
                    for_people.push(format!("{method} {path}"));
                }
            }
        }
        for_people.sort();
        let expected =
            ["DELETE /api-keys/{id}", "GET /admin", "GET /api-keys", "GET /dashboard", "POST /api-keys"];
        assert_eq!(for_people, expected);
    }
}
