//! Groups and offsets as the catalog's rows, and back.
//!
//! ```text
//! members: nothing where there are none, else
//!   version u8 = 1 · count u32 · each: member id · has an instance id u8 · instance id, where it has one ·
//!   client id · client host · session timeout ms i32 · rebalance timeout ms i32 · subscription · share
//! texts and bytes: length u32 · bytes        numbers: big-endian
//! ```

use bytes::{Buf, BufMut, Bytes};

use super::group::{CommittedOffset, GroupRecord, MemberRecord};
use crate::catalog::{GroupOffsetRow, GroupRow, StorageError};
use crate::model::TopicPartition;

const VERSION: u8 = 1;

/// A group as a row. One that nobody ever joined has no kind, and is of no time of its own.
pub(super) fn row_of(record: &GroupRecord) -> GroupRow {
    GroupRow {
        group_id: record.group_id.clone(),
        protocol_type: record.protocol_type.clone().unwrap_or_default(),
        generation: record.generation,
        protocol: record.protocol_name.clone(),
        leader: record.leader.clone(),
        members: encode(&record.members),
        changed_at_ms: record.state_since_ms.unwrap_or_default(),
    }
}

/// A row as a group.
pub(super) fn record_of(row: GroupRow) -> Result<GroupRecord, StorageError> {
    let members = decode(&row.members).ok_or_else(|| StorageError::Unreadable {
        column: "members",
        reason: format!("the members of group '{}' cannot be decoded", row.group_id),
    })?;
    let was_joined = !row.protocol_type.is_empty();
    Ok(GroupRecord {
        group_id: row.group_id,
        generation: row.generation,
        protocol_type: was_joined.then_some(row.protocol_type),
        protocol_name: row.protocol,
        leader: row.leader,
        state_since_ms: was_joined.then_some(row.changed_at_ms),
        members,
    })
}

/// An offset as a row.
pub(super) fn offset_row_of(group_id: &str, (tp, offset): &(TopicPartition, CommittedOffset)) -> GroupOffsetRow {
    GroupOffsetRow {
        group_id: group_id.to_owned(),
        tp: *tp,
        offset: offset.offset,
        leader_epoch: offset.leader_epoch,
        metadata: offset.metadata.clone(),
        committed_at_ms: offset.committed_at_ms,
        expires_at_ms: offset.expires_at_ms,
    }
}

/// A row as an offset.
pub(super) fn offset_of(row: GroupOffsetRow) -> (TopicPartition, CommittedOffset) {
    let offset = CommittedOffset {
        offset: row.offset,
        leader_epoch: row.leader_epoch,
        metadata: row.metadata,
        committed_at_ms: row.committed_at_ms,
        expires_at_ms: row.expires_at_ms,
    };
    (row.tp, offset)
}

fn encode(members: &[MemberRecord]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if members.is_empty() {
        return bytes;
    }
    bytes.put_u8(VERSION);
    put_length(&mut bytes, members.len());
    for member in members {
        put_bytes(&mut bytes, member.member_id.as_bytes());
        bytes.put_u8(u8::from(member.group_instance_id.is_some()));
        if let Some(instance) = &member.group_instance_id {
            put_bytes(&mut bytes, instance.as_bytes());
        }
        put_bytes(&mut bytes, member.client_id.as_bytes());
        put_bytes(&mut bytes, member.client_host.as_bytes());
        bytes.put_i32(member.session_timeout_ms);
        bytes.put_i32(member.rebalance_timeout_ms);
        put_bytes(&mut bytes, &member.subscription);
        put_bytes(&mut bytes, &member.assignment);
    }
    bytes
}

fn put_length(into: &mut Vec<u8>, length: usize) {
    into.put_u32(u32::try_from(length).expect("a group is far smaller than 4 GiB: its memory is bounded"));
}

fn put_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    put_length(into, bytes.len());
    into.put_slice(bytes);
}

fn decode(mut bytes: &[u8]) -> Option<Vec<MemberRecord>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    if bytes.try_get_u8().ok()? != VERSION {
        return None;
    }
    let count = bytes.try_get_u32().ok()?;
    let mut members = Vec::new();
    for _ in 0..count {
        members.push(decode_member(&mut bytes)?);
    }
    bytes.is_empty().then_some(members)
}

fn decode_member(bytes: &mut &[u8]) -> Option<MemberRecord> {
    Some(MemberRecord {
        member_id: take_text(bytes)?,
        group_instance_id: match bytes.try_get_u8().ok()? {
            0 => None,
            1 => Some(take_text(bytes)?),
            _ => return None,
        },
        client_id: take_text(bytes)?,
        client_host: take_text(bytes)?,
        session_timeout_ms: bytes.try_get_i32().ok()?,
        rebalance_timeout_ms: bytes.try_get_i32().ok()?,
        subscription: take_bytes(bytes)?,
        assignment: take_bytes(bytes)?,
    })
}

fn take_bytes(bytes: &mut &[u8]) -> Option<Bytes> {
    let length = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(Bytes::copy_from_slice(taken))
}

fn take_text(bytes: &mut &[u8]) -> Option<String> {
    String::from_utf8(take_bytes(bytes)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn member() -> impl Strategy<Value = MemberRecord> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from);
        (any::<String>(), any::<Option<String>>(), any::<(String, String)>(), any::<(i32, i32)>(), bytes(), bytes())
            .prop_map(|(member_id, group_instance_id, client, timeouts, subscription, assignment)| MemberRecord {
                member_id,
                group_instance_id,
                client_id: client.0,
                client_host: client.1,
                session_timeout_ms: timeouts.0,
                rebalance_timeout_ms: timeouts.1,
                subscription,
                assignment,
            })
    }

    proptest! {
        #[test]
        fn members_come_back_as_they_were(members in prop::collection::vec(member(), 0..5)) {
            let bytes = encode(&members);
            prop_assert_eq!(bytes.is_empty(), members.is_empty());
            prop_assert_eq!(decode(&bytes), Some(members));
            for cut in 1..bytes.len() {
                prop_assert_eq!(decode(&bytes[..cut]), None);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut versioned = vec![VERSION];
            versioned.extend(bytes);
            decode(&versioned);
        }
    }

    #[test]
    fn groups_come_back_as_they_were() {
        let record = GroupRecord {
            group_id: "g".to_owned(),
            generation: 3,
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some("range".to_owned()),
            leader: None,
            state_since_ms: Some(5),
            members: Vec::new(),
        };
        assert_eq!(record_of(row_of(&record)).unwrap(), record);
        let committed = GroupRecord { protocol_type: None, protocol_name: None, state_since_ms: None, ..record };
        assert_eq!(record_of(row_of(&committed)).unwrap(), committed);
        let broken = GroupRow { members: vec![9], ..row_of(&committed) };
        assert!(record_of(broken).unwrap_err().to_string().contains("group 'g'"));
    }
}
