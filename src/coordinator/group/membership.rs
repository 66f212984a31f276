//! Who is in a group, who leads, who is waited for.
//!
//! Invariants: the leader is a member, and there is one whenever there are members; a static name leads to a member
//! that carries it; nobody is both a member and pending.

use std::collections::{BTreeMap, BTreeSet};

use super::error::GroupError;
use super::member::Member;
use super::messages::Protocol;

/// The members and their roles.
#[derive(Clone, Debug, Default)]
pub(super) struct Membership {
    pub(super) members: BTreeMap<String, Member>,
    /// Member ids by group instance id.
    pub(super) static_ids: BTreeMap<String, String>,
    pub(super) leader: Option<String>,
    /// Ids that were given out and have not joined yet, with the time at which they are forgotten.
    pub(super) pending_join: BTreeMap<String, i64>,
    /// Members of this generation that have not asked for their share.
    pub(super) pending_sync: BTreeSet<String>,
}

impl Membership {
    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// Adds a member; the first one leads.
    pub(super) fn add(&mut self, member_id: &str, member: Member) {
        if let Some(instance) = &member.group_instance_id {
            self.static_ids.insert(instance.clone(), member_id.to_owned());
        }
        self.leader.get_or_insert_with(|| member_id.to_owned());
        self.pending_join.remove(member_id);
        self.members.insert(member_id.to_owned(), member);
    }

    /// Takes out a member, or an id that has not joined yet.
    pub(super) fn remove(&mut self, member_id: &str) -> Option<Member> {
        let removed = self.members.remove(member_id);
        if let Some(instance) = removed.as_ref().and_then(|member| member.group_instance_id.as_ref()) {
            self.static_ids.remove(instance);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_join.remove(member_id);
        self.pending_sync.remove(member_id);
        removed
    }

    /// Gives a static member another id. What waited under the old id comes back with the old state.
    pub(super) fn rename_static(&mut self, instance: &str, new_id: &str) -> Option<(String, Member)> {
        let old_id = self.static_ids.get(instance)?.clone();
        let old = self.members.remove(&old_id)?;
        let mut renamed = old.clone();
        renamed.awaiting_join = None;
        renamed.awaiting_sync = None;
        renamed.is_new = false;
        self.members.insert(new_id.to_owned(), renamed);
        self.static_ids.insert(instance.to_owned(), new_id.to_owned());
        if self.is_leader(&old_id) {
            self.leader = Some(new_id.to_owned());
        }
        if self.pending_sync.remove(&old_id) {
            self.pending_sync.insert(new_id.to_owned());
        }
        Some((old_id, old))
    }

    /// Whether this is a member, under its own name.
    pub(super) fn validate(&self, member_id: &str, instance: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance) = instance {
            match self.static_ids.get(instance) {
                None => return Err(GroupError::UnknownMemberId),
                Some(holder) if holder != member_id => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(GroupError::UnknownMemberId) }
    }

    pub(super) fn awaiting_join(&self) -> usize {
        self.members.values().filter(|member| member.awaiting_join.is_some()).count()
    }

    pub(super) fn all_joined(&self) -> bool {
        self.pending_join.is_empty() && self.members.values().all(|member| member.awaiting_join.is_some())
    }

    /// The longest that any member may take to join again.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.timeouts.rebalance_ms).max().unwrap_or(0)
    }

    /// Sees to it that the leader is one who has joined. False: nobody has.
    pub(super) fn elect_joined_leader(&mut self) -> bool {
        let joined = |id: &String| self.members.get(id).is_some_and(|member| member.awaiting_join.is_some());
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        let Some(elected) = self.members.keys().find(|id| joined(id)).cloned() else { return false };
        self.leader = Some(elected);
        true
    }

    /// Whether at least one of these is known to every member.
    pub(super) fn supports_any(&self, protocols: &[Protocol]) -> bool {
        protocols.iter().any(|protocol| self.members.values().all(|member| member.supports(&protocol.name)))
    }

    /// The protocol that everyone knows and most prefer; of equals, the one that the leader likes better.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let first = self.members.values().next()?;
        let everyones: BTreeSet<&str> = first
            .protocols
            .iter()
            .map(|protocol| protocol.name.as_str())
            .filter(|name| self.members.values().all(|member| member.supports(name)))
            .collect();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.members.values().filter_map(|member| member.vote(&everyones)) {
            *votes.entry(name).or_default() += 1;
        }
        let most = votes.values().copied().max()?;
        votes.retain(|_, count| *count == most);
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id)).unwrap_or(first);
        let tied: BTreeSet<&str> = votes.into_keys().collect();
        leader.vote(&tied).map(str::to_owned)
    }
}
