//! A broker as a whole: what a restart keeps, and what a start refuses.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt as _;

use super::*;
use crate::catalog::{NewTopicRow, StorageError};
use crate::clock::SystemClock;
use crate::disk::{Disk as _, RealDisk};
use crate::model::settings::BrokerSettings;
use crate::model::{BrokerId, Codec, LeaderEpoch, Offset, TopicId, TopicName};
use crate::object_storage::BucketOptions;
use crate::record::{BatchBuilder, BatchSpec, ValidBatch};
use crate::replication::{Acks, Isolation, ReadBounds};

fn options(data_dir: &Path, catalog: &Path) -> BrokerOptions {
    BrokerOptions {
        broker_id: BrokerId(1),
        data_dir: data_dir.to_owned(),
        advertised: Endpoint { host: "localhost".to_owned(), port: 9092 },
        catalog_url: format!("sqlite://{}", catalog.display()),
        bucket_url: "memory://".to_owned(),
        bucket: BucketOptions::default(),
        open_files_max: None,
        settings: BrokerSettings::default(),
    }
}

fn parts() -> BrokerParts {
    BrokerParts::new(Arc::new(RealDisk), SystemClock::shared(), rand::random)
}

async fn start(data_dir: &Path, catalog: &Path) -> Result<Arc<Broker>, StartError> {
    Broker::start(options(data_dir, catalog), parts()).await
}

fn topic(name: &str, partitions: i32) -> NewTopic {
    NewTopic { name: name.to_owned(), partitions: Some(partitions), ..NewTopic::default() }
}

fn record() -> ValidBatch {
    let mut builder = BatchBuilder::new(BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, Codec::None));
    builder.push(Offset::ZERO, 1_700_000_000_000, None, Some(b"v"), std::iter::empty()).unwrap();
    builder.build().unwrap()
}

async fn produce(broker: &Broker, topic: &str, partition: i32) -> Offset {
    let partition = broker.partition(topic, partition).unwrap();
    let appended = partition.append(&record(), Acks::All).unwrap();
    partition.committed(appended.last_offset.next()).await.unwrap();
    appended.base_offset
}

#[tokio::test]
async fn topics_and_records_outlive_a_restart_and_epochs_rise() {
    let folder = tempfile::tempdir().unwrap();
    let (data, catalog) = (folder.path().join("data"), folder.path().join("catalog.db"));
    let broker = start(&data, &catalog).await.unwrap();
    let created = broker.create_topic(topic("a", 2), false).await.unwrap();
    assert!(matches!(broker.create_topic(topic("a", 2), false).await, Err(CreateTopicError::Exists(_))));
    assert_eq!(produce(&broker, "a", 1).await, Offset::ZERO);
    let more = |count| MorePartitions { name: "a".to_owned(), count, assignments: None };
    assert!(broker.create_partitions(vec![more(3)], false).await.pop().unwrap().is_ok());
    produce(&broker, "a", 2).await;
    let set = |name, value| ConfigChanges::set([(name, value)]);
    broker.alter_topic_configs("a", &set("retention.ms", "-1"), false).await.unwrap();
    broker.alter_broker_configs(BrokerScope::This, &set("message.max.bytes", "5000"), false).await.unwrap();
    broker.alter_broker_configs(BrokerScope::Every, &set("message.max.bytes", "4000"), false).await.unwrap();
    broker.alter_broker_configs(BrokerScope::Every, &set("log.roll.ms", "77777"), false).await.unwrap();
    let first = broker.new_producer_id().await.unwrap();
    broker.stop().await;
    drop(broker);

    let broker = start(&data, &catalog).await.unwrap();
    let found = broker.topics().by_name("a").cloned().unwrap();
    assert_eq!((found.id, found.partitions.len()), (created.id, 3));
    assert_eq!(found.config.retention.total_ms, None);
    assert_eq!((found.config.message.max_bytes, found.config.segment.ms), (5000, 77_777));
    assert_eq!(found.partitions[1].leader_epoch(), LeaderEpoch::new(1));
    assert_eq!(produce(&broker, "a", 1).await, Offset::new(1));
    let bounds =
        ReadBounds { from: Offset::ZERO, max_bytes: 1000, at_least_one: true, isolation: Isolation::ReadCommitted };
    assert!(found.partitions[1].read(bounds).unwrap().slice.is_some());
    assert!(broker.new_producer_id().await.unwrap() > first);

    broker.delete_topic(found.id).await.unwrap();
    assert!(broker.topics().is_empty());
    broker.create_topic(topic("a", 1), false).await.unwrap();
    assert_eq!(produce(&broker, "a", 0).await, Offset::ZERO);
    broker.stop().await;
    let left: Vec<_> = std::fs::read_dir(data.join("topics/a")).unwrap().collect();
    assert_eq!(left.len(), 1, "the deleted topic's folder is gone");
}

