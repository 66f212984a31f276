//! Every metric that a room reports has its line in the table of what they mean, and every line its metric; counters end in
//! `_total`, as Prometheus has it.

use std::collections::BTreeSet;

use super::{fail_on, rust_sources};

const TABLE: &str = "src/admin/metric_help.rs";

/// The names of metrics among the literals of a text, each with what stands before it.
fn named(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('"').zip(text.split('"').skip(1)).filter(|(_, literal)| {
        let is_rooted = ["tidelog_", "kafka_", "process_"].iter().any(|root| literal.starts_with(root));
        is_rooted && literal.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    })
}

#[test]
fn every_metric_is_explained() {
    let (mut reported, mut explained, mut problems) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for source in rust_sources() {
        if source.path == TABLE {
            let code = source.text.split("#[cfg(test)]").next().unwrap_or_default();
            explained.extend(named(code).map(|(_, name)| name.to_owned()));
        }
        let reports = source.path.ends_with("/metrics.rs") || source.path == "src/admin/process.rs";
        if !source.path.starts_with("src/") || !reports {
            continue;
        }
        for (before, name) in named(&source.text) {
            reported.insert(name.to_owned());
            if before.ends_with("counter!(") && !name.ends_with("_total") {
                problems.push(format!("{}: the counter {name} does not end in _total", source.path));
            }
        }
    }
    assert!(reported.len() > 30, "{reported:?}");
    problems.extend(reported.difference(&explained).map(|name| format!("{TABLE} does not explain {name}")));
    problems
        .extend(explained.difference(&reported).map(|name| format!("{TABLE} explains {name}, which nobody reports")));
    fail_on(&problems);
}
