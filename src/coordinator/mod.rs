//! Layer 5: groups. A pure state machine for each group, and around it a shell with a store, timers and waits.

pub mod group;
