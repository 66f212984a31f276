//! From a topic's rows to its partitions, open and led.
//!
//! # Consistency
//! A partition is led in the epoch that its row says; the epoch stands in the log's table before anyone can ask.
//!
//! # Crash safety
//! Opening recovers each log; see `log::open`.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};

use crate::catalog::PartitionRow;
use crate::log::{LogError, LogOptions, PartitionLog};
use crate::model::{TopicConfig, TopicId, TopicName};
use crate::replication::{Partition, PartitionParts};

use super::state::Broker;
use super::topic::{Overrides, Topic};

/// A topic that is to be opened.
#[derive(Debug, Clone)]
pub(super) struct TopicParts {
    pub(super) name: TopicName,
    pub(super) id: TopicId,
    pub(super) overrides: Arc<Overrides>,
    pub(super) config: Arc<TopicConfig>,
}

impl Broker {
    /// Opens partitions, several at a time, on threads that may block. They come back in order.
    pub(super) async fn open_partitions(
        &self,
        topic: &TopicParts,
        rows: &[PartitionRow],
    ) -> Result<Vec<Arc<Partition>>, LogError> {
        let threads = self.settings().count("num.recovery.threads.per.data.dir").max(1);
        futures::stream::iter(rows.iter().map(|row| self.open_partition(topic, *row)))
            .buffered(threads)
            .try_collect()
            .await
    }

    async fn open_partition(&self, topic: &TopicParts, row: PartitionRow) -> Result<Arc<Partition>, LogError> {
        let dir = self.partition_dir(&topic.name, topic.id, row.tp.partition);
        let files = Arc::clone(&self.files);
        let options = LogOptions::from(topic.config.as_ref());
        let now_ms = self.clock.now_ms();
        let log_start = topic.config.remote.enabled.then_some(row.log_start);
        let opening = tokio::task::spawn_blocking({
            let dir = dir.clone();
            move || PartitionLog::open(&files, &dir, options, log_start, now_ms)
        });
        let (log, report) = opening.await.unwrap_or_else(|panic| {
            let source = std::io::Error::other(format!("opening the log panicked: {panic}"));
            Err(LogError::Io { path: dir.clone(), source })
        })?;
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
        log.begin_epoch(row.leader_epoch);
        Ok(Arc::new(Partition::lead(PartitionParts {
            topic: topic.name.clone(),
            tp: row.tp,
            leader_epoch: row.leader_epoch,
            config: Arc::clone(&topic.config),
            log: Arc::new(log),
            health: Arc::clone(&self.health),
            syncer: Arc::clone(&self.syncer),
            clock: Arc::clone(&self.clock),
        })))
    }
}

impl TopicParts {
    pub(super) fn with(self, partitions: Vec<Arc<Partition>>) -> Arc<Topic> {
        let Self { name, id, overrides, config } = self;
        Arc::new(Topic { name, id, overrides, config, partitions })
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
