//! One range of offsets on its way into the bucket.
//!
//! ```text
//! topic's control file ─▶ WRITING row ─▶ upload begun ─▶ its id noted ─▶ parts … ─▶ object whole
//!      ─▶ size and footer read again ─▶ LIVE row (fenced, contiguous) ─▶ view
//! any failure ─▶ DELETING row ─▶ upload ended, object removed, found absent ─▶ row gone
//! ```
//!
//! # Overview
//! The range is `[tiered_to, e)`: the next sealed segment, once all of it is decided, on stable storage and below the high
//! watermark. It is encoded on a thread that may block, every row group decoded again and compared before its bytes are
//! given out, and sent as they come: a few row groups and parts are in memory, whatever the size of the range.
//!
//! # Consistency
//! The row is committed before the first byte is sent, and becomes LIVE in a transaction that compares the leader epoch
//! and where the bucket ends. Nothing counts before that, everything after it.
//!
//! # Retries
//! A failed attempt is ended before another begins, under another name and after a longer pause. A commit whose outcome is
//! not known is settled by the transaction that would give the object up: either that finds it WRITING, or the commit has
//! happened.
//!
//! # Cancellation
//! An attempt that is dropped leaves what a crash would leave.
//!
//! # Crash safety
//! Whatever is left is named by a row that says WRITING or DELETING, and swept.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::catalog::{CommitError, FencedError, NewSegmentRow, SegmentContent, SegmentState, StorageError};
use crate::log::{LogError, PartitionLog, TieredTo};
use crate::model::{Offset, TopicPartition};
use crate::object_storage::{BucketError, DataName, ObjectKey, key};

use super::backoff;
use super::cluster_file::BucketRefused;
use super::huge::Turns;
use super::metrics;
use super::parquet::{
    Aborted, FinishedSegment, Footer, Lineage, SegmentHeader, SegmentWriter, WriteError, WriterOptions,
};
use super::steps::Step;
use super::threads::Unfinished;
use super::tiered_log::TieredLog;
use super::tiers::TopicFileError;
use super::upload_state::Attempt;

/// Row groups that may wait between the thread that encodes and the one that sends.
const WAITING_CHUNKS: usize = 2;

/// A range was not uploaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum UploadError {
    #[error("the partition is not led here any more")]
    Retired,
    #[error(transparent)]
    TopicFile(#[from] TopicFileError),
    #[error("the catalog: {0}")]
    Catalog(#[from] StorageError),
    #[error("leader epoch fenced: another broker leads {0}")]
    Fenced(TopicPartition),
    #[error(transparent)]
    Commit(CommitError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    NotOurs(#[from] BucketRefused),
    #[error("the local log cannot be read: {0}")]
    Log(#[from] LogError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the object '{key}' is not in the bucket as it was sent: {reason}")]
    NotAsSent { key: ObjectKey, reason: String },
    #[error("an earlier object '{0}' cannot be removed yet")]
    StillThere(ObjectKey),
    #[error("offsets {from} up to {to} are neither in the bucket nor in the local log")]
    Hole { from: Offset, to: Offset },
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
}

impl From<FencedError> for UploadError {
    fn from(error: FencedError) -> Self {
        match error {
            FencedError::Fenced { tp, .. } => Self::Fenced(tp),
            FencedError::Storage(error) => Self::Catalog(error),
        }
    }
}

impl From<CommitError> for UploadError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Fenced { tp, .. } => Self::Fenced(tp),
            CommitError::Storage(error) => Self::Catalog(error),
            other => Self::Commit(other),
        }
    }
}

impl UploadError {
    /// Whether it is the bucket that takes nothing now: when it takes something, all may try again.
    fn is_of_bucket(&self) -> bool {
        match self {
            Self::Bucket(error) => error.kind().may_pass(),
            Self::TopicFile(error) => error.is_of_bucket(),
            Self::NotOurs(_) => true,
            _ => false,
        }
    }

    /// Whether trying again is no use before somebody has helped: the log's own bytes cannot be read, or cannot be written
    /// as what they are.
    fn needs_help(&self) -> bool {
        match self {
            Self::Log(LogError::Damaged { .. }) => true,
            // A segment that retention has just removed is no bad sector.
            Self::Log(LogError::Io { source, .. }) => source.kind() != std::io::ErrorKind::NotFound,
            Self::Write(error) => matches!(
                error,
                WriteError::Batch { .. }
                    | WriteError::Order { .. }
                    | WriteError::Timestamp { .. }
                    | WriteError::Headers { .. }
                    | WriteError::TooManyRowGroups(_)
            ),
            _ => false,
        }
    }
}

/// What is to be uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing yet.
    Nothing,
    /// These offsets, of that many bytes of log.
    Range { base: Offset, to: Offset, bytes: u64 },
    /// Offsets that should be uploaded are not in the local log any more.
    Hole { from: Offset, to: Offset },
}

