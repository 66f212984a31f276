//! A disk in memory that writes down everything that is done to it, so that a test can cut the power at any moment and
//! look at every state that the machine may wake up in.
//!
//! It is also a faulty disk: whoever watches it may refuse a change before it is made, its room can be bounded, and it can
//! forget syncs of one kind, as a program would that left them out.
//!
//! # Consistency
//! As [`RealDisk`](super::RealDisk). Changes of several threads are written down in the order in which they take effect.
//!
//! # Crash safety
//! [`RecordedDisk::power_cut`] shows what is left. Without one, whatever was written is there, as after `kill -9`: the
//! operating system still holds it.

mod file;
mod operation;
mod power_cut;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::{DirEntry, Disk, DiskFile, Open};
use file::RecordedFile;
use tree::Tree;

pub use operation::{Change, Event, Inode, Kind, Operation, Place, SyncOf, Went};
pub use power_cut::PowerCut;

/// Hears of every change before it is made; an error refuses it.
pub type Watch = dyn Fn(Event<'_>) -> io::Result<()> + Send + Sync;

/// Says which syncs are forgotten.
pub type Forgets = dyn Fn(SyncOf<'_>) -> bool + Send + Sync;

/// A file's content outside of memory, for whoever needs a descriptor.
type Mirror = Arc<File>;

/// What an unbounded disk claims to have.
const PLENTY_BYTES: u64 = 1 << 40;

/// The disk. A clone is the same disk.
#[derive(Clone, Debug)]
pub struct RecordedDisk {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    watch: Mutex<Option<Arc<Watch>>>,
    /// Refuses reads of some files.
    unreadable: Mutex<Option<String>>,
    story: String,
    open_files: AtomicUsize,
    /// With so many open, another is refused.
    open_files_max: AtomicUsize,
    forgets: Option<Arc<Forgets>>,
}

struct State {
    /// What was there when the journal began.
    base: Tree,
    live: Tree,
    journal: Vec<Operation>,
    next_inode: u64,
    /// Bytes that may still be written; `None` for a disk without bound.
    room: Option<u64>,
    /// Bytes that were set aside for a file, used or not.
    charged: BTreeMap<Inode, u64>,
    mirrors: BTreeMap<Inode, Mirror>,
    /// The last name in each folder that came or went since its sync.
    newest: BTreeMap<Inode, (String, Went)>,
    /// Bytes that were read, by path.
    read: BTreeMap<PathBuf, u64>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedDisk").field("story", &self.story).finish_non_exhaustive()
    }
}

impl Default for RecordedDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl RecordedDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::from_tree(Tree::new(), "a new disk".to_owned(), None)
    }

    /// An empty disk that answers some syncs and does nothing for them. What wakes up of it after a power cut does so, too.
    pub fn forgetful(forgets: impl Fn(SyncOf<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self::from_tree(Tree::new(), "a new disk".to_owned(), Some(Arc::new(forgets)))
    }

    fn from_tree(tree: Tree, story: String, forgets: Option<Arc<Forgets>>) -> Self {
        let state = State {
            next_inode: tree.free_inode().0,
            base: tree.clone(),
            live: tree,
            journal: Vec::new(),
            room: None,
            charged: BTreeMap::new(),
            mirrors: BTreeMap::new(),
            newest: BTreeMap::new(),
            read: BTreeMap::new(),
        };
        let shared = Shared {
            state: Mutex::new(state),
            watch: Mutex::new(None),
            unreadable: Mutex::new(None),
            story,
            open_files: AtomicUsize::new(0),
            open_files_max: AtomicUsize::new(usize::MAX),
            forgets,
        };
        Self { shared: Arc::new(shared) }
    }

    /// How this state came to be: which operation met which fate.
    pub fn story(&self) -> &str {
        &self.shared.story
    }

    /// How many entries the journal has.
    pub fn position(&self) -> usize {
        self.shared.state.lock().journal.len()
    }

    /// Everything that was done.
    pub fn journal(&self) -> Vec<Operation> {
        self.shared.state.lock().journal.clone()
    }

    /// The power goes after the first `at` entries.
    pub fn power_cut(&self, at: usize) -> PowerCut {
        let state = self.shared.state.lock();
        PowerCut::new(&state.base, &state.journal, at, self.shared.forgets.clone())
    }

    /// Has `watch` asked before every change, in place of who was asked before. It must not change the disk.
    pub fn watch(&self, watch: impl Fn(Event<'_>) -> io::Result<()> + Send + Sync + 'static) {
        *self.shared.watch.lock() = Some(Arc::new(watch));
    }

    /// Nobody is asked any more.
    pub fn unwatch(&self) {
        *self.shared.watch.lock() = None;
    }

    /// Reads of files whose name ends so fail from now on, as those of a bad sector do; `None` ends that.
    pub fn make_unreadable(&self, suffix: Option<&str>) {
        *self.shared.unreadable.lock() = suffix.map(str::to_owned);
    }

    /// From now on so many bytes more may be written; `None` for any number.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.shared.state.lock().room = bytes;
    }

    /// From now on no more than so many files are open at a time: another is refused as the system does it. A folder is
    /// one for as long as it is synced.
    pub fn set_open_files_max(&self, files: Option<usize>) {
        self.shared.open_files_max.store(files.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// Bytes that were read from files whose path is wanted.
    pub fn bytes_read(&self, wanted: impl Fn(&Path) -> bool) -> u64 {
        self.shared.state.lock().read.iter().filter(|(path, _)| wanted(path)).map(|(_, bytes)| bytes).sum()
    }

    /// How many files are open.
    pub fn open_files(&self) -> usize {
        self.shared.open_files.load(Ordering::Relaxed)
    }
}

impl State {
    fn record(&mut self, operation: Operation) {
        self.live.apply(&operation);
        self.note_name(&operation);
        if let Operation::Write { file, .. } | Operation::SetLen { file, .. } = &operation
            && let Some(mirror) = self.mirrors.get(file)
        {
            copy_to(self.live.bytes(*file).unwrap_or_default(), mirror).expect("the mirror takes what memory took");
        }
        self.journal.push(operation);
    }

    fn note_name(&mut self, operation: &Operation) {
        let came = |kind: &Kind| if *kind == Kind::Dir { Went::DirCame } else { Went::FileCame };
        match operation {
            Operation::Link { at, kind, .. } => drop(self.newest.insert(at.dir, (at.name.clone(), came(kind)))),
            Operation::Unlink { at } => drop(self.newest.insert(at.dir, (at.name.clone(), Went::Away))),
            Operation::Rename { from, to, kind, .. } => {
                self.newest.insert(from.dir, (from.name.clone(), Went::Away));
                self.newest.insert(to.dir, (to.name.clone(), came(kind)));
            }
            _ => {}
        }
    }

    fn charged(&self, file: Inode) -> u64 {
        self.charged.get(&file).copied().unwrap_or(0).max(self.live.length(file))
    }

    /// Takes up to `bytes` for a file that grows; what was set aside for it costs nothing. Returns what it got.
    fn take_room(&mut self, file: Inode, bytes: u64) -> u64 {
        let free_already = self.charged(file) - self.live.length(file);
        let needed = bytes.saturating_sub(free_already);
        let got = needed.min(self.room.unwrap_or(u64::MAX));
        self.room = self.room.map(|room| room - got);
        let charged = self.charged(file) + got;
        self.charged.insert(file, charged);
        bytes - (needed - got)
    }

    fn give_room(&mut self, file: Inode, bytes: u64) {
        let charged = self.charged(file).saturating_sub(bytes);
        self.charged.insert(file, charged);
        self.room = self.room.map(|room| room + bytes);
    }

    /// A file that has lost its last name gives its room back.
    fn give_back_nameless(&mut self, file: Inode) {
        if !self.live.is_named(file) {
            let bytes = self.charged(file);
            self.charged.remove(&file);
            self.room = self.room.map(|room| room + bytes);
        }
    }

    fn new_inode(&mut self) -> Inode {
        self.next_inode += 1;
        Inode(self.next_inode)
    }
}

impl Shared {
    /// Asks who watches. Nothing is locked meanwhile.
    fn watched(&self, change: Change, path: &Path) -> io::Result<()> {
        let watch = self.watch.lock().clone();
        let Some(watch) = watch else { return Ok(()) };
        let position = self.state.lock().journal.len();
        watch(Event { position, change, path })
    }

    fn check_read(&self, path: &Path) -> io::Result<()> {
        let unreadable = self.unreadable.lock();
        match unreadable.as_ref().filter(|suffix| path.to_string_lossy().ends_with(suffix.as_str())) {
            Some(_) => Err(io::Error::other("a bad sector")),
            None => Ok(()),
        }
    }

    fn check_open_files(&self) -> io::Result<()> {
        if self.open_files.load(Ordering::Relaxed) < self.open_files_max.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(rustix::io::Errno::MFILE.into())
    }

    fn begin_sync(&self, of: Inode) -> usize {
        let mut state = self.state.lock();
        state.record(Operation::SyncBegun { of });
        state.journal.len() - 1
    }

    /// Whether this sync is one of those that are forgotten.
    fn forgotten(&self, change: Change, path: &Path, of: Inode) -> bool {
        let newest = self.state.lock().newest.remove(&of);
        let newest = newest.as_ref().map(|(name, went)| (name.as_str(), *went));
        self.forgets.as_ref().is_some_and(|forgets| forgets(SyncOf { change, path, newest }))
    }

    fn sync(&self, change: Change, path: &Path, of: Inode) -> io::Result<()> {
        if self.forgotten(change, path, of) {
            return Ok(());
        }
        let begun = self.begin_sync(of);
        // Others may write in between: that is not covered.
        self.state.lock().record(Operation::Synced { of, begun });
        Ok(())
    }

    fn mirror(&self, file: Inode) -> io::Result<Mirror> {
        let mut state = self.state.lock();
        if let Some(mirror) = state.mirrors.get(&file) {
            return Ok(Arc::clone(mirror));
        }
        let mirror = Arc::new(nameless_file()?);
        copy_to(state.live.bytes(file).unwrap_or_default(), &mirror)?;
        state.mirrors.insert(file, Arc::clone(&mirror));
        Ok(mirror)
    }
}

#[cfg(target_os = "linux")]
fn nameless_file() -> io::Result<File> {
    Ok(rustix::fs::memfd_create("recorded", rustix::fs::MemfdFlags::CLOEXEC)?.into())
}

#[cfg(not(target_os = "linux"))]
fn nameless_file() -> io::Result<File> {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("tidelog-recorded-{}-{number}", std::process::id()));
    let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn copy_to(bytes: &[u8], mirror: &File) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    mirror.set_len(bytes.len() as u64)?;
    mirror.write_all_at(bytes, 0)
}

impl Disk for RecordedDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        self.shared.check_open_files()?;
        let existing = |state: &State| match state.live.resolve(path) {
            Ok(inode) if state.live.kind(inode) == Some(Kind::Dir) => Err(ErrorKind::IsADirectory.into()),
            Ok(inode) => Ok(Some(inode)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let found = existing(&self.shared.state.lock())?;
        let inode = match (found, how) {
            (Some(_), Open::CreateNew) => return Err(ErrorKind::AlreadyExists.into()),
            (Some(inode), _) => inode,
            (None, Open::Read | Open::Write) => return Err(ErrorKind::NotFound.into()),
            (None, Open::Create | Open::CreateNew) => {
                self.shared.watched(Change::CreateFile, path)?;
                let mut state = self.shared.state.lock();
                let at = state.live.place(path)?;
                // Another thread may have made it meanwhile.
                match state.live.child(&at) {
                    Some(_) if how == Open::CreateNew => return Err(ErrorKind::AlreadyExists.into()),
                    Some(inode) => inode,
                    None => {
                        let child = state.new_inode();
                        state.record(Operation::Link { at, child, kind: Kind::File });
                        child
                    }
                }
            }
        };
        Ok(RecordedFile::open(&self.shared, inode, path.to_owned(), how != Open::Read))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let check = |state: &State| match state.live.place(path) {
            Ok(at) if state.live.child(&at).is_some() => Err(ErrorKind::AlreadyExists.into()),
            Ok(at) => Ok(at),
            Err(_) if path.parent().is_none() => Err(ErrorKind::AlreadyExists.into()),
            Err(error) => Err(error),
        };
        check(&self.shared.state.lock())?;
        self.shared.watched(Change::CreateDir, path)?;
        let mut state = self.shared.state.lock();
        let at = check(&state)?;
        let child = state.new_inode();
        state.record(Operation::Link { at, child, kind: Kind::Dir });
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.watched(Change::Rename, to)?;
        let mut state = self.shared.state.lock();
        let (from, to) = (state.live.place(from)?, state.live.place(to)?);
        let child = state.live.child(&from).ok_or(ErrorKind::NotFound)?;
        let replaced = state.live.child(&to).filter(|replaced| *replaced != child);
        let kind = state.live.kind(child).unwrap_or(Kind::File);
        if replaced.is_some_and(|replaced| state.live.names(replaced).is_some_and(|names| !names.is_empty())) {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        state.record(Operation::Rename { from, to, child, kind });
        if let Some(replaced) = replaced {
            state.give_back_nameless(replaced);
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.shared.watched(Change::RemoveFile, path)?;
        let mut state = self.shared.state.lock();
        let at = state.live.place(path)?;
        let child = state.live.child(&at).ok_or(ErrorKind::NotFound)?;
        if state.live.kind(child) == Some(Kind::Dir) {
            return Err(ErrorKind::IsADirectory.into());
        }
        state.record(Operation::Unlink { at });
        state.give_back_nameless(child);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.watched(Change::RemoveDir, path)?;
        let mut state = self.shared.state.lock();
        let at = state.live.place(path)?;
        let child = state.live.child(&at).ok_or(ErrorKind::NotFound)?;
        match state.live.names(child) {
            None => return Err(ErrorKind::NotADirectory.into()),
            Some(names) if !names.is_empty() => return Err(ErrorKind::DirectoryNotEmpty.into()),
            Some(_) => {}
        }
        state.record(Operation::Unlink { at });
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.check_open_files()?;
        self.shared.watched(Change::SyncDir, path)?;
        let dir = self.shared.state.lock().live.resolve(path)?;
        self.shared.sync(Change::SyncDir, path, dir)
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        self.shared.watched(Change::SyncAll, path)?;
        let root = self.shared.state.lock().live.resolve(Path::new("/"))?;
        if self.shared.forgotten(Change::SyncAll, path, root) {
            return Ok(());
        }
        let begun = self.shared.begin_sync(root);
        self.shared.state.lock().record(Operation::SyncedAll { begun });
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let state = self.shared.state.lock();
        let dir = state.live.resolve(path)?;
        let names = state.live.names(dir).ok_or(ErrorKind::NotADirectory)?;
        let entry = |(name, child): (&String, &Inode)| DirEntry {
            name: name.clone(),
            is_dir: state.live.kind(*child) == Some(Kind::Dir),
        };
        Ok(names.iter().map(entry).collect())
    }

    fn try_exists(&self, path: &Path) -> io::Result<bool> {
        match self.shared.state.lock().live.resolve(path) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(self.shared.state.lock().room.unwrap_or(PLENTY_BYTES))
    }

    fn total_bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(PLENTY_BYTES)
    }
}
