//! A folder of its own for each test, and the binary run in it. Every address has port 0 or is taken from what the binary
//! prints, so tests run side by side.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A folder, gone when the test ends.
pub struct Home {
    folder: TempDir,
}

/// Signals that stop a command. SIGHUP stops none that was begun under `nohup`, and neither does it those that this process
/// begins then.
pub fn stopping_signals() -> Vec<Signal> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap());
    let stopping = [Signal::TERM, Signal::INT, Signal::HUP].into_iter();
    stopping.filter(|signal| ignored & 1 << (signal.as_raw() - 1) == 0).collect()
}

impl Home {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// The binary in this folder, without what the developer's own environment says.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidelog"));
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDELOG_")) {
            command.env_remove(name);
        }
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&self.command(arguments).output().unwrap())
    }

    /// Starts a broker on ports of its own, and waits until it is ready.
    pub fn serve(&self, arguments: &[&str]) -> Serving {
        let own = ["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
        self.serve_as(&[own.as_slice(), arguments].concat())
    }

    /// Starts a broker with just these arguments, and waits until it is ready.
    pub fn serve_as(&self, arguments: &[&str]) -> Serving {
        let mut command = self.command(arguments);
        Serving::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }
}

impl Home {
    /// Starts a broker that may have so many files open, and waits until it is ready.
    pub fn serve_with_files(&self, files: u32, arguments: &[&str]) -> Serving {
        let binary = self.command(&[]);
        let mut command = Command::new("sh");
        command.current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in binary.get_envs() {
            command.env_remove(name);
        }
        let limited = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
        command.args(["-c", &limited]).arg(binary.get_program());
        command.args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]).args(arguments);
        Serving::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }
}

/// What a run left.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// The code, and a word of what was told.
    pub fn expect(&self, code: i32, said: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.out.contains(said) || self.err.contains(said), "no {said:?} in {self:?}");
    }
}

/// A broker that is ready.
pub struct Serving {
    child: Child,
    out: BufReader<ChildStdout>,
    log: BufReader<ChildStderr>,
    pub told: String,
    pub kafka: String,
    pub http: String,
}

impl Serving {
    fn start(mut child: Child) -> Self {
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        while !told.contains("Stop it:") {
            if out.read_line(&mut told).unwrap() == 0 {
                let mut err = String::new();
                log.read_to_string(&mut err).unwrap();
                panic!("the broker ended before it was ready: {told}{err}");
            }
        }
        let word_behind = |before: &str| {
            let at = told.find(before).unwrap() + before.len();
            told[at..].split_whitespace().next().unwrap().to_owned()
        };
        let (kafka, http) = (word_behind("clients at "), word_behind("http://"));
        Self { child, out, log, told, kafka, http }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Reads its log until a line says that.
    pub fn until_log(&mut self, said: &str) {
        let mut line = String::new();
        while !line.contains(said) {
            line.clear();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "the broker ended before it said {said:?}");
        }
    }

    /// What it says until its end, with its exit code.
    pub fn ended(mut self) -> Ended {
        let (mut rest, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut rest).unwrap();
        self.log.read_to_string(&mut err).unwrap();
        let code = self.child.wait().unwrap().code();
        Ended { code, out: format!("{}{rest}", self.told), err }
    }

    /// Asks it over HTTP.
    pub fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // A test that failed leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
