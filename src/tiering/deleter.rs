//! Removing objects: those whose rows say DELETING, and nothing else. A listing is never a reason.
//!
//! ```text
//! DELETING, long enough ago ─▶ the bucket is ours ─▶ floor or deleted topic noted there ─▶ upload ended, object removed
//!                                                              ─▶ found absent ─▶ the bucket is ours ─▶ row gone
//! ```
//!
//! # Consistency
//! Every step can be repeated and does no harm when it is. An object that this process is still writing is left to who
//! writes it. Another bucket that answers in the place of ours lets everything go, and has nothing: so the bucket is asked
//! whose it is before the first of a page goes, and again before the rows of what went do.
//!
//! # Retries
//! A row whose object cannot be removed stays. One that is refused for itself waits longer each time ([`RefusedRemovals`])
//! while the others go on, however many there are; where one after the other fails because bucket or catalog is away, the
//! round ends, and the next begins again.
//!
//! # Cancellation
//! Between two steps.
//!
//! # Crash safety
//! The row goes last, so whatever a crash leaves has a row that says DELETING.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use ulid::Ulid;

use crate::catalog::{SegmentRow, SegmentState, StorageError, TopicRow};
use crate::model::TopicId;
use crate::object_storage::{BucketError, ErrorKind, ObjectKey};

use super::control::ControlFileError;
use super::metrics;
use super::refused_removals::RefusedRemovals;
use super::steps::Step;
use super::tiers::Tiers;

/// Rows that are looked at at once.
const PAGE_ROWS: i64 = 256;
/// After so many failures in a row of a bucket that is away it is left alone until the next round.
const FAILURES_MAX: usize = 16;
/// Objects that are removed side by side.
const SIDE_BY_SIDE: usize = 8;
/// How long the object of a topic that is gone stays for those who still read it.
const GRACE_WITHOUT_TOPIC: Duration = Duration::from_secs(60);

/// What a round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Rows that are gone, their objects being absent.
    pub rows: usize,
    /// Rows that stay although their time has come.
    pub failed: usize,
    /// Rows whose time has not come, or that were refused not long ago.
    pub waiting: usize,
    /// The topics that they were of.
    pub topics: BTreeSet<TopicId>,
}

/// A round under way.
#[derive(Debug, Default)]
struct Round {
    removed: Removed,
    /// Bucket or catalog were away, one time after the other.
    away_in_a_row: usize,
    /// The last that was refused for itself.
    refused: Option<RemoveError>,
    any_new: bool,
    /// Is tried before its time.
    probe: Option<Ulid>,
    /// The bucket is away, or is another one: the rest is left to the next round.
    is_over: bool,
}

impl Round {
    fn failed(&mut self, refused: &RefusedRemovals, id: Ulid, error: RemoveError, now_ms: i64) {
        if error.is_away() {
            self.away_in_a_row += 1;
            if self.away_in_a_row == FAILURES_MAX {
                self.is_over = true;
                tracing::warn!(%error, "objects that may go cannot be removed now: the rest is left to the next round");
            }
            return;
        }
        // Whoever refuses is there.
        self.away_in_a_row = 0;
        self.any_new |= refused.note(id, error.reason(), now_ms);
        self.refused = Some(error);
    }
}

/// An object was not removed.
#[derive(Debug, thiserror::Error)]
enum RemoveError {
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Catalog(#[from] StorageError),
    #[error(transparent)]
    ControlFile(#[from] ControlFileError),
    #[error("'{0}' is still there after it was removed")]
    StillThere(ObjectKey),
    #[error("the row's key is not one: {0}")]
    BadKey(String),
}

impl RemoveError {
    /// Whether no other object would go either, now.
    fn is_away(&self) -> bool {
        match self {
            Self::Bucket(error) | Self::ControlFile(ControlFileError::Bucket(error)) => {
                error.kind().is_retriable() || matches!(error.kind(), ErrorKind::NoBucket | ErrorKind::Full)
            }
            Self::Catalog(_) => true,
            Self::ControlFile(_) | Self::StillThere(_) | Self::BadKey(_) => false,
        }
    }

    /// Why, in a word or two.
    const fn reason(&self) -> &'static str {
        match self {
            Self::Bucket(error) | Self::ControlFile(ControlFileError::Bucket(error)) => error.kind().name(),
            Self::Catalog(_) => "the catalog failed",
            Self::ControlFile(_) => "a control file cannot be written",
            Self::StillThere(_) => "still there",
            Self::BadKey(_) => "not a key",
        }
    }
}

impl Tiers {
    /// One round over the rows that say DELETING.
    pub async fn remove_deleted(self: &Arc<Self>) -> Result<Removed, StorageError> {
        let now_ms = self.clock().now_ms();
        let mut round = Round { probe: self.refused_removals.probe(now_ms), ..Round::default() };
        let mut after = None;
        loop {
            let rows = self.catalog().segments_in_state_after(SegmentState::Deleting, after, PAGE_ROWS).await?;
            let Some(last) = rows.last() else { break };
            after = Some((last.changed_at_ms, last.head.id));
            self.remove_page(rows, now_ms, &mut round).await?;
            if round.is_over {
                break;
            }
        }
        let example = round.refused.map(|error| error.to_string());
        self.refused_removals.tell(example.as_deref(), round.any_new, now_ms);
        Ok(round.removed)
    }

