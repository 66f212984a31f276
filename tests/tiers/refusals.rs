//! Catalog and bucket that do not belong together: each refusal names the thing and the remedy, and changes nothing.

use std::path::Path;

use bytes::Bytes;
use sqlx::Connection as _;
use tidelog::broker::{ProducerIdError, StartError};
use tidelog::catalog::producer_number;
use tidelog::disk::with_suffix;
use tidelog::log::LogError;
use tidelog::model::Offset;
use tidelog::object_storage::{Effect, ErrorKind, Fault, ObjectKey, key};
use tidelog::tiering::cluster_file::{BucketRefused, PRODUCER_NUMBERS};

use crate::home::{Home, create, segment};

async fn refused(home: &Home, data: &str, catalog: &str) -> BucketRefused {
    let before = home.store.objects();
    match home.try_start(data, catalog).await {
        Err(StartError::Bucket(refused)) => {
            assert_eq!(home.store.objects(), before, "nothing was changed in the bucket");
            refused
        }
        other => panic!("not refused: {:?}", other.map(drop)),
    }
}

/// A copy of a SQLite file, with what is not folded into it yet.
fn copy_catalog(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let (from, to) = (with_suffix(from, suffix), with_suffix(to, suffix));
        if from.try_exists().unwrap() {
            std::fs::copy(from, to).unwrap();
        }
    }
}

/// A broker that has put something into the bucket, and has stopped.
async fn lived_in() -> Home {
    let home = Home::new();
    let broker = home.start().await;
    let partition = create(&broker, "orders", &[]).await;
    segment(&partition).await;
    home.until(&broker, "an upload", async || !home.objects().is_empty()).await;
    home.until(&broker, "its commit", async || partition.log().local_start_offset().get() == 10).await;
    broker.stop().await;
    home
}

#[tokio::test]
async fn an_empty_catalog_beside_a_full_bucket() {
    let home = lived_in().await;
    let error = refused(&home, "empty-data", "empty.db").await;
    assert!(matches!(error, BucketRefused::EmptyCatalog { .. }), "{error}");
    for remedy in ["--catalog", "--bucket"] {
        assert!(error.to_string().contains(remedy), "{error}");
    }
    // Even without its control file a bucket with somebody's history is not an empty one.
    let cluster = key::cluster();
    let store = &home.store;
    let left: Vec<_> = store.objects().into_iter().filter(|(known, _)| known != cluster.as_str()).collect();
    let other = Home::new();
    for (known, bytes) in left {
        other.store.overwrite(&ObjectKey::parse(&known).unwrap(), bytes);
    }
    let error = refused(&other, "data", "catalog.db").await;
    assert!(matches!(error, BucketRefused::EmptyCatalog { .. }), "{error}");
    // Nor is it empty for the catalog that belongs to it.
    copy_catalog(&home.path("catalog.db"), &other.path("own.db"));
    assert!(
        std::process::Command::new("cp")
            .arg("-r")
            .args([home.path("data"), other.path("own-data")])
            .status()
            .unwrap()
            .success()
    );
    let error = refused(&other, "own-data", "own.db").await;
    assert!(matches!(error, BucketRefused::LostClusterFile { .. }), "{error}");
    assert!(error.to_string().contains("cluster.json") && !error.to_string().contains("is empty"), "{error}");
    home.start().await.stop().await;
}

#[tokio::test]
async fn a_catalog_that_was_put_back_from_a_copy() {
    let home = lived_in().await;
    copy_catalog(&home.path("catalog.db"), &home.path("copy.db"));
    home.start().await.stop().await;
    let error = refused(&home, "data", "copy.db").await;
    assert!(matches!(error, BucketRefused::OlderCatalog { ours: 1, theirs: 2, .. }), "{error}");
    assert!(error.to_string().contains("--catalog"), "{error}");
    home.start().await.stop().await;
}

