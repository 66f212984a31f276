//! One small file per partition: where the log starts, from where a crash has to be recovered, what consumers had seen.
//!
//! # Consistency
//! What it says was true when it was written; a start believes of it only what cannot have become less since.
//!
//! # Crash safety
//! Replaced whole. A lost or damaged file costs a longer recovery, never a record: the log start offset is also the
//! catalog's for tiered topics, and otherwise falls back to the first segment.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::Disk;

use super::names;

/// What the file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) version: u32,
    pub(super) log_start_offset: i64,
    /// Segments that end at or below it may be gone, wholly or in part: what is left of them is removed.
    pub(super) local_start_offset: i64,
    pub(super) recovery: Recovery,
    pub(super) high_watermark: i64,
    /// When the active segment's first batch was appended, and which segment that is.
    pub(super) active_base_offset: i64,
    pub(super) active_first_append_ms: Option<i64>,
    /// What lies below it may be in no tier that the catalog knows: the operator has accepted that.
    #[serde(default)]
    pub(super) given_up_below: i64,
}

/// From where a crash has to be recovered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recovery {
    /// Everything below it is on stable storage, indexes too. The end of a batch.
    pub(super) point: i64,
    /// Whether any producer was known there: if none was, no snapshot has to be looked for.
    pub(super) has_producers: bool,
    /// The segment that was active there.
    pub(super) base_offset: i64,
    /// How many entries its indexes had for the batches below the point. What lies behind them may be anything.
    pub(super) entries: IndexEntries,
    /// The greatest timestamp among them and the last offset of the batch that has it; unknown after a truncation.
    pub(super) max_timestamp: Option<(i64, i64)>,
}

/// Entries of a segment's three indexes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IndexEntries {
    pub(super) offset: u64,
    pub(super) time: u64,
    pub(super) transaction: u64,
}

/// The version that is written.
pub(super) const VERSION: u32 = 1;

/// Reads it; `None` where there is none that makes sense.
pub(super) fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Checkpoint>> {
    let Some(bytes) = disk.read_all(&dir.join(names::CHECKPOINT))? else { return Ok(None) };
    let parsed: Option<Checkpoint> = serde_json::from_slice(&bytes).ok();
    Ok(parsed.filter(|checkpoint| checkpoint.version == VERSION && checkpoint.log_start_offset >= 0))
}

/// Replaces it, durably.
pub(super) fn write(disk: &dyn Disk, dir: &Path, checkpoint: &Checkpoint) -> io::Result<()> {
    let text = serde_json::to_vec(checkpoint).map_err(io::Error::other)?;
    disk.replace_durable(&dir.join(names::CHECKPOINT), &text)
}
