//! What a user sees and sets of their own.

pub(crate) mod disconnect_session;
pub(crate) mod session_info;
pub(crate) mod set_callback;
pub(crate) mod start_session;

use domain::{session::full_name, user::Account};

use crate::{
    auth::{AuthError, Caller},
    state::ApiState,
};

/// The caller with what is set about them.
async fn account(state: &ApiState, caller: &Caller) -> Result<Account, AuthError> {
    state.database.account(caller.id).await?.ok_or(AuthError::Wrong)
}

/// The full name of the session that starts without one.
fn full_session_name(account: &Account) -> String {
    let Account { user, session_name, .. } = account;
    // A name that cannot be a session's is nobody's session.
    full_name(&user.username, user.is_admin, session_name).unwrap_or_default()
}
