//! Giving up what cannot be uploaded, by order of the operator: an object without records stands for the range, and what
//! follows can be uploaded.
//!
//! # Consistency
//! Whoever skips holds the partition's place in the queue of uploads, so nothing else of it is on its way in. Where the bucket
//! has objects over the range that no row names, nothing is skipped: the catalog is older than the bucket, and the object
//! without records, being the younger one, would stand for theirs for ever.
//!
//! # Retries
//! None: the operator is told, and asks again.
//!
//! # Cancellation
//! Whoever stops waiting for the place has begun nothing. What has begun goes on to its end without whoever asked for it,
//! and the place is given back however that ends.
//!
//! # Crash safety
//! As for an upload.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;

use crate::log::TieredTo;
use crate::model::Offset;
use crate::object_storage::{BucketError, ObjectKey, key};

use super::encoding_job::Content;
use super::tiered_log::TieredLog;
use super::upload_error::UploadError;

/// How long a skip waits for an upload that is under way.
const SKIP_WAITS: Duration = Duration::from_millis(50);

/// A range was not skipped.
#[derive(Debug, thiserror::Error)]
pub enum SkipError {
    /// It is not known how much is in the bucket.
    #[error("the topic is not tiered, or how much of it is in the bucket is not known now")]
    NotTiered,
    /// The range is not one that waits for its upload.
    #[error("{}", out_of_range(*to, *tiered_to, *decided))]
    OutOfRange {
        /// What was asked for.
        to: Offset,
        /// Where the bucket ends.
        tiered_to: Offset,
        /// The end of what is decided and on stable storage.
        decided: Offset,
    },
    /// The bucket has records of the range, and the catalog does not know of them.
    #[error(
        "the bucket holds '{0}', with offsets of this range, and the catalog does not know it: nothing was skipped. If the catalog was put back from a copy, stop the broker and give back the newest one; if the object is not wanted, remove it from the bucket"
    )]
    Unnamed(ObjectKey),
    /// The empty object was not uploaded.
    #[error("the range was not skipped: {0}")]
    Failed(String),
}

fn out_of_range(to: Offset, tiered_to: Offset, decided: Offset) -> String {
    if decided <= tiered_to {
        return format!("nothing waits for its upload: the bucket has all before {tiered_to}, and nothing was skipped");
    }
    format!("--to {to} is not an offset in ({tiered_to}, {decided}]: only what waits for its upload can be skipped")
}

/// The place of a partition in the queue of uploads, without standing in it.
struct Place(Arc<TieredLog>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.upload.lock().queued = false;
    }
}

impl TieredLog {
    /// Gives `[tiered_to, to)` up: commits an object without records over it, so that what follows can be uploaded.
    /// Returns how many offsets were given up.
    pub async fn skip(self: &Arc<Self>, to: Offset) -> Result<u64, SkipError> {
        let place = self.place().await;
        let skipping = async move {
            let skipped = place.0.skip_now(to).await;
            if skipped.is_ok() {
                place.0.upload.lock().succeeded();
            }
            skipped
        };
        let skipped = self.tiers.threads.whole(skipping).await;
        skipped.unwrap_or_else(|stopped| Err(SkipError::Failed(stopped.to_string())))
    }

    /// Whoever holds it uploads; nobody else does.
    async fn place(self: &Arc<Self>) -> Place {
        while std::mem::replace(&mut self.upload.lock().queued, true) {
            self.tiers.clock().sleep(SKIP_WAITS).await;
        }
        Place(Arc::clone(self))
    }

    async fn skip_now(self: &Arc<Self>, to: Offset) -> Result<u64, SkipError> {
        let failed = |error: UploadError| SkipError::Failed(error.to_string());
        // First, because what seemed to have failed may be part of the log: then it is not given up.
        self.end_unfinished().await.map_err(failed)?;
        let TieredTo::Known(tiered_to) = self.view().tiered else { return Err(SkipError::NotTiered) };
        let decided = self.log.last_stable_offset().min(self.log.high_watermark()).min(self.log.stable_end());
        if to <= tiered_to || to > decided {
            return Err(SkipError::OutOfRange { to, tiered_to, decided });
        }
        if let Some(key) = self.unnamed_object(tiered_to, to).await? {
            return Err(SkipError::Unnamed(key));
        }
        self.upload_range(tiered_to..to, Content::Nothing).await.map_err(failed)?;
        let offsets = (to - tiered_to).unsigned_abs();
        tracing::error!(
            topic = %self.topic(),
            partition = self.tp().partition,
            from = tiered_to.get(),
            to = to.get(),
            offsets,
            "offsets were given up by order of the operator: they are not in the bucket and never will be"
        );
        Ok(offsets)
    }

    /// An object of the partition in the bucket with offsets of `[from, to)` that no row names.
    async fn unnamed_object(&self, from: Offset, to: Offset) -> Result<Option<ObjectKey>, SkipError> {
        let mut listed = self.tiers.bucket().list(&key::data_prefix(self.topic(), self.tp()));
        let not_listed =
            |error: BucketError| SkipError::Failed(format!("what the bucket holds of it is not known: {error}"));
        while let Some(object) = listed.try_next().await.map_err(not_listed)? {
            let Some(name) = key::parse_data(&object.key) else { continue };
            if name.end_offset < from || name.base_offset >= to {
                continue;
            }
            let row = self.tiers.catalog().segment(name.ulid).await;
            if row.map_err(|error| SkipError::Failed(error.to_string()))?.is_none() {
                return Ok(Some(object.key));
            }
        }
        Ok(None)
    }
}
