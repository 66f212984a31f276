//! What was set aside instead of being removed: segments behind a torn one, logs of another lineage. Each carries when, in
//! its name, and goes at a start a week later.
//!
//! # Consistency
//! Before anybody reads.
//!
//! # Crash safety
//! While a log begins anew in the place of one that is set aside there is a mark beside its folder, stable before the old one
//! goes and gone, stably, once the new one can be opened: between the two, and only there, the folder may be missing.
//! What is set aside is stable under its new name before the log is opened. A removal that a power cut undoes is done
//! again by the next start.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, parent_of, with_suffix};

/// The suffix, before the time.
const ASIDE: &str = ".aside";
/// The suffix of the mark beside a folder in which a log begins anew.
const BEGINNING: &str = ".beginning";
/// How long it stays: long enough for somebody to look, short enough that starts which fail again and again, or a disk
/// that is going bad, do not fill the disk with what nobody reads.
const KEPT_MS: i64 = 7 * 24 * 3_600 * 1_000;

/// What `path` is called when it is set aside: a name that nothing has, so that what was set aside in the same millisecond
/// stays too.
pub(super) fn free_name(disk: &dyn Disk, path: &Path, now_ms: i64) -> io::Result<PathBuf> {
    let mut at_ms = now_ms;
    loop {
        let name = with_suffix(path, &format!("{ASIDE}-{at_ms}"));
        if !disk.try_exists(&name)? {
            return Ok(name);
        }
        at_ms = at_ms.saturating_add(1);
    }
}

/// Notes that the log in `dir` is about to be set aside for another to begin.
pub(super) fn note_beginning(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    disk.replace_durable(&with_suffix(dir, BEGINNING), b"")
}

/// Whether a log begins in `dir`, and has not begun.
pub(super) fn is_beginning(disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
    disk.try_exists(&with_suffix(dir, BEGINNING))
}

/// Notes that there is a log in `dir` that can be opened.
pub(super) fn note_begun(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    if !is_beginning(disk, dir)? {
        return Ok(());
    }
    disk.remove_file(&with_suffix(dir, BEGINNING))?;
    disk.sync_dir(parent_of(dir))
}

/// When that was, for a name that says so. An earlier version did not say it of files: they count as old.
fn set_aside_ms(name: &str) -> Option<i64> {
    let (_, behind) = name.rsplit_once(ASIDE)?;
    if behind.is_empty() { Some(i64::MIN) } else { behind.strip_prefix('-')?.parse().ok() }
}

/// Removes what was set aside in `dir` more than a week ago; returns how much.
pub fn remove_old_asides(disk: &dyn Disk, dir: &Path, now_ms: i64) -> io::Result<usize> {
    let entries = match disk.read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let old = |name: &str| set_aside_ms(name).is_some_and(|at_ms| at_ms.saturating_add(KEPT_MS) < now_ms);
    let mut removed = 0;
    for entry in entries.iter().filter(|entry| old(&entry.name)) {
        let path = dir.join(&entry.name);
        if entry.is_dir {
            disk.remove_dir_all(&path)?
        } else {
            disk.remove_file(&path)?
        }
        tracing::info!(path = %path.display(), "what was set aside a week ago or more is removed");
        removed += 1;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Open;
    use crate::disk::recorded::RecordedDisk;

    #[test]
    fn what_is_set_aside_in_one_millisecond_stays_side_by_side() {
        let disk = RecordedDisk::new();
        let dir = Path::new("/t");
        disk.create_dir_all_durable(dir).unwrap();
        for _ in 0..3 {
            disk.create_dir(&dir.join("0")).unwrap();
            drop(disk.open(&dir.join("0/1.log"), Open::Create).unwrap());
            disk.rename(&dir.join("0"), &free_name(&disk, &dir.join("0"), 5_000).unwrap()).unwrap();
        }
        let left: Vec<_> = disk.read_dir(dir).unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(left, ["0.aside-5000", "0.aside-5001", "0.aside-5002"]);
    }

    #[test]
    fn what_was_set_aside_goes_after_a_week_and_nothing_else_does() {
        let disk = RecordedDisk::new();
        let dir = Path::new("/t");
        disk.create_dir_all_durable(dir).unwrap();
        let file = |name: &str| drop(disk.open(&dir.join(name), Open::Create).unwrap());
        let set_aside_at = 5_000;
        for path in ["1.log", "1.index"] {
            drop(disk.open(&free_name(&disk, &dir.join(path), set_aside_at).unwrap(), Open::Create).unwrap());
        }
        let folder = free_name(&disk, &dir.join("0"), set_aside_at).unwrap();
        disk.create_dir(&folder).unwrap();
        drop(disk.open(&folder.join("1.log"), Open::Create).unwrap());
        for kept in ["1.log", "2.log.aside-x", "x.aside.log"] {
            file(kept);
        }
        assert_eq!(remove_old_asides(&disk, dir, set_aside_at + KEPT_MS).unwrap(), 0, "a week is not over");
        assert_eq!(remove_old_asides(&disk, dir, set_aside_at + KEPT_MS + 1).unwrap(), 3);
        let left: Vec<_> = disk.read_dir(dir).unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(left, ["1.log", "2.log.aside-x", "x.aside.log"]);
        file("3.log.aside");
        assert_eq!(remove_old_asides(&disk, dir, 0).unwrap(), 1, "one that does not say when");
        assert_eq!(remove_old_asides(&disk, Path::new("/none"), 0).unwrap(), 0);
    }
}
