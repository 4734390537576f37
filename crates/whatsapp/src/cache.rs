//! How much the library may keep in memory for a session.

use std::time::Duration;

use whatsapp_rust::{CacheConfig, CacheEntryConfig};

/// Caches grow with use, so these bounds matter for busy sessions only; an idle one keeps next to nothing.
/// What is not here is read from the store again.
pub(crate) fn lean() -> CacheConfig {
    let hour = Some(Duration::from_hours(1));
    CacheConfig {
        group_cache: CacheEntryConfig::new(hour, 64),
        // One entry for each member of a group that is written to: a large group has a thousand.
        device_registry_cache: CacheEntryConfig::new(hour, 2_000),
        message_retry_counts: CacheEntryConfig::new(hour, 256),
        undecryptable_dispatched: CacheEntryConfig::new(Some(Duration::from_mins(5)), 256),
        pdo_pending_requests: CacheEntryConfig::new(Some(Duration::from_secs(30)), 64),
        pdo_requested: CacheEntryConfig::new(Some(Duration::from_hours(24)), 256),
        sender_key_devices_cache: CacheEntryConfig::new(hour, 64),
        seed_msg_secrets_from_history: false,
        ..CacheConfig::default()
    }
}
