//! The catalog's operations, over SQLite; `tests/catalog/` runs the same rules over both databases.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::Connection as _;
use ulid::Ulid;
use uuid::Uuid;

use super::*;
use crate::clock::ManualClock;
use crate::disk::RealDisk;
use crate::model::{BrokerId, LeaderEpoch, Offset, TopicId, TopicName, TopicPartition};

async fn open(folder: &std::path::Path) -> Result<Catalog, OpenError> {
    let url = format!("sqlite://{}/catalog.db", folder.display());
    Catalog::open(&url, &CatalogOptions::default(), Arc::new(RealDisk), ManualClock::new(1_000)).await
}

fn topic(name: &str, id: u128) -> NewTopicRow {
    NewTopicRow {
        id: TopicId::from_uuid(Uuid::from_u128(id)),
        name: TopicName::parse(name).unwrap(),
        partitions: 2,
        configs: BTreeMap::from([("retention.ms".to_owned(), "5".to_owned())]),
        leader: BrokerId(1),
        leader_epoch: 0,
        tiered: true,
    }
}

fn segment(tp: TopicPartition, base: i64, end: i64, epoch: i32) -> NewSegmentRow {
    let id = Ulid::from_parts(1, u128::from(u64::try_from(base).unwrap()));
    NewSegmentRow {
        id,
        tp,
        base: Offset::new(base),
        end: Offset::new(end),
        leader_epoch: LeaderEpoch::new(epoch),
        generation: 0,
        object_key: format!("key-{base}"),
        incarnation: 1,
        start_number: 1,
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart_and_names_are_unique() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = open(folder.path()).await.unwrap();
    let cluster = catalog.cluster("first").await.unwrap();
    assert_eq!((cluster.cluster_id.as_str(), cluster.start_number), ("first", 0));
    assert_eq!(catalog.cluster("second").await.unwrap().cluster_id, "first");
    catalog.create_topic(topic("a", 1)).await.unwrap();
    assert!(matches!(catalog.create_topic(topic("a", 2)).await, Err(TopicError::Exists(_))));
    assert_eq!(catalog.take_producer_ids(1000, 0).await.unwrap().0, 1 << 40);
    assert_eq!(catalog.take_producer_ids(1000, 0).await.unwrap().0, (1 << 40) + 1000);
    let Err(OpenError::InUse { holder, .. }) = open(folder.path()).await else { panic!("opened twice") };
    assert!(holder.contains("process"), "{holder}");
    catalog.close().await;

    let catalog = open(folder.path()).await.unwrap();
    assert_eq!(catalog.raise_start_number().await.unwrap().start_number, 1);
    let rows = catalog.raise_leader_epochs(BrokerId(1)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.leader_epoch.get()).collect::<Vec<_>>(), [1, 1]);
    let topics = catalog.topics().await.unwrap();
    assert_eq!(topics.len(), 1);
    assert_eq!(topics[0].configs["retention.ms"], "5");
    catalog.delete_topic(topics[0].id).await.unwrap();
    catalog.create_topic(topic("a", 2)).await.unwrap();
    assert!(catalog.purge_topic(topics[0].id).await.unwrap());
    assert_eq!(catalog.topics().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_append_is_fenced_and_contiguous() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = open(folder.path()).await.unwrap();
    catalog.cluster("c").await.unwrap();
    catalog.create_topic(topic("a", 1)).await.unwrap();
    let tp = TopicPartition::new(topic("a", 1).id, 0);
    let content = SegmentContent { record_count: 1, log_size_bytes: 7, ..SegmentContent::default() };
    let commit = |row: NewSegmentRow| catalog.append_segment(row, content.clone());

    catalog.insert_writing(segment(tp, 0, 9, 0)).await.unwrap();
    catalog.insert_writing(segment(tp, 20, 29, 0)).await.unwrap();
    assert!(matches!(catalog.insert_writing(segment(tp, 1, 2, 5)).await, Err(FencedError::Fenced { .. })));
    assert!(matches!(commit(segment(tp, 20, 29, 0)).await, Err(CommitError::NotContiguous { .. })));
    assert_eq!(commit(segment(tp, 0, 9, 0)).await.unwrap().tiered_to, Some(Offset::new(10)));
    assert!(matches!(commit(segment(tp, 0, 9, 0)).await, Err(CommitError::NotContiguous { .. })));

    // The log start moves into a range that is being written: the row covers what is left.
    catalog.advance_log_start(tp, LeaderEpoch::ZERO, Offset::new(25)).await.unwrap();
    assert_eq!(commit(segment(tp, 20, 29, 0)).await.unwrap().tiered_to, Some(Offset::new(30)));
    let live = catalog.live_segments(tp, Offset::ZERO, 10).await.unwrap();
    assert_eq!(live.iter().map(|row| (row.head.base.get(), row.head.end.get())).collect::<Vec<_>>(), [(25, 29)]);
    let ended = catalog.segments_in_state(SegmentState::Deleting, i64::MAX, 10).await.unwrap();
    assert_eq!(ended.len(), 1);
    assert!(!catalog.remove_segment_row(live[0].head.id).await.unwrap(), "a live row stays");
    assert!(catalog.remove_segment_row(ended[0].head.id).await.unwrap());
    assert_eq!(catalog.segment_totals(tp).await.unwrap().count, 1);

    catalog.raise_leader_epochs(BrokerId(1)).await.unwrap();
    assert!(matches!(commit(segment(tp, 30, 39, 0)).await, Err(CommitError::Fenced { .. })));
    assert!(matches!(
        catalog.advance_log_start(tp, LeaderEpoch::ZERO, Offset::new(99)).await,
        Err(FencedError::Fenced { .. })
    ));
}

#[tokio::test]
async fn many_callers_share_a_commit_and_a_refusal_undoes_one_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = open(folder.path()).await.unwrap();
    catalog.cluster("c").await.unwrap();
    let before = catalog.commits().unwrap();
    let calls = (0..100u128).map(|n| {
        let catalog = catalog.clone();
        let name = format!("t{}", n % 50);
        async move { catalog.create_topic(topic(&name, n + 1)).await }
    });
    let answers = futures::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 50);
    assert_eq!(catalog.topics().await.unwrap().len(), 50);
    assert!(catalog.commits().unwrap() - before < 50, "commits are shared");
}

