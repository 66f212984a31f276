//! `_tidelog/floors/<topic_id>/<p>.json`: where a partition's history begins. Written before any object below it is
//! deleted, so that whoever rebuilds the catalog from a listing does not bring back what was deleted.
//!
//! # Consistency
//! A floor never goes down.
//!
//! # Cancellation
//! What was written and not noted here is read, and left as it is, before the next write.
//!
//! # Crash safety
//! An object below the floor that a crash left is known to be dead.

use std::collections::HashMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::{ControlFile, ControlFileError, FORMAT_VERSION, bring_forward};
use crate::model::{LeaderEpoch, Offset, TopicPartition};
use crate::object_storage::{Bucket, key};

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloorFile {
    /// The version of everything in the bucket.
    pub format_version: i64,
    /// The first offset that may be read.
    pub log_start_offset: i64,
    /// The epoch of the leader that moved it there.
    pub leader_epoch: i32,
}

impl ControlFile for FloorFile {
    fn format_version(&self) -> i64 {
        self.format_version
    }
}

/// The floors, and how high they are known to be.
#[derive(Debug, Default)]
pub struct FloorFiles {
    written: Mutex<HashMap<TopicPartition, Offset>>,
}

impl FloorFiles {
    /// Sees to it that the floor is at or above `log_start`.
    pub async fn raise(
        &self,
        bucket: &Bucket,
        tp: TopicPartition,
        log_start: Offset,
        epoch: LeaderEpoch,
    ) -> Result<(), ControlFileError> {
        if self.written.lock().get(&tp).is_some_and(|known| *known >= log_start) {
            return Ok(());
        }
        let there = bring_forward(bucket, &key::floor(tp), |known: Option<&FloorFile>| {
            let higher = known.is_none_or(|known| known.log_start_offset < log_start.get());
            higher.then(|| FloorFile {
                format_version: FORMAT_VERSION,
                log_start_offset: log_start.get(),
                leader_epoch: epoch.get().max(known.map_or(0, |known| known.leader_epoch)),
            })
        })
        .await?;
        if let Some(there) = there {
            self.written.lock().insert(tp, Offset::new(there.log_start_offset));
        }
        Ok(())
    }

    /// What was written lately may lie in another bucket that answered in the place of ours.
    pub fn forget_all(&self) {
        self.written.lock().clear();
    }

    /// Forgets what is known of a topic that is gone.
    pub fn forget(&self, tp: TopicPartition) {
        self.written.lock().remove(&tp);
    }
}
