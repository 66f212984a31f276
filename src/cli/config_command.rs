//! `tidelog config`: check a settings file, show what is in effect and where it comes from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{ArgMatches, Args, Subcommand};
use serde::Serialize;

use crate::broker::DataDir;
use crate::config::names::{Standing, judge};
use crate::config::places::{BUCKET, CATALOG, HTTP, PLACES, is_place, without_password};
use crate::config::{Assignment, Layers, Merged, Origin, ServeOptions, file};
use crate::disk::RealDisk;
use crate::model::settings::BrokerSettings;

use super::environment;
use super::machine::hostname;
use super::outcome::{Exit, Failure};
use super::output::{print, print_json, tell};
use super::serve_args::ServeArgs;
use super::table::{table, text};

/// What to do with settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a settings file: every name and value, all mistakes at once, and what `serve` would warn of
    Check(CheckArgs),
    /// Show the settings that `serve` would run with, and where each comes from
    Show(ShowArgs),
}

/// A check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Settings as in Kafka's server.properties
    pub file: PathBuf,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// A look.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Only what was set, no defaults
    #[arg(long)]
    pub changed: bool,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

/// Runs one of them. `matches` are those that the arguments were made of.
pub fn run(command: &ConfigCommand, matches: &ArgMatches) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check(args) => check(args),
        ConfigCommand::Show(args) => {
            let matches = matches.subcommand().map_or(matches, |(_, inner)| inner);
            show(args, matches)
        }
    }
}

#[derive(Debug, Default, Serialize)]
struct Checked {
    settings: usize,
    unused: Vec<String>,
    warnings: Vec<String>,
    mistakes: Vec<String>,
}

fn check(args: &CheckArgs) -> Result<(), Failure> {
    let assignments = file::read(&args.file).map_err(Failure::usage)?;
    let checked = check_all(assignments);
    if args.json {
        print_json(&checked)?;
    } else {
        print(&checked_text(args, &checked))?;
    }
    match checked.mistakes.len() {
        0 => Ok(()),
        1 => Err(Failure::new(Exit::Wrong, format!("{} has a mistake", args.file.display()))),
        count => Err(Failure::new(Exit::Wrong, format!("{} has {count} mistakes", args.file.display()))),
    }
}

/// Every setting by itself, and those that are right together. Mistakes are told in the file's order.
fn check_all(assignments: Vec<Assignment>) -> Checked {
    let mut checked = Checked { settings: assignments.len(), ..Checked::default() };
    let mut mistakes: Vec<(Option<usize>, String)> = Vec::new();
    let mut right = Vec::new();
    for assignment in assignments {
        match check_one(&assignment) {
            Ok(()) => right.push(assignment),
            Err(mistake) => mistakes.push((assignment.origin.line(), mistake)),
        }
    }
    loop {
        let layers = Layers { file: right.clone(), ..Layers::default() };
        let assembled = layers.merge().and_then(|merged| {
            ServeOptions::assemble(&merged, hostname).map(|options| (merged.origin("log.dirs"), options))
        });
        let mistake = match assembled {
            Ok((origin, options)) => {
                if let Err(error) = DataDir::check_unclaimed(&RealDisk, &options.broker.data_dir) {
                    mistakes.push((origin.line(), format!("{origin}: {error}")));
                }
                (checked.unused, checked.warnings) = (options.unused, options.warnings);
                break;
            }
            Err(mistake) => mistake,
        };
        let line = mistake.line();
        mistakes.push((line, mistake.to_string()));
        // The rest is judged without it.
        let before = right.len();
        right.retain(|assignment| line.is_none() || assignment.origin.line() != line);
        if right.len() == before {
            break;
        }
    }
    mistakes.sort_by_key(|(line, _)| line.unwrap_or(usize::MAX));
    checked.mistakes = mistakes.into_iter().map(|(_, mistake)| mistake).collect();
    checked
}

fn check_one(assignment: &Assignment) -> Result<(), String> {
    let Assignment { name, value, origin } = assignment;
    let standing = judge(name, origin).map_err(|error| error.to_string())?;
    if standing == Standing::Ours && !is_place(name) {
        let alone = BTreeMap::from([(name.clone(), value.clone())]);
        BrokerSettings::new(alone).map_err(|error| format!("{origin}: {error}"))?;
    }
    Ok(())
}

fn checked_text(args: &CheckArgs, checked: &Checked) -> String {
    let mut out = String::new();
    for mistake in &checked.mistakes {
        out.push_str(&format!("mistake: {mistake}\n"));
    }
    for warning in &checked.warnings {
        out.push_str(&format!("warning: {warning}\n"));
    }
    if !checked.unused.is_empty() {
        out.push_str(&format!("without a meaning here: {}\n", checked.unused.join(", ")));
    }
    let (file, settings) = (args.file.display(), checked.settings);
    match (checked.mistakes.len(), checked.warnings.len()) {
        (0, 0) => out.push_str(&format!("{file}: {settings} settings, fine\n")),
        (0, 1) => out.push_str(&format!("{file}: {settings} settings, no mistake, 1 warning\n")),
        (0, warnings) => out.push_str(&format!("{file}: {settings} settings, no mistake, {warnings} warnings\n")),
        _ => {}
    }
    out
}

#[derive(Serialize)]
struct Shown {
    name: &'static str,
    value: String,
    source: &'static str,
    place: Option<String>,
    meaning: &'static str,
}

fn show(args: &ShowArgs, matches: &ArgMatches) -> Result<(), Failure> {
    let (merged, options) = args.serve.assemble(matches)?;
    for warning in environment::warning().iter().chain(&options.warnings) {
        tell(&format!("warning: {warning}"));
    }
    let mut settings = effective(&merged, &options);
    settings.retain(|setting| !args.changed || setting.place.is_some());
    if args.json {
        return print_json(&settings);
    }
    let mut shown = table(&["SETTING", "VALUE", "FROM"]);
    for setting in &settings {
        let from = setting.place.as_deref().unwrap_or("default");
        shown.add_row([setting.name, &setting.value, from]);
    }
    print(&text(&shown))
}

/// All settings by name; what follows from others is shown as it came out.
fn effective(merged: &Merged, options: &ServeOptions) -> Vec<Shown> {
    let derived = |name: &str, value: String| match name {
        "listeners" => options.server.listen.clone(),
        "advertised.listeners" => crate::config::listeners::shown(&options.broker.advertised),
        "log.dirs" => options.broker.data_dir.display().to_string(),
        BUCKET => without_password(&options.broker.bucket_url),
        CATALOG => without_password(&options.broker.catalog_url),
        HTTP => options.http.clone(),
        _ => value,
    };
    let shown = |name: &'static str, value: String, meaning: &'static str| {
        let origin = merged.origin(name);
        let place = (origin != Origin::Default).then(|| origin.to_string());
        Shown { name, value: derived(name, value), source: origin.kind(), place, meaning }
    };
    let places = PLACES.iter().map(|place| shown(place.name, String::new(), place.doc));
    let broker =
        options.settings().resolve_broker().into_iter().map(|s| shown(s.name, s.value.unwrap_or_default(), s.doc));
    let mut all: Vec<Shown> = places.chain(broker).collect();
    all.sort_by_key(|setting| setting.name);
    all.dedup_by_key(|setting| setting.name);
    all
}
