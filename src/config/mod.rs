//! Layer 8: from what a user gave (flags, environment, a properties file as Kafka's `server.properties` is) to each
//! room's options. Only assembles: what settings there are and what they mean is `model::settings`' business.
//!
//! In reading order: one value and where it came from ([`origin`]), the file ([`mod@file`]), which names there are
//! ([`names`]), several sources made one ([`layers`]), addresses ([`listeners`]), what a user should know (`concerns`), the options of a
//! broker ([`serve`]).

mod concerns;
pub mod error;
pub mod file;
pub mod layers;
pub mod listeners;
pub mod names;
pub mod origin;
pub mod places;
pub mod serve;

pub use error::ConfigError;
pub use layers::{Layers, Merged};
pub use origin::{Assignment, Origin, Value};
pub use serve::ServeOptions;

#[cfg(test)]
mod tests;
