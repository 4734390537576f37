//! `POST /dashboard/webhook-auth/oauth2-client-credentials`: a token for the client itself.

use axum::{extract::State, response::Response};
use webhooks::TokenRequest;

use super::TokenProblem;
use crate::{
    auth::Actor,
    error::ProblemBody,
    json::{self, Done},
    state::ApiState,
};

/// Gets an OAuth2 token with the client's own credentials.
#[utoipa::path(
    post, path = "/dashboard/webhook-auth/oauth2-client-credentials", tag = "webhook",
    operation_id = "obtainOAuth2Token",
    responses(
        (status = 200, description = "There is a token", body = Done,
            example = json!({"data": {"message": "OAuth2 token obtained successfully using client credentials"}})),
        (status = 400, description = "There is none; the message says why", body = ProblemBody,
            example = json!({"message": "Failed to obtain OAuth2 token: invalid_client", "code": "oauth2_token_failed"})),
    )
)]
pub(crate) async fn handler(caller: Actor, State(state): State<ApiState>) -> Result<Response, TokenProblem> {
    state.webhooks.authenticator().obtain(caller.id, TokenRequest::ClientCredentials).await?;
    Ok(json::done("OAuth2 token obtained successfully using client credentials"))
}

#[cfg(test)]
mod tests {
    use authorization_server::{AuthorizationServer, CLIENT_ID, CLIENT_SECRET, SCOPE};
    use serde_json::json;

    use crate::testing::{Rig, TestUser};

    const OBTAIN: &str = "/dashboard/webhook-auth/oauth2-client-credentials";
    const AUTH: &str = "/dashboard/webhook-auth";

    async fn configure(rig: &Rig, user: &TestUser, url: &str, secret: &str) {
        let body = json!({"auth_type": "oauth2", "oauth2_client_id": CLIENT_ID, "oauth2_client_secret": secret,
            "oauth2_token_url": url, "oauth2_scope": SCOPE});
        assert_eq!(rig.put(AUTH, &body).by(user).send().await.status, 200);
    }

    #[tokio::test]
    async fn a_token_is_obtained_and_dropped_with_new_settings() {
        let rig = Rig::new().await;
        let (anna, server) = (rig.user("anna").await, AuthorizationServer::start().await);
        let none = rig.request("POST", OBTAIN).by(&anna).send().await;
        none.fails(400, "oauth2_not_configured", "OAuth2 is not configured for this user");

        configure(&rig, &anna, &server.token_url, CLIENT_SECRET).await;
        let answer = rig.request("POST", OBTAIN).by(&anna).send().await;
        answer
            .is(200, r#"{"data":{"message":"OAuth2 token obtained successfully using client credentials"}}"#);
        let form = server.requests().remove(0);
        assert_eq!((&*form["grant_type"], &*form["scope"]), ("client_credentials", SCOPE));
        let data = rig.get(AUTH).by(&anna).send().await.json()["data"].clone();
        assert_eq!(data["oauth2_has_token"], true);
        assert_eq!(data["oauth2_token_expiry"], rig.now().0 + 3_600_000);

        rig.put(AUTH, &json!({})).by(&anna).send().await;
        let data = rig.get(AUTH).by(&anna).send().await.json()["data"].clone();
        assert_eq!((&data["oauth2_has_token"], &data["oauth2_token_expiry"]), (&json!(false), &json!(null)));
    }

    #[tokio::test]
    async fn the_reason_is_said_when_there_is_none() {
        let rig = Rig::new().await;
        let (anna, server) = (rig.user("anna").await, AuthorizationServer::start().await);
        let away = format!("http://127.0.0.1:{}/token", free_port());
        let not_found = server.token_url.replace("/token", "/nothing");
        let table = [
            (&*server.token_url, "wrong", "invalid_client: the tests' server says no"),
            (&*not_found, CLIENT_SECRET, "the token endpoint answered with status 404"),
            (&*away, CLIENT_SECRET, "cannot connect: Connection refused (os error 111)"),
        ];
        for (url, secret, reason) in table {
            configure(&rig, &anna, url, secret).await;
            let answer = rig.request("POST", OBTAIN).by(&anna).send().await;
            answer.fails(400, "oauth2_token_failed", &format!("Failed to obtain OAuth2 token: {reason}"));
        }
    }

    #[tokio::test]
    async fn a_token_url_cannot_reach_into_the_operators_network() {
        let rig = Rig::new().await;
        let (anna, server) = (rig.user("anna").await, AuthorizationServer::start().await);
        // Only 127.0.0.1 is permitted here.
        let port = server.token_url.split(':').nth(2).unwrap();
        let answer = rig
            .put(AUTH, &json!({"oauth2_token_url": format!("http://127.0.0.2:{port}")}))
            .by(&anna)
            .send()
            .await;
        answer.fails(
            400,
            "url_not_allowed",
            "oauth2_token_url: 127.0.0.2 is not a public address; EGRESS_ALLOW can permit it",
        );
        assert_eq!(server.requests().len(), 0);
    }

    fn free_port() -> u16 {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    }
}
