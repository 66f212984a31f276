//! Commits: stored before they are answered, many at once, in order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;

use super::bench::{Bench, commit_request, tp};
use crate::coordinator::group::*;

#[tokio::test]
async fn a_commit_is_in_the_catalog_before_it_is_answered_and_seen() {
    let bench = Bench::start().await;
    bench.gate.shut();
    let coordinator = Arc::clone(&bench.coordinator);
    let committing = tokio::spawn(async move { coordinator.commit("g", commit_request("", -1, 0, 42)).await });
    while bench.coordinator.describe("g").await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    assert!(!committing.is_finished());
    assert_eq!(bench.committed("g", 0).await, None);
    bench.gate.open();
    assert_eq!(committing.await.unwrap(), Ok(vec![Ok(())]));
    assert_eq!((bench.committed("g", 0).await, bench.in_catalog("g", 0).await), (Some(42), Some(42)));
}

#[tokio::test]
async fn many_committers_share_a_transaction() {
    let bench = Bench::start().await;
    bench.gate.shut();
    let names: Vec<&'static str> = (0..64).map(|n| &*String::leak(format!("g{}", n % 16))).collect();
    let commits = names.clone().into_iter().enumerate().map(|(n, name)| {
        let coordinator = Arc::clone(&bench.coordinator);
        let partition = i32::try_from(n).unwrap();
        tokio::spawn(async move { coordinator.commit(name, commit_request("", -1, partition, 7)).await })
    });
    let commits: Vec<_> = commits.collect();
    // Each has its place once its permits are taken and its group is loaded.
    while bench.coordinator.pending_commits() < 64 {
        tokio::task::yield_now().await;
    }
    bench.gate.open();
    for done in join_all(commits).await {
        assert_eq!(done.unwrap(), Ok(vec![Ok(())]));
    }
    let batches = bench.gate.batches.load(Ordering::SeqCst);
    assert!(batches <= 16, "{batches} transactions for 64 commits");
    for (n, name) in names.iter().enumerate() {
        assert_eq!(bench.committed(name, i32::try_from(n).unwrap()).await, Some(7));
    }
}

#[tokio::test]
async fn the_last_of_several_commits_counts() {
    let bench = Bench::start().await;
    bench.commit("g", 0, 1).await.unwrap();
    bench.gate.shut();
    let coordinator = Arc::clone(&bench.coordinator);
    let mut commits = Vec::new();
    for offset in [5, 3, 9, 4] {
        let (asked, before) = (Arc::clone(&coordinator), coordinator.pending_commits());
        commits.push(tokio::spawn(async move { asked.commit("g", commit_request("", -1, 0, offset)).await }));
        while coordinator.pending_commits() == before {
            tokio::task::yield_now().await;
        }
    }
    bench.gate.open();
    for done in join_all(commits).await {
        assert_eq!(done.unwrap(), Ok(vec![Ok(())]));
    }
    assert_eq!((bench.committed("g", 0).await, bench.in_catalog("g", 0).await), (Some(4), Some(4)));
}

#[tokio::test]
async fn a_store_that_hangs_is_not_waited_for() {
    let bench = Bench::start().await;
    bench.gate.shut();
    let coordinator = Arc::clone(&bench.coordinator);
    let committing = tokio::spawn(async move { coordinator.commit("g", commit_request("", -1, 0, 42)).await });
    while bench.coordinator.pending_commits() == 0 {
        tokio::task::yield_now().await;
    }
    bench.pass(5_000).await;
    assert_eq!(committing.await.unwrap(), Err(GroupError::CoordinatorNotAvailable));
    bench.gate.open();
    while bench.committed("g", 0).await != Some(42) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_may_commit_is_kafkas_rule() {
    let bench = Bench::start().await;
    let members = bench.stable("g", 1).await;
    let member = members[0].member_id.as_str();
    let commit = |member: &str, generation| bench.coordinator.commit("g", commit_request(member, generation, 0, 1));
    assert_eq!(commit(member, 1).await, Ok(vec![Ok(())]));
    assert_eq!(commit(member, 0).await, Err(GroupError::IllegalGeneration));
    assert_eq!(commit("other", 1).await, Err(GroupError::UnknownMemberId));
    assert_eq!(commit("", -1).await, Err(GroupError::UnknownMemberId));
    let unknown = bench.coordinator.commit("nope", commit_request("m", 1, 0, 1)).await;
    assert_eq!(unknown, Err(GroupError::GroupIdNotFound));
    assert_eq!(bench.state("nope").await, None);
    let mut large = commit_request(member, 1, 1, 1);
    large.offsets.extend(commit_request(member, 1, 2, 1).offsets);
    large.offsets[0].metadata = "x".repeat(4097);
    let outcomes = bench.coordinator.commit("g", large).await;
    assert_eq!(outcomes, Ok(vec![Err(GroupError::OffsetMetadataTooLarge), Ok(())]));
    assert_eq!(bench.committed("g", 1).await, None);
    assert_eq!(bench.committed("g", 2).await, Some(1));
}

#[tokio::test]
async fn offsets_of_an_empty_group_expire_and_the_group_with_them() {
    let bench = Bench::start().await;
    let members = bench.stable("joined", 1).await;
    let request = commit_request(&members[0].member_id, 1, 0, 1);
    bench.coordinator.commit("joined", request).await.unwrap();
    bench.commit("simple", 0, 1).await.unwrap();
    bench.pass(30_000).await;
    bench.until_state("joined", GroupState::Empty).await;
    bench.commit("simple", 1, 1).await.unwrap();
    bench.coordinator.expire().await;
    assert_eq!(bench.committed("simple", 0).await, Some(1));

    let bench = bench.restart().await;
    bench.pass(30_000).await;
    bench.coordinator.expire().await;
    while bench.committed("simple", 0).await.is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.committed("simple", 1).await, Some(1), "committed later");
    assert_eq!(bench.committed("joined", 0).await, Some(1), "the group became empty later");
    bench.pass(30_000).await;
    bench.coordinator.expire().await;
    while !bench.catalog.groups(None, 10).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.coordinator.list().await, Ok(Vec::new()));
    assert_eq!((bench.in_catalog("simple", 1).await, bench.in_catalog("joined", 0).await), (None, None));
    // It may be on its way out for a moment longer.
    while bench.commit("simple", 0, 5).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.committed("simple", 0).await, Some(5), "and begins anew");
}

#[tokio::test]
async fn what_is_committed_while_offsets_expire_stays() {
    let bench = Bench::start().await;
    bench.commit("g", 0, 1).await.unwrap();
    bench.commit("g", 1, 1).await.unwrap();
    bench.pass(60_000).await;
    bench.gate.shut();
    bench.coordinator.expire().await;
    assert_eq!(bench.state("g").await, None, "the group is on its way out");
    assert_eq!(bench.commit("g", 0, 2).await, Err(GroupError::CoordinatorNotAvailable));
    bench.gate.open();
    while bench.commit("g", 0, 2).await.is_err() {
        tokio::task::yield_now().await;
    }
    bench.coordinator.expire().await;
    assert_eq!((bench.committed("g", 0).await, bench.in_catalog("g", 0).await), (Some(2), Some(2)));
    assert_eq!((bench.committed("g", 1).await, bench.in_catalog("g", 1).await), (None, None));
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.coordinator.offsets("g", Some(&[tp(1)])).await, Ok(Vec::new()));
}
