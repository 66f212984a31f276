//! The Rust client of the matrix, on librdkafka: create, produce, consume. `matrix.py` says what the three commands
//! read and write.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value never panics")]
#![expect(clippy::disallowed_methods, reason = "a client of its own, with the machine's clock")]

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::{Value, json};

type Outcome = Result<(), Box<dyn Error>>;

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

async fn create(bootstrap: &str, topic: &str, partitions: i32) -> Outcome {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create()?;
    let topics = [NewTopic::new(topic, partitions, TopicReplication::Fixed(1))];
    for created in admin.create_topics(&topics, &AdminOptions::new()).await? {
        created.map_err(|(name, code)| format!("{name}: {code}"))?;
    }
    Ok(())
}

fn unpack(text: &Value) -> Option<Vec<u8>> {
    text.as_str().map(|text| STANDARD.decode(text).expect("matrix.py writes base64"))
}

fn pack(data: Option<&[u8]>) -> Option<String> {
    data.map(|data| STANDARD.encode(data))
}

async fn produce(bootstrap: &str, topic: &str, codec: &str) -> Outcome {
    let producer: FutureProducer = config(bootstrap)
        .set("compression.type", codec)
        .set("enable.idempotence", "true")
        .set("linger.ms", "20")
        .create()?;
    let mut sent = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line?)?;
        let (key, value) = (unpack(&line["key"]), unpack(&line["value"]));
        let mut headers = OwnedHeaders::new();
        for header in line["headers"].as_array().into_iter().flatten() {
            let data = unpack(&header[1]);
            headers = headers.insert(Header { key: header[0].as_str().unwrap_or_default(), value: data.as_ref() });
        }
        let mut record = FutureRecord::<[u8], [u8]>::to(topic)
            .partition(line["partition"].as_i64().unwrap_or(0).try_into()?)
            .timestamp(line["timestamp"].as_i64().unwrap_or(-1))
            .headers(headers);
        record.key = key.as_deref();
        record.payload = value.as_deref();
        sent.push(producer.send_result(record).map_err(|(error, _)| error)?);
    }
    for delivery in sent {
        delivery.await?.map_err(|(error, _)| error)?;
    }
    Ok(())
}

fn consume(bootstrap: &str, topic: &str, group: &str, partitions: i32, count: usize) -> Outcome {
    let consumer: BaseConsumer =
        config(bootstrap).set("group.id", group).set("auto.offset.reset", "earliest").create()?;
    if group == "-" {
        let mut assigned = TopicPartitionList::new();
        for partition in 0..partitions {
            assigned.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&assigned)?;
    } else {
        consumer.subscribe(&[topic])?;
    }
    let started = Instant::now();
    let mut output = std::io::stdout().lock();
    let mut seen = 0;
    while seen < count && started.elapsed() < Duration::from_secs(90) {
        let Some(message) = consumer.poll(Duration::from_secs(1)) else { continue };
        let message = message?;
        let headers: Vec<Value> = message
            .headers()
            .map(|headers| headers.iter().map(|header| json!([header.key, pack(header.value)])).collect())
            .unwrap_or_default();
        let line = json!({
            "partition": message.partition(), "offset": message.offset(),
            "timestamp": message.timestamp().to_millis(), "key": pack(message.key()),
            "value": pack(message.payload()), "headers": headers,
        });
        writeln!(output, "{line}")?;
        seen += 1;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["create", bootstrap, topic, partitions] => create(bootstrap, topic, partitions.parse()?).await,
        ["produce", bootstrap, topic, codec] => produce(bootstrap, topic, codec).await,
        ["consume", bootstrap, topic, group, partitions, count] => {
            consume(bootstrap, topic, group, partitions.parse()?, count.parse()?)
        }
        _ => Err("usage: rdkafka_client create|produce|consume BOOTSTRAP TOPIC …".into()),
    }
}
