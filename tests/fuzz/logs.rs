//! The files of a local log, damaged, lost, swapped: it opens, or says which file is wrong; what it gives with a right checksum
//! was written, where it scans all of it; and it goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::Rng;
use rand::rngs::StdRng;
use tempfile::TempDir;
use tidelog::log::{LogOptions, OpenFiles, PartitionLog};
use tidelog::record::control::{self, Marker, Outcome as Decision};

use crate::damage::{damage, noise};
use crate::disk::RealDisk;
use crate::model::{Codec, LeaderEpoch, Offset, ProducerId, TopicConfig};
use crate::record::{Attributes, BatchBuilder, BatchSpec, BatchView, ValidBatch};
use crate::target::{Outcome, Target, refused};

const EPOCH: LeaderEpoch = LeaderEpoch::new(1);
const CHECKPOINT: &str = "tidelog-checkpoint";
/// Bytes that one read returns at most.
const READ_BYTES: usize = 4_000;

/// What a log's records are, by their offsets.
type Records = BTreeMap<i64, Vec<u8>>;

/// A log, and room for copies of it.
pub struct Logs {
    folder: TempDir,
    files: Arc<OpenFiles>,
    options: LogOptions,
    written: Records,
}

fn batch(name: i64, producer: Option<(ProducerId, i16, i32)>, attributes: Attributes) -> ValidBatch {
    let codec = if name % 3 == 0 { Codec::Zstd } else { Codec::None };
    let spec = BatchSpec::plain(Offset::ZERO, LeaderEpoch::new(-1), codec);
    let mut builder = BatchBuilder::new(BatchSpec { producer, attributes, ..spec });
    for number in 0..3 {
        let value = format!("{name}/{number} {}", "x".repeat(usize::try_from(name % 40).unwrap()));
        builder.push(Offset::new(number), 1_000 + name, None, Some(value.as_bytes()), std::iter::empty()).unwrap();
    }
    builder.build().unwrap()
}

impl Logs {
    pub fn new() -> Self {
        let mut options = LogOptions::from(&TopicConfig::default());
        (options.segment_bytes, options.index_interval_bytes) = (2_000, 200);
        let files = OpenFiles::new(Arc::new(RealDisk), 64);
        let mut logs = Self { folder: tempfile::tempdir().unwrap(), files, options, written: Records::new() };
        let log = logs.open(&logs.original()).unwrap();
        for name in 0..60 {
            let producer = ProducerId(name % 3);
            let sequence = i32::try_from(name / 3 * 3).unwrap();
            let attributes = match name % 3 {
                2 => Attributes::default().transactional(),
                _ => Attributes::default(),
            };
            log.append(&batch(name, Some((producer, 0, sequence)), attributes), EPOCH, 1_000).unwrap();
            if name % 6 == 5 {
                let outcome = if name % 12 == 5 { Decision::Abort } else { Decision::Commit };
                let marker = Marker { outcome, coordinator_epoch: 0 };
                let end = control::build(Offset::ZERO, EPOCH, (producer, 0), marker, 1_000).unwrap();
                log.append(&end, EPOCH, 1_000).unwrap();
            }
        }
        log.close().unwrap();
        logs.written = read_all(&log).unwrap().0;
        assert!(logs.written.len() >= 180 && names(&logs.original()).len() > 12);
        logs
    }

    fn original(&self) -> PathBuf {
        self.folder.path().join("original/0")
    }

    fn open(&self, dir: &Path) -> Result<PartitionLog, String> {
        let opened = PartitionLog::open(&self.files, dir, self.options.clone(), None, 2_000);
        opened.map(|(log, _)| log).map_err(|error| error.to_string())
    }

    /// A copy, some files of which are not as they were.
    fn damaged(&self, chance: &mut StdRng, dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        let names = names(&self.original());
        for name in &names {
            fs::copy(self.original().join(name), dir.join(name)).unwrap();
        }
        for _ in 0..chance.random_range(1..4) {
            let path = dir.join(&names[chance.random_range(0..names.len())]);
            let other = fs::read(self.original().join(&names[chance.random_range(0..names.len())])).unwrap();
            let Ok(mut bytes) = fs::read(&path) else { continue };
            match chance.random_range(0..10) {
                0 => {
                    fs::remove_file(&path).unwrap();
                    continue;
                }
                1 => bytes = other,
                2 => bytes = noise(chance, 600),
                3 => bytes.extend(noise(chance, 600)),
                _ => damage(chance, &mut bytes, 0, &other),
            }
            fs::write(&path, bytes).unwrap();
        }
    }

