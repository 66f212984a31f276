//! The file of the leader epochs: when it is written, and what a start makes of one that cannot be right.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::faults::Home;
use super::*;
use crate::disk::recorded::Change;

fn entries(log: &PartitionLog) -> Vec<(i32, i64)> {
    log.epochs().entries().iter().map(|entry| (entry.epoch.get(), entry.start.get())).collect()
}

fn append(log: &PartitionLog, name: u32, epoch: i32) {
    log.append(&batch(name, 2), LeaderEpoch::new(epoch), 0).unwrap();
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn an_append_of_a_new_epoch_waits_for_no_file_and_a_sync_writes_it_first() {
    let home = Home::new();
    let log = home.filled(5);
    let position = home.disk.position();
    let syncs = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&syncs);
    home.disk.watch(move |event| {
        if matches!(event.change, Change::Sync | Change::SyncDir) {
            seen.lock().push(name_of(event.path));
        }
        Ok(())
    });
    log.begin_epoch(LeaderEpoch::new(4));
    log.sync().unwrap();
    assert_eq!(home.disk.position(), position, "an epoch without a batch is not written");
    append(&log, 5, 4);
    assert_eq!(*syncs.lock(), [] as [String; 0]);
    log.sync().unwrap();
    let said = std::mem::take(&mut *syncs.lock());
    assert_eq!(said, ["leader-epoch-checkpoint.tmp", "0", "00000000000000000000.log"]);
    append(&log, 6, 4);
    log.sync().unwrap();
    assert_eq!(*syncs.lock(), ["00000000000000000000.log"], "once");
}

#[test]
fn without_room_for_the_file_a_sync_fails_and_the_next_may_not() {
    let home = Home::new();
    let log = home.filled(5);
    let stable = log.stable_end();
    append(&log, 5, 4);
    home.disk.set_room(Some(0));
    for _ in 0..2 {
        assert!(log.sync().unwrap_err().is_disk_full());
        assert!(!log.is_broken());
        assert_eq!(log.stable_end(), stable, "nothing of an epoch that the file does not hold is stable");
    }
    home.disk.set_room(None);
    assert_eq!(log.sync().unwrap(), log.log_end_offset());
}

#[test]
fn batches_that_outlive_a_crash_say_their_epoch() {
    let home = Home::new();
    let log = home.filled(5);
    for (name, epoch) in [(5, 4), (6, 4), (7, 9)] {
        append(&log, name, epoch);
    }
    drop(log);
    let log = home.open();
    assert_eq!(entries(&log), [(1, 0), (4, 10), (9, 14)]);
    drop(log);
    home.disk.watch(|event| panic!("a second start writes nothing: {:?}", event.change));
    assert_eq!(entries(&home.open()), [(1, 0), (4, 10), (9, 14)]);
}

#[test]
fn a_file_that_cannot_be_right_is_made_anew_and_fences_nobody() {
    let bench = Bench::new();
    let log = bench.open();
    for name in 0..60 {
        append(&log, name, if name < 40 { 2 } else { 5 });
    }
    let second = log.segments()[1].base;
    log.sync().unwrap();
    log.delete_segments_below(second, 0).unwrap();
    log.close().unwrap();
    drop(log);
    let path = bench.dir().join("leader-epoch-checkpoint");
    let newest = Some(LeaderEpoch::new(6));
    let known = Known { leader_epoch: newest, log_start: Some(Offset::ZERO), ..Known::default() };
    let open = || PartitionLog::open_known(&bench.files, &bench.dir(), bench.options.clone(), known, 1_000).unwrap().0;
    for bad in [
        "0\n2\n2 0\n7 80\n",
        "0\n3\n2 0\n5 80\n2000000 120\n",
        "0\n2\n2 0\n5 121\n",
        "0\n2\n2 0\n5 4000000000\n",
        "0\n2\n5 80\n2 90\n",
        "0\n2\n2 0\n5 0\n",
        "",
    ] {
        std::fs::write(&path, bad).unwrap();
        let log = open();
        let keeps_front = bad.starts_with("0\n2\n2 0\n7") || bad.contains("121") || bad.contains("000000");
        let front = if keeps_front { 0 } else { second.get() };
        assert_eq!(entries(&log), [(2, front), (5, 80)], "{bad:?}: what only the file knows stays");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("0\n2\n2 {front}\n5 80\n"), "{bad:?}");
        log.append(&batch(70, 1), LeaderEpoch::new(6), 0).expect("the leader is not fenced");
        log.truncate_to(Offset::new(120), 0).unwrap();
        log.close().unwrap();
    }
}

#[test]
fn an_epoch_above_the_catalogs_is_not_believed_of_a_batch_either() {
    let bench = Bench::new();
    let log = bench.open();
    (0..5).for_each(|name| append(&log, name, 2));
    log.close().unwrap();
    drop(log);
    let segment = files(&bench.dir(), ".log").remove(0);
    let mut bytes = std::fs::read(&segment).unwrap();
    // The leader epoch of the first batch, which no checksum covers.
    bytes[12] = 0x40;
    std::fs::write(&segment, bytes).unwrap();
    std::fs::remove_file(bench.dir().join("leader-epoch-checkpoint")).unwrap();
    let known = Known { leader_epoch: Some(LeaderEpoch::new(3)), ..Known::default() };
    let (log, _) = PartitionLog::open_known(&bench.files, &bench.dir(), bench.options.clone(), known, 0).unwrap();
    assert_eq!(entries(&log), [(2, 2)]);
    append(&log, 9, 3);
}
