//! One partition's log across the tiers: the local log, what of it is in the bucket, and the one view of both.
//!
//! # Consistency
//! Whatever moves a boundary (a commit, the log start, what is dropped locally, enabling and disabling) goes one at a time:
//! the catalog first, the local log next, the view last where the log grows and first where it shrinks. So whoever
//! looks at the view finds every offset of the log in the tier that the view names, or finds a newer view.
//!
//! # Crash safety
//! The catalog decides. What it says and the local log has not done yet is done in the next round of retention, at the
//! latest at the next start.
//!
//! # Retries
//! Where it is not known whether a log start was committed, the catalog is asked at once, and again with every round until
//! it answers; it answers when the commit has ended. Until then the view may show what is on its way out.
//!
//! # Cancellation
//! A client that goes away stops nothing that it has begun. A stop of the broker may leave a change done in the catalog and
//! not here; the next start brings it over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::catalog::{FencedError, PartitionRow};
use crate::log::{LogError, PartitionLog, TieredTo, retention};
use crate::model::{LeaderEpoch, Offset, TopicConfig, TopicName, TopicPartition};

use super::cold_read::RemoteRecords;
use super::errors::{ChangeError, LoadError};
use super::flights::Flights;
use super::manifest::{Manifest, WINDOW_SEGMENTS_MAX, Window};
use super::remote_segment::RemoteSegment;
use super::router::View;
use super::steps::Step;
use super::tiers::Tiers;
use super::upload_state::UploadState;

/// Whose log it is.
#[derive(Debug, Clone)]
pub struct TieredParts {
    /// The topic's name.
    pub topic: TopicName,
    /// What the catalog says of the partition, in the epoch that this broker leads.
    pub row: PartitionRow,
    /// The topic's configuration.
    pub config: Arc<TopicConfig>,
    /// The local log, open.
    pub log: Arc<PartitionLog>,
}

/// A partition across the tiers.
#[derive(Debug)]
pub struct TieredLog {
    pub(super) tiers: Arc<Tiers>,
    topic: TopicName,
    tp: TopicPartition,
    leader_epoch: LeaderEpoch,
    pub(super) log: Arc<PartitionLog>,
    config: ArcSwap<TopicConfig>,
    view: ArcSwap<View>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
    /// The catalog may be ahead: a log start was committed, or was not.
    in_doubt: AtomicBool,
    pub(super) upload: Mutex<UploadState>,
    /// Cold reads under way, by where they begin.
    pub(super) reads: Arc<Flights<Offset, RemoteRecords>>,
    /// Whether anybody has asked for the bucket's part lately.
    asked: AtomicBool,
    retired: CancellationToken,
}

impl TieredLog {
    /// Takes a partition under the tiers. Nothing is read yet.
    pub fn open(tiers: &Arc<Tiers>, parts: TieredParts) -> Arc<Self> {
        let TieredParts { topic, row, config, log } = parts;
        let tiered = match row.tiered_to {
            Some(tiered_to) => TieredTo::Known(tiered_to),
            None if config.remote.enabled => TieredTo::Unknown,
            None => TieredTo::NotTiered,
        };
        let view = View {
            log_start: log.log_start_offset(),
            local_start: log.local_start_offset(),
            tiered,
            remote: Manifest::default(),
        };
        let opened = Arc::new(Self {
            tiers: Arc::clone(tiers),
            topic,
            tp: row.tp,
            leader_epoch: row.leader_epoch,
            log,
            config: ArcSwap::new(config),
            view: ArcSwap::from_pointee(view),
            changing: tokio::sync::Mutex::new(()),
            in_doubt: AtomicBool::new(false),
            upload: Mutex::default(),
            reads: Arc::default(),
            asked: AtomicBool::new(false),
            retired: CancellationToken::new(),
        });
        tiers.admit(&opened);
        opened
    }

    /// The topic's name.
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// Which partition.
    pub fn tp(&self) -> TopicPartition {
        self.tp
    }

    /// The epoch that this broker leads in.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// The topic's configuration.
    pub fn config(&self) -> Arc<TopicConfig> {
        self.config.load_full()
    }

    /// Where its offsets lie now.
    pub fn view(&self) -> Guard<Arc<View>> {
        self.view.load()
    }

    /// The topic is being deleted, or led elsewhere: no upload begins any more.
    pub fn retire(&self) {
        self.retired.cancel();
        self.tiers.dismiss(self.tp);
    }

    /// Cancelled when the partition is not led here any more.
    pub(super) fn retired(&self) -> &CancellationToken {
        &self.retired
    }

    /// Puts another configuration in effect. What it means for the bucket is done by [`Self::reconcile`]; until then
    /// nothing is deleted.
    pub fn set_config(&self, config: Arc<TopicConfig>) {
        let enabled = config.remote.enabled;
        self.config.store(config);
        if enabled && self.view().tiered == TieredTo::NotTiered {
            self.publish(|view| View { tiered: TieredTo::Unknown, ..view.clone() });
        }
        // Whatever stopped the uploads may be gone.
        self.upload.lock().forgive();
    }

