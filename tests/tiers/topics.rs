//! Topics over both tiers, by the broker's own tasks.

use std::sync::Arc;

use tidelog::broker::{AlterConfigsError, Broker, ConfigChanges};
use tidelog::catalog::CatalogOptions;
use tidelog::disk::recorded::RecordedDisk;
use tidelog::model::Offset;
use tidelog::object_storage::{Effect, ErrorKind, Fault, Operation};
use tidelog::replication::{Acks, AppendError, Isolation, OffsetSpec, Partition, ReadBounds};

use crate::full_disk::FullDisk;
use crate::home::{Home, PATIENCE, batch, create, offsets, segment};

async fn set(broker: &Arc<Broker>, name: &str, configs: &[(&str, &str)]) -> Result<(), AlterConfigsError> {
    broker.alter_topic_configs(name, &ConfigChanges::set(configs.iter().copied()), false).await
}

pub async fn all_cold(home: &Home, broker: &Arc<Broker>, partition: &Arc<Partition>, to: i64) {
    home.until(broker, "local copies gone", async || partition.log().local_start_offset() == Offset::new(to)).await;
}

#[tokio::test]
async fn records_outlive_their_local_copies_and_restarts() {
    let home = Home::new();
    let mut broker = home.start().await;
    create(&broker, "orders", &[]).await;
    for round in 1..=3 {
        let partition = broker.partition("orders", 0).unwrap();
        segment(&partition).await;
        segment(&partition).await;
        all_cold(&home, &broker, &partition, round * 20).await;
        let (seen, cold) = offsets(&partition, 0).await;
        assert_eq!(seen, (0..round * 20).collect::<Vec<_>>());
        assert!(cold > 0);
        broker.stop().await;
        drop((partition, broker));
        broker = home.start().await;
    }
    let partition = broker.partition("orders", 0).unwrap();
    assert_eq!(offsets(&partition, 33).await.0, (33..60).collect::<Vec<_>>());
    assert_eq!(partition.delete_records(Some(Offset::new(25))).await.unwrap().get(), 25);
    home.until(&broker, "objects below the log start gone", async || home.objects().len() == 4).await;
    assert_eq!(offsets(&partition, 25).await.0, (25..60).collect::<Vec<_>>());
    broker.stop().await;
}

#[tokio::test]
async fn a_deleted_topic_leaves_nothing_but_a_word_that_it_was() {
    let home = Home::new();
    let broker = home.start().await;
    let partition = create(&broker, "orders", &[]).await;
    let id = partition.tp().topic_id;
    segment(&partition).await;
    all_cold(&home, &broker, &partition, 10).await;
    broker.delete_topic(id).await.unwrap();
    let file = || {
        let key = format!("_tidelog/topics/{id}.json");
        let (_, bytes) = home.store.objects().into_iter().find(|(known, _)| *known == key).unwrap();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
    };
    assert_eq!(file()["deleted"], true, "said before the client is answered");
    // The name is free at once, and the new topic's objects are no business of the old one's end.
    let again = create(&broker, "orders", &[]).await;
    segment(&again).await;
    all_cold(&home, &broker, &again, 10).await;
    let old = format!("/{id}/");
    home.until(&broker, "objects gone", async || home.objects().iter().all(|key| !key.contains(&old))).await;
    assert_eq!(offsets(&again, 0).await.0, (0..10).collect::<Vec<_>>());
    let topics = || async {
        let clock = tidelog::clock::SystemClock::shared();
        let url = format!("sqlite://{}", home.path("catalog.db").display());
        let disk = tidelog::disk::RealDisk::shared();
        let catalog = tidelog::catalog::Catalog::open(&url, &CatalogOptions::default(), disk, clock).await.unwrap();
        let topics = catalog.topics().await.unwrap();
        catalog.close().await;
        topics.len()
    };
    broker.stop().await;
    assert_eq!(topics().await, 1, "the deleted topic's row is gone");
    assert_eq!(file()["deleted"], true);
}

#[tokio::test]
async fn settings_follow_kip_405_and_kip_950() {
    let home = Home::new();
    let broker = home.start().await;
    let partition = create(&broker, "orders", &[]).await;
    segment(&partition).await;
    all_cold(&home, &broker, &partition, 10).await;
    segment(&partition).await;

    let error = set(&broker, "orders", &[("remote.storage.enable", "false")]).await.unwrap_err().to_string();
    assert!(error.contains("It is invalid to disable remote storage without deleting remote data"), "{error}");
    let error = set(&broker, "orders", &[("cleanup.policy", "compact")]).await.unwrap_err().to_string();
    assert!(error.contains("Remote log storage only supports topics with cleanup.policy=delete"), "{error}");
    assert_eq!(offsets(&partition, 0).await.0.len(), 20, "no policy change hides history by itself");

    let off = [("remote.storage.enable", "false"), ("remote.log.delete.on.disable", "true")];
    set(&broker, "orders", &off).await.unwrap();
    let start = partition.watermarks().log_start;
    assert!(start >= Offset::new(10), "log start is the local one");
    home.until(&broker, "objects gone", async || home.objects().is_empty()).await;
    set(&broker, "orders", &[("remote.storage.enable", "true")]).await.unwrap();
    segment(&partition).await;
    all_cold(&home, &broker, &partition, 30).await;
    assert_eq!(offsets(&partition, start.get()).await.0, (start.get()..30).collect::<Vec<_>>());

    // The control file in the bucket follows.
    let key = format!("_tidelog/topics/{}.json", partition.tp().topic_id);
    home.until(&broker, "the control file", async || {
        let objects = home.store.objects();
        let (_, bytes) = objects.iter().find(|(known, _)| *known == key).unwrap();
        let file: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        file["configs"]["remote.storage.enable"] == "true"
    })
    .await;
    broker.stop().await;
}

