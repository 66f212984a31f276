"""What is written, record by record, from nothing but a seed: so that nobody has to keep it to compare with it.

One producer writes a partition in order and the broker's offsets are dense, so record n of a partition has offset n.
The digest of a set of records is its count and a sum over them: it does not depend on their order, and any engine that
knows MD5 and base64 can compute it.
"""

import base64
import hashlib
import random
from dataclasses import dataclass

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
POOL_BYTES = 1 << 20
# Records two by two have one timestamp; from pair to pair it rises by so much.
STEP_MS = 3


@dataclass(frozen=True)
class Digest:
    """Of a set of records."""

    count: int = 0
    total: int = 0

    def __add__(self, other):
        return Digest(self.count + other.count, self.total + other.total)


def pack(data):
    return "~" if data is None else base64.b64encode(data).decode()


def hashed(partition, offset, timestamp, key, value, headers):
    """60 bits of one record."""
    shown = ",".join(f"{name}={pack(data)}" for name, data in headers)
    text = f"{partition}|{offset}|{timestamp}|{pack(key)}|{pack(value)}|{shown}"
    return int(hashlib.md5(text.encode()).hexdigest()[:15], 16)


class Digester:
    """Adds records one by one."""

    def __init__(self):
        self.count, self.total = 0, 0

    def add(self, partition, offset, timestamp, key, value, headers):
        self.count += 1
        self.total += hashed(partition, offset, timestamp, key, value, headers)

    def digest(self):
        return Digest(self.count, self.total)


class History:
    """The records of every partition."""

    def __init__(self, seed, partitions, per_partition, value_bytes, first_timestamp):
        self.partitions, self.per_partition = partitions, per_partition
        self.value_bytes, self.first_timestamp = value_bytes, first_timestamp
        self.pool = random.Random(seed).randbytes(POOL_BYTES)

    def codec(self, partition):
        return CODECS[partition % len(CODECS)]

    def timestamp(self, number):
        return self.first_timestamp + number // 2 * STEP_MS

    def first_at(self, timestamp):
        """The number of the first record that is not before `timestamp`."""
        steps = -(-(timestamp - self.first_timestamp) // STEP_MS)
        return max(steps, 0) * 2

    def record(self, partition, number):
        """Timestamp, key, value, headers."""
        key = [f"key-{number % 97}".encode(), None, b"", b"k%d" % number][number % 4]
        # Half random, half repetitive, as real ones are; now and then none at all.
        if number % 53 == 0:
            value = None if number % 2 else b""
        else:
            size = self.value_bytes // 2 + number * 31 % self.value_bytes
            at = (number * 7919 + partition * 104729) % (POOL_BYTES - size // 2)
            value = b"%d/%d/" % (partition, number) + self.pool[at:at + size // 2] + b"x" * (size - size // 2)
        headers = [[], [("a", b"1")], [("a", b"1"), ("a", b"2"), ("trace", b"%d" % number)], [],
                   [("empty", b""), ("null", None)]][number % 5]
        return self.timestamp(number), key, value, headers

    def digest_of(self, partition, numbers):
        digester = Digester()
        for number in numbers:
            timestamp, key, value, headers = self.record(partition, number)
            digester.add(partition, number, timestamp, key, value, headers)
        return digester.digest()

    def digest(self):
        """Of all there is."""
        return sum((self.digest_of(p, range(self.per_partition)) for p in range(self.partitions)), Digest())
