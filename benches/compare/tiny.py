"""Requests of one record of 100 bytes each: how many, and what each costs a broker, brokers in turn."""

from measure import begin, both, load_command, result

RECORD_BYTES = 100


def one_round(broker, options, topic):
    command = load_command("produce", broker, topic, options, "--size", RECORD_BYTES, "--acks", options.acks,
                           "--linger-ms", 0, "--client", "batch.num.messages=1")
    before = broker.cpu_seconds()
    wrote = result(begin(command, "--records", options.records))
    cost = (broker.cpu_seconds() - before) / options.records
    return [("requests/s", wrote["records_per_s"]), ("broker CPU µs each", cost * 1e6)]


def measure(options, work):
    brokers = both(options, work)
    rows = {broker.name: [] for broker in brokers}
    try:
        for broker in brokers:
            broker.start()
            one_round(broker, options, "warm")
        for number in range(options.rounds):
            for broker in brokers:
                rows[broker.name] += one_round(broker, options, f"round-{number}")
    finally:
        for broker in brokers:
            broker.stop()
    return rows
