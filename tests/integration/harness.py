# SPDX-License-Identifier: Apache-2.0
"""Scenarios on real clusters: what an operator does, and what must be seen then, each with a deadline.

A test program holds subclasses of ClusterTest and ends with harness.main(), which prints TAP. Each Cluster has a
folder and ports of its own and is down at the end, whatever happens; when a test fails, its logs are shown.
"""
import contextlib
import fcntl
import glob
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

from machine import PORTS, ROOT, Failed, PortRange, call, in_parallel, running, slack, wait_until
from sqlclient import Connection, SqlError

BUILD = os.environ.get("SIDING_BUILD", os.path.join(ROOT, "build"))
SANDBOX = os.path.join(ROOT, "scripts", "sandbox")
SYSTEM_SCHEMAS = ("mysql", "information_schema", "performance_schema", "sys")
TASK_ENDS = ("done", "done_with_errors", "error", "killed", "stopped", "acknowledged")

clusters = []  # those that stand, for the logs shown after a failure


# ------------------------------------------------------------------ roles


def token_of(url):
    """The token that a sandbox's program at this address knows: the coordinator's for an agent, else the administrator's;
    None where no sandbox of this process is."""
    port = urllib.parse.urlsplit(url).port or 0
    for cluster in clusters:
        if cluster.ports.base <= port < cluster.ports.base + PORTS:
            name = "coordinator" if port < cluster.ports.base + 20 else "admin"
            with contextlib.suppress(OSError), open("%s/credentials/%s.token" % (cluster.folder, name), encoding="ascii") as f:
                return f.read()
    return None


class ShowToken(urllib.request.BaseHandler):
    """Each urlopen() of a test shows it, unless the request has its own header Authorization (empty: none)."""

    @staticmethod
    def http_request(request):
        if not request.has_header("Authorization"):
            token = token_of(request.full_url)
            if token:
                request.add_unredirected_header("Authorization", "Bearer " + token)
        return request


urllib.request.install_opener(urllib.request.build_opener(ShowToken))

# -------------------------------------------------------------------- SQL

# Words in which an operator speaks to each kind of server; STOP REPLICA and its like are the same in both.
WORDS = {
    "mariadb": {
        "settings": "SELECT @@GLOBAL.sync_binlog, @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.slave_parallel_threads, "
                    "@@GLOBAL.slave_parallel_mode",
        "applied": "@@GLOBAL.gtid_slave_pos", "wait": "MASTER_GTID_WAIT", "gtid": r"^0-1-\d+$",
        "change_source": "CHANGE MASTER TO MASTER_%s=%s, MASTER_HEARTBEAT_PERIOD=0.5",
        "reopen": "%s"},
    "mysql": {
        "settings": "SELECT @@GLOBAL.sync_binlog, @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.replica_parallel_workers",
        "applied": "@@GLOBAL.gtid_executed", "wait": "WAIT_FOR_EXECUTED_GTID_SET", "gtid": r"^[0-9a-f-]{36}:1-\d+$",
        "change_source": "CHANGE REPLICATION SOURCE TO SOURCE_%s=%s, SOURCE_HEARTBEAT_PERIOD=0.5",
        "reopen": "SET GLOBAL super_read_only=0; %s; SET GLOBAL super_read_only=1"}}


def numbers(n):
    """A table with the column seq from 1 to n, in the words of both servers."""
    return "JSON_TABLE(CONCAT('[', REPEAT('0,', %d), '0]'), '$[*]' COLUMNS (seq FOR ORDINALITY)) numbers" % (n - 1)


ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


def field(text):
    """One field of the client's batch output."""
    if text == "NULL":
        return None
    if "\\" not in text:
        return text
    out, parts = [], iter(text)
    for c in parts:
        if c == "\\":
            c = next(parts, "")
            c = ESCAPES.get(c, c)
        out.append(c)
    return "".join(out)


def rows_of(output):
    return [tuple(field(f) for f in line.split("\t")) for line in output.split("\n")[:-1]]


