// avsc (npm) in test_peers.py. Frames are 4 bytes length (big endian), then so many bytes; plain values are described in oracle.py, one JSON line each.
//   peer.mjs read WRITER [READER]   frames -> plain values; each record is encoded again and must give the same bytes
//   peer.mjs write SCHEMA           plain values -> frames
// PEERS names the directory that holds node_modules.
import {readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';

const avro = createRequire(process.env.PEERS + '/')('avsc');

// 64 bits, which a JavaScript number does not hold.
const long = avro.types.LongType.__with({
    fromBuffer: b => b.readBigInt64LE().toString(),
    toBuffer: v => { const b = Buffer.alloc(8); b.writeBigInt64LE(BigInt(v)); return b; },
    fromJSON: String,
    toJSON: Number,
    isValid: v => typeof v === 'string' && BigInt.asIntN(64, BigInt(v)) === BigInt(v),
    compare: (a, b) => (BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0)
});

function fromTwos(bytes) {
    return BigInt.asIntN(bytes.length * 8, BigInt('0x' + bytes.toString('hex')));
}

function toTwos(value) {
    let n = 1;
    while (BigInt.asIntN(n * 8, value) !== value)
        n++;
    return Buffer.from(BigInt.asUintN(n * 8, value).toString(16).padStart(n * 2, '0'), 'hex');
}

class Decimal extends avro.types.LogicalType {
    _fromValue(bytes) { return fromTwos(bytes).toString(); }
    _toValue(text) { return typeof text === 'string' ? toTwos(BigInt(text)) : undefined; }
    _resolve(type) { return type instanceof Decimal ? v => v : undefined; }
}

class Digits extends avro.types.LogicalType { // a day: an int in text
    _fromValue(n) { return String(n); }
    _toValue(text) { return typeof text === 'string' ? Number(text) : undefined; }
    _resolve(type) { return type instanceof Digits ? v => v : undefined; }
}

const parse = path => avro.Type.forSchema(JSON.parse(readFileSync(path)),
    {registry: {long}, typeHook: s => (s.type === 'long' ? long : undefined), logicalTypes: {decimal: Decimal, date: Digits}, wrapUnions: false});

function* frames(data) {
    for (let at = 0; at < data.length;) {
        const n = data.readUInt32BE(at);
        yield data.subarray(at + 4, at + 4 + n);
        at += 4 + n;
    }
}

function frame(bytes) {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(bytes.length);
    return Buffer.concat([head, bytes]);
}

// Bytes and ints as plain values have them, and back.
function convert(type, value, bytes, int) {
    if (value === null || value === undefined)
        return null;
    if (type.typeName.startsWith('union:'))
        return convert(type.types.find(t => t.typeName !== 'null'), value, bytes, int);
    switch (type.typeName) {
    case 'record': return Object.fromEntries(type.fields.map(f => [f.name, convert(f.type, value[f.name], bytes, int)]));
    case 'array': return value.map(v => convert(type.itemsType, v, bytes, int));
    case 'map': return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, convert(type.valuesType, v, bytes, int)]));
    case 'bytes':
    case 'fixed': return bytes(value);
    case 'int': return int(value);
    default: return value;
    }
}

const [mode, first, second] = process.argv.slice(2);
const input = readFileSync(0), writer = parse(first), out = [];
if (mode === 'read') {
    const reader = second ? parse(second) : writer, resolver = second ? reader.createResolver(writer) : undefined;
    for (const bytes of frames(input)) {
        const again = writer.toBuffer(writer.fromBuffer(bytes));
        if (!again.equals(bytes))
            throw new Error(`record ${out.length}: avsc encodes it in another way`);
        out.push(Buffer.from(JSON.stringify(convert(reader, reader.fromBuffer(bytes, resolver), b => b.toString('base64'), String)) + '\n'));
    }
} else {
    for (const line of input.toString().split('\n').filter(l => l))
        out.push(frame(writer.toBuffer(convert(writer, JSON.parse(line), t => Buffer.from(t, 'base64'), Number))));
}
writeFileSync(1, Buffer.concat(out));
