//! Which groups there are, and what one looks like.
//!
//! # Consistency
//! Groups in memory are seen as they are now, the others as the catalog has them: those are at rest.

use std::collections::BTreeMap;

use super::coordinator_of_groups::Coordinator;
use super::group::{GroupDescription, GroupError, GroupState, ListedGroup};
use super::group_event::Absent;
use crate::catalog::{GroupHead, StorageError};

/// Groups that are read at once.
const PAGE: i64 = 1_000;

impl Coordinator {
    /// Every group, by name.
    pub async fn list(&self) -> Result<Vec<ListedGroup>, GroupError> {
        if self.closing.is_cancelled() {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        let stored = self.stored_heads().await.map_err(|error| {
            tracing::error!(%error, "groups cannot be listed");
            GroupError::CoordinatorNotAvailable
        })?;
        let mut groups: BTreeMap<String, ListedGroup> =
            stored.into_iter().map(|head| (head.group_id.clone(), listed(head))).collect();
        for resident in self.residents.all() {
            let owner = resident.owner.lock();
            if owner.exists && !owner.is_gone {
                groups.insert(resident.group_id.clone(), owner.group.listed());
            }
        }
        groups.retain(|_, group| group.state != GroupState::Dead);
        Ok(groups.into_values().collect())
    }

    async fn stored_heads(&self) -> Result<Vec<GroupHead>, StorageError> {
        let mut heads: Vec<GroupHead> = Vec::new();
        loop {
            let page = self.catalog.group_heads(heads.last().map(|head| head.group_id.as_str()), PAGE).await?;
            let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            heads.extend(page);
            if is_last {
                return Ok(heads);
            }
        }
    }

    /// A group in detail. `None`: there is none.
    pub async fn describe(&self, group_id: &str) -> Result<Option<GroupDescription>, GroupError> {
        let described = self.turn(group_id, Absent::Leave, |turn| turn.owner.group.describe()).await?;
        Ok(described.filter(|group| group.state != GroupState::Dead))
    }
}

/// As it is in the catalog: with members it is at work, even where those do not fit in memory.
fn listed(head: GroupHead) -> ListedGroup {
    ListedGroup {
        group_id: head.group_id,
        protocol_type: head.protocol_type,
        state: if head.has_members { GroupState::Stable } else { GroupState::Empty },
        group_type: "classic",
    }
}
