//! Two buckets behind one handle, for tests: an endpoint that leads elsewhere, and back.
//!
//! # Consistency
//! Every request goes wholly to the one that answers when it begins. Each of them keeps what it was sent.
//!
//! # Retries
//! None here.
//!
//! # Cancellation
//! A request that is dropped is one of the bucket that it went to.
//!
//! # Crash safety
//! Both end with the process.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::error::BucketError;
use super::key;
use super::memory::MemoryStore;
use super::object_key::{KeyPrefix, ObjectKey};
use super::store::{Expect, Page, PageToken, Part, PartTag, Store, UnfinishedUploads, UploadId, Version};

/// Ours, and the one that answers in its place.
#[derive(Debug)]
pub struct SwitchedStore {
    ours: Arc<MemoryStore>,
    /// Empty at first.
    pub elsewhere: Arc<MemoryStore>,
    /// Looks at the cluster's file that ours still answers; `None` where it answers all.
    looks_left: Mutex<Option<usize>>,
}

impl SwitchedStore {
    /// Ours answers.
    pub fn new(ours: Arc<MemoryStore>) -> Self {
        Self { ours, elsewhere: Arc::default(), looks_left: Mutex::default() }
    }

    /// The other answers, as soon as ours was asked so many times whose it is.
    pub fn lead_elsewhere_after(&self, looks: usize) {
        *self.looks_left.lock() = Some(looks);
    }

    /// Ours answers again.
    pub fn lead_back(&self) {
        *self.looks_left.lock() = None;
    }

    fn now(&self) -> &MemoryStore {
        if *self.looks_left.lock() == Some(0) { &self.elsewhere } else { &self.ours }
    }
}

#[async_trait]
impl Store for SwitchedStore {
    fn describe(&self) -> String {
        self.ours.describe()
    }

    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, BucketError> {
        self.now().read(key, range).await
    }

    async fn read_control(&self, key: &ObjectKey) -> Result<(Bytes, Version), BucketError> {
        let answer = self.now().read_control(key).await;
        if *key == key::cluster()
            && let Some(left) = self.looks_left.lock().as_mut()
        {
            *left = left.saturating_sub(1);
        }
        answer
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64, BucketError> {
        self.now().size(key).await
    }

    async fn list(&self, prefix: &KeyPrefix, from: Option<&PageToken>) -> Result<Page, BucketError> {
        self.now().list(prefix, from).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), BucketError> {
        self.now().delete(key).await
    }

    async fn write_control(&self, key: &ObjectKey, bytes: Bytes, expect: &Expect) -> Result<Version, BucketError> {
        self.now().write_control(key, bytes, expect).await
    }

    async fn begin_upload(&self, key: &ObjectKey) -> Result<UploadId, BucketError> {
        self.now().begin_upload(key).await
    }

    async fn write_part(&self, key: &ObjectKey, upload: &UploadId, part: &Part) -> Result<PartTag, BucketError> {
        self.now().write_part(key, upload, part).await
    }

    async fn finish_upload(&self, key: &ObjectKey, upload: &UploadId, tags: &[PartTag]) -> Result<(), BucketError> {
        self.now().finish_upload(key, upload, tags).await
    }

    async fn abort_upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), BucketError> {
        self.now().abort_upload(key, upload).await
    }

    async fn uploads_of(&self, key: &ObjectKey) -> Result<Vec<UploadId>, BucketError> {
        self.now().uploads_of(key).await
    }

    async fn unfinished_uploads(&self) -> Result<UnfinishedUploads, BucketError> {
        self.now().unfinished_uploads().await
    }
}
