//! Groups on the wire, in every version: what Kafka 4.3.1 answers is in the numbers.

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DescribeGroupsRequest, GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    ListGroupsRequest, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::bench::{Bench, topic};
use super::wire::Wire;

fn word(word: &str) -> StrBytes {
    StrBytes::from_string(word.to_owned())
}

fn group(id: &str) -> GroupId {
    GroupId(word(id))
}

async fn bench() -> Bench {
    Bench::with_settings(&[("group.initial.rebalance.delay.ms", "0"), ("group.min.session.timeout.ms", "100")]).await
}

fn join_request(version: i16, id: &str, member: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(word("range"))
        .with_metadata(Bytes::from_static(b"\0\x01\0\0\0\x01\0\x06orders\xff\xff\xff\xff"));
    let mut request = JoinGroupRequest::default()
        .with_group_id(group(id))
        .with_session_timeout_ms(30_000)
        .with_member_id(word(member))
        .with_protocol_type(word("consumer"))
        .with_protocols(vec![protocol]);
    if version >= 1 {
        request.rebalance_timeout_ms = 30_000;
    }
    request
}

/// Joins, with the id that the group gives first where the version has that.
async fn join(wire: &mut Wire, version: i16, id: &str) -> JoinGroupResponse {
    let first = wire.call(&join_request(version, id, ""), version).await;
    if version < 4 {
        return first;
    }
    assert_eq!((first.error_code, first.generation_id), (79, -1));
    wire.call(&join_request(version, id, &first.member_id), version).await
}

fn sync_request(version: i16, id: &str, joined: &JoinGroupResponse, share: &'static [u8]) -> SyncGroupRequest {
    let mine = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(Bytes::from_static(share));
    let mut request = SyncGroupRequest::default()
        .with_group_id(group(id))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_assignments(vec![mine]);
    if version >= 5 {
        request = request.with_protocol_type(Some(word("consumer"))).with_protocol_name(Some(word("range")));
    }
    request
}

fn heartbeat_request(id: &str, generation: i32, member: &str) -> HeartbeatRequest {
    HeartbeatRequest::default().with_group_id(group(id)).with_generation_id(generation).with_member_id(word(member))
}

fn leave_request(version: i16, id: &str, member: &str) -> LeaveGroupRequest {
    let request = LeaveGroupRequest::default().with_group_id(group(id));
    if version < 3 {
        return request.with_member_id(word(member));
    }
    request.with_members(vec![MemberIdentity::default().with_member_id(word(member))])
}

fn commit_request(version: i16, id: &str, generation: i32, member: &str) -> OffsetCommitRequest {
    let partition = |number: i32, offset: i64| {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(number)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(word("note")));
        if version >= 6 { partition.with_committed_leader_epoch(3) } else { partition }
    };
    let of =
        |name: &str, partitions| OffsetCommitRequestTopic::default().with_name(topic(name)).with_partitions(partitions);
    OffsetCommitRequest::default()
        .with_group_id(group(id))
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(word(member))
        .with_topics(vec![
            of("nope", vec![partition(0, 1)]),
            of("orders", vec![partition(0, 42), partition(9, 1), partition(1, 43)]),
        ])
}

fn codes(response: &OffsetCommitResponse) -> Vec<(String, i32, i16)> {
    let topics = response.topics.iter();
    topics
        .flat_map(|topic| {
            let name = topic.name.to_string();
            topic.partitions.iter().map(move |one| (name.clone(), one.partition_index, one.error_code))
        })
        .collect()
}