class Session:
    """One lasting client connection, for what hangs on it: locks, transactions, session settings."""

    def __init__(self, socket, user="root"):
        self.client = subprocess.Popen(["mariadb", "--no-defaults", "--batch", "--unbuffered", "--skip-column-names",
                                        "--default-character-set=utf8mb4", "-u", user, "-S", socket], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.sent = 0

    def sql(self, statement, within_s=60):
        self.sent += 1
        mark = "-- end of answer %d --" % self.sent
        watchdog = threading.Timer(within_s * slack(), self.client.kill)
        watchdog.start()
        try:
            self.client.stdin.write("%s;\nSELECT '%s';\n" % (statement, mark))
            self.client.stdin.flush()
            lines = []
            for line in self.client.stdout:
                if line == mark + "\n":
                    return rows_of("".join(lines))
                lines.append(line)
        except BrokenPipeError:
            pass
        finally:
            watchdog.cancel()
        raise Failed("%s: %s" % (statement, self.client.stderr.read().strip() or "no answer in time"))

    def close(self):
        self.client.kill()
        self.client.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---------------------------------------------------------------- cluster


class Cluster:
    """A sandbox. Nodes are named as in it: "db0", "db1" …; processes "server1", "agent1", "sidingd"."""

    def __init__(self, replicas=2, flavor="mariadb", servers_only=False):
        self.replicas, self.flavor, self.servers_only = replicas, flavor, servers_only
        self.words = WORDS[flavor]
        self.nodes = ["db%d" % i for i in range(replicas + 1)]
        self.folder = tempfile.mkdtemp(prefix="sdt", dir="/tmp")
        self.ports = PortRange()
        self.env = {}
        registry = os.environ.get("SIDING_TEST_REGISTRY")  # so that the runner finds what a killed test left
        if registry:
            os.symlink(self.folder, os.path.join(registry, os.path.basename(self.folder)))

    def __enter__(self):
        clusters.append(self)
        try:
            self.up()
        except BaseException:
            self.show_logs()
            self.down()
            raise
        return self

    def __exit__(self, *_):
        self.down()

    def sandbox(self, *args, within_s=300):
        """scripts/sandbox VERB FOLDER …: (exit status, stdout, stderr)."""
        return call(SANDBOX, args[0], self.folder, *args[1:], within_s=within_s,
                    env={"SANDBOX_SERVERS_ONLY": "1" if self.servers_only else "0"})

    def must_sandbox(self, *args, **keywords):
        status, out, err = self.sandbox(*args, **keywords)
        if status:
            raise Failed("scripts/sandbox %s: exit %d\n%s%s" % (" ".join(args), status, out, err))
        self.read_env()

    def up(self):
        options = []
        if not os.path.exists(os.path.join(self.folder, "sandbox.conf")):
            options = ["--replicas", str(self.replicas), "--flavor", self.flavor, "--base-port", str(self.ports.base)]
        self.must_sandbox("up", *options)

    def add(self, *options):
        """One more node; its name."""
        self.must_sandbox("add", *options)
        self.replicas += 1
        self.nodes.append("db%d" % self.replicas)
        return self.nodes[-1]

    def down(self):
        """Stops and removes everything; called again it does nothing."""
        if self in clusters:
            clusters.remove(self)
        if os.path.exists(os.path.join(self.folder, "sandbox.conf")):
            status, _, err = self.sandbox("down", "--purge", within_s=120)
            if status:
                print("# down of %s: %s" % (self.folder, err), flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.ports.release()

    def read_env(self):
        if not os.path.exists(os.path.join(self.folder, "env")):
            return
        self.env = dict(os.environ, PATH="%s:%s" % (BUILD, os.environ.get("PATH", "")))
        with open(os.path.join(self.folder, "env"), encoding="utf-8") as f:
            for line in f:
                if line.startswith("export "):
                    self.env.update(word.split("=", 1) for word in shlex.split(line)[1:])

    # -- nodes and processes

    def start(self, node):
        self.must_sandbox("start", node)

    def stop(self, node):
        self.must_sandbox("stop", node)

    def kill(self, what):
        """kill -9 of a whole node ("db1") or of one process ("server1", "agent1", "sidingd")."""
        if what.startswith("db"):
            self.must_sandbox("kill", what)
        else:
            self.kill_pid(self.pid(what))

    def pid(self, process):
        name = {"server": "DB%s_PID", "agent": "AGENT%s_PID"}.get(process.rstrip("0123456789"), "SIDINGD_PID")
        self.read_env()
        key = name % process.lstrip("abcdefghijklmnopqrstuvwxyz") if "%" in name else name
        if key not in self.env:
            raise Failed("%s does not run" % process)
        return int(self.env[key])

    def journal(self, node):
        """What the node's agent has written down: {"lease": …, "role": …, "run/12.1": …}."""
        out = subprocess.run([os.path.join(BUILD, "siding-agent"), "--print-journal", "--config",
                              os.path.join(self.folder, node, "agent.conf")], stdout=subprocess.PIPE, check=True, timeout=30)
        return json.loads(out.stdout)

    def leave_old_file(self, node, name, value):
        """As an agent of an older version would have left it, after the journal was written."""
        with open(os.path.join(self.folder, node, "agent", name), "w", encoding="utf-8") as f:
            json.dump(value, f)

    @staticmethod
    def kill_pid(pid, signal_=signal.SIGKILL):
        os.kill(pid, signal_)
        if signal_ == signal.SIGKILL:
            wait_until(lambda: not running(pid), 10, "end of process %d" % pid)

    # -- states held open, so that a test need not hope to see them

    @contextlib.contextmanager
    def table_held(self, node, table, how="WRITE"):
        """Whoever wants the table waits: an applier, a loader, the exchange of a swap. The object given has close(), which lets
        them go on before the block ends."""
        with self.session(node) as session:
            session.sql("LOCK TABLES %s %s" % (table, how))
            yield session

    @staticmethod
    @contextlib.contextmanager
    def file_held(path):
        """Whoever opens the file waits, for up to 45 s: it is leased, as soon as nobody else has it open."""
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel tells the holder that somebody waits
        with open(path, "r+b") as f:
            def leased():
                with contextlib.suppress(BlockingIOError):
                    return fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK) == 0
            wait_until(leased, 20, "nobody else has %s open" % path)
            yield f

    # -- SQL

    def socket(self, node):
        return self.env["DB%s_SOCKET" % node[2:]]

    def sql(self, node, statement, database=None, within_s=60):
        """Rows of text fields (None for NULL) of statements run as root."""
        return self.query(node, statement, database, within_s)[1]

    def query(self, node, statement, database=None, within_s=60):
        """(names, rows)"""
        try:
            with Connection(self.socket(node), database, within_s * slack()) as connection:
                return connection.query(statement)
        except SqlError as e:
            raise Failed("%s: %s\nin: %s" % (node, e, statement[:500])) from None

    def value(self, node, statement, **keywords):
        rows = self.sql(node, statement, **keywords)
        return rows[0][0] if rows else None

    def session(self, node, user="root"):
        return Session(self.socket(node), user)

    def replication(self, node):
        """SHOW REPLICA STATUS as a dict, with the neutral keys io, sql, source_port added; {} on a primary."""
        names, rows = self.query(node, "SHOW REPLICA STATUS")
        row = {key: value or "" for key, value in zip(names, rows[0])} if rows else {}
        for key in list(row):
            for old, new in (("_IO_Running", "io"), ("_SQL_Running", "sql"), ("_Port", "source_port")):
                if key.endswith(old):
                    row[new] = row[key]
        return row

    def position(self, node):
        """Everything applied on the node, its own writes included: a GTID position or set."""
        if self.flavor == "mysql":
            return self.value(node, "SELECT @@GLOBAL.gtid_executed").replace("\n", "")
        return self.value(node, "SELECT @@GLOBAL.gtid_binlog_pos")

    def applied(self, node):
        """What replication has applied on the node."""
        return self.value(node, "SELECT " + self.words["applied"]).replace("\n", "")

    def settings(self, node):
        """The settings that catching up changes."""
        return self.sql(node, self.words["settings"])

    def change_source(self, node, option, value, start="START REPLICA"):
        """Points a replica elsewhere, or delays it, as an operator would."""
        self.sql(node, "STOP REPLICA; %s; %s" % (self.words["change_source"] % (option, value), start))

    def sql_alone(self, node, statements):
        """On this server alone: not in its binary log. A replica may be read-only; a primary stays open."""
        words = self.words["reopen"] if self.replication(node) else "%s"
        self.sql(node, words % ("SET SESSION sql_log_bin=0; " + statements))

    def has_applied(self, node, position):
        if self.flavor == "mysql":
            return self.value(node, "SELECT GTID_SUBSET('%s', @@GLOBAL.gtid_executed)" % position) == "1"
        return self.value(node, "SELECT MASTER_GTID_WAIT('%s', 0.05)" % position) == "0"

    def primary(self):
        return next(n for n in self.nodes if not self.replication(n))

    def expect_caught_up(self, within_s=60):
        position = self.position(self.primary())
        for node in self.nodes:
            if self.replication(node):
                wait_until(lambda n=node: self.has_applied(n, position), within_s,
                           lambda n=node: "%s has applied %s: %s" % (n, position, self.replication(n)))

    def expect_replicating(self, node, within_s=30):
        wait_until(lambda: (self.replication(node).get("io"), self.replication(node).get("sql")) == ("Yes", "Yes"),
                   within_s, lambda: "replication on %s: %s" % (node, self.replication(node)))

    def expect_equal(self, nodes=None, within_s=60, without=()):
        """Every table on these nodes (default: all) has the same definition and checksum as on the primary, all
        read at one position: commits on the primary wait meanwhile. `without`: databases that may differ."""
        nodes, primary = nodes or self.nodes, self.primary()
        with self.session(primary) as session:
            session.sql("FLUSH TABLES WITH READ LOCK")
            position = self.position(primary)
            for node in nodes:
                if node != primary:
                    wait_until(lambda n=node: self.has_applied(n, position), within_s, "%s at %s" % (node, position))
            states = in_parallel([lambda n=node: self.table_state(n, without=without) for node in nodes])
            session.sql("UNLOCK TABLES")
        for node, state in zip(nodes, states):
            if state != states[0]:
                different = [t for t in sorted(set(state) | set(states[0])) if state.get(t) != states[0].get(t)]
                raise Failed("%s and %s differ at %s: %s" % (nodes[0], node, position, ", ".join(different)))

    def table_state(self, node, schemas=None, without=()):
        """{table: (definition, checksum)} of all tables that are not the server's own."""
        names = self.sql(node, "SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables "
                         "WHERE table_type = 'BASE TABLE' AND table_schema NOT IN (%s) ORDER BY 1"
                         % ", ".join("'%s'" % s for s in (*SYSTEM_SCHEMAS, *without)))
        names = [n for (n,) in names if schemas is None or n.split("`")[1] in schemas]
        if not names:
            return {}
        checksums = self.sql(node, "CHECKSUM TABLE " + ", ".join(names), within_s=300)
        definitions = self.sql(node, "".join("SHOW CREATE TABLE %s;\n" % n for n in names))
        # MySQL shows a column's character set where it was written out, even if it is the table's.
        return {n: (d[1].split(" AUTO_INCREMENT=")[0].replace(" CHARACTER SET utf8mb4 COLLATE ", " COLLATE "), c[1]) for n, d, c in zip(names, definitions, checksums)}

    # -- siding

    def siding(self, *args, within_s=60, status=0):
        """Runs siding ARGS --json and returns the parsed answer; the exit status must be the one expected. With a
        status other than 0 it returns stderr. A coordinator that has just started and has not read its queue is asked
        again: how long that takes is no matter of the test."""
        verb = 1 if len(args) < 2 or args[1].startswith("-") else 2
        deadline = time.monotonic() + within_s
        while True:
            found, out, err = call(os.path.join(BUILD, "siding"), *args[:verb], "--json", *args[verb:],
                                   within_s=within_s, env=self.env)
            begins = re.search("the queue cannot be read yet: (not connected yet|it is being read)", err)
            if status or not begins or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        if found != status:
            raise Failed("siding %s: exit %d, not %d\n%s%s" % (" ".join(args), found, status, out, err))
        if status:
            return err
        try:
            return json.loads(out) if out.strip() else None
        except ValueError:
            raise Failed("siding %s: no JSON: %s" % (" ".join(args), out)) from None

    def submit(self, *args):
        """siding submit ARGS: the task's id, as text."""
        return str(self.siding("submit", *args)["id"])

    def task(self, task):
        return self.siding("task", "show", task)

    def last_run(self, task):
        runs = self.task(task).get("runs") or []
        return runs[-1] if runs else {}

    def describe(self, task):
        t = self.task(task)
        return "task %s is %s: %s" % (task, t.get("state"), json.dumps(t.get("runs")))

    def expect_state(self, task, state, within_s=60):
        """The task reaches this state; fails at once when it ends in another."""
        def reached():
            now = self.task(task)["state"]
            if now != state and now in TASK_ENDS:
                raise Failed("%s, not %s" % (self.describe(task), state))
            return now == state
        wait_until(reached, within_s, lambda: "%s, not %s" % (self.describe(task), state))
        return self.task(task)

    def expect_run_state(self, task, state, within_s=60):
        """The task's last run is seen in this state."""
        wait_until(lambda: self.last_run(task).get("state") == state, within_s,
                   lambda: "%s, its run was not seen %s" % (self.describe(task), state))
        return self.last_run(task)

    def job(self, name, text):
        """Writes DIR/jobs/NAME.conf and lets the agents read it."""
        path = os.path.join(self.folder, "jobs", name + ".conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.let_agents_read()
        return path

    def tasklet(self, name, text, mode=0o755):
        """Writes DIR/tasklets/NAME and lets the agents read it."""
        path = os.path.join(self.folder, "tasklets", name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        self.let_agents_read()
        return path

    def let_agents_read(self):
        for i in range(self.replicas + 1):
            with contextlib.suppress(Failed, ProcessLookupError):
                os.kill(self.pid("agent%d" % i), signal.SIGHUP)

    # -- data and load

    def load_catalogue(self, records=3000):
        """The catalogue of scripts/lib/quickstart, from the sample in the repository; waits for the replicas."""
        files = os.path.join(self.folder, "catalogue")
        os.makedirs(files)
        code = ("import sys; sys.path.insert(0, sys.argv[1]); import catalogue, load; "
                "print(load.load(sys.argv[4], catalogue.write(sys.argv[2], int(sys.argv[3]), True)[1]))")
        status, _, err = call(sys.executable, "-c", code, os.path.join(ROOT, "scripts", "lib", "quickstart"), files,
                              str(records), self.socket(self.primary()))
        if status:
            raise Failed("no catalogue: " + err)
        shutil.rmtree(files)
        self.expect_caught_up()

    @contextlib.contextmanager
    def writers(self, rate=200, threads=4):
        """A steady load of short transactions on the catalogue. The object given has stop(), which returns the
        counts; at the end of the block they are stopped and must have had no error."""
        writers = Writers(self, rate, threads)
        try:
            yield writers
            writers.stop()
        finally:
            writers.abandon()

    # -- logs

    def show_logs(self, lines=25):
        for pattern in ("coordinator/sidingd.log", "coordinator/bootstrap.log", "db*/agent.log", "db*/error.log"):
            for path in sorted(glob.glob(os.path.join(self.folder, pattern))):
                with open(path, encoding="utf-8", errors="replace") as f:
                    tail = [line.rstrip("\n") for line in f if "error.log" not in path or "[ERROR]" in line][-lines:]
                if tail:
                    print("# ---- %s" % path, *("# " + line for line in tail), sep="\n", flush=True)


class Writers:
    def __init__(self, cluster, rate, threads):
        self.latencies = os.path.join(cluster.folder, "latencies.%d" % time.monotonic_ns())
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests", "tools", "live_writers"), "--socket", cluster.socket(cluster.primary()),
             "--out", self.latencies, "--rate", str(rate), "--threads", str(threads)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.counts = None
        wait_until(lambda: self.process.poll() is not None or self.transactions() > 0, 20, "first live transaction")

    def transactions(self):
        """How many have ended so far."""
        if not os.path.exists(self.latencies):
            return 0
        with open(self.latencies, "rb") as f:
            return sum(block.count(b"\n") for block in iter(lambda: f.read(1 << 20), b""))

    def stop(self):
        if self.counts is None:
            self.process.terminate()
            out, err = self.process.communicate(timeout=60)
            if self.process.returncode:
                raise Failed("live_writers: exit %d: %s" % (self.process.returncode, err))
            self.counts = json.loads(out)
            if self.counts.get("errors"):
                raise Failed("live transactions failed: %s" % self.counts)
        return self.counts

    def abandon(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


# ------------------------------------------------------------------ tests


def run_key(run):
    """What agents call it, and its folders: "12.1-k3x9qz07ab" for the run that people call "12.1"."""
    return "-".join(filter(None, (run["id"], run.get("incarnation"))))


class ClusterTest(unittest.TestCase):
    """One cluster for all tests of a class."""
    replicas, flavor, servers_only = 2, "mariadb", False

    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster(cls.replicas, cls.flavor, cls.servers_only))


class TapResult(unittest.TestResult):
    number = 0

    def report(self, ok, name, trace=None):
        self.number += 1
        seconds = time.monotonic() - self.started
        print("%sok %d - %s (%.1f s)" % ("" if ok else "not ", self.number, name.removeprefix("__main__."), seconds),
              flush=True)
        if trace:
            print(*("# " + line for line in trace.splitlines()), sep="\n", flush=True)
            for cluster in clusters:
                cluster.show_logs()

    started = time.monotonic()

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.report(True, test.id())

    def addError(self, test, err):
        super().addError(test, err)
        self.report(False, test.id(), self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.report(False, test.id(), self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.report(False, subtest.id(), "".join(unittest.result.traceback.format_exception(*err)))


def lacks(package):
    """Whether this release of Debian has no such package (scripts/lib/packages.sh lists them)."""
    with open("/etc/os-release", encoding="utf-8") as f:
        codename = next((line.strip().partition("=")[2] for line in f if line.startswith("VERSION_CODENAME=")), "")
    with open(os.path.join(ROOT, "scripts", "lib", "packages.sh"), encoding="utf-8") as f:
        lists = [line.strip().partition("=")[2].strip('"').split() for line in f if line.startswith("LACKS_%s=" % codename)]
    return any(package in names for names in lists)


def needs_package(name):
    """A test that is left out, and says so, where the release has no such package."""
    def mark(test):
        test.needs_package = name
        return test
    return mark


class InFileOrder(unittest.TestLoader):
    """A class tells a story: its tests run as they stand in the file, not by name. SIDING_TEST_FLAVOR leaves the classes
    of the other flavour out."""
    left_out = []

    def loadTestsFromTestCase(self, testCaseClass):
        only, flavor = os.environ.get("SIDING_TEST_FLAVOR"), getattr(testCaseClass, "flavor", None)
        if not only or flavor in (None, only):
            return super().loadTestsFromTestCase(testCaseClass)
        self.left_out.append(testCaseClass.__name__)
        return self.suiteClass()

    def loadTestsFromModule(self, module, **_):
        classes = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, unittest.TestCase)]
        return self.suiteClass([self.loadTestsFromTestCase(c) for c in classes if c.__module__ == module.__name__])

    def getTestCaseNames(self, testCaseClass):
        names = {n: None for c in reversed(testCaseClass.__mro__) for n in vars(c)}
        tests = [n for n in names if n.startswith(self.testMethodPrefix) and callable(getattr(testCaseClass, n))]
        impossible = [n for n in tests if lacks(getattr(getattr(testCaseClass, n), "needs_package", None))]
        for n in impossible:
            print("# left out, this release of Debian has no package %s: %s" % (getattr(testCaseClass, n).needs_package, n))
        return [n for n in tests if n not in impossible]


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    """Runs the tests of the calling program (or those named in its arguments) and prints TAP."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    loader = InFileOrder()
    module = sys.modules["__main__"]
    suite = loader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:] else loader.loadTestsFromModule(module)
    result = TapResult()
    try:
        suite.run(result)
    finally:
        for cluster in list(clusters):
            cluster.down()
    if loader.left_out:
        print("# left out, only %s is wanted: %s" % (os.environ["SIDING_TEST_FLAVOR"], " ".join(loader.left_out)))
    print("1..%d" % result.number, flush=True)
    sys.exit(0 if result.wasSuccessful() and (result.number or loader.left_out) else 1)