/// Where an attempt gets its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The local log.
    Log,
    /// Nowhere: the operator gives the range up.
    Nothing,
}

impl TieredLog {
    /// What is to be uploaded next.
    pub(super) fn next_range(&self) -> Next {
        let TieredTo::Known(tiered_to) = self.view().tiered else { return Next::Nothing };
        let log = &self.log;
        let decided = log.last_stable_offset().min(log.high_watermark()).min(log.stable_end());
        let segments = log.segments();
        match segments.first() {
            Some(first) if first.base > tiered_to => return Next::Hole { from: tiered_to, to: first.base },
            _ => {}
        }
        match segments.iter().find(|segment| segment.end > tiered_to) {
            Some(segment) if segment.sealed && segment.end <= decided => {
                Next::Range { base: tiered_to, to: segment.end, bytes: segment.size_bytes }
            }
            _ => Next::Nothing,
        }
    }

    /// Puts the partition in the queue where there is something to upload and nothing keeps it from that.
    pub fn offer_upload(self: &Arc<Self>) {
        let config = self.config();
        if !config.remote.enabled || config.remote.copy_disabled || self.retired().is_cancelled() {
            return;
        }
        if !self.upload.lock().may_begin(self.tiers.clock().monotonic()) {
            return;
        }
        match self.next_range() {
            Next::Nothing => {}
            Next::Hole { from, to } => {
                let reason = format!("offsets {from} to {to} are neither in the bucket nor in the local log");
                self.stop_uploads(reason);
            }
            Next::Range { .. } => {
                let mut upload = self.upload.lock();
                if !std::mem::replace(&mut upload.queued, true) {
                    drop(upload);
                    self.tiers.uploads.push(Arc::clone(self));
                }
            }
        }
    }

    /// Whether what an attempt did not find is missing for good: what retention removed meanwhile is not looked for again.
    pub(super) fn has_hole(&self, error: &UploadError) -> bool {
        let UploadError::Hole { from, .. } = error else { return false };
        self.log.local_start_offset() <= *from
    }

    fn stop_uploads(&self, reason: String) {
        tracing::error!(
            topic = %self.topic(),
            partition = self.tp().partition,
            reason,
            "uploads of this partition stand still until somebody helps (`tidelog tier skip` gives the range up)"
        );
        self.upload.lock().stop(reason);
    }

    /// Notes that an attempt failed.
    pub(super) fn upload_failed(&self, reason: String, by_bucket: bool) {
        let (now, chance) = (self.tiers.clock().monotonic(), self.tiers.chance());
        self.upload.lock().failed(reason, by_bucket, now, |failures| backoff::pause(failures, chance));
        if by_bucket {
            self.tiers.note_bucket_failed();
        }
    }

    /// One attempt at the next range, and what follows from how it ends. By whoever has taken the partition out of the
    /// queue.
    pub(super) async fn upload_next(self: &Arc<Self>) {
        let Next::Range { base, .. } = self.next_range() else { return };
        let began = self.tiers.clock().monotonic();
        metrics::copy_began();
        match self.upload_what_is_next().await {
            Ok(uploaded) => {
                self.upload.lock().succeeded();
                if uploaded.is_some() {
                    self.tiers.bucket_took_something();
                }
                if let Some(Uploaded { log_bytes, object_bytes }) = uploaded {
                    metrics::copied(log_bytes, object_bytes, self.tiers.clock().monotonic().saturating_sub(began));
                }
            }
            Err(UploadError::Retired | UploadError::Fenced(_)) => {
                tracing::info!(topic = %self.topic(), partition = self.tp().partition, "uploads end: not led here any more");
                self.retire();
            }
            Err(error) => {
                metrics::copy_failed();
                tracing::warn!(
                    %error, topic = %self.topic(), partition = self.tp().partition, base = base.get(), "an upload failed"
                );
                if error.needs_help() || self.has_hole(&error) {
                    self.stop_uploads(error.to_string());
                }
                self.upload_failed(error.to_string(), error.is_of_bucket());
            }
        }
    }

