//! Reading from the bucket at an offset: which object, which of its row groups, and on into the next where the offset lies
//! in a gap at an object's end.
//!
//! One plan serves both ways of reading: at once, with what is cached, or waiting for what is not.
//!
//! # Consistency
//! Each step looks at the newest view. An object that is missing makes the rows be loaded again, and is reported only when
//! they still name it, by a bucket that is still the one that this start is noted in: what answers in its place has nothing.
//!
//! # Retries
//! One, after the rows were loaded again. Whoever is told that an object is damaged asks again, and is told again.
//!
//! # Cancellation
//! Whoever stops waiting stops nothing: the fetches are tasks of their own.
//!
//! # Crash safety
//! Nothing is written.

use std::sync::Arc;

use bytes::Bytes;
use ulid::Ulid;

use super::damages::Reads;
use super::errors::RemoteReadError;
use super::group::{BatchForm, Group};
use super::metrics;
use super::parquet::Footer;
use super::reader::GroupKey;
use super::remote_segment::RemoteSegment;
use super::router::{Place, locate};
use super::tiered_log::TieredLog;
use crate::model::Offset;
use crate::model::limits::REBUILT_BATCH_BYTES_MAX;

/// Row groups that one answer is made of at most; the first was asked for, the others were cached anyway.
const GROUPS_MAX: usize = 8;
/// Objects without rows that are stepped over before a reader is told of the gap.
const EMPTY_SEGMENTS_MAX: usize = 16;

/// Records of the bucket, from the offset that was asked for.
#[derive(Clone, Debug, Default)]
pub struct RemoteRecords {
    groups: Vec<Arc<Group>>,
    /// Where there is nothing but a gap: a batch that leads over it, or over a part of it, and the offset behind.
    gap: Option<(Bytes, Offset)>,
}

/// What is in hand for a plan, cached or not. Whatever the cache does, nothing that was looked at is asked for again: so a
/// read comes to an end, at no more than one GET for each object and row group on its way.
#[derive(Debug, Default)]
struct Held {
    /// Of the objects on the way.
    footers: Vec<(Ulid, Arc<Footer>)>,
    /// The last that came.
    group: Option<(GroupKey, Arc<Group>)>,
    /// Row groups without a record at or behind the offset.
    passed: Vec<GroupKey>,
}

impl Held {
    fn footer(&self, segment: Ulid) -> Option<&Arc<Footer>> {
        self.footers.iter().find(|(known, _)| *known == segment).map(|(_, footer)| footer)
    }

    fn take_footer(&mut self, segment: Ulid, footer: Arc<Footer>) {
        if self.footer(segment).is_none() {
            self.footers.push((segment, footer));
        }
    }

    fn take_group(&mut self, key: GroupKey, group: Arc<Group>, at: Offset) {
        if holds_from(&group, at) {
            self.group = Some((key, group));
        } else {
            self.passed.push(key);
        }
    }
}

/// Whether a row group has a record at or behind `at`.
fn holds_from(group: &Group, at: Offset) -> bool {
    group.last_offset().is_some_and(|last| last >= at)
}

/// What a read needs next.
#[derive(Debug)]
enum Plan {
    /// Nothing more.
    Done(RemoteRecords),
    /// The rows from this offset on.
    Rows(Offset),
    /// The footer of this object.
    Footer(Arc<RemoteSegment>),
    /// A row group of it, for this offset.
    Group(Arc<RemoteSegment>, Arc<Footer>, GroupKey, Offset),
}

impl TieredLog {
    /// The records from `from` on, where they are cached.
    pub fn read_cached(&self, from: Offset) -> Option<RemoteRecords> {
        match self.plan(from, &Held::default()) {
            Plan::Done(records) => Some(records),
            _ => None,
        }
    }

    /// The records from `from` on. The fetch begins at once, and goes on when nobody waits for it any more.
    pub fn read_remote(
        self: &Arc<Self>,
        from: Offset,
    ) -> impl Future<Output = Result<RemoteRecords, RemoteReadError>> + Send + use<> {
        metrics::fetch_began();
        let log = Arc::clone(self);
        self.reads.join(&self.tiers.threads, &from, || async move { log.fetch(from).await }).landed()
    }