#[tokio::test]
async fn a_policy_change_before_anything_was_uploaded_needs_no_word() {
    let home = Home::new();
    let broker = home.start().await;
    let partition = create(&broker, "orders", &[]).await;
    set(&broker, "orders", &[("cleanup.policy", "compact")]).await.unwrap();
    segment(&partition).await;
    assert!(!broker.tiers().status()[0].enabled);
    broker.stop().await;
    drop((partition, broker));
    let broker = home.start().await;
    let partition = broker.partition("orders", 0).unwrap();
    assert_eq!((offsets(&partition, 0).await.0.len(), home.objects().len()), (10, 0));
    broker.stop().await;
}

#[tokio::test]
async fn uploads_catch_up_after_the_bucket_was_away_and_partitions_share_them() {
    let mut home = Home::new();
    home.settings.insert("remote.log.manager.copier.thread.pool.size".to_owned(), "1".to_owned());
    let broker = home.start().await;
    let mut partitions = Vec::new();
    for number in 0..5 {
        partitions.push(create(&broker, &format!("t{number}"), &[]).await);
    }
    home.plan.add(Fault::new(Effect::Fail(ErrorKind::Unavailable)).below("topics/"));
    // One has a long backlog, the others a short one.
    for _ in 0..10 {
        segment(&partitions[0]).await;
    }
    for partition in &partitions[1..] {
        segment(partition).await;
    }
    let failing = async || broker.tiers().status().iter().any(|status| status.failures > 0);
    home.until(&broker, "failures", failing).await;
    assert!(broker.tiers().status().iter().all(|status| status.tiered_to == Some(Offset::ZERO)));
    home.plan.release();
    for (number, partition) in partitions.iter().enumerate() {
        all_cold(&home, &broker, partition, if number == 0 { 100 } else { 10 }).await;
    }
    assert_eq!(offsets(&partitions[0], 0).await.0, (0..100).collect::<Vec<_>>());
    broker.stop().await;
}

#[tokio::test]
async fn a_folder_is_a_bucket_too() {
    let home = Home::new();
    let mut options = home.options(&home.path("data"), &home.path("catalog.db"));
    options.bucket_url = format!("file://{}", home.path("bucket").display());
    let start = async || {
        let disk = tidelog::disk::RealDisk::shared();
        let parts = tidelog::broker::BrokerParts::new(disk, Arc::clone(&home.clock), rand::random);
        Box::pin(Broker::start(options.clone(), parts)).await.unwrap()
    };
    let broker = start().await;
    let partition = create(&broker, "orders", &[]).await;
    segment(&partition).await;
    all_cold(&home, &broker, &partition, 10).await;
    broker.stop().await;
    drop((partition, broker));
    let broker = start().await;
    let partition = broker.partition("orders", 0).unwrap();
    assert_eq!(offsets(&partition, 0).await.0, (0..10).collect::<Vec<_>>());
    let data = home.path("bucket").join(format!("topics/orders/{}/data/0", partition.tp().topic_id));
    let files: Vec<_> = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() == 1 && files[0].extension().is_some_and(|kind| kind == "parquet"), "{files:?}");
    broker.stop().await;
}

#[tokio::test]
async fn a_bucket_that_is_away_keeps_no_broker_from_stopping_in_order() {
    let home = Home { bucket_deadline: std::time::Duration::from_secs(3_600), ..Home::new() };
    let broker = home.start().await;
    let partition = create(&broker, "orders", &[]).await;
    segment(&partition).await;
    all_cold(&home, &broker, &partition, 10).await;
    // An object that cannot be removed, another that cannot be written: both are waited for in vain.
    home.plan.add(Fault::new(Effect::BlackHole).on(Operation::Delete));
    home.plan.add(Fault::new(Effect::BlackHole).on(Operation::WritePart));
    home.plan.add(Fault::new(Effect::BlackHole).on(Operation::FinishUpload));
    partition.delete_records(Some(Offset::new(10))).await.unwrap();
    segment(&partition).await;
    home.plan.hanging(2).await;
    tokio::select! {
        () = broker.stop() => {}
        () = home.clock.sleep(PATIENCE) => panic!("it waits for the bucket"),
    }
    assert!(!partition.log().needs_checkpoint(), "flushed");
    drop((partition, broker));
    home.plan.release();
    let broker = home.start().await;
    let partition = broker.partition("orders", 0).unwrap();
    all_cold(&home, &broker, &partition, 20).await;
    assert_eq!(offsets(&partition, 10).await.0, (10..20).collect::<Vec<_>>());
    broker.stop().await;
}

