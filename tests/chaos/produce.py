"""The producer, a process of its own: idempotent librdkafka, one instance per codec, through every death of the broker.

Says on standard output, line by line, how many records were acknowledged; ends with 0 when all were, each with the offset
that it must have.
"""

import json
import sys

from confluent_kafka import Producer

from history import CODECS, History


def main():
    bootstrap, topic, history = sys.argv[1], sys.argv[2], History(*json.loads(sys.argv[3]))
    producers = [
        Producer({
            "bootstrap.servers": bootstrap, "compression.type": codec, "enable.idempotence": True, "acks": "all",
            "linger.ms": 20, "batch.size": 262144, "message.timeout.ms": 0, "queue.buffering.max.messages": 20000,
            "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 500, "retry.backoff.ms": 50,
            "retry.backoff.max.ms": 500, "socket.timeout.ms": 10000,
        }) for codec in CODECS
    ]
    acknowledged, problems = 0, []

    def delivered(number):
        def report(error, message):
            nonlocal acknowledged
            acknowledged += 1
            if error:
                problems.append(f"{message.partition()}: record {number}: {error}")
            elif message.offset() != number:
                problems.append(f"{message.partition()}: record {number} has offset {message.offset()}")
            if acknowledged % 500 == 0:
                print(acknowledged, flush=True)
        return report

    for number in range(history.per_partition):
        for partition in range(history.partitions):
            producer = producers[partition % len(producers)]
            timestamp, key, value, headers = history.record(partition, number)
            while True:
                try:
                    producer.produce(topic, partition=partition, key=key, value=value, headers=headers,
                                     timestamp=timestamp, on_delivery=delivered(number))
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        if problems:
            break
    for producer in producers:
        while producer.flush(5) and not problems:
            pass
    print(acknowledged, flush=True)
    if problems:
        sys.exit("\n".join(problems[:5]))


if __name__ == "__main__":
    main()
