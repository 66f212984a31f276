"""aiokafka: create, produce, consume. See matrix.py for the protocol."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

import lines


def create(bootstrap, topic, partitions):
    async def run():
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, partitions, 1)])
        finally:
            await admin.close()

    asyncio.run(run())


def produce(bootstrap, topic, codec, records):
    async def run():
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=20,
                                    compression_type=None if codec == "none" else codec)
        await producer.start()
        try:
            sent = [
                await producer.send(topic, partition=r.partition, key=r.key, value=r.value, headers=r.headers,
                                    timestamp_ms=r.timestamp)
                for r in records
            ]
            await producer.flush()
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    asyncio.run(run())


def consume(bootstrap, topic, group, partitions, count):
    async def run():
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest",
                                    enable_auto_commit=bool(group))
        await consumer.start()
        if group:
            consumer.subscribe([topic])
        else:
            assigned = [TopicPartition(topic, p) for p in range(partitions)]
            consumer.assign(assigned)
            await consumer.seek_to_beginning(*assigned)
        seen = 0
        deadline = lines.Deadline(90)
        try:
            while seen < count and not deadline.passed():
                for batch in (await consumer.getmany(timeout_ms=1000)).values():
                    for m in batch:
                        lines.write(m.partition, m.offset, m.timestamp, m.key, m.value, m.headers)
                        seen += 1
        finally:
            await consumer.stop()

    asyncio.run(run())


if __name__ == "__main__":
    lines.run(sys.argv[1:], create, produce, consume)
