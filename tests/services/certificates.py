"""A certificate authority of one's own for tests, made with openssl."""
import os
import subprocess

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Authority:
    def __init__(self, directory, name="Test CA"):
        self.directory, self.prefix = directory, name.replace(" ", "-")
        self.file, self.key = (self.at(f"{self.prefix}.{end}") for end in ("pem", "key"))
        openssl("req", "-x509", *KEY, "-days", "2", "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.file)

    def at(self, name):
        return os.path.join(self.directory, name)

    def issue(self, name, names="DNS:localhost", days=2):
        """-> (certificate, key, both in one file); names: what stands in subjectAltName. days < 0: it has expired."""
        certificate, key, both, request, extensions = (self.at(f"{self.prefix}.{name}.{end}") for end in ("pem", "key", "both", "csr", "ext"))
        with open(extensions, "w", encoding="ascii") as f:
            f.write(f"subjectAltName={names}\n")
        openssl("req", *KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", certificate)
        with open(both, "w", encoding="ascii") as f:
            for part in (certificate, key):
                with open(part, encoding="ascii") as p:
                    f.write(p.read())
        return certificate, key, both


def self_signed(directory, names="DNS:localhost"):
    """Certificate and key in one file, vouched for by nobody but itself."""
    both, key, certificate = (os.path.join(directory, f"self-signed.{end}") for end in ("both", "key", "pem"))
    openssl("req", "-x509", *KEY, "-days", "2", "-subj", "/CN=localhost", "-addext", f"subjectAltName={names}", "-keyout", key, "-out", certificate)
    with open(both, "w", encoding="ascii") as f:
        for part in (certificate, key):
            with open(part, encoding="ascii") as p:
                f.write(p.read())
    return both
