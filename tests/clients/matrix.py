#!/usr/bin/env python3
"""Every client writes with every codec that it has; every client reads all of it, by assignment and in a group.

    matrix.py BOOTSTRAP --work DIR [--clients a,b] [--before-reading COMMAND]

Each client is a program with three commands (`create`, `produce`, `consume`) that reads and writes the JSON lines of
lines.py. What a client cannot do stands in EXCEPTIONS with its reason; all else has to be equal, record by record.
`--before-reading` runs a command for each topic once all is produced (TOPIC in its environment): the same matrix reads
from the remote tier when that command waits until the local copies are gone.
Exit status 0 when every cell is equal. The last line is `N passed, N failed, N skipped`.
"""

import argparse
import base64
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTITIONS = 2
RECORDS_PER_CELL = 40

# What a client cannot do by itself, and why. A trait named here is left out of what that client writes, or not
# compared in what it reads.
EXCEPTIONS = {
    "aiokafka": {"write": {"null key with null value": "refused on its own side"}},
    "kafka-python": {"write": {"null header values": "refused on its own side",
                               "null key with null value": "refused on its own side"}},
    "kafkajs": {
        "write": {"null header values": "its encoder turns them into empty ones"},
        "codecs": {"snappy": "needs a plug-in", "lz4": "needs a plug-in", "zstd": "needs a plug-in"},
        "read": {"codecs": "reads none and gzip only", "header order": "a map by name", "header nulls": "read as absent",
                 "assignment": "reads only in a group"},
    },
    "kcat": {
        "write": {"timestamps": "no option sets one", "headers": "one set for a whole run", "nulls": "as keys and values together"},
    },
}


class Client:
    """A program of the matrix."""

    def __init__(self, name, command, codecs):
        self.name, self.command, self.codecs = name, command, codecs

    def cannot(self, side):
        return EXCEPTIONS.get(self.name, {}).get(side, {})

    def run(self, *arguments, stdin=None, timeout=180):
        done = subprocess.run([*self.command, *map(str, arguments)], input=stdin, capture_output=True, text=True,
                              timeout=timeout, cwd=HERE)
        if done.returncode:
            raise RuntimeError(f"{self.name} {arguments[0]}: {done.stderr.strip()[-600:]}")
        return done.stdout


ALL_CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def java_class_path(work):
    libs = work / "java-libs"
    if not libs.is_dir():
        subprocess.run(["mvn", "-q", "-B", "-f", HERE / "java" / "pom.xml", "dependency:copy-dependencies",
                        f"-DoutputDirectory={libs}"], check=True)
    return f"{libs}/*"


def kafkajs_folder(work):
    folder = work / "kafkajs"
    if not (folder / "node_modules").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "client.js"):
            shutil.copy(HERE / "kafkajs" / name, folder / name)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)
    else:
        shutil.copy(HERE / "kafkajs" / "client.js", folder / "client.js")
    return folder


def clients(work, wanted):
    """The clients whose tools are here, and a line for each one that is left out."""
    python = sys.executable
    found, skipped = [], []

    def offer(name, make, codecs=ALL_CODECS):
        if wanted and name not in wanted:
            return
        try:
            found.append(Client(name, make(), codecs))
        except (OSError, subprocess.CalledProcessError) as error:
            skipped.append(f"{name}: {error}")

    def needs_module(module, script):
        subprocess.run([python, "-c", f"import {module}"], check=True, capture_output=True)
        return [python, str(HERE / script)]

    def needs_tool(tool):
        if not shutil.which(tool):
            raise OSError(f"{tool} is not installed")

    def kcat():
        needs_tool("kcat")
        return [python, str(HERE / "kcat_client.py")]

    def kafkajs():
        needs_tool("npm")
        return ["node", str(kafkajs_folder(work) / "client.js")]

    def java():
        needs_tool("mvn")
        return ["java", "-Xmx256m", "-cp", java_class_path(work), str(HERE / "java" / "Client.java")]

    def rdkafka():
        binary = os.environ.get("RDKAFKA_CLIENT")
        if not binary:
            raise OSError("RDKAFKA_CLIENT does not name the built example")
        return [binary]

    offer("confluent-kafka", lambda: needs_module("confluent_kafka", "confluent_kafka_client.py"))
    offer("kafka-python", lambda: needs_module("kafka", "kafka_python_client.py"))
    offer("aiokafka", lambda: needs_module("aiokafka", "aiokafka_client.py"))
    offer("kcat", kcat)
    offer("rdkafka", rdkafka)
    offer("java", java)
    offer("kafkajs", kafkajs, ["none", "gzip"])
    return found, skipped


def pack(data):
    return None if data is None else base64.b64encode(data).decode()