/// Work that had begun before the deletion goes on in the folder; and something stands in the way of the removal.
#[tokio::test]
async fn the_folder_of_a_deleted_topic_goes_whoever_still_works_in_it_and_its_row_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let (data, catalog) = (folder.path().join("data"), folder.path().join("catalog.db"));
    let broker = start(&data, &catalog).await.unwrap();
    let id = broker.create_topic(topic("a", 1), false).await.unwrap().id;
    let partition = broker.partition("a", 0).unwrap();
    let (dir, in_the_way) = (partition.log().dir().to_owned(), data.join(format!("topics/a/{id}.deleted")));
    std::fs::write(&in_the_way, b"").unwrap();
    let work = std::thread::spawn(move || {
        let written = (0..200_000).take_while(|number| std::fs::write(dir.join(format!("late-{number}")), b"").is_ok());
        written.count()
    });
    broker.delete_topic(id).await.unwrap();
    broker.finish_deletion(&TopicName::parse("a").unwrap(), id).await;
    broker.finish_emptied(id).await;
    assert!(broker.catalog.topic(id).await.unwrap().is_some(), "it names what is left");
    assert!(partition.log().dir().try_exists().unwrap());

    std::fs::remove_file(&in_the_way).unwrap();
    broker.retry_deletions().await;
    assert!(work.join().unwrap() < 200_000, "the folder has gone while it was written to");
    assert!(!data.join("topics/a").try_exists().unwrap());
    assert!(broker.catalog.topic(id).await.unwrap().is_none());
    broker.stop().await;
}

/// Where appends wait for room, what retention has removed does not lie there for `file.delete.delay.ms`.
#[tokio::test]
async fn on_a_full_disk_removed_segments_go_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut full = options(&folder.path().join("data"), &folder.path().join("catalog.db"));
    let reserve = BTreeMap::from([("tidelog.log.dir.reserve.bytes".to_owned(), (1_i64 << 60).to_string())]);
    full.settings = BrokerSettings::new(reserve).unwrap();
    let broker = Broker::start(full, parts()).await.unwrap();
    broker.create_topic(topic("a", 1), false).await.unwrap();
    let partition = broker.partition("a", 0).unwrap();
    assert!(broker.health.is_full() && partition.append(&record(), Acks::Leader).is_err());
    let (log, now_ms) = (partition.log(), broker.clock().now_ms());
    log.append(&record(), LeaderEpoch::ZERO, now_ms).unwrap();
    log.roll().unwrap();
    partition.checkpoint().unwrap();
    assert_eq!(log.delete_segments_below(Offset::new(1), now_ms).unwrap(), 1);
    Arc::clone(&broker).look_for_room().await;
    let files = std::fs::read_dir(log.dir()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(files.filter(|name| name.ends_with(".deleted")).count(), 0);
    broker.stop().await;
}

