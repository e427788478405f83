"""What is seen while the demonstration runs: a table that is drawn over itself on a terminal, lines otherwise; and the programs' own words."""
import os
import re
import shutil
import sys
import time


class Board:
    """full: the value whose bar is as long as it gets; None: no bars."""

    def __init__(self, columns, full=None):
        self.columns, self.full, self.begin, self.events = columns, full, time.monotonic(), []
        self.terminal = sys.stdout.isatty()
        self.drawn, self.last = 0, None

    def event(self, words):
        self.events.append(f"{time.monotonic() - self.begin:6.1f} s  {words}")
        if not self.terminal:
            print(self.events[-1], flush=True)

    def say(self, words):
        """Lines that stay: the table goes on below them."""
        print(words, flush=True)
        self.drawn, self.last = 0, None

    def show(self, values):
        if self.terminal:
            self.draw(values)
        elif values != self.last:
            self.last = values
            print(f"{time.monotonic() - self.begin:6.1f} s  " + "  ".join(f"{c}: {v}" for c, v in zip(self.columns, values)), flush=True)

    def draw(self, values):
        width = shutil.get_terminal_size().columns - 1      # a line that wraps would be two
        lines = [f"  {c:<42}{v:>6}  {self.bar(v)}" for c, v in zip(self.columns, values)]
        lines += ["", *("  " + e for e in self.events[-8:])]
        if self.drawn:
            sys.stdout.write(f"\x1b[{self.drawn}F")
        sys.stdout.write("".join(f"\x1b[2K{row[:width]}\n" for row in lines) + "\x1b[J")
        sys.stdout.flush()
        self.drawn = len(lines)

    def bar(self, value):
        return "#" * (min(value, self.full) * 40 // self.full) if self.full and isinstance(value, int) else ""


class Complaints:
    """The warnings and errors that programs have logged since the last look: each kind and each reason once. ignored: words of lines that mean nothing here."""

    LINE = re.compile(r"\S+Z (?P<level>warn|error) (?P<text>\w+.*)")

    def __init__(self, programs, ignored=()):
        self.programs, self.ignored, self.read, self.told = programs, ignored, {}, set()

    def new(self):
        found = []
        for p in self.programs:
            for line in self.lines(p):
                match = self.LINE.fullmatch(line)
                if match and not any(words in line for words in self.ignored) and self.is_new(p, match["text"]):
                    found.append(f"{p.program}: {match['text']}")
        return found

    def is_new(self, program, text):
        why = re.search(r'why=("(?:[^"\\]|\\.)*"|\S+)', text)
        kind = program.name, re.sub(r"\d+", "", why[1] if why else text.split(" repeated=")[0])
        return kind not in self.told and not self.told.add(kind)

    def lines(self, program):
        """Whole lines only: the last one may be half-written."""
        if not os.path.exists(program.log):
            return []
        with open(program.log, "rb") as f:
            f.seek(self.read.get(program.log, 0))
            text, last, _ = f.read().rpartition(b"\n")
        self.read[program.log] = self.read.get(program.log, 0) + len(text + last)
        return text.decode("utf-8", "replace").splitlines()
