//! What benchmarks of one thread measure: the thread's own CPU time, so that a busy machine does not show in it.

use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};

/// The thread's CPU time.
pub struct CpuTime;

/// Nanoseconds on a CPU so far; `None` where the system does not tell.
fn on_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

impl Measurement for CpuTime {
    type Intermediate = (Option<Duration>, <WallTime as Measurement>::Intermediate);
    type Value = Duration;

    fn start(&self) -> Self::Intermediate {
        (on_cpu(), WallTime.start())
    }

    fn end(&self, begun: Self::Intermediate) -> Duration {
        match (begun.0, on_cpu()) {
            (Some(begun), Some(now)) => now - begun,
            _ => WallTime.end(begun.1),
        }
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}
