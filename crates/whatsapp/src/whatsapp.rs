//! What all clients of a process share, and opening one.

use std::{sync::Arc, time::Duration};

use domain::Fence;
use storage::Database;
use tokio::sync::mpsc;
use whatsapp_rust::store::{commands::DeviceCommand, persistence_manager::PersistenceManager};

use wacore::store::{DevicePropsOverride, error::StoreError, traits::Backend};

use crate::{
    Client, Events, Inbox, Lease, Options, OptionsError, cache,
    connection::{Dialer, Gate},
    http::Http,
    inbound::Intake,
    link::Link,
    observer::Observer,
    runtime::Tasks,
    store::{Leisure, SqlBackend},
};

/// How often the library stores what changed about the device, besides at once when it matters.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// The way to WhatsApp. One for a process; cloning is cheap.
#[derive(Clone)]
pub struct WhatsApp {
    options: Arc<Options>,
    database: Database,
    dialer: Arc<Dialer>,
    http: Http,
    leisure: Leisure,
}

/// Why a client cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has the session: leave it alone.
    #[error("the session belongs to another runner by now")]
    LeaseLost,
    /// Its keys cannot be read or written. A value that cannot be read stays so; all else may mend with time.
    #[error("the session's keys cannot be read: {0}")]
    Store(#[source] storage::Error),
    /// The library refused, which no state of the world explains.
    #[error("the client cannot be set up: {0}")]
    Library(String),
}

impl WhatsApp {
    /// Checks the options; nothing is connected.
    pub fn new(options: Options, database: Database, egress: egress::Client) -> Result<Self, OptionsError> {
        let dialer = Arc::new(Dialer::new(options.checked_url()?));
        let http = Http::new(egress, options.media_timeout);
        Ok(Self { options: Arc::new(options), database, dialer, http, leisure: Leisure::default() })
    }

    /// A client for a claimed session; it does not connect before it is [started](Client::start). With `fresh` it
    /// begins with nothing: all keys that the session has are wiped first.
    pub async fn open(
        &self,
        fence: Fence,
        lease: Arc<dyn Lease>,
        inbox: Arc<dyn Inbox>,
        fresh: bool,
    ) -> Result<(Client, Events), OpenError> {
        if !lease.held() {
            return Err(OpenError::LeaseLost);
        }
        let (tell, events) = mpsc::unbounded_channel();
        let link = Arc::new(Link::new(lease, tell));
        let store = self.database.session_store(fence);
        let backend = SqlBackend::new(store, Arc::clone(&link), self.leisure.clone());
        if fresh {
            backend.wipe().await.map_err(|error| store_error(&error))?;
        }
        let tasks = Tasks::default();
        let intake = Arc::new(Intake::new(Arc::clone(&link), inbox));
        let http = self.http.until(tasks.ending());
        // Boxed: the caller's task would carry the room for it for as long as the session lives.
        let library = Box::pin(self.library(Arc::new(backend), &link, &tasks, &intake, http.clone())).await?;
        let observer = Observer {
            link: Arc::clone(&link),
            intake,
            library: Arc::downgrade(&library),
            tasks: tasks.clone(),
            pace: Arc::clone(&self.options.pace),
        };
        library.subscribe_handler(Arc::new(observer)).detach();
        Ok((Client::new(library, link, tasks, Arc::clone(&self.options), http), Events(events)))
    }

    async fn library(
        &self,
        backend: Arc<dyn Backend>,
        link: &Arc<Link>,
        tasks: &Tasks,
        intake: &Arc<Intake>,
        http: Http,
    ) -> Result<Arc<whatsapp_rust::Client>, OpenError> {
        let device = PersistenceManager::new(backend).await.map_err(|error| store_error(&error))?;
        let props = DevicePropsOverride::new().with_os(self.options.device_name.clone());
        device.process_command(DeviceCommand::SetDeviceProps(props)).await;
        let built = whatsapp_rust::Client::builder()
            .with_runtime(tasks.clone())
            .with_persistence_manager(Arc::new(device))
            .with_transport_factory(Gate {
                dialer: Arc::clone(&self.dialer),
                link: Arc::clone(link),
                tasks: tasks.clone(),
            })
            .with_http_client(http)
            .with_version_override(self.options.version)
            .with_cache_config(cache::lean())
            .with_inbound_durability_hook_arc(Arc::clone(intake) as _)
            .with_skip_history_sync(true)
            .with_wanted_pre_key_count(self.options.prekeys)
            .with_background_saver_interval(SAVE_EVERY)
            .build()
            .await;
        match built {
            Ok(built) => Ok(built.into_client()),
            Err(_) if !link.lease.held() => Err(OpenError::LeaseLost),
            // The library tries the store out before it trusts it with messages.
            Err(error) if link.is_broken() => {
                Err(OpenError::Store(storage::Error::Unavailable(error.to_string())))
            }
            Err(error) => Err(OpenError::Library(error.to_string())),
        }
    }
}

/// What lies below the library's error.
fn store_error(error: &StoreError) -> OpenError {
    let cause: Option<&storage::Error> =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    match cause {
        Some(storage::Error::LeaseLost) => OpenError::LeaseLost,
        Some(cause) => OpenError::Store(cause.clone()),
        None => OpenError::Library(error.to_string()),
    }
}
