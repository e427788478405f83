// What a careful Node program does with a page of orders, from its text to Avro and back. Usage: peer_avsc.mjs SCHEMA PAGE MILLISECONDS usual|exact; PEERS names the directory that holds
// node_modules. Prints "name=orders per second of CPU time". Two ways, each in a process of its own so that neither spoils the other's compiled code:
//   usual  JSON.parse. Amounts go through a double and Math.round, as is usual there: 12345678901234.56 comes out wrong, 1.00005 is rounded silently. Of keys that are there twice the
//          last one wins.
//   exact  lossless-json, the fastest exact parser of those tried (its own number objects, numbers put between quotes by a regular expression and a reviver with access to the source were
//          slower). Amounts are scaled as text, one with too many digits is refused; keys that are there twice with other values are refused.
// Both begin with the text as a string of theirs: making one of the bytes that came, and checking their UTF-8, is not counted. Neither computes a revision, finds the bytes of each order, checks a warehouse's name or reads its mapping from the schema, all of which ours does.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';

const require = createRequire(process.env.PEERS + '/'), avro = require('avsc');
const lossless = await import(pathToFileURL(process.env.PEERS + '/node_modules/lossless-json/lib/esm/index.js')); // what require finds is made for older Nodes and slower

function write(n) {
    let length = 1;
    while (length < 6 && (n >= 2 ** (8 * length - 1) || n < -(2 ** (8 * length - 1))))
        length++;
    const bytes = Buffer.allocUnsafe(length);
    bytes.writeIntBE(n, 0, length);
    return bytes;
}

function writeBig(v) { // more than 48 bits
    let n = 7;
    while (BigInt.asIntN(n * 8, v) !== v)
        n++;
    return Buffer.from(BigInt.asUintN(n * 8, v).toString(16).padStart(n * 2, '0'), 'hex');
}

class Rounded extends avro.types.LogicalType {
    constructor(schema, options) { super(schema, options); this.factor = 10 ** schema.scale; }
    _fromValue(bytes) { return bytes.readIntBE(0, bytes.length) / this.factor; }
    _toValue(number) { return typeof number === 'number' ? write(Math.round(number * this.factor)) : undefined; }
}

class Exact extends avro.types.LogicalType {
    constructor(schema, options) { super(schema, options); this.precision = schema.precision; this.scale = schema.scale; this.powers = Array.from({length: schema.scale + 1}, (_, i) => 10 ** i); }
    _fromValue(bytes) { return String(BigInt.asIntN(bytes.length * 8, BigInt('0x' + bytes.toString('hex')))); }
    _toValue(text) {
        if (typeof text !== 'string')
            return undefined;
        const short = this.short(text);
        if (!Number.isNaN(short))
            return write(short);
        const v = BigInt(this.digits(text));
        return v >= -(2n ** 47n) && v < 2n ** 47n ? write(Number(v)) : writeBig(v);
    }
    short(text) { // what nearly all amounts are: few digits, no exponent; NaN: another
        let n = 0, behind = -1, i = text.charCodeAt(0) === 45 ? 1 : 0;
        for (; i < text.length; i++) {
            const c = text.charCodeAt(i);
            if (c === 46)
                behind = 0;
            else if (c >= 48 && c <= 57) {
                n = n * 10 + c - 48;
                if (behind >= 0)
                    behind++;
            } else
                return NaN;
        }
        n *= this.powers[this.scale - Math.max(behind, 0)]; // NaN with too many fraction digits
        return text.length < 15 && n < 1e14 ? (text.charCodeAt(0) === 45 ? -n : n) : NaN;
    }
    digits(text) { // of the scaled integer
        const point = text.indexOf('.');
        if (/[eE]/.test(text))
            return this.digits(plain(text));
        if (point < 0)
            return this.checked(text + '0'.repeat(this.scale));
        const behind = text.length - point - 1;
        if (behind > this.scale && /[^0]/.test(text.slice(point + 1 + this.scale)))
            throw new Error('too many fraction digits');
        return this.checked(text.slice(0, point) + text.slice(point + 1, point + 1 + this.scale) + '0'.repeat(Math.max(0, this.scale - behind)));
    }
    checked(digits) {
        if (digits.length > this.precision && digits.replace(/^-?0*/, '').length > this.precision)
            throw new Error('too many digits');
        return digits;
    }
}

function plain(text) { // 1.5e3 -> 1500
    const [, sign, whole, fraction = '', power] = /^(-?)(\d+)(?:\.(\d+))?[eE]([-+]?\d+)$/.exec(text), shift = Number(power);
    if (Math.abs(shift) > 100)
        throw new Error('too many digits');
    const digits = '0'.repeat(100) + whole + fraction + '0'.repeat(100), at = 100 + whole.length + shift;
    return sign + digits.slice(0, at).replace(/^0+(?=\d)/, '') + '.' + digits.slice(at).replace(/0+$/, '').padEnd(1, '0');
}

