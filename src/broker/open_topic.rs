//! From a topic's rows to its partitions, open and led.
//!
//! # Consistency
//! A partition is led in the epoch that its row says; the epoch stands in the log's table before anyone can ask.
//!
//! # Crash safety
//! Opening recovers each log; see `log::open`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::Semaphore;

use crate::catalog::PartitionRow;
use crate::log::{Known, LogError, LogOptions, PartitionLog, remove_old_asides};
use crate::model::{TopicConfig, TopicId, TopicName};
use crate::replication::{Partition, PartitionParts};
use crate::tiering::{Lineage, RemoteReadError, TieredLog, TieredParts};

use super::state::Broker;
use super::topic::{Overrides, Topic};

/// A partition was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenTopicError {
    /// The disk.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The disk does not have what it had.
    #[error("partition {partition} of topic '{topic}': {source}")]
    Partition {
        /// Its topic.
        topic: TopicName,
        /// Its number.
        partition: i32,
        /// What is lost.
        source: LogError,
    },
    /// The bucket, with which the log has to be compared.
    #[error(transparent)]
    Lineage(#[from] RemoteReadError),
}

/// A topic that is to be opened.
#[derive(Debug, Clone)]
pub(super) struct TopicParts {
    pub(super) name: TopicName,
    pub(super) id: TopicId,
    pub(super) overrides: Arc<Overrides>,
    pub(super) config: Arc<TopicConfig>,
}

/// How much is opened at once, over all topics: a disk is busy with few logs, a bucket far away answers many questions in
/// the time of one.
#[derive(Debug)]
pub(super) struct Openings {
    logs: Semaphore,
    lineages: Semaphore,
}

/// Newest objects that are looked at at once.
const LINEAGES: usize = 64;
/// Topics, and partitions of one, that are under way at once, waiting or not.
const UNDER_WAY: usize = 256;

impl Broker {
    /// How much is opened at once.
    pub(super) fn openings(&self) -> Openings {
        let threads = self.settings().count("num.recovery.threads.per.data.dir").max(1);
        Openings { logs: Semaphore::new(threads), lineages: Semaphore::new(LINEAGES) }
    }

    /// Opens partitions, on threads that may block. They come back in order.
    pub(super) async fn open_partitions(
        &self,
        topic: &TopicParts,
        rows: &[PartitionRow],
        openings: &Openings,
    ) -> Result<Vec<Arc<Partition>>, OpenTopicError> {
        let folder = self.topic_dir(&topic.name, topic.id);
        if let Err(error) = remove_old_asides(self.disk.as_ref(), &folder, self.clock.now_ms()) {
            tracing::warn!(%error, folder = %folder.display(), "logs that were set aside long ago cannot be removed");
        }
        let made =
            self.made_partitions(topic.id).await.map_err(|source| LogError::Io { path: folder.clone(), source })?;
        let opening: Vec<_> = rows.iter().copied().map(|row| self.open_partition(topic, row, made, openings)).collect();
        let opened = futures::stream::iter(opening).buffered(UNDER_WAY).try_collect().await?;
        // Before anybody writes to them.
        let count = rows.iter().map(|row| row.tp.partition.saturating_add(1)).max().unwrap_or(0);
        if count > made {
            let noted = self.note_made(topic.id, count).await;
            noted.map_err(|source| LogError::Io { path: folder, source })?;
        }
        Ok(opened)
    }

    /// Opens topics side by side.
    pub(super) async fn open_all(
        &self,
        topics: Vec<(TopicParts, Vec<PartitionRow>)>,
    ) -> Result<Vec<Arc<Topic>>, OpenTopicError> {
        let openings = &self.openings();
        let opening: Vec<_> = topics
            .into_iter()
            .map(|(topic, rows)| async move {
                let partitions = self.open_partitions(&topic, &rows, openings).await?;
                Ok(topic.with(partitions))
            })
            .collect();
        futures::stream::iter(opening).buffer_unordered(UNDER_WAY).try_collect().await
    }

