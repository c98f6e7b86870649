# SPDX-License-Identifier: Apache-2.0
"""A replica whose primary is lost while it is paused: load in several domains, what its relay files hold, damage to them,
and what must be so after a rescue."""
import contextlib
import glob
import os
import re
import shutil
import struct
import subprocess
import threading
import zlib

from agent_case import Agent, Refused
from harness import ROOT, SANDBOX, ClusterTest
from machine import Failed, call, wait_until

DOMAIN = 7  # a second one beside 0


class Load:
    """Transactions on the primary from several sessions, until it is killed or this is stopped. `acknowledged` holds
    what the primary said is committed: with semi-sync it has then reached a replica."""

    def __init__(self, cluster, kinds, domains=True):
        self.cluster, self.on, self.acknowledged, self.lock = cluster, True, [], threading.Lock()
        self.threads = [threading.Thread(target=self.go, args=(kind, number, domains), daemon=True)
                        for number, kind in enumerate(kinds)]
        for t in self.threads:
            t.start()

    def go(self, kind, number, domains):
        with contextlib.suppress(Failed, ValueError), self.cluster.session("db0") as s:
            if domains and number % 2:
                s.sql("SET SESSION gtid_domain_id=%d" % DOMAIN)
            n = 0
            while self.on:
                n += 1
                self.one(kind, s, "%d-%d" % (number, n), number)

    def one(self, kind, s, key, number):
        if kind == "small":
            s.sql("INSERT INTO t.w%d (k, v) VALUES ('%s', REPEAT('x', 60))" % (number % 2, key))
            with self.lock:
                self.acknowledged.append((number % 2, key))
        elif kind == "large":
            s.sql("INSERT INTO t.big%d (v) SELECT REPEAT(MD5(seq), 8) FROM t.numbers LIMIT 8000" % number)
        elif kind == "ddl":
            s.sql("ALTER TABLE t.shape%d ADD COLUMN c INT, ALGORITHM=COPY" % number)
            s.sql("ALTER TABLE t.shape%d DROP COLUMN c" % number)
            s.sql("CREATE TABLE t.made%d (a INT PRIMARY KEY)" % number)
            s.sql("DROP TABLE t.made%d" % number)

    def stop(self):
        self.on = False
        for t in self.threads:
            t.join(60)


def complete(files):
    """The last whole transaction of each domain in relay files, as mariadb-binlog reads them: {domain: number}.
    Independent of Siding's own scanner."""
    found = {}
    for path in files:
        out = subprocess.run(["mariadb-binlog", "--no-defaults", "--skip-gtid-strict-mode", path], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, check=False).stdout.decode("utf-8", "replace")
        open_gtid, ddl = None, False
        for line in out.split("\n"):
            gtid = re.search(r"\tGTID (\d+)-\d+-(\d+)( ddl)?", line)
            if gtid:
                open_gtid, ddl = (int(gtid[1]), int(gtid[2])), bool(gtid[3])
            elif open_gtid and (line == "COMMIT/*!*/;" or (ddl and "\tQuery\t" in line)):
                found[open_gtid[0]] = max(open_gtid[1], found.get(open_gtid[0], 0))
                open_gtid = None
    return found


def size(path):
    with contextlib.suppress(OSError):
        return os.path.getsize(path)
    return 0


def put_incident(path, before):
    """Puts an incident event before so many transactions at a relay file's end, in place: links to it hold it too."""
    with open(path, "rb") as f:
        data = f.read()
    at, ends = 4, []
    while at + 19 <= len(data):
        kind, server, size = data[at + 4], data[at + 5:at + 9], struct.unpack_from("<I", data, at + 9)[0]
        at += size
        if kind == 16:  # Xid: a transaction ends
            ends.append((at, server))
    at, server = ends[-before - 1]
    body = struct.pack("<HB", 1, 4) + b"lost"
    event = struct.pack("<IB", 0, 26) + server + struct.pack("<IIH", 19 + len(body) + 4, at, 0) + body
    event += struct.pack("<I", zlib.crc32(event))
    with open(path, "r+b") as f:
        f.write(data[:at] + event + data[at:])


