//! Sessions over real sockets.

mod bench;
mod cold;
mod configs;
mod descriptions;
mod fetch_responses;
mod fetch_sessions;
mod groups;
mod hostile;
mod maintenance;
mod records;
mod samples;
mod sessions;
mod topics;
mod wire;