#[tokio::test]
async fn a_directory_and_a_catalog_that_do_not_know_each_other_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let broker = start(&path("one"), &path("one.db")).await.unwrap();
    let error = start(&path("one"), &path("other.db")).await.unwrap_err();
    assert!(matches!(error, StartError::DataDir(DataDirError::InUse { .. })), "{error}");
    let error = start(&path("other"), &path("one.db")).await.unwrap_err();
    assert!(matches!(error, StartError::OpenCatalog(_)), "{error}");
    broker.stop().await;
    drop(broker);

    let error = start(&path("empty"), &path("one.db")).await.unwrap_err();
    assert!(matches!(error, StartError::ForeignDirectory { .. }), "{error}");
    start(&path("two"), &path("two.db")).await.unwrap().stop().await;
    let error = start(&path("two"), &path("one.db")).await.unwrap_err();
    assert!(matches!(error, StartError::ForeignCluster { .. }), "{error}");

    let mut accepting = options(&path("empty"), &path("one.db"));
    accepting.settings =
        BrokerSettings::new(BTreeMap::from([("tidelog.accept.data.loss".to_owned(), "true".to_owned())])).unwrap();
    Broker::start(accepting, parts()).await.unwrap().stop().await;
    start(&path("empty"), &path("one.db")).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_partition_whose_folder_is_gone_is_refused_until_that_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let (data, catalog) = (folder.path().join("data"), folder.path().join("catalog.db"));
    let broker = start(&data, &catalog).await.unwrap();
    broker.create_topic(topic("a", 1), false).await.unwrap();
    let more = MorePartitions { name: "a".to_owned(), count: 2, assignments: None };
    assert!(broker.create_partitions(vec![more], false).await.pop().unwrap().is_ok());
    assert_eq!(produce(&broker, "a", 1).await, Offset::ZERO);
    let dir = broker.partition("a", 1).unwrap().log().dir().to_owned();
    broker.stop().await;
    drop(broker);
    for lost in [dir.clone(), data.join("topics/a")] {
        let elsewhere = folder.path().join("elsewhere");
        RealDisk.rename_durable(&lost, &elsewhere).unwrap();
        let error = start(&data, &catalog).await.unwrap_err().to_string();
        let names = ["of topic 'a'", "is missing or empty", "tidelog.accept.data.loss=true", "from offset 0 on"];
        assert!(names.iter().all(|name| error.contains(name)), "{error}");
        let _ = std::fs::remove_dir_all(&lost);
        RealDisk.rename_durable(&elsewhere, &lost).unwrap();
        let broker = start(&data, &catalog).await.expect("what is put back is as it was");
        assert_eq!(broker.partition("a", 1).unwrap().log().log_end_offset(), Offset::new(1));
        broker.stop().await;
    }
    std::fs::remove_dir_all(&dir).unwrap();
    let mut accepting = options(&data, &catalog);
    accepting.settings =
        BrokerSettings::new(BTreeMap::from([("tidelog.accept.data.loss".to_owned(), "true".to_owned())])).unwrap();
    Broker::start(accepting, parts()).await.unwrap().stop().await;
    let broker = start(&data, &catalog).await.expect("the loss is accepted once");
    let id = broker.topics().by_name("a").unwrap().id;
    broker.delete_topic(id).await.unwrap();
    broker.stop().await;
    assert_eq!(std::fs::read_dir(data.join("made")).unwrap().count(), 0, "a deleted topic is forgotten");
}

#[tokio::test]
async fn folders_that_the_catalog_does_not_know_are_kept_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let (data, catalog) = (folder.path().join("data"), folder.path().join("catalog.db"));
    std::fs::create_dir_all(data.join("topics/stray/id/0")).unwrap();
    std::fs::write(data.join("topics/stray/id/0/file"), b"kept").unwrap();
    start(&data, &catalog).await.unwrap().stop().await;
    let aside: Vec<_> = std::fs::read_dir(data.join("aside")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(std::fs::read(aside[0].join("0/file")).unwrap(), b"kept");
}

#[tokio::test]
async fn what_kafka_refuses_is_refused_in_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(&folder.path().join("data"), &folder.path().join("catalog.db")).await.unwrap();
    let error = async |wanted: NewTopic| broker.create_topic(wanted, true).await.unwrap_err().to_string();
    assert!(error(topic("", 1)).await.starts_with("Topic name is invalid"));
    assert!(error(topic("a", 0)).await.contains("non-positive"));
    assert!(error(NewTopic { replication_factor: Some(3), ..topic("a", 1) }).await.contains("only 1 broker(s)"));
    broker.create_topic(topic("a.b", 1), false).await.unwrap();
    assert!(error(topic("a_b", 1)).await.contains("collides"));
    broker.create_topic(topic("fine", 1), true).await.unwrap();
    assert!(broker.topics().by_name("fine").is_none());
    let more = |count| MorePartitions { name: "a.b".to_owned(), count, assignments: None };
    let shrink = broker.create_partitions(vec![more(0)], false).await.pop().unwrap().unwrap_err().to_string();
    assert!(shrink.contains("would not be an increase"), "{shrink}");
    broker.stop().await;
}

