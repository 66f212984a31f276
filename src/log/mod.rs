//! Layer 2: the local log of one partition, synchronous: segments and their indexes in Kafka's own formats, producer
//! state, leader epochs, recovery, retention. Callers that must not block run it on threads that may.

mod append;
mod aside;
mod batches;
mod checkpoint;
mod epochs_file;
mod error;
mod index_file;
mod leader_epochs;
mod leftovers;
mod loss;
mod names;
mod offset_index;
mod open;
mod open_files;
mod options;
mod partition_log;
mod producer_snapshot;
mod producers;
mod read;
mod recovery;
mod remove;
pub mod retention;
mod roll;
mod scan;
mod segment;
mod snapshot_at;
mod sync;
mod time_index;
mod timestamps;
mod transaction_index;
mod truncate;

#[cfg(test)]
mod tests;

pub use append::Appended;
pub use aside::remove_old_asides;
pub use batches::BatchReader;
pub use error::{AppendError, LogError, ReadError};
pub use leader_epochs::{EpochEntry, LeaderEpochs};
pub use loss::refuse_older;
pub use open::{Beginning, Known, RecoveryReport};
pub use open_files::OpenFiles;
pub use options::LogOptions;
pub use partition_log::PartitionLog;
pub use producers::ActiveProducer;
pub use read::LogSlice;
pub use retention::{SegmentInfo, TieredTo};
pub use timestamps::FoundRecord;
pub use transaction_index::AbortedTransaction;
