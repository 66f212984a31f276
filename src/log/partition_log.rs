//! The local log of one partition: what the other files of this room make together.
//!
//! # Consistency
//! Appends, rolls, truncations and removals take one lock. Readers take none: they go over a snapshot of the segments,
//! each of which publishes how far it is written. `log start ≤ local start ≤ stable end ≤ log end`, but for the log
//! start of a tiered topic, which may lie below the local start, in the bucket.
//!
//! # Crash safety
//! What lies below the stable end is on stable storage. `recovery` finds it again after a crash at any moment.
//!
//! # Cancellation
//! Nothing here waits for anything but the disk; all of it is called from threads that may block.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::disk::Disk;
use crate::model::{LeaderEpoch, Offset};

use super::checkpoint::Recovery;
use super::error::LogError;
use super::leader_epochs::LeaderEpochs;
use super::open_files::OpenFiles;
use super::options::LogOptions;
use super::producers::{ActiveProducer, Producers};
use super::retention::SegmentInfo;
use super::segment::Segment;

/// A partition's log.
#[derive(Debug)]
pub struct PartitionLog {
    pub(super) dir: PathBuf,
    pub(super) files: Arc<OpenFiles>,
    pub(super) options: ArcSwap<LogOptions>,
    /// Taken before `appender` by whoever needs both.
    pub(super) syncing: Mutex<()>,
    pub(super) appender: Mutex<Appender>,
    /// By base offset; never empty; the last is the active one.
    pub(super) segments: ArcSwap<Vec<Arc<Segment>>>,
    pub(super) epochs: ArcSwap<LeaderEpochs>,
    pub(super) log_start: AtomicI64,
    pub(super) log_end: AtomicI64,
    pub(super) stable_end: AtomicI64,
    /// As it was last written down.
    pub(super) recovery_point: AtomicI64,
    /// The rest of what was written down with it.
    pub(super) recovery: Mutex<Recovery>,
    /// Segments that end at or below it have been removed.
    pub(super) removed_below: AtomicI64,
    /// Below it the operator has accepted what is missing.
    pub(super) given_up_below: Offset,
    pub(super) high_watermark: AtomicI64,
    /// The first offset of a transaction that is open or not settled; `i64::MAX` without one.
    pub(super) first_unstable: AtomicI64,
    pub(super) unsynced_bytes: AtomicU64,
    pub(super) unsynced_records: AtomicU64,
    pub(super) checkpoint_due: AtomicBool,
    /// Held while the epochs' file is replaced; taken after the lock of who appends, never before it.
    pub(super) writing_epochs: Mutex<()>,
    /// Files of removed segments, and when they go.
    pub(super) doomed: Mutex<Vec<(i64, PathBuf)>>,
}

/// What only the one who appends may touch.
#[derive(Debug)]
pub(super) struct Appender {
    pub(super) active: Arc<Segment>,
    pub(super) bytes_since_index: u64,
    pub(super) bytes_since_checkpoint: u64,
    pub(super) producers: Producers,
    /// Where the first epoch begins that the epochs' file does not hold.
    pub(super) epochs_unwritten: Option<Offset>,
    /// Segments with batches that are not synced, in order.
    pub(super) unsynced: Vec<Arc<Segment>>,
    /// Files were made whose names are not stable yet.
    pub(super) names_unsynced: bool,
    /// Segments whose indexes were not synced since they were sealed.
    pub(super) indexes_unsynced: Vec<Arc<Segment>>,
    /// A failure that only recovery can mend.
    pub(super) broken: bool,
}

