//! Layer 4: one partition across brokers; today a cluster of one.
