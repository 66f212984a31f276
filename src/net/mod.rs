//! Layer 3: frames over sockets.
