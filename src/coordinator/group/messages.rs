//! What members ask and are told: join, sync, heartbeat, leave. Not the wire's structs: those end at the server.

use bytes::Bytes;

use super::error::GroupError;

/// A way to assign that a member knows, with what the member has to say in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Its name.
    pub name: String,
    /// The member's subscription, opaque to the broker.
    pub metadata: Bytes,
}

/// JoinGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// Empty where the client has none yet.
    pub member_id: String,
    /// The static member's name (KIP-345).
    pub group_instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it comes from.
    pub client_host: String,
    /// How long the member may be silent.
    pub session_timeout_ms: i32,
    /// How long it may take to join again; the session timeout where the version has no such field.
    pub rebalance_timeout_ms: i32,
    /// What kind of group it is: `consumer`, `connect`, …
    pub protocol_type: String,
    /// In the order of preference.
    pub protocols: Vec<Protocol>,
    /// The version (4 and above) first gives a new member its id and lets it join with that (KIP-394).
    pub requires_member_id: bool,
    /// The version (9 and above) can tell a leader not to assign anew.
    pub can_skip_assignment: bool,
    /// Why, in the client's words, where the version (8 and above) has them: for whoever reads the log.
    pub reason: String,
}

/// What a leader learns about each member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub member_id: String,
    /// Its name, where it is static.
    pub group_instance_id: Option<String>,
    /// Its subscription in the chosen protocol.
    pub metadata: Bytes,
}

/// A place in a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The generation.
    pub generation: i32,
    /// The kind of group.
    pub protocol_type: Option<String>,
    /// The protocol that all members know and most prefer.
    pub protocol_name: Option<String>,
    /// Who assigns.
    pub leader: String,
    /// The member's id.
    pub member_id: String,
    /// Everyone, for the leader; nobody for the others.
    pub members: Vec<JoinedMember>,
    /// The leader keeps the assignment that there is.
    pub skip_assignment: bool,
}

/// No place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRefused {
    /// The id to go on with; empty to begin anew.
    pub member_id: String,
    /// Why.
    pub error: GroupError,
}

/// The answer to a join.
pub type JoinReply = Result<Joined, JoinRefused>;

/// SyncGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRequest {
    /// Who asks.
    pub member_id: String,
    /// The static member's name.
    pub group_instance_id: Option<String>,
    /// The generation that it joined.
    pub generation: i32,
    /// The kind of group, where the version says it.
    pub protocol_type: Option<String>,
    /// The protocol, where the version says it.
    pub protocol_name: Option<String>,
    /// Each member's share, from the leader.
    pub assignments: Vec<(String, Bytes)>,
}

/// A share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// The kind of group.
    pub protocol_type: Option<String>,
    /// The protocol.
    pub protocol_name: Option<String>,
    /// The member's part, opaque to the broker.
    pub assignment: Bytes,
}

/// The answer to a sync.
pub type SyncReply = Result<Synced, GroupError>;

/// Heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Who lives.
    pub member_id: String,
    /// The static member's name.
    pub group_instance_id: Option<String>,
    /// The generation that it is in.
    pub generation: i32,
}

/// One member of a LeaveGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// Empty where an administrator removes a static member by its name.
    pub member_id: String,
    /// The static member's name.
    pub group_instance_id: Option<String>,
}
