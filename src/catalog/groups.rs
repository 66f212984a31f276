//! Table `groups`: consumer groups as their coordinator last left them.
//!
//! # Consistency
//! Two writes of one group that overlap in time may be committed in either order: its coordinator waits for the first.

use futures::FutureExt as _;

use super::catalog::Catalog;
use super::session::{Row, Session, unreadable};
use super::storage_error::StorageError;

/// A group, its offsets left aside.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct GroupRow {
    /// Its id.
    pub group_id: String,
    /// `consumer`, `connect`, …; empty for a group that only commits.
    pub protocol_type: String,
    /// Rises with every rebalance.
    pub generation: i32,
    /// The protocol that was agreed on.
    pub protocol: Option<String>,
    /// The member that assigns.
    pub leader: Option<String>,
    /// As the coordinator writes them.
    pub members: Vec<u8>,
    /// When it took its state, in milliseconds.
    pub changed_at_ms: i64,
}

const COLUMNS: &str = "SELECT group_id, protocol_type, generation, protocol, leader, members, changed_at_ms FROM groups \
                       WHERE $1 IS NULL OR group_id > $1 ORDER BY group_id LIMIT $2";
const ONE: &str = "SELECT group_id, protocol_type, generation, protocol, leader, members, changed_at_ms FROM groups \
                   WHERE group_id = $1";

impl Catalog {
    /// Up to `limit` groups, those with ids above `after`, in order of their bytes.
    pub async fn groups(&self, after: Option<&str>, limit: i64) -> Result<Vec<GroupRow>, StorageError> {
        self.read((after.map(str::to_owned), limit), |session, (after, limit)| {
            async move {
                let values = [after.as_deref().map(str::as_bytes).into(), (*limit).into()];
                session.rows(COLUMNS, &values).await?.iter().map(group_row).collect()
            }
            .boxed()
        })
        .await
    }

    /// One group.
    pub async fn group(&self, group_id: &str) -> Result<Option<GroupRow>, StorageError> {
        self.read(group_id.to_owned(), |session, group_id| {
            async move { session.row(ONE, &[group_id.as_bytes().into()]).await?.map(|row| group_row(&row)).transpose() }
                .boxed()
        })
        .await
    }
}

pub(super) async fn delete(session: &mut Session<'_>, group_id: &str) -> Result<bool, StorageError> {
    let id = [group_id.as_bytes().into()];
    session.execute("DELETE FROM group_offsets WHERE group_id = $1", &id).await?;
    Ok(session.execute("DELETE FROM groups WHERE group_id = $1", &id).await? > 0)
}

pub(super) async fn save(session: &mut Session<'_>, group: &GroupRow) -> Result<(), StorageError> {
    let sql = "INSERT INTO groups (group_id, protocol_type, generation, protocol, leader, members, changed_at_ms) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (group_id) DO UPDATE SET \
               protocol_type = excluded.protocol_type, generation = excluded.generation, protocol = excluded.protocol, \
               leader = excluded.leader, members = excluded.members, changed_at_ms = excluded.changed_at_ms";
    let values = [
        group.group_id.as_bytes().into(),
        group.protocol_type.as_bytes().into(),
        group.generation.into(),
        group.protocol.as_deref().map(str::as_bytes).into(),
        group.leader.as_deref().map(str::as_bytes).into(),
        group.members.as_slice().into(),
        group.changed_at_ms.into(),
    ];
    session.execute(sql, &values).await?;
    Ok(())
}

pub(super) fn group_row(row: &Row) -> Result<GroupRow, StorageError> {
    Ok(GroupRow {
        group_id: client_text(row, "group_id")?.unwrap_or_default(),
        protocol_type: client_text(row, "protocol_type")?.unwrap_or_default(),
        generation: row.small("generation")?,
        protocol: client_text(row, "protocol")?,
        leader: client_text(row, "leader")?,
        members: row.bytes("members")?,
        changed_at_ms: row.int("changed_at_ms")?,
    })
}

/// A text that a client chose, which is stored as bytes.
pub(super) fn client_text(row: &Row, column: &'static str) -> Result<Option<String>, StorageError> {
    row.maybe_bytes(column)?
        .map(|bytes| String::from_utf8(bytes).map_err(|error| unreadable(column, error)))
        .transpose()
}
