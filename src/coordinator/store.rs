//! Writing: whatever the groups have to write goes to the catalog, many groups in one transaction, by one loop.
//!
//! ```text
//!  outboxes ─▶ line ─▶ batch ─▶ catalog ─▶ told to the groups ─▶ answers
//!     ▲                                           │
//!     └──────── what came meanwhile ◀─────────────┘
//! ```
//!
//! # Consistency
//! One batch is written at a time, and a group is in it with all that it had to write: its writes are stored in the order
//! in which they were decided, and its memory follows in the same order. What is in memory is in the catalog, and what a
//! committer was told is in both.
//!
//! # Crash safety
//! Whoever was answered finds its write after a crash.
//!
//! # Retries
//! A write that failed is told as failed, and nothing of it counts. One whose end is not known is told as failed too, and
//! repeated until it is known: the memory must not differ from the catalog.
//!
//! # Cancellation
//! A batch that is dropped half way counts as failed. The loop ends once the coordinator is closed and nothing is left.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::coordinator_of_groups::Coordinator;
use super::group::{Effects, GroupError};
use super::resident::{Outbox, Owner, Resident};
use super::{metrics, stored};
use crate::catalog::{Catalog, GroupBatch, StorageError};

/// Rows of a transaction at which no further group is taken along: bounds how long the first of them waits.
const BATCH_ROWS_MAX: usize = 5_000;
/// The first pause before a write whose end is not known is repeated.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What writes batches.
pub trait GroupWriter: Debug + Send + Sync {
    /// Writes a batch, all of it or nothing.
    fn write(&self, batch: GroupBatch) -> BoxFuture<'_, Result<(), StorageError>>;
}

impl GroupWriter for Catalog {
    fn write(&self, batch: GroupBatch) -> BoxFuture<'_, Result<(), StorageError>> {
        self.write_groups(batch).boxed()
    }
}

/// Groups that have something to write, in the order in which they got it.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: Mutex<VecDeque<Arc<Resident>>>,
    news: Notify,
}

impl Line {
    /// At the end.
    pub(super) fn push(&self, resident: Arc<Resident>) {
        self.waiting.lock().push_back(resident);
        self.news.notify_one();
    }

    fn is_empty(&self) -> bool {
        self.waiting.lock().is_empty()
    }

    fn pop(&self) -> Option<Arc<Resident>> {
        self.waiting.lock().pop_front()
    }
}

/// What is being written.
struct Batch<'a> {
    coordinator: &'a Coordinator,
    parts: Vec<(Arc<Resident>, Outbox)>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for (resident, outbox) in self.parts.drain(..) {
            self.coordinator.conclude(&resident, outbox, false);
        }
    }
}

impl Coordinator {
    /// Writes what the groups have to write, until the coordinator is closed and nothing is left.
    pub async fn keep_stored(&self) {
        loop {
            let batch = self.next_batch();
            if !batch.parts.is_empty() {
                self.write_out(batch).await;
                continue;
            }
            if self.closed.is_cancelled() && self.line.is_empty() {
                return;
            }
            tokio::select! {
                () = self.line.news.notified() => {}
                () = self.closed.cancelled() => {}
            }
        }
    }

