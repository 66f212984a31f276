//! What retention ends, of the local log and over both tiers: pure choices over what is there.
//!
//! Bytes are bytes of log (the size of a local segment, `log_size_bytes` of an object), as Kafka's `retention.bytes` means
//! them. A stretch that both tiers have is offered once: below what is tiered the objects count, above it the local
//! segments, so no byte counts twice.
//!
//! Invariant: nothing that is not tiered goes before its total retention has ended, and nothing at all goes while it is
//! not known how much is tiered.

use crate::model::Offset;
use crate::model::topic_config::RetentionConfig;

/// One segment, as retention and tiering see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its first offset.
    pub base: Offset,
    /// The offset behind its last.
    pub end: Offset,
    /// Bytes of its batches.
    pub size_bytes: u64,
    /// The greatest timestamp; where no record has one, when it was last appended to. Milliseconds.
    pub max_timestamp_ms: i64,
    /// When its first batch was appended, if that is known. Milliseconds, by the broker's clock.
    pub first_append_ms: Option<i64>,
    /// Whether appends go elsewhere by now.
    pub sealed: bool,
}

/// How much of a partition is in the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TieredTo {
    /// The topic is not tiered.
    NotTiered,
    /// It is, but how much is not known now.
    Unknown,
    /// Everything below this offset, as far as it has not expired.
    Known(Offset),
}

/// The offset below which local segments may go, their records being in the bucket still. Never beyond what is tiered.
pub fn local_start(
    segments: &[SegmentInfo],
    config: &RetentionConfig,
    tiered: TieredTo,
    now_ms: i64,
) -> Option<Offset> {
    let TieredTo::Known(tiered_to) = tiered else { return None };
    let mut local_bytes: u64 = segments.iter().map(|segment| segment.size_bytes).sum();
    let mut start = None;
    for segment in segments.iter().take_while(|segment| segment.sealed && segment.end <= tiered_to) {
        let too_old = config.local_ms.is_some_and(|keep_ms| is_older(segment, keep_ms, now_ms));
        let too_much =
            config.local_bytes.is_some_and(|keep_bytes| local_bytes.saturating_sub(segment.size_bytes) >= keep_bytes);
        if !too_old && !too_much {
            break;
        }
        local_bytes = local_bytes.saturating_sub(segment.size_bytes);
        start = Some(segment.end);
    }
    start
}

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

/// The offset that the log starts at once total retention has been applied to local segments, for a topic that has
/// nothing in the bucket. The active segment may go too, by time: its end is then the log end.
pub fn log_start(segments: &[SegmentInfo], config: &RetentionConfig, now_ms: i64) -> Option<Offset> {
    let total_bytes = segments.iter().map(|segment| segment.size_bytes).sum();
    let mut expiry = Expiry::new(config, total_bytes, now_ms);
    let stretch = |segment: &SegmentInfo| Stretch {
        end: segment.end,
        bytes: segment.size_bytes,
        max_timestamp_ms: segment.max_timestamp_ms,
        sealed: segment.sealed,
    };
    segments.iter().filter(|segment| segment.size_bytes > 0).all(|segment| expiry.offer(&stretch(segment)));
    expiry.log_start()
}

