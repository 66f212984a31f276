//! Files that were stable and are gone: no start takes that for a torn tail, and no offset is given twice.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::disk::recorded::RecordedDisk;

const BATCHES: u32 = 100;
const END: i64 = 200;

/// What happens to the files of the segments.
type Harm = fn(&[PathBuf]);

/// A log that was closed, and a copy of its files.
struct Closed {
    bench: Bench,
    rows: Vec<(Offset, String)>,
    copy: Vec<(PathBuf, Vec<u8>)>,
}

impl Closed {
    fn new() -> Self {
        let bench = Bench::new();
        let log = bench.open();
        for n in 0..BATCHES {
            log.append(&batch(n, 2), EPOCH, 0).unwrap();
        }
        let rows = values(&log, Offset::ZERO);
        log.close().unwrap();
        let copy = files(&bench.dir(), "").into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        let closed = Self { bench, rows, copy };
        assert!(closed.logs().len() > 3);
        closed
    }

    fn logs(&self) -> Vec<PathBuf> {
        files(&self.bench.dir(), ".log")
    }

    fn put_back(&self) {
        let _ = fs::remove_dir_all(self.bench.dir());
        fs::create_dir_all(self.bench.dir()).unwrap();
        self.copy.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    }

    fn open(&self, known: Known) -> Result<PartitionLog, LogError> {
        let bench = &self.bench;
        PartitionLog::open_known(&bench.files, &bench.dir(), bench.options.clone(), known, 1_000).map(|(log, _)| log)
    }

    /// Refused, with what is missing; nothing is lost by that; and once it is accepted no offset is given again.
    fn is_loss(&self, name: &str, known: Known, harm: impl Fn(&[PathBuf])) -> Vec<Offset> {
        harm(&self.logs());
        let error = self.open(known).unwrap_err();
        let LogError::Lost { from, to, .. } = error else { panic!("{name}: {error}") };
        assert!(from < to && to <= Offset::new(END), "{name}: {from} to {to}");
        assert!(error.to_string().contains("tidelog.accept.data.loss=true"), "{error}");
        self.open(known).expect_err("and again");
        self.copy.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        let log = self.open(known).expect("what is put back is as it was");
        assert_eq!(values(&log, Offset::ZERO), self.rows, "{name}");
        drop(log);

        self.put_back();
        harm(&self.logs());
        let log = self.open(Known { accept_loss: true, ..known }).unwrap();
        assert_eq!(log.append(&batch(7, 1), EPOCH, 0).unwrap().base_offset, Offset::new(END), "{name}");
        let left = values(&log, log.local_start_offset());
        drop(log);
        let log = self.open(known).expect("what was accepted is not asked for again");
        assert_eq!(values(&log, log.local_start_offset()), left, "{name}");
        assert_eq!(log.log_end_offset(), Offset::new(END + 1));
        let (_, known_rows) = left.split_last().unwrap();
        assert!(known_rows.iter().all(|row| self.rows.contains(row)), "{name}");
        known_rows.iter().map(|(offset, _)| *offset).collect()
    }
}

