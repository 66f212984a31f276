//! Layer 7: HTTP beside the Kafka front end: health, readiness, metrics, and what operators ask.
//!
//! In reading order: what the process says of itself ([`status`]), what is answered as JSON ([`shown`]), a file for each
//! thing that can be asked, who answers what (`routes`), the socket ([`listening`]).

pub mod shown;
pub mod status;

mod refused;

mod broker_info;
mod process;
mod segments;
mod tier;

pub mod listening;
mod routes;

pub use listening::{AdminServer, BindError};
pub use status::{Phase, Status};

#[cfg(test)]
mod tests;
