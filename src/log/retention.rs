//! Which local segments may go: a pure choice over what is there.
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

/// The offset that the log starts at once total retention has been applied to local segments, for a topic that has
/// nothing in the bucket. The active segment may go too, by time: its end is then the log end.
pub fn log_start(segments: &[SegmentInfo], config: &RetentionConfig, now_ms: i64) -> Option<Offset> {
    let mut total_bytes: u64 = segments.iter().map(|segment| segment.size_bytes).sum();
    let mut start = None;
    for segment in segments.iter().filter(|segment| segment.size_bytes > 0) {
        let too_old = config.total_ms.is_some_and(|keep_ms| is_older(segment, keep_ms, now_ms));
        let too_much = segment.sealed
            && config
                .total_bytes
                .is_some_and(|keep_bytes| total_bytes.saturating_sub(segment.size_bytes) >= keep_bytes);
        if !too_old && !too_much {
            break;
        }
        total_bytes = total_bytes.saturating_sub(segment.size_bytes);
        start = Some(segment.end);
    }
    start
}

fn is_older(segment: &SegmentInfo, keep_ms: i64, now_ms: i64) -> bool {
    now_ms.saturating_sub(segment.max_timestamp_ms) > keep_ms
}

#[cfg(test)]
mod tests {
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
}
