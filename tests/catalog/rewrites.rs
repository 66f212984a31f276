//! Rewrites: the same offsets in other objects.

use tidelog::catalog::{CommitError, NewSegmentRow, RewriteError, SegmentState};
use tidelog::model::TopicPartition;

use crate::appends::{live, one_topic, state, upload};
use crate::home::Home;
use crate::rows::{BROKER, content, epoch, offset, rewrite, segment, topic_id, tp};

over_both! {
    async fn a_rewrite_takes_the_place_of_exactly_what_it_covers(home: &Home) {
        let catalog = one_topic(home).await;
        let old: Vec<NewSegmentRow> = [0, 10, 20].map(|base| segment(tp(1), base, base + 9, 0)).into();
        for row in &old {
            upload(&catalog, row).await;
        }
        let new = vec![rewrite(tp(1), 0, 4, 0, 1), rewrite(tp(1), 5, 19, 0, 1)];
        catalog.insert_rewrite(new.clone()).await.unwrap();
        let with_content = |rows: &[NewSegmentRow]| rows.iter().map(|row| (row.clone(), content(7, 7))).collect::<Vec<_>>();
        // Less, more, twice the same, nothing.
        for ids in [vec![old[0].id], old.iter().map(|row| row.id).collect(), vec![old[0].id, old[0].id], Vec::new()] {
            let refused = catalog.replace_segments(ids, with_content(&new)).await;
            let kind = matches!(refused, Err(CommitError::NotContiguous { .. } | CommitError::NotAsExpected(_)));
            assert!(kind, "{refused:?}");
        }
        let both = vec![old[0].id, old[1].id];
        let refused = catalog.replace_segments(both.clone(), with_content(&new[1..])).await;
        assert!(matches!(refused, Err(CommitError::NotContiguous { .. })), "{refused:?}");
        assert_eq!(live(&catalog, tp(1)).await, [(0, 9), (10, 19), (20, 29)], "a refusal changes nothing");

        catalog.replace_segments(both.clone(), with_content(&new)).await.unwrap();
        assert_eq!(live(&catalog, tp(1)).await, [(0, 4), (5, 19), (20, 29)]);
        assert_eq!(state(&catalog, old[0].id).await, SegmentState::Deleting);
        assert_eq!(catalog.partition(tp(1)).await.unwrap().unwrap().tiered_to, Some(offset(30)), "that stays");
        let again = catalog.replace_segments(both, with_content(&new)).await;
        assert!(matches!(again, Err(CommitError::NotAsExpected(_))), "{again:?}");
    }

    async fn a_rewrite_is_above_all_that_it_overlaps_and_alone_on_its_range(home: &Home) {
        let catalog = one_topic(home).await;
        for base in [0, 10] {
            upload(&catalog, &segment(tp(1), base, base + 9, 0)).await;
        }
        assert_eq!(catalog.next_generation(tp(1), offset(0), offset(9)).await.unwrap(), 1);
        let wrong = catalog.insert_rewrite(vec![rewrite(tp(1), 0, 9, 0, 2)]).await;
        assert!(matches!(wrong, Err(RewriteError::Generation { expected: 1 })), "{wrong:?}");
        let first = rewrite(tp(1), 0, 9, 0, 1);
        catalog.insert_rewrite(vec![first.clone()]).await.unwrap();
        let second = catalog.insert_rewrite(vec![rewrite(tp(1), 5, 19, 0, 2)]).await;
        assert!(matches!(second, Err(RewriteError::UnderWay(id)) if id == first.id), "{second:?}");
        catalog.insert_rewrite(vec![rewrite(tp(1), 10, 19, 0, 1)]).await.unwrap();
        // A generation counts in any state.
        assert!(catalog.mark_deleting(first.id, tp(1), epoch(0)).await.unwrap());
        assert_eq!(catalog.next_generation(tp(1), offset(3), offset(9)).await.unwrap(), 2);
        assert!(catalog.remove_segment_row(first.id).await.unwrap());
        assert_eq!(catalog.next_generation(tp(1), offset(3), offset(9)).await.unwrap(), 1);
    }

    async fn the_objects_of_a_rewrite_are_one_set_of_one_leader(home: &Home) {
        let catalog = one_topic(home).await;
        upload(&catalog, &segment(tp(1), 0, 29, 0)).await;
        let part = |base, end| rewrite(tp(1), base, end, 0, 1);
        let other = TopicPartition::new(topic_id(1), 1);
        for set in [
            vec![],
            vec![part(0, 9), part(20, 29)],
            vec![part(0, 9), part(9, 29)],
            vec![part(0, 9), NewSegmentRow { tp: other, ..part(10, 29) }],
            vec![part(0, 9), NewSegmentRow { leader_epoch: epoch(1), ..part(10, 29) }],
        ] {
            assert!(matches!(catalog.insert_rewrite(set).await, Err(RewriteError::NotASet)));
        }
        let set = vec![part(0, 9), part(10, 29)];
        catalog.insert_rewrite(set.clone()).await.unwrap();
        catalog.raise_leader_epochs(BROKER).await.unwrap();
        let fenced = catalog.insert_rewrite(vec![part(0, 29)]).await;
        assert!(matches!(fenced, Err(RewriteError::Fenced { .. })), "{fenced:?}");
        let new = set.into_iter().map(|row| (row, content(1, 1))).collect();
        let fenced = catalog.replace_segments(vec![segment(tp(1), 0, 29, 0).id], new).await;
        assert!(matches!(fenced, Err(CommitError::Fenced { .. })), "{fenced:?}");
        assert_eq!(live(&catalog, tp(1)).await, [(0, 29)]);
    }
}
