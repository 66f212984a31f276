"""What every comparison shares: the built programs, one run of the load generator, the table at the end."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from brokers import ROOT, Kafka, Tidelog

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


def load(command, broker, topic, options, *more):
    """One run of the load generator: what it reports, and the broker's CPU seconds for each GiB of it."""
    before = broker.cpu_seconds()
    done = subprocess.run(load_command(command, broker, topic, options, "--records", options.records, *more),
                          check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)
    result["cpu_s_per_gib"] = (broker.cpu_seconds() - before) / (result["bytes"] / GIB)
    return result


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
    two = len(rows) == 2
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
            cells.append(f"{medians[0] / medians[1]:.2f}" if len(medians) == 2 and medians[1] else "")
        print(f"| {figure} | " + " | ".join(cells) + " |")
