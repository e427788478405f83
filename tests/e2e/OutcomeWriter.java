import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A team's own program in Java, for test_teams.py: Kafka's client with its default partitioner, and a serializer by Apache Avro.
 * OutcomeWriter BOOTSTRAP REGISTRY TOPIC SCHEMA: a line of JSON with "key" and "outcome" in; a line with partition and offset out, once it is acknowledged.
 */
class OutcomeWriter {
    static final ObjectMapper JSON = new ObjectMapper();

    /** Confluent's frame: a zero, the id of the writer's schema, Avro's binary encoding. */
    record Framed(Schema schema, int id) implements Serializer<GenericRecord> {
        @Override
        public byte[] serialize(String topic, GenericRecord value) {
            try {
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                out.write(0);
                out.write(ByteBuffer.allocate(4).putInt(id).array());
                BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
                new GenericDatumWriter<GenericRecord>(schema).write(value, encoder);
                encoder.flush();
                return out.toByteArray();
            } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }
    }

    static int register(String registry, String topic, Schema schema) throws Exception {
        String body = JSON.writeValueAsString(Map.of("schema", schema.toString()));
        HttpRequest request = HttpRequest.newBuilder(URI.create(registry + "/subjects/" + topic + "-value/versions"))
            .header("Content-Type", "application/vnd.schemaregistry.v1+json").POST(HttpRequest.BodyPublishers.ofString(body)).build();
        HttpResponse<String> reply = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        if (reply.statusCode() != 200)
            throw new IllegalStateException("the registry says " + reply.statusCode() + " " + reply.body());
        return JSON.readTree(reply.body()).get("id").asInt();
    }

    static Object value(Schema schema, JsonNode node) {
        switch (schema.getType()) {
        case UNION:
            return node.isNull() ? null : value(schema.getTypes().get(1), node);
        case LONG:
            return node.asLong();
        case INT:
            return node.asInt();
        case BOOLEAN:
            return node.asBoolean();
        case ENUM:
            return new GenericData.EnumSymbol(schema, node.asText());
        case ARRAY:
            List<Object> items = new ArrayList<>();
            for (JsonNode item : node)
                items.add(value(schema.getElementType(), item));
            return items;
        default:
            return node.asText();
        }
    }

    static GenericRecord record(Schema schema, JsonNode node) {
        GenericRecord out = new GenericData.Record(schema);
        for (Schema.Field field : schema.getFields())
            out.put(field.pos(), node.has(field.name()) ? value(field.schema(), node.get(field.name())) : GenericData.get().getDefaultValue(field));
        return out;
    }

    public static void main(String[] args) throws Exception {
        Schema schema = new Schema.Parser().parse(args[3]);
        Framed framed = new Framed(schema, register(args[1], args[2], schema));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (KafkaProducer<String, GenericRecord> producer = new KafkaProducer<>(Map.of("bootstrap.servers", args[0]), new StringSerializer(), framed)) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                JsonNode said = JSON.readTree(line);
                RecordMetadata at = producer.send(new ProducerRecord<>(args[2], said.get("key").asText(), record(schema, said.get("outcome")))).get();
                System.out.println(at.partition() + " " + at.offset());
            }
        }
    }
}
