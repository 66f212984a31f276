//! Layer 3: frames over sockets. Knows bytes, lengths and time; only its client side ([`client`]) knows Kafka's messages.
//!
//! In reading order: what a frame may cost ([`budget`]), where large ones are kept ([`buffers`]), how they are read
//! ([`frame`]), what goes out ([`response`]) and how ([`writer`]), the loop that ties both to a service
//! ([`connection`]), and who may connect ([`listener`]).

pub mod budget;
pub mod buffers;
pub mod client;
pub mod connection;
mod contention;
pub mod frame;
pub mod listener;
mod metrics;
pub mod response;
pub mod writer;

#[cfg(test)]
mod tests;

pub use budget::ByteBudget;
pub use connection::{Answer, Connection, ConnectionOptions, Reply, Service};
pub use contention::Contention;
pub use frame::{FrameError, FrameReader};
pub use listener::{BoundAddress, ConnectionLimits, Listener, Slot};
pub use response::{FileSlice, Response, ResponseBuilder};
