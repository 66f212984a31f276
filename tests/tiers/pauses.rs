//! Pauses after failed uploads: as long as the bucket is away, and no longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidelog::broker::Broker;
use tidelog::clock::{Clock, Sleep, SystemClock};
use tidelog::disk::recorded::RecordedDisk;
use tidelog::object_storage::{Effect, ErrorKind, Fault};
use tidelog::replication::Partition;

use crate::home::{Home, create, segment};
use crate::topics::all_cold;

/// By then every pause is more than a minute long, and nobody's patience lasts until it has passed.
const MANY: u32 = 8;

/// Real time, and on demand ahead of it.
#[derive(Debug)]
struct Ahead {
    real: SystemClock,
    by_secs: AtomicU64,
}

impl Ahead {
    fn jump(&self, secs: u64) {
        self.by_secs.fetch_add(secs, Ordering::SeqCst);
    }
}

impl Clock for Ahead {
    fn now_ms(&self) -> i64 {
        self.real.now_ms()
    }

    fn monotonic(&self) -> Duration {
        self.real.monotonic() + Duration::from_secs(self.by_secs.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.real.sleep(duration)
    }
}

/// Two partitions whose uploads have failed many times by a bucket without room.
async fn failing(home: &mut Home) -> (Arc<Broker>, [Arc<Partition>; 2]) {
    let clock = Arc::new(Ahead { real: SystemClock::new(), by_secs: AtomicU64::new(0) });
    home.clock = Arc::<Ahead>::clone(&clock);
    let broker = home.start().await;
    let partitions = [create(&broker, "orders", &[]).await, create(&broker, "other", &[]).await];
    home.plan.add(Fault::new(Effect::Fail(ErrorKind::Full)).below("topics/"));
    for partition in &partitions {
        segment(partition).await;
    }
    let broker_of = Arc::clone(&broker);
    let failures = move || broker_of.tiers().status().iter().map(|status| status.failures).collect::<Vec<_>>();
    for round in 1..=MANY {
        let late = home.clock.monotonic() + Duration::from_secs(30);
        while !failures().iter().all(|&failures| failures >= round) {
            assert!(home.clock.monotonic() < late, "{:?}", failures());
            home.clock.sleep(Duration::from_millis(2)).await;
        }
        if round < MANY {
            clock.jump(200);
        }
    }
    (broker, partitions)
}

#[tokio::test]
async fn when_one_upload_goes_well_all_that_waited_for_the_bucket_go_on() {
    let mut home = Home::new();
    let (broker, partitions) = failing(&mut home).await;
    home.plan.clear();
    // Which has not failed yet, and so does not wait.
    let third = create(&broker, "third", &[]).await;
    segment(&third).await;
    for partition in partitions.iter().chain([&third]) {
        all_cold(&home, &broker, partition, 10).await;
    }
    broker.stop().await;
}

#[tokio::test]
async fn while_the_disk_runs_out_of_room_nobody_waits_for_long() {
    let mut home = Home::new();
    let disk = RecordedDisk::new();
    home.disk = Arc::new(disk.clone());
    home.settings.insert("tidelog.log.dir.reserve.bytes".to_owned(), "100".to_owned());
    // The lock file is the machine's, and so is the folder that it lies in.
    std::fs::create_dir_all(home.path("data")).unwrap();
    let (broker, partitions) = failing(&mut home).await;
    for partition in &partitions {
        // As every few seconds: what lies behind it can go without anything being written.
        partition.checkpoint().unwrap();
    }
    disk.set_room(Some(0));
    home.plan.clear();
    for partition in &partitions {
        all_cold(&home, &broker, partition, 10).await;
    }
    broker.stop().await;
}
