"""Wrong configuration: every error at once, with file, line and a suggestion, exit code 2; nothing is started. And what --help and --version say."""
import pathlib

from harness import check, equal, main

WRONG = """[xsale]
organization = acme
api_url = ftp://nowhere
clientid = abc
client_secret = secret-that-must-not-show
username = u
password = p
insecure = maybe
timeout = 30 parsecs
array_style = commas
imported_status = Nowe

[producre]
poll_interval = 1s

[producer]
requests_per_minute = 0

[kafka]
bootstrap.servers = 127.0.0.1:9092

[registry]
url = not a url

[erp]
sink = fax

[log]
level = loud
"""
EXPECTED = {"xsale-producer": {3: "api_url", 4: "client_id", 8: "insecure", 9: "timeout", 10: "array_style", 13: "producer", 17: "requests_per_minute",
                               23: "url", 29: "level"},
            "status-updater": {3: "api_url", 4: "client_id", 8: "insecure", 9: "timeout", 13: "producer", 23: "url", 29: "level"},
            "erp-consumer": {13: "producer", 23: "url", 26: "sink", 29: "level"}}

# Right by themselves, wrong together or for what they are used for.
TOGETHER = """[xsale]
organization = acme
client_id = abc
client_secret_file = /nonexistent/secret
username = u
password = p
api_url = http://127.0.0.1:1
new_statuses =
envelope = Items
order_path = /orders
manual_status =
[warehouses]
known = MAG-1, MAG-2
default = MAG-9
8 = MAG-7
[kafka]
bootstrap.servers = 127.0.0.1:9092
nonsense.prop = 1
[topics]
prefix = a b
[registry]
url = http://127.0.0.1:1
token = t
username = u
[consumer]
warehouse = NOPE
[erp.http]
url = http://127.0.0.1:1/orders
ca_file = /nonexistent/ca.pem
[producer]
schema = /nonexistent/Order.avsc
"""
SHARED = [18, 20, 23, 24]
LINES = {"xsale-producer": [4, 7, 8, 9, 10, 11, 14, 15, *SHARED, 31], "status-updater": [4, 7, 8, 9, 10, 11, 14, 15, *SHARED, 31],
         "erp-consumer": [*SHARED, 29]}


def together(s, p):
    code, text = p.run("--check-config", timeout=60)
    equal(code, 2, f"{p.name} --check-config, which says {text}")
    equal([row.split(":")[1] for row in text.splitlines()], [str(n) for n in LINES[p.program]], f"{p.name}: lines complained about, in their order:\n{text}")


# Replacements in Order.avsc, and the line and words that each must be told with. First what makes it no schema, then what makes it no mapping.
UNSOUND = {'"name": "foreignNumber"': ('"name": "number"', 10, "field number is given twice"),
           '"precision": 18, "scale": 4}], "doc": "Net total."': ('"precision": 3, "scale": 4}], "doc": "Net total."', 16, "scale is larger than precision"),
           '["null", "Contractor"], "doc": "Who receives': ('["null", "Contractor", "null"], "doc": "Who receives', 42, "two branches of the same type"),
           '"default": [], "xsale"': ('"default": {}, "xsale"', 63, "the default must be an array")}
UNMAPPED = {'"name": "orderId"': ('"name": "id"', 1, "field orderId: is missing"),
            '["/Number"]': ('["Number"]', 9, "is no JSON Pointer"),
            '"bridge": "raw"': ('"bridge": "rau"', 67, "nothing that the bridge knows")}


def schemas(s):
    """Every fault of a schema at once, each with its line in its own file."""
    order = (pathlib.Path(__file__).parents[2] / "schemas" / "Order.avsc").read_text(encoding="utf-8")
    path = pathlib.Path(s.config_file).with_name("Own.avsc")
    for faults in (UNSOUND, UNMAPPED):
        text = order
        for old, (new, *_) in faults.items():
            equal(text.count(old), 1, f"{old} in Order.avsc")
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        for p in (s.producer, s.updater):
            for more in (["--check-config"], []):
                code, said = p.run("-X", f"producer.schema={path}", *more, timeout=60)
                equal(code, 2, f"{p.name} {more} with a wrong schema, which says {said}")
                for _, line, words in faults.values():
                    check(any(f"{path}:{line}: " in row and words in row for row in said.splitlines()), f"{p.name} {more}: line {line} is not told with {words}:\n{said}")
                equal(said.count(str(path) + ":"), len(faults), f"faults told by {p.name}:\n{said}")
    view = pathlib.Path(s.config_file).with_name("View.avsc")
    view.write_text('{"type": "record", "name": "Order", "fields": [\n{"name": "orderId", "type": "long"},\n{"name": "orderId", "type": "long"},\n'
                    '{"name": "x", "type": "money"}]}', encoding="utf-8")
    code, said = s.consumers[0].run("--check-config", "-X", f"erp.view={view}", timeout=60)
    equal(code, 2, f"a wrong view, which says {said}")
    check(f"{view}:3: " in said and f"{view}:4: " in said, f"both faults of the view:\n{said}")


def test(s):
    for p in (s.producer, s.updater, s.consumers[0]):
        code, text = p.run("--check-config")
        equal(code, 0, f"{p.name} --check-config of a good file, which says {text}")
        for option in ("--help", "--version"):
            code, text = p.run(option)
            equal((code, bool(text.strip())), (0, True), f"{p.name} {option}")
        equal(p.run("--no-such-option")[0], 2, f"{p.name} with an unknown option")
        equal(p.run("-X", "xsale.nothing=1")[0], 2, f"{p.name} with an unknown override")

    schemas(s)
    s.write_config(xsale={"manual_status": "Nowe"})
    for p in (s.producer, s.updater):
        equal(p.run("--check-config")[0], 2, f"{p.name}: statuses that are the same")

    good = s.config_file
    s.config_file = good + ".wrong"
    with open(s.config_file, "w", encoding="utf-8") as f:
        f.write(WRONG)
    for p in (s.producer, s.updater, s.consumers[0]):
        for more in (["--check-config"], []):
            code, text = p.run(*more, timeout=60)
            equal(code, 2, f"{p.name} {more} with a wrong file, which says {text}")
            for number, word in EXPECTED[p.program].items():
                lines = [row for row in text.splitlines() if f"bridge.ini.wrong:{number}:" in row]
                check(lines and word in lines[0], f"{p.name}: line {number} is not complained about with {word}:\n{text}")
            check("secret-that-must-not-show" not in text, f"{p.name} shows a secret")
    with open(s.config_file, "w", encoding="utf-8") as f:
        f.write(TOGETHER)
    for p in (s.producer, s.updater, s.consumers[0]):
        together(s, p)
    code, text = s.consumers[0].run("--check-config", "-X", "consumer.warehouse=NOPE", timeout=60)
    check("consumer.warehouse: is not one of warehouses.known" in text, f"a warehouse that no order can name: {text}")
    s.config_file = good + ".missing"
    equal(s.producer.run()[0], 2, "a file that is missing")


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",))
