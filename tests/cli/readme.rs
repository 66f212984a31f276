//! README.md says what is there: its commands exist with their flags, its settings are known, its defaults are true.

use std::collections::BTreeSet;

use crate::home::Home;

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// The lines of shell blocks, comments cut.
fn shell_lines(readme: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => lines.push(line.split(" #").next().unwrap().trim().to_owned()),
            _ => {}
        }
    }
    lines
}

/// What is behind `tidelog` in a line, pipes and all.
fn own_commands(lines: &[String]) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for part in lines.iter().flat_map(|line| line.split(" | ")) {
        let behind = part.strip_prefix("tidelog ").or_else(|| part.strip_prefix("cargo run --release -- "));
        commands.extend(behind.map(|behind| behind.split_whitespace().map(str::to_owned).collect()));
    }
    commands
}

#[test]
fn commands_exist_with_their_flags() {
    let home = Home::new();
    let commands = own_commands(&shell_lines(&readme()));
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        let is_word = |word: &&String| word.chars().all(|c| c.is_ascii_lowercase());
        let words: Vec<&str> = command.iter().take(2).take_while(is_word).map(String::as_str).collect();
        // `consume orders`: the second word is an argument, and help is the same.
        let help = home.run(&[words.as_slice(), &["--help"]].concat());
        assert_eq!(help.code, Some(0), "{command:?}: {help:?}");
        for flag in command.iter().filter(|word| word.starts_with("--")) {
            assert!(help.out.contains(flag.as_str()), "{command:?}: no {flag} in {}", help.out);
        }
    }
}

#[test]
fn settings_that_are_named_are_known() {
    let home = Home::new();
    let show = home.run(&["config", "show", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&show.out).unwrap();
    let mut known: BTreeSet<String> =
        shown.as_array().unwrap().iter().map(|setting| setting["name"].as_str().unwrap().to_owned()).collect();
    known.extend(tidelog::model::settings::TOPIC_SETTINGS.iter().map(|setting| setting.name.to_owned()));
    let text = readme();
    let quoted = text.split('`').skip(1).step_by(2).map(|quoted| quoted.split('=').next().unwrap());
    let is_setting = |word: &&str| {
        let roots = ["tidelog.", "log.", "remote.", "retention.", "local.", "cleanup.", "num."];
        roots.iter().any(|root| word.starts_with(root)) && !word.ends_with(".properties") && *word != "tidelog."
    };
    let named: Vec<&str> = quoted.filter(is_setting).collect();
    assert!(named.len() >= 8, "{named:?}");
    for name in named {
        assert!(known.contains(name), "README.md names the setting {name}, which nobody knows");
    }
}

#[test]
fn the_table_of_flags_is_what_help_says() {
    let help = Home::new().run(&["serve", "--help"]).out;
    let mut rows = 0;
    for row in readme().lines().filter(|line| line.starts_with("| `--")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (flag, variable, default) = (cells[1].trim_matches('`'), cells[2].split('`').nth(1).unwrap(), cells[3]);
        assert!(help.contains(flag), "{flag}");
        assert!(help.contains(variable), "{variable}");
        let default = default.trim_matches('`');
        let is_literal = default.starts_with("./") || default.starts_with("127.");
        assert!(!is_literal || help.contains(&format!("[default: {default}]")), "{flag}: {default}");
        rows += 1;
    }
    let flags = help.lines().filter(|line| line.trim_start().starts_with("--")).count();
    assert!(rows >= 8 && rows <= flags, "{rows} rows, {flags} flags");
}
