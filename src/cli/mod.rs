//! Layer 8: a file per subcommand.
