//! What a phone does with what reaches its account.

use super::{
    LAZY_BACKLOG, Phone, PhoneMessage, PhoneReceipt, SignalError, address, at_once, linking, sender_key_name,
};
use super::{retry, say};
use crate::account::{Account, Addressing};
use crate::inner::Inner;
use crate::stanza::{jid, receipt};
use futures::FutureExt as _;
use std::sync::Arc;
use wacore::messages::decode_plaintext;
use wacore::proto_helpers::MessageExt as _;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node, NodeRef};
use wacore_libsignal::protocol::{
    CiphertextMessage, PreKeySignalMessage, SenderKeyDistributionMessage, SignalMessage, UsePQRatchet,
    group_decrypt, message_decrypt, process_sender_key_distribution_message,
};
use waproto::buffa::MessageField;
use waproto::whatsapp::Message;
use waproto::whatsapp::message::protocol_message;

/// What a stanza makes the phone do, once its lock is free.
enum Action {
    DeliveryReceipt { to: Jid, participant: Option<Jid>, id: String },
    RetryReceipt { to: Jid, participant: Option<Jid>, id: String, count: u8 },
    ShareKeys { device: u16 },
}

/// Where a stanza came from.
struct Origin {
    account: Arc<Account>,
    device: u16,
    from: Jid,
    participant: Option<Jid>,
    id: String,
}

/// A message has come for the account.
pub(crate) fn receive(inner: &Arc<Inner>, account: &Arc<Account>, stanza: Node) {
    let lazy = inner.options.lazy_phones && !is_urgent(&stanza.as_node_ref());
    let mut actions = Vec::new();
    {
        let mut phone = account.phone.lock();
        if lazy {
            if phone.backlog.len() >= LAZY_BACKLOG {
                phone.backlog.pop_front();
            }
            phone.backlog.push_back(stanza);
        } else {
            phone.catch_up(inner, account, &mut actions);
            phone.process(inner, account, &stanza.as_node_ref(), &mut actions);
        }
    }
    act(inner, account, actions);
    account.changed.notify_waiters();
}

/// Decrypts what a lazy phone has left lying.
pub(crate) fn catch_up(inner: &Arc<Inner>, account: &Arc<Account>) {
    let mut actions = Vec::new();
    account.phone.lock().catch_up(inner, account, &mut actions);
    act(inner, account, actions);
}

/// A receipt has come for the phone.
pub(crate) fn receive_receipt(inner: &Arc<Inner>, account: &Arc<Account>, stanza: &NodeRef<'_>) {
    let kind =
        stanza.get_attr("type").map_or_else(|| "delivery".to_owned(), |kind| kind.as_str().into_owned());
    let author = jid(stanza, "participant").or_else(|| jid(stanza, "from"));
    let Some(author) = author else { return };
    let Some(from) = inner.directory.by_jid(&author) else { return };
    let ids = receipt::ids(stanza);
    {
        let mut phone = account.phone.lock();
        for id in &ids {
            phone.note_receipt(PhoneReceipt {
                id: id.clone(),
                from: from.number.clone(),
                kind: kind.clone(),
            });
        }
    }
    if kind == "retry"
        && let Some(id) = ids.first()
    {
        retry::resend(inner, account, &from, author.device(), id, stanza);
    }
    account.changed.notify_waiters();
}

fn act(inner: &Arc<Inner>, account: &Arc<Account>, actions: Vec<Action>) {
    for action in actions {
        match action {
            Action::DeliveryReceipt { to, participant, id } => {
                let receipt = receipt_node(to, participant, id).build();
                receipt::forward(inner, account, 0, &receipt.as_node_ref());
            }
            Action::RetryReceipt { to, participant, id, count } => {
                let children = retry::request(account, &id, count);
                let receipt =
                    receipt_node(to, participant, id).attr("type", "retry").children(children).build();
                receipt::forward(inner, account, 0, &receipt.as_node_ref());
            }
            Action::ShareKeys { device } => share_keys(inner, account, device),
        }
    }
}

