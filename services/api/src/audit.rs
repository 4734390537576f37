//! The audit log: what was done is noted after it was done.

use domain::access::AuditAction;
use storage::AuditRecord;

use crate::{auth::Caller, state::ApiState};

/// Notes what a caller did, and to what. That it could not be noted undoes nothing: then the log has it.
pub(crate) async fn note(
    state: &ApiState,
    caller: &Caller,
    action: AuditAction,
    target: impl Into<Option<String>>,
) {
    note_detail(state, caller, action, target.into(), None).await;
}

/// The same, with more about it.
pub(crate) async fn note_detail(
    state: &ApiState,
    caller: &Caller,
    action: AuditAction,
    target: Option<String>,
    detail: Option<String>,
) {
    let actor = caller.username.clone();
    write(state, AuditRecord { actor, action, target, address: caller.address(), detail }).await;
}

/// Notes what somebody did who is no caller.
pub(crate) async fn write(state: &ApiState, record: AuditRecord) {
    if let Err(error) = state.database.add_audit_record(&record).await {
        let AuditRecord { actor, action, target, address, detail } = record;
        tracing::error!(%error, actor, %action, target, ?address, detail, "what was done is not in the audit log");
    }
}
