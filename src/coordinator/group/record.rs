//! A group as it is stored, and back.

use std::sync::Arc;

use bytes::Bytes;

use super::effects::Effects;
use super::member::{Member, Timeouts};
use super::messages::Protocol;
use super::now::Now;
use super::settings::GroupSettings;
use super::state::{Group, GroupState};

/// A stored member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRecord {
    /// Its id.
    pub member_id: String,
    /// Its name, where it is static.
    pub group_instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it comes from.
    pub client_host: String,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// How long it may take to join again.
    pub rebalance_timeout_ms: i32,
    /// What it said in the chosen protocol.
    pub subscription: Bytes,
    /// Its share.
    pub assignment: Bytes,
}

/// A stored group: its last generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRecord {
    /// Its name.
    pub group_id: String,
    /// The generation.
    pub generation: i32,
    /// The kind of group; `None` where it was only committed to.
    pub protocol_type: Option<String>,
    /// The protocol that was chosen.
    pub protocol_name: Option<String>,
    /// Who leads.
    pub leader: Option<String>,
    /// Since when, by the wall clock, the group is as it is.
    pub state_since_ms: Option<i64>,
    /// Everyone; nobody in an empty group.
    pub members: Vec<MemberRecord>,
}

impl GroupRecord {
    /// These shares instead of those that the members have.
    pub(super) fn assign(&mut self, shares: Vec<(String, Bytes)>) {
        for (member, (_, share)) in self.members.iter_mut().zip(shares) {
            member.assignment = share;
        }
    }
}

impl Group {
    /// The group as it now is.
    pub fn record(&self) -> GroupRecord {
        let protocol = self.agreed.protocol_name.as_deref();
        let record = |(id, member): (&String, &Member)| MemberRecord {
            member_id: id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            session_timeout_ms: member.timeouts.session_ms,
            rebalance_timeout_ms: member.timeouts.rebalance_ms,
            subscription: member.metadata(protocol),
            assignment: member.assignment.clone(),
        };
        GroupRecord {
            group_id: self.group_id.clone(),
            generation: self.generation,
            protocol_type: self.agreed.protocol_type.clone(),
            protocol_name: self.agreed.protocol_name.clone(),
            leader: self.members.leader.clone(),
            state_since_ms: self.state_since_ms,
            members: self.members.members.iter().map(record).collect(),
        }
    }

    /// A group from the store. Its members' sessions begin anew; a group that is now too large has to rebalance.
    pub fn load(record: GroupRecord, settings: Arc<GroupSettings>, now: Now, effects: &mut Effects) -> Self {
        let mut group = Self::new(&record.group_id, settings);
        group.generation = record.generation;
        group.state_since_ms = record.state_since_ms;
        group.agreed.protocol_type = record.protocol_type;
        group.agreed.protocol_name = record.protocol_name.clone();
        let ids: Vec<String> = record.members.iter().map(|member| member.member_id.clone()).collect();
        for stored in record.members {
            let name = record.protocol_name.clone().unwrap_or_default();
            let member_id = stored.member_id.clone();
            group.members.add(&member_id, member_of(stored, name));
            group.extend_session(&member_id, now);
        }
        if let Some(leader) = record.leader.filter(|leader| ids.contains(leader)) {
            group.members.leader = Some(leader);
        }
        if !ids.is_empty() {
            group.state = GroupState::Stable;
        }
        group.learn_subscriptions();
        if group.members.members.len() > group.settings.max_size {
            group.prepare_rebalance(now, effects);
        }
        group
    }
}

fn member_of(stored: MemberRecord, protocol: String) -> Member {
    Member {
        group_instance_id: stored.group_instance_id,
        client_id: stored.client_id,
        client_host: stored.client_host,
        timeouts: Timeouts { session_ms: stored.session_timeout_ms, rebalance_ms: stored.rebalance_timeout_ms },
        protocols: vec![Protocol { name: protocol, metadata: stored.subscription }],
        assignment: stored.assignment,
        awaiting_join: None,
        awaiting_sync: None,
        is_new: false,
        session_deadline: None,
    }
}