/// What a group has committed of `orders`, as (partition, offset, epoch, metadata).
async fn fetch(wire: &mut Wire, version: i16, id: &str, all: bool) -> Vec<(i32, i64, i32, String)> {
    let numbers = vec![0, 1, 5];
    if version < 8 {
        let wanted = OffsetFetchRequestTopic::default().with_name(topic("orders")).with_partition_indexes(numbers);
        let topics = (!all).then(|| vec![wanted]);
        let request = OffsetFetchRequest::default().with_group_id(group(id)).with_topics(topics);
        let response = wire.call(&request, version).await;
        assert_eq!(response.error_code, 0);
        let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
        return partitions
            .map(|one| {
                let metadata = one.metadata.as_ref().unwrap().to_string();
                (one.partition_index, one.committed_offset, one.committed_leader_epoch, metadata)
            })
            .collect();
    }
    let wanted = OffsetFetchRequestTopics::default().with_name(topic("orders")).with_partition_indexes(numbers);
    let asked = OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics((!all).then(|| vec![wanted]));
    let response = wire.call(&OffsetFetchRequest::default().with_groups(vec![asked]), version).await;
    assert_eq!((response.groups[0].error_code, response.groups[0].group_id.as_str()), (0, id));
    let partitions = response.groups[0].topics.iter().flat_map(|topic| &topic.partitions);
    partitions
        .map(|one| {
            let metadata = one.metadata.as_ref().unwrap().to_string();
            (one.partition_index, one.committed_offset, one.committed_leader_epoch, metadata)
        })
        .collect()
}

#[tokio::test]
async fn a_group_lives_in_every_version() {
    let bench = bench().await;
    let mut wire = bench.connect().await;
    for version in 0..=9i16 {
        let id = format!("g{version}");
        let joined = join(&mut wire, version, &id).await;
        assert_eq!((joined.error_code, joined.generation_id, &joined.leader), (0, 1, &joined.member_id));
        assert_eq!(joined.protocol_name.as_deref(), Some("range"));
        assert_eq!(joined.protocol_type.as_deref(), (version >= 7).then_some("consumer"));
        assert_eq!(joined.members.len(), 1);
        let synced = wire.call(&sync_request(version.min(5), &id, &joined, b"share"), version.min(5)).await;
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"share"[..]));
        let beat = wire.call(&heartbeat_request(&id, 1, &joined.member_id), version.min(4)).await;
        assert_eq!(beat.error_code, 0);
        let stale = wire.call(&heartbeat_request(&id, 0, &joined.member_id), version.min(4)).await;
        assert_eq!(stale.error_code, 22);
        let left = wire.call(&leave_request(version.min(5), &id, &joined.member_id), version.min(5)).await;
        assert_eq!((left.error_code, left.members.iter().all(|member| member.error_code == 0)), (0, true));
        let gone = wire.call(&heartbeat_request(&id, 1, &joined.member_id), version.min(4)).await;
        assert_eq!(gone.error_code, 25);
    }
}

