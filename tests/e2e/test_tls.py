"""An ERP that speaks HTTP/2 over TLS, wants a client certificate and an OAuth 2.0 token that ends before its time, and names the document in Location: everything is
loaded, many requests at once, and nobody pauses because a token ended."""
import json
import os
import subprocess

from harness import HERE, check, equal, main, services, wait


def certificates(directory):
    """A CA, the server's and the client's certificate."""
    run = lambda *a: subprocess.run(["openssl", *a], cwd=directory, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test-ca")
    for name, extension in (("server", "subjectAltName=IP:127.0.0.1"), ("bridge", "extendedKeyUsage=clientAuth")):
        with open(os.path.join(directory, name + ".ext"), "w", encoding="ascii") as f:
            f.write(extension + "\n")
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        run("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", name + ".pem", "-days", "2", "-extfile", name + ".ext")


def test(s):
    d = s.directory
    certificates(d)
    node = subprocess.Popen(["node", os.path.join(HERE, "erp_h2.mjs"), *(os.path.join(d, f) for f in ("server.key", "server.pem", "ca.pem"))],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=services.die_with_parent)
    url = f"https://127.0.0.1:{int(node.stdout.readline())}"
    s.write_config(erp__http={"url": url + "/orders", "token_url": url + "/token", "client_id": "bridge", "client_secret": "simulated-client-secret",
                              "ca_file": f"{d}/ca.pem", "client_certificate": f"{d}/bridge.pem", "client_key": f"{d}/bridge.key", "document_header": "Location"})
    orders = s.xsale.post("generate", {"count": 240, "first": 100001, "warehouses": [["MAG-1"]]})["ids"]
    s.start(s.producer, s.consumers[0])
    wait("every order has its outcome", 60, lambda: s.all_alive() and s.consumers[0].metrics().get('xsale_bridge_outcomes_total{result="IMPORTED"}', 0) >= 240, 0.3)
    outcomes = [r.value for r in s.records("order-outcomes")]
    equal({o["orderId"] for o in outcomes}, set(orders), "orders loaded")
    equal({o["documentId"] for o in outcomes}, {f"ZK/{i}" for i in range(1, 241)}, "documents from Location")
    equal(max(s.consumers[0].metrics().get(f'xsale_bridge_erp_tries_total{{fate="{f}"}}', 0) for f in ("pause", "park", "again", "reject")), 0, "tries that failed")
    node.stdin.write("seen\n")
    node.stdin.flush()
    seen = json.loads(node.stdout.readline())
    equal((list(seen["versions"]), list(seen["clients"])), (["h2"], ["bridge"]), "protocols and client certificates")
    equal(seen["traced"], seen["loads"], "loads with a traceparent")
    check(5 <= seen["tokens"] <= 8, f"a token for each 50 loads: {seen}")
    check(seen["refused"] >= 4, f"tokens ended before their time: {seen}")
    check(seen["sessions"] <= 32 and seen["most"] >= 8, f"connections are kept, and many requests are under way at once: {seen}")
    with open(s.consumers[0].log, encoding="utf-8") as f:
        check("simulated-client-secret" not in f.read(), "no secret in the log")
    node.kill()
    s.stop(s.producer, s.consumers[0])


if __name__ == "__main__":
    main(test, __doc__, warehouses=("MAG-1",))
