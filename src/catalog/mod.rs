//! Layer 1: the SQL catalog; a file per table family.
