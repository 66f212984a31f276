//! One partition, led by this broker: appends in order, waits for the watermark, reads below it.
//!
//! With one broker the in-sync replicas are the leader alone, and the watermark is its own stable end. Callers ask for
//! the watermark only, so that nothing above this file changes when there are more replicas.
//!
//! # Consistency
//! Appends are ordered by the log's own lock. A read never shows an offset at or above the watermark.
//!
//! # Crash safety
//! `committed` ends well only for offsets below the watermark, and the watermark only covers what was synced,
//! unless the topic says `tidelog.flush.on.ack=false`. A broker that may not lead any more acknowledges nothing, not even
//! what it has on stable storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::log::{self, Appended, LogError, LogOptions, PartitionLog};
use crate::model::{LeaderEpoch, Offset, TopicConfig, TopicName, TopicPartition};
use crate::record::ValidBatch;
use crate::tiering::TieredLog;

use super::errors::{AppendError, EpochError, NotCommitted, NotServing};
use super::leadership::Leadership;
use super::log_dir::LogDirHealth;
use super::now_and_then::NowAndThen;
use super::stable_log::StableLog;
use super::syncer::Syncer;

/// What a producer wants to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// Nothing, not even an answer.
    None,
    /// The leader's log.
    Leader,
    /// Stable storage on every in-sync replica.
    All,
}

/// Which records a consumer may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Everything below the high watermark.
    ReadUncommitted,
    /// Everything below the last stable offset.
    ReadCommitted,
}

/// What a partition is made of.
#[derive(Debug)]
pub struct PartitionParts {
    /// The topic's name, for messages and paths.
    pub topic: TopicName,
    /// Which partition.
    pub tp: TopicPartition,
    /// The epoch that this broker leads in.
    pub leader_epoch: LeaderEpoch,
    /// The topic's configuration.
    pub config: Arc<TopicConfig>,
    /// Its log, open.
    pub log: Arc<PartitionLog>,
    /// The same log across the tiers, where there is a bucket.
    pub tier: Option<Arc<TieredLog>>,
    /// The health of the directory that holds the log.
    pub health: Arc<LogDirHealth>,
    /// Whether the broker may lead.
    pub leadership: Leadership,
    /// Who syncs it.
    pub syncer: Arc<Syncer>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// One partition, led by this broker.
#[derive(Debug)]
pub struct Partition {
    topic: TopicName,
    tp: TopicPartition,
    leader_epoch: LeaderEpoch,
    config: ArcSwap<TopicConfig>,
    stable: Arc<StableLog>,
    tier: Option<Arc<TieredLog>>,
    health: Arc<LogDirHealth>,
    leadership: Leadership,
    syncer: Arc<Syncer>,
    clock: Arc<dyn Clock>,
    /// When everything was last seen synced, or a sync was last started for `flush.ms`.
    flushed_ms: AtomicI64,
    unreadable: NowAndThen,
    failing: NowAndThen,
}

/// How many replicas are in sync: the leader alone.
const IN_SYNC: u32 = 1;
/// How many replicas there are. As in Kafka, `min.insync.replicas` asks for no more than that.
const REPLICAS: u32 = 1;

/// The three offsets that every answer about a partition carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that may be read.
    pub log_start: Offset,
    /// The end of what transactions have decided.
    pub last_stable: Offset,
    /// The end of what is on every in-sync replica's stable storage.
    pub high_watermark: Offset,
}

impl Partition {
    /// Begins to lead: everything in the log is stable, so the watermark is its end.
    pub fn lead(parts: PartitionParts) -> Self {
        let PartitionParts { topic, tp, leader_epoch, config, log, tier, health, leadership, syncer, clock } = parts;
        Self {
            topic,
            tp,
            leader_epoch,
            config: ArcSwap::new(config),
            stable: StableLog::new(log, Arc::clone(&health)),
            tier,
            health,
            leadership,
            syncer,
            flushed_ms: AtomicI64::new(clock.now_ms()),
            unreadable: NowAndThen::default(),
            failing: NowAndThen::default(),
            clock,
        }
    }

    /// The topic's name.
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// Which partition it is.
    pub fn tp(&self) -> TopicPartition {
        self.tp
    }

