// kafkajs: create, produce (none and gzip, what it has by itself), consume in a group. See matrix.py for the protocol.
"use strict";
const { CompressionTypes, Kafka, logLevel } = require("kafkajs");

const unpack = (text) => (text === null ? null : Buffer.from(text, "base64"));
const pack = (data) => (data === null || data === undefined ? null : Buffer.from(data).toString("base64"));

async function create(kafka, topic, partitions) {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: Number(partitions), replicationFactor: 1 }] });
  await admin.disconnect();
}

async function produce(kafka, topic, codec) {
  const text = require("fs").readFileSync(0, "utf8");
  const messages = text.split("\n").filter(Boolean).map((line) => {
    const record = JSON.parse(line);
    const headers = {};
    for (const [name, value] of record.headers) {
      // Headers of one name are a list in kafkajs.
      headers[name] = name in headers ? [].concat(headers[name], unpack(value)) : unpack(value);
    }
    return {
      partition: record.partition, key: unpack(record.key), value: unpack(record.value), headers,
      timestamp: String(record.timestamp),
    };
  });
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  const compression = codec === "gzip" ? CompressionTypes.GZIP : CompressionTypes.None;
  await producer.send({ topic, acks: -1, compression, messages });
  await producer.disconnect();
}

async function consume(kafka, topic, group, count) {
  const consumer = kafka.consumer({ groupId: group, rebalanceTimeout: 10000 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const lines = [];
  await new Promise((resolve, reject) => {
    const limit = setTimeout(resolve, 90000);
    consumer.on(consumer.events.CRASH, (event) => reject(event.payload.error));
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        const headers = Object.entries(message.headers || {}).flatMap(([name, value]) =>
          [].concat(value).map((one) => [name, pack(one)]));
        lines.push(JSON.stringify({
          partition, offset: Number(message.offset), timestamp: Number(message.timestamp), key: pack(message.key),
          value: pack(message.value), headers,
        }));
        if (lines.length === count) {
          clearTimeout(limit);
          resolve();
        }
      },
    }).catch(reject);
  });
  await consumer.disconnect();
  process.stdout.write(lines.map((line) => line + "\n").join(""));
}

async function main([command, bootstrap, topic, ...rest]) {
  const kafka = new Kafka({ clientId: "matrix", brokers: [bootstrap], logLevel: logLevel.ERROR });
  if (command === "create") return create(kafka, topic, rest[0]);
  if (command === "produce") return produce(kafka, topic, rest[0]);
  return consume(kafka, topic, rest[0], Number(rest[2]));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
