//! Who reads on where it left off: for those, what comes next is fetched before they ask.
//!
//! A reader is known by where its next read will begin. Each time that it does begin there, more is fetched ahead, up to a
//! bound that all readers share: what is read ahead must not push out of the cache what others are about to read. Readers
//! that have not been heard of for a while have ended, or wait for new records: they share in nothing.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;

use crate::model::limits::ROW_GROUP_DECODED_BYTES;
use crate::model::{Offset, TopicPartition};

/// Readers that are remembered.
const READERS_MAX: usize = 1_024;
/// Row groups that one reader is ahead at most.
const DEPTH_MAX: usize = 4;
/// The share of the cache that may be read ahead.
const CACHE_SHARE: u64 = 2;
/// A reader that reads on comes back sooner.
const AT_WORK_FOR: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
struct Reader {
    tp: TopicPartition,
    next: Offset,
    /// Reads in a row that began where the one before ended.
    run: usize,
    /// Its last read, by the monotonic clock.
    seen_at: Duration,
}

/// The readers, the latest last.
#[derive(Debug)]
pub(super) struct ReadAhead {
    readers: Mutex<VecDeque<Reader>>,
    groups_max: usize,
}

impl ReadAhead {
    pub(super) fn new(cache_bytes: u64) -> Self {
        let groups = cache_bytes / CACHE_SHARE / ROW_GROUP_DECODED_BYTES as u64;
        Self { readers: Mutex::default(), groups_max: usize::try_from(groups).unwrap_or(usize::MAX) }
    }

    /// A read began at `from`, now by the monotonic clock, and the next will begin at `next`. How many row groups to fetch
    /// ahead of it.
    pub(super) fn note(&self, tp: TopicPartition, from: Offset, next: Offset, now: Duration) -> usize {
        let mut readers = self.readers.lock();
        let known = readers.iter().position(|reader| reader.tp == tp && reader.next == from);
        let run = known.and_then(|place| readers.remove(place)).map_or(0, |reader| reader.run + 1);
        if readers.len() >= READERS_MAX {
            readers.pop_front();
        }
        readers.push_back(Reader { tp, next, run, seen_at: now });
        if run == 0 {
            return 0;
        }
        let is_at_work = |reader: &&Reader| reader.run > 0 && now.saturating_sub(reader.seen_at) < AT_WORK_FOR;
        let sequential = readers.iter().filter(is_at_work).count().max(1);
        run.min(DEPTH_MAX).min(self.groups_max / sequential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiering::samples::partition;

    fn note(ahead: &ReadAhead, topic: u128, from: i64, next: i64) -> usize {
        note_at(ahead, topic, from..next, Duration::ZERO)
    }

    fn note_at(ahead: &ReadAhead, topic: u128, read: std::ops::Range<i64>, now: Duration) -> usize {
        ahead.note(partition(topic), Offset::new(read.start), Offset::new(read.end), now)
    }

    #[test]
    fn only_who_reads_on_is_read_ahead_for_and_farther_each_time() {
        let ahead = ReadAhead::new(1 << 30);
        assert_eq!(note(&ahead, 1, 0, 10), 0);
        assert_eq!(note(&ahead, 2, 10, 20), 0, "another partition");
        assert_eq!((note(&ahead, 1, 10, 20), note(&ahead, 1, 20, 30)), (1, 2));
        assert_eq!(note(&ahead, 1, 500, 510), 0, "a jump");
        assert_eq!(note(&ahead, 1, 30, 40), 3, "the other reader goes on");
        for from in (40..100).step_by(10) {
            assert!(note(&ahead, 1, from, from + 10) <= DEPTH_MAX);
        }
    }

    #[test]
    fn many_readers_share_what_the_cache_has_room_for() {
        let ahead = ReadAhead::new(16 * ROW_GROUP_DECODED_BYTES as u64);
        for topic in 0..32 {
            note(&ahead, topic, 0, 10);
        }
        let groups: usize = (0..32).map(|topic| note(&ahead, topic, 10, 20)).sum();
        assert!(groups <= 32);
        assert_eq!(note(&ahead, 0, 20, 30), 0, "32 readers at work and 8 row groups");
    }

    #[test]
    fn readers_that_have_ended_share_in_nothing() {
        let ahead = ReadAhead::new(16 * ROW_GROUP_DECODED_BYTES as u64);
        for topic in 0..32 {
            note(&ahead, topic, 0, 10);
            note(&ahead, topic, 10, 20);
        }
        assert_eq!(note_at(&ahead, 0, 20..30, AT_WORK_FOR - Duration::from_nanos(1)), 0, "31 others may come back");
        assert_eq!(note_at(&ahead, 0, 30..40, AT_WORK_FOR), 3, "it is alone");
    }

    #[test]
    fn readers_that_come_once_do_not_pile_up() {
        let ahead = ReadAhead::new(1 << 30);
        for from in 0..10_000 {
            note(&ahead, 1, from * 100, from * 100 + 1);
        }
        assert_eq!(ahead.readers.lock().len(), READERS_MAX);
    }
}
