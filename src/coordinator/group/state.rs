//! A group: its state, generation, members, timers and committed offsets.
//!
//! Invariants: the generation never falls; states change only as the drawing in the room's index shows; deadlines
//! are never later than `wake_at` says.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::effects::{Answer, Effects, Save, SaveId, Ticket};
use super::error::GroupError;
use super::member::Member;
use super::membership::Membership;
use super::messages::{Heartbeat, JoinRefused, JoinedMember};
use super::now::Now;
use super::offsets::Offsets;
use super::settings::GroupSettings;
use super::subscription;
use super::timers::Timers;

/// Where a group stands between two generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupState {
    /// No members; offsets may be there.
    Empty,
    /// Waits until its members have joined.
    PreparingRebalance,
    /// Waits for the leader's assignment.
    CompletingRebalance,
    /// At work.
    Stable,
    /// Being deleted.
    Dead,
}

impl GroupState {
    /// Kafka's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}

/// What the members have agreed on.
#[derive(Clone, Debug, Default)]
pub(super) struct Agreed {
    /// The kind of group; `None` where it was never joined, only committed to.
    pub(super) protocol_type: Option<String>,
    pub(super) protocol_name: Option<String>,
    /// The topics that any member is subscribed to; `None` where that cannot be known.
    pub(super) subscribed: Option<BTreeSet<String>>,
}

/// A state on its way to the store, and what happens when it is there.
#[derive(Clone, Debug)]
pub(super) struct Saving {
    pub(super) id: SaveId,
    /// The generation that it belongs to.
    pub(super) generation: i32,
    pub(super) then: AfterSave,
}

#[derive(Clone, Debug)]
pub(super) enum AfterSave {
    /// Nothing waits for it.
    Nothing,
    /// The leader's assignment is given out, if this is still the generation.
    Assign(Vec<(String, bytes::Bytes)>),
    /// A static member that came back learns its new id.
    WelcomeBack { member_id: String, former_leader: Option<String>, can_skip_assignment: bool },
}

/// One group.
#[derive(Clone, Debug)]
pub struct Group {
    pub(super) settings: Arc<GroupSettings>,
    pub(super) group_id: String,
    pub(super) state: GroupState,
    pub(super) previous: GroupState,
    /// When the state was entered, by the wall clock; `None` for a group that never changed it.
    pub(super) state_since_ms: Option<i64>,
    pub(super) generation: i32,
    pub(super) agreed: Agreed,
    pub(super) members: Membership,
    pub(super) timers: Timers,
    pub(super) saving: Vec<Saving>,
    pub(super) saves: u64,
    pub(super) offsets: Offsets,
}

impl Group {
    /// A group that nobody has joined or committed to.
    pub fn new(group_id: &str, settings: Arc<GroupSettings>) -> Self {
        Self {
            settings,
            group_id: group_id.to_owned(),
            state: GroupState::Empty,
            previous: GroupState::Empty,
            state_since_ms: None,
            generation: 0,
            agreed: Agreed::default(),
            members: Membership::default(),
            timers: Timers::default(),
            saving: Vec::new(),
            saves: 0,
            offsets: Offsets::default(),
        }
    }

    /// Its name.
    pub fn group_id(&self) -> &str {
        &self.group_id
    }

    /// Where it stands.
    pub fn state(&self) -> GroupState {
        self.state
    }

    /// Which generation.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// How many members.
    pub fn member_count(&self) -> usize {
        self.members.members.len()
    }

    /// Who leads.
    pub fn leader(&self) -> Option<&str> {
        self.members.leader.as_deref()
    }

    pub(super) fn enter(&mut self, state: GroupState, now: Now) {
        self.previous = self.state;
        self.state = state;
        self.state_since_ms = Some(now.unix_ms);
    }

    /// Heartbeat.
    pub fn heartbeat(&mut self, request: &Heartbeat, now: Now) -> Result<(), GroupError> {
        if self.state == GroupState::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        self.members.validate(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        self.extend_session(&request.member_id, now);
        match self.state {
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            GroupState::Empty | GroupState::Dead => Err(GroupError::UnknownMemberId),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }

    /// Everyone, as the leader sees them.
    pub(super) fn roster(&self) -> Vec<JoinedMember> {
        let protocol = self.agreed.protocol_name.as_deref();
        let seen = |(id, member): (&String, &Member)| JoinedMember {
            member_id: id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            metadata: member.metadata(protocol),
        };
        self.members.members.iter().map(seen).collect()
    }

    /// Learns anew which topics the members are subscribed to.
    pub(super) fn learn_subscriptions(&mut self) {
        self.agreed.subscribed = match self.agreed.protocol_type.as_deref() {
            Some(subscription::CONSUMER) => {
                let protocol = self.agreed.protocol_name.as_deref();
                self.members.members.values().map(|member| subscription::topics(&member.metadata(protocol))).try_fold(
                    BTreeSet::new(),
                    |mut all, topics| {
                        all.extend(topics?);
                        Some(all)
                    },
                )
            }
            _ => None,
        };
    }

    /// Whether a member may read this topic; where the members' subscriptions cannot be read, any topic of a
    /// consumer group.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.agreed.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.agreed.protocol_type.as_deref() == Some(subscription::CONSUMER),
        }
    }

    /// Sends the state as it now is to the store.
    pub(super) fn save(&mut self, then: AfterSave, effects: &mut Effects) {
        self.saves += 1;
        let id = SaveId(self.saves);
        self.saving.push(Saving { id, generation: self.generation, then });
        effects.save = Some(Save { id, record: self.record() });
    }

    /// An earlier state could not be stored: sends the present one, where no event will do so by itself.
    pub fn save_again(&mut self, effects: &mut Effects) {
        if matches!(self.state, GroupState::Empty | GroupState::Stable) && self.saving.is_empty() {
            self.save(AfterSave::Nothing, effects);
        }
    }

    /// Takes out a member; what it waits for ends with "unknown member".
    pub(super) fn dismiss(&mut self, member_id: &str, effects: &mut Effects) {
        let Some(member) = self.members.remove(member_id) else { return };
        let unknown = JoinRefused { member_id: String::new(), error: GroupError::UnknownMemberId };
        answer_join(member.awaiting_join, unknown, effects);
        answer_sync(member.awaiting_sync, GroupError::UnknownMemberId, effects);
    }
}

pub(super) fn answer_join(ticket: Option<Ticket>, refused: JoinRefused, effects: &mut Effects) {
    effects.answers.extend(ticket.map(|ticket| Answer::Join(ticket, Err(refused))));
}

pub(super) fn answer_sync(ticket: Option<Ticket>, error: GroupError, effects: &mut Effects) {
    effects.answers.extend(ticket.map(|ticket| Answer::Sync(ticket, Err(error))));
}
