//! A message on its way: checked, stored, handed to whoever holds the session, and answered for.
//!
//! Every kind of message goes through [`send`]. What can be refused is refused before anything is stored; once it
//! is stored, the message will be sent, or its failure told at `GET /message/{id}`, whatever becomes of the caller.

mod error;
mod file;
mod idempotency;
mod numbers;
mod receipt;
mod recipient;
mod senders;
mod target;
mod typing;
mod upload;

use bus::{
    RequestError,
    messages::{SessionCommand, SessionReply},
    subjects,
};
use domain::{
    MessageId, SessionId,
    message::{Content, Message, MessageState, NewMessage, Quote, wa_message_id},
    recipient::phone_of,
    session::Session,
};
use storage::Accepted;
use telemetry::{metrics, trace};

pub(crate) use error::{LONGEST_ID, SendError};
pub(crate) use file::send_file;
pub(crate) use idempotency::{IdempotencyHeader, IdempotencyKey};
pub(crate) use numbers::{Checked, Numbers};
use receipt::Receipt;
pub(crate) use receipt::{Sent, SentBody};
pub(crate) use recipient::{address, people, recipient};
pub(crate) use senders::Senders;
pub(crate) use target::Reference;

use crate::{access::AccessError, auth::Caller, state::ApiState};

/// The longest text, in bytes, that a command brings along.
const LIGHT: usize = 16 * 1024;

/// What a caller wants sent.
pub(crate) struct Order {
    pub(crate) session: Box<Session>,
    /// The recipient's JID, as the caller meant it.
    pub(crate) chat: String,
    pub(crate) content: Content,
    pub(crate) idempotency: Option<IdempotencyKey>,
    /// Whether it may wait for its session.
    pub(crate) queue: bool,
    /// Whether the chat shows "typing" for a while before it.
    pub(crate) typing: bool,
}

/// Sends it, or stores it to be sent.
pub(crate) async fn send(state: &ApiState, caller: &Caller, order: Order) -> Result<Sent, SendError> {
    let idempotency = order.idempotency.as_ref().map(|key| key.bound_to(&order));
    if let Some(idempotency) = &idempotency
        && let Some(earlier) = state.database.accepted_before(caller.id, idempotency).await?
    {
        return repeat(state, earlier).await;
    }
    let chat = admitted(state, &order).await?;
    if order.typing && order.session.connected() {
        typing::show(state, &order.session, &chat, order.content.words().unwrap_or_default()).await;
    }
    let kind = order.content.kind();
    let accepted_at = state.clock.now();
    let patience = if order.queue { state.settings.message_ttl } else { state.settings.send_wait };
    let message = NewMessage {
        // A file that came with the request is kept under the id of its message.
        id: order.content.stored_upload().map_or_else(MessageId::new, |upload| upload.message),
        session: order.session.id,
        user: caller.id,
        wa_id: wa_message_id(secrets::random_bytes()),
        chat,
        content: order.content,
        idempotency,
        accepted_at,
        expires_at: accepted_at + patience,
    };
    let receipt = Receipt::from(&message);
    let light = is_light(&message.content).then(|| message.clone());
    match state.database.accept_message(message).await? {
        Accepted::New { position, first } => {
            metrics().messages_accepted.add(1, [kind]);
            let row = light.filter(|_| first).map(|message| message.stored(position, trace::current()));
            hand_over(state, order.session.id, receipt, row).await
        }
        // It was removed since it was looked up.
        Accepted::NoSession => {
            state.senders.forget(&order.session.name);
            Err(AccessError::Unknown.into())
        }
        earlier => repeat(state, earlier).await,
    }
}

