//! Layer 3: the log across tiers.
//!
//! In reading order: which tier has an offset ([`router`], over the objects of a [`manifest`]); a partition over both
//! ([`tiered_log`]) and what all of them share ([`tiers`]); which range goes into the bucket next (`upload_choice`) and how
//! (`uploader`, `encoding_job`), how it comes back (`cold_read`, `reader`, `lookup`), and how it goes for good (`expire`,
//! `deleter`, `sweep`); what a start asks (`lineage`, [`control`]); what can be shown ([`status`]). How records lie in an
//! object is known to [`parquet`] alone.

pub mod digest;
pub mod parquet;

pub mod manifest;
pub mod remote_segment;
pub mod router;

pub mod tiered_log;
pub mod tiers;

mod ages;
mod backoff;
mod pressure;
mod skip;
mod upload_choice;
mod upload_queue;
mod upload_state;

mod encoding_job;
mod upload_error;
mod uploader;

mod cold_read;
mod damages;
mod flights;
mod group;
mod huge;
mod lookup;
mod read_ahead;
mod read_failures;
mod reader;

mod deleter;
mod expire;
mod refused_removals;
mod sweep;

pub mod control;
mod lineage;

pub mod status;

mod errors;
mod metrics;
mod options;
mod steps;
mod threads;

pub use cold_read::RemoteRecords;
pub use control::cluster_file;
pub use deleter::Removed;
pub use errors::{ChangeError, RemoteReadError};
pub use lineage::Lineage;
pub use lookup::RecordTime;
pub use options::TieringOptions;
pub use router::{Place, View, locate};
pub use skip::SkipError;
pub use status::{SegmentListing, TierStatus};
pub use steps::{Step, StepHook};
pub use sweep::Swept;
pub use threads::Unfinished;
pub use tiered_log::{TieredLog, TieredParts};
pub use tiers::{Tiers, TiersParts, TopicFileError};

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
