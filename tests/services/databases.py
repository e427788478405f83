"""Real databases from Debian's packages, each with a data directory of its own, on a free port of 127.0.0.1 and never as root: PostgreSQL and MariaDB as
servers, SQLite as a file. All three know how an ODBC connection string names them and run scripts and queries for a test."""
import glob
import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile

from services import ROOT, Service, die_with_parent, free_port

SCHEMAS = os.path.join(ROOT, "schemas", "erp")
NOBODY = pwd.getpwnam("nobody")


def as_nobody():
    """A server that refuses to be root runs as nobody where the tests are root."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY.pw_gid)
        os.setuid(NOBODY.pw_uid)
    die_with_parent()


class Database(Service):
    """A server. Its words in the log are English and its data directory is a new one."""
    statement = withdraw = ""       # of [erp.sql], for the example procedure

    def __init__(self, port=None):
        super().__init__(self.kind)
        if os.getuid() == 0:
            os.chown(self.directory, NOBODY.pw_uid, NOBODY.pw_gid)
        self.port, self.data = port or free_port(), os.path.join(self.directory, "data")

    def command(self, words, text=None):
        r = subprocess.run(words, input=text, stdin=None if text is not None else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, encoding="utf-8", cwd=self.directory, preexec_fn=as_nobody, timeout=120,
                           env={**os.environ, "LC_ALL": "C.UTF-8", "PGCLIENTENCODING": "UTF8", "TMPDIR": self.directory})     # the caller's may be closed to nobody
        if r.returncode != 0:
            raise RuntimeError(f"{words[0]}: {r.stdout[-1000:]}{r.stderr[-3000:]}")
        return r.stdout

    def launch_as_nobody(self, words):
        self.launch(["setpriv", "--reuid=nobody", f"--regid={NOBODY.pw_gid}", "--clear-groups", "--pdeathsig=KILL", *words] if os.getuid() == 0 else words)

    def install(self):
        """The example tables and procedures of schemas/erp."""
        with open(os.path.join(SCHEMAS, self.kind + ".sql"), encoding="utf-8") as f:
            self.script(f.read())
        return self


class PostgreSQL(Database):
    kind = "postgresql"
    statement = "SELECT import_order(:organization, :order_id, :warehouse, :revision, :publication, :withdrawn, :order_json)"
    withdraw = statement

    def __init__(self, port=None, encoding="UTF8", **settings):
        super().__init__(port)
        self.settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off", "shared_buffers": "64MB",
                         "lc_messages": "C", "max_connections": 60, **settings}
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.command([self.bin + "/initdb", "-D", self.data, "-U", "bridge", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"])
        self.start()
        self.command([self.bin + "/createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "bridge", "-T", "template0", "-E", encoding, "-l", "C.UTF-8" if encoding == "UTF8" else "C",
                      "erp"])

    def start(self):
        self.launch_as_nobody([self.bin + "/postgres", "-D", self.data] + [x for k, v in self.settings.items() for x in ("-c", f"{k}={v}")])

    def answers(self):
        r = subprocess.run([self.bin + "/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return r.returncode == 0

    def stop(self):
        """At once, whoever is connected: the way that a restart of the machine takes."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(2)     # SIGINT: "fast"
            self.process.wait(120)

    @property
    def connection(self):
        return f"Driver={{PostgreSQL Unicode}};Server=127.0.0.1;Port={self.port};Database=erp;UID=bridge;Protocol=7.4-1"

    def client(self, text):
        return self.command([self.bin + "/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-At", "-F", "\t", "-h", "127.0.0.1", "-p", str(self.port), "-U", "bridge", "erp"], text)

    def script(self, text):
        self.client(text)

    def query(self, text):
        return [row.split("\t") for row in self.client(text).splitlines()]


class MariaDB(Database):
    kind = "mariadb"
    statement = "CALL import_order(:organization, :order_id, :warehouse, :revision, :publication, :withdrawn, :order_json)"
    withdraw = statement

    def __init__(self, port=None, **settings):
        super().__init__(port)
        self.settings = {"bind-address": "127.0.0.1", "port": self.port, "socket": os.path.join(self.directory, "s"), "pid-file": os.path.join(self.directory, "pid"), "tmpdir": self.directory,
                         "innodb-flush-log-at-trx-commit": 2, "innodb-buffer-pool-size": "64M", "skip-name-resolve": 1, "lc-messages": "en_US",
                         "init-file": os.path.join(self.directory, "init.sql"), **settings}
        with open(self.settings["init-file"], "w", encoding="utf-8") as f:
            f.write("CREATE DATABASE IF NOT EXISTS erp CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;\nCREATE USER IF NOT EXISTS bridge@'%';\nGRANT ALL ON *.* TO bridge@'%';\n")
        os.mkdir(self.data)
        if os.getuid() == 0:
            os.chown(self.data, NOBODY.pw_uid, NOBODY.pw_gid)
        self.command(["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"])
        self.start()

    def start(self):
        self.launch_as_nobody(["mariadbd", "--no-defaults", f"--datadir={self.data}"] + [f"--{k}={v}" for k, v in self.settings.items()])

    def answers(self):
        try:
            return self.client("SELECT 1", database="erp") == "1\n"
        except RuntimeError:
            return False

    @property
    def connection(self):
        return f"Driver={{MariaDB Unicode}};Server=127.0.0.1;Port={self.port};Database=erp;UID=bridge;Charset=utf8mb4;INITSTMT={{SET SESSION tx_isolation='READ-COMMITTED'}}"

    def client(self, text, database="erp"):
        return self.command(["mariadb", "--no-defaults", "--default-character-set=utf8mb4", "-N", "-B", "-h", "127.0.0.1", "-P", str(self.port), "-u", "bridge", database], text)

    def script(self, text):
        self.client(text)

    def query(self, text):
        return [row.split("\t") for row in self.client(text).splitlines()]


class SQLite:
    """A file; there is no server to start or stop."""
    kind = "sqlite"
    statement = ("WITH o AS (SELECT :organization AS organization, :order_id AS order_id, :warehouse AS warehouse, :revision AS revision, :publication AS publication, "
                 ":withdrawn AS withdrawn, :order_json AS order_json) INSERT INTO xsale_import SELECT * FROM o WHERE true RETURNING (SELECT x.document_id "
                 "FROM xsale_order x WHERE x.organization = xsale_import.organization AND x.order_id = xsale_import.order_id "
                 "AND x.warehouse = xsale_import.warehouse)")
    withdraw = statement

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="bridge-sqlite-")
        self.path = os.path.join(self.directory, "erp.db")

    @property
    def connection(self):
        return f"Driver=SQLite3;Database={self.path};JournalMode=WAL;SyncPragma=FULL"

    def install(self):
        with open(os.path.join(SCHEMAS, "sqlite.sql"), encoding="utf-8") as f:
            self.script(f.read())
        return self

    def script(self, text):
        c = sqlite3.connect(self.path, timeout=60)
        c.executescript(text)
        c.close()

    def query(self, text):
        c = sqlite3.connect(self.path, timeout=60)
        rows = [["" if v is None else str(v) for v in row] for row in c.execute(text)]
        c.close()
        return rows

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)
