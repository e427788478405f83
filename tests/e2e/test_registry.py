"""The registry away: known ids go on, unknown ones wait, and order-replay judges nothing. An Order schema that it has lost holds up only the orders that were published with
it. The registry behind TLS: with a CA of one's own it is reached, with user name
and password or with a token; a certificate of somebody else, for another name or out of date is refused with the reason in /readyz, and not a byte of a request is sent."""
import io
import json
import os
import pathlib
import struct
import subprocess

import fastavro

from harness import IMPORTED, Simulator, call, check, equal, main, wait

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


class Authority:
    def __init__(self, directory, name):
        self.directory, self.name, self.file = directory, name, directory / f"{name}.pem"
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                     "-keyout", self.key, "-out", self.file)

    @property
    def key(self):
        return self.directory / f"{self.name}.key"

    def openssl(self, *words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60, cwd=self.directory)

    def issue(self, name, names=NAMES, until=None):
        """-> a PEM file of a certificate and its key"""
        request, certificate, key = (self.directory / f"{name}.{e}" for e in ("csr", "crt", "key"))
        extensions, database, config = self.directory / f"{name}.ext", self.directory / f"{name}.db", self.directory / f"{name}.cnf"
        extensions.write_text(names)
        database.write_text("")
        config.write_text(f"[ca]\ndefault_ca=c\n[c]\ndatabase={database}\nrand_serial=yes\nnew_certs_dir={self.directory}\ndefault_md=sha256\n"
                          "unique_subject=no\npolicy=p\n[p]\ncommonName=supplied\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        dates = ["-startdate", "20200101000000Z", "-enddate", until] if until else ["-days", "30"]
        self.openssl("ca", "-batch", "-notext", "-config", config, "-cert", self.file, "-keyfile", self.key, "-extfile", extensions, *dates,
                     "-in", request, "-out", certificate)
        both = self.directory / f"{name}.both"
        both.write_text(certificate.read_text() + key.read_text())
        return both


    def itself(self):
        both = self.directory / f"{self.name}.both"
        both.write_text(self.file.read_text() + self.key.read_text())
        return both


def registry_of(p):
    """What /readyz says of the registry; {} while it says nothing."""
    body = p.http("/readyz")[1]
    return json.loads(body)["dependencies"].get("registry", {}) if body else {}


def refused(s, name, certificate, words, authority):
    sim = s.part(Simulator("registry", "--certificate", certificate))
    s.write_config(registry={"url": sim.url, "ca_file": authority.file, "username": "u", "password": "p"})
    s.producer.start()
    error = wait(f"{name}: the registry is down", 60, lambda: (found := registry_of(s.producer)).get("state") == "down" and found, 0.1)["error"]
    check(any(w in error for w in words), f"{name}: /readyz says {error!r}, wanted one of {words}")
    equal(sim.get("requests")["routes"], {}, f"{name}: requests that reached it")
    s.stop(s.producer)
    sim.close()


def accepted(s, name, certificate, options, settings, authority):
    sim = s.part(Simulator("registry", "--certificate", certificate, *options))
    s.write_config(registry={"url": sim.url, "ca_file": authority.file, **settings})
    s.producer.start()
    wait(f"{name}: the registry is up", 60, lambda: registry_of(s.producer).get("state") == "up", 0.1)
    wait(f"{name}: the schemas are registered", 60, lambda: "xsale.orders-value" in sim.get("state")["subjects"], 0.1)
    s.stop(s.producer)
    return sim


def nothing_is_judged(s, order):
    """Whoever asks meanwhile is told that nothing can be said, never that orders wait, are lost or do not exist; tail shows what can be seen."""
    commands = [("reconcile",), ("waiting",), ("explain", order), ("resend", "--dry-run", order), ("tail", "--order", order, "--topic", "orders")]
    asked = [(c, subprocess.Popen([os.path.join(s.build, "consumer/order-replay"), c[0], "-c", s.config_file, *c[1:]], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=s.working)) for c in commands]
    for command, process in asked:
        out, err = process.communicate(timeout=120)
        if command[0] == "tail":
            check(process.returncode == 0 and order in out and "fault=" in out, f"{command}: code {process.returncode}: {err} {out}")
        else:
            check(process.returncode == 1 and out == "" and "without the schema registry the records cannot be read" in err,
                  f"{command}: code {process.returncode}: {err} {out}")


def away(s):
    """While the registry is away ids that are known go on; one that is not holds its order until it is back."""
    s.generate(6)
    s.start()
    s.settled()
    # Known to everybody: the producer has read rows of the ledger too.
    last = lambda: {r.key: r.value for r in s.records("order-state")}
    wait("the producer has closed every order", 60, lambda: all(v is None or v["state"] == "CLOSED" for v in last().values()), 0.3)
    one = s.consumers[0]
    order = next(r for r in s.records("orders") if "MAG-1" in r.headers["warehouses"].decode())
    later = json.loads((pathlib.Path(__file__).parents[2] / "schemas" / "Order.avsc").read_text(encoding="utf-8"))
    later["fields"].append({"name": "later", "type": "string", "default": ""})
    status, _, body = call(s.registry.url, "POST", "/subjects/xsale.orders-value/versions", json.dumps({"schema": json.dumps(later)}),
                           {"Content-Type": "application/vnd.schemaregistry.v1+json"})
    equal(status, 200, f"registering a later version, which says {body}")
    number, publication = json.loads(body)["id"], int(order.headers["publication"]) + 5
    value = {**order.value, "publication": publication, "later": "x"}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(later), value)
    fetched = s.registry.get("state")["fetched"]
    s.registry.down()
    headers = {**order.headers, "publication": str(publication).encode()}
    del headers["schema"]
    s.produce("orders", order.key, struct.pack(">bI", 0, number) + out.getvalue(), list(headers.items()), partition=order.partition)
    wait("the order of an unknown id is held", 60, lambda: one.dependencies().get("schema") == "down" or one.dependencies().get("registry") == "down", 0.1)
    more = s.generate(6, first=200001)
    wait("orders of known ids go on", 60, lambda: s.all_alive() and {s.statuses()[i] for i in more} == {IMPORTED}, 0.2)
    nothing_is_judged(s, order.key.rpartition("/")[2])
    held = lambda: [r for r in s.records("order-outcomes", decode=False) if r.key == order.key]
    before = len(held())
    s.registry.up()
    wait("the order is loaded once the registry is back", 60, lambda: s.all_alive() and len(held()) > before, 0.2)
    equal({r.value["result"] for r in s.records("order-outcomes") if r.key == order.key}, {"IMPORTED"}, "outcomes of that order")
    check(str(number) not in fetched, "the id was unknown before")
    s.stop()


