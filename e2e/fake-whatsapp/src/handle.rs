//! What a test can do with one account.

use crate::account::{Account, Addressing};
use crate::error::Error;
use crate::faults::{Failure, Kick};
use crate::groups::Role;
use crate::inner::Inner;
use crate::journal::JournalEntry;
use crate::phone::receive::catch_up;
use crate::phone::renew;
use crate::phone::say::{self, Recipient};
use crate::phone::{PhoneMessage, PhoneReceipt};
use crate::stanza::{presence, receipt};
use crate::unlink;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use wacore_binary::Jid;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp::Message;

/// An account of a running server.
#[derive(Clone)]
pub struct AccountHandle {
    inner: Arc<Inner>,
    account: Arc<Account>,
}

impl std::fmt::Debug for AccountHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AccountHandle").field("number", &self.account.number).finish_non_exhaustive()
    }
}

/// A device as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeviceState {
    /// Its number; 0 is the phone.
    pub device: u16,
    /// Logged in, and past the point where it asked for its stanzas.
    pub connected: bool,
    /// How often it has logged in.
    pub logins: u32,
    /// How it came in last: `xx`, `ik` or `xxfallback`.
    pub handshake: Option<crate::Handshake>,
    /// Stanzas it has not settled.
    pub queued: usize,
    /// Stanzas written to it, redeliveries included.
    pub delivered: u64,
    /// Stanzas it has settled.
    pub settled: u64,
    /// One-time prekeys left at the server.
    pub prekeys: usize,
}

/// A group as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct GroupView {
    /// Its address.
    pub jid: String,
    /// Its name.
    pub subject: String,
    /// The code of its invitation link.
    pub invite: String,
    /// Its members by number.
    pub members: BTreeMap<String, Role>,
}

impl AccountHandle {
    pub(crate) fn new(inner: Arc<Inner>, account: Arc<Account>) -> Self {
        Self { inner, account }
    }

    /// The number, digits only.
    pub fn number(&self) -> &str {
        &self.account.number
    }

    /// The address by number.
    pub fn jid(&self) -> String {
        self.account.jid(Addressing::Pn).to_string()
    }

    /// The address by LID.
    pub fn lid(&self) -> String {
        self.account.jid(Addressing::Lid).to_string()
    }

    /// All devices, the phone first.
    pub fn devices(&self) -> Vec<DeviceState> {
        let state = self.account.state.lock();
        state
            .devices
            .iter()
            .map(|(id, device)| {
                let (delivered, settled) = device.queue.totals();
                DeviceState {
                    device: *id,
                    connected: device.is_connected(),
                    logins: device.logins,
                    handshake: device
                        .connection
                        .as_ref()
                        .and_then(|connection| connection.pattern.get().copied()),
                    queued: device.queue.len(),
                    delivered,
                    settled,
                    prekeys: device.keys.one_time.len(),
                }
            })
            .collect()
    }

    /// How many companions are connected.
    pub fn connected(&self) -> usize {
        self.account.state.lock().devices.values().filter(|device| device.is_connected()).count()
    }

    /// How many stanzas the companions have not settled, all together.
    pub fn queued(&self) -> usize {
        self.account.state.lock().devices.values().map(|device| device.queue.len()).sum()
    }

    /// Waits until exactly `companions` are connected.
    pub async fn wait_connected(&self, companions: usize, within: Duration) -> Result<(), Error> {
        let what = format!("{companions} connected companions of {}", self.account.number);
        self.wait(what, within, |account| (account.connected() == companions).then_some(())).await
    }

    /// Waits until the companions have settled everything.
    pub async fn wait_settled(&self, within: Duration) -> Result<(), Error> {
        let what = format!("an empty queue of {}", self.account.number);
        self.wait(what, within, |account| (account.queued() == 0).then_some(())).await
    }

    /// Waits until the phone has received at least `count` messages since the account came into being.
    pub async fn wait_received(&self, count: u64, within: Duration) -> Result<Vec<PhoneMessage>, Error> {
        let what = format!("{count} messages on the phone of {}", self.account.number);
        self.wait(what, within, |account| {
            let received = account.received();
            (account.account.phone.lock().arrived() >= count).then_some(received)
        })
        .await
    }

    /// Waits until the phone has a message with this text.
    pub async fn wait_text(&self, text: &str, within: Duration) -> Result<PhoneMessage, Error> {
        let what = format!("{text:?} on the phone of {}", self.account.number);
        self.wait(what, within, |account| {
            account.received().into_iter().find(|message| message.text.as_deref() == Some(text))
        })
        .await
    }

