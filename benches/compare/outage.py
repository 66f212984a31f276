"""A bucket that hangs under load: a paced producer and a consumer beside it, with the bucket there and with it held.

The S3 server is stopped by a signal: connections to it are taken and never answered, as by a network that drops
everything. Each phase has a topic of its own. At the end the bucket is back: everything has to be tiered, local copies
go, and every record is read from offset 0.
"""

from measure import consume_all, paced, tiered, tiered_topic, until_local_is_gone


def measure(options, work):
    options.bucket, options.segment_bytes = None, 16 << 20
    broker, server = tiered(work, options)
    rows = {"bucket held": [], "bucket there": []}
    topics = []
    try:
        broker.start()
        paced(broker, "warm", options, tiered_topic(options))
        for number in range(options.rounds):
            topics += [f"there-{number}", f"held-{number}"]
            rows["bucket there"] += paced(broker, topics[-2], options, tiered_topic(options))
            server.hold()
            try:
                rows["bucket held"] += paced(broker, topics[-1], options, tiered_topic(options))
            finally:
                server.go_on()
        options.records = options.rate * options.seconds + options.partitions
        for topic in topics:
            until_local_is_gone(broker, topic)
            consume_all(broker, topic, options)
        print(f"all of {len(topics)} topics tiered and read from offset 0: {options.records} records each, no gap")
    finally:
        broker.stop()
        server.stop()
    return rows
