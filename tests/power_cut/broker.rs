//! A whole broker: its log, its bucket in a folder and its catalog, each as it was at one moment of a life in which
//! records are acknowledged, sealed, uploaded, committed and dropped from the local disk; at every moment.
//!
//! Log, bucket and their folders are a recorded disk, so any state that the disk may wake up in can be looked at. SQLite
//! writes its files itself: a copy of them is taken at each moment instead, and what a copy holds counts as stable. That
//! is what SQLite promises of a commit with `synchronous=FULL`, and a test beside `src/catalog/sqlite.rs` asks the
//! writer's own connection whether that is set; a frame that is in the copy and not yet committed is no part of it,
//! and one that is committed and not yet answered may survive a cut as well as not. Disk and catalog are ordered: a moment
//! is a copy of the catalog during which the disk did not change.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, TryStreamExt as _};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidelog::broker::{Broker, BrokerOptions, BrokerParts, Endpoint, NewTopic};
use tidelog::clock::SystemClock;
use tidelog::disk::recorded::RecordedDisk;
use tidelog::disk::with_suffix;
use tidelog::model::settings::BrokerSettings;
use tidelog::model::{BrokerId, Offset};
use tidelog::object_storage::{BucketOptions, key};
use tidelog::record::Batches;
use tidelog::replication::{Acks, Isolation, Partition, ReadBounds};
use tidelog::tiering::{Step, StepHook};

use crate::at_once::AT_ONCE;
use crate::batches::{self, Wanted, read_all};
use crate::checks::Told;
use crate::history::NOW_MS;
use crate::{deep, for_each_seed};

/// Power cuts in one history.
const LIVES: u64 = 2;
const STEPS: u64 = 14;
/// Moments of a life that are looked at, of some hundreds; all of them where more was asked for.
const MOMENTS: usize = 25;
const TOPIC: &str = "t";
/// Beyond this SQLite would fold the log of commits into the file while a copy is taken.
const WAL_BYTES_MAX: usize = 3_500_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// The catalog's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct CatalogCopy {
    database: Vec<u8>,
    wal: Vec<u8>,
}

impl CatalogCopy {
    fn of(path: &Path) -> Self {
        let read = |path: PathBuf| std::fs::read(path).unwrap_or_default();
        Self { database: read(path.to_owned()), wal: read(with_suffix(path, "-wal")) }
    }

    /// Puts the copy into a folder of its own, in place of what was there.
    fn put(&self, folder: &Path) -> PathBuf {
        if folder.try_exists().expect("it can be asked") {
            std::fs::remove_dir_all(folder).expect("the last one goes");
        }
        std::fs::create_dir_all(folder).expect("a folder");
        let path = folder.join("catalog.db");
        for (path, bytes) in [(path.clone(), &self.database), (with_suffix(&path, "-wal"), &self.wal)] {
            if !bytes.is_empty() {
                std::fs::write(path, bytes).expect("it is written");
            }
        }
        path
    }
}

/// What had been promised by then.
#[derive(Clone, Copy, Debug, Default)]
struct Promise {
    created: bool,
    /// Acknowledged, or shown to a consumer.
    end: Offset,
    /// Told to whoever deleted records.
    log_start: Offset,
}

#[derive(Clone, Debug)]
struct Moment {
    position: usize,
    catalog: Arc<CatalogCopy>,
    promise: Promise,
    /// What had just become durable, where it was a step of tiering.
    step: Option<Step>,
}

/// What is seen of a broker that lives.
struct Witness {
    disk: RecordedDisk,
    catalog: PathBuf,
    partition: Mutex<Option<Arc<Partition>>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    moments: Vec<Moment>,
    promise: Promise,
}

impl Witness {
    /// Takes down this moment. What could be read comes first: it must not depend on what is done meanwhile.
    fn note(&self, step: Option<Step>) {
        let mut seen = self.seen.lock();
        if let Some(partition) = &*self.partition.lock() {
            let marks = partition.watermarks();
            seen.promise.end = seen.promise.end.max(marks.high_watermark);
            seen.promise.log_start = seen.promise.log_start.max(marks.log_start);
        }
        let (position, catalog) = loop {
            let before = self.disk.position();
            let copy = CatalogCopy::of(&self.catalog);
            if self.disk.position() == before {
                break (before, copy);
            }
        };
        assert!(catalog.wal.len() < WAL_BYTES_MAX, "a shorter life, please");
        let last = seen.moments.last();
        let catalog = match last.filter(|last| *last.catalog == catalog) {
            Some(last) => Arc::clone(&last.catalog),
            None => Arc::new(catalog),
        };
        let promise = seen.promise;
        seen.moments.push(Moment { position, catalog, promise, step });
    }

