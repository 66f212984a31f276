//! The house rules that a test can hold: who imports whom, headers, sizes, names, and paths in documents.
//!
//! Each rule reads the files that git tracks (and new ones that it does not ignore). The ledgers below may only
//! shrink: an entry that is no longer needed fails its test until it is removed.

mod durable;
mod imports;
mod metrics;
mod source;

use source::{Source, sources};

/// Code lines that a file may have.
const FILE_LINES_MAX: usize = 500;

/// Files above [`FILE_LINES_MAX`], with the most lines that they may have.
const LONG_FILES: &[(&str, usize)] = &[];

/// File names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "misc", "types", "manager"];

fn rust_sources() -> Vec<Source> {
    sources(|path| path.ends_with(".rs"))
}

fn fail_on(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let missing: Vec<_> =
        rust_sources().iter().filter(|s| !s.text.starts_with("//!")).map(|s| format!("{}: no //!", s.path)).collect();
    fail_on(&missing);
}

#[test]
fn files_stay_short() {
    let mut problems = Vec::new();
    for source in rust_sources() {
        let lines = source.code_lines();
        let bound = LONG_FILES.iter().find(|(path, _)| *path == source.path).map(|(_, bound)| *bound);
        match bound {
            None if lines > FILE_LINES_MAX => {
                problems.push(format!("{}: {lines} code lines, {FILE_LINES_MAX} allowed", source.path));
            }
            Some(bound) if lines > bound => problems.push(format!("{}: grew to {lines} from {bound}", source.path)),
            Some(_) if lines <= FILE_LINES_MAX => {
                problems.push(format!("{}: fits now, take it off the ledger", source.path));
            }
            _ => {}
        }
    }
    fail_on(&problems);
}

#[test]
fn names_say_something() {
    let mut problems = Vec::new();
    for source in rust_sources() {
        let stem = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        if EMPTY_NAMES.contains(&stem) || stem.ends_with("_v2") {
            problems.push(format!("{}: '{stem}' says nothing", source.path));
        }
    }
    fail_on(&problems);
}

#[test]
fn nothing_is_left_for_later_in_a_comment() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("todo", "!("),
        concat!("unimple", "mented!("),
    ];
    let mut problems = Vec::new();
    for source in rust_sources() {
        for (number, line) in source.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                problems.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn paths_in_documents_exist() {
    let documents = sources(|path| {
        path == "README.md" || (path.starts_with("docs/") && path.ends_with(".md")) || path.ends_with(".rs")
    });
    let mut problems = Vec::new();
    for document in &documents {
        for quoted in document.text.split('`').skip(1).step_by(2) {
            let ours = ["src/", "tests/", "docs/", "benches/", "migrations/", "localstack/", "deploy/", ".ci/"];
            let is_path = ours.iter().any(|root| quoted.starts_with(root))
                && quoted.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            if is_path && !source::root().join(quoted).exists_for_sure() {
                problems.push(format!("{}: `{quoted}` does not exist", document.path));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn commands_in_errors_and_documents_exist() {
    let commands = sources(|path| path == "src/cli/command.rs").pop().expect("the commands are listed there");
    let known = |word: &str| {
        let mut letters = word.chars();
        let variant: String =
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect();
        commands.text.contains(&format!("    {variant}(")) || commands.text.contains(&format!("    {variant},"))
    };
    let mut problems = Vec::new();
    for source in sources(|path| path == "README.md" || path.starts_with("docs/") || path.starts_with("src/")) {
        for named in source.text.split("`tidelog ").skip(1) {
            let word: String = named.chars().take_while(char::is_ascii_lowercase).collect();
            if !word.is_empty() && !known(&word) {
                problems.push(format!("{}: `tidelog {word}` is no command", source.path));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn the_architecture_names_every_room() {
    let Some(document) = sources(|path| path == "docs/ARCHITECTURE.md").pop() else {
        fail_on(&["docs/ARCHITECTURE.md is missing".to_owned()]);
        return;
    };
    let missing: Vec<_> = imports::rooms()
        .into_iter()
        .filter(|room| !document.text.contains(&format!("`{room}`")))
        .map(|room| format!("docs/ARCHITECTURE.md does not name `{room}`"))
        .collect();
    fail_on(&missing);
}

trait ExistsForSure {
    fn exists_for_sure(&self) -> bool;
}

impl ExistsForSure for std::path::Path {
    fn exists_for_sure(&self) -> bool {
        self.try_exists().unwrap_or(false)
    }
}
