//! A random life of a log: what is done to it, and after each step what had been promised by then.

use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore};
use tidelog::disk::Disk;
use tidelog::disk::recorded::RecordedDisk;
use tidelog::log::{AppendError, LogError, LogOptions, OpenFiles, PartitionLog, RecoveryReport};
use tidelog::model::{LeaderEpoch, Offset, ProducerId, TopicConfig};
use tidelog::record::ValidBatch;
use tidelog::record::control::Outcome;

use crate::batches::{self, Wanted, batch_at};
use crate::model::{self, Model};

/// The time at which everything happens.
pub const NOW_MS: i64 = 1_000_000;
/// Files that may be open: few, so that they are closed and opened all the while.
const OPEN_FILES: usize = 3;

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct Setting {
    pub options: LogOptions,
    /// The topic is tiered: the catalog knows the log start, and segments above it may leave the disk.
    pub tiered: bool,
}

impl Setting {
    pub fn random(random: &mut StdRng) -> Self {
        let mut options = LogOptions::from(&TopicConfig::default());
        options.segment_bytes = *[300, 700, 1_500].choose(random).expect("not empty");
        options.index_interval_bytes = *[0, 150, 400].choose(random).expect("not empty");
        options.preallocate = random.random_bool(0.3);
        Self { options, tiered: random.random() }
    }

    pub fn open(
        &self,
        disk: &RecordedDisk,
        log_start: Offset,
    ) -> Result<(PartitionLog, RecoveryReport), Box<dyn Error>> {
        // As a broker does at its start.
        disk.sync_all(Path::new("/"))?;
        let files = OpenFiles::new(Arc::new(disk.clone()), OPEN_FILES);
        let log_start = self.tiered.then_some(log_start);
        Ok(PartitionLog::open(&files, &dir(), self.options.clone(), log_start, NOW_MS)?)
    }
}

pub fn dir() -> PathBuf {
    Path::new("/data/topics/t/id/0").to_owned()
}

/// What was promised once the journal had so many entries.
#[derive(Clone, Debug)]
pub struct Note {
    pub position: usize,
    pub model: Model,
}

/// A log between two power cuts.
pub struct Life {
    pub disk: RecordedDisk,
    pub setting: Setting,
    pub log: PartitionLog,
    pub model: Model,
    pub notes: Vec<Note>,
    pub steps: Vec<String>,
    epoch: LeaderEpoch,
    names: u64,
}

impl Life {
    /// Goes on with what a power cut left, or begins with an empty disk.
    pub fn begin(disk: RecordedDisk, setting: Setting, mut model: Model, life: u64) -> Self {
        // Before the log is open only what an earlier life had promised holds.
        let notes = vec![Note { position: 0, model: model.clone() }];
        let (log, _) = setting.open(&disk, model.log_start).expect("recovery needs no operator");
        let end = log.log_end_offset();
        model.truncate(end);
        model.durable_end = end;
        model.log_start = log.log_start_offset();
        let latest = log.epochs().latest().map_or(0, |entry| entry.epoch.get());
        let epoch = LeaderEpoch::new(latest + 1);
        log.begin_epoch(epoch);
        let mut life = Self { disk, setting, log, model, notes, steps: Vec::new(), epoch, names: life * 1_000 };
        life.note();
        life
    }

    fn note(&mut self) {
        self.notes.push(Note { position: self.disk.position(), model: self.model.clone() });
    }

    /// One random step.
    pub fn step(&mut self, random: &mut StdRng) {
        let name = match random.random_range(0..45u8) {
            0..=9 => self.append_plain(random),
            10..=16 => self.append_as_producer(random, false),
            17..=20 => self.append_as_producer(random, true),
            21..=23 => self.end_transaction(random),
            24..=27 => self.sync(),
            28..=29 => self.checkpoint(),
            30..=31 => format!("roll: {}", self.log.roll().expect("it rolls")),
            32 => self.advance_log_start(random),
            33..=34 => self.remove_segments(random),
            35 => format!("purge: {}", self.log.purge_deleted(i64::MAX).expect("files go")),
            36 => self.truncate(random),
            37 => self.begin_epoch(),
            38 => self.restart(false),
            39 => self.restart(true),
            40..=41 => self.killed(random),
            _ => self.without_room(random),
        };
        self.steps.push(format!("{}: {name}", self.disk.position()));
        self.note();
    }

