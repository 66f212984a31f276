//! One file for each kind of request: from wire structs to the broker's plain types and back. No logic of their own.

pub mod api_versions;
pub mod delete_groups;
pub mod describe_cluster;
pub mod describe_groups;
pub mod describe_producers;
pub mod describe_topic_partitions;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod join_group;
pub mod leave_group;
pub mod list_groups;
pub mod list_offsets;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod sync_group;

mod by_topic;
mod wire;
