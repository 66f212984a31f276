//! One file for each kind of request: from wire structs to the broker's plain types and back. No logic of their own.

pub mod api_versions;
pub mod describe_cluster;
pub mod describe_producers;
pub mod describe_topic_partitions;
pub mod fetch;
pub mod find_coordinator;
pub mod list_offsets;
pub mod metadata;
pub mod offset_for_leader_epoch;
pub mod produce;

mod wire;
