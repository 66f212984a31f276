//! Layer 7: HTTP beside the Kafka front end: health, readiness, metrics, and what operators ask.
//!
//! In reading order: what the process says of itself ([`status`]), what is answered as JSON ([`shown`]), a file for each
//! thing that can be asked, who answers what (`routes`), who is connected (`guests`), the socket ([`listening`]).

pub mod shown;
pub mod status;

mod refused;

mod broker_info;
mod metric_help;
mod process;
mod segments;
mod tier;

mod bodies;
mod routes;

mod guests;
pub mod listening;

pub use listening::{AdminServer, BindError};
pub use status::{Phase, Status};

#[cfg(test)]
mod tests;
