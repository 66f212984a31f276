//! Apache Kafka, from Maven's jars: one KRaft broker that is its own controller, with tiered storage in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::process::{Broker, cache, finish, free_port};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/kafka");
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// The jars and the message files of one Kafka.
pub struct Distribution {
    folder: PathBuf,
}

/// What Java or Maven the machine lacks, as words.
pub fn missing_tools() -> Option<&'static str> {
    let runs = |tool: &str, flag: &str| {
        let mut command = Command::new(tool);
        command.arg(flag).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    match (runs("java", "-version"), runs("mvn", "-version")) {
        (true, true) => None,
        (false, _) => Some("no Java"),
        (true, false) => Some("no Maven"),
    }
}

impl Distribution {
    /// Fetches what is not in the cache yet.
    pub fn fetch() -> Self {
        let folder = cache().join("kafka-4.3.1");
        if !folder.join("complete").is_file() {
            let pom = format!("{FOLDER}/pom.xml");
            let maven = |goal: &str, arguments: &[String]| {
                finish(
                    Command::new("mvn").args(["-q", "-B", "-f", &pom, &format!("dependency:{goal}")]).args(arguments),
                );
            };
            maven("copy-dependencies", &[format!("-DoutputDirectory={}/libs", folder.display())]);
            maven(
                "unpack-dependencies",
                &[
                    "-DincludeArtifactIds=kafka-clients".to_owned(),
                    "-Dmdep.unpack.includes=common/message/*.json".to_owned(),
                    format!("-DoutputDirectory={}/unpacked", folder.display()),
                ],
            );
            fs::write(folder.join("complete"), "").expect("the cache takes a file");
        }
        Self { folder }
    }

    /// Where the message files lie.
    pub fn messages(&self) -> PathBuf {
        self.folder.join("unpacked/common/message")
    }

    /// Starts a broker; it may not answer yet.
    pub fn start(&self) -> Broker {
        let home = tempfile::tempdir().expect("a folder for Kafka");
        let (port, controller) = (free_port(), free_port());
        let settings = settings(home.path(), port, controller);
        let file = home.path().join("server.properties");
        fs::write(&file, settings).expect("a settings file");
        let file = file.display().to_string();
        let mut format = self.java("-Xmx128m", "kafka.tools.StorageTool");
        format.extend(["format", "-t", CLUSTER_ID, "-c", &file].map(str::to_owned));
        finish(Command::new(&format[0]).args(&format[1..]));
        let mut serve = self.java("-Xmx512m", "kafka.Kafka");
        serve.push(file);
        Broker::run("Kafka", port, home, &serve)
    }

    /// A Java that starts fast: the suite is over before an optimising compiler has paid for itself.
    fn java(&self, heap: &str, class: &str) -> Vec<String> {
        let log4j = format!("-Dlog4j2.configurationFile={FOLDER}/log4j2.properties");
        let jars = format!("{}/libs/*", self.folder.display());
        ["java", heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", &log4j, "-cp", &jars, class]
            .map(str::to_owned)
            .to_vec()
    }
}

fn settings(home: &Path, port: u16, controller: u16) -> String {
    let home = home.display();
    let read = |name: &str| fs::read_to_string(format!("{FOLDER}/{name}")).expect("a settings file of the suite");
    format!(
        "{}{}\
         controller.quorum.voters = 1@127.0.0.1:{controller}\n\
         listeners = PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners = PLAINTEXT://127.0.0.1:{port}\n\
         log.dirs = {home}/logs\n\
         rsm.config.dir = {home}/remote\n",
        read("both.properties"),
        read("server.properties")
    )
}
