//! A broker over both tiers: what its bucket and catalog refuse of each other, and topics from their first record to their
//! last object.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test code: a failure is a panic")]

#[path = "../fixtures/at_once.rs"]
mod at_once;
mod deletions;
mod full_disk;
mod home;
mod pauses;

mod refusals;
mod topics;
