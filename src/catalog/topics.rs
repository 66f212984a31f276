//! Tables `topics` and `topic_configs`.
//!
//! Invariant: of topics that are not deleted, no two have one name. A deleted topic's row stays until its folders and
//! objects are gone.
//!
//! # Consistency
//! Each write is one transaction; a topic comes with all its partitions and settings, and is deleted in the one that
//! fences its leaders and ends its objects. Changes of topics and of brokers' settings wait for one another, also for one
//! whose caller has given up on it and whose commit is held up.
//!
//! # Crash safety
//! Whoever was answered finds its write after a crash.
//!
//! # Cancellation
//! As for every write of the catalog: one that was handed over may be made without its caller.

use std::collections::BTreeMap;

use futures::FutureExt as _;

use crate::model::{BrokerId, Offset, TopicId, TopicName};

use super::catalog::Catalog;
use super::session::{Row, Session, unreadable};
use super::storage_error::{StorageError, write_error};

/// A topic as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRow {
    /// Its id.
    pub id: TopicId,
    /// Its name.
    pub name: TopicName,
    /// How many partitions.
    pub partitions: i32,
    /// Rises with every change.
    pub version: i64,
    /// Its overrides.
    pub configs: BTreeMap<String, String>,
    /// Whether it is being deleted.
    pub deleted: bool,
}

/// A topic to be made.
#[derive(Clone, Debug)]
pub struct NewTopicRow {
    /// Its id.
    pub id: TopicId,
    /// Its name.
    pub name: TopicName,
    /// How many partitions.
    pub partitions: i32,
    /// Its overrides.
    pub configs: BTreeMap<String, String>,
    /// Who leads all of them.
    pub leader: BrokerId,
    /// The epoch that they are led in.
    pub leader_epoch: i32,
    /// Whether what is uploaded is known from the start, to be nothing.
    pub tiered: bool,
}

/// A topic was not changed.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// There is one of that name.
    #[error("topic '{0}' already exists")]
    Exists(TopicName),
    /// There is none of that id, or it is being deleted.
    #[error("topic {0} does not exist")]
    Missing(TopicId),
    /// Somebody else changed it in between.
    #[error("topic {0} was changed at the same time")]
    Changed(TopicId),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
write_error!(TopicError);

impl Catalog {
    /// All topics, deleted ones too.
    pub async fn topics(&self) -> Result<Vec<TopicRow>, StorageError> {
        self.read((), |session, ()| {
            async move {
                let mut configs: BTreeMap<TopicId, BTreeMap<String, String>> = BTreeMap::new();
                for row in session.rows("SELECT topic_id, name, value FROM topic_configs", &[]).await? {
                    configs.entry(row.topic_id()?).or_default().insert(row.text("name")?, row.text("value")?);
                }
                let sql = "SELECT topic_id, name, partition_count, version, deleted FROM topics ORDER BY name";
                let rows = session.rows(sql, &[]).await?;
                rows.iter().map(|row| topic_row(row, &mut configs)).collect()
            }
            .boxed()
        })
        .await
    }

    /// One topic, a deleted one too.
    pub async fn topic(&self, id: TopicId) -> Result<Option<TopicRow>, StorageError> {
        self.read(id, |session, id| {
            async move {
                let uuid = id.uuid();
                let bytes = uuid.as_bytes().as_slice();
                let mut configs = BTreeMap::new();
                let sql = "SELECT name, value FROM topic_configs WHERE topic_id = $1";
                for row in session.rows(sql, &[bytes.into()]).await? {
                    configs.insert(row.text("name")?, row.text("value")?);
                }
                let mut configs = BTreeMap::from([(*id, configs)]);
                let sql = "SELECT topic_id, name, partition_count, version, deleted FROM topics WHERE topic_id = $1";
                session.row(sql, &[bytes.into()]).await?.map(|row| topic_row(&row, &mut configs)).transpose()
            }
            .boxed()
        })
        .await
    }