    /// The epoch that this broker leads in.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// The topic's configuration as it is now.
    pub fn config(&self) -> Arc<TopicConfig> {
        self.config.load_full()
    }

    /// Whether a caller that believes in `asked` may go on; `None` asks nothing.
    pub fn check_epoch(&self, asked: Option<LeaderEpoch>) -> Result<(), EpochError> {
        let current = self.leader_epoch;
        match asked {
            Some(asked) if asked < current => Err(EpochError::Fenced { asked, current }),
            Some(asked) if asked > current => Err(EpochError::Unknown { asked, current }),
            _ => Ok(()),
        }
    }

    /// Appends one batch. Ordered: the caller's next append comes behind this one.
    pub fn append(&self, batch: &ValidBatch, acks: Acks) -> Result<Appended, AppendError> {
        self.check_serving()?;
        let config = self.config.load();
        let required = config.min_insync_replicas.min(REPLICAS);
        if acks == Acks::All && required > IN_SYNC {
            return Err(AppendError::NotEnoughReplicas { in_sync: IN_SYNC, required });
        }
        if self.health.is_full() {
            return Err(AppendError::DiskFull);
        }
        let appended = match self.stable.log().append(batch, self.leader_epoch, self.clock.now_ms()) {
            Ok(appended) => appended,
            Err(log::AppendError::Log(error)) if error.is_disk_full() => {
                tracing::error!(%error, "could not append");
                self.health.note_full();
                return Err(AppendError::DiskFull);
            }
            Err(log::AppendError::Log(error)) => {
                if !self.put_off(&error) {
                    self.stable.fail(&error.to_string());
                }
                return Err(log::AppendError::Log(error).into());
            }
            Err(error) => return Err(error.into()),
        };
        self.health.note_appended(batch.bytes().len());
        let many = self.log().unsynced_records() >= config.flush.messages;
        if config.flush.on_ack || many {
            self.stable.want_sync(&self.syncer);
        }
        if !config.flush.on_ack {
            self.stable.show_all();
        }
        Ok(appended)
    }

