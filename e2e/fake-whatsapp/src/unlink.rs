//! Taking connections away, and devices.

use crate::account::Account;
use crate::faults::Kick;
use crate::inner::Inner;
use crate::login::{conflict, stream_error};
use crate::socket::connection::{Close, Connection};
use crate::stanza::devices;
use std::sync::Arc;

/// Takes a device off its account; returns its connection, if it had one. The phone cannot be taken off.
pub(crate) fn forget(inner: &Arc<Inner>, account: &Arc<Account>, device: u16) -> Option<Arc<Connection>> {
    if device == 0 {
        return None;
    }
    let removed = {
        let mut state = account.state.lock();
        let removed = state.devices.remove(&device)?;
        state.devices_changed = state.devices_changed.max(crate::clock::unix_seconds() - 1) + 1;
        removed
    };
    account.phone.lock().forget_session(&account.number, device);
    devices::announce(inner, account, device, devices::Change::Removed);
    inner.note(account);
    removed.connection
}

/// Takes a device's connection away; false when it has none.
pub(crate) fn kick(inner: &Arc<Inner>, account: &Arc<Account>, device: u16, kind: Kick) -> bool {
    let connection = match kind {
        Kick::Removed | Kick::Unauthorized | Kick::Unlinked => forget(inner, account, device),
        _ => account.state.lock().devices.get(&device).and_then(|device| device.connection.clone()),
    };
    let Some(connection) = connection else { return false };
    let farewell = match kind {
        Kick::Drop => {
            connection.close(Close::Cut);
            return true;
        }
        Kick::Close => None,
        Kick::Replaced => Some(conflict("replaced", None)),
        Kick::Removed => Some(conflict("device_removed", Some(401))),
        Kick::Unauthorized => Some(stream_error(401)),
        Kick::Conflict => Some(stream_error(409)),
        Kick::RateLimited => Some(stream_error(429)),
        Kick::Unavailable => Some(stream_error(503)),
        Kick::Restart => Some(stream_error(515)),
        Kick::Unlinked => Some(stream_error(516)),
    };
    if let Some(farewell) = farewell {
        connection.send(&farewell);
    }
    connection.close(Close::Gentle);
    true
}
