//! The promises of the gateway, proved through real processes: one module for each.
//!
//! They need the gateway itself beside them: `cargo build --bin wa-gateway --features wa-gateway/fake-whatsapp`.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod both_ways;
#[cfg(test)]
mod commit_before_ack;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod conversations;
#[cfg(test)]
mod dashboard;
#[cfg(test)]
mod independent_client;
#[cfg(test)]
mod kill_in_the_middle;
#[cfg(test)]
mod media;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod three_services;
#[cfg(test)]
mod users;
