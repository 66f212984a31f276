//! `s3://`, `gs://`, `az://`: buckets over HTTP, by way of `object_store`'s clients. One implementation for all; what
//! differs between clouds is a [`Ways`] each.
//!
//! # Consistency
//! The clouds' own: a read follows every write that answered. Conditional writes are decided by the store.
//!
//! # Retries
//! None here: `object_store`'s own are off, so that one layer of this room decides, counts and pauses.
//!
//! # Cancellation
//! Dropping a future drops its request and closes its connection.
//!
//! # Crash safety
//! A store answers when it holds the bytes for good.

mod answers;
mod azure;
mod credentials;
mod failure;
mod gcs;
mod lifecycle;
mod place;
mod plain;
mod s3;
mod surroundings;
mod uploads;
mod xml;

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{GetOptions, GetResult, ObjectStore, PutMode, PutOptions, PutPayload, UpdateVersion};

use crate::clock::Clock;

use self::failure::{Cause, failure};
use self::place::Place;
use super::error::{BucketError, ErrorKind, OpenError, Operation};
use super::object_key::{KeyPrefix, ObjectKey};
use super::options::BucketOptions;
use super::store::{Expect, Listed, Page, PageToken, Part, PartTag, Store, UnfinishedUploads, UploadId, Version};

/// No control file comes near this; more is somebody else's file.
const CONTROL_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Whether it names a cloud's bucket.
pub(super) fn is_place(url: &str) -> Result<bool, OpenError> {
    Ok(cloud_place(url)?.is_some())
}

/// What the rest of a URL names; `None` where the scheme is not a cloud's.
fn cloud_place(url: &str) -> Result<Option<(&str, Place)>, OpenError> {
    let Some((scheme, rest)) = url.split_once("://") else { return Ok(None) };
    if !matches!(scheme, "s3" | "gs" | "az") {
        return Ok(None);
    }
    let place = Place::parse(rest)
        .map_err(|why| OpenError::BadUrl { url: super::open::without_secrets(url), why: why.to_owned() })?;
    Ok(Some((scheme, place)))
}

/// Opens the bucket that the rest of a URL names; `None` where the scheme is not a cloud's.
pub(super) async fn open(
    url: &str,
    options: &BucketOptions,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<dyn Store>>, OpenError> {
    let Some((scheme, place)) = cloud_place(url)? else { return Ok(None) };
    let remote = match scheme {
        "s3" => s3::open(place, &options.s3, Arc::clone(clock)).await?,
        "gs" => gcs::open(place, &options.gcs)?,
        _ => azure::open(place, &options.azure)?,
    };
    Ok(Some(Arc::new(remote)))
}

/// All that is asked of one of `object_store`'s clients.
trait Cloud: ObjectStore + MultipartStore + PaginatedListStore {}
impl<T: ObjectStore + MultipartStore + PaginatedListStore> Cloud for T {}

/// What one cloud does in its own way.
#[async_trait]
trait Ways: Debug + Send + Sync + 'static {
    /// Which part of what a store says of a content is its condition for the next write.
    fn version(&self, etag: Option<String>, version: Option<String>) -> Version;
    /// Asks for an upload of a data object.
    async fn begin_upload(&self, path: &Path) -> Result<String, Cause>;
    /// Removes one object.
    async fn delete(&self, path: &Path) -> Result<(), Cause>;
    /// The ids of the uploads of one object that were begun and neither finished nor aborted.
    async fn uploads_of(&self, path: &Path) -> Result<Vec<String>, Cause>;
    /// Whether uploads below `prefix` that nobody finished end by themselves.
    async fn unfinished_uploads(&self, prefix: &str) -> Result<UnfinishedUploads, Cause>;
}

/// A bucket over HTTP. Reads, uploads and small requests have a pool of connections each.
#[derive(Debug)]
struct Remote {
    described: String,
    /// Empty, or with its `/`.
    prefix: String,
    reads: Arc<dyn Cloud>,
    uploads: Arc<dyn Cloud>,
    control: Arc<dyn Cloud>,
    ways: Box<dyn Ways>,
}

impl Remote {
    fn path(&self, operation: Operation, key: &ObjectKey) -> Result<Path, BucketError> {
        Path::parse(format!("{}{key}", self.prefix))
            .map_err(|error| BucketError::new(ErrorKind::Invalid, operation, key.as_str(), error.to_string()))
    }

