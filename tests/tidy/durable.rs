//! Files that write what has to outlive the process say what readers see, what a crash leaves, and, where they wait, what
//! becomes of it when their caller goes away. Which files those are is read off what they call.

use super::source::Source;
use super::{fail_on, rust_sources};

/// What changes the disk or the bucket.
const CALLS: &[&str] = &[
    "_durable(",
    ".sync_dir(",
    ".sync_all(",
    ".sync_data(",
    ".rename(",
    ".remove_file(",
    ".remove_dir",
    ".set_len(",
    ".write_all_at(",
    "bucket.delete(",
    ".abort_upload(",
    ".write_control(",
    ".begin_upload(",
];

/// Files that call nothing of that themselves, and decide when another does.
const DECIDE: &[&str] = &[
    "src/broker/follow_catalog.rs",
    "src/broker/whole_changes.rs",
    "src/catalog/postgres.rs",
    "src/catalog/writer.rs",
    "src/coordinator/store.rs",
    "src/replication/delete_records.rs",
    "src/replication/stable_log.rs",
    "src/tiering/control/cluster_file.rs",
    "src/tiering/control/floor_files.rs",
    "src/tiering/control/topic_files.rs",
    "src/tiering/expire.rs",
    "src/tiering/lineage.rs",
    "src/tiering/skip.rs",
];

/// Files that hand on what others decide, and files whose room says it for them.
const EXEMPT: &[&str] = &["src/object_storage/layer.rs"];

/// Every file that has to, and why.
fn durable() -> Vec<(Source, String)> {
    let sources: Vec<Source> = rust_sources();
    let writes: Vec<String> = sources.iter().filter(|s| is_catalog(s)).flat_map(writes_of).collect();
    assert!(writes.len() > 10, "{writes:?}");
    let is_ours = |s: &Source| s.path.starts_with("src/") && !s.path.contains("tests");
    let why = |source: &Source| {
        let code = code_of(source);
        let of_catalog = || {
            let called = |name: &&String| {
                ["catalog", "catalog()"].iter().any(|catalog| code.contains(&format!("{catalog}.{name}(")))
            };
            let hands_over = || Some("self.write(".to_owned()).filter(|call| code.contains(call));
            if is_catalog(source) { hands_over() } else { writes.iter().find(called).cloned() }
        };
        let decides = || DECIDE.contains(&source.path.as_str()).then(|| "it decides".to_owned());
        let called = CALLS.iter().find(|call| code.contains(*call)).map(|call| (*call).to_owned());
        called.or_else(of_catalog).or_else(decides)
    };
    sources.into_iter().filter(is_ours).filter_map(|source| why(&source).map(|why| (source, why))).collect()
}

fn is_catalog(source: &Source) -> bool {
    source.path.starts_with("src/catalog/") && !source.path.contains("tests")
}

/// Without comments and inline tests.
fn code_of(source: &Source) -> String {
    let code = source.text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The functions of a file of the catalog that write.
fn writes_of(source: &Source) -> Vec<String> {
    let code = code_of(source);
    let functions = code.split("\n    pub async fn ").skip(1);
    let writing =
        functions.filter(|function| function.split("\n    }").next().unwrap_or_default().contains("self.write("));
    writing.filter_map(|function| function.split(['(', '<']).next().map(str::to_owned)).collect()
}

#[test]
fn durable_files_say_what_a_crash_and_a_caller_that_goes_leave() {
    let mut problems = Vec::new();
    let durable = durable();
    for (source, why) in durable.iter().filter(|(source, _)| !EXEMPT.contains(&source.path.as_str())) {
        let waits = code_of(source).contains("async fn ").then_some("# Cancellation");
        for heading in ["# Consistency", "# Crash safety"].into_iter().chain(waits) {
            if !source.text.contains(heading) {
                problems.push(format!("{}: no `{heading}`, and it has `{why}`", source.path));
            }
        }
    }
    let is_durable = |path: &&&str| durable.iter().any(|(source, _)| source.path == **path);
    let needless = DECIDE.iter().chain(EXEMPT).filter(|path| !is_durable(path));
    problems.extend(needless.map(|path| format!("{path}: take it off the ledger")));
    fail_on(&problems);
}
