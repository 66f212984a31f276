//! Random events against what must always hold: at most one leader, generations that never fall, every wait answered
//! once and in bounded time, shares only for members of the generation.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::scene::{REBALANCE_MS, SESSION_MS, Scene, join_request, protocol, settings, static_join};
use crate::coordinator::group::*;

#[derive(Clone, Debug)]
enum Event {
    Join { member: usize, protocol: u8, id_first: bool },
    JoinStatic { instance: u8, known: bool },
    Sync { member: usize },
    Beat { member: usize },
    Leave { member: usize },
    RemoveStatic { instance: u8 },
    Commit { member: usize },
    Pass { ms: i64 },
    Store { fails: bool, is_slow: bool },
    StoreAnswers,
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..8usize, 0..3u8, any::<bool>())
            .prop_map(|(member, protocol, id_first)| Event::Join { member, protocol, id_first }),
        3 => (0..2u8, any::<bool>()).prop_map(|(instance, known)| Event::JoinStatic { instance, known }),
        8 => (0..8usize).prop_map(|member| Event::Sync { member }),
        4 => (0..8usize).prop_map(|member| Event::Beat { member }),
        2 => (0..8usize).prop_map(|member| Event::Leave { member }),
        1 => (0..2u8).prop_map(|instance| Event::RemoveStatic { instance }),
        2 => (0..8usize).prop_map(|member| Event::Commit { member }),
        6 => prop_oneof![0..4_000i64, 0..70_000i64].prop_map(|ms| Event::Pass { ms }),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(fails, is_slow)| Event::Store { fails, is_slow }),
        2 => Just(Event::StoreAnswers),
        1 => Just(Event::Restart),
    ]
}

/// A scene with everything that was ever asked.
struct Run {
    scene: Scene,
    /// Ids that were ever given out.
    ids: Vec<String>,
    tickets: Vec<Ticket>,
    generation: i32,
}

impl Run {
    fn id(&self, member: usize) -> String {
        let members: Vec<_> = self.scene.group.describe().members.into_iter().map(|one| one.member_id).collect();
        // Mostly members, now and then somebody from the past.
        let from = if members.is_empty() || member == 7 { &self.ids } else { &members };
        from.get(member % from.len().max(1)).cloned().unwrap_or_default()
    }

    fn apply(&mut self, event: &Event) {
        let generation = self.scene.group.generation();
        match event {
            Event::Join { member, protocol: kind, id_first } => {
                let member_id = if *member < 3 { String::new() } else { self.id(*member) };
                let protocols = vec![protocol("both", "t"), protocol(if *kind == 0 { "x" } else { "y" }, "t")];
                let ticket = self.scene.join(&JoinRequest {
                    protocols,
                    requires_member_id: *id_first,
                    ..join_request(&member_id)
                });
                self.tickets.push(ticket);
            }
            Event::JoinStatic { instance, known } => {
                let name = format!("s{instance}");
                let described = self.scene.group.describe();
                let holder = described.members.into_iter().find(|one| one.group_instance_id.as_ref() == Some(&name));
                let member_id = holder.filter(|_| *known).map(|one| one.member_id).unwrap_or_default();
                let protocols = vec![protocol("both", "t")];
                let ticket = self.scene.join(&JoinRequest { member_id, protocols, ..static_join(&name) });
                self.tickets.push(ticket);
            }
            Event::Sync { member } => {
                let id = self.id(*member);
                let ids: Vec<_> = self.ids.iter().map(|id| (id.as_str(), id.as_str())).collect();
                let ticket = self.scene.sync(&id, generation, &ids);
                self.tickets.push(ticket);
            }
            Event::Beat { member } => {
                let _ = self.scene.heartbeat(&self.id(*member), generation);
            }
            Event::Leave { member } => {
                self.scene.leave(&[(&self.id(*member), None)]);
            }
            Event::RemoveStatic { instance } => {
                self.scene.leave(&[("", Some(&format!("s{instance}")))]);
            }
            Event::Commit { member } => {
                let id = self.id(*member);
                let request = CommitRequest {
                    member_id: id,
                    group_instance_id: None,
                    generation,
                    retention_ms: None,
                    offsets: Vec::new(),
                };
                let _ = self.scene.group.commit(&request, self.scene.now);
            }
            Event::Pass { ms } => self.scene.pass(*ms),
            Event::Store { fails, is_slow } => {
                (self.scene.store_fails, self.scene.store_is_slow) = (*fails, *is_slow);
            }
            Event::StoreAnswers => self.scene.store_answers(),
            Event::Restart => self.restart(),
        }
        self.check();
    }

