//! A group with a clock that is moved by hand, a store that can be told to fail, and everyone's answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::coordinator::group::*;

/// The session timeout of all members.
pub(super) const SESSION_MS: i32 = 10_000;
/// Their rebalance timeout.
pub(super) const REBALANCE_MS: i32 = 60_000;
/// The delay of a first generation.
pub(super) const DELAY_MS: i32 = 3_000;

pub(super) struct Scene {
    pub(super) group: Group,
    pub(super) now: Now,
    pub(super) answers: BTreeMap<Ticket, Answer>,
    pub(super) store_fails: bool,
    /// The store answers only to `store_answers`.
    pub(super) store_is_slow: bool,
    unanswered: Vec<Save>,
    /// What was stored last.
    pub(super) stored: Option<GroupRecord>,
    tickets: u64,
    ids: u64,
}

pub(super) fn settings() -> GroupSettings {
    GroupSettings { initial_rebalance_delay_ms: DELAY_MS, max_size: 4, ..GroupSettings::default() }
}

/// A subscription to one topic, as consumers write it.
pub(super) fn subscription(topic: &str) -> Bytes {
    let mut bytes = vec![0, 1, 0, 0, 0, 1, 0, u8::try_from(topic.len()).unwrap()];
    bytes.extend_from_slice(topic.as_bytes());
    bytes.into()
}

pub(super) fn protocol(name: &str, topic: &str) -> Protocol {
    Protocol { name: name.to_owned(), metadata: subscription(topic) }
}

pub(super) fn join_request(member_id: &str) -> JoinRequest {
    JoinRequest {
        member_id: member_id.to_owned(),
        group_instance_id: None,
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        protocol_type: "consumer".to_owned(),
        protocols: vec![protocol("range", "orders")],
        requires_member_id: false,
        can_skip_assignment: true,
        reason: String::new(),
    }
}

