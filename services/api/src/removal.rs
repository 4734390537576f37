//! Sessions and users that go.
//!
//! The removal of a user begins with one committed change, after which they are nobody. The rest takes as long as it
//! takes: their sessions are unlinked, then what they had is deleted. It may stop anywhere, with a caller that hangs up
//! or a process that dies; [`go_on`] finishes what others left.

use std::time::Duration;

use bus::{
    messages::{SessionCommand, SessionReply},
    subjects,
};
use domain::{UserId, session::Session};
use futures::{TryStreamExt as _, stream};
use tokio::time::{MissedTickBehavior, interval};

use crate::{announce, state::ApiState};

/// What the history of a removed user's sessions says.
const USER_REMOVED: &str = "its user was deleted";

/// Sessions of one user that are unlinked at the same time.
const UNLINKED_AT_ONCE: usize = 16;

/// How often to look for what others left.
const ROUND: Duration = Duration::from_secs(10);

/// How long whoever began a removal has it to themselves.
const GRACE: Duration = Duration::from_secs(20);

/// Unlinks a session at WhatsApp and removes it. Whether or not the device could be unlinked, the session goes: its
/// owner said so.
pub(crate) async fn remove_session(state: &ApiState, session: &Session, reason: &str) -> storage::Result<()> {
    let subject = subjects::session_command(session.id);
    let logout = state.bus.request(&subject, &SessionCommand::Logout, state.settings.logout_wait);
    match logout.await {
        Ok(SessionReply::Done) => {}
        Ok(reply) => tracing::warn!(session.id = %session.id, ?reply, "unexpected reply to a logout"),
        Err(error) => {
            tracing::info!(session.id = %session.id, %error, "removed a session without a logout at WhatsApp");
        }
    }
    if state.database.delete_session(session.id, reason).await? {
        announce::session_changed(&state.bus, session.id);
        announce::events_stored(&state.bus, session.user);
    }
    Ok(())
}

/// Removes what a user had whose removal has begun. Returns whether the user is gone; if not, a session came up in the
/// meantime, and [`go_on`] will see to it.
pub(crate) async fn remove_user(state: &ApiState, user: UserId) -> storage::Result<bool> {
    let sessions = state.database.sessions(Some(user)).await?;
    stream::iter(sessions.iter().map(Ok))
        .try_for_each_concurrent(UNLINKED_AT_ONCE, |session| remove_session(state, session, USER_REMOVED))
        .await?;
    state.database.purge_user(user).await
}

/// Finishes removals that were left in the middle, for as long as the process runs.
pub(crate) async fn go_on(state: &ApiState) {
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // An embedded database has one process: what is left there when it starts is nobody's.
    let mut grace = if state.database.is_embedded() { Duration::ZERO } else { GRACE };
    loop {
        rounds.tick().await;
        match round(state, grace).await {
            Ok(()) => grace = GRACE,
            Err(error) => tracing::warn!(%error, "removals wait: trying again"),
        }
    }
}

/// One look at what was left.
async fn round(state: &ApiState, grace: Duration) -> storage::Result<()> {
    for user in state.database.users_being_removed(state.clock.now() - grace).await? {
        if remove_user(state, user).await? {
            tracing::info!(user.id = %user, "finished the removal of a user");
        }
    }
    let failed = state.database.fail_messages_without_session().await?;
    if failed > 0 {
        tracing::info!(messages = failed, "failed messages whose session is gone");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bus::messages::SessionCommand;
    use serde_json::json;
    use storage::Edited;

    use super::*;
    use crate::testing::Rig;

    #[tokio::test]
    async fn what_a_process_left_in_the_middle_is_finished_by_another() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let runner = rig.runner().connects().start().await;
        rig.post("/session/start", &json!({"session": "shop"})).by(&anna).send().await;
        rig.session_of(&anna, "anna_idle").await;
        // Here the process dies.
        assert_eq!(rig.database.begin_user_removal(anna.id).await.unwrap(), Edited::Done);

        rig.advance(GRACE / 2);
        round(&rig.state, GRACE).await.unwrap();
        assert_eq!(rig.database.session_names(None).await.unwrap().len(), 2, "somebody may be at it");

        rig.advance(GRACE);
        round(&rig.state, GRACE).await.unwrap();
        assert!(rig.database.session_names(None).await.unwrap().is_empty());
        assert!(rig.database.users_being_removed(rig.now()).await.unwrap().is_empty());
        assert!(runner.heard().contains(&SessionCommand::Logout));
        assert!(
            rig.database
                .create_user(&storage::NewUser { username: "anna".into(), password_hash: "x".into() })
                .await
                .unwrap()
                .is_some(),
            "the name is free again"
        );
    }

    #[tokio::test]
    async fn a_user_who_is_not_being_removed_stays() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        assert!(!rig.database.purge_user(anna.id).await.unwrap());
        rig.advance(GRACE * 2);
        round(&rig.state, GRACE).await.unwrap();
        assert_eq!(rig.get("/session").by(&anna).send().await.status, 200);
    }
}
