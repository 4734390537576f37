mod control;
mod faults;
mod groups;
mod linking;
mod media;
mod messages;
mod process;
mod profile;

use contact::Contact;
use fake_whatsapp::{FakeWhatsApp, Options};
use std::time::Duration;

/// Long enough for a busy machine; nothing waits that long when all is well.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) const ANNA: &str = "628110000001";
pub(crate) const BUDI: &str = "628110000002";
pub(crate) const CITRA: &str = "628110000003";

pub(crate) async fn server() -> FakeWhatsApp {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
    FakeWhatsApp::start(Options { journal: 1000, ..Options::default() }).await.expect("server")
}

pub(crate) async fn link(server: &FakeWhatsApp, number: &str) -> Contact {
    Contact::link(server, number).await.expect("linked contact")
}

/// Nothing may have come in that the server does not know.
pub(crate) fn assert_all_handled(server: &FakeWhatsApp) {
    assert_eq!(server.unhandled(), Vec::<String>::new());
}