    /// The process is killed in the middle of a step, and another takes over what it had written.
    fn killed(&mut self, random: &mut StdRng) -> String {
        let left = AtomicUsize::new(random.random_range(1..15));
        self.disk.watch(move |_| match left.fetch_sub(1, Ordering::Relaxed) {
            0 | 1 => {
                left.store(0, Ordering::Relaxed);
                Err(io::Error::other("killed"))
            }
            _ => Ok(()),
        });
        let said = catch_unwind(AssertUnwindSafe(|| match random.random_range(0..8u8) {
            0 => self.append_plain(random),
            1 => self.sync(),
            2 => self.checkpoint(),
            3 => format!("roll: {}", self.log.roll().expect("it rolls")),
            4 => self.advance_log_start(random),
            5 => self.remove_segments(random),
            6 => self.truncate(random),
            _ => self.restart(true),
        }));
        self.disk.unwatch();
        let (log, _) = self.setting.open(&self.disk, self.model.log_start).expect("recovery needs no operator");
        self.model.truncate(log.log_end_offset());
        assert_eq!(self.model.end().max(log.local_start_offset()), log.log_end_offset(), "only a truncation cuts");
        self.model.durable_end = log.log_end_offset();
        self.model.log_start = log.log_start_offset();
        self.model.removable = self.model.removable.max(log.local_start_offset());
        self.log = log;
        self.begin_epoch();
        format!("killed in the middle of {}", said.as_deref().unwrap_or("a step"))
    }

    /// The disk is full, or nearly, for one step; the process goes on with what that left.
    fn without_room(&mut self, random: &mut StdRng) -> String {
        let room = random.random_range(0..400);
        self.disk.set_room(Some(room));
        let full = |error: LogError| assert!(error.is_disk_full(), "{error}");
        let said = match random.random_range(0..6u8) {
            0..=2 => {
                let batch = batches::data(&self.wanted(random));
                match self.log.append(&batch, self.epoch, NOW_MS) {
                    Ok(appended) => self.model.batches.push(batch_at(&self.log, appended.base_offset)),
                    Err(AppendError::Log(error)) => full(error),
                    Err(other) => panic!("{other}"),
                }
                "append"
            }
            3 => {
                let _ = self.log.roll().map_err(full);
                "roll"
            }
            4 => {
                match self.log.checkpoint() {
                    Ok(end) => self.model.durable_end = end,
                    Err(error) => full(error),
                }
                "checkpoint"
            }
            _ => {
                let to = self.model.log_start;
                self.model.removable = self.model.removable.max(to);
                let _ = self.log.delete_segments_below(to, NOW_MS).map_err(full);
                "remove segments"
            }
        };
        self.disk.set_room(None);
        assert_eq!(self.log.log_end_offset(), self.model.end().max(self.log.local_start_offset()));
        format!("{said} with room for {room} bytes")
    }

    fn append(&mut self, batch: &ValidBatch) -> Offset {
        let appended = self.log.append(batch, self.epoch, NOW_MS).expect("it appends");
        assert!(!appended.duplicate, "it is new");
        assert_eq!(appended.base_offset, self.model.end(), "offsets are dense");
        let logged = batch_at(&self.log, appended.base_offset);
        assert_eq!(logged.next(), appended.last_offset.next());
        self.model.batches.push(logged);
        appended.base_offset
    }

    fn wanted(&mut self, random: &mut StdRng) -> Wanted {
        self.names += 1;
        Wanted {
            name: self.names,
            count: random.random_range(1..5),
            timestamp_ms: random.random_range(900..1_100),
            producer: None,
            transactional: false,
        }
    }

    pub fn append_plain(&mut self, random: &mut StdRng) -> String {
        let wanted = self.wanted(random);
        let said = format!("append at {}", self.append(&batches::data(&wanted)));
        self.note();
        said
    }

    fn append_as_producer(&mut self, random: &mut StdRng, transactional: bool) -> String {
        // Ids of those who use transactions and of those who do not are apart, as they are in Kafka.
        let id = ProducerId(random.random_range(0..3) + if transactional { 100 } else { 0 });
        let known = model::producers(&self.model.batches);
        let (mut epoch, mut sequence) = (0, 0);
        if let Some(producer) = known.get(&id) {
            epoch = producer.epoch;
            sequence = producer.last.last().map_or(0, |last| last.header.last_sequence() + 1);
            if producer.transaction_start.is_none() && random.random_bool(0.1) {
                (epoch, sequence) = (epoch + 1, 0);
            }
        }
        let wanted = Wanted { producer: Some((id, epoch, sequence)), transactional, ..self.wanted(random) };
        format!("append at {} by {id:?}", self.append(&batches::data(&wanted)))
    }