    /// Ends what has failed before, then uploads what comes next.
    async fn upload_what_is_next(self: &Arc<Self>) -> Result<Option<Uploaded>, UploadError> {
        self.end_unfinished().await?;
        // Looked at only now: what seemed to have failed may be part of the log.
        let Next::Range { base, to, bytes: log_bytes } = self.next_range() else { return Ok(None) };
        let uploaded = self.upload_range(base..to, Content::Log).await;
        self.tiers.uploads.spent(log_bytes);
        Ok(Some(Uploaded { log_bytes, object_bytes: uploaded? }))
    }

    /// Ends what has failed before, if anything; whoever asks has to look again where the bucket ends.
    pub(super) async fn end_unfinished(&self) -> Result<(), UploadError> {
        let unfinished = self.upload.lock().unfinished.clone();
        match unfinished {
            Some(attempt) => self.end_attempt(&attempt).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Uploads a range, nothing being unfinished; returns the size of its object. If it fails it is ended.
    #[tracing::instrument(
        name = "upload", level = "debug", skip_all,
        fields(topic = %self.topic(), partition = self.tp().partition, base = range.start.get(), to = range.end.get())
    )]
    pub(super) async fn upload_range(
        self: &Arc<Self>,
        range: Range<Offset>,
        content: Content,
    ) -> Result<u64, UploadError> {
        self.tiers.still_ours().await?;
        self.tiers.need_topic_file(self.tp().topic_id).await?;
        self.tiers.options.steps.reached(Step::TopicFile).await;
        let row = self.name_object(&range);
        let _writing = self.tiers.writing(row.id);
        self.upload.lock().current = Some(row.id);
        let mut attempt = Attempt {
            id: row.id,
            key: ObjectKey::parse(&row.object_key).expect("a key that was just spelled"),
            upload_id: None,
        };
        let outcome = tokio::select! {
            biased;
            () = self.retired().cancelled() => Err(UploadError::Retired),
            outcome = self.attempt(&row, &mut attempt, content) => outcome,
        };
        let settled = match outcome {
            Ok(object_bytes) => Ok(object_bytes),
            Err(error) => self.settle(&attempt, error).await,
        };
        self.upload.lock().current = None;
        settled
    }

    fn name_object(&self, range: &Range<Offset>) -> NewSegmentRow {
        let (tp, epoch, id) = (self.tp(), self.leader_epoch(), self.tiers.new_id());
        let (base, end) = (range.start, range.end.prev());
        let name = DataName {
            topic: self.topic().clone(),
            partition: tp,
            base_offset: base,
            end_offset: end,
            leader_epoch: epoch,
            generation: 0,
            ulid: id,
        };
        let cluster = &self.tiers.parts.cluster;
        NewSegmentRow {
            id,
            tp,
            base,
            end,
            leader_epoch: epoch,
            generation: 0,
            object_key: key::data(&name).to_string(),
            incarnation: cluster.incarnation,
            start_number: cluster.start_number,
        }
    }

