"""docker-compose.yml as a user meets it: an engine of our own, the images of others replaced by stand-ins of the same name and conventions (made of what the package
registries have, since no registry of images is needed for the test), the bridge's image built from the Dockerfile, everything up with the profile demo; 300 orders reach
PostgreSQL and their statuses; the registry's schemas survive a restart; images are small, containers confined. Needs root."""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from harness import ROOT, Failed, check, equal, wait      # noqa: E402
import services     # noqa: E402

IMAGE_MAX = 120 * 10 ** 6
PROJECT = "bridgetest"
HERE = os.path.dirname(os.path.abspath(__file__))
IMAGES = os.path.join(HERE, "images")


class Engine:
    """dockerd with everything in one directory; its network is taken down again."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="bridge-engine-")
        d, self.number = self.directory, os.getpid() % 200 + 20
        self.bridge = f"brdg{self.number}"
        self.socket = f"unix://{d}/docker.sock"
        self.log = open(d + "/dockerd.log", "wb")
        subprocess.run(["ip", "link", "add", self.bridge, "type", "bridge"], check=True)
        subprocess.run(["ip", "addr", "add", f"172.31.{self.number}.1/24", "dev", self.bridge], check=True)
        subprocess.run(["ip", "link", "set", self.bridge, "up"], check=True)
        pool = f"--default-address-pool=base=10.213.{self.number}.0/24,size=26"
        self.process = subprocess.Popen(["dockerd", "--storage-driver=overlay2", f"--data-root={d}/data", f"--exec-root={d}/exec", f"--pidfile={d}/pid", "-H", self.socket,
                                         f"--bridge={self.bridge}", pool], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        preexec_fn=services.die_with_parent, process_group=0)
        self.environment = {**os.environ, "DOCKER_HOST": self.socket, "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0", "COMPOSE_PROJECT_NAME": PROJECT}
        try:
            wait("the engine to answer", 60, lambda: self.try_("/usr/bin/docker", "info").returncode == 0, 0.5)
        except Failed:
            with open(d + "/dockerd.log", encoding="utf-8", errors="replace") as f:
                print(f.read()[-3000:])
            self.close()
            raise

    def try_(self, *command, timeout=900, **more):
        return subprocess.run(command, stdin=more.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
                              env=self.environment, cwd=ROOT, **more)

    def run(self, *command, **more):
        r = self.try_(*command, **more)
        check(r.returncode == 0, lambda: f"{' '.join(command)}: code {r.returncode}: {r.stdout[-3000:]}")
        return r.stdout

    def docker(self, *command, **more):
        return self.run("/usr/bin/docker", *command, **more)

    def compose(self, *command, **more):
        return self.run("docker-compose", "--env-file", "tests/compose/demo.env", "--profile", "demo", *command, **more)

    def close(self):
        if self.process.poll() is None:
            try:
                self.try_("docker-compose", "--env-file", "tests/compose/demo.env", "--profile", "demo", "down", "-t", "5", "-v", timeout=120)
            except subprocess.TimeoutExpired:
                pass
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        subprocess.run(["ip", "link", "del", self.bridge], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for line in open("/proc/self/mounts", encoding="utf-8"):      # what a killed engine leaves
            path = line.split()[1]
            if path.startswith(self.directory):
                subprocess.run(["umount", "-l", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)


def stand_ins(e):
    """The images that docker-compose.yml and Dockerfile name, by the same names."""
    # "slim" leaves these out
    without = [f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in ("doc", "man", "locale", "info", "groff", "lintian", "linda")]
    base = subprocess.Popen(["mmdebstrap", "--variant=minbase", "--mode=root", "--quiet", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
                             "--include=usr-is-merged", *without, "bookworm", "-"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    e.docker("import", "-", "debian:12-slim", stdin=base.stdout)
    base.stdout.close()
    equal(base.wait(), 0, "mmdebstrap")
    with open(os.path.join(ROOT, "docker-compose.yml"), encoding="utf-8") as f:
        names = dict(re.findall(r"image: ((?:apache|apicurio|postgres|prom)[^:\s]*):(\S+)", f.read()))
    with tempfile.TemporaryDirectory(dir=e.directory) as context:
        shutil.copytree(services.kafka_home(), context + "/kafka")
        shutil.copytree(os.path.dirname(services.apicurio_jar()), context + "/apicurio")
        for name in os.listdir(IMAGES):
            shutil.copy(os.path.join(IMAGES, name), context)
        for image, tag in sorted(names.items()):
            e.docker("build", "-q", "-f", f"{context}/{image.split('/')[-1]}.dockerfile", "-t", f"{image}:{tag}", context)


def healthy(e):
    rows = [json.loads(line) for line in e.docker("ps", "-a", "--format", "{{json .}}").splitlines()]
    if any("Exited" in r["Status"] for r in rows):
        raise Failed(f"a container ended: {[(r['Names'], r['Status']) for r in rows]}")
    return len(rows) >= 9 and all("(healthy)" in r["Status"] for r in rows)


def sql(e, statement):
    return e.compose("exec", "-T", "postgres", "psql", "-U", "erp", "-d", "erp", "-Atc", statement).strip()


def statuses(e):
    """What the simulated xSale lists, by status name."""
    said = e.compose("exec", "-T", "xsale-simulator", "python3", "-c",
                     "import http.client, json, os, re\n"
                     "port = [int(l.split()[1].split(':')[1], 16) for l in open('/proc/net/tcp') if l.split()[3] == '0A' and l.split()[1].startswith('0100007F')][0]\n"
                     "c = http.client.HTTPConnection('127.0.0.1', port); c.request('GET', '/_sim/counts'); print(c.getresponse().read().decode())")
    return json.loads(said.strip().splitlines()[-1])


def confined(e):
    for name in ("producer", "updater", "consumer"):
        container = e.compose("ps", "-q", name).strip()
        found = json.loads(e.docker("inspect", container))[0]
        host = found["HostConfig"]
        equal((host["ReadonlyRootfs"], host["CapDrop"], host["SecurityOpt"], found["Config"]["User"]), (True, ["ALL"], ["no-new-privileges:true"], "10001"), name)
        told = json.dumps(found["Config"]) + e.docker("top", container)
        for secret in ("simulated-client-secret", "simulated-password", "simulated-database"):
            check(secret not in told, f"{name} shows a secret")
    size = json.loads(e.docker("inspect", "xsale-bridge"))[0]["Size"]
    labels = json.loads(e.docker("inspect", "xsale-bridge"))[0]["Config"]["Labels"]
    base = json.loads(e.docker("inspect", "debian:12-slim"))[0]["Size"]
    print(f"image {size / 1e6:.0f} MB, of which the base {base / 1e6:.0f} MB")
    with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as f:
        version = re.search(r"project\(xsale-bridge VERSION (\S+)", f.read())[1]
    equal((labels.get("org.opencontainers.image.licenses"), labels.get("org.opencontainers.image.version")), ("Apache-2.0", version), "labels")
    return size


def tried(e):
    """The command of docker-compose.yml that tries an ERP, against the simulated one."""
    with open(os.path.join(ROOT, "docker-compose.yml"), encoding="utf-8") as f:
        command = re.search(r"^#   docker compose (.*) run --rm ((?:.|\n)*? --check-erp)$", f.read(), re.M)
    check(command and command[1] == "--env-file tests/compose/demo.env", "the command in docker-compose.yml")
    said = e.compose("run", "--rm", "-T", *shlex.split(re.sub(r"\\\n#", " ", command[2])))
    check("ok" in said and "FAIL" not in said, lambda: f"--check-erp: {said[-3000:]}")
    print("\n".join(said.strip().splitlines()[-3:]))


def watched(e):
    """Prometheus scrapes the three programs and has our rules."""
    def ask(path):
        return json.loads(e.compose("exec", "-T", "prometheus", "wget", "-q", "-O", "-", "http://127.0.0.1:9090/api/v1/" + path).strip().splitlines()[-1])["data"]
    wait("three scraped programs", 60, lambda: [t["health"] for t in ask("targets")["activeTargets"]] == ["up"] * 3, 1)
    check(sum(len(g["rules"]) for g in ask("rules")["groups"]) >= 10, "alert rules are loaded")


def test(e):
    begin = time.monotonic()
    stand_ins(e)
    print(f"stand-ins made in {time.monotonic() - begin:.0f} s", flush=True)
    begin = time.monotonic()
    e.compose("build", "-q")
    print(f"built in {time.monotonic() - begin:.0f} s", flush=True)
    try:
        e.compose("up", "-d", "--no-build")
        wait("every container to be healthy", 240, lambda: healthy(e), 1)
        wait("every status to be set", 240, lambda: statuses(e).get("Zaimportowano do ERP") == 300, 2)
        equal(sql(e, "SELECT count(*), count(DISTINCT document_id), count(DISTINCT order_id) FROM xsale_order"), "400|400|300", "documents, ids and orders in PostgreSQL")
    except Failed:
        print(e.docker("ps", "-a"))
        print(e.try_("docker-compose", "--env-file", "tests/compose/demo.env", "--profile", "demo", "logs", "--tail=15").stdout[-9000:])
        raise
    size = confined(e)
    tried(e)
    watched(e)
    schemas = lambda: e.compose("exec", "-T", "registry", "bash", "-c",
                                "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET /apis/ccompat/v7/subjects HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3").splitlines()[-1]
    before = schemas()
    check("xsale.orders-value" in before, lambda: f"subjects: {before}")
    e.compose("restart", "-t", "20", "registry", "kafka")
    wait("every container to be healthy again", 240, lambda: healthy(e), 1)
    equal(sorted(json.loads(schemas())), sorted(json.loads(before)), "subjects after a restart")
    check(size <= IMAGE_MAX, f"the image has {size / 1e6:.0f} MB")


if __name__ == "__main__":
    begin = time.monotonic()
    engine = Engine()
    try:
        test(engine)
        print(f"ok in {time.monotonic() - begin:.1f} s", flush=True)
    except Failed as failure:
        print(f"FAILED after {time.monotonic() - begin:.1f} s: {failure}", flush=True)
        sys.exit(1)
    finally:
        engine.close()
