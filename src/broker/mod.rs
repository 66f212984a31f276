//! Layer 6: owns the rooms; starts and stops them in named steps.
