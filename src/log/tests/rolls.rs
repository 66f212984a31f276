//! Rolls and removals that are cut off or fail half-way, in a process that goes on: nothing that was appended later is lost.

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;

use super::faults::Home;
use super::*;
use crate::disk::Open;
use crate::disk::recorded::Change;

fn by_producer(n: u32) -> ValidBatch {
    stamped(n, 1, 1_000, Some((ProducerId(7), 0, i32::try_from(n).unwrap())))
}

fn append(log: &PartitionLog, batches: std::ops::Range<u32>) {
    for n in batches {
        log.append(&by_producer(n), EPOCH, 0).unwrap();
    }
}

/// Kills the process that has `log`; the next one finds all of it.
fn found_again(home: &Home, log: PartitionLog) -> PartitionLog {
    let (start, end) = (log.local_start_offset(), log.log_end_offset());
    let rows = values(&log, start);
    drop(log);
    let (log, report) = home.open_reporting();
    assert_eq!(report.segments_aside, 0);
    assert_eq!(values(&log, start), rows);
    assert_eq!((log.local_start_offset(), log.log_end_offset()), (start, end));
    log
}

/// The files of a segment of that base.
fn files_of(home: &Home, base: Offset) -> Vec<String> {
    let names = home.disk.read_dir(&Home::dir()).unwrap().into_iter().map(|entry| entry.name);
    names.filter(|name| name.starts_with(&format!("{:020}", base.get())) && !name.ends_with(".snapshot")).collect()
}

#[test]
fn a_roll_without_room_is_as_if_it_had_not_been_tried() {
    for later_rolls in 0..3u32 {
        let home = Home::new();
        let log = home.open();
        append(&log, 0..5);
        let end = log.log_end_offset();
        home.disk.set_room(Some(0));
        assert!(log.roll().unwrap_err().is_disk_full());
        home.disk.set_room(None);
        assert_eq!(files_of(&home, end), [] as [&str; 0], "nothing of the new segment stays");
        let mut next = 5;
        for _ in 0..later_rolls {
            append(&log, next..next + 3);
            assert!(log.roll().unwrap());
            next += 3;
        }
        append(&log, next..next + 2);
        log.checkpoint().unwrap();
        append(&found_again(&home, log), next + 2..next + 3);
    }
}

#[test]
fn a_new_segment_that_cannot_be_made_whole_is_taken_away() {
    for refused in [".log", ".index", ".timeindex"] {
        let home = Home::new();
        let log = home.open();
        append(&log, 0..5);
        home.disk.watch(move |event| match event.change {
            Change::CreateFile if event.path.to_string_lossy().ends_with(refused) => Err(io::Error::other("worn out")),
            _ => Ok(()),
        });
        assert!(log.roll().is_err());
        home.disk.unwatch();
        assert_eq!(files_of(&home, log.log_end_offset()), [] as [&str; 0], "{refused}");
        append(&log, 5..7);
        found_again(&home, log);
    }
}

#[test]
fn an_empty_segment_that_a_killed_roll_left_hides_nothing() {
    for (rolls, checkpoint) in [(false, false), (false, true), (true, false), (true, true)] {
        let home = Home::new();
        let log = home.open();
        append(&log, 0..5);
        let stray = log.log_end_offset();
        for suffix in [".log", ".index", ".timeindex"] {
            let path = Home::dir().join(format!("{:020}{suffix}", stray.get()));
            home.disk.open(&path, Open::CreateNew).unwrap();
        }
        append(&log, 5..8);
        if rolls {
            assert!(log.roll().unwrap());
            append(&log, 8..10);
        }
        if checkpoint {
            log.checkpoint().unwrap();
        }
        let log = found_again(&home, log);
        assert_eq!(files_of(&home, stray), [] as [&str; 0]);
        log.roll().unwrap();
        found_again(&home, log);
    }
}

#[test]
fn a_roll_that_cannot_write_the_last_timestamp_fails() {
    let mut options = LogOptions::from(&TopicConfig::default());
    options.index_interval_bytes = 1_000_000;
    let home = Home::with(options, 8);
    let log = home.open();
    let late = 7_777;
    log.append(&stamped(0, 1, 1_000, None), EPOCH, 0).unwrap();
    log.append(&stamped(1, 1, late, None), EPOCH, 0).unwrap();
    home.disk.watch(|event| match event.change {
        Change::Write if event.path.to_string_lossy().ends_with(".timeindex") => Err(io::Error::other("worn out")),
        _ => Ok(()),
    });
    assert!(log.roll().is_err());
    home.disk.unwatch();
    assert!(log.roll().unwrap());
    log.append(&stamped(2, 1, 1_000, None), EPOCH, 0).unwrap();
    log.close().unwrap();
    drop(log);
    let log = home.open();
    assert_eq!(log.segments()[0].max_timestamp_ms, late);
    let found = log.max_timestamp(log.log_end_offset()).unwrap().map(|(offset, at_ms, _)| (offset, at_ms));
    assert_eq!(found, Some((Offset::new(1), late)));
}

#[test]
fn segments_go_on_a_full_disk_though_the_recovery_point_lags() {
    let home = Home::new();
    let log = home.filled(50);
    for name in 50..100 {
        log.append(&batch(name, 2), EPOCH, 0).unwrap();
    }
    let below = log.segments().last().unwrap().base;
    home.disk.set_room(Some(0));
    let removed = log.delete_segments_below(below, 0).unwrap();
    assert!(removed > 1, "those below the recovery point need nothing to be written");
    assert!(home.disk.free_bytes(Path::new("/")).unwrap() > 2_000);
    assert!(log.delete_segments_below(below, 0).unwrap() > 0, "and make room for the rest");
    assert_eq!(log.local_start_offset(), below);
    home.disk.set_room(None);
    found_again(&home, log);
}

#[test]
fn appends_do_not_wait_while_epochs_are_forgotten() {
    let home = Home::new();
    let log = Arc::new(home.open());
    for epoch in 10..15 {
        for name in 0..20 {
            log.append(&batch(name, 2), LeaderEpoch::new(epoch), 0).unwrap();
        }
    }
    log.checkpoint().unwrap();
    let below = log.segments().last().unwrap().base;
    assert!(log.advance_log_start(below).unwrap());
    let (begun, begins) = mpsc::channel();
    let (go, goes) = mpsc::channel::<()>();
    let goes = Mutex::new(goes);
    home.disk.watch(move |event| {
        if event.change == Change::Sync && event.path.ends_with("leader-epoch-checkpoint.tmp") {
            begun.send(()).unwrap();
            goes.lock().recv().unwrap();
        }
        Ok(())
    });
    let removing = Arc::clone(&log);
    let removing = std::thread::spawn(move || removing.delete_segments_below(below, 0));
    begins.recv().unwrap();
    let (done, ends) = mpsc::channel();
    let appending = Arc::clone(&log);
    let appending = std::thread::spawn(move || {
        appending.append(&batch(0, 1), LeaderEpoch::new(14), 0).unwrap();
        // Nobody listens any more where it came too late.
        let _ = done.send(());
    });
    let appended = ends.recv_timeout(Duration::from_secs(5));
    go.send(()).unwrap();
    appending.join().unwrap();
    assert!(removing.join().unwrap().unwrap() > 0);
    assert!(appended.is_ok(), "an append waited for a file to be synced");
    assert_eq!(log.epochs().entries().len(), 1);
}