    fn publish(&self, change: impl Fn(&View) -> View) {
        self.view.rcu(|view| Arc::new(change(view)));
    }

    /// Does something with the local log on a thread that may block.
    pub(super) async fn log_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&PartitionLog) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, ChangeError> {
        let log = Arc::clone(&self.log);
        Ok(self.tiers.threads.blocking(move || work(&log)).await??)
    }

    /// Moves the log start to `to` in both tiers; what lies below is on its way out when this returns. It never goes
    /// back. Returns where it is then.
    pub async fn advance_log_start(self: &Arc<Self>, to: Offset) -> Result<Offset, ChangeError> {
        let log = Arc::clone(self);
        let moving = async move {
            let _one_at_a_time = log.changing.lock().await;
            log.advance_held(to).await
        };
        self.tiers.threads.whole(moving).await?
    }

    /// The same, by whoever holds the place of who may change things.
    pub(super) async fn advance_held(&self, to: Offset) -> Result<Offset, ChangeError> {
        self.settle_held().await?;
        let now = self.view().log_start;
        if to <= now {
            self.bring_forward_held().await?;
            return Ok(now);
        }
        match self.tiers.catalog().advance_log_start(self.tp, self.leader_epoch, to).await {
            Ok(row) => {
                self.tiers.options.steps.reached(Step::LogStartRow).await;
                self.follow(&row).await?;
                Ok(row.log_start)
            }
            Err(error) => {
                let in_doubt = matches!(&error, FencedError::Storage(error) if error.may_be_committed());
                self.in_doubt.store(in_doubt, Ordering::Relaxed);
                self.settle_held().await?;
                let reached = self.view().log_start;
                if reached >= to { Ok(reached) } else { Err(error.into()) }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn raise_doubt(&self) {
        self.in_doubt.store(true, Ordering::Relaxed);
    }

    /// Follows the catalog where it may be ahead.
    async fn settle_held(&self) -> Result<(), ChangeError> {
        if !self.in_doubt.load(Ordering::Relaxed) {
            return Ok(());
        }
        let row = self.tiers.catalog().settled_partition(self.tp, self.leader_epoch).await?;
        self.in_doubt.store(false, Ordering::Relaxed);
        self.follow(&row).await
    }

    /// Brings view and local log to where the log starts, if they may be behind: a disk that was full, say, has refused that
    /// move, or the catalog's answer was lost.
    pub async fn bring_log_forward(self: &Arc<Self>) -> Result<(), ChangeError> {
        if !self.in_doubt.load(Ordering::Relaxed) && self.log.log_start_offset() >= self.view().log_start {
            return Ok(());
        }
        let log = Arc::clone(self);
        let moving = async move {
            let _one_at_a_time = log.changing.lock().await;
            log.settle_held().await?;
            log.bring_forward_held().await
        };
        self.tiers.threads.whole(moving).await?
    }

    async fn bring_forward_held(&self) -> Result<(), ChangeError> {
        let log_start = self.view().log_start;
        if self.log.log_start_offset() >= log_start {
            return Ok(());
        }
        let moved = move |log: &PartitionLog| {
            // Where records are shown before they are stable: the log start never passes what is.
            if log.stable_end() < log_start {
                log.sync()?;
            }
            log.advance_log_start(log_start)
        };
        self.log_blocking(moved).await.map(|_| ())
    }

    /// Brings log and view to where the catalog is.
    async fn follow(&self, row: &PartitionRow) -> Result<(), ChangeError> {
        let log_start = row.log_start;
        // The view first: nobody is sent to where something goes.
        self.publish(|view| View {
            log_start: view.log_start.max(log_start),
            local_start: view.local_start.max(log_start),
            tiered: match (row.tiered_to, view.tiered) {
                (Some(tiered_to), _) => TieredTo::Known(tiered_to),
                (None, TieredTo::Known(_)) => TieredTo::NotTiered,
                (None, other) => other,
            },
            remote: if row.tiered_to.is_some() { view.remote.starting_at(log_start) } else { Manifest::default() },
        });
        match row.tiered_to {
            Some(_) => self.tiers.damages.forget_below(self.tp, log_start),
            None => self.tiers.damages.forget(self.tp),
        }
        self.bring_forward_held().await?;
        self.tiers.options.steps.reached(Step::LogStartLocal).await;
        Ok(())
    }

    /// Enables or disables tiering in the catalog, where the configuration has changed.
    pub async fn reconcile(&self) -> Result<(), ChangeError> {
        let _one_at_a_time = self.changing.lock().await;
        let enabled = self.config.load().remote.enabled;
        match (enabled, self.view().tiered) {
            (true, TieredTo::Unknown | TieredTo::NotTiered) => self.begin().await,
            (false, TieredTo::Known(_)) => self.end().await,
            (false, TieredTo::Unknown) => {
                self.publish(|view| View { tiered: TieredTo::NotTiered, ..view.clone() });
                Ok(())
            }
            (true, TieredTo::Known(_)) | (false, TieredTo::NotTiered) => Ok(()),
        }
    }

    async fn begin(&self) -> Result<(), ChangeError> {
        let (catalog, tp, epoch) = (self.tiers.catalog(), self.tp, self.leader_epoch);
        // Of a topic without a bucket the catalog does not follow the log start.
        catalog.advance_log_start(tp, epoch, self.log.log_start_offset()).await?;
        let row = catalog.begin_tiering(tp, epoch, self.log.local_start_offset()).await?;
        self.follow(&row).await?;
        tracing::info!(topic = %self.topic, partition = tp.partition, from = %row.log_start, "tiering begins");
        Ok(())
    }

    async fn end(&self) -> Result<(), ChangeError> {
        let local_start = self.log.local_start_offset();
        let row = self.tiers.catalog().end_tiering(self.tp, self.leader_epoch, local_start).await?;
        self.follow(&row).await?;
        tracing::info!(
            topic = %self.topic,
            partition = self.tp.partition,
            log_start = %row.log_start,
            "tiering ends: what was in the bucket is on its way out"
        );
        Ok(())
    }

    /// An object has become part of the log.
    pub(super) async fn commit(
        &self,
        row: crate::catalog::NewSegmentRow,
        content: crate::catalog::SegmentContent,
    ) -> Result<(), crate::catalog::CommitError> {
        let _one_at_a_time = self.changing.lock().await;
        let known = self.tiers.catalog().append_segment(row.clone(), content).await?;
        self.tiers.options.steps.reached(Step::LiveRow).await;
        self.publish_live(row.id, &known).await;
        self.tiers.options.steps.reached(Step::Published).await;
        Ok(())
    }

    /// Shows an object that is LIVE in the catalog.
    pub(super) async fn publish_live(&self, id: ulid::Ulid, known: &PartitionRow) {
        let Some(tiered_to) = known.tiered_to else { return };
        // Read back, because the row may cover less than was uploaded.
        let segment = match self.tiers.catalog().segment(id).await {
            Ok(Some(row)) => RemoteSegment::of_row(&row).ok().map(Arc::new),
            _ => None,
        };
        if let Some(segment) = &segment {
            self.tiers.damages.note_live(self.tp, std::slice::from_ref(segment));
        }
        self.publish(|view| View {
            tiered: TieredTo::Known(tiered_to),
            // What cannot be read back now is loaded when somebody asks for it.
            remote: segment.as_ref().map_or_else(|| view.remote.clone(), |one| view.remote.appended(Arc::clone(one))),
            ..view.clone()
        });
    }

    /// Asks the catalog which objects stand for `offset` and those that follow.
    pub(super) async fn load(&self, offset: Offset) -> Result<(), LoadError> {
        self.asked.store(true, Ordering::Relaxed);
        let before = self.view.load_full();
        let TieredTo::Known(tiered_to) = before.tiered else { return Ok(()) };
        let limit = i64::try_from(WINDOW_SEGMENTS_MAX).unwrap_or(i64::MAX);
        let rows = self.tiers.catalog().live_segments(self.tp, offset, limit).await?;
        let complete = rows.len() < WINDOW_SEGMENTS_MAX;
        let segments: Result<Vec<_>, _> = rows.iter().map(|row| RemoteSegment::of_row(row).map(Arc::new)).collect();
        let segments = segments?;
        self.tiers.damages.note_live(self.tp, &segments);
        let window = Window::new(offset, segments, complete, tiered_to);
        self.publish(|view| View {
            remote: view.remote.with(window.clone()).starting_at(view.log_start),
            ..view.clone()
        });
        Ok(())
    }

    /// Forgets what is known of `offset`: an object that stood for it is not there any more.
    pub(super) fn forget(&self, offset: Offset) {
        self.publish(|view| View { remote: view.remote.without(offset), ..view.clone() });
    }

    /// Forgets which objects there are, where nobody has asked since this was last called: ten thousand partitions that
    /// were read once must not fill the memory.
    pub fn rest(&self) {
        if !self.asked.swap(false, Ordering::Relaxed) && self.view().remote.loaded() > 0 {
            self.publish(|view| View { remote: Manifest::default(), ..view.clone() });
        }
    }

    /// Drops local segments that local retention does not keep and that are in the bucket, and those below the log start.
    /// Returns how many went.
    pub async fn drop_local(&self, now_ms: i64) -> Result<usize, ChangeError> {
        let _one_at_a_time = self.changing.lock().await;
        let segments = self.log.segments();
        let view = self.view.load_full();
        let config = self.config.load_full();
        let tiered = if config.remote.enabled { view.tiered } else { TieredTo::Unknown };
        let below = retention::local_start(&segments, &config.retention, tiered, now_ms)
            .unwrap_or(Offset::ZERO)
            .max(view.log_start);
        let kept = segments.iter().find(|segment| segment.end > below || !segment.sealed);
        let Some(kept) = kept.filter(|kept| segments.first().is_some_and(|first| first.base < kept.base)) else {
            return Ok(0);
        };
        let local_start = kept.base;
        // The view first: whoever looks from now on is sent to the bucket.
        self.publish(|view| View { local_start: local_start.max(view.log_start), ..view.clone() });
        self.log_blocking(move |log| log.delete_segments_below(local_start, now_ms)).await
    }

    pub(super) async fn one_at_a_time(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }
}
