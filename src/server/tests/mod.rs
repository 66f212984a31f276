//! Sessions over real sockets.

mod sessions;
mod wire;
