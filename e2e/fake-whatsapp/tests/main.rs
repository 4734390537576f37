//! The real client library against the server, one module for each part of the protocol.

mod suite;