def records_for(client, codec, seed):
    """What one cell writes: keys, nulls, empty values, headers of every kind, explicit timestamps."""
    cannot = client.cannot("write")
    chance = random.Random(seed)
    now = int(time.time() * 1000) - 60_000
    records = []
    for number in range(RECORDS_PER_CELL):
        key = [None, b"", f"key-{number % 7}".encode(), chance.randbytes(20)][number % 4]
        value = [f"{client.name} {codec} {number}".encode() * 3, None, b"", chance.randbytes(300)][(number // 4) % 4]
        headers = [[], [["a", b"1"]], [["a", b"1"], ["a", b"2"], ["ü", b"\xff\xfe"]],
                   [["empty", b""], ["null", None]]][(number // 2) % 4]
        if "null header values" in cannot:
            headers = [header for header in headers if header[1] is not None]
        if "headers" in cannot:
            headers = [["client", client.name.encode()], ["codec", codec.encode()]]
        if "null key with null value" in cannot and key is None and value is None:
            key = b"of a tombstone"
        if "nulls" in cannot:
            key, value = key or b"key", value or b"value"
            if client.name == "kcat":
                key, value = f"key-{number}".encode(), f"{codec} {number} {chance.random()}".encode()
        records.append({
            "partition": number % PARTITIONS, "key": pack(key), "value": pack(value),
            "headers": [[name, pack(data)] for name, data in headers],
            "timestamp": now + number if "timestamps" not in cannot else -1,
        })
    return records


def expected_view(record, reader):
    """A record as a reader shows it, with what that reader cannot show left out."""
    cannot = reader.cannot("read")
    headers = [tuple(header) for header in record["headers"]]
    if "header nulls" in cannot:
        headers = [(name, data or "") for name, data in headers]
    if "header order" in cannot:
        headers = sorted(headers, key=str)
    return record["partition"], record["key"], record["value"], tuple(headers)


def compare(written, read, reader):
    """An empty text where what was read is what was written, in order, in each partition."""
    if len(read) != len(written):
        return f"{len(read)} records read, {len(written)} written"
    for partition in range(PARTITIONS):
        ours = [r for r in written if r["partition"] == partition]
        theirs = sorted((r for r in read if r["partition"] == partition), key=lambda r: r["offset"])
        if [r["offset"] for r in theirs] != list(range(len(theirs))):
            return f"partition {partition}: offsets are not 0..{len(theirs)}"
        for ours_one, theirs_one in zip(ours, theirs):
            if expected_view(ours_one, reader) != expected_view(theirs_one, reader):
                return f"offset {theirs_one['offset']}: wrote {ours_one}, read {theirs_one}"
            if ours_one["timestamp"] not in (-1, theirs_one["timestamp"]):
                return f"offset {theirs_one['offset']}: timestamp {theirs_one['timestamp']}, wrote {ours_one['timestamp']}"
    return ""


class Report:
    """What passed and what did not."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0
        self.lock = threading.Lock()

    def cell(self, name, problem):
        with self.lock:
            if problem:
                self.failed += 1
            else:
                self.passed += 1
            print(f"{'FAIL' if problem else 'ok  '} {name}{': ' + problem if problem else ''}", flush=True)

    def skip(self, reason):
        self.skipped += 1
        print(f"skip {reason}", flush=True)


def attempt(report, name, action):
    try:
        report.cell(name, action() or "")
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        report.cell(name, str(error))


def read_cell(report, bootstrap, reader, topic, group, written):
    """One client reads one topic, by assignment or in a group."""
    how = "by assignment" if group == "-" else "in a group"

    def read():
        text = reader.run("consume", bootstrap, topic, group, PARTITIONS, len(written))
        return compare(written, [json.loads(line) for line in text.splitlines()], reader)

    attempt(report, f"{topic}: {reader.name} reads {how}", read)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bootstrap")
    parser.add_argument("--work", type=Path, required=True, help="folder for jars and node modules, kept between runs")
    parser.add_argument("--clients", default="", help="only these, by name, with commas")
    parser.add_argument("--prefix", default="matrix", help="begins the topics' names")
    parser.add_argument("--readers", type=int, default=4, help="clients that read at the same time")
    parser.add_argument("--before-reading", default="", help="a command to run for each topic before it is read")
    options = parser.parse_args()
    report = Report()
    wanted = [name for name in options.clients.split(",") if name]
    programs, skipped = clients(options.work.resolve(), wanted)
    for reason in skipped:
        report.skip(reason)

    topics = {}
    for writer in programs:
        for codec in writer.codecs:
            topic = f"{options.prefix}-{writer.name}-{codec}"
            records = records_for(writer, codec, topic)

            def write(writer=writer, codec=codec, topic=topic, records=records):
                writer.run("create", options.bootstrap, topic, PARTITIONS)
                writer.run("produce", options.bootstrap, topic, codec,
                           stdin="".join(json.dumps(record) + "\n" for record in records))
                topics[topic] = (codec, records)

            attempt(report, f"{topic}: write", write)

    if options.before_reading:
        for topic in topics:
            subprocess.run(options.before_reading, shell=True, check=True, env={**os.environ, "TOPIC": topic})

    # Clients mostly wait for themselves to start: several at a time.
    with ThreadPoolExecutor(options.readers) as pool:
        cells = []
        for reader in programs:
            for topic, (codec, written) in topics.items():
                if "codecs" in reader.cannot("read") and codec not in reader.codecs:
                    report.skip(f"{topic}: {reader.name} {reader.cannot('read')['codecs']}")
                    continue
                groups = [f"group-{reader.name}-{topic}"]
                if "assignment" not in reader.cannot("read"):
                    groups.append("-")
                for group in groups:
                    cells.append(pool.submit(read_cell, report, options.bootstrap, reader, topic, group, written))
        for cell in cells:
            cell.result()

    print(f"\n{report.passed} passed, {report.failed} failed, {report.skipped} skipped")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
