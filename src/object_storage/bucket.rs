//! The bucket, as other rooms see it.
//!
//! # Consistency
//! A read follows every write that answered. Control files change only by conditional writes.
//!
//! # Retries
//! Every operation tries again until its deadline; only then its error comes out, and it is worth acting upon.
//!
//! # Cancellation
//! Dropping a future ends its request, down to the connection.
//!
//! # Crash safety
//! What answered is on stable storage.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use futures::stream::{self, TryStreamExt};

use crate::clock::Clock;
use crate::disk::Disk;

use super::budget::Budget;
use super::error::{BucketError, ControlError, ErrorKind, OpenError, Operation};
use super::faulty::Faulty;
use super::layer::Layered;
use super::metered::{Counts, Meter, Metered};
use super::object_key::{KeyPrefix, ObjectKey};
use super::open;
use super::options::{BucketOptions, UploadOptions};
use super::retry::Retry;
use super::store::{Expect, Listed, PageToken, Store, UploadId, Version};
use super::upload::Upload;

/// An open bucket. Clones share connections, budgets and counts.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seed: u64,
    upload: UploadOptions,
    pub(super) meter: Arc<Meter>,
}

impl Bucket {
    /// Opens a bucket by its URL: `file:///folder`, `memory://`, `s3://bucket/prefix`, `gs://…`, `az://…`. Nothing
    /// is asked of the store yet; [`Bucket::self_test`] does that.
    pub async fn open(
        url: &str,
        options: BucketOptions,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let store = open::store(url, &options, disk, &clock).await?;
        Ok(Self::from_store(store, options, clock))
    }

    /// Puts retries, budgets and counts around a store.
    pub fn from_store(store: Arc<dyn Store>, options: BucketOptions, clock: Arc<dyn Clock>) -> Self {
        let meter = Arc::new(Meter::default());
        let store = match options.faults {
            Some(plan) => Faulty::around(store, plan, Arc::clone(&clock)),
            None => store,
        };
        let metered = Metered { meter: Arc::clone(&meter), clock: Arc::clone(&clock) };
        let store = Arc::new(Layered { inner: store, layer: metered });
        let budget = Budget::new(options.budget, Arc::clone(&clock));
        let store = Arc::new(Layered { inner: store, layer: budget });
        let retry = Retry::new(options.retry, Arc::clone(&clock), options.seed);
        let store = Arc::new(Layered { inner: store, layer: retry });
        Self { store, clock, seed: options.seed, upload: options.upload, meter }
    }

    /// Which bucket, for people.
    pub fn describe(&self) -> String {
        self.store.describe()
    }

    /// What was asked of the store so far.
    pub fn counts(&self) -> Counts {
        self.meter.counts()
    }

    /// Exactly the bytes of `range`. A shorter object is `Corrupt`.
    pub async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, BucketError> {
        if range.start >= range.end {
            return Ok(Bytes::new());
        }
        whole(self.store.read(key, range.clone()).await?, &range, Operation::Read, key)
    }

    /// The same, of what an upload has just written: with the places, the connections and the patience of uploads.
    pub async fn read_back(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, BucketError> {
        if range.start >= range.end {
            return Ok(Bytes::new());
        }
        whole(self.store.read_back(key, range.clone()).await?, &range, Operation::ReadBack, key)
    }

    /// An object's size; `None` where there is none.
    pub async fn size(&self, key: &ObjectKey) -> Result<Option<u64>, BucketError> {
        none_if_not_found(self.store.size(key).await)
    }

    /// What lies below `prefix`, page by page.
    pub fn list(&self, prefix: &KeyPrefix) -> impl Stream<Item = Result<Listed, BucketError>> + Send + Unpin + 'static {
        let (store, prefix) = (Arc::clone(&self.store), prefix.clone());
        // The state is where the next page begins; `None` once there is none.
        let first: Option<Option<PageToken>> = Some(None);
        let pages = stream::try_unfold(first, move |from| {
            let (store, prefix) = (Arc::clone(&store), prefix.clone());
            async move {
                let Some(from) = from else { return Ok(None) };
                let page = store.list(&prefix, from.as_ref()).await?;
                let objects = stream::iter(page.objects.into_iter().map(Ok));
                Ok(Some((objects, page.next.map(Some))))
            }
        });
        Box::pin(pages.try_flatten())
    }

    /// Removes an object, and answers when it is gone; fine where there is none.
    pub async fn delete(&self, key: &ObjectKey) -> Result<(), BucketError> {
        none_if_not_found(self.store.delete(key).await).map(|_| ())
    }

    /// A control file with its version; `None` where there is none.
    pub async fn read_control(&self, key: &ObjectKey) -> Result<Option<(Bytes, Version)>, BucketError> {
        none_if_not_found(self.store.read_control(key).await)
    }

    /// Writes a control file if what is there is as expected.
    pub async fn write_control(&self, key: &ObjectKey, bytes: Bytes, expect: Expect) -> Result<Version, ControlError> {
        let error = match self.store.write_control(key, bytes.clone(), &expect).await {
            Ok(version) => return Ok(version),
            Err(error) => error,
        };
        if error.kind() != ErrorKind::Conflict {
            return Err(error.into());
        }
        // An earlier try without an answer may be what is in the way.
        if error.is_outcome_unknown()
            && let Some((there, version)) = self.read_control(key).await?
            && there == bytes
        {
            return Ok(version);
        }
        Err(ControlError::Conflict(key.to_string()))
    }

    /// Begins an upload. Its id is known now; nothing was sent yet.
    pub async fn begin_upload(&self, key: &ObjectKey) -> Result<Upload, BucketError> {
        let id = self.store.begin_upload(key).await?;
        Ok(Upload::new(Arc::clone(&self.store), self.upload.clone(), key.clone(), id))
    }

    /// The ids of the uploads of `key` that were begun and neither finished nor aborted.
    pub async fn uploads_of(&self, key: &ObjectKey) -> Result<Vec<String>, BucketError> {
        let begun = none_if_not_found(self.store.uploads_of(key).await)?.unwrap_or_default();
        Ok(begun.into_iter().map(|id| id.name).collect())
    }

    /// Ends an upload that somebody began and nobody finished; fine where there is none.
    pub async fn abort_upload(&self, key: &ObjectKey, upload_id: &str) -> Result<(), BucketError> {
        let id = UploadId::named(upload_id.to_owned());
        none_if_not_found(self.store.abort_upload(key, &id).await).map(|_| ())
    }
}

/// As many bytes as were asked for.
fn whole(bytes: Bytes, range: &Range<u64>, operation: Operation, key: &ObjectKey) -> Result<Bytes, BucketError> {
    let wanted = range.end - range.start;
    if bytes.len() as u64 != wanted {
        let detail = format!("{} bytes came where {wanted} were asked for", bytes.len());
        return Err(BucketError::new(ErrorKind::Corrupt, operation, key.as_str(), detail));
    }
    Ok(bytes)
}

fn none_if_not_found<T>(answer: Result<T, BucketError>) -> Result<Option<T>, BucketError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
