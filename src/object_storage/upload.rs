//! One object on its way into the bucket, in parts of equal size.
//!
//! # Consistency
//! Nothing is visible under the key before [`Upload::finish`] answers; then all of it is.
//!
//! # Retries
//! Each part is tried by itself until its deadline. A failed part fails the upload: abort it and begin another,
//! under another key.
//!
//! # Cancellation
//! Dropping an [`Upload`] stops its parts and leaves what was sent in the bucket, to be ended by
//! [`super::Bucket::abort_upload`] with the id that its owner noted.
//!
//! # Crash safety
//! The id is known before the first byte is sent, so that it can be noted durably first.

use std::sync::Arc;

use bytes::Bytes;
use object_store::PutPayloadMut;
use tokio::task::JoinSet;

use super::error::{BucketError, ErrorKind, Operation};
use super::object_key::ObjectKey;
use super::options::UploadOptions;
use super::store::{Part, PartTag, Store, UploadId};

/// S3's bound.
const PARTS_MAX: usize = 10_000;

/// What became of an upload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uploaded {
    /// The object's size.
    pub size_bytes: u64,
    /// The parts that it was sent in.
    pub parts: usize,
}

/// An upload under way.
#[derive(Debug)]
pub struct Upload {
    store: Arc<dyn Store>,
    options: UploadOptions,
    key: ObjectKey,
    id: UploadId,
    /// What waits to fill a part.
    waiting: PutPayloadMut,
    /// Bytes that went into parts.
    cut_bytes: u64,
    /// One for each part; filled as they arrive.
    tags: Vec<Option<PartTag>>,
    in_flight: JoinSet<(usize, Result<PartTag, BucketError>)>,
}

impl Upload {
    pub(super) fn new(store: Arc<dyn Store>, options: UploadOptions, key: ObjectKey, id: UploadId) -> Self {
        let waiting = PutPayloadMut::new();
        Self { store, options, key, id, waiting, cut_bytes: 0, tags: Vec::new(), in_flight: JoinSet::new() }
    }

    /// The object's key.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The store's name for this upload, to be noted before the first byte; `None` where it gives none.
    pub fn upload_id(&self) -> Option<String> {
        self.id.known().map(str::to_owned)
    }

    /// Whether there may be another upload of this key, begun by a try whose answer got lost: once this one is finished,
    /// whatever [`super::Bucket::uploads_of`] lists is to be aborted.
    pub fn is_maybe_begun_twice(&self) -> bool {
        self.id.maybe_begun_twice
    }

    /// Bytes taken so far.
    pub fn size_bytes(&self) -> u64 {
        self.cut_bytes + self.waiting.content_length() as u64
    }

    /// Takes bytes; sends a part whenever one is full. Waits while too many are under way.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), BucketError> {
        while self.waiting.content_length() + bytes.len() >= self.options.part_bytes {
            let fits = self.options.part_bytes - self.waiting.content_length();
            self.waiting.push(bytes.split_to(fits));
            self.send().await?;
        }
        if !bytes.is_empty() {
            self.waiting.push(bytes);
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), BucketError> {
        while self.in_flight.len() >= self.options.parts_in_flight.max(1) {
            self.arrive().await?;
        }
        let number = self.tags.len();
        if number >= PARTS_MAX {
            return Err(self.error(ErrorKind::Invalid, "an object has at most 10,000 parts"));
        }
        let payload = std::mem::take(&mut self.waiting).freeze();
        let part = Part { number, position: self.cut_bytes, payload };
        self.cut_bytes += part.payload.content_length() as u64;
        self.tags.push(None);
        let (store, key, id) = (Arc::clone(&self.store), self.key.clone(), self.id.clone());
        // The set owns the task and stops it when the upload is dropped.
        self.in_flight.spawn(async move { (number, store.write_part(&key, &id, &part).await) });
        Ok(())
    }

    /// Waits for one part.
    async fn arrive(&mut self) -> Result<(), BucketError> {
        match self.in_flight.join_next().await {
            None => Ok(()),
            Some(Err(error)) => Err(self.error(ErrorKind::Unavailable, &format!("a part's task ended: {error}"))),
            Some(Ok((number, tag))) => {
                let tag = tag?;
                if let Some(seat) = self.tags.get_mut(number) {
                    *seat = Some(tag);
                }
                Ok(())
            }
        }
    }

    fn error(&self, kind: ErrorKind, detail: &str) -> BucketError {
        BucketError::new(kind, Operation::WritePart, self.key.as_str(), detail)
    }

    /// Sends what is left and makes the object. An error leaves the upload as it is: abort it by its id.
    pub async fn finish(mut self) -> Result<Uploaded, BucketError> {
        if self.waiting.content_length() > 0 || self.tags.is_empty() {
            self.send().await?;
        }
        while !self.in_flight.is_empty() {
            self.arrive().await?;
        }
        let tags: Option<Vec<PartTag>> = self.tags.iter().cloned().collect();
        let tags = tags.ok_or_else(|| self.error(ErrorKind::Invalid, "an earlier part failed"))?;
        let uploaded = Uploaded { size_bytes: self.cut_bytes, parts: tags.len() };
        match self.store.finish_upload(&self.key, &self.id, &tags).await {
            Ok(()) => Ok(uploaded),
            // The upload is gone after a try without an answer: that try finished it, if the object is there.
            Err(error) if error.is_outcome_unknown() && error.kind() == ErrorKind::NotFound => {
                match self.store.size(&self.key).await {
                    Ok(size_bytes) if size_bytes == uploaded.size_bytes => Ok(uploaded),
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Drops what was sent.
    pub async fn abort(mut self) -> Result<(), BucketError> {
        // A part that arrives after the abort would stay.
        self.in_flight.shutdown().await;
        self.store.abort_upload(&self.key, &self.id).await
    }
}
