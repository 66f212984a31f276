//! One range of offsets on its way into the bucket: one attempt, and how it ends.
//!
//! ```text
//! topic's control file ─▶ WRITING row ─▶ upload begun ─▶ its id noted ─▶ parts … ─▶ object whole
//!      ─▶ size and footer read again ─▶ LIVE row (fenced, contiguous) ─▶ view
//! any failure ─▶ DELETING row ─▶ upload ended, object removed, found absent ─▶ row gone
//! ```
//!
//! # Overview
//! Which range it is, and when, is chosen in `upload_choice`. Its bytes come from an [`EncodingJob`] on a thread that may
//! block and are sent as they come: a few row groups and parts are in memory, whatever the size of the range.
//!
//! # Consistency
//! The row is committed before the first byte is sent, and becomes LIVE in a transaction that compares the leader epoch
//! and where the bucket ends. Nothing counts before that, everything after it.
//!
//! # Retries
//! A failed attempt is ended before another begins, under another name. A commit whose outcome is
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

use crate::catalog::{NewSegmentRow, SegmentContent, SegmentState};
use crate::model::Offset;
use crate::object_storage::{BucketError, DataName, ObjectKey, key};

use super::encoding_job::{Content, EncodingJob};
use super::parquet::{FinishedSegment, Footer};
use super::steps::Step;
use super::threads::Unfinished;
use super::tiered_log::TieredLog;
use super::upload_error::UploadError;
use super::upload_state::Attempt;

/// Row groups that may wait between the thread that encodes and the one that sends.
const WAITING_CHUNKS: usize = 2;

impl TieredLog {
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
        let job = EncodingJob::new(self, row, content).await?;
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
        let maybe_begun_twice = upload.is_maybe_begun_twice();
        let uploaded = upload.finish().await?;
        if maybe_begun_twice {
            self.end_others(&attempt.key).await;
        }
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

    /// Ends what a try to begin this upload has begun whose answer got lost; this one is finished. Nothing hangs on it: where
    /// it fails, a rule of the bucket ends what is left.
    async fn end_others(&self, key: &ObjectKey) {
        let ended = async {
            for upload_id in self.tiers.uploads_of(key).await? {
                self.tiers.bucket().abort_upload(key, &upload_id).await?;
            }
            Ok::<_, BucketError>(())
        };
        if let Err(error) = ended.await {
            tracing::warn!(%error, %key, "an upload that was begun twice may be left unfinished");
        }
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
        // Whatever bucket answers: what was sent elsewhere goes there. But only ours says that nothing is left.
        self.tiers.clear_away(&attempt.key, attempt.upload_id.as_deref(), false).await?;
        if self.tiers.bucket().size(&attempt.key).await?.is_some() {
            return Err(UploadError::StillThere(attempt.key.clone()));
        }
        self.tiers.still_ours().await?;
        steps.reached(Step::Ended).await;
        catalog.remove_segment_row(attempt.id).await?;
        self.upload.lock().unfinished = None;
        Ok(Ending::Gone)
    }
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
