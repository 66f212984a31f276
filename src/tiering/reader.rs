//! Reading objects: footers and row groups from the bucket, once, into one cache that is bounded in bytes.
//!
//! # Consistency
//! Objects never change, so what is cached is good for ever; whether it is still part of the log is the view's business.
//!
//! # Retries
//! The bucket's own; and once more where what came does not decode, because a line can garble what a disk keeps.
//!
//! # Cancellation
//! A fetch is a task of its own and outlives whoever asked for it. It ends, down to the connection, when the threads are
//! closed.
//!
//! # Crash safety
//! Nothing is written.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use ulid::Ulid;

use super::errors::RemoteReadError;
use super::flights::{Flight, Flights};
use super::group::{BatchForm, Group};
use super::huge::{Huge, Room, is_huge};
use super::metrics;
use super::options::TieringOptions;
use super::parquet::{Footer, Times};
use super::read_ahead::ReadAhead;
use super::remote_segment::RemoteSegment;
use super::threads::Threads;
use crate::clock::Clock;
use crate::model::limits::{HUGE_BYTES, HUGE_HELD_BYTES, ROW_GROUP_DECODED_BYTES};
use crate::model::{Offset, TopicPartition};
use crate::object_storage::Bucket;

/// Bytes on their way from the bucket into the cache, and from it to clients, never get more than this of it.
const IN_FLIGHT_SHARE: u64 = 2;
/// Even a small cache must let one row group through.
const IN_FLIGHT_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// One answer holds no more than this part of what may be on its way to clients.
const ANSWER_SHARE: usize = 8;
/// Row groups that one reader of many partitions fetches at once take no more than this part of the cache.
const READS_SHARE: u64 = 8;
/// How long whoever was refused memory for a reply is taken to wait for it: clients come back within it.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// Permits count in these.
const PERMIT_BYTES: u64 = 1024;
/// What a footer or an index costs in memory beyond its bytes.
const ENTRY_OVERHEAD_BYTES: usize = 256;

/// A row group as it is served: of which object, which, and rebuilt how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    pub(super) segment: Ulid,
    pub(super) number: usize,
    /// What the row stands for: more than it is never served.
    pub(super) base: Offset,
    pub(super) end: Offset,
    pub(super) form: BatchForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Footer(Ulid),
    Group(GroupKey),
    Times(Ulid, usize),
}

#[derive(Clone, Debug)]
enum Value {
    Footer(Arc<Footer>),
    Group(Arc<Group>),
    Times(Arc<Times>),
}

impl Value {
    fn memory_bytes(&self) -> usize {
        ENTRY_OVERHEAD_BYTES
            + match self {
                Self::Footer(footer) => footer.memory_bytes(),
                Self::Group(group) => group.memory_bytes(),
                Self::Times(times) => times.memory_bytes(),
            }
    }
}

/// Reads and caches.
#[derive(Debug)]
pub(super) struct RemoteReader {
    bucket: Bucket,
    clock: Arc<dyn Clock>,
    cache: Cache<Key, Value>,
    footers: Arc<Flights<Ulid, Arc<Footer>>>,
    groups: Arc<Flights<GroupKey, Arc<Group>>>,
    times: Arc<Flights<(Ulid, usize), Arc<Times>>>,
    decoders: Arc<Semaphore>,
    incoming: Arc<Semaphore>,
    outgoing: Arc<Semaphore>,
    /// What may be on its way, in either direction.
    outgoing_bytes: usize,
    /// When a reply was last refused memory, by the monotonic clock.
    refused_at: Mutex<Option<Duration>>,
    cache_bytes: u64,
    pub(super) huge: Arc<Huge>,
    ahead: ReadAhead,
}

