//! What a client of the Node gateway sees, row by row: requests and the answers they must get from a real process. Each
//! module is a section of the contract.

mod everywhere;
mod media;
mod messages;
mod monitoring;
mod sessions;
mod settings;
mod users;
mod webhook_auth;
mod webhooks;

use e2e::{Gateway, Storage, World};

const OURS: &str = "628110000001";
const THEIRS: &str = "628110000002";

/// A gateway whose login limits do not get in the way.
async fn gateway(world: &World, settings: &[(&str, &str)]) -> Gateway {
    let limits = [("LOGIN_FAILURES_PER_NAME", "1000"), ("LOGIN_FAILURES_PER_ADDRESS", "1000")];
    Gateway::start_with(world, &[&limits[..], settings].concat()).await
}

/// The same with the connected session `shop`, and somebody to write to.
async fn with_shop() -> (World, Gateway) {
    let world = World::new(Storage::Sqlite).await;
    let gateway = gateway(&world, &[]).await;
    gateway.link("shop", OURS).await;
    world.whatsapp.create_account(THEIRS).await;
    (world, gateway)
}