    /// Ends once everything below `upto` is committed.
    pub fn committed(&self, upto: Offset) -> impl Future<Output = Result<(), NotCommitted>> + Send + 'static {
        let (reached, leadership) = (self.stable.watermark().reached(upto), self.leadership.clone());
        async move {
            let reached = reached.await;
            // Looked at last: what is stable here may not be what another leads on with.
            if !leadership.is_held() {
                return Err(NotCommitted::NotLeader);
            }
            Ok(reached?)
        }
    }

    /// The offsets that every answer carries.
    pub fn watermarks(&self) -> Watermarks {
        // The watermark first: the log's own offsets only grow, so the three never contradict each other.
        let high_watermark = self.stable.watermark().get();
        let log = self.stable.log();
        // The local log may be behind: what the catalog has ended is not offered, whatever the disk does.
        let tiered_start = self.tier.as_ref().map(|tier| tier.view().log_start);
        Watermarks {
            log_start: log.log_start_offset().max(tiered_start.unwrap_or(Offset::ZERO)),
            last_stable: log.last_stable_offset().min(high_watermark),
            high_watermark,
        }
    }

    /// Has `watcher` notified, once, when a read might find more than now. Register first, then read.
    pub fn watch(&self, watcher: &Arc<Notify>) {
        self.stable.watermark().watch(watcher);
    }

    /// Has everyone who waits look again: the log start has moved.
    pub(super) fn wake_watchers(&self) {
        self.stable.watermark().wake_watchers();
    }

    /// Its log.
    pub fn log(&self) -> &Arc<PartitionLog> {
        self.stable.log()
    }

    /// Its log across the tiers.
    pub fn tier(&self) -> Option<&Arc<TieredLog>> {
        self.tier.as_ref()
    }

    /// Whether the topic still exists, the log directory is healthy, and the broker may lead.
    pub(super) fn check_serving(&self) -> Result<(), NotServing> {
        if self.stable.is_retired() {
            return Err(NotServing::Deleted);
        }
        if !self.health.is_online() {
            return Err(NotServing::Offline);
        }
        if !self.leadership.is_held() {
            return Err(NotServing::NotLeader);
        }
        Ok(())
    }

    /// Puts another configuration in effect.
    pub fn set_config(&self, config: Arc<TopicConfig>) {
        self.log().set_options(LogOptions::from(config.as_ref()));
        if let Some(tier) = &self.tier {
            tier.set_config(Arc::clone(&config));
        }
        self.config.store(config);
        // A topic that has just traded durability away shows what it has.
        if !self.config.load().flush.on_ack {
            self.stable.show_all();
        }
    }

    /// Whether the system was only short of something, so that the same may go well in a moment: the caller is told to come
    /// back, and the log directory stays.
    pub(super) fn put_off(&self, error: &LogError) -> bool {
        let is_short = error.is_shortage() && !self.log().is_broken();
        if is_short {
            self.health.note_shortage(error, self.clock.now_ms());
        }
        is_short
    }

    /// The local log could not be read. Told now and then, and not for every reader that comes back.
    pub fn unreadable(&self, error: &LogError) {
        if !self.put_off(error) && self.unreadable.is_due(self.clock.now_ms()) {
            tracing::error!(
                %error,
                topic = self.topic.as_str(),
                partition = self.tp.partition,
                "the local log cannot be read"
            );
        }
    }

    /// Work in the background failed on the local log, and comes again within seconds. Told now and then, and not at all
    /// where the disk is only full, or the system short of files: the log directory's health says that, and each line would
    /// fill the disk more. Anything else of the disk takes the log directory offline. Says whether it was told.
    pub fn work_failed(&self, error: &LogError) -> bool {
        if self.put_off(error) {
            return false;
        }
        // The files of a deleted topic go while work on it ends.
        let matters = !error.is_disk_full() && !self.stable.is_retired();
        let is_told = matters && self.failing.is_due(self.clock.now_ms());
        let (topic, partition) = (self.topic.as_str(), self.tp.partition);
        if is_told {
            tracing::error!(%error, topic, partition, "work on a partition failed");
        } else {
            tracing::debug!(%error, topic, partition, "work on a partition failed");
        }
        if !error.is_disk_full() && matches!(error, LogError::Io { .. }) {
            self.fail(&error.to_string());
        }
        is_told
    }

    /// The topic is being deleted: nothing is served any more, and whoever waits is told.
    pub fn retire(&self) {
        self.stable.retire();
        if let Some(tier) = &self.tier {
            tier.retire();
        }
    }

    /// The broker may not lead any more: whoever waits is told.
    pub fn depose(&self) {
        self.stable.watermark().go_offline();
    }

    /// Starts a sync where `flush.ms` has passed since the last one that this started.
    pub fn flush_if_due(&self, now_ms: i64) {
        let every_ms = i64::try_from(self.config.load().flush.ms).unwrap_or(i64::MAX);
        if self.log().unsynced_bytes() == 0 {
            self.flushed_ms.store(now_ms, Ordering::Relaxed);
        } else if now_ms.saturating_sub(self.flushed_ms.load(Ordering::Relaxed)) >= every_ms {
            self.flushed_ms.store(now_ms, Ordering::Relaxed);
            self.stable.want_sync(&self.syncer);
        }
    }

    /// Takes the log directory offline: an I/O error was seen outside of a sync.
    pub fn fail(&self, reason: &str) {
        self.stable.fail(reason);
    }

    /// Rolls the active segment if it is old enough; see [`PartitionLog::roll_if_due`]. Blocks.
    pub fn roll_if_due(&self, now_ms: i64, max_lag_ms: Option<i64>) -> Result<bool, LogError> {
        if self.check_serving().is_err() {
            return Ok(false);
        }
        self.log().roll_if_due(now_ms, max_lag_ms)
    }

    /// Syncs what is not synced and writes the recovery point down, if there is anything new. Blocks.
    pub fn checkpoint(&self) -> Result<(), LogError> {
        let is_usable = !self.stable.is_retired() && self.health.is_online();
        if !is_usable || !(self.log().unsynced_bytes() > 0 || self.log().needs_checkpoint()) {
            return Ok(());
        }
        self.stable.checkpoint()
    }
}
