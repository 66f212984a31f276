//! `file://`: a folder as a bucket, by way of [`Disk`], so that what it answered is stable and a test can count the
//! syncs and replay a power cut.
//!
//! An object is a file of the same name. What is being written is `name#n` beside it; readers of the folder that
//! look for `*.parquet` do not see it, and neither do listings here.
//!
//! # Consistency
//! A file appears whole, by rename. Conditional writes are decided by content hash under a lock of this process:
//! one process at a time writes to a folder, which the catalog's lock sees to. The folder is the one that was there at the
//! start, by device and number: while its mount is away there is no bucket, whatever stands at its path, and nothing is
//! written, found or missed there.
//!
//! # Crash safety
//! Before a write answers, the bytes are synced, then renamed, then the folder is synced; each new folder on the
//! way has had its parent synced. A delete answers after its folder is synced. A crash leaves at most a `name#n`,
//! which [`Store::abort_upload`] and [`Store::delete`] of that name remove.
//!
//! # Cancellation
//! The work goes on in the blocking pool to its end; only the waiting stops.

mod listing;

use std::io::{self, ErrorKind as IoKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile, FolderId, Open, parent_of, with_suffix};

use super::error::{BucketError, ErrorKind, OpenError, Operation};
use super::object_key::{KeyPrefix, ObjectKey};
use super::store::{Expect, Page, PageToken, Part, PartTag, Store, UnfinishedUploads, UploadId, Version};

/// Unfinished files that may stand beside one name; more mean that something else is wrong.
const UNFINISHED_MAX: u32 = 10_000;

/// A folder as a bucket.
#[derive(Debug, Clone)]
pub(super) struct FileStore {
    folder: Arc<Folder>,
}

#[derive(Debug)]
struct Folder {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    /// Which folder that is.
    id: FolderId,
    /// Held while folders are made or removed: a folder must not go between its making and its first file.
    names: Mutex<()>,
    /// Held between the look and the write of a conditional write.
    deciding: Mutex<()>,
}

impl FileStore {
    /// Uses `root`, and makes it where it is missing.
    pub(super) async fn open(root: PathBuf, disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        let path = root.display().to_string();
        let unusable = |why: String| OpenError::Folder { path: path.clone(), why };
        let made = tokio::task::spawn_blocking(move || {
            disk.create_dir_all_durable(&root)?;
            let id = disk.folder_id(&root)?;
            // What is read from now on may be what a process left that was killed before it was stable.
            disk.sync_all(&root)?;
            disk.read_dir(&root)?;
            Ok::<_, io::Error>(Folder { disk, root, id, names: Mutex::new(()), deciding: Mutex::new(()) })
        });
        let made = made.await.map_err(|error| unusable(error.to_string()))?;
        Ok(Self { folder: Arc::new(made.map_err(|error| unusable(error.to_string()))?) })
    }

    /// Runs blocking work on the folder.
    async fn run<T, W>(&self, operation: Operation, key: &str, work: W) -> Result<T, BucketError>
    where
        T: Send + 'static,
        W: FnOnce(&Folder) -> io::Result<T> + Send + 'static,
    {
        let folder = Arc::clone(&self.folder);
        let done = tokio::task::spawn_blocking(move || {
            folder.check()?;
            let done = work(&folder);
            // Again: a mount may have gone or come in between, and then nothing that was seen counts.
            folder.check()?;
            done
        });
        let done = done.await;
        let done = done.unwrap_or_else(|error| Err(io::Error::other(error)));
        done.map_err(|error| BucketError::new(kind_of(&error), operation, key, error.to_string()))
    }
}

fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        IoKind::NotFound | IoKind::NotADirectory => ErrorKind::NotFound,
        IoKind::AlreadyExists => ErrorKind::Conflict,
        IoKind::PermissionDenied | IoKind::ReadOnlyFilesystem => ErrorKind::Denied,
        IoKind::StorageFull | IoKind::QuotaExceeded => ErrorKind::Full,
        IoKind::UnexpectedEof | IoKind::InvalidData => ErrorKind::Corrupt,
        IoKind::InvalidInput | IoKind::InvalidFilename | IoKind::IsADirectory => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    }
}

fn away(why: &str) -> io::Error {
    io::Error::other(format!("the folder is not the one that was there at the start ({why}): is its disk mounted?"))
}

fn conflict() -> io::Error {
    io::Error::new(IoKind::AlreadyExists, "another version is there")
}

fn version_of(bytes: &[u8]) -> Version {
    Version::of_etag(blake3::hash(bytes).to_hex().to_string())
}

