"""Schemas that change, as the registry sees it: the level is set and only ever raised, a compatible version is registered, and one that is not stops the program with the
registry's reason before a record is written."""
import json
import os

from harness import ROOT, call, check, equal, main, wait

SUBJECT = "xsale.orders-value"
TYPE = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


def ask(s, method, path, body=None):
    host, _, root = s.registry.url.removeprefix("http://").partition("/")
    status, _, text = call("http://" + host, method, (f"/{root}" if root else "") + path, None if body is None else json.dumps(body), TYPE)
    return status, json.loads(text)


def versions(s):
    status, found = ask(s, "GET", f"/subjects/{SUBJECT}/versions")
    return found if status == 200 else []


def level(s):
    return ask(s, "GET", f"/config/{SUBJECT}?defaultToGlobal=true")[1]["compatibilityLevel"]


def schema(s, name, change):
    with open(os.path.join(ROOT, "schemas", "Order.avsc"), encoding="utf-8") as f:
        made = json.load(f)
    change({f["name"]: f for f in made["fields"]}, made["fields"])
    path = os.path.join(s.directory, name)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(made, f)
    return path


def registered(s, what, count):
    """Starts the producer, which must end up with so many versions of its subject, published, and stops it."""
    before = s.height("orders") if count > 1 else 0
    s.generate(3, first=100000 + 1000 * count)
    s.producer.start()
    wait(f"{what}: orders are published", 60, lambda: s.all_alive() and s.height("orders") >= before + 3, 0.2)
    equal(len(versions(s)), count, f"{what}: versions of {SUBJECT}")
    s.stop(s.producer)


def test(s):
    registered(s, "the first version", 1)
    equal(level(s), "BACKWARD_TRANSITIVE", "the level after the first version")
    status, said = ask(s, "PUT", f"/config/{SUBJECT}", {"compatibility": "FULL_TRANSITIVE"})
    equal(status, 200, f"an operator's level, which says {said}")
    later = schema(s, "later.avsc", lambda _, fields: fields.append({"name": "later", "type": ["null", "string"], "default": None, "xsale": ["/Later"]}))
    s.write_config(producer={"schema": later})
    registered(s, "a compatible version", 2)
    equal(level(s), "FULL_TRANSITIVE", "the operator's level")

    wrong = schema(s, "wrong.avsc", lambda named, _: named["remarks"].update(type=["null", "long"]))
    s.generate(1, first=200001)
    height = s.height("orders")
    code, said = s.producer.run("-X", f"producer.schema={wrong}", timeout=60)
    check(code not in (0, None), f"the producer ends with {code} for a schema that is not compatible:\n{said}")
    check("compatible" in said and SUBJECT in said, f"the registry's verdict is told:\n{said}")
    check("no reason" not in said and ("remarks" in said or "/fields/" in said), f"the registry's reason is told:\n{said}")
    equal(len(versions(s)), 2, "versions after the refusal")
    equal(s.height("orders"), height, "records after the refusal")


if __name__ == "__main__":
    main(test, __doc__)
