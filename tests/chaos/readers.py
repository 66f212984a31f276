"""Three clients that read it all back, and each also from the middle, by offset and by timestamp."""

import subprocess
import time

from confluent_kafka import Consumer, TopicPartition as RdTopicPartition
from kafka import KafkaConsumer, TopicPartition

from history import Digester

PATIENCE_SECONDS = 180


class Unequal(Exception):
    """What was read is not what was written."""


class Watch:
    """Ends a reader that gets nothing any more."""

    def __init__(self):
        self.at = time.monotonic()

    def fed(self):
        self.at = time.monotonic()

    def check(self, what):
        if time.monotonic() - self.at > PATIENCE_SECONDS:
            raise Unequal(f"{what}: nothing came for {PATIENCE_SECONDS} s")


class Order:
    """Every partition's offsets, one after another: no gap, no duplicate."""

    def __init__(self, starts):
        self.next = dict(starts)

    def take(self, partition, offset):
        if offset != self.next[partition]:
            raise Unequal(f"partition {partition}: offset {offset} came where {self.next[partition]} was due")
        self.next[partition] += 1


class ConfluentKafka:
    """librdkafka, by assignment."""

    name, needs = "confluent-kafka", None

    def __init__(self, bootstrap, topic, history):
        self.bootstrap, self.topic, self.history = bootstrap, topic, history

    def consumer(self):
        return Consumer({"bootstrap.servers": self.bootstrap, "group.id": "none", "enable.auto.commit": False,
                         "auto.offset.reset": "error", "fetch.message.max.bytes": 4 << 20})

    def records(self, starts, count):
        """`count` records of each partition from `starts` on."""
        consumer, watch = self.consumer(), Watch()
        consumer.assign([RdTopicPartition(self.topic, p, offset) for p, offset in starts.items()])
        left, order = {p: count for p in starts}, Order(starts)
        try:
            while any(left.values()):
                for message in consumer.consume(5000, 1.0):
                    if message.error():
                        raise Unequal(str(message.error()))
                    p = message.partition()
                    if not left[p]:
                        continue
                    order.take(p, message.offset())
                    left[p] -= 1
                    watch.fed()
                    yield (p, message.offset(), message.timestamp()[1], message.key(), message.value(),
                           message.headers() or [])
                watch.check(self.name)
        finally:
            consumer.close()

    def offsets_at(self, timestamps):
        consumer = self.consumer()
        try:
            asked = [RdTopicPartition(self.topic, p, timestamp) for p, timestamp in timestamps.items()]
            return {found.partition: found.offset for found in consumer.offsets_for_times(asked, 60)}
        finally:
            consumer.close()


class KafkaPython:
    """The client in pure Python, by assignment."""

    name, needs = "kafka-python", None

    def __init__(self, bootstrap, topic, history):
        self.bootstrap, self.topic, self.history = bootstrap, topic, history

    def consumer(self):
        return KafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="none", enable_auto_commit=False,
                             max_partition_fetch_bytes=4 << 20)

    def records(self, starts, count):
        consumer, watch = self.consumer(), Watch()
        assigned = {p: TopicPartition(self.topic, p) for p in starts}
        consumer.assign(list(assigned.values()))
        for p, offset in starts.items():
            consumer.seek(assigned[p], offset)
        left, order = {p: count for p in starts}, Order(starts)
        try:
            while any(left.values()):
                for messages in consumer.poll(1000, max_records=5000).values():
                    for message in messages:
                        p = message.partition
                        if not left[p]:
                            continue
                        order.take(p, message.offset)
                        left[p] -= 1
                        watch.fed()
                        yield p, message.offset, message.timestamp, message.key, message.value, message.headers
                watch.check(self.name)
        finally:
            consumer.close()

    def offsets_at(self, timestamps):
        consumer = self.consumer()
        try:
            asked = {TopicPartition(self.topic, p): timestamp for p, timestamp in timestamps.items()}
            return {at.partition: found.offset for at, found in consumer.offsets_for_times(asked).items()}
        finally:
            consumer.close()


class Kcat:
    """The command line, a run per partition."""

    name, needs = "kcat", "kcat"

    def __init__(self, bootstrap, topic, history):
        self.bootstrap, self.topic, self.history = bootstrap, topic, history

    def run(self, partition, start, count):
        form = "%o %T %K %S\\x1f%k\\x1f%s\\x1f%h\\x1e"
        command = ["kcat", "-C", "-b", self.bootstrap, "-t", self.topic, "-p", partition, "-o", start, "-c", count, "-q",
                   "-f", form, "-X", "fetch.message.max.bytes=4194304"]
        return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, bufsize=1 << 20)

    def records(self, starts, count):
        for partition, start in starts.items():
            order = Order({partition: start})
            process = self.run(partition, start, count)
            read = 0
            try:
                for offset, *record in printed(process.stdout):
                    order.take(partition, offset)
                    read += 1
                    yield (partition, offset, *record)
            finally:
                process.kill()
                process.wait()
            if read != count:
                raise Unequal(f"kcat, partition {partition}: {read} records, {count} were due")

    def offsets_at(self, timestamps):
        found = {}
        for partition, timestamp in timestamps.items():
            process = self.run(partition, f"s@{timestamp}", 1)
            first = next(printed(process.stdout), None)
            process.wait()
            found[partition] = first[0] if first else None
        return found


def printed(stream):
    """Records as kcat prints them, by the sizes that stand before the bytes."""
    def until(end):
        text = b""
        while True:
            byte = stream.read(1)
            if not byte or byte == end:
                return text
            text += byte

    def sized(size):
        data = stream.read(size) if size > 0 else b""
        stream.read(1)
        return None if size < 0 else data

    while head := until(b"\x1f"):
        offset, timestamp, key_size, value_size = map(int, head.split())
        key, value = sized(key_size), sized(value_size)
        yield offset, timestamp, key, value, headers_of(until(b"\x1e"))


def headers_of(text):
    """`a=1,b=NULL`: what is written here holds neither `,` nor `=` in a header."""
    headers = []
    for pair in filter(None, text.split(b",")):
        name, _, value = pair.partition(b"=")
        headers.append((name.decode(), None if value == b"NULL" else value))
    return headers


READERS = [ConfluentKafka, KafkaPython, Kcat]


def read_all(reader, history):
    """Everything from offset 0."""
    digester = Digester()
    for record in reader.records({p: 0 for p in range(history.partitions)}, history.per_partition):
        digester.add(*record)
    return digester.digest()


def read_middle(reader, history, chance, count):
    """From random offsets, and from where random timestamps are; an empty text where all is as it was written."""
    count = min(count, history.per_partition // 2)
    starts = {p: chance.randrange(history.per_partition - count) for p in range(history.partitions)}
    timestamps = {p: history.timestamp(chance.randrange(history.per_partition - count)) + chance.randrange(-2, 2)
                  for p in range(history.partitions)}
    at = reader.offsets_at(timestamps)
    due = {p: history.first_at(timestamp) for p, timestamp in timestamps.items()}
    if at != due:
        return f"by timestamp: {at}, {due} were due for {timestamps}"
    due = {p: min(offset, history.per_partition - count) for p, offset in due.items()}
    for where in (starts, due):
        for partition, offset, *record in reader.records(where, count):
            if tuple(record) != history.record(partition, offset):
                return f"partition {partition}, offset {offset}: {record}"
    return ""
