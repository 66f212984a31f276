//! Layer 5: groups. A pure state machine for each group ([`group`]), and around it what waits, stores and keeps time.
//!
//! ```text
//!  requests ──▶ residents ──▶ one group, under its lock ──▶ answers to whoever waits
//!               (loaded on       │            │
//!                demand)         ▼            ▼
//!                             wakes        outbox ──▶ store ──▶ catalog, many groups in one transaction
//! ```
//!
//! In reading order: one group with what belongs to it ([`resident`]), which of them are in memory ([`residents`]), how
//! a request reaches one ([`group_event`]), what is written ([`store`], [`stored`]), when groups are woken ([`wakes`]), what
//! goes when its time is over ([`expiry`]), and what may be asked of the coordinator, a file for each kind.

pub mod group;

mod coordinator_of_groups;
mod group_event;
mod resident;
mod residents;

mod store;
mod stored;
mod wakes;

mod expiry;
mod group_memory;

mod deletion;
mod listing;
mod members;
mod offsets;

mod metrics;

pub use coordinator_of_groups::{Coordinator, CoordinatorParts, RandomBytes};
pub use offsets::TopicOffsets;
pub use store::GroupWriter;

#[cfg(test)]
mod tests;
