//! Foreign decoders, kept from taking the process with them.
//!
//! Bytes that were damaged by chance never get here: checksums come first. Bytes that somebody made on purpose may, and
//! the Parquet decoder has asserts on what it reads.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;

/// Runs a decoder; a panic in it is an error. What it worked on is dropped with it, so nothing half-done is seen.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(ParquetError::General("the decoder gave up on these bytes".to_owned())))
}
