//! Layer 7: HTTP beside the Kafka front end: health, readiness, metrics, and what operators ask.
//!
//! In reading order: what the process says of itself ([`status`]), who may connect ([`bounded`]), what is answered
//! ([`routes`]), the socket ([`listening`]).

mod bounded;
pub mod listening;
mod routes;
pub mod status;

pub use listening::{AdminServer, BindError};
pub use status::{Phase, Status};

#[cfg(test)]
mod tests;
