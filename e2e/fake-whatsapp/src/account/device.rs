//! A device of an account: the phone (number 0) or a linked companion.

use crate::account::keys::PublicKeys;
use crate::offline::{Entry, Queue};
use crate::socket::connection::Connection;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, SERVER_JID};

/// A device.
pub(crate) struct Device {
    /// Its static Noise key, which is what it proves at login.
    pub(crate) noise_key: [u8; 32],
    pub(crate) keys: PublicKeys,
    pub(crate) key_index: u32,
    /// The `ADVSignedDeviceIdentity` it returned when it was linked; empty for the phone.
    pub(crate) signed_identity: Vec<u8>,
    pub(crate) connection: Option<Arc<Connection>>,
    pub(crate) queue: Queue,
    /// The phone has sent it the app-state keys.
    pub(crate) has_sync_key: bool,
    pub(crate) logins: u32,
}

impl Device {
    /// Puts a stanza in the queue and writes it if the device is there.
    pub(crate) fn deliver(&mut self, entry: Entry) {
        self.queue.push(entry);
        self.pump();
    }

    /// Writes what may be written.
    pub(crate) fn pump(&mut self) {
        let Some(connection) = &self.connection else { return };
        loop {
            let outgoing = self.queue.pump();
            for stanza in outgoing.stanzas {
                connection.send_packed(stanza);
            }
            match outgoing.backlog_done {
                Some(count) => connection.send(&offline_done(count)),
                None => return,
            }
        }
    }

    /// The device asks for what has come for it; answered with the size of the backlog.
    pub(crate) fn activate(&mut self) {
        let Some(connection) = self.connection.clone() else { return };
        if connection.active.swap(true, Ordering::AcqRel) {
            return;
        }
        match self.queue.activate() {
            0 => connection.send(&offline_done(0)),
            count => connection.send(&offline_preview(count)),
        }
    }

    /// Connected, and past the point where it asked for its stanzas.
    pub(crate) fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.active.load(Ordering::Acquire))
    }
}

fn offline_done(count: usize) -> Node {
    info(NodeBuilder::new("offline").attr("count", count).build())
}

fn offline_preview(count: usize) -> Node {
    info(
        NodeBuilder::new("offline_preview")
            .attr("count", count)
            .attr("message", count)
            .attr("receipt", 0)
            .attr("notification", 0)
            .attr("call", 0)
            .build(),
    )
}

fn info(child: Node) -> Node {
    NodeBuilder::new("ib").attr("from", SERVER_JID).children([child]).build()
}
