//! Another bucket answers in the place of ours: an endpoint that leads elsewhere for a moment, a bucket made anew under its
//! name. Nothing is believed to lie in it, and nothing local goes on its word.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::stage::{Stage, config};
use crate::model::Offset;
use crate::object_storage::{ObjectKey, Operation, key};
use crate::tiering::{RemoteReadError, Step, StepHook, TieringOptions};

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
        self.is_refused_with_rows(because, vec![]).await;
    }

    async fn is_refused_with_rows(&self, because: &str, rows: Vec<(String, i64, i64)>) {
        self.log.upload_next().await;
        let status = self.log.status();
        assert!(status.last_error.as_ref().is_some_and(|error| error.contains(because)), "{status:?}");
        assert_eq!((self.objects(), self.rows().await), (vec![], rows));
        assert_eq!(self.drop_local().await, 0);
    }

    /// An uploaded segment whose row says DELETING, long enough ago.
    async fn with_one_to_remove(options: TieringOptions) -> Self {
        let stage = Self::with(config(), options).await;
        stage.segment();
        stage.upload_all().await;
        stage.log.advance_log_start(Offset::new(30)).await.unwrap();
        stage.clock.advance(1_000_000);
        stage
    }

    fn floor(&self) -> Option<serde_json::Value> {
        self.control(&format!("_tidelog/floors/{}/0.json", self.id))
    }

    fn topic_file(&self) -> Option<serde_json::Value> {
        self.control(&format!("_tidelog/topics/{}.json", self.id))
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
async fn what_is_not_in_a_bucket_that_answers_in_the_place_of_ours_is_not_missing() {
    let stage = Stage::new().await;
    stage.segment();
    stage.upload_all().await;
    assert_eq!(stage.drop_local().await, 1);
    let expected = stage.read(0).await;
    let file = stage.without_cluster_file().await;
    let object = ObjectKey::parse(&stage.objects()[0]).unwrap();
    let bytes = stage.store.objects().into_iter().find(|(name, _)| name == object.as_str()).unwrap().1;
    stage.tiers.bucket().delete(&object).await.unwrap();
    stage.tiers.reader.forget_all();
    for read in 0..5 {
        let error = stage.log.read_remote(Offset::ZERO).await.unwrap_err();
        assert!(matches!(&error, RemoteReadError::Elsewhere(why) if why.contains("cluster.json")), "{read}: {error}");
        assert!(error.is_transient(), "{read}: {error}");
    }
    assert!(stage.log.status().damaged.is_empty(), "nothing is damaged");
    stage.store.overwrite(&key::cluster(), file);
    let error = stage.log.read_remote(Offset::ZERO).await.unwrap_err();
    assert!(matches!(error, RemoteReadError::Missing { .. }), "in our own it is: {error}");
    stage.store.overwrite(&object, bytes);
    assert_eq!(stage.read(0).await, expected);
    stage.tiers.close().await;
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
    let doubted = vec![("DELETING".to_owned(), 0, 29)];
    stage.is_refused_with_rows("it has no '_tidelog/cluster.json'", doubted).await;
    assert!(elsewhere.load(Ordering::SeqCst), "the whole object was sent");
    stage.goes_on(file).await;
}

#[tokio::test]
async fn nothing_is_removed_while_another_bucket_answers() {
    let stage = Stage::with_one_to_remove(TieringOptions::default()).await;
    let (file, rows) = (stage.without_cluster_file().await, stage.rows().await);
    let deletes = || stage.tiers.bucket().counts().of(Operation::Delete).requests;
    let before = deletes();
    let removed = stage.tiers.remove_deleted().await.unwrap();
    assert_eq!((removed.rows, removed.failed, deletes() - before), (0, 1, 0));
    assert_eq!((stage.rows().await, stage.objects().len(), stage.floor()), (rows, 1, None), "not even a control file");
    stage.store.overwrite(&key::cluster(), file);
    let controls = || stage.tiers.bucket().counts().of(Operation::ReadControl).requests;
    let before = controls();
    assert_eq!(stage.tiers.remove_deleted().await.unwrap().rows, 1);
    assert_eq!((stage.rows().await, stage.objects()), (vec![], vec![]));
    assert!(controls() - before <= 3, "before and behind a page, and for the floor");
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_row_stays_where_its_object_was_removed_elsewhere() {
    let (sender, receiver) = std::sync::mpsc::channel::<crate::object_storage::Bucket>();
    let receiver = parking_lot::Mutex::new(receiver);
    // The endpoint leads elsewhere as soon as the bucket was found to be ours.
    let steps = StepHook::new(move |step| {
        let bucket = (step == Step::ObjectGone).then(|| receiver.lock().try_recv().ok()).flatten();
        Box::pin(async move {
            if let Some(bucket) = bucket {
                bucket.delete(&key::cluster()).await.unwrap();
            }
        })
    });
    let stage = Stage::with_one_to_remove(TieringOptions { steps, ..TieringOptions::default() }).await;
    let (file, rows) = (stage.cluster_file(), stage.rows().await);
    sender.send(stage.tiers.bucket().clone()).unwrap();
    let removed = stage.tiers.remove_deleted().await.unwrap();
    assert_eq!((removed.rows, removed.failed, stage.rows().await), (0, 1, rows));
    stage.store.overwrite(&key::cluster(), file);
    assert_eq!(stage.tiers.remove_deleted().await.unwrap().rows, 1);
    assert_eq!(stage.rows().await, vec![]);
    stage.tiers.close().await;
}

/// The endpoint leads to another bucket from one look at whose it is to the next, whichever look that is, and back after the
/// attempt: ours has all that belongs to it, and nothing besides.
#[tokio::test]
async fn whenever_an_endpoint_leads_elsewhere_ours_is_whole_behind_it() {
    let mut attempts_that_failed = 0;
    for looks in 1..=6 {
        let stage = Stage::new().await;
        stage.segment();
        stage.endpoint.lead_elsewhere_after(looks);
        stage.log.upload_next().await;
        attempts_that_failed += usize::from(stage.tiered_to() == 0);
        stage.endpoint.lead_back();
        stage.upload_all().await;
        assert_eq!(stage.rows().await, vec![("LIVE".to_owned(), 0, 29)], "{looks}");
        assert_eq!(stage.objects().len(), 1, "{looks}: what is left of the attempt is not in the bucket");
        assert_eq!(stage.topic_file().expect("there before the first object")["name"], "orders", "{looks}");
        stage.tiers.close().await;
    }
    assert!(attempts_that_failed >= 3, "{attempts_that_failed}");
}

#[tokio::test]
async fn an_upload_that_was_whole_before_the_endpoint_led_elsewhere_is_ended_in_ours() {
    let (sender, receiver) = std::sync::mpsc::channel::<Arc<crate::object_storage::SwitchedStore>>();
    let receiver = parking_lot::Mutex::new(receiver);
    let steps = StepHook::new(move |step| {
        if step == Step::Uploaded
            && let Ok(endpoint) = receiver.lock().try_recv()
        {
            endpoint.lead_elsewhere_after(0);
        }
        Box::pin(async {})
    });
    let stage = Stage::with(config(), TieringOptions { steps, ..TieringOptions::default() }).await;
    sender.send(Arc::clone(&stage.endpoint)).unwrap();
    stage.segment();
    stage.log.upload_next().await;
    assert_eq!(stage.objects().len(), 1, "it lies in ours");
    assert_eq!(stage.rows().await, vec![("DELETING".to_owned(), 0, 29)], "and its row stays: elsewhere it is absent");
    stage.endpoint.lead_back();
    stage.upload_all().await;
    assert_eq!((stage.objects().len(), stage.rows().await), (1, vec![("LIVE".to_owned(), 0, 29)]));
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_floor_that_was_written_elsewhere_is_written_to_ours_before_its_object_goes() {
    let stage = Stage::with_one_to_remove(TieringOptions::default()).await;
    let rows = stage.rows().await;
    stage.endpoint.lead_elsewhere_after(1);
    assert_eq!(stage.tiers.remove_deleted().await.unwrap().rows, 0);
    assert_eq!((stage.rows().await, stage.objects().len(), stage.floor()), (rows, 1, None));
    assert!(!stage.endpoint.elsewhere.objects().is_empty(), "that is where the floor went");
    stage.endpoint.lead_back();
    assert_eq!(stage.tiers.remove_deleted().await.unwrap().rows, 1);
    assert_eq!((stage.rows().await, stage.objects()), (vec![], vec![]));
    assert_eq!(stage.floor().expect("before the object goes")["log_start_offset"], 30);
    stage.tiers.close().await;
}

#[tokio::test]
async fn what_topics_are_is_noted_in_ours_alone() {
    let stage = Stage::new().await;
    stage.segment();
    stage.upload_all().await;
    let configs = std::collections::BTreeMap::from([("retention.ms".to_owned(), "77".to_owned())]);
    stage.catalog.set_topic_configs(stage.id, configs).await.unwrap();
    for looks in 0..2 {
        stage.endpoint.lead_elsewhere_after(looks);
        stage.tiers.refresh_topic_files().await.unwrap_err();
        stage.endpoint.lead_back();
        assert_eq!(stage.topic_file().unwrap()["configs"], serde_json::json!({}), "{looks}");
    }
    stage.tiers.refresh_topic_files().await.unwrap();
    assert_eq!(stage.topic_file().unwrap()["configs"]["retention.ms"], "77");
    stage.catalog.delete_topic(stage.id).await.unwrap();
    for looks in 0..2 {
        stage.endpoint.lead_elsewhere_after(looks);
        assert!(!stage.tiers.note_deleted(stage.id).await, "{looks}: elsewhere there is nothing to be noted");
        stage.endpoint.lead_back();
        assert_eq!(stage.topic_file().unwrap()["deleted"], false, "{looks}");
    }
    assert!(stage.tiers.note_deleted(stage.id).await);
    assert_eq!(stage.topic_file().unwrap()["deleted"], true);
    stage.tiers.close().await;
}