    fn end_transaction(&mut self, random: &mut StdRng) -> String {
        let known = model::producers(&self.model.batches);
        let open: Vec<_> = known.iter().filter(|(_, producer)| producer.transaction_start.is_some()).collect();
        let Some((id, producer)) = open.choose(random) else { return "no transaction to end".to_owned() };
        let outcome = if random.random_bool(0.7) { Outcome::Abort } else { Outcome::Commit };
        let coordinator_epoch = random.random_range(0..9);
        let batch = batches::marker((**id, producer.epoch), outcome, coordinator_epoch, NOW_MS);
        format!("{outcome:?} of {id:?} at {}", self.append(&batch))
    }

    pub fn sync(&mut self) -> String {
        let stable = self.log.sync().expect("it syncs");
        assert_eq!(stable, self.model.end());
        self.model.durable_end = stable;
        self.log.set_high_watermark(stable);
        self.note();
        format!("sync to {stable}")
    }

    fn checkpoint(&mut self) -> String {
        self.model.durable_end = self.log.checkpoint().expect("it checkpoints");
        "checkpoint".to_owned()
    }

    fn advance_log_start(&mut self, random: &mut StdRng) -> String {
        let to = Offset::new(random.random_range(self.model.log_start.get()..=self.model.end().get()));
        let stable = self.log.stable_end();
        self.log.advance_log_start(to).expect("it advances");
        self.model.log_start = to.min(stable).max(self.model.log_start);
        assert_eq!(self.log.log_start_offset(), self.model.log_start);
        format!("advance log start to {}", self.model.log_start)
    }

    fn remove_segments(&mut self, random: &mut StdRng) -> String {
        let mut to = self.model.log_start;
        if self.setting.tiered {
            // What is tiered may go, though the log starts before it.
            to = to.max(Offset::new(random.random_range(0..=self.model.durable_end.get())));
        }
        let removed = self.log.delete_segments_below(to, NOW_MS).expect("segments go");
        self.model.removable = self.model.removable.max(to);
        format!("remove {removed} segments below {to}")
    }

    fn truncate(&mut self, random: &mut StdRng) -> String {
        let lowest = self.log.local_start_offset();
        let to = Offset::new(random.random_range(lowest.get()..=self.model.end().get()));
        let to = to.max(self.model.first_end());
        let boundary = self.model.boundary(to).max(lowest);
        // From the moment on that it begins nobody is promised what goes.
        self.model.durable_end = self.model.durable_end.min(boundary);
        self.note();
        let end = self.log.truncate_to(to, NOW_MS).expect("it truncates");
        self.model.truncate(end);
        assert_eq!(end, self.model.end().max(self.log.local_start_offset()), "cut at a batch");
        format!("truncate to {to}, now {end}")
    }

    fn begin_epoch(&mut self) -> String {
        self.epoch = LeaderEpoch::new(self.epoch.get() + 1);
        self.log.begin_epoch(self.epoch);
        format!("epoch {:?}", self.epoch)
    }

    /// The process ends, by a signal or in peace, and another takes over.
    fn restart(&mut self, closed: bool) -> String {
        if closed {
            self.log.close().expect("it closes");
            self.model.durable_end = self.model.end();
        }
        let (log, report) = self.setting.open(&self.disk, self.model.log_start).expect("it opens");
        assert_eq!(log.log_end_offset(), self.model.end(), "what was written is there");
        if closed {
            assert_eq!(report, RecoveryReport::default(), "nothing to recover after a clean stop");
        }
        self.log = log;
        self.model.durable_end = self.model.end();
        self.begin_epoch();
        format!("restart, closed: {closed}")
    }

    /// What had been promised when the journal had `at` entries, and what will be with the next step.
    pub fn around(&self, at: usize) -> (&Note, &Note) {
        let before = self.notes.iter().rposition(|note| note.position <= at).expect("there is one at 0");
        let after = (before + 1).min(self.notes.len() - 1);
        (&self.notes[before], &self.notes[after])
    }
}

/// A seed for something inside of a history.
pub fn sub_seed(random: &mut StdRng) -> u64 {
    random.next_u64()
}
