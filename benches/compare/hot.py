"""Produce and consume from the page cache: Tidelog beside Apache Kafka, in turn, and what the machine itself takes.

The bare loop takes the same bytes from a socket, checksums them and appends them to a file, and sends that file.
"""

from measure import begin, both, built, load, produce, result


def one_round(broker, options, number):
    topic = f"round-{number}"
    written = produce(broker, topic, options)
    read = load("consume", broker, topic, options)
    return {"produce MB/s": written["mb_per_s"], "produce CPU s/GiB": written["cpu_s_per_gib"],
            "consume MB/s": read["mb_per_s"], "consume CPU s/GiB": read["cpu_s_per_gib"],
            "resident MiB": broker.memory_mib()["resident"]}


def bare(options, work):
    found = result(begin([str(built("examples/load")), "bare"], "--bytes", options.records * options.size, "--frame",
                         min(options.batch_bytes, options.records * options.size), "--file", work / "bare",
                         *(["--sync"] if options.durable else [])))
    return [("produce MB/s", found["append"]["mb_per_s"]), ("produce CPU s/GiB", found["append"]["cpu_s_per_gib"]),
            ("consume MB/s", found["send"]["mb_per_s"]), ("consume CPU s/GiB", found["send"]["cpu_s_per_gib"])]


def measure(options, work):
    brokers = both(options, work)
    rows = {broker.name: [] for broker in brokers} | {"bare loop": []}
    try:
        for broker in brokers:
            broker.start()
            rows[broker.name].append(("idle MiB", broker.memory_mib()["resident"]))
            one_round(broker, options, "warm")
        for number in range(options.rounds):
            for broker in brokers:
                rows[broker.name] += one_round(broker, options, number).items()
            rows["bare loop"] += bare(options, work)
    finally:
        for broker in brokers:
            broker.stop()
    return rows
