//! One classic group: pure values, no I/O, no clock, no randomness of its own.
//!
//! ```text
//!             first member joins                everyone joined, or time is up
//!    ┌───────┐ ──────────────▶ ┌────────────────────┐ ──────────▶ ┌─────────────────────┐
//!    │ Empty │                 │ PreparingRebalance │             │ CompletingRebalance │
//!    └───────┘ ◀────────────── └────────────────────┘ ◀────────── └─────────────────────┘
//!             nobody is left         ▲        someone joins, leaves or fails   │ the leader's
//!                                    │                                        ▼ assignment is stored
//!                                    └──────────────────────────────── ┌────────┐
//!                                                                      │ Stable │     any ──deleted──▶ Dead
//!                                                                      └────────┘
//! ```
//!
//! Whoever must wait leaves a [`Ticket`]; answers come out as [`Effects`], at once or at a later event. Time comes in
//! as [`Now`], and [`Group::tick`] does what has become due.

mod commit;
mod describe;
mod effects;
mod error;
mod join;
mod leave;
mod member;
mod membership;
mod messages;
mod now;
mod offsets;
mod rebalance;
mod record;
mod settings;
mod state;
mod subscription;
mod sync;
mod timers;
mod weight;

pub use commit::{CommitRequest, CommittedOffset, OffsetToCommit};
pub use describe::{GroupDescription, ListedGroup, MemberDescription};
pub use effects::{Answer, Effects, Save, SaveId, Ticket};
pub use error::GroupError;
pub use messages::{
    Heartbeat, JoinRefused, JoinReply, JoinRequest, Joined, JoinedMember, Leaving, Protocol, SyncReply, SyncRequest,
    Synced,
};
pub use now::Now;
pub use record::{GroupRecord, MemberRecord};
pub use settings::GroupSettings;
pub use state::{Group, GroupState};

#[cfg(test)]
mod tests;
