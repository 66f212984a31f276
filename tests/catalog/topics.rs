//! Topics with their settings and partitions.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tidelog::catalog::{NewTopicRow, SegmentState, TopicError};
use tidelog::clock::{Clock as _, SystemClock};
use tidelog::model::{BrokerId, TopicName};

use crate::home::Home;
use crate::rows::{BROKER, content, epoch, offset, segment, topic, topic_id, tp};

over_both! {
    async fn a_topic_is_there_whole_after_a_restart(home: &Home) {
        let catalog = home.open().await;
        catalog.create_topic(topic("orders", 1)).await.unwrap();
        catalog.create_topic(NewTopicRow { tiered: false, ..topic("events", 2) }).await.unwrap();
        catalog.close().await;
        let catalog = home.open().await;
        let topics = catalog.topics().await.unwrap();
        assert_eq!(topics.iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>(), ["events", "orders"]);
        assert_eq!((topics[1].partitions, topics[1].version, topics[1].deleted), (2, 1, false));
        assert_eq!(catalog.topic(topic_id(1)).await.unwrap().as_ref(), Some(&topics[1]));
        assert_eq!(catalog.topic(topic_id(9)).await.unwrap(), None);
        assert_eq!(topics[1].configs["retention.ms"], "5");
        let partition = catalog.partition(tp(1)).await.unwrap().unwrap();
        assert_eq!((partition.leader, partition.leader_epoch), (BROKER, epoch(0)));
        assert_eq!((partition.log_start, partition.tiered_to), (offset(0), Some(offset(0))));
        assert_eq!(catalog.partition(tp(2)).await.unwrap().unwrap().tiered_to, None, "not known of an untiered one");
    }

    /// As a database does it whose standby is away: what was to be committed is neither there nor given up.
    async fn whoever_waits_for_changes_waits_for_one_that_is_held_up(home: &Home) {
        let catalog = home.open().await;
        catalog.register_broker(BROKER, "a directory").await.unwrap();
        catalog.create_topic(topic("orders", 1)).await.unwrap();
        let mut held_up = home.raw().await;
        held_up.execute(if home.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" }).await;
        held_up.execute("UPDATE brokers SET registered_at_ms = registered_at_ms").await;
        held_up.execute("UPDATE topics SET deleted = 1").await;
        let mut asked = Box::pin(async {
            catalog.wait_for_changes().await.unwrap();
            catalog.topics().await.unwrap().iter().any(|topic| topic.deleted)
        });
        tokio::select! {
            _ = &mut asked => panic!("answered before the commit"),
            () = SystemClock::new().sleep(Duration::from_millis(300)) => {}
        }
        held_up.execute("COMMIT").await;
        assert!(asked.await, "it is seen behind the wait");
    }

    async fn every_change_of_topics_and_settings_is_one_that_is_waited_for(home: &Home) {
        let catalog = home.open().await;
        catalog.register_broker(BROKER, "a directory").await.unwrap();
        for (name, number) in [("a", 1), ("b", 2), ("c", 3)] {
            catalog.create_topic(topic(name, number)).await.unwrap();
        }
        let mut held_up = home.raw().await;
        held_up.execute(if home.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" }).await;
        held_up.execute("UPDATE brokers SET registered_at_ms = registered_at_ms").await;
        let more = NewTopicRow { partitions: 3, ..topic("b", 2) };
        let mut changes = FuturesUnordered::from_iter([
            catalog.create_topic(topic("d", 4)).map(|made| made.is_ok()).boxed(),
            catalog.add_partitions(more, 2).map(|made| made.is_ok()).boxed(),
            catalog.set_topic_configs(topic_id(1), BTreeMap::new()).map(|made| made.is_ok()).boxed(),
            catalog.delete_topic(topic_id(3)).map(|made| made.is_ok()).boxed(),
            catalog.set_broker_configs(None, BTreeMap::new()).map(|made| made.is_ok()).boxed(),
        ]);
        tokio::select! {
            _ = changes.next() => panic!("one was made beside a change that is held up"),
            () = SystemClock::new().sleep(Duration::from_millis(300)) => {}
        }
        held_up.execute("COMMIT").await;
        assert_eq!(changes.collect::<Vec<_>>().await, [true; 5]);
    }

    async fn of_many_who_create_one_name_one_wins(home: &Home) {
        let catalog = home.open().await;
        let made = futures::future::join_all((1..=16).map(|n| catalog.create_topic(topic("orders", n)))).await;
        assert_eq!(made.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert!(made.iter().all(|answer| matches!(answer, Ok(()) | Err(TopicError::Exists(_)))), "{made:?}");
        let topics = catalog.topics().await.unwrap();
        assert_eq!(topics.len(), 1);
        let mut raw = home.raw().await;
        assert_eq!(raw.number("SELECT COUNT(*) FROM partitions").await, 2, "the refused left nothing");
    }

    async fn partitions_are_added_only_to_as_many_as_the_caller_saw(home: &Home) {
        let catalog = home.open().await;
        catalog.create_topic(topic("orders", 1)).await.unwrap();
        let five = NewTopicRow { partitions: 5, leader_epoch: 3, ..topic("orders", 1) };
        assert!(matches!(catalog.add_partitions(five.clone(), 4).await, Err(TopicError::Changed(_))));
        catalog.add_partitions(five.clone(), 2).await.unwrap();
        assert!(matches!(catalog.add_partitions(five, 2).await, Err(TopicError::Changed(_))));
        let rows = catalog.raise_leader_epochs(BROKER).await.unwrap();
        let epochs: Vec<_> = rows.iter().map(|row| (row.tp.partition, row.leader_epoch.get())).collect();
        assert_eq!(epochs, [(0, 1), (1, 1), (2, 4), (3, 4), (4, 4)]);
        assert_eq!(catalog.topics().await.unwrap()[0].version, 2);
        let many = NewTopicRow { partitions: 10_000, name: TopicName::parse("wide").unwrap(), ..topic("wide", 2) };
        catalog.create_topic(many).await.unwrap();
        assert_eq!(catalog.raise_leader_epochs(BROKER).await.unwrap().len(), 10_005);
    }

    async fn a_start_raises_the_epochs_of_its_own_partitions_only(home: &Home) {
        let catalog = home.open().await;
        catalog.create_topic(topic("orders", 1)).await.unwrap();
        catalog.create_topic(NewTopicRow { leader: BrokerId(2), ..topic("events", 2) }).await.unwrap();
        for start in 1..=3 {
            let rows = catalog.raise_leader_epochs(BROKER).await.unwrap();
            assert_eq!(rows.iter().map(|row| row.leader_epoch.get()).collect::<Vec<_>>(), [start, start]);
        }
        assert_eq!(catalog.partition(tp(2)).await.unwrap().unwrap().leader_epoch, epoch(0));
    }

    async fn settings_are_replaced_whole(home: &Home) {
        let catalog = home.open().await;
        catalog.create_topic(topic("orders", 1)).await.unwrap();
        let configs = BTreeMap::from([("cleanup.policy".to_owned(), "delete".to_owned())]);
        catalog.set_topic_configs(topic_id(1), configs.clone()).await.unwrap();
        let row = &catalog.topics().await.unwrap()[0];
        assert_eq!((row.version, &row.configs), (2, &configs));
        assert!(matches!(catalog.set_topic_configs(topic_id(9), configs).await, Err(TopicError::Missing(_))));
    }

    async fn deleting_a_topic_fences_its_leaders_and_ends_what_it_has_and_writes(home: &Home) {
        let catalog = home.open().await;
        catalog.create_topic(topic("orders", 1)).await.unwrap();
        let live = segment(tp(1), 0, 9, 0);
        let writing = segment(tp(1), 10, 19, 0);
        catalog.insert_writing(live.clone()).await.unwrap();
        catalog.append_segment(live.clone(), content(10, 5)).await.unwrap();
        catalog.insert_writing(writing.clone()).await.unwrap();

        catalog.delete_topic(topic_id(1)).await.unwrap();
        assert!(matches!(catalog.delete_topic(topic_id(1)).await, Err(TopicError::Missing(_))));
        assert!(catalog.topics().await.unwrap()[0].deleted);
        assert_eq!(catalog.partition(tp(1)).await.unwrap().unwrap().leader_epoch, epoch(1));
        for row in [&live, &writing] {
            assert_eq!(catalog.segment(row.id).await.unwrap().unwrap().state, SegmentState::Deleting);
        }
        assert!(catalog.append_segment(writing.clone(), content(10, 5)).await.is_err());
        assert!(catalog.insert_writing(segment(tp(1), 20, 29, 0)).await.is_err());
        let configs = BTreeMap::new();
        assert!(matches!(catalog.set_topic_configs(topic_id(1), configs).await, Err(TopicError::Missing(_))));

        // Its name is free at once; its row stays until its objects are gone.
        catalog.create_topic(topic("orders", 2)).await.unwrap();
        assert!(!catalog.purge_topic(topic_id(1)).await.unwrap(), "two objects are left");
        for row in [&live, &writing] {
            assert!(catalog.remove_segment_row(row.id).await.unwrap());
        }
        assert!(catalog.purge_topic(topic_id(1)).await.unwrap());
        assert!(!catalog.purge_topic(topic_id(2)).await.unwrap(), "that one is not deleted");
        assert!(!catalog.purge_topic(topic_id(9)).await.unwrap());
        let left = catalog.topics().await.unwrap();
        assert_eq!((left.len(), left[0].id, left[0].configs.len()), (1, topic_id(2), 1));
        assert!(catalog.partition(tp(2)).await.unwrap().is_some());
    }
}
