"""kafka-python 3: create, produce (idempotent, its default), consume. See matrix.py for the protocol."""

import sys

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

import lines


def create(bootstrap, topic, partitions):
    KafkaAdminClient(bootstrap_servers=bootstrap).create_topics([NewTopic(topic, partitions, 1)])


def produce(bootstrap, topic, codec, records):
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=None if codec == "none" else codec,
                             linger_ms=20)
    sent = [
        producer.send(topic, partition=r.partition, key=r.key, value=r.value, headers=r.headers,
                      timestamp_ms=r.timestamp)
        for r in records
    ]
    producer.flush(60)
    for future in sent:
        future.get(60)
    producer.close()


def consume(bootstrap, topic, group, partitions, count):
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest",
                             consumer_timeout_ms=90_000, enable_auto_commit=bool(group))
    if group:
        consumer.subscribe([topic])
    else:
        assigned = [TopicPartition(topic, p) for p in range(partitions)]
        consumer.assign(assigned)
        consumer.seek_to_beginning(*assigned)
    seen = 0
    for message in consumer:
        lines.write(message.partition, message.offset, message.timestamp, message.key, message.value,
                    message.headers)
        seen += 1
        if seen == count:
            break
    consumer.close()


if __name__ == "__main__":
    lines.run(sys.argv[1:], create, produce, consume)
