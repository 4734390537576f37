//! Each role, made from what a process stands on and the settings.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use config::Config;
use dashboard::Dashboard;
use domain::media::MediaLimits;
use secrets::{KeyRing, KeyedHash};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Foundation, Role, database::seed_admin, process_name};
use crate::{StartError, census::Counting};

impl Foundation {
    pub(super) fn api(&self, listener: TcpListener, stop: CancellationToken) -> Role {
        let Config { http, access, send, media, .. } = &self.config;
        let api = api::Api::new(api::Parts {
            database: self.database.clone(),
            bus: self.bus.clone(),
            media: self.media.clone(),
            links: self.links.clone(),
            keys: KeyRing::clone(&self.keys),
            egress: self.egress.clone(),
            passwords: self.passwords.clone(),
            keyed_hash: KeyedHash::random(),
            clock: Arc::clone(&self.clock),
            webhooks: self.webhooks.clone(),
            dashboard: Dashboard::built_in(),
            settings: api::Settings {
                status_token: access.status_token.clone(),
                trusted_proxies: http.trusted_proxies.clone(),
                login_limits: api::LoginLimits {
                    per_address: at_least_one(access.login_failures_per_address),
                    per_name: at_least_one(access.login_failures_per_name),
                    window: access.login_failures_window,
                },
                body_limit: http.body_limit,
                // The caller, too, may give up after REQUEST_TIMEOUT_SECONDS: it should hear the reason before that.
                start_wait: http.request_timeout.mul_f64(0.8),
                send_wait: send.wait,
                message_ttl: send.ttl,
                queue_limit: u32::try_from(send.queue_limit).unwrap_or(u32::MAX),
                typing_indicator: send.typing_indicator,
                media_limits: media_limits(media),
                media_wait: media.transfer,
                ..api::Settings::default()
            },
            shutdown: stop,
        });
        let (database, passwords, access) =
            (self.database.clone(), self.passwords.clone(), self.config.access.clone());
        Role::new("api", async move {
            // Hashing takes a while, and only logins need it: sessions connect in the meantime.
            seed_admin(&database, &passwords, &access).await.map_err(|error| error.to_string())?;
            api.run(listener).await;
            Ok(())
        })
    }

    pub(super) fn session_runner(
        &self,
        stop: CancellationToken,
    ) -> Result<(Role, session_runner::Alive), StartError> {
        let settings = &self.config.runner;
        let runner = session_runner::SessionRunner::new(
            session_runner::Parts {
                database: self.database.clone(),
                bus: self.bus.clone(),
                whatsapp: Arc::clone(&self.whatsapp),
                media: Arc::new(self.media()?),
                clock: Arc::clone(&self.clock),
            },
            session_runner::Settings {
                name: process_name(&self.config),
                place: storage::Placement {
                    pod: self.config.kubernetes.pod.clone(),
                    node: self.config.kubernetes.node.clone(),
                },
                version: env!("CARGO_PKG_VERSION").to_owned(),
                capacity: settings.capacity,
                lease: settings.lease,
                fence: settings.fence,
                renew: settings.renew,
                drain: settings.drain,
                hand_over_at_once: settings.hand_over_at_once,
                rebalance_per_second: settings.rebalance_per_second,
            },
        );
        let alive = runner.alive();
        let role = Role::new("session-runner", async move {
            Box::pin(runner.run(stop)).await;
            Ok(())
        });
        Ok((role, alive))
    }

    /// What sessions handle files with.
    fn media(&self) -> Result<session_runner::Media, StartError> {
        let settings = &self.config.media;
        // What is in it has no name, so it is always empty to look at.
        let folder = self.config.storage.data_dir.join("tmp");
        std::fs::create_dir_all(&folder).map_err(|error| {
            StartError::Running(format!("the folder {} cannot be used: {error}", folder.display()))
        })?;
        let days = u64::from(settings.retention_days);
        let settings = session_runner::MediaSettings {
            limits: media_limits(settings),
            timeout: settings.transfer,
            folder,
            keep_for: (days > 0).then(|| Duration::from_hours(24 * days)),
            keep_bytes: settings.max_bytes,
        };
        let (store, links) = (self.media.clone(), self.links.clone());
        Ok(session_runner::Media::new(store, links, self.egress.clone(), settings))
    }

    pub(super) fn webhook_dispatcher(&self, stop: CancellationToken) -> Result<Role, StartError> {
        let settings = &self.config.webhooks;
        let dispatcher = webhook_dispatcher::Dispatcher::new(
            webhook_dispatcher::Parts {
                database: self.database.clone(),
                bus: self.bus.clone(),
                egress: self.egress.clone(),
                keys: KeyRing::clone(&self.keys),
                clock: Arc::clone(&self.clock),
            },
            webhook_dispatcher::Settings {
                timeout: settings.timeout,
                concurrency: at_least_one(settings.concurrency),
                concurrency_per_endpoint: at_least_one(settings.concurrency_per_endpoint),
                answer_limit: settings.answer_limit,
                key_header: settings.key.clone(),
                // A dispatcher that died is noticed within this time; a living one is never mistaken for dead.
                hold: settings.timeout * 2 + Duration::from_secs(30),
                events_retention: days(settings.events_retention_days),
                messages_retention: days(self.config.send.messages_retention_days),
                audit_retention: days(self.config.access.audit_retention_days),
                ..webhook_dispatcher::Settings::default()
            },
        )
        .map_err(StartError::settings)?;
        Ok(Role::new("webhook-dispatcher", async move {
            Box::pin(dispatcher.run(stop)).await;
            Ok(())
        }))
    }

    /// What one process counts for the metrics of all.
    pub(super) fn census(&self, stop: CancellationToken) -> Role {
        let counting = Counting { database: self.database.clone(), clock: Arc::clone(&self.clock) };
        Role::new("census", async move {
            counting.run(stop).await;
            Ok(())
        })
    }
}

/// A time in days; 0 stands for ever.
fn days(days: u32) -> Option<Duration> {
    const DAY: Duration = Duration::from_hours(24);
    (days > 0).then(|| DAY * days)
}

const fn media_limits(settings: &config::Media) -> MediaLimits {
    MediaLimits {
        image: settings.image_max,
        video: settings.video_max,
        audio: settings.audio_max,
        sticker: settings.sticker_max,
        document: settings.document_max,
    }
}

/// A number that the settings have checked already.
fn at_least_one(number: impl TryInto<u32>) -> NonZeroU32 {
    number.try_into().ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}
