"""A member of a group, by one of the Python clients, for groups.py.

    group_member.py CLIENT BOOTSTRAP GROUP TOPIC [--instance ID] [--strategy range|cooperative] [--session MS]

Writes a JSON line for everything that happens to it: {"assigned": [partitions]}, {"revoked": [partitions]},
{"record": [partition, offset]}, {"committed": {partition: offset}}, {"closed": true}. It commits what it has read, and
waits for the answer, before it reads on. SIGTERM makes it leave.
"""

import argparse
import asyncio
import json
import signal
import sys


def tell(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


class Stop:
    """Set by SIGTERM."""

    def __init__(self):
        self.asked = False
        signal.signal(signal.SIGTERM, self.ask)

    def ask(self, *_):
        self.asked = True


def confluent_kafka(options):
    from confluent_kafka import Consumer, KafkaException

    settings = {
        "bootstrap.servers": options.bootstrap, "group.id": options.group, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "session.timeout.ms": options.session, "heartbeat.interval.ms": 1000,
        "partition.assignment.strategy": "cooperative-sticky" if options.strategy == "cooperative" else "range",
        "topic.metadata.refresh.interval.ms": 2000,
    }
    if options.instance:
        settings["group.instance.id"] = options.instance
    consumer = Consumer(settings)
    numbers = lambda partitions: [p.partition for p in partitions]
    consumer.subscribe([options.topic], on_assign=lambda _, p: tell(assigned=numbers(p)),
                       on_revoke=lambda _, p: tell(revoked=numbers(p)), on_lost=lambda _, p: tell(revoked=numbers(p)))
    stop = Stop()
    while not stop.asked:
        message = consumer.poll(0.2)
        if message is None or message.error():
            continue
        tell(record=[message.partition(), message.offset()])
        try:
            consumer.commit(message, asynchronous=False)
            tell(committed={message.partition(): message.offset() + 1})
        except KafkaException as error:
            tell(error=str(error))
    consumer.close()


def kafka_python(options):
    from kafka import ConsumerRebalanceListener, KafkaConsumer
    from kafka.errors import KafkaError

    class Listener(ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            tell(revoked=[p.partition for p in revoked])

        def on_partitions_assigned(self, assigned):
            tell(assigned=[p.partition for p in assigned])

    consumer = KafkaConsumer(bootstrap_servers=options.bootstrap, group_id=options.group,
                             auto_offset_reset="earliest", enable_auto_commit=False,
                             group_instance_id=options.instance, session_timeout_ms=options.session,
                             heartbeat_interval_ms=1000, max_poll_records=1)
    consumer.subscribe([options.topic], listener=Listener())
    stop = Stop()
    while not stop.asked:
        for partition, messages in consumer.poll(200).items():
            for message in messages:
                tell(record=[partition.partition, message.offset])
            try:
                consumer.commit()
                tell(committed={partition.partition: messages[-1].offset + 1})
            except KafkaError as error:
                tell(error=str(error))
    consumer.close()


def aiokafka(options):
    from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
    from aiokafka.coordinator.assignors.range import RangePartitionAssignor
    from aiokafka.errors import KafkaError

    class Listener(ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            tell(revoked=[p.partition for p in revoked])

        def on_partitions_assigned(self, assigned):
            tell(assigned=[p.partition for p in assigned])

    async def work():
        consumer = AIOKafkaConsumer(bootstrap_servers=options.bootstrap, group_id=options.group,
                                    auto_offset_reset="earliest", enable_auto_commit=False,
                                    group_instance_id=options.instance, session_timeout_ms=options.session,
                                    heartbeat_interval_ms=1000,
                                    partition_assignment_strategy=(RangePartitionAssignor,))
        consumer.subscribe([options.topic], listener=Listener())
        await consumer.start()
        stop = Stop()
        while not stop.asked:
            for partition, messages in (await consumer.getmany(timeout_ms=200, max_records=1)).items():
                for message in messages:
                    tell(record=[partition.partition, message.offset])
                try:
                    await consumer.commit()
                    tell(committed={partition.partition: messages[-1].offset + 1})
                except KafkaError as error:
                    tell(error=str(error))
        await consumer.stop()

    asyncio.run(work())


CLIENTS = {"confluent-kafka": confluent_kafka, "kafka-python": kafka_python, "aiokafka": aiokafka}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("bootstrap")
    parser.add_argument("group")
    parser.add_argument("topic")
    parser.add_argument("--instance")
    parser.add_argument("--strategy", default="range")
    parser.add_argument("--session", type=int, default=10_000)
    arguments = parser.parse_args()
    CLIENTS[arguments.client](arguments)
    tell(closed=True)
