//! What a crash leaves in a log's folder on its way in or out, removed before the log is opened.
//!
//! # Consistency
//! Before anybody reads.
//!
//! # Crash safety
//! Renames and removals that were not synced may be undone by a power cut, each by itself: a segment may be back without
//! its indexes, an index without its segment, the first and the third of three segments without the second. Whatever
//! ends at or below the local start was to go, says the checkpoint, which was stable before any of it went.

use std::io;
use std::path::Path;

use crate::disk::Disk;
use crate::model::Offset;

use super::error::{LogError, at};
use super::names;

/// Removes what is left; returns the bases of the segments that stay, in order.
pub(super) fn remove(disk: &dyn Disk, dir: &Path, local_start: Offset) -> Result<Vec<Offset>, LogError> {
    let entries = disk.read_dir(dir).map_err(at(dir))?;
    let all: Vec<Offset> = entries.iter().filter_map(|entry| names::offset_of(&entry.name, names::LOG)).collect();
    let goes = |number: usize| all.get(number + 1).is_some_and(|next| *next <= local_start);
    let stays: Vec<Offset> =
        all.iter().enumerate().filter(|(number, _)| !goes(*number)).map(|(_, base)| *base).collect();
    for entry in &entries {
        let unfinished = entry.name.ends_with(names::DELETED) || entry.name.ends_with(names::TEMPORARY);
        let of_segment = names::SEGMENT_FILES.iter().find_map(|suffix| names::offset_of(&entry.name, suffix));
        if unfinished || of_segment.is_some_and(|base| stays.binary_search(&base).is_err()) {
            remove_file(disk, &dir.join(&entry.name))?;
        }
    }
    Ok(stays)
}

/// Removes a file; fine where there is none.
pub(super) fn remove_file(disk: &dyn Disk, path: &Path) -> Result<(), LogError> {
    match disk.remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(at(path)),
    }
}