#[tokio::test]
async fn a_log_start_that_a_full_disk_refused_holds_all_the_same_and_is_made_up_for() {
    let disk = Arc::new(FullDisk::default());
    let mut home = Home { disk: Arc::<FullDisk>::clone(&disk), ..Home::new() };
    home.settings.insert("log.retention.check.interval.ms".to_owned(), "3600000".to_owned());
    let broker = home.start().await;
    let partition = create(&broker, "orders", &[]).await;
    segment(&partition).await;
    segment(&partition).await;
    home.until(&broker, "uploaded", async || broker.tiers().status()[0].tiered_to == Some(Offset::new(20))).await;
    disk.fill(true);
    // The catalog has moved it, so it has moved; and asking again does not say more than is so.
    for _ in 0..2 {
        partition.delete_records(Some(Offset::new(10))).await.unwrap_err();
        assert_eq!(partition.log().log_start_offset(), Offset::ZERO);
        let earliest = partition.find_offset(OffsetSpec::Earliest, Isolation::ReadUncommitted).await.unwrap().unwrap();
        assert_eq!((earliest.offset, partition.watermarks().log_start), (Offset::new(10), Offset::new(10)));
        let isolation = Isolation::ReadUncommitted;
        let bounds = ReadBounds { from: earliest.offset, max_bytes: 1, at_least_one: true, isolation };
        partition.read(bounds).unwrap();
    }
    let now_ms = home.clock.now_ms();
    partition.retain(now_ms).await.unwrap_err();
    disk.fill(false);
    partition.retain(now_ms).await.unwrap();
    assert_eq!(partition.log().log_start_offset(), Offset::new(10));
    assert_eq!(partition.delete_records(Some(Offset::new(10))).await.unwrap(), Offset::new(10));
    broker.stop().await;
}

#[tokio::test]
async fn a_disk_that_is_full_is_left_by_itself_when_the_bucket_is_back() {
    let mut home = Home::new();
    let disk = RecordedDisk::new();
    home.disk = Arc::new(disk.clone());
    home.settings.insert("tidelog.log.dir.reserve.bytes".to_owned(), "100".to_owned());
    // The lock file is the machine's, and so is the folder that it lies in.
    std::fs::create_dir_all(home.path("data")).unwrap();
    let broker = home.start().await;
    let partition = create(&broker, "orders", &[]).await;
    home.plan.add(Fault::new(Effect::Fail(ErrorKind::Unavailable)).below("topics/"));
    for _ in 0..5 {
        segment(&partition).await;
    }
    home.until(&broker, "a failure", async || broker.tiers().status()[0].failures > 0).await;
    // As every few seconds: what lies behind it can go without anything being written.
    partition.checkpoint().unwrap();
    disk.set_room(Some(0));
    let refused = partition.append(&batch(), Acks::All).unwrap_err();
    assert!(matches!(refused, AppendError::DiskFull), "{refused}");
    assert_eq!(offsets(&partition, 0).await.0, (0..50).collect::<Vec<_>>(), "what is there is served");
    home.plan.clear();
    all_cold(&home, &broker, &partition, 50).await;
    let append = async || partition.append(&batch(), Acks::All).is_ok();
    home.until(&broker, "appends are taken again", append).await;
    partition.committed(Offset::new(60)).await.unwrap();
    assert_eq!(offsets(&partition, 0).await.0, (0..60).collect::<Vec<_>>());
    broker.stop().await;
}

#[tokio::test]
async fn a_bucket_that_hangs_holds_up_no_change_of_topics() {
    let home = Home { bucket_deadline: std::time::Duration::from_secs(3_600), ..Home::new() };
    let broker = home.start().await;
    let partition = create(&broker, "orders", &[]).await;
    segment(&partition).await;
    all_cold(&home, &broker, &partition, 10).await;
    home.plan.add(Fault::new(Effect::BlackHole).on(Operation::ReadControl).below("_tidelog/topics/"));
    let mut deleting = Box::pin(broker.delete_topic(partition.tp().topic_id));
    tokio::select! {
        deleted = &mut deleting => panic!("the bucket is told before the client: {deleted:?}"),
        () = home.plan.hanging(1) => {}
    }
    // While that waits, and not behind it.
    tokio::select! {
        created = create(&broker, "other", &[]) => assert_eq!(created.log().log_end_offset(), Offset::ZERO),
        () = home.clock.sleep(PATIENCE) => panic!("the other change waits for the bucket"),
    }
    deleting.await.unwrap();
    assert!(broker.topics().by_name("orders").is_none());
    home.plan.release();
    broker.stop().await;
}