/// Where `name#n` says that `name` is unfinished; `None` for a finished file's name.
fn unfinished(name: &str) -> Option<(&str, &str)> {
    let (finished, number) = name.rsplit_once('#')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some((finished, number))
}

impl Folder {
    fn path(&self, key: &ObjectKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// Whether it is the folder that was there at the start.
    fn check(&self) -> io::Result<()> {
        match self.disk.folder_id(&self.root) {
            Ok(id) if id == self.id => Ok(()),
            Ok(_) => Err(away("another folder stands at its path")),
            Err(error) => Err(away(&error.to_string())),
        }
    }

    /// A new `name#n` beside `path`, and the folders that lead there.
    fn begin(&self, path: &Path) -> io::Result<(PathBuf, Arc<dyn DiskFile>)> {
        let _names = self.names.lock();
        self.disk.create_dirs_durable_below(&self.root, parent_of(path))?;
        for number in 1..UNFINISHED_MAX {
            let beside = with_suffix(path, &format!("#{number}"));
            match self.disk.open(&beside, Open::CreateNew) {
                Err(error) if error.kind() == IoKind::AlreadyExists => {}
                other => return Ok((beside, other?)),
            }
        }
        Err(io::Error::new(IoKind::StorageFull, "too many unfinished files of this name"))
    }

    /// Makes what is written in `beside` stable, under the name `path`.
    fn finish(&self, beside: &Path, path: &Path) -> io::Result<()> {
        self.disk.open(beside, Open::Write)?.sync_data()?;
        self.disk.rename_durable(beside, path)
    }

    fn write_whole(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let (beside, file) = self.begin(path)?;
        let written = file.write_all_at(bytes, 0).and_then(|()| self.finish(&beside, path));
        if written.is_err() {
            // What stays is removed with the next delete of the name; the first error is the one to report.
            let _ = self.disk.remove_file(&beside);
        }
        written
    }

    /// Removes files of one folder and the folder itself, with those above it, as far as they are empty.
    fn remove(&self, path: &Path, which: impl Fn(&str) -> bool) -> io::Result<()> {
        let folder = parent_of(path);
        let entries = match self.disk.read_dir(folder) {
            Err(error) if matches!(error.kind(), IoKind::NotFound | IoKind::NotADirectory) => return Ok(()),
            other => other?,
        };
        let mut removed = false;
        for entry in entries.iter().filter(|entry| !entry.is_dir && which(&entry.name)) {
            match self.disk.remove_file(&folder.join(&entry.name)) {
                Err(error) if error.kind() == IoKind::NotFound => {}
                other => other?,
            }
            removed = true;
        }
        if removed {
            self.disk.sync_dir(folder)?;
            self.remove_empty(folder);
        }
        Ok(())
    }

    fn remove_empty(&self, folder: &Path) {
        let _names = self.names.lock();
        let mut folder = folder;
        // A folder that holds something refuses to go: that is the end of the way up, not an error.
        while folder != self.root && folder.starts_with(&self.root) && self.disk.remove_dir(folder).is_ok() {
            folder = parent_of(folder);
        }
    }
}

#[async_trait]
impl Store for FileStore {
    fn describe(&self) -> String {
        format!("file://{}", self.folder.root.display())
    }

    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, BucketError> {
        let name = key.clone();
        let read = move |folder: &Folder| {
            let file = folder.disk.open(&folder.path(&name), Open::Read)?;
            let length = file.len()?;
            if range.start > range.end || range.end > length {
                let detail = format!("it ends at byte {length}, before {}", range.end);
                return Err(io::Error::new(IoKind::UnexpectedEof, detail));
            }
            let mut bytes = vec![0; usize::try_from(range.end - range.start).map_err(io::Error::other)?];
            file.read_exact_at(&mut bytes, range.start)?;
            Ok(Bytes::from(bytes))
        };
        self.run(Operation::Read, key.as_str(), read).await
    }

