//! Groups and what they have committed.

use tidelog::catalog::{Catalog, Expiry, GroupBatch, GroupOffsetRow, GroupRow};
use tidelog::model::TopicPartition;

use crate::home::Home;
use crate::rows::{epoch, offset, topic, topic_id, tp};

fn commit(group: &str, tp: TopicPartition, at: i64, committed_at_ms: i64) -> GroupOffsetRow {
    GroupOffsetRow {
        group_id: group.to_owned(),
        tp,
        offset: offset(at),
        leader_epoch: Some(epoch(3)),
        metadata: "a note\0 with anything in it".to_owned(),
        committed_at_ms,
        expires_at_ms: None,
    }
}

fn group(id: &str) -> GroupRow {
    GroupRow {
        group_id: id.to_owned(),
        protocol_type: "consumer".to_owned(),
        generation: 7,
        protocol: Some("range".to_owned()),
        leader: Some("member\0".to_owned()),
        members: vec![0, 1, 255],
        changed_at_ms: 5,
    }
}

async fn save(catalog: &Catalog, row: GroupRow) {
    catalog.write_groups(GroupBatch { saved: vec![row], ..GroupBatch::default() }).await.unwrap();
}

async fn commit_all(catalog: &Catalog, committed: Vec<GroupOffsetRow>) {
    catalog.write_groups(GroupBatch { committed, ..GroupBatch::default() }).await.unwrap();
}

async fn delete(catalog: &Catalog, group_id: &str) {
    catalog.write_groups(GroupBatch { deleted: vec![group_id.to_owned()], ..GroupBatch::default() }).await.unwrap();
}

