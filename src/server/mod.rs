//! Layer 7: the Kafka front end. The wire's structs stop here: handlers turn them into the broker's plain types.
//!
//! In reading order: what a table of requests is ([`dispatch`]), how one connection's frames reach it ([`session`]),
//! how replies leave ([`reply`]), the socket that all of it hangs on ([`listening`]), what handlers work on
//! ([`front_end`]), one file per request in [`handlers`], and which of them are served ([`api_table`]).

pub mod dispatch;
pub mod session;

mod cold_reads;
pub mod errors;
pub mod fetch_read;
pub mod fetch_response;
pub mod fetch_session;
pub mod reply;

pub mod listening;
mod options;

pub mod front_end;
pub mod handlers;

pub mod api_table;

mod metrics;

pub use api_table::table;
pub use dispatch::Shared;
pub use front_end::{FetchLimits, FrontEnd, Node};
pub use listening::{BindError, Claimed, Server};
pub use options::ServerOptions;

#[cfg(test)]
mod tests;
