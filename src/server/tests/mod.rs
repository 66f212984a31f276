//! Sessions over real sockets.

mod fetch_responses;
mod fetch_sessions;
mod sessions;
mod wire;
