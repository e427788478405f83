"""A cap on the memory of one process, which the kernel keeps: a control group (version 2 or 1, whichever this machine has its memory controller in), as systemd makes one
for MemoryMax=. Needs root."""
import contextlib
import glob
import os
import re
import subprocess
import tempfile
import time

from harness import ROOT, check

FILES = {2: ("memory.max", "memory.peak", "memory.current"), 1: ("memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.usage_in_bytes")}
MOUNT, CAGE = "bridge-cgroup-", "bridge-test-"


def memory_max():
    """Of our units, in bytes."""
    with open(os.path.join(ROOT, "common/package/service.conf"), encoding="utf-8") as f:
        size, unit = re.search(r"^MemoryMax=(\d+)([MG])$", f.read(), re.M).groups()
    return int(size) << {"M": 20, "G": 30}[unit]


def mounted():
    """(version, directory) of the tree that has the memory controller; mounted here if nobody has done it."""
    with open("/proc/self/mounts", encoding="utf-8") as f:
        rows = [line.split() for line in f]
    for _, path, kind, options, *_ in rows:
        if kind == "cgroup" and "memory" in options.split(","):
            return 1, path
        if kind == "cgroup2" and "memory" in words(path + "/cgroup.controllers"):
            return 2, path
    path = tempfile.mkdtemp(prefix=MOUNT)
    for version, command in ((2, ["cgroup2", "none"]), (1, ["cgroup", "-o", "memory", "none"])):
        if subprocess.run(["mount", "-t", *command, path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            if version == 1 or "memory" in words(path + "/cgroup.controllers"):
                return version, path
            subprocess.run(["umount", path], check=True)
    os.rmdir(path)
    return None


def words(path):
    with contextlib.suppress(OSError), open(path, encoding="ascii") as f:
        return f.read().split()
    return []


class Cage:
    def __init__(self, name, most):
        found = mounted()
        check(found, "no memory controller: neither version of control groups is there, or this is not root")
        self.version, top = found
        if self.version == 2:
            with open(top + "/cgroup.subtree_control", "w", encoding="ascii") as f:
                f.write("+memory")
        self.path = f"{top}/{CAGE}{os.getpid()}-{name}"
        os.mkdir(self.path)
        self.files = [os.path.join(self.path, f) for f in FILES[self.version]]
        self.limit(most)

    def limit(self, most):
        with open(self.files[0], "w", encoding="ascii") as f:
            f.write(str(most))

    def put(self, p):
        """A program that was started just now."""
        with open(self.path + "/cgroup.procs", "w", encoding="ascii") as f:
            f.write(str(p.process.pid))

    def peak(self):
        return int(words(self.files[1])[0])

    def usage(self):
        return int(words(self.files[2])[0])

    def killed(self):
        """How many processes the kernel has ended for want of memory."""
        rows = words(self.path + ("/memory.events" if self.version == 2 else "/memory.oom_control"))
        return int(rows[rows.index("oom_kill") + 1])

    def refused(self):
        """How often there was no more room at first."""
        rows = words(self.path + ("/memory.events" if self.version == 2 else "/memory.failcnt"))
        return int(rows[rows.index("max") + 1] if self.version == 2 else rows[0])

    def close(self):
        for _ in range(50):
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
                break
            time.sleep(0.1)     # the last process in it is not quite gone
        top = os.path.dirname(self.path)
        if os.path.basename(top).startswith(MOUNT) and not glob.glob(f"{top}/{CAGE}*"):     # mounted by a test, and this is the last cage in it
            if subprocess.run(["umount", top], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
                os.rmdir(top)
