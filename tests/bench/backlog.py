# SPDX-License-Identifier: Apache-2.0
"""A backlog that can be replayed again and again: what a primary wrote while its replica stood paused, and the
replica's folder as it was before. Shapes of writing are stored procedures, so that the clients cost nothing."""
import os
import shutil
import subprocess
import time

from harness import Cluster
from machine import Failed, in_parallel, wait_until

ROWS, TABLES = 25000, 4

TABLE = """CREATE TABLE bench.sb%d (id INT PRIMARY KEY AUTO_INCREMENT, k INT NOT NULL, c CHAR(120) NOT NULL,
  pad CHAR(60) NOT NULL, KEY (k)) ENGINE=InnoDB;
INSERT INTO bench.sb%d SELECT NULL, RAND() * 25000, SHA2(RAND(), 384), LEFT(SHA2(RAND(), 224), 32)
  FROM bench.d a, bench.d b, bench.d c, bench.d d, bench.d e WHERE e.n * 10000 + d.n * 1000 < 25000;"""

# As sysbench's write-only transaction: an indexed update, a plain update, a delete and an insert of the same row.
SMALL = """CREATE PROCEDURE bench.small(IN many INT)
BEGIN
  DECLARE i INT DEFAULT 0;
  DECLARE r INT;
  DECLARE CONTINUE HANDLER FOR 1213, 1205 SET i = i - 1;
  WHILE i < many DO
    START TRANSACTION;
    SET r = 1 + FLOOR(RAND() * 25000);
    UPDATE bench.sb1 SET k = k + 1 WHERE id = r;
    SET r = 1 + FLOOR(RAND() * 25000);
    UPDATE bench.sb2 SET c = SHA2(RAND(), 384) WHERE id = r;
    SET r = 1 + FLOOR(RAND() * 25000);
    DELETE FROM bench.sb3 WHERE id = r;
    INSERT IGNORE INTO bench.sb3 VALUES (r, RAND() * 25000, SHA2(RAND(), 384), LEFT(SHA2(RAND(), 224), 32));
    COMMIT;
    SET i = i + 1;
  END WHILE;
END"""

HOT = """CREATE PROCEDURE bench.hot(IN many INT)
BEGIN
  DECLARE i INT DEFAULT 0;
  DECLARE r INT;
  DECLARE CONTINUE HANDLER FOR 1213, 1205 SET i = i - 1;
  WHILE i < many DO
    SET r = 1 + FLOOR(RAND() * 25000);
    START TRANSACTION;
    UPDATE bench.hot SET n = n + 1 WHERE id = 1;
    UPDATE bench.sb1 SET k = k + 1 WHERE id = r;
    COMMIT;
    SET i = i + 1;
  END WHILE;
END"""

LARGE = """CREATE PROCEDURE bench.large(IN many INT)
BEGIN
  DECLARE i INT DEFAULT 0;
  WHILE i < many DO
    START TRANSACTION;
    UPDATE bench.sb1 SET k = k + 1;
    UPDATE bench.sb2 SET c = SHA2(RAND(), 384);
    COMMIT;
    SET i = i + 1;
  END WHILE;
END"""


class Shape:
    def __init__(self, name, procedure, count, threads):
        self.name, self.procedure, self.count, self.threads = name, procedure, count, threads


SHAPES = {"small": Shape("small writes", "small", 50000, 4), "hot": Shape("a hot row", "hot", 50000, 4),
          "large": Shape("large transactions", "large", 16, 1)}


