//! Sessions over real sockets.

mod fetch_responses;
mod sessions;
mod wire;
