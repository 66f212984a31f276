//! What a recorded disk writes down: every change, in the order in which it happened.
//!
//! # Consistency
//! An operation names files and folders by number, not by path: a file that was renamed is still the same file, and
//! what was written to it under its old name is found under the new one.
//!
//! # Crash safety
//! A sync has two entries. It covers what stands before the first, and only once the second is there.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A file or a folder, whatever it is called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Inode(pub(super) u64);

/// What an inode is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Bytes.
    File,
    /// Names.
    Dir,
}

/// A name in a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub(super) dir: Inode,
    pub(super) name: String,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Bytes were written.
    Write {
        /// To which file.
        file: Inode,
        /// Where they begin.
        position: u64,
        /// What was written.
        bytes: Arc<[u8]>,
    },
    /// A file was cut or extended.
    SetLen {
        /// Which.
        file: Inode,
        /// How long it is now.
        length: u64,
    },
    /// A new file or folder got its first name.
    Link {
        /// Where.
        at: Place,
        /// What is found there.
        child: Inode,
        /// What that is.
        kind: Kind,
    },
    /// A name went.
    Unlink {
        /// Which.
        at: Place,
    },
    /// A name went and another came, or came to mean something else.
    Rename {
        /// The old name.
        from: Place,
        /// The new one.
        to: Place,
        /// What it names.
        child: Inode,
        /// What that is.
        kind: Kind,
    },
    /// A sync of a file or a folder began.
    SyncBegun {
        /// Of what.
        of: Inode,
    },
    /// Everything before entry `begun` is stable, whatever it was done to.
    SyncedAll {
        /// The entry with which that sync began.
        begun: usize,
    },
    /// It ended well: whatever was done to that inode before entry `begun` is stable.
    Synced {
        /// Of what.
        of: Inode,
        /// The entry with which it began.
        begun: usize,
    },
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |place: &Place| format!("{}/{}", place.dir.0, place.name);
        match self {
            Self::Write { file, position, bytes } => {
                write!(f, "write {} bytes at {position} of {}", bytes.len(), file.0)
            }
            Self::SetLen { file, length } => write!(f, "set length {length} of {}", file.0),
            Self::Link { at, child, .. } => write!(f, "make {} ({})", name(at), child.0),
            Self::Unlink { at } => write!(f, "remove {}", name(at)),
            Self::Rename { from, to, child, .. } => write!(f, "rename {} to {} ({})", name(from), name(to), child.0),
            Self::SyncBegun { of } => write!(f, "sync {} begins", of.0),
            Self::SyncedAll { begun } => write!(f, "synced everything before #{begun}"),
            Self::Synced { of, begun } => write!(f, "synced {}, begun with #{begun}", of.0),
        }
    }
}

/// What is about to be done, for whoever watches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// A file is written to.
    Write,
    /// A file is cut or extended.
    SetLen,
    /// A file is synced.
    Sync,
    /// A file is made.
    CreateFile,
    /// A folder is made.
    CreateDir,
    /// Something is renamed; the path is the new one.
    Rename,
    /// A file is removed.
    RemoveFile,
    /// A folder is removed.
    RemoveDir,
    /// A folder is synced.
    SyncDir,
    /// Everything is synced.
    SyncAll,
}

/// A change that is about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// How many entries the journal has.
    pub position: usize,
    /// What is to be done.
    pub change: Change,
    /// To what.
    pub path: &'a Path,
}

/// A sync that was asked for.
#[derive(Clone, Copy, Debug)]
pub struct SyncOf<'a> {
    /// Of a file's bytes, of a folder's names, or of everything.
    pub change: Change,
    /// Of what.
    pub path: &'a Path,
    /// For a folder, the last name in it that came or went since it was last synced: what the sync is for.
    pub newest: Option<(&'a str, Went)>,
}

/// Which way a name went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Went {
    /// It is there now, and leads to a file.
    FileCame,
    /// It is there now, and leads to a folder.
    DirCame,
    /// It is there no more.
    Away,
}
