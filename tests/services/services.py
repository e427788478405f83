"""Real Kafka (KRaft, one node) and the Apicurio schema registry, fetched once by Maven into build/services and started on free ports of
127.0.0.1. Each child is killed by the kernel when the process that started it ends."""
import atexit
import ctypes
import fcntl
import glob
import http.client
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CACHE = os.environ.get("BRIDGE_SERVICES", os.path.join(ROOT, "build", "services"))
KAFKA, APICURIO = "4.3.1", "3.0.9"
COMPATIBLE = "/apis/ccompat/v7"      # where Apicurio speaks the Confluent API
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"      # any id will do: each broker lives in a directory of its own


CLAIMS = []       # one socket for each port that this process was given; they end with it


def claimed(port):
    """false: another test of this machine was given that port and has perhaps not used it yet. A name of the kernel's own, gone with the process."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0xsale-bridge-test-port-{port}")
    except OSError:
        claim.close()
        return False
    CLAIMS.append(claim)
    return True


def free_port():
    """A port below those that the kernel gives to outgoing connections: nobody takes it before whoever asked for it has started."""
    for _ in range(1000):
        port = random.SystemRandom().randrange(10240, 32768)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if claimed(port):
            return port
    raise RuntimeError("no free port")


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)      # PR_SET_PDEATHSIG


def maven(*arguments):
    command = ["mvn", "-B", "-q", *arguments]
    for attempt in range(3):
        r = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if r.returncode == 0:
            return
        time.sleep(2 + 5 * attempt)
    raise RuntimeError("mvn failed:\n" + r.stdout[-4000:])


def cached(name, fetch):
    """Directory of `name` in the cache, made once by fetch(temporary directory), whoever comes first."""
    os.makedirs(CACHE, exist_ok=True)
    target = os.path.join(CACHE, name)
    with open(os.path.join(CACHE, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(target):
            part = tempfile.mkdtemp(prefix=name + ".", dir=CACHE)
            try:
                fetch(part)
                os.rename(part, target)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return target


def kafka_home():
    return cached(f"kafka-{KAFKA}", lambda d: maven("-f", os.path.join(HERE, "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={d}"))


def fetch_apicurio(directory):
    maven("dependency:copy", f"-Dartifact=io.apicurio:apicurio-registry-app:{APICURIO}:tar.gz:all", f"-DoutputDirectory={directory}")
    for archive in glob.glob(os.path.join(directory, "*.tar.gz")):
        subprocess.run(["tar", "-xzf", archive, "-C", directory], check=True)
        os.remove(archive)


def apicurio_jar():
    home = cached(f"apicurio-{APICURIO}", fetch_apicurio)
    jars = glob.glob(os.path.join(home, "**", "apicurio-registry-app-*-runner.jar"), recursive=True)
    if len(jars) != 1:
        raise RuntimeError(f"no runner in {home}")
    return jars[0]


class Service:
    """A child process with a log file of its own; start, stop, kill -9 and start again with the same data and port."""
    patience = 90

    def __init__(self, name):
        self.directory = tempfile.mkdtemp(prefix=f"bridge-{name}-")
        self.name, self.process = name, None
        self.log = os.path.join(self.directory, "log.txt")
        atexit.register(self.close)

    def launch(self, command):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                                            preexec_fn=die_with_parent, process_group=0)
        end = time.monotonic() + self.patience
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                with open(self.log, encoding="utf-8", errors="replace") as f:
                    tail = f.read()[-3000:]
                self.kill()
                raise RuntimeError(f"{self.name} did not start:\n{tail}")
            time.sleep(0.1)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Kafka(Service):
    def __init__(self, port=None, more=None, scram=(), **settings):
        """settings: with _ for each dot; more: a dict of those whose names do not allow that. scram: what `format --add-scram` takes."""
        super().__init__("kafka")
        self.home = kafka_home()
        self.port, controller = port or free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        lines = {
            "process.roles": "broker,controller", "node.id": 1, "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "controller.listener.names": "CONTROLLER",
            "log.dirs": os.path.join(self.directory, "data"), "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1, "transaction.state.log.num.partitions": 4,
            "default.replication.factor": 1, "min.insync.replicas": 1, "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false", "log.cleaner.backoff.ms": 200, "log.cleaner.dedupe.buffer.size": 16777216,
            "group.min.session.timeout.ms": 1000, "group.consumer.session.timeout.ms": 6000, "group.consumer.min.session.timeout.ms": 1000,
            "group.consumer.heartbeat.interval.ms": 1000, "group.consumer.min.heartbeat.interval.ms": 500}
        lines.update({k.replace("_", "."): v for k, v in settings.items()})
        for k, v in (more or {}).items():
            lines[k] = f"{lines[k]},{v}" if k in ("listeners", "advertised.listeners") else v      # those besides PLAINTEXT
        self.properties = os.path.join(self.directory, "server.properties")
        with open(self.properties, "w", encoding="utf-8") as f:
            f.writelines(f"{k}={v}\n" for k, v in lines.items())
        run = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", self.home + "/*", "kafka.tools.StorageTool"]
        subprocess.run([*run, "format", "--standalone", "-t", CLUSTER, "-c", self.properties, *(w for u in scram for w in ("--add-scram", u))], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.directory)
        self.start()

    def start(self):
        self.launch(["java", "-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", self.home + "/*",
                     "kafka.Kafka", self.properties])

    def answers(self):
        """An open port is not a broker yet: it must answer a request (ApiVersions, version 0)."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as s:
                s.sendall(struct.pack(">ihhih", 10, 18, 0, 1, -1))
                return len(s.recv(4)) == 4
        except OSError:
            return False

    def restart(self):
        os.replace(self.log, self.log + ".old")
        self.start()


class Registry(Service):
    def __init__(self, port=None):
        super().__init__("registry")
        self.jar, self.port = apicurio_jar(), port or free_port()
        self.url = f"http://127.0.0.1:{self.port}{COMPATIBLE}"
        self.start()
        self.level("BACKWARD_TRANSITIVE")

    def start(self):
        self.launch(["java", "-Xmx400m", "-XX:+UseSerialGC", "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={self.port}", "-jar", self.jar])

    def answers(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            c.request("GET", COMPATIBLE + "/subjects")
            return c.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            c.close()

    def level(self, level):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        c.request("PUT", COMPATIBLE + "/config", '{"compatibility": "%s"}' % level, {"Content-Type": "application/vnd.schemaregistry.v1+json"})
        status = c.getresponse().status
        c.close()
        if status != 200:
            raise RuntimeError(f"the registry refused its configuration: {status}")


def main(make, show):
    """Body of the scripts: starts, prints what to use, ends on SIGTERM, SIGINT or with --stdin at the end of standard input."""
    def end(*_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(0)
    signal.signal(signal.SIGTERM, end)
    if "--fetch" in sys.argv:
        kafka_home()
        apicurio_jar()
        return
    service = make()
    try:
        print(show(service), f"pid={service.process.pid}", f"directory={service.directory}", sep="\n", flush=True)
        if "--stdin" in sys.argv:
            sys.stdin.read()
        else:
            signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        service.stop()
        service.close()
