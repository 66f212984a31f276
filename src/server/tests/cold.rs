//! Fetch and ListOffsets over both tiers, over the wire.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{FetchRequest, FetchResponse, ListOffsetsRequest};

use super::bench::{Bench, batch, fetch, produce, topic};
use super::wire::Wire;
use crate::model::Offset;
use crate::object_storage::{Effect, ErrorKind, Fault, ObjectKey, Operation};
use crate::record::Batches;

/// Long enough for a machine that is busy; whoever waits so long fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nothing stays on local disk that is in the bucket, and everything happens at once.
const AT_ONCE: [(&str, &str); 5] = [
    ("log.retention.ms", "-1"),
    ("log.local.retention.ms", "0"),
    ("log.segment.delete.delay.ms", "0"),
    ("log.retention.check.interval.ms", "10"),
    ("remote.log.manager.task.interval.ms", "10"),
];

/// `orders-0` with nine records in the bucket only, and three behind them on local disk.
async fn bench() -> (Bench, Wire) {
    let bench = Bench::with_settings(&AT_ONCE).await;
    let mut wire = bench.connect().await;
    let partition = bench.broker.partition("orders", 0).unwrap();
    for values in [["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]] {
        wire.call(&produce(-1, 9, batch(&values)), 9).await;
        partition.log().roll().unwrap();
    }
    wire.call(&produce(-1, 9, batch(&["j", "k", "l"])), 9).await;
    until(&bench, || partition.log().local_start_offset() == Offset::new(9)).await;
    (bench, wire)
}

async fn until(bench: &Bench, holds: impl Fn() -> bool) {
    let clock = bench.broker.clock();
    let late = clock.monotonic() + PATIENCE;
    while !holds() {
        assert!(clock.monotonic() < late, "{:?}", bench.broker.tiers().status());
        clock.sleep(Duration::from_millis(2)).await;
    }
}

/// Offset and value of every record that a partition got.
fn values(response: &FetchResponse, place: usize) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    let bytes = response.responses[0].partitions[place].records.clone().unwrap_or_default();
    for one in Batches::new(&bytes) {
        let one = one.unwrap();
        one.verify_crc().unwrap();
        for record in &one.records().unwrap() {
            let record = record.unwrap();
            let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
            all.push((record.offset.get(), value));
        }
    }
    all
}

fn code(response: &FetchResponse, place: usize) -> i16 {
    response.responses[0].partitions[place].error_code
}

#[tokio::test]
async fn a_client_that_begins_at_zero_gets_every_record_from_both_tiers() {
    let (_bench, mut wire) = bench().await;
    for version in [4, 11, 12, 18] {
        let mut seen = Vec::new();
        let mut at = 0;
        while at < 12 {
            let response = wire.call(&fetch(version, &[(0, at)], 5_000), version).await;
            assert_eq!(code(&response, 0), 0);
            assert_eq!(response.responses[0].partitions[0].high_watermark, 12);
            if version >= 5 {
                assert_eq!(response.responses[0].partitions[0].log_start_offset, 0);
            }
            let got = values(&response, 0);
            assert!(!got.is_empty(), "nothing at {at}");
            let next = got.last().unwrap().0 + 1;
            seen.extend(got.into_iter().filter(|(offset, _)| *offset >= at));
            at = next;
        }
        let letters: String = seen.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(letters, "abcdefghijkl", "version {version}");
        assert!(seen.iter().map(|(offset, _)| *offset).eq(0..12));
    }
}

#[tokio::test]
async fn a_bucket_that_hangs_delays_no_hot_partition_and_is_never_out_of_range() {
    let (bench, mut wire) = bench().await;
    let hot = bench.broker.partition("orders", 1).unwrap();
    let mut to_hot = produce(-1, 9, batch(&["hot"]));
    to_hot.topic_data[0].partition_data[0].index = 1;
    wire.call(&to_hot, 9).await;
    assert_eq!(hot.watermarks().high_watermark, Offset::new(1));
    bench.plan.add(Fault::new(Effect::BlackHole).on(Operation::Read));

    // The cold one first: the client waits for neither.
    let response = wire.call(&fetch(12, &[(0, 0), (1, 0)], 60_000), 12).await;
    assert_eq!((code(&response, 0), code(&response, 1)), (0, 0));
    assert_eq!(values(&response, 0), []);
    assert_eq!(values(&response, 1), [(0, "hot".to_owned())]);

    // Alone it is given what the fetch allows, and then nothing, but no error that makes a client start elsewhere.
    let response = wire.call(&fetch(12, &[(0, 0)], 50), 12).await;
    assert_eq!((code(&response, 0), values(&response, 0)), (0, Vec::new()));

    bench.plan.release();
    let response = wire.call(&fetch(12, &[(0, 0)], 5_000), 12).await;
    assert_eq!(values(&response, 0)[0], (0, "a".to_owned()));
}

