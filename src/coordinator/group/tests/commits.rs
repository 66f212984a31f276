//! Committed offsets: who may commit, what is kept, what expires.

use uuid::Uuid;

use super::scene::{SESSION_MS, Scene, join_request, settings};
use crate::coordinator::group::*;
use crate::model::{LeaderEpoch, Offset, TopicId, TopicPartition};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new(TopicId::from_uuid(Uuid::from_u128(7)), number)
}

fn commit_of(member_id: &str, generation: i32) -> CommitRequest {
    CommitRequest {
        member_id: member_id.to_owned(),
        group_instance_id: None,
        generation,
        retention_ms: None,
        offsets: vec![OffsetToCommit {
            partition: partition(0),
            offset: Offset::new(42),
            leader_epoch: Some(LeaderEpoch::new(3)),
            metadata: "note".to_owned(),
        }],
    }
}

fn commit(scene: &mut Scene, request: &CommitRequest) -> Result<(), GroupError> {
    let (_, offsets) = scene.group.commit(request, scene.now)?;
    assert!(scene.group.has_commits_on_their_way());
    scene.group.committed(offsets, true);
    assert!(!scene.group.has_commits_on_their_way());
    Ok(())
}

#[test]
fn a_commit_counts_when_it_is_stored() {
    let mut scene = Scene::new();
    let (outcomes, offsets) = scene.group.commit(&commit_of("", -1), scene.now).unwrap();
    assert_eq!(outcomes, [Ok(())]);
    assert_eq!(scene.group.offset_of(&partition(0)), None);
    scene.group.committed(offsets.clone(), false);
    assert_eq!(scene.group.offset_of(&partition(0)), None);
    commit(&mut scene, &commit_of("", -1)).unwrap();
    assert_eq!(scene.group.all_offsets(), offsets);
    assert_eq!(scene.group.offset_of(&partition(0)).unwrap().metadata, "note");
}

#[test]
fn commits_are_refused_in_kafkas_words() {
    let (mut scene, ids) = Scene::stable(1);
    for (request, outcome) in [
        (commit_of(&ids[0], 1), Ok(())),
        (commit_of(&ids[0], 0), Err(GroupError::IllegalGeneration)),
        (commit_of(&ids[0], -1), Err(GroupError::IllegalGeneration)),
        (commit_of("stranger", 1), Err(GroupError::UnknownMemberId)),
        (commit_of("", 1), Err(GroupError::UnknownMemberId)),
        (commit_of("", -1), Err(GroupError::UnknownMemberId)),
    ] {
        assert_eq!(commit(&mut scene, &request), outcome, "{request:?}");
    }
    scene.join(&join_request(""));
    assert_eq!(commit(&mut scene, &commit_of(&ids[0], 1)), Ok(()), "the old generation may commit while it ends");
    scene.join(&join_request(&ids[0]));
    assert_eq!(scene.group.state(), GroupState::CompletingRebalance);
    assert_eq!(commit(&mut scene, &commit_of(&ids[0], 2)), Err(GroupError::RebalanceInProgress));
    assert_eq!(commit(&mut scene, &commit_of(&ids[0], 1)), Err(GroupError::IllegalGeneration));
    let mut empty = Scene::new();
    assert_eq!(commit(&mut empty, &commit_of("m", 1)), Err(GroupError::UnknownMemberId));
    empty.group.begin_delete().unwrap();
    assert_eq!(commit(&mut empty, &commit_of("", -1)), Err(GroupError::CoordinatorNotAvailable));
}

#[test]
fn a_commit_shows_that_a_member_lives() {
    let (mut scene, ids) = Scene::stable(1);
    for _ in 0..3 {
        scene.pass(i64::from(SESSION_MS) - 1);
        commit(&mut scene, &commit_of(&ids[0], 1)).unwrap();
    }
    assert_eq!(scene.group.state(), GroupState::Stable);
}

#[test]
fn metadata_is_bounded_by_itself() {
    let mut scene = Scene::new();
    let mut request = commit_of("", -1);
    request.offsets.push(OffsetToCommit {
        metadata: "x".repeat(4097),
        partition: partition(1),
        ..request.offsets[0].clone()
    });
    request.offsets.push(OffsetToCommit {
        metadata: "ä".repeat(4096),
        partition: partition(2),
        ..request.offsets[0].clone()
    });
    let (outcomes, offsets) = scene.group.commit(&request, scene.now).unwrap();
    assert_eq!(outcomes, [Ok(()), Err(GroupError::OffsetMetadataTooLarge), Ok(())]);
    assert_eq!(offsets.len(), 2);
}

#[test]
fn offsets_expire_only_while_the_group_is_empty() {
    let (mut scene, ids) = Scene::stable(1);
    commit(&mut scene, &commit_of(&ids[0], 1)).unwrap();
    let later = |scene: &Scene, ms: i64| Now { unix_ms: scene.now.unix_ms + ms, ..scene.now };
    let retention_ms = settings().offsets_retention_ms;
    assert_eq!(scene.group.expired_offsets(later(&scene, 10 * retention_ms)), []);
    scene.leave(&[(&ids[0], None)]);
    assert_eq!(scene.group.expired_offsets(later(&scene, retention_ms - 1)), []);
    let expired = scene.group.expired_offsets(later(&scene, retention_ms));
    assert_eq!(expired, [partition(0)]);
    assert!(!scene.group.is_forgettable());
    scene.group.offsets_deleted(&expired);
    assert!(scene.group.is_forgettable());
}

#[test]
fn offsets_of_nobodys_group_expire_each_from_its_commit() {
    let mut scene = Scene::new();
    commit(&mut scene, &commit_of("", -1)).unwrap();
    let start = scene.now.unix_ms;
    let at = |ms: i64| Now { unix_ms: start + ms, elapsed_ms: 0 };
    assert_eq!(scene.group.expired_offsets(at(7 * DAY_MS - 1)), []);
    assert_eq!(scene.group.expired_offsets(at(7 * DAY_MS)), [partition(0)]);
    commit(&mut scene, &CommitRequest { retention_ms: Some(1_000), ..commit_of("", -1) }).unwrap();
    assert_eq!(scene.group.expired_offsets(at(999)), []);
    assert_eq!(scene.group.expired_offsets(at(1_000)), [partition(0)]);
}

#[test]
fn offsets_of_topics_that_are_read_are_not_deleted() {
    let (mut scene, ids) = Scene::stable(1);
    assert_eq!(scene.group.may_delete_offsets(), Ok(()));
    assert_eq!(scene.group.may_delete_offsets_of("orders"), Err(GroupError::GroupSubscribedToTopic));
    assert_eq!(scene.group.may_delete_offsets_of("other"), Ok(()));
    assert_eq!(scene.group.begin_delete(), Err(GroupError::NonEmptyGroup));
    scene.leave(&[(&ids[0], None)]);
    assert_eq!(scene.group.may_delete_offsets_of("orders"), Ok(()));
    let connect = JoinRequest { protocol_type: "connect".to_owned(), ..join_request("") };
    let (mut workers, _) = Scene::stable_of(Scene::new(), &[connect]);
    assert_eq!(workers.group.may_delete_offsets(), Err(GroupError::NonEmptyGroup));
    workers.pass(i64::from(SESSION_MS));
    assert_eq!(workers.group.may_delete_offsets(), Ok(()));
}
