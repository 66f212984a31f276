//! What comes out of an event: answers for those who wait, and a state to be stored.

use super::messages::{JoinReply, SyncReply};
use super::record::GroupRecord;

/// Names one request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Names one state that is being stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveId(pub u64);

/// The end of one wait.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Of a join.
    Join(Ticket, JoinReply),
    /// Of a sync.
    Sync(Ticket, SyncReply),
}

/// A state to be stored. How that went comes back by `Group::saved`.
#[derive(Clone, Debug, PartialEq)]
pub struct Save {
    /// Which one.
    pub id: SaveId,
    /// The state.
    pub record: GroupRecord,
}

/// Everything that an event leads to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// To be given out.
    pub answers: Vec<Answer>,
    /// To be stored, behind everything that was to be stored before. A later state of one event replaces an earlier.
    pub save: Option<Save>,
}