#[tokio::test]
async fn a_bucket_that_fails_or_lies_gives_an_error_that_clients_come_back_after() {
    let (bench, mut wire) = bench().await;
    for (effect, expected) in [
        (Effect::Fail(ErrorKind::Unavailable), 0),
        (Effect::FlipBit(20), ResponseError::KafkaStorageError.code()),
        (Effect::Fail(ErrorKind::NotFound), ResponseError::KafkaStorageError.code()),
        (Effect::Fail(ErrorKind::Denied), ResponseError::KafkaStorageError.code()),
        // The third that is no trouble of the bucket's.
        (Effect::Truncate(3), ResponseError::UnknownServerError.code()),
    ] {
        bench.plan.add(Fault::new(effect.clone()).on(Operation::Read));
        let response = wire.call(&fetch(12, &[(0, 3)], 400), 12).await;
        assert_eq!(code(&response, 0), expected, "{effect:?}");
        assert_eq!(values(&response, 0), [], "{effect:?}");
        bench.plan.release();
    }
    let response = wire.call(&fetch(12, &[(0, 3)], 5_000), 12).await;
    assert_eq!(values(&response, 0)[0], (3, "d".to_owned()));
}

#[tokio::test]
async fn a_damaged_object_is_told_to_clients_that_ask_again_and_to_the_operator_and_passes_when_it_is_put_back() {
    for what in ["flipped", "cut", "empty", "another", "gone"] {
        let (bench, mut wire) = bench().await;
        let status = || bench.broker.tiers().status()[0].damaged.clone();
        let is_data = |(key, _): &(String, bytes::Bytes)| key.starts_with("topics/");
        let objects: Vec<_> = bench.store.objects().into_iter().filter(is_data).collect();
        let (key, good) = (ObjectKey::parse(&objects[1].0).unwrap(), objects[1].1.clone());
        match what {
            "flipped" => bench.store.overwrite(&key, good.iter().map(|byte| byte ^ 1).collect()),
            "cut" => bench.store.overwrite(&key, good.slice(..good.len() / 2)),
            "empty" => bench.store.overwrite(&key, bytes::Bytes::new()),
            "another" => bench.store.overwrite(&key, objects[0].1.clone()),
            _ => bench.broker.tiers().bucket().delete(&key).await.unwrap(),
        }
        let mut codes = Vec::new();
        for _ in 0..4 {
            let response = wire.call(&fetch(12, &[(0, 3)], 400), 12).await;
            assert_eq!(values(&response, 0), [], "{what}");
            codes.push(code(&response, 0));
        }
        // Quietly at first, and then so that clients show it; never so that they go elsewhere.
        let (quiet, shown) = (ResponseError::KafkaStorageError.code(), ResponseError::UnknownServerError.code());
        assert_eq!(codes, [quiet, quiet, shown, shown], "{what}");
        assert!(status().len() == 1 && status()[0].contains(key.as_str()), "{what}: {:?}", status());
        let response = wire.call(&fetch(12, &[(0, 6)], 5_000), 12).await;
        assert_eq!(values(&response, 0)[0], (6, "g".to_owned()), "{what}: what follows is not concerned");
        bench.store.overwrite(&key, good);
        let response = wire.call(&fetch(12, &[(0, 3)], 5_000), 12).await;
        assert_eq!(values(&response, 0)[0], (3, "d".to_owned()), "{what}");
        assert!(status().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn offsets_are_listed_over_both_tiers() {
    let (_bench, mut wire) = bench().await;
    // Timestamps are 1_700_000_000_000 + the place in the batch: the first record of all that has the greatest is 2.
    for (timestamp, offset, at) in [
        (-1, 12, -1),
        (-2, 0, -1),
        (-3, 2, 1_700_000_000_002),
        (-4, 9, -1),
        (-5, 8, -1),
        (1_700_000_000_000, 0, 1_700_000_000_000),
        (1_700_000_000_001, 1, 1_700_000_000_001),
        (1_700_000_000_003, -1, -1),
    ] {
        let partition = ListOffsetsPartition::default().with_partition_index(0).with_timestamp(timestamp);
        let asked = ListOffsetsTopic::default().with_name(topic("orders")).with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![asked]);
        let response = wire.call(&request, 9).await;
        let found = &response.topics[0].partitions[0];
        assert_eq!((found.error_code, found.offset, found.timestamp), (0, offset, at), "{timestamp}");
        assert_eq!(found.leader_epoch, if offset < 0 { -1 } else { 1 }, "{timestamp}");
    }
}

fn list_offsets(partitions: &[i32], timestamp: i64) -> ListOffsetsRequest {
    let one = |number: &i32| ListOffsetsPartition::default().with_partition_index(*number).with_timestamp(timestamp);
    let asked =
        ListOffsetsTopic::default().with_name(topic("orders")).with_partitions(partitions.iter().map(one).collect());
    ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![asked])
}

#[tokio::test]
async fn offsets_of_many_partitions_are_asked_of_the_bucket_side_by_side_and_in_one_time() {
    let (bench, mut wire) = bench().await;
    let second = bench.broker.partition("orders", 1).unwrap();
    let mut to_second = produce(-1, 9, batch(&["m", "n", "o"]));
    to_second.topic_data[0].partition_data[0].index = 1;
    wire.call(&to_second, 9).await;
    second.log().roll().unwrap();
    until(&bench, || second.log().local_start_offset() == Offset::new(3)).await;
    bench.plan.add(Fault::new(Effect::BlackHole).on(Operation::Read));

    let clock = bench.broker.clock();
    wire.send(&list_offsets(&[0, 1], 1_700_000_000_001), 9).await;
    tokio::select! {
        () = bench.plan.hanging(2) => {}
        () = clock.sleep(PATIENCE) => panic!("one waits for the other"),
    }
    wire.receive::<ListOffsetsRequest>(9, 0).await;

    // In the time that the client gives, and not in that of the bucket.
    let request = list_offsets(&[0, 1], 1_700_000_000_001).with_timeout_ms(1);
    let response = wire.call(&request, 10).await;
    let codes: Vec<i16> = response.topics[0].partitions.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [ResponseError::RequestTimedOut.code(); 2]);
    bench.plan.release();
    let response = wire.call(&list_offsets(&[0, 1], 1_700_000_000_001), 9).await;
    let offsets: Vec<i64> = response.topics[0].partitions.iter().map(|one| one.offset).collect();
    assert_eq!(offsets, [1, 1]);
}

