//! Records that unfold to much more than a row group should, read and uploaded side by side.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::stage::{BASE_MS, Stage, config};
use crate::clock::Clock as _;
use crate::model::limits::{HUGE_BYTES, HUGE_HELD_BYTES};
use crate::model::{Codec, LeaderEpoch, Offset};
use crate::record::{BatchBuilder, BatchSpec};
use crate::tiering::{RemoteRecords, TieringOptions};

/// Two fit into the room there is, a third does not.
const EACH: usize = HUGE_HELD_BYTES / 8 * 3;
const COUNT: i64 = 4;

const _: () = assert!(EACH > HUGE_BYTES);

/// A partition of one such record a segment, all of them in the bucket alone.
async fn stage() -> Stage {
    let stage = Stage::with(config(), TieringOptions { cache_bytes: 64 << 20, ..TieringOptions::default() }).await;
    for number in 0..COUNT {
        let mut builder = BatchBuilder::new(BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, Codec::Zstd));
        let value = vec![u8::try_from(number).unwrap(); EACH];
        builder.push(Offset::ZERO, BASE_MS, None, Some(&value), [].into_iter()).unwrap();
        stage.append(&builder.build().unwrap());
        stage.log.log.roll().unwrap();
    }
    stage.upload_all().await;
    stage.drop_local().await;
    stage
}

#[tokio::test]
async fn what_was_read_takes_no_more_than_the_room_there_is_until_the_last_reply_has_gone() {
    let stage = stage().await;
    let taken = || stage.tiers.reader.huge.taken_bytes();
    let read = |from: i64| {
        let from = Offset::new(from);
        let reading = stage.log.read_remote(from);
        async move { (from, reading.await.unwrap()) }
    };
    let mut reads: FuturesUnordered<_> = (0..COUNT).map(read).collect();
    let mut replies = Vec::new();
    for _ in 0..2 {
        let (from, records) = reads.next().await.unwrap();
        let reply = stage.log.take(&records, from, 1, true);
        assert!(reply.len() == 1 && reply[0].len() > EACH, "it is there whole");
        assert!(taken() <= HUGE_HELD_BYTES as u64);
        replies.push(reply);
    }
    assert!(taken() >= 2 * EACH as u64, "what replies hold is counted: {}", taken());
    tokio::select! {
        _ = reads.next() => panic!("there is no room for a third while two replies are on their way"),
        () = stage.clock.sleep(Duration::from_millis(500)) => {}
    }
    assert!(stage.tiers.replies_are_waited_for(), "clients that take nothing are to make room");
    // Uploads do not wait for clients.
    stage.segment();
    let mut builder = BatchBuilder::new(BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, Codec::Zstd));
    builder.push(Offset::ZERO, 0, None, Some(&vec![0; HUGE_BYTES + 1]), [].into_iter()).unwrap();
    stage.append(&builder.build().unwrap());
    stage.log.log.roll().unwrap();
    stage.upload_all().await;
    while !replies.is_empty() {
        replies.remove(0);
        if let Some((from, records)) = reads.next().await {
            replies.push(stage.log.take(&records, from, 1, true));
            assert!(taken() <= HUGE_HELD_BYTES as u64);
        }
    }
    assert!(reads.is_empty());
    stage.tiers.close().await;
}

#[tokio::test]
async fn headers_whose_one_name_makes_a_batch_huge_take_room_too() {
    let stage = Stage::with(config(), TieringOptions { cache_bytes: 64 << 20, ..TieringOptions::default() }).await;
    let mut builder = BatchBuilder::new(BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, Codec::Zstd));
    let name = "n".repeat(HUGE_BYTES / 32);
    builder.push(Offset::ZERO, BASE_MS, None, None, (0..33).map(|_| (name.as_str(), None))).unwrap();
    stage.append(&builder.build().unwrap());
    stage.log.log.roll().unwrap();
    stage.upload_all().await;
    stage.drop_local().await;
    let records = stage.log.read_remote(Offset::ZERO).await.unwrap();
    let reply = stage.log.take(&records, Offset::ZERO, 1, true);
    assert!(reply[0].len() > HUGE_BYTES, "though its columns hold the name once");
    assert!(stage.tiers.reader.huge.taken_bytes() >= reply[0].len() as u64, "it is counted");
    assert!(stage.tiers.reader.weight() < HUGE_BYTES as u64, "and not cached");
    stage.tiers.close().await;
}

#[tokio::test]
async fn what_nobody_was_given_of_waits_for_who_asked_and_comes_back() {
    let stage = stage().await;
    let first: RemoteRecords = stage.log.read_remote(Offset::ZERO).await.unwrap();
    drop(first);
    let from = Offset::ZERO;
    let again = stage.log.read_cached(from).expect("it is kept, though larger than the cache");
    assert!(stage.tiers.reader.weight() < HUGE_BYTES as u64, "and not in it");
    let reply = stage.log.take(&again, from, 1, true);
    drop((again, reply));
    // Two more need the room that it has.
    let held: Vec<RemoteRecords> =
        [stage.log.read_remote(Offset::new(1)).await.unwrap(), stage.log.read_remote(Offset::new(2)).await.unwrap()]
            .into();
    assert!(stage.log.read_cached(from).is_none(), "somebody was given of it: it makes room");
    drop(held);
    stage.tiers.close().await;
}
