//! Objects of the bucket: their states, the fenced *append*, the *delete*, and what is asked about them.

use tidelog::catalog::{Catalog, CommitError, FencedError, NewSegmentRow, SegmentState, SegmentTotals};
use tidelog::model::TopicPartition;
use ulid::Ulid;

use crate::home::Home;
use crate::rows::{BROKER, content, epoch, offset, segment, topic, topic_id, tp};

/// A catalog with one topic, led in epoch 0.
pub async fn one_topic(home: &Home) -> Catalog {
    let catalog = home.open().await;
    catalog.create_topic(topic("orders", 1)).await.unwrap();
    catalog
}

/// Takes an object from its name to LIVE.
pub async fn upload(catalog: &Catalog, row: &NewSegmentRow) {
    catalog.insert_writing(row.clone()).await.unwrap();
    let moved = catalog.append_segment(row.clone(), content(10, row.end.get())).await.unwrap();
    assert_eq!(moved.tiered_to, Some(row.end.next()));
}

/// The ranges of a partition's LIVE rows.
pub async fn live(catalog: &Catalog, tp: TopicPartition) -> Vec<(i64, i64)> {
    let rows = catalog.live_segments(tp, offset(0), 1_000).await.unwrap();
    rows.iter().map(|row| (row.head.base.get(), row.head.end.get())).collect()
}

pub async fn state(catalog: &Catalog, id: Ulid) -> SegmentState {
    catalog.segment(id).await.unwrap().unwrap().state
}

