"""How long a broker takes from its start to its first answer after kill -9, with the records in the local tier."""

import subprocess

from measure import both, load_command, produce


def measure(options, work):
    brokers = both(options, work)
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