    async fn remove_page(&self, rows: Vec<SegmentRow>, now_ms: i64, round: &mut Round) -> Result<(), StorageError> {
        let may_go = |id: Ulid| round.probe == Some(id) || !self.refused_removals.waits(id, now_ms);
        let (due, later): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| self.is_due(row) && may_go(row.head.id));
        round.removed.waiting += later.len();
        if due.is_empty() || !self.is_ours(due.len(), round).await {
            return Ok(());
        }
        let topics = self.deleted_topics(&due).await?;
        let objects = futures::stream::iter(due.into_iter().map(|row| {
            let topic = topics.get(&row.head.tp.topic_id);
            async move {
                let outcome = self.remove_object(&row, topic).await;
                (row, outcome)
            }
        }));
        let mut objects = objects.buffer_unordered(SIDE_BY_SIDE);
        let mut absent = Vec::new();
        while let Some((row, outcome)) = objects.next().await {
            match outcome {
                Ok(()) => {
                    round.away_in_a_row = 0;
                    absent.push(row);
                }
                Err(error) => self.note_failure(&row, error, now_ms, round),
            }
            if round.is_over {
                break;
            }
        }
        drop(objects);
        if absent.is_empty() {
            // Nobody asks in which bucket the floors of this page lie.
            self.floor_files.forget_all();
            return Ok(());
        }
        if !self.is_ours(absent.len(), round).await {
            return Ok(());
        }
        let rows = futures::stream::iter(absent.into_iter().map(|row| async move {
            let outcome = self.remove_row(&row).await;
            (row, outcome)
        }));
        let mut rows = rows.buffer_unordered(SIDE_BY_SIDE);
        while let Some((row, outcome)) = rows.next().await {
            match outcome {
                Ok(()) => {
                    round.removed.rows += 1;
                    self.refused_removals.note_gone(row.head.id);
                    round.removed.topics.insert(row.head.tp.topic_id);
                    metrics::object_deleted();
                }
                Err(error) => self.note_failure(&row, error, now_ms, round),
            }
            if round.is_over {
                break;
            }
        }
        Ok(())
    }

    /// Those of the rows' topics that are deleted, as the catalog has them now: a round may take long, and a topic may be
    /// deleted meanwhile.
    async fn deleted_topics(&self, rows: &[SegmentRow]) -> Result<HashMap<TopicId, TopicRow>, StorageError> {
        let ids: BTreeSet<TopicId> = rows.iter().map(|row| row.head.tp.topic_id).collect();
        let mut deleted = HashMap::new();
        for id in ids {
            if let Some(topic) = self.catalog().topic(id).await?.filter(|topic| topic.deleted) {
                deleted.insert(id, topic);
            }
        }
        Ok(deleted)
    }

    /// Whether the bucket that answers is the one that this broker started on; if not, the round is over for `rows` of it.
    async fn is_ours(&self, rows: usize, round: &mut Round) -> bool {
        let ours = self.still_ours().await;
        self.refused_removals.tell_elsewhere(ours.as_ref().copied());
        if ours.is_ok() {
            return true;
        }
        round.removed.failed += rows;
        round.is_over = true;
        false
    }

