//! A group in memory, with what belongs to it: who waits for its answers, what it has to write, when it is woken.
//!
//! # Consistency
//! One lock holds all of it and is never held across a wait. What is decided under it is put into the outbox under it, so
//! that a group's writes leave in the order in which they were decided.
//!
//! # Cancellation
//! Whoever waits may go away: the group does not notice, as Kafka's does not; sessions end by themselves.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, oneshot};

use super::group::{
    Answer, CommittedOffset, Effects, Group, GroupError, GroupSettings, JoinRefused, JoinReply, Save, SyncReply, Ticket,
};
use crate::model::TopicPartition;

/// What a commit is answered: one outcome for each offset.
pub(super) type CommitReply = Result<Vec<Result<(), GroupError>>, GroupError>;

/// A group in memory, or a place for one that is being read.
#[derive(Debug)]
pub(super) struct Resident {
    pub(super) group_id: String,
    /// Never given to two.
    pub(super) number: u64,
    /// Set once what the catalog holds is in `owner`.
    pub(super) loaded: OnceCell<()>,
    pub(super) owner: Mutex<Owner>,
}

/// What the lock holds.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) group: Group,
    /// Somebody has joined or committed.
    pub(super) exists: bool,
    /// The catalog has a row of it.
    pub(super) is_stored: bool,
    /// No longer in memory: whoever finds this looks again.
    pub(super) is_gone: bool,
    /// The last state could not be stored.
    pub(super) is_unsaved: bool,
    pub(super) outbox: Outbox,
    /// Waits in the line of those that have something to write.
    pub(super) is_queued: bool,
    /// A part of it is being written.
    pub(super) is_writing: bool,
    /// When it is woken next, by the monotonic clock.
    pub(super) wakes_at: Option<i64>,
    /// When it was last asked for anything.
    pub(super) used_at: i64,
    /// What its members take, as last counted.
    pub(super) members_bytes: usize,
    /// What it counts for in the sum over all groups.
    pub(super) counted_bytes: usize,
    waits: HashMap<Ticket, Waiter>,
    tickets: u64,
}

/// What a group has to write.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Its latest state: a later one replaces an earlier.
    pub(super) save: Option<Save>,
    pub(super) commits: Vec<PendingCommit>,
    pub(super) forgets: Vec<PendingForget>,
    pub(super) delete: Option<PendingDelete>,
}

/// Offsets that are allowed and not yet stored.
#[derive(Debug)]
pub(super) struct PendingCommit {
    pub(super) offsets: Vec<(TopicPartition, CommittedOffset)>,
    pub(super) outcomes: Vec<Result<(), GroupError>>,
    /// `None` once it is answered.
    pub(super) reply: Option<oneshot::Sender<CommitReply>>,
    /// What it takes in memory until it is written.
    pub(super) _budget: OwnedSemaphorePermit,
}

/// Offsets that go.
#[derive(Debug)]
pub(super) struct PendingForget {
    pub(super) offsets: Vec<(TopicPartition, CommittedOffset)>,
    pub(super) reply: Option<oneshot::Sender<Result<(), GroupError>>>,
}

/// The group goes.
#[derive(Debug)]
pub(super) struct PendingDelete {
    pub(super) reply: Option<oneshot::Sender<Result<(), GroupError>>>,
}

#[derive(Debug)]
enum Waiter {
    Join(oneshot::Sender<JoinReply>),
    Sync(oneshot::Sender<SyncReply>),
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.save.is_none() && self.commits.is_empty() && self.forgets.is_empty() && self.delete.is_none()
    }

    /// Rows that it will touch.
    pub(super) fn rows(&self) -> usize {
        let commits: usize = self.commits.iter().map(|commit| commit.offsets.len()).sum();
        let forgets: usize = self.forgets.iter().map(|forget| forget.offsets.len()).sum();
        1 + commits + forgets
    }
}

impl Resident {
    /// A place for a group that is not read yet.
    pub(super) fn new(group_id: &str, number: u64, settings: &Arc<GroupSettings>) -> Self {
        let group = Group::new(group_id, Arc::clone(settings));
        let owner = Owner {
            members_bytes: group.members_bytes(),
            group,
            exists: false,
            is_stored: false,
            is_gone: false,
            is_unsaved: false,
            outbox: Outbox::default(),
            is_queued: false,
            is_writing: false,
            wakes_at: None,
            used_at: 0,
            counted_bytes: 0,
            waits: HashMap::new(),
            tickets: 0,
        };
        Self { group_id: group_id.to_owned(), number, loaded: OnceCell::new(), owner: Mutex::new(owner) }
    }
}

impl Owner {
    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// A join is about to be asked: its ticket, and where its answer will come.
    pub(super) fn await_join(&mut self) -> (Ticket, oneshot::Receiver<JoinReply>) {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.ticket();
        self.waits.insert(ticket, Waiter::Join(sender));
        (ticket, receiver)
    }

    /// The same for a sync.
    pub(super) fn await_sync(&mut self) -> (Ticket, oneshot::Receiver<SyncReply>) {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.ticket();
        self.waits.insert(ticket, Waiter::Sync(sender));
        (ticket, receiver)
    }

    /// Gives answers out and takes what is to be stored.
    pub(super) fn take(&mut self, effects: Effects) {
        for answer in effects.answers {
            // Where nobody waits any more the answer is lost, as a reply to a client that is gone.
            match answer {
                Answer::Join(ticket, reply) => {
                    if let Some(Waiter::Join(sender)) = self.waits.remove(&ticket) {
                        let _ = sender.send(reply);
                    }
                }
                Answer::Sync(ticket, reply) => {
                    if let Some(Waiter::Sync(sender)) = self.waits.remove(&ticket) {
                        let _ = sender.send(reply);
                    }
                }
            }
        }
        if effects.save.is_some() {
            self.outbox.save = effects.save;
        }
    }

    /// Everyone who waits is told that the coordinator is not available.
    pub(super) fn dismiss_all(&mut self) {
        let error = GroupError::CoordinatorNotAvailable;
        for (_, waiter) in self.waits.drain() {
            match waiter {
                Waiter::Join(sender) => {
                    let _ = sender.send(Err(JoinRefused { member_id: String::new(), error }));
                }
                Waiter::Sync(sender) => {
                    let _ = sender.send(Err(error));
                }
            }
        }
    }

    /// Whether it can leave memory and come back from the catalog as it is.
    pub(super) fn is_idle(&self) -> bool {
        let settled = self.outbox.is_empty() && !self.is_queued && !self.is_writing && !self.is_unsaved;
        settled && self.waits.is_empty() && self.group.is_at_rest()
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.members_bytes + self.group.offsets_bytes()
    }
}
