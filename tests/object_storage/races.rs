//! Many who write one control file at once, over the kinds whose conditional writes are atomic: each change of each
//! is counted exactly once.

use bytes::Bytes;
use futures::future::try_join_all;
use tidelog::object_storage::{Bucket, ControlError, Expect, key};

use crate::home::Home;

const WRITERS: u32 = 6;
const CHANGES: u32 = 8;

async fn add_one(bucket: &Bucket) -> Result<(), ControlError> {
    loop {
        let (count, expect) = match bucket.read_control(&key::cluster()).await? {
            None => (0, Expect::Absent),
            Some((bytes, version)) => {
                (String::from_utf8_lossy(&bytes).parse::<u32>().unwrap(), Expect::Version(version))
            }
        };
        match bucket.write_control(&key::cluster(), Bytes::from((count + 1).to_string()), expect).await {
            Err(ControlError::Conflict(_)) => tokio::task::yield_now().await,
            other => return other.map(|_| ()),
        }
    }
}

async fn no_change_is_lost(home: &Home) {
    let bucket = home.open().await;
    let writers = (0..WRITERS).map(|_| {
        let bucket = bucket.clone();
        async move {
            for _ in 0..CHANGES {
                add_one(&bucket).await?;
            }
            Ok::<_, ControlError>(())
        }
    });
    try_join_all(writers).await.unwrap();
    let (count, _) = bucket.read_control(&key::cluster()).await.unwrap().unwrap();
    assert_eq!(count, (WRITERS * CHANGES).to_string());
}

#[tokio::test]
async fn in_memory() {
    no_change_is_lost(&Home::memory()).await;
}

#[tokio::test]
async fn in_a_folder() {
    no_change_is_lost(&Home::folder()).await;
}

#[tokio::test]
async fn on_a_server() {
    if let Some(home) = Home::server() {
        no_change_is_lost(&home).await;
        home.clear().await;
    }
}