fn cut(path: &PathBuf, length: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

fn half(path: &PathBuf) {
    cut(path, fs::metadata(path).unwrap().len() / 2);
}

#[test]
fn a_newest_segment_that_is_gone_or_cut_short_is_loss() {
    let left = Closed::new().is_loss("gone", Known::default(), |logs| fs::remove_file(logs.last().unwrap()).unwrap());
    assert!(left.len() > 100, "what is before it stays");
    Closed::new().is_loss("emptied", Known::default(), |logs| cut(logs.last().unwrap(), 0));
    Closed::new().is_loss("cut", Known::default(), |logs| half(logs.last().unwrap()));
    let last_byte = |logs: &[PathBuf]| cut(logs.last().unwrap(), fs::metadata(logs.last().unwrap()).unwrap().len() - 1);
    Closed::new().is_loss("its last byte", Known::default(), last_byte);
}

#[test]
fn a_sealed_segment_that_is_gone_or_cut_short_is_loss_and_costs_none_behind_it() {
    let harms: [(&str, Harm); 4] = [
        ("gone", |logs| fs::remove_file(&logs[1]).unwrap()),
        ("first cut", |logs| half(&logs[0])),
        ("cut", |logs| half(&logs[1])),
        ("its last byte", |logs| cut(&logs[1], fs::metadata(&logs[1]).unwrap().len() - 1)),
    ];
    for (name, harm) in harms {
        let left = Closed::new().is_loss(name, Known::default(), harm);
        assert!(left.first() == Some(&Offset::ZERO) && left.len() > 100, "{name}: {} are left", left.len());
        assert_eq!(left.last(), Some(&Offset::new(END - 1)), "{name}");
    }
}

#[test]
fn first_segments_that_are_gone_are_loss_unless_the_bucket_has_them() {
    let known = |tiered_to| Known {
        log_start: Some(Offset::ZERO),
        tiered_to: Some(Offset::new(tiered_to)),
        ..Known::default()
    };
    let first = |logs: &[PathBuf]| fs::remove_file(&logs[0]).unwrap();
    for known in [known(0), Known::default()] {
        let left = Closed::new().is_loss("first", known, first);
        assert!(left[0] > Offset::ZERO && left.len() > 100);
    }

    let closed = Closed::new();
    first(&closed.logs());
    let log = closed.open(known(END)).unwrap();
    assert!(log.local_start_offset() > Offset::ZERO, "it is in the bucket");
    drop(log);
    closed.put_back();
    half(&closed.logs()[0]);
    let tiered_to = crate::disk::parent_of(&closed.logs()[1]).to_owned();
    let second = closed.logs()[1].strip_prefix(tiered_to).unwrap().to_str().unwrap()[..20].parse().unwrap();
    let log = closed.open(known(second)).unwrap();
    assert_eq!(log.local_start_offset(), Offset::new(second), "what the bucket has is let go, and nothing else");
    assert_eq!(log.log_end_offset(), Offset::new(END));
}

#[test]
fn a_catalog_that_knows_less_than_the_log_has_let_go_of_is_an_older_one() {
    let known = |log_start, tiered_to, accept_loss| Known {
        log_start: Some(Offset::new(log_start)),
        tiered_to: Some(Offset::new(tiered_to)),
        accept_loss,
        ..Known::default()
    };
    let closed = Closed::new();
    let log = closed.open(known(0, END, false)).unwrap();
    let below = log.segments()[2].base;
    let start = log.segments()[1].base;
    assert_eq!(log.delete_segments_below(below, 0).unwrap(), 2);
    drop(log);
    let error = closed.open(known(0, below.get() - 1, false)).unwrap_err();
    assert!(matches!(error, LogError::OlderCatalog { to, .. } if to == below), "{error}");
    assert!(error.to_string().contains("--catalog") && error.to_string().contains("accept.data.loss"), "{error}");
    let log = closed.open(known(0, below.get(), false)).expect("nothing was changed by the refusal");
    log.advance_log_start(start).unwrap();
    drop(log);
    let error = closed.open(known(start.get() - 1, END, false)).unwrap_err();
    assert!(matches!(error, LogError::OlderCatalog { to, .. } if to == start), "{error}");
    closed.open(known(start.get(), END, false)).unwrap();
    closed.open(Known::default()).expect("of a log that is not tiered the catalog knows nothing");
    drop(closed.open(known(0, 1, true)).unwrap());
    let log = closed.open(known(0, 1, false)).expect("what was accepted is not asked for again");
    assert_eq!(log.delete_segments_below(log.segments()[1].base, 0).unwrap(), 1);
    drop(log);
    closed.open(known(0, 1, false)).expect_err("what has gone since is");
}

#[test]
fn first_segments_that_retention_removed_are_no_loss() {
    let closed = Closed::new();
    let log = closed.open(Known::default()).unwrap();
    let below = log.segments()[2].base;
    log.advance_log_start(below).unwrap();
    assert_eq!(log.delete_segments_below(below, 0).unwrap(), 2);
    drop(log);
    for purged in [false, true] {
        let log = closed.open(Known::default()).expect("the checkpoint says where the first begins");
        assert_eq!(log.local_start_offset(), below, "{purged}");
        log.purge_deleted(i64::MAX).unwrap();
    }
    fs::remove_file(&closed.logs()[0]).unwrap();
    let error = closed.open(Known::default()).unwrap_err();
    assert!(matches!(error, LogError::Lost { from, .. } if from == below), "{error}");
}

#[test]
fn a_folder_that_is_gone_is_loss_where_there_was_a_log() {
    let closed = Closed::new();
    let made = Known { made_before: true, ..Known::default() };
    for empty in [false, true] {
        fs::remove_dir_all(closed.bench.dir()).unwrap();
        if empty {
            fs::create_dir_all(closed.bench.dir()).unwrap();
        }
        let error = closed.open(made).unwrap_err();
        assert!(matches!(error, LogError::Gone { .. }), "{error}");
        assert_eq!(RealDisk.try_exists(&closed.bench.dir()).unwrap(), empty, "nothing is made in its place");
        closed.put_back();
        assert_eq!(values(&closed.open(made).unwrap(), Offset::ZERO), closed.rows);
    }
    fs::remove_dir_all(closed.bench.dir()).unwrap();
    closed.open(Known { accept_loss: true, ..made }).unwrap();
    closed.open(made).expect("there is a log again");
}

/// An empty log behind what the bucket has.
fn beginning() -> Beginning {
    let epochs = vec![EpochEntry { epoch: EPOCH, start: Offset::ZERO }];
    Beginning { start: Offset::new(500), log_start: Offset::ZERO, epochs, producer_snapshot: None }
}

/// As the catalog knows it then.
const BEGUN: Known = Known {
    log_start: Some(Offset::ZERO),
    tiered_to: Some(Offset::new(500)),
    leader_epoch: None,
    made_before: true,
    accept_loss: false,
};

#[test]
fn what_was_set_aside_explains_no_folder_that_goes_later() {
    let closed = Closed::new();
    let bench = &closed.bench;
    let log = PartitionLog::begin_at(&bench.files, &bench.dir(), bench.options.clone(), &beginning(), 7).unwrap();
    log.append(&batch(1, 1), EPOCH, 0).unwrap();
    log.close().unwrap();
    drop(log);
    assert_eq!(closed.open(BEGUN).unwrap().log_end_offset(), Offset::new(501));
    fs::remove_dir_all(bench.dir()).unwrap();
    assert_eq!(files(bench.dir().parent().unwrap(), ".aside-7").len(), 1, "it is there still");
    let error = closed.open(BEGUN).unwrap_err();
    assert!(matches!(error, LogError::Gone { .. }), "{error}");
}

#[test]
fn a_power_cut_while_a_log_begins_anew_is_no_loss() {
    let (disk, dir) = (RecordedDisk::new(), PathBuf::from("/data/t/0"));
    let options = LogOptions::from(&TopicConfig::default());
    let opened = |disk: &RecordedDisk| OpenFiles::new(Arc::new(disk.clone()), 8);
    let open = |files: &Arc<OpenFiles>| PartitionLog::open_known(files, &dir, options.clone(), BEGUN, 1_000);
    let begin =
        |files: &Arc<OpenFiles>, now_ms| PartitionLog::begin_at(files, &dir, options.clone(), &beginning(), now_ms);
    let log = PartitionLog::open(&opened(&disk), &dir, options.clone(), None, 0).unwrap().0;
    log.append(&batch(1, 1), EPOCH, 0).unwrap();
    log.close().unwrap();
    drop(log);
    let from = disk.position();
    drop(begin(&opened(&disk), 7).unwrap());
    let mut without_a_folder = 0;
    for at in from..=disk.position() {
        let cut = disk.power_cut(at);
        for left in [cut.all_lost(), cut.all_kept()] {
            without_a_folder += usize::from(!left.try_exists(&dir).unwrap());
            let files = opened(&left);
            drop(open(&files).unwrap_or_else(|error| panic!("cut at {at}: {error}")));
            // As a start goes on that finds no log of the bucket's history.
            drop(begin(&files, 8).unwrap());
            left.remove_dir_all(&dir).unwrap();
            assert!(matches!(open(&files), Err(LogError::Gone { .. })), "cut at {at}: the mark is still there");
        }
    }
    assert!(without_a_folder > 0);
}
