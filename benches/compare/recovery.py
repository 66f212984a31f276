"""How long a broker takes from its start to its first answer after kill -9, with the records in the local tier."""

import subprocess

from brokers import Kafka, Tidelog
from measure import built, load_command, produce


def measure(options, work):
    settings = [] if options.durable else ["tidelog.flush.on.ack=false"]
    brokers = []
    if options.only != "kafka":
        brokers.append(Tidelog(work, options.port, built("tidelog"), settings=settings))
    if options.only != "tidelog":
        brokers.append(Kafka(work, options.port + 10, heap=options.heap))
    rows = {broker.name: [] for broker in brokers}
    for broker in brokers:
        try:
            broker.start()
            for number in range(options.rounds):
                produce(broker, "log", options)
                broker.kill()
                broker.start(fresh=False)
                subprocess.run(load_command("first", broker, "log", options, "--tries", 1), check=True,
                               stdout=subprocess.DEVNULL)
                rows[broker.name].append(("seconds from start to open port", broker.started_seconds))
        finally:
            broker.stop()
    return rows
