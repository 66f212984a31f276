//! The coordinator over a real catalog, with a clock that is moved by hand and writes that can be held up or fail.

mod bench;

mod commits;
mod deletions;
mod failures;
mod memory;
mod rebalances;
mod restarts;