    async fn read_by(
        &self,
        client: &Arc<dyn Cloud>,
        operation: Operation,
        key: &ObjectKey,
        range: Range<u64>,
    ) -> Result<Bytes, BucketError> {
        if range.start >= range.end {
            return Ok(Bytes::new());
        }
        let path = self.path(operation, key)?;
        let options = GetOptions::new().with_range(Some(range.clone()));
        let got = client.get_opts(&path, options).await;
        let got = got.map_err(|error| failure(&error, operation, key.as_str()))?;
        if got.range != range {
            let detail = format!("it ends at byte {}, before {}", got.meta.size, range.end);
            return Err(BucketError::new(ErrorKind::Corrupt, operation, key.as_str(), detail));
        }
        collect(got, operation, key).await
    }
}

/// Takes all of an answer, which has as many bytes as it said.
async fn collect(got: GetResult, operation: Operation, key: &ObjectKey) -> Result<Bytes, BucketError> {
    let expected = got.range.end.saturating_sub(got.range.start);
    let corrupt = |detail: String| BucketError::new(ErrorKind::Corrupt, operation, key.as_str(), detail);
    let capacity = usize::try_from(expected).map_err(|_| corrupt(format!("an answer of {expected} bytes")))?;
    // In an allocation of its own: a piece of a connection's buffer would keep all of it.
    let mut bytes = BytesMut::with_capacity(capacity);
    let mut pieces = got.into_stream();
    while let Some(piece) = pieces.try_next().await.map_err(|error| failure(&error, operation, key.as_str()))? {
        if bytes.len() + piece.len() > capacity {
            return Err(corrupt(format!("more than the {expected} bytes that were announced came")));
        }
        bytes.extend_from_slice(&piece);
    }
    if bytes.len() < capacity {
        return Err(corrupt(format!("{} bytes came where {expected} were announced", bytes.len())));
    }
    Ok(bytes.freeze())
}

#[async_trait]
impl Store for Remote {
    fn describe(&self) -> String {
        self.described.clone()
    }

    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, BucketError> {
        self.read_by(&self.reads, Operation::Read, key, range).await
    }

