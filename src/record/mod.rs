//! Layer 1: record batch v2, the one definition, on the wire and on disk; compression codecs.
