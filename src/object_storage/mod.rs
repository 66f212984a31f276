//! Layer 1: opens a bucket from a URL; the only place that spells keys; retry, metering and fault decorators.
