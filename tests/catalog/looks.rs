//! A catalog that is only looked into: beside a broker that has it, and alone.

use tidelog::catalog::{OpenError, StorageError, TopicError};

use crate::home::Home;
use crate::rows::topic;

over_both! {
    async fn a_look_takes_no_lock_sees_the_last_commit_and_changes_nothing(home: &Home) {
        assert!(home.look().await.is_err(), "there is no catalog yet");
        let catalog = home.open().await;
        let beside = home.look().await.unwrap();
        catalog.create_topic(topic("orders", 1)).await.unwrap();
        assert_eq!(beside.topics().await.unwrap().len(), 1);
        let refused = beside.create_topic(topic("events", 2)).await;
        assert!(matches!(refused, Err(TopicError::Storage(StorageError::Closed | StorageError::LockLost))), "{refused:?}");
        beside.close().await;
        catalog.create_topic(topic("events", 2)).await.unwrap();
        catalog.close().await;
        let alone = home.look().await.unwrap();
        assert_eq!(alone.topics().await.unwrap().len(), 2);
        alone.close().await;
        home.open().await;
    }

    async fn a_look_does_not_bring_an_older_catalog_to_this_form(home: &Home) {
        home.open().await.close().await;
        let mut raw = home.raw().await;
        raw.execute("DELETE FROM _sqlx_migrations WHERE version > 1").await;
        let refused = home.look().await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, OpenError::Older { theirs: 1, .. }), "{refused}");
        assert!(refused.to_string().contains("start a broker on it"), "{refused}");
        assert_eq!(raw.number("SELECT COUNT(*) FROM _sqlx_migrations").await, 1);
        raw.execute("UPDATE _sqlx_migrations SET version = 1000").await;
        let refused = home.look().await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, OpenError::Newer { theirs: 1000, .. }), "{refused}");
    }
}

#[tokio::test]
async fn a_look_makes_no_file_and_names_what_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let home = Home::at(format!("sqlite://{}", path.display()));
    let refused = home.look().await.map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Missing { .. }), "{refused}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::fs::write(&path, "not a database").unwrap();
    let refused = home.look().await.map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("catalog.db"), "{refused}");
}
