//! `DELETE /admin/users/{id}`.

use std::time::Duration;

use axum::{extract::State, response::Response};
use domain::access::AuditAction;
use tokio::time::timeout;

use super::{EditError, UserPath, edited, user_id};
use crate::{
    announce, audit,
    auth::{Actor, Admin},
    error::ProblemBody,
    json::{self, Done},
    removal,
    state::ApiState,
};

/// How long a caller waits for the rest of a removal, beyond one logout.
const BEYOND_LOGOUT: Duration = Duration::from_secs(5);

/// Deletes a user: nobody logs in as them from now on, their sessions are unlinked and removed, and their messages,
/// events and webhooks deleted. What takes longer than the request goes on without it.
#[utoipa::path(
    delete, path = "/admin/users/{id}", tag = "user", operation_id = "deleteUser",
    params(("id" = i64, Path, description = "The user's number", example = 2)),
    responses(
        (status = 200, description = "There is no such user now", body = Done,
            example = json!({"data": {"message": "User deleted successfully"}})),
        (status = 400, description = "It is the admin", body = ProblemBody,
            example = json!({"message": "Cannot delete admin user", "code": "user_is_admin"})),
        (status = 403, description = "You are not an admin", body = ProblemBody),
        (status = 404, description = "There is no such user", body = ProblemBody,
            example = json!({"message": "User not found", "code": "user_not_found"})),
    )
)]
pub(crate) async fn handler(
    Admin(caller): Admin<Actor>,
    State(state): State<ApiState>,
    path: UserPath,
) -> Result<Response, EditError> {
    let user = user_id(path)?;
    let name = state.database.account(user).await?.map(|account| account.user.username);
    edited(state.database.begin_user_removal(user).await?, "Cannot delete admin user")?;
    state.credentials.forget(user).await;
    announce::user_changed(&state.bus, user);
    audit::note(&state, &caller, AuditAction::UserDeleted, name).await;
    let patience = state.settings.logout_wait + BEYOND_LOGOUT;
    match timeout(patience, removal::remove_user(&state, user)).await {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) | Err(_) => tracing::info!(user.id = %user, "the removal of a user goes on"),
        Ok(Err(error)) => tracing::warn!(user.id = %user, %error, "the removal of a user goes on later"),
    }
    Ok(json::done("User deleted successfully"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bus::messages::SessionCommand;
    use serde_json::json;
    use tokio::task::JoinSet;

    use crate::{
        state::Settings,
        testing::{Rig, soon},
    };

    #[tokio::test]
    async fn sessions_are_unlinked_and_the_user_goes() {
        let rig = Rig::new().await;
        let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
        let runner = rig.runner().connects().start().await;
        for (user, name) in [(&anna, "shop"), (&anna, "anna"), (&bob, "shop")] {
            rig.post("/session/start", &json!({"session": name})).by(user).send().await;
        }
        let url = format!("/admin/users/{}", anna.id);
        let answer = rig.request("DELETE", &url).send().await;
        answer.is(200, r#"{"data":{"message":"User deleted successfully"}}"#);

        assert_eq!(rig.get("/session").by(&anna).send().await.status, 401);
        rig.get("/session").send().await.is(200, r#"{"data":["bob_shop"]}"#);
        let logouts = runner.heard().into_iter().filter(|command| *command == SessionCommand::Logout);
        assert_eq!(logouts.count(), 2);
        assert_eq!(rig.get("/session").by(&bob).send().await.status, 200);
        rig.request("DELETE", &url).send().await.fails(404, "user_not_found", "User not found");

        let again = rig.user("anna").await;
        assert!(again.id > bob.id, "a number is given once");
        rig.get("/session").by(&again).send().await.is(200, r#"{"data":[]}"#);
    }

    #[tokio::test]
    async fn their_messages_go_and_others_messages_fail() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.session_of(&anna, "anna_shop").await;
        let order = json!({"session": "anna_shop", "to": "62811", "text": "hi"});
        let hers = rig.post("/message/send-text", &order).by(&anna).send().await.json();
        let admins = rig.post("/message/send-text", &order).send().await.json();
        let answer = rig.request("DELETE", &format!("/admin/users/{}", anna.id)).send().await;
        assert_eq!(answer.status, 200);
        let message = |sent: &serde_json::Value| format!("/message/{}", sent["data"]["id"].as_str().unwrap());
        assert_eq!(rig.get(&message(&hers)).send().await.status, 404);
        let failed = rig.get(&message(&admins)).send().await.json()["data"].clone();
        assert_eq!(
            (&failed["state"], &failed["failure"]["code"]),
            (&json!("failed"), &json!("session_gone"))
        );
    }

    #[tokio::test]
    async fn a_runner_that_does_not_answer_does_not_keep_the_user_in() {
        let logout_wait = Duration::from_millis(50);
        let rig = Rig::with(Settings { logout_wait, ..Settings::default() }).await;
        let anna = rig.user("anna").await;
        let runner = rig.runner().connects().start().await;
        rig.post("/session/start", &json!({"session": "shop"})).by(&anna).send().await;
        runner.falls_silent();
        let answer = rig.request("DELETE", &format!("/admin/users/{}", anna.id)).send().await;
        assert_eq!(answer.status, 200);
        assert_eq!(rig.get("/session").by(&anna).send().await.status, 401);
        rig.get("/session").send().await.is(200, r#"{"data":[]}"#);
    }

    #[tokio::test]
    async fn a_user_who_is_being_removed_can_start_nothing_and_is_forgotten_everywhere() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.session_of(&anna, "anna_shop").await;
        let other = rig.another();
        let mut tasks = JoinSet::new();
        let listening = other.state.clone();
        tasks.spawn(async move { listening.listen().await });
        assert_eq!(other.get("/session").by(&anna).send().await.status, 200, "remembered from now on");
        rig.database.begin_user_removal(anna.id).await.unwrap();
        // What the admin starts in that moment would keep the user alive.
        let start = rig.post("/session/start", &json!({"session": "anna_shop"})).send().await;
        start.fails(409, "session_removed", "The session was removed while it was being started");
        crate::announce::user_changed(&rig.bus, anna.id);
        soon("the other process forgets", async || {
            other.get("/session").by(&anna).send().await.status == 401
        })
        .await;
    }

    #[tokio::test]
    async fn the_admin_and_nobody_cannot_be_deleted() {
        let rig = Rig::new().await;
        let admin = rig.request("DELETE", "/admin/users/1").send().await;
        admin.fails(400, "user_is_admin", "Cannot delete admin user");
        for id in ["2", "0", "-1", "x", "1x", "%20"] {
            let answer = rig.request("DELETE", &format!("/admin/users/{id}")).send().await;
            answer.fails(404, "user_not_found", "User not found");
        }
        let forged = rig.request("DELETE", "/admin/users/2").header("sec-fetch-site", "cross-site");
        forged.send().await.fails(403, "cross_site", "A browser sent this request from another site");
    }
}