    async fn read_control(&self, key: &ObjectKey) -> Result<(Bytes, Version), BucketError> {
        let name = key.clone();
        let read = move |folder: &Folder| {
            let bytes = folder.disk.read_all(&folder.path(&name))?.ok_or_else(|| io::Error::from(IoKind::NotFound))?;
            let version = version_of(&bytes);
            Ok((Bytes::from(bytes), version))
        };
        self.run(Operation::ReadControl, key.as_str(), read).await
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64, BucketError> {
        let name = key.clone();
        let size = move |folder: &Folder| folder.disk.open(&folder.path(&name), Open::Read)?.len();
        self.run(Operation::Size, key.as_str(), size).await
    }

    async fn list(&self, prefix: &KeyPrefix, from: Option<&PageToken>) -> Result<Page, BucketError> {
        let (below, after) = (prefix.clone(), from.map(|token| token.0.clone()));
        let list = move |folder: &Folder| listing::page(&*folder.disk, &folder.root, &below, after.as_deref());
        self.run(Operation::List, prefix.as_str(), list).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), BucketError> {
        let name = key.clone();
        let delete = move |folder: &Folder| {
            let path = folder.path(&name);
            let file = path.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
            folder.remove(&path, |entry| entry == file || unfinished(entry).is_some_and(|(name, _)| name == file))
        };
        self.run(Operation::Delete, key.as_str(), delete).await
    }

    async fn write_control(&self, key: &ObjectKey, bytes: Bytes, expect: &Expect) -> Result<Version, BucketError> {
        let (name, expect) = (key.clone(), expect.clone());
        let write = move |folder: &Folder| {
            let path = folder.path(&name);
            let _deciding = folder.deciding.lock();
            let there = folder.disk.read_all(&path)?;
            let expected = match (&expect, &there) {
                (Expect::Absent, None) => true,
                (Expect::Version(version), Some(there)) => *version == version_of(there),
                _ => false,
            };
            if !expected {
                return Err(conflict());
            }
            folder.write_whole(&path, &bytes)?;
            Ok(version_of(&bytes))
        };
        self.run(Operation::WriteControl, key.as_str(), write).await
    }

    async fn begin_upload(&self, key: &ObjectKey) -> Result<UploadId, BucketError> {
        let name = key.clone();
        let begin = move |folder: &Folder| {
            let path = folder.path(&name);
            let (beside, _) = folder.begin(&path)?;
            let beside = beside.to_string_lossy();
            let (_, number) = unfinished(&beside).ok_or_else(|| io::Error::from(IoKind::InvalidData))?;
            Ok(UploadId::named(number.to_owned()))
        };
        self.run(Operation::BeginUpload, key.as_str(), begin).await
    }

    async fn write_part(&self, key: &ObjectKey, upload: &UploadId, part: &Part) -> Result<PartTag, BucketError> {
        let (name, upload, part) = (key.clone(), upload.clone(), part.clone());
        let write = move |folder: &Folder| {
            let file =
                folder.disk.open(&with_suffix(&folder.path(&name), &format!("#{}", upload.name)), Open::Write)?;
            let mut position = part.position;
            for piece in &part.payload {
                file.write_all_at(piece, position)?;
                position += piece.len() as u64;
            }
            Ok(PartTag(part.number.to_string()))
        };
        self.run(Operation::WritePart, key.as_str(), write).await
    }

    async fn finish_upload(&self, key: &ObjectKey, upload: &UploadId, _: &[PartTag]) -> Result<(), BucketError> {
        let (name, upload) = (key.clone(), upload.clone());
        let finish = move |folder: &Folder| {
            let path = folder.path(&name);
            folder.finish(&with_suffix(&path, &format!("#{}", upload.name)), &path)
        };
        self.run(Operation::FinishUpload, key.as_str(), finish).await
    }

    async fn abort_upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), BucketError> {
        let (name, upload) = (key.clone(), upload.clone());
        let abort = move |folder: &Folder| {
            let path = with_suffix(&folder.path(&name), &format!("#{}", upload.name));
            let file = path.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
            folder.remove(&path, |entry| entry == file)
        };
        self.run(Operation::AbortUpload, key.as_str(), abort).await
    }

    async fn uploads_of(&self, key: &ObjectKey) -> Result<Vec<UploadId>, BucketError> {
        let name = key.clone();
        let list = move |folder: &Folder| {
            let path = folder.path(&name);
            let file = path.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
            let entries = match folder.disk.read_dir(parent_of(&path)) {
                Err(error) if matches!(error.kind(), IoKind::NotFound | IoKind::NotADirectory) => return Ok(Vec::new()),
                other => other?,
            };
            let numbers = entries.iter().filter_map(|entry| unfinished(&entry.name).filter(|(name, _)| *name == file));
            Ok(numbers.map(|(_, number)| UploadId::named(number.to_owned())).collect())
        };
        self.run(Operation::ListUploads, key.as_str(), list).await
    }

    async fn unfinished_uploads(&self) -> Result<UnfinishedUploads, BucketError> {
        Ok(UnfinishedUploads::EndByThemselves)
    }
}
