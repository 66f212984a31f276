//! Layer 1: the bucket. Opens it from a URL and offers exactly what a tiered log needs of one: ranged reads,
//! small control files with conditional writes, multipart uploads whose id is known before the first byte,
//! listings, deletes.
//!
//! From the ground up:
//!
//! * [`key`] — the only place that spells object keys; [`object_key`] is what they are made of.
//! * [`error`], [`store`] — the words: errors with a kind, and the trait that every kind of bucket implements.
//! * `file`, `memory`, `remote` — the kinds of bucket; the last is S3, GCS and Azure.
//! * `layer`, `retry`, `budget`, `metered`, `faulty` — decorators, one concern each.
//! * [`bucket`], [`upload`] — the face that other rooms see; `open` puts it all together from a URL.
//! * [`self_test`] — whether a bucket can do what is needed, asked before it is relied upon.
//!
//! Invariant: a data object's key is never written twice; only control files are ever replaced, and only by
//! conditional writes.

pub mod key;
pub mod object_key;

pub mod error;
pub mod store;
#[cfg(test)]
mod switched;

mod file;
mod memory;
mod remote;

mod layer;

mod budget;
mod faulty;
mod metered;
mod metrics;
mod retry;

pub mod bucket;
mod open;
pub mod options;
pub mod self_test;
pub mod upload;

pub use bucket::Bucket;
pub use error::{BucketError, ControlError, ErrorKind, NotSent, OpenError, Operation};
pub use faulty::{Effect, Fault, FaultPlan, Faulty};
pub use key::DataName;
pub use memory::MemoryStore;
pub use metered::Counts;
pub use object_key::{KeyPrefix, ObjectKey};
pub use open::check_url;
pub use options::BucketOptions;
pub use self_test::{SelfTestError, SelfTestReport};
pub use store::{Expect, Listed, Store, Version};
#[cfg(test)]
pub(crate) use switched::SwitchedStore;
pub use upload::{Upload, Uploaded};

#[cfg(test)]
mod tests;
