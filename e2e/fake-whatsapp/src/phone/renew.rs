//! A phone's keys running low, and a phone set up anew.

use super::Phone;
use crate::account::{Account, Addressing};
use crate::clock;
use crate::error::Error;
use crate::faults::Kick;
use crate::inner::Inner;
use crate::login::server_notification;
use crate::offline::Class;
use crate::stanza::message;
use crate::unlink;
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;

/// Tells a device that its one-time prekeys have run low.
pub(crate) fn notify_low_prekeys(inner: &Arc<Inner>, account: &Arc<Account>, device: u16) {
    let left = account.state.lock().devices.get(&device).map_or(0, |device| device.keys.one_time.len());
    let id = inner.next_id();
    let count = NodeBuilder::new("count").attr("value", left).build();
    let notification = server_notification("encrypt", &id).children([count]).build();
    message::hand_over(inner, account, device, Class::Notification, &id, notification);
}

/// Sets the phone up anew.
pub(crate) fn change_identity(inner: &Arc<Inner>, account: &Arc<Account>) -> Result<(), Error> {
    for device in account.device_ids() {
        unlink::kick(inner, account, device, Kick::Removed);
    }
    let phone = Phone::new(&account.number, &inner.options)?;
    {
        let mut state = account.state.lock();
        state.raw_id = state.raw_id.wrapping_add(1);
        state.devices_changed = clock::unix_seconds().max(state.devices_changed + 1);
        if let Some(device) = state.devices.get_mut(&0) {
            device.keys = phone.public_keys();
        }
    }
    *account.phone.lock() = phone;
    for other in inner.directory.all() {
        for device in other.device_ids().into_iter().filter(|device| *device != 0) {
            let id = inner.next_id();
            let notification = server_notification("encrypt", &id)
                .attr("from", account.jid(Addressing::Pn))
                .children([NodeBuilder::new("identity").build()])
                .build();
            message::hand_over(inner, &other, device, Class::Notification, &id, notification);
        }
    }
    Ok(())
}
