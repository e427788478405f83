#!/usr/bin/env python3
"""schemas/erp/sqlserver.sql and the statements in its head, read by Microsoft's own T-SQL parser (ScriptDom, as maxdop brings it) with the grammar of SQL Server
2017, the oldest version that the file names. That the parser is really asked is seen from copies with one mistake each, which it refuses.
What this does not show: nothing runs. Names, types, options, permissions, and what the procedure does, are SQL Server's to judge."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "schemas", "erp", "sqlserver.sql")
PARSER = os.path.join(os.path.dirname(sys.executable), "maxdop")
MISTAKES = (("CREATE SEQUENCE", "CREATE SEQENCE"), ("PRIMARY KEY (organization", "PRIMARY KEY organization"), ("WITH (UPDLOCK", "WITH (UPDLOCKED"),
            ("THROW 50001, @words, 1", "THROW 50001 @words"), ("OUTER APPLY", "OUTER APLY"), ("END;\nGO", "GO"), ("IF @withdrawn = 1", "IF @withdrawn := 1"),
            ("IF @withdrawn = 1", "IF @withdrawn IS NOT DISTINCT FROM 1"))      # the last is no mistake in SQL Server 2022


def refusal(text):
    """Why the parser refuses it; empty: it does not."""
    r = subprocess.run([PARSER, "--parser-version", "2017"], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", timeout=60)
    if r.returncode not in (0, 1):
        sys.exit(f"{PARSER}: exit code {r.returncode}: {r.stderr}")
    return (r.stderr or "refused without a word") if r.returncode else ""


def statements(script):
    """Those offered for [erp.sql], with variables where the driver puts its parameters."""
    found = re.findall(r"^--   (\w*statement) = (.*)$", script, re.M)
    return {name: re.sub(r":(\w+)", r"@\1", text) for name, text in found}


def main():
    with open(SCRIPT, encoding="utf-8") as f:
        script = f.read()
    offered = statements(script)
    wrong = [f"{name}: {why}" for name, text in {"sqlserver.sql": script, **offered}.items() if (why := refusal(text))]
    if sorted(offered) != ["statement", "withdraw_statement"]:
        wrong.append(f"statements in the head: {sorted(offered)}")
    for right, mistake in MISTAKES:
        if right not in script:
            wrong.append(f"the script has no {right!r} any more")
        elif not refusal(script.replace(right, mistake, 1)):
            wrong.append(f"the parser accepts {mistake!r}")
    print(*wrong, f"{script.count(chr(10) + 'GO')} batches and {len(offered)} statements parsed, {len(MISTAKES)} mistakes tried", sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
