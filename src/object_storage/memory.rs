//! `memory://`: a bucket that ends with the process. For tests and trials; other rooms' tests share one by
//! cloning the [`std::sync::Arc`] around it, and look inside it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::ops::Range;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use super::error::{BucketError, ErrorKind, Operation};
use super::object_key::{KeyPrefix, ObjectKey};
use super::store::{Expect, Listed, Page, PageToken, Part, PartTag, Store, UnfinishedUploads, UploadId, Version};

const PAGE_OBJECTS: usize = 1000;

/// A bucket in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<(String, String), BTreeMap<usize, Bytes>>,
    /// Versions and upload ids, never given twice.
    given: u64,
}

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    version: u64,
}

impl State {
    fn put(&mut self, key: &ObjectKey, bytes: Bytes) -> Version {
        self.given += 1;
        self.objects.insert(key.to_string(), Object { bytes, version: self.given });
        version(self.given)
    }
}

fn version(number: u64) -> Version {
    Version::of_etag(number.to_string())
}

impl MemoryStore {
    /// An empty bucket.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every key with its bytes, to look at or to damage.
    pub fn objects(&self) -> Vec<(String, Bytes)> {
        self.state.lock().objects.iter().map(|(key, object)| (key.clone(), object.bytes.clone())).collect()
    }

    /// Puts bytes under a key, whatever is there: for damage.
    pub fn overwrite(&self, key: &ObjectKey, bytes: Bytes) {
        self.state.lock().put(key, bytes);
    }

    /// Uploads that were begun and neither finished nor aborted, as (key, upload id).
    pub fn uploads(&self) -> Vec<(String, String)> {
        self.state.lock().uploads.keys().cloned().collect()
    }

    fn object(&self, operation: Operation, key: &ObjectKey) -> Result<Object, BucketError> {
        self.state.lock().objects.get(key.as_str()).cloned().ok_or_else(|| not_found(operation, key))
    }
}

fn not_found(operation: Operation, key: &ObjectKey) -> BucketError {
    BucketError::new(ErrorKind::NotFound, operation, key.as_str(), "it is not there")
}

#[async_trait]
impl Store for MemoryStore {
    fn describe(&self) -> String {
        "memory://".to_owned()
    }

    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, BucketError> {
        let bytes = self.object(Operation::Read, key)?.bytes;
        let part = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        match part {
            Some((start, end)) if start <= end && end <= bytes.len() => Ok(bytes.slice(start..end)),
            _ => {
                let detail = format!("it ends at byte {}, before {}", bytes.len(), range.end);
                Err(BucketError::new(ErrorKind::Corrupt, Operation::Read, key.as_str(), detail))
            }
        }
    }

    async fn read_control(&self, key: &ObjectKey) -> Result<(Bytes, Version), BucketError> {
        let object = self.object(Operation::ReadControl, key)?;
        Ok((object.bytes, version(object.version)))
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64, BucketError> {
        Ok(self.object(Operation::Size, key)?.bytes.len() as u64)
    }

    async fn list(&self, prefix: &KeyPrefix, from: Option<&PageToken>) -> Result<Page, BucketError> {
        let state = self.state.lock();
        let from = match from {
            Some(token) => Bound::Excluded(token.0.clone()),
            None => Bound::Included(prefix.as_str().to_owned()),
        };
        let mut below = state
            .objects
            .range((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix.as_str()))
            .filter_map(|(key, object)| {
                let key = ObjectKey::parse(key).ok()?;
                Some(Listed { key, size_bytes: object.bytes.len() as u64 })
            });
        let objects: Vec<Listed> = below.by_ref().take(PAGE_OBJECTS).collect();
        let more = below.next().is_some();
        let next = objects.last().filter(|_| more).map(|last| PageToken(last.key.to_string()));
        Ok(Page { objects, next })
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), BucketError> {
        self.state.lock().objects.remove(key.as_str());
        Ok(())
    }

    async fn write_control(&self, key: &ObjectKey, bytes: Bytes, expect: &Expect) -> Result<Version, BucketError> {
        let mut state = self.state.lock();
        let there = state.objects.get(key.as_str()).map(|object| version(object.version));
        let expected = match expect {
            Expect::Absent => there.is_none(),
            Expect::Version(version) => there.as_ref() == Some(version),
        };
        if !expected {
            let detail = "another version is there";
            return Err(BucketError::new(ErrorKind::Conflict, Operation::WriteControl, key.as_str(), detail));
        }
        Ok(state.put(key, bytes))
    }

    async fn begin_upload(&self, key: &ObjectKey) -> Result<UploadId, BucketError> {
        let mut state = self.state.lock();
        state.given += 1;
        let id = format!("upload-{}", state.given);
        state.uploads.insert((key.to_string(), id.clone()), BTreeMap::new());
        Ok(UploadId::named(id))
    }

    async fn write_part(&self, key: &ObjectKey, upload: &UploadId, part: &Part) -> Result<PartTag, BucketError> {
        let mut bytes = BytesMut::with_capacity(part.payload.content_length());
        part.payload.iter().for_each(|piece| bytes.extend_from_slice(piece));
        let mut state = self.state.lock();
        let parts = state.uploads.get_mut(&(key.to_string(), upload.name.clone()));
        let parts = parts.ok_or_else(|| not_found(Operation::WritePart, key))?;
        parts.insert(part.number, bytes.freeze());
        Ok(PartTag(part.number.to_string()))
    }

    async fn finish_upload(&self, key: &ObjectKey, upload: &UploadId, tags: &[PartTag]) -> Result<(), BucketError> {
        let mut state = self.state.lock();
        let name = (key.to_string(), upload.name.clone());
        let parts = state.uploads.get(&name).ok_or_else(|| not_found(Operation::FinishUpload, key))?;
        let mut bytes = BytesMut::new();
        for tag in tags {
            let part = tag.0.parse().ok().and_then(|number: usize| parts.get(&number));
            let part = part.ok_or_else(|| not_found(Operation::FinishUpload, key))?;
            bytes.extend_from_slice(part);
        }
        state.uploads.remove(&name);
        state.put(key, bytes.freeze());
        Ok(())
    }

    async fn abort_upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), BucketError> {
        self.state.lock().uploads.remove(&(key.to_string(), upload.name.clone()));
        Ok(())
    }

    async fn uploads_of(&self, key: &ObjectKey) -> Result<Vec<UploadId>, BucketError> {
        let state = self.state.lock();
        let begun = state.uploads.keys().filter(|(of, _)| of == key.as_str());
        Ok(begun.map(|(_, id)| UploadId::named(id.clone())).collect())
    }

    async fn unfinished_uploads(&self) -> Result<UnfinishedUploads, BucketError> {
        Ok(UnfinishedUploads::EndByThemselves)
    }
}
