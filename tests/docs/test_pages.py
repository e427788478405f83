"""The installed manual pages and bash completions: complete, clean, and true to --help."""
import argparse
import gzip
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAMS = ("xsale-producer", "status-updater", "erp-consumer", "order-replay")
build = prefix = None


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, timeout=60, **more)


def program(name):
    return os.path.join(prefix, "bin", name)


def commands_of(name):
    """The commands that --help lists, by name."""
    listed = run(program(name), "--help").stdout.partition("\nCommands:\n")[2].partition("\nOptions:\n")[0]
    return re.findall(r"^  ([a-z]+)", listed, re.M)


def options_of(*words):
    return re.findall(r"^  (--?[A-Za-z-]+)", run(*words, "--help").stdout.partition("\nOptions:\n")[2], re.M)


class Pages(unittest.TestCase):
    def pages(self):
        found = []
        for at, _, names in os.walk(os.path.join(prefix, "share", "man")):
            found += [os.path.join(at, name) for name in names]
        return sorted(found)

    def test_every_program_and_the_configuration_have_a_page(self):
        names = [os.path.relpath(page, os.path.join(prefix, "share", "man")) for page in self.pages()]
        self.assertEqual(names, sorted([f"man1/{name}.1.gz" for name in PROGRAMS] + ["man5/bridge.ini.5.gz"]))

    def test_mandoc_finds_nothing_to_say_about_them(self):
        """It looks for the pages that are referred to where the system has its own; ours stand in the prefix."""
        ours = {os.path.basename(page).removesuffix(".gz") for page in self.pages()}
        with tempfile.TemporaryDirectory() as plain:        # mandoc checks no compressed ones
            pages = [os.path.join(plain, name) for name in sorted(ours)]
            for page, packed in zip(pages, sorted(self.pages(), key=os.path.basename)):
                with gzip.open(packed) as f, open(page, "wb") as to:
                    to.write(f.read())
            said = run("mandoc", "-T", "lint", "-W", "style", *pages).stdout.splitlines()
        left = []
        for line in said:
            reference = re.search(r"referenced manual not found: Xr (\S+) (\d)", line)
            if not reference or f"{reference[1]}.{reference[2]}" not in ours:
                left.append(line)
        self.assertEqual(left, [])

    def test_a_page_names_every_option_of_the_program_and_its_commands(self):
        for name in PROGRAMS:
            text = run("mandoc", "-T", "utf8", os.path.join(prefix, "share", "man", "man1", name + ".1.gz")).stdout
            text = re.sub(r".\x08", "", text)
            for words in [[]] + [[command] for command in commands_of(name)]:
                for word in words:
                    self.assertRegex(text, rf"\n   {word}\n")
                for option in options_of(program(name), *words):
                    self.assertIn(f"\n     {option}", text, f"{name} {words}")
        self.assertIn("rewind", commands_of("order-replay"))

    def test_the_page_of_the_configuration_names_every_key_of_the_example(self):
        text = run("mandoc", "-T", "utf8", os.path.join(prefix, "share", "man", "man5", "bridge.ini.5.gz")).stdout
        text = re.sub(r".\x08", "", text)
        with open(os.path.join(prefix, "share", "doc", "xsale-bridge", "examples", "bridge.ini"), encoding="utf-8") as f:
            example = f.read()
        keys = re.findall(r"^([a-z_.]+) =", example, re.M)
        self.assertGreater(len(keys), 80)
        for section in re.findall(r"^\[(.*)\]", example, re.M):
            self.assertIn(f"\n   [{section}]\n", text)
        for key in keys:
            self.assertRegex(text, rf"\n     {re.escape(key)}( |\n)")


class Terminal:
    """An interactive bash that has read the completions, with a TAB key."""

    def __init__(self, directory):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], dict(os.environ, TERM="dumb", PS1="> ", INPUTRC="/dev/null", HISTFILE="", COLUMNS="500"))
        self.n = 0
        self.send("bind 'set bell-style none'; stty -echo cols 500\n")
        for name in PROGRAMS:
            self.send(f"source '{prefix}/share/bash-completion/completions/{name}'\n")

    def send(self, text):
        os.write(self.fd, text.encode())

    def complete(self, line):
        """What the line becomes by one TAB. Control-A goes to its beginning, so that it is printed and not run."""
        self.n += 1
        self.send(f"{line}\t\x01printf '%s|' begin{self.n}'' \x05 end{self.n}''\n")
        seen, until = "", time.monotonic() + 60
        while f"|end{self.n}|" not in seen:
            if not select.select([self.fd], [], [], max(0, until - time.monotonic()))[0]:
                raise AssertionError(f"the shell did not answer: {seen}")
            seen += os.read(self.fd, 65536).decode(errors="replace")
        return re.search(rf"begin{self.n}\|(.*)\|end{self.n}\|", seen)[1].split("|")

    def close(self):
        self.send("\x15exit\n")
        os.waitpid(self.pid, 0)
        os.close(self.fd)


class Completion(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="completion.")
        open(os.path.join(self.directory, "my bridge.ini"), "w").close()
        self.terminal = Terminal(self.directory)

    def tearDown(self):
        self.terminal.close()
        shutil.rmtree(self.directory)

    def test_options_commands_settings_and_files_are_completed(self):
        for line, wanted in (
            ("erp-consumer --until", ["erp-consumer", "--until-end"]),
            ("xsale-producer --o", ["xsale-producer", "--once"]),
            ("status-updater --check-c", ["status-updater", "--check-config"]),
            ("erp-consumer -c my", ["erp-consumer", "-c", "my bridge.ini"]),
            ("erp-consumer --check-order my", ["erp-consumer", "--check-order", "my bridge.ini"]),
            ("erp-consumer -X consumer.ware", ["erp-consumer", "-X", "consumer.warehouse="]),
            ("erp-consumer -X xsale.use", ["erp-consumer", "-X", "xsale.use"]),  # not its own
            ("order-replay rew", ["order-replay", "rewind"]),
            ("order-replay -c rewind tai", ["order-replay", "-c", "rewind", "tail"]),  # there it was a file
            ("order-replay rewind --war", ["order-replay", "rewind", "--warehouse"]),
            ("order-replay rewind --foll", ["order-replay", "rewind", "--foll"]),
            ("order-replay tail --follow --lim", ["order-replay", "tail", "--follow", "--limit"]),
            ("order-replay tail --from my", ["order-replay", "tail", "--from", "my"]),  # no file
        ):
            self.assertEqual(self.terminal.complete(line), wanted)

    def test_every_option_and_command_can_be_completed(self):
        for name in PROGRAMS:
            for words in [[]] + [[command] for command in commands_of(name)]:
                for option in options_of(program(name), *words):
                    if len(option) > 2:
                        self.assertEqual(self.terminal.complete(" ".join([name, *words, option])), [name, *words, option])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    arguments, rest = parser.parse_known_args()
    build = arguments.build
    prefix = tempfile.mkdtemp(prefix="pages.")
    try:
        subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        unittest.main(argv=[sys.argv[0], *rest])
    finally:
        shutil.rmtree(prefix)
