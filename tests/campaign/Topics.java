import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Everything that stands on topics now, by the reference client: one line a record, tab separated, bytes in base64 ("-": null). Arguments: bootstrap servers, topics. */
public class Topics {
    static String text(byte[] bytes) {
        return bytes == null ? "-" : "." + Base64.getEncoder().encodeToString(bytes);
    }

    public static void main(String[] args) {
        Properties p = new Properties();
        p.put("bootstrap.servers", args[0]);
        p.put("key.deserializer", ByteArrayDeserializer.class);
        p.put("value.deserializer", ByteArrayDeserializer.class);
        p.put("fetch.max.wait.ms", "50");
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        try (KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(p)) {
            List<TopicPartition> all = new ArrayList<>();
            for (int i = 1; i < args.length; i++)
                c.partitionsFor(args[i]).forEach(x -> all.add(new TopicPartition(x.topic(), x.partition())));
            Map<TopicPartition, Long> ends = c.endOffsets(all);
            c.assign(all);
            c.seekToBeginning(all);
            while (all.stream().anyMatch(x -> c.position(x) < ends.get(x)))
                for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofMillis(200))) {
                    StringJoiner headers = new StringJoiner(",");
                    r.headers().forEach(h -> headers.add(h.key() + "=" + text(h.value())));
                    out.println(String.join("\t", r.topic(), "" + r.partition(), "" + r.offset(), "" + r.timestamp(), text(r.key()), text(r.value()), headers.toString()));
                }
        }
        out.flush();
    }
}
