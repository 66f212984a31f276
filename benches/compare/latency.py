"""Latency at a fixed rate, and at half of what the slower broker takes: producers and consumers beside each other."""

from measure import both, paced, produce

SLOW = 1_000


def measure(options, work):
    brokers = both(options, work)
    rows = {broker.name: [] for broker in brokers}
    try:
        peaks = []
        for broker in brokers:
            broker.start()
            produce(broker, "warm", options)
            peaks.append(produce(broker, "peak", options)["records_per_s"])
        half = int(min(peaks) / 2)
        for number in range(options.rounds):
            for what, rate in (("1000/s", SLOW), ("half of the peak", half)):
                for broker in brokers:
                    found = paced(broker, f"at-{rate}-{number}", options, rate=rate)
                    rows[broker.name] += [(f"{what}: {name}", value) for name, value in found]
    finally:
        for broker in brokers:
            broker.stop()
    return rows
