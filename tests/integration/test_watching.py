#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the coordinator and the agents see that others have done: transactions written on a replica, a primary that was
closed."""
import json
import os
import time
import urllib.request

from harness import BUILD, ClusterTest, main
from machine import call, Failed, slack, wait_until


class Watching:
    """What holds on both flavours. Tests follow each other on one cluster."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.sql("db0", "CREATE DATABASE t; CREATE TABLE t.w (id BIGINT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(30))")
        c.expect_caught_up()
        wait_until(lambda: [n["state"] for n in cls.api("/v1/nodes")] == ["serving"] * 3, 60, "all nodes serve")

    @classmethod
    def api(cls, path):
        url = "http://127.0.0.1:%d%s" % (cls.cluster.ports.base + 20, path)
        with urllib.request.urlopen(url, timeout=20 * slack()) as answer:
            return json.loads(answer.read())

    def node(self, name):
        return next(n for n in self.api("/v1/nodes") if n["name"] == name)

    def event(self, words, within_s=40):
        def there():
            return next((e for e in self.api("/v1/events?after=0&limit=1000") if words in e["text"]), None)
        return wait_until(there, within_s, '"%s" is told' % words)

    def warnings(self):
        return self.api("/v1/status")["warnings"]

    def closed(self):
        return self.cluster.value("db0", "SELECT @@GLOBAL.read_only")

    # -- a primary that somebody has closed

    def test_a_closed_primary_stays_closed_until_it_is_opened_by_hand(self):
        c = self.cluster
        self.assertEqual(self.closed(), "0")
        c.sql("db0", "SET GLOBAL read_only=1")
        self.event("was closed to writes (read_only) by somebody else")
        wait_until(lambda: any("siding cluster open" in w for w in self.warnings()), 10, "it is in the status")
        c.kill("agent0")
        c.must_sandbox("start", "db0")
        time.sleep(3)
        self.assertEqual(self.closed(), "1", "an agent that is started anew does not open it")
        wait_until(lambda: any("siding cluster open" in w for w in self.warnings()), 10, "it is in the status still")
        wait_until(lambda: self.opened(), 20, "it is opened")
        self.assertEqual(self.closed(), "0")
        c.sql("db0", "INSERT INTO t.w (v) VALUES ('open')")
        self.event("is opened to writes by hand by")
        wait_until(lambda: not any("siding cluster open" in w for w in self.warnings()), 10, "it is not in the status any more")
        self.assertIn("is open to writes", c.siding("cluster", "open", status=1))

    def opened(self):
        """False: the agent has not heard the coordinator since it was started."""
        try:
            self.cluster.siding("cluster", "open", "--reason", "test")
        except Failed as e:
            self.assertIn("has not repeated", str(e))
            return False
        return True

    # -- transactions that only a replica has

    def test_what_was_written_on_a_replica_is_named_while_it_serves(self):
        c = self.cluster
        self.assertIsNone(self.node("db1").get("errant"))
        gtid = self.write_on_db1()  # a MariaDB that is strict about GTIDs stops at the next transaction of the primary
        try:
            self.assertIn(gtid, self.event("db1 has transactions that the primary does not have (errant)")["text"])
            self.assertEqual(self.node("db1")["errant"], gtid)
            self.assertIsNone(self.node("db2").get("errant"))
            siding = os.path.join(BUILD, "siding")
            self.assertIn("errant: " + gtid, call(siding, "replica", "list", env=c.env)[1])
            found = [f for f in json.loads(call(siding, "check", "--json", "--all", env=c.env)[1]) if f["name"] == "errant"]
            self.assertEqual([(f["node"], f["level"]) for f in found], [("db1", "error"), ("db2", "ok")])
            self.assertIn(gtid, found[0]["text"])
            self.assertTrue(any(gtid in w for w in self.warnings()))
        finally:
            self.forget(gtid)
        self.event("db1 has no errant transactions any more", 60)
        if c.replication("db1")["sql"] == "No":
            c.siding("replica", "resume", "db1")
        c.expect_replicating("db1")
        self.assertIsNone(self.node("db1").get("errant"))
        c.expect_caught_up()
        c.expect_equal()

    def test_a_busy_primary_makes_no_replica_errant(self):
        c = self.cluster
        begin = time.monotonic()
        while time.monotonic() - begin < 15:
            c.sql("db0", "INSERT INTO t.w (v) VALUES ('a'), ('b')")
            self.assertEqual([n.get("errant") for n in self.api("/v1/nodes")], [None] * 3)
        c.expect_caught_up()


class OnMariadb(Watching, ClusterTest):

    def write_on_db1(self):
        self.cluster.sql("db1", "INSERT INTO t.w (id, v) VALUES (1000000, 'errant')")
        return self.cluster.value("db1", "SELECT @@GLOBAL.gtid_binlog_pos")

    def forget(self, gtid):
        self.cluster.sql("db1", "SET SESSION sql_log_bin=0; DELETE FROM t.w WHERE id = 1000000; RESET MASTER")


class OnMysql(Watching, ClusterTest):
    flavor = "mysql"

    def write_on_db1(self):
        before = self.cluster.value("db1", "SELECT @@GLOBAL.gtid_executed")
        self.cluster.sql("db1", "SET GLOBAL super_read_only=0; INSERT INTO t.w (id, v) VALUES (1000000, 'errant'); SET GLOBAL super_read_only=1")
        uuid = self.cluster.value("db1", "SELECT @@GLOBAL.server_uuid")
        self.assertNotIn(uuid, before)
        return uuid + ":1"

    def forget(self, gtid):
        self.cluster.sql_alone("db1", "DELETE FROM t.w WHERE id = 1000000")
        self.cluster.sql("db0", "SET gtid_next='%s'; BEGIN; COMMIT; SET gtid_next=AUTOMATIC" % gtid)


if __name__ == "__main__":
    main()