#[tokio::test]
async fn a_commit_is_stable_when_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = open(folder.path()).await.unwrap();
    // By the connection that commits: each has its own.
    let set: writer::Work<(), (i64, String), StorageError> = |session, ()| {
        Box::pin(async move {
            let level = session.row("PRAGMA synchronous", &[]).await?.unwrap().int("synchronous")?;
            let journal = session.row("PRAGMA journal_mode", &[]).await?.unwrap().text("journal_mode")?;
            Ok((level, journal))
        })
    };
    // 2 is FULL: the log of commits is synced at each of them, not only before it is folded into the file.
    assert_eq!(catalog.write((), set).await.unwrap(), (2, "wal".to_owned()));
    catalog.close().await;
}

#[tokio::test]
async fn after_a_clean_stop_the_file_alone_is_the_catalog() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let catalog = open(folder.path()).await.unwrap();
    catalog.cluster("c").await.unwrap();
    catalog.create_topic(topic("a", 1)).await.unwrap();
    assert_eq!(catalog.topics().await.unwrap().len(), 1);
    assert!(folder.path().join("catalog.db-wal").try_exists().unwrap());
    catalog.close().await;
    assert!(!folder.path().join("catalog.db-wal").try_exists().unwrap());
    std::fs::copy(folder.path().join("catalog.db"), elsewhere.path().join("catalog.db")).unwrap();
    let copy = open(elsewhere.path()).await.unwrap();
    assert_eq!(copy.known_cluster().await.unwrap().unwrap().cluster_id, "c");
    assert_eq!(copy.topics().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_database_that_another_process_has_locked() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/catalog.db", folder.path().display());
    let clock = ManualClock::new(1_000);
    let catalog =
        Catalog::open(&url, &CatalogOptions::default(), Arc::new(RealDisk), Arc::<ManualClock>::clone(&clock))
            .await
            .unwrap();
    catalog.cluster("c").await.unwrap();
    let mut other = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let (write, again) = (catalog.clone(), catalog.clone());
    let write = tokio::spawn(async move { write.take_producer_ids(1_000, 0).await });
    catalog.begin_stop();
    while !write.is_finished() {
        clock.advance(stop_bound::STOP_WAITS);
        tokio::task::yield_now().await;
    }
    let given_up = |answer| matches!(answer, Err(StorageError::OutcomeUnknown(why)) if why.contains("stops"));
    assert!(given_up(write.await.unwrap()));
    assert!(given_up(again.take_producer_ids(1_000, 0).await), "the clock stands still: at once");
    catalog.close().await;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
}