    fn promise(&self, change: impl FnOnce(&mut Promise)) {
        change(&mut self.seen.lock().promise);
        self.note(None);
    }
}

/// Where everything lies: on the recorded disk, but for the catalog and the lock files, which the machine's has.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { folder: tempfile::tempdir().expect("a folder") };
        std::fs::create_dir_all(home.path("data")).expect("a folder for the lock");
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn start(&self, disk: &RecordedDisk, catalog: &Path, steps: StepHook) -> Arc<Broker> {
        let settings = AT_ONCE.into_iter().chain([("offsets.topic.num.partitions", "1")]);
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let options = BrokerOptions {
            broker_id: BrokerId(1),
            data_dir: self.path("data"),
            advertised: Endpoint { host: "localhost".to_owned(), port: 9092 },
            catalog_url: format!("sqlite://{}", catalog.display()),
            bucket_url: format!("file://{}", self.path("bucket").display()),
            bucket: BucketOptions::default(),
            open_files_max: None,
            settings: BrokerSettings::new(settings).expect("settings"),
        };
        let mut parts = BrokerParts::new(Arc::new(disk.clone()), SystemClock::shared(), rand::random);
        parts.steps = steps;
        Box::pin(Broker::start(options, parts)).await.expect("a start needs no operator")
    }
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let clock = SystemClock::shared();
    let late = clock.monotonic() + PATIENCE;
    while !holds().await {
        assert!(clock.monotonic() < late, "{what}");
        clock.sleep(Duration::from_millis(2)).await;
    }
}

/// Every record that was appended, by its offset: none ever has two.
type Records = BTreeMap<Offset, String>;

/// One life: the broker starts, works and is stopped; what is left are its moments.
struct Life<'a> {
    home: &'a Home,
    disk: RecordedDisk,
    catalog: PathBuf,
    records: Records,
    /// What an earlier life had promised.
    promise: Promise,
    number: u64,
}

impl Life<'_> {
    async fn live(&mut self, random: &mut StdRng) -> Vec<Moment> {
        let witness = Arc::new(Witness {
            disk: self.disk.clone(),
            catalog: self.catalog.clone(),
            partition: Mutex::default(),
            seen: Mutex::new(Seen { promise: self.promise, ..Seen::default() }),
        });
        let (before, after) = (Arc::clone(&witness), Arc::clone(&witness));
        self.disk.watch(move |_| {
            before.note(None);
            Ok(())
        });
        let steps = StepHook::new(move |step| {
            after.note(Some(step));
            std::future::ready(()).boxed()
        });
        let broker = self.home.start(&self.disk, &self.catalog, steps).await;
        if broker.partition(TOPIC, 0).is_none() {
            let topic = NewTopic { name: TOPIC.to_owned(), partitions: Some(1), ..NewTopic::default() };
            broker.create_topic(topic, false).await.expect("it is made");
        }
        let partition = broker.partition(TOPIC, 0).expect("it was made");
        *witness.partition.lock() = Some(Arc::clone(&partition));
        witness.promise(|promise| promise.created = true);
        let end = partition.log().log_end_offset();
        self.records.retain(|offset, _| *offset < end);
        for step in 0..STEPS {
            self.step(&witness, &partition, step, random).await;
        }
        self.all_uploaded(&partition).await;
        witness.note(None);
        broker.stop().await;
        self.disk.unwatch();
        *witness.partition.lock() = None;
        let mut seen = witness.seen.lock();
        std::mem::take(&mut seen.moments)
    }

    async fn step(&mut self, witness: &Witness, partition: &Arc<Partition>, step: u64, random: &mut StdRng) {
        match random.random_range(0..10u8) {
            0..=5 => {
                let name = self.number * 1_000 + step;
                let count = random.random_range(1..4);
                self.append(partition, name, count, witness).await;
            }
            6..=7 => drop(partition.log().roll().expect("it rolls")),
            8 => self.all_uploaded(partition).await,
            _ => {
                let to = Offset::new(partition.watermarks().high_watermark.get() / 2);
                let start = partition.delete_records(Some(to)).await.expect("records go");
                witness.promise(|promise| promise.log_start = promise.log_start.max(start));
            }
        }
    }

    async fn append(&mut self, partition: &Arc<Partition>, name: u64, count: i64, witness: &Witness) {
        let wanted = Wanted { name, count, timestamp_ms: NOW_MS, producer: None, transactional: false };
        let appended = partition.append(&batches::data(&wanted), Acks::All).expect("it appends");
        for n in 0..count {
            let earlier = self.records.insert(appended.base_offset + n, format!("{name}/{n}"));
            assert_eq!(earlier, None, "no offset is given twice");
        }
        partition.committed(appended.last_offset.next()).await.expect("the disk is healthy");
        witness.promise(|promise| promise.end = promise.end.max(appended.last_offset.next()));
    }

    /// Seals what there is, and waits until the bucket has it and the local disk has not.
    async fn all_uploaded(&self, partition: &Arc<Partition>) {
        partition.log().roll().expect("it rolls");
        let end = partition.log().log_end_offset();
        until("local copies gone", async || partition.log().local_start_offset() >= end).await;
    }
}

