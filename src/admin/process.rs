//! What the process takes of the machine, by the names that every Prometheus dashboard knows. Read where the system has
//! `/proc`; elsewhere there is nothing to say.

use std::fmt::Write;

/// The process's own metrics, as Prometheus reads them.
pub(super) fn metrics() -> String {
    let mut out = String::new();
    if let Some(usage) = usage() {
        let mut metric = |name: &str, kind: &str, value: String| {
            // Writing to a string does not fail.
            let _ = writeln!(out, "# TYPE {name} {kind}\n{name} {value}");
        };
        metric("process_cpu_seconds_total", "counter", format!("{:.2}", usage.cpu_seconds));
        metric("process_resident_memory_bytes", "gauge", usage.resident_bytes.to_string());
        metric("process_open_fds", "gauge", usage.open_files.to_string());
    }
    out
}

struct Usage {
    cpu_seconds: f64,
    resident_bytes: u64,
    open_files: usize,
}

#[cfg(target_os = "linux")]
fn usage() -> Option<Usage> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses, and may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok().map(f64::from);
    let pages: u64 = fields.get(21)?.parse().ok()?;
    let page_bytes = u64::try_from(rustix::param::page_size()).ok()?;
    let ticks_a_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok().map(f64::from)?;
    Some(Usage {
        cpu_seconds: (ticks(11)? + ticks(12)?) / ticks_a_second,
        resident_bytes: pages * page_bytes,
        open_files: std::fs::read_dir("/proc/self/fd").ok()?.count(),
    })
}

#[cfg(not(target_os = "linux"))]
fn usage() -> Option<Usage> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_has_memory_and_files() {
        let text = metrics();
        let value = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_open_fds") >= 3.0);
        assert!(value("process_cpu_seconds_total") >= 0.0);
    }
}