    async fn attempt(&self, row: &NewSegmentRow, attempt: &mut Attempt, content: Content) -> Result<u64, UploadError> {
        let (catalog, bucket, steps) = (self.tiers.catalog(), self.tiers.bucket(), &self.tiers.options.steps);
        catalog.insert_writing(row.clone()).await?;
        steps.reached(Step::WritingRow).await;
        let mut upload = bucket.begin_upload(&attempt.key).await?;
        attempt.upload_id = upload.upload_id();
        steps.reached(Step::UploadBegun).await;
        if let Some(upload_id) = &attempt.upload_id {
            catalog.set_upload_id(row.id, upload_id).await?;
        }
        steps.reached(Step::UploadNoted).await;

        let (chunks, mut encoded) = mpsc::channel::<Bytes>(WAITING_CHUNKS);
        let job = Job::new(self, row, content).await?;
        let encoding = self.tiers.threads.spawn_blocking(move || job.run(&chunks));
        let mut sent = Ok(());
        while let Some(chunk) = encoded.recv().await {
            sent = upload.write(chunk).await;
            if sent.is_err() {
                break;
            }
        }
        // The thread sees that nobody takes its bytes any more.
        drop(encoded);
        let finished = encoding.await.map_err(Unfinished::from)?;
        sent?;
        let finished = finished?;
        let uploaded = upload.finish().await?;
        steps.reached(Step::Uploaded).await;
        if uploaded.size_bytes != finished.object_size_bytes {
            let reason = format!("{} of {} bytes were sent", uploaded.size_bytes, finished.object_size_bytes);
            return Err(UploadError::NotAsSent { key: attempt.key.clone(), reason });
        }
        // First whose bucket it is, then what it has: an object that lies in another bucket is not found in ours.
        self.tiers.still_ours().await?;
        self.reread(&attempt.key, &finished).await?;
        steps.reached(Step::Reread).await;
        self.commit(row.clone(), content_of(&finished)).await?;
        tracing::info!(
            topic = %self.topic(),
            partition = row.tp.partition,
            base = row.base.get(),
            end = row.end.get(),
            records = finished.record_count,
            log_bytes = finished.log_size_bytes,
            object_bytes = finished.object_size_bytes,
            "segment uploaded"
        );
        Ok(finished.object_size_bytes)
    }

    /// Asks the bucket what it has: the size, and a footer that says what was written.
    async fn reread(&self, key: &ObjectKey, finished: &FinishedSegment) -> Result<(), UploadError> {
        let wrong = |reason: String| UploadError::NotAsSent { key: key.clone(), reason };
        let bucket = self.tiers.bucket();
        match bucket.size(key).await? {
            None => return Err(wrong("it is not there".to_owned())),
            Some(size) if size != finished.object_size_bytes => {
                return Err(wrong(format!("it has {size} of {} bytes", finished.object_size_bytes)));
            }
            Some(_) => {}
        }
        let size = finished.object_size_bytes;
        let from = size.saturating_sub(u64::from(finished.index.footer_bytes));
        let tail = bucket.read_back(key, from..size).await?;
        let footer = Footer::parse(size, &tail).map_err(|error| wrong(error.to_string()))?;
        let same = footer.header() == finished.footer.header()
            && footer.digest() == finished.digest
            && footer.index() == finished.index;
        if same { Ok(()) } else { Err(wrong("its footer is another one".to_owned())) }
    }

    /// A failed attempt is ended, unless it turns out that its commit has happened.
    async fn settle(&self, attempt: &Attempt, error: UploadError) -> Result<u64, UploadError> {
        if matches!(error, UploadError::Retired | UploadError::Fenced(_)) {
            // Whoever leads now sweeps it.
            return Err(error);
        }
        match self.end_attempt(attempt).await {
            Ok(Ending::Live { object_bytes }) => Ok(object_bytes),
            Ok(Ending::Gone) => Err(error),
            Err(ending) => {
                tracing::debug!(%ending, key = %attempt.key, "a failed upload is ended later");
                self.upload.lock().unfinished = Some(attempt.clone());
                Err(error)
            }
        }
    }

    /// Gives an object up, removes what was sent of it and then its row.
    async fn end_attempt(&self, attempt: &Attempt) -> Result<Ending, UploadError> {
        let (catalog, steps) = (self.tiers.catalog(), &self.tiers.options.steps);
        let given_up = catalog.mark_deleting(attempt.id, self.tp(), self.leader_epoch()).await?;
        if !given_up {
            match catalog.segment(attempt.id).await? {
                None => {
                    self.upload.lock().unfinished = None;
                    return Ok(Ending::Gone);
                }
                Some(row) if row.state == SegmentState::Live => {
                    if let Some(known) = catalog.partition(self.tp()).await? {
                        self.publish_live(attempt.id, &known).await;
                    }
                    self.upload.lock().unfinished = None;
                    return Ok(Ending::Live { object_bytes: row.content.object_size_bytes });
                }
                Some(_) => {}
            }
        }
        steps.reached(Step::GivenUp).await;
        self.tiers.clear_away(&attempt.key, attempt.upload_id.as_deref()).await?;
        if self.tiers.bucket().size(&attempt.key).await?.is_some() {
            return Err(UploadError::StillThere(attempt.key.clone()));
        }
        steps.reached(Step::Ended).await;
        catalog.remove_segment_row(attempt.id).await?;
        self.upload.lock().unfinished = None;
        Ok(Ending::Gone)
    }
}

