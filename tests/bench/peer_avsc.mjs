// What a careful Node program does with a page of orders: JSON.parse and avsc. Usage: peer_avsc.mjs SCHEMA PAGE MILLISECONDS; PEERS names the directory that
// holds node_modules. Prints "name=orders per second of CPU time". Amounts go through a double and Math.round, as is usual there: exact ones would be slower.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';

const avro = createRequire(process.env.PEERS + '/')('avsc');

class Decimal extends avro.types.LogicalType {
    constructor(schema, options) { super(schema, options); this.factor = 10 ** schema.scale; }
    _fromValue(bytes) { return bytes.readIntBE(0, bytes.length) / this.factor; }
    _toValue(number) {
        if (typeof number !== 'number')
            return undefined;
        const n = Math.round(number * this.factor);
        let length = 1;
        while (length < 6 && (n >= 2 ** (8 * length - 1) || n < -(2 ** (8 * length - 1))))
            length++;
        const bytes = Buffer.allocUnsafe(length);
        bytes.writeIntBE(n, 0, length);
        return bytes;
    }
}

class Moment extends avro.types.LogicalType {
    _fromValue(ms) { return new Date(ms); }
    _toValue(date) { return date instanceof Date ? +date : undefined; }
}

const type = avro.Type.forSchema(JSON.parse(readFileSync(process.argv[2])), {logicalTypes: {decimal: Decimal, 'timestamp-millis': Moment}, wrapUnions: false});
const text = readFileSync(process.argv[3], 'utf8'), ms = Number(process.argv[4]), now = new Date(1763647391000);
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
const contractor = c => c && {contractorId: orNull(c.Id), name: orNull(c.Name), taxId: orNull(c.NIP), email: orNull(c.Email), phone: orNull(c.Phone), street: orNull(c.Street),
    streetNumber: orNull(c.StreetNumber), zipCode: orNull(c.ZipCode), city: orNull(c.City), country: orNull(c.Country)};

function record(o) {
    const warehouses = new Set();
    const items = o.Items.map(i => ({itemId: orNull(i.Id), offerId: orNull(i.OfferId), variantId: orNull(i.VariantId), name: orNull(i.Name), quantity: i.Quantity,
        priceNet: orNull(i.PriceNet), priceGross: orNull(i.PriceGross), vatRate: i.VatRate === undefined ? null : String(i.VatRate),
        articles: i.OrderItemArticles.map(a => {
            warehouses.add(a.WarehouseCode);
            return {articleId: orNull(a.ArticleId), code: a.Code, ean: orNull(a.EAN), name: orNull(a.Name), quantity: a.Quantity, warehouse: a.WarehouseCode};
        })}));
    return {organization: 'acme', orderId: o.Id, revision: '0123456789abcdef', publication: now, round: now, withdrawn: false, number: orNull(o.Number),
        foreignNumber: orNull(o.ForeignNumber), statusId: orNull(o.StatusId), statusName: orNull(o.StatusName), integrationId: orNull(o.IntegrationId),
        purchasedAt: moment(o.PurchaseDate), currency: orNull(o.Currency), totalNet: orNull(o.TotalNet), totalGross: orNull(o.TotalGross),
        payment: {formId: orNull(o.PaymentFormId), status: orNull(o.PaymentStatus)}, delivery: {method: orNull(o.DeliveryMethod), priceGross: orNull(o.DeliveryPriceGross)},
        remarks: orNull(o.Remarks), buyer: contractor(o.Buyer), recipient: contractor(o.Recipient), payer: contractor(o.Payer), warehouse: orNull(o.WarehouseCode),
        items, warehouses: [...warehouses].sort(), fetchedAt: now, raw: null};
}

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

let bytes = [];
const count = JSON.parse(text).length;
measure('node_encode', count, () => { bytes = JSON.parse(text).map(o => type.toBuffer(record(o))); });
measure('node_parse', count, () => JSON.parse(text));
measure('node_decode', count, () => bytes.map(b => JSON.stringify(type.fromBuffer(b))));
console.log(`node_sample=${bytes[0].toString('hex')}`);
