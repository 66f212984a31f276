//! The small files in the bucket that, with keys and footers, are enough to rebuild the catalog: whose bucket it is, what
//! the topics are, where each partition's history begins.
//!
//! # Consistency
//! Written only by conditional put, after reading what is there, and only forward: a start number, a topic's version, a
//! floor never goes down, whoever else writes at the same time.
//!
//! # Retries
//! The bucket's own; a lost race reads again.
//!
//! # Cancellation
//! A write that was sent may be made without its caller, who reads again before the next.
//!
//! # Crash safety
//! Each file is one object, whole or not there. A step that depends on one waits until the write has answered.

pub mod cluster_file;
pub mod floor_files;
pub mod topic_files;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::object_storage::{Bucket, BucketError, ControlError, Expect, ObjectKey};

/// A race that is lost so often is not one.
const RACES_MAX: usize = 16;

/// A control file was not written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ControlFileError {
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// Somebody else writes it again and again.
    #[error("'{0}' is being written by somebody else all the time: does another broker use this bucket and prefix?")]
    Contended(ObjectKey),
    /// It is not what any version of tidelog writes.
    #[error("'{key}' in the bucket is not a control file of tidelog: {reason}")]
    Unreadable {
        /// Which.
        key: ObjectKey,
        /// Why.
        reason: String,
    },
    /// It was written by a newer version.
    #[error("'{key}' in the bucket has format version {found}, this tidelog knows {known}: start the newer version")]
    Newer {
        /// Which.
        key: ObjectKey,
        /// Its version.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
}

/// A file with a version of its own.
trait ControlFile: Serialize + DeserializeOwned {
    fn format_version(&self) -> i64;
}

/// Reads a control file.
async fn read<T: ControlFile>(bucket: &Bucket, key: &ObjectKey) -> Result<Option<T>, ControlFileError> {
    let Some((bytes, _)) = bucket.read_control(key).await? else { return Ok(None) };
    parse(key, &bytes).map(Some)
}

fn parse<T: ControlFile>(key: &ObjectKey, bytes: &[u8]) -> Result<T, ControlFileError> {
    let unreadable =
        |error: serde_json::Error| ControlFileError::Unreadable { key: key.clone(), reason: error.to_string() };
    // The version first: a newer file need not have the fields that are known here.
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(unreadable)?;
    let found = value.get("format_version").and_then(serde_json::Value::as_i64).unwrap_or(1);
    if found > FORMAT_VERSION {
        return Err(ControlFileError::Newer { key: key.clone(), found, known: FORMAT_VERSION });
    }
    let file: T = serde_json::from_value(value).map_err(unreadable)?;
    debug_assert_eq!(file.format_version(), found);
    Ok(file)
}

/// The version of every control file that is written.
pub const FORMAT_VERSION: i64 = crate::catalog::FORMAT_VERSION;

/// Brings a control file forward: `next` says what it should be, given what is there; `None` where that is as good.
/// Returns what is there then.
async fn bring_forward<T: ControlFile + Send + Sync>(
    bucket: &Bucket,
    key: &ObjectKey,
    next: impl Fn(Option<&T>) -> Option<T> + Send + Sync,
) -> Result<Option<T>, ControlFileError> {
    for _ in 0..RACES_MAX {
        let there = bucket.read_control(key).await?;
        let (known, expect) = match there {
            None => (None, Expect::Absent),
            Some((bytes, version)) => (Some(parse::<T>(key, &bytes)?), Expect::Version(version)),
        };
        let Some(wanted) = next(known.as_ref()) else { return Ok(known) };
        let text = serde_json::to_vec_pretty(&wanted)
            .map_err(|error| ControlFileError::Unreadable { key: key.clone(), reason: error.to_string() })?;
        match bucket.write_control(key, text.into(), expect).await {
            Ok(_) => return Ok(Some(wanted)),
            Err(ControlError::Conflict(_)) => {}
            Err(ControlError::Bucket(error)) => return Err(error.into()),
        }
    }
    Err(ControlFileError::Contended(key.clone()))
}
