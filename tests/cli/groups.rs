//! `tidelog groups` against a broker of our own.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{ConsumerProtocolAssignment, GroupId, JoinGroupRequest, SyncGroupRequest, TopicName};
use kafka_protocol::protocol::{Encodable, StrBytes};
use serde_json::{Value, json};
use tidelog::clock::SystemClock;
use tidelog::net::client::{ClientConnection, ClientOptions};

use crate::home::Home;
use crate::scene::Scene;

fn places(described: &Value) -> Vec<(i64, Value, Value)> {
    let offsets = described["offsets"].as_array().unwrap().iter();
    offsets
        .map(|one| (one["partition"].as_i64().unwrap(), one["committed_offset"].clone(), one["lag"].clone()))
        .collect()
}

#[test]
fn a_group_is_made_listed_moved_and_deleted() {
    let scene = Scene::new(&[]);
    scene.run(&["topics", "create", "orders", "--partitions", "2"]).expect(0, "made");
    scene.run(&["topics", "create", "clicks", "--partitions", "1"]).expect(0, "made");
    let lines: String = (0..10).map(|number| format!("{number}\n")).collect();
    scene.with_input(&["produce", "orders", "-p", "0"], &lines).expect(0, "10 records");
    scene.with_input(&["produce", "orders", "-p", "1"], "one\n").expect(0, "1 records");
    scene.run(&["groups", "list"]).expect(0, "no groups");
    scene.run(&["groups", "describe", "shop"]).expect(3, "there is no group 'shop'");
    scene.run(&["groups", "reset", "shop", "--to", "earliest"]).expect(3, "say --topic");

    let tried = scene.json(&["groups", "reset", "shop", "--to", "earliest", "--topic", "orders", "--dry-run"]);
    assert_eq!(tried[0], json!({"topic": "orders", "partition": 0, "before": null, "after": 0}));
    scene.run(&["groups", "describe", "shop"]).expect(3, "there is no group 'shop'");
    scene.run(&["groups", "reset", "shop", "--to", "4", "--topic", "orders", "-p", "0"]).expect(0, "AFTER");
    scene.run(&["groups", "reset", "shop", "--to", "latest", "--topic", "clicks"]).expect(0, "AFTER");
    scene.run(&["groups", "list"]).expect(0, "shop");
    let described = scene.json(&["groups", "describe", "shop"]);
    assert_eq!((&described["state"], &described["members"]), (&json!("Empty"), &json!([])));
    assert_eq!(places(&described), [(0, json!(0), json!(0)), (0, json!(4), json!(6))], "{described}");
    assert_eq!(described["offsets"][1]["log_end_offset"], 10);
    let text = scene.run(&["groups", "describe", "shop"]);
    text.expect(0, "group 'shop', state Empty, 0 members");
    assert!(
        text.out.lines().any(|line| line.split_whitespace().eq(["orders", "0", "4", "10", "6", "-"])),
        "{}",
        text.out
    );

    // All that it has committed for, by number, by time, from the end.
    let after = |to: &str| {
        let moved = scene.json(&["groups", "reset", "shop", "--to", to]);
        let moved = moved.as_array().unwrap().iter();
        moved.map(|one| (one["topic"].as_str().unwrap().to_owned(), one["after"].as_i64().unwrap())).collect::<Vec<_>>()
    };
    let expected = |clicks, first, second| {
        [("clicks", clicks), ("orders", first), ("orders", second)].map(|(topic, offset)| (topic.to_owned(), offset))
    };
    assert_eq!(after("-3"), expected(0, 7, 0));
    assert_eq!(after("@0"), expected(0, 0, 0));
    assert_eq!(after("@2100-01-01"), expected(0, 10, 1));
    scene.run(&["groups", "reset", "shop", "--to", "11"]).expect(3, "has no offset 11");
    scene.run(&["groups", "reset", "shop", "--to", "soon"]).expect(2, "earliest, end or latest");
    scene.run(&["groups", "reset", "shop", "--to", "0", "--topic", "nowhere"]).expect(3, "there is no topic 'nowhere'");
    scene.run(&["groups", "reset", "shop", "--to", "0", "--topic", "clicks", "-p", "1"]).expect(3, "no partition 1");

    scene.run(&["groups", "delete", "shop"]).expect(2, "say --yes");
    scene.run(&["groups", "delete", "shop", "--topic", "nowhere", "--yes"]).expect(3, "nothing for topic 'nowhere'");
    scene.run(&["groups", "delete", "shop", "--topic", "clicks", "--yes"]).expect(0, "deleted what was committed");
    assert_eq!(places(&scene.json(&["groups", "describe", "shop"])).len(), 2);
    assert_eq!(scene.json(&["groups", "delete", "shop", "--yes"]), json!([{"group": "shop", "topics": []}]));
    scene.run(&["groups", "delete", "shop", "--yes"]).expect(3, "there is no group 'shop'");
    scene.run(&["groups", "list"]).expect(0, "no groups");
}

#[test]
fn nobody_there_is_told() {
    let home = Home::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    home.run(&["groups", "list", "-b", &free, "--timeout", "1s"]).expect(4, "tidelog serve");
    home.run(&["groups"]).expect(2, "Usage:");
}

/// A consumer that has joined and reads `orders-0`.
async fn join(kafka: &str) -> ClientConnection {
    let connection = ClientConnection::open(kafka, &ClientOptions::default(), &SystemClock::shared()).await.unwrap();
    let word = StrBytes::from_static_str;
    let protocol = JoinGroupRequestProtocol::default().with_name(word("range"));
    let join = JoinGroupRequest::default()
        .with_group_id(GroupId(word("shop")))
        .with_session_timeout_ms(60_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(word("consumer"))
        .with_protocols(vec![protocol]);
    let joined = connection.call(&join, 3, Duration::ZERO).await.unwrap();
    assert_eq!(joined.error_code, 0);
    let mut assignment = BytesMut::new();
    assignment.put_i16(0);
    let read = TopicPartition::default().with_topic(TopicName(word("orders"))).with_partitions(vec![0]);
    ConsumerProtocolAssignment::default().with_assigned_partitions(vec![read]).encode(&mut assignment, 0).unwrap();
    let own = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(assignment.freeze());
    let sync = SyncGroupRequest::default()
        .with_group_id(GroupId(word("shop")))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id)
        .with_assignments(vec![own]);
    assert_eq!(connection.call(&sync, 2, Duration::ZERO).await.unwrap().error_code, 0);
    connection
}

#[test]
fn who_is_in_a_group_is_shown_and_keeps_its_place() {
    let scene = Scene::new(&["--set", "group.initial.rebalance.delay.ms=0"]);
    scene.run(&["topics", "create", "orders", "--partitions", "1"]).expect(0, "made");
    scene.with_input(&["produce", "orders"], "one\ntwo\n").expect(0, "2 records");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _member = runtime.block_on(join(&scene.serving.kafka));
    let described = scene.json(&["groups", "describe", "shop"]);
    assert_eq!((&described["state"], &described["protocol"]), (&json!("Stable"), &json!("range")));
    let member = &described["members"][0];
    assert_eq!((&member["client_id"], &member["partitions"]), (&json!("tidelog"), &json!({"orders": [0]})));
    assert_eq!(described["offsets"][0]["member_id"], member["member_id"]);
    assert_eq!(described["offsets"][0]["lag"], Value::Null);
    for arguments in [["reset", "shop", "--to=latest", "--topic=orders"], ["delete", "shop", "--yes", "--json"]] {
        scene.run(&[&["groups"][..], &arguments].concat()).expect(1, "has 1 members (tidelog): stop them first");
    }
}
