//! Every test here runs on SQLite and on PostgreSQL, but for those about one file.
#![cfg(test)]

mod access;
mod accounts;
mod audit;
mod backup;
mod census;
mod deliveries;
mod delivery_list;
mod endpoints;
mod fences;
mod group_commit;
mod inbound;
mod log;
mod media;
mod node_gateway;
mod opening;
mod outbound;
mod outbound_media;
mod receipts;
mod received;
mod retention;
mod rollout;
mod schema;
mod session_list;
mod session_state;
mod sessions;
mod stand;
mod transitions;
mod user_removal;
mod users;
mod webhook_auth;
