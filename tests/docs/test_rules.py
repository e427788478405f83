"""Every alert has a text for people and unit tests, and speaks of metrics that the programs have."""
import os
import re
import subprocess
import sys

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PLACE = os.path.join(ROOT, "common", "monitoring")
PROCESS = {"up", "process_start_time_seconds", "process_open_fds", "process_max_fds", "xsale_bridge_loop_turn_seconds", "xsale_bridge_build_info"}


def known():
    """Names of the rows of every table."""
    found = set(PROCESS)
    for path in ("common/net/metrics.c", "producer/producer_metrics.c", "producer/updater_metrics.c", "consumer/consumer_metrics.c"):
        with open(os.path.join(ROOT, path), encoding="utf-8") as f:
            for name, kind in re.findall(r'\{"(xsale_bridge_\w+)", METRIC_(\w+)', f.read()):
                found |= {name + end for end in (("_bucket", "_sum", "_count") if kind == "HISTOGRAM" else ("",))}
    return found


def main():
    with open(os.path.join(PLACE, "alerts.yml"), encoding="utf-8") as f:
        rules = [r for g in yaml.safe_load(f)["groups"] for r in g["rules"]]
    with open(os.path.join(PLACE, "alerts.test.yml"), encoding="utf-8") as f:
        tested = [t["name"] for t in yaml.safe_load(f)["tests"]]
    assert [r["alert"] for r in rules] == tested, f"not tested: {[r['alert'] for r in rules if r['alert'] not in tested]}"
    names = known()
    for r in rules:
        assert set(r["annotations"]) == {"summary", "meaning", "action"}, r["alert"]
        used = set(re.findall(r"\b(?:up|process_\w+|xsale_bridge_\w+)\b", r["expr"]))
        assert used and used <= names, f"{r['alert']}: no such metric: {used - names}"
    subprocess.run(["promtool", "check", "rules", os.path.join(PLACE, "alerts.yml")], check=True)
    subprocess.run(["promtool", "test", "rules", os.path.join(PLACE, "alerts.test.yml")], check=True)
    subprocess.run(["promtool", "check", "config", "--syntax-only", os.path.join(PLACE, "prometheus.yml")], check=True)
    subprocess.run([sys.executable, os.path.join(HERE, "handbook.py"), "--check"], check=True)


if __name__ == "__main__":
    main()
