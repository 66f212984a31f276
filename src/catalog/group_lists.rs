//! Tables `groups` and `group_offsets`: which groups there are, by pages in order of their ids.

use futures::FutureExt as _;

use super::catalog::Catalog;
use super::groups::{GroupRow, client_text, group_row};
use super::session::Row;
use super::storage_error::StorageError;

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupHead {
    /// Its id.
    pub group_id: String,
    /// `consumer`, `connect`, …; empty for a group that only commits.
    pub protocol_type: String,
    /// Whether it had members when it was last saved.
    pub has_members: bool,
}

/// Whose offsets may have expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Now, in milliseconds: what named an end before it may have expired.
    pub now_ms: i64,
    /// What is not younger may have expired.
    pub before_ms: i64,
}

const HEADS: &str = "SELECT group_id, protocol_type, CAST(length(members) AS BIGINT) AS members_bytes FROM groups \
                     WHERE $1 IS NULL OR group_id > $1 ORDER BY group_id LIMIT $2";
const PEOPLED: &str = "SELECT group_id, protocol_type, generation, protocol, leader, members, changed_at_ms FROM groups \
                       WHERE length(members) > 0 AND ($1 IS NULL OR group_id > $1) ORDER BY group_id LIMIT $2";
const AGED: &str = "SELECT g.group_id FROM groups g WHERE length(g.members) = 0 AND ($1 IS NULL OR g.group_id > $1) \
                    AND (NOT EXISTS (SELECT 1 FROM group_offsets o WHERE o.group_id = g.group_id) \
                    OR EXISTS (SELECT 1 FROM group_offsets o WHERE o.group_id = g.group_id \
                    AND (o.expires_at_ms <= $3 OR o.committed_at_ms <= $4 OR g.changed_at_ms <= $4))) \
                    ORDER BY g.group_id LIMIT $2";

impl Catalog {
    /// Up to `limit` groups, those with ids above `after`.
    pub async fn group_heads(&self, after: Option<&str>, limit: i64) -> Result<Vec<GroupHead>, StorageError> {
        self.read((after.map(str::to_owned), limit), |session, (after, limit)| {
            async move {
                let values = [after.as_deref().map(str::as_bytes).into(), (*limit).into()];
                session.rows(HEADS, &values).await?.iter().map(head).collect()
            }
            .boxed()
        })
        .await
    }

    /// Up to `limit` groups that had members when they were last saved, those with ids above `after`.
    pub async fn peopled_groups(&self, after: Option<&str>, limit: i64) -> Result<Vec<GroupRow>, StorageError> {
        self.read((after.map(str::to_owned), limit), |session, (after, limit)| {
            async move {
                let values = [after.as_deref().map(str::as_bytes).into(), (*limit).into()];
                session.rows(PEOPLED, &values).await?.iter().map(group_row).collect()
            }
            .boxed()
        })
        .await
    }

    /// Ids of up to `limit` groups above `after` that had no members and have either no offsets or some that may have
    /// expired.
    pub async fn aged_groups(
        &self,
        expiry: Expiry,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<String>, StorageError> {
        self.read((expiry, after.map(str::to_owned), limit), |session, (expiry, after, limit)| {
            async move {
                let values = [
                    after.as_deref().map(str::as_bytes).into(),
                    (*limit).into(),
                    expiry.now_ms.into(),
                    expiry.before_ms.into(),
                ];
                let rows = session.rows(AGED, &values).await?;
                rows.iter().map(|row| Ok(client_text(row, "group_id")?.unwrap_or_default())).collect()
            }
            .boxed()
        })
        .await
    }
}

fn head(row: &Row) -> Result<GroupHead, StorageError> {
    Ok(GroupHead {
        group_id: client_text(row, "group_id")?.unwrap_or_default(),
        protocol_type: client_text(row, "protocol_type")?.unwrap_or_default(),
        has_members: row.int("members_bytes")? > 0,
    })
}
