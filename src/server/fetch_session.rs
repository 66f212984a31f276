//! Incremental fetch sessions (KIP-227): a client names its partitions once, and then only what changes; the answers
//! hold only the partitions that have something new to say.
//!
//! Invariants: sessions and the partitions in them are bounded; a session is never trusted across an epoch that does
//! not follow; whoever gets no session fetches in full, as if there were none.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

/// A session that was used less long ago is not taken from its client. Kafka's figure.
const EVICTABLE_AFTER: Duration = Duration::from_secs(120);
/// Partitions that one session may hold.
const PARTITIONS_PER_SESSION_MAX: usize = 20_000;
/// Partitions that all sessions together may hold.
const PARTITIONS_MAX: isize = 500_000;
/// The epoch of a fetch that wants no session.
const FINAL_EPOCH: i32 = -1;
/// The epoch of a fetch that wants a new one.
const INITIAL_EPOCH: i32 = 0;

/// A partition as a client names it: by topic id from version 13 on, by name before.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PartitionKey {
    /// The topic's name, or nothing.
    pub topic: Arc<str>,
    /// The topic's id, or nothing.
    pub topic_id: Uuid,
    /// The number.
    pub partition: i32,
}

/// What a client wants of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// From where.
    pub fetch_offset: i64,
    /// How much.
    pub max_bytes: i32,
    /// The leader's epoch as the client knows it, or -1.
    pub current_leader_epoch: i32,
    /// The epoch of the last record that the client has, or -1.
    pub last_fetched_epoch: i32,
}

/// What a client was told of a partition last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// The high watermark.
    pub high_watermark: i64,
    /// The log start offset.
    pub log_start_offset: i64,
}

/// Never equal to what is told.
const NOTHING_TOLD: Told = Told { high_watermark: i64::MIN, log_start_offset: i64::MIN };

/// One fetch, as far as sessions go.
#[derive(Debug)]
pub struct FetchAsked {
    /// 0, or the session.
    pub session_id: i32,
    /// Which fetch of the session it is.
    pub epoch: i32,
    /// Whether topics are named by id.
    pub by_id: bool,
    /// Partitions that are new or changed, or all.
    pub wanted: Vec<(PartitionKey, Wanted)>,
    /// Partitions that the session is to forget.
    pub forgotten: Vec<PartitionKey>,
}

/// What a fetch is about, once its session is known.
#[derive(Debug)]
pub struct FetchPlan {
    /// What is to be fetched, in order.
    pub partitions: Vec<(PartitionKey, Wanted)>,
    /// To be told what was answered.
    pub context: FetchContext,
}

/// Which session an answer belongs to.
#[derive(Clone, Debug)]
pub enum FetchContext {
    /// None.
    Full,
    /// A session that has just begun: everything is answered.
    New(Arc<Mutex<Session>>),
    /// A session that goes on: only news are answered.
    Incremental(Arc<Mutex<Session>>),
}

/// One session.
#[derive(Debug)]
pub struct Session {
    id: i32,
    next_epoch: i32,
    by_id: bool,
    used: Duration,
    places: HashMap<PartitionKey, usize>,
    /// In the order of answering; holes are closed when half of it is holes.
    entries: Vec<Option<(PartitionKey, Wanted, Told)>>,
}

/// All sessions of this broker.
#[derive(Debug)]
pub struct FetchSessions {
    sessions_max: usize,
    state: Mutex<Sessions>,
}

#[derive(Debug)]
struct Sessions {
    by_id: HashMap<i32, Arc<Mutex<Session>>>,
    /// Signed: a session that goes while it grows is first taken off with what it has grown by.
    partitions: isize,
    random: StdRng,
}

impl FetchSessions {
    /// Room for `sessions_max` (`max.incremental.fetch.session.cache.slots`); ids are drawn from `seed`.
    pub fn new(sessions_max: usize, seed: u64) -> Self {
        let state = Sessions { by_id: HashMap::new(), partitions: 0, random: StdRng::seed_from_u64(seed) };
        Self { sessions_max, state: Mutex::new(state) }
    }

