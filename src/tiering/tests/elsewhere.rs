//! Another bucket answers in the place of ours: an endpoint that leads elsewhere for a moment, a bucket made anew under its
//! name. Nothing is believed to lie in it, and nothing local goes on its word.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::stage::{Stage, config};
use crate::object_storage::key;
use crate::tiering::{Step, StepHook, TieringOptions};

impl Stage {
    fn cluster_file(&self) -> Bytes {
        let objects = self.store.objects();
        objects.into_iter().find(|(name, _)| name == key::cluster().as_str()).expect("a start notes itself").1
    }

    async fn without_cluster_file(&self) -> Bytes {
        let file = self.cluster_file();
        self.tiers.bucket().delete(&key::cluster()).await.unwrap();
        file
    }

    /// What refuses an upload says so, leaves no row and no object, and keeps what is local.
    async fn is_refused(&self, because: &str) {
        self.log.upload_next().await;
        let status = self.log.status();
        assert!(status.last_error.as_ref().is_some_and(|error| error.contains(because)), "{status:?}");
        assert_eq!((self.objects(), self.rows().await), (vec![], vec![]));
        assert_eq!(self.drop_local().await, 0);
    }

    async fn goes_on(&self, file: Bytes) {
        self.store.overwrite(&key::cluster(), file);
        self.upload_all().await;
        assert_eq!((self.objects().len(), self.tiered_to()), (1, 30));
        assert_eq!(self.drop_local().await, 1);
        assert_eq!(self.read(0).await.len(), 30);
        self.tiers.close().await;
    }
}

#[tokio::test]
async fn a_bucket_that_is_nobodys_gets_nothing() {
    let stage = Stage::new().await;
    stage.segment();
    let file = stage.without_cluster_file().await;
    stage.is_refused("it has no '_tidelog/cluster.json'").await;
    stage.goes_on(file).await;
}

#[tokio::test]
async fn a_bucket_that_is_anothers_or_was_put_back_gets_nothing() {
    let stage = Stage::new().await;
    stage.segment();
    let file = stage.cluster_file();
    let changed = |field: &str, to: serde_json::Value| {
        let mut words: serde_json::Value = serde_json::from_slice(&file).unwrap();
        words[field] = to;
        stage.store.overwrite(&key::cluster(), Bytes::from(words.to_string()));
    };
    changed("cluster_id", "somebody else".into());
    stage.is_refused("belongs to cluster somebody else").await;
    changed("start_number", 0.into());
    stage.is_refused("of an earlier start").await;
    changed("start_number", 99.into());
    stage.is_refused("another broker runs on a copy of it").await;
    stage.goes_on(file.clone()).await;
}

#[tokio::test]
async fn an_object_that_was_sent_elsewhere_is_not_live() {
    let elsewhere = Arc::new(AtomicBool::new(false));
    let (seen, (sender, receiver)) =
        (Arc::clone(&elsewhere), std::sync::mpsc::channel::<crate::object_storage::Bucket>());
    let receiver = parking_lot::Mutex::new(receiver);
    let steps = StepHook::new(move |step| {
        let bucket =
            (step == Step::Uploaded && !seen.swap(true, Ordering::SeqCst)).then(|| receiver.lock().recv().unwrap());
        Box::pin(async move {
            if let Some(bucket) = bucket {
                bucket.delete(&key::cluster()).await.unwrap();
            }
        })
    });
    let options = TieringOptions { orphan_grace: std::time::Duration::ZERO, steps, ..TieringOptions::default() };
    let stage = Stage::with(config(), options).await;
    sender.send(stage.tiers.bucket().clone()).unwrap();
    stage.segment();
    let file = stage.cluster_file();
    stage.is_refused("it has no '_tidelog/cluster.json'").await;
    assert!(elsewhere.load(Ordering::SeqCst), "the whole object was sent");
    stage.goes_on(file).await;
}
