"""The Debian packages as an administrator meets them: made by cpack, clean for lintian, units that systemd rates as well confined; installed on a new Debian 12
root, started there by a real systemd under their units (with DynamicUser, credentials and watchdog), orders moved through the whole loop, upgraded while at
work without losing or doubling one, and purged without a trace. Needs root and systemd-nspawn."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from harness import MIXES, check, equal, main, wait      # noqa: E402
import services     # noqa: E402

PACKAGES = ["xsale-bridge-common", "xsale-bridge-consumer", "xsale-bridge-producer"]
PROGRAMS = ["xsale-producer", "status-updater", "erp-consumer", "order-replay"]
UNITS = ["xsale-producer", "status-updater", "erp-consumer@MAG-1", "erp-consumer@MAG-2"]
SECRETS = {"xsale/client_secret": "simulated-client-secret", "xsale/password": "simulated-password", "erp/authorization": "Bearer of-the-erp"}
EXPOSURE_MAX = 2.0      # systemd's scale goes from 0 (confined) to 10


def run(*command, timeout=300, **more):
    r = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, **more)
    check(r.returncode == 0, lambda: f"{' '.join(command)[:200]}: code {r.returncode}: {r.stdout[-3000:]}")
    return r.stdout


def make(s, version, where):
    """The packages, sorted by name."""
    run("cpack", "-B", where, "-D", f"CPACK_PACKAGE_VERSION={version}", cwd=s.build)
    found = sorted(glob.glob(os.path.join(where, f"*_{version}_*.deb")))
    equal([os.path.basename(f).split("_")[0] for f in found], PACKAGES, "packages")
    return found


def aged(deb, directory):
    """The package with the common files, as of a version whose example configuration was another one."""
    run("dpkg-deb", "-R", deb, directory)
    path = os.path.join(directory, "etc/xsale-bridge/bridge.ini")
    with open(path, encoding="utf-8") as f:
        rows = f.readlines()
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(rows[:-3])
    run("dpkg-deb", "--root-owner-group", "-b", directory, deb)


class Flow(threading.Thread):
    """Orders that come in while something else goes on."""

    def __init__(self, s, first):
        super().__init__(daemon=True)
        self.stack, self.first, self.ids, self.over = s, first, [], threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.3):
            self.ids += self.stack.xsale.post("generate", {"count": 6, "first": self.first + len(self.ids), "warehouses": MIXES})["ids"]

    def end(self):
        self.over.set()
        self.join()
        return self.ids


def contents(debs):
    held = "".join(run("dpkg-deb", "-c", d) for d in debs)
    for program in PROGRAMS:
        for path in (f"usr/bin/{program}", f"usr/share/man/man1/{program}.1.gz", f"usr/share/bash-completion/completions/{program}"):
            check(f" ./{path}\n" in held, f"the packages lack {path}")
    for path in ("etc/xsale-bridge/bridge.ini", "usr/share/man/man5/bridge.ini.5.gz", "usr/share/doc/xsale-bridge/examples/bridge.ini", "usr/share/xsale-bridge/schemas/Order.avsc",
                 "usr/share/xsale-bridge/schemas/erp/postgresql.sql", *(f"usr/lib/systemd/system/{u}.service" for u in ("xsale-producer", "status-updater", "erp-consumer",
                                                                                                                        "erp-consumer@"))):
        check(f" ./{path}\n" in held, f"the packages lack {path}")
    check("usr/share/xsale-bridge/monitoring/" in held, "the packages lack the monitoring rules")
    said = run("lintian", "--fail-on", "error", "--allow-root", *debs)
    check("E: " not in said, lambda: f"lintian: {said}")


def confined(debs, where):
    for deb in debs:
        run("dpkg-deb", "-x", deb, where)
    for unit in glob.glob(os.path.join(where, "usr/lib/systemd/system/*.service")):
        said = run("systemd-analyze", "security", "--offline=yes", "--no-pager", unit)
        score = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
        check(score and float(score[1]) <= EXPOSURE_MAX, lambda: f"{os.path.basename(unit)}: {said[-200:]}")
        print(os.path.basename(unit), "exposure", score[1])
        with open(unit, encoding="utf-8") as f:
            text = f.read()
        check("DynamicUser=yes" in text and "LoadCredential=" in text and "WatchdogSec=" in text and "@" not in text.replace("@system-service", "").replace("@privileged", ""),
              f"{unit} lacks something")


class Machine:
    """A booted Debian 12 in a directory, on this machine's network."""

    def __init__(self, s, debs, directory):
        self.root = os.path.join(directory, "root")
        held = os.path.join(directory, "debs")
        shutil.copytree(os.path.dirname(debs[0]), held, ignore=lambda _, names: [n for n in names if not n.endswith(".deb")])
        run("mmdebstrap", "--variant=minbase", "--mode=root", "--include=systemd,systemd-sysv,dbus", f"--customize-hook=copy-in {held} /",
            '--customize-hook=chroot "$1" sh -c "apt-get install -y --no-install-recommends /debs/*.deb"', "bookworm", self.root, timeout=600)
        self.process = None
        s.part(self)

    def boot(self):
        self.log = open(self.root + ".log", "wb")
        # cgroup namespaces and registration are for machines that are managed; this one is ours alone
        self.process = subprocess.Popen(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe", "-D", self.root, "--boot"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=services.die_with_parent, process_group=0)
        wait("the machine to be up", 400, self.up)

    def up(self):
        self.leader = self.find_leader()        # looked for anew: what is there at first only starts the machine's first process
        return self.leader and self.try_("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def find_leader(self):
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path, encoding="ascii") as f:
            children = f.read().split()
        return children[-1] if children else None

    def try_(self, *command):
        return subprocess.run(["nsenter", "-t", self.leader, "-m", "-u", "-i", "-p", "-r", "-w", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=400, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                                                                                 "LC_ALL": "C.UTF-8"})

    def run(self, *command):
        r = self.try_(*command)
        check(r.returncode == 0, lambda: f"{' '.join(command)}: code {r.returncode}: {r.stdout[-3000:]}\n" + self.journal())
        return r.stdout

    def journal(self):
        return self.try_("journalctl", "--no-pager", "-n", "60").stdout

    def property(self, unit, name):
        return self.run("systemctl", "show", "--value", "-p", name, unit + ".service").strip()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()        # the machine shuts down
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process:
            self.log.close()


def configure(s, m, ports):
    settings = {k: dict(v) for k, v in s.settings.items()}
    del settings["xsale"]["client_secret"], settings["xsale"]["password"]
    settings["xsale"].update(client_secret_file="secrets/xsale/client_secret", password_file="secrets/xsale/password")
    settings["erp.http"].update(authorization_file="secrets/erp/authorization")
    settings["http"] = {"producer_port": ports[0], "updater_port": ports[1]}
    etc = os.path.join(m.root, "etc/xsale-bridge")
    with open(os.path.join(etc, "bridge.ini"), "w", encoding="utf-8") as f:
        for section, rows in settings.items():
            f.write(f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in rows.items()) + "\n")
    for n, warehouse in enumerate(("MAG-1", "MAG-2")):
        with open(os.path.join(etc, warehouse + ".env"), "w", encoding="utf-8") as f:
            f.write(f"BRIDGE_HTTP_CONSUMER_PORT={ports[2 + n]}\n")
    for name, secret in SECRETS.items():
        path = os.path.join(etc, "secrets", name)
        with open(path, "w", encoding="utf-8", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
            f.write(secret + "\n")


def works(s, m):
    m.run("sh", "-c", "cd /etc/xsale-bridge && xsale-producer -c bridge.ini --check-config && erp-consumer -c bridge.ini --check-config")
    ids = s.generate(12)
    for unit in UNITS:
        m.run("systemctl", "start", unit)      # returns when the unit says that it is ready to work
    wait("every order left the new status", 120, lambda: s.xsale.get("counts")["Nowe"] == 0, 0.3)
    s.verify(ids)
    for unit in UNITS:
        pid = m.property(unit, "MainPID")
        status = dict(line.split(":", 1) for line in m.run("cat", f"/proc/{pid}/status").splitlines())
        check(int(status["Uid"].split()[0]) > 60000, f"{unit} runs as {status['Uid']}")
        equal(int(status["CapEff"], 16), 0, f"capabilities of {unit}")
        equal(m.property(unit, "StatusText") != "", True, f"{unit} tells what it does")
    return ids


def install(m, version, *options):
    return m.run("sh", "-c", f"apt-get install -y --no-install-recommends {' '.join(options)} -o Dpkg::Options::=--force-confold /debs/*_{version}_*.deb")


def upgraded(s, m, version, ids):
    """With orders in every program's hands; ids: those of before."""
    before = {u: m.property(u, "MainPID") for u in UNITS}
    s.erp.post("settings", {"latency": 0.1})
    flow = Flow(s, 200000)
    wait("loads are under way", 120, lambda: len(s.documents()) >= 60, 0.2)
    install(m, version)
    for unit in UNITS:
        equal(m.property(unit, "ActiveState"), "active", f"{unit} after the upgrade")
        check(m.property(unit, "MainPID") != before[unit], f"{unit} was not started again by the upgrade")
    documents = len(s.documents())
    wait("loads are under way again", 120, lambda: len(s.documents()) >= documents + 30, 0.2)
    ids = ids + flow.end()
    wait("every order left the new status", 120, lambda: s.xsale.get("counts")["Nowe"] == 0, 0.3)
    s.verify(ids)
    print(f"{len(ids)} orders, {documents} documents when the upgrade was done, {s.erp.get('summary')['repeated']} loads repeated")


def wrong(m, version):
    """A mistake in the configuration: told in the journal, no restart in a circle, and an upgrade comes to its end all the same."""
    path = os.path.join(m.root, "etc/xsale-bridge/bridge.ini")
    with open(path, "a", encoding="utf-8") as f:
        f.write("\n[consumer]\nconcurency = 3\n")
    check("not everything that ran was started again" in install(m, version, "--reinstall"), "the upgrade does not say that a program did not start")
    wait("the unit to stay down", 120, lambda: m.property("erp-consumer@MAG-1", "ActiveState") == "failed")
    check("concurrency" in m.run("journalctl", "--no-pager", "-u", "erp-consumer@MAG-1"), "the journal does not name the mistake")
    check("half-configured" not in m.run("dpkg", "-s", *PACKAGES), "a package is half configured")


def purged(m):
    m.run("systemctl", "enable", *UNITS)
    m.run("apt-get", "purge", "-y", *PACKAGES)
    left = [p for pattern in ("etc/xsale-bridge*", "usr/share/xsale-bridge*", "usr/share/doc/xsale-bridge*", "usr/bin/*xsale*", "usr/bin/erp-consumer", "usr/lib/systemd/system/*erp-consumer*")
            for p in glob.glob(os.path.join(m.root, pattern))]
    for p in list(left):        # what the administrator wrote beside the configuration stays
        if p.endswith("etc/xsale-bridge") and set(os.listdir(p)) <= {"MAG-1.env", "MAG-2.env"}:
            left.remove(p)
    equal(left, [], "files left behind")
    equal(glob.glob(os.path.join(m.root, "etc/systemd/system/*.wants/*erp-consumer*")), [], "units that are still enabled")
    for unit in UNITS:
        check(m.property(unit, "ActiveState") in ("inactive", "failed"), f"{unit} still runs")


def test(s):
    directory = tempfile.mkdtemp(prefix="packages-", dir=s.directory)
    version = run(s.producer.path, "--version").split()[-1]
    old = make(s, version, os.path.join(directory, "old"))
    contents(old)
    confined(old, os.path.join(directory, "files"))
    aged(old[0], os.path.join(directory, "aged"))
    m = Machine(s, old, directory)
    m.boot()
    configure(s, m, [services.free_port() for _ in range(4)])
    ids = works(s, m)
    for deb in make(s, version + ".1", os.path.join(directory, "new")):
        shutil.copy(deb, os.path.join(m.root, "debs"))
    upgraded(s, m, version + ".1", ids)
    wrong(m, version + ".1")
    purged(m)


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",), erp=("--authorization", SECRETS["erp/authorization"]))