def schema_of(p):
    """What /readyz says of schemas, in one line."""
    body = p.http("/readyz")[1]
    row = json.loads(body)["dependencies"].get("schema", {}) if body else {}
    return f"{row.get('error')} | {row.get('doing')}" if row.get("state") == "down" else ""


def lost(s):
    """Open orders that were published with a schema which the registry has lost, and that now look edited: they wait and are named, the others are published. Given
    back, the schema shows that nothing was edited. Without it they count as edited after a while."""
    offers = lambda ids: [sum(r.key == f"acme/{i}" for r in s.records("orders", decode=False)) for i in ids]
    noted = lambda ids: {r.key for r in s.records("order-state", decode=False)} >= {f"acme/{i}" for i in ids}
    open_ones = s.generate(3, first=300001)
    s.producer.start()
    wait("they are published and noted", 60, lambda: offers(open_ones) == [1] * 3 and noted(open_ones), 0.3)
    s.stop(s.producer)
    first = next(r.bytes for r in s.records("orders", decode=False) if r.key == f"acme/{open_ones[0]}")
    old = struct.unpack(">I", first[1:5])[0]
    text = s.registry.get("state")["schemas"][str(old)]
    other = json.loads(text)
    other["fields"].append({"name": "numberAgain", "type": ["null", "string"], "default": None, "xsale": ["/Number"]})
    path = pathlib.Path(s.directory) / "other.avsc"
    path.write_text(json.dumps(other), encoding="utf-8")
    s.registry.post("state", {"lose": [old]})

    s.write_config(producer={"schema": path})
    s.producer.start()
    wait("the orders that wait are named", 60, lambda: f"schema {old}" in schema_of(s.producer), 0.1)
    more = s.generate(3, first=310001)
    wait("the others are published", 60, lambda: s.producer.alive() and offers(more) == [1] * 3, 0.3)
    wait("all that wait are counted", 60, lambda: "(and 2 more)" in schema_of(s.producer), 0.1)
    said = schema_of(s.producer)
    check(any(f"acme/{i} " in said for i in open_ones) and "does not know" in said and "producer.unknown_schema_after" in said, f"/readyz says {said!r}")
    log = pathlib.Path(s.producer.log).read_text(encoding="utf-8")
    check(any(f" acme/{i}: " in row and f"schema_id={old}" in row for row in log.splitlines() if "an open order waits" in row for i in open_ones), "the log does not name the order")
    equal(offers(open_ones), [1] * 3, "publications of the orders that wait")
    s.registry.down()
    wait("a registry that does not answer is told apart", 60, lambda: "gave no answer" in schema_of(s.producer), 0.1)
    more += s.generate(1, first=320001)
    wait("the others are published meanwhile too", 60, lambda: offers(more) == [1] * 4, 0.3)
    s.registry.up()
    s.registry.post("state", {"give": {str(old): text}})
    wait("the schema is there again", 60, lambda: s.producer.dependencies().get("schema") == "up", 0.1)
    equal(offers(open_ones), [1] * 3, "publications of orders that nobody edited")
    wait("it is noted under the new schema", 60, lambda: s.records("order-state", decode=False)[-1].key in {f"acme/{i}" for i in open_ones}, 0.3)
    s.stop(s.producer)

    newest = next(r.bytes for r in s.records("orders", decode=False) if r.key == f"acme/{more[0]}")
    s.registry.post("state", {"lose": [struct.unpack(">I", newest[1:5])[0]]})
    del s.settings["producer"]["schema"]
    s.write_config(producer={"unknown_schema_after": "1s"})
    s.producer.start()
    wait("they count as edited", 60, lambda: s.producer.alive() and offers(open_ones + more) == [2] * 7, 0.3)
    wait("nobody waits any more", 60, lambda: s.producer.dependencies().get("schema") == "up", 0.1)
    equal(offers(open_ones + more), [2] * 7, "publications")
    s.stop(s.producer)


def test(s):
    away(s)
    lost(s)
    directory = pathlib.Path(s.directory)
    ours, other = Authority(directory, "ours"), Authority(directory, "other")
    good = ours.issue("good")
    refused(s, "a certificate of another CA", other.issue("foreign"), ["certificate", "issuer"], ours)
    refused(s, "a certificate that signs itself", other.itself(), ["certificate", "self"], ours)
    refused(s, "a certificate for another host", ours.issue("elsewhere", "subjectAltName=DNS:elsewhere.example"), ["localhost", "name"], ours)
    refused(s, "a certificate out of date", ours.issue("expired", until="20210101000000Z"), ["expired"], ours)
    accepted(s, "user name and password", good, ["--user", "u:p"], {"username": "u", "password": "p"}, ours)
    for key in ("username", "password"):
        del s.settings["registry"][key]
    accepted(s, "a token", good, ["--token", "t0ken"], {"token": "t0ken"}, ours)


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",))
