#!/usr/bin/env python3
"""Waits until every record of a topic lies in the remote tier alone: the local copies are gone.

    until_remote.py TIDELOG HTTP [SECONDS]        the topic is TOPIC of the environment

Asks `tidelog tier status`, as an operator would. Exit status 1, with what was seen last, when it does not come about.
"""

import json
import os
import subprocess
import sys
import time


def status(tidelog, http, topic):
    done = subprocess.run([tidelog, "tier", "status", "--json", "--http", http], check=True, capture_output=True, text=True)
    return [partition for partition in json.loads(done.stdout) if partition["topic"] == topic]


def main():
    tidelog, http, *rest = sys.argv[1:]
    topic, deadline = os.environ["TOPIC"], time.monotonic() + float(rest[0] if rest else 120)
    while True:
        partitions = status(tidelog, http, topic)
        waiting = [p for p in partitions if p["tiered_to"] != p["log_end_offset"] or p["local_start_offset"] != p["log_end_offset"]]
        if partitions and not waiting:
            return 0
        if time.monotonic() > deadline:
            print(f"{topic}: still local: {waiting or 'no such topic'}", file=sys.stderr)
            return 1
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
