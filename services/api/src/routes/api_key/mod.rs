//! Keys that a user's programs call with.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod revoke;

use domain::{
    ApiKeyId, Timestamp,
    access::{ApiKey, Scope},
};
use serde::Serialize;
use utoipa::ToSchema;

/// A key. What it is itself was shown when it was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyBody {
    #[schema(value_type = String, example = "key_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")]
    id: ApiKeyId,
    #[schema(example = "shop backend")]
    name: String,
    /// How it begins.
    #[schema(example = "wag_Q7bXr2Lp")]
    prefix: String,
    #[schema(example = json!(["messages:send", "messages:read"]))]
    scopes: Vec<&'static str>,
    created_at: String,
    /// To within ten minutes; null when it was not used yet.
    last_used_at: Option<String>,
    /// Null: never.
    expires_at: Option<String>,
}

impl From<ApiKey> for ApiKeyBody {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            scopes: key.scopes.into_iter().map(Scope::as_str).collect(),
            created_at: key.created_at.to_rfc3339(),
            last_used_at: key.last_used_at.map(Timestamp::to_rfc3339),
            expires_at: key.expires_at.map(Timestamp::to_rfc3339),
        }
    }
}
