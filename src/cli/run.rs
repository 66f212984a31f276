//! From arguments to an exit code.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use super::command::{Command, Tidelog};
use super::environment::without_empty;
use super::outcome::Exit;
use super::{completions, config_command, consume, demo, groups, output, produce, segments, serve, tier, topics};

/// Runs the command that was typed.
pub fn run() -> ExitCode {
    let matches = match without_empty(Tidelog::command()).try_get_matches() {
        Ok(matches) => matches,
        Err(told) => {
            // Help and version are errors to clap, and go to standard output.
            let code = if told.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
            let _ = told.print();
            return code;
        }
    };
    let parsed = match Tidelog::from_arg_matches(&matches) {
        Ok(parsed) => parsed,
        Err(error) => error.exit(),
    };
    let given = matches.subcommand().map_or(&matches, |(_, given)| given);
    let done = match parsed.command {
        Command::Serve(args) => serve::run(&args, given),
        Command::Demo(args) => demo::run(&args),
        Command::Topics(command) => topics::run(&command),
        Command::Produce(args) => produce::run(&args),
        Command::Consume(args) => consume::run(&args),
        Command::Groups(command) => groups::run(&command),
        Command::Segments(command) => segments::run(&command),
        Command::Tier(command) => tier::run(&command),
        Command::Config(command) => config_command::run(&command, given),
        Command::Completions(args) => completions::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::tell(&format!("tidelog: {failure}"));
            failure.exit.into()
        }
    }
}
