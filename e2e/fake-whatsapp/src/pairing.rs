//! Linking a companion: by QR code and by code.

use crate::account::device::Device;
use crate::account::keys::PublicKeys;
use crate::account::{Account, Addressing, digits};
use crate::error::Error;
use crate::inner::{Inner, random_token};
use crate::login::{server_notification, stream_error};
use crate::offline::Queue;
use crate::socket::connection::{Close, Connection, PairingResult, Promise, Registration};
use crate::stanza::{devices, iq};
use crate::{clock, phone};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use wacore::pair_code::PairCodeUtils;
use wacore_binary::NodeRef;
use wacore_binary::builder::NodeBuilder;
use wacore_libsignal::protocol::KeyPair;
use waproto::buffa::Message as _;
use waproto::whatsapp::{ADVDeviceIdentity, ADVSignedDeviceIdentity, ADVSignedDeviceIdentityHMAC};

/// How many codes a client gets before it has to connect again.
const REFS: usize = 6;
/// How long a companion may take to answer `pair-success`.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);
/// What the account signs is prefixed with this.
const ACCOUNT_SIGNATURE_PREFIX: [u8; 2] = [6, 0];

/// A companion that has just been linked.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Linked {
    /// The number of the account.
    pub phone: String,
    /// The companion's address by number, device included.
    pub jid: String,
    /// The companion's address by LID, device included.
    pub lid: String,
    /// The companion's device number.
    pub device: u16,
}

/// A pairing by code between its two stages.
pub(crate) struct CodeFlow {
    connection: Arc<Connection>,
    reference: Vec<u8>,
    wrapped_companion_key: Vec<u8>,
    /// The phone's half, once somebody has entered the code.
    primary: Option<(KeyPair, [u8; 32], oneshot::Sender<[u8; 32]>)>,
}

/// A client that is not linked has connected: offers it pairing codes.
pub(crate) fn offer(
    inner: &Arc<Inner>,
    connection: &Arc<Connection>,
    noise_key: [u8; 32],
    keys: PublicKeys,
    push_name: Option<String>,
) {
    let refs: Vec<String> = (0..REFS).map(|_| format!("2@{}", random_token())).collect();
    for reference in &refs {
        inner.refs.insert(reference.clone(), Arc::clone(connection));
    }
    let children = refs.iter().map(|reference| NodeBuilder::new("ref").bytes(reference.as_bytes()).build());
    let offer = NodeBuilder::new("pair-device").children(children).build();
    *connection.registration.lock() =
        Some(Registration { noise_key, keys, push_name, refs: refs.clone(), promised: None });
    connection.send(&iq::request(&inner.next_id(), "set", "md").children([offer]).build());
}

/// The client is gone: its codes are worth nothing.
pub(crate) fn withdraw(inner: &Inner, registration: &Registration) {
    for reference in &registration.refs {
        inner.refs.remove(reference);
    }
}

/// Scans a QR code with the phone of `number`.
pub(crate) async fn scan(inner: &Arc<Inner>, number: &str, qr: &str) -> Result<Linked, Error> {
    let body = qr.rsplit('#').next().unwrap_or(qr).trim();
    let mut parts = body.split(',');
    let (Some(reference), Some(noise), Some(_identity), Some(adv)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Error::PairingCode("it does not have the parts of a QR code"));
    };
    let adv = BASE64_STANDARD.decode(adv).map_err(|_| Error::PairingCode("its secret is not base64"))?;
    let connection = inner
        .refs
        .get(reference)
        .map(|connection| Arc::clone(&connection))
        .ok_or(Error::PairingCode("no client has shown it, or the client is gone"))?;
    let known = connection.registration.lock().as_ref().map(|registration| registration.noise_key);
    let noise = BASE64_STANDARD.decode(noise).unwrap_or_default();
    if known.is_none_or(|known| known.as_slice() != noise) {
        return Err(Error::PairingCode("another client shows it"));
    }
    let account = inner.directory.get_or_create(number, &inner.options)?;
    link(inner, &account, &connection, &adv).await
}

