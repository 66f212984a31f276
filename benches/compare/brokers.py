"""Brokers under measurement: started on this machine, measured by the kernel's accounting of their own process.

A broker is a process with a data folder of its own under the work folder. CPU seconds are user + system of that
process alone, not of the load generator or an S3 server. Resident memory is what the kernel says at that moment.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE = re.compile(r"(?P<name>[a-z_]+)(?P<labels>\{.*\})? (?P<value>\S+)")
OPERATION = re.compile(r'operation="([a-z_]+)"')


def wait_for_port(port, process, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the broker ended at once with {process.returncode}")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port} after {seconds} s")


class Broker:
    """A process, its port and its folder."""

    name = "broker"

    def __init__(self, work, port):
        self.work, self.port, self.process = Path(work) / self.name, port, None
        self.started_seconds = None

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    def command(self):
        raise NotImplementedError

    def start(self, fresh=True):
        if fresh:
            shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        log = open(self.work / "broker.log", "ab")
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, env={**os.environ, **self.environment()})
        wait_for_port(self.port, self.process)
        self.started_seconds = time.monotonic() - began
        return self

    def environment(self):
        return {}

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        return {"resident": int(lines["VmRSS"].split()[0]) / 1024, "peak": int(lines["VmHWM"].split()[0]) / 1024}

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.kill()


class Tidelog(Broker):
    """The release binary of this checkout."""

    name = "tidelog"

    def __init__(self, work, port, binary, bucket=None, settings=(), environment=None):
        super().__init__(work, port)
        self.binary, self.bucket, self.settings = binary, bucket, list(settings)
        self.variables = environment or {}

    def environment(self):
        return self.variables

    def command(self):
        command = [str(self.binary), "serve", "--data-dir", str(self.work / "data"), "--listen", self.bootstrap,
                   "--http", f"127.0.0.1:{self.port + 1}"]
        if self.bucket:
            command += ["--bucket", self.bucket]
        for setting in self.settings:
            command += ["--set", setting]
        return command

    def metrics(self):
        """Every sample of `/metrics` by its name and its operation, summed over other labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port + 1}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        samples = {}
        for line in lines:
            if found := SAMPLE.fullmatch(line):
                operation = OPERATION.search(found["labels"] or "")
                key = found["name"], operation and operation[1]
                samples[key] = samples.get(key, 0) + float(found["value"])
        return samples


class Kafka(Broker):
    """Apache Kafka from Maven's jars, with the heap that its own start script gives."""

    name = "kafka"

    def __init__(self, work, port, heap="1g", settings=()):
        super().__init__(work, port)
        self.heap, self.settings = heap, list(settings)
        self.libs = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tidelog" / "kafka-libs"

    def java(self, *arguments, heap=None):
        return ["java", f"-Xmx{heap or self.heap}", f"-Xms{heap or self.heap}", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
                "-XX:InitiatingHeapOccupancyPercent=35", "-Djava.awt.headless=true", "-cp", f"{self.libs}/*", *arguments]

    def fetch(self):
        if not self.libs.is_dir() or not any(self.libs.iterdir()):
            subprocess.run(["mvn", "-q", "-B", "-f", str(ROOT / "tests" / "differential" / "kafka" / "pom.xml"), "dependency:copy-dependencies",
                            f"-DoutputDirectory={self.libs}", "-DincludeScope=runtime"], check=True)

    def start(self, fresh=True):
        self.fetch()
        if fresh:
            shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True, exist_ok=True)
        config = self.work / "server.properties"
        config.write_text("\n".join([
            "process.roles=broker,controller", "node.id=1", f"controller.quorum.voters=1@127.0.0.1:{self.port + 1}",
            f"listeners=PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{self.port + 1}",
            f"advertised.listeners=PLAINTEXT://{self.bootstrap}", "inter.broker.listener.name=PLAINTEXT",
            "controller.listener.names=CONTROLLER",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            f"log.dirs={self.work}/logs", "offsets.topic.replication.factor=1",
            "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1", *self.settings]) + "\n")
        if fresh:
            cluster = subprocess.run(self.java("kafka.tools.StorageTool", "random-uuid", heap="256m"), check=True,
                                     capture_output=True, text=True).stdout.split()[-1]
            subprocess.run(self.java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config), heap="256m"),
                           check=True, capture_output=True)
        return super().start(fresh=False)

    def command(self):
        return self.java("kafka.Kafka", str(self.work / "server.properties"))


class Minio:
    """The S3 server that `localstack/s3` starts, with its data below the work folder."""

    def __init__(self, work, port):
        self.data, self.port, self.settings = Path(work) / "minio", port, {}
        self.url = "s3://tidelog/compare"

    def script(self, *arguments):
        return subprocess.run([str(ROOT / "localstack" / "s3"), *arguments, "--port", str(self.port), "--data", str(self.data)],
                              check=True, stdout=subprocess.PIPE, text=True).stdout

    def start(self):
        lines = self.script("start", "--background").splitlines()
        self.settings = dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))
        return self

    def send(self, what):
        os.kill(int((self.data / "server.pid").read_text()), what)

    def hold(self):
        self.send(signal.SIGSTOP)

    def go_on(self):
        self.send(signal.SIGCONT)

    def stand_back(self, steps):
        """Gives way to whoever has the usual priority; threads that come later inherit it."""
        for task in Path(f"/proc/{(self.data / 'server.pid').read_text().strip()}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(task.name), steps)

    def stop(self):
        self.script("stop")
