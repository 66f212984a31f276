//! Records by timestamp, and rolling by age.

use super::*;

#[test]
fn the_first_record_at_or_after_a_moment_is_found_among_unordered_ones() {
    let bench = Bench::new();
    let log = bench.open();
    let times: Vec<i64> = (0..300).map(|n| (n * 7_919) % 1_000 + 1).collect();
    for (n, at) in (0u32..).zip(&times) {
        log.append(&stamped(n, 1, *at, None), EPOCH, 0).unwrap();
    }
    let upper = log.log_end_offset();
    for reopened in [false, true] {
        let log = if reopened { &bench.open() } else { &log };
        for at in [0, 1, 500, 990, 999, 1_000, 1_001] {
            let expected = (0i64..).zip(&times).find(|(_, time)| **time >= at).map(|(n, time)| (Offset::new(n), *time));
            let found = log.offset_for_timestamp(at, upper).unwrap().map(|(offset, time, _)| (offset, time));
            assert_eq!(found, expected, "at {at}, reopened: {reopened}");
        }
        let latest = times.iter().max().unwrap();
        let first = times.iter().position(|time| time == latest).unwrap();
        let (offset, time, epoch) = log.max_timestamp(upper).unwrap().unwrap();
        assert_eq!((offset, time, epoch), (Offset::new(i64::try_from(first).unwrap()), *latest, EPOCH));
        let half = Offset::new(100);
        let latest = times[..100].iter().max().unwrap();
        assert_eq!(log.max_timestamp(half).unwrap().unwrap().1, *latest);
    }
}

#[test]
fn an_idle_segment_rolls_by_its_age_and_an_empty_one_never() {
    let mut bench = Bench::new();
    bench.options.segment_ms = 1_000;
    let log = bench.open();
    assert!(!log.roll_if_due(i64::MAX, Some(0)).unwrap(), "empty");
    log.append(&batch(0, 1), EPOCH, 5_000).unwrap();
    assert!(!log.roll_if_due(5_999, None).unwrap());
    assert!(log.roll_if_due(5_100, Some(100)).unwrap(), "by its lag");
    log.append(&batch(1, 1), EPOCH, 6_000).unwrap();
    log.close().unwrap();
    drop(log);
    let log = bench.open();
    assert!(!log.roll_if_due(6_999, None).unwrap(), "its age outlives a restart");
    assert!(log.roll_if_due(7_000, None).unwrap());
}

#[test]
fn what_was_appended_before_a_crash_has_an_age() {
    let mut bench = Bench::new();
    bench.options.segment_ms = 1_000;
    let log = bench.open();
    // Written down while the segment was empty, as every new partition's is.
    log.checkpoint().unwrap();
    log.append(&batch(0, 1), EPOCH, 5).unwrap();
    drop(log);
    let log = bench.open();
    assert!(!log.roll_if_due(1_999, None).unwrap());
    assert!(log.roll_if_due(2_000, None).unwrap(), "it counts from the start, at the latest");
}

#[test]
fn a_backfill_of_old_timestamps_does_not_roll_at_every_batch() {
    let mut bench = Bench::new();
    bench.options.segment_ms = 1_000;
    let log = bench.open();
    for n in 0..20 {
        let at = if n % 2 == 0 { 1 } else { 1_000_000 };
        log.append(&stamped(n, 1, at, None), EPOCH, 1_000_000).unwrap();
    }
    assert_eq!(log.segments().len(), 1);
}

#[test]
fn a_segment_rolls_before_it_grows_too_large_and_when_an_index_is_full() {
    let mut bench = Bench::new();
    bench.options.segment_bytes = 1_000;
    let log = bench.open();
    for n in 0..50 {
        log.append(&batch(n, 2), EPOCH, 0).unwrap();
    }
    let sealed: Vec<_> = log.segments().into_iter().filter(|segment| segment.sealed).collect();
    let one = batch(0, 2).bytes().len() as u64;
    assert!(sealed.len() > 2 && sealed.iter().all(|segment| segment.size_bytes <= 1_000));
    assert!(sealed.iter().all(|segment| segment.size_bytes + 2 * one > 1_000), "no earlier than it must");
    // One that is larger than a segment stands alone in its own.
    log.append(&batch(50, 200), EPOCH, 0).unwrap();
    log.append(&batch(51, 1), EPOCH, 0).unwrap();
    assert!(log.segments().iter().any(|segment| segment.size_bytes > 1_000 && segment.end - segment.base == 200));

    let mut bench = Bench::new();
    bench.options.segment_bytes = 1_000_000;
    bench.options.index_interval_bytes = 0;
    bench.options.index_bytes = 10 * 8;
    let log = bench.open();
    for n in 0..100 {
        log.append(&batch(n, 1), EPOCH, 0).unwrap();
    }
    assert!(log.segments().len() > 8, "{}", log.segments().len());
    for path in files(&bench.dir(), ".index") {
        assert!(std::fs::metadata(path).unwrap().len() <= 10 * 8);
    }
}

#[test]
fn partitions_of_a_topic_roll_apart_by_their_jitter() {
    let mut bench = Bench::new();
    bench.options.segment_ms = 1_000;
    bench.options.segment_jitter_ms = 500;
    let log = bench.open();
    let mut ages = std::collections::BTreeSet::new();
    for n in 0..20 {
        log.append(&batch(n, 1), EPOCH, 0).unwrap();
        let age = (500..=1_000).find(|age| log.roll_if_due(*age, None).unwrap()).unwrap();
        ages.insert(age);
        assert!(!log.roll_if_due(i64::MAX, None).unwrap(), "what is empty does not roll");
    }
    assert!(ages.len() > 5, "{ages:?}");
}