#[tokio::test]
async fn commits_are_read_back_in_every_version() {
    let bench = bench().await;
    let mut wire = bench.connect().await;
    for version in 2..=9i16 {
        let id = format!("g{version}");
        let answered = wire.call(&commit_request(version, &id, -1, ""), version).await;
        let expected = [("nope", 0, 3), ("orders", 9, 3), ("orders", 0, 0), ("orders", 1, 0)];
        assert_eq!(codes(&answered), expected.map(|(name, number, code)| (name.to_owned(), number, code)));
        let committed = commit_request(version, &id, 1, "someone");
        let refused = wire.call(&committed, version).await;
        assert_eq!(codes(&refused)[2].2, 25);
        let nobodys = wire.call(&commit_request(version, "nobody's", 1, "someone"), version).await;
        assert_eq!(codes(&nobodys)[2].2, if version >= 9 { 69 } else { 22 });
        for fetch_version in 1..=9 {
            let epoch = if version >= 6 && fetch_version >= 5 { 3 } else { -1 };
            let note = || "note".to_owned();
            let found = fetch(&mut wire, fetch_version, &id, false).await;
            assert_eq!(found, [(0, 42, epoch, note()), (1, 43, epoch, note()), (5, -1, -1, String::new())]);
            if fetch_version >= 2 {
                let all = fetch(&mut wire, fetch_version, &id, true).await;
                assert_eq!(all, [(0, 42, epoch, note()), (1, 43, epoch, note())]);
                assert_eq!(fetch(&mut wire, fetch_version, "nobody's", true).await, []);
            }
        }
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_kafkas_words() {
    let bench = bench().await;
    let mut wire = bench.connect().await;
    for version in 0..=9i16 {
        let unknown = wire.call(&join_request(version, "g", "someone"), version).await;
        assert_eq!((unknown.error_code, unknown.generation_id, unknown.member_id.as_str()), (25, -1, "someone"));
        assert_eq!(unknown.protocol_name.as_deref(), (version < 7).then_some(""));
        assert_eq!(wire.call(&join_request(version, "", ""), version).await.error_code, 24);
        let impatient = join_request(version, "g", "").with_session_timeout_ms(99);
        assert_eq!(wire.call(&impatient, version).await.error_code, 26);
        let speechless = join_request(version, "g", "").with_protocols(Vec::new());
        assert_eq!(wire.call(&speechless, version).await.error_code, 23);
    }
    let nobody = JoinGroupResponse::default().with_member_id(word("m"));
    for version in 0..=5i16 {
        assert_eq!(wire.call(&sync_request(version, "nope", &nobody, b""), version).await.error_code, 25);
        let left = wire.call(&leave_request(version, "nope", "m"), version).await;
        let member = left.members.first().map(|member| member.error_code);
        assert_eq!((left.error_code, member), if version < 3 { (25, None) } else { (0, Some(25)) });
        assert_eq!(wire.call(&leave_request(version, "", "m"), version).await.error_code, 24);
    }
    let silent = sync_request(4, "nope", &nobody, b"");
    assert_eq!(wire.call(&silent, 5).await.error_code, 23, "version 5 has to say kind and protocol");
    for version in 0..=4 {
        assert_eq!(wire.call(&heartbeat_request("nope", 1, "m"), version).await.error_code, 25);
        assert_eq!(wire.call(&heartbeat_request("", 1, "m"), version).await.error_code, 24);
    }
}

#[tokio::test]
async fn groups_are_listed_and_described_in_every_version() {
    let bench = bench().await;
    let mut wire = bench.connect().await;
    wire.call(&commit_request(8, "simple", -1, ""), 8).await;
    let joined = join(&mut wire, 9, "team").await;
    wire.call(&sync_request(5, "team", &joined, b"share"), 5).await;
    for version in 0..=5 {
        let listed = wire.call(&ListGroupsRequest::default(), version).await;
        let seen: Vec<_> = listed
            .groups
            .iter()
            .map(|one| (one.group_id.as_str(), one.protocol_type.as_str(), one.group_state.as_str()))
            .collect();
        let state = |state: &'static str| if version >= 4 { state } else { "" };
        assert_eq!(seen, [("simple", "", state("Empty")), ("team", "consumer", state("Stable"))]);
        assert!(listed.groups.iter().all(|one| (one.group_type.as_str() == "classic") == (version >= 5)));
    }
    let filtered = |states: &[&str], types: &[&str]| {
        let words = |all: &[&str]| all.iter().map(|one| word(one)).collect();
        ListGroupsRequest::default().with_states_filter(words(states)).with_types_filter(words(types))
    };
    for (request, expected) in [
        (filtered(&["stable"], &[]), vec!["team"]),
        (filtered(&["EMPTY", "nonsense"], &["Classic"]), vec!["simple"]),
        (filtered(&[], &["consumer"]), vec![]),
    ] {
        let listed = wire.call(&request, 5).await;
        assert_eq!(listed.groups.iter().map(|one| one.group_id.as_str()).collect::<Vec<_>>(), expected);
    }
    for version in 0..=6 {
        let request = DescribeGroupsRequest::default()
            .with_groups(vec![group("team"), group("nope")])
            .with_include_authorized_operations(version >= 3);
        let described = wire.call(&request, version).await;
        let team = &described.groups[0];
        assert_eq!((team.group_state.as_str(), team.protocol_data.as_str()), ("Stable", "range"));
        let member = &team.members[0];
        assert_eq!((member.client_host.as_str(), &member.member_assignment[..]), ("/127.0.0.1", &b"share"[..]));
        assert_eq!((&member.member_id, member.member_metadata.len()), (&joined.member_id, 18));
        assert_eq!(team.authorized_operations, if version >= 3 { 3400 } else { i32::MIN });
        let nope = &described.groups[1];
        assert_eq!((nope.group_state.as_str(), nope.error_code), ("Dead", if version >= 6 { 69 } else { 0 }));
        let message = nope.error_message.as_deref();
        assert_eq!(message, (version >= 6).then_some("Group nope not found."));
    }
}

#[tokio::test]
async fn groups_and_offsets_are_deleted() {
    use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
    use kafka_protocol::messages::{DeleteGroupsRequest, OffsetDeleteRequest};
    let bench = bench().await;
    let mut wire = bench.connect().await;
    wire.call(&commit_request(8, "simple", -1, ""), 8).await;
    let joined = join(&mut wire, 9, "team").await;
    wire.call(&commit_request(8, "team", joined.generation_id, &joined.member_id), 8).await;
    let asked = |id: &str| {
        let numbers = [0, 9].map(|number| OffsetDeleteRequestPartition::default().with_partition_index(number));
        let of =
            |name: &str| OffsetDeleteRequestTopic::default().with_name(topic(name)).with_partitions(numbers.to_vec());
        OffsetDeleteRequest::default().with_group_id(group(id)).with_topics(vec![of("orders"), of("nope")])
    };
    for (id, error, code) in [("simple", 0, 0), ("team", 0, 86), ("nobody's", 69, 0), ("", 24, 0)] {
        let deleted = wire.call(&asked(id), 0).await;
        assert_eq!(deleted.error_code, error, "{id}");
        let seen: Vec<_> = deleted
            .topics
            .iter()
            .flat_map(|one| one.partitions.iter().map(|one| (one.partition_index, one.error_code)))
            .collect();
        assert_eq!(seen, if error == 0 { vec![(9, 3), (0, code), (0, 3), (9, 3)] } else { vec![] });
    }
    assert_eq!(fetch(&mut wire, 8, "simple", true).await.len(), 1);
    for version in 0..=2 {
        wire.call(&commit_request(8, "simple", -1, ""), 8).await;
        let names = vec![group("simple"), group("team"), group("nope"), group("simple")];
        let deleted = wire.call(&DeleteGroupsRequest::default().with_groups_names(names), version).await;
        let codes: Vec<_> = deleted.results.iter().map(|one| (one.group_id.as_str(), one.error_code)).collect();
        assert_eq!(codes, [("simple", 0), ("team", 68), ("nope", 69)]);
        assert_eq!(fetch(&mut wire, 8, "simple", true).await, []);
    }
}

#[tokio::test]
async fn a_deleted_topic_is_forgotten_by_its_groups() {
    let bench = bench().await;
    let mut wire = bench.connect().await;
    wire.call(&commit_request(8, "simple", -1, ""), 8).await;
    assert_eq!(fetch(&mut wire, 8, "simple", true).await.len(), 2);
    let id = bench.broker.topics().by_name("orders").unwrap().id;
    bench.broker.delete_topic(id).await.unwrap();
    assert_eq!(fetch(&mut wire, 8, "simple", true).await, []);
    let answered = codes(&wire.call(&commit_request(8, "simple", -1, ""), 8).await);
    assert!(answered.iter().all(|(_, _, code)| *code == 3), "{answered:?}");
    bench.add_topic("orders", 9, 2, &[]).await;
    let nothing = fetch(&mut wire, 8, "simple", false).await;
    assert!(nothing.iter().all(|(_, offset, _, _)| *offset == -1), "another topic of that name: {nothing:?}");
}

#[tokio::test]
async fn a_group_may_be_of_any_kind_but_of_one() {
    let bench = bench().await;
    let mut wire = bench.connect().await;
    let of_kind = |id: &str, kind: &str| {
        let protocol =
            JoinGroupRequestProtocol::default().with_name(word("v0")).with_metadata(Bytes::from_static(b"\xff opaque"));
        join_request(3, id, "").with_protocol_type(word(kind)).with_protocols(vec![protocol])
    };
    for kind in ["connect", "sr"] {
        let joined = wire.call(&of_kind(kind, kind), 3).await;
        assert_eq!((joined.error_code, joined.protocol_name.as_deref()), (0, Some("v0")));
        assert_eq!(joined.members[0].metadata, &b"\xff opaque"[..]);
        assert_eq!(wire.call(&of_kind(kind, "consumer"), 3).await.error_code, 23);
        let listed = wire.call(&ListGroupsRequest::default(), 5).await;
        assert!(listed.groups.iter().any(|one| one.protocol_type.as_str() == kind));
    }
    assert_eq!(wire.call(&of_kind("none", ""), 3).await.error_code, 23);
}

#[tokio::test]
async fn while_one_connection_waits_in_a_join_others_go_on() {
    let bench = bench().await;
    let (mut first, mut second) = (bench.connect().await, bench.connect().await);
    let leader = join(&mut first, 9, "g").await;
    first.call(&sync_request(5, "g", &leader, b"all"), 5).await;
    // The second one waits until the first has joined again.
    let id = second.call(&join_request(9, "g", ""), 9).await.member_id;
    second.send(&join_request(9, "g", &id), 9).await;
    while first.call(&heartbeat_request("g", 1, &leader.member_id), 4).await.error_code != 27 {}
    let mut byte = [0];
    assert!(futures::poll!(Box::pin(second.stream.peek(&mut byte))).is_pending());
    let again = first.call(&join_request(9, "g", &leader.member_id), 9).await;
    assert_eq!((again.generation_id, again.members.len()), (2, 2));
    let joined = second.receive::<JoinGroupRequest>(9, 0).await;
    assert_eq!((joined.error_code, joined.generation_id, joined.members.len()), (0, 2, 0));
    assert_eq!(joined.leader, leader.member_id);
}

#[tokio::test]
async fn a_client_that_goes_while_it_joins_lets_its_connection_go() {
    let bench = bench().await;
    let mut first = bench.connect().await;
    let leader = join(&mut first, 9, "g").await;
    first.call(&sync_request(5, "g", &leader, b"all"), 5).await;
    let mut second = bench.connect().await;
    let id = second.call(&join_request(9, "g", ""), 9).await.member_id;
    second.send(&join_request(9, "g", &id), 9).await;
    while first.call(&heartbeat_request("g", 1, &leader.member_id), 4).await.error_code != 27 {}
    drop(second);
    // It stays a member, as with Kafka, until its session ends.
    let again = first.call(&join_request(9, "g", &leader.member_id), 9).await;
    assert_eq!((again.generation_id, again.members.len()), (2, 2));
    bench.server.stop(std::time::Duration::from_secs(60)).await;
}

#[tokio::test]
async fn whoever_waits_in_a_join_is_told_when_the_broker_stops() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    let id = wire.call(&join_request(9, "g", ""), 9).await.member_id;
    wire.send(&join_request(9, "g", &id), 9).await;
    let mut other = bench.connect().await;
    let described = DescribeGroupsRequest::default().with_groups(vec![group("g")]);
    while other.call(&described, 5).await.groups[0].members.is_empty() {}
    drop(other);
    bench.server.stop(std::time::Duration::from_secs(60)).await;
    assert_eq!(wire.receive::<JoinGroupRequest>(9, 0).await.error_code, 15);
    bench.broker.stop().await;
}
