//! How a decorator is made: one concern, told once, around every operation of a [`Store`].
//!
//! # Cancellation
//! Dropping the future of an operation drops whatever the layers below it are waiting for.

use std::fmt::Debug;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;

use super::error::{BucketError, Operation};
use super::object_key::{KeyPrefix, ObjectKey};
use super::store::{Expect, Page, PageToken, Part, PartTag, Store, UnfinishedUploads, UploadId, Version};

/// One operation, as a decorator sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) operation: Operation,
    /// A key, or a prefix.
    pub(super) key: &'a str,
    /// Bytes that are sent, or asked for.
    pub(super) bytes: u64,
}

/// One try of an operation; every call of it is a new try.
pub(super) type Attempt<'a, T> = &'a (dyn Fn() -> BoxFuture<'a, Result<T, BucketError>> + Send + Sync + 'a);

/// What an operation answers.
pub(super) trait Answer: Send + 'static {
    /// The bytes of an object, where the answer has them.
    fn content(&mut self) -> Option<&mut Bytes> {
        None
    }

    /// An earlier try got no answer, and may have taken effect besides.
    fn note_unknown_outcome(&mut self) {}
}

impl Answer for Bytes {
    fn content(&mut self) -> Option<&mut Bytes> {
        Some(self)
    }
}

impl Answer for (Bytes, Version) {
    fn content(&mut self) -> Option<&mut Bytes> {
        Some(&mut self.0)
    }
}

impl Answer for () {}
impl Answer for u64 {}
impl Answer for Page {}
impl Answer for Version {}
impl Answer for UploadId {
    fn note_unknown_outcome(&mut self) {
        self.maybe_begun_twice = true;
    }
}

impl Answer for Vec<UploadId> {}
impl Answer for PartTag {}
impl Answer for UnfinishedUploads {}

/// One concern around every operation.
pub(super) trait Layer: Debug + Send + Sync + 'static {
    /// Answers `call`, by as many tries as it takes.
    fn around<'a, T: Answer>(
        &'a self,
        call: Call<'a>,
        attempt: Attempt<'a, T>,
    ) -> impl Future<Output = Result<T, BucketError>> + Send + 'a;
}

/// A store with a layer around it.
#[derive(Debug)]
pub(super) struct Layered<L> {
    pub(super) inner: Arc<dyn Store>,
    pub(super) layer: L,
}

#[async_trait]
impl<L: Layer> Store for Layered<L> {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, BucketError> {
        let bytes = range.end.saturating_sub(range.start);
        let call = Call { operation: Operation::Read, key: key.as_str(), bytes };
        self.layer.around(call, &|| self.inner.read(key, range.clone())).await
    }

    async fn read_back(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, BucketError> {
        let bytes = range.end.saturating_sub(range.start);
        let call = Call { operation: Operation::ReadBack, key: key.as_str(), bytes };
        self.layer.around(call, &|| self.inner.read_back(key, range.clone())).await
    }

    async fn read_control(&self, key: &ObjectKey) -> Result<(Bytes, Version), BucketError> {
        let call = Call { operation: Operation::ReadControl, key: key.as_str(), bytes: 0 };
        self.layer.around(call, &|| self.inner.read_control(key)).await
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64, BucketError> {
        let call = Call { operation: Operation::Size, key: key.as_str(), bytes: 0 };
        self.layer.around(call, &|| self.inner.size(key)).await
    }

    async fn list(&self, prefix: &KeyPrefix, from: Option<&PageToken>) -> Result<Page, BucketError> {
        let call = Call { operation: Operation::List, key: prefix.as_str(), bytes: 0 };
        self.layer.around(call, &|| self.inner.list(prefix, from)).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), BucketError> {
        let call = Call { operation: Operation::Delete, key: key.as_str(), bytes: 0 };
        self.layer.around(call, &|| self.inner.delete(key)).await
    }

    async fn write_control(&self, key: &ObjectKey, bytes: Bytes, expect: &Expect) -> Result<Version, BucketError> {
        let call = Call { operation: Operation::WriteControl, key: key.as_str(), bytes: bytes.len() as u64 };
        self.layer.around(call, &|| self.inner.write_control(key, bytes.clone(), expect)).await
    }

    async fn begin_upload(&self, key: &ObjectKey) -> Result<UploadId, BucketError> {
        let call = Call { operation: Operation::BeginUpload, key: key.as_str(), bytes: 0 };
        self.layer.around(call, &|| self.inner.begin_upload(key)).await
    }

    async fn write_part(&self, key: &ObjectKey, upload: &UploadId, part: &Part) -> Result<PartTag, BucketError> {
        let bytes = part.payload.content_length() as u64;
        let call = Call { operation: Operation::WritePart, key: key.as_str(), bytes };
        self.layer.around(call, &|| self.inner.write_part(key, upload, part)).await
    }

    async fn finish_upload(&self, key: &ObjectKey, upload: &UploadId, tags: &[PartTag]) -> Result<(), BucketError> {
        let call = Call { operation: Operation::FinishUpload, key: key.as_str(), bytes: 0 };
        self.layer.around(call, &|| self.inner.finish_upload(key, upload, tags)).await
    }

    async fn abort_upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), BucketError> {
        let call = Call { operation: Operation::AbortUpload, key: key.as_str(), bytes: 0 };
        self.layer.around(call, &|| self.inner.abort_upload(key, upload)).await
    }

    async fn uploads_of(&self, key: &ObjectKey) -> Result<Vec<UploadId>, BucketError> {
        let call = Call { operation: Operation::ListUploads, key: key.as_str(), bytes: 0 };
        self.layer.around(call, &|| self.inner.uploads_of(key)).await
    }

    async fn unfinished_uploads(&self) -> Result<UnfinishedUploads, BucketError> {
        let call = Call { operation: Operation::Rules, key: "", bytes: 0 };
        self.layer.around(call, &|| self.inner.unfinished_uploads()).await
    }
}