over_both! {
    async fn a_row_comes_back_as_it_was_written(home: &Home) {
        let catalog = one_topic(home).await;
        let row = segment(tp(1), 0, 9, 0);
        catalog.insert_writing(row.clone()).await.unwrap();
        catalog.set_upload_id(row.id, "an upload").await.unwrap();
        home.clock.advance(std::time::Duration::from_secs(1));
        let found = catalog.segment(row.id).await.unwrap().unwrap();
        assert_eq!((&found.head, found.state, found.upload_id.as_deref()), (&row, SegmentState::Writing, Some("an upload")));
        assert_eq!((found.created_at_ms, found.changed_at_ms), (1_000, 1_000));
        catalog.append_segment(row.clone(), content(10, 77)).await.unwrap();
        catalog.close().await;
        let catalog = home.open().await;
        let found = catalog.segment(row.id).await.unwrap().unwrap();
        assert_eq!((&found.head, found.state, &found.content), (&row, SegmentState::Live, &content(10, 77)));
        assert_eq!((found.created_at_ms, found.changed_at_ms), (1_000, 2_000));
        assert!(matches!(catalog.set_upload_id(row.id, "late").await, Err(CommitError::NotAsExpected(_))));
    }

    async fn an_append_begins_where_the_bucket_ends(home: &Home) {
        let catalog = one_topic(home).await;
        upload(&catalog, &segment(tp(1), 0, 9, 0)).await;
        for (base, end) in [(5, 14), (11, 20), (0, 9)] {
            let row = NewSegmentRow { id: Ulid::from_parts(9, u128::try_from(base).unwrap()), ..segment(tp(1), base, end, 0) };
            catalog.insert_writing(row.clone()).await.unwrap();
            let refused = catalog.append_segment(row.clone(), content(1, 1)).await;
            assert!(matches!(refused, Err(CommitError::NotContiguous { tiered_to: Some(_), .. })), "{refused:?}");
            assert_eq!(state(&catalog, row.id).await, SegmentState::Writing);
        }
        assert_eq!(live(&catalog, tp(1)).await, [(0, 9)]);
        assert_eq!(catalog.partition(tp(1)).await.unwrap().unwrap().tiered_to, Some(offset(10)));
    }

    async fn a_deposed_leader_commits_nothing(home: &Home) {
        let catalog = one_topic(home).await;
        let row = segment(tp(1), 0, 9, 0);
        catalog.insert_writing(row.clone()).await.unwrap();
        catalog.raise_leader_epochs(BROKER).await.unwrap();
        let (tp, old) = (tp(1), epoch(0));
        assert!(matches!(catalog.append_segment(row.clone(), content(1, 1)).await, Err(CommitError::Fenced { .. })));
        assert!(matches!(catalog.insert_writing(segment(tp, 10, 19, 0)).await, Err(FencedError::Fenced { .. })));
        assert!(matches!(catalog.advance_log_start(tp, old, offset(5)).await, Err(FencedError::Fenced { .. })));
        assert!(matches!(catalog.end_tiering(tp, old, offset(5)).await, Err(FencedError::Fenced { .. })));
        assert!(matches!(catalog.begin_tiering(tp, old, offset(5)).await, Err(FencedError::Fenced { .. })));
        assert!(matches!(catalog.mark_deleting(row.id, tp, old).await, Err(FencedError::Fenced { .. })));
        assert_eq!(state(&catalog, row.id).await, SegmentState::Writing);
        // Nor is its object made live by the leader of today: the row is not of its epoch.
        let taken_over = NewSegmentRow { leader_epoch: epoch(1), ..row.clone() };
        let refused = catalog.append_segment(taken_over, content(1, 1)).await;
        assert!(matches!(refused, Err(CommitError::NotAsExpected(_))), "{refused:?}");
        assert!(catalog.mark_deleting(row.id, tp, epoch(1)).await.unwrap());
        assert_eq!(catalog.partition(tp).await.unwrap().unwrap().tiered_to, Some(offset(0)));
    }

    async fn a_commit_is_of_the_row_that_was_named(home: &Home) {
        let catalog = one_topic(home).await;
        let row = segment(tp(1), 0, 9, 0);
        catalog.insert_writing(row.clone()).await.unwrap();
        let other = TopicPartition::new(topic_id(1), 1);
        for wrong in [
            NewSegmentRow { end: offset(19), ..row.clone() },
            NewSegmentRow { tp: other, ..row.clone() },
            NewSegmentRow { id: Ulid::from_parts(9, 9), ..row.clone() },
        ] {
            let refused = catalog.append_segment(wrong, content(1, 1)).await;
            assert!(matches!(refused, Err(CommitError::NotAsExpected(_))), "{refused:?}");
        }
        assert!(!catalog.mark_deleting(row.id, other, epoch(0)).await.unwrap());
        assert_eq!(catalog.partition(other).await.unwrap().unwrap().tiered_to, Some(offset(0)));
        catalog.append_segment(row, content(1, 1)).await.unwrap();
    }

    async fn a_given_up_object_is_deleting_before_it_goes_and_never_live(home: &Home) {
        let catalog = one_topic(home).await;
        let (given_up, kept) = (segment(tp(1), 0, 19, 0), segment(tp(1), 0, 9, 0));
        catalog.insert_writing(given_up.clone()).await.unwrap();
        assert!(!catalog.remove_segment_row(given_up.id).await.unwrap(), "it says WRITING");
        assert!(catalog.mark_deleting(given_up.id, tp(1), epoch(0)).await.unwrap());
        assert!(!catalog.mark_deleting(given_up.id, tp(1), epoch(0)).await.unwrap());
        let refused = catalog.append_segment(given_up.clone(), content(1, 1)).await;
        assert!(matches!(refused, Err(CommitError::NotAsExpected(_))), "{refused:?}");
        assert_eq!(catalog.partition(tp(1)).await.unwrap().unwrap().tiered_to, Some(offset(0)), "undone with it");

        // A commit whose outcome was not known is settled by the same call: this one has happened.
        upload(&catalog, &kept).await;
        assert!(!catalog.mark_deleting(kept.id, tp(1), epoch(0)).await.unwrap());
        assert_eq!(state(&catalog, kept.id).await, SegmentState::Live);
        assert!(!catalog.remove_segment_row(kept.id).await.unwrap(), "it says LIVE");
        assert!(catalog.remove_segment_row(given_up.id).await.unwrap());
        assert_eq!(catalog.segment(given_up.id).await.unwrap(), None);
    }

    async fn the_log_start_moves_forward_only_and_ends_what_lies_below(home: &Home) {
        let catalog = one_topic(home).await;
        for base in [0, 10, 20] {
            upload(&catalog, &segment(tp(1), base, base + 9, 0)).await;
        }
        let moved = catalog.advance_log_start(tp(1), epoch(0), offset(15)).await.unwrap();
        assert_eq!((moved.log_start, moved.tiered_to), (offset(15), Some(offset(30))));
        assert_eq!(live(&catalog, tp(1)).await, [(10, 19), (20, 29)], "an object that is needed in part stays");
        let back = catalog.advance_log_start(tp(1), epoch(0), offset(5)).await.unwrap();
        assert_eq!(back.log_start, offset(15));
        catalog.advance_log_start(tp(1), epoch(0), offset(20)).await.unwrap();
        assert_eq!(live(&catalog, tp(1)).await, [(20, 29)]);
        // Above what is in the bucket: tiering is not wedged.
        let moved = catalog.advance_log_start(tp(1), epoch(0), offset(50)).await.unwrap();
        assert_eq!((moved.log_start, moved.tiered_to), (offset(50), Some(offset(50))));
        assert_eq!(catalog.partition(tp(1)).await.unwrap(), Some(moved));
        assert_eq!(catalog.segments_in_state(SegmentState::Deleting, i64::MAX, 10).await.unwrap().len(), 3);
        upload(&catalog, &segment(tp(1), 50, 59, 0)).await;
        let nothing = catalog.partition(TopicPartition::new(topic_id(1), 1)).await.unwrap().unwrap();
        assert_eq!(nothing.log_start, offset(0), "the other partition is as it was");
    }

    async fn a_log_start_inside_a_range_that_is_written_clips_its_row(home: &Home) {
        let catalog = one_topic(home).await;
        upload(&catalog, &segment(tp(1), 0, 9, 0)).await;
        let (cut, whole) = (segment(tp(1), 10, 29, 0), segment(tp(1), 10, 14, 0));
        catalog.insert_writing(cut.clone()).await.unwrap();
        catalog.insert_writing(whole.clone()).await.unwrap();
        catalog.advance_log_start(tp(1), epoch(0), offset(20)).await.unwrap();
        assert_eq!(state(&catalog, cut.id).await, SegmentState::Writing, "left to its writer");
        let refused = catalog.append_segment(whole, content(1, 1)).await;
        assert!(matches!(refused, Err(CommitError::NotContiguous { .. })), "all of it lies below the log start");
        catalog.append_segment(cut, content(1, 1)).await.unwrap();
        assert_eq!(live(&catalog, tp(1)).await, [(20, 29)]);
        upload(&catalog, &segment(tp(1), 30, 39, 0)).await;
    }

    async fn tiering_ends_and_begins_again_without_a_hole_that_is_taken_for_history(home: &Home) {
        let catalog = one_topic(home).await;
        upload(&catalog, &segment(tp(1), 0, 9, 0)).await;
        let late = segment(tp(1), 10, 19, 0);
        catalog.insert_writing(late.clone()).await.unwrap();
        let ended = catalog.end_tiering(tp(1), epoch(0), offset(5)).await.unwrap();
        assert_eq!((ended.log_start, ended.tiered_to), (offset(5), None));
        assert_eq!(live(&catalog, tp(1)).await, []);
        let refused = catalog.append_segment(late.clone(), content(1, 1)).await;
        assert!(matches!(refused, Err(CommitError::NotContiguous { tiered_to: None, .. })), "{refused:?}");
        let moved = catalog.advance_log_start(tp(1), epoch(0), offset(7)).await.unwrap();
        assert_eq!(moved.tiered_to, None, "unknown stays unknown");
        let begun = catalog.begin_tiering(tp(1), epoch(0), offset(6)).await.unwrap();
        assert_eq!(begun.tiered_to, Some(offset(7)), "never below the log start");
        assert_eq!(catalog.begin_tiering(tp(1), epoch(0), offset(99)).await.unwrap(), begun, "known already");
        upload(&catalog, &segment(tp(1), 7, 15, 0)).await;
        let ended = catalog.end_tiering(tp(1), epoch(0), offset(3)).await.unwrap();
        assert_eq!(ended.log_start, offset(7), "never back");
        assert_eq!(catalog.begin_tiering(tp(1), epoch(0), offset(12)).await.unwrap().tiered_to, Some(offset(12)));
    }

    async fn a_manifest_is_read_by_range(home: &Home) {
        let catalog = one_topic(home).await;
        for base in 0..20 {
            upload(&catalog, &segment(tp(1), base * 10, base * 10 + 9, 0)).await;
        }
        let bases = |from, limit| {
            let catalog = catalog.clone();
            async move {
                let rows = catalog.live_segments(tp(1), offset(from), limit).await.unwrap();
                rows.iter().map(|row| row.head.base.get()).collect::<Vec<_>>()
            }
        };
        assert_eq!(bases(0, 2).await, [0, 10]);
        assert_eq!(bases(15, 2).await, [10, 20]);
        assert_eq!(bases(20, 1).await, [20]);
        assert_eq!(bases(185, 9).await, [180, 190]);
        assert_eq!(bases(200, 9).await, [0; 0]);
        assert_eq!(catalog.last_segment(tp(1)).await.unwrap().unwrap().head.base, offset(190));
        let totals = SegmentTotals { count: 20, log_size_bytes: 200, object_size_bytes: 100 };
        assert_eq!(catalog.segment_totals(tp(1)).await.unwrap(), totals);
        assert_eq!(catalog.state_totals(SegmentState::Live).await.unwrap(), totals);
        assert_eq!(catalog.state_totals(SegmentState::Deleting).await.unwrap(), SegmentTotals::default());
        catalog.advance_log_start(tp(1), epoch(0), offset(105)).await.unwrap();
        assert_eq!(bases(0, 1).await, [100], "from below the log start, the first that is left");
        assert_eq!(catalog.segment_totals(tp(1)).await.unwrap().count, 10);
        assert_eq!(catalog.segment_totals(TopicPartition::new(topic_id(1), 1)).await.unwrap(), SegmentTotals::default());
    }

    async fn objects_are_found_by_their_timestamps(home: &Home) {
        let catalog = one_topic(home).await;
        for (base, max_timestamp_ms, record_count) in [(0, 50, 1), (10, 90, 1), (20, 70, 1), (30, 90, 1), (40, 99, 0)] {
            let row = segment(tp(1), base, base + 9, 0);
            catalog.insert_writing(row.clone()).await.unwrap();
            let mut content = content(10, max_timestamp_ms);
            content.record_count = record_count;
            catalog.append_segment(row, content).await.unwrap();
        }
        let reaching = |timestamp_ms, from| {
            let catalog = catalog.clone();
            async move {
                let row = catalog.first_segment_reaching(tp(1), timestamp_ms, offset(from)).await.unwrap();
                row.map(|row| row.head.base.get())
            }
        };
        assert_eq!(reaching(0, 0).await, Some(0));
        assert_eq!(reaching(51, 0).await, Some(10));
        assert_eq!(reaching(60, 20).await, Some(20));
        assert_eq!(reaching(60, 15).await, Some(10), "an object that `from` lies in counts");
        assert_eq!(reaching(91, 0).await, None, "an object without records has no timestamp to find");
        let (mut latest, mut after) = (Vec::new(), None);
        loop {
            let page = catalog.latest_segments(tp(1), after, 1).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.content.max_timestamp_ms, last.head.base));
            latest.extend(page.iter().map(|row| row.head.base.get()));
        }
        assert_eq!(latest, [10, 30, 20, 0], "of equal timestamps the first in the log, each once");
        let latest = catalog.latest_segments(tp(1), None, 3).await.unwrap();
        assert_eq!(latest.iter().map(|row| row.head.base.get()).collect::<Vec<_>>(), [10, 30, 20]);
        assert_eq!(catalog.last_segment(tp(1)).await.unwrap().unwrap().head.base, offset(40));
    }

    async fn old_writing_rows_are_found_oldest_first(home: &Home) {
        let catalog = one_topic(home).await;
        for base in [20, 0, 10] {
            catalog.insert_writing(segment(tp(1), base, base + 9, 0)).await.unwrap();
            home.clock.advance(std::time::Duration::from_millis(100));
        }
        let writing = |until_ms, limit| {
            let catalog = catalog.clone();
            async move {
                let rows = catalog.segments_in_state(SegmentState::Writing, until_ms, limit).await.unwrap();
                rows.iter().map(|row| row.head.base.get()).collect::<Vec<_>>()
            }
        };
        assert_eq!(writing(1_100, 10).await, [20, 0]);
        assert_eq!(writing(i64::MAX, 2).await, [20, 0]);
        assert_eq!(writing(999, 10).await, [0; 0]);
        let mut paged = Vec::new();
        let mut after = None;
        loop {
            let page = catalog.segments_in_state_after(SegmentState::Writing, after, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.changed_at_ms, last.head.id));
            paged.extend(page.iter().map(|row| row.head.base.get()));
        }
        assert_eq!(paged, [20, 0, 10], "page by page, each once");
        catalog.mark_deleting(segment(tp(1), 20, 29, 0).id, tp(1), epoch(0)).await.unwrap();
        assert_eq!(writing(i64::MAX, 10).await, [0, 10]);
        let deleting = catalog.segments_in_state(SegmentState::Deleting, i64::MAX, 10).await.unwrap();
        assert_eq!(deleting[0].changed_at_ms, 1_300, "its grace counts from then");
    }
}
