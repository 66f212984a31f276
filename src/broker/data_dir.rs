//! The data directory: one broker's, known by an id, locked while the broker runs.
//!
//! ```text
//! <data>/tidelog.json      cluster id and directory id: whose logs these are
//! <data>/tidelog.lock      locked while a broker runs; holds who
//! <data>/topics/…          the local tier
//! <data>/made/TOPIC_ID     how many partitions of that topic have had a log there (`made.rs`)
//! ```
//!
//! # Consistency
//! The directory id is made once and known to the catalog. A directory that is empty or another's, for a broker that
//! had one, is refused: starting on it would forget every record that was not tiered, and give its offset again.
//! A folder that holds what is not ours, a Kafka's logs above all, is refused before anything is written to it: one file
//! more there, and that Kafka starts no more.
//!
//! # Crash safety
//! The identity is written whole or not at all, before the first log is made.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::{DirEntry, Disk, LockFile, LockRefused};

const IDENTITY: &str = "tidelog.json";
const LOCK: &str = "tidelog.lock";
/// What a start that was cut off may have left before the directory was claimed, and what the root of a file system has.
/// The catalog's files are told by how their names begin.
const OWN: [&str; 6] = ["aside", "bucket", "made", "topics", LOCK, "lost+found"];
const CATALOG: &str = "catalog.db";
/// What systems and network disks put into every folder, and nobody's data: a Finder's notes, a filer's snapshots.
const SYSTEMS: [&str; 2] = [".DS_Store", ".snapshot"];
/// How an NFS client calls a file that was removed while it was open.
const NFS: &str = ".nfs";
/// So many of what was found are named.
const NAMED_MAX: usize = 3;
/// The version of the directory's layout.
const FORMAT_VERSION: u32 = 1;

/// Whose directory it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The version of the layout.
    pub format_version: u32,
    /// The cluster that the logs belong to.
    pub cluster_id: String,
    /// The directory's own id, 22 characters as Kafka's directory ids are.
    pub directory_id: String,
}

/// A directory that this process has to itself.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Closing it ends the lock.
    _lock: LockFile,
}

/// The directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process runs on it.
    #[error(
        "the data directory {path} is in use by {holder}; stop that broker first, or give this one --data-dir of its own"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// What the lock file says.
        holder: String,
    },
    /// Its identity file is not one that this version reads.
    #[error("{path} is not a data directory that this version can read: {reason}")]
    Unreadable {
        /// The identity file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It is no broker's of ours, and holds what is not ours.
    #[error(
        "the data directory {path} holds {whose}, and is no Tidelog's: {found}; nothing was written. Give a folder that is new or empty (--data-dir, or log.dirs in a settings file)"
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Whose it seems to be.
        whose: &'static str,
        /// The first names that were found.
        found: String,
    },
    /// The disk refused.
    #[error("the data directory {path}: {source}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DataDir {
    /// Refuses a folder that holds what is not ours and that no broker of ours has had. Writes nothing.
    pub fn check_unclaimed(disk: &dyn Disk, path: &Path) -> Result<(), DataDirError> {
        let entries = match disk.read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(DataDirError::Io { path: path.to_owned(), source }),
        };
        let has = |name: &str| entries.iter().any(|entry| entry.name == name);
        // Even where a Kafka's files lie beside it: a broker of ours has had the folder, its log may be nowhere else, and a
        // refusal would keep that from its owner without giving the Kafka anything back.
        if has(IDENTITY) {
            return Ok(());
        }
        let kafkas: Vec<&DirEntry> = entries.iter().filter(|entry| is_kafkas(entry)).collect();
        if !kafkas.is_empty() {
            let whose = "the logs of a Kafka, which are not read here and which that Kafka would no longer open";
            return Err(DataDirError::Foreign { path: path.to_owned(), whose, found: named(&kafkas) });
        }
        // Where a start of ours has been, a catalog or a bucket may lie under whatever name it was given.
        if has(LOCK) {
            return Ok(());
        }
        let foreign: Vec<&DirEntry> = entries.iter().filter(|entry| !is_own(&entry.name)).collect();
        if foreign.is_empty() {
            return Ok(());
        }
        let whose = "files that are not Tidelog's";
        Err(DataDirError::Foreign { path: path.to_owned(), whose, found: named(&foreign) })
    }

    /// Makes the directory where it is missing and takes its lock.
    pub fn lock(disk: &dyn Disk, path: &Path) -> Result<Self, DataDirError> {
        Self::check_unclaimed(disk, path)?;
        let io_error = |source| DataDirError::Io { path: path.to_owned(), source };
        disk.create_dir_all_durable(path).map_err(io_error)?;
        let holder = format!("process {}", std::process::id());
        let lock = LockFile::take(disk, &path.join(LOCK), &holder).map_err(|refused| match refused {
            LockRefused::Held(holder) => DataDirError::InUse { path: path.to_owned(), holder },
            LockRefused::Io(source) => io_error(source),
        })?;
        // What the last one left, if it was killed, is in the system's memory and perhaps nowhere else.
        disk.sync_all(path).map_err(io_error)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the logs lie.
    pub fn topics(&self) -> PathBuf {
        self.path.join("topics")
    }

    /// Whose directory it is; `None` for one that never had a broker.
    pub fn identity(&self, disk: &dyn Disk) -> Result<Option<Identity>, DataDirError> {
        let path = self.path.join(IDENTITY);
        let unreadable = |reason: String| DataDirError::Unreadable { path: path.clone(), reason };
        let Some(bytes) =
            disk.read_all(&path).map_err(|source| DataDirError::Io { path: self.path.clone(), source })?
        else {
            return Ok(None);
        };
        let identity: Identity = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if identity.format_version != FORMAT_VERSION {
            return Err(unreadable(format!(
                "its format version is {}, this tidelog knows {FORMAT_VERSION}",
                identity.format_version
            )));
        }
        Ok(Some(identity))
    }

    /// Gives the directory its identity. Durable when it returns.
    pub fn claim(&self, disk: &dyn Disk, cluster_id: &str, directory_id: &str) -> Result<Identity, DataDirError> {
        let identity = Identity {
            format_version: FORMAT_VERSION,
            cluster_id: cluster_id.to_owned(),
            directory_id: directory_id.to_owned(),
        };
        let io_error = |source| DataDirError::Io { path: self.path.clone(), source };
        let text = serde_json::to_vec_pretty(&identity).map_err(|error| io_error(error.into()))?;
        disk.replace_durable(&self.path.join(IDENTITY), &text).map_err(io_error)?;
        Ok(identity)
    }
}

