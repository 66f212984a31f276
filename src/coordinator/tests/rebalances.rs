//! Members come, stay, go and die.

use std::sync::Arc;

use super::bench::{Bench, DELAY_MS, SESSION_MS, join_request, sync_request};
use crate::coordinator::group::*;

#[tokio::test]
async fn a_group_waits_for_its_members_and_shares_among_them() {
    let bench = Bench::start().await;
    let first = bench.join("g", join_request("")).await;
    bench.pass(DELAY_MS - 1).await;
    let second = bench.join("g", join_request("")).await;
    assert!(!first.is_finished());
    bench.pass(1).await;
    bench.pass(DELAY_MS).await;
    let (first, second) = (first.await.unwrap().unwrap(), second.await.unwrap().unwrap());
    assert_eq!((first.generation, first.members.len(), second.members.len()), (1, 2, 0));
    assert!(first.member_id.starts_with("client-") && first.member_id.len() == "client-".len() + 36);
    bench.settle("g", &[first.clone(), second.clone()]).await;
    assert_eq!(bench.state("g").await, Some(GroupState::Stable));
    assert_eq!(bench.heartbeat("g", &first).await, Ok(()));

    let leaving = [Leaving { member_id: second.member_id.clone(), group_instance_id: None }];
    assert_eq!(bench.coordinator.leave("g", &leaving).await, Ok(vec![Ok(())]));
    assert_eq!(bench.heartbeat("g", &first).await, Err(GroupError::RebalanceInProgress));
    assert_eq!(bench.heartbeat("g", &second).await, Err(GroupError::UnknownMemberId));
    let again = bench.coordinator.join("g", join_request(&first.member_id)).await.unwrap();
    assert_eq!((again.generation, again.members.len()), (2, 1));
}

#[tokio::test]
async fn a_member_that_is_silent_is_given_up() {
    let bench = Bench::start().await;
    let members = bench.stable("g", 2).await;
    let half = u64::try_from(SESSION_MS / 2).unwrap();
    bench.pass(half).await;
    assert_eq!(bench.heartbeat("g", &members[0]).await, Ok(()));
    bench.pass(half).await;
    bench.until_state("g", GroupState::PreparingRebalance).await;
    assert_eq!(bench.heartbeat("g", &members[1]).await, Err(GroupError::UnknownMemberId));
    let again = bench.coordinator.join("g", join_request(&members[0].member_id)).await.unwrap();
    bench.settle("g", &[again]).await;
    bench.pass(2 * half).await;
    bench.until_state("g", GroupState::Empty).await;
    while bench.catalog.group("g").await.unwrap().is_some_and(|row| !row.members.is_empty()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_that_goes_away_while_it_joins_is_still_waited_for() {
    let bench = Bench::start().await;
    let staying = bench.join("g", join_request("")).await;
    let going = bench.join("g", join_request("")).await;
    going.abort();
    bench.pass(DELAY_MS).await;
    bench.pass(DELAY_MS).await;
    let staying = staying.await.unwrap().unwrap();
    assert_eq!(staying.members.len(), 2, "as Kafka, which does not notice either");
    let shares = vec![];
    assert!(bench.coordinator.sync("g", sync_request(&staying, shares)).await.is_ok());
    for _ in 0..3 {
        bench.pass(u64::try_from(SESSION_MS / 2).unwrap()).await;
        let _ = bench.heartbeat("g", &staying).await;
    }
    bench.until_state("g", GroupState::PreparingRebalance).await;
    let again = bench.coordinator.join("g", join_request(&staying.member_id)).await.unwrap();
    assert_eq!((again.generation, again.members.len()), (2, 1));
}

#[tokio::test]
async fn a_static_member_comes_back_without_a_rebalance() {
    let bench = Bench::start().await;
    let fixed = JoinRequest { group_instance_id: Some("s1".to_owned()), ..join_request("") };
    let (one, other) = (bench.join("g", fixed.clone()).await, bench.join("g", join_request("")).await);
    bench.pass(DELAY_MS).await;
    bench.pass(DELAY_MS).await;
    let (one, other) = (one.await.unwrap().unwrap(), other.await.unwrap().unwrap());
    assert!(one.member_id.starts_with("s1-"));
    bench.settle("g", &[one.clone(), other.clone()]).await;

    let bench = bench.restart().await;
    let back = bench.coordinator.join("g", fixed).await.unwrap();
    assert_eq!((back.generation, back.skip_assignment), (1, true));
    assert_ne!(back.member_id, one.member_id);
    assert_eq!(bench.state("g").await, Some(GroupState::Stable));
    let synced = bench.coordinator.sync("g", sync_request(&back, Vec::new())).await.unwrap();
    assert_eq!(synced.assignment, one.member_id.as_bytes(), "the share that it had");
    let old = Heartbeat { member_id: one.member_id, group_instance_id: Some("s1".to_owned()), generation: 1 };
    assert_eq!(bench.coordinator.heartbeat("g", &old).await, Err(GroupError::FencedInstanceId));
    assert_eq!(bench.heartbeat("g", &other).await, Ok(()));
}

#[tokio::test]
async fn groups_that_do_not_exist_answer_as_kafkas() {
    let bench = Bench::start().await;
    let asks = &bench.coordinator;
    let refused = asks.join("g", join_request("someone")).await.unwrap_err();
    assert_eq!((refused.member_id.as_str(), refused.error), ("someone", GroupError::UnknownMemberId));
    let refused = asks.join("", join_request("")).await.unwrap_err();
    assert_eq!(refused.error, GroupError::InvalidGroupId);
    for session_timeout_ms in [5_999, 1_800_001, -1] {
        let refused = asks.join("g", JoinRequest { session_timeout_ms, ..join_request("") }).await.unwrap_err();
        assert_eq!(refused.error, GroupError::InvalidSessionTimeout);
    }
    let nobody = JoinedOf { member_id: "someone", generation: 1 }.joined();
    assert_eq!(bench.heartbeat("g", &nobody).await, Err(GroupError::UnknownMemberId));
    assert_eq!(asks.sync("g", sync_request(&nobody, Vec::new())).await, Err(GroupError::UnknownMemberId));
    let leaving = [Leaving { member_id: "someone".to_owned(), group_instance_id: None }];
    assert_eq!(asks.leave("g", &leaving).await, Ok(vec![Err(GroupError::UnknownMemberId)]));
    assert_eq!(asks.leave("", &leaving).await, Err(GroupError::InvalidGroupId));
    assert_eq!(asks.describe("g").await, Ok(None));
    assert_eq!(asks.list().await, Ok(Vec::new()), "nobody made a group by asking for it");
}

struct JoinedOf {
    member_id: &'static str,
    generation: i32,
}

impl JoinedOf {
    fn joined(self) -> Joined {
        Joined {
            generation: self.generation,
            protocol_type: None,
            protocol_name: None,
            leader: String::new(),
            member_id: self.member_id.to_owned(),
            members: Vec::new(),
            skip_assignment: false,
        }
    }
}

#[tokio::test]
async fn whoever_waits_when_the_coordinator_closes_is_told() {
    let bench = Bench::start().await;
    let joining = bench.join("g", join_request("")).await;
    bench.coordinator.close();
    assert_eq!(joining.await.unwrap().unwrap_err().error, GroupError::CoordinatorNotAvailable);
    let late = Arc::clone(&bench.coordinator);
    assert_eq!(late.join("g", join_request("")).await.unwrap_err().error, GroupError::CoordinatorNotAvailable);
}
