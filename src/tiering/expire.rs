//! Total retention of a tiered partition: asks the catalog for its objects, oldest first, until one has to stay.
//!
//! # Consistency
//! Nothing goes while it is not known how much is tiered. The log start never passes the high watermark.
//!
//! # Cancellation
//! Up to the move of the log start nothing but a seal has happened; from there on as in `tiered_log`.
//!
//! # Crash safety
//! Log start and rows change in one transaction; what follows of it in the bucket and on disk is repeated until done.

use crate::catalog::{SegmentRow, SegmentTotals};
use crate::log::retention::{Expiry, Stretch};
use crate::log::{LogError, PartitionLog, TieredTo};
use crate::model::Offset;

use super::errors::ChangeError;
use super::tiered_log::TieredLog;

/// Rows that are asked for first; usually the first has to stay.
const FIRST_ROWS: i64 = 4;
/// Rows that are asked for at once at most.
const ROWS_MAX: i64 = 256;

impl TieredLog {
    /// Ends what total retention does not keep, in both tiers. Returns the log start where it moved.
    pub async fn expire(&self, now_ms: i64) -> Result<Option<Offset>, ChangeError> {
        let _one_at_a_time = self.one_at_a_time().await;
        let config = self.config();
        let limits = &config.retention;
        let nothing_ends = limits.total_ms.is_none() && limits.total_bytes.is_none();
        if !config.cleanup.delete || !config.remote.enabled || nothing_ends {
            return Ok(None);
        }
        let (log_start, tiered) = (self.view().log_start, self.view().tiered);
        let TieredTo::Known(tiered_to) = tiered else { return Ok(None) };
        let remote = match limits.total_bytes {
            Some(_) if tiered_to > log_start => self.tiers.catalog().segment_totals(self.tp()).await?,
            _ => SegmentTotals::default(),
        };
        let local = self.log_blocking(move |log| untiered(log, tiered_to)).await?;
        let total_bytes = remote.log_size_bytes.saturating_add(local.iter().map(|one| one.bytes).sum());
        let mut expiry = Expiry::new(limits, total_bytes, now_ms);
        if self.offer_remote(&mut expiry, log_start, tiered_to).await? {
            local.iter().all(|stretch| expiry.offer(stretch));
        }
        let high_watermark = self.log.high_watermark();
        let Some(start) = expiry.log_start().map(|start| start.min(high_watermark)) else { return Ok(None) };
        if start <= log_start {
            return Ok(None);
        }
        if start == self.log.log_end_offset() {
            // All of it is old: the active segment is sealed, so that it can go.
            self.log_blocking(PartitionLog::roll).await?;
        }
        self.advance_held(start).await.map(Some)
    }

    /// Offers the objects. Says whether all of them go.
    async fn offer_remote(
        &self,
        expiry: &mut Expiry<'_>,
        log_start: Offset,
        tiered_to: Offset,
    ) -> Result<bool, ChangeError> {
        let mut from = log_start;
        let mut limit = FIRST_ROWS;
        while from < tiered_to {
            let rows = self.tiers.catalog().live_segments(self.tp(), from, limit).await?;
            let Some(last) = rows.last() else { break };
            from = last.head.end.next();
            if !rows.iter().all(|row| expiry.offer(&stretch_of(row))) {
                return Ok(false);
            }
            limit = (limit * 4).min(ROWS_MAX);
        }
        Ok(true)
    }
}

fn stretch_of(row: &SegmentRow) -> Stretch {
    let max_ms = row.content.max_timestamp_ms;
    Stretch {
        end: row.head.end.next(),
        bytes: row.content.log_size_bytes,
        // Records without a timestamp are as old as their object.
        max_timestamp_ms: if max_ms >= 0 { max_ms } else { row.created_at_ms },
        sealed: true,
    }
}

/// What is not in the bucket, by local segments.
fn untiered(log: &PartitionLog, tiered_to: Offset) -> Result<Vec<Stretch>, LogError> {
    let mut stretches = Vec::new();
    for segment in log.segments() {
        if segment.end <= tiered_to || segment.size_bytes == 0 {
            continue;
        }
        let below = if segment.base < tiered_to { log.bytes_below(tiered_to)? } else { 0 };
        stretches.push(Stretch {
            end: segment.end,
            bytes: segment.size_bytes.saturating_sub(below),
            max_timestamp_ms: segment.max_timestamp_ms,
            sealed: segment.sealed,
        });
    }
    Ok(stretches)
}
