//! `_tidelog/cluster.json`: whose bucket it is, and how often a broker has started on it.
//!
//! # Consistency
//! The start number is raised in the catalog first, then here. A catalog whose number is lower than the bucket's is a
//! copy that was put back: what it does not know of would be given out again. A copy of the same start is not told by
//! that number. So what may be given only once, the numbers in producer ids, is set aside here in stretches, one for each
//! start and more as they are used up, before any of them is given: whatever a catalog has forgotten, no start gives
//! numbers of another's stretch. (What the logs remember of producers would not do instead: one that has its id and has
//! not written yet, or not for long, is in no log.)
//!
//! # Cancellation
//! As a crash between the two.
//!
//! # Crash safety
//! A crash between the two leaves the catalog ahead, which the next start may be.

use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use std::ops::Range;

use super::{ControlFile, ControlFileError, FORMAT_VERSION, bring_forward, read};
use crate::catalog::ClusterRow;
use crate::object_storage::{Bucket, BucketError, key};

/// Numbers of producer ids that are set aside at once: few enough for eight million starts, so many that the bucket may be
/// away for long.
pub const PRODUCER_NUMBERS: i64 = 1 << 17;

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFile {
    /// The version of everything in the bucket.
    pub format_version: i64,
    /// Whose bucket it is.
    pub cluster_id: String,
    /// Of the catalog.
    pub incarnation: i64,
    /// Of the broker's last start.
    pub start_number: i64,
    /// Made by chance at that start: two copies of a catalog may count the same number.
    #[serde(default)]
    pub start_id: String,
    /// Producer ids with numbers below it are the start's, or were an earlier one's.
    #[serde(default)]
    pub producer_numbers_below: i64,
}

impl ClusterFile {
    fn is_of(&self, row: &ClusterRow) -> bool {
        self.cluster_id == row.cluster_id
            && (self.incarnation, self.start_number) == (row.incarnation, row.start_number)
    }
}

impl ControlFile for ClusterFile {
    fn format_version(&self) -> i64 {
        self.format_version
    }
}

/// Catalog and bucket do not belong together. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BucketRefused {
    /// The catalog knows nothing, and the bucket is full.
    #[error(
        "the catalog is empty, but the bucket {bucket} holds the history of {owner}: starting would write a second history beside it. Give back the catalog that belongs to it (--catalog) or give this broker a bucket or prefix of its own (--bucket)"
    )]
    EmptyCatalog {
        /// Which bucket.
        bucket: String,
        /// Whose.
        owner: String,
    },
    /// The bucket is another cluster's.
    #[error(
        "the bucket {bucket} belongs to cluster {theirs}, the catalog to cluster {ours}: give each cluster a bucket or prefix of its own (--bucket), or this broker the catalog that belongs to the bucket (--catalog)"
    )]
    ForeignCluster {
        /// Which bucket.
        bucket: String,
        /// The bucket's.
        theirs: String,
        /// The catalog's.
        ours: String,
    },
    /// The catalog is an older copy of itself.
    #[error(
        "the catalog is older than the bucket {bucket}: it has seen start {ours} (incarnation {our_incarnation}), the bucket start {theirs} (incarnation {their_incarnation}). It was put back from a copy, or another broker runs on a copy of it. Give back the newest catalog (--catalog)"
    )]
    OlderCatalog {
        /// Which bucket.
        bucket: String,
        /// The catalog's start number.
        ours: i64,
        /// The bucket's.
        theirs: i64,
        /// The catalog's incarnation.
        our_incarnation: i64,
        /// The bucket's.
        their_incarnation: i64,
    },
    /// The catalog names objects, and this bucket is nobody's.
    #[error(
        "the catalog names objects, but the bucket {bucket} is empty: is it the right one? Give the bucket that the history lies in (--bucket)"
    )]
    EmptyBucket {
        /// Which bucket.
        bucket: String,
    },
    /// Another bucket answers in the place of the one that this start was noted in.
    #[error(
        "the bucket {bucket} is not the one that this broker started on: {how}. Nothing is uploaded to it, and what is not in the bucket stays on the local disk; does its endpoint lead elsewhere, or was it made anew?"
    )]
    Replaced {
        /// Which bucket.
        bucket: String,
        /// How it shows.
        how: &'static str,
    },
    /// The catalog names objects, and the bucket has some, but no word of whose they are.
    #[error(
        "the bucket {bucket} holds a history (there is '{found}'), but '{lost}', which says whose, is gone: give it back, from the store's older versions or a copy of the bucket; or give the bucket that the catalog's history lies in (--bucket)"
    )]
    LostClusterFile {
        /// Which bucket.
        bucket: String,
        /// The first object of a history.
        found: String,
        /// The key of the control file.
        lost: String,
    },
    /// A control file is a newer version's, or not one.
    #[error(transparent)]
    ControlFile(#[from] ControlFileError),
}

impl BucketRefused {
    /// What the bucket said, where it could not be asked.
    pub fn bucket_error(&self) -> Option<&BucketError> {
        match self {
            Self::ControlFile(ControlFileError::Bucket(error)) => Some(error),
            _ => None,
        }
    }
}

impl From<BucketError> for BucketRefused {
    fn from(error: BucketError) -> Self {
        Self::ControlFile(error.into())
    }
}