/// What was uploaded.
struct Uploaded {
    log_bytes: u64,
    object_bytes: u64,
}

/// How an attempt was ended.
enum Ending {
    /// Nothing is left of it.
    Gone,
    /// It is part of the log.
    Live { object_bytes: u64 },
}

fn content_of(finished: &FinishedSegment) -> SegmentContent {
    SegmentContent {
        object_size_bytes: finished.object_size_bytes,
        log_size_bytes: finished.log_size_bytes,
        record_count: finished.record_count,
        min_timestamp_ms: finished.min_timestamp_ms,
        max_timestamp_ms: finished.max_timestamp_ms,
        row_groups: finished.index.encode(),
        digest: finished.digest.as_bytes().to_vec(),
    }
}

/// Encoding of one range, for a thread that may block.
struct Job {
    log: Arc<PartitionLog>,
    range: Range<Offset>,
    header: SegmentHeader,
    options: WriterOptions,
    content: Content,
    now_ms: i64,
    turns: Turns,
}

impl Job {
    async fn new(log: &TieredLog, row: &NewSegmentRow, content: Content) -> Result<Self, UploadError> {
        let before = log.tiers.catalog().last_segment(row.tp).await?;
        let predecessor_digest = before.and_then(|before| super::digest::Digest::from_bytes(&before.content.digest));
        let header = SegmentHeader {
            topic_name: log.topic().clone(),
            topic_id: row.tp.topic_id,
            partition: row.tp.partition,
            base_offset: row.base,
            end_offset: row.end,
            lineage: Lineage { predecessor_digest, ..Lineage::default() },
        };
        let options = WriterOptions { zstd_level: log.config().remote.parquet_zstd_level, ..WriterOptions::default() };
        Ok(Self {
            log: Arc::clone(&log.log),
            range: row.base..row.end.next(),
            header,
            options,
            content,
            now_ms: log.tiers.clock().now_ms(),
            turns: log.tiers.reader.huge.turns.clone(),
        })
    }

    /// Reads, encodes, verifies, and hands over bytes as they are ready.
    fn run(self, chunks: &mpsc::Sender<Bytes>) -> Result<FinishedSegment, UploadError> {
        let Range { start, end } = self.range;
        let (aborted, producers) = match self.content {
            Content::Nothing => (Aborted::default(), Vec::new()),
            Content::Log => {
                let aborted = self.log.aborted_transactions(start, end)?;
                let aborted = aborted.iter().map(|one| (one.producer_id, one.first_offset, one.last_offset)).collect();
                (aborted, self.log.producer_snapshot_at(end, self.now_ms)?)
            }
        };
        let mut writer = SegmentWriter::new(self.header, aborted, &self.options)?.taking_turns(self.turns);
        if self.content == Content::Log {
            let mut batches = self.log.batches_from(start, end);
            let mut next = start;
            while let Some(batch) = batches.next()? {
                if batch.header().base_offset > next {
                    return Err(UploadError::Hole { from: next, to: batch.header().base_offset });
                }
                next = batch.header().next_offset();
                writer.push(&batch)?;
                hand_over(chunks, writer.take())?;
            }
            if next < end {
                return Err(UploadError::Hole { from: next, to: end });
            }
        }
        let mut finished = writer.finish(&producers)?;
        hand_over(chunks, std::mem::take(&mut finished.rest))?;
        Ok(finished)
    }
}

fn hand_over(chunks: &mpsc::Sender<Bytes>, ready: Vec<Bytes>) -> Result<(), UploadError> {
    for chunk in ready {
        chunks.blocking_send(chunk).map_err(|_| Unfinished::of("the upload was given up"))?;
    }
    Ok(())
}
