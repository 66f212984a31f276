"""A bucket that hangs under load: a paced producer and a consumer beside it, with the bucket there and with it held.

The S3 server is stopped by a signal: connections to it are taken and never answered, as by a network that drops
everything. Each phase has a topic of its own. At the end the bucket is back: everything has to be tiered, local copies
go, and every record is read from offset 0.
"""

import json
import subprocess

from brokers import Minio, Tidelog
from measure import built, consume_all, load_command, until_local_is_gone

TOPIC = ["segment.bytes=16777216", "local.retention.ms=1000", "tidelog.remote.max.lag.ms=1000", "file.delete.delay.ms=0"]


def begin(command, *more):
    return subprocess.Popen([*command, *map(str, more)], stdout=subprocess.PIPE, text=True)


def result(process):
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"the load generator ended with {process.returncode}")
    return json.loads(out)


def phase(broker, options, topic):
    """Produces at the rate for the given seconds while a consumer reads along; latencies of both."""
    records = options.rate * options.seconds
    written = load_command("produce", broker, topic, options, "--size", options.size, "--acks", options.acks, "--stamped",
                           *(part for setting in TOPIC for part in ("--topic-config", setting)))
    result(begin(written, "--records", options.partitions))  # makes the topic
    reading = begin(load_command("consume", broker, topic, options, "--stamped", "--from", 1), "--records", records)
    producing = begin(written, "--records", records, "--rate", options.rate)
    wrote, read = result(producing), result(reading)
    if wrote["more"]["failed"]:
        raise SystemExit(f"{wrote['more']['failed']} records were refused")
    return [("records/s taken", wrote["records_per_s"]),
            *((f"produce {name} ms", wrote[f"{name}_ms"]) for name in ("p50", "p99", "p999", "max")),
            *((f"fetch {name} ms", read[f"{name}_ms"]) for name in ("p50", "p99", "p999", "max"))]


def measure(options, work):
    server = Minio(work, options.port + 20).start()
    broker = Tidelog(work, options.port, built("tidelog"), bucket=server.url, environment=server.settings, settings=[
        "log.retention.check.interval.ms=1000", "remote.log.manager.task.interval.ms=500",
        *([] if options.durable else ["tidelog.flush.on.ack=false"])])
    rows = {"bucket held": [], "bucket there": []}
    topics = []
    try:
        broker.start()
        phase(broker, options, "warm")
        for number in range(options.rounds):
            topics += [f"there-{number}", f"held-{number}"]
            rows["bucket there"] += phase(broker, options, topics[-2])
            server.hold()
            try:
                rows["bucket held"] += phase(broker, options, topics[-1])
            finally:
                server.go_on()
        options.records = options.rate * options.seconds + options.partitions
        for topic in topics:
            until_local_is_gone(broker, topic)
            consume_all(broker, topic, options)
        print(f"all of {len(topics)} topics tiered and read from offset 0: {options.records} records each, no gap")
    finally:
        broker.stop()
        server.stop()
    return rows
