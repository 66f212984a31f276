//! Reads, sizes, listings and deletes.

use futures::{StreamExt as _, TryStreamExt as _};
use tidelog::model::{TopicId, TopicPartition};
use tidelog::object_storage::{ErrorKind, Expect, ObjectKey, key};
use uuid::Uuid;

use crate::home::{Home, bytes};

over_all! {
    async fn a_range_is_exact_or_an_error(home: &Home) {
        let bucket = home.open().await;
        let (key, content) = (ObjectKey::parse("topics/x.parquet").unwrap(), bytes(1_000, 1));
        let error = bucket.get_range(&key, 0..1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert_eq!(bucket.size(&key).await.unwrap(), None);
        bucket.write_control(&key, content.clone(), Expect::Absent).await.unwrap();
        assert_eq!(bucket.size(&key).await.unwrap(), Some(1_000));
        assert!(bucket.get_range(&key, 10..20).await.unwrap() == content[10..20]);
        assert!(bucket.get_range(&key, 999..1_000).await.unwrap() == content[999..]);
        assert!(bucket.get_range(&key, 5..5).await.unwrap().is_empty());
        for beyond in [999..1_001, 1_000..1_001, 5_000..6_000] {
            let error = bucket.get_range(&key, beyond.clone()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{beyond:?}: {error}");
        }
        bucket.delete(&key).await.unwrap();
        bucket.delete(&key).await.unwrap();
        assert_eq!(bucket.size(&key).await.unwrap(), None);
        assert_eq!(bucket.get_range(&key, 0..1).await.unwrap_err().kind(), ErrorKind::NotFound);
    }

    async fn a_listing_has_every_key_below_its_prefix_once(home: &Home) {
        let bucket = home.open().await;
        let (topic, other) = (TopicId::from_uuid(Uuid::from_u128(1)), TopicId::from_uuid(Uuid::from_u128(2)));
        // One more than a page.
        let names: Vec<ObjectKey> = (0..1_001).map(|p| key::floor(TopicPartition::new(topic, p))).collect();
        let elsewhere = [key::floor(TopicPartition::new(other, 0)), key::topic(topic), key::cluster()];
        let writes = futures::stream::iter(names.iter().chain(&elsewhere).enumerate().map(|(at, name)| {
            let bucket = bucket.clone();
            async move { bucket.write_control(name, bytes(at % 7 + 1, 1), Expect::Absent).await }
        }));
        writes.buffer_unordered(16).try_collect::<Vec<_>>().await.unwrap();
        let listed: Vec<_> = bucket.list(&key::floors(topic)).try_collect().await.unwrap();
        let mut expected: Vec<_> = names.iter().enumerate().map(|(at, name)| (name.clone(), at as u64 % 7 + 1)).collect();
        expected.sort();
        let mut found: Vec<_> = listed.into_iter().map(|object| (object.key, object.size_bytes)).collect();
        found.sort();
        assert_eq!(found, expected);
        assert_eq!(bucket.list(&key::all()).try_collect::<Vec<_>>().await.unwrap().len(), names.len() + elsewhere.len());
        assert_eq!(bucket.list(&key::all_topics()).try_collect::<Vec<_>>().await.unwrap(), []);
    }
}
