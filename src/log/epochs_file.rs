//! The file of the leader epochs: read when a log is opened, made anew from the batches where it cannot be right, written
//! before anything of a new epoch is called stable.
//!
//! # Consistency
//! The table in memory knows an epoch from the moment on that it begins; the file follows. One writes it at a time, and
//! what the table holds when its turn comes: two never disagree about the newest.
//!
//! # Crash safety
//! No append waits for the file. The sync that is the first to cover a batch of a new epoch writes it before, on the
//! sync's own thread: the file knows every epoch below the stable end, and nothing of an epoch is acknowledged as stable
//! that it does not know. Batches above the stable end that outlive a crash say themselves which epoch they are of: a start
//! takes that from its scan.
//!
//! Only the catalog gives epochs, and it gives none twice: a newer one than its own stands in no file but by damage. Such a
//! file would fence every leader; it is made anew.

use std::path::Path;
use std::sync::Arc;

use crate::disk::Disk;
use crate::model::{LeaderEpoch, Offset};

use super::error::{LogError, at};
use super::leader_epochs::LeaderEpochs;
use super::names;
use super::partition_log::PartitionLog;
use super::recovery;
use super::segment::Segment;

/// The epochs of a log that is opened.
#[derive(Debug)]
pub(super) struct OpenedEpochs {
    pub(super) epochs: LeaderEpochs,
    /// The file does not hold them.
    pub(super) unwritten: bool,
}

/// Reads the file, if there is one that makes sense by itself.
pub(super) fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<LeaderEpochs>, LogError> {
    let path = dir.join(names::LEADER_EPOCHS);
    let Some(bytes) = disk.read_all(&path).map_err(at(&path))? else { return Ok(None) };
    let epochs = std::str::from_utf8(&bytes).ok().and_then(LeaderEpochs::parse);
    if epochs.is_none() {
        tracing::warn!(path = %path.display(), "the leader epochs cannot be read: they are taken from the batches");
    }
    Ok(epochs)
}

/// The epochs of a log with these segments. `scanned` is what the batches above the recovery point say, `newest` the
/// catalog's own epoch of the partition, where that is known.
pub(super) fn open(
    disk: &dyn Disk,
    dir: &Path,
    segments: &[Arc<Segment>],
    scanned: &LeaderEpochs,
    newest: Option<LeaderEpoch>,
) -> Result<OpenedEpochs, LogError> {
    let end = segments.last().map_or(Offset::ZERO, |segment| segment.next_offset());
    let newest = newest.unwrap_or(LeaderEpoch::new(i32::MAX));
    let known = read(disk, dir)?;
    let right = known.as_ref().filter(|known| is_right(dir, known, end, newest));
    let unwritten = right.is_none();
    let mut epochs = match right {
        Some(epochs) => epochs.clone(),
        None => from_batches(segments, &known.unwrap_or_default(), newest)?,
    };
    let mut begun = false;
    for entry in scanned.entries().iter().filter(|entry| entry.start < end && entry.epoch <= newest) {
        begun |= epochs.begin(entry.epoch, entry.start);
    }
    Ok(OpenedEpochs { epochs, unwritten: unwritten || begun })
}

/// Whether the file may be what was written.
fn is_right(dir: &Path, known: &LeaderEpochs, end: Offset, newest: LeaderEpoch) -> bool {
    let Some(latest) = known.latest() else { return true };
    if latest.epoch <= newest && latest.start <= end {
        return true;
    }
    tracing::warn!(
        path = %dir.join(names::LEADER_EPOCHS).display(),
        epoch = latest.epoch.get(), newest = newest.get(), start = latest.start.get(), end = end.get(),
        "the leader epochs hold one above the catalog's, or one that begins behind the log's end: they are taken from the batches"
    );
    false
}

/// What the batches say; below the first of them, where only the file knows, what that says and is not above them.
fn from_batches(
    segments: &[Arc<Segment>],
    known: &LeaderEpochs,
    newest: LeaderEpoch,
) -> Result<LeaderEpochs, LogError> {
    let base = segments.first().map_or(Offset::ZERO, |segment| segment.base);
    let mut found: Option<LeaderEpochs> = None;
    let mut beyond = 0u64;
    recovery::headers(segments, |header| {
        // No checksum covers the epoch of a batch.
        if header.leader_epoch > newest {
            beyond += 1;
            return;
        }
        let epochs = found.get_or_insert_with(|| known.before(base, header.leader_epoch));
        epochs.begin(header.leader_epoch, header.base_offset);
    })?;
    if beyond > 0 {
        let dir = segments.first().map(|segment| crate::disk::parent_of(segment.path()).display().to_string());
        tracing::warn!(dir, batches = beyond, "batches say a leader epoch above the catalog's: that is not believed");
    }
    Ok(found.unwrap_or_else(|| known.before(base.next(), newest)))
}

impl PartitionLog {
    /// Writes what the table holds.
    pub(super) fn write_epochs(&self) -> Result<(), LogError> {
        let _one_at_a_time = self.writing_epochs.lock();
        let path = self.dir.join(names::LEADER_EPOCHS);
        self.disk().replace_durable(&path, self.epochs.load().to_text().as_bytes()).map_err(at(&path))
    }

    /// Writes what the file owes. Where that fails it still does.
    pub(super) fn write_owed_epochs(&self) -> Result<(), LogError> {
        let owed = std::mem::take(&mut self.appender.lock().epochs_unwritten);
        let written = if owed.is_some() { self.write_epochs() } else { Ok(()) };
        if written.is_err() {
            self.appender.lock().epochs_unwritten = owed;
        }
        written
    }

    /// Drops the epochs that no offset from the log start on belongs to. Appends do not wait for the file: with more epochs
    /// than there are it is no less right.
    pub(super) fn forget_epochs(&self) -> Result<(), LogError> {
        {
            let _appends_wait = self.appender.lock();
            let mut epochs = LeaderEpochs::clone(&self.epochs.load());
            epochs.advance_to(self.log_start_offset());
            if epochs == **self.epochs.load() {
                return Ok(());
            }
            self.epochs.store(Arc::new(epochs));
        }
        self.write_epochs()
    }
}
