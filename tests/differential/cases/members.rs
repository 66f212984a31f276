//! What the cases about groups share: members that join, sync and leave.

use serde_json::{Value, json};

use crate::peer::Peer;

/// A member of a group.
#[derive(Debug, Clone)]
pub struct Member {
    pub group: String,
    pub id: Value,
    pub generation: Value,
}

/// A JoinGroup request.
pub fn join(group: &str, member: &Value) -> Value {
    json!({
        "groupId": group,
        "sessionTimeoutMs": 30_000,
        "rebalanceTimeoutMs": 30_000,
        "memberId": member,
        "protocolType": "consumer",
        "protocols": [{ "name": "range", "metadata": "0x0102" }, { "name": "roundrobin", "metadata": "0x03" }],
    })
}

/// A SyncGroup request that assigns something to these members.
pub fn sync(member: &Member, assigned: &[&Value]) -> Value {
    let assignments: Vec<Value> =
        assigned.iter().zip(1..).map(|(id, at)| json!({ "memberId": id, "assignment": format!("0x0{at}") })).collect();
    json!({
        "groupId": member.group,
        "generationId": member.generation,
        "memberId": member.id,
        "protocolType": "consumer",
        "protocolName": "range",
        "assignments": assignments,
    })
}

/// A Heartbeat request.
pub fn heartbeat(member: &Member) -> Value {
    json!({ "groupId": member.group, "generationId": member.generation, "memberId": member.id })
}

/// A LeaveGroup request.
pub fn leave(member: &Member) -> Value {
    json!({ "groupId": member.group, "memberId": member.id, "members": [{ "memberId": member.id }] })
}

/// The first member of a new group, joined and not yet synced.
pub fn joined(peer: &mut Peer, group: &str) -> Member {
    let group = peer.name(group);
    let id = peer.quietly("JoinGroup", &join(&group, &json!("")))["memberId"].clone();
    let answer = peer.quietly("JoinGroup", &join(&group, &id));
    Member { group, id, generation: answer["generationId"].clone() }
}

/// The only member of a new group that is stable.
pub fn stable(peer: &mut Peer, group: &str) -> Member {
    let member = joined(peer, group);
    peer.quietly("SyncGroup", &sync(&member, &[&member.id]));
    member
}

/// A second member, which waits on its own line until the first has joined again. Returns both, not yet synced.
pub fn second(peer: &mut Peer, first: &Member) -> (Member, Member) {
    let newest = peer.newest("JoinGroup");
    let id = peer.quietly("JoinGroup", &join(&first.group, &json!("")))["memberId"].clone();
    let waiting = peer.send(1, "JoinGroup", newest, &join(&first.group, &id));
    peer.until("Heartbeat", &heartbeat(first), |answer| answer["errorCode"] == 27);
    let again = peer.quietly("JoinGroup", &join(&first.group, &first.id));
    let generation = again["generationId"].clone();
    let second = Member { group: first.group.clone(), id, generation: generation.clone() };
    if let Some(ticket) = waiting {
        peer.receive(ticket);
    }
    (Member { generation, ..first.clone() }, second)
}