    async fn fetch(&self, from: Offset) -> Result<RemoteRecords, RemoteReadError> {
        let mut held = Held::default();
        let mut reloaded = false;
        let mut loads = 0;
        loop {
            let step = self.plan(from, &held);
            let failed = match self.take_step(step, &mut held, &mut loads).await {
                Ok(Some(records)) => return Ok(records),
                Ok(None) => continue,
                Err((segment, error)) => (segment, error),
            };
            match failed {
                // The object may have been replaced, or have expired, since its row was loaded.
                (Some(segment), error) if error.is_not_found() && !reloaded => {
                    reloaded = true;
                    held = Held::default();
                    self.tiers.reader.forget(segment.id);
                    self.forget(segment.base);
                }
                (segment, error) => {
                    metrics::fetch_failed();
                    let error = self.tiers.if_ours(error).await;
                    return Err(self.failed(segment.as_deref(), from, Reads::Records, error));
                }
            }
        }
    }

    /// What a read at `from` is told that failed: by this object, where it is one's.
    pub(super) fn failed(
        &self,
        of: Option<&RemoteSegment>,
        from: Offset,
        by: Reads,
        error: RemoteReadError,
    ) -> RemoteReadError {
        let (error, at) = match of {
            Some(segment) => (error.of_object(&segment.key), segment.end),
            None => (error, from),
        };
        self.tiers.read_failures.note(self.tiers.clock().monotonic(), &error);
        // The log may have moved on while it was read: nobody comes for it again.
        if at < self.view().log_start { error } else { self.tiers.damages.note(self.tp(), at, by, error) }
    }

    async fn take_step(
        &self,
        step: Plan,
        held: &mut Held,
        loads: &mut u32,
    ) -> Result<Option<RemoteRecords>, (Option<Arc<RemoteSegment>>, RemoteReadError)> {
        let (reader, threads) = (&self.tiers.reader, &self.tiers.threads);
        match step {
            Plan::Done(records) => return Ok(Some(records)),
            Plan::Rows(offset) => {
                *loads += 1;
                if *loads > 3 {
                    return Err((None, RemoteReadError::NoObject { tp: self.tp(), offset }));
                }
                self.load(offset).await.map_err(|error| (None, error.into()))?;
            }
            Plan::Footer(segment) => match reader.footer(threads, &segment).await {
                Ok(footer) => held.take_footer(segment.id, footer),
                Err(error) => return Err((Some(segment), error)),
            },
            Plan::Group(segment, footer, key, at) => match reader.group(threads, &segment, &footer, key).await {
                Ok(group) => {
                    self.tiers.damages.note_read(segment.key.as_str(), Reads::Records);
                    held.take_group(key, group, at);
                    held.take_footer(segment.id, footer);
                }
                Err(error) => return Err((Some(segment), error)),
            },
        }
        Ok(None)
    }

    /// What a read at `from` needs next, with what is cached or in hand.
    fn plan(&self, from: Offset, held: &Held) -> Plan {
        let view = self.view();
        let log_end = self.log.log_end_offset();
        let mut at = from;
        let mut gap: Option<(Bytes, Offset)> = None;
        for _ in 0..=EMPTY_SEGMENTS_MAX {
            let segment = match locate(&view, log_end, at) {
                Place::RemoteUnloaded => return Plan::Rows(at),
                Place::Remote(segment) => segment,
                // Behind the last object, or the log has moved on: what is local is read there.
                Place::Local | Place::OutOfRange => break,
            };
            let footer = held.footer(segment.id).cloned().or_else(|| self.tiers.reader.cached_footer(segment.id));
            let Some(footer) = footer else { return Plan::Footer(Arc::clone(segment)) };
            let first = footer.row_group_at(at).unwrap_or(footer.row_groups().len());
            for number in first..footer.row_groups().len() {
                let key = self.group_key(segment, number);
                if held.passed.contains(&key) {
                    continue;
                }
                let group = match held.group.as_ref().filter(|(known, _)| *known == key) {
                    Some((_, group)) => Some(Arc::clone(group)),
                    None => self.tiers.reader.cached_group(key),
                };
                let Some(group) = group else { return Plan::Group(Arc::clone(segment), footer, key, at) };
                if holds_from(&group, at) {
                    return Plan::Done(self.with_what_follows(group, &footer, key));
                }
            }
            if gap.is_none() {
                gap = footer.gap(from, segment.end).ok();
            }
            at = segment.end.next();
        }
        Plan::Done(RemoteRecords { groups: Vec::new(), gap })
    }

