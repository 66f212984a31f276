//! Layer 4: one partition across brokers. With one broker that is the leader alone; the watermark, the epochs and the
//! meaning of an acknowledgement are the cluster's already.

mod delete_records;
mod errors;
mod high_watermark;
mod leadership;
mod list_offsets;
mod log_dir;
mod metrics;
mod now_and_then;
mod partition;
mod read;
mod stable_log;
mod syncer;

pub use errors::{AppendError, DeleteRecordsError, EpochError, ListOffsetsError, NotCommitted, NotServing, ReadError};
pub use high_watermark::{HighWatermark, Offline};
pub use leadership::Leadership;
pub use list_offsets::{FoundOffset, OffsetSpec};
pub use log_dir::{DiskSpace, LogDirHealth};
pub use partition::{Acks, Isolation, Partition, PartitionParts, Watermarks};
pub use read::{Read, ReadBounds};
pub use syncer::Syncer;

#[cfg(test)]
mod tests;
