//! From a finished handshake to a logged-in device, and back.

use crate::account::{Account, Addressing};
use crate::faults::Failure;
use crate::inner::Inner;
use crate::pairing;
use crate::socket::connection::{Close, Connection, Login};
use crate::stanza::presence;
use crate::{account::keys::PublicKeys, clock};
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, SERVER_JID};
use waproto::whatsapp::ClientPayload;
use waproto::whatsapp::client_payload::DevicePairingRegistrationData;

/// Decides what a client that finished its handshake may do.
pub(crate) fn admit(
    inner: &Arc<Inner>,
    connection: &Arc<Connection>,
    noise_key: [u8; 32],
    payload: &ClientPayload,
) {
    if let Some(data) = payload.device_pairing_data.as_option() {
        pairing::offer(inner, connection, noise_key, registration_keys(data), payload.push_name.clone());
        return;
    }
    match log_in(inner, connection, noise_key, payload) {
        Ok(()) => {}
        Err(failure) => {
            tracing::debug!(connection = connection.id, reason = failure.reason(), "login refused");
            connection.send(&failure_stanza(&failure));
            connection.close(Close::Gentle);
        }
    }
}

fn log_in(
    inner: &Arc<Inner>,
    connection: &Arc<Connection>,
    noise_key: [u8; 32],
    payload: &ClientPayload,
) -> Result<(), Failure> {
    let (Some(number), Some(device)) = (payload.username, payload.device) else {
        return Err(Failure::Reason(400));
    };
    let account = inner.directory.by_number(&number.to_string()).ok_or(Failure::LoggedOut)?;
    let device = u16::try_from(device).map_err(|_| Failure::LoggedOut)?;
    if let Some(failure) = account.faults.next_login() {
        return Err(failure);
    }
    let mut state = account.state.lock();
    let stalled = state.stalled;
    let entry = state.devices.get_mut(&device).filter(|entry| device != 0 && entry.noise_key == noise_key);
    let Some(entry) = entry else { return Err(Failure::LoggedOut) };
    entry.logins += 1;
    entry.queue.disconnected();
    let replaced = entry.connection.replace(Arc::clone(connection));
    // Before anything else can be written: the first stanza must be the answer to the login.
    connection.send(&success(&account, device));
    let _ = connection.login.set(Login { account: Arc::clone(&account), device });
    drop(state);
    connection.stall(stalled);
    if let Some(replaced) = replaced {
        replaced.send(&conflict("replaced", None));
        replaced.close(Close::Gentle);
    }
    inner.note(&account);
    Ok(())
}

/// A connection is over: its device goes offline, or its offer to pair lapses.
pub(crate) fn disconnected(inner: &Arc<Inner>, connection: &Arc<Connection>) {
    if let Some(registration) = connection.registration.lock().take() {
        pairing::withdraw(inner, &registration);
    }
    let Some(Login { account, device }) = connection.login.get() else { return };
    let mut state = account.state.lock();
    let Some(entry) = state.devices.get_mut(device) else { return };
    if entry.connection.as_ref().is_none_or(|current| current.id != connection.id) {
        return;
    }
    entry.connection = None;
    entry.queue.disconnected();
    let anybody_left = state.devices.values().any(|device| device.connection.is_some());
    let gone = state.online && !anybody_left;
    if gone {
        state.online = false;
        state.last_seen = clock::unix_seconds();
    }
    drop(state);
    if gone {
        presence::announce(inner, account);
    }
    inner.note(account);
}

fn registration_keys(data: &DevicePairingRegistrationData) -> PublicKeys {
    use crate::account::keys::{SignedKey, big_endian};
    let number = |bytes: &Option<Vec<u8>>| bytes.as_deref().map_or(0, big_endian);
    PublicKeys {
        registration_id: number(&data.e_regid),
        identity: data.e_ident.clone().unwrap_or_default(),
        signed: SignedKey {
            id: number(&data.e_skey_id),
            public: data.e_skey_val.clone().unwrap_or_default(),
            signature: data.e_skey_sig.clone().unwrap_or_default(),
        },
        one_time: std::collections::VecDeque::new(),
    }
}

fn success(account: &Account, device: u16) -> Node {
    NodeBuilder::new("success")
        .attr("t", clock::unix_seconds())
        .attr("props", "0")
        .attr("companion_enc_static", "")
        .attr("lid", account.device_jid(Addressing::Lid, device))
        .attr("display_name", "")
        .attr("location", "tst")
        .build()
}

fn failure_stanza(failure: &Failure) -> Node {
    let mut node = NodeBuilder::new("failure").attr("reason", failure.reason()).attr("location", "tst");
    if let Failure::TemporaryBan { code, expire } = failure {
        node = node.attr("code", *code).attr("expire", *expire);
    }
    node.build()
}

/// A stream error that says who else has, or took away, the connection.
pub(crate) fn conflict(kind: &'static str, code: Option<u16>) -> Node {
    let mut node = NodeBuilder::new("stream:error");
    if let Some(code) = code {
        node = node.attr("code", code);
    }
    node.children([NodeBuilder::new("conflict").attr("type", kind).build()]).build()
}

/// A stream error with nothing but a number.
pub(crate) fn stream_error(code: u16) -> Node {
    NodeBuilder::new("stream:error").attr("code", code).build()
}

/// `<notification>` from the server, with an id of its own.
pub(crate) fn server_notification(kind: &'static str, id: &str) -> NodeBuilder {
    NodeBuilder::new("notification")
        .attr("from", SERVER_JID)
        .attr("type", kind)
        .attr("id", id)
        .attr("t", clock::unix_seconds())
}
