//! Looks after a case: panics on any thread, cases that do not end, memory.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::{Clock, SystemClock};

/// A case that takes longer hangs.
const CASE_MAX: Duration = Duration::from_secs(60);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(1);

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The present case.
#[derive(Debug, Default)]
struct Case {
    place: String,
    began: Option<Duration>,
    resident_bytes: u64,
}

/// Who looks.
#[derive(Debug)]
pub struct Watch {
    clock: Arc<dyn Clock>,
    case: Arc<Mutex<Case>>,
}

impl Watch {
    pub fn start() -> Self {
        std::panic::set_hook(Box::new(|panic| {
            let mut panics = PANICS.lock();
            if panics.len() < 16 {
                panics.push(panic.to_string());
            }
        }));
        let watch = Self { clock: SystemClock::shared(), case: Arc::default() };
        let (clock, case) = (Arc::clone(&watch.clock), Arc::clone(&watch.case));
        std::thread::spawn(move || {
            loop {
                std::thread::park_timeout(LOOK);
                let case = case.lock();
                if case.began.is_some_and(|began| clock.monotonic() - began > CASE_MAX) {
                    println!("FAIL {}: it does not end", case.place);
                    std::process::exit(1);
                }
            }
        });
        watch
    }

    pub fn begin(&self, place: &str) {
        // Where the system does not tell, memory is not looked at.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        PANICS.lock().clear();
        *self.case.lock() =
            Case { place: place.to_owned(), began: Some(self.clock.monotonic()), resident_bytes: memory("VmRSS:") };
    }

    /// What was wrong.
    pub fn end(&self, memory_bytes_max: u64, may_panic_within: bool) -> Option<String> {
        let case = std::mem::take(&mut *self.case.lock());
        let panics = std::mem::take(&mut *PANICS.lock());
        if !may_panic_within && !panics.is_empty() {
            return Some(panics.join("; "));
        }
        let grown = memory("VmHWM:").saturating_sub(case.resident_bytes);
        (grown > memory_bytes_max).then(|| format!("memory grew by {grown} bytes, {memory_bytes_max} are allowed"))
    }
}

/// A line of what the system says of this process's memory; 0 where it does not.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    found.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).map_or(0, |kib: u64| kib * 1024)
}