class Moment extends avro.types.LogicalType {
    _fromValue(ms) { return new Date(ms); }
    _toValue(date) { return date instanceof Date ? +date : undefined; }
}

const schema = JSON.parse(readFileSync(process.argv[2])), page = readFileSync(process.argv[3], 'utf8'), ms = Number(process.argv[4]), now = new Date(1763647391000);
const zone = new Intl.DateTimeFormat('sv-SE', {timeZone: 'Europe/Warsaw', dateStyle: 'short', timeStyle: 'medium'});
const offsets = new Map();

function moment(local) { // in Warsaw; the offset of each day is looked up once
    const day = local.slice(0, 10);
    if (!offsets.has(day)) {
        const noon = Date.parse(day + 'T12:00:00Z');
        offsets.set(day, Date.parse(zone.format(noon).replace(' ', 'T') + 'Z') - noon);
    }
    return new Date(Date.parse(local + 'Z') - offsets.get(day));
}

const orNull = v => (v === undefined || v === '' ? null : v);

// integer: what a whole number is in the document -> number.
function mapping(integer) {
    const id = v => (v === undefined || v === null || v === '' ? null : integer(v));
    const contractor = c => c && {contractorId: id(c.Id), name: orNull(c.Name), taxId: orNull(c.NIP), email: orNull(c.Email), phone: orNull(c.Phone), street: orNull(c.Street),
        streetNumber: orNull(c.StreetNumber), zipCode: orNull(c.ZipCode), city: orNull(c.City), country: orNull(c.Country)};
    return o => {
        const warehouses = new Set();
        const items = o.Items.map(i => ({itemId: id(i.Id), offerId: id(i.OfferId), variantId: id(i.VariantId), name: orNull(i.Name), quantity: i.Quantity,
            priceNet: orNull(i.PriceNet), priceGross: orNull(i.PriceGross), vatRate: i.VatRate === undefined ? null : String(i.VatRate),
            articles: i.OrderItemArticles.map(a => {
                warehouses.add(a.WarehouseCode);
                return {articleId: id(a.ArticleId), code: a.Code, ean: orNull(a.EAN), name: orNull(a.Name), quantity: a.Quantity, warehouse: a.WarehouseCode};
            })}));
        return {organization: 'acme', orderId: id(o.Id), revision: '0123456789abcdef', publication: now, round: now, withdrawn: false, number: orNull(o.Number),
            foreignNumber: orNull(o.ForeignNumber), statusId: id(o.StatusId), statusName: orNull(o.StatusName), integrationId: id(o.IntegrationId),
            purchasedAt: moment(o.PurchaseDate), currency: orNull(o.Currency), totalNet: orNull(o.TotalNet), totalGross: orNull(o.TotalGross),
            payment: {formId: id(o.PaymentFormId), status: orNull(o.PaymentStatus)}, delivery: {method: orNull(o.DeliveryMethod), priceGross: orNull(o.DeliveryPriceGross)},
            remarks: orNull(o.Remarks), buyer: contractor(o.Buyer), recipient: contractor(o.Recipient), payer: contractor(o.Payer), warehouse: orNull(o.WarehouseCode),
            items, warehouses: [...warehouses].sort(), fetchedAt: now, raw: null};
    };
}

function whole(text) { // exact as far as a number is
    const n = Number(text);
    if (!Number.isSafeInteger(n))
        throw new Error('no whole number');
    return n;
}

const exact = process.argv[5] === 'exact', text = v => v;
const type = avro.Type.forSchema(schema, {logicalTypes: {decimal: exact ? Exact : Rounded, 'timestamp-millis': Moment}, wrapUnions: false});
const record = mapping(exact ? whole : v => v);
const parse = exact ? () => lossless.parse(page, null, text) : () => JSON.parse(page);
const encode = () => parse().map(o => type.toBuffer(record(o)));

// Of this process, in ms, its collector's threads included.
function cpu() {
    const {user, system} = process.cpuUsage();
    return (user + system) / 1000;
}

function measure(name, count, step) {
    const warm = cpu();
    while (cpu() - warm < 500)
        step();
    const begin = cpu();
    let orders = 0, passed;
    do {
        step();
        orders += count;
        passed = cpu() - begin;
    } while (passed < ms);
    console.log(`${name}=${Math.round(orders / passed * 1000)}`);
}

const bytes = encode(), count = bytes.length, name = exact ? 'node_exact' : 'node';
measure(`${name}_encode`, count, encode);
measure(`${name}_parse`, count, parse);
if (!exact)
    measure('node_decode', count, () => bytes.map(b => JSON.stringify(type.fromBuffer(b))));
console.log(`${name}_sample=${bytes[0].toString('hex')}`);
