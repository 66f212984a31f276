//! Layer 0: how the process is observed: logs by `tracing`, one registry of metrics. Declares no metric of its own.

mod logs;
mod metric_registry;

pub use logs::{LogFormat, LogOptions, LogsError, start_logs};
pub use metric_registry::{RegistryError, render_metrics, start_metrics, tidy_metrics};
