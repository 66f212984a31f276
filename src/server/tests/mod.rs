//! Sessions over real sockets.

mod bench;
mod cold;
mod configs;
mod descriptions;
mod fetch_responses;
mod fetch_sessions;
mod groups;
mod maintenance;
mod records;
mod sessions;
mod topics;
mod wire;
