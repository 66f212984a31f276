//! Layer 8: the command line: a file per subcommand.
//!
//! In reading order: what can be typed ([`command`]), how a run ends ([`outcome`]), where output goes ([`output`]), what a
//! command runs on ([`run`], [`signals`]), then the commands.

pub mod command;
pub mod outcome;
pub mod output;
pub mod run;
pub mod signals;

pub mod serve;
pub mod serve_args;

pub use run::run;
