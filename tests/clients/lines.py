"""The JSON lines that every client of the matrix reads and writes, and its three commands."""

import base64
import json
import sys
import time
from dataclasses import dataclass


@dataclass
class Record:
    """One record to produce."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: list
    timestamp: int


class Deadline:
    """A wait that ends."""

    def __init__(self, seconds):
        self.at = time.monotonic() + seconds

    def passed(self):
        return time.monotonic() > self.at


def unpack(text):
    return None if text is None else base64.b64decode(text)


def pack(data):
    return None if data is None else base64.b64encode(bytes(data)).decode()


def read(stream):
    for line in stream:
        r = json.loads(line)
        yield Record(r["partition"], unpack(r["key"]), unpack(r["value"]),
                     [(name, unpack(value)) for name, value in r["headers"]], r["timestamp"])


def write(partition, offset, timestamp, key, value, headers):
    sys.stdout.write(json.dumps({
        "partition": partition, "offset": offset, "timestamp": timestamp, "key": pack(key), "value": pack(value),
        "headers": [[name, pack(data)] for name, data in headers],
    }) + "\n")


def run(arguments, create, produce, consume):
    command, bootstrap, topic, *rest = arguments
    if command == "create":
        create(bootstrap, topic, int(rest[0]))
    elif command == "produce":
        produce(bootstrap, topic, rest[0], list(read(sys.stdin)))
    elif command == "consume":
        group, partitions, count = rest
        consume(bootstrap, topic, None if group == "-" else group, int(partitions), int(count))
        sys.stdout.flush()
    else:
        raise SystemExit(f"unknown command {command}")
