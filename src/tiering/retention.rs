//! Total retention over both tiers: a pure choice, fed with one stretch of the log after the other, oldest first.
//!
//! Bytes are bytes of log (`log_size_bytes` of an object, the size of a local segment), as Kafka's `retention.bytes` means
//! them. A stretch that both tiers have is offered once: below what is tiered the objects count, above it the local
//! segments, so no byte counts twice.
//!
//! Invariant: the log start that comes out never passes a stretch that has to stay, and stretches go whole.

use crate::model::Offset;
use crate::model::topic_config::RetentionConfig;

/// A part of the log that goes as a whole: an object, or the part of a local segment that is not tiered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The offset behind its last.
    pub end: Offset,
    /// Its bytes of log.
    pub bytes: u64,
    /// Its greatest timestamp.
    pub max_timestamp_ms: i64,
    /// Whether appends go elsewhere by now; the part that grows goes only by age.
    pub sealed: bool,
}

/// Judges stretches until one has to stay.
#[derive(Debug)]
pub struct Expiry<'c> {
    config: &'c RetentionConfig,
    now_ms: i64,
    left_bytes: u64,
    start: Option<Offset>,
    over: bool,
}

impl<'c> Expiry<'c> {
    /// For a partition that has so many bytes in both tiers together.
    pub fn new(config: &'c RetentionConfig, total_bytes: u64, now_ms: i64) -> Self {
        Self { config, now_ms, left_bytes: total_bytes, start: None, over: false }
    }

    /// Judges the next stretch. Says whether it goes; once one stays, all that follow do.
    pub fn offer(&mut self, stretch: &Stretch) -> bool {
        let left = self.left_bytes.saturating_sub(stretch.bytes);
        let too_old =
            self.config.total_ms.is_some_and(|keep_ms| self.now_ms.saturating_sub(stretch.max_timestamp_ms) > keep_ms);
        let too_much = stretch.sealed && self.config.total_bytes.is_some_and(|keep_bytes| left >= keep_bytes);
        if self.over || !(too_old || too_much) {
            self.over = true;
            return false;
        }
        self.left_bytes = left;
        self.start = Some(stretch.end);
        true
    }

    /// Where the log starts from now on; `None` where nothing goes.
    pub fn log_start(&self) -> Option<Offset> {
        self.start
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::TopicConfig;

    fn config(total_ms: Option<i64>, total_bytes: Option<u64>) -> RetentionConfig {
        RetentionConfig { total_ms, total_bytes, ..TopicConfig::default().retention }
    }

    fn stretch(end: i64, bytes: u64, max_timestamp_ms: i64, sealed: bool) -> Stretch {
        Stretch { end: Offset::new(end), bytes, max_timestamp_ms, sealed }
    }

    fn start(config: &RetentionConfig, stretches: &[Stretch], now_ms: i64) -> Option<i64> {
        let mut expiry = Expiry::new(config, stretches.iter().map(|one| one.bytes).sum(), now_ms);
        stretches.iter().for_each(|one| {
            expiry.offer(one);
        });
        expiry.log_start().map(Offset::get)
    }

    #[test]
    fn age_and_size_end_whole_stretches_from_the_front() {
        let log = [stretch(10, 100, 1_000, true), stretch(20, 100, 2_000, true), stretch(30, 50, 3_000, false)];
        assert_eq!(start(&config(None, None), &log, i64::MAX), None);
        assert_eq!(start(&config(Some(500), None), &log, 1_500), None, "exactly as old is kept");
        assert_eq!(start(&config(Some(500), None), &log, 1_501), Some(10));
        assert_eq!(start(&config(Some(500), None), &log, 9_999), Some(30), "by age the active one goes too");
        assert_eq!(start(&config(None, Some(151)), &log, 0), None);
        assert_eq!(start(&config(None, Some(150)), &log, 0), Some(10));
        assert_eq!(start(&config(None, Some(0)), &log, 0), Some(20), "by size the active one stays");
    }

    #[test]
    fn a_stretch_that_stays_keeps_all_behind_it() {
        let log = [stretch(10, 100, 9_000, true), stretch(20, 100, 1_000, true)];
        assert_eq!(start(&config(Some(500), None), &log, 5_000), None, "the second is old, the first is not");
    }

    proptest! {
        #[test]
        fn what_is_kept_is_never_less_than_asked_for(
            sizes in proptest::collection::vec(1u64..1_000, 1..30),
            keep in 0u64..20_000,
        ) {
            let log: Vec<_> = (1..).zip(&sizes).map(|(end, bytes)| stretch(end, *bytes, 0, true)).collect();
            let total: u64 = sizes.iter().sum();
            let gone = start(&config(None, Some(keep)), &log, 0).map_or(0, |end| usize::try_from(end).unwrap());
            let left: u64 = sizes[gone..].iter().sum();
            prop_assert!(left >= keep.min(total));
            prop_assert!(gone == sizes.len() || left - sizes[gone] < keep);
        }
    }
}
