//! Offsets whose time is over, and groups of which nothing is left.
//!
//! # Consistency
//! The catalog names the groups that may be concerned; each is then asked itself, in memory. What a member commits
//! meanwhile stays.
//!
//! # Retries
//! Whatever could not be forgotten comes up again with the next run.

use super::coordinator_of_groups::Coordinator;
use super::group::GroupError;
use super::group_event::{Absent, GroupEvent};
use super::metrics;
use super::resident::{Owner, PendingDelete, PendingForget};
use crate::catalog::{Expiry, StorageError};
use crate::model::TopicId;

/// Groups that are asked for at once.
const PAGE: i64 = 500;

impl Coordinator {
    /// Forgets offsets whose time is over and groups without anything. To be called every
    /// `offsets.retention.check.interval.ms`.
    pub async fn expire(&self) {
        self.forget_unstored();
        if let Err(error) = self.expire_stored().await {
            tracing::warn!(%error, "expired offsets cannot be looked for");
        }
    }

    async fn expire_stored(&self) -> Result<(), StorageError> {
        let now_ms = self.now().unix_ms;
        let expiry = Expiry { now_ms, before_ms: now_ms.saturating_sub(self.settings.offsets_retention_ms) };
        let mut after: Option<String> = None;
        let mut offsets = 0;
        loop {
            let page = self.catalog.aged_groups(expiry, after.as_deref(), PAGE).await?;
            for group_id in &page {
                match self.turn(group_id, Absent::Leave, forget_expired).await {
                    Ok(expired) => offsets += expired.unwrap_or(0),
                    Err(GroupError::CoordinatorNotAvailable) => {}
                    Err(error) => tracing::warn!(%error, group = group_id, "offsets cannot be expired"),
                }
            }
            let Some(last) = page.into_iter().last() else { break };
            after = Some(last);
        }
        if offsets > 0 {
            metrics::offsets_expired(offsets);
            tracing::info!(offsets, "offsets of groups without members expired");
        }
        Ok(())
    }

    /// Groups that were joined, left again and never stored.
    fn forget_unstored(&self) {
        for resident in self.residents.all() {
            let mut owner = resident.owner.lock();
            if resident.loaded.initialized() && !owner.is_stored && owner.is_idle() && owner.group.is_forgettable() {
                self.let_go(&resident, &mut owner);
            }
        }
    }

    /// A topic is gone, and in the catalog all that groups have committed of it.
    pub async fn topic_deleted(&self, topic_id: TopicId) {
        for (looked_at, resident) in self.residents.all().into_iter().enumerate() {
            {
                let mut owner = resident.owner.lock();
                let partitions = owner.group.partitions_of(topic_id);
                owner.group.offsets_deleted(&partitions);
                self.residents.count(&mut owner);
            }
            if looked_at % 1024 == 1023 {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Begins to forget what is over. Returns how many offsets that are.
fn forget_expired(turn: &mut GroupEvent<'_>) -> usize {
    let Owner { group, outbox, is_writing, .. } = &mut *turn.owner;
    if group.has_commits_on_their_way() {
        return 0;
    }
    let expired = group.expired_offsets(turn.now);
    let count = expired.len();
    if count > 0 {
        tracing::debug!(group = group.group_id(), offsets = count, "offsets expired");
    }
    let nothing_is_left = group.is_at_rest() && group.all_offsets().len() == count;
    if nothing_is_left && outbox.is_empty() && !*is_writing && group.begin_delete().is_ok() {
        outbox.delete = Some(PendingDelete { reply: None });
        return count;
    }
    let offsets: Vec<_> = expired
        .into_iter()
        .filter_map(|partition| group.offset_of(&partition).cloned().map(|offset| (partition, offset)))
        .collect();
    if !offsets.is_empty() {
        outbox.forgets.push(PendingForget { offsets, reply: None });
    }
    count
}
