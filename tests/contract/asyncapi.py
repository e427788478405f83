"""Writes schemas/asyncapi.yaml from the schemas and the programs' table of topics; with --check says whether it is current. Usage: asyncapi.py [--check]"""
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMAS = ROOT / "schemas"
DOCUMENT = SCHEMAS / "asyncapi.yaml"
PARTITIONS = 6      # the default of topics.partitions
RECORDS = {"orders": "Order", "order-state": "OrderState", "order-outcomes": "OrderOutcome", "order-status": "OrderStatus", "orders-dlq": None}
WRITERS = {"orders": ["xsale-producer", "order-replay"], "order-state": ["xsale-producer"], "order-outcomes": ["erp-consumer", "xsale-producer (an order that cannot become a record)", "status-updater (moves one to its order's partition)"],
           "order-status": ["status-updater"], "orders-dlq": ["xsale-producer", "erp-consumer", "status-updater"]}
TRACE = {"traceparent": "W3C trace context of the publication."}
HEADERS = {
    "orders": {"organization": "Name of the organization in xSale.", "revision": "Revision of the content, 16 hex digits.",
               "publication": "The moment of this offer, milliseconds since 1970 in decimal.", "warehouses": "Every warehouse that the publication names, comma separated.",
               "schema": "CRC-64-AVRO fingerprint of the writer's schema, 16 hex digits.", **TRACE,
               "replayed": "Put back by hand, by order-replay: redrive (it was rejected) or resend.",
               "redrives": "How often it was put back after a rejection, in decimal; only with redrive."},
    "order-state": {"publication": "The publication that the record is about, milliseconds since 1970 in decimal; a null value has it too."},
    "order-outcomes": {"organization": "Name of the organization in xSale; as all of these on what erp-consumer writes, nobody needs them.",
                       "publication": "Publication that the verdict is about, milliseconds since 1970 in decimal.",
                       "warehouse": "Whose verdict.", **TRACE},
    "orders-dlq": {"kind": "order (a record of the orders topic), xsale-order (JSON text of an order) or outcome (a record of order-outcomes).", "reason": "Why it is here.",
                   "program": "Who put it here.", "at": "When, milliseconds since 1970 in decimal.", "source-topic": "Where it came from, when it was a record.",
                   "source-partition": "Its partition.", "source-offset": "Its offset.", "omitted": "Bytes of a value that was too large and is left out.",
                   "omitted-key": "Bytes of a key that was too large too; the key is ? and the hash of it, the record's own headers are left out.",
                   "reason-code": "Of what erp-consumer puts here: refused, given-up, unreadable, schema-unknown or too-large.", "warehouse": "Likewise: whose ERP.",
                   "group": "Likewise: its consumer group.", "attempts": "Likewise: how often the ERP was asked, in decimal.", "revision": "Likewise: of the order.",
                   "publication": "Likewise: of the order, milliseconds since 1970 in decimal.",
                   **{f"__connect.errors.{k}": f"Likewise, by Kafka Connect's name: {v}." for k, v in (
                       ("topic", "source-topic"), ("partition", "source-partition"), ("offset", "source-offset"), ("task.id", "group"), ("exception.message", "reason"))}},
}


def topics():
    """The rows of the table that the programs create and check topics by."""
    text = (ROOT / "common" / "kafka" / "topic_rules.c").read_text()
    rows = re.findall(r'\[TOPIC_\w+\] = \{"([\w-]+)", (\d+), "([\w,]+)", (?:"(\d+)"|NULL), (?:"(\w+)"|NULL)\}', text)
    assert [r[0] for r in rows] == list(RECORDS), "the table of topics has changed"
    return rows


def identifier(name):
    return re.sub(r"-(.)", lambda m: m[1].upper(), name)


def message(topic):
    record = RECORDS[topic]
    made = {"name": record or "DeadLetter", "contentType": "application/vnd.apache.avro" if record else "application/octet-stream"}
    if record:
        made["summary"] = json.loads((SCHEMAS / f"{record}.avsc").read_text())["doc"]
        made["description"] = "Confluent's framing: byte 0, four bytes schema id (big endian), Avro. A null value deletes the key." if topic == "order-state" else \
            "Confluent's framing: byte 0, four bytes schema id (big endian), Avro."
        made["payload"] = {"schemaFormat": "application/vnd.apache.avro;version=1.9.0", "schema": {"$ref": f"./{record}.avsc"}}
    else:
        made["summary"] = "What could not be handled: the original bytes, and headers that say what they are and why they are here."
    if topic in HEADERS:
        made["headers"] = {"type": "object", "properties": {k: {"type": "string", "description": v} for k, v in HEADERS[topic].items()}}
    key = {"type": "string", "description": "<organization>/<orderId>", "pattern": "^[^/]+/[0-9]+$"} if record else \
        {"type": "string", "description": "<organization>/<orderId>; <organization>/?<hash> where no id could be read; ?<hash> of a key that was too large"}
    framing = {"schemaIdLocation": "payload", "schemaIdPayloadEncoding": "confluent", "schemaLookupStrategy": "TopicIdStrategy"} if record else {}
    made["bindings"] = {"kafka": {"key": key, **framing, "bindingVersion": "0.5.0"}}
    return made


def channel(row):
    name, partitions, cleanup, retention, stamps = row
    settings = {"cleanup.policy": cleanup.split(",")}
    if retention:
        settings["retention.ms"] = int(retention)
    binding = {"topic": f"xsale.{name}", "partitions": int(partitions) or PARTITIONS, "topicConfiguration": settings, "bindingVersion": "0.5.0"}
    made = {"address": f"xsale.{name}", "messages": {identifier(name): {"$ref": f"#/components/messages/{identifier(name)}"}}, "bindings": {"kafka": binding}}
    if stamps:
        made["description"] = f"message.timestamp.type={stamps}"
    return made


def document():
    rows = topics()
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "xsale-bridge", "version": version(), "license": {"name": "Apache-2.0"},
                 "description": "Orders from xSale to an ERP through Kafka, and what became of them. Topic names carry the configured prefix, here the default xsale. "
                                "Values are registered as <topic>-value in a Confluent-compatible registry. Generated by tests/contract/asyncapi.py."},
        "defaultContentType": "application/vnd.apache.avro",
        "channels": {identifier(r[0]): channel(r) for r in rows},
        "operations": {"send" + identifier("-" + r[0]): {"action": "send", "channel": {"$ref": f"#/channels/{identifier(r[0])}"},
                                                         "summary": "Written by " + ", ".join(WRITERS[r[0]]) + "."} for r in rows},
        "components": {"messages": {identifier(r[0]): message(r[0]) for r in rows}},
    }


def version():
    return re.search(r"project\(xsale-bridge VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]


def yaml(value, indent=0):
    """Block YAML of dictionaries and lists; scalars as in JSON, which YAML takes."""
    space, out = "  " * indent, ""
    for k, v in value.items() if isinstance(value, dict) else enumerate(value):
        label = f"{space}{k if re.fullmatch('[A-Za-z][A-Za-z.-]*', str(k)) else json.dumps(k)}:" if isinstance(value, dict) else f"{space}-"
        out += f"{label}\n{yaml(v, indent + 1)}" if isinstance(v, (dict, list)) else f"{label} {json.dumps(v, ensure_ascii=False)}\n"
    return out


def main():
    text = yaml(document())
    if "--check" not in sys.argv:
        DOCUMENT.write_text(text)
    elif not DOCUMENT.exists() or DOCUMENT.read_text() != text:
        raise SystemExit("schemas/asyncapi.yaml is not current: run tests/contract/asyncapi.py")


if __name__ == "__main__":
    main()
