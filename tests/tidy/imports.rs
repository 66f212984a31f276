//! Who may import whom. The table is the architecture: a change to it is a review of the architecture.
//!
//! A permission is listed when it is first used, and fails the test when it no longer is. Layer 0 may be
//! imported by everybody and is not listed.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::sources;

/// Rooms of layer 0.
const GROUND: &[&str] = &["allocator", "clock", "disk", "model", "telemetry"];

/// Every other room, from the ground up, with the rooms that it imports. All of them stand above it in this list.
const TABLE: &[(&str, &[&str])] = &[
    ("record", &[]),
    ("object_storage", &[]),
    ("catalog", &[]),
    ("log", &["record"]),
    ("net", &[]),
    ("tiering", &["record", "object_storage", "catalog", "log"]),
    ("replication", &["record", "log", "tiering"]),
    ("coordinator", &["catalog"]),
    ("broker", &["record", "object_storage", "catalog", "log", "tiering", "replication", "coordinator"]),
    (
        "server",
        &["record", "object_storage", "catalog", "log", "net", "tiering", "replication", "coordinator", "broker"],
    ),
    ("admin", &["broker", "tiering"]),
    ("config", &["object_storage", "catalog", "broker", "server"]),
    ("cli", &["record", "object_storage", "catalog", "net", "tiering", "broker", "server", "admin", "config"]),
];

/// Every room there is.
pub fn rooms() -> Vec<&'static str> {
    GROUND.iter().copied().chain(TABLE.iter().map(|(room, _)| *room)).collect()
}

/// The rooms that a file of `room` names by `crate::…`, `super::super::…` left aside.
fn imported(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        // `kafka_protocol_crate::x` is another word.
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = text.get(at + "crate::".len()..).unwrap_or_default();
        if let Some(group) = rest.strip_prefix('{') {
            // `use crate::{a::B, c::D};`: the first name of each part on the group's own level.
            let mut depth = 0usize;
            let mut part = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.extend(first_name(&std::mem::take(&mut part))),
                    _ if depth == 0 => part.push(c),
                    _ => {}
                }
            }
            found.extend(first_name(&part));
        } else {
            found.extend(first_name(rest));
        }
    }
    found
}

fn first_name(text: &str) -> Option<String> {
    let name: String = text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// The room of a path below `src/`; `None` for `lib.rs` and `main.rs`.
fn room_of(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("src/")?;
    let room = inner.split('/').next()?.trim_end_matches(".rs");
    (!matches!(room, "lib" | "main")).then_some(room)
}

#[test]
fn imports_flow_down_the_table() {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut problems = Vec::new();
    for source in sources(|path| path.starts_with("src/") && path.ends_with(".rs")) {
        let Some(room) = room_of(&source.path) else { continue };
        if !rooms().contains(&room) {
            problems.push(format!("{}: room `{room}` is not in the table", source.path));
        }
        for other in imported(&source.text).into_iter().filter(|other| other != room) {
            if !rooms().contains(&other.as_str()) {
                continue;
            }
            if GROUND.contains(&room) {
                // Layer 0 knows only its own words.
                let allowed = GROUND.contains(&other.as_str());
                if !allowed {
                    problems.push(format!("{}: layer 0 imports `{other}`", source.path));
                }
                continue;
            }
            if GROUND.contains(&other.as_str()) {
                continue;
            }
            let allowed =
                TABLE.iter().find(|(name, _)| *name == room).is_some_and(|(_, may)| may.contains(&other.as_str()));
            if !allowed {
                problems.push(format!("{}: `{room}` may not import `{other}`", source.path));
            }
            seen.entry(room.to_owned()).or_default().insert(other);
        }
    }
    for (room, may) in TABLE {
        for other in *may {
            if !seen.get(*room).is_some_and(|used| used.contains(*other)) {
                problems.push(format!("`{room}` is permitted `{other}` and does not use it"));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn the_table_flows_down() {
    let order = rooms();
    let place = |room: &str| order.iter().position(|other| *other == room);
    for (room, may) in TABLE {
        for other in *may {
            assert!(place(other) < place(room), "`{room}` imports `{other}`, which does not stand below it");
        }
    }
}

#[test]
fn the_reader_of_imports_sees_each_form() {
    let text =
        "use crate::log::X;\nuse crate::{record::{A, B}, model::Offset};\nlet x = crate::net::y(); other_crate::admin";
    let found: Vec<_> = imported(text).into_iter().collect();
    assert_eq!(found, ["log", "model", "net", "record"]);
}