/// A copy that is taken while a broker runs, as the README says.
async fn copy_of_a_running_catalog(from: &Path, to: &Path) {
    let url = format!("sqlite://{}", from.display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("VACUUM INTO $1").bind(to.to_str().unwrap()).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_catalog_that_was_put_back_from_a_copy_of_the_same_start() {
    let mut home = Home::new();
    let broker = home.start().await;
    let partition = create(&broker, "orders", &[]).await;
    copy_of_a_running_catalog(&home.path("catalog.db"), &home.path("copy.db")).await;
    segment(&partition).await;
    home.until(&broker, "its commit", async || partition.log().local_start_offset().get() == 10).await;
    broker.stop().await;
    drop((partition, broker));
    let before = home.store.objects();
    let error = home.try_start("data", "copy.db").await.map(drop).unwrap_err();
    assert!(matches!(&error, StartError::Partition { source: LogError::OlderCatalog { .. }, .. }), "{error}");
    for word in ["partition 0 of topic 'orders'", "below 10", "below 0", "--catalog", "tidelog.accept.data.loss=true"] {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    assert_eq!(home.store.objects(), before, "nothing was changed in the bucket");
    home.start().await.stop().await;

    copy_of_a_running_catalog(&home.path("catalog.db"), &home.path("newest.db")).await;
    let mut raw =
        sqlx::SqliteConnection::connect(&format!("sqlite://{}", home.path("newest.db").display())).await.unwrap();
    sqlx::raw_sql("UPDATE partitions SET tiered_to = 0; DELETE FROM remote_segments").execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    home.settings.insert("tidelog.accept.data.loss".to_owned(), "true".to_owned());
    let broker = home.try_start("data", "newest.db").await.unwrap();
    let partition = broker.partition("orders", 0).unwrap();
    let tier = partition.tier().unwrap();
    let skipped = tier.skip(Offset::new(10)).await.unwrap_err().to_string();
    assert!(skipped.contains("orders") && skipped.contains("does not know it"), "{skipped}");
    let object = ObjectKey::parse(&home.objects()[0]).unwrap();
    broker.tiers().bucket().delete(&object).await.unwrap();
    assert_eq!(tier.skip(Offset::new(10)).await.unwrap(), 10);
    broker.stop().await;
}

#[tokio::test]
async fn producer_ids_are_given_once_whatever_copy_of_the_catalog_is_put_back() {
    let home = Home::new();
    let broker = home.start().await;
    copy_of_a_running_catalog(&home.path("catalog.db"), &home.path("copy.db")).await;
    let mut given = vec![];
    for _ in 0..3 {
        given.push(broker.new_producer_id().await.unwrap());
    }
    broker.stop().await;
    drop(broker);
    let broker = home.try_start("data", "copy.db").await.unwrap();
    for _ in 0..3 {
        let id = broker.new_producer_id().await.unwrap();
        assert!(!given.contains(&id), "{id:?} is given again");
        given.push(id);
    }
    broker.stop().await;
}

/// The bucket is away while so many ids are given as were set aside: one more waits for it.
#[tokio::test]
async fn producer_ids_are_set_aside_in_the_bucket_before_they_are_given() {
    let home = Home::new();
    let broker = home.start().await;
    let below = || {
        let (_, bytes) = home.store.objects().into_iter().find(|(known, _)| known == key::cluster().as_str()).unwrap();
        let file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        file["producer_numbers_below"].as_i64().unwrap()
    };
    assert_eq!(below(), PRODUCER_NUMBERS);
    home.plan.add(Fault::new(Effect::Fail(ErrorKind::Unavailable)).below("_tidelog/"));
    let mut last = 0;
    for _ in 0..PRODUCER_NUMBERS {
        last = producer_number(broker.new_producer_id().await.unwrap());
    }
    assert_eq!((last, below()), (PRODUCER_NUMBERS - 1, PRODUCER_NUMBERS));
    let error = broker.new_producer_id().await.unwrap_err();
    assert!(matches!(error, ProducerIdError::Bucket(_)), "{error}");
    home.plan.clear();
    assert_eq!(producer_number(broker.new_producer_id().await.unwrap()), PRODUCER_NUMBERS, "none is left out");
    assert!(below() > PRODUCER_NUMBERS);
    broker.stop().await;
}

#[tokio::test]
async fn the_bucket_of_another_cluster() {
    let home = lived_in().await;
    let other = Home::new();
    other.start().await.stop().await;
    copy_catalog(&other.path("catalog.db"), &home.path("other.db"));
    let error = refused(&home, "other-data", "other.db").await;
    assert!(matches!(error, BucketRefused::ForeignCluster { .. }), "{error}");
    assert!(error.to_string().contains("--bucket"), "{error}");
}

#[tokio::test]
async fn a_bucket_that_a_newer_version_wrote() {
    let home = lived_in().await;
    let (_, bytes) = home.store.objects().into_iter().find(|(known, _)| known == key::cluster().as_str()).unwrap();
    let newer = String::from_utf8(bytes.to_vec()).unwrap().replace("\"format_version\": 1", "\"format_version\": 9");
    home.store.overwrite(&key::cluster(), Bytes::from(newer));
    let error = refused(&home, "data", "catalog.db").await.to_string();
    assert!(error.contains("format version 9") && error.contains("newer version"), "{error}");
    home.store.overwrite(&key::cluster(), Bytes::from_static(b"{ no json"));
    let error = refused(&home, "data", "catalog.db").await.to_string();
    assert!(error.contains("cluster.json"), "{error}");
}

#[tokio::test]
async fn the_wrong_bucket_for_a_catalog_that_names_objects() {
    let home = lived_in().await;
    let empty = Home::new();
    copy_catalog(&home.path("catalog.db"), &empty.path("catalog.db"));
    assert!(
        std::process::Command::new("cp")
            .arg("-r")
            .arg(home.path("data"))
            .arg(empty.path("data"))
            .status()
            .unwrap()
            .success()
    );
    let error = refused(&empty, "data", "catalog.db").await;
    assert!(matches!(error, BucketRefused::EmptyBucket { .. }), "{error}");
    assert!(error.to_string().contains("--bucket"), "{error}");
}

#[tokio::test]
async fn every_start_is_counted_in_catalog_and_bucket() {
    let home = Home::new();
    for start in 1..=3 {
        home.start().await.stop().await;
        let (_, bytes) = home.store.objects().into_iter().find(|(known, _)| known == key::cluster().as_str()).unwrap();
        let file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(file["start_number"], start);
    }
}
