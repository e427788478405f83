"""The script that a company would write: requests, fastavro, confluent-kafka, idempotent, lz4. Reads every page, publishes every order with the
same schema and headers, waits for the acknowledgements. Prints its own CPU seconds and most resident bytes. Arguments: xSale's URL, bootstrap servers, schema file, topic."""
import datetime
import io
import json
import resource
import sys
import time
from decimal import Decimal

import confluent_kafka
import fastavro
import requests

STATUS, ORGANIZATION = 11, "acme"
LOGIN = {"client_id": "abc", "client_secret": "simulated-client-secret", "audience": "https://api.xsale.ai", "username": "erp@example.pl",
         "password": "simulated-password", "grant_type": "password", "scope": "openid profile email xsale production"}


def pick(order, pointers):
    for pointer in pointers:
        value = order
        for part in pointer.split("/")[1:]:
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def convert(value, kind):
    kind = next((k for k in kind if k != "null"), "null") if isinstance(kind, list) else kind
    if value is None or not isinstance(kind, dict):
        return str(value) if kind == "string" and value is not None else value
    if kind.get("logicalType") == "decimal":
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-kind["scale"]))
    if kind["type"] == "record":
        return record(value, kind)
    if kind["type"] == "array":
        return [convert(v, kind["items"]) for v in value]
    if kind.get("logicalType") == "timestamp-millis":
        return datetime.datetime.fromisoformat(value).replace(tzinfo=datetime.timezone.utc)
    return value


def record(order, schema):
    found = {}
    for field in schema["fields"]:
        pointers = field.get("xsale")
        value = convert(pick(order, [p for p in pointers if isinstance(p, str)]), field["type"]) if isinstance(pointers, list) else None
        if value is not None:
            found[field["name"]] = value
    return found


def main():
    url, servers, schema_file, topic = sys.argv[1:5]
    with open(schema_file, encoding="utf-8") as f:
        text = json.load(f)
    schema = fastavro.parse_schema(text)
    session = requests.Session()
    tokens = session.post(url + "/oauth/token", json=LOGIN).json()
    session.headers.update({"Authorization": "Bearer " + tokens["access_token"], "x-id-token": tokens["id_token"]})
    p = confluent_kafka.Producer({"bootstrap.servers": servers, "enable.idempotence": True, "compression.codec": "lz4", "linger.ms": 5,
                                  "partitioner": "murmur2_random"})
    page, count, publication = 1, 0, int(time.time() * 1000)
    while True:
        orders = session.get(f"{url}/{ORGANIZATION}/orders?statusidin={STATUS}&page={page}&pageSize=100").json(parse_float=Decimal)
        if not orders:
            break
        for order in orders:
            r = record(order, text)
            r.update(organization=ORGANIZATION, orderId=order["Id"], revision="0" * 16, publication=publication, round=publication, fetchedAt=publication,
                     warehouses=["MAG-1"], raw=json.dumps(order, ensure_ascii=False, default=str).encode())
            out = io.BytesIO(b"\0\0\0\0\1")
            out.seek(5)
            fastavro.schemaless_writer(out, schema, r)
            while True:
                try:
                    p.produce(topic, out.getvalue(), f"{ORGANIZATION}/{order['Id']}", headers={"organization": ORGANIZATION, "publication": str(publication)})
                    break
                except BufferError:
                    p.poll(0.1)
            count += 1
        p.poll(0)
        page += 1
    p.flush()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"orders": count, "cpu": usage.ru_utime + usage.ru_stime, "most": usage.ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
