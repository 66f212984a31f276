//! Table `group_offsets`: how far each group has come in each partition.
//!
//! A group that has committed has a row in `groups`, even if it never had members.
//!
//! # Consistency
//! Two commits of one group that overlap in time may be committed in either order: its coordinator waits for the first.
//! Within one call the last commit of a partition counts.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use futures::FutureExt as _;

use crate::model::{LeaderEpoch, Offset, TopicPartition};

use super::catalog::Catalog;
use super::groups::client_text;
use super::partitions::tp_values;
use super::session::{Row, Session, Value, unreadable};
use super::storage_error::StorageError;

/// How far a group has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffsetRow {
    /// The group.
    pub group_id: String,
    /// The partition.
    pub tp: TopicPartition,
    /// The next offset that it wants.
    pub offset: Offset,
    /// Of the last record that it has consumed, where it says so.
    pub leader_epoch: Option<LeaderEpoch>,
    /// Its own note.
    pub metadata: String,
    /// When it said so, in milliseconds.
    pub committed_at_ms: i64,
    /// When that ends by itself, where it says so, in milliseconds.
    pub expires_at_ms: Option<i64>,
}

/// Rows that one statement writes, most first: over a network, each statement is a round trip.
const ROWS_A_STATEMENT: [usize; 3] = [64, 8, 1];
const COLUMNS: usize = 8;

static UPSERTS: LazyLock<[(usize, &'static str); 3]> =
    LazyLock::new(|| ROWS_A_STATEMENT.map(|rows| (rows, upsert(rows))));

/// The statement that writes so many rows. Made once in the life of a process, of numbers alone.
fn upsert(rows: usize) -> &'static str {
    let places: Vec<String> = (0..rows)
        .map(|row| {
            let places: Vec<String> = (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
            format!("({})", places.join(", "))
        })
        .collect();
    let sql = format!(
        "INSERT INTO group_offsets (group_id, topic_id, partition, committed_offset, leader_epoch, metadata, \
         committed_at_ms, expires_at_ms) VALUES {} ON CONFLICT (group_id, topic_id, partition) DO UPDATE SET \
         committed_offset = excluded.committed_offset, leader_epoch = excluded.leader_epoch, \
         metadata = excluded.metadata, committed_at_ms = excluded.committed_at_ms, expires_at_ms = excluded.expires_at_ms",
        places.join(", ")
    );
    String::leak(sql)
}

impl Catalog {
    /// All that a group has committed.
    pub async fn group_offsets(&self, group_id: &str) -> Result<Vec<GroupOffsetRow>, StorageError> {
        self.read(group_id.to_owned(), |session, group_id| {
            async move {
                let sql = "SELECT group_id, topic_id, partition, committed_offset, leader_epoch, metadata, \
                           committed_at_ms, expires_at_ms FROM group_offsets WHERE group_id = $1 \
                           ORDER BY topic_id, partition";
                session.rows(sql, &[group_id.as_bytes().into()]).await?.iter().map(offset_row).collect()
            }
            .boxed()
        })
        .await
    }
}

/// Forgets a commit, if it is still as it was read. Returns how many went.
pub(super) async fn forget(session: &mut Session<'_>, row: &GroupOffsetRow) -> Result<u64, StorageError> {
    let (topic, number) = tp_values(&row.tp);
    let sql = "DELETE FROM group_offsets WHERE group_id = $1 AND topic_id = $2 AND partition = $3 AND \
               committed_offset = $4 AND committed_at_ms = $5";
    let values = [
        row.group_id.as_bytes().into(),
        topic.as_slice().into(),
        number.into(),
        row.offset.into(),
        row.committed_at_ms.into(),
    ];
    session.execute(sql, &values).await
}

/// Writes commits, sorted by group, no row twice.
pub(super) async fn commit(session: &mut Session<'_>, rows: &[GroupOffsetRow]) -> Result<(), StorageError> {
    let mut last = None;
    for row in rows {
        // Sorted by group: each is asked for once.
        if last.replace(&row.group_id) != Some(&row.group_id) {
            let sql = "INSERT INTO groups (group_id, protocol_type, generation, protocol, leader, members, changed_at_ms) \
                       VALUES ($1, $2, 0, NULL, NULL, $2, $3) ON CONFLICT DO NOTHING";
            let values = [row.group_id.as_bytes().into(), [].as_slice().into(), row.committed_at_ms.into()];
            session.execute(sql, &values).await?;
        }
    }
    let mut rest = rows;
    for (size, sql) in *UPSERTS {
        while let Some((chunk, others)) = rest.split_at_checked(size) {
            put(session, sql, chunk).await?;
            rest = others;
        }
    }
    Ok(())
}

async fn put(session: &mut Session<'_>, sql: &'static str, rows: &[GroupOffsetRow]) -> Result<(), StorageError> {
    let topics: Vec<[u8; 16]> = rows.iter().map(|row| tp_values(&row.tp).0).collect();
    let mut values: Vec<Value<'_>> = Vec::with_capacity(rows.len() * COLUMNS);
    for (row, topic) in rows.iter().zip(&topics) {
        values.extend::<[Value<'_>; COLUMNS]>([
            row.group_id.as_bytes().into(),
            topic.as_slice().into(),
            row.tp.partition.into(),
            row.offset.into(),
            row.leader_epoch.map(|epoch| i64::from(epoch.get())).into(),
            row.metadata.as_bytes().into(),
            row.committed_at_ms.into(),
            row.expires_at_ms.into(),
        ]);
    }
    session.execute(sql, &values).await?;
    Ok(())
}

fn offset_row(row: &Row) -> Result<GroupOffsetRow, StorageError> {
    let epoch = row.maybe_int("leader_epoch")?.map(i32::try_from).transpose();
    Ok(GroupOffsetRow {
        group_id: client_text(row, "group_id")?.unwrap_or_default(),
        tp: row.partition()?,
        offset: row.offset("committed_offset")?,
        leader_epoch: epoch.map_err(|error| unreadable("leader_epoch", error))?.map(LeaderEpoch::new),
        metadata: client_text(row, "metadata")?.unwrap_or_default(),
        committed_at_ms: row.int("committed_at_ms")?,
        expires_at_ms: row.maybe_int("expires_at_ms")?,
    })
}

/// In order of their keys: one statement may write a row only once.
pub(super) fn last_of_each(rows: Vec<GroupOffsetRow>) -> Vec<GroupOffsetRow> {
    let by_key: BTreeMap<_, _> = rows.into_iter().map(|row| ((row.group_id.clone(), row.tp), row)).collect();
    by_key.into_values().collect()
}
