#!/usr/bin/env python3
"""A broker over MinIO that is killed at random moments, and so is MinIO, while a producer writes; then everything is read
back by three clients, from the middle too, and by two analytics engines straight from the bucket. All have to agree with
what was written, record by record or by count and digest.

    chaos.py --tidelog target/debug/tidelog --work DIR [--mib 64] [--partitions 6] [--segment-mib 2] [--deaths 6] [--seed N]

The last line is `N passed, N failed, N skipped`; exit status 0 when all passed.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

import engines
import readers
from history import History
from processes import Broker, Minio, wait_until

TOPIC = "chaos"
SETTINGS = {
    "remote.log.manager.task.interval.ms": 500,
    "log.retention.check.interval.ms": 1000,
    "tidelog.remote.max.lag.ms": 5000,
    "tidelog.orphan.grace.ms": 3000,
}


class Report:
    """What passed and what did not."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0

    def check(self, name, problem):
        self.passed, self.failed = self.passed + (not problem), self.failed + bool(problem)
        print(f"{'FAIL' if problem else 'ok  '} {name}{': ' + problem if problem else ''}", flush=True)

    def skip(self, reason):
        self.skipped += 1
        print(f"skip {reason}", flush=True)

    def attempt(self, name, action):
        began = time.monotonic()
        try:
            problem = action() or ""
        except Exception as error:  # Whatever goes wrong is this check's failure, and the others still run.
            problem = f"{type(error).__name__}: {error}"
        self.check(f"{name} ({time.monotonic() - began:.1f} s)", problem)
        return not problem


class Progress:
    """What the producer says."""

    def __init__(self, process):
        self.process, self.acknowledged = process, 0
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        for line in self.process.stdout:
            if line.strip():
                self.acknowledged = int(line)

    def reaches(self, count):
        """Waits; false when the producer ended before."""
        while self.acknowledged < count:
            if self.process.poll() is not None:
                return False
            time.sleep(0.02)
        return True


