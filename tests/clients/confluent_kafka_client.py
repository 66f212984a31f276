"""confluent-kafka for Python (librdkafka): create, produce, consume. See matrix.py for the protocol."""

import sys

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import lines


def create(bootstrap, topic, partitions):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        future.result(30)


def produce(bootstrap, topic, codec, records):
    failures = []
    producer = Producer({
        "bootstrap.servers": bootstrap, "compression.type": codec, "linger.ms": 20,
        "enable.idempotence": True, "acks": "all",
    })
    for record in records:
        producer.produce(
            topic, partition=record.partition, key=record.key, value=record.value,
            headers=record.headers, timestamp=record.timestamp,
            on_delivery=lambda error, _: failures.append(error) if error else None)
        producer.poll(0)
    left = producer.flush(60)
    if failures or left:
        raise SystemExit(f"not delivered: {left} left, {failures[:3]}")


def consume(bootstrap, topic, group, partitions, count):
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": group or "none", "auto.offset.reset": "earliest",
        "enable.auto.commit": bool(group),
    })
    if group:
        consumer.subscribe([topic])
    else:
        consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    seen = 0
    deadline = lines.Deadline(90)
    while seen < count and not deadline.passed():
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise SystemExit(str(message.error()))
        lines.write(message.partition(), message.offset(), message.timestamp()[1], message.key(), message.value(),
                    message.headers() or [])
        seen += 1
    consumer.close()


if __name__ == "__main__":
    lines.run(sys.argv[1:], create, produce, consume)
