"""The remote tier: what is produced becomes Parquet, local copies go, and everything is read from offset 0."""

import time

from measure import GIB, consume_all, load, produce, tiered, tiered_topic, until_local_is_gone

PUTS = ("write_control", "begin_upload", "write_part", "finish_upload")


def requests(counted, *operations):
    """Requests of these operations, from the broker's own metrics."""
    return sum(counted.get(("tidelog_object_storage_requests_total", operation), 0) for operation in operations)


def since(before, after):
    return {key: value - before.get(key, 0) for key, value in after.items()}


def one_round(broker, options, number):
    topic = f"cold-{number}"
    cpu, began, before = broker.cpu_seconds(), time.monotonic(), broker.metrics()
    written = produce(broker, topic, options, *tiered_topic(options))
    until_local_is_gone(broker, topic)
    gib, took = written["bytes"] / GIB, time.monotonic() - began
    counted = since(before, broker.metrics())
    rows = [("produce and tier CPU s/GiB", (broker.cpu_seconds() - cpu) / gib),
            ("produce and tier MB/s", written["bytes"] / 1e6 / took),
            ("bytes in the bucket per byte produced", counted["tidelog_tiering_uploaded_bytes_total", None] / written["bytes"]),
            ("PUT-class requests per GiB produced", requests(counted, *PUTS) / gib)]
    # A client that hashes each record is slower than the broker: the first read is timed, the second one is checked.
    for name, read_all in (("cold", lambda *what: load("consume", *what)), ("cold, checked:", consume_all)):
        before = broker.metrics()
        read = read_all(broker, topic, options)
        counted = since(before, broker.metrics())
        rows += [(f"{name} consume MB/s", read["mb_per_s"]), (f"{name} consume CPU s/GiB", read["cpu_s_per_gib"]),
                 (f"{name} GETs per GiB read", requests(counted, "read") / gib),
                 (f"{name} bytes fetched per byte served", counted.get(("tidelog_tiering_fetched_bytes_total", None), 0) / read["bytes"])]
    return rows + [("resident MiB", broker.memory_mib()["resident"])]


def measure(options, work):
    broker, server = tiered(work, options)
    rows = []
    try:
        broker.start()
        for number in range(options.rounds):
            rows += one_round(broker, options, number)
    finally:
        broker.stop()
        if server:
            server.stop()
    return {"tidelog": rows}