    /// Makes a topic with its partitions.
    pub async fn create_topic(&self, topic: NewTopicRow) -> Result<(), TopicError> {
        self.write((topic, self.clock.now_ms()), |session, (topic, now_ms)| {
            async move {
                hold_changes(session).await?;
                let id = topic.id.uuid();
                let id = id.as_bytes().as_slice();
                let insert = "INSERT INTO topics (topic_id, name, partition_count, version, deleted, created_at_ms) \
                              VALUES ($1, $2, $3, 1, 0, $4) ON CONFLICT DO NOTHING";
                let values = [id.into(), topic.name.as_str().into(), topic.partitions.into(), (*now_ms).into()];
                if session.execute(insert, &values).await? == 0 {
                    return Err(TopicError::Exists(topic.name.clone()));
                }
                put_configs(session, id, &topic.configs).await?;
                add_partitions(session, topic, 0).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Adds partitions up to `topic.partitions`; the rest of `topic` says who leads them.
    pub async fn add_partitions(&self, topic: NewTopicRow, have: i32) -> Result<(), TopicError> {
        self.write((topic, have), |session, (topic, have)| {
            async move {
                hold_changes(session).await?;
                let id = topic.id.uuid();
                let sql = "UPDATE topics SET partition_count = $3, version = version + 1 \
                           WHERE topic_id = $1 AND partition_count = $2 AND deleted = 0";
                let values = [id.as_bytes().as_slice().into(), (*have).into(), topic.partitions.into()];
                if session.execute(sql, &values).await? == 0 {
                    return Err(TopicError::Changed(topic.id));
                }
                add_partitions(session, topic, *have).await
            }
            .boxed()
        })
        .await
    }

    /// Replaces a topic's overrides.
    pub async fn set_topic_configs(&self, id: TopicId, configs: BTreeMap<String, String>) -> Result<(), TopicError> {
        self.write((id, configs), |session, (id, configs)| {
            async move {
                hold_changes(session).await?;
                let uuid = id.uuid();
                let bytes = uuid.as_bytes().as_slice();
                let raise = "UPDATE topics SET version = version + 1 WHERE topic_id = $1 AND deleted = 0";
                if session.execute(raise, &[bytes.into()]).await? == 0 {
                    return Err(TopicError::Missing(*id));
                }
                session.execute("DELETE FROM topic_configs WHERE topic_id = $1", &[bytes.into()]).await?;
                put_configs(session, bytes, configs).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Marks a topic deleted, fences its leaders, ends everything that it has or writes in the bucket, and forgets what
    /// groups have committed of it: one transaction.
    pub async fn delete_topic(&self, id: TopicId) -> Result<(), TopicError> {
        self.write((id, self.clock.now_ms()), |session, (id, now_ms)| {
            async move {
                hold_changes(session).await?;
                let uuid = id.uuid();
                let bytes = uuid.as_bytes().as_slice();
                let mark = "UPDATE topics SET deleted = 1, version = version + 1 WHERE topic_id = $1 AND deleted = 0";
                if session.execute(mark, &[bytes.into()]).await? == 0 {
                    return Err(TopicError::Missing(*id));
                }
                let fence = "UPDATE partitions SET leader_epoch = leader_epoch + 1 WHERE topic_id = $1";
                session.execute(fence, &[bytes.into()]).await?;
                let end = "UPDATE remote_segments SET state = 'DELETING', changed_at_ms = $2 \
                           WHERE topic_id = $1 AND state <> 'DELETING'";
                session.execute(end, &[bytes.into(), (*now_ms).into()]).await?;
                session.execute("DELETE FROM group_offsets WHERE topic_id = $1", &[bytes.into()]).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Ends when every change of topics and of brokers' settings that had begun has ended, whoever waits for it or not: what
    /// is read from then on has it, or never will. A read alone may see what was before a commit that is held up.
    pub async fn wait_for_changes(&self) -> Result<(), StorageError> {
        self.write((), |session, ()| async move { hold_changes(session).await }.boxed()).await
    }

    /// Forgets a deleted topic, if no row of the bucket is left of it. Says whether it did.
    pub async fn purge_topic(&self, id: TopicId) -> Result<bool, StorageError> {
        self.write(id, |session, id| {
            async move {
                let uuid = id.uuid();
                let bytes = uuid.as_bytes().as_slice();
                let gone = "SELECT 1 AS one FROM topics WHERE topic_id = $1 AND deleted = 1 AND NOT EXISTS \
                            (SELECT 1 FROM remote_segments WHERE topic_id = $1)";
                if session.row(gone, &[bytes.into()]).await?.is_none() {
                    return Ok(false);
                }
                session.execute("DELETE FROM group_offsets WHERE topic_id = $1", &[bytes.into()]).await?;
                session.execute("DELETE FROM topic_configs WHERE topic_id = $1", &[bytes.into()]).await?;
                session.execute("DELETE FROM partitions WHERE topic_id = $1", &[bytes.into()]).await?;
                Ok(session.execute("DELETE FROM topics WHERE topic_id = $1", &[bytes.into()]).await? > 0)
            }
            .boxed()
        })
        .await
    }
}

/// Keeps other changes out until the transaction ends, by a lock of its own that nothing else waits for: the brokers' rows,
/// which are written as they are.
pub(super) async fn hold_changes(session: &mut Session<'_>) -> Result<(), StorageError> {
    session.execute("UPDATE brokers SET registered_at_ms = registered_at_ms", &[]).await?;
    Ok(())
}

async fn put_configs(
    session: &mut Session<'_>,
    id: &[u8],
    configs: &BTreeMap<String, String>,
) -> Result<(), StorageError> {
    for (name, value) in configs {
        let sql = "INSERT INTO topic_configs (topic_id, name, value) VALUES ($1, $2, $3)";
        session.execute(sql, &[id.into(), name.as_str().into(), value.as_str().into()]).await?;
    }
    Ok(())
}

/// Partitions from `have` up, all in one statement: a topic may have thousands.
async fn add_partitions(session: &mut Session<'_>, topic: &NewTopicRow, have: i32) -> Result<(), TopicError> {
    let id = topic.id.uuid();
    let sql = "WITH RECURSIVE numbers (number) AS \
               (SELECT $2 UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < $3) \
               INSERT INTO partitions (topic_id, partition, replicas, leader, leader_epoch, isr, partition_epoch, \
               log_start_offset, tiered_to) \
               SELECT $1, number, $4, $5, $6, $4, 0, 0, $7 FROM numbers WHERE number < $3";
    let replicas = topic.leader.0.to_string();
    let values = [
        id.as_bytes().as_slice().into(),
        have.into(),
        topic.partitions.into(),
        replicas.as_str().into(),
        topic.leader.into(),
        topic.leader_epoch.into(),
        topic.tiered.then_some(Offset::ZERO).into(),
    ];
    session.execute(sql, &values).await?;
    Ok(())
}

fn topic_row(row: &Row, configs: &mut BTreeMap<TopicId, BTreeMap<String, String>>) -> Result<TopicRow, StorageError> {
    let id = row.topic_id()?;
    Ok(TopicRow {
        id,
        name: TopicName::parse(&row.text("name")?).map_err(|error| unreadable("name", error))?,
        partitions: row.small("partition_count")?,
        version: row.int("version")?,
        configs: configs.remove(&id).unwrap_or_default(),
        deleted: row.int("deleted")? != 0,
    })
}
