//! `xmlns="md"`: linking by code, and unlinking.

use super::{Answer, Context, Login, jid, text};
use crate::login::conflict;
use crate::socket::connection::Close;
use crate::{pairing, unlink};
use std::time::Duration;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{JidExt as _, NodeRef};

/// A client that logs out expects its answer before the connection ends.
const LOGOUT_GRACE: Duration = Duration::from_millis(200);

/// The two requests of a client that is linked by code.
pub(super) fn by_code(context: &Context<'_>, iq: &NodeRef<'_>) -> Answer {
    let Some(request) = iq.get_optional_child("link_code_companion_reg") else { return Answer::Unhandled };
    let Some(number) = jid(request, "jid") else { return Answer::Error(400, "bad-request") };
    let bytes = |tag: &str| {
        request.get_optional_child(tag).and_then(|child| child.content_bytes()).unwrap_or_default()
    };
    match text(request, "stage").as_deref() {
        Some("companion_hello") => {
            let wrapped = bytes("link_code_pairing_wrapped_companion_ephemeral_pub");
            let reference = pairing::code_requested(context.inner, context.connection, &number.user, wrapped);
            Answer::one(
                NodeBuilder::new("link_code_companion_reg")
                    .attr("stage", "companion_hello")
                    .children([NodeBuilder::new("link_code_pairing_ref").bytes(reference).build()])
                    .build(),
            )
        }
        Some("companion_finish") => {
            pairing::code_finished(
                context.inner,
                &number.user,
                bytes("link_code_pairing_wrapped_key_bundle"),
                bytes("companion_identity_public"),
            );
            Answer::empty()
        }
        _ => Answer::Unhandled,
    }
}

/// A device unlinks itself or another one.
pub(super) fn unlink(context: &Context<'_>, login: &Login, iq: &NodeRef<'_>) -> Answer {
    let Some(request) = iq.get_optional_child("remove-companion-device") else { return Answer::Unhandled };
    let device = jid(request, "jid").map_or(login.device, |jid| jid.device());
    let kick = device != login.device;
    let removed = unlink::forget(context.inner, &login.account, device);
    if let Some(connection) = removed {
        // Whoever logs out hears the answer first; whoever is thrown out hears why.
        let cancel = context.inner.cancel.clone();
        let grace = if kick { Duration::ZERO } else { LOGOUT_GRACE };
        if kick {
            connection.send(&conflict("device_removed", Some(401)));
        }
        context.inner.tasks.spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(grace) => {}
            }
            connection.close(Close::Gentle);
        });
    }
    Answer::empty()
}