    async fn open_partition(
        &self,
        topic: &TopicParts,
        row: PartitionRow,
        made: i32,
        openings: &Openings,
    ) -> Result<Arc<Partition>, OpenTopicError> {
        let log = Arc::new(self.open_log(topic, &row, made, openings).await?);
        log.begin_epoch(row.leader_epoch);
        let tier = TieredLog::open(
            &self.tiers,
            TieredParts { topic: topic.name.clone(), row, config: Arc::clone(&topic.config), log: Arc::clone(&log) },
        );
        Ok(Arc::new(Partition::lead(PartitionParts {
            topic: topic.name.clone(),
            tp: row.tp,
            leader_epoch: row.leader_epoch,
            config: Arc::clone(&topic.config),
            log,
            tier: Some(tier),
            health: Arc::clone(&self.health),
            leadership: self.leadership.clone(),
            syncer: Arc::clone(&self.syncer),
            clock: Arc::clone(&self.clock),
        })))
    }

    /// Opens the local log, or begins another where it is not what the bucket's history goes on with.
    async fn open_log(
        &self,
        topic: &TopicParts,
        row: &PartitionRow,
        made: i32,
        openings: &Openings,
    ) -> Result<PartitionLog, OpenTopicError> {
        let dir = self.partition_dir(&topic.name, topic.id, row.tp.partition);
        let now_ms = self.clock.now_ms();
        let tiered = topic.config.remote.enabled || row.tiered_to.is_some();
        let known = Known {
            log_start: tiered.then_some(row.log_start),
            tiered_to: row.tiered_to,
            leader_epoch: Some(row.leader_epoch),
            made_before: row.tp.partition < made,
            accept_loss: self.options.settings.switch("tidelog.accept.data.loss"),
        };
        let options = LogOptions::from(topic.config.as_ref());
        let (files, place) = (Arc::clone(&self.files), dir.clone());
        let opened = {
            let _turn = openings.logs.acquire().await;
            blocking(&dir, move || PartitionLog::open_known(&files, &place, options, known, now_ms)).await
        };
        let (log, report) = opened.map_err(|source| lost(topic, row, source))?;
        if report.torn_bytes > 0 || report.segments_aside > 0 || report.rebuilt_indexes > 0 {
            tracing::warn!(
                topic = topic.name.as_str(),
                partition = row.tp.partition,
                torn_bytes = report.torn_bytes,
                segments_aside = report.segments_aside,
                rebuilt_indexes = report.rebuilt_indexes,
                "recovered a log that was not closed"
            );
        }
        let lineage = {
            let _turn = openings.lineages.acquire().await;
            Box::pin(self.tiers.lineage(row, &log)).await
        };
        let Lineage::Elsewhere { beginning, why } = lineage? else {
            return Ok(log);
        };
        tracing::warn!(
            topic = topic.name.as_str(),
            partition = row.tp.partition,
            begins_at = beginning.start.get(),
            why,
            "the local log is not what the bucket's history goes on with: it is set aside, and an empty one begins"
        );
        drop(log);
        let options = LogOptions::from(topic.config.as_ref());
        let (files, place) = (Arc::clone(&self.files), dir.clone());
        Ok(blocking(&dir, move || PartitionLog::begin_at(&files, &place, options, &beginning, now_ms)).await?)
    }
}

/// Names the partition where its log has lost something; other errors name their file.
fn lost(topic: &TopicParts, row: &PartitionRow, source: LogError) -> OpenTopicError {
    match source {
        LogError::Lost { .. } | LogError::Gone { .. } | LogError::OlderCatalog { .. } => {
            OpenTopicError::Partition { topic: topic.name.clone(), partition: row.tp.partition, source }
        }
        source => OpenTopicError::Log(source),
    }
}

/// Runs what opens a log on a thread that may block.
async fn blocking<T: Send + 'static>(
    dir: &Path,
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| {
        let source = std::io::Error::other(format!("opening the log panicked: {panic}"));
        Err(LogError::Io { path: dir.to_owned(), source })
    })
}

impl TopicParts {
    pub(super) fn with(self, partitions: Vec<Arc<Partition>>) -> Arc<Topic> {
        let Self { name, id, overrides, config } = self;
        let topic = Topic { name, id, overrides, config, partitions };
        topic.warn_of_what_is_missing();
        Arc::new(topic)
    }
}

/// Rows by their topic, each in order of its partitions.
pub(super) fn by_topic(rows: Vec<PartitionRow>) -> BTreeMap<TopicId, Vec<PartitionRow>> {
    let mut topics: BTreeMap<TopicId, Vec<PartitionRow>> = BTreeMap::new();
    for row in rows {
        topics.entry(row.tp.topic_id).or_default().push(row);
    }
    for rows in topics.values_mut() {
        rows.sort_by_key(|row| row.tp.partition);
    }
    topics
}