    /// What a fetch is about. `now` is monotonic.
    pub fn plan(&self, asked: FetchAsked, now: Duration) -> Result<FetchPlan, ResponseError> {
        match (asked.session_id, asked.epoch) {
            (id, FINAL_EPOCH) => {
                self.state.lock().remove(id);
                Ok(FetchPlan { partitions: asked.wanted, context: FetchContext::Full })
            }
            (id, INITIAL_EPOCH) => {
                let mut state = self.state.lock();
                state.remove(id);
                let session = state.begin(&asked, self.sessions_max, now);
                let context = session.map_or(FetchContext::Full, FetchContext::New);
                Ok(FetchPlan { partitions: asked.wanted, context })
            }
            (id, epoch) => self.go_on(id, epoch, asked, now),
        }
    }

    /// The lock of all sessions is held to find the session and to count, not while its partitions are copied.
    fn go_on(&self, id: i32, epoch: i32, asked: FetchAsked, now: Duration) -> Result<FetchPlan, ResponseError> {
        let reserved = asked.wanted.len();
        let (shared, fits) = self.state.lock().reserve(id, reserved).ok_or(ResponseError::FetchSessionIdNotFound)?;
        let gone_on = if fits { shared.lock().go_on(epoch, asked, now) } else { Err(GoOn::TooMany) };
        let mut state = self.state.lock();
        match gone_on {
            Ok((partitions, grown_by)) => {
                state.settle(reserved, grown_by);
                if partitions.is_empty() {
                    // As in Kafka, a session in which nothing is left is over, and this fetch goes on without one.
                    state.remove(id);
                    return Ok(FetchPlan { partitions, context: FetchContext::Full });
                }
                Ok(FetchPlan { partitions, context: FetchContext::Incremental(shared) })
            }
            Err(GoOn::Refused(error)) => {
                state.settle(reserved, 0);
                Err(error)
            }
            Err(GoOn::TooMany) => {
                state.settle(reserved, 0);
                state.remove(id);
                Err(ResponseError::FetchSessionIdNotFound)
            }
        }
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.state.lock().by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Sessions {
    fn remove(&mut self, id: i32) {
        if let Some(session) = self.by_id.remove(&id) {
            self.partitions = self.partitions.saturating_sub_unsigned(session.lock().places.len());
        }
    }

    fn begin(&mut self, asked: &FetchAsked, sessions_max: usize, now: Duration) -> Option<Arc<Mutex<Session>>> {
        let fits = |partitions: isize| partitions.saturating_add_unsigned(asked.wanted.len()) <= PARTITIONS_MAX;
        if asked.wanted.len() > PARTITIONS_PER_SESSION_MAX {
            return None;
        }
        if (self.by_id.len() >= sessions_max || !fits(self.partitions)) && !self.evict_one(now) {
            return None;
        }
        if !fits(self.partitions) {
            return None;
        }
        let id = loop {
            let id = self.random.random_range(1..i32::MAX);
            if !self.by_id.contains_key(&id) {
                break id;
            }
        };
        let mut session = Session {
            id,
            next_epoch: 1,
            by_id: asked.by_id,
            used: now,
            places: HashMap::new(),
            entries: Vec::with_capacity(asked.wanted.len()),
        };
        asked.wanted.iter().for_each(|(key, wanted)| session.want(key.clone(), *wanted));
        self.partitions = self.partitions.saturating_add_unsigned(session.places.len());
        let session = Arc::new(Mutex::new(session));
        self.by_id.insert(id, Arc::clone(&session));
        Some(session)
    }

    fn evict_one(&mut self, now: Duration) -> bool {
        // One whose lock is held is in use.
        let idle = self.by_id.values().filter_map(|session| session.try_lock());
        let oldest = idle.min_by_key(|session| session.used);
        let evictable = oldest.filter(|session| now.saturating_sub(session.used) > EVICTABLE_AFTER);
        let id = evictable.map(|session| session.id);
        id.inspect(|id| self.remove(*id)).is_some()
    }

    /// The session, and whether so many more partitions fit; they are counted until [`Self::settle`].
    fn reserve(&mut self, id: i32, more: usize) -> Option<(Arc<Mutex<Session>>, bool)> {
        let session = Arc::clone(self.by_id.get(&id)?);
        self.partitions = self.partitions.saturating_add_unsigned(more);
        Some((session, self.partitions <= PARTITIONS_MAX))
    }

    /// What was reserved has become `grown_by`.
    fn settle(&mut self, reserved: usize, grown_by: isize) {
        self.partitions = self.partitions.saturating_sub_unsigned(reserved).saturating_add(grown_by);
    }
}

/// A session did not go on.
enum GoOn {
    Refused(ResponseError),
    /// It would hold more partitions than one may, or all may.
    TooMany,
}

impl Session {
    /// Takes a fetch that follows the last; what is to be fetched, and by how many partitions the session has grown.
    fn go_on(
        &mut self,
        epoch: i32,
        asked: FetchAsked,
        now: Duration,
    ) -> Result<(Vec<(PartitionKey, Wanted)>, isize), GoOn> {
        if epoch != self.next_epoch {
            return Err(GoOn::Refused(ResponseError::InvalidFetchSessionEpoch));
        }
        if asked.by_id != self.by_id {
            return Err(GoOn::Refused(ResponseError::FetchSessionTopicIdError));
        }
        let before = self.places.len();
        if before + asked.wanted.len() > PARTITIONS_PER_SESSION_MAX {
            return Err(GoOn::TooMany);
        }
        self.next_epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        self.used = now;
        asked.wanted.into_iter().for_each(|(key, wanted)| self.want(key, wanted));
        asked.forgotten.iter().for_each(|key| self.forget(key));
        let partitions = self.entries.iter().flatten().map(|(key, wanted, _)| (key.clone(), *wanted)).collect();
        Ok((partitions, self.places.len().cast_signed() - before.cast_signed()))
    }

    fn want(&mut self, key: PartitionKey, wanted: Wanted) {
        if let Some(place) = self.places.get(&key) {
            if let Some(Some(entry)) = self.entries.get_mut(*place) {
                entry.1 = wanted;
            }
            return;
        }
        self.places.insert(key.clone(), self.entries.len());
        self.entries.push(Some((key, wanted, NOTHING_TOLD)));
    }

    fn forget(&mut self, key: &PartitionKey) {
        if let Some(place) = self.places.remove(key)
            && let Some(entry) = self.entries.get_mut(place)
        {
            *entry = None;
        }
        self.close_holes();
    }

    fn close_holes(&mut self) {
        if self.entries.len() > 2 * self.places.len() {
            self.entries.retain(Option::is_some);
            self.places =
                self.entries.iter().flatten().enumerate().map(|(at, (key, _, _))| (key.clone(), at)).collect();
        }
    }

    /// Takes note of what is answered; says whether it is news.
    fn tell(&mut self, key: &PartitionKey, told: Told, must_be_told: bool, moves_back: bool) -> bool {
        let Some(place) = self.places.get(key).copied() else { return true };
        let Some(entry) = self.entries.get_mut(place) else { return true };
        let Some((_, _, known)) = entry.as_mut() else { return true };
        let is_news = must_be_told || *known != told;
        *known = told;
        if moves_back {
            // Who has had records waits until the others had theirs.
            let moved = entry.take();
            self.places.insert(key.clone(), self.entries.len());
            self.entries.push(moved);
            self.close_holes();
        }
        is_news
    }
}

impl FetchContext {
    /// The session to name in the answer.
    pub fn session_id(&self) -> i32 {
        match self {
            Self::Full => 0,
            Self::New(session) | Self::Incremental(session) => session.lock().id,
        }
    }

    /// Whether the partition belongs into the answer. An error is told again and again until it is gone.
    pub fn tell(&self, key: &PartitionKey, told: Told, has_error: bool, has_records: bool) -> bool {
        match self {
            Self::Full => true,
            Self::New(session) => {
                let told = if has_error { NOTHING_TOLD } else { told };
                session.lock().tell(key, told, true, false);
                true
            }
            Self::Incremental(session) => {
                let told = if has_error { NOTHING_TOLD } else { told };
                session.lock().tell(key, told, has_error || has_records, has_records)
            }
        }
    }
}
