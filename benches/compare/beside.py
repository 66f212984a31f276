"""A paced producer and its consumer, alone and with eight consumers beside them that replay a cold topic.

The cold consumers and the S3 server stand back behind the broker and the paced pair, as if they ran elsewhere: on one
machine they would otherwise take the cores that the broker is measured on, whatever it does.
"""

import time

from measure import begin, load_command, paced, produce, tiered, tiered_topic, until_local_is_gone

READERS = 8
STEPS_BACK = 15
FETCHED = "tidelog_tiering_fetched_bytes_total", None


class Replay:
    """Consumers of the cold topic that begin anew until they are stopped."""

    def __init__(self, broker, options):
        self.broker = broker
        self.command = load_command("consume", broker, "cold", options, "--records", options.records, "--laps", 1000)
        self.running, self.fetched, self.began = [], 0, 0.0

    def __enter__(self):
        self.fetched, self.began = self.broker.metrics().get(FETCHED, 0), time.monotonic()
        self.running = [begin(["nice", "-n", str(STEPS_BACK), *self.command]) for _ in range(READERS)]
        return self

    def __exit__(self, *_):
        for reader in self.running:
            if reader.poll() is not None:
                raise SystemExit("a cold reader ended before its time")
            reader.terminate()
            reader.wait()

    def rate(self):
        return (self.broker.metrics()[FETCHED] - self.fetched) / 1e6 / (time.monotonic() - self.began)


def measure(options, work):
    broker, server = tiered(work, options)
    rows = {"with cold readers": [], "alone": []}
    try:
        broker.start()
        if server:
            server.stand_back(STEPS_BACK)
        produce(broker, "cold", options, *tiered_topic(options))
        until_local_is_gone(broker, "cold")
        paced(broker, "warm", options)
        for number in range(options.rounds):
            rows["alone"] += paced(broker, f"alone-{number}", options)
            with Replay(broker, options) as replay:
                rows["with cold readers"] += paced(broker, f"beside-{number}", options)
                rows["with cold readers"].append(("MB/s fetched from the bucket", replay.rate()))
    finally:
        broker.stop()
        if server:
            server.stop()
    return rows
