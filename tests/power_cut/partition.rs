//! Partitions with their syncer: what `committed` answered is there, and so is whatever a consumer could have read at the
//! moment of the cut, at any moment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidelog::clock::{Clock, ManualClock, SystemClock};
use tidelog::disk::recorded::RecordedDisk;
use tidelog::log::{LogOptions, OpenFiles, PartitionLog};
use tidelog::model::{LeaderEpoch, Offset, TopicConfig, TopicId, TopicName, TopicPartition};
use tidelog::replication::{Acks, LogDirHealth, Partition, PartitionParts, Syncer};

use crate::batches::{self, Wanted, read_all};
use crate::for_each_seed;
use crate::history::NOW_MS;

const PARTITIONS: i32 = 3;
/// The one that answers and shows before anything is stable, because its topic says so.
const FAST: i32 = 2;
const APPENDS: u64 = 25;
const PRODUCERS: u64 = 2;

/// What was promised of a partition once the journal had so many entries.
#[derive(Clone, Copy, Debug)]
struct Promise {
    position: usize,
    partition: i32,
    /// Everything below is stable: it was acknowledged, or could be read.
    end: Offset,
    log_start: Offset,
}

struct Broker {
    disk: RecordedDisk,
    syncer: Arc<Syncer>,
    partitions: Vec<Arc<Partition>>,
    promises: Arc<Mutex<Vec<Promise>>>,
    /// What was appended: by partition and offset.
    appended: Mutex<BTreeMap<(i32, Offset), String>>,
}

fn dir(partition: i32) -> PathBuf {
    PathBuf::from(format!("/data/topics/t/id/{partition}"))
}

fn config(partition: i32) -> TopicConfig {
    let mut config = TopicConfig::default();
    config.segment.bytes = 600;
    config.segment.index_interval_bytes = 200;
    config.flush.on_ack = partition != FAST;
    config
}

fn lead(disk: &RecordedDisk, syncer: &Arc<Syncer>, partition: i32, epoch: i32) -> Arc<Partition> {
    let files = OpenFiles::new(Arc::new(disk.clone()), 5);
    let config = config(partition);
    let (log, _) = PartitionLog::open(&files, &dir(partition), LogOptions::from(&config), None, NOW_MS)
        .expect("recovery needs no operator");
    let log = Arc::new(log);
    log.begin_epoch(LeaderEpoch::new(epoch));
    Arc::new(Partition::lead(PartitionParts {
        topic: TopicName::parse("t").expect("a name"),
        tp: TopicPartition::new(TopicId::from_uuid(uuid::Uuid::nil()), partition),
        leader_epoch: LeaderEpoch::new(epoch),
        config: Arc::new(config),
        log,
        tier: None,
        leadership: tidelog::replication::Leadership::while_held(None),
        health: LogDirHealth::new(),
        syncer: Arc::clone(syncer),
        clock: ManualClock::new(NOW_MS),
    }))
}

impl Broker {
    fn start(disk: RecordedDisk) -> Arc<Self> {
        let syncer = Syncer::start(2).expect("threads");
        let partitions: Vec<_> = (0..PARTITIONS).map(|partition| lead(&disk, &syncer, partition, 1)).collect();
        let promises = Arc::new(Mutex::new(Vec::new()));
        // Right before every change to the disk: what could be read by then must not depend on the change.
        let (shown, list, journal) = (partitions.clone(), Arc::clone(&promises), disk.clone());
        disk.watch(move |_| {
            for (partition, number) in shown.iter().zip(0..) {
                let marks = partition.watermarks();
                let end = if number == FAST { Offset::ZERO } else { marks.high_watermark };
                // Taken behind the marks: another thread's sync, which they may show already, is below it.
                let position = journal.position();
                list.lock().push(Promise { position, partition: number, end, log_start: marks.log_start });
            }
            Ok(())
        });
        Arc::new(Self { disk, syncer, partitions, promises, appended: Mutex::default() })
    }

    fn promise(&self, partition: i32, end: Offset) {
        let position = self.disk.position();
        self.promises.lock().push(Promise { position, partition, end, log_start: Offset::ZERO });
    }

