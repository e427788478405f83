"""Writes common/monitoring/HANDBOOK.md from the texts of the alert rules; --check only compares."""
import os
import sys

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
PLACE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "common", "monitoring")

HEAD = """# Alerts of xsale-bridge: what each means and what to do

Made from `alerts.yml`, which Prometheus evaluates. `dashboard.json` shows the figures behind them, `prometheus.yml` how to scrape. Whatever stands still here, nothing is lost: orders
wait in xSale or on Kafka, and everything goes on by itself once the cause is gone, unless it is said otherwise. `/readyz` of each program (127.0.0.1:9101 producer, 9102 updater,
9103 consumer) names every dependency with its state, since when, the last error and what the program does about it.
"""


def handbook():
    with open(os.path.join(PLACE, "alerts.yml"), encoding="utf-8") as f:
        groups = yaml.safe_load(f)["groups"]
    text = HEAD
    for rule in (r for g in groups for r in g["rules"]):
        notes = rule["annotations"]
        text += f"\n## {rule['alert']}\n\n"
        text += f"Severity: {rule['labels']['severity']}" + (f", after {rule['for']}" if "for" in rule else "") + ".\n\n"
        text += f"**What it means.** {notes['meaning']}\n\n**What to do.** {notes['action']}\n\n"
        text += "```\n" + rule["expr"].strip() + "\n```\n"
    return text


if __name__ == "__main__":
    path = os.path.join(PLACE, "HANDBOOK.md")
    if sys.argv[1:] != ["--check"]:
        with open(path, "w", encoding="utf-8") as f:
            f.write(handbook())
        sys.exit(0)
    with open(path, encoding="utf-8") as f:
        if f.read() != handbook():
            sys.exit("HANDBOOK.md is not what tests/docs/handbook.py makes of alerts.yml: run it")
