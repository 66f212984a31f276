//! Two at once: one wins, and the fence holds whatever the interleaving.

use tidelog::catalog::{CommitError, FencedError, NewSegmentRow};
use ulid::Ulid;

use crate::appends::{live, one_topic, state};
use crate::home::{Home, Raw};
use crate::rows::{BROKER, content, epoch, offset, segment, topic_id, tp};

over_both! {
    async fn of_two_that_append_one_range_one_wins(home: &Home) {
        let catalog = one_topic(home).await;
        for round in 0..25u32 {
            let base = i64::from(round) * 10;
            let rows = [0, 1].map(|n| NewSegmentRow {
                id: Ulid::from_parts(u64::from(round), n),
                ..segment(tp(1), base, base + 9, 0)
            });
            for row in &rows {
                catalog.insert_writing(row.clone()).await.unwrap();
            }
            let [first, second] = rows.map(|row| {
                let catalog = catalog.clone();
                tokio::spawn(async move { catalog.append_segment(row, content(1, 1)).await })
            });
            let (first, second) = (first.await.unwrap(), second.await.unwrap());
            let refused = match (first, second) {
                (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
                other => panic!("{other:?}"),
            };
            assert!(matches!(refused, CommitError::NotContiguous { .. }), "{refused}");
        }
        assert_eq!(live(&catalog, tp(1)).await.len(), 25);
    }

    async fn an_append_and_a_new_epoch_never_both_succeed_out_of_order(home: &Home) {
        let catalog = one_topic(home).await;
        let (mut next, mut appended) = (0, 0);
        for now in 0..25 {
            let row = NewSegmentRow { id: Ulid::from_parts(7, u128::try_from(now).unwrap()), ..segment(tp(1), next, next + 9, now) };
            catalog.insert_writing(row.clone()).await.unwrap();
            let other = catalog.clone();
            let raise = tokio::spawn(async move { other.raise_leader_epochs(BROKER).await.unwrap() });
            let append = catalog.append_segment(row.clone(), content(1, 1)).await;
            let raised = raise.await.unwrap();
            let seen = raised.iter().find(|row| row.tp == tp(1)).unwrap().tiered_to;
            match append {
                // The new leader saw it: it was committed first.
                Ok(_) => {
                    assert_eq!(seen, Some(offset(next + 10)));
                    next += 10;
                    appended += 1;
                }
                Err(CommitError::Fenced { .. }) => assert_eq!(seen, Some(offset(next))),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(live(&catalog, tp(1)).await.len(), appended);
    }

    async fn a_topic_that_is_deleted_meanwhile_takes_no_new_object(home: &Home) {
        for round in 0..10 {
            let catalog = if round == 0 { one_topic(home).await } else { home.open().await };
            let id = topic_id(round + 1);
            if round > 0 {
                catalog.create_topic(crate::rows::topic("orders", round + 1)).await.unwrap();
            }
            let row = NewSegmentRow { id: Ulid::from_parts(3, round), ..segment(tp(round + 1), 0, 9, 0) };
            let other = catalog.clone();
            let delete = tokio::spawn(async move { other.delete_topic(id).await });
            let insert = catalog.insert_writing(row.clone()).await;
            delete.await.unwrap().unwrap();
            match insert {
                Ok(()) => assert_eq!(state(&catalog, row.id).await, tidelog::catalog::SegmentState::Deleting),
                Err(FencedError::Fenced { .. }) => assert_eq!(catalog.segment(row.id).await.unwrap(), None),
                Err(other) => panic!("{other}"),
            }
            catalog.close().await;
        }
    }
}

/// What no chance brings about reliably: the epoch rises in a transaction that is still open when the append begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_waits_for_an_epoch_that_is_rising_and_is_fenced_by_it() {
    let Some(home) = Home::postgres().await else { return };
    let catalog = one_topic(&home).await;
    let row = segment(tp(1), 0, 9, 0);
    catalog.insert_writing(row.clone()).await.unwrap();
    let mut raw = home.raw().await;
    raw.execute("BEGIN; UPDATE partitions SET leader_epoch = leader_epoch + 1").await;
    let other = catalog.clone();
    let append = tokio::spawn(async move { other.append_segment(row, content(1, 1)).await });
    wait_for_one_that_waits(&mut home.raw().await).await;
    raw.execute("COMMIT").await;
    assert!(matches!(append.await.unwrap(), Err(CommitError::Fenced { epoch: refused, .. }) if refused == epoch(0)));
    assert_eq!(live(&catalog, tp(1)).await, []);
}

/// Returns once a transaction of this database waits for a lock.
pub async fn wait_for_one_that_waits(raw: &mut Raw) {
    let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while raw.number(sql).await == 0 {
        tokio::task::yield_now().await;
    }
}