class Run:
    """One run: its processes, its chances."""

    def __init__(self, options):
        self.options, self.chance = options, random.Random(options.seed)
        self.folder = options.work.resolve() / f"run-{options.seed}"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.minio = Minio(self.folder)
        self.place = f"{Minio.bucket}/run"
        self.broker = Broker(options.tidelog.resolve(), self.folder, f"s3://{self.place}", SETTINGS)
        value_bytes = 1000
        per_partition = options.mib * (1 << 20) // (value_bytes + 80) // options.partitions
        first_timestamp = int(time.time() * 1000) - 3600_000
        self.arguments = [options.seed, options.partitions, per_partition, value_bytes, first_timestamp]
        self.history = History(*self.arguments)
        self.records = per_partition * options.partitions

    def create_topic(self):
        segment = self.options.segment_mib << 20
        config = {"segment.bytes": segment, "local.retention.bytes": segment, "local.retention.ms": -2,
                  "retention.ms": -1}
        topic = NewTopic(TOPIC, self.options.partitions, 1, config={name: str(value) for name, value in config.items()})
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        for future in admin.create_topics([topic]).values():
            future.result(30)

    def disturb(self, number):
        """One bad moment."""
        kind = self.chance.choice(["kill", "kill", "kill", "restart", "bucket dies", "bucket hangs", "both die"])
        print(f"     {number}: {kind}", flush=True)
        if kind == "restart":
            code = self.broker.end()
            if code:
                raise RuntimeError(f"the broker ended with {code} on SIGTERM")
            self.broker.start()
        elif kind == "bucket hangs":
            self.minio.hold(self.chance.uniform(0.5, 4))
        else:
            if kind in ("bucket dies", "both die"):
                self.minio.kill()
            if kind in ("kill", "both die"):
                self.broker.kill()
            time.sleep(self.chance.uniform(0, 1))
            if kind in ("bucket dies", "both die"):
                self.minio.start()
            if kind in ("kill", "both die"):
                self.broker.start()

    def produce(self):
        """Everything, through half of the deaths."""
        producer = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("produce.py"), self.broker.bootstrap, TOPIC,
             json.dumps(self.arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        progress = Progress(producer)
        deaths = self.options.deaths // 2
        for number, share in enumerate(sorted(self.chance.uniform(0.05, 0.95) for _ in range(deaths))):
            if progress.reaches(int(self.records * share)):
                self.disturb(f"at {progress.acknowledged:,} of {self.records:,} records")
        _, said = producer.communicate(timeout=self.options.patience)
        return said.strip()[-1500:] if producer.returncode else ""

    def settle(self):
        """The other deaths, while the rest is uploaded and local copies go; then waits until both are done."""
        for number in range(self.options.deaths - self.options.deaths // 2):
            time.sleep(self.chance.uniform(0.2, 3))
            self.disturb(f"while uploading, {number + 1}")
        wait_until("having every offset in the bucket, once", self.options.patience,
                   lambda: engines.untiled(self.place, self.history.partitions, self.history.per_partition))
        wait_until("local copies to go", self.options.patience, self.still_local)

    def still_local(self):
        """What local retention has to take yet: the oldest segment goes when the others are enough by themselves."""
        for partition, sizes in self.broker.local_segments(TOPIC).items():
            oldest = min(sizes)
            if oldest == 0 or sum(sizes.values()) - sizes[oldest] >= self.options.segment_mib << 20:
                return f"partition {partition} has {len(sizes)} segments of {sum(sizes.values()):,} bytes from {oldest} on"
        return ""

    def restart(self):
        code = self.broker.end()
        self.broker.start()
        return f"exit code {code} on SIGTERM" if code else ""

    def swept(self):
        wait_until("the sweep of unfinished uploads", 60, lambda: "\n".join(map(str, self.minio.unfinished_uploads())))

    def figures(self):
        objects = engines.objects(f"{self.place}/topics")
        size = sum(objects.values())
        starts = ", ".join(f"{took:.1f}" for took in self.broker.starts)
        print(f"     {len(objects)} objects of {size / (1 << 20):,.0f} MiB for {self.options.mib:,} MiB produced; "
              f"resident at most {self.broker.resident_mib()} MiB since the last start; starts took {starts} s", flush=True)


def body(run, report):
    history = run.history
    run.minio.start()
    run.broker.start()
    run.create_topic()
    print(f"     {run.records:,} records in {history.partitions} partitions, seed {run.options.seed}", flush=True)
    if not report.attempt("every record is acknowledged, once, at its offset", run.produce):
        return  # The rest compares with what was to be written.
    report.attempt("everything is in the bucket, once, and local copies are gone", run.settle)
    report.attempt("a last restart", run.restart)
    due = history.digest()
    for make in readers.READERS:
        if make.needs and not shutil.which(make.needs):
            report.skip(f"{make.name}: {make.needs} is not on this machine")
            continue
        reader = make(run.broker.bootstrap, TOPIC, history)

        def all_of_it(reader=reader):
            read = readers.read_all(reader, history)
            return "" if read == due else f"{read}, {due} was due"

        report.attempt(f"{reader.name} reads all from offset 0", all_of_it)
        report.attempt(f"{reader.name} reads from the middle",
                       lambda reader=reader: readers.read_middle(reader, history, run.chance, 500))
    report.attempt("no upload is left unfinished", run.swept)
    for name, ask in engines.ENGINES.items():
        def same(ask=ask):
            found = ask(run.place)
            return "" if found == due else f"{found}, {due} was due"

        report.attempt(f"{name} reads the same from the bucket", same)
    run.figures()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tidelog", type=Path, required=True, help="the binary")
    parser.add_argument("--work", type=Path, required=True, help="a folder for data; what failed stays there")
    parser.add_argument("--mib", type=int, default=64, help="how much is produced")
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--segment-mib", type=int, default=2)
    parser.add_argument("--deaths", type=int, default=6)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    parser.add_argument("--patience", type=int, default=600, help="seconds that one step may take")
    options = parser.parse_args()
    run, report = Run(options), Report()
    try:
        body(run, report)
    except Exception as error:  # What ends a run is its failure, told like the others.
        report.check("the run", f"{type(error).__name__}: {error}")
    finally:
        if run.broker.process and run.broker.process.poll() is None:
            run.broker.kill()
        run.minio.stop()
    if report.failed:
        print(f"     seed {options.seed}; data and logs stay in {run.folder}", flush=True)
    else:
        shutil.rmtree(run.folder, ignore_errors=True)
    print(f"\n{report.passed} passed, {report.failed} failed, {report.skipped} skipped")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