fn is_older(segment: &SegmentInfo, keep_ms: i64, now_ms: i64) -> bool {
    now_ms.saturating_sub(segment.max_timestamp_ms) > keep_ms
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::TopicConfig;

    fn segment(base: i64, end: i64, max_timestamp_ms: i64, sealed: bool) -> SegmentInfo {
        SegmentInfo {
            base: Offset::new(base),
            end: Offset::new(end),
            size_bytes: 100,
            max_timestamp_ms,
            first_append_ms: None,
            sealed,
        }
    }

    fn three() -> Vec<SegmentInfo> {
        vec![segment(0, 10, 1_000, true), segment(10, 20, 2_000, true), segment(20, 30, 3_000, false)]
    }

    fn config(total_ms: Option<i64>, total_bytes: Option<u64>) -> RetentionConfig {
        let local = (total_ms, total_bytes);
        RetentionConfig {
            total_ms,
            total_bytes,
            local_ms: local.0,
            local_bytes: local.1,
            ..TopicConfig::default().retention
        }
    }

    #[test]
    fn old_segments_go_the_active_one_too() {
        let start = |total_ms, now_ms| log_start(&three(), &config(total_ms, None), now_ms).map(Offset::get);
        assert_eq!(start(None, i64::MAX), None);
        assert_eq!(start(Some(500), 1_500), None, "exactly as old is kept");
        assert_eq!(start(Some(500), 1_501), Some(10));
        assert_eq!(start(Some(500), 9_000), Some(30));
    }

    #[test]
    fn whole_segments_go_and_never_below_the_limit() {
        let start = |bytes| log_start(&three(), &config(None, Some(bytes)), 0).map(Offset::get);
        assert_eq!(start(300), None);
        assert_eq!(start(201), None);
        assert_eq!(start(200), Some(10));
        assert_eq!(start(0), Some(20), "the active one stays");
    }

    #[test]
    fn only_what_is_tiered_leaves_the_disk() {
        let start = |tiered| local_start(&three(), &config(Some(0), None), tiered, i64::MAX).map(Offset::get);
        assert_eq!(start(TieredTo::Unknown), None);
        assert_eq!(start(TieredTo::NotTiered), None);
        assert_eq!(start(TieredTo::Known(Offset::new(5))), None);
        assert_eq!(start(TieredTo::Known(Offset::new(15))), Some(10));
        assert_eq!(start(TieredTo::Known(Offset::new(99))), Some(20));
    }

    fn stretch(end: i64, bytes: u64, max_timestamp_ms: i64, sealed: bool) -> Stretch {
        Stretch { end: Offset::new(end), bytes, max_timestamp_ms, sealed }
    }

    fn expired_to(config: &RetentionConfig, stretches: &[Stretch], now_ms: i64) -> Option<i64> {
        let mut expiry = Expiry::new(config, stretches.iter().map(|one| one.bytes).sum(), now_ms);
        stretches.iter().for_each(|one| {
            expiry.offer(one);
        });
        expiry.log_start().map(Offset::get)
    }

    #[test]
    fn age_and_size_end_whole_stretches_from_the_front() {
        let log = [stretch(10, 100, 1_000, true), stretch(20, 100, 2_000, true), stretch(30, 50, 3_000, false)];
        assert_eq!(expired_to(&config(None, None), &log, i64::MAX), None);
        assert_eq!(expired_to(&config(Some(500), None), &log, 1_500), None, "exactly as old is kept");
        assert_eq!(expired_to(&config(Some(500), None), &log, 1_501), Some(10));
        assert_eq!(expired_to(&config(Some(500), None), &log, 9_999), Some(30), "by age the active one goes too");
        assert_eq!(expired_to(&config(None, Some(151)), &log, 0), None);
        assert_eq!(expired_to(&config(None, Some(150)), &log, 0), Some(10));
        assert_eq!(expired_to(&config(None, Some(0)), &log, 0), Some(20), "by size the active one stays");
    }

    #[test]
    fn a_stretch_that_stays_keeps_all_behind_it() {
        let log = [stretch(10, 100, 9_000, true), stretch(20, 100, 1_000, true)];
        assert_eq!(expired_to(&config(Some(500), None), &log, 5_000), None, "the second is old, the first is not");
    }

    proptest! {
        #[test]
        fn what_is_kept_is_never_less_than_asked_for(
            sizes in proptest::collection::vec(1u64..1_000, 1..30),
            keep in 0u64..20_000,
        ) {
            let log: Vec<_> = (1..).zip(&sizes).map(|(end, bytes)| stretch(end, *bytes, 0, true)).collect();
            let total: u64 = sizes.iter().sum();
            let gone = expired_to(&config(None, Some(keep)), &log, 0).map_or(0, |end| usize::try_from(end).unwrap());
            let left: u64 = sizes[gone..].iter().sum();
            prop_assert!(left >= keep.min(total));
            prop_assert!(gone == sizes.len() || left - sizes[gone] < keep);
        }
    }
}
