//! A broker, and the binary that speaks to it.

use std::io::Write;
use std::process::Stdio;

use crate::home::{Ended, Home, Serving};

/// A broker and the binary that speaks to it.
pub struct Scene {
    pub home: Home,
    pub serving: Serving,
}

impl Scene {
    pub fn new(arguments: &[&str]) -> Self {
        let home = Home::new();
        let serving = home.serve(arguments);
        Self { home, serving }
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.with_input(arguments, "")
    }

    pub fn with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = self.home.command(arguments);
        command.env("TIDELOG_BOOTSTRAP_SERVER", &self.serving.kafka).env("TIDELOG_HTTP", &self.serving.http);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writing = std::thread::spawn(move || {
            // It may have ended over its arguments.
            let _ = stdin.write_all(input.as_bytes());
        });
        let ended = Ended::of(&child.wait_with_output().unwrap());
        writing.join().unwrap();
        ended
    }

    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let ended = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        serde_json::from_str(&ended.out).unwrap()
    }
}