fn row(topic: &CreatedTopic, name: &str, partitions: i32) -> NewTopicRow {
    NewTopicRow {
        id: topic.id,
        name: TopicName::parse(name).unwrap(),
        partitions,
        configs: BTreeMap::new(),
        leader: BrokerId(1),
        leader_epoch: 0,
        tiered: true,
    }
}

fn more(name: &str, count: i32) -> Vec<MorePartitions> {
    vec![MorePartitions { name: name.to_owned(), count, assignments: None }]
}

/// As if each commit had happened and its answer had been lost.
#[tokio::test]
async fn changes_that_were_made_without_a_word_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (data, catalog) = (folder.path().join("data"), folder.path().join("catalog.db"));
    let broker = start(&data, &catalog).await.unwrap();
    let gone = broker.create_topic(topic("gone", 1), false).await.unwrap();
    let partition = broker.partition("gone", 0).unwrap();
    broker.catalog.delete_topic(gone.id).await.unwrap();
    broker.delete_topic(gone.id).await.unwrap();
    assert!(broker.topics().by_name("gone").is_none() && broker.topics().by_id(gone.id).is_none());
    assert!(partition.append(&record(), Acks::Leader).is_err(), "nothing is acknowledged into a folder that goes");

    let new = CreatedTopic { id: ids::new_id(rand::random), ..gone };
    broker.catalog.create_topic(row(&new, "new", 2)).await.unwrap();
    assert!(matches!(broker.create_topic(topic("new", 2), false).await, Err(CreateTopicError::Exists(_))));
    assert_eq!(produce(&broker, "new", 1).await, Offset::ZERO);

    broker.catalog.add_partitions(row(&new, "new", 4), 2).await.unwrap();
    let fewer = broker.create_partitions(more("new", 3), false).await.pop().unwrap().unwrap_err();
    assert!(matches!(fewer, CreatePartitionsError::NoIncrease { have: 4, .. }), "{fewer}");
    broker.catalog.add_partitions(row(&new, "new", 5), 4).await.unwrap();
    broker.create_partitions(more("new", 5), false).await.pop().unwrap().unwrap();
    assert_eq!(produce(&broker, "new", 4).await, Offset::ZERO);

    // What nobody asks about again is seen by itself.
    let configs = BTreeMap::from([("retention.ms".to_owned(), "77".to_owned())]);
    broker.catalog.set_topic_configs(new.id, configs).await.unwrap();
    broker.settle().await;
    assert_eq!(broker.topics().by_name("new").unwrap().config.retention.total_ms, Some(77));
    broker.settle().await;
    broker.catalog.delete_topic(new.id).await.unwrap();
    broker.settle().await;
    assert!(!broker.topics().is_empty(), "there is no doubt any more: nobody asks");
    broker.doubt.raise();
    broker.settle().await;
    assert!(broker.topics().is_empty());
    // Its folders go, and then its row.
    while broker.catalog.topic(new.id).await.unwrap().is_some() {
        broker.clock().sleep(Duration::from_millis(2)).await;
    }
    assert!(!data.join("topics/new").try_exists().unwrap());
    broker.stop().await;
}

/// The commit has happened and its answer is lost; or it has happened long after whoever asked gave up.
#[tokio::test]
async fn settings_of_the_broker_that_were_changed_without_a_word_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (data, catalog) = (folder.path().join("data"), folder.path().join("catalog.db"));
    let broker = start(&data, &catalog).await.unwrap();
    broker.create_topic(topic("a", 1), false).await.unwrap();
    let max_bytes = || broker.topics().by_name("a").unwrap().config.message.max_bytes;
    let set = |value| ConfigChanges::set([("message.max.bytes", value)]);
    broker.catalog.lose_next_answer();
    broker.alter_broker_configs(BrokerScope::This, &set("5000"), false).await.expect("the catalog has it");
    assert_eq!((broker.settings().number("message.max.bytes"), max_bytes()), (5000, 5000));

    let late = |value: &str| BTreeMap::from([("message.max.bytes".to_owned(), value.to_owned())]);
    broker.catalog.set_broker_configs(Some(broker.id()), late("6000")).await.unwrap();
    broker.settle().await;
    assert_eq!((broker.settings().number("message.max.bytes"), max_bytes()), (6000, 6000));
    broker.catalog.set_broker_configs(Some(broker.id()), BTreeMap::new()).await.unwrap();
    broker.catalog.set_broker_configs(None, late("7000")).await.unwrap();
    broker.doubt.raise();
    broker.settle().await;
    assert_eq!(max_bytes(), 7000);
    broker.stop().await;
}

