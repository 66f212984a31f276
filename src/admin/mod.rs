//! Layer 7: health and metrics over HTTP.
