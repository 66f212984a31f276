//! One remote segment, read by itself: from the bucket or from a file that somebody copied.
//!
//! # Consistency
//! An object never changes under its key, so what is read in several steps belongs together.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::disk::DiskFile;
use crate::object_storage::{Bucket, BucketError, ErrorKind, ObjectKey};
use crate::tiering::digest::{Digest, RecordDigest};
use crate::tiering::parquet::{Footer, FooterError, RowGroup};

/// What is read first, from the end: most footers are smaller.
const TAIL_BYTES: u64 = 64 * 1024;

/// Where the bytes are.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a bucket.
    Object(Bucket, ObjectKey),
    /// In a file.
    File(Arc<dyn DiskFile>),
}

/// An object whose footer is known.
#[derive(Debug)]
pub struct SegmentObject {
    place: Place,
    size_bytes: u64,
    footer: Arc<Footer>,
}

/// An object that is not what it should be, or that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It is not there.
    #[error("it is missing from the bucket")]
    Missing,
    /// The bucket does not answer.
    #[error("{0}")]
    Unanswered(String),
    /// The bucket does not give it.
    #[error("{0}")]
    Unreadable(String),
    /// It is damaged.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl From<BucketError> for ObjectError {
    fn from(error: BucketError) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Missing,
            // None of these says anything about the object.
            ErrorKind::Unavailable
            | ErrorKind::TimedOut
            | ErrorKind::Throttled
            | ErrorKind::Denied
            | ErrorKind::NoBucket => Self::Unanswered(error.to_string()),
            _ => Self::Unreadable(error.to_string()),
        }
    }
}

impl Place {
    async fn size(&self) -> Result<u64, ObjectError> {
        match self {
            Self::Object(bucket, key) => bucket.size(key).await?.ok_or(ObjectError::Missing),
            Self::File(file) => file.len().map_err(unreadable),
        }
    }

    async fn read(&self, range: std::ops::Range<u64>) -> Result<Bytes, ObjectError> {
        match self {
            Self::Object(bucket, key) => Ok(bucket.get_range(key, range).await?),
            Self::File(file) => {
                let file = Arc::clone(file);
                let reading = spawn_blocking(move || {
                    let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
                    let mut bytes = vec![0; length];
                    file.read_exact_at(&mut bytes, range.start)?;
                    Ok(Bytes::from(bytes))
                });
                reading.await.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(unreadable)
            }
        }
    }
}

fn unreadable(error: io::Error) -> ObjectError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ObjectError::Damaged("it ends before what its footer names".to_owned()),
        _ => ObjectError::Unreadable(error.to_string()),
    }
}

impl SegmentObject {
    /// Reads the footer.
    pub async fn open(place: Place) -> Result<Self, ObjectError> {
        let size_bytes = place.size().await?;
        let mut tail_bytes = TAIL_BYTES.min(size_bytes);
        loop {
            let tail = place.read(size_bytes - tail_bytes..size_bytes).await?;
            match Footer::parse(size_bytes, &tail) {
                Ok(footer) => return Ok(Self { place, size_bytes, footer: Arc::new(footer) }),
                Err(FooterError::NeedMore { need, .. }) if (tail_bytes + 1..=size_bytes).contains(&(need as u64)) => {
                    tail_bytes = need as u64;
                }
                Err(error) => return Err(ObjectError::Damaged(error.to_string())),
            }
        }
    }

    /// How large it is.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// What it says of itself.
    pub fn footer(&self) -> &Footer {
        &self.footer
    }

    /// Decodes every record; returns their digest, which is to be the footer's own.
    pub async fn check_records(&self) -> Result<Digest, ObjectError> {
        let mut digest = RecordDigest::default();
        for (number, group) in self.footer.row_groups().iter().enumerate() {
            let bytes = self.place.read(group.bytes.clone()).await?;
            let footer = Arc::clone(&self.footer);
            let decoding = spawn_blocking(move || {
                let decoded = footer.decode_row_group(number, bytes);
                decoded.map(|decoded| {
                    push_all(&mut digest, &decoded);
                    digest
                })
            });
            let decoded = decoding.await.map_err(|error| ObjectError::Damaged(error.to_string()))?;
            digest = decoded.map_err(|error| ObjectError::Damaged(format!("row group {number}: {error}")))?;
        }
        let found = digest.finish();
        let own = self.footer.digest();
        if found == own {
            return Ok(found);
        }
        Err(ObjectError::Damaged(format!("its records have the digest {found}, its footer says {own}")))
    }
}

fn push_all(digest: &mut RecordDigest, group: &RowGroup) {
    for row in group.iter() {
        digest.push(row.offset, row.timestamp_ms, row.key, row.value, row.headers);
    }
}
