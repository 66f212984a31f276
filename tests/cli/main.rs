//! The command line as scripts see it: the real binary, its output, its signals, its exit codes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test code: a failure is a panic")]

mod config;
mod home;
mod readme;
mod serve;
mod settings;