#[tokio::test]
async fn partitions_whose_logs_cannot_be_made_are_made_as_soon_as_they_can() {
    let folder = tempfile::tempdir().unwrap();
    let (data, catalog) = (folder.path().join("data"), folder.path().join("catalog.db"));
    let broker = start(&data, &catalog).await.unwrap();
    let created = broker.create_topic(topic("a", 1), false).await.unwrap();
    let in_the_way = data.join(format!("topics/a/{}/1", created.id));
    std::fs::write(&in_the_way, b"").unwrap();
    for _ in 0..2 {
        let error = broker.create_partitions(more("a", 2), false).await.pop().unwrap().unwrap_err();
        assert!(matches!(error, CreatePartitionsError::Open(_)), "{error}");
    }
    assert_eq!(broker.topics().by_name("a").unwrap().partitions.len(), 1);
    std::fs::remove_file(&in_the_way).unwrap();
    broker.settle().await;
    assert_eq!(produce(&broker, "a", 1).await, Offset::ZERO);
    broker.stop().await;
}

/// What `asked` answers; nothing where it was dropped before that, having been polled so often.
async fn hung_up_after<T>(polls: usize, asked: impl Future<Output = T>) -> Option<T> {
    let mut asked = std::pin::pin!(asked);
    let mut left = polls;
    std::future::poll_fn(|context| {
        left -= 1;
        match asked.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn until(broker: &Broker, what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..5_000 {
        if is_so().await {
            return;
        }
        broker.clock().sleep(Duration::from_millis(2)).await;
    }
    panic!("{what}: not after 10 s");
}

/// Wherever whoever asked is dropped, catalog and registry come together, and nobody has to ask again.
#[tokio::test]
async fn a_change_whose_client_hangs_up_comes_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (data, catalog) = (folder.path().join("data"), folder.path().join("catalog.db"));
    let broker = start(&data, &catalog).await.unwrap();
    for polls in 1.. {
        let name = format!("t{polls}");
        let mut answers = Vec::new();
        answers.push(hung_up_after(polls, broker.create_topic(topic(&name, 1), false)).await.is_some());
        until(&broker, "the topic", async || broker.partition(&name, 0).is_some()).await;
        let id = broker.topics().by_name(&name).unwrap().id;
        answers.push(hung_up_after(polls, broker.create_partitions(more(&name, 2), false)).await.is_some());
        until(&broker, "its partition", async || broker.partition(&name, 1).is_some()).await;
        assert_eq!(produce(&broker, &name, 1).await, Offset::ZERO);

        let set = |name, value| ConfigChanges::set([(name, value)]);
        let kept = set("retention.ms", "77");
        answers.push(hung_up_after(polls, broker.alter_topic_configs(&name, &kept, false)).await.is_some());
        let total_ms = || broker.topics().by_id(id).unwrap().config.retention.total_ms;
        until(&broker, "its settings", async || total_ms() == Some(77)).await;
        let max_bytes = (5_000 + polls).to_string();
        let largest = set("message.max.bytes", max_bytes.as_str());
        let altered = broker.alter_broker_configs(BrokerScope::This, &largest, false);
        answers.push(hung_up_after(polls, altered).await.is_some());
        let effective = || broker.settings().effective("message.max.bytes").unwrap_or_default();
        until(&broker, "the broker's settings", async || effective() == max_bytes).await;

        answers.push(hung_up_after(polls, broker.delete_topic(id)).await.is_some());
        until(&broker, "its end", async || broker.topics().by_id(id).is_none()).await;
        let has_row = async || broker.catalog.topic(id).await.unwrap().is_some();
        until(&broker, "the end of its row", async || !has_row().await).await;
        assert!(!data.join("topics").join(&name).try_exists().unwrap());
        if answers.iter().all(|answered| *answered) {
            assert!(polls > 1, "nobody was dropped");
            break;
        }
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_stop_leaves_a_change_to_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (data, catalog) = (folder.path().join("data"), folder.path().join("catalog.db"));
    let broker = start(&data, &catalog).await.unwrap();
    let row = NewTopicRow {
        id: TopicId::from_uuid(uuid::Uuid::from_u128(7)),
        name: TopicName::parse("a").unwrap(),
        partitions: 2,
        configs: BTreeMap::new(),
        leader: broker.id(),
        leader_epoch: 0,
        tiered: true,
    };
    // A change that has committed, and would never come to its end.
    let (committed, reached) = tokio::sync::oneshot::channel();
    let change = move |broker: Arc<Broker>, turn| {
        async move {
            let _turn = turn;
            broker.catalog.create_topic(row).await.unwrap();
            committed.send(()).unwrap();
            std::future::pending::<()>().await;
        }
        .boxed()
    };
    let asked = Arc::clone(&broker);
    let asked = tokio::spawn(async move { asked.whole(change).await });
    reached.await.unwrap();
    let waiting = Arc::clone(&broker);
    let waiting = tokio::spawn(async move { waiting.create_topic(topic("waiting", 1), false).await });
    tokio::task::yield_now().await;
    tokio::select! {
        () = broker.stop() => {}
        () = broker.clock().sleep(Duration::from_secs(20)) => panic!("a change keeps the broker from stopping"),
    }
    assert!(matches!(asked.await.unwrap(), Err(StorageError::Closed)));
    let waiting = waiting.await.unwrap();
    assert!(matches!(waiting, Err(CreateTopicError::Catalog(StorageError::Closed))), "{waiting:?}");
    drop(broker);
    let broker = start(&data, &catalog).await.unwrap();
    let topics = broker.topics();
    assert_eq!(topics.by_name("a").map(|found| found.partitions.len()), Some(2));
    assert!(topics.by_name("waiting").is_none(), "it had not begun");
    produce(&broker, "a", 1).await;
    broker.stop().await;
}

#[tokio::test]
async fn a_stop_checkpoints_the_logs_before_it_waits_for_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(&folder.path().join("data"), &folder.path().join("catalog.db")).await.unwrap();
    broker.create_topic(topic("a", 1), false).await.unwrap();
    produce(&broker, "a", 0).await;
    let partition = broker.partition("a", 0).unwrap();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    broker.tasks.spawn(async move { ended.await.unwrap() });
    broker.stopping.cancel();
    assert!(partition.log().needs_checkpoint());
    let stopping = Arc::clone(&broker);
    let stopping = tokio::spawn(async move { stopping.stop().await });
    until(&broker, "the checkpoint", async || !partition.log().needs_checkpoint()).await;
    assert!(!stopping.is_finished());
    end.send(()).unwrap();
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_change_that_panics_leaves_a_doubt() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(&folder.path().join("data"), &folder.path().join("catalog.db")).await.unwrap();
    let created = broker.create_topic(topic("a", 1), false).await.unwrap();
    let changing = Arc::clone(&broker);
    let asked = tokio::spawn(async move {
        let change = |broker: Arc<Broker>, _turn| {
            async move {
                broker.catalog.delete_topic(created.id).await.unwrap();
                panic!("behind the commit")
            }
            .boxed()
        };
        changing.whole::<()>(change).await
    });
    assert!(asked.await.unwrap_err().is_panic(), "whoever asked is told");
    assert!(broker.topics().by_name("a").is_some());
    broker.settle().await;
    assert!(broker.topics().is_empty());
    broker.stop().await;
}

#[tokio::test]
async fn a_round_of_retention_ends_with_the_broker() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(&folder.path().join("data"), &folder.path().join("catalog.db")).await.unwrap();
    let configs = BTreeMap::from([("retention.ms".to_owned(), "1000".to_owned())]);
    broker.create_topic(NewTopic { configs, ..topic("a", 1) }, false).await.unwrap();
    let log_start = || broker.partition("a", 0).unwrap().watermarks().log_start;
    produce(&broker, "a", 0).await;
    Arc::clone(&broker).retain().await;
    assert_eq!(log_start(), Offset::new(1), "its record is of long ago");
    produce(&broker, "a", 0).await;
    broker.stopping.cancel();
    Arc::clone(&broker).retain().await;
    assert_eq!(log_start(), Offset::new(1));
    broker.stop().await;
}
