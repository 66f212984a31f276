"""What every comparison shares: the built programs, one run of the load generator, the table at the end."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from brokers import ROOT, Kafka, Minio, Tidelog

GIB = 2.0**30


def built(name):
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    path = target / name
    if not path.is_file():
        sys.exit(f"{path} is missing: cargo build --release --bin tidelog --example load")
    return path


def both(options, work):
    """The brokers that are compared, or the one of them that is wanted."""
    settings = [] if options.durable else ["tidelog.flush.on.ack=false"]
    brokers = []
    if options.only != "kafka":
        brokers.append(Tidelog(work, options.port, built("tidelog"), settings=settings))
    if options.only != "tidelog":
        brokers.append(Kafka(work, options.port + 10, heap=options.heap))
    return brokers


def load_command(command, broker, topic, options, *more):
    arguments = [built("examples/load"), command, broker.bootstrap, topic, "--partitions", options.partitions, *more]
    return [str(argument) for argument in arguments]


def begin(command, *more, environment=None):
    return subprocess.Popen([*command, *map(str, more)], stdout=subprocess.PIPE, text=True, env=environment)


def result(process):
    """What a run of the load generator reports, when it has ended."""
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"the load generator ended with {process.returncode}")
    return json.loads(out)


def load(command, broker, topic, options, *more):
    """One run of the load generator: what it reports, and the broker's CPU seconds for each GiB of it."""
    before = broker.cpu_seconds()
    found = result(begin(load_command(command, broker, topic, options, "--records", options.records, *more)))
    found["cpu_s_per_gib"] = (broker.cpu_seconds() - before) / (found["bytes"] / GIB)
    return found


def produce(broker, topic, options, *settings):
    more = ["--size", options.size, "--acks", options.acks, "--codec", options.codec, "--batch-bytes", options.batch_bytes]
    for setting in settings:
        more += ["--topic-config", setting]
    written = load("produce", broker, topic, options, *more)
    if written["more"]["failed"]:
        sys.exit(f"{broker.name}: {written['more']['failed']} records were refused")
    return written


def consume_all(broker, topic, options):
    """Reads a topic from offset 0; ends the program at a gap."""
    read = load("consume", broker, topic, options, "--verify")
    if read["more"]["gaps"]:
        sys.exit(f"{read['more']['gaps']} gaps in {topic}")
    return read


def paced(broker, topic, options, settings=(), rate=None):
    """Produces at the rate for the given seconds while a consumer reads along: latencies of both, and the broker's cores."""
    rate = rate or options.rate
    records = rate * options.seconds
    written = load_command("produce", broker, topic, options, "--size", options.size, "--acks", options.acks, "--stamped",
                           "--linger-ms", options.linger_ms, "--batch-bytes", options.batch_bytes,
                           *(part for setting in settings for part in ("--topic-config", setting)))
    result(begin(written, "--records", options.partitions))  # makes the topic
    reading = begin(load_command("consume", broker, topic, options, "--stamped", "--from", 1), "--records", records)
    cpu, began = broker.cpu_seconds(), time.monotonic()
    producing = begin(written, "--records", records, "--rate", rate)
    wrote, read = result(producing), result(reading)
    cores = (broker.cpu_seconds() - cpu) / (time.monotonic() - began)
    if wrote["more"]["failed"]:
        raise SystemExit(f"{wrote['more']['failed']} records were refused")
    return [("records/s taken", wrote["records_per_s"]), ("broker cores", cores),
            *((f"produce {name} ms", wrote[f"{name}_ms"]) for name in ("p50", "p99", "p999", "max")),
            *((f"fetch {name} ms", read[f"{name}_ms"]) for name in ("p50", "p99", "p999", "max"))]


def tiered(work, options, *settings):
    """A broker that seals, uploads and drops at once, and the S3 server behind it."""
    server = None if options.bucket else Minio(work, options.port + 20).start()
    settings = [*settings, "log.retention.check.interval.ms=1000", "remote.log.manager.task.interval.ms=500",
                *([] if options.durable else ["tidelog.flush.on.ack=false"])]
    broker = Tidelog(work, options.port, built("tidelog"), bucket=options.bucket or server.url,
                     environment=server.settings if server else {}, settings=settings)
    return broker, server


def tiered_topic(options):
    """Settings of a topic whose history leaves the disk as soon as it may."""
    return [f"segment.bytes={options.segment_bytes}", "local.retention.ms=1000", "tidelog.remote.max.lag.ms=1000",
            "file.delete.delay.ms=0"]


def until_local_is_gone(broker, topic, seconds=600):
    """Waits until no segment of the topic holds a byte on the local disk."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        folder = broker.work / "data" / "topics" / topic
        kept = sum(path.stat().st_size for path in folder.rglob("*.log"))
        if kept == 0:
            return
        time.sleep(0.5)
    raise RuntimeError(f"{kept} bytes of {topic} are still local after {seconds} s")


def machine():
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def table(rows, settings):
    """`rows`: by broker (or phase), pairs of a figure's name and one value of it. Medians, with the range behind."""
    figures = []
    for values in rows.values():
        figures += [name for name, _ in values if name not in figures]
    two = len(rows) > 1  # the ratio is of the first two
    print(f"\n{machine()}; {settings}\n")
    print("| figure | " + " | ".join(rows) + (" | ratio |" if two else " |"))
    print("|---|" + "--:|" * (len(rows) + two))
    for figure in figures:
        cells, medians = [], []
        for values in rows.values():
            these = [value for name, value in values if name == figure]
            if these:
                medians.append(statistics.median(these))
                cells.append(f"{medians[-1]:.4g} ({min(these):.4g}–{max(these):.4g})")
            else:
                cells.append("")
        if two:
            cells.append(f"{medians[0] / medians[1]:.2f}" if all(cells[:2]) and medians[1] else "")
        print(f"| {figure} | " + " | ".join(cells) + " |")
