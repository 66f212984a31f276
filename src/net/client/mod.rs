//! The client side: requests to any Kafka broker, ours or another's. Wire types stop here; callers see plain ones.
//!
//! In reading order: what can go wrong ([`error`]) and the bounds ([`options`]); one connection whose requests overlap
//! ([`connection`]) in versions that both sides speak ([`versions`]); a cluster of them ([`cluster`]), what it says of
//! itself ([`metadata`]), and one file for each thing that can be asked.
//!
//! Versions are those in which topics go by name.

pub mod error;
pub mod options;

pub mod connection;
mod versions;

pub mod cluster;
pub mod metadata;

pub mod configs;
pub mod fetch;
pub mod groups;
pub mod offsets;
pub mod produce;
pub mod topics;

pub use cluster::KafkaClient;
pub use connection::ClientConnection;
pub use error::{ClientError, KafkaError};
pub use metadata::{ClusterMetadata, PartitionMetadata, TopicMetadata};
pub use options::ClientOptions;

#[cfg(test)]
mod tests;