/// Every record from the log start on, each from the tier that the router names.
async fn read_from_0(partition: &Arc<Partition>) -> Records {
    let mut found = Records::new();
    let marks = partition.watermarks();
    let view_start = partition.tier().map_or(Offset::ZERO, |tier| tier.view().log_start);
    let mut at = marks.log_start.max(view_start);
    while at < marks.high_watermark {
        let bounds = ReadBounds { from: at, max_bytes: 400, at_least_one: true, isolation: Isolation::ReadUncommitted };
        let read = partition.read(bounds).expect("it can be read");
        let pieces = match (read.slice, read.remote) {
            (Some(slice), _) => {
                let mut bytes = vec![0; slice.length];
                slice.file.read_exact_at(&mut bytes, slice.position).expect("the file is long enough");
                vec![bytes.into()]
            }
            (None, Some(tier)) => {
                let records = tier.read_remote(at).await.expect("the bucket has it");
                tier.take(&records, at, 400, true)
            }
            (None, None) => panic!("nothing at {at}, the end is {}", marks.high_watermark),
        };
        let asked = at;
        for bytes in pieces {
            for batch in Batches::new(&bytes) {
                let batch = batch.expect("a batch parses");
                for record in &batch.records().expect("records parse") {
                    let record = record.expect("a record parses");
                    if record.offset >= asked {
                        let value = String::from_utf8(record.value.unwrap_or_default().to_vec()).expect("text");
                        assert_eq!(found.insert(record.offset, value), None, "{} comes once", record.offset);
                    }
                }
                at = batch.header().next_offset();
            }
        }
        assert!(at > asked, "a read at {asked} goes on");
    }
    found
}

/// Holds what woke up against what had been promised.
async fn check(life: &Life<'_>, state: &RecordedDisk, moment: &Moment, random: &mut StdRng) {
    let catalog = moment.catalog.put(&life.home.path("check"));
    let promise = moment.promise;
    let broker = life.home.start(state, &catalog, StepHook::default()).await;
    let Some(partition) = broker.partition(TOPIC, 0) else {
        assert!(!promise.created, "the topic is gone");
        broker.stop().await;
        return;
    };
    let marks = partition.watermarks();
    let end = marks.high_watermark;
    assert_eq!(end, partition.log().log_end_offset(), "what is there after a start is stable");
    assert!(end >= promise.end, "the log ends at {end}, {} was promised", promise.end);
    assert!(marks.log_start >= promise.log_start, "what was deleted is back");
    let found = read_from_0(&partition).await;
    let expected: Records = life.records.range(marks.log_start..end).map(|(at, value)| (*at, value.clone())).collect();
    let found_all = found.keys().next().copied();
    assert!(found_all.is_none_or(|first| first >= marks.log_start));
    assert_eq!(found, expected, "from {} to {end}", marks.log_start);
    for batch in read_all(partition.log(), partition.log().local_start_offset()) {
        for (offset, _, value) in &batch.records {
            assert_eq!(Some(value), life.records.get(offset), "both tiers agree on {offset}");
        }
    }
    let live = broker.tiers().live_segments(partition.tp(), Offset::ZERO, 1_000).await.expect("rows");
    let follows = |pair: &[tidelog::tiering::SegmentListing]| pair[0].end_offset.next() == pair[1].base_offset;
    assert!(live.windows(2).all(follows), "each offset is in one object: {live:?}");
    if random.random_range(0..4u8) == 0 {
        go_on(&broker, &partition, end).await;
    }
    broker.stop().await;
}

