//! Layer 6: owns the rooms; starts and stops them in named steps; the one table of background tasks.

mod assignments;
mod config_changes;
mod configs;
mod create_partitions;
mod create_topics;
mod data_dir;
mod delete_records;
mod delete_topics;
mod follow_catalog;
mod ids;
mod made;
mod open_topic;
mod options;
mod producer_ids;
mod registry;
mod start;
mod state;
mod stop;
mod tasks;
mod topic;
mod whole_changes;

pub use assignments::BadAssignment;
pub use config_changes::{BadChanges, ConfigChange, ConfigChanges, ConfigOperation};
pub use configs::{AlterConfigsError, BrokerScope};
pub use create_partitions::{CreatePartitionsError, MorePartitions};
pub use create_topics::{CreateTopicError, CreatedTopic, NewTopic};
pub use data_dir::{DataDir, DataDirError, Identity};
pub use delete_records::DeleteRecordsError;
pub use delete_topics::DeleteTopicError;
pub use ids::RandomBytes;
pub use open_topic::OpenTopicError;
pub use options::{BrokerOptions, Endpoint};
pub use producer_ids::ProducerIdError;
pub use registry::{Registry, Topics};
pub use start::{BrokerParts, StartError};
pub use state::Broker;
pub use topic::{Overrides, Topic};

#[cfg(test)]
mod tests;
