//! Layer 8: files, environment and flags into each room's options.
