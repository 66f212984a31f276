//! JoinGroup: member ids, protocols, sizes, the join phase and its ends.

use super::scene::{DELAY_MS, REBALANCE_MS, SESSION_MS, Scene, join_request, protocol, settings};
use crate::coordinator::group::*;

#[test]
fn a_first_member_waits_for_others_and_then_leads_them() {
    let mut scene = Scene::new();
    let first = scene.join(&join_request(""));
    assert_eq!(scene.group.state(), GroupState::PreparingRebalance);
    scene.pass(i64::from(DELAY_MS) - 1);
    let second = scene.join(&join_request(""));
    scene.pass(1);
    assert!(scene.waits(first) && scene.waits(second), "the delay is given again after a newcomer");
    scene.pass(i64::from(DELAY_MS));
    let (leader, follower) = (scene.joined(first), scene.joined(second));
    assert_eq!((leader.generation, leader.leader.as_str(), leader.members.len()), (1, "m1", 2));
    assert_eq!(leader.protocol_type.as_deref(), Some("consumer"));
    assert_eq!(leader.protocol_name.as_deref(), Some("range"));
    assert_eq!((follower.generation, follower.leader.as_str(), follower.members.len()), (1, "m1", 0));
    assert_eq!(scene.group.state(), GroupState::CompletingRebalance);
}

#[test]
fn newcomers_put_off_the_first_generation_only_up_to_the_rebalance_timeout() {
    let mut scene = Scene::with(GroupSettings { max_size: 1000, ..settings() });
    let first = scene.join(&join_request(""));
    let mut waited = 0;
    while scene.waits(first) {
        scene.pass(1_000);
        waited += 1_000;
        scene.join(&join_request(""));
        assert!(waited <= REBALANCE_MS, "never ends");
    }
    assert!(waited >= REBALANCE_MS - DELAY_MS, "ended after {waited} ms");
}

#[test]
fn a_dynamic_member_is_first_given_its_id() {
    let mut scene = Scene::new();
    let without = scene.join(&JoinRequest { requires_member_id: true, ..join_request("") });
    assert_eq!(scene.join_error(without), ("m1".to_owned(), GroupError::MemberIdRequired));
    assert_eq!(scene.group.state(), GroupState::Empty);
    let with = scene.join(&JoinRequest { requires_member_id: true, ..join_request("m1") });
    scene.pass(i64::from(DELAY_MS));
    assert_eq!(scene.joined(with).member_id, "m1");
}

#[test]
fn an_id_that_nobody_uses_is_forgotten_and_no_longer_waited_for() {
    let (mut scene, ids) = Scene::stable(1);
    scene.join(&JoinRequest { requires_member_id: true, ..join_request("") });
    let again = scene.join(&join_request(&ids[0]));
    assert!(scene.waits(again), "the id that was given out is waited for");
    scene.pass(i64::from(SESSION_MS));
    assert_eq!(scene.joined(again).generation, 2);
    let late = scene.join(&join_request("m2"));
    assert_eq!(scene.join_error(late).1, GroupError::UnknownMemberId);
}

#[test]
fn ids_that_nobody_gave_out_are_unknown() {
    let mut scene = Scene::new();
    let ticket = scene.join(&join_request("stranger"));
    assert_eq!(scene.join_error(ticket), ("stranger".to_owned(), GroupError::UnknownMemberId));
    assert_eq!(scene.sync_error_of("stranger", 0), GroupError::UnknownMemberId);
    assert_eq!(scene.heartbeat("stranger", 0), Err(GroupError::UnknownMemberId));
}

#[test]
fn protocols_have_to_have_something_in_common() {
    let (mut scene, _) = Scene::stable(1);
    let other_type = JoinRequest { protocol_type: "connect".to_owned(), ..join_request("") };
    let other_name = JoinRequest { protocols: vec![protocol("sticky", "orders")], ..join_request("") };
    let nothing = JoinRequest { protocols: Vec::new(), ..join_request("") };
    for request in [&other_type, &other_name, &nothing] {
        let ticket = scene.join(request);
        assert_eq!(scene.join_error(ticket), (String::new(), GroupError::InconsistentGroupProtocol));
    }
    let mut empty = Scene::new();
    let untyped = JoinRequest { protocol_type: String::new(), ..join_request("") };
    for request in [&untyped, &nothing] {
        let ticket = empty.join(request);
        assert_eq!(empty.join_error(ticket).1, GroupError::InconsistentGroupProtocol);
    }
    let schema_registry = JoinRequest { protocol_type: "sr".to_owned(), ..join_request("") };
    let ticket = empty.join(&schema_registry);
    empty.pass(i64::from(DELAY_MS));
    assert_eq!(empty.joined(ticket).protocol_type.as_deref(), Some("sr"));
}

