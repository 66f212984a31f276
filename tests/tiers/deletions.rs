//! The bucket says that a topic is deleted before the catalog forgets it: whoever rebuilds a catalog believes the bucket.

use sqlx::{Connection as _, SqliteConnection};
use tidelog::model::{Offset, TopicId};
use tidelog::object_storage::{Effect, ErrorKind, Fault, Operation};

use crate::home::{Home, create, segment};

impl Home {
    async fn catalog(&self) -> SqliteConnection {
        SqliteConnection::connect(&format!("sqlite://{}", self.path("catalog.db").display())).await.unwrap()
    }

    async fn count(&self, table: &'static str) -> i64 {
        let mut catalog = self.catalog().await;
        let sql = match table {
            "topics" => "SELECT count(*) FROM topics",
            _ => "SELECT count(*) FROM remote_segments",
        };
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut catalog).await.unwrap();
        catalog.close().await.unwrap();
        count
    }

    fn says_deleted(&self, id: TopicId) -> bool {
        let name = format!("_tidelog/topics/{id}.json");
        let (_, bytes) = self.store.objects().into_iter().find(|(known, _)| *known == name).expect("there for ever");
        let file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        file.get("deleted").and_then(serde_json::Value::as_bool).unwrap()
    }

    /// A broker with a topic that had an object, and has none any more.
    async fn with_an_emptied_topic(&self) -> (std::sync::Arc<tidelog::broker::Broker>, TopicId) {
        let broker = self.start().await;
        let partition = create(&broker, "orders", &[]).await;
        segment(&partition).await;
        self.until(&broker, "its commit", async || partition.log().local_start_offset().get() == 10).await;
        partition.tier().unwrap().advance_log_start(Offset::new(10)).await.unwrap();
        self.until(&broker, "its removal", async || self.count("rows").await == 0).await;
        (broker, partition.tp().topic_id)
    }
}

#[tokio::test]
async fn the_row_of_a_deleted_topic_waits_until_the_bucket_says_so() {
    let home = Home::new();
    let (broker, id) = home.with_an_emptied_topic().await;
    let away = Fault::new(Effect::Fail(ErrorKind::Unavailable)).on(Operation::WriteControl).below("_tidelog/topics/");
    home.plan.add(away);
    broker.delete_topic(id).await.unwrap();
    let met = home.plan.met();
    home.until(&broker, "another try", async || home.plan.met() > met + 3).await;
    assert_eq!((home.says_deleted(id), home.count("topics").await), (false, 1));
    home.plan.clear();
    home.until(&broker, "the end of its row", async || home.count("topics").await == 0).await;
    assert!(home.says_deleted(id));
    broker.stop().await;
}

#[tokio::test]
async fn a_crash_behind_the_deletion_of_a_topic_leaves_its_file_to_the_next_start() {
    let home = Home::new();
    let (broker, id) = home.with_an_emptied_topic().await;
    broker.stop().await;
    drop(broker);
    let mut catalog = home.catalog().await;
    let deleted = "UPDATE topics SET deleted = 1, version = version + 1";
    sqlx::query(deleted).execute(&mut catalog).await.unwrap();
    catalog.close().await.unwrap();
    assert!(!home.says_deleted(id));
    let broker = home.start().await;
    home.until(&broker, "the end of its row", async || home.count("topics").await == 0).await;
    assert!(home.says_deleted(id));
    broker.stop().await;
}