#[tokio::test]
async fn a_fetch_of_many_cold_partitions_begins_no_more_reads_than_it_can_use() {
    let bench = Bench::with_patience(&AT_ONCE, PATIENCE).await;
    bench.add_topic("many", 2, 6, &[]).await;
    let mut wire = bench.connect().await;
    for number in 0..6 {
        let mut one = produce(-1, 9, batch(&["x"]));
        one.topic_data[0].name = topic("many");
        one.topic_data[0].partition_data[0].index = number;
        wire.call(&one, 9).await;
        let partition = bench.broker.partition("many", number).unwrap();
        partition.log().roll().unwrap();
        until(&bench, || partition.log().local_start_offset() == Offset::new(1)).await;
    }
    let asked = |wanted: &[i32]| {
        let from: Vec<_> = wanted.iter().map(|number| (*number, 0)).collect();
        let mut request = fetch(12, &from, 10_000);
        request.topics[0].topic = topic("many");
        request
    };
    let mut missing: Vec<i32> = (0..6).collect();
    bench.plan.add(Fault::new(Effect::BlackHole).on(Operation::Read));
    wire.send(&asked(&missing), 12).await;
    // An eighth of the cache, which is 256 MiB, has room for four row groups.
    bench.plan.hanging(4).await;
    bench.connect().await.call(&fetch(12, &[(1, 0)], 50), 12).await;
    assert_eq!(bench.plan.met(), 4);
    bench.plan.release();
    let mut response = wire.receive::<FetchRequest>(12, 0).await;
    loop {
        let before = missing.len();
        let partitions = &response.responses[0].partitions;
        let seen: Vec<i32> = partitions
            .iter()
            .filter(|one| one.records.as_ref().is_some_and(|records| !records.is_empty()))
            .map(|one| one.partition_index)
            .collect();
        missing.retain(|number| !seen.contains(number));
        if missing.is_empty() {
            break;
        }
        assert!(missing.len() < before, "nothing came");
        response = wire.call(&asked(&missing), 12).await;
    }
}
