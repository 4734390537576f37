//! What stands around a gateway in a test.

use contact::Contact;
use fake_whatsapp::{FakeWhatsApp, Options};

use crate::WebhookReceiver;

/// Which database the gateway keeps its facts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// A file in its own folder.
    Sqlite,
    /// A database of its own on the server of this test run.
    Postgres,
}

/// A WhatsApp server and a webhook receiver of one test.
pub struct World {
    pub whatsapp: FakeWhatsApp,
    pub webhooks: WebhookReceiver,
    pub storage: Storage,
}

impl World {
    /// Starts both.
    #[expect(clippy::expect_used, reason = "no test can go on without them")]
    pub async fn new(storage: Storage) -> Self {
        let whatsapp = FakeWhatsApp::start(Options::default()).await.expect("a WhatsApp server");
        let webhooks = WebhookReceiver::start().await;
        Self { whatsapp, webhooks, storage }
    }

    /// Links a contact: a second real client.
    #[expect(clippy::expect_used, reason = "no test can go on without it")]
    pub async fn contact(&self, number: &str) -> Contact {
        Contact::link(&self.whatsapp, number).await.expect("a contact that is linked")
    }
}
