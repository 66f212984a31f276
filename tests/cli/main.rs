//! The command line as scripts see it: the real binary, its output, its signals, its exit codes.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code: a failure is a panic")]

mod config;
mod demo;
mod groups;
mod home;
mod readme;
mod scene;
mod segments;
mod serve;
#[path = "../catalog/server.rs"]
mod server;
mod settings;
mod topics;
