"""A real Kafka that speaks TLS with client certificates, and SASL over TLS (PLAIN; with the newest librdkafka SCRAM-SHA-512, which Kafka 4 refuses from Debian's): every program works through both. A wrong password, an authority that nobody
knows, a certificate that has expired or is another host's are refused, and /readyz and the log say what is wrong and what can be done, never the password; with the right
password in its file the program goes on by itself."""
import os
import subprocess

from harness import check, equal, main, services, wait
import certificates

PASSWORD, WRONG = "canary-scram-password-3e8d", "canary-wrong-password-77aa"
PLAIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_bridge="{PASSWORD}";'
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class Secure:
    """One broker, a listener for each case. PLAINTEXT stays for the harness."""
    listeners = ("MUTUAL", "SCRAM", "EXPIRED", "ELSEWHERE")

    def __init__(self, s):
        self.directory = s.directory
        self.mechanism = "SCRAM-SHA-512" if s.build.endswith("newest") else "PLAIN"
        self.authority = certificates.Authority(s.directory)
        self.stranger = certificates.Authority(s.directory, "Another CA")
        self.ports = {n: services.free_port() for n in self.listeners}
        servers = {"EXPIRED": self.authority.issue("expired", days=-1), "ELSEWHERE": self.authority.issue("elsewhere", "DNS:kafka.example")}
        good = self.authority.issue("localhost")
        at = ",".join(f"{n}://localhost:{p}" for n, p in self.ports.items())
        more = {"listeners": at, "advertised.listeners": at, "inter.broker.listener.name": "PLAINTEXT",
                "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,MUTUAL:SSL,SCRAM:SASL_SSL,EXPIRED:SSL,ELSEWHERE:SSL",
                "listener.name.mutual.ssl.client.auth": "required"}
        for n in self.listeners:
            at = f"listener.name.{n.lower()}."
            more.update({at + "ssl.keystore.type": "PEM", at + "ssl.keystore.location": servers.get(n, good)[2],
                         at + "ssl.truststore.type": "PEM", at + "ssl.truststore.location": self.authority.file})
            if n == "SCRAM":
                more.update({at + "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN", at + "plain.sasl.jaas.config": PLAIN, at + "scram-sha-512.sasl.jaas.config": SCRAM})
        s.kafka = s.part(services.Kafka(more=more, scram=[f"SCRAM-SHA-512=[name=bridge,password={PASSWORD}]"]))
        self.password_file = self.write("password", PASSWORD)
        self.client = self.authority.issue("bridge")

    def write(self, name, text):
        """As whoever rotates secrets does it: a new file in the place of the old."""
        path = os.path.join(self.directory, name)
        with open(path + ".new", "w", encoding="ascii") as f:
            f.write(text + "\n")
        os.replace(path + ".new", path)
        return path

    def mutual(self, listener="MUTUAL", authority=None, client=None):
        certificate, key, _ = client or self.client
        return {"bootstrap.servers": f"localhost:{self.ports[listener]}", "security.protocol": "SSL", "ssl.ca.location": (authority or self.authority).file,
                "ssl.certificate.location": certificate, "ssl.key.location": key}

    def scram(self, password_file=None):
        return {"bootstrap.servers": f"localhost:{self.ports['SCRAM']}", "security.protocol": "SASL_SSL", "ssl.ca.location": self.authority.file,
                "sasl.mechanism": self.mechanism, "sasl.username": "bridge", "sasl.password_file": password_file or self.password_file}


def replay(s, *words):
    r = subprocess.run([os.path.join(s.build, "consumer/order-replay"), words[0], "-c", s.config_file, *words[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=60, cwd=s.working)
    return r.returncode, r.stdout


def works(s, kafka, ids, words):
    s.settings["kafka"] = kafka
    s.write_config()
    s.start()
    s.settled(90)
    wait(f"every program is ready through {words}", 60, lambda: all(p.ready() for p in s.programs.values()))
    code, text = replay(s, "explain", str(ids[0]))
    check(code == 0 and "IMPORTED" in text.upper(), f"order-replay explain through {words}: {code} {text}")
    code, text = replay(s, "waiting")
    equal(code, 0, f"order-replay waiting through {words}, which says {text}")
    s.stop()


def refusals(s, broker):
    """name -> (settings, words that /readyz must say of what is wrong)"""
    expired = broker.authority.issue("bridge-expired", days=-1)
    return {
        "a wrong password": (broker.scram(broker.write("wrong", WRONG)), ["sasl.password"]),
        "an authority that nobody knows": (broker.mutual(authority=broker.stranger), ["ssl.ca.location"]),
        "a broker's certificate that has expired": (broker.mutual("EXPIRED"), ["the broker's certificate has expired"]),
        "a certificate of another host": (broker.mutual("ELSEWHERE"), ["another name", "bootstrap.servers"]),
        "a client certificate that has expired": (broker.mutual(client=expired), ["ssl.certificate.location"]),
        "a client without a certificate": ({k: v for k, v in broker.mutual().items() if "key" not in k and "certificate" not in k}, ["ssl.certificate.location"]),
        "a client that does not speak TLS": ({"bootstrap.servers": f"localhost:{broker.ports['MUTUAL']}", "security.protocol": "plaintext"}, ["security.protocol"]),
        "a client that speaks TLS to a port that does not": ({**broker.mutual(), "bootstrap.servers": s.kafka.bootstrap}, ["security.protocol"]),
    }


def refused(s, broker):
    started = {}
    for i, (name, (kafka, words)) in enumerate(refusals(s, broker).items()):
        p = s.program("erp-consumer", f"refused-{i}", "-X", "consumer.warehouse=MAG-1", *(w for k, v in kafka.items() for w in ("-X", f"kafka.{k}={v}")))
        started[name] = (p.start(), words)
    s.settings["kafka"] = {}
    for name, (p, words) in started.items():
        said = lambda: (t := p.http("/readyz"))[0] == 503 and all(w in t[1] for w in words)
        wait(f"/readyz says {words} of {name}", 90, lambda: p.alive() and said(), 1)
    return started


def test(s):
    broker = Secure(s)
    s.start_registry()
    s.write_config(registry={"url": s.registry.url})
    ids = s.generate(12)
    works(s, broker.mutual(), ids, "client certificates")
    more = s.generate(12, first=100013)
    works(s, broker.scram(), ids, broker.mechanism)
    s.verify(ids + more)
    started = refused(s, broker)
    p, _ = started["a wrong password"]
    broker.write("wrong", PASSWORD)
    wait("it goes on with the right password", 90, lambda: p.alive() and p.ready())
    for p, _ in started.values():
        equal(p.stop(), 0, "exit code of one that was refused")
    for name in os.listdir(s.directory):
        if name.endswith(".log"):
            with open(os.path.join(s.directory, name), encoding="utf-8", errors="replace") as f:
                text = f.read()
            check(PASSWORD not in text and WRONG not in text, f"a password stands in {name}")


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",), start=False)
