"""HTTPS with a certificate authority of one's own and compressed answers; nothing at all is asked of a server whose certificate nobody vouches for. And GET /me
finds the only organization, or lists several."""
import os
import subprocess

import harness
from harness import Stack, check, equal, main, wait


def certificate(directory):
    """A self-signed authority and, signed by it, a certificate for localhost: -> (authority, certificate and key in one file)"""
    at = lambda name: os.path.join(directory, name)
    run = lambda *words: subprocess.run(["openssl", *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *key, "-days", "2", "-subj", "/CN=Test CA", "-keyout", at("ca.key"), "-out", at("ca.pem"))
    run("req", *key, "-subj", "/CN=localhost", "-keyout", at("server.key"), "-out", at("server.csr"))
    with open(at("extensions"), "w", encoding="ascii") as f:
        f.write("subjectAltName=DNS:localhost\n")
    run("x509", "-req", "-in", at("server.csr"), "-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", at("extensions"),
        "-out", at("server.pem"))
    with open(at("both.pem"), "w", encoding="ascii") as f:
        for name in ("server.pem", "server.key"):
            f.write(open(at(name), encoding="ascii").read())
    return at("ca.pem"), at("both.pem")


def secure(first):
    authority, server = certificate(first.directory)
    s = Stack(first.cluster, first.build, xsale=["--gzip", "--certificate", server], warehouses=())
    try:
        s.generate(250)
        s.write_config(xsale={"insecure": "false"})
        p = s.producer.start()
        wait("/readyz tells that the certificate is not trusted", 60, lambda: p.alive() and "certificate" in p.http("/readyz")[1].lower())
        equal(s.xsale.get("requests")["routes"], {}, "requests to a server that is not trusted")
        s.stop()
        s.write_config(xsale={"ca_file": authority})
        code, text = s.producer.run("--once")
        equal(code, 0, f"exit code of --once, which says {text[-1500:]}")
        equal(len(s.records("orders", decode=False)), 250, "orders published over https")
        check(s.xsale.get("requests")["compressed"] >= 4, "answers were not compressed")
    finally:
        s.close()


def organizations(first):
    for names, wanted in (("only one", 0), ("north,south", 1)):
        s = Stack(first.cluster, first.build, xsale=["--organization", names], warehouses=())
        try:
            s.generate(3)
            s.write_config(xsale={"organization": ""})
            code, text = s.producer.run("--once")
            equal(code, wanted, f"exit code of --once with {names}, which says {text[-1500:]}")
            if wanted == 0:
                equal({r.key.split("/")[0] for r in s.records("orders", decode=False)}, {names}, "organization in the keys")
            else:
                check("set xsale.organization to one of: north, south" in text, f"no list of the organizations: {text[-1500:]}")
        finally:
            s.close()


def test(first):
    secure(first)
    organizations(first)


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",), start=False, warehouses=())
