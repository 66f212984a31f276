//! Groups in memory: those at rest leave it and come back as they were.

use super::bench::{Bench, DELAY_MS, commit_request, join_request};
use crate::coordinator::group::*;

const HOUR_MS: u64 = 60 * 60 * 1000;

#[tokio::test]
async fn groups_at_rest_leave_memory_and_come_back() {
    let bench = Bench::start().await;
    for n in 0..50 {
        bench.commit(&format!("g{n}"), 0, n).await.unwrap();
    }
    let members = bench.stable("busy", 1).await;
    assert_eq!(bench.coordinator.in_memory().0, 51);
    bench.coordinator.tidy().await;
    assert_eq!(bench.coordinator.in_memory().0, 51, "they were just asked for");
    for _ in 0..50 {
        bench.pass(9_000).await;
        bench.heartbeat("busy", &members[0]).await.unwrap();
    }
    bench.coordinator.tidy().await;
    assert_eq!(bench.coordinator.in_memory().0, 1);
    assert_eq!(bench.coordinator.list().await.unwrap().len(), 51, "and are still listed");
    assert_eq!(bench.committed("g7", 0).await, Some(7));
    bench.commit("g7", 1, 8).await.unwrap();
    assert_eq!((bench.committed("g7", 0).await, bench.committed("g7", 1).await), (Some(7), Some(8)));
    assert_eq!(bench.coordinator.in_memory().0, 2);
}

#[tokio::test]
async fn memory_is_counted_as_it_comes_and_goes() {
    let bench = Bench::start().await;
    assert_eq!(bench.coordinator.in_memory(), (0, 0));
    bench.commit("g", 0, 1).await.unwrap();
    let one = bench.coordinator.in_memory().1;
    bench.commit("g", 1, 1).await.unwrap();
    let two = bench.coordinator.in_memory().1;
    assert!(two > one && one > 1024);
    bench.commit("g", 1, 1).await.unwrap();
    assert_eq!(bench.coordinator.in_memory().1, two);
    let bench = bench.restart().await;
    assert_eq!(bench.committed("g", 0).await, Some(1));
    assert_eq!(bench.coordinator.in_memory().1, two);
    bench.coordinator.delete_group("g").await.unwrap();
    assert_eq!(bench.coordinator.in_memory(), (0, 0));
    for n in 0..20 {
        assert_eq!(bench.committed(&format!("nobody's {n}"), 0).await, None);
    }
    assert_eq!(bench.coordinator.in_memory(), (0, 0), "asking for groups that do not exist costs nothing");
    bench.pass(HOUR_MS).await;
}

#[tokio::test]
async fn groups_at_rest_make_room_at_once_where_memory_is_short() {
    let bench = Bench::with_memory(20 * 1024).await;
    for n in 0..100 {
        bench.pass(1_000).await;
        assert_eq!(bench.commit(&format!("g{n}"), 0, n).await, Ok(()));
        assert!(bench.coordinator.in_memory().1 <= 22 * 1024, "{:?}", bench.coordinator.in_memory());
    }
    bench.pass(1_000).await;
    assert_eq!(bench.committed("g3", 0).await, Some(3));
    assert_eq!(bench.coordinator.list().await.unwrap().len(), 100);
}

#[tokio::test]
async fn groups_at_work_go_on_where_memory_is_full_and_new_ones_are_put_off() {
    let bench = Bench::with_memory(20 * 1024).await;
    let members = bench.stable("busy", 1).await;
    let (id, generation) = (members[0].member_id.as_str(), members[0].generation);
    let commit = |partition| bench.coordinator.commit("busy", commit_request(id, generation, partition, 1));
    let mut partitions = 0;
    while commit(partitions).await == Ok(vec![Ok(())]) {
        partitions += 1;
    }
    assert!(partitions > 50, "{partitions}");
    assert_eq!(commit(partitions).await, Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(commit(0).await, Ok(vec![Ok(())]), "what it has, it may commit again");
    assert_eq!(bench.heartbeat("busy", &members[0]).await, Ok(()));
    let refused = bench.coordinator.join("new", join_request("")).await.unwrap_err();
    assert_eq!(refused.error, GroupError::CoordinatorNotAvailable);
    let leaving = [Leaving { member_id: id.to_owned(), group_instance_id: None }];
    bench.coordinator.leave("busy", &leaving).await.unwrap();
    bench.until_state("busy", GroupState::Empty).await;
    while bench.catalog.group("busy").await.unwrap().is_some_and(|row| !row.members.is_empty()) {
        tokio::task::yield_now().await;
    }
    bench.pass(1_000).await;
    let joining = bench.join("new", join_request("")).await;
    bench.pass(DELAY_MS).await;
    assert!(joining.await.unwrap().is_ok());
}
