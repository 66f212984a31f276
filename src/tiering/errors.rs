//! What can go wrong between the tiers, one enum per operation.

use crate::catalog::{FencedError, StorageError};
use crate::log::LogError;
use crate::model::{LeaderEpoch, Offset, TopicPartition};
use crate::object_storage::{BucketError, ErrorKind, ObjectKey};

use super::remote_segment::BadRow;
use super::threads::Unfinished;

/// Log start, or what is tiered, did not change; or it did, and only the rest of the work is left to the next try.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Another epoch leads.
    #[error("leader epoch {epoch} of {tp} is fenced")]
    Fenced {
        /// Which partition.
        tp: TopicPartition,
        /// Who asked.
        epoch: LeaderEpoch,
    },
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] StorageError),
    /// The local log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A thread did not end its work.
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
    /// A row of the catalog makes no sense.
    #[error(transparent)]
    BadRow(#[from] BadRow),
}

impl ChangeError {
    /// A thread that did the work panicked.
    pub fn panicked(error: tokio::task::JoinError) -> Self {
        Self::Unfinished(Unfinished::from(error))
    }

    /// The local log's failure, where it is one.
    pub fn log(&self) -> Option<&LogError> {
        match self {
            Self::Log(error) => Some(error),
            _ => None,
        }
    }
}

impl From<FencedError> for ChangeError {
    fn from(error: FencedError) -> Self {
        match error {
            FencedError::Fenced { tp, epoch } => Self::Fenced { tp, epoch },
            FencedError::Storage(error) => Self::Catalog(error),
        }
    }
}

/// Which objects there are could not be asked.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum LoadError {
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] StorageError),
    /// A row of the catalog makes no sense.
    #[error(transparent)]
    BadRow(#[from] BadRow),
}

impl From<LoadError> for RemoteReadError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Catalog(error) => Self::Catalog(error),
            LoadError::BadRow(error) => Self::BadRow(error),
        }
    }
}

/// Records could not be read from the bucket. None of these says that they are not there: whoever asks again later may
/// get them.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RemoteReadError {
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] StorageError),
    /// The object is not what was uploaded.
    #[error("object '{key}' is damaged: {reason}")]
    Damaged {
        /// Which.
        key: String,
        /// How it shows.
        reason: String,
    },
    /// The catalog says that the object is live, and it is not in the bucket.
    #[error("object '{key}' is missing from the bucket, though the catalog has it")]
    Missing {
        /// Which.
        key: String,
    },
    /// What answers is not the bucket that this start is noted in, or cannot say so.
    #[error("the object is not there, but nor is our bucket: {0}")]
    Elsewhere(String),
    /// No object stands for the offset, though it is in the log.
    #[error("no object of {tp} stands for offset {offset}")]
    NoObject {
        /// Which partition.
        tp: TopicPartition,
        /// Which offset.
        offset: Offset,
    },
    /// A row of the catalog makes no sense.
    #[error(transparent)]
    BadRow(#[from] BadRow),
    /// A thread did not end its work, or the broker stops.
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
    /// It took too long.
    #[error("the bucket did not answer in time")]
    TimedOut,
    /// One of those that do not pass by themselves, again and again.
    #[error("{error} ({reads} reads failed)")]
    Lasting {
        /// How many times.
        reads: u64,
        /// Which.
        error: Box<Self>,
    },
}

impl RemoteReadError {
    /// Whether it is likely to pass by itself.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Bucket(error) => error.kind().is_retriable(),
            Self::Catalog(_) | Self::Unfinished(_) | Self::TimedOut | Self::Elsewhere(_) => true,
            Self::Damaged { .. }
            | Self::Missing { .. }
            | Self::NoObject { .. }
            | Self::BadRow(_)
            | Self::Lasting { .. } => false,
        }
    }

    /// What it says of the object that was asked for: the store may have nothing of that name, or not so many bytes of it.
    pub(super) fn of_object(self, key: &ObjectKey) -> Self {
        let Self::Bucket(error) = &self else { return self };
        match error.kind() {
            ErrorKind::NotFound => Self::Missing { key: key.to_string() },
            ErrorKind::Corrupt | ErrorKind::Invalid => {
                Self::Damaged { key: key.to_string(), reason: error.to_string() }
            }
            _ => self,
        }
    }

    /// What is damaged, where something is: an object's key, or a partition.
    pub(super) fn subject(&self) -> Option<String> {
        match self {
            Self::Damaged { key, .. } | Self::Missing { key } => Some(key.clone()),
            Self::NoObject { tp, .. } => Some(tp.to_string()),
            Self::BadRow(error) => Some(error.id.to_string()),
            Self::Bucket(_)
            | Self::Elsewhere(_)
            | Self::Catalog(_)
            | Self::Unfinished(_)
            | Self::TimedOut
            | Self::Lasting { .. } => None,
        }
    }

    /// Whether the object is not there.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Bucket(error) if error.kind() == ErrorKind::NotFound)
    }
}
