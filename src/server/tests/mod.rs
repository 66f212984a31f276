//! Sessions over real sockets.

mod bench;
mod cold;
mod descriptions;
mod fetch_responses;
mod fetch_sessions;
mod groups;
mod records;
mod sessions;
mod wire;