class Backlog:
    """One cluster whose replica db1 can be put before the backlog of a shape again."""

    def __init__(self, cluster, replica="db1"):
        self.cluster, self.replica = cluster, replica
        self.node = os.path.join(cluster.folder, replica)
        self.number = replica[2:]

    def server_pids(self):
        return [self.cluster.pid("server" + self.number)]

    def state(self):
        """What the coordinator says of the replica."""
        return next(n for n in self.cluster.siding("replica", "list") if n["name"] == self.replica)

    def lease(self):
        """The pause of the replica as its agent states it."""
        return self.state()["agent"].get("lease") or {}

    def prepare(self):
        """Tables and procedures everywhere; the replica's folder is kept as it is then."""
        c = self.cluster
        c.sql("db0", "CREATE DATABASE bench; CREATE TABLE bench.d (n INT); INSERT INTO bench.d VALUES " +
              ", ".join("(%d)" % i for i in range(10)) + "; CREATE TABLE bench.hot (id INT PRIMARY KEY, n INT); "
              "INSERT INTO bench.hot VALUES (1, 0);", within_s=300)
        for i in range(1, TABLES + 1):
            c.sql("db0", TABLE % (i, i), database="bench", within_s=300)
        for procedure in (SMALL, HOT, LARGE):
            c.sql("db0", procedure)
        c.expect_caught_up(300)
        if c.replicas == 1:
            self.relax_alone()

    def relax_alone(self):
        """The only replica acknowledges alone, and is to catch up with relaxed durability all the same."""
        with open(os.path.join(self.node, "agent.conf"), "a", encoding="utf-8") as f:
            f.write("boost_last_acknowledger = true;\n")
        self.cluster.stop(self.replica)
        self.cluster.start(self.replica)
        self.cluster.expect_replicating(self.replica, 60)

    def settle(self):
        """After a replay by hand the agent stands aside, with the pause on its disk."""
        self.cluster.start(self.replica)
        wait_until(lambda: self.state()["agent"].get("node"), 60, "the agent is back")
        if self.lease().get("owner"):
            self.cluster.siding("replica", "resume", self.replica, within_s=600)
            wait_until(lambda: not self.lease().get("owner"), 600, lambda: "end of the pause: %s" % self.lease())

    def keep(self):
        """Keeps the replica's folder as it stands, caught up, before the backlog."""
        self.settle()
        self.cluster.expect_caught_up(300)
        self.cluster.stop(self.replica)
        shutil.rmtree(self.node + ".kept", ignore_errors=True)
        subprocess.run(["cp", "-a", "--sparse=always", self.node, self.node + ".kept"], check=True)
        self.cluster.start(self.replica)
        self.cluster.expect_replicating(self.replica, 60)

    def write(self, shape, count):
        """Writes the backlog while the replica is paused: (seconds, transactions)."""
        self.cluster.siding("replica", "pause", self.replica, "--for", "2h", "--reason", "bench")
        return self.write_only(shape, count)

    def write_only(self, shape, count):
        c = self.cluster
        before, start = c.position("db0"), time.monotonic()
        in_parallel([lambda: c.sql("db0", "CALL bench.%s(%d)" % (shape.procedure, count // shape.threads),
                                   within_s=1800) for _ in range(shape.threads)])
        seconds = time.monotonic() - start
        self.target = c.position("db0")
        return seconds, self.distance(before, self.target)

    def distance(self, before, after):
        if self.cluster.flavor == "mysql":
            missing = self.cluster.value("db0", "SELECT GTID_SUBTRACT('%s', '%s')" % (after, before))
            spans = [s.split("-") for s in missing.split(":")[1:]]
            return sum(int(s[-1]) - int(s[0]) + 1 for s in spans)
        return self.sequence(after) - self.sequence(before)

    def account(self, lock):
        """The replication account of the primary, without a trace in its binary log."""
        c = self.cluster
        users = c.sql("db0", "SELECT user, host FROM mysql.user WHERE user = 'siding_repl'")
        c.sql("db0", "SET sql_log_bin=0; " + "".join("ALTER USER '%s'@'%s' ACCOUNT %s;" % (u, h, lock) for u, h in users))
        if lock == "LOCK":
            for row in c.sql("db0", "SHOW PROCESSLIST"):
                if row[4].startswith("Binlog Dump"):
                    c.sql("db0", "KILL %s" % row[0])

    def rewind(self):
        """The replica stands paused by Siding before the backlog, and has received all of it."""
        c = self.cluster
        c.must_sandbox("stop", self.replica)
        shutil.rmtree(self.node)
        subprocess.run(["cp", "-a", "--sparse=always", self.node + ".kept", self.node], check=True)
        self.account("LOCK")
        try:
            c.must_sandbox("start", self.replica)
            self.pause()
        finally:
            self.account("UNLOCK")
        wait_until(lambda: self.received(), 300, lambda: "received: %s" % c.replication(self.replica))

    def pause(self):
        c = self.cluster

        def paused():
            try:
                return c.siding("replica", "pause", self.replica, "--for", "2h", "--reason", "bench")
            except Failed:
                return None
        wait_until(paused, 60, "a pause before the backlog")

    def received(self):
        r = self.cluster.replication(self.replica)
        if self.cluster.flavor == "mysql":
            return self.cluster.value(self.replica, "SELECT GTID_SUBSET('%s', CONCAT(@@GLOBAL.gtid_executed, ',', '%s'))" % (
                self.target, r["Retrieved_Gtid_Set"].replace("\n", ""))) == "1"
        return self.sequence(r["Gtid_IO_Pos"]) >= self.sequence(self.target)

    @staticmethod
    def sequence(gtid):
        return int(gtid.rsplit("-", 1)[1])

    def await_applied(self, within_s=3600):
        c, deadline = self.cluster, time.monotonic() + within_s
        wait = "SELECT %s('%s', 30)" % (c.words["wait"], self.target)
        while c.value(self.replica, wait) != "0":
            r = c.replication(self.replica)
            if r["sql"] != "Yes" or time.monotonic() > deadline:
                raise Failed("the backlog is not applied: %s" % r)


def cluster_of(flavor):
    return Cluster(replicas=1, flavor=flavor)
