"""Each program works under exactly the rights that common/docs/access.md gives it, on a Kafka that checks them. The document's commands are run as they stand there, and
the broker's own log of decisions is the witness: nothing that was asked for was denied, and no right stands there in vain."""
import os
import re
import subprocess

from harness import BAD_ARTICLE, IMPORTED, MANUAL, Program, ROOT, check, equal, main, services, wait

DOCUMENT = os.path.join(ROOT, "common", "docs", "access.md")
PRINCIPALS = ("xsale-producer", "status-updater", "erp-mag-1", "looker", "mender")
REFUSED = 100003


def commands():
    with open(DOCUMENT, encoding="utf-8") as f:
        return re.findall(r"^kafka-acls\.sh (.*)$", f.read(), re.M)


def strict_kafka():
    """Clients log in at a listener of their own; whoever comes to the other one may do everything, as the tests and the broker itself do."""
    open_port, controller = services.free_port(), services.free_port()
    users = " ".join(f'user_{p}="secret-of-{p}"' for p in PRINCIPALS)
    port = services.free_port()
    os.environ["JAVA_TOOL_OPTIONS"] = "-Dorg.slf4j.simpleLogger.log.kafka.authorizer.logger=debug"
    try:
        kafka = services.Kafka(open_port, **{
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{open_port},LOGIN://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{open_port},LOGIN://127.0.0.1:{port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT",
            "listener.name.login.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.login.plain.sasl.jaas.config": f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "User:ANONYMOUS"})
    finally:
        del os.environ["JAVA_TOOL_OPTIONS"]
    return kafka, f"127.0.0.1:{port}"


def rights():
    """{(principal, operation, kind, pattern, name)} of the document's commands."""
    found = set()
    for words in commands():
        options = re.findall(r"--(\S+) ([^\s-]\S*)", words)
        get = lambda name: [v for k, v in options if k == name]
        pattern = (get("resource-pattern-type") or ["literal"])[0].upper()
        for kind, names in (("Topic", get("topic")), ("Group", get("group"))):
            found |= {(get("allow-principal")[0].removeprefix("User:"), o.upper(), kind, pattern, n) for n in names for o in get("operation")}
    return found


def grant(s, wanted):
    """What kafka-acls.sh does (it does not come with Kafka's jars), by the same request."""
    from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, AdminClient, ResourcePatternType, ResourceType
    operations = {o.name.replace("_", ""): o for o in AclOperation}
    rows = [AclBinding(ResourceType[kind.upper()], name, ResourcePatternType[pattern], f"User:{principal}", "*", operations[operation], AclPermissionType.ALLOW)
            for principal, operation, kind, pattern, name in sorted(wanted)]
    client = AdminClient({"bootstrap.servers": s.kafka.bootstrap})
    for answer in client.create_acls(rows).values():
        answer.result(30)


def as_(principal):
    return ["-X", f"kafka.sasl.username={principal}", "-X", f"kafka.sasl.password=secret-of-{principal}"]


def replay(s, principal, command, *arguments, code=0):
    r = subprocess.run([os.path.join(s.build, "consumer/order-replay"), command, "-c", s.config_file, *as_(principal), *arguments], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=s.working, timeout=120)
    equal(r.returncode, code, f"code of order-replay {command} as {principal}, which says {r.stderr}{r.stdout[-500:]}")
    return r.stdout, r.stderr


def decisions(s, kafka):
    """What the authorizer logged about our principals: {(allowed, principal, operation, resource as Kind:LITERAL:name, request)}."""
    with open(kafka.log, encoding="utf-8", errors="replace") as f:
        rows = re.findall(r"Principal = User:(\S+) is (Allowed|Denied) operation = (\w+) from host = \S+ (?:via listener \S+ )?on resource = (\w+):LITERAL:(\S+) for request = (\w+)",
                          f.read())
    return {(allowed == "Allowed", p, o.replace("_", "").upper(), kind.title(), name, request) for p, allowed, o, kind, name, request in rows if p in PRINCIPALS}


def covers(right, asked):
    principal, operation, kind, pattern, name = right
    _, p, o, k, n, _ = asked
    implied = o == operation or (o == "DESCRIBE" and operation in ("READ", "WRITE"))
    return (p, k) == (principal, kind) and (n == name or (pattern == "PREFIXED" and n.startswith(name))) and implied


def work(s):
    """Everything that the programs do: load, refuse, withdraw, and put right."""
    s.generate(9, refused=[REFUSED], warehouses=[["MAG-1"]])
    s.start(s.producer)     # it makes the topics
    wait("orders are published", 120, lambda: s.producer.published() >= 9)
    s.start(s.updater, s.consumers[0])
    s.settled()
    wait("the programs are ready", 60, lambda: all(p.ready() for p in s.programs.values()))
    s.xsale.post("orders/100001/status", {"status": MANUAL})
    # an outcome in a partition that is not its order's is moved
    o = s.records("order-outcomes")[0]
    s.produce("order-outcomes", o.key, o.bytes, list(o.headers.items()), partition=(o.partition + 1) % 6)
    wait("the outcome is moved", 60, lambda: s.height("order-outcomes") >= 11, 0.5)
    for command in (["tail", "--from", "beginning"], ["explain", "100001"], ["waiting"], ["resend", "100001", "--force", "--dry-run"],
                    ["redrive", "--dry-run"], ["rewind", "--warehouse", "MAG-1", "--to", "end", "--dry-run"]):
        replay(s, "looker", *command)
    replay(s, "looker", "reconcile", "--grace", "1s")
    s.erp.post("refuse", {"allow_articles": [BAD_ARTICLE]})
    replay(s, "mender", "redrive", "--yes")
    wait("the refused order is imported", 60, lambda: s.statuses()[REFUSED] == IMPORTED)
    replay(s, "mender", "resend", "100002", "--yes")
    s.stop()
    replay(s, "mender", "rewind", "--warehouse", "MAG-1", "--to", "beginning", "--yes", "--wait")


def test(s):
    s.kafka, login = strict_kafka()
    s.part(s.kafka)
    s.start_registry()
    s.write_config(kafka={"bootstrap.servers": login, "security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN"}, registry={"url": s.registry.url},
                   warehouses={"known": "MAG-1", "default": "MAG-1"})
    for p, principal in ((s.producer, "xsale-producer"), (s.updater, "status-updater"), (s.consumers[0], "erp-mag-1")):
        p.arguments += as_(principal)
    s.consumers[0].arguments += ["-X", "consumer.queue_records=3"]      # so that there is something to look ahead for
    wanted = rights()
    grant(s, wanted)
    work(s)
    seen = decisions(s, s.kafka)
    check(seen, "the broker logged decisions")
    denied = sorted(d for d in seen if not d[0])
    equal(denied, [], "what was denied")
    equal([r for r in sorted(wanted) if not any(d[0] and covers(r, d) for d in seen)], [], "rights that nobody used")


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",), start=False, warehouses=("MAG-1",))