/// Sends `pair-success` and waits for the companion to accept.
async fn link(
    inner: &Arc<Inner>,
    account: &Arc<Account>,
    connection: &Arc<Connection>,
    adv: &[u8],
) -> Result<Linked, Error> {
    let (answered, answer) = oneshot::channel::<PairingResult>();
    let iq = inner.next_id();
    let device = {
        let mut registration = connection.registration.lock();
        let registration = registration.as_mut().ok_or(Error::PairingCode("the client is gone"))?;
        if registration.promised.is_some() {
            return Err(Error::PairingCode("it has been used"));
        }
        let (device, key_index) = {
            let mut state = account.state.lock();
            state.next_device += 1;
            state.next_key_index += 1;
            (state.next_device - 1, state.next_key_index - 1)
        };
        let identity = signed_identity(account, key_index, &registration.keys.identity, adv)?;
        registration.promised =
            Some(Promise { iq: iq.clone(), phone: account.number.clone(), device, key_index });
        *connection.pairing.lock() = Some(answered);
        let success = NodeBuilder::new("pair-success")
            .children([
                NodeBuilder::new("device-identity").bytes(identity).build(),
                NodeBuilder::new("biz").attr("name", "").build(),
                NodeBuilder::new("platform").attr("name", "android").build(),
                NodeBuilder::new("device")
                    .attr("jid", account.device_jid(Addressing::Pn, device))
                    .attr("lid", account.device_jid(Addressing::Lid, device))
                    .build(),
            ])
            .build();
        connection.send(
            &iq::request(&iq, "set", "md").attr("t", clock::unix_seconds()).children([success]).build(),
        );
        device
    };
    match tokio::time::timeout(ANSWER_DEADLINE, answer).await {
        Ok(Ok(Ok(()))) => Ok(Linked {
            phone: account.number.clone(),
            jid: account.device_jid(Addressing::Pn, device).to_string(),
            lid: account.device_jid(Addressing::Lid, device).to_string(),
            device,
        }),
        Ok(Ok(Err(reason))) => Err(Error::PairingRefused(reason)),
        Ok(Err(_)) => Err(Error::PairingRefused("the client is gone".to_owned())),
        Err(_) => Err(Error::Deadline { what: "the companion's answer".to_owned(), within: ANSWER_DEADLINE }),
    }
}

/// The `ADVSignedDeviceIdentityHMAC` for a companion with this identity key.
fn signed_identity(
    account: &Account,
    key_index: u32,
    companion_identity: &[u8],
    adv: &[u8],
) -> Result<Vec<u8>, Error> {
    let raw_id = account.state.lock().raw_id;
    let details = ADVDeviceIdentity {
        raw_id: Some(raw_id),
        timestamp: Some(clock::unix_seconds()),
        key_index: Some(key_index),
        ..ADVDeviceIdentity::default()
    }
    .encode_to_vec();
    let signed = [&ACCOUNT_SIGNATURE_PREFIX[..], &details, companion_identity].concat();
    let (account_key, signature) = account.phone.lock().sign(&signed)?;
    let details = ADVSignedDeviceIdentity {
        details: Some(details),
        account_signature_key: Some(account_key),
        account_signature: Some(signature),
        device_signature: None,
    }
    .encode_to_vec();
    let mut mac =
        Hmac::<Sha256>::new_from_slice(adv).map_err(|_| Error::PairingCode("its secret has no length"))?;
    mac.update(&details);
    Ok(ADVSignedDeviceIdentityHMAC {
        details: Some(details),
        hmac: Some(mac.finalize().into_bytes().to_vec()),
        account_type: None,
    }
    .encode_to_vec())
}

/// The companion's answer to an iq of ours; true when it was the one to `pair-success`.
pub(crate) fn answered(inner: &Arc<Inner>, connection: &Arc<Connection>, iq: &NodeRef<'_>) -> bool {
    let Some(registration) = connection.registration.lock().clone() else { return false };
    let Some(promise) = registration.promised.clone() else { return false };
    if iq.get_attr("id").is_none_or(|id| id.as_str() != promise.iq) {
        return false;
    }
    let identity = iq
        .get_optional_child("pair-device-sign")
        .and_then(|sign| sign.get_optional_child("device-identity"))
        .and_then(|identity| identity.content_bytes());
    let result = match identity {
        Some(identity) => {
            complete(inner, &registration, &promise, identity);
            connection.registration.lock().take();
            withdraw(inner, &registration);
            connection.send(&stream_error(515));
            connection.close(Close::Gentle);
            Ok(())
        }
        None => Err(iq
            .get_optional_child("error")
            .and_then(|error| error.get_attr("text").map(|text| text.as_str().into_owned()))
            .unwrap_or_else(|| "no device identity".to_owned())),
    };
    if let Some(waiting) = connection.pairing.lock().take() {
        let _ = waiting.send(result);
    }
    true
}