fn receipt_node(to: Jid, participant: Option<Jid>, id: String) -> NodeBuilder {
    let mut node = NodeBuilder::new("receipt").attr("to", to).attr("id", id);
    if let Some(participant) = participant {
        node = node.attr("participant", participant);
    }
    node
}

/// Hands the app-state key to a companion.
pub(crate) fn share_keys(inner: &Arc<Inner>, account: &Arc<Account>, device: u16) {
    let share = linking::key_share(&account.phone.lock());
    if let Err(error) = say::send_to_companion(inner, account, device, &share) {
        tracing::warn!(%error, account = account.number, device, "the app-state keys cannot be shared");
    }
}

/// Tells a new companion about the account's history.
pub(crate) fn send_history(inner: &Arc<Inner>, account: &Arc<Account>, device: u16) {
    let push_name = account.state.lock().profile.push_name.clone();
    let lid = account.jid(Addressing::Lid).to_string();
    let history = linking::history(&account.number, &lid, push_name);
    if let Err(error) = say::send_to_companion(inner, account, device, &history) {
        tracing::warn!(%error, account = account.number, device, "the history cannot be sent");
    }
}

/// Whether a stanza cannot wait even on a lazy phone: it may change sessions or ask for something.
fn is_urgent(stanza: &NodeRef<'_>) -> bool {
    stanza.get_attr("category").is_some()
        || stanza
            .get_children_by_tag("enc")
            .any(|enc| enc.get_attr("type").is_some_and(|kind| kind.as_str() == "pkmsg"))
}

impl Phone {
    fn catch_up(&mut self, inner: &Arc<Inner>, account: &Arc<Account>, actions: &mut Vec<Action>) {
        while let Some(stanza) = self.backlog.pop_front() {
            self.process(inner, account, &stanza.as_node_ref(), actions);
        }
    }

    fn process(
        &mut self,
        inner: &Arc<Inner>,
        account: &Arc<Account>,
        stanza: &NodeRef<'_>,
        actions: &mut Vec<Action>,
    ) {
        let Some(origin) = origin_of(inner, stanza) else { return };
        let group = origin.from.is_group().then(|| origin.from.to_string());
        let mut content = None;
        for enc in stanza.get_children_by_tag("enc") {
            match self.open(&origin, group.as_deref(), enc) {
                Ok(message) => content = self.digest(&origin, group.as_deref(), message).or(content),
                Err(SignalError::DuplicatedMessage(..)) => return,
                Err(error) => {
                    tracing::debug!(%error, account = self.number, id = origin.id, "the phone cannot decrypt");
                    let count = self.retries.entry(origin.id.clone()).or_default();
                    *count += 1;
                    if *count < 5 {
                        actions.push(Action::RetryReceipt {
                            to: origin.from.clone(),
                            participant: origin.participant.clone(),
                            id: origin.id.clone(),
                            count: *count,
                        });
                    }
                    return;
                }
            }
        }
        let Some(message) = content else { return };
        if stanza.get_attr("category").is_some_and(|category| category.as_str() == "peer") {
            self.answer_companion(&origin, &message, actions);
            return;
        }
        self.keep(account, &origin, stanza, message, actions);
    }

    fn keep(
        &mut self,
        account: &Arc<Account>,
        origin: &Origin,
        stanza: &NodeRef<'_>,
        message: Message,
        actions: &mut Vec<Action>,
    ) {
        let from_me = origin.account.number == account.number;
        let chat = if origin.from.is_group() {
            origin.from.to_string()
        } else if from_me {
            stanza.get_attr("recipient").map(|jid| jid.as_str().into_owned()).unwrap_or_default()
        } else {
            origin.account.number.clone()
        };
        let message = match message.device_sent_message.into_option() {
            Some(copy) => copy.message.into_option().unwrap_or_default(),
            None => Message { device_sent_message: MessageField::none(), ..message },
        };
        self.note_message(PhoneMessage {
            id: origin.id.clone(),
            from: origin.account.number.clone(),
            device: origin.device,
            chat,
            from_me,
            text: message.text_content().map(str::to_owned),
            message: Box::new(message),
        });
        // With companions linked, they are the ones who acknowledge.
        let alone = account.state.lock().devices.len() == 1;
        if alone && !from_me {
            actions.push(Action::DeliveryReceipt {
                to: origin.from.clone(),
                participant: origin.participant.clone(),
                id: origin.id.clone(),
            });
        }
    }