    fn note_failure(&self, row: &SegmentRow, error: RemoveError, now_ms: i64, round: &mut Round) {
        round.removed.failed += 1;
        metrics::deletion_failed();
        tracing::debug!(%error, key = row.head.object_key, "an object cannot be removed yet");
        round.failed(&self.refused_removals, row.head.id, error, now_ms);
    }

    /// Whether a row's time has come: at once for what never was part of the log, else when nobody can read it any more.
    fn is_due(&self, row: &SegmentRow) -> bool {
        if self.is_writing(row.head.id) {
            return false;
        }
        if !was_live(row) {
            return true;
        }
        let grace_ms = match self.member(row.head.tp) {
            Some(member) => {
                let config = member.config();
                config.retention.file_delete_delay_ms.min(config.remote.delete_max_delay_ms)
            }
            None => i64::try_from(GRACE_WITHOUT_TOPIC.min(self.options.orphan_grace).as_millis()).unwrap_or(i64::MAX),
        };
        self.age_ms(row) >= grace_ms
    }

    /// How long ago a row was written or given up.
    pub(super) fn age_ms(&self, row: &SegmentRow) -> i64 {
        self.ages.age_ms(row.head.id, row.changed_at_ms, self.clock())
    }

    async fn remove_object(&self, row: &SegmentRow, deleted: Option<&TopicRow>) -> Result<(), RemoveError> {
        self.note_end(row, deleted).await?;
        self.end_object(row).await
    }

    /// Notes in the bucket that the object is dead, before it goes.
    async fn note_end(&self, row: &SegmentRow, deleted: Option<&TopicRow>) -> Result<(), RemoveError> {
        if let Some(deleted) = deleted {
            self.topic_files.mark_deleted(&self.parts.bucket, deleted).await?;
            return Ok(());
        }
        let Some(partition) = self.catalog().partition(row.head.tp).await? else { return Ok(()) };
        if row.head.end < partition.log_start {
            let (log_start, epoch) = (partition.log_start, partition.leader_epoch);
            self.floor_files.raise(&self.parts.bucket, row.head.tp, log_start, epoch).await?;
            self.options.steps.reached(Step::Floor).await;
        }
        Ok(())
    }

    async fn end_object(&self, row: &SegmentRow) -> Result<(), RemoveError> {
        let key = ObjectKey::parse(&row.head.object_key).map_err(|error| RemoveError::BadKey(error.to_string()))?;
        self.clear_away(&key, row.upload_id.as_deref(), was_live(row)).await?;
        self.options.steps.reached(Step::ObjectGone).await;
        if self.parts.bucket.size(&key).await?.is_some() {
            return Err(RemoveError::StillThere(key));
        }
        Ok(())
    }

    async fn remove_row(&self, row: &SegmentRow) -> Result<(), RemoveError> {
        self.catalog().remove_segment_row(row.head.id).await?;
        self.ages.forget(row.head.id);
        self.damages.note_removed(row.head.id, row.head.object_key.as_str());
        self.options.steps.reached(Step::RowGone).await;
        Ok(())
    }

    /// Ends an upload and removes its object, whichever of the two there is. What never was part of the log may have been
    /// begun by a request whose answer nobody noted: its uploads are looked for by its key.
    pub(super) async fn clear_away(
        &self,
        key: &ObjectKey,
        upload_id: Option<&str>,
        was_live: bool,
    ) -> Result<(), BucketError> {
        let bucket = &self.parts.bucket;
        if let Some(upload_id) = upload_id {
            bucket.abort_upload(key, upload_id).await?;
        }
        if !was_live {
            for upload_id in self.uploads_of(key).await? {
                bucket.abort_upload(key, &upload_id).await?;
            }
        }
        bucket.delete(key).await
    }

    /// None where the bucket does not say: it has told so at the start (`object_storage::self_test`), and its own rule is
    /// all that ends them.
    pub(super) async fn uploads_of(&self, key: &ObjectKey) -> Result<Vec<String>, BucketError> {
        match self.parts.bucket.uploads_of(key).await {
            Err(error) if !error.kind().is_retriable() && error.kind() != ErrorKind::NoBucket => {
                tracing::debug!(%error, %key, "unfinished uploads of an object cannot be listed");
                Ok(Vec::new())
            }
            answer => answer,
        }
    }
}

/// Whether its object was part of the log once: only a whole one has a digest.
fn was_live(row: &SegmentRow) -> bool {
    !row.content.digest.is_empty()
}
