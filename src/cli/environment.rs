//! Which of the environment's variables mean something: those of the flags. What is empty counts as not there, as Compose and
//! shells leave it where somebody's variable is not set.

use std::collections::BTreeSet;

use clap::builder::Resettable;
use clap::{Command, CommandFactory};

use super::command::Tidelog;
use super::serve_args::SET_VARIABLE;

const OURS: &str = "TIDELOG_";
/// What Kubernetes and Docker set for a service of our name, and what our own tests and benches read.
const OTHERS: &[&str] = &["TIDELOG_SERVICE_", "TIDELOG_PORT", "TIDELOG_TEST_", "TIDELOG_BENCH_", "TIDELOG_PROFILE"];

/// The same commands, which do not look at variables that are empty.
pub(super) fn without_empty(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    let command = command.mut_args(|argument| {
        let is_empty = argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        if is_empty { argument.env(Resettable::Reset) } else { argument }
    });
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, without_empty))
}

/// What to say of variables that look like ours and mean nothing; none where there are none.
pub(super) fn warning() -> Option<String> {
    let mut known = BTreeSet::from([SET_VARIABLE.to_owned()]);
    collect(&Tidelog::command(), &mut known);
    let set = std::env::vars_os().filter(|(_, value)| !value.is_empty());
    told(set.map(|(name, _)| name.to_string_lossy().into_owned()), &known)
}

fn told(set: impl Iterator<Item = String>, known: &BTreeSet<String>) -> Option<String> {
    let is_stray = |name: &String| {
        name.starts_with(OURS) && !known.contains(name) && !OTHERS.iter().any(|root| name.starts_with(root))
    };
    let strays: BTreeSet<String> = set.filter(is_stray).collect();
    (!strays.is_empty()).then(|| {
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        format!(
            "environment variables that mean nothing here: {}; there are {}, and settings go into {SET_VARIABLE} as \
             NAME=VALUE",
            list(&strays),
            list(known)
        )
    })
}

fn collect(command: &Command, known: &mut BTreeSet<String>) {
    let variables = command.get_arguments().filter_map(|argument| argument.get_env());
    known.extend(variables.map(|name| name.to_string_lossy().into_owned()));
    command.get_subcommands().for_each(|inner| collect(inner, known));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ours_and_only_unknown_ones_are_told() {
        let mut known = BTreeSet::new();
        collect(&Tidelog::command(), &mut known);
        assert!(known.contains("TIDELOG_DATA_DIR") && known.contains("TIDELOG_BOOTSTRAP_SERVER"), "{known:?}");
        let said = |names: &[&str]| told(names.iter().map(|name| (*name).to_owned()), &known);
        assert_eq!(said(&["PATH", "TIDELOG_LISTEN", "TIDELOG_SERVICE_HOST", "TIDELOG_PORT_9092_TCP"]), None);
        let said = said(&["TIDELOG_DATADIR", "TIDELOG_LISTEN"]).unwrap();
        assert!(said.contains("nothing here: TIDELOG_DATADIR; there are TIDELOG_ADVERTISE"), "{said}");
    }
}
