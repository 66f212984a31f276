//! Sessions over real sockets.

mod bench;
mod descriptions;
mod fetch_responses;
mod fetch_sessions;
mod records;
mod sessions;
mod wire;