/// The broker works on: it appends, uploads, and what the cut left in the bucket is swept.
async fn go_on(broker: &Arc<Broker>, partition: &Arc<Partition>, end: Offset) {
    let wanted = Wanted { name: 99, count: 2, timestamp_ms: NOW_MS, producer: None, transactional: false };
    let appended = partition.append(&batches::data(&wanted), Acks::All).expect("it appends");
    assert_eq!(appended.base_offset, end, "no offset is left out or given again");
    partition.committed(appended.last_offset.next()).await.expect("the disk is healthy");
    partition.log().roll().expect("it rolls");
    until("it is uploaded", async || partition.log().local_start_offset() == end + 2).await;
    let bucket = broker.tiers().bucket();
    until("the bucket is swept", async || {
        let live = broker.tiers().live_segments(partition.tp(), Offset::ZERO, 1_000).await.expect("rows");
        let listed = bucket.list(&key::all_topics()).try_collect::<Vec<_>>().await.expect("a listing");
        let mut live: Vec<_> = live.into_iter().map(|row| row.key).collect();
        let mut listed: Vec<_> = listed.into_iter().map(|listed| listed.key.to_string()).collect();
        live.sort();
        listed.sort();
        live == listed && broker.tiers().passing_segments(10).await.expect("rows").is_empty()
    })
    .await;
    assert_eq!(read_from_0(partition).await.keys().next_back(), Some(&(end + 1)));
}

/// Some of a life's moments: the first of each step of tiering, and others in equal distances.
fn some(moments: &[Moment]) -> Vec<usize> {
    let every = if deep() { 1 } else { moments.len().div_ceil(MOMENTS).max(1) };
    let mut steps = HashSet::new();
    let mut wanted = |number: &usize| {
        let first = moments[*number].step.is_some_and(|step| steps.insert(step));
        first || number.is_multiple_of(every) || number + 1 == moments.len()
    };
    (0..moments.len()).filter(|number| wanted(number)).collect()
}

async fn run_on(seed: u64, disk: RecordedDisk) {
    let mut random = StdRng::seed_from_u64(seed);
    let home = Home::new();
    let mut life = Life {
        home: &home,
        disk,
        catalog: CatalogCopy::default().put(&home.path("life-0")),
        records: Records::new(),
        promise: Promise::default(),
        number: 0,
    };
    for number in 0..LIVES {
        let moments = life.live(&mut random).await;
        let steps = moments.iter().filter(|moment| moment.step == Some(Step::LiveRow)).count();
        assert!(steps > 0, "something was uploaded");
        for at in some(&moments) {
            let moment = &moments[at];
            let cut = life.disk.power_cut(moment.position);
            let other = if at % 2 == 0 { cut.all_kept() } else { cut.sample(&mut random) };
            for state in [cut.all_lost(), other] {
                let told =
                    Told(format!("seed {seed}, life {number}, moment {at}: {:?}\n{}", moment.step, state.story()));
                check(&life, &state, moment, &mut random).await;
                drop(told);
            }
        }
        let moment = &moments[random.random_range(0..moments.len())];
        let catalog = moment.catalog.put(&home.path(&format!("life-{}", number + 1)));
        let disk = life.disk.power_cut(moment.position).sample(&mut random);
        let records = std::mem::take(&mut life.records);
        life = Life { home: &home, disk, catalog, records, promise: moment.promise, number: number + 1 };
    }
}

/// One history and what a power cut at any moment of it leaves.
pub fn run(seed: u64, disk: RecordedDisk) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run_on(seed, disk));
}

#[test]
fn a_whole_broker_wakes_up_with_all_that_it_has_promised() {
    for_each_seed(2, |seed| run(seed, RecordedDisk::new()));
}
