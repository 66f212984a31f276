//! What a restart finds: exactly what was told.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bench::{Bench, SESSION_MS, commit_request, join_request, sync_request, tp};
use crate::coordinator::group::*;
use crate::model::{LeaderEpoch, Offset};

#[tokio::test]
async fn members_go_on_after_a_crash_and_old_generations_stay_fenced() {
    let bench = Bench::start().await;
    let members = bench.stable("g", 3).await;
    let member = &members[0];
    bench.coordinator.commit("g", commit_request(&member.member_id, 1, 4, 99)).await.unwrap();
    let before = bench.coordinator.describe("g").await.unwrap();

    let bench = bench.crash().await;
    assert_eq!(bench.coordinator.describe("g").await.unwrap(), before);
    for member in &members {
        assert_eq!(bench.heartbeat("g", member).await, Ok(()));
    }
    let commit = |generation| bench.coordinator.commit("g", commit_request(&member.member_id, generation, 5, 1));
    assert_eq!(commit(0).await, Err(GroupError::IllegalGeneration));
    assert_eq!(commit(1).await, Ok(vec![Ok(())]));
    let read = bench.coordinator.offsets("g", None).await.unwrap();
    let expected = CommittedOffset {
        offset: Offset::new(99),
        leader_epoch: Some(LeaderEpoch::new(3)),
        metadata: "note 99".to_owned(),
        committed_at_ms: bench.now_ms(),
        expires_at_ms: None,
    };
    assert_eq!(read[0], (tp(4), expected));
    let again = bench.coordinator.sync("g", sync_request(&members[1], Vec::new())).await.unwrap();
    assert_eq!(again.assignment, members[1].member_id.as_bytes());
}

#[tokio::test]
async fn sessions_run_after_a_restart() {
    let bench = Bench::start().await;
    bench.stable("g", 2).await;
    let bench = bench.restart().await;
    bench.pass(u64::try_from(SESSION_MS).unwrap()).await;
    bench.until_state("g", GroupState::Empty).await;
    let group = bench.coordinator.list().await.unwrap().pop().unwrap();
    assert_eq!((group.protocol_type.as_str(), group.state), ("consumer", GroupState::Empty));
    let joining = bench.join("g", join_request("")).await;
    bench.pass(3_000).await;
    assert_eq!(joining.await.unwrap().unwrap().generation, 3, "two went before it, the last with nobody in it");
}

#[tokio::test]
async fn a_generation_that_was_not_assigned_is_forgotten_with_the_process() {
    let bench = Bench::start().await;
    let members = bench.stable("g", 1).await;
    let second = bench.join("g", join_request("")).await;
    let first = bench.coordinator.join("g", join_request(&members[0].member_id)).await.unwrap();
    assert_eq!(first.generation, 2);
    second.await.unwrap().unwrap();
    let bench = bench.crash().await;
    assert_eq!(bench.heartbeat("g", &first).await, Err(GroupError::IllegalGeneration));
    assert_eq!(bench.heartbeat("g", &members[0]).await, Ok(()));
}

/// Committers of many groups are cut off at a moment of chance: what each was told last, or something later, is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_was_told_is_lost_in_a_crash() {
    const COMMITTERS: usize = 16;
    let mut bench = Bench::start().await;
    let mut told: BTreeMap<(usize, i32), i64> = BTreeMap::new();
    for round in 0..5i64 {
        let committers: Vec<_> = (0..COMMITTERS)
            .map(|n| {
                let coordinator = Arc::clone(&bench.coordinator);
                tokio::spawn(async move {
                    let group = format!("g{}", n / 4);
                    let partition = i32::try_from(n).unwrap();
                    let mut last = None;
                    for step in 0.. {
                        let offset = round * 1_000_000 + step;
                        match coordinator.commit(&group, commit_request("", -1, partition, offset)).await {
                            Ok(_) => last = Some(offset),
                            Err(_) => break,
                        }
                    }
                    (n, partition, last)
                })
            })
            .collect();
        while bench.gate.batches.load(std::sync::atomic::Ordering::SeqCst) < 50 {
            tokio::task::yield_now().await;
        }
        // The process ends: nobody is answered any more, whatever is still done.
        bench.coordinator.close();
        bench.gate.set(super::bench::Mood::Refuses);
        for committer in committers {
            let (n, partition, last) = committer.await.unwrap();
            if let Some(last) = last {
                told.insert((n, partition), last);
            }
        }
        bench = bench.crash().await;
        for ((n, partition), told) in &told {
            let found = bench.committed(&format!("g{}", n / 4), *partition).await.unwrap();
            assert!(found >= *told, "committer {n} was told {told}, and {found} is there");
            assert_eq!(bench.in_catalog(&format!("g{}", n / 4), *partition).await, Some(found));
        }
    }
}
