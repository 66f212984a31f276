//! ListGroups and DescribeGroups.

use bytes::Bytes;

use super::state::{Group, GroupState};

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its name.
    pub group_id: String,
    /// The kind of group; empty where nobody ever joined it.
    pub protocol_type: String,
    /// Where it stands.
    pub state: GroupState,
    /// Which group protocol: `classic`.
    pub group_type: &'static str,
}

/// A member, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub member_id: String,
    /// Its name, where it is static.
    pub group_instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it comes from.
    pub client_host: String,
    /// Its subscription, in a stable group.
    pub metadata: Bytes,
    /// Its share.
    pub assignment: Bytes,
}

/// A group, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its name.
    pub group_id: String,
    /// Where it stands.
    pub state: GroupState,
    /// The kind of group; empty where nobody ever joined it.
    pub protocol_type: String,
    /// The protocol, in a stable group.
    pub protocol_name: String,
    /// Everyone.
    pub members: Vec<MemberDescription>,
}

impl Group {
    /// The group in a list.
    pub fn listed(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.group_id.clone(),
            protocol_type: self.agreed.protocol_type.clone().unwrap_or_default(),
            state: self.state,
            group_type: "classic",
        }
    }

    /// The group in detail. What is still being agreed on is left out.
    pub fn describe(&self) -> GroupDescription {
        let settled = self.state == GroupState::Stable;
        let protocol = self.agreed.protocol_name.as_deref().filter(|_| settled);
        let members = self.members.members.iter().map(|(id, member)| MemberDescription {
            member_id: id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: member.metadata(protocol),
            assignment: member.assignment.clone(),
        });
        GroupDescription {
            group_id: self.group_id.clone(),
            state: self.state,
            protocol_type: self.agreed.protocol_type.clone().unwrap_or_default(),
            protocol_name: protocol.unwrap_or_default().to_owned(),
            members: members.collect(),
        }
    }
}
