//! What a log has lost that was on stable storage: files that are gone, or were cut short, by whatever hand.
//!
//! # Consistency
//! Before anybody reads. Offsets that were acknowledged are never given again: a log that lost some is not opened, until the
//! operator puts the files back or accepts the loss. Then a batch without records stands for what is missing, so that the
//! log goes on behind it, or the log begins behind it.
//!
//! # Crash safety
//! A crash loses nothing below the recovery point, so none of this is ever found after one alone. What is refused is left
//! as it lies there, but for indexes, which are made anew.

use std::path::Path;

use crate::disk::Disk;
use crate::model::{Codec, LeaderEpoch, Offset};
use crate::record::{BatchBuilder, BatchSpec};

use super::aside;
use super::checkpoint::{self, Checkpoint};
use super::epochs_file;
use super::error::{LogError, at};
use super::leftovers::Stays;
use super::names;
use super::open::Known;
use super::segment::Segment;

/// What the files of a log have to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct LossBounds {
    /// What lies below it is in the bucket, or in no tier any more.
    pub(super) elsewhere_below: Offset,
    /// What lies below it was stable.
    pub(super) recovery_point: Offset,
    /// How far the catalog knows, for a log that is tiered: where it starts, and where the bucket ends.
    catalog: Option<(Offset, Offset)>,
    log_start: Offset,
    given_up_below: Offset,
    /// Segments that end at or below it may be gone.
    removed_below: Offset,
    made_before: bool,
    /// What is missing is given up.
    pub(super) accept_loss: bool,
}

impl LossBounds {
    pub(super) fn of(known: &Known, checkpoint: Option<&Checkpoint>) -> Self {
        let offset = |of: fn(&Checkpoint) -> i64| Offset::new(checkpoint.map_or(0, of));
        let catalog_start = known.log_start.unwrap_or(Offset::ZERO);
        let own_start = offset(|known| known.log_start_offset);
        let log_start = catalog_start.max(own_start);
        Self {
            catalog: known.tiered_to.map(|tiered_to| (catalog_start, tiered_to.max(catalog_start))),
            log_start: own_start,
            given_up_below: offset(|known| known.given_up_below),
            elsewhere_below: log_start.max(known.tiered_to.unwrap_or(Offset::ZERO)),
            recovery_point: offset(|known| known.recovery.point),
            removed_below: offset(|known| known.local_start_offset),
            made_before: known.made_before,
            accept_loss: known.accept_loss,
        }
    }

    /// What ends at or below it may be missing: it is elsewhere, or given up.
    pub(super) fn may_lack_below(&self) -> Offset {
        if self.accept_loss { Offset::MAX } else { self.elsewhere_below }
    }

    /// Refuses a catalog that is older than the log. Each moves its ends only after the catalog has committed them, so a
    /// log that is ahead shows that the catalog was put back from a copy, also from one of the same start. The floors in the
    /// bucket would say the same of log starts, at the cost of a request for every partition at every start; the log's own
    /// says it for nothing.
    pub(super) fn refuse_older_catalog(&self, dir: &Path) -> Result<(), LogError> {
        let Some((log_start, tiered_to)) = self.catalog else { return Ok(()) };
        let ahead = |from: Offset, to: Offset| (to > from.max(self.given_up_below)).then_some((from, to));
        let Some((from, to)) = ahead(tiered_to, self.removed_below).or(ahead(log_start, self.log_start)) else {
            return Ok(());
        };
        if !self.accept_loss {
            return Err(LogError::OlderCatalog { path: dir.to_owned(), from, to });
        }
        accepted(dir, from, to);
        Ok(())
    }

    /// Below it nothing that is missing is asked for again, where the log has let go of what lies below `removed_below`.
    pub(super) fn given_up_below(&self, removed_below: Offset) -> Offset {
        if self.accept_loss { self.given_up_below.max(removed_below).max(self.log_start) } else { self.given_up_below }
    }

    /// For a folder without a checkpoint: refuses it if there was a log and no segment of it is left. Where a start
    /// died while it set one aside for another to begin, there may be none yet.
    pub(super) fn refuse_gone(&self, disk: &dyn Disk, dir: &Path) -> Result<(), LogError> {
        if !self.made_before || has_segments(disk, dir)? || aside::is_beginning(disk, dir).map_err(at(dir))? {
            return Ok(());
        }
        let from = self.elsewhere_below;
        if !self.accept_loss {
            return Err(LogError::Gone { path: dir.to_owned(), from });
        }
        tracing::warn!(dir = %dir.display(), from = from.get(), "nothing is left of a log: its loss is accepted, it begins anew");
        Ok(())
    }

    /// Whether segments before the first are missing, and the checkpoint has to say so: given up, or removed on a full disk,
    /// where there was no room to announce it. What is left of those has a mark.
    pub(super) fn front_gone(&self, dir: &Path, stays: &Stays) -> Result<bool, LogError> {
        let from = self.elsewhere_below.max(self.removed_below);
        let first = stays.bases.first().copied();
        let Some(to) = first.filter(|first| *first > from && self.recovery_point > from) else { return Ok(false) };
        if stays.marked.iter().any(|(base, _)| *base <= from) {
            return Ok(true);
        }
        if !self.accept_loss {
            return Err(LogError::Lost { path: dir.to_owned(), from, to });
        }
        accepted(dir, from, to);
        Ok(true)
    }
}

/// Refuses a catalog that knows less of the log in `dir` than that has let go of, before either is changed.
pub fn refuse_older(disk: &dyn Disk, dir: &Path, known: &Known) -> Result<(), LogError> {
    let checkpoint = checkpoint::read(disk, dir).map_err(at(dir))?;
    LossBounds::of(known, checkpoint.as_ref()).refuse_older_catalog(dir)
}

/// Says what is given up.
pub(super) fn accepted(dir: &Path, from: Offset, to: Offset) {
    tracing::warn!(dir = %dir.display(), from = from.get(), to = to.get(), "offsets of a log are lost: that is accepted, they are not given again");
}

fn has_segments(disk: &dyn Disk, dir: &Path) -> Result<bool, LogError> {
    if !disk.try_exists(dir).map_err(at(dir))? {
        return Ok(false);
    }
    let entries = disk.read_dir(dir).map_err(at(dir))?;
    Ok(entries.iter().any(|entry| names::offset_of(&entry.name, names::LOG).is_some()))
}

/// Puts batches without records behind a segment's last, up to `to`.
pub(super) fn fill(disk: &dyn Disk, dir: &Path, segment: &Segment, to: Offset) -> Result<(), LogError> {
    let epochs = epochs_file::read(disk, dir)?.unwrap_or_default();
    while segment.next_offset() < to {
        let base = segment.next_offset();
        let last = to.prev().min(base + i64::from(i32::MAX - 1));
        let epoch = epochs.epoch_at(base).unwrap_or(LeaderEpoch::ZERO);
        let mut builder = BatchBuilder::new(BatchSpec::plain(base, epoch, Codec::None));
        builder.cover(last).expect("so many offsets a batch can count");
        let batch = builder.build().expect("nothing has to be packed");
        let position = segment.size_bytes();
        segment.file()?.write_all_at(batch.bytes(), position).map_err(at(segment.path()))?;
        segment.publish(last.next(), position + batch.bytes().len() as u64);
    }
    // A sealed segment is not among those that the start syncs.
    segment.sync()
}
