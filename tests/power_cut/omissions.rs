//! The experiment that says whether these tests can fail: every kind of sync is left out in turn, by a disk that answers
//! it and does nothing, and some history has to end badly for each.
//!
//! A kind is what a call site syncs: bytes by the file's name, names by the last one that came or went in the folder. What
//! is left out and not missed is a sync that nothing needs, or one that no history looks for. Not in the table:
//!
//! - the name of a producer snapshot has no sync of its own: the checkpoint that counts on it syncs the same folder;
//! - the mark that indexes are being made anew: only damage below the recovery point brings it about, and no power cut;
//! - the names of segments that were removed after a checkpoint had said so: the next start removes what is back, and has
//!   to, since renames may be lost one by one. On a full disk nothing has said so, and the names are in the table;
//! - the names of segments that were set aside: nothing is appended or read before the same start has synced the folder
//!   again, and has written a checkpoint, which syncs it too. A power cut before that leaves what the start had found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tidelog::disk::recorded::{Change, RecordedDisk, SyncOf, Went};

use crate::{broker, bucket, log, moments, number, partition};

/// What looks for it.
type Suite = fn(u64, RecordedDisk);

/// Something that is synced.
struct Kind {
    name: &'static str,
    is: fn(&SyncOf<'_>) -> bool,
    suite: Suite,
}

const fn kind(name: &'static str, suite: Suite, is: fn(&SyncOf<'_>) -> bool) -> Kind {
    Kind { name, is, suite }
}

/// Bytes of files whose name ends so.
fn bytes(sync: &SyncOf<'_>, suffix: &str) -> bool {
    sync.change == Change::Sync && sync.path.to_string_lossy().ends_with(suffix)
}

/// The name of a file that came, and that ends so.
fn came(sync: &SyncOf<'_>, suffix: &str) -> bool {
    matches!(sync.newest, Some((name, Went::FileCame)) if name.ends_with(suffix))
}

fn folder_came(sync: &SyncOf<'_>) -> bool {
    matches!(sync.newest, Some((_, Went::DirCame)))
}

fn all(sync: &SyncOf<'_>) -> bool {
    sync.change == Change::SyncAll
}

/// The names of a new segment: the last of its files that is made is the time index.
fn segment_came(sync: &SyncOf<'_>) -> bool {
    came(sync, ".timeindex") || came(sync, ".index") || came(sync, ".log")
}

fn unfinished(sync: &SyncOf<'_>) -> bool {
    sync.change == Change::Sync && sync.path.to_string_lossy().contains('#')
}

fn object_went(sync: &SyncOf<'_>) -> bool {
    matches!(sync.newest, Some((name, Went::Away)) if name.contains(".parquet"))
}

/// Each is missed.
const KINDS: &[Kind] = &[
    kind("a log's batches", log::run, |sync| bytes(sync, ".log")),
    kind("an acknowledged batch", partition::run, |sync| bytes(sync, ".log")),
    kind("an offset index", log::run, |sync| bytes(sync, ".index")),
    kind("a time index", log::run, |sync| bytes(sync, ".timeindex")),
    kind("an index of aborted transactions", log::run, |sync| bytes(sync, ".txnindex")),
    kind("the name of an index of aborted transactions", moments::run_aborted, |sync| came(sync, ".txnindex")),
    kind("the names of segments that go from a full disk", moments::run_removed, |sync| came(sync, ".deleted")),
    kind("what a killed process left of a log", moments::run_killed, all),
    kind("a producer snapshot", log::run, |sync| bytes(sync, ".snapshot")),
    kind("a log's checkpoint", log::run, |sync| bytes(sync, "tidelog-checkpoint.tmp")),
    kind("the name of a log's checkpoint", log::run, |sync| came(sync, "tidelog-checkpoint")),
    kind("the epochs", log::run, |sync| bytes(sync, "leader-epoch-checkpoint.tmp")),
    kind("the name of the epochs", log::run, |sync| came(sync, "leader-epoch-checkpoint")),
    kind("the names of a new segment", log::run, segment_came),
    kind("a log's folders", log::run, folder_came),
    kind("an object", bucket::run, unfinished),
    kind("the name of an object", bucket::run, |sync| came(sync, ".parquet")),
    kind("the name of a control file", bucket::run, |sync| came(sync, ".json")),
    kind("the removal of an object", bucket::run, object_went),
    kind("a bucket's folders", bucket::run, folder_came),
    kind("what a killed process left in a bucket", bucket::run, all),
    kind("a broker's batches", broker::run, |sync| bytes(sync, ".log")),
    kind("a broker's objects", broker::run, unfinished),
    kind("the names of a broker's objects", broker::run, |sync| came(sync, ".parquet")),
    kind("a broker's folders", broker::run, folder_came),
    kind("whose directory it is", broker::run, |sync| bytes(sync, "tidelog.json.tmp")),
    kind("the name of whose directory it is", broker::run, |sync| came(sync, "tidelog.json")),
];

/// Histories that are tried for each kind.
const HISTORIES: u64 = 3;

/// Whether some history ends badly without syncs of this kind; how many were left out; how many histories it took.
fn missed(kind: &Kind, histories: u64) -> (bool, usize, u64) {
    let left_out = Arc::new(AtomicUsize::new(0));
    for seed in 0..histories {
        let (is, count) = (kind.is, Arc::clone(&left_out));
        let disk = RecordedDisk::forgetful(move |sync| {
            let forgotten = is(&sync);
            count.fetch_add(usize::from(forgotten), Ordering::Relaxed);
            forgotten
        });
        if catch_unwind(AssertUnwindSafe(|| (kind.suite)(seed, disk))).is_err() {
            return (true, left_out.load(Ordering::Relaxed), seed + 1);
        }
    }
    (false, left_out.load(Ordering::Relaxed), histories)
}

#[test]
fn each_sync_that_is_left_out_is_missed() {
    let histories = number("POWER_CUT_SEEDS").unwrap_or(HISTORIES);
    let next = AtomicU64::new(0);
    let wrong = Mutex::new(Vec::new());
    let worker = || {
        while let Some(kind) = KINDS.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).expect("few")) {
            let (missed, left_out, tried) = missed(kind, histories);
            println!("{}: left out {left_out} times, missed: {missed}, histories: {tried}", kind.name);
            if !missed || left_out == 0 {
                wrong.lock().push(kind.name);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(worker);
        worker();
    });
    assert_eq!(*wrong.lock(), [] as [&str; 0], "left out, and nobody missed them");
}
