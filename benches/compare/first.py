"""The first record of a cold fetch at a random offset, beside the S3 server's own time for a range of its objects."""

import os

from measure import begin, built, load_command, produce, result, tiered, tiered_topic, until_local_is_gone

NAMES = ("p50", "p99", "max")


def ranges(server, bucket, options, at_once):
    """The object store alone: a row group's worth of bytes at random places."""
    environment = {**os.environ, **(server.settings if server else {})}
    return result(begin([str(built("examples/load")), "ranges", bucket], "--tries", options.tries, "--bytes",
                        options.range_bytes, "--at-once", at_once, environment=environment))


def measure(options, work):
    # Footers stay in the cache, row groups do not: a fetch of a record that was read before is cold again.
    broker, server = tiered(work, options, "tidelog.remote.cache.bytes=1048576")
    rows = {"tidelog": [], "object store": []}
    try:
        broker.start()
        produce(broker, "cold", options, *tiered_topic(options))
        until_local_is_gone(broker, "cold")
        for _ in range(options.rounds):
            first = result(begin(load_command("first", broker, "cold", options, "--tries", options.tries)))
            rows["tidelog"] += [(f"first record {name} ms", first[f"{name}_ms"]) for name in NAMES]
            alone = ranges(server, broker.bucket, options, 1)
            rows["object store"] += [(f"first record {name} ms", alone[f"{name}_ms"]) for name in NAMES]
            rows["object store"].append(("MB/s, four at once", ranges(server, broker.bucket, options, 4)["mb_per_s"]))
    finally:
        broker.stop()
        if server:
            server.stop()
    return rows
