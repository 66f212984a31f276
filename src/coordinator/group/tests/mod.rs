//! Tests of the group's state machine, in simulated time.

mod scene;