    /// What must hold of a log that opened: `scanned` where nothing of it was believed unseen.
    fn check(&self, log: &PartitionLog, scanned: bool) -> Result<Outcome, String> {
        let (found, error) = read_all(log)?;
        if scanned {
            for (offset, value) in &found {
                match self.written.get(offset) {
                    Some(written) if written == value => {}
                    // Kafka's checksum does not cover the offset: a whole batch in another's place, its offset that
                    // other's, cannot be told from it.
                    Some(_) if self.written.values().any(|written| written == value) => {}
                    Some(_) => return Err(format!("offset {offset} holds what was never written")),
                    None => return Err(format!("offset {offset} was never given")),
                }
            }
            if let Some(error) = &error {
                return Err(format!("it was scanned, and cannot be read: {error}"));
            }
        }
        for timestamp_ms in [0, 1_030, i64::MAX] {
            if let Err(error) = log.offset_for_timestamp(timestamp_ms, log.log_end_offset()) {
                refused(&error.to_string(), "/")?;
            }
        }
        let mut batches = log.batches_from(log.local_start_offset(), log.log_end_offset());
        let uploaded = loop {
            match batches.next() {
                Ok(Some(_)) => {}
                Ok(None) => break Outcome::Read,
                Err(error) => break refused(&error.to_string(), "/")?,
            }
        };
        Ok(if error.is_some() { Outcome::Refused } else { uploaded })
    }
}

/// All records with a right checksum, and what ended the reading before its time.
fn read_all(log: &PartitionLog) -> Result<(Records, Option<String>), String> {
    let mut records = Records::new();
    let (mut at, end) = (log.local_start_offset(), log.log_end_offset());
    while at < end {
        let slice = match log.read(at, READ_BYTES, end, true) {
            Ok(Some(slice)) => slice,
            Ok(None) => return Ok((records, Some(format!("nothing at offset {at}, below the end {end}")))),
            Err(error) => return Ok((records, Some(error.to_string()))),
        };
        if slice.length > READ_BYTES.max(3_000) {
            return Err(format!("{} bytes at offset {at}, {READ_BYTES} were asked for", slice.length));
        }
        let mut bytes = vec![0; slice.length];
        slice
            .file
            .read_exact_at(&mut bytes, slice.position)
            .map_err(|error| format!("a slice that is not there: {error}"))?;
        let before = at;
        for view in tidelog::record::Batches::new(&bytes) {
            let Ok(view) = view else { break };
            if view.verify_crc().is_err() {
                return Ok((records, Some(format!("a wrong checksum at offset {at}"))));
            }
            if !view.header().attributes.is_control() {
                put_records(&view, &mut records)?;
            }
            at = view.header().next_offset();
        }
        if at <= before {
            return Ok((records, Some(format!("no whole batch at offset {at}"))));
        }
    }
    Ok((records, None))
}

fn put_records(view: &BatchView<'_>, to: &mut Records) -> Result<(), String> {
    let wrong = |error| format!("a right checksum, and no records: {error}");
    for record in &view.records().map_err(wrong)? {
        let record = record.map_err(wrong)?;
        to.insert(record.offset.get(), record.value.unwrap_or_default().to_vec());
    }
    Ok(())
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

impl Target for Logs {
    fn memory_bytes_max(&self) -> u64 {
        64 << 20
    }

    fn run(&mut self, chance: &mut StdRng) -> Result<Outcome, String> {
        let copy = tempfile::tempdir_in(self.folder.path()).unwrap();
        let dir = copy.path().join("t/0");
        self.damaged(chance, &dir);
        let scanned = chance.random();
        if scanned {
            let _ = fs::remove_file(dir.join(CHECKPOINT));
        }
        let log = match self.open(&dir) {
            Ok(log) => log,
            Err(error) => return refused(&error, dir.to_str().unwrap()),
        };
        let outcome = self.check(&log, scanned)?;
        let next = log.log_end_offset();
        match log.append(&batch(7, None, Attributes::default()), EPOCH, 3_000) {
            Ok(appended) if appended.base_offset == next => {}
            Ok(appended) => return Err(format!("the next offset was {next}, {} was given", appended.base_offset)),
            // A table of epochs that knows newer ones fences this leader, and does not say whose file it is.
            Err(error) => return refused(&error.to_string(), ""),
        }
        if let Err(error) = log.close() {
            return refused(&error.to_string(), dir.to_str().unwrap());
        }
        let end = log.log_end_offset();
        drop(log);
        match self.open(&dir) {
            Ok(again) if again.log_end_offset() == end => Ok(outcome),
            Ok(again) => Err(format!("it ended at {end}, and ends at {} when opened again", again.log_end_offset())),
            Err(error) => Err(format!("it was closed, and does not open again: {error}")),
        }
    }
}
