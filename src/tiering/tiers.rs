//! What all partitions of a broker share of the tiers: bucket, catalog, threads, control files, the queue of uploads.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use ulid::Ulid;

use crate::catalog::{Catalog, ClusterRow, StorageError, TopicRow};
use crate::clock::Clock;
use crate::model::{TopicId, TopicPartition};
use crate::object_storage::Bucket;

use super::ages::Ages;
use super::cluster_file::{self, BucketRefused};
use super::control::ControlFileError;
use super::control::floor_files::FloorFiles;
use super::control::topic_files::TopicFiles;
use super::damages::Damages;
use super::errors::RemoteReadError;
use super::options::TieringOptions;
use super::pressure::Pressure;
use super::read_failures::ReadFailures;
use super::reader::RemoteReader;
use super::refused_removals::RefusedRemovals;
use super::threads::Threads;
use super::tiered_log::TieredLog;
use super::upload_queue::UploadQueue;

/// Threads that may block beside those that encode and decode: small files, folders of a `file://` bucket.
const OTHER_BLOCKING: usize = 24;

/// How long the deletion of a topic waits for the bucket.
const NOTING_WAITS: Duration = Duration::from_secs(2);

/// A topic's control file is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum TopicFileError {
    /// The bucket.
    #[error(transparent)]
    ControlFile(#[from] ControlFileError),
    /// Another bucket answers, or none.
    #[error(transparent)]
    NotOurs(#[from] BucketRefused),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] StorageError),
    /// The topic is gone.
    #[error("topic {0} does not exist any more")]
    NoTopic(TopicId),
}

impl TopicFileError {
    /// Whether it is the bucket that takes nothing now.
    pub(super) fn is_of_bucket(&self) -> bool {
        let error = match self {
            Self::ControlFile(ControlFileError::Bucket(error)) => Some(error),
            Self::NotOurs(refused) => refused.bucket_error(),
            _ => None,
        };
        error.is_some_and(|error| error.kind().may_pass())
    }
}

/// What the tiers stand on.
#[derive(Debug, Clone)]
pub struct TiersParts {
    /// The bucket, open.
    pub bucket: Bucket,
    /// The catalog, open.
    pub catalog: Catalog,
    /// The cluster, as this start has counted it.
    pub cluster: ClusterRow,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// The tiers of a broker.
#[derive(Debug)]
pub struct Tiers {
    pub(super) parts: TiersParts,
    pub(super) options: TieringOptions,
    pub(super) threads: Arc<Threads>,
    pub(super) topic_files: TopicFiles,
    pub(super) floor_files: FloorFiles,
    pub(super) reader: Arc<RemoteReader>,
    pub(super) damages: Damages,
    pub(super) read_failures: ReadFailures,
    pub(super) refused_removals: RefusedRemovals,
    pub(super) ages: Ages,
    pub(super) uploads: Arc<UploadQueue>,
    /// Objects that this process is writing: whoever writes one ends it.
    active: Mutex<HashSet<Ulid>>,
    members: Mutex<HashMap<TopicPartition, Weak<TieredLog>>>,
    random: Mutex<StdRng>,
    pressure: Pressure,
}

impl Tiers {
    /// Starts the threads.
    pub fn start(parts: TiersParts, options: TieringOptions) -> io::Result<Arc<Self>> {
        let threads = Arc::new(Threads::start(options.copiers + options.readers + OTHER_BLOCKING)?);
        let reader = RemoteReader::new(parts.bucket.clone(), Arc::clone(&parts.clock), &options);
        let tiers = Arc::new(Self {
            uploads: Arc::new(UploadQueue::new(Arc::clone(&parts.clock), options.copy_bytes_per_second)),
            active: Mutex::default(),
            reader,
            damages: Damages::new(Arc::clone(&parts.clock)),
            read_failures: ReadFailures::default(),
            refused_removals: RefusedRemovals::default(),
            ages: Ages::default(),
            threads,
            topic_files: TopicFiles::default(),
            floor_files: FloorFiles::default(),
            members: Mutex::default(),
            pressure: Pressure::default(),
            random: Mutex::new(StdRng::seed_from_u64(options.seed)),
            parts,
            options,
        });
        for _ in 0..tiers.options.copiers.max(1) {
            tiers.threads.spawn(super::upload_queue::copy(Arc::clone(&tiers.uploads)));
        }
        Ok(tiers)
    }

    /// Ends all work between two durable steps, and the threads.
    pub async fn close(&self) {
        self.threads.close().await;
        self.uploads.clear();
    }

    /// Whether somebody waits for memory that records on their way to clients hold.
    pub fn replies_are_waited_for(&self) -> bool {
        self.reader.replies_are_waited_for()
    }

    /// Bytes of the bucket's records that one answer may hold.
    pub fn answer_bytes_max(&self) -> usize {
        self.reader.answer_bytes_max()
    }

    /// Reads that one fetch may have under way at once: each brings a row group, whatever the answer has room for.
    pub fn reads_at_once_max(&self) -> usize {
        self.reader.reads_at_once_max()
    }

    /// The bucket.
    pub fn bucket(&self) -> &Bucket {
        &self.parts.bucket
    }

    /// Refuses to go on with a bucket that is not the one that this start was noted in. Then which control files ours has
    /// is not known either: the last may have gone elsewhere.
    pub(super) async fn still_ours(&self) -> Result<(), BucketRefused> {
        let ours = cluster_file::still_ours(&self.parts.bucket, &self.parts.cluster).await;
        if ours.is_err() {
            self.floor_files.forget_all();
            self.topic_files.doubt_all();
        }
        ours
    }

    /// Sets numbers of producer ids aside for this start, up to `below`.
    pub async fn reserve_producer_numbers(&self, below: i64) -> Result<i64, BucketRefused> {
        cluster_file::reserve_producer_numbers(&self.parts.bucket, &self.parts.cluster, below).await
    }

    /// An object that is not there is missing only where the bucket is ours; else that is what is wrong.
    pub(super) async fn if_ours(&self, error: RemoteReadError) -> RemoteReadError {
        if !error.is_not_found() {
            return error;
        }
        match self.still_ours().await {
            Ok(()) => error,
            Err(refused) => RemoteReadError::Elsewhere(refused.to_string()),
        }
    }

    pub(super) fn catalog(&self) -> &Catalog {
        &self.parts.catalog
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.parts.clock.as_ref()
    }

    pub(super) fn pressure(&self) -> &Pressure {
        &self.pressure
    }

    pub(super) fn admit(&self, log: &Arc<TieredLog>) {
        self.members.lock().insert(log.tp(), Arc::downgrade(log));
    }

    pub(super) fn dismiss(&self, tp: TopicPartition) {
        self.members.lock().remove(&tp);
        self.floor_files.forget(tp);
        self.damages.forget(tp);
    }

    /// The partition, while it is led here.
    pub fn member(&self, tp: TopicPartition) -> Option<Arc<TieredLog>> {
        self.members.lock().get(&tp)?.upgrade()
    }

    /// All partitions that are led here.
    pub(super) fn all_members(&self) -> Vec<Arc<TieredLog>> {
        self.members.lock().values().filter_map(Weak::upgrade).collect()
    }

    /// Brings the control files of topics forward that have changed since they were written.
    pub async fn refresh_topic_files(&self) -> Result<(), TopicFileError> {
        if self.topic_files.is_empty() {
            return Ok(());
        }
        for row in self.catalog().topics().await? {
            if !row.deleted && self.topic_files.is_behind(&row) {
                self.write_topic_file(&row).await?;
            }
        }
        Ok(())
    }

    /// Sees to it that the topic's control file is there.
    pub(super) async fn need_topic_file(&self, id: TopicId) -> Result<(), TopicFileError> {
        if self.topic_files.known(id).is_some() {
            return Ok(());
        }
        match self.catalog().topic(id).await? {
            Some(row) if !row.deleted => self.write_topic_file(&row).await,
            _ => Err(TopicFileError::NoTopic(id)),
        }
    }

    /// Not to another bucket that answers in the place of ours; and believed only where ours answers behind it too.
    async fn write_topic_file(&self, row: &TopicRow) -> Result<(), TopicFileError> {
        self.still_ours().await?;
        let version = self.topic_files.write(&self.parts.bucket, row).await?;
        self.still_ours().await?;
        self.topic_files.believe(row.id, version);
        Ok(())
    }

    /// Notes in the bucket that a topic was deleted, within the time that a client waits. Says whether it is noted; what
    /// cannot be noted now is noted before the first of its objects goes, and before its row does.
    pub async fn note_deleted(&self, id: TopicId) -> bool {
        let noting = async {
            if let Some(row) = self.catalog().topic(id).await? {
                // Another bucket has no such file, as if nothing had to be noted.
                self.still_ours().await?;
                self.topic_files.mark_deleted(&self.parts.bucket, &row).await?;
                self.still_ours().await?;
            }
            Ok::<(), TopicFileError>(())
        };
        let noted = tokio::select! {
            biased;
            noted = noting => noted.map_err(|error| error.to_string()),
            () = self.clock().sleep(NOTING_WAITS) => Err("the bucket does not answer".to_owned()),
        };
        if let Err(error) = &noted {
            tracing::warn!(%error, topic_id = %id, "the bucket does not say yet that a topic was deleted");
        }
        noted.is_ok()
    }

    /// Notes that this process writes an object, until what is returned is dropped.
    pub(super) fn writing(self: &Arc<Self>, id: Ulid) -> Writing {
        self.active.lock().insert(id);
        Writing { tiers: Arc::clone(self), id }
    }

    /// Whether this process is writing an object.
    pub(super) fn is_writing(&self, id: Ulid) -> bool {
        self.active.lock().contains(&id)
    }

    /// An id that nobody has, for an object.
    pub(super) fn new_id(&self) -> Ulid {
        let at_ms = u64::try_from(self.clock().now_ms()).unwrap_or(0);
        Ulid::from_parts(at_ms, self.random.lock().random())
    }

    /// A number in `[0, 1)`.
    pub(super) fn chance(&self) -> f64 {
        self.random.lock().random()
    }
}

/// This process writes an object.
#[derive(Debug)]
pub(super) struct Writing {
    tiers: Arc<Tiers>,
    id: Ulid,
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.tiers.active.lock().remove(&self.id);
    }
}
