//! Static members (KIP-345), and groups that come back from the store.

use std::sync::Arc;

use super::scene::{REBALANCE_MS, SESSION_MS, Scene, join_request, protocol, settings, static_join};
use crate::coordinator::group::*;

fn two() -> (Scene, Vec<String>) {
    Scene::stable_of(Scene::new(), &[static_join("a"), static_join("b")])
}

#[test]
fn a_static_member_that_comes_back_takes_its_place_without_a_rebalance() {
    let (mut scene, ids) = two();
    let back = scene.join(&static_join("b"));
    let joined = scene.joined(back);
    assert_eq!((joined.generation, joined.member_id.as_str(), joined.skip_assignment), (1, "m3", false));
    assert_eq!(joined.leader, ids[0]);
    let sync = scene.sync("m3", 1, &[]);
    assert_eq!(scene.share(sync), ids[1], "the share of the one before");
    assert_eq!(scene.stored.as_ref().unwrap().members[1].member_id, "m3");
    assert_eq!(scene.group.state(), GroupState::Stable);
}

#[test]
fn a_leader_that_comes_back_does_not_assign_anew() {
    let (mut scene, ids) = two();
    let back = scene.join(&static_join("a"));
    let joined = scene.joined(back);
    assert_eq!((joined.leader.as_str(), joined.skip_assignment, joined.members.len()), ("m3", true, 2));
    let (mut scene, _) = two();
    let older = scene.join(&JoinRequest { can_skip_assignment: false, ..static_join("a") });
    let joined = scene.joined(older);
    assert_eq!((joined.leader.as_str(), joined.skip_assignment, joined.members.len()), (ids[0].as_str(), false, 0));
}

#[test]
fn whoever_held_the_name_is_fenced() {
    let (mut scene, ids) = two();
    scene.join(&static_join("b"));
    let old = |generation| Heartbeat { member_id: ids[1].clone(), group_instance_id: Some("b".to_owned()), generation };
    assert_eq!(scene.group.heartbeat(&old(1), scene.now), Err(GroupError::FencedInstanceId));
    let join = scene.join(&JoinRequest { member_id: ids[1].clone(), ..static_join("b") });
    assert_eq!(scene.join_error(join), (ids[1].clone(), GroupError::FencedInstanceId));
    assert_eq!(scene.leave(&[(&ids[1], Some("b"))]), [Err(GroupError::FencedInstanceId)]);
    let commit = CommitRequest {
        member_id: ids[1].clone(),
        group_instance_id: Some("b".to_owned()),
        generation: 1,
        retention_ms: None,
        offsets: Vec::new(),
    };
    assert_eq!(scene.group.commit(&commit, scene.now), Err(GroupError::FencedInstanceId));
    let unknown = JoinRequest { member_id: "m9".to_owned(), ..static_join("c") };
    let ticket = scene.join(&unknown);
    assert_eq!(scene.join_error(ticket), ("m9".to_owned(), GroupError::UnknownMemberId));
}

#[test]
fn whoever_waits_under_the_name_is_fenced() {
    let mut scene = Scene::new();
    let first = scene.join(&static_join("a"));
    let second = scene.join(&static_join("a"));
    assert_eq!(scene.join_error(first), ("m1".to_owned(), GroupError::FencedInstanceId));
    scene.pass(6_000);
    assert_eq!(scene.joined(second).members.len(), 1);
    let waiting = scene.join(&static_join("b"));
    assert!(scene.waits(waiting));
    let first = scene.join(&JoinRequest { member_id: "m2".to_owned(), ..static_join("a") });
    assert_eq!((scene.joined(first).generation, scene.joined(waiting).generation), (2, 2));
    let sync = scene.sync("m3", 2, &[]);
    scene.join(&static_join("b"));
    assert_eq!(scene.sync_error(sync), GroupError::FencedInstanceId);
    assert_eq!(scene.group.state(), GroupState::PreparingRebalance, "the leader knows the old id");
}

#[test]
fn a_new_preference_rebalances_and_a_failing_store_begins_anew() {
    let (mut scene, _) = Scene::stable_of(
        Scene::new(),
        &[JoinRequest { protocols: vec![protocol("x", "t"), protocol("y", "t")], ..static_join("a") }],
    );
    let changed = JoinRequest { protocols: vec![protocol("y", "t"), protocol("x", "t")], ..static_join("a") };
    let ticket = scene.join(&changed);
    assert_eq!((scene.joined(ticket).generation, scene.joined(ticket).protocol_name.as_deref()), (2, Some("y")));
    scene.settle(&["m2".to_owned()]);
    scene.store_fails = true;
    let failed = scene.join(&changed);
    assert_eq!(scene.join_error(failed), (String::new(), GroupError::CoordinatorNotAvailable));
    scene.store_fails = false;
    let again = scene.join(&changed);
    assert_eq!(scene.joined(again).generation, 2);
}

#[test]
fn a_static_member_keeps_its_place_through_a_rebalance_until_its_session_ends() {
    let requests = [JoinRequest { session_timeout_ms: 2 * REBALANCE_MS, ..static_join("a") }, join_request("")];
    let (mut scene, ids) = Scene::stable_of(Scene::new(), &requests);
    let newcomer = scene.join(&join_request(""));
    let other = scene.join(&join_request(&ids[1]));
    scene.pass(i64::from(REBALANCE_MS));
    assert_eq!((scene.joined(newcomer).generation, scene.joined(other).generation), (2, 2));
    assert_eq!(scene.group.member_count(), 3, "it did not join, and stays");
    assert_ne!(scene.group.leader(), Some(ids[0].as_str()));
}

#[test]
fn an_administrator_removes_static_members_by_name() {
    let (mut scene, ids) = two();
    assert_eq!(scene.leave(&[("", Some("b")), (&ids[0], Some("a"))]), [Ok(()), Ok(())]);
    assert_eq!(scene.group.state(), GroupState::Empty);
}

#[test]
fn a_group_comes_back_from_the_store_and_its_members_go_on() {
    let (mut scene, ids) = two();
    let before = scene.group.record();
    let mut effects = Effects::default();
    scene.now.elapsed_ms = 5;
    scene.group = Group::load(before.clone(), Arc::new(settings()), scene.now, &mut effects);
    assert_eq!((scene.group.record(), effects), (before.clone(), Effects::default()));
    let beat = Heartbeat { member_id: ids[1].clone(), group_instance_id: Some("b".to_owned()), generation: 1 };
    assert_eq!(scene.group.heartbeat(&beat, scene.now), Ok(()));
    let sync = scene.sync(&ids[0], 1, &[]);
    assert_eq!(scene.share(sync), ids[0]);
    scene.pass(i64::from(SESSION_MS));
    assert_eq!(scene.group.state(), GroupState::Empty, "nobody was heard of");
    let small = GroupSettings { max_size: 1, ..settings() };
    let too_large = Group::load(before, Arc::new(small), scene.now, &mut Effects::default());
    assert_eq!(too_large.state(), GroupState::PreparingRebalance);
}
