//! Files and folders in memory, and what each operation does to them.
//!
//! # Consistency
//! The same function changes the living tree and the one that a power cut leaves, so both agree on what an operation
//! means.
//!
//! # Crash safety
//! None here: a tree is one state, `power_cut` says which ones there may be.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Component, Path};
use std::sync::Arc;

use super::operation::{Inode, Kind, Operation, Place};

/// The root folder.
const ROOT: Inode = Inode(0);

/// What an inode holds.
#[derive(Clone, Debug)]
pub(super) enum Node {
    File(Arc<Vec<u8>>),
    Dir(BTreeMap<String, Inode>),
}

/// Everything that is there, with and without a name.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: BTreeMap<Inode, Node>,
}

impl Tree {
    /// An empty root.
    pub(super) fn new() -> Self {
        Self { nodes: BTreeMap::from([(ROOT, Node::Dir(BTreeMap::new()))]) }
    }

    /// A number that is free.
    pub(super) fn free_inode(&self) -> Inode {
        Inode(self.nodes.keys().next_back().map_or(1, |last| last.0 + 1))
    }

    /// What the path leads to.
    pub(super) fn resolve(&self, path: &Path) -> io::Result<Inode> {
        let mut at = ROOT;
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            let Some(Node::Dir(names)) = self.nodes.get(&at) else {
                return Err(ErrorKind::NotADirectory.into());
            };
            at = *names.get(&*name.to_string_lossy()).ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    /// The folder that holds the path's last part, and that part.
    pub(super) fn place(&self, path: &Path) -> io::Result<Place> {
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
        let dir = self.resolve(path.parent().unwrap_or(Path::new("/")))?;
        match self.nodes.get(&dir) {
            Some(Node::Dir(_)) => Ok(Place { dir, name }),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// What has that name.
    pub(super) fn child(&self, place: &Place) -> Option<Inode> {
        self.names(place.dir)?.get(&place.name).copied()
    }

    pub(super) fn kind(&self, inode: Inode) -> Option<Kind> {
        self.nodes.get(&inode).map(|node| match node {
            Node::File(_) => Kind::File,
            Node::Dir(_) => Kind::Dir,
        })
    }

    /// A folder's names.
    pub(super) fn names(&self, dir: Inode) -> Option<&BTreeMap<String, Inode>> {
        match self.nodes.get(&dir)? {
            Node::Dir(names) => Some(names),
            Node::File(_) => None,
        }
    }

    /// A file's bytes.
    pub(super) fn bytes(&self, file: Inode) -> Option<&[u8]> {
        match self.nodes.get(&file)? {
            Node::File(bytes) => Some(bytes),
            Node::Dir(_) => None,
        }
    }

    /// A file's length; 0 for one that is not there.
    pub(super) fn length(&self, file: Inode) -> u64 {
        self.bytes(file).map_or(0, |bytes| bytes.len() as u64)
    }

    /// Whether anything has this inode as its name's meaning.
    pub(super) fn is_named(&self, inode: Inode) -> bool {
        self.nodes.values().any(|node| matches!(node, Node::Dir(names) if names.values().any(|child| *child == inode)))
    }

    /// Does what the operation says. Syncs change nothing here.
    pub(super) fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Write { file, position, bytes } => self.write(*file, *position, bytes),
            Operation::SetLen { file, length } => {
                let length = usize::try_from(*length).expect("files in memory are short");
                self.file(*file).resize(length, 0);
            }
            Operation::Link { at, child, kind } => self.link(at, *child, *kind),
            Operation::Unlink { at } => self.unlink(at),
            Operation::Rename { from, to, child, kind } => {
                self.unlink(from);
                self.link(to, *child, *kind);
            }
            Operation::SyncBegun { .. } | Operation::Synced { .. } | Operation::SyncedAll { .. } => {}
        }
    }

    /// Writes, and fills with zeros what lies between the file's end and the position.
    pub(super) fn write(&mut self, file: Inode, position: u64, bytes: &[u8]) {
        let start = usize::try_from(position).expect("files in memory are short");
        let end = start + bytes.len();
        let content = self.file(file);
        if content.len() < end {
            content.resize(end, 0);
        }
        content.get_mut(start..end).expect("it was just made long enough").copy_from_slice(bytes);
    }

    fn file(&mut self, file: Inode) -> &mut Vec<u8> {
        let node = self.nodes.entry(file).or_insert_with(|| Node::File(Arc::default()));
        match node {
            Node::File(bytes) => Arc::make_mut(bytes),
            Node::Dir(_) => unreachable!("a folder is never written to: opening it is refused"),
        }
    }

    fn dir(&mut self, dir: Inode) -> &mut BTreeMap<String, Inode> {
        let node = self.nodes.entry(dir).or_insert_with(|| Node::Dir(BTreeMap::new()));
        match node {
            Node::Dir(names) => names,
            Node::File(_) => unreachable!("names are only made in folders: any other place is refused"),
        }
    }

    fn link(&mut self, at: &Place, child: Inode, kind: Kind) {
        self.nodes.entry(child).or_insert_with(|| match kind {
            Kind::File => Node::File(Arc::default()),
            Kind::Dir => Node::Dir(BTreeMap::new()),
        });
        self.dir(at.dir).insert(at.name.clone(), child);
    }

    fn unlink(&mut self, at: &Place) {
        self.dir(at.dir).remove(&at.name);
    }

    /// Forgets what no name leads to: after a power cut nobody has it open any more.
    pub(super) fn forget_nameless(&mut self) {
        let mut named = BTreeSet::from([ROOT]);
        let mut look = vec![ROOT];
        while let Some(dir) = look.pop() {
            let Some(names) = self.names(dir) else { continue };
            look.extend(names.values().copied().filter(|child| named.insert(*child)));
        }
        self.nodes.retain(|inode, _| named.contains(inode));
    }
}
