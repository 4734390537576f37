//! `xmlns="w:m"`: where media goes.

use super::{Answer, Context};
use wacore_binary::NodeRef;
use wacore_binary::builder::NodeBuilder;

pub(super) fn handle(context: &Context<'_>, iq: &NodeRef<'_>) -> Answer {
    if iq.get_optional_child("media_conn").is_none() {
        return Answer::Unhandled;
    }
    let host = context.inner.media_host(context.connection.tls);
    Answer::one(
        NodeBuilder::new("media_conn")
            .attr("auth", context.inner.media.credentials())
            .attr("ttl", 3600)
            .attr("auth_ttl", 3600)
            .attr("max_buckets", 12)
            .children([NodeBuilder::new("host").attr("hostname", host).attr("type", "primary").build()])
            .build(),
    )
}
