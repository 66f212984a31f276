//! Why a range was not uploaded, and what that means for the next try.

use std::io::ErrorKind;

use crate::catalog::{CommitError, FencedError, StorageError};
use crate::log::LogError;
use crate::model::{Offset, TopicPartition};
use crate::object_storage::{BucketError, ObjectKey};

use super::cluster_file::BucketRefused;
use super::parquet::WriteError;
use super::threads::Unfinished;
use super::tiers::TopicFileError;

/// A range was not uploaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum UploadError {
    #[error("the partition is not led here any more")]
    Retired,
    #[error(transparent)]
    TopicFile(#[from] TopicFileError),
    #[error("the catalog: {0}")]
    Catalog(#[from] StorageError),
    #[error("leader epoch fenced: another broker leads {0}")]
    Fenced(TopicPartition),
    #[error(transparent)]
    Commit(CommitError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    NotOurs(#[from] BucketRefused),
    #[error("the local log cannot be read: {0}")]
    Log(#[from] LogError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the object '{key}' is not in the bucket as it was sent: {reason}")]
    NotAsSent { key: ObjectKey, reason: String },
    #[error("an earlier object '{0}' cannot be removed yet")]
    StillThere(ObjectKey),
    #[error("offsets {from} up to {to} are neither in the bucket nor in the local log")]
    Hole { from: Offset, to: Offset },
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
}

impl From<FencedError> for UploadError {
    fn from(error: FencedError) -> Self {
        match error {
            FencedError::Fenced { tp, .. } => Self::Fenced(tp),
            FencedError::Storage(error) => Self::Catalog(error),
        }
    }
}

impl From<CommitError> for UploadError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Fenced { tp, .. } => Self::Fenced(tp),
            CommitError::Storage(error) => Self::Catalog(error),
            other => Self::Commit(other),
        }
    }
}

impl UploadError {
    /// Whether it is the bucket that takes nothing now: when it takes something, all may try again.
    pub(super) fn is_of_bucket(&self) -> bool {
        match self {
            Self::Bucket(error) => error.kind().may_pass(),
            Self::TopicFile(error) => error.is_of_bucket(),
            Self::NotOurs(_) => true,
            _ => false,
        }
    }

    /// Whether trying again is no use before somebody has helped: the log's own bytes are not what was written, or cannot be
    /// written as what they are.
    pub(super) fn needs_help(&self) -> bool {
        match self {
            Self::Log(LogError::Damaged { .. }) => true,
            // The file is shorter than it was.
            Self::Log(LogError::Io { source, .. }) => source.kind() == ErrorKind::UnexpectedEof,
            Self::Write(error) => matches!(
                error,
                WriteError::Batch { .. }
                    | WriteError::Order { .. }
                    | WriteError::Timestamp { .. }
                    | WriteError::Headers { .. }
                    | WriteError::TooManyRowGroups(_)
            ),
            _ => false,
        }
    }

    /// Whether the disk does not give the local log: a bad sector stays, a cable or a mount comes back. A segment that
    /// retention has just removed is neither.
    pub(super) fn is_of_disk(&self) -> bool {
        let Self::Log(LogError::Io { source, .. }) = self else { return false };
        !matches!(source.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof)
    }
}