    /// Adds the row groups that follow, as far as they are cached.
    fn with_what_follows(&self, first: Arc<Group>, footer: &Footer, key: GroupKey) -> RemoteRecords {
        let mut groups = vec![first];
        for number in (key.number + 1..footer.row_groups().len()).take(GROUPS_MAX - 1) {
            let Some(group) = self.tiers.reader.cached_group(GroupKey { number, ..key }) else { break };
            groups.push(group);
        }
        RemoteRecords { groups, gap: None }
    }

    /// Up to `max_bytes` of `records`, from the batch that holds `from` or the first behind it: whole batches, and one
    /// with `at_least_one` even where it is larger. Nothing, too, where clients are so slow that too much is on its way to
    /// them.
    pub fn take(
        self: &Arc<Self>,
        records: &RemoteRecords,
        from: Offset,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Vec<Bytes> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        let mut next = from;
        let batches = records.groups.iter().flat_map(|group| group.batches_from(from));
        let all = batches.map(|batch| (&batch.bytes, batch.last_offset.next()));
        for (batch, behind) in all.chain(records.gap.iter().map(|(gap, behind)| (gap, *behind))) {
            let fits = bytes + batch.len() <= max_bytes || (at_least_one && taken.is_empty());
            let Some(charged) = fits.then(|| self.tiers.reader.charged(batch)).flatten() else { break };
            bytes += charged.len();
            next = behind;
            taken.push(charged);
        }
        if !taken.is_empty() {
            records.groups.iter().for_each(|group| group.note_given());
            metrics::fetched(bytes as u64);
            let groups = self.tiers.reader.ahead_of(self.tp(), from, next);
            if groups > 0 {
                self.read_ahead(next, groups);
            }
        }
        taken
    }

    /// Begins to fetch row groups from `next` on before anybody asks: side by side, for one after the other would wait for
    /// the bucket and for the decoder in turn. A failure is told to whoever asks; here nobody does.
    fn read_ahead(self: &Arc<Self>, next: Offset, groups: usize) {
        let log = Arc::clone(self);
        self.tiers.threads.spawn(async move {
            if let Err(error) = log.begin_from(next, groups).await {
                tracing::debug!(%error, "reading ahead failed");
            }
        });
    }

    /// Begins to fetch so many row groups from the one that holds `from` on, or the first behind it.
    async fn begin_from(&self, from: Offset, groups: usize) -> Result<(), RemoteReadError> {
        let (reader, threads) = (&self.tiers.reader, &self.tiers.threads);
        let (mut at, mut begun) = (from, 0);
        for _ in 0..=EMPTY_SEGMENTS_MAX {
            let view = self.view();
            let segment = match locate(&view, self.log.log_end_offset(), at) {
                Place::Remote(segment) => Arc::clone(segment),
                Place::RemoteUnloaded => {
                    self.load(at).await?;
                    continue;
                }
                Place::Local | Place::OutOfRange => break,
            };
            let footer = reader.footer(threads, &segment).await?;
            let first = footer.row_group_at(at).unwrap_or(footer.row_groups().len());
            for number in first..footer.row_groups().len() {
                reader.begin_group(threads, &segment, &footer, self.group_key(&segment, number));
                begun += 1;
                if begun >= groups {
                    return Ok(());
                }
            }
            at = segment.end.next();
        }
        Ok(())
    }

    fn group_key(&self, segment: &RemoteSegment, number: usize) -> GroupKey {
        GroupKey { segment: segment.id, number, base: segment.base, end: segment.end, form: self.batch_form() }
    }

    fn batch_form(&self) -> BatchForm {
        let config = self.config();
        let bytes_max = usize::try_from(config.message.max_bytes).unwrap_or(usize::MAX);
        BatchForm { codec: config.remote.fetch_compression, bytes_max: bytes_max.min(REBUILT_BATCH_BYTES_MAX) }
    }
}
