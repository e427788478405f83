import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.avro.Conversions;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.Encoder;
import org.apache.avro.io.EncoderFactory;

/**
 * Apache Avro for Java in test_peers.py. Frames are 4 bytes length (big endian), then so many bytes; plain values are described in oracle.py.
 * Peer.java read WRITER [READER]: frames to plain values; each record is encoded again and must give the same bytes.
 * Peer.java write SCHEMA: plain values to frames. Peer.java blocks SCHEMA: the same with arrays in small blocks that tell their size.
 */
class Peer {
    static final GenericData DATA = new GenericData();
    static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws IOException {
        DATA.addLogicalTypeConversion(new Conversions.DecimalConversion());
        Schema schema = new Schema.Parser().parse(new File(args[1]));
        PrintStream out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, StandardCharsets.UTF_8);
        if (args[0].equals("read"))
            read(schema, args.length > 2 ? new Schema.Parser().parse(new File(args[2])) : schema, out);
        else
            write(schema, args[0].equals("blocks"), out);
        out.flush();
        if (out.checkError())
            throw new IOException("cannot write");
    }

    static void read(Schema writer, Schema reader, PrintStream out) throws IOException {
        DataInputStream in = new DataInputStream(new java.io.BufferedInputStream(System.in, 1 << 16));
        GenericDatumReader<Object> resolving = new GenericDatumReader<>(writer, reader, DATA), same = new GenericDatumReader<>(writer, writer, DATA);
        for (int n = 0;; n++) {
            byte[] bytes;
            try {
                bytes = new byte[in.readInt()];
            } catch (EOFException end) {
                return;
            }
            in.readFully(bytes);
            if (!Arrays.equals(bytes, encode(writer, decode(same, bytes), false)))
                throw new IOException("record " + n + ": Java encodes it in another way");
            out.write(JSON.writeValueAsBytes(plain(reader, decode(resolving, bytes))));
            out.write('\n');
        }
    }

    static Object decode(GenericDatumReader<Object> reader, byte[] bytes) throws IOException {
        BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(bytes, null);
        Object value = reader.read(null, decoder);
        if (!decoder.isEnd())
            throw new IOException("bytes are left over");
        return value;
    }

    static byte[] encode(Schema schema, Object value, boolean blocks) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        EncoderFactory factory = new EncoderFactory().configureBlockSize(64);
        Encoder encoder = blocks ? factory.blockingBinaryEncoder(out, null) : factory.binaryEncoder(out, null);
        new GenericDatumWriter<>(schema, DATA).write(value, encoder);
        encoder.flush();
        return out.toByteArray();
    }

    static void write(Schema schema, boolean blocks, PrintStream out) throws IOException {
        java.io.BufferedReader in = new java.io.BufferedReader(new java.io.InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            byte[] bytes = encode(schema, typed(schema, JSON.readTree(line)), blocks);
            out.write(ByteBuffer.allocate(4).putInt(bytes.length).array());
            out.write(bytes);
        }
    }

    static Schema inner(Schema union) {
        return union.getTypes().stream().filter(s -> s.getType() != Schema.Type.NULL).findFirst().orElseThrow();
    }

    static Object plain(Schema s, Object v) {
        if (v == null)
            return null;
        if (v instanceof BigDecimal)
            return ((BigDecimal) v).unscaledValue().toString();
        switch (s.getType()) {
        case UNION:
            return plain(inner(s), v);
        case RECORD:
            Map<String, Object> record = new LinkedHashMap<>();
            for (Schema.Field f : s.getFields())
                record.put(f.name(), plain(f.schema(), ((GenericData.Record) v).get(f.pos())));
            return record;
        case ARRAY:
            List<Object> list = new ArrayList<>();
            for (Object item : (Iterable<?>) v)
                list.add(plain(s.getElementType(), item));
            return list;
        case MAP:
            Map<String, Object> map = new LinkedHashMap<>();
            ((Map<?, ?>) v).forEach((key, item) -> map.put(key.toString(), plain(s.getValueType(), item)));
            return map;
        case BYTES:
            ByteBuffer bytes = ((ByteBuffer) v).duplicate();
            byte[] copy = new byte[bytes.remaining()];
            bytes.get(copy);
            return Base64.getEncoder().encodeToString(copy);
        case FIXED:
            return Base64.getEncoder().encodeToString(((GenericData.Fixed) v).bytes());
        case BOOLEAN:
        case FLOAT:
        case DOUBLE:
            return v;
        default:
            return v.toString();
        }
    }

    static Object typed(Schema s, JsonNode v) throws IOException {
        if (v == null || v.isNull())
            return null;
        if (s.getLogicalType() instanceof LogicalTypes.Decimal)
            return new BigDecimal(new BigInteger(v.textValue()), ((LogicalTypes.Decimal) s.getLogicalType()).getScale());
        switch (s.getType()) {
        case UNION:
            return typed(inner(s), v);
        case RECORD:
            GenericData.Record record = new GenericData.Record(s);
            for (Schema.Field f : s.getFields())
                record.put(f.pos(), typed(f.schema(), v.get(f.name())));
            return record;
        case ARRAY:
            List<Object> list = new ArrayList<>();
            for (JsonNode item : v)
                list.add(typed(s.getElementType(), item));
            return list;
        case MAP:
            Map<String, Object> map = new LinkedHashMap<>();
            for (var member : (Iterable<Map.Entry<String, JsonNode>>) v::fields)
                map.put(member.getKey(), typed(s.getValueType(), member.getValue()));
            return map;
        case ENUM:
            return new GenericData.EnumSymbol(s, v.textValue());
        case BYTES:
            return ByteBuffer.wrap(v.binaryValue());
        case FIXED:
            return new GenericData.Fixed(s, v.binaryValue());
        case INT:
            return Integer.parseInt(v.textValue());
        case LONG:
            return Long.parseLong(v.textValue());
        case BOOLEAN:
            return v.booleanValue();
        case FLOAT:
            return v.floatValue();
        case DOUBLE:
            return v.doubleValue();
        default:
            return v.textValue();
        }
    }
}