    /// Waits until the phone has got a receipt of this kind (`delivery`, `read`, …) for a message.
    pub async fn wait_receipt(&self, id: &str, kind: &str, within: Duration) -> Result<PhoneReceipt, Error> {
        let what = format!("a {kind} receipt for {id} on the phone of {}", self.account.number);
        self.wait(what, within, |account| {
            account.receipts().into_iter().find(|receipt| receipt.id == id && receipt.kind == kind)
        })
        .await
    }

    /// Waits until something about the account comes true.
    pub async fn wait<T>(
        &self,
        what: impl Into<String>,
        within: Duration,
        mut condition: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T, Error> {
        self.inner.wait(what, within, &self.account.changed, || condition(self)).await
    }

    /// What the phone has received and still keeps, oldest first; messages of the account's own companions included.
    pub fn received(&self) -> Vec<PhoneMessage> {
        catch_up(&self.inner, &self.account);
        self.account.phone.lock().inbox().cloned().collect()
    }

    /// How many messages the phone has received in all.
    pub fn arrived(&self) -> u64 {
        self.account.phone.lock().arrived()
    }

    /// The groups the account is in.
    pub fn groups(&self) -> Vec<GroupView> {
        let groups = self.inner.groups.of(&self.account.number);
        groups
            .iter()
            .map(|group| {
                let state = group.state.lock();
                GroupView {
                    jid: group.jid().to_string(),
                    subject: state.subject.clone(),
                    invite: state.invite.clone(),
                    members: state.members.clone(),
                }
            })
            .collect()
    }

    /// The receipts the phone has got.
    pub fn receipts(&self) -> Vec<PhoneReceipt> {
        self.account.phone.lock().receipts().cloned().collect()
    }

    /// Sends a text from the phone; returns the message id. `to` is a number, or an address by number, by LID or of a
    /// group.
    pub fn say(&self, to: &str, text: &str) -> Result<String, Error> {
        self.send(to, &Message { conversation: Some(text.to_owned()), ..Message::default() }, None)
    }

    /// Sends a text that nobody can decrypt, so that its recipients ask for it again.
    pub fn say_corrupted(&self, to: &str, text: &str) -> Result<String, Error> {
        let message = Message { conversation: Some(text.to_owned()), ..Message::default() };
        self.deliver(to, &message, None, true)
    }

    /// Sends a message from the phone, with an id of the caller's choice or a new one.
    pub fn send(&self, to: &str, message: &Message, id: Option<&str>) -> Result<String, Error> {
        self.deliver(to, message, id, false)
    }

    fn deliver(&self, to: &str, message: &Message, id: Option<&str>, corrupt: bool) -> Result<String, Error> {
        let recipient =
            Recipient::find(&self.inner, to).ok_or_else(|| Error::Unknown(format!("recipient {to}")))?;
        let id = id.map_or_else(|| self.inner.message_id(), str::to_owned);
        say::send(&self.inner, &self.account, &recipient, message, &id, corrupt)?;
        Ok(id)
    }

    /// The phone reads a message: its sender gets a read receipt, the companions hear of it.
    pub fn read(&self, id: &str) -> Result<(), Error> {
        let message = self
            .received()
            .into_iter()
            .find(|message| message.id == id)
            .ok_or_else(|| Error::Unknown(format!("message {id}")))?;
        let sender = self.inner.directory.by_number(&message.from);
        let sender = sender.ok_or_else(|| Error::Unknown(format!("account {}", message.from)))?;
        let receipt = NodeBuilder::new("receipt").attr("id", id).attr("type", "read");
        let receipt = if message.chat.contains('@') {
            receipt
                .attr("to", message.chat.parse::<Jid>().map_err(|_| Error::Unknown(message.chat.clone()))?)
                .attr("participant", sender.device_jid(Addressing::Lid, message.device))
        } else {
            receipt.attr("to", sender.jid(Addressing::Pn))
        };
        let receipt = receipt.build();
        receipt::forward(&self.inner, &self.account, 0, &receipt.as_node_ref());
        Ok(())
    }

    /// The phone starts (or stops) typing to somebody.
    pub fn typing(&self, to: &str, typing: bool) -> Result<(), Error> {
        let to: Jid = match Recipient::find(&self.inner, to) {
            Some(Recipient::Account(peer, addressing)) => peer.jid(addressing),
            Some(Recipient::Group(group)) => group.jid(),
            None => return Err(Error::Unknown(format!("recipient {to}"))),
        };
        let state = NodeBuilder::new(if typing { "composing" } else { "paused" }).build();
        presence::typing(&self.inner, &self.account, &to, vec![state]);
        Ok(())
    }

    /// Takes a companion's connection away; false when it has none.
    pub fn kick(&self, device: u16, kind: Kick) -> bool {
        unlink::kick(&self.inner, &self.account, device, kind)
    }

    /// Takes the connections of all companions away; returns how many there were.
    pub fn kick_all(&self, kind: Kick) -> usize {
        let devices = self.account.device_ids();
        devices.into_iter().filter(|device| self.kick(*device, kind)).count()
    }

    /// Stops reading from, and writing to, the companions' connections, present and future; `false` carries on.
    pub fn stall(&self, stalled: bool) {
        let mut state = self.account.state.lock();
        state.stalled = stalled;
        for connection in state.devices.values().filter_map(|device| device.connection.as_ref()) {
            connection.stall(stalled);
        }
    }

    /// Keeps everything that is relayed to the companions in their queues until [`Self::release`].
    pub fn hold(&self) {
        self.set_held(true);
    }

    /// Lets go what [`Self::hold`] kept back.
    pub fn release(&self) {
        self.set_held(false);
    }

    fn set_held(&self, held: bool) {
        let mut state = self.account.state.lock();
        state.held = held;
        for device in state.devices.values_mut() {
            device.queue.hold(held);
            device.pump();
        }
    }

    /// Refuses the next login of any companion.
    pub fn fail_next_login(&self, failure: Failure) {
        self.account.faults.fail_next_login(failure);
    }

    /// Refuses all logins, until `None`.
    pub fn refuse_logins(&self, failure: Option<Failure>) {
        self.account.faults.refuse_logins(failure);
    }

    /// Bans the account for good: the connections end, and logins are refused.
    pub fn ban(&self) {
        self.refuse_logins(Some(Failure::Banned));
        self.kick_all(Kick::Close);
    }

    /// Declares the companions' software outdated: the connections end, and logins are refused.
    pub fn outdate(&self) {
        self.refuse_logins(Some(Failure::Outdated));
        self.kick_all(Kick::Close);
    }

    /// Refuses the next message of this account with a code (463, 406, 429, …) in the acknowledgement.
    pub fn nack_next(&self, code: u16) {
        self.account.faults.nack_next(code);
    }

    /// Accepts and relays the next `count` messages of this account without acknowledging them.
    pub fn swallow_acks(&self, count: u32) {
        self.account.faults.swallow_acks(count);
    }

    /// Takes all one-time prekeys of a device away; returns how many there were. With `notify` the device is told that
    /// they have run low.
    pub fn exhaust_prekeys(&self, device: u16, notify: bool) -> Result<usize, Error> {
        let taken = {
            let mut state = self.account.state.lock();
            let entry = state
                .devices
                .get_mut(&device)
                .ok_or_else(|| Error::Unknown(format!("device {device} of {}", self.account.number)))?;
            std::mem::take(&mut entry.keys.one_time).len()
        };
        if notify {
            renew::notify_low_prekeys(&self.inner, &self.account, device);
        }
        Ok(taken)
    }

    /// The phone loses its Signal sessions: it will ask for what it cannot read again.
    pub fn forget_sessions(&self) {
        self.account.phone.lock().forget_sessions();
    }

    /// The phone is set up anew: new identity, companions unlinked, everybody who is connected told.
    pub fn change_identity(&self) -> Result<(), Error> {
        renew::change_identity(&self.inner, &self.account)
    }

    /// Sets the name the account shows to others.
    pub fn set_push_name(&self, name: &str) {
        self.account.state.lock().profile.push_name = Some(name.to_owned());
    }

    /// The name the account shows to others.
    pub fn push_name(&self) -> Option<String> {
        self.account.state.lock().profile.push_name.clone()
    }

    /// How many message stanzas of this account were accepted, copies included.
    pub fn accepted(&self) -> u64 {
        self.account.ledger.lock().total()
    }

    /// The last stanzas of the account; see [`crate::Options::journal`].
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.account.journal.lock().entries()
    }

    /// Whether the account shows itself as online.
    pub fn is_online(&self) -> bool {
        self.account.state.lock().online
    }

    /// Whether a device's stanzas go out at once.
    pub fn is_active(&self, device: u16) -> bool {
        let state = self.account.state.lock();
        let connection = state.devices.get(&device).and_then(|device| device.connection.as_ref());
        connection.is_some_and(|connection| connection.active.load(Ordering::Acquire))
    }
}
