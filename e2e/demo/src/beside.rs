//! `demo beside`: the demo around a gateway that runs elsewhere, such as in the other containers of docker-compose.yml.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use fake_whatsapp::{FakeWhatsApp, Options};

use crate::{
    Problem,
    api::Api,
    console::{Scene, say},
    phones, show, stop_requested, webhooks,
};

/// How long to wait for a gateway that is still starting.
const PATIENCE: Duration = Duration::from_mins(3);
const LOOK: Duration = Duration::from_millis(500);

/// Where everything is: here, as the gateway finds it, and as a person finds it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The gateway, such as <http://api:5001>.
    #[arg(long)]
    gateway: String,
    /// The password of its admin.
    #[arg(long, env = "ADMIN_PASSWORD", hide_env_values = true)]
    password: String,
    /// Where the stand-in for WhatsApp listens.
    #[arg(long, default_value = "127.0.0.1:7700")]
    whatsapp: SocketAddr,
    /// Where its control API listens.
    #[arg(long, default_value = "127.0.0.1:7701")]
    control: SocketAddr,
    /// Where webhooks are received and shown.
    #[arg(long, default_value = "127.0.0.1:3000")]
    webhooks: SocketAddr,
    /// The gateway, as a person reaches it.
    #[arg(long, default_value = "http://localhost:5001")]
    shown_gateway: String,
    /// The control API, as a person reaches it.
    #[arg(long, default_value = "http://localhost:7701")]
    shown_control: String,
    /// The page with what arrived, as a person reaches it.
    #[arg(long, default_value = "http://localhost:3000/")]
    shown_page: String,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Problem> {
    let whatsapp = FakeWhatsApp::start(Options {
        listen: arguments.whatsapp,
        control_listen: Some(arguments.control),
        tls_listen: None,
        ..Options::default()
    })
    .await?;
    let receiver = webhooks::Receiver::start(arguments.webhooks).await;
    let _receiver = receiver.map_err(Problem::io("the webhook receiver"))?;
    let api = Api::new(&arguments.gateway, &arguments.password)?;
    let shown = async {
        wait_for(&api).await?;
        show(&api, &whatsapp, false, |anna, budi| Scene {
            gateway: arguments.shown_gateway.clone(),
            password: "$ADMIN_PASSWORD".to_owned(),
            control: arguments.shown_control.clone(),
            anna,
            budi,
            friend: phones::FRIEND.to_owned(),
            page: Some(arguments.shown_page.clone()),
            webhooks: None,
        })
        .await
    };
    let outcome = tokio::select! {
        shown = shown => shown,
        stopped = stop_requested() => stopped,
    };
    whatsapp.shutdown().await;
    outcome
}

async fn wait_for(api: &Api) -> Result<(), Problem> {
    say(format_args!("waiting for the gateway …"));
    let began = Instant::now();
    loop {
        match api.has_runner().await {
            Ok(true) => return Ok(()),
            Err(error) if began.elapsed() >= PATIENCE => return Err(error.into()),
            Ok(false) | Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}