fn complete(inner: &Arc<Inner>, registration: &Registration, promise: &Promise, identity: &[u8]) {
    let Some(account) = inner.directory.by_number(&promise.phone) else { return };
    let mut state = account.state.lock();
    let mut queue = Queue::new(inner.options.window, inner.options.ledger);
    queue.hold(state.held);
    state.devices.insert(
        promise.device,
        Device {
            noise_key: registration.noise_key,
            keys: registration.keys.clone(),
            key_index: promise.key_index,
            signed_identity: identity.to_vec(),
            connection: None,
            queue,
            has_sync_key: false,
            logins: 0,
        },
    );
    state.devices_changed = clock::unix_seconds();
    if state.profile.push_name.is_none() {
        state.profile.push_name.clone_from(&registration.push_name);
    }
    drop(state);
    devices::announce(inner, &account, promise.device, devices::Change::Added(promise.key_index));
    inner.note(&account);
}

/// A client asks to be linked by code (`companion_hello`). Returns the reference of the flow.
pub(crate) fn code_requested(
    inner: &Arc<Inner>,
    connection: &Arc<Connection>,
    number: &str,
    wrapped_key: &[u8],
) -> Vec<u8> {
    let reference = random_token().into_bytes();
    inner.codes.insert(
        digits(number),
        CodeFlow {
            connection: Arc::clone(connection),
            reference: reference.clone(),
            wrapped_companion_key: wrapped_key.to_vec(),
            primary: None,
        },
    );
    inner.changed.notify_waiters();
    reference
}

/// Enters a code on the phone of `number` and waits until the companion is linked.
pub(crate) async fn enter_code(inner: &Arc<Inner>, number: &str, code: &str) -> Result<Linked, Error> {
    let number = digits(number);
    let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase();
    let account = inner.directory.get_or_create(&number, &inner.options)?;
    let ephemeral = KeyPair::generate(&mut rand::rng());
    let mut ephemeral_public = [0; 32];
    ephemeral_public.copy_from_slice(ephemeral.public_key.public_key_bytes());
    let wrapped = inner
        .codes
        .get(&number)
        .map(|flow| flow.wrapped_companion_key.clone())
        .ok_or(Error::PairingCode("no client has asked for a code for this number"))?;
    // The key is stretched on purpose, which takes a while on both sides.
    let (companion, wrapped_primary) = tokio::task::spawn_blocking(move || {
        let companion = PairCodeUtils::decrypt_primary_ephemeral_pub(&wrapped, &code);
        (companion, PairCodeUtils::encrypt_ephemeral_pub(&ephemeral_public, &code))
    })
    .await
    .map_err(|_| Error::PairingCode("the code could not be stretched"))?;
    let companion = companion.map_err(|_| Error::PairingCode("the client sent no wrapped key"))?;
    let (finished, adv) = oneshot::channel();
    let connection = {
        let mut flow = inner
            .codes
            .get_mut(&number)
            .ok_or(Error::PairingCode("no client has asked for a code for this number"))?;
        flow.primary = Some((ephemeral, companion, finished));
        let hello = NodeBuilder::new("link_code_companion_reg")
            .attr("stage", "primary_hello")
            .children([
                NodeBuilder::new("link_code_pairing_wrapped_primary_ephemeral_pub")
                    .bytes(wrapped_primary.to_vec())
                    .build(),
                NodeBuilder::new("primary_identity_pub").bytes(account.phone.lock().identity()).build(),
                NodeBuilder::new("link_code_pairing_ref").bytes(flow.reference.clone()).build(),
            ])
            .build();
        flow.connection.send(
            &server_notification("link_code_companion_reg", &inner.next_id()).children([hello]).build(),
        );
        Arc::clone(&flow.connection)
    };
    let adv = tokio::time::timeout(ANSWER_DEADLINE, adv)
        .await
        .map_err(|_| Error::Deadline {
            what: "the companion's key bundle".to_owned(),
            within: ANSWER_DEADLINE,
        })?
        .map_err(|_| Error::PairingCode("the code is wrong"))?;
    link(inner, &account, &connection, &adv).await
}

/// The companion has sent its key bundle (`companion_finish`).
pub(crate) fn code_finished(inner: &Arc<Inner>, number: &str, bundle: &[u8], companion_identity: &[u8]) {
    let Some((_, flow)) = inner.codes.remove(&digits(number)) else { return };
    let Some((ephemeral, companion_ephemeral, finished)) = flow.primary else { return };
    let Some(account) = inner.directory.by_number(&digits(number)) else { return };
    let phone = account.phone.lock();
    match phone::linking::adv_secret(&phone, &ephemeral, &companion_ephemeral, companion_identity, bundle) {
        Ok(adv) => drop(finished.send(adv)),
        Err(error) => tracing::warn!(%error, "a key bundle does not open; the code was wrong"),
    }
}
