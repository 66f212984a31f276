//! Layer 1: the catalog: what is small and must agree, in SQL. SQLite inside the process by default, PostgreSQL for a
//! cluster; a file per family of tables, one text for every statement but the DDL (`migrations/`).

mod broker_configs;
#[expect(clippy::module_inception, reason = "the room's main type has the room's name")]
mod catalog;
mod cluster;
mod group_batches;
mod group_lists;
mod group_offsets;
mod groups;
mod metrics;
mod open_error;
mod options;
mod partitions;
mod postgres;
mod producer_ids;
mod reserve;
mod rewrites;
mod segment_reads;
mod segment_rows;
mod segments;
mod session;
mod sqlite;
mod stop_bound;
mod storage_error;
mod topics;
mod writer;

pub use catalog::{Catalog, FORMAT_VERSION, check_url};
pub use cluster::{BrokerRow, ClusterRow};
pub use group_batches::GroupBatch;
pub use group_lists::{Expiry, GroupHead};
pub use group_offsets::GroupOffsetRow;
pub use groups::GroupRow;
pub use open_error::OpenError;
pub use options::CatalogOptions;
pub use partitions::{FencedError, PartitionRow};
pub use producer_ids::producer_number;
pub use rewrites::RewriteError;
pub use segment_rows::{NewSegmentRow, SegmentContent, SegmentRow, SegmentState, SegmentTotals};
pub use segments::CommitError;
pub use storage_error::StorageError;
pub use topics::{NewTopicRow, TopicError, TopicRow};

#[cfg(test)]
mod tests;
