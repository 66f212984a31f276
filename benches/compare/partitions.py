"""Growth with partitions: what they cost when idle, how fast a broker takes records for all of them, and how it starts."""

import subprocess

from measure import both, load_command, produce

COUNTS = (1, 100, 1_000, 10_000)


def measure(options, work):
    brokers = both(options, work)
    rows = {broker.name: [] for broker in brokers}
    for count in COUNTS:
        options.partitions = count
        for broker in brokers:
            for number in range(options.rounds):
                figures = one(broker, options, f"of-{count}-{number}")
                rows[broker.name] += [(f"{count} partitions: {name}", value) for name, value in figures]
    return rows


def one(broker, options, topic):
    """On an empty broker, so that nothing but these partitions is there."""
    try:
        broker.start()
        empty = broker.memory_mib()["resident"]
        subprocess.run(load_command("create", broker, topic, options), check=True)
        idle = broker.memory_mib()["resident"]
        written = produce(broker, topic, options)
        broker.stop()
        broker.start(fresh=False)
        subprocess.run(load_command("first", broker, topic, options, "--tries", 1), check=True, stdout=subprocess.DEVNULL)
        return [("idle KiB for each", (idle - empty) * 1024 / options.partitions), ("produce MB/s", written["mb_per_s"]),
                ("produce CPU s/GiB", written["cpu_s_per_gib"]), ("seconds from start to open port", broker.started_seconds)]
    finally:
        broker.stop()
