//! The bytes of one object: a range of the local log is read, encoded, verified and handed over, on a thread that may block.
//!
//! Every row group is decoded again and compared with what was read before its bytes are given out. Whoever sends them takes
//! them one after the other from a channel that holds few; when it is not listened to any more the job ends.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::catalog::NewSegmentRow;
use crate::log::PartitionLog;
use crate::model::Offset;

use super::huge::Turns;
use super::parquet::{Aborted, FinishedSegment, Lineage, SegmentHeader, SegmentWriter, WriterOptions};
use super::threads::Unfinished;
use super::tiered_log::TieredLog;
use super::upload_error::UploadError;

/// Where an attempt gets its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The local log.
    Log,
    /// Nowhere: the operator gives the range up.
    Nothing,
}

/// Encoding of one range, for a thread that may block.
pub(super) struct EncodingJob {
    log: Arc<PartitionLog>,
    range: Range<Offset>,
    header: SegmentHeader,
    options: WriterOptions,
    content: Content,
    now_ms: i64,
    turns: Turns,
}

impl EncodingJob {
    pub(super) async fn new(log: &TieredLog, row: &NewSegmentRow, content: Content) -> Result<Self, UploadError> {
        let before = log.tiers.catalog().last_segment(row.tp).await?;
        let predecessor_digest = before.and_then(|before| super::digest::Digest::from_bytes(&before.content.digest));
        let header = SegmentHeader {
            topic_name: log.topic().clone(),
            topic_id: row.tp.topic_id,
            partition: row.tp.partition,
            base_offset: row.base,
            end_offset: row.end,
            lineage: Lineage { predecessor_digest, ..Lineage::default() },
        };
        let options = WriterOptions { zstd_level: log.config().remote.parquet_zstd_level, ..WriterOptions::default() };
        Ok(Self {
            log: Arc::clone(&log.log),
            range: row.base..row.end.next(),
            header,
            options,
            content,
            now_ms: log.tiers.clock().now_ms(),
            turns: log.tiers.reader.huge.turns.clone(),
        })
    }

    /// Reads, encodes, verifies, and hands over bytes as they are ready.
    pub(super) fn run(self, chunks: &mpsc::Sender<Bytes>) -> Result<FinishedSegment, UploadError> {
        let Range { start, end } = self.range;
        let (aborted, producers) = match self.content {
            Content::Nothing => (Aborted::default(), Vec::new()),
            Content::Log => {
                let aborted = self.log.aborted_transactions(start, end)?;
                let aborted = aborted.iter().map(|one| (one.producer_id, one.first_offset, one.last_offset)).collect();
                (aborted, self.log.producer_snapshot_at(end, self.now_ms)?)
            }
        };
        let mut writer = SegmentWriter::new(self.header, aborted, &self.options)?.taking_turns(self.turns);
        if self.content == Content::Log {
            let mut batches = self.log.batches_from(start, end);
            let mut next = start;
            while let Some(batch) = batches.next()? {
                if batch.header().base_offset > next {
                    return Err(UploadError::Hole { from: next, to: batch.header().base_offset });
                }
                next = batch.header().next_offset();
                writer.push(&batch)?;
                hand_over(chunks, writer.take())?;
            }
            if next < end {
                return Err(UploadError::Hole { from: next, to: end });
            }
        }
        let mut finished = writer.finish(&producers)?;
        hand_over(chunks, std::mem::take(&mut finished.rest))?;
        Ok(finished)
    }
}

fn hand_over(chunks: &mpsc::Sender<Bytes>, ready: Vec<Bytes>) -> Result<(), UploadError> {
    for chunk in ready {
        chunks.blocking_send(chunk).map_err(|_| Unfinished::of("the upload was given up"))?;
    }
    Ok(())
}