    /// Only between generations' waits: with the process, its connections go.
    fn restart(&mut self) {
        let waiting = self.tickets.iter().any(|ticket| self.scene.waits(*ticket));
        if self.scene.group.state() == GroupState::Stable && !waiting {
            let settings = std::sync::Arc::new(settings());
            let record = self.scene.group.record();
            self.scene.group = Group::load(record, settings, self.scene.now, &mut Effects::default());
        }
    }

    fn check(&mut self) {
        let group = &self.scene.group;
        assert!(group.generation() >= self.generation, "the generation fell");
        self.generation = group.generation();
        let described = group.describe();
        let ids: BTreeSet<_> = described.members.iter().map(|member| member.member_id.clone()).collect();
        match group.leader() {
            Some(leader) => assert!(ids.contains(leader), "the leader is not a member"),
            None => assert!(ids.is_empty(), "nobody leads {ids:?}"),
        }
        let empty = matches!(group.state(), GroupState::Empty | GroupState::Dead);
        if empty {
            assert!(ids.is_empty(), "an empty group with members");
        }
        let names: Vec<_> = described.members.iter().filter_map(|member| member.group_instance_id.clone()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "two members of one name");
        let answers: Vec<_> = self.scene.answers.values().cloned().collect();
        for answer in answers {
            match answer {
                Answer::Join(_, Ok(joined)) => {
                    assert!(joined.generation <= self.generation);
                    if !joined.members.is_empty() {
                        assert_eq!(joined.leader, joined.member_id, "a follower that sees everyone");
                    }
                    self.ids.push(joined.member_id);
                }
                Answer::Join(_, Err(refused)) if refused.error == GroupError::MemberIdRequired => {
                    self.ids.push(refused.member_id);
                }
                _ => {}
            }
        }
        self.ids.sort();
        self.ids.dedup();
    }
}

/// In one generation one leader, and shares only for those who joined it.
fn check_generations(run: &Run) {
    let mut leaders = std::collections::BTreeMap::new();
    for answer in run.scene.answers.values() {
        if let Answer::Join(_, Ok(joined)) = answer
            && joined.leader == joined.member_id
            && !joined.skip_assignment
        {
            let leader = leaders.entry(joined.generation).or_insert_with(|| joined.leader.clone());
            assert_eq!(*leader, joined.leader, "two leaders of generation {}", joined.generation);
        }
    }
    if let Some(stored) = &run.scene.stored {
        let leads = |leader: &String| stored.members.iter().any(|member| member.member_id == *leader);
        assert!(stored.leader.as_ref().is_none_or(leads));
    }
    for member in run.scene.group.describe().members.iter().filter(|member| !member.assignment.is_empty()) {
        assert!(run.ids.iter().any(|id| id.as_bytes() == &*member.assignment), "a share of nobody's");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_group_keeps_its_promises(events in proptest::collection::vec(event(), 1..120)) {
        let mut run =
            Run { scene: Scene::with(settings()), ids: Vec::new(), tickets: Vec::new(), generation: 0 };
        for event in &events {
            run.apply(event);
        }
        (run.scene.store_fails, run.scene.store_is_slow) = (false, false);
        run.scene.store_answers();
        // Nobody is heard of any more: join phase, sync phase, the wait of new members and sessions all end.
        run.scene.pass(i64::from(2 * REBALANCE_MS + SESSION_MS + 5 * 60 * 1000));
        for ticket in &run.tickets {
            prop_assert!(!run.scene.waits(*ticket), "{ticket:?} was never answered");
        }
        prop_assert_eq!(run.scene.group.state(), GroupState::Empty);
        prop_assert_eq!(run.scene.group.wake_at_ms(), None);
        check_generations(&run);
    }
}
