//! SyncGroup, heartbeats and sessions, LeaveGroup.

use super::scene::{REBALANCE_MS, SESSION_MS, Scene, join_request};
use crate::coordinator::group::*;

#[test]
fn shares_are_given_out_when_the_leaders_assignment_is_stored() {
    let mut scene = Scene::new();
    let tickets = [scene.join(&join_request("")), scene.join(&join_request(""))];
    scene.pass(10_000);
    assert!(tickets.iter().all(|ticket| !scene.waits(*ticket)));
    let follower = scene.sync("m2", 1, &[]);
    assert!(scene.waits(follower));
    let leader = scene.sync("m1", 1, &[("m1", "one"), ("m2", "two"), ("stranger", "three")]);
    assert_eq!((scene.share(leader), scene.share(follower)), ("one".to_owned(), "two".to_owned()));
    assert_eq!(scene.group.state(), GroupState::Stable);
    let stored = scene.stored.clone().unwrap();
    let shares: Vec<_> = stored.members.iter().map(|member| (&*member.member_id, &*member.assignment)).collect();
    assert_eq!(shares, [("m1", &b"one"[..]), ("m2", b"two")]);
    let again = scene.sync("m2", 1, &[]);
    assert_eq!(scene.share(again), "two");
}

#[test]
fn a_sync_is_refused_in_kafkas_words() {
    let (mut scene, ids) = Scene::stable(1);
    let request = |generation, protocol_type: &str, protocol_name: &str| SyncRequest {
        member_id: ids[0].clone(),
        group_instance_id: None,
        generation,
        protocol_type: Some(protocol_type.to_owned()),
        protocol_name: Some(protocol_name.to_owned()),
        assignments: Vec::new(),
    };
    for (request, error) in [
        (request(0, "consumer", "range"), GroupError::IllegalGeneration),
        (request(2, "consumer", "range"), GroupError::IllegalGeneration),
        (request(1, "connect", "range"), GroupError::InconsistentGroupProtocol),
        (request(1, "consumer", "sticky"), GroupError::InconsistentGroupProtocol),
        (SyncRequest { member_id: "x".to_owned(), ..request(1, "consumer", "range") }, GroupError::UnknownMemberId),
    ] {
        let ticket = scene.sync_as(&request);
        assert_eq!(scene.sync_error(ticket), error);
    }
    let ticket = scene.sync_as(&request(1, "consumer", "range"));
    assert_eq!(scene.share(ticket), ids[0]);
    scene.join(&join_request(""));
    let ticket = scene.sync_as(&request(1, "consumer", "range"));
    assert_eq!(scene.sync_error(ticket), GroupError::RebalanceInProgress);
}

