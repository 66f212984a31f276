//! Layer 2: the local log of one partition, synchronous.
