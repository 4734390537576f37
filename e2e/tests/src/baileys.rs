//! A contact that shares no code with the gateway: the Baileys client, linked to a number of its own.

use std::{fs, path::PathBuf};

use scratch::Dir;
use serde_json::{Value, json};

use crate::{
    PATIENCE, World, eventually,
    node::{Node, node},
};

/// A linked Baileys client.
pub struct Baileys {
    node: Node,
    /// What it has received.
    _files: Dir,
    /// Messages that were asked for.
    read: usize,
    sent: usize,
}

impl Baileys {
    /// Starts one, scans its QR code with the phone of `number` and waits until it is connected. Over TLS, with every
    /// check that it makes of WhatsApp's certificates.
    #[expect(clippy::expect_used, reason = "no test can go on without it")]
    pub async fn link(world: &World, number: &str) -> Self {
        let server = &world.whatsapp;
        let files = Dir::new();
        let certificate = files.join("certificate.pem");
        fs::write(&certificate, server.certificate().expect("a TLS listener")).expect("a file for it");
        let mut command = node();
        command.arg("baileys.js").arg(server.chat_tls_url().expect("a TLS listener")).arg(server.root_key());
        command.arg(files.path()).env("NODE_EXTRA_CA_CERTS", &certificate);
        let baileys = Self { node: Node::start("baileys", command), _files: files, read: 0, sent: 0 };
        let qr = baileys.event("qr", 0).await;
        server.scan(Some(number), qr["qr"].as_str().unwrap_or_default()).await.expect("its QR code is right");
        baileys.event("open", 0).await;
        baileys
    }

    /// Sends a text; returns the message's id.
    pub async fn send_text(&mut self, to: &str, text: &str) -> String {
        self.send(to, json!({"text": text})).await
    }

    /// Sends any content, in Baileys' own words, with paths for files; returns the message's id.
    pub async fn send(&mut self, to: &str, content: Value) -> String {
        self.node.write(&json!({"do": "send", "to": to, "content": content}).to_string()).await;
        self.sent += 1;
        let sent = self.event("sent", self.sent - 1).await;
        sent["id"].as_str().unwrap_or_default().to_owned()
    }

    /// The next message that nobody has asked for yet.
    pub async fn next_message(&mut self) -> Value {
        self.read += 1;
        self.event("message", self.read - 1).await
    }

    /// How many messages it has received.
    #[must_use]
    pub fn received(&self) -> usize {
        self.events("message").len()
    }

    /// The file that came with a message.
    #[must_use]
    pub fn file(message: &Value) -> Vec<u8> {
        fs::read(PathBuf::from(message["file"].as_str().unwrap_or_default())).unwrap_or_default()
    }

    /// Waits for an event of a kind; the number counts those of the same kind from 0.
    async fn event(&self, kind: &str, number: usize) -> Value {
        eventually(&format!("event {number} of kind {kind:?} from Baileys"), PATIENCE, async || {
            let errors = self.events("error");
            assert!(errors.is_empty(), "Baileys has failed: {errors:#?}");
            let closed = self.events("closed");
            assert!(closed.is_empty(), "Baileys is no longer connected: {closed:#?}");
            self.events(kind).into_iter().nth(number)
        })
        .await
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let lines = self.node.lines();
        let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|event| event["event"] == kind).collect()
    }
}