over_both! {
    async fn a_group_comes_back_as_it_was_saved(home: &Home) {
        let catalog = home.open().await;
        for id in ["b", "a\0a", "ä", ""] {
            save(&catalog, group(id)).await;
        }
        save(&catalog, GroupRow { generation: 8, protocol: None, ..group("b") }).await;
        catalog.close().await;
        let catalog = home.open().await;
        let found = catalog.groups(None, 3).await.unwrap();
        assert_eq!(found, [group(""), group("a\0a"), GroupRow { generation: 8, protocol: None, ..group("b") }]);
        assert_eq!(catalog.groups(Some("b"), 10).await.unwrap(), [group("ä")]);
        assert_eq!(catalog.group("ä").await.unwrap(), Some(group("ä")));
        assert_eq!(catalog.group("c").await.unwrap(), None);
        for _ in 0..2 {
            delete(&catalog, "ä").await;
            assert_eq!(catalog.group("ä").await.unwrap(), None);
        }
    }

    async fn the_last_commit_counts_and_makes_its_group(home: &Home) {
        let catalog = home.open().await;
        let (first, second) = (tp(1), TopicPartition::new(topic_id(1), 1));
        let rows = vec![commit("g", first, 5, 1), commit("h", first, 50, 1), commit("g", first, 4, 2), commit("g", second, 9, 2)];
        commit_all(&catalog, rows).await;
        let expiring = GroupOffsetRow { leader_epoch: None, expires_at_ms: Some(99), ..commit("g", second, 2, 3) };
        commit_all(&catalog, vec![expiring.clone()]).await;
        commit_all(&catalog, Vec::new()).await;
        catalog.close().await;
        let catalog = home.open().await;
        assert_eq!(catalog.group_offsets("g").await.unwrap(), [commit("g", first, 4, 2), expiring]);
        assert_eq!(catalog.group_offsets("h").await.unwrap(), [commit("h", first, 50, 1)]);
        assert_eq!(catalog.group_offsets("i").await.unwrap(), []);
        let made = catalog.group("h").await.unwrap().unwrap();
        assert_eq!((made.generation, made.protocol_type.as_str(), made.members.len()), (0, "", 0));
        save(&catalog, group("g")).await;
        commit_all(&catalog, vec![commit("g", first, 6, 4)]).await;
        assert_eq!(catalog.group("g").await.unwrap(), Some(group("g")), "a commit leaves a group as it is");
        delete(&catalog, "g").await;
        assert_eq!(catalog.group_offsets("g").await.unwrap(), []);
    }

    async fn many_commits_go_in_one_transaction(home: &Home) {
        let catalog = home.open().await;
        let rows: Vec<_> = (0..1_000)
            .map(|n| commit(&format!("g{}", n % 3), TopicPartition::new(topic_id(1), n), i64::from(n), 1))
            .collect();
        let before = catalog.commits();
        commit_all(&catalog, rows.clone()).await;
        assert_eq!(catalog.commits().map(|now| now - before.unwrap()), before.map(|_| 1));
        let found = catalog.group_offsets("g1").await.unwrap();
        assert_eq!(found, rows.into_iter().filter(|row| row.group_id == "g1").collect::<Vec<_>>());
    }

    async fn what_was_committed_again_is_not_forgotten(home: &Home) {
        let catalog = home.open().await;
        let other = TopicPartition::new(topic_id(1), 1);
        commit_all(&catalog, vec![commit("g", tp(1), 5, 1), commit("g", other, 5, 1)]).await;
        let old = catalog.group_offsets("g").await.unwrap();
        commit_all(&catalog, vec![commit("g", other, 6, 2)]).await;
        catalog.write_groups(GroupBatch { forgotten: old, ..GroupBatch::default() }).await.unwrap();
        assert_eq!(catalog.group_offsets("g").await.unwrap(), [commit("g", other, 6, 2)]);
    }

    async fn a_deleted_topic_takes_its_commits_along(home: &Home) {
        let catalog = home.open().await;
        catalog.create_topic(topic("orders", 1)).await.unwrap();
        commit_all(&catalog, vec![commit("g", tp(1), 5, 1), commit("g", tp(2), 5, 1)]).await;
        catalog.delete_topic(topic_id(1)).await.unwrap();
        assert_eq!(catalog.group_offsets("g").await.unwrap(), [commit("g", tp(2), 5, 1)]);
        // One that was under way meanwhile goes at last with the topic's row.
        commit_all(&catalog, vec![commit("g", tp(1), 5, 1)]).await;
        assert!(catalog.purge_topic(topic_id(1)).await.unwrap());
        assert_eq!(catalog.group_offsets("g").await.unwrap(), [commit("g", tp(2), 5, 1)]);
    }

    async fn a_batch_is_one_transaction_and_may_be_written_again(home: &Home) {
        let catalog = home.open().await;
        let other = TopicPartition::new(topic_id(1), 1);
        commit_all(&catalog, vec![commit("g", tp(1), 5, 1), commit("gone", tp(1), 5, 1)]).await;
        let batch = GroupBatch {
            saved: vec![group("g"), group("new")],
            committed: vec![commit("g", other, 1, 2), commit("g", other, 2, 2), commit("h", tp(1), 3, 2)],
            forgotten: vec![commit("g", tp(1), 5, 1), commit("h", tp(1), 2, 2)],
            deleted: vec!["gone".to_owned(), "never there".to_owned()],
        };
        let before = catalog.commits();
        for _ in 0..2 {
            catalog.write_groups(batch.clone()).await.unwrap();
            assert_eq!(catalog.group_offsets("g").await.unwrap(), [commit("g", other, 2, 2)]);
            assert_eq!(catalog.group_offsets("h").await.unwrap(), [commit("h", tp(1), 3, 2)]);
            let ids: Vec<_> = catalog.groups(None, 10).await.unwrap().into_iter().map(|row| row.group_id).collect();
            assert_eq!(ids, ["g", "h", "new"]);
        }
        assert_eq!(catalog.commits().map(|now| now - before.unwrap()), before.map(|_| 2));
        assert!(GroupBatch::default().is_empty() && !batch.is_empty());
    }

    async fn groups_are_found_by_what_they_have(home: &Home) {
        let catalog = home.open().await;
        let at_rest = |id: &str, changed_at_ms| GroupRow { members: Vec::new(), changed_at_ms, ..group(id) };
        for row in [group("a"), at_rest("b", 100), at_rest("c", 10), at_rest("d", 100)] {
            save(&catalog, row).await;
        }
        let ending = GroupOffsetRow { expires_at_ms: Some(50), ..commit("f", tp(1), 1, 100) };
        let rows = ["a", "c", "d"].map(|id| commit(id, tp(1), 1, 100)).into_iter().chain([ending]);
        commit_all(&catalog, rows.collect()).await;
        commit_all(&catalog, vec![commit("e", tp(1), 1, 10)]).await;

        let heads = catalog.group_heads(None, 10).await.unwrap();
        let seen: Vec<_> = heads.iter().map(|head| (head.group_id.as_str(), head.has_members)).collect();
        assert_eq!(seen, [("a", true), ("b", false), ("c", false), ("d", false), ("e", false), ("f", false)]);
        assert_eq!((heads[0].protocol_type.as_str(), heads[4].protocol_type.as_str()), ("consumer", ""));
        assert_eq!(catalog.group_heads(Some("c"), 2).await.unwrap(), &heads[3..5]);
        assert_eq!(catalog.peopled_groups(None, 10).await.unwrap(), [group("a")]);
        assert_eq!(catalog.peopled_groups(Some("a"), 10).await.unwrap(), []);

        // Without offsets; empty for long; committed to long ago; with a commit that named its end.
        let expiry = Expiry { now_ms: 60, before_ms: 20 };
        assert_eq!(catalog.aged_groups(expiry, None, 10).await.unwrap(), ["b", "c", "e", "f"]);
        assert_eq!(catalog.aged_groups(expiry, Some("b"), 2).await.unwrap(), ["c", "e"]);
        let earlier = Expiry { now_ms: 49, before_ms: 9 };
        assert_eq!(catalog.aged_groups(earlier, None, 10).await.unwrap(), ["b"]);
    }
}
