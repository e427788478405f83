"""xSale, the registry and the ERP behind certificates that must not be trusted: self-signed, expired, of an authority that is not in ca_file, of another host. Not one byte
is sent to any of them, and /readyz (of the ERP: --check-erp) says what is wrong with the certificate."""
import socket
import ssl
import threading

from harness import check, equal, main, wait
import certificates
from simulator import Simulator


class Server(threading.Thread):
    """Speaks TLS and notes what it is sent."""

    def __init__(self, file):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(file)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self.socket.getsockname()[1]}"
        self.refused, self.sent = 0, b""
        self.start()

    def run(self):
        while True:
            connection, _ = self.socket.accept()
            connection.settimeout(10)
            try:
                with self.context.wrap_socket(connection, server_side=True) as c:
                    self.sent += c.recv(4096)
                    self.refused += not self.sent
            except OSError:
                self.refused += 1


def test(s):
    authority = certificates.Authority(s.directory)
    stranger = certificates.Authority(s.directory, "Another CA")
    cases = {"self-signed": (certificates.self_signed(s.directory), "self-signed"), "expired": (authority.issue("expired", days=-1)[2], "expired"),
             "another host's": (authority.issue("other", "DNS:other.example")[2], "subject name"),
             "an unknown authority's": (stranger.issue("localhost")[2], "issuer")}
    begun = []
    for kind, (file, words) in cases.items():
        for name, program, keys in (("xsale", "xsale-producer", ("xsale.api_url", "xsale.auth_url")), ("registry", "erp-consumer", ("registry.url",))):
            server = Server(file)
            p = s.program(program, f"{name} {kind}", "-X", f"{name}.ca_file={authority.file}", *(w for k in keys for w in ("-X", f"{k}={server.url}")))
            begun.append((f"{name}: {kind}", p.start(), server, words))
    for what, p, server, words in begun:
        wait(f"/readyz says {words!r} of {what}", 60, lambda: p.alive() and (t := p.http("/readyz"))[0] == 503 and words in t[1] and "certificate" in t[1], 0.3)
        p.kill()
    for kind, (file, words) in cases.items():
        server = Server(file)
        c = s.program("erp-consumer", f"erp {kind}", "-X", f"erp.http.ca_file={authority.file}", "-X", f"erp.http.url={server.url}/orders")
        code, text = c.run("--check-erp")
        check(code == 1 and words in text, f"--check-erp, {kind}: {code} {text}")
        begun.append((f"erp: {kind}", c, server, words))
    for what, _, server, _ in begun:
        wait(f"somebody came ({what})", 60, lambda: server.refused > 0)     # its thread may count it later than the program says it
        equal(server.sent, b"", f"{what}: bytes sent to a server that is not trusted")
    good = s.part(Simulator("erp", "--certificate", authority.issue("localhost")[2]))
    code, text = s.program("erp-consumer", "erp", "-X", f"erp.http.ca_file={authority.file}", "-X", f"erp.http.url={good.url}/orders").run("--check-erp")
    equal(code, 0, f"--check-erp with a certificate that is trusted, which says {text}")


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",), warehouses=())