    fn answer_companion(&mut self, origin: &Origin, message: &Message, actions: &mut Vec<Action>) {
        let Some(protocol) = message.protocol_message.as_option() else { return };
        if protocol.r#type == Some(protocol_message::Type::APP_STATE_SYNC_KEY_REQUEST) {
            actions.push(Action::ShareKeys { device: origin.device });
        } else {
            tracing::debug!(kind = ?protocol.r#type, account = self.number, "a companion's request is not answered");
        }
    }

    /// Takes a sender key out of a message; what is left, if anything, is content.
    fn digest(&mut self, origin: &Origin, group: Option<&str>, mut message: Message) -> Option<Message> {
        if let Some(distribution) = message.sender_key_distribution_message.take() {
            let group = distribution.group_id.as_deref().or(group);
            let bytes = distribution.axolotl_sender_key_distribution_message.unwrap_or_default();
            if let (Some(group), Ok(key)) = (group, SenderKeyDistributionMessage::try_from(bytes.as_slice()))
            {
                let name = sender_key_name(group, &origin.account.number, origin.device);
                let done =
                    at_once(process_sender_key_distribution_message(&name, &key, &mut self.sender_keys));
                if let Err(error) = done {
                    tracing::warn!(%error, "a sender key is not accepted");
                }
            }
            let rest = Message { message_context_info: MessageField::none(), ..message.clone() };
            if waproto::codec::message_encoded_len(&rest) == 0 {
                return None;
            }
        }
        Some(message)
    }

    fn open(
        &mut self,
        origin: &Origin,
        group: Option<&str>,
        enc: &NodeRef<'_>,
    ) -> Result<Message, SignalError> {
        let invalid = |what: &str| SignalError::InvalidArgument(what.to_owned());
        let sealed = enc.content_bytes().ok_or_else(|| invalid("an empty enc"))?;
        let kind = enc.get_attr("type").map(|kind| kind.as_str().into_owned()).unwrap_or_default();
        let ready = |done: Option<Result<Vec<u8>, SignalError>>| {
            done.unwrap_or_else(|| Err(invalid("an operation in memory had to wait")))
        };
        let plaintext = if kind == "skmsg" {
            let group = group.ok_or_else(|| invalid("a sender key message outside of a group"))?;
            let name = sender_key_name(group, &origin.account.number, origin.device);
            ready(group_decrypt(sealed, &mut self.sender_keys, &name).now_or_never())?
        } else {
            let address = address(&origin.account.number, origin.device);
            let sealed = if kind == "pkmsg" {
                CiphertextMessage::PreKeySignalMessage(PreKeySignalMessage::try_from(sealed)?)
            } else {
                CiphertextMessage::SignalMessage(SignalMessage::try_from(sealed)?)
            };
            let opened = message_decrypt(
                &sealed,
                &address,
                &mut self.sessions,
                &mut self.identities,
                &mut self.prekeys,
                &self.signed,
                &mut rand::rng(),
                UsePQRatchet::No,
            )
            .now_or_never();
            ready(opened.map(|opened| opened.map(|opened| opened.plaintext)))?
        };
        decode_plaintext(&plaintext, 2).map_err(|error| invalid(&error.to_string()))
    }
}

fn origin_of(inner: &Inner, stanza: &NodeRef<'_>) -> Option<Origin> {
    let from = jid(stanza, "from")?;
    let participant = jid(stanza, "participant");
    let author = participant.as_ref().unwrap_or(&from);
    Some(Origin {
        account: inner.directory.by_jid(author)?,
        device: author.device(),
        id: stanza.get_attr("id")?.as_str().into_owned(),
        participant: participant.clone(),
        from,
    })
}
