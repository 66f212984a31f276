//! What can go wrong with a log, one enum per operation.

use std::io;
use std::path::PathBuf;

use crate::disk::is_out_of_files;
use crate::model::{LeaderEpoch, Offset, ProducerId};
use crate::record::BatchError;

/// The disk refused, or what lies on it is not what was written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes below the log end do not parse.
    #[error("{path} is damaged at byte {position}: {source}")]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where.
        position: u64,
        /// How.
        source: BatchError,
    },
    /// Offsets that were on stable storage, so says the checkpoint, are not in the files. Nothing of that may be given
    /// again.
    #[error(
        "{path} has lost offsets {from} up to {to}: its checkpoint says that they were on stable storage, and its files do not hold them. Put the files back, or accept the loss with --set tidelog.accept.data.loss=true: the log then goes on at {to} or above"
    )]
    Lost {
        /// The partition's folder.
        path: PathBuf,
        /// The first that is missing.
        from: Offset,
        /// The first behind them.
        to: Offset,
    },
    /// The log was made before, and nothing of it is there.
    #[error(
        "{path} is missing or empty, though the partition's log was made there before: what was in it, from offset {from} on, is lost, and may not be given again. Put the folder back, or accept the loss with --set tidelog.accept.data.loss=true: the log then begins anew at {from}"
    )]
    Gone {
        /// The partition's folder.
        path: PathBuf,
        /// Below it nothing local is needed.
        from: Offset,
    },
    /// The log has let go of what the catalog does not know to be in the bucket, or to be deleted: the catalog is an older
    /// one.
    #[error(
        "{path} has let go of its offsets below {to}, which it does only when the catalog says that the bucket has them or that they are deleted; but this catalog says so only of those below {from}: it is older than the log, put back from a copy. Give back the newest copy of it (--catalog): with this one, what was uploaded or deleted since is not known, and would be written a second time. If there is no newer one, accept with --set tidelog.accept.data.loss=true that it is not read any more"
    )]
    OlderCatalog {
        /// The partition's folder.
        path: PathBuf,
        /// How far the catalog knows.
        from: Offset,
        /// How far it knew.
        to: Offset,
    },
    /// An earlier failure left the log in a state that only a restart, with its recovery, can leave.
    #[error("the log has failed before and serves no more appends until a restart")]
    Broken,
}

impl LogError {
    /// Whether the disk is full, so that an append may succeed again later.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }

    /// Whether a file was not there.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether a file or a folder could not be opened because too many are open: what was asked for was not done.
    pub fn is_out_of_files(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_out_of_files(source))
    }

    /// Whether the system was short of what it may have again in a moment, open files or memory: no sign of a bad disk.
    pub fn is_shortage(&self) -> bool {
        let of_memory = |source: &io::Error| source.kind() == io::ErrorKind::OutOfMemory;
        self.is_out_of_files() || matches!(self, Self::Io { source, .. } if of_memory(source))
    }
}

/// Puts the path to an I/O error.
pub(super) fn at(path: &std::path::Path) -> impl FnOnce(io::Error) -> LogError + '_ {
    move |source| LogError::Io { path: path.to_owned(), source }
}

/// A batch was not appended; the log is as it was.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A newer instance of the producer has written already.
    #[error("producer {id:?} with epoch {epoch} is fenced: epoch {current} has written")]
    ProducerFenced {
        /// Who.
        id: ProducerId,
        /// Its epoch.
        epoch: i16,
        /// The newest that has written.
        current: i16,
    },
    /// A batch is missing before this one, or it was sent too often to be remembered.
    #[error("out of order sequence number {got} for producer {id:?}, expected {expected}")]
    OutOfOrderSequence {
        /// Who.
        id: ProducerId,
        /// What was expected.
        expected: i32,
        /// What came.
        got: i32,
    },
    /// The leader epoch lies below that of records that are in the log.
    #[error("leader epoch {epoch} is older than {current}")]
    StaleEpoch {
        /// The appender's.
        epoch: LeaderEpoch,
        /// The log's.
        current: LeaderEpoch,
    },
    /// The disk refused.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A read was not served.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Below the first local segment, or behind the log end.
    #[error("offset {asked} is not in [{start}, {end}]")]
    OutOfRange {
        /// What was asked for.
        asked: Offset,
        /// The first local offset.
        start: Offset,
        /// The log end offset.
        end: Offset,
    },
    /// The disk refused.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl ReadError {
    /// Whether a file was not there.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Log(error) if error.is_not_found())
    }
}
