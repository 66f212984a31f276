//! What a crash leaves in a log's folder on its way in or out, removed before the log is opened.
//!
//! # Consistency
//! Before anybody reads.
//!
//! # Crash safety
//! Renames and removals that were not synced may be undone by a power cut, each by itself: a segment may be back without
//! its indexes, an index without its segment, the first and the third of three segments without the second. Whatever
//! ends at or below the local start was to go, says the checkpoint, which was stable before any of it went. On a full disk
//! segments go before a checkpoint can say so: files that are marked, before the first segment, say it until one does.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::model::Offset;

use super::error::{LogError, at};
use super::names;

/// What stays when leftovers are removed.
#[derive(Debug, Default)]
pub(super) struct Stays {
    /// The bases of the segments, in order.
    pub(super) bases: Vec<Offset>,
    /// Marked files of segments before them, which went without a word in the checkpoint, and their bases.
    pub(super) marked: Vec<(Offset, PathBuf)>,
}

/// Removes what is left.
pub(super) fn remove(disk: &dyn Disk, dir: &Path, local_start: Offset) -> Result<Stays, LogError> {
    let entries = disk.read_dir(dir).map_err(at(dir))?;
    let all: Vec<Offset> = entries.iter().filter_map(|entry| names::offset_of(&entry.name, names::LOG)).collect();
    let goes = |number: usize| all.get(number + 1).is_some_and(|next| *next <= local_start);
    let stays: Vec<Offset> =
        all.iter().enumerate().filter(|(number, _)| !goes(*number)).map(|(_, base)| *base).collect();
    let mut marked = Vec::new();
    for entry in &entries {
        let says = |base: &Offset| *base >= local_start && stays.first().is_some_and(|first| base < first);
        if let Some(base) = names::marked_base(&entry.name).filter(says) {
            marked.push((base, dir.join(&entry.name)));
            continue;
        }
        let unfinished = entry.name.ends_with(names::DELETED) || entry.name.ends_with(names::TEMPORARY);
        let of_segment = names::SEGMENT_FILES.iter().find_map(|suffix| names::offset_of(&entry.name, suffix));
        if unfinished || of_segment.is_some_and(|base| stays.binary_search(&base).is_err()) {
            remove_file(disk, &dir.join(&entry.name))?;
        }
    }
    Ok(Stays { bases: stays, marked })
}

/// Removes segments between others that are empty: a roll that was cut off, or a power cut, left their names, and where
/// they begin says nothing of where the one before ends. The first says where the log begins, whatever it holds. Returns
/// those that stay.
pub(super) fn without_empty(disk: &dyn Disk, dir: &Path, bases: &[Offset]) -> Result<Vec<Offset>, LogError> {
    let mut stay = Vec::with_capacity(bases.len());
    for (number, &base) in bases.iter().enumerate() {
        let between = number > 0 && number + 1 < bases.len();
        if between && is_empty(disk, dir, base)? {
            remove_segment(disk, dir, base)?;
        } else {
            stay.push(base);
        }
    }
    Ok(stay)
}

/// Whether a segment holds nothing.
pub(super) fn is_empty(disk: &dyn Disk, dir: &Path, base: Offset) -> Result<bool, LogError> {
    let path = names::file(dir, base, names::LOG);
    Ok(disk.file_length(&path).map_err(at(&path))? == 0)
}

/// Removes the files of a segment, as far as they are there.
pub(super) fn remove_segment(disk: &dyn Disk, dir: &Path, base: Offset) -> Result<(), LogError> {
    names::SEGMENT_FILES.iter().try_for_each(|suffix| remove_file(disk, &names::file(dir, base, suffix)))
}

/// Removes a file; fine where there is none.
pub(super) fn remove_file(disk: &dyn Disk, path: &Path) -> Result<(), LogError> {
    match disk.remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(at(path)),
    }
}
