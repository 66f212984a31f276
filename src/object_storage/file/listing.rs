//! Listing a folder as a bucket is listed: every finished file below a prefix, in the order of keys, page by page.
//!
//! # Consistency
//! A page is not a snapshot: what comes or goes while it is gathered may be in it or not. What is there all the
//! while is listed exactly once.
//!
//! # Crash safety
//! Only reads.

use std::io::{self, ErrorKind as IoKind};
use std::path::Path;

use crate::disk::{Disk, Open};

use super::unfinished;
use crate::object_storage::object_key::{KeyPrefix, ObjectKey};
use crate::object_storage::store::{Listed, Page, PageToken};

const PAGE_OBJECTS: usize = 1000;

/// The page of `prefix` that begins behind the key `after`.
pub(super) fn page(disk: &dyn Disk, root: &Path, prefix: &KeyPrefix, after: Option<&str>) -> io::Result<Page> {
    let mut walk = Walk { disk, root, after, objects: Vec::new() };
    walk.folder(prefix.as_str())?;
    let mut objects = walk.objects;
    let more = objects.len() > PAGE_OBJECTS;
    objects.truncate(PAGE_OBJECTS);
    let next = objects.last().filter(|_| more).map(|last| PageToken(last.key.to_string()));
    Ok(Page { objects, next })
}

struct Walk<'a> {
    disk: &'a dyn Disk,
    root: &'a Path,
    after: Option<&'a str>,
    objects: Vec<Listed>,
}

impl Walk<'_> {
    /// Gathers what lies below `below`, which is empty or ends with `/`.
    fn folder(&mut self, below: &str) -> io::Result<()> {
        let entries = match self.disk.read_dir(&self.root.join(below)) {
            Err(error) if matches!(error.kind(), IoKind::NotFound | IoKind::NotADirectory) => return Ok(()),
            other => other?,
        };
        // In the order of whole keys a folder's name stands as if its slash belonged to it: `a.b` before `a/b`.
        let slash = |is_dir| if is_dir { "/" } else { "" };
        let mut names: Vec<String> =
            entries.iter().map(|entry| format!("{below}{}{}", entry.name, slash(entry.is_dir))).collect();
        names.sort_unstable();
        for name in names {
            if self.objects.len() > PAGE_OBJECTS {
                break;
            }
            let listed_before = self.after.is_some_and(|after| name.as_str() <= after && !after.starts_with(&name));
            if name.ends_with('/') {
                if !listed_before {
                    self.folder(&name)?;
                }
            } else if self.after.is_none_or(|after| name.as_str() > after) {
                self.file(&name)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, name: &str) -> io::Result<()> {
        let own_name = name.rsplit('/').next().unwrap_or(name);
        if unfinished(own_name).is_some() {
            return Ok(());
        }
        let Ok(key) = ObjectKey::parse(name) else { return Ok(()) };
        match self.disk.open(&self.root.join(name), Open::Read).and_then(|file| file.len()) {
            Ok(size_bytes) => self.objects.push(Listed { key, size_bytes }),
            // Deleted since its folder was read.
            Err(error) if error.kind() == IoKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
