//! Layer 5: groups, each a pure state machine with a store.
