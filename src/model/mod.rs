//! Layer 0: the vocabulary. Ids, offsets, epochs, a topic's configuration, limits. Pure values: no I/O, no
//! async, no clock. Every room may import it; it imports nobody.

pub mod host_name;
pub mod ids;
pub mod limits;
pub mod offset;
pub mod settings;
pub mod topic_config;

pub use ids::{BrokerId, ProducerId, TopicId, TopicName, TopicPartition};
pub use offset::{LeaderEpoch, Offset};
pub use topic_config::{Codec, MessageConfig, TimestampType, TopicConfig};
