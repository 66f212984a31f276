//! A store that refuses, or of which nobody knows what it did.

use super::bench::{Bench, DELAY_MS, Mood, commit_request, join_request, sync_request};
use crate::coordinator::group::*;

#[tokio::test]
async fn a_refused_commit_changes_nothing() {
    let bench = Bench::start().await;
    bench.commit("g", 0, 1).await.unwrap();
    bench.gate.set(Mood::Refuses);
    assert_eq!(bench.commit("g", 0, 2).await, Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(bench.commit("new", 0, 2).await, Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(bench.committed("g", 0).await, Some(1));
    bench.gate.set(Mood::Fine);
    assert_eq!(bench.commit("new", 0, 3).await, Ok(()));
    let bench = bench.crash().await;
    assert_eq!((bench.committed("g", 0).await, bench.committed("new", 0).await), (Some(1), Some(3)));
}

#[tokio::test]
async fn memory_never_differs_from_a_catalog_of_which_the_end_is_not_known() {
    for mood in [Mood::DoneUnknown, Mood::LostUnknown] {
        let bench = Bench::start().await;
        bench.commit("g", 0, 1).await.unwrap();
        bench.gate.set(mood);
        assert_eq!(bench.commit("g", 0, 2).await, Err(GroupError::CoordinatorNotAvailable));
        bench.gate.set(Mood::Fine);
        // The write is repeated until it is known.
        while bench.committed("g", 0).await != Some(2) {
            bench.pass(100).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(bench.in_catalog("g", 0).await, Some(2));
        assert_eq!(bench.commit("g", 0, 3).await, Ok(()));
    }
}

#[tokio::test]
async fn an_assignment_that_is_not_stored_is_not_given_out() {
    let bench = Bench::start().await;
    let joining = bench.join("g", join_request("")).await;
    bench.pass(DELAY_MS).await;
    let joined = joining.await.unwrap().unwrap();
    bench.gate.set(Mood::Refuses);
    let shares = vec![(joined.member_id.clone(), "share".into())];
    let refused = bench.coordinator.sync("g", sync_request(&joined, shares.clone())).await;
    assert_eq!(refused, Err(GroupError::CoordinatorNotAvailable));
    bench.gate.set(Mood::Fine);
    let again = bench.coordinator.join("g", join_request(&joined.member_id)).await.unwrap();
    assert_eq!(again.generation, 2);
    assert_eq!(bench.coordinator.sync("g", sync_request(&again, shares)).await.unwrap().assignment, "share");
    let bench = bench.crash().await;
    assert_eq!(bench.heartbeat("g", &again).await, Ok(()));
}

#[tokio::test]
async fn a_state_that_could_not_be_stored_is_stored_later() {
    let bench = Bench::start().await;
    let members = bench.stable("g", 1).await;
    bench.gate.set(Mood::Refuses);
    let leaving = [Leaving { member_id: members[0].member_id.clone(), group_instance_id: None }];
    bench.coordinator.leave("g", &leaving).await.unwrap();
    bench.until_state("g", GroupState::Empty).await;
    while bench.commit("g", 0, 1).await.is_ok() {}
    bench.gate.set(Mood::Fine);
    assert!(!bench.catalog.group("g").await.unwrap().unwrap().members.is_empty());
    bench.coordinator.tidy().await;
    while !bench.catalog.group("g").await.unwrap().unwrap().members.is_empty() {
        tokio::task::yield_now().await;
    }
    let row = bench.catalog.group("g").await.unwrap().unwrap();
    assert_eq!(row.generation, 2);
}

#[tokio::test]
async fn a_deletion_that_fails_leaves_the_group() {
    let bench = Bench::start().await;
    bench.commit("g", 0, 1).await.unwrap();
    bench.gate.set(Mood::Refuses);
    assert_eq!(bench.coordinator.delete_group("g").await, Err(GroupError::CoordinatorNotAvailable));
    bench.gate.set(Mood::Fine);
    assert_eq!(bench.committed("g", 0).await, Some(1));
    assert_eq!(bench.coordinator.commit("g", commit_request("", -1, 0, 2)).await, Ok(vec![Ok(())]));
}
