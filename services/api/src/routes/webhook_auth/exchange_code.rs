//! `POST /dashboard/webhook-auth/oauth2-token`: a token for the code that an authorization server gave.

use axum::{extract::State, response::Response};
use utoipa::ToSchema;
use webhooks::{ObtainError, TokenRequest};

use super::{MAX_SECRET_CHARS, TokenProblem};
use crate::{
    auth::Actor,
    error::ProblemBody,
    fields::JsonFields,
    json::{self, Done},
    state::ApiState,
};

/// What came back from the authorization server.
#[derive(ToSchema)]
#[schema(example = json!({"code": "SplxlOBeZQQYbYS6WxSbIA", "redirect_uri": "https://shop.example/back"}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct ExchangeCode {
    code: String,
    /// Where it came back to; not needed with `state`.
    redirect_uri: Option<String>,
    /// When `POST /webhook/oauth2/authorize` began it: what came back beside the code.
    state: Option<String>,
}

/// Gets an OAuth2 token for an authorization code.
#[utoipa::path(
    post, path = "/dashboard/webhook-auth/oauth2-token", tag = "webhook", operation_id = "exchangeOAuth2Code",
    request_body = ExchangeCode,
    responses(
        (status = 200, description = "There is a token", body = Done,
            example = json!({"data": {"message": "OAuth2 token obtained successfully"}})),
        (status = 400, description = "There is none; the message says why", body = ProblemBody,
            example = json!({"message": "Failed to obtain OAuth2 token: invalid_grant", "code": "oauth2_token_failed"})),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, TokenProblem> {
    let code = fields.text_up_to("code", MAX_SECRET_CHARS)?;
    let redirect_uri = fields.uri_if_any("redirect_uri")?;
    let begun = fields.text_if_any("state", MAX_SECRET_CHARS)?;
    if state.database.webhook_auth(caller.id).await?.settings.oauth2().is_none() {
        return Err(ObtainError::NotConfigured.into());
    }
    let (redirect_uri, verifier) = match begun {
        None => (redirect_uri, None),
        Some(begun) => {
            let kept = state.database.end_authorization(caller.id, &begun).await?;
            let kept = kept.ok_or(TokenProblem::State)?;
            (Some(redirect_uri.unwrap_or(kept.redirect_uri)), Some(kept.verifier))
        }
    };
    let request = TokenRequest::Code { code, redirect_uri, verifier };
    state.webhooks.authenticator().obtain(caller.id, request).await?;
    Ok(json::done("OAuth2 token obtained successfully"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use authorization_server::{AuthorizationServer, CLIENT_ID, CLIENT_SECRET, SCOPE};
    use serde_json::json;

    use crate::testing::{Rig, TestUser};

    const EXCHANGE: &str = "/dashboard/webhook-auth/oauth2-token";
    const AUTHORIZE: &str = "/webhook/oauth2/authorize";
    const BACK: &str = "https://shop.example/back?x=1";
    const DONE: &str = r#"{"data":{"message":"OAuth2 token obtained successfully"}}"#;

    async fn with_server() -> (Rig, TestUser, AuthorizationServer) {
        let rig = Rig::new().await;
        let (anna, server) = (rig.user("anna").await, AuthorizationServer::start().await);
        let body = json!({"auth_type": "oauth2", "oauth2_client_id": CLIENT_ID, "oauth2_scope": SCOPE,
            "oauth2_client_secret": CLIENT_SECRET, "oauth2_token_url": server.token_url});
        assert_eq!(rig.put("/dashboard/webhook-auth", &body).by(&anna).send().await.status, 200);
        (rig, anna, server)
    }

    #[tokio::test]
    async fn a_code_is_exchanged_once_and_for_its_address() {
        let (rig, anna, server) = with_server().await;
        let refused = "Failed to obtain OAuth2 token: invalid_grant: the tests' server says no";
        let elsewhere = json!({"code": server.code(BACK, None), "redirect_uri": "https://other.example/"});
        let answer = rig.post(EXCHANGE, &elsewhere).by(&anna).send().await;
        answer.fails(400, "oauth2_token_failed", refused);

        let right = json!({"code": server.code(BACK, None), "redirect_uri": BACK});
        rig.post(EXCHANGE, &right).by(&anna).send().await.is(200, DONE);
        rig.post(EXCHANGE, &right).by(&anna).send().await.fails(400, "oauth2_token_failed", refused);
        let data = rig.get("/dashboard/webhook-auth").by(&anna).send().await.json()["data"].clone();
        assert_eq!(data["oauth2_has_token"], true, "a failure does not take away what is there");

        let without_address = json!({"code": server.code(BACK, None)});
        rig.post(EXCHANGE, &without_address).by(&anna).send().await.is(200, DONE);
        let not_configured = rig.post(EXCHANGE, &right).send().await;
        not_configured.fails(400, "oauth2_not_configured", "OAuth2 is not configured for this user");
        rig.post(EXCHANGE, &json!({})).send().await.fails(
            400,
            "invalid_field",
            "Required field 'code' on json",
        );
        let bad = rig.post(EXCHANGE, &json!({"code": "x", "redirect_uri": "no"})).by(&anna).send().await;
        bad.fails(400, "invalid_field", "Invalid url field 'redirect_uri' on json");
    }

    #[tokio::test]
    async fn a_person_is_sent_away_and_comes_back_with_state_and_pkce() {
        let (rig, anna, server) = with_server().await;
        let bob = rig.user("bob").await;
        let wanted = json!({"authorize_url": server.authorize_url, "redirect_uri": BACK});
        let begun = rig.post(AUTHORIZE, &wanted).by(&anna).send().await.json()["data"].clone();
        let (code, state) = server.visit(begun["url"].as_str().unwrap()).unwrap();
        assert_eq!(begun["state"], state);

        let unknown = "Unknown or expired state: start the authorization again";
        let wrong = rig.post(EXCHANGE, &json!({"code": code, "state": "guessed"})).by(&anna).send().await;
        wrong.fails(400, "invalid_state", unknown);
        let body = json!({"auth_type": "oauth2", "oauth2_client_id": CLIENT_ID,
            "oauth2_client_secret": CLIENT_SECRET, "oauth2_token_url": server.token_url});
        rig.put("/dashboard/webhook-auth", &body).by(&bob).send().await;
        let back = json!({"code": code, "state": state});
        rig.post(EXCHANGE, &back).by(&bob).send().await.fails(400, "invalid_state", unknown);
        rig.post(EXCHANGE, &back).by(&anna).send().await.is(200, DONE);
        let form = server.requests().pop().unwrap();
        assert_eq!((&*form["redirect_uri"], form.contains_key("code_verifier")), (BACK, true));
        rig.post(EXCHANGE, &back).by(&anna).send().await.fails(400, "invalid_state", unknown);

        // Without the state nobody has the verifier.
        let begun = rig.post(AUTHORIZE, &wanted).by(&anna).send().await.json()["data"].clone();
        let (code, state) = server.visit(begun["url"].as_str().unwrap()).unwrap();
        let bare = rig.post(EXCHANGE, &json!({"code": code})).by(&anna).send().await;
        assert_eq!((bare.status, bare.code()), (400, "oauth2_token_failed".into()));
        rig.advance(Duration::from_mins(11));
        let late = rig.post(EXCHANGE, &json!({"code": code, "state": state})).by(&anna).send().await;
        late.fails(400, "invalid_state", unknown);
    }

    #[tokio::test]
    async fn addresses_that_are_none_are_refused() {
        let (rig, anna, server) = with_server().await;
        let table = [
            (json!({"redirect_uri": BACK}), "Required field 'authorize_url' on json"),
            (
                json!({"authorize_url": "x", "redirect_uri": BACK}),
                "Invalid url field 'authorize_url' on json",
            ),
            (json!({"authorize_url": server.authorize_url}), "Required field 'redirect_uri' on json"),
            (
                json!({"authorize_url": server.authorize_url, "redirect_uri": "back"}),
                "Invalid url field 'redirect_uri' on json",
            ),
        ];
        for (body, words) in table {
            rig.post(AUTHORIZE, &body).by(&anna).send().await.fails(400, "invalid_field", words);
        }
        let body = json!({"authorize_url": server.authorize_url, "redirect_uri": "app.shop:/back"});
        assert_eq!(rig.post(AUTHORIZE, &body).by(&anna).send().await.status, 200);
        let admin = rig.post(AUTHORIZE, &body).send().await;
        admin.fails(400, "oauth2_not_configured", "OAuth2 is not configured for this user");
    }
}
