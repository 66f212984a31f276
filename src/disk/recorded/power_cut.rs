//! The states that a machine may wake up in after its power was cut.
//!
//! What was synced is there. Of the rest each operation meets its own fate: it is lost, it is kept, or, where it wrote
//! bytes, a part of it is kept: the front or the back up to some byte, some sectors of it, or only the length it gave
//! the file, filled with zeros. Fates are independent, so operations may take effect out of order; a name that came or
//! went is there or not, a rename within one folder as a whole.
//!
//! # Consistency
//! One seed gives one state. `every` gives all combinations of the plain fates, where they are few.
//!
//! # Crash safety
//! This is its definition, more pessimistic than any one file system: a file's sync does not make its name stable, nor
//! a folder's sync the bytes of the files in it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rand::{Rng, RngCore};

use super::operation::{Inode, Operation};
use super::tree::Tree;
use super::{Forgets, RecordedDisk};

/// What a disk writes at once, at best.
const SECTOR_BYTES: u64 = 4096;

/// A moment at which the power went.
pub struct PowerCut {
    at: usize,
    stable: Tree,
    unsynced: Vec<Unsynced>,
    forgets: Option<Arc<Forgets>>,
}

impl fmt::Debug for PowerCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PowerCut").field("at", &self.at).field("unsynced", &self.unsynced).finish_non_exhaustive()
    }
}

/// An operation that no sync covers.
#[derive(Debug)]
struct Unsynced {
    entry: usize,
    operation: Operation,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Fate {
    Lost,
    Kept,
    /// Only so many bytes from the front.
    Front(usize),
    /// Only what lies behind so many bytes.
    Back(usize),
    /// Only some sectors.
    Sectors(Vec<bool>),
    /// Only the length.
    Zeros,
}

impl PowerCut {
    /// What is known after the first `at` entries of the journal that began with `base`.
    pub(super) fn new(base: &Tree, journal: &[Operation], at: usize, forgets: Option<Arc<Forgets>>) -> Self {
        let journal = journal.get(..at).unwrap_or(journal);
        let mut covered: BTreeMap<Inode, usize> = BTreeMap::new();
        let mut all_covered = 0;
        for operation in journal {
            match operation {
                Operation::Synced { of, begun } => {
                    let to = covered.entry(*of).or_default();
                    *to = (*to).max(*begun);
                }
                Operation::SyncedAll { begun } => all_covered = all_covered.max(*begun),
                _ => {}
            }
        }
        let is_covered =
            |inode: Inode, entry: usize| entry < all_covered || covered.get(&inode).is_some_and(|to| entry < *to);
        let mut cut = Self { at: journal.len(), stable: base.clone(), unsynced: Vec::new(), forgets };
        for (entry, operation) in journal.iter().enumerate() {
            match operation {
                Operation::Write { file, .. } | Operation::SetLen { file, .. } => {
                    cut.sort(entry, operation.clone(), is_covered(*file, entry));
                }
                Operation::Link { at, .. } | Operation::Unlink { at } => {
                    cut.sort(entry, operation.clone(), is_covered(at.dir, entry));
                }
                Operation::Rename { from, to, child, kind } => {
                    let (went, came) = (is_covered(from.dir, entry), is_covered(to.dir, entry));
                    if went == came {
                        cut.sort(entry, operation.clone(), went);
                    } else {
                        // Between two folders, one of which was synced: for a while both names or none.
                        cut.sort(entry, Operation::Unlink { at: from.clone() }, went);
                        cut.sort(entry, Operation::Link { at: to.clone(), child: *child, kind: *kind }, came);
                    }
                }
                Operation::SyncBegun { .. } | Operation::Synced { .. } | Operation::SyncedAll { .. } => {}
            }
        }
        cut
    }

    fn sort(&mut self, entry: usize, operation: Operation, is_stable: bool) {
        if is_stable {
            self.stable.apply(&operation);
        } else {
            self.unsynced.push(Unsynced { entry, operation });
        }
    }

    /// How many operations no sync covers.
    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// Nothing but what was synced.
    pub fn all_lost(&self) -> RecordedDisk {
        self.wake(&vec![Fate::Lost; self.unsynced.len()])
    }

    /// Everything, as after the death of the process alone.
    pub fn all_kept(&self) -> RecordedDisk {
        self.wake(&vec![Fate::Kept; self.unsynced.len()])
    }

    /// One of the states there may be.
    pub fn sample(&self, random: &mut dyn RngCore) -> RecordedDisk {
        let count = self.unsynced.len();
        let fates: Vec<Fate> = match random.random_range(0..8u8) {
            // In order up to some operation, which may be torn: what most disks do most of the time.
            0 | 1 => {
                let kept = random.random_range(0..=count);
                let whole = |number: usize| if number < kept { Fate::Kept } else { Fate::Lost };
                let mut fates: Vec<Fate> = (0..count).map(whole).collect();
                if let (Some(fate), Some(torn)) = (fates.get_mut(kept), self.unsynced.get(kept)) {
                    *fate = torn_fate(&torn.operation, random);
                }
                fates
            }
            2 => self.names_only(random, Fate::Kept),
            3 => self.names_only(random, Fate::Lost),
            _ => self.unsynced.iter().map(|one| any_fate(&one.operation, random)).collect(),
        };
        self.wake(&fates)
    }