#[test]
fn the_protocol_that_most_members_prefer_is_chosen_of_those_that_all_know() {
    let prefer = |names: &[&str]| JoinRequest {
        protocols: names.iter().map(|name| protocol(name, "orders")).collect(),
        ..join_request("")
    };
    for (members, chosen) in [
        (vec![prefer(&["a", "b"]), prefer(&["b", "a"]), prefer(&["b", "a"])], "b"),
        (vec![prefer(&["a", "b"]), prefer(&["b", "a"])], "a"),
        (vec![prefer(&["a", "b", "c"]), prefer(&["c", "b"]), prefer(&["c", "b"])], "c"),
        (vec![prefer(&["a", "b"]), prefer(&["c", "b"])], "b"),
    ] {
        let mut scene = Scene::new();
        let tickets: Vec<_> = members.iter().map(|request| scene.join(request)).collect();
        scene.pass(i64::from(DELAY_MS) * 2);
        assert_eq!(scene.joined(tickets[0]).protocol_name.as_deref(), Some(chosen));
    }
}

#[test]
fn a_full_group_takes_nobody_more() {
    let (mut scene, ids) = Scene::stable(4);
    let fifth = scene.join(&join_request(""));
    assert_eq!(scene.join_error(fifth), (String::new(), GroupError::GroupMaxSizeReached));
    assert_eq!(scene.group.state(), GroupState::Stable);
    let known = scene.join(&join_request(&ids[1]));
    assert_eq!(scene.joined(known).generation, 1, "a member of the full group is still one");
}

#[test]
fn a_newcomer_makes_everyone_join_again() {
    let (mut scene, ids) = Scene::stable(2);
    let third = scene.join(&join_request(""));
    assert_eq!(scene.group.state(), GroupState::PreparingRebalance);
    assert_eq!(scene.heartbeat(&ids[0], 1), Err(GroupError::RebalanceInProgress));
    let first = scene.join(&join_request(&ids[0]));
    assert!(scene.waits(third) && scene.waits(first));
    let second = scene.join(&join_request(&ids[1]));
    for ticket in [first, second, third] {
        assert_eq!(scene.joined(ticket).generation, 2);
    }
    assert_eq!(scene.heartbeat(&ids[0], 1), Err(GroupError::IllegalGeneration));
    assert_eq!(scene.heartbeat(&ids[0], 2), Ok(()));
}

#[test]
fn who_does_not_join_again_in_time_is_left_out_and_a_new_leader_found() {
    let (mut scene, ids) = Scene::stable(2);
    let second = scene.join(&JoinRequest { protocols: vec![protocol("range", "other")], ..join_request(&ids[1]) });
    for _ in 0..REBALANCE_MS / 5_000 {
        assert!(scene.waits(second));
        let _ = scene.heartbeat(&ids[0], 1);
        scene.pass(5_000);
    }
    let joined = scene.joined(second);
    assert_eq!((joined.generation, joined.leader, joined.members.len()), (2, ids[1].clone(), 1));
    assert_eq!(scene.heartbeat(&ids[0], 1), Err(GroupError::UnknownMemberId));
}

#[test]
fn a_member_that_joins_unchanged_is_told_where_it_stands() {
    let (mut scene, ids) = Scene::stable(2);
    let follower = scene.join(&join_request(&ids[1]));
    assert_eq!(scene.joined(follower).generation, 1);
    assert_eq!(scene.group.state(), GroupState::Stable);
    let leader = scene.join(&join_request(&ids[0]));
    assert!(scene.waits(leader), "a leader that joins wants a new assignment");
    let follower = scene.join(&join_request(&ids[1]));
    assert_eq!(scene.joined(follower).generation, 2);
    let repeated = scene.join(&join_request(&ids[0]));
    assert_eq!(scene.joined(repeated).members.len(), 2, "the answer to the join was lost");
    assert_eq!(scene.group.state(), GroupState::CompletingRebalance);
    let changed = scene.join(&JoinRequest { protocols: vec![protocol("range", "x")], ..join_request(&ids[0]) });
    assert!(scene.waits(changed));
    assert_eq!(scene.group.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_second_join_of_one_member_ends_the_first() {
    let (mut scene, ids) = Scene::stable(2);
    let first = scene.join(&join_request(&ids[0]));
    let again = scene.join(&join_request(&ids[0]));
    assert_eq!(scene.join_error(first), (ids[0].clone(), GroupError::RebalanceInProgress));
    assert!(scene.waits(again));
}

#[test]
fn a_group_being_deleted_answers_nobody() {
    let mut scene = Scene::new();
    scene.group.begin_delete().unwrap();
    let ticket = scene.join(&join_request(""));
    assert_eq!(scene.join_error(ticket).1, GroupError::CoordinatorNotAvailable);
    assert_eq!(scene.sync_error_of("m", 0), GroupError::CoordinatorNotAvailable);
    assert_eq!(scene.heartbeat("m", 0), Err(GroupError::CoordinatorNotAvailable));
    scene.group.delete_failed();
    assert_eq!(scene.group.state(), GroupState::Empty);
}

impl Scene {
    fn sync_error_of(&mut self, member_id: &str, generation: i32) -> GroupError {
        let ticket = self.sync(member_id, generation, &[]);
        self.sync_error(ticket)
    }
}
