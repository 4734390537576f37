//! The session runners in a cluster size their own Deployment.

use std::sync::Arc;

use config::Config;
use domain::SharedClock;
use storage::Database;

use crate::{Roles, StartError, foundation::hostname};

/// What sizes the Deployment of the runners, where the settings name one.
pub(crate) async fn connect(
    config: &Config,
    roles: Roles,
    database: &Database,
    clock: &SharedClock,
) -> Result<Option<kubernetes::Autoscaler>, StartError> {
    let settings = &config.kubernetes;
    let Some(deployment) = settings.deployment.clone() else { return Ok(None) };
    if roles != Roles::SessionRunner {
        return Err(StartError::Settings(format!(
            "AUTOSCALE_DEPLOYMENT is for `wa-gateway session-runner`, and this is `wa-gateway {}`: leave it out",
            roles.name()
        )));
    }
    let name = settings.pod.clone().or_else(|| config.runner.name.clone()).unwrap_or_else(hostname);
    let settings = kubernetes::Settings {
        // A container that starts again in the same pod is another one.
        identity: format!("{name}_{}", domain::RunnerId::new()),
        namespace: settings.namespace.clone(),
        lease: settings.lease.clone().unwrap_or_else(|| deployment.clone()),
        deployment,
        limits: kubernetes::Limits {
            min: settings.min,
            max: settings.max,
            spare: settings.spare,
            capacity: config.runner.capacity,
            stabilisation: settings.stabilisation,
        },
        interval: settings.interval,
    };
    let parts = kubernetes::Parts { database: database.clone(), clock: Arc::clone(clock) };
    kubernetes::Autoscaler::connect(parts, settings)
        .await
        .map(Some)
        .map_err(|error| StartError::Settings(format!("AUTOSCALE_DEPLOYMENT is set: {error}")))
}
