//! Sweeping what a crash left on its way into the bucket: rows that have said WRITING for longer than any upload takes.
//!
//! # Consistency
//! A row is swept only where every offset of its range is elsewhere: below the log start, in a LIVE row, or in the local
//! log. Otherwise it is reported and kept: the catalog may be an old copy, and the object the only one there is.
//!
//! # Retries
//! With every round.
//!
//! # Cancellation
//! Between two rows: the next round goes on.
//!
//! # Crash safety
//! The row says DELETING, in a committed transaction, before anything is removed (`deleter`).

use std::sync::Arc;

use crate::catalog::{FencedError, SegmentRow, SegmentState, StorageError};
use crate::model::Offset;

use super::metrics;
use super::tiered_log::TieredLog;
use super::tiers::Tiers;

/// Rows of one round.
const ROWS_MAX: i64 = 1_000;
/// Rows that are asked for at once, when it is looked whether a range is covered.
const COVER_ROWS: i64 = 64;

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows that say DELETING now.
    pub rows: usize,
    /// Rows that are kept, because nothing else has their offsets.
    pub kept: usize,
}

impl Tiers {
    /// One round over the rows that say WRITING and that nobody writes.
    pub async fn sweep(self: &Arc<Self>) -> Result<Swept, StorageError> {
        let grace_ms = i64::try_from(self.options.orphan_grace.as_millis()).unwrap_or(i64::MAX);
        let mut swept = Swept::default();
        for row in self.catalog().segments_in_state(SegmentState::Writing, i64::MAX, ROWS_MAX).await? {
            if self.is_writing(row.head.id) || self.age_ms(&row) < grace_ms {
                continue;
            }
            // Not led here: whoever leads it sweeps it.
            let Some(member) = self.member(row.head.tp) else { continue };
            if !self.is_covered(&member, &row).await? {
                swept.kept += 1;
                tracing::error!(
                    topic = %member.topic(),
                    partition = row.head.tp.partition,
                    key = row.head.object_key,
                    "an unfinished object has offsets that are nowhere else: it is kept; if the catalog was put back from a copy, stop and give back the newest one"
                );
                continue;
            }
            match self.catalog().mark_deleting(row.head.id, row.head.tp, member.leader_epoch()).await {
                Ok(marked) => swept.rows += usize::from(marked),
                Err(FencedError::Fenced { .. }) => {}
                Err(FencedError::Storage(error)) => return Err(error),
            }
        }
        metrics::orphans_kept(swept.kept);
        Ok(swept)
    }

    /// Whether every offset of a row at or above the log start is in a LIVE row or in the local log.
    async fn is_covered(&self, member: &TieredLog, row: &SegmentRow) -> Result<bool, StorageError> {
        let (local_start, local_end) = (member.log.local_start_offset(), member.log.log_end_offset());
        let mut next = row.head.base.max(member.view().log_start);
        while next <= row.head.end {
            if next >= local_start {
                return Ok(row.head.end < local_end);
            }
            let rows = self.catalog().live_segments(row.head.tp, next, COVER_ROWS).await?;
            match covered_to(next, &rows) {
                Some(further) => next = further,
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// How far these rows reach from `next` on without a hole; `None` where they do not begin there.
fn covered_to(next: Offset, rows: &[SegmentRow]) -> Option<Offset> {
    let mut reached = next;
    for row in rows {
        if row.head.base > reached {
            break;
        }
        reached = reached.max(row.head.end.next());
    }
    (reached > next).then_some(reached)
}
