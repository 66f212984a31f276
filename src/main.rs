//! Parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Two providers of cryptography are linked; rustls must be told which one, before anybody asks it.
    let installed = rustls::crypto::ring::default_provider().install_default();
    debug_assert!(installed.is_ok(), "nothing ran before");
    tidelog::cli::run()
}
