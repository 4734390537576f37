//! Which session a caller means, and whether it is theirs.

use axum::{
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
};
use domain::session::{Session, full_name};
use storage::Database;

use crate::{
    auth::Caller,
    error::{Problem, answers_as_problem},
};

/// What a caller's word for a session stands for.
#[derive(Debug)]
pub(crate) enum Named {
    /// One that the caller may use.
    Own(Box<Session>),
    /// One of another user, or a name that could not be the caller's: nobody learns which.
    Foreign,
    /// None, though the caller could have one of that name.
    Unknown,
}

/// Why a route does not go on with a session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    #[error("You can only use your own sessions")]
    Foreign,
    #[error("Session does not exist")]
    Unknown,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let words = error.to_string();
        match error {
            AccessError::Foreign => Self::new(StatusCode::FORBIDDEN, "not_your_session", words),
            AccessError::Unknown => Self::new(StatusCode::BAD_REQUEST, "session_not_found", words),
            AccessError::Storage(error) => error.into(),
        }
    }
}

/// Why a route has nothing to show. What is another's is said to be not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    #[error("Session does not exist")]
    NoSession,
    #[error("Message not found")]
    NoMessage,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<LookupError> for Problem {
    fn from(error: LookupError) -> Self {
        let words = error.to_string();
        match error {
            LookupError::NoSession => Self::new(StatusCode::NOT_FOUND, "session_not_found", words),
            LookupError::NoMessage => Self::new(StatusCode::NOT_FOUND, "message_not_found", words),
            LookupError::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(LookupError);

/// The full name of what a caller calls `given`, if that can be a session's.
pub(crate) fn full(caller: &Caller, given: &str) -> Option<String> {
    full_name(&caller.username, caller.is_admin, given).ok()
}

/// Looks up what a caller calls `given`.
pub(crate) async fn named(database: &Database, caller: &Caller, given: &str) -> storage::Result<Named> {
    let Some(full) = full(caller, given) else { return Ok(Named::Unknown) };
    Ok(match database.session_by_name(&full).await? {
        Some(session) if caller.may_use_sessions_of(session.user) => Named::Own(Box::new(session)),
        None if full == given => Named::Unknown,
        Some(_) | None => Named::Foreign,
    })
}

/// The session that a caller calls `given`, for the routes that need one.
pub(crate) async fn own(
    database: &Database,
    caller: &Caller,
    given: &str,
) -> Result<Box<Session>, AccessError> {
    match named(database, caller, given).await? {
        Named::Own(session) => Ok(session),
        Named::Foreign => Err(AccessError::Foreign),
        Named::Unknown => Err(AccessError::Unknown),
    }
}

/// A part of a route's path; one that is no text is nobody's name.
pub(crate) type PathName = Result<Path<String>, PathRejection>;

/// The session that a path names, for the routes under `/session/{name}`.
pub(crate) async fn visible(
    database: &Database,
    caller: &Caller,
    name: PathName,
) -> Result<Box<Session>, LookupError> {
    let Path(name) = name.map_err(|_| LookupError::NoSession)?;
    match named(database, caller, &name).await? {
        Named::Own(session) => Ok(session),
        Named::Foreign | Named::Unknown => Err(LookupError::NoSession),
    }
}

#[cfg(test)]
mod tests {
    use domain::session::SessionState;
    use serde_json::json;

    use crate::testing::Rig;

    /// One user's sessions, asked for in every way by another.
    #[tokio::test]
    async fn two_users_have_nothing_of_each_other() {
        let rig = Rig::new().await;
        let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
        let runner = rig.runner().offers("2@hers").start().await;
        for name in ["anna", "shop"] {
            rig.post("/session/start", &json!({"session": name})).by(&anna).send().await;
        }
        let order = json!({"session": "shop", "to": "62811", "text": "hi"});
        let sent = rig.post("/message/send-text", &order).by(&anna).send().await.json();
        let message = format!("/message/{}", sent["data"]["id"].as_str().unwrap());

        rig.get("/session").by(&bob).send().await.is(200, r#"{"data":[]}"#);
        let status = rig.get("/status").by(&bob).send().await.json();
        assert_eq!((&status["sessions_expected"], &status["sessions"]), (&json!(0), &json!([])));
        rig.get(&message).by(&bob).send().await.fails(404, "message_not_found", "Message not found");
        for name in ["anna", "anna_shop", "anna_nothing"] {
            for url in [format!("/status/{name}"), format!("/session/{name}/qr")] {
                let answer = rig.get(&url).by(&bob).send().await;
                answer.fails(404, "session_not_found", "Session does not exist");
            }
            let foreign = "You can only use your own sessions";
            let order = json!({"session": name, "to": "62811", "text": "hi"});
            let answer = rig.post("/message/send-text", &order).by(&bob).send().await;
            answer.fails(403, "not_your_session", foreign);
            let url = format!("/message/send-text?session={name}&to=62811&text=hi");
            rig.get(&url).by(&bob).send().await.fails(403, "not_your_session", foreign);
            let answer = rig.post("/session/logout", &json!({"session": name})).by(&bob).send().await;
            answer.fails(403, "not_your_session", "You can only delete your own sessions");
        }
        // The same word is another session for each, and the other's prefix is a part of a name like any other.
        for (given, full) in [("shop", "bob_shop"), ("anna_shop", "bob_anna_shop"), ("anna", "bob_anna")] {
            let answer = rig.post("/session/start", &json!({"session": given})).by(&bob).send().await;
            assert_eq!(answer.json(), json!({"qr": "2@hers", "session": full}));
        }
        runner.moves("bob_shop", SessionState::Connected).await;
        let order = json!({"session": "shop", "to": "62811", "text": "his"});
        let sent = rig.post("/message/send-text", &order).by(&bob).send().await.json();
        let message = format!("/message/{}", sent["data"]["id"].as_str().unwrap());
        assert_eq!(rig.get(&message).by(&bob).send().await.json()["data"]["session"], "bob_shop");
        rig.get(&message).by(&anna).send().await.fails(404, "message_not_found", "Message not found");
        let hers = r#"{"data":["anna","anna_shop"]}"#;
        rig.get("/session").by(&anna).send().await.is(200, hers);
        rig.get("/session/logout?session=shop").by(&bob).send().await.is(200, r#"{"data":"success"}"#);
        rig.get("/session").by(&anna).send().await.is(200, hers);
    }
}