/// Refuses what should not be stored; returns the JID that the message goes to.
async fn admitted(state: &ApiState, order: &Order) -> Result<String, SendError> {
    let session = &order.session;
    if !order.queue {
        // As it is now, not as it was remembered.
        let now = state.database.session_by_name(&session.name).await?.ok_or(AccessError::Unknown)?;
        if !now.connected() {
            return Err(SendError::NotConnected { state: now.state });
        }
    }
    if !session.connected() {
        let limit = state.settings.queue_limit;
        if state.database.count_queued(session.id, limit).await? >= limit {
            return Err(SendError::QueueFull { limit });
        }
        return Ok(order.chat.clone());
    }
    let Some(phone) = phone_of(&order.chat) else { return Ok(order.chat.clone()) };
    match state.numbers.check(&state.bus, session.id, phone, state.settings.check_wait).await {
        Checked::Known { jid } => Ok(jid),
        Checked::Unknown => Err(SendError::NotOnWhatsapp { phone: phone.to_owned() }),
        Checked::NoAnswer => Ok(order.chat.clone()),
    }
}

/// Answers for a message that was accepted before, and hands it over again if it still waits.
async fn repeat(state: &ApiState, earlier: Accepted) -> Result<Sent, SendError> {
    let message = match earlier {
        Accepted::Same(message) => message,
        Accepted::New { .. } | Accepted::KeyReused | Accepted::NoSession => return Err(SendError::KeyReused),
    };
    let receipt = Receipt::from(&*message);
    let Message { session, failure, .. } = *message;
    match (message.state, failure) {
        (MessageState::Queued, _) => hand_over(state, session, receipt, None).await,
        (MessageState::Failed, Some(failure)) => Err(SendError::Failed(failure)),
        (MessageState::Sent | MessageState::Delivered | MessageState::Read | MessageState::Failed, _) => {
            Ok(receipt.sent())
        }
    }
}

/// Whether a command may bring a message along: what NATS carries is limited, and most messages are small.
fn is_light(content: &Content) -> bool {
    matches!(content, Content::Text { text, quoted: None, .. } if text.len() <= LIGHT)
}

/// Tells whoever holds the session, and waits a while for WhatsApp to take the message. Without an answer it stays
/// queued: the holder finds it in the table.
async fn hand_over(
    state: &ApiState,
    session: SessionId,
    receipt: Receipt,
    row: Option<Message>,
) -> Result<Sent, SendError> {
    let command = SessionCommand::Send { message: receipt.id, row: row.map(Box::new) };
    let subject = subjects::session_command(session);
    match state.bus.request(&subject, &command, state.settings.send_wait).await {
        Ok(SessionReply::Sent { .. }) => Ok(receipt.sent()),
        Ok(SessionReply::Failed { failure }) => Err(SendError::Failed(failure)),
        Ok(SessionReply::NotConnected)
        | Err(RequestError::NoResponders | RequestError::Timeout | RequestError::Disconnected) => {
            Ok(receipt.queued())
        }
        Ok(other) => {
            tracing::warn!(session.id = %session, message.id = %receipt.id, reply = ?other, "unexpected reply");
            Ok(receipt.queued())
        }
        Err(error @ (RequestError::Abandoned | RequestError::Unsupported | RequestError::Malformed)) => {
            tracing::warn!(session.id = %session, message.id = %receipt.id, %error, "a message stays queued");
            Ok(receipt.queued())
        }
    }
}

/// The message that a caller quotes. Of one that the gateway does not know, the chat is taken for the author.
pub(crate) async fn quote(
    state: &ApiState,
    session: &Session,
    chat: &str,
    message_id: String,
) -> Result<Quote, SendError> {
    if let Some(received) = state.database.received_message(session.id, &message_id).await? {
        return Ok(received);
    }
    let own = session.phone.as_ref().map(|phone| format!("{phone}@s.whatsapp.net"));
    if let Some(participant) = own
        && let Some(sent) = state.database.message_by_wa_id(session.id, &message_id).await?
    {
        let text = sent.content.words().map(ToOwned::to_owned);
        return Ok(Quote { message_id, participant, text });
    }
    Ok(Quote { message_id, participant: chat.to_owned(), text: None })
}
