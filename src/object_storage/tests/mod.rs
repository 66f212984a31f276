//! Tests of the room's parts that need more than one file of it.

mod counting_disk;
mod decorators;
mod folder;
