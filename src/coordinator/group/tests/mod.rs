//! Tests of the group's state machine, in simulated time.

mod commits;
mod joining;
mod random;
mod scene;
mod statics;
mod syncing;
