//! `tidelog demo`: the whole job in one terminal, all of it real: a broker, a client, records through the wire, Parquet in
//! a bucket, local segments gone, and everything read back from offset 0.
//!
//! In reading order: the stage it plays on ([`stage`]), the records ([`orders`]), reading them back and seeing where
//! they came from ([`pass`]), the picture of that ([`picture`]), the play itself ([`play`]).

mod orders;
mod pass;
mod picture;
mod play;
mod stage;

pub use play::run;
pub use stage::DemoArgs;