impl PartitionLog {
    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        self.files.disk()
    }

    /// The first offset that may be read, from whichever tier.
    pub fn log_start_offset(&self) -> Offset {
        load(&self.log_start)
    }

    /// The first offset that may be read from local disk.
    pub fn local_start_offset(&self) -> Offset {
        let first = self.segments.load().first().map_or(Offset::ZERO, |segment| segment.base);
        first.max(self.log_start_offset())
    }

    /// The offset of the next record.
    pub fn log_end_offset(&self) -> Offset {
        load(&self.log_end)
    }

    /// Everything below it is on stable storage.
    pub fn stable_end(&self) -> Offset {
        load(&self.stable_end)
    }

    /// The first offset whose transaction is not decided; the log end without one.
    pub fn last_stable_offset(&self) -> Offset {
        load(&self.first_unstable).min(self.log_end_offset())
    }

    /// Whether a failure has left it so that only a restart, with its recovery, can mend it.
    pub fn is_broken(&self) -> bool {
        self.appender.lock().broken
    }

    /// How far consumers may see, as it was last noted.
    pub fn high_watermark(&self) -> Offset {
        load(&self.high_watermark)
    }

    /// Bytes that the next sync would cover.
    pub fn unsynced_bytes(&self) -> u64 {
        self.unsynced_bytes.load(Ordering::Relaxed)
    }

    /// Records that the next sync would cover.
    pub fn unsynced_records(&self) -> u64 {
        self.unsynced_records.load(Ordering::Relaxed)
    }

    /// Bytes of all local batches.
    pub fn size_bytes(&self) -> u64 {
        self.segments.load().iter().map(|segment| segment.size_bytes()).sum()
    }

    /// Bytes of batches that lie below `to` in the segment that holds it: nothing where no segment does.
    pub fn bytes_below(&self, to: Offset) -> Result<u64, LogError> {
        let segments = self.segments.load();
        let holds = segments.iter().find(|segment| segment.base <= to && to < segment.next_offset());
        holds.map_or(Ok(0), |segment| Ok(segment.find(to)?.map_or(0, |(position, _)| position)))
    }

    /// What is in effect.
    pub fn options(&self) -> Arc<LogOptions> {
        self.options.load_full()
    }

    /// Puts other options in effect.
    pub fn set_options(&self, options: LogOptions) {
        self.options.store(Arc::new(options));
    }

    /// Notes how far consumers may see: for the checkpoint, and for transactions that ended above it.
    pub fn set_high_watermark(&self, to: Offset) {
        self.high_watermark.fetch_max(to.get(), Ordering::AcqRel);
        if self.first_unstable.load(Ordering::Acquire) != i64::MAX {
            let mut appender = self.appender.lock();
            appender.producers.settle(to);
            self.publish_unstable(&appender.producers);
        }
    }

    pub(super) fn publish_unstable(&self, producers: &Producers) {
        let first = if producers.all_stable() { None } else { producers.first_unstable(load(&self.high_watermark)) };
        self.first_unstable.store(first.map_or(i64::MAX, Offset::get), Ordering::Release);
    }

    /// The base of the active segment: everything below it is sealed.
    pub fn sealed_end(&self) -> Option<Offset> {
        let segments = self.segments.load();
        let active = segments.last()?.base;
        (segments.first()?.base < active).then_some(active)
    }

    /// All segments, for retention and tiering.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let segments = self.segments.load();
        let last = segments.len().saturating_sub(1);
        let info = |(number, segment): (usize, &Arc<Segment>)| SegmentInfo {
            base: segment.base,
            end: segment.next_offset(),
            size_bytes: segment.size_bytes(),
            max_timestamp_ms: segment
                .max_timestamp()
                .map(|max| max.timestamp_ms)
                .filter(|at| *at >= 0)
                .unwrap_or_else(|| segment.last_append_ms()),
            first_append_ms: segment.first_append_ms(),
            sealed: number < last,
        };
        segments.iter().enumerate().map(info).collect()
    }

    /// Which epoch began where.
    pub fn epochs(&self) -> Arc<LeaderEpochs> {
        self.epochs.load_full()
    }

    /// A leader's epoch begins at the log end: known at once, its file written before anything of it is stable.
    pub fn begin_epoch(&self, epoch: LeaderEpoch) {
        let mut appender = self.appender.lock();
        self.begin_epoch_locked(&mut appender, epoch);
    }

    pub(super) fn begin_epoch_locked(&self, appender: &mut Appender, epoch: LeaderEpoch) {
        let mut epochs = LeaderEpochs::clone(&self.epochs.load());
        let start = self.log_end_offset();
        if epochs.begin(epoch, start) {
            self.epochs.store(Arc::new(epochs));
            appender.epochs_unwritten.get_or_insert(start);
        }
    }

    /// Producers that are remembered.
    pub fn producers(&self) -> Vec<ActiveProducer> {
        self.appender.lock().producers.active()
    }

    /// Forgets producers that have not written for long.
    pub fn expire_producers(&self, now_ms: i64) {
        let after_ms = self.options.load().producer_id_expiration_ms;
        self.appender.lock().producers.expire(now_ms, after_ms);
    }
}

pub(super) fn load(offset: &AtomicI64) -> Offset {
    Offset::new(offset.load(Ordering::Acquire))
}
