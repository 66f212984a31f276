//! Layer 0: tracing set-up and the metric registry; declares no metric of its own.