def position(text):
    return {int(d): int(n) for d, _, n in (g.split("-") for g in text.split(",") if g)}


class Base(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.stop("coordinator")
        c.sql("db0", "CREATE DATABASE t;"
              "CREATE TABLE t.w0 (id BIGINT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(40), v VARCHAR(200), INDEX (k));"
              "CREATE TABLE t.w1 LIKE t.w0; CREATE TABLE t.numbers (seq INT PRIMARY KEY);"
              "CREATE TABLE t.big2 (id BIGINT AUTO_INCREMENT PRIMARY KEY, v TEXT); CREATE TABLE t.big3 LIKE t.big2;"
              "CREATE TABLE t.shape4 (id INT PRIMARY KEY, v VARCHAR(100)); CREATE TABLE t.shape5 LIKE t.shape4;")
        c.sql("db0", "INSERT INTO t.numbers WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
              "SELECT i FROM n; INSERT INTO t.numbers SELECT seq + 1000 * k FROM t.numbers, (SELECT seq AS k FROM t.numbers "
              "WHERE seq < 12) AS x; INSERT INTO t.shape4 SELECT seq, 'a' FROM t.numbers; INSERT INTO t.shape5 SELECT seq, 'a' "
              "FROM t.numbers; INSERT INTO t.big2 (v) VALUES ('a'); INSERT INTO t.big3 (v) VALUES ('a');")
        for name in "ab":  # of DDL
            c.sql("db0", "CREATE DATABASE d{0}; CREATE TABLE d{0}.h (a INT PRIMARY KEY); CREATE TABLE d{0}.t (id INT PRIMARY KEY, v "
                  "VARCHAR(60)); INSERT INTO d{0}.t SELECT seq, 'a' FROM t.numbers LIMIT 2000".format(name))
        c.expect_caught_up()
        # on by its option file: whatever switched it off on some path would be seen by every tearDown()
        with open(os.path.join(c.folder, "db1", "my.cnf"), "a", encoding="utf-8") as f:
            f.write("event_scheduler=ON\n")
        c.sql("db1", "SET GLOBAL event_scheduler=ON")
        cls.agent = Agent(c, "db1")

    def setUp(self):
        self.settings = self.values()

    def tearDown(self):
        """The primary is back: replication goes on from where the rescue ended, and the servers are equal."""
        c = self.cluster
        with contextlib.suppress(Failed):
            c.start("db0")
        self.open_primary()
        with contextlib.suppress(Failed):
            c.start("db1")
        self.resume_quietly()
        wait_until(lambda: self.lease()["owner"] is None, 90, lambda: "no lease on db1: %s" % self.lease())
        c.expect_replicating("db1")
        c.expect_equal()
        self.assertEqual(self.values(), self.settings)
        wait_until(lambda: not self.kept(), 20, lambda: "nothing is left in the vault: %s %s" % (self.kept(), self.agent.state()))
        self.assertNotIn("lease", self.cluster.journal("db1"))

    def open_primary(self):
        if self.cluster.flavor == "mysql":
            self.cluster.sql("db0", "SET GLOBAL super_read_only=0; SET GLOBAL read_only=0; SET GLOBAL rpl_semi_sync_source_enabled=1")
        else:
            self.cluster.sql("db0", "SET GLOBAL rpl_semi_sync_master_enabled=1; SET GLOBAL read_only=0")

    def values(self):
        names = {"mariadb": "slave_parallel_threads", "mysql": "replica_parallel_workers"}[self.cluster.flavor]
        return self.cluster.sql("db1", "SELECT @@GLOBAL.sync_binlog, @@GLOBAL.innodb_flush_log_at_trx_commit, "
                                "@@GLOBAL.sync_relay_log, @@GLOBAL.event_scheduler, @@GLOBAL.%s" % names)

    def file(self, *names):
        return os.path.join(self.cluster.folder, "db1", *names)

    def kept(self):
        return sorted(glob.glob(self.file("vault", "siding-relay-*")))

    def lease(self):
        return self.agent.lease()

    def pause(self, **more):
        return self.agent.post("/v1/pause", for_s=600, reason="test", by="test", **more)["gtid"]

    def resume_quietly(self):
        with contextlib.suppress(OSError, Refused):
            self.agent.post("/v1/resume", by="test", reason="x")

    def start_server_alone(self):
        status, out, err = call("bash", "-c", 'conf="$1/db1/agent.conf"; mv "$conf" "$conf.away"; '
                                '"$2" start "$1" db1; mv "$conf.away" "$conf"', "-", self.cluster.folder,
                                SANDBOX)
        wait_until(lambda: self.alive(), 20, lambda: "server of db1: %d %s%s" % (status, out, err))
        self.cluster.read_env()

    def alive(self):
        with contextlib.suppress(Failed):
            return self.cluster.value("db1", "SELECT 1")
        return None

    def runbook(self, name):
        """Runs a block of docs/runbook.md as it stands there."""
        with open(os.path.join(ROOT, "docs", "runbook.md"), encoding="utf-8") as f:
            script = re.search(r"```sh %s\n(.*?)```" % name, f.read(), re.S)[1]
        index = self.cluster.value("db1", "SELECT @@GLOBAL.relay_log_index")
        with open(self.file(".my.cnf"), "w", encoding="utf-8") as f:  # as a DBA's own account has one
            f.write("[client]\nsocket=%s\n" % self.cluster.socket("db1"))
        status, out, err = call("bash", "-c", script, env={
            "HOME": self.file(), "DATA": self.file("data"), "VAULT": self.file("vault"), "INDEX": index})
        self.assertEqual(status, 0, out + err)
        return out

    def start_replica(self):
        self.cluster.must_sandbox("start", "db1")

    def lose(self, *nodes):
        """kill -9 of whole hosts."""
        for node in nodes:
            self.cluster.kill(node)

    def files(self):
        """Paths of copies of all relay files of the dead replica, in order: those kept, then the others."""
        kept = self.kept()
        inodes = {os.stat(p).st_ino for p in kept}
        present = [p for p in sorted(glob.glob(self.file("data", "relay.0*"))) if os.stat(p).st_ino not in inodes]
        return copies(self.file("copies"), kept + present)

    def expect_received(self):
        """All that the primary has is in the replica's relay files. A domain that says nothing is not listed there."""
        end = position(self.cluster.position("db0"))
        wait_until(lambda: position(self.agent.state()["server"]["received"]).get(0) == end[0], 10,
                   lambda: "all is received: %s" % self.agent.state()["server"])
        return end

    def received(self):
        return complete(self.files())

    def applied(self):
        return position(self.cluster.value("db1", "SELECT @@GLOBAL.gtid_slave_pos"))

    def log_says(self, words):
        with open(self.file("agent.log"), encoding="utf-8") as f:
            return words in f.read()

    def expect_rescued(self, received, within_s=120):
        """Everything received is applied, replication runs (its receiver looks for the dead primary), no lease."""
        def done():
            try:
                state = self.agent.state()
            except (OSError, Refused):
                return False
            return state["server"]["up"] and state["lease"]["owner"] is None and state["server"]["sql_running"]
        wait_until(done, within_s,
                   lambda: "db1 is rescued: %s" % self.agent.state())
        now = self.applied()
        for domain, number in received.items():
            self.assertGreaterEqual(now.get(domain, 0), number, "domain %d of %s, received %s" % (domain, now, received))
        self.assertEqual(position(self.cluster.position("db1")), now, "the GTIDs are those of the primary")

    def expect_acknowledged(self, load):
        """What was acknowledged is here, or comes: a position that was told a moment ago says nothing of the last of it."""
        wait_until(lambda: not self.missing(load), 30, lambda: "acknowledged and lost: %s" % self.missing(load))

    def missing(self, load):
        there = {(t, k) for t in (0, 1) for (k,) in self.cluster.sql("db1", "SELECT k FROM t.w%d" % t)}
        return sorted(set(load.acknowledged) - there)


def copies(folder, paths):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    made = [os.path.join(folder, "%04d" % i) for i in range(len(paths))]
    for path, to in zip(paths, made):
        shutil.copyfile(path, to)
    return made