/// Compares a catalog with the bucket before either is written: `known` is what the catalog says of its cluster, nothing
/// for an empty one, and whether it names any object.
pub async fn check(bucket: &Bucket, known: Option<&ClusterRow>, names_objects: bool) -> Result<(), BucketRefused> {
    let file: Option<ClusterFile> = read(bucket, &key::cluster()).await?;
    let shown = bucket.describe();
    match (file, known) {
        (Some(file), None) => {
            Err(BucketRefused::EmptyCatalog { bucket: shown, owner: format!("cluster {}", file.cluster_id) })
        }
        (Some(file), Some(row)) => judge(&file, row, shown),
        (None, Some(_)) if names_objects => Err(match history(bucket).await? {
            Some(found) => {
                BucketRefused::LostClusterFile { bucket: shown, found, lost: key::cluster().as_str().to_owned() }
            }
            None => BucketRefused::EmptyBucket { bucket: shown },
        }),
        (None, Some(_)) => Ok(()),
        (None, None) => match history(bucket).await? {
            Some(found) => {
                let owner = format!("a cluster that has lost its control file (there is '{found}')");
                Err(BucketRefused::EmptyCatalog { bucket: shown, owner })
            }
            None => Ok(()),
        },
    }
}

/// What shows, without the cluster's file, that somebody's history is here: a topic's file or an object.
async fn history(bucket: &Bucket) -> Result<Option<String>, BucketError> {
    for prefix in [key::topic_files(), key::all_topics()] {
        if let Some(found) = bucket.list(&prefix).try_next().await? {
            return Ok(Some(found.key.as_str().to_owned()));
        }
    }
    Ok(None)
}

fn judge(file: &ClusterFile, row: &ClusterRow, bucket: String) -> Result<(), BucketRefused> {
    if file.cluster_id != row.cluster_id {
        let (theirs, ours) = (file.cluster_id.clone(), row.cluster_id.clone());
        return Err(BucketRefused::ForeignCluster { bucket, theirs, ours });
    }
    if (file.incarnation, file.start_number) > (row.incarnation, row.start_number) {
        return Err(BucketRefused::OlderCatalog {
            bucket,
            ours: row.start_number,
            theirs: file.start_number,
            our_incarnation: row.incarnation,
            their_incarnation: file.incarnation,
        });
    }
    Ok(())
}

/// Notes a start in the bucket, after the catalog has counted it. Refused where somebody else has started meanwhile.
/// `start_id` is made by chance. Returns the numbers of producer ids that are this start's.
pub async fn note_start(bucket: &Bucket, row: &ClusterRow, start_id: &str) -> Result<Range<i64>, BucketRefused> {
    let there = bring_forward(bucket, &key::cluster(), |known: Option<&ClusterFile>| match known {
        Some(known) if judge_quietly(known, row) => None,
        known => Some(ClusterFile {
            format_version: FORMAT_VERSION,
            cluster_id: row.cluster_id.clone(),
            incarnation: row.incarnation,
            start_number: row.start_number,
            start_id: start_id.to_owned(),
            // Whatever the file says: behind the last number the catalog gives no more.
            producer_numbers_below: known.map_or(0, |known| known.producer_numbers_below.clamp(0, NUMBERS_END))
                + PRODUCER_NUMBERS,
        }),
    })
    .await?;
    let there = there.ok_or_else(|| replaced(bucket, GONE))?;
    if there.is_of(row) && there.start_id == start_id {
        let below = there.producer_numbers_below;
        return Ok(below.saturating_sub(PRODUCER_NUMBERS)..below);
    }
    judge(&there, row, bucket.describe())?;
    // The same number, but not written by this start: a copy of the catalog has counted it too.
    Err(BucketRefused::OlderCatalog {
        bucket: bucket.describe(),
        ours: row.start_number,
        theirs: there.start_number,
        our_incarnation: row.incarnation,
        their_incarnation: there.incarnation,
    })
}

/// Sets numbers of producer ids aside for this start, up to `below`; returns up to where they are set aside then.
pub async fn reserve_producer_numbers(bucket: &Bucket, row: &ClusterRow, below: i64) -> Result<i64, BucketRefused> {
    let there = bring_forward(bucket, &key::cluster(), |known: Option<&ClusterFile>| {
        let behind = known.filter(|known| known.is_of(row) && known.producer_numbers_below < below);
        behind.map(|known| ClusterFile { producer_numbers_below: below, ..known.clone() })
    })
    .await?;
    match there {
        None => Err(replaced(bucket, GONE)),
        Some(there) if there.is_of(row) => Ok(there.producer_numbers_below),
        Some(there) => judge(&there, row, bucket.describe()).and(Err(replaced(bucket, EARLIER))),
    }
}

const NUMBERS_END: i64 = 1 << 40;
const GONE: &str = "it has no '_tidelog/cluster.json'";
const EARLIER: &str = "its '_tidelog/cluster.json' is of an earlier start";

fn replaced(bucket: &Bucket, how: &'static str) -> BucketRefused {
    BucketRefused::Replaced { bucket: bucket.describe(), how }
}

/// Refuses a bucket that is not the one that this start was noted in: an endpoint may lead elsewhere for a moment, and a
/// bucket may be made anew under its name. One small GET.
pub async fn still_ours(bucket: &Bucket, row: &ClusterRow) -> Result<(), BucketRefused> {
    let Some(file) = read::<ClusterFile>(bucket, &key::cluster()).await? else {
        return Err(replaced(bucket, GONE));
    };
    judge(&file, row, bucket.describe())?;
    if (file.incarnation, file.start_number) < (row.incarnation, row.start_number) {
        return Err(replaced(bucket, EARLIER));
    }
    Ok(())
}

/// Whether what is there must not be replaced by this start.
fn judge_quietly(known: &ClusterFile, row: &ClusterRow) -> bool {
    known.cluster_id != row.cluster_id || (known.incarnation, known.start_number) >= (row.incarnation, row.start_number)
}
