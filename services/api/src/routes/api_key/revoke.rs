//! `DELETE /api-keys/{id}`: a key is worth nothing from then on.

use axum::{
    body::Body,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use domain::access::AuditAction;

use crate::{
    access::PathName,
    announce, audit,
    auth::Actor,
    error::{Problem, ProblemBody, answers_as_problem},
    state::ApiState,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("API key not found")]
    NotFound,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::new(StatusCode::NOT_FOUND, "api_key_not_found", error.to_string()),
            Error::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// Revokes one of your API keys: it opens nothing from then on, in every process.
#[utoipa::path(
    delete, path = "/api-keys/{id}", tag = "auth", operation_id = "revokeApiKey",
    params(("id" = String, Path, description = "The key's id", example = "key_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "You have no such key", body = ProblemBody,
            example = json!({"message": "API key not found", "code": "api_key_not_found"})),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    id: PathName,
) -> Result<Response, Error> {
    let id = id.ok().and_then(|Path(id)| id.parse().ok()).ok_or(Error::NotFound)?;
    let name = state.database.end_api_key(caller.id, id).await?.ok_or(Error::NotFound)?;
    state.credentials.forget(caller.id).await;
    announce::user_changed(&state.bus, caller.id);
    audit::note(&state, &caller, AuditAction::KeyRevoked, name).await;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use crate::testing::{Rig, soon};

    #[tokio::test]
    async fn a_key_dies_at_once_in_every_process() {
        let rig = Rig::new().await;
        let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
        let other = rig.another();
        let mut tasks = JoinSet::new();
        let listening = other.state.clone();
        tasks.spawn(async move { listening.listen().await });
        let (key, stays) =
            (rig.key(&anna, &["sessions:read"]).await, rig.key(&anna, &["sessions:read"]).await);
        for process in [&rig, &other] {
            for key in [&key, &stays] {
                assert_eq!(
                    process.get("/session").bearer(key).send().await.status,
                    200,
                    "remembered from now on"
                );
            }
        }
        let listed = rig.get("/api-keys").by(&anna).send().await.json();
        let url = format!("/api-keys/{}", listed["data"][1]["id"].as_str().unwrap());
        let foreign = rig.request("DELETE", &url).by(&bob).send().await;
        foreign.fails(404, "api_key_not_found", "API key not found");
        rig.request("DELETE", &url).send().await.fails(404, "api_key_not_found", "API key not found");
        rig.request("DELETE", &url).by(&anna).send().await.is(204, "");
        assert_eq!(rig.get("/session").bearer(&key).send().await.status, 401, "not a moment later");
        soon("the other process forgets", async || {
            other.get("/session").bearer(&key).send().await.status == 401
        })
        .await;
        assert_eq!(other.get("/session").bearer(&stays).send().await.status, 200);
        for id in ["x", "%ff", "ses_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f", &url["/api-keys/".len()..]] {
            let answer = rig.request("DELETE", &format!("/api-keys/{id}")).by(&anna).send().await;
            answer.fails(404, "api_key_not_found", "API key not found");
        }
    }
}
