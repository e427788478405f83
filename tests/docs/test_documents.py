"""What the documents say can be typed: every option of our programs in them exists, the least configuration of the README is right, and every link leads somewhere."""
import argparse
import glob
import os
import re
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAMS = {"xsale-producer": "producer", "status-updater": "producer", "erp-consumer": "consumer", "order-replay": "consumer"}
DOCUMENTS = [os.path.join(ROOT, "README.md"), *sorted(glob.glob(os.path.join(ROOT, "common", "docs", "*.md")))]


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def anchors(path):
    return [re.sub(r"[^a-z0-9 _-]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", read(path), re.M)]


def links(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", read(path)):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        assert os.path.exists(target), f"{path}: {link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{path}: {link}: no such heading"


def commands(text):
    """(program, words after it) of every command in the blocks and in the lines, up to a comment."""
    for row in re.findall(r"^```\n(.*?)^```", text, re.M | re.S) + re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text):
        for line in row.splitlines():
            for part in re.split(r"&&|\|", re.sub(r"\s#.*", "", line)):
                words = part.split()
                if words and words[0] in PROGRAMS:
                    yield words[0], words[1:]


def options(build, program, words):
    command = [os.path.join(build, PROGRAMS[program], program)]
    if program == "order-replay" and words and re.fullmatch(r"[a-z]+", words[0]):
        command.append(words[0])
    r = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, f"{' '.join(command)}: {r.stderr}"
    known = set(re.findall(r"^  (--?[A-Za-z-]+)", r.stdout.partition("\nOptions:\n")[2], re.M))
    for word in words:
        name = word.split("=")[0]
        assert not re.fullmatch(r"--?[A-Za-z][A-Za-z-]*", name) or name in known, f"{' '.join(command)} has no option {name}"


def least_configuration(build):
    text = re.search(r"^```ini\n(\[xsale\].*?)^```", read(DOCUMENTS[0]), re.M | re.S)[1]
    with tempfile.TemporaryDirectory(prefix="documents.") as d:
        os.makedirs(os.path.join(d, "secrets", "xsale"))
        for name in ("client_secret", "password"):
            with open(os.path.join(d, "secrets", "xsale", name), "w", encoding="utf-8") as f:
                f.write("secret\n")
        with open(os.path.join(d, "bridge.ini"), "w", encoding="utf-8") as f:
            f.write(text)
        for program, place in PROGRAMS.items():
            words = ["tail"] if program == "order-replay" else []
            r = subprocess.run([os.path.join(build, place, program), *words, "-c", "bridge.ini", "--check-config"], cwd=d, capture_output=True, text=True, timeout=60)
            assert r.returncode == 0, f"{program}: the README's configuration: {r.stderr}{r.stdout}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build, n = os.path.abspath(parser.parse_args().build), 0
    for path in DOCUMENTS:
        links(path)
        for program, words in commands(read(path)):
            try:
                options(build, program, words)
            except AssertionError as e:
                raise AssertionError(f"{path}: {e}") from None
            n += 1
    assert n >= 40, f"only {n} commands were found"
    least_configuration(build)


if __name__ == "__main__":
    main()
