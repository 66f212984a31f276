//! What a bucket can do, as one trait: implemented by each kind of bucket and by each decorator around one.
//!
//! # Consistency
//! What was written is read at once by whoever reads later. A conditional write is decided by the store.
//!
//! # Crash safety
//! An operation that answered is on stable storage. One that did not answer may have happened or not; its error
//! or the absence of an answer decides nothing.
//!
//! # Cancellation
//! Dropping a future gives up waiting and frees its connection; a write may still happen.

use std::fmt::Debug;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::PutPayload;

use super::error::BucketError;
use super::object_key::{KeyPrefix, ObjectKey};

/// Which content of a control file was read or written: opaque, the store's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    pub(super) etag: Option<String>,
    pub(super) version: Option<String>,
}

impl Version {
    pub(super) fn of_etag(etag: impl Into<String>) -> Self {
        Self { etag: Some(etag.into()), version: None }
    }
}

/// What must be there for a conditional write to happen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expect {
    /// Nothing.
    Absent,
    /// This very content.
    Version(Version),
}

/// One object of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its key.
    pub key: ObjectKey,
    /// Its size.
    pub size_bytes: u64,
}

/// Where the next page of a listing begins: opaque, the store's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageToken(pub(super) String);

/// A part of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// In the order of keys.
    pub objects: Vec<Listed>,
    /// Where to go on; `None` at the end.
    pub next: Option<PageToken>,
}

/// Names an unfinished upload; empty where the store gives no names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UploadId {
    pub(super) name: String,
    /// An earlier try to begin it got no answer: there may be another that nobody knows the name of.
    pub(super) maybe_begun_twice: bool,
}

impl UploadId {
    pub(super) fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), maybe_begun_twice: false }
    }

    /// The text to keep; `None` where the store gives no names (Azure: unfinished blocks end by themselves).
    pub fn known(&self) -> Option<&str> {
        (!self.name.is_empty()).then_some(self.name.as_str())
    }
}

/// One part of an upload.
#[derive(Clone, Debug)]
pub struct Part {
    /// From 0.
    pub number: usize,
    /// Where it begins in the object.
    pub position: u64,
    /// What it holds.
    pub payload: PutPayload,
}

/// The store's receipt for a part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartTag(pub(super) String);

/// Whether uploads that nobody finished end by themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UnfinishedUploads {
    /// They need no rule here.
    EndByThemselves,
    /// A rule ends them.
    EndedByRule,
    /// No rule: what was begun by a request whose answer got lost is paid for until somebody looks.
    Kept,
    /// Could not be found out.
    Unknown(String),
}

/// A bucket.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Which bucket, for people; no secrets.
    fn describe(&self) -> String;
    /// Exactly the bytes of `range`: fewer are an error (`Corrupt`).
    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, BucketError>;
    /// The same of what an upload has just written: it is the upload's last step, and waits for no cold read.
    async fn read_back(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, BucketError> {
        self.read(key, range).await
    }
    /// A whole small file with its version.
    async fn read_control(&self, key: &ObjectKey) -> Result<(Bytes, Version), BucketError>;
    /// An object's size; `NotFound` where it is not.
    async fn size(&self, key: &ObjectKey) -> Result<u64, BucketError>;
    /// One page of what lies below `prefix`.
    async fn list(&self, prefix: &KeyPrefix, from: Option<&PageToken>) -> Result<Page, BucketError>;
    /// Removes an object; fine where there is none.
    async fn delete(&self, key: &ObjectKey) -> Result<(), BucketError>;
    /// Writes a whole small file if what is there is as expected; `Conflict` if not.
    async fn write_control(&self, key: &ObjectKey, bytes: Bytes, expect: &Expect) -> Result<Version, BucketError>;
    /// Asks for an upload. Nothing is visible under `key` before [`Store::finish_upload`].
    async fn begin_upload(&self, key: &ObjectKey) -> Result<UploadId, BucketError>;
    /// Sends one part; sending the same part again replaces it.
    async fn write_part(&self, key: &ObjectKey, upload: &UploadId, part: &Part) -> Result<PartTag, BucketError>;
    /// Makes the object of its parts, in the order of `tags`.
    async fn finish_upload(&self, key: &ObjectKey, upload: &UploadId, tags: &[PartTag]) -> Result<(), BucketError>;
    /// Drops what was sent; fine where there is no such upload.
    async fn abort_upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), BucketError>;
    /// The uploads of `key` that were begun and neither finished nor aborted; none where they have no names.
    async fn uploads_of(&self, key: &ObjectKey) -> Result<Vec<UploadId>, BucketError>;
    /// Asks the bucket whether unfinished uploads end by themselves.
    async fn unfinished_uploads(&self) -> Result<UnfinishedUploads, BucketError>;
}