pub(super) fn static_join(instance: &str) -> JoinRequest {
    JoinRequest { group_instance_id: Some(instance.to_owned()), ..join_request("") }
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(settings())
    }

    pub(super) fn with(settings: GroupSettings) -> Self {
        Self {
            group: Group::new("team", Arc::new(settings)),
            now: Now { unix_ms: 1_700_000_000_000, elapsed_ms: 0 },
            answers: BTreeMap::new(),
            store_fails: false,
            store_is_slow: false,
            unanswered: Vec::new(),
            stored: None,
            tickets: 0,
            ids: 0,
        }
    }

    pub(super) fn take(&mut self, effects: Effects) {
        for answer in effects.answers {
            let ticket = match &answer {
                Answer::Join(ticket, _) | Answer::Sync(ticket, _) => *ticket,
            };
            assert!(self.answers.insert(ticket, answer).is_none(), "{ticket:?} was answered twice");
        }
        self.unanswered.extend(effects.save);
        if !self.store_is_slow {
            self.store_answers();
        }
    }

    /// Everything that was to be stored is, or is not.
    pub(super) fn store_answers(&mut self) {
        for save in std::mem::take(&mut self.unanswered) {
            let mut after = Effects::default();
            if !self.store_fails {
                self.stored = Some(save.record);
            }
            self.group.saved(save.id, !self.store_fails, self.now, &mut after);
            self.take(after);
        }
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    pub(super) fn join(&mut self, request: &JoinRequest) -> Ticket {
        self.ids += 1;
        let (ticket, id) = (self.ticket(), format!("m{}", self.ids));
        let mut effects = Effects::default();
        self.group.join(request, &id, ticket, self.now, &mut effects);
        self.take(effects);
        ticket
    }

    pub(super) fn sync(&mut self, member_id: &str, generation: i32, shares: &[(&str, &str)]) -> Ticket {
        let assignments =
            shares.iter().map(|(id, share)| ((*id).to_owned(), Bytes::copy_from_slice(share.as_bytes()))).collect();
        let request = SyncRequest {
            member_id: member_id.to_owned(),
            group_instance_id: None,
            generation,
            protocol_type: None,
            protocol_name: None,
            assignments,
        };
        self.sync_as(&request)
    }

    pub(super) fn sync_as(&mut self, request: &SyncRequest) -> Ticket {
        let ticket = self.ticket();
        let mut effects = Effects::default();
        self.group.sync(request, ticket, &mut effects);
        self.take(effects);
        ticket
    }

    pub(super) fn heartbeat(&mut self, member_id: &str, generation: i32) -> Result<(), GroupError> {
        let request = Heartbeat { member_id: member_id.to_owned(), group_instance_id: None, generation };
        self.group.heartbeat(&request, self.now)
    }

    pub(super) fn leave(&mut self, leaving: &[(&str, Option<&str>)]) -> Vec<Result<(), GroupError>> {
        let leaving: Vec<_> = leaving
            .iter()
            .map(|(id, instance)| Leaving {
                member_id: (*id).to_owned(),
                group_instance_id: instance.map(str::to_owned),
            })
            .collect();
        let mut effects = Effects::default();
        let outcomes = self.group.leave(&leaving, self.now, &mut effects).unwrap();
        self.take(effects);
        outcomes
    }

    /// Moves the clock on, stopping wherever the group wants to be woken.
    pub(super) fn pass(&mut self, by_ms: i64) {
        let until = self.now.elapsed_ms + by_ms;
        while let Some(at) = self.group.wake_at_ms().filter(|at| *at <= until) {
            self.move_to(at.max(self.now.elapsed_ms));
            let mut effects = Effects::default();
            self.group.tick(self.now, &mut effects);
            self.take(effects);
        }
        self.move_to(until);
    }

    fn move_to(&mut self, at: i64) {
        self.now.unix_ms += at - self.now.elapsed_ms;
        self.now.elapsed_ms = at;
    }

    pub(super) fn joined(&self, ticket: Ticket) -> Joined {
        match self.answers.get(&ticket) {
            Some(Answer::Join(_, Ok(joined))) => joined.clone(),
            other => panic!("{ticket:?}: {other:?}"),
        }
    }

    pub(super) fn join_error(&self, ticket: Ticket) -> (String, GroupError) {
        match self.answers.get(&ticket) {
            Some(Answer::Join(_, Err(refused))) => (refused.member_id.clone(), refused.error),
            other => panic!("{ticket:?}: {other:?}"),
        }
    }

    pub(super) fn share(&self, ticket: Ticket) -> String {
        match self.answers.get(&ticket) {
            Some(Answer::Sync(_, Ok(synced))) => String::from_utf8(synced.assignment.to_vec()).unwrap(),
            other => panic!("{ticket:?}: {other:?}"),
        }
    }

    pub(super) fn sync_error(&self, ticket: Ticket) -> GroupError {
        match self.answers.get(&ticket) {
            Some(Answer::Sync(_, Err(error))) => *error,
            other => panic!("{ticket:?}: {other:?}"),
        }
    }

    pub(super) fn waits(&self, ticket: Ticket) -> bool {
        !self.answers.contains_key(&ticket)
    }

    /// A group of so many members, stable in its first generation. The first leads; shares are named after members.
    pub(super) fn stable(members: usize) -> (Self, Vec<String>) {
        Self::stable_of(Self::new(), &vec![join_request(""); members])
    }

    pub(super) fn stable_of(mut scene: Self, requests: &[JoinRequest]) -> (Self, Vec<String>) {
        let tickets: Vec<_> = requests.iter().map(|request| scene.join(request)).collect();
        scene.pass(i64::from(DELAY_MS) * 2);
        let ids: Vec<String> = tickets.iter().map(|ticket| scene.joined(*ticket).member_id).collect();
        scene.settle(&ids);
        (scene, ids)
    }

    /// Everyone syncs, the leader with shares named after the members.
    pub(super) fn settle(&mut self, ids: &[String]) {
        let leader = self.group.leader().unwrap().to_owned();
        let generation = self.group.generation();
        let shares: Vec<_> = ids.iter().map(|id| (id.as_str(), id.as_str())).collect();
        let followers: Vec<_> =
            ids.iter().filter(|id| **id != leader).map(|id| self.sync(id, generation, &[])).collect();
        self.sync(&leader, generation, &shares);
        assert_eq!(self.group.state(), GroupState::Stable);
        assert!(followers.iter().all(|ticket| !self.waits(*ticket)));
    }
}
