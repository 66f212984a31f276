//! A folder as a bucket: what is synced before it answers, and what a crash leaves.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;

use super::counting_disk::CountingDisk;
use crate::clock::SystemClock;
use crate::disk::{Disk, RealDisk};
use crate::object_storage::{Bucket, BucketOptions, ControlError, ErrorKind, Expect, ObjectKey, key};

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

async fn bucket(folder: &std::path::Path, disk: Arc<CountingDisk>) -> Bucket {
    let url = format!("file://{}", folder.display());
    let mut options = BucketOptions::default();
    options.upload.part_bytes = 4;
    Bucket::open(&url, options, disk, SystemClock::shared()).await.unwrap()
}

#[tokio::test]
async fn an_upload_answers_after_its_bytes_and_every_new_folder_are_synced() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(CountingDisk::default());
    let bucket = bucket(&folder.path().join("bucket"), Arc::clone(&disk)).await;
    disk.take();
    let name = key("topics/orders/x.parquet");
    let mut upload = bucket.begin_upload(&name).await.unwrap();
    assert_eq!(upload.upload_id().as_deref(), Some("1"));
    assert_eq!(disk.take(), ["mkdir topics", "sync_dir bucket", "mkdir orders", "sync_dir topics"]);
    upload.write(Bytes::from_static(b"0123456789")).await.unwrap();
    assert_eq!(disk.take(), [""; 0]);
    let uploaded = upload.finish().await.unwrap();
    assert_eq!((uploaded.size_bytes, uploaded.parts), (10, 3));
    assert_eq!(disk.take(), ["sync x.parquet#1", "rename x.parquet", "sync_dir orders"]);
    assert_eq!(bucket.get_range(&name, 3..9).await.unwrap().as_ref(), b"345678");

    bucket.delete(&name).await.unwrap();
    assert_eq!(disk.take(), ["remove x.parquet", "sync_dir orders"]);
    bucket.delete(&name).await.unwrap();
    assert_eq!(disk.take(), [""; 0]);
    assert!(!folder.path().join("bucket/topics").try_exists().unwrap(), "empty folders go with the last object");
}

#[tokio::test]
async fn a_control_file_is_replaced_whole_and_only_over_the_version_that_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(CountingDisk::default());
    let bucket = bucket(&folder.path().join("bucket"), Arc::clone(&disk)).await;
    let name = key::cluster();
    let first = bucket.write_control(&name, Bytes::from_static(b"1"), Expect::Absent).await.unwrap();
    disk.take();
    let second = bucket.write_control(&name, Bytes::from_static(b"2"), Expect::Version(first.clone())).await.unwrap();
    // Whoever made the folder may have died before it was stable.
    assert_eq!(disk.take(), ["sync_dir bucket", "sync cluster.json#1", "rename cluster.json", "sync_dir _tidelog"]);
    for stale in [Expect::Version(first), Expect::Absent] {
        let refused = bucket.write_control(&name, Bytes::from_static(b"3"), stale).await;
        assert!(matches!(refused, Err(ControlError::Conflict(_))), "{refused:?}");
    }
    assert_eq!(bucket.read_control(&name).await.unwrap(), Some((Bytes::from_static(b"2"), second)));
}

#[tokio::test]
async fn what_a_crash_leaves_is_not_listed_and_ends_by_id_or_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(CountingDisk::default());
    let before = bucket(folder.path(), Arc::clone(&disk)).await;
    let name = key("a/x.parquet");
    for (attempt, id) in ["1", "2"].iter().enumerate() {
        let mut upload = before.begin_upload(&name).await.unwrap();
        assert_eq!(upload.upload_id().as_deref(), Some(*id), "attempt {attempt}");
        upload.write(Bytes::from_static(b"0123456789")).await.unwrap();
    }
    let url = format!("file://{}", folder.path().display());
    let after = Bucket::open(&url, BucketOptions::default(), RealDisk::shared(), SystemClock::shared()).await.unwrap();
    assert_eq!(after.list(&key::all()).try_collect::<Vec<_>>().await.unwrap(), []);
    after.abort_upload(&name, "1").await.unwrap();
    after.abort_upload(&name, "1").await.unwrap();
    assert!(!folder.path().join("a/x.parquet#1").try_exists().unwrap());
    assert!(folder.path().join("a/x.parquet#2").try_exists().unwrap());
    after.delete(&name).await.unwrap();
    assert!(!folder.path().join("a").try_exists().unwrap());
}

#[tokio::test]
async fn listings_come_in_the_order_of_keys_and_go_on_over_pages() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = bucket(folder.path(), Arc::new(CountingDisk::default())).await;
    // Written by hand: two thousand synced writes would only be slow.
    let mut names: Vec<String> = (0..2_100).map(|number| format!("a/{}/{number:04}", number % 3)).collect();
    names.extend(["a.b", "a/0", "a!"].map(|name| format!("{name}/x")));
    for name in &names {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }
    names.sort();
    let listed: Vec<_> = bucket.list(&key::all()).try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|object| object.key.to_string()).collect::<Vec<_>>(), names);
    assert!(listed.iter().all(|object| object.size_bytes == object.key.as_str().len() as u64));
    let pages = bucket.counts().of(crate::object_storage::Operation::List).requests;
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn a_folder_whose_mount_is_away_is_no_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let (root, elsewhere) = (folder.path().join("bucket"), folder.path().join("elsewhere"));
    let url = format!("file://{}", root.display());
    let mut options = BucketOptions::default();
    let soon = std::time::Duration::from_millis(20);
    (options.retry.read_deadline, options.retry.control_deadline, options.retry.upload_deadline) = (soon, soon, soon);
    let disk = Arc::new(CountingDisk::default());
    let bucket = Bucket::open(&url, options, disk, SystemClock::shared()).await.unwrap();
    let (there, new) = (key("topics/orders/x.parquet"), key("topics/orders/y.parquet"));
    let mut upload = bucket.begin_upload(&there).await.unwrap();
    upload.write(Bytes::from_static(b"0123")).await.unwrap();
    upload.finish().await.unwrap();
    let mut begun = bucket.begin_upload(&new).await.unwrap();
    begun.write(Bytes::from_static(b"4567")).await.unwrap();

    RealDisk.rename(&root, &elsewhere).unwrap();
    for stands_there in [false, true] {
        if stands_there {
            RealDisk.create_dir(&root).unwrap();
        }
        let refused = [
            bucket.begin_upload(&key("topics/orders/z.parquet")).await.map(|_| ()).unwrap_err(),
            bucket.size(&there).await.map(|_| ()).unwrap_err(),
            bucket.get_range(&there, 0..4).await.map(|_| ()).unwrap_err(),
            bucket.delete(&there).await.unwrap_err(),
            bucket.read_control(&key::cluster()).await.map(|_| ()).unwrap_err(),
        ];
        for error in refused {
            assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut), "{error}");
        }
        bucket.write_control(&key::cluster(), Bytes::from_static(b"1"), Expect::Absent).await.unwrap_err();
        assert_eq!(RealDisk.try_exists(&root).unwrap(), stands_there, "it is not made");
    }
    assert!(RealDisk.read_dir(&root).unwrap().is_empty(), "nothing was written where the mount was");

    RealDisk.remove_dir(&root).unwrap();
    RealDisk.rename(&elsewhere, &root).unwrap();
    begun.finish().await.unwrap();
    assert_eq!(bucket.get_range(&new, 0..4).await.unwrap().as_ref(), b"4567");
    assert_eq!(bucket.size(&there).await.unwrap(), Some(4));
}
