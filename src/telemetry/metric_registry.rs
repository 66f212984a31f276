//! The one registry of metrics, in Prometheus' words. Rooms report to it through the `metrics` crate's macros; it is a
//! global because theirs is.
//!
//! Invariant: what a histogram has not yet folded in is bounded only by how often [`tidy_metrics`] is called; the
//! broker's table of tasks does that, whether anybody scrapes or not.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

static REGISTRY: OnceLock<PrometheusHandle> = OnceLock::new();

/// Buckets of what is measured in seconds: from the page cache's pace to a bucket's that is nearly down.
const SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];
/// Buckets of what is measured in bytes: from one small batch to one large segment.
const BYTES: &[f64] =
    &[1_024.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 8_388_608.0, 67_108_864.0, 268_435_456.0, 1_073_741_824.0];

/// The registry could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the registry of metrics could not be started: {0}")]
pub struct RegistryError(#[from] BuildError);

/// Starts the registry, for the rest of the process. Starting it again changes nothing.
pub fn start_metrics() -> Result<(), RegistryError> {
    if REGISTRY.get().is_some() {
        return Ok(());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), BYTES)?
        .install_recorder()?;
    // Another thread may have been quicker; then its registry is the one that counts.
    let _ = REGISTRY.set(handle);
    Ok(())
}

/// Everything that was reported, as Prometheus reads it; empty where no registry was started.
pub fn render_metrics() -> String {
    REGISTRY.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Folds in what histograms have collected.
pub fn tidy_metrics() {
    if let Some(registry) = REGISTRY.get() {
        registry.run_upkeep();
    }
}
