"""Missing topics are made as designed; what is dangerous about existing ones stops the start, and the command that the words name mends it."""
import argparse
import os
import re
import subprocess
from json import loads

from harness import check, equal, main, services, wait


def admin(s):
    from confluent_kafka.admin import AdminClient
    return AdminClient({"bootstrap.servers": s.kafka.bootstrap})


def settings(s, topic):
    from confluent_kafka.admin import ConfigResource
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    client = admin(s)       # must outlive its answers
    return {k: v.value for k, v in client.describe_configs([resource])[resource].result(15).items()}


def seen(s, counts):
    """Until the broker tells of them: it answers a change before it has heard of it itself."""
    wait(f"the broker to have {counts}", 60, lambda: {t: len(m.partitions) for t, m in admin(s).list_topics(timeout=15).topics.items() if t in counts} == counts)


def create(s, name, partitions, **more):
    from confluent_kafka.admin import NewTopic
    client = admin(s)
    client.create_topics([NewTopic(name, partitions, 1, config=more)])[name].result(15)
    seen(s, {name: partitions})


def more_partitions(s, counts):
    from confluent_kafka.admin import NewPartitions
    client = admin(s)       # must outlive its answers
    for done in client.create_partitions([NewPartitions(t, n) for t, n in counts.items()]).values():
        done.result(15)
    seen(s, counts)


def mend(s, words):
    """Does what the command in the words says (Kafka's own scripts do not come with its jars): kafka-topics.sh by the same requests."""
    match = re.search(r"kafka-topics\.sh (--[^\"\n]*)", words)
    check(match, f"no kafka-topics.sh in {words}")
    p = argparse.ArgumentParser()
    for name in ("--bootstrap-server", "--topic"):
        p.add_argument(name, required=True)
    p.add_argument("--partitions", type=int, required=True)
    p.add_argument("--config", action="append", default=[])
    p.add_argument("--alter", action="store_true")
    p.add_argument("--create", action="store_true")
    a = p.parse_args(match[1].split())
    equal((a.bootstrap_server, a.alter), (s.kafka.bootstrap, not a.create), "the command's server and action")
    if a.create:
        create(s, a.topic, a.partitions, **dict(c.split("=", 1) for c in a.config))
    else:
        more_partitions(s, {a.topic: a.partitions})


def configure(words):
    """Runs the kafka-configs.sh that stands in the words, as a user would."""
    match = re.search(r"kafka-configs\.sh (--[^\"\n]*)", words)
    check(match, f"no kafka-configs.sh in {words}")
    command = ["java", "-cp", services.kafka_home() + "/*", "kafka.admin.ConfigCommand", *match[1].split()]
    r = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    equal(r.returncode, 0, f"{match[0]}: {r.stdout[-1500:]}")


def in_two_partitions(s):
    """The topics get more partitions and the orders are edited: explain shows both records of each, wherever they stand, what changed, and why there are two places."""
    orders = sorted(o["id"] for o in s.xsale.get("orders"))
    more_partitions(s, {"xsale." + t: 8 for t in ("orders", "order-outcomes", "order-status")})
    for order in orders:
        s.xsale.post(f"orders/{order}/edit", {"warehouses": ["MAG-1"]})
    code, text = s.producer.run("--once")
    equal(code, 0, f"exit code with more partitions, which says {text[-1500:]}")
    moved = 0
    for order in orders:
        both = [subprocess.run([os.path.join(s.build, "consumer/order-replay"), "explain", "-c", s.config_file, str(order), *json], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, timeout=90) for json in ([], ["--json"])]
        equal([r.returncode for r in both], [0, 0], f"codes of explain, which says {both[0].stderr}")
        found = loads(both[1].stdout)
        published = [e for e in found["events"] if e["kind"] == "published"]
        equal(len(published), 2, f"publications of {order}: {published}")
        check(published[1]["changes"] and not published[0]["changes"], f"what changed of {order}: {published}")
        equal("topic got more partitions" in both[0].stdout, len(found["partitions"]) == 2, f"the word why, of {order}: {both[0].stdout}")
        moved += len(found["partitions"]) == 2
    check(moved > 0, "no order has its records in two partitions")


def test(s):
    create(s, "xsale.order-state", 1, **{"cleanup.policy": "delete"})
    create(s, "xsale.orders", 6, **{"retention.ms": "3600000"})
    code, text = s.producer.run("--once")
    equal(code, 1, f"exit code with a topic that forgets, which says {text[-1500:]}")
    check("topic xsale.order-state has cleanup.policy=delete: old rows would be deleted" in text, f"no danger named: {text[-1500:]}")
    configure(text)
    s.generate(10)
    code, text = s.producer.run("--once")
    equal(code, 0, f"exit code after the command, which says {text[-1500:]}")
    check("message.timestamp.type" in text, "no warning of times that are not the broker's")
    check("retention.ms=3600000" in text, "no warning of records that are kept for an hour")

    found = {t: settings(s, "xsale." + t) for t in ("order-state", "order-outcomes", "order-status", "orders-dlq")}
    wanted = {"order-state": ("compact", None), "order-outcomes": ("delete", "2592000000"), "order-status": ("compact,delete", "31536000000"),
              "orders-dlq": ("delete", "2592000000")}
    for topic, (policy, retention) in wanted.items():
        equal(set(found[topic]["cleanup.policy"].split(",")), set(policy.split(",")), f"cleanup.policy of {topic}")
        check(retention in (None, found[topic]["retention.ms"]), f"retention.ms of {topic}: {found[topic]['retention.ms']}")
    equal({t: len(m.partitions) for t, m in admin(s).list_topics(timeout=15).topics.items() if t.startswith("xsale.")},
          {"xsale.orders": 6, "xsale.order-state": 1, "xsale.order-outcomes": 6, "xsale.order-status": 6, "xsale.orders-dlq": 1}, "partitions")

    in_two_partitions(s)

    # Counts that do not join: an empty prefix of its own.
    create(s, "other.orders", 4)
    code, text = s.producer.run("--once", "-X", "topics.prefix=other")
    equal(code, 1, f"exit code with other counts, which says {text[-1500:]}")
    mend(s, text)
    code, text = s.producer.run("--once", "-X", "topics.prefix=other")
    equal(code, 0, f"exit code after the command, which says {text[-1500:]}")

    # Nobody may make topics: the command that makes them stands in the words.
    p = s.program("xsale-producer", "producer-strict", "-X", "topics.prefix=strict", "-X", "topics.create=false").start()
    log = lambda: open(p.log, encoding="utf-8").read()
    wait("the command that makes a topic is named", 60, lambda: p.alive() and "kafka-topics.sh --bootstrap-server" in log())
    mend(s, log())
    p.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",), warehouses=())
