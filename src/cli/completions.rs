//! `tidelog completions`: what a shell needs to complete commands, flags and their words.

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::command::Tidelog;
use super::outcome::Failure;
use super::output::print;

/// For whom.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell: `eval "$(tidelog completions bash)"`, `tidelog completions fish | source`
    pub shell: Shell,
}

/// Runs it.
pub fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut Tidelog::command(), "tidelog", &mut script);
    print(&String::from_utf8_lossy(&script))
}
