// A member of a group, by the Java client, for groups.py: the lines of group_member.py.

import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class GroupMember {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static volatile boolean stopping = false;

  static synchronized void tell(String what, Object value) {
    try {
      System.out.println(JSON.writeValueAsString(Map.of(what, value)));
    } catch (Exception error) {
      throw new IllegalStateException(error);
    }
  }

  static List<Integer> numbers(Collection<TopicPartition> partitions) {
    return partitions.stream().map(TopicPartition::partition).toList();
  }

  static class Listener implements ConsumerRebalanceListener {
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      tell("revoked", numbers(partitions));
    }

    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      tell("assigned", numbers(partitions));
    }
  }

  // BOOTSTRAP GROUP TOPIC INSTANCE|- STRATEGY SESSION_MS
  public static void main(String[] arguments) throws Exception {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", arguments[0]);
    properties.put("group.id", arguments[1]);
    properties.put("auto.offset.reset", "earliest");
    properties.put("enable.auto.commit", "false");
    properties.put("max.poll.records", "1");
    properties.put("heartbeat.interval.ms", "1000");
    properties.put("session.timeout.ms", arguments[5]);
    properties.put("metadata.max.age.ms", "2000");
    // Its default forgets all topics when no broker can be reached, and joins anew when they are there again.
    properties.put("metadata.recovery.strategy", "none");
    String assignor = arguments[4].equals("cooperative") ? "CooperativeStickyAssignor" : "RangeAssignor";
    properties.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
    if (!arguments[3].equals("-")) properties.put("group.instance.id", arguments[3]);
    CountDownLatch closed = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      stopping = true;
      try {
        closed.await();
      } catch (InterruptedException error) {
        Thread.currentThread().interrupt();
      }
    }));
    try (var consumer = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of(arguments[2]), new Listener());
      while (!stopping) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
          tell("record", List.of(record.partition(), record.offset()));
          var partition = new TopicPartition(record.topic(), record.partition());
          try {
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(record.offset() + 1)));
            tell("committed", Map.of(record.partition(), record.offset() + 1));
          } catch (KafkaException error) {
            tell("error", error.toString());
          }
        }
      }
    }
    tell("closed", true);
    closed.countDown();
  }
}
