"""kcat (librdkafka, the command line): create, produce, consume. See matrix.py for the protocol.

kcat takes one set of headers and no timestamp for a whole run, so a run writes the records of one partition.
A topic is created by asking for it: the broker's auto-creation gives it `num.partitions`.
"""

import subprocess
import sys

import lines

DELIMITERS = ["-K", "\\x1f", "-D", "\\x1e"]


def kcat(*arguments, stdin=b""):
    done = subprocess.run(["kcat", *map(str, arguments)], input=stdin, capture_output=True)
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    return done.stdout


def create(bootstrap, topic, partitions):
    # kcat has no command that creates: the topic is made with the client that shares its library.
    import confluent_kafka_client
    confluent_kafka_client.create(bootstrap, topic, partitions)


def produce(bootstrap, topic, codec, records):
    headers = [flag for name, value in records[0].headers for flag in ("-H", f"{name}={value.decode()}")]
    for partition in sorted({record.partition for record in records}):
        text = b"\x1e".join(r.key + b"\x1f" + r.value for r in records if r.partition == partition)
        kcat("-P", "-b", bootstrap, "-t", topic, "-p", partition, "-z", codec, *DELIMITERS, *headers,
             "-X", "enable.idempotence=true", stdin=text)


def consume(bootstrap, topic, group, partitions, count):
    # -J has no way to show bytes that are not text, so the sizes and the bytes are printed apart.
    form = "%p %o %T %K %S\\x1f%k\\x1f%s\\x1f%h\\x1e"
    options = ["-C", "-b", bootstrap, "-e", "-q", "-c", count, "-f", form]
    if group:
        output = kcat("-b", bootstrap, "-q", "-c", count, "-f", form, "-X", "auto.offset.reset=earliest",
                      "-G", group, topic)
    else:
        output = kcat(*options, "-t", topic, "-o", "beginning")
    show(output)


def show(output):
    """Parses by the printed sizes, since keys and values may hold the delimiters."""
    at = 0
    while at < len(output):
        end = output.index(b"\x1f", at)
        partition, offset, timestamp, key_size, value_size = map(int, output[at:end].split())
        at = end + 1
        key = output[at:at + max(key_size, 0)] if key_size >= 0 else None
        at += max(key_size, 0) + 1
        value = output[at:at + max(value_size, 0)] if value_size >= 0 else None
        at += max(value_size, 0) + 1
        end = output.index(b"\x1e", at)
        headers = parse_headers(output[at:end])
        at = end + 1
        lines.write(partition, offset, timestamp, key, value, headers)


def parse_headers(text):
    """`a=1,b=NULL`: what the matrix writes holds neither `,` nor `=` in a header."""
    headers = []
    for pair in filter(None, text.split(b",")):
        name, _, value = pair.partition(b"=")
        headers.append((name.decode(), None if value == b"NULL" else value))
    return headers


if __name__ == "__main__":
    lines.run(sys.argv[1:], create, produce, consume)
