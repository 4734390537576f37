//! Listens to the library and says it in the gateway's words. Runs inline where the library speaks, so it never
//! waits for anything.

use std::sync::{Arc, Weak};

use domain::Timestamp;
use wacore::types::{
    events::{ConnectFailureReason, Event, EventHandler, EventInterest, EventKind, Receipt},
    presence::ReceiptType,
};

use crate::{Happened, Pace, ReceiptKind, inbound::Intake, link::Link, runtime::Tasks};

pub(crate) struct Observer {
    pub(crate) link: Arc<Link>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) library: Weak<whatsapp_rust::Client>,
    pub(crate) tasks: Tasks,
    pub(crate) pace: Arc<dyn Pace>,
}

/// What [`Observer`] wants to hear. The library does not even build the others.
const INTEREST: &[EventKind] = &[
    EventKind::Connected,
    EventKind::Disconnected,
    EventKind::PairSuccess,
    EventKind::PairError,
    EventKind::PairingQrCode,
    EventKind::PairingQrCodesExhausted,
    EventKind::PairingCode,
    EventKind::PairingCodeError,
    EventKind::PairingCodeRefresh,
    EventKind::PairPasskeyRequest,
    EventKind::PairPasskeyError,
    EventKind::QrScannedWithoutMultidevice,
    EventKind::LoggedOut,
    EventKind::StreamReplaced,
    EventKind::TemporaryBan,
    EventKind::ClientOutdated,
    EventKind::ConnectFailure,
    EventKind::ServerAck,
    EventKind::Receipt,
    EventKind::Messages,
];

impl EventHandler for Observer {
    fn handle_event(&self, event: Arc<Event>) {
        match &*event {
            Event::ServerAck(ack) => {
                // Receipts and notifications are acknowledged too.
                if ack.class.as_deref().is_none_or(|class| class == "message") {
                    self.link.acks.resolve(&ack.id, ack.error.clone().map_or(Ok(()), Err));
                }
            }
            Event::Receipt(receipt) => {
                if let Some(happened) = receipt_of(receipt) {
                    self.link.tell(happened);
                }
            }
            // Messages that bypass the hook: what the phone sent again because this device could not read it.
            Event::Messages(batch) if !batch.hook_committed => {
                let intake = Arc::clone(&self.intake);
                self.tasks.spawn(intake.late(Weak::clone(&self.library), Arc::clone(&batch.messages)));
            }
            Event::Connected(_) => {
                self.link.became_ready();
                self.pace.succeeded();
                self.link.tell(Happened::Connected);
            }
            Event::Disconnected(lost) => self.link.because(lost.reason.to_string()),
            Event::ConnectFailure(failure) if failure.reason == ConnectFailureReason::TempBanned => {
                let reason = failure.message.clone().unwrap_or_else(|| "banned for a time".to_owned());
                self.link.tell(Happened::Banned { reason, until: None });
            }
            Event::ConnectFailure(failure) => {
                let reason = match &failure.message {
                    Some(message) => format!("WhatsApp refused: {:?}: {message}", failure.reason),
                    None => format!("WhatsApp refused: {:?}", failure.reason),
                };
                if failure.reason.should_reconnect() {
                    self.link.because(reason);
                } else {
                    self.link.refused(reason);
                }
            }
            other => {
                if matches!(other, Event::PairSuccess(_)) {
                    self.link.paired();
                }
                if let Some(happened) = told(other) {
                    self.link.tell(happened);
                }
            }
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(INTEREST)
    }
}

/// What the owner is told of an event that concerns nobody else.
fn told(event: &Event) -> Option<Happened> {
    Some(match event {
        Event::PairingQrCode(qr) => Happened::Qr { text: qr.code.clone(), lifetime: qr.timeout },
        // While a pairing code is out the connection stays, and the code stays good.
        Event::PairingQrCodesExhausted(exhausted) if !exhausted.disconnected => return None,
        Event::PairingQrCodesExhausted(_) => Happened::QrExhausted,
        Event::PairingCode(code) => Happened::PairingCode { code: code.code.clone(), lifetime: code.timeout },
        Event::PairingCodeError(error) => Happened::PairingCodeFailed { reason: error.error.clone() },
        Event::PairingCodeRefresh(_) => {
            Happened::PairingCodeFailed { reason: "WhatsApp wants another code".to_owned() }
        }
        Event::PairSuccess(paired) => Happened::Paired {
            phone: paired.id.user.to_string(),
            lid: (!paired.lid.user.is_empty()).then(|| paired.lid.user.to_string()),
        },
        Event::PairError(error) => Happened::PairFailed { reason: error.error.clone() },
        Event::PairPasskeyRequest(_) => Happened::NeedsPasskey,
        Event::PairPasskeyError(error) => Happened::PairFailed { reason: error.error.clone() },
        Event::QrScannedWithoutMultidevice(_) => {
            Happened::PairFailed { reason: "the phone's WhatsApp cannot link devices".to_owned() }
        }
        // 403 and 406, which WhatsApp's own code calls "locked" and "banned".
        Event::LoggedOut(out)
            if matches!(
                out.reason,
                ConnectFailureReason::AccountLocked | ConnectFailureReason::UnknownLogout
            ) =>
        {
            let message = out.logout_message.as_ref();
            let words =
                message.and_then(|message| message.subtext.clone().or_else(|| message.header.clone()));
            Happened::Banned {
                reason: words.unwrap_or_else(|| "WhatsApp banned or locked the account".to_owned()),
                until: None,
            }
        }
        Event::LoggedOut(out) => {
            let reason = match (out.on_connect, &out.raw) {
                (true, _) => "WhatsApp no longer knows this link",
                (false, Some(_)) => "the link was removed on the phone",
                (false, None) => "logged out here",
            };
            Happened::LoggedOut { reason: reason.to_owned() }
        }
        Event::StreamReplaced(_) => Happened::Replaced,
        Event::TemporaryBan(ban) => Happened::Banned {
            reason: ban.message.clone().unwrap_or_else(|| ban.code.to_string()),
            until: Some(Timestamp(wacore::time::now_millis().saturating_add(ban.expire.num_milliseconds()))),
        },
        Event::ClientOutdated(_) => Happened::Outdated,
        _ => return None,
    })
}

/// What a receipt says about messages of ours. Receipts of our own other devices say nothing.
fn receipt_of(receipt: &Receipt) -> Option<Happened> {
    let kind = match receipt.r#type {
        // A device whose user is not looking acknowledges with "inactive": it has the message.
        ReceiptType::Delivered | ReceiptType::Inactive => ReceiptKind::Delivered,
        ReceiptType::Read => ReceiptKind::Read,
        ReceiptType::Played => ReceiptKind::Played,
        _ => return None,
    };
    (!receipt.source.is_from_me).then(|| Happened::Receipt {
        chat: receipt.source.chat.to_non_ad_string(),
        message_ids: receipt.message_ids.iter().map(ToString::to_string).collect(),
        kind,
        at: Timestamp(receipt.timestamp.timestamp_millis()),
    })
}
