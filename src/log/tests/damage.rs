//! What a crash or a bad disk leaves: nothing before the damage is lost, nothing behind it is served.

use std::fs;

use super::*;

fn filled(bench: &Bench, batches: u32) -> Vec<(Offset, String)> {
    let log = bench.open();
    for n in 0..batches {
        log.append(&batch(n, 2), EPOCH, 0).unwrap();
    }
    values(&log, Offset::ZERO)
}

#[test]
fn a_torn_tail_is_cut_wherever_it_tore() {
    let bench = Bench::new();
    let rows = filled(&bench, 5);
    let path = files(&bench.dir(), ".log").pop().unwrap();
    let whole = fs::read(&path).unwrap();
    let last = batch(4, 2).bytes().len();
    for length in whole.len() - last..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (log, report) = bench.open_reporting();
        assert_eq!(values(&log, Offset::ZERO), rows[..8], "cut at {length}");
        assert_eq!(report.torn_bytes, (length + last - whole.len()) as u64);
        assert_eq!(log.append(&batch(9, 1), EPOCH, 0).unwrap().base_offset, Offset::new(8));
        drop(log);
        fs::remove_file(bench.dir().join("tidelog-checkpoint")).unwrap();
    }
}

#[test]
fn a_flipped_byte_above_the_recovery_point_ends_the_log_there() {
    let bench = Bench::new();
    let rows = filled(&bench, 5);
    let path = files(&bench.dir(), ".log").pop().unwrap();
    let whole = fs::read(&path).unwrap();
    let size = batch(0, 2).bytes().len();
    for at in (0..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        fs::write(&path, &damaged).unwrap();
        let _ = fs::remove_file(bench.dir().join("tidelog-checkpoint"));
        let log = bench.open();
        let good = values(&log, Offset::ZERO);
        // A leader epoch is not under the checksum: a flip there is not seen, and harms nobody.
        let whole_batches = at / size;
        assert!(good.len() >= whole_batches * 2, "byte {at}: {} records", good.len());
        assert_eq!(good, rows[..good.len()]);
    }
}

#[test]
fn every_index_and_every_small_file_can_be_lost() {
    let bench = Bench::new();
    let rows = filled(&bench, 100);
    bench.open().close().unwrap();
    for suffix in [".index", ".timeindex", ".snapshot", "tidelog-checkpoint", "leader-epoch-checkpoint"] {
        for path in files(&bench.dir(), suffix) {
            fs::remove_file(path).unwrap();
        }
        let log = bench.open();
        assert_eq!(values(&log, Offset::ZERO), rows, "without {suffix}");
        log.close().unwrap();
        assert!(!suffix.contains("index") || files(&bench.dir(), suffix).len() > 3, "{suffix} is back");
    }
    for suffix in [".index", ".timeindex", "tidelog-checkpoint", "leader-epoch-checkpoint"] {
        for path in files(&bench.dir(), suffix) {
            fs::write(path, [0xff; 24]).unwrap();
        }
        let log = bench.open();
        assert_eq!(values(&log, Offset::ZERO), rows, "with nonsense in {suffix}");
        log.close().unwrap();
    }
}

#[test]
fn what_is_set_aside_twice_at_the_same_place_is_there_twice() {
    let bench = Bench::new();
    drop(filled(&bench, 100));
    for now_ms in [5, 6] {
        fs::remove_file(bench.dir().join("tidelog-checkpoint")).unwrap();
        let first = files(&bench.dir(), ".log").remove(0);
        let bytes = fs::read(&first).unwrap();
        fs::write(&first, &bytes[..bytes.len() - 1]).unwrap();
        let (log, report) =
            PartitionLog::open(&bench.files, &bench.dir(), bench.options.clone(), None, now_ms).unwrap();
        assert!(report.segments_aside > 0);
        // The producer sends again what was not acknowledged: the roll falls on the same base.
        let next = u32::try_from(log.log_end_offset().get() / 2).unwrap();
        for name in next..100 {
            log.append(&batch(name, 2), EPOCH, 0).unwrap();
        }
    }
    let aside = |now_ms: i64| files(&bench.dir(), &format!(".log.aside-{now_ms}")).len();
    assert!(aside(5) > 1 && aside(5) == aside(6), "{} and {}", aside(5), aside(6));
}

#[test]
fn segments_behind_a_torn_one_are_set_aside_and_not_removed() {
    let bench = Bench::new();
    let rows = filled(&bench, 100);
    let _ = fs::remove_file(bench.dir().join("tidelog-checkpoint"));
    let logs = files(&bench.dir(), ".log");
    assert!(logs.len() > 3);
    let bytes = fs::read(&logs[1]).unwrap();
    fs::write(&logs[1], &bytes[..bytes.len() - 1]).unwrap();
    let (log, report) = bench.open_reporting();
    assert_eq!(report.segments_aside, logs.len() - 2);
    let good = values(&log, Offset::ZERO);
    assert_eq!(good, rows[..good.len()]);
    assert_eq!(files(&bench.dir(), ".log.aside-1000").len(), logs.len() - 2);
    let next = log.append(&batch(0, 1), EPOCH, 0).unwrap().base_offset;
    assert_eq!(next, good.last().unwrap().0.next());
}

#[test]
fn a_clean_stop_leaves_nothing_to_scan_and_a_crash_only_what_was_not_checkpointed() {
    let bench = Bench::new();
    filled(&bench, 50);
    let log = bench.open();
    log.close().unwrap();
    drop(log);
    let (log, report) = bench.open_reporting();
    assert_eq!(report, RecoveryReport::default());
    let one = log.append(&batch(0, 2), EPOCH, 0).map(|_| batch(0, 2).bytes().len() as u64).unwrap();
    drop(log);
    let (_, report) = bench.open_reporting();
    assert!(report.scanned_bytes >= one && report.scanned_bytes <= 2 * one, "{report:?}");
}
