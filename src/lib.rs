//! Tidelog: a Kafka-compatible log that keeps its recent segments on local disk and its whole history, as
//! Parquet, in the user's own bucket.
//!
//! The rooms, from the ground up; imports flow down only (`tests/tidy/imports.rs` holds the table):
//!
//! * 0 — [`model`], [`clock`], [`disk`], [`telemetry`], [`allocator`]: words, time, files, tracing, memory.
//! * 1 — [`record`], [`object_storage`], [`catalog`]: formats and stores.
//! * 2 — [`log`]: the local log of one partition, synchronous.
//! * 3 — [`net`], [`tiering`]: frames over sockets; the log across tiers.
//! * 4 — [`replication`]: one partition across brokers.
//! * 5 — [`coordinator`]: consumer groups.
//! * 6 — [`broker`]: owns the rooms; starts and stops them.
//! * 7 — [`server`], [`admin`]: the Kafka front end; health and metrics over HTTP.
//! * 8 — [`config`], [`cli`]: the edge.

mod allocator;
pub mod clock;
pub mod disk;
pub mod model;
pub mod telemetry;

pub mod catalog;
pub mod object_storage;
pub mod record;

pub mod log;

pub mod net;
pub mod tiering;

pub mod replication;

pub mod coordinator;

pub mod broker;

pub mod admin;
pub mod server;

pub mod cli;
pub mod config;
