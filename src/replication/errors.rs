//! What can go wrong with a partition, one enum per operation.

use crate::log;
use crate::model::{LeaderEpoch, Offset};
use crate::tiering::{ChangeError, RemoteReadError};

use super::high_watermark::Offline;

/// The caller's idea of the leader epoch is not the leader's. KIP-320.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// The caller is behind.
    #[error("leader epoch {asked} is fenced: it is {current} now")]
    Fenced {
        /// What the caller said.
        asked: LeaderEpoch,
        /// What it is.
        current: LeaderEpoch,
    },
    /// The caller is ahead of this broker.
    #[error("leader epoch {asked} is not known yet: it is {current} here")]
    Unknown {
        /// What the caller said.
        asked: LeaderEpoch,
        /// What it is.
        current: LeaderEpoch,
    },
}

/// The partition serves nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotServing {
    /// The topic is being deleted.
    #[error("the partition is being deleted")]
    Deleted,
    /// The log directory is offline.
    #[error("the log directory is offline")]
    Offline,
    /// The broker may not lead any more.
    #[error("this broker no longer holds the catalog's lock: another may lead")]
    NotLeader,
}

/// Records that were appended were not committed, as far as this broker knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCommitted {
    /// The partition went offline first.
    #[error(transparent)]
    Offline(#[from] Offline),
    /// The broker may not lead any more.
    #[error("this broker no longer holds the catalog's lock: another may lead")]
    NotLeader,
}

/// A batch was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Nobody is served.
    #[error(transparent)]
    NotServing(#[from] NotServing),
    /// `min.insync.replicas` is more than there are.
    #[error("{in_sync} in-sync replica(s), {required} required by min.insync.replicas")]
    NotEnoughReplicas {
        /// How many are in sync.
        in_sync: u32,
        /// How many have to be.
        required: u32,
    },
    /// The disk is full.
    #[error(
        "the disk of the log directory is full: appends are refused below tidelog.log.dir.reserve.bytes of free space; \
         free some, or let retention or tiering do it"
    )]
    DiskFull,
    /// The log refused.
    #[error(transparent)]
    Log(#[from] log::AppendError),
}

/// A read was not served.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nobody is served.
    #[error(transparent)]
    NotServing(#[from] NotServing),
    /// The offset is not in the log.
    #[error("offset {asked} is not in [{start}, {end}]")]
    OutOfRange {
        /// What was asked for.
        asked: Offset,
        /// The log start offset.
        start: Offset,
        /// The log end offset.
        end: Offset,
    },
    /// The log refused.
    #[error(transparent)]
    Log(#[from] log::ReadError),
}

/// An offset was not found.
#[derive(Debug, thiserror::Error)]
pub enum ListOffsetsError {
    /// Nobody is served.
    #[error(transparent)]
    NotServing(#[from] NotServing),
    /// The log refused.
    #[error(transparent)]
    Log(#[from] log::LogError),
    /// The bucket has to be asked, and does not answer.
    #[error(transparent)]
    Remote(#[from] RemoteReadError),
    /// A thread did not end its work.
    #[error("looking in the local log did not end")]
    Unfinished,
}

/// Records were not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteRecordsError {
    /// Nobody is served.
    #[error(transparent)]
    NotServing(#[from] NotServing),
    /// The offset lies beyond what consumers may see.
    #[error("offset {asked} is not in [0, {high_watermark}]")]
    OutOfRange {
        /// What was asked for.
        asked: Offset,
        /// The high watermark.
        high_watermark: Offset,
    },
    /// The log refused.
    #[error(transparent)]
    Log(#[from] log::LogError),
    /// The tiers refused.
    #[error(transparent)]
    Tiers(#[from] ChangeError),
    /// A thread did not end its work.
    #[error("moving the log start did not end")]
    Unfinished,
}
