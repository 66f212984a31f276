//! One file for each kind of request: from wire structs to the broker's plain types and back. No logic of their own.

pub mod api_versions;
