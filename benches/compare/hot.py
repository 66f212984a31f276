"""Produce and consume from the page cache: Tidelog beside Apache Kafka, in turn."""

from measure import both, load, produce


def one_round(broker, options, number):
    topic = f"round-{number}"
    written = produce(broker, topic, options)
    read = load("consume", broker, topic, options)
    return {"produce MB/s": written["mb_per_s"], "produce CPU s/GiB": written["cpu_s_per_gib"],
            "consume MB/s": read["mb_per_s"], "consume CPU s/GiB": read["cpu_s_per_gib"],
            "resident MiB": broker.memory_mib()["resident"]}


def measure(options, work):
    brokers = both(options, work)
    rows = {broker.name: [] for broker in brokers}
    try:
        for broker in brokers:
            broker.start()
            rows[broker.name].append(("idle MiB", broker.memory_mib()["resident"]))
            one_round(broker, options, "warm")
        for number in range(options.rounds):
            for broker in brokers:
                rows[broker.name] += one_round(broker, options, number).items()
    finally:
        for broker in brokers:
            broker.stop()
    return rows
