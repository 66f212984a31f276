//! `_tidelog/topics/<topic_id>.json`: what a topic is. There before the topic's first object, marked deleted before any
//! object of a deleted topic goes.
//!
//! # Consistency
//! The version is the catalog's and only rises; a deleted topic stays deleted.
//!
//! # Cancellation
//! What was written and not noted here is read, and left as it is, before the next write.
//!
//! # Crash safety
//! Nothing is uploaded for a topic before its file has been written in this run, or found.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::{ControlFile, ControlFileError, FORMAT_VERSION, bring_forward};
use crate::catalog::TopicRow;
use crate::model::TopicId;
use crate::object_storage::{Bucket, key};

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicFile {
    /// The version of everything in the bucket.
    pub format_version: i64,
    /// The topic's id.
    pub topic_id: String,
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// Its overrides.
    pub configs: BTreeMap<String, String>,
    /// Ids of typed columns, by name; ids are never used twice.
    pub columns: BTreeMap<String, i32>,
    /// Whether it was deleted: then nothing of it is live.
    pub deleted: bool,
    /// Rises with every change.
    pub version: i64,
}

impl ControlFile for TopicFile {
    fn format_version(&self) -> i64 {
        self.format_version
    }
}

/// The topics' files, and which versions of them are known to be there.
#[derive(Debug, Default)]
pub struct TopicFiles {
    /// `None` where it is in doubt.
    written: Mutex<HashMap<TopicId, Option<i64>>>,
}

impl TopicFiles {
    /// Whether no file is known.
    pub fn is_empty(&self) -> bool {
        self.written.lock().is_empty()
    }

    /// The version that is known to be there.
    pub fn known(&self, id: TopicId) -> Option<i64> {
        self.written.lock().get(&id).copied().flatten()
    }

    /// Whether a file was written, and is not known to be as new as `row`.
    pub fn is_behind(&self, row: &TopicRow) -> bool {
        let known = self.written.lock().get(&row.id).copied();
        known.is_some_and(|known| known.is_none_or(|version| version < row.version))
    }

    /// What was written may lie in another bucket that answered in the place of ours.
    pub fn doubt_all(&self) {
        self.written.lock().values_mut().for_each(|known| *known = None);
    }

    /// Notes what [`Self::write`] has returned, once it is known in whose bucket that is.
    pub fn believe(&self, id: TopicId, version: i64) {
        self.written.lock().insert(id, Some(version));
    }

    /// Sees to it that the file is at least as new as `row`. Returns the version that is there then.
    pub async fn write(&self, bucket: &Bucket, row: &TopicRow) -> Result<i64, ControlFileError> {
        let there = bring_forward(bucket, &key::topic(row.id), |known: Option<&TopicFile>| match known {
            Some(known) if known.deleted || known.version >= row.version => None,
            known => Some(file_of(row, known)),
        })
        .await?;
        Ok(there.map_or(row.version, |there| there.version.max(row.version)))
    }

    /// The same for a deleted topic, of which a file need not exist.
    pub async fn mark_deleted(&self, bucket: &Bucket, row: &TopicRow) -> Result<(), ControlFileError> {
        let _ = bring_forward(bucket, &key::topic(row.id), |known: Option<&TopicFile>| match known {
            None => None,
            Some(known) if known.deleted => None,
            known => Some(TopicFile { deleted: true, ..file_of(row, known) }),
        })
        .await?;
        self.written.lock().remove(&row.id);
        Ok(())
    }
}

fn file_of(row: &TopicRow, known: Option<&TopicFile>) -> TopicFile {
    TopicFile {
        format_version: FORMAT_VERSION,
        topic_id: row.id.to_string(),
        name: row.name.as_str().to_owned(),
        partitions: row.partitions,
        configs: row.configs.clone(),
        columns: known.map(|known| known.columns.clone()).unwrap_or_default(),
        deleted: row.deleted,
        version: row.version,
    }
}
