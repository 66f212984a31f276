"""The broker and its S3 server: started, killed, held, started again."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, seconds, condition):
    """Ends when `condition` gives an empty text; its last text is the error of a wait that takes too long."""
    deadline = time.monotonic() + seconds
    while problem := condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} took longer than {seconds} s: {problem}")
        time.sleep(0.3)


class Broker:
    """`tidelog serve`."""

    def __init__(self, binary, folder, bucket, settings):
        self.port, self.http = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.data, self.log = folder / "data", folder / "broker.log"
        self.command = [binary, "serve", "--data-dir", self.data, "--listen", self.bootstrap,
                        "--http", f"127.0.0.1:{self.http}", "--bucket", bucket]
        for name, value in settings.items():
            self.command += ["--set", f"{name}={value}"]
        self.process, self.starts = None, []

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(list(map(str, self.command)), stdout=log, stderr=log, cwd=ROOT)
        began = time.monotonic()
        wait_until("the broker's start", START_SECONDS, self.not_ready)
        self.starts.append(time.monotonic() - began)

    def not_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the broker ended with {self.process.returncode}; the end of {self.log}:\n{self.tail()}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.http}/readyz", timeout=2).read()
            return ""
        except OSError as error:
            return str(error)

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """As an operator ends it; the exit code."""
        self.process.terminate()
        return self.process.wait(90)

    def metric(self, name):
        """The sum over all labels of a metric."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=5).read().decode()
        values = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                  if line.split("{")[0].split(" ")[0] == name]
        return sum(values)

    def resident_mib(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) // 1024
        return 0

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def local_segments(self, topic):
        """Of each partition: the base offsets and sizes of its local segments."""
        found = {}
        for folder in self.data.glob(f"topics/{topic}/*/*"):
            if folder.name.isdigit():
                sizes = {}
                for log in folder.glob("*.log"):
                    # A segment may go between the two looks.
                    try:
                        sizes[int(log.stem)] = log.stat().st_size
                    except FileNotFoundError:
                        pass
                found[int(folder.name)] = sizes
        return found


class Minio:
    """MinIO by way of localstack/s3; the settings that it prints are this process's environment from then on."""

    bucket = "tidelog"

    def __init__(self, folder):
        self.port, self.data = free_port(), folder / "minio"

    def start(self):
        done = subprocess.run([ROOT / "localstack/s3", "--port", str(self.port), "--data", self.data, "--background"],
                              check=True, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            name, value = line.removeprefix("export ").split("=", 1)
            os.environ[name] = value

    def pid(self):
        return int((self.data / "server.pid").read_text())

    def kill(self):
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        wait_until("MinIO's death", 10, lambda: "alive" if Path(f"/proc/{pid}").exists() else "")

    def hold(self, seconds):
        os.kill(self.pid(), signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self.pid(), signal.SIGCONT)

    def stop(self):
        subprocess.run([ROOT / "localstack/s3", "stop", "--data", self.data], check=False, capture_output=True)

    def unfinished_uploads(self):
        """MinIO lists them only by whole key; its folder has them all."""
        return [path for path in (self.data / "objects/.minio.sys/multipart").glob("*/*") if path.is_dir()]