    /// All names have one fate, bytes any.
    fn names_only(&self, random: &mut dyn RngCore, names: Fate) -> Vec<Fate> {
        let fate = |one: &Unsynced| match one.operation {
            Operation::Write { .. } | Operation::SetLen { .. } => any_fate(&one.operation, random),
            _ => names.clone(),
        };
        self.unsynced.iter().map(fate).collect()
    }

    /// Every combination of: lost, kept, and for bytes torn in the middle or zeros. `None` where there are more than
    /// `limit`.
    pub fn every(&self, limit: usize) -> Option<Vec<RecordedDisk>> {
        let choices: Vec<Vec<Fate>> = self.unsynced.iter().map(|one| plain_fates(&one.operation)).collect();
        let total = choices.iter().try_fold(1usize, |total, fates| total.checked_mul(fates.len()))?;
        if total > limit {
            return None;
        }
        let state = |number: usize| {
            let mut rest = number;
            let fates: Vec<Fate> = choices
                .iter()
                .map(|fates| {
                    let fate = fates.get(rest % fates.len()).cloned().unwrap_or(Fate::Lost);
                    rest /= fates.len();
                    fate
                })
                .collect();
            self.wake(&fates)
        };
        Some((0..total).map(state).collect())
    }

    fn wake(&self, fates: &[Fate]) -> RecordedDisk {
        let mut tree = self.stable.clone();
        for (one, fate) in self.unsynced.iter().zip(fates) {
            befall(&mut tree, &one.operation, fate);
        }
        tree.forget_nameless();
        let story = Story { cut: self, fates };
        RecordedDisk::from_tree(tree, story.to_string(), self.forgets.clone())
    }
}

/// What happened, for the message of a test that fails.
struct Story<'a> {
    cut: &'a PowerCut,
    fates: &'a [Fate],
}

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "power cut after {} entries", self.cut.at)?;
        for (one, fate) in self.cut.unsynced.iter().zip(self.fates) {
            write!(f, "\n  #{} {}: {fate:?}", one.entry, one.operation)?;
        }
        Ok(())
    }
}

fn befall(tree: &mut Tree, operation: &Operation, fate: &Fate) {
    let Operation::Write { file, position, bytes } = operation else {
        // Only bytes can be torn.
        if *fate != Fate::Lost {
            tree.apply(operation);
        }
        return;
    };
    match fate {
        Fate::Lost => {}
        Fate::Kept => tree.apply(operation),
        Fate::Front(length) => {
            let front = bytes.get(..*length).unwrap_or(bytes);
            tree.write(*file, *position, front);
        }
        Fate::Back(skipped) => {
            let back = bytes.get(*skipped..).unwrap_or_default();
            tree.write(*file, position + *skipped as u64, back);
        }
        Fate::Sectors(kept) => {
            for ((at, part), _) in sectors(*position, bytes).zip(kept).filter(|(_, kept)| **kept) {
                tree.write(*file, at, part);
            }
        }
        Fate::Zeros => {
            let end = position + bytes.len() as u64;
            if tree.length(*file) < end {
                tree.apply(&Operation::SetLen { file: *file, length: end });
            }
        }
    }
}

/// The parts of a write, cut where the file's sectors end.
fn sectors(position: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut at = position;
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let room = usize::try_from(SECTOR_BYTES - at % SECTOR_BYTES).unwrap_or(usize::MAX);
        let (part, behind) = rest.split_at(room.min(rest.len()));
        let begin = at;
        at += part.len() as u64;
        rest = behind;
        Some((begin, part))
    })
}

fn plain_fates(operation: &Operation) -> Vec<Fate> {
    match operation {
        Operation::Write { bytes, .. } if bytes.len() > 1 => {
            vec![Fate::Lost, Fate::Kept, Fate::Front(bytes.len() / 2), Fate::Zeros]
        }
        _ => vec![Fate::Lost, Fate::Kept],
    }
}

fn any_fate(operation: &Operation, random: &mut dyn RngCore) -> Fate {
    match random.random_range(0..3u8) {
        0 => Fate::Lost,
        1 => Fate::Kept,
        _ => torn_fate(operation, random),
    }
}

fn torn_fate(operation: &Operation, random: &mut dyn RngCore) -> Fate {
    let Operation::Write { position, bytes, .. } = operation else {
        return if random.random() { Fate::Kept } else { Fate::Lost };
    };
    if bytes.is_empty() {
        return Fate::Lost;
    }
    match random.random_range(0..4u8) {
        0 => Fate::Front(random.random_range(0..bytes.len())),
        1 => Fate::Back(random.random_range(0..bytes.len())),
        2 => Fate::Zeros,
        _ => Fate::Sectors(sectors(*position, bytes).map(|_| random.random()).collect()),
    }
}
