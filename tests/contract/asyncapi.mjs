// Is an AsyncAPI document valid for @asyncapi/parser, its Avro schemas included? Usage: asyncapi.mjs DOCUMENT; PEERS names the directory that holds node_modules.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';

const require = createRequire(process.env.PEERS + '/');
const {Parser, fromFile} = require('@asyncapi/parser');
const {AvroSchemaParser} = require('@asyncapi/avro-schema-parser');

const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
const {document, diagnostics} = await fromFile(parser, process.argv[2]).parse();
for (const d of diagnostics)
    console.log(`${['error', 'warning', 'info', 'hint'][d.severity]}: ${d.path.join('/')}: ${d.message}`);
if (!document || diagnostics.some(d => d.severity <= 1))
    process.exit(1);

// What readers rely on: each channel has one message, and each record's fields have come through.
for (const channel of document.allChannels()) {
    const [message] = channel.messages().all(), name = message.name();
    const wanted = name === 'DeadLetter' ? [] : JSON.parse(readFileSync(join(dirname(process.argv[2]), name + '.avsc'))).fields.map(f => f.name);
    const found = Object.keys(message.payload()?.properties() ?? {});
    if (String(found) !== String(wanted))
        throw new Error(`${channel.address()}: fields ${found}, not ${wanted}`);
}
