//! The one place that knows how records lie in a Parquet file, and how they become record batches again.
//!
//! ```text
//! PAR1
//! row group: partition │ offset │ timestamp │ key │ value │ headers.key │ headers.value │ bloom filter of the keys
//!                      └────────┬──────────┘        what a consumer reads: one run
//!                       one small range finds a timestamp
//! row group …
//! the producer snapshot at the end offset, zstd
//! column and offset indexes
//! crc32c of the footer, "TLF1"
//! footer: Parquet's metadata, our own words in it as JSON under `tidelog`
//! its length, PAR1
//! ```
//!
//! Pure and synchronous: bytes in, bytes out; the bucket and the catalog are others' business.
//!
//! Invariants: what is written was decoded again and compared with its source; no bytes from a bucket panic here or make
//! memory grow beyond the bounds of a row group.

mod header;
mod options;
mod schema;

mod columns;
mod source;

mod aborted;
mod bloom;
mod encode;
mod footer_json;
mod footer_mark;
mod snapshot;
mod verify;
mod writer;

mod decode;
mod error;
mod footer;
mod guard;
mod pages;
mod rebuild;
mod row_group;
mod row_group_index;
mod times;

#[cfg(test)]
mod tests;

pub use aborted::Aborted;
pub use encode::{EncodedRowGroup, Encoder};
pub use error::{DecodeError, Difference, FooterError, RebuildError, WriteError};
pub use footer::{Footer, RowGroupMeta};
pub use header::{Lineage, Run, SegmentHeader};
pub use options::WriterOptions;
pub use rebuild::{Rebuilt, Wanted};
pub use row_group::{Row, RowGroup, RowHeaders};
pub use row_group_index::{BadRowGroupIndex, RowGroupEntry, RowGroupIndex};
pub use source::{Bound, Feed, SLAB_BYTES, Source, Taken};
pub use times::Times;
pub use writer::{FinishedSegment, SegmentWriter};