    fn next_batch(&self) -> Batch<'_> {
        let mut batch = Batch { coordinator: self, parts: Vec::new() };
        let mut rows = 0;
        while rows < BATCH_ROWS_MAX {
            let Some(resident) = self.line.pop() else { break };
            let outbox = {
                let mut owner = resident.owner.lock();
                owner.is_queued = false;
                owner.is_writing = true;
                std::mem::take(&mut owner.outbox)
            };
            rows += outbox.rows();
            batch.parts.push((resident, outbox));
        }
        batch
    }

    async fn write_out(&self, mut batch: Batch<'_>) {
        let changes = changes_of(&batch.parts);
        let mut pause = PAUSE_MIN;
        let mut may_be_stored = false;
        loop {
            let error = match self.writer.write(changes.clone()).await {
                Ok(()) => {
                    metrics::stored(batch.parts.len(), changes.committed.len());
                    for (resident, outbox) in batch.parts.drain(..) {
                        self.conclude(&resident, outbox, true);
                    }
                    return;
                }
                Err(error) => error,
            };
            metrics::store_failed();
            tracing::error!(%error, groups = batch.parts.len(), "groups cannot be stored");
            may_be_stored |= matches!(error, StorageError::OutcomeUnknown(_));
            if !may_be_stored {
                return;
            }
            for (resident, outbox) in &mut batch.parts {
                self.tell_failed(resident, outbox);
            }
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                () = self.closing.cancelled() => return,
            }
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    /// Nobody waits for a write whose end is not known.
    fn tell_failed(&self, resident: &Arc<Resident>, outbox: &mut Outbox) {
        let failed = Err(GroupError::CoordinatorNotAvailable);
        for commit in &mut outbox.commits {
            commit.reply.take().map(|reply| reply.send(Err(GroupError::CoordinatorNotAvailable)));
        }
        for forget in &mut outbox.forgets {
            forget.reply.take().map(|reply| reply.send(failed));
        }
        if let Some(delete) = &mut outbox.delete {
            delete.reply.take().map(|reply| reply.send(failed));
        }
        if let Some(save) = outbox.save.take() {
            let mut owner = resident.owner.lock();
            owner.is_unsaved = true;
            let mut effects = Effects::default();
            owner.group.saved(save.id, false, self.now(), &mut effects);
            self.settle(resident, &mut owner, effects);
        }
    }

    /// The group learns how its write ended, and whoever waited for it.
    fn conclude(&self, resident: &Arc<Resident>, outbox: Outbox, stored: bool) {
        let mut owner = resident.owner.lock();
        owner.is_writing = false;
        owner.is_stored |= stored;
        let mut effects = Effects::default();
        if let Some(save) = &outbox.save {
            owner.is_unsaved = !stored;
            owner.group.saved(save.id, stored, self.now(), &mut effects);
        }
        let failed = GroupError::CoordinatorNotAvailable;
        for commit in outbox.commits {
            self.commits_pending.fetch_sub(1, Ordering::Relaxed);
            owner.group.committed(commit.offsets, stored);
            let reply = if stored { Ok(commit.outcomes) } else { Err(failed) };
            commit.reply.map(|waiting| waiting.send(reply));
        }
        for forget in outbox.forgets {
            if stored {
                forget_unchanged(&mut owner, &forget.offsets);
            }
            forget.reply.map(|waiting| waiting.send(if stored { Ok(()) } else { Err(failed) }));
        }
        if let Some(delete) = outbox.delete {
            let is_asked_for = delete.reply.is_some();
            delete.reply.map(|waiting| waiting.send(if stored { Ok(()) } else { Err(failed) }));
            if stored {
                if is_asked_for {
                    tracing::info!(group = resident.group_id, "group deleted");
                }
                self.let_go(resident, &mut owner);
                return;
            }
            owner.group.delete_failed();
        }
        self.settle(resident, &mut owner, effects);
    }
}

/// What was committed again meanwhile stays, in memory as in the catalog.
fn forget_unchanged(owner: &mut Owner, offsets: &[(crate::model::TopicPartition, super::group::CommittedOffset)]) {
    for (partition, old) in offsets {
        let is_same = owner
            .group
            .offset_of(partition)
            .is_some_and(|now| now.offset == old.offset && now.committed_at_ms == old.committed_at_ms);
        if is_same {
            owner.group.offsets_deleted(&[*partition]);
        }
    }
}

fn changes_of(parts: &[(Arc<Resident>, Outbox)]) -> GroupBatch {
    let mut changes = GroupBatch::default();
    for (resident, outbox) in parts {
        let group_id = &resident.group_id;
        changes.saved.extend(outbox.save.as_ref().map(|save| stored::row_of(&save.record)));
        for commit in &outbox.commits {
            changes.committed.extend(commit.offsets.iter().map(|offset| stored::offset_row_of(group_id, offset)));
        }
        for forget in &outbox.forgets {
            changes.forgotten.extend(forget.offsets.iter().map(|offset| stored::offset_row_of(group_id, offset)));
        }
        changes.deleted.extend(outbox.delete.as_ref().map(|_| group_id.clone()));
    }
    changes
}
