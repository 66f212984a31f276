//! A row group as it is served: its record batches, each by itself, so that an answer holds no more memory than it sends.
//!
//! Invariant: batches follow each other; each reaches to where the next begins, or to the end of what the row group stands
//! for, unless the gap is longer than a batch can count.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::huge::Room;
use super::parquet::{Footer, RebuildError, Wanted};
use crate::model::limits::REBUILT_BATCH_BYTES_MAX;
use crate::model::{Codec, Offset};
use crate::record::BatchView;

/// Batches are made no larger than this where several records share one: a reader that asks for little gets little.
const BATCH_BYTES: usize = 256 * 1024;

const _: () = assert!(BATCH_BYTES <= REBUILT_BATCH_BYTES_MAX);

/// How batches are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct BatchForm {
    pub(super) codec: Codec,
    /// `max.message.bytes`.
    pub(super) bytes_max: usize,
}

/// One batch.
#[derive(Clone, Debug)]
pub(super) struct GroupBatch {
    pub(super) last_offset: Offset,
    pub(super) bytes: Bytes,
}

/// The batches of a row group.
#[derive(Debug, Default)]
pub(super) struct Group {
    batches: Vec<GroupBatch>,
    memory_bytes: usize,
    /// Whether somebody was given of it.
    given: AtomicBool,
}

impl Group {
    /// From the bytes of a row group, as far as its offsets lie in `range`; `None` where its batches would take more than
    /// `bytes_max`.
    pub(super) fn rebuild(
        footer: &Footer,
        number: usize,
        bytes: Bytes,
        range: &Range<Offset>,
        form: BatchForm,
        bytes_max: usize,
    ) -> Result<Option<Self>, RebuildError> {
        let wanted = Wanted {
            from: range.start,
            upper: range.end,
            max_bytes: bytes_max,
            at_least_one: false,
            batch_bytes_max: form.bytes_max.min(BATCH_BYTES),
            codec: form.codec,
            level: None,
        };
        let rebuilt = footer.rebuild_row_group(number, bytes, &wanted)?;
        if rebuilt.is_cut {
            return Ok(None);
        }
        let memory_bytes = rebuilt.size_bytes + rebuilt.batches.len() * size_of::<GroupBatch>();
        let mut batches = Vec::with_capacity(rebuilt.batches.len());
        for bytes in rebuilt.batches {
            let parsed = BatchView::parse(&bytes)
                .map_err(|error| RebuildError::Batch { base_offset: range.start, reason: error.to_string() })?;
            let last_offset = parsed.header().last_offset();
            batches.push(GroupBatch { last_offset, bytes });
        }
        Ok(Some(Self { batches, memory_bytes, given: AtomicBool::new(false) }))
    }

    /// The same, which holds its room until the last of its bytes are gone, wherever they are by then.
    pub(super) fn holding(mut self, room: Room) -> Self {
        let room = Arc::new(room);
        for batch in &mut self.batches {
            batch.bytes = room.held_by(&batch.bytes);
        }
        self
    }

    /// Notes that somebody was given of it.
    pub(super) fn note_given(&self) {
        self.given.store(true, Ordering::Relaxed);
    }

    /// Whether somebody was given of it.
    pub(super) fn is_given(&self) -> bool {
        self.given.load(Ordering::Relaxed)
    }

    /// The last offset that any of its batches reaches to.
    pub(super) fn last_offset(&self) -> Option<Offset> {
        self.batches.last().map(|batch| batch.last_offset)
    }

    /// The batches from the one that holds `from`, or the first behind it.
    pub(super) fn batches_from(&self, from: Offset) -> impl Iterator<Item = &GroupBatch> {
        let first = self.batches.partition_point(|batch| batch.last_offset < from);
        self.batches.iter().skip(first)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}
