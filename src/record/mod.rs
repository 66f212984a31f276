//! Layer 1: the record batch, version 2: the one definition, on the wire and on disk, with its five codecs.
//!
//! Invariant: no bytes panic here, and none make memory grow beyond the bounds in `model::limits`.

mod builder;
mod codec;
pub mod control;
mod error;
mod header;
mod records;
mod rules;
mod unpack;
mod valid;
mod validate;
mod varint;
mod view;
mod walk;

#[cfg(test)]
mod tests;

pub use builder::{BatchBuilder, BatchFull, BatchSpec};
pub use error::BatchError;
pub use header::{Attributes, BATCH_LENGTH_MIN, BatchHeader, LENGTH_PREFIX_BYTES};
pub use records::{Headers, Record, RecordIter, Records};
pub use rules::{RecordError, RecordFault, RecordsRefused, RefusalKind, ValidationError, ValidationRules};
pub use unpack::{Begins, Unpacking};
pub use valid::ValidBatch;
pub use validate::validate;
pub use view::{BatchView, Batches};