    async fn produce(self: Arc<Self>, seed: u64, producer: u64) {
        let mut random = StdRng::seed_from_u64(seed * 10 + producer);
        for number in 0..APPENDS {
            let partition = random.random_range(0..PARTITIONS);
            let wanted = Wanted {
                name: producer * 1_000 + number,
                count: random.random_range(1..4),
                timestamp_ms: NOW_MS,
                producer: None,
                transactional: false,
            };
            let led = &self.partitions[usize::try_from(partition).expect("small")];
            let acks = if random.random_bool(0.8) { Acks::All } else { Acks::Leader };
            let (appended, committed) = {
                // Held over the append, so that nobody sees an offset whose record is not noted.
                let mut all = self.appended.lock();
                let appended = led.append(&batches::data(&wanted), acks).expect("it appends");
                for n in 0..wanted.count {
                    all.insert((partition, appended.base_offset + n), format!("{}/{n}", wanted.name));
                }
                (appended, led.committed(appended.last_offset.next()))
            };
            if acks == Acks::All {
                committed.await.expect("the disk is healthy");
                if partition != FAST {
                    self.promise(partition, appended.last_offset.next());
                }
            }
        }
    }

    /// What the background tasks do, and DeleteRecords.
    async fn keep(self: Arc<Self>, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..12 {
            SystemClock::new().sleep(Duration::from_millis(1)).await;
            let number = random.random_range(0..PARTITIONS);
            let led = Arc::clone(&self.partitions[usize::try_from(number).expect("small")]);
            match random.random_range(0..4u8) {
                0 | 1 => {
                    let end = led.log().log_end_offset();
                    led.checkpoint().expect("it checkpoints");
                    self.promise(number, end);
                }
                2 => drop(led.log().roll().expect("it rolls")),
                _ => {
                    let to = led.watermarks().high_watermark.get() / 2;
                    led.delete_records(Some(Offset::new(to))).await.expect("records go");
                    led.log().delete_segments_below(led.log().log_start_offset(), NOW_MS).expect("segments go");
                    led.log().purge_deleted(i64::MAX).expect("files go");
                }
            }
        }
    }

    /// Holds one state against all that had been promised by then.
    fn check(&self, state: &RecordedDisk, at: usize) {
        let promises = self.promises.lock();
        let appended = self.appended.lock();
        for number in 0..PARTITIONS {
            let by_then = promises.iter().filter(|promise| promise.partition == number && promise.position <= at);
            let end = by_then.clone().map(|promise| promise.end).max().unwrap_or(Offset::ZERO);
            let log_start = by_then.map(|promise| promise.log_start).max().unwrap_or(Offset::ZERO);
            let led = lead(state, &self.syncer, number, 2);
            let log = led.log();
            assert!(log.log_end_offset() >= end, "{number} ends at {}, {end} was promised", log.log_end_offset());
            assert!(log.log_start_offset() >= log_start, "what was deleted is back");
            assert_eq!(led.watermarks().high_watermark, log.log_end_offset());
            let mut next = log.local_start_offset();
            for batch in read_all(log, log.local_start_offset()) {
                let from = next;
                for (offset, _, value) in batch.records.iter().filter(|(offset, _, _)| *offset >= from) {
                    assert_eq!(*offset, next, "no gap");
                    assert_eq!(Some(value), appended.get(&(number, *offset)), "the record at {offset}");
                    next = next.next();
                }
            }
            assert_eq!(next, log.log_end_offset());
        }
    }
}

/// One history and what a power cut at any moment of it leaves.
pub fn run(seed: u64, disk: RecordedDisk) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let broker = Broker::start(disk);
    runtime.block_on(async {
        let producers = (0..PRODUCERS).map(|producer| tokio::spawn(Arc::clone(&broker).produce(seed, producer)));
        let keeper = tokio::spawn(Arc::clone(&broker).keep(seed));
        for task in producers.chain([keeper]) {
            task.await.expect("no task panics");
        }
    });
    broker.syncer.close();
    broker.disk.unwatch();
    let mut random = StdRng::seed_from_u64(seed);
    for at in 0..=broker.disk.position() {
        let cut = broker.disk.power_cut(at);
        for state in [cut.all_lost(), cut.sample(&mut random)] {
            let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| broker.check(&state, at)));
            if let Err(panic) = told {
                println!("seed {seed}\n{}", state.story());
                std::panic::resume_unwind(panic);
            }
        }
    }
}

#[test]
fn what_was_acknowledged_or_shown_outlives_a_power_cut() {
    for_each_seed(3, |seed| run(seed, RecordedDisk::new()));
}