    async fn read_back(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, BucketError> {
        self.read_by(&self.uploads, Operation::ReadBack, key, range).await
    }

    async fn read_control(&self, key: &ObjectKey) -> Result<(Bytes, Version), BucketError> {
        let operation = Operation::ReadControl;
        let path = self.path(operation, key)?;
        let got = self.control.get_opts(&path, GetOptions::new()).await;
        let mut got = got.map_err(|error| failure(&error, operation, key.as_str()))?;
        if got.meta.size > CONTROL_BYTES_MAX {
            let detail = format!("a control file of {} bytes is not one of ours", got.meta.size);
            return Err(BucketError::new(ErrorKind::Corrupt, operation, key.as_str(), detail));
        }
        let version = self.ways.version(got.meta.e_tag.take(), got.meta.version.take());
        Ok((collect(got, operation, key).await?, version))
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64, BucketError> {
        let failed = |error: object_store::Error| failure(&error, Operation::Size, key.as_str());
        let path = self.path(Operation::Size, key)?;
        let error = match self.control.get_opts(&path, GetOptions::new().with_head(true)).await {
            Ok(head) => return Ok(head.meta.size),
            Err(error) => failed(error),
        };
        if error.kind() != ErrorKind::NotFound {
            return Err(error);
        }
        // The answer to HEAD has no body: it does not tell an object that is gone from a bucket that is.
        let first_byte = GetOptions::new().with_range(Some(0..1));
        let got = self.control.get_opts(&path, first_byte).await.map_err(failed)?;
        Ok(got.meta.size)
    }

    async fn list(&self, prefix: &KeyPrefix, from: Option<&PageToken>) -> Result<Page, BucketError> {
        let below = format!("{}{prefix}", self.prefix);
        let options =
            PaginatedListOptions { page_token: from.map(|token| token.0.clone()), ..PaginatedListOptions::default() };
        let page = self.control.list_paginated((!below.is_empty()).then_some(below.as_str()), options).await;
        let page = page.map_err(|error| failure(&error, Operation::List, prefix.as_str()))?;
        let ours = |location: &Path| ObjectKey::parse(location.as_ref().strip_prefix(self.prefix.as_str())?).ok();
        let objects = page.result.objects.iter();
        let objects = objects.filter_map(|meta| Some(Listed { key: ours(&meta.location)?, size_bytes: meta.size }));
        let objects = objects.collect();
        let next = page.page_token.filter(|token| !token.is_empty()).map(PageToken);
        if next.is_some() && next.as_ref() == from {
            let detail = "the listing goes round in a circle";
            return Err(BucketError::new(ErrorKind::Corrupt, Operation::List, prefix.as_str(), detail));
        }
        Ok(Page { objects, next })
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), BucketError> {
        let path = self.path(Operation::Delete, key)?;
        let deleted = self.ways.delete(&path).await;
        absent_is_fine(deleted.map_err(|cause| failure(&*cause, Operation::Delete, key.as_str())))
    }

    async fn write_control(&self, key: &ObjectKey, bytes: Bytes, expect: &Expect) -> Result<Version, BucketError> {
        let path = self.path(Operation::WriteControl, key)?;
        let mode = match expect {
            Expect::Absent => PutMode::Create,
            Expect::Version(Version { etag, version }) => {
                PutMode::Update(UpdateVersion { e_tag: etag.clone(), version: version.clone() })
            }
        };
        let put = self.control.put_opts(&path, PutPayload::from_bytes(bytes), PutOptions::from(mode)).await;
        match put {
            Ok(put) => Ok(self.ways.version(put.e_tag, put.version)),
            Err(error) => {
                let error = failure(&error, Operation::WriteControl, key.as_str());
                if error.kind() == ErrorKind::NotFound && matches!(expect, Expect::Version(_)) {
                    let detail = "it is not there any more";
                    return Err(BucketError::new(ErrorKind::Conflict, Operation::WriteControl, key.as_str(), detail));
                }
                Err(error)
            }
        }
    }

    async fn begin_upload(&self, key: &ObjectKey) -> Result<UploadId, BucketError> {
        let path = self.path(Operation::BeginUpload, key)?;
        let begun = self.ways.begin_upload(&path).await;
        begun.map(UploadId::named).map_err(|cause| failure(&*cause, Operation::BeginUpload, key.as_str()))
    }

    async fn write_part(&self, key: &ObjectKey, upload: &UploadId, part: &Part) -> Result<PartTag, BucketError> {
        let path = self.path(Operation::WritePart, key)?;
        let put = self.uploads.put_part(&path, &upload.name, part.number, part.payload.clone()).await;
        let put = put.map_err(|error| failure(&error, Operation::WritePart, key.as_str()))?;
        Ok(PartTag(put.content_id))
    }

    async fn finish_upload(&self, key: &ObjectKey, upload: &UploadId, tags: &[PartTag]) -> Result<(), BucketError> {
        let path = self.path(Operation::FinishUpload, key)?;
        let parts = tags.iter().map(|tag| PartId { content_id: tag.0.clone() }).collect();
        let finished = self.uploads.complete_multipart(&path, &upload.name, parts).await;
        finished.map(|_| ()).map_err(|error| failure(&error, Operation::FinishUpload, key.as_str()))
    }

    async fn abort_upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), BucketError> {
        let path = self.path(Operation::AbortUpload, key)?;
        let aborted = self.control.abort_multipart(&path, &upload.name).await;
        absent_is_fine(aborted.map_err(|error| failure(&error, Operation::AbortUpload, key.as_str())))
    }

    async fn uploads_of(&self, key: &ObjectKey) -> Result<Vec<UploadId>, BucketError> {
        let path = self.path(Operation::ListUploads, key)?;
        let begun = self.ways.uploads_of(&path).await;
        let begun = begun.map_err(|cause| failure(&*cause, Operation::ListUploads, key.as_str()))?;
        Ok(begun.into_iter().map(UploadId::named).collect())
    }

    async fn unfinished_uploads(&self) -> Result<UnfinishedUploads, BucketError> {
        let asked = self.ways.unfinished_uploads(&self.prefix).await;
        asked.map_err(|cause| failure(&*cause, Operation::Rules, ""))
    }
}

fn absent_is_fine(answer: Result<(), BucketError>) -> Result<(), BucketError> {
    match answer {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        answer => answer,
    }
}