fn is_own(name: &str) -> bool {
    let is_systems = SYSTEMS.contains(&name) || name.starts_with(NFS);
    is_systems || OWN.contains(&name) || name.starts_with(CATALOG) || name.starts_with(IDENTITY)
}

/// A Kafka's own files, and its partitions' folders: a topic, a dash, a number.
fn is_kafkas(entry: &DirEntry) -> bool {
    let name = entry.name.as_str();
    if entry.is_dir {
        let partition = name.rsplit_once('-');
        return partition.is_some_and(|(topic, number)| !topic.is_empty() && number.parse::<u32>().is_ok());
    }
    matches!(name, "meta.properties" | "bootstrap.checkpoint" | ".kafka_cleanshutdown") || name.ends_with("-checkpoint")
}

fn named(entries: &[&DirEntry]) -> String {
    let shown: Vec<&str> = entries.iter().take(NAMED_MAX).map(|entry| entry.name.as_str()).collect();
    match entries.len().saturating_sub(NAMED_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn a_second_broker_is_told_who_holds_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let first = DataDir::lock(&RealDisk, &path).unwrap();
        let error = DataDir::lock(&RealDisk, &path).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        DataDir::lock(&RealDisk, &path).unwrap();
    }

    /// What a folder with these entries is refused for; a name that ends in `/` is a folder's.
    fn refused(entries: &[&str]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for entry in entries {
            match entry.strip_suffix('/') {
                Some(name) => std::fs::create_dir(folder.path().join(name)).unwrap(),
                None => std::fs::write(folder.path().join(entry), b"x").unwrap(),
            }
        }
        let refused = DataDir::lock(&RealDisk, folder.path()).err().map(|error| error.to_string());
        let left = RealDisk.read_dir(folder.path()).unwrap().len();
        assert!(refused.is_none() || left == entries.len(), "something was written to {entries:?}");
        refused
    }

    #[test]
    fn what_is_not_ours_is_refused_before_anything_is_written() {
        for kafkas in [&["meta.properties"][..], &["clicks-0/"], &["replication-offset-checkpoint", "tidelog.lock"]] {
            let error = refused(kafkas).unwrap();
            assert!(error.contains("a Kafka") && error.contains(kafkas[0].trim_end_matches('/')), "{error}");
            assert!(error.contains("--data-dir"), "{error}");
        }
        let error = refused(&["a.txt", "b.txt", "c.txt", "d.txt", "bucket/"]).unwrap();
        assert!(error.contains("a.txt, b.txt, c.txt and 1 more"), "{error}");
        for fine in [
            &[][..],
            &["lost+found/"],
            &[".DS_Store", ".snapshot/", ".nfs0000000002a1c3f400000001"],
            &["tidelog.lock", "topics/", "bucket/", "catalog.db", "catalog.db-wal"],
            &["tidelog.lock", "a-catalog-of-my-own.db"],
            &["tidelog.json", "notes.txt"],
            &["tidelog.json", "meta.properties", "clicks-0/"],
        ] {
            assert_eq!(refused(fine), None, "{fine:?}");
        }
    }

    #[test]
    fn the_identity_survives_and_a_newer_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::lock(&RealDisk, folder.path()).unwrap();
        assert_eq!(dir.identity(&RealDisk).unwrap(), None);
        let identity = dir.claim(&RealDisk, "cluster", "directory").unwrap();
        assert_eq!(dir.identity(&RealDisk).unwrap(), Some(identity));
        std::fs::write(
            folder.path().join(IDENTITY),
            br#"{"format_version": 9, "cluster_id": "c", "directory_id": "d"}"#,
        )
        .unwrap();
        assert!(dir.identity(&RealDisk).unwrap_err().to_string().contains("format version is 9"));
        std::fs::write(folder.path().join(IDENTITY), b"{").unwrap();
        assert!(matches!(dir.identity(&RealDisk), Err(DataDirError::Unreadable { .. })));
    }
}
