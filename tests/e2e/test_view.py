"""A mapping and a view of one's own: a field that the built-in schema lacks is read from xSale by an own Order.avsc and reaches the ERP, renamed, through an
own view; nothing is compiled again. Each warehouse gets its own lines, though the view has dropped the fields that name the warehouse."""
import json
import os

from harness import IMPORTED, ROOT, check, equal, main

VIEW = {"type": "record", "name": "Order", "namespace": "xsale", "fields": [
    {"name": "orderId", "type": "long", "erp": "Numer"},
    {"name": "publication", "type": {"type": "long", "logicalType": "timestamp-millis"}, "json": "millis"},
    {"name": "waluta", "type": ["null", "string"], "default": None, "erp": "Waluta zamówienia"},
    {"name": "source", "type": "string", "default": "xSale", "erp": "Zrodlo"},
    {"name": "items", "erp": "Pozycje", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
        {"name": "articles", "erp": "Towary", "type": {"type": "array", "items": {"type": "record", "name": "Article", "fields": [
            {"name": "code", "type": "string", "erp": "Kod"}]}}}]}}}]}


def write(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False)
    return path


def documents(directory):
    found = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            if name.endswith(".json"):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    found[os.path.relpath(os.path.join(folder, name), directory)] = json.load(f)
    return found


def test(s):
    with open(os.path.join(ROOT, "schemas", "Order.avsc"), encoding="utf-8") as f:
        order = json.load(f)
    order["fields"].append({"name": "waluta", "type": ["null", "string"], "default": None, "xsale": ["/Nothing", "/Currency"]})
    mapping, view = write(os.path.join(s.directory, "Order.avsc"), order), write(os.path.join(s.directory, "view.avsc"), VIEW)
    directory = os.path.join(s.directory, "documents")
    os.mkdir(directory)
    s.write_config(producer={"schema": mapping}, erp={"sink": "file", "view": view}, erp__file={"directory": directory})
    for p in (s.producer, s.consumers[0]):
        code, text = p.run("--check-config")
        equal(code, 0, f"{p.name} --check-config, which says {text}")
    ids = s.generate(12)
    s.start()
    s.settled()
    equal({s.statuses()[i] for i in ids}, {IMPORTED}, "statuses")
    found = documents(directory)
    equal(len(found), sum(len(s.mix(i)) for i in ids), "documents")
    seen = set()
    for name, d in found.items():
        equal(list(d), ["Numer", "publication", "Waluta zamówienia", "Zrodlo", "Pozycje"], f"members of {name}")
        equal((d["Waluta zamówienia"], d["Zrodlo"]), ("PLN", "xSale"), f"values of {name}")
        check(d["Pozycje"] and all(p["Towary"] and all(set(a) == {"Kod"} for a in p["Towary"]) for p in d["Pozycje"]), f"lines of {name}: {d}")
        seen.add(d["Numer"])
    equal(seen, set(ids), "orders")
    per = {i: [json.dumps(d["Pozycje"]) for d in found.values() if d["Numer"] == i] for i in ids if len(s.mix(i)) == 2}
    check(all(len(set(v)) == 2 for v in per.values()), f"two warehouses of an order have the same lines: {per}")

    VIEW["fields"][0]["name"], VIEW["fields"][3]["erp"] = "orderid", "Numer"
    write(view, VIEW)
    code, text = s.consumers[0].run("--check-config")
    equal(code, 2, "--check-config of a wrong view")
    check("view.avsc:1: record xsale.Order, field source: the document would have two members of its name" in text, f"it says {text}")
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
