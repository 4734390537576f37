//! Every test here runs on SQLite and on PostgreSQL, but for those about one file.
#![cfg(test)]

mod deliveries;
mod fences;
mod group_commit;
mod inbound;
mod opening;
mod outbound;
mod rollout;
mod schema;
mod session_state;
mod sessions;
mod stand;
mod transitions;
mod users;