#[test]
fn an_assignment_that_cannot_be_stored_is_not_given_out() {
    let (mut scene, ids) = Scene::stable(2);
    let tickets = [scene.join(&join_request(&ids[0])), scene.join(&join_request(&ids[1]))];
    assert!(tickets.iter().all(|ticket| !scene.waits(*ticket)));
    scene.store_fails = true;
    let follower = scene.sync(&ids[1], 2, &[]);
    let leader = scene.sync(&ids[0], 2, &[(&ids[0], "a")]);
    assert_eq!(scene.sync_error(leader), GroupError::CoordinatorNotAvailable);
    assert_eq!(scene.sync_error(follower), GroupError::CoordinatorNotAvailable);
    assert_eq!(scene.group.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_newcomer_ends_the_wait_for_an_assignment() {
    let (mut scene, ids) = Scene::stable(2);
    scene.join(&join_request(&ids[0]));
    scene.join(&join_request(&ids[1]));
    let waiting = scene.sync(&ids[1], 2, &[]);
    scene.join(&join_request(""));
    assert_eq!(scene.sync_error(waiting), GroupError::RebalanceInProgress);
}

#[test]
fn who_does_not_sync_in_time_is_left_out() {
    let (mut scene, ids) = Scene::stable(2);
    scene.join(&join_request(&ids[0]));
    scene.join(&join_request(&ids[1]));
    let waiting = scene.sync(&ids[1], 2, &[]);
    for _ in 0..REBALANCE_MS / 5_000 {
        assert!(scene.waits(waiting));
        assert_eq!(scene.heartbeat(&ids[0], 2), Ok(()));
        scene.pass(5_000);
    }
    assert_eq!(scene.sync_error(waiting), GroupError::RebalanceInProgress);
    assert_eq!(scene.heartbeat(&ids[0], 2), Err(GroupError::UnknownMemberId));
    assert_eq!(scene.group.member_count(), 1);
}

#[test]
fn a_silent_member_is_given_up_and_the_others_rebalance() {
    let (mut scene, ids) = Scene::stable(2);
    scene.pass(i64::from(SESSION_MS) - 1);
    assert_eq!(scene.heartbeat(&ids[0], 1), Ok(()));
    scene.pass(1);
    assert_eq!(scene.heartbeat(&ids[1], 1), Err(GroupError::UnknownMemberId));
    assert_eq!(scene.heartbeat(&ids[0], 1), Err(GroupError::RebalanceInProgress));
    let alone = scene.join(&join_request(&ids[0]));
    assert_eq!((scene.joined(alone).generation, scene.joined(alone).members.len()), (2, 1));
}

#[test]
fn the_last_silent_member_leaves_an_empty_group_that_is_stored() {
    let (mut scene, _) = Scene::stable(1);
    scene.pass(i64::from(SESSION_MS));
    assert_eq!(scene.group.state(), GroupState::Empty);
    assert_eq!(scene.group.generation(), 2);
    let stored = scene.stored.clone().unwrap();
    assert_eq!((stored.generation, stored.members.len(), stored.leader), (2, 0, None));
    assert_eq!(scene.group.wake_at_ms(), None);
}

#[test]
fn a_member_that_waits_for_others_does_not_have_to_be_heard_of() {
    let (mut scene, ids) = Scene::stable(2);
    let waiting = scene.join(&join_request(&ids[0]));
    for _ in 0..5 {
        scene.pass(i64::from(SESSION_MS) - 1);
        let _ = scene.heartbeat(&ids[1], 1);
    }
    assert!(scene.waits(waiting));
    let other = scene.join(&join_request(&ids[1]));
    assert_eq!(scene.joined(waiting).generation, 2);
    assert_eq!(scene.joined(other).generation, 2);
}

#[test]
fn whoever_leaves_is_gone_at_once() {
    let (mut scene, ids) = Scene::stable(2);
    assert_eq!(
        scene.leave(&[(&ids[0], None), ("stranger", None), ("", Some("nobody"))]),
        [Ok(()), Err(GroupError::UnknownMemberId), Err(GroupError::UnknownMemberId)]
    );
    assert_eq!(scene.group.state(), GroupState::PreparingRebalance);
    assert_eq!(scene.group.leader(), Some(ids[1].as_str()));
    assert_eq!(scene.leave(&[(&ids[1], None)]), [Ok(())]);
    assert_eq!((scene.group.state(), scene.group.generation()), (GroupState::Empty, 2));
}

#[test]
fn leaving_ends_a_wait() {
    let (mut scene, ids) = Scene::stable(2);
    let join = scene.join(&join_request(&ids[0]));
    scene.leave(&[(&ids[0], None)]);
    assert_eq!(scene.join_error(join), (String::new(), GroupError::UnknownMemberId));
    let second = scene.join(&join_request(&ids[1]));
    assert_eq!(scene.joined(second).generation, 2);
    let third = scene.join(&JoinRequest { requires_member_id: true, ..join_request("") });
    let (id, _) = scene.join_error(third);
    assert_eq!(scene.leave(&[(&id, None)]), [Ok(())], "an id that never joined");
}

#[test]
fn what_is_described_is_settled() {
    let (mut scene, ids) = Scene::stable(1);
    let stable = scene.group.describe();
    assert_eq!((stable.state.name(), stable.protocol_name.as_str()), ("Stable", "range"));
    assert_eq!(stable.members[0].assignment, ids[0].as_bytes());
    assert!(!stable.members[0].metadata.is_empty());
    scene.join(&join_request(""));
    let unsettled = scene.group.describe();
    assert_eq!((unsettled.state.name(), unsettled.protocol_name.as_str()), ("PreparingRebalance", ""));
    assert!(unsettled.members.iter().all(|member| member.metadata.is_empty()));
    assert_eq!(scene.group.listed().protocol_type, "consumer");
}
