// The Java clients: create, produce (idempotent, their default), consume. See matrix.py for the protocol.
// One file that `java` runs from source, with the jars that pom.xml names on the class path.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Client {
  private static final ObjectMapper JSON = new ObjectMapper();

  static byte[] unpack(JsonNode text) {
    return text.isNull() ? null : Base64.getDecoder().decode(text.asText());
  }

  static String pack(byte[] data) {
    return data == null ? null : Base64.getEncoder().encodeToString(data);
  }

  static Properties properties(String bootstrap) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    return properties;
  }

  static void create(String bootstrap, String topic, int partitions) throws Exception {
    try (Admin admin = Admin.create(properties(bootstrap))) {
      admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
    }
  }

  static void produce(String bootstrap, String topic, String codec) throws Exception {
    Properties properties = properties(bootstrap);
    properties.put("compression.type", codec);
    properties.put("linger.ms", "20");
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    try (var producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (String text; (text = input.readLine()) != null; ) {
        JsonNode line = JSON.readTree(text);
        List<Header> headers = new ArrayList<>();
        for (JsonNode header : line.get("headers"))
          headers.add(new RecordHeader(header.get(0).asText(), unpack(header.get(1))));
        sent.add(producer.send(new ProducerRecord<>(topic, line.get("partition").asInt(),
            line.get("timestamp").asLong(), unpack(line.get("key")), unpack(line.get("value")), headers)));
      }
      producer.flush();
      for (Future<RecordMetadata> future : sent) future.get();
    }
  }

  static void consume(String bootstrap, String topic, String group, int partitions, int count) throws Exception {
    Properties properties = properties(bootstrap);
    properties.put("auto.offset.reset", "earliest");
    if (!group.equals("-")) properties.put("group.id", group);
    else properties.put("enable.auto.commit", "false");
    StringBuilder output = new StringBuilder();
    try (var consumer = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      if (group.equals("-")) {
        consumer.assign(IntStream.range(0, partitions).mapToObj(p -> new TopicPartition(topic, p)).toList());
        consumer.seekToBeginning(consumer.assignment());
      } else {
        consumer.subscribe(List.of(topic));
      }
      int seen = 0;
      long deadline = System.nanoTime() + Duration.ofSeconds(90).toNanos();
      while (seen < count && System.nanoTime() < deadline) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
          write(output, record);
          seen++;
        }
      }
    }
    new PrintStream(System.out, true, StandardCharsets.UTF_8).print(output);
  }

  static void write(StringBuilder output, ConsumerRecord<byte[], byte[]> record) throws Exception {
    List<List<String>> headers = new ArrayList<>();
    for (Header header : record.headers()) headers.add(Arrays.asList(header.key(), pack(header.value())));
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("partition", record.partition());
    line.put("offset", record.offset());
    line.put("timestamp", record.timestamp());
    line.put("key", pack(record.key()));
    line.put("value", pack(record.value()));
    line.put("headers", headers);
    output.append(JSON.writeValueAsString(line)).append('\n');
  }

  public static void main(String[] arguments) throws Exception {
    String bootstrap = arguments[1];
    String topic = arguments[2];
    switch (arguments[0]) {
      case "create" -> create(bootstrap, topic, Integer.parseInt(arguments[3]));
      case "produce" -> produce(bootstrap, topic, arguments[3]);
      default -> consume(bootstrap, topic, arguments[3], Integer.parseInt(arguments[4]), Integer.parseInt(arguments[5]));
    }
  }
}