impl RemoteReader {
    pub(super) fn new(bucket: Bucket, clock: Arc<dyn Clock>, options: &TieringOptions) -> Arc<Self> {
        let cache = Cache::builder()
            .max_capacity(options.cache_bytes)
            // A row group is read several times within moments, and then never again: a policy that counts uses would keep
            // those that are done with and refuse those that are about to be read, and so fetch them for every answer.
            .eviction_policy(EvictionPolicy::lru())
            .weigher(|_: &Key, value: &Value| u32::try_from(value.memory_bytes()).unwrap_or(u32::MAX))
            .build();
        let in_flight_bytes = (options.cache_bytes / IN_FLIGHT_SHARE).max(IN_FLIGHT_BYTES_MIN);
        let in_flight = in_flight_bytes / PERMIT_BYTES;
        let in_flight = usize::try_from(in_flight).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            bucket,
            huge: Huge::new(Arc::clone(&clock)),
            clock,
            cache,
            footers: Arc::default(),
            groups: Arc::default(),
            times: Arc::default(),
            decoders: Arc::new(Semaphore::new(options.readers.max(1))),
            incoming: Arc::new(Semaphore::new(in_flight)),
            outgoing: Arc::new(Semaphore::new(in_flight)),
            outgoing_bytes: usize::try_from(in_flight_bytes).unwrap_or(usize::MAX),
            refused_at: Mutex::new(None),
            cache_bytes: options.cache_bytes,
            ahead: ReadAhead::new(options.cache_bytes),
        })
    }

    /// An object's footer, where it is cached.
    pub(super) fn cached_footer(&self, segment: Ulid) -> Option<Arc<Footer>> {
        match self.cache.get(&Key::Footer(segment)) {
            Some(Value::Footer(footer)) => Some(footer),
            _ => None,
        }
    }

    /// A row group, where it is cached.
    pub(super) fn cached_group(&self, key: GroupKey) -> Option<Arc<Group>> {
        match self.cache.get(&Key::Group(key)) {
            Some(Value::Group(group)) => Some(group),
            _ => self.huge.kept(key),
        }
    }

    /// How many row groups to fetch ahead of a reader that was given `[from, next)`.
    pub(super) fn ahead_of(&self, tp: TopicPartition, from: Offset, next: Offset) -> usize {
        self.ahead.note(tp, from, next, self.clock.monotonic())
    }

    /// Forgets an object: it is not there any more, or was not what it should be.
    pub(super) fn forget(&self, segment: Ulid) {
        self.cache.invalidate(&Key::Footer(segment));
    }

    /// What is cached, in bytes.
    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.cache.weighted_size()
    }

    /// Lets the cache do at once what it does by and by.
    #[cfg(test)]
    pub(super) fn settle(&self) {
        self.cache.run_pending_tasks();
    }

    /// Forgets everything.
    #[cfg(test)]
    pub(super) fn forget_all(&self) {
        self.cache.invalidate_all();
    }

    /// An object's footer: one small read where it is not cached.
    pub(super) async fn footer(
        self: &Arc<Self>,
        threads: &Threads,
        segment: &Arc<RemoteSegment>,
    ) -> Result<Arc<Footer>, RemoteReadError> {
        if let Some(footer) = self.cached_footer(segment.id) {
            return Ok(footer);
        }
        let fetch = || {
            let (reader, segment) = (Arc::clone(self), Arc::clone(segment));
            async move { reader.fetch_footer(&segment).await }
        };
        self.footers.join(threads, &segment.id, fetch).landed().await
    }

    async fn fetch_footer(&self, segment: &RemoteSegment) -> Result<Arc<Footer>, RemoteReadError> {
        let size = segment.object_size_bytes;
        let from = size.saturating_sub(u64::from(segment.footer_bytes));
        let mut tries = 0;
        let footer = loop {
            let tail = self.bucket.get_range(&segment.key, from..size).await?;
            match Footer::parse(size, &tail) {
                Ok(footer) => break Arc::new(footer),
                Err(error) if tries > 0 => return Err(damaged(segment, error)),
                Err(_) => tries += 1,
            }
        };
        let known = footer.header();
        let same = (known.topic_id, known.partition) == (segment.tp.topic_id, segment.tp.partition);
        if !same || known.base_offset > segment.base || known.end_offset < segment.end {
            return Err(damaged(segment, "its footer is another object's"));
        }
        self.cache.insert(Key::Footer(segment.id), Value::Footer(Arc::clone(&footer)));
        metrics::cache_size(self.cache.weighted_size());
        Ok(footer)
    }

    /// A row group as batches: one read where it is not cached.
    pub(super) async fn group(
        self: &Arc<Self>,
        threads: &Arc<Threads>,
        segment: &Arc<RemoteSegment>,
        footer: &Arc<Footer>,
        key: GroupKey,
    ) -> Result<Arc<Group>, RemoteReadError> {
        let cached = self.cached_group(key);
        metrics::cache_asked(cached.is_some());
        if let Some(group) = cached {
            return Ok(group);
        }
        self.fly_group(threads, segment, footer, key).landed().await
    }

    /// Begins to fetch a row group that is neither cached nor under way, for whoever will ask.
    pub(super) fn begin_group(
        self: &Arc<Self>,
        threads: &Arc<Threads>,
        segment: &Arc<RemoteSegment>,
        footer: &Arc<Footer>,
        key: GroupKey,
    ) {
        if self.cached_group(key).is_none() {
            drop(self.fly_group(threads, segment, footer, key));
        }
    }

    fn fly_group(
        self: &Arc<Self>,
        threads: &Arc<Threads>,
        segment: &Arc<RemoteSegment>,
        footer: &Arc<Footer>,
        key: GroupKey,
    ) -> Flight<Arc<Group>> {
        self.groups.join(threads, &key, || {
            let (reader, threads) = (Arc::clone(self), Arc::clone(threads));
            let (segment, footer) = (Arc::clone(segment), Arc::clone(footer));
            async move { reader.fetch_group(&threads, &segment, &footer, key).await }
        })
    }

    async fn fetch_group(
        &self,
        threads: &Threads,
        segment: &RemoteSegment,
        footer: &Arc<Footer>,
        key: GroupKey,
    ) -> Result<Arc<Group>, RemoteReadError> {
        let meta = footer.row_groups().get(key.number).ok_or_else(|| not_there(segment, key.number))?;
        let group = match self.fetch_within(threads, segment, footer, key, meta.unfolded_bytes).await? {
            Some(group) => group,
            // A name of a header lies there once and is in every batch that has it: nothing tells how large they become.
            None => self
                .fetch_within(threads, segment, footer, key, HUGE_HELD_BYTES as u64)
                .await?
                .ok_or_else(|| damaged(segment, "its batches are larger than any"))?,
        };
        let (group, huge_room) = group;
        Ok(self.keep_group(threads, key, group, huge_room))
    }

    /// The same, where it unfolds to so many bytes; `None` where its batches turn out to take more than was reserved.
    async fn fetch_within(
        &self,
        threads: &Threads,
        segment: &RemoteSegment,
        footer: &Arc<Footer>,
        key: GroupKey,
        unfolded_bytes: u64,
    ) -> Result<Option<(Group, Option<Room>)>, RemoteReadError> {
        let meta = footer.row_groups().get(key.number).ok_or_else(|| not_there(segment, key.number))?;
        let range = meta.bytes.clone();
        let bytes = range.end - range.start;
        // Who has all of the room has it alone.
        let batches_max = match unfolded_bytes {
            all if all >= HUGE_HELD_BYTES as u64 => usize::MAX,
            some => usize::try_from(some).unwrap_or(usize::MAX).max(HUGE_BYTES),
        };
        let mut huge_room = None;
        let decoded_bytes = if is_huge(unfolded_bytes) {
            // Before any other room: whoever waits for this one keeps nobody from reading what is not huge. Who waits for
            // his turn below holds what its packed bytes take, as every read does.
            huge_room = Some(self.huge.room(unfolded_bytes, || self.note_refused()).await);
            0
        } else {
            // Decoded, and then rebuilt.
            unfolded_bytes.saturating_mul(2).max(ROW_GROUP_DECODED_BYTES as u64)
        };
        let _room = self.room(&self.incoming, bytes.saturating_add(decoded_bytes)).await;
        let mut tries = 0;
        let group = loop {
            let began = self.clock.monotonic();
            let fetched = self.bucket.get_range(&segment.key, range.clone()).await?;
            let arrived = self.clock.monotonic();
            let decoded = {
                let turn = match &huge_room {
                    Some(_) => Some(self.huge.turns.next().await),
                    None => None,
                };
                let _decoder = self.decoders.acquire().await;
                let footer = Arc::clone(footer);
                let decoding = move || {
                    let _turn = turn;
                    let range = key.base..key.end.next();
                    Group::rebuild(&footer, key.number, fetched, &range, key.form, batches_max)
                };
                threads.blocking(decoding).await?
            };
            match decoded {
                Ok(None) => return Ok(None),
                Ok(Some(group)) => {
                    let decode = self.clock.monotonic().saturating_sub(arrived);
                    let fetch = arrived.saturating_sub(began);
                    metrics::row_group_read(bytes, group.memory_bytes() as u64, fetch, decode);
                    break group;
                }
                Err(error) if tries > 0 => {
                    self.forget(segment.id);
                    return Err(damaged(segment, error));
                }
                Err(_) => tries += 1,
            }
        };
        Ok(Some((group, huge_room)))
    }

    /// Keeps a row group for whoever asks next: what is huge apart from the cache, and not for long.
    fn keep_group(&self, threads: &Threads, key: GroupKey, group: Group, huge_room: Option<Room>) -> Arc<Group> {
        let bytes = group.memory_bytes() as u64;
        if let Some(room) = huge_room.filter(|_| is_huge(bytes)) {
            let group = Arc::new(group.holding(room.shrunk_to(bytes)));
            threads.spawn(Arc::clone(&self.huge).keep(key, Arc::clone(&group)));
            return group;
        }
        let group = Arc::new(group);
        self.cache.insert(Key::Group(key), Value::Group(Arc::clone(&group)));
        metrics::cache_size(self.cache.weighted_size());
        group
    }

    /// The timestamps of a row group's records: one small read where they are not cached.
    pub(super) async fn record_times(
        self: &Arc<Self>,
        threads: &Arc<Threads>,
        segment: &Arc<RemoteSegment>,
        number: usize,
    ) -> Result<Arc<Times>, RemoteReadError> {
        if let Some(Value::Times(times)) = self.cache.get(&Key::Times(segment.id, number)) {
            return Ok(times);
        }
        let footer = self.footer(threads, segment).await?;
        let fetch = || {
            let (reader, threads) = (Arc::clone(self), Arc::clone(threads));
            let segment = Arc::clone(segment);
            async move { reader.fetch_times(&threads, &segment, footer, number).await }
        };
        self.times.join(threads, &(segment.id, number), fetch).landed().await
    }

    async fn fetch_times(
        &self,
        threads: &Threads,
        segment: &RemoteSegment,
        footer: Arc<Footer>,
        number: usize,
    ) -> Result<Arc<Times>, RemoteReadError> {
        let range = footer.row_groups().get(number).map(|group| group.times.clone());
        let range = range.ok_or_else(|| not_there(segment, number))?;
        let mut tries = 0;
        let times = loop {
            let fetched = self.bucket.get_range(&segment.key, range.clone()).await?;
            let _turn = self.decoders.acquire().await;
            let footer = Arc::clone(&footer);
            match threads.blocking(move || footer.decode_times(number, fetched)).await? {
                Ok(times) => break Arc::new(times),
                Err(error) if tries > 0 => return Err(damaged(segment, error)),
                Err(_) => tries += 1,
            }
        };
        self.cache.insert(Key::Times(segment.id, number), Value::Times(Arc::clone(&times)));
        Ok(times)
    }

    async fn room<'s>(&self, semaphore: &'s Semaphore, bytes: u64) -> Option<tokio::sync::SemaphorePermit<'s>> {
        // One thing that is larger than all there is goes alone.
        let all = u32::try_from(self.outgoing_bytes as u64 / PERMIT_BYTES).unwrap_or(u32::MAX);
        let permits = u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX).clamp(1, all);
        semaphore.acquire_many(permits).await.ok()
    }

    /// The same bytes, counted against what may be on its way to clients until they have been sent; `None` where too much
    /// is.
    pub(super) fn charged(&self, bytes: &Bytes) -> Option<Bytes> {
        if is_huge(bytes.len() as u64) {
            // Counted since it was read: no batch gets so large without room of its own.
            return Some(bytes.clone());
        }
        match Arc::clone(&self.outgoing).try_acquire_many_owned(permits(bytes.len() as u64)) {
            Ok(permit) => Some(Bytes::from_owner(Charged { bytes: bytes.clone(), _permit: permit })),
            Err(_full) => {
                self.note_refused();
                None
            }
        }
    }

    /// Notes that somebody waits for what replies on their way hold.
    fn note_refused(&self) {
        *self.refused_at.lock() = Some(self.clock.monotonic());
    }

    /// Whether somebody waits for what replies on their way hold.
    pub(super) fn replies_are_waited_for(&self) -> bool {
        let refused_at = *self.refused_at.lock();
        refused_at.is_some_and(|at| self.clock.monotonic().saturating_sub(at) < REFUSED_FOR)
    }

    /// What one answer may hold of it.
    pub(super) fn answer_bytes_max(&self) -> usize {
        self.outgoing_bytes / ANSWER_SHARE
    }

    /// Row groups that one who reads many partitions may fetch at once.
    pub(super) fn reads_at_once_max(&self) -> usize {
        let fitting = self.cache_bytes / READS_SHARE / ROW_GROUP_DECODED_BYTES as u64;
        usize::try_from(fitting).unwrap_or(usize::MAX).max(1)
    }
}

/// Bytes that hold their share of a budget.
struct Charged {
    bytes: Bytes,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Never more than there is however small the cache: two replies of what is larger than that may be on their way.
fn permits(bytes: u64) -> u32 {
    let most = IN_FLIGHT_BYTES_MIN / PERMIT_BYTES;
    u32::try_from(bytes.div_ceil(PERMIT_BYTES).clamp(1, most)).unwrap_or(1)
}

fn damaged(segment: &RemoteSegment, reason: impl ToString) -> RemoteReadError {
    RemoteReadError::Damaged { key: segment.key.to_string(), reason: reason.to_string() }
}

fn not_there(segment: &RemoteSegment, number: usize) -> RemoteReadError {
    RemoteReadError::Damaged { key: segment.key.to_string(), reason: format!("it has no row group {number}") }
}
