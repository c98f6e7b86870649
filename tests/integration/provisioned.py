# SPDX-License-Identifier: Apache-2.0
"""A cluster whose servers are filled with the data of others: what is asked, and what is seen of it."""
import contextlib
import json
import os
import signal
import urllib.request

from machine import command_lines, running, wait_until


class Provisioned:
    """What tests do that fill servers with the data of others. Comes before ClusterTest."""

    records = 6000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.load_catalogue(cls.records)
        c.sql("db0", "CREATE USER 'it''s'@'10.%' IDENTIFIED BY 'x'; CREATE DATABASE shop; CREATE TABLE shop.t (a INT PRIMARY KEY, b INT); "
              "INSERT INTO shop.t VALUES (1, 1); GRANT SELECT ON shop.t TO 'it''s'@'10.%'; "
              "CREATE DEFINER='it''s'@'10.%' VIEW shop.v AS SELECT a FROM shop.t")
        c.expect_caught_up()

    # -- what is asked and seen

    def get(self, path):
        with urllib.request.urlopen(self.cluster.env["SIDINGD_URL"] + path, timeout=30) as answer:
            return json.load(answer)

    def node(self, name):
        return next(n for n in self.cluster.siding("cluster", "status")["nodes"] if n["name"] == name)

    def add(self, node, *options, verb="add", **keywords):
        return self.cluster.siding("replica", verb, node, *options, within_s=240, **keywords)

    def refused(self, word, node, *options, verb="add"):
        self.assertIn(word, self.add(node, *options, verb=verb, status=1))
        self.expect_let_go()

    def expect_let_go(self):
        """Nobody stays paused."""
        wait_until(lambda: not any(n["agent"]["lease"]["owner"] for n in self.cluster.siding("cluster", "status")["nodes"]), 30,
                   lambda: "no node is paused: %s" % [(n["name"], n["state"]) for n in self.cluster.siding("cluster", "status")["nodes"]])

    def expect_counted_in(self, node):
        c = self.cluster
        c.expect_replicating(node)
        c.expect_caught_up()
        c.expect_equal()
        wait_until(lambda: self.node(node)["state"] == "serving", 30, lambda: "%s serves: %s" % (node, self.node(node)["state"]))
        wait_until(lambda: node in self.get("/v1/failover")["members"], 30, "%s is a member" % node)
        self.assertEqual(c.sql(node, "SELECT a FROM shop.v LIMIT 1"), [("1",)])
        read_only = "@@GLOBAL.read_only" if c.flavor == "mariadb" else "@@GLOBAL.super_read_only"
        self.assertEqual(c.value(node, "SELECT " + read_only), "1")
        self.assertEqual(self.accounts(node), self.accounts(c.primary()))
        self.assertEqual(self.rights(node), self.rights(c.primary()))
        self.assertFalse(os.path.exists("%s/%s/spool/.fill" % (c.folder, node)))
        self.expect_let_go()

    def alone(self, node, statement):
        """On a read-only server that is no replica, past its binary log."""
        self.cluster.sql(node, self.cluster.words["reopen"] % ("SET SESSION sql_log_bin=0; " + statement))

    def accounts(self, node):
        return self.cluster.sql(node, "SELECT User, Host FROM mysql.user WHERE User NOT LIKE 'mysql.%' ORDER BY 1, 2")

    def rights(self, node):
        """Of an account that was there before."""
        return sorted(g for (g,) in self.cluster.sql(node, "SHOW GRANTS FOR siding_agent@localhost"))

    # -- what is under way

    def begin(self, node, *options):
        self.add(node, "--wait", "0s", *options)

    def record(self):
        return self.get("/v1/provision")

    def expect_done(self):
        def over():
            with contextlib.suppress(OSError):
                r = self.record()
                return r if r["phase"] in ("done", "failed") else None
            return None
        r = wait_until(over, 120, lambda: "it is over: %s" % self.record())
        self.assertEqual((r["phase"], r["error"]), ("done", None))

    @contextlib.contextmanager
    def held(self, node, program):
        """The program of this node's filling is stopped as soon as it is seen; what it is given has its pid."""
        folder = "%s/%s/" % (self.cluster.folder, node)

        def found():
            return next((p for p, words in command_lines().items() if words and words[0].endswith(program) and
                         any(folder in w for w in words[1:]) and running(p)), None)
        pid = wait_until(found, 60, lambda: "%s runs on %s: %s" % (program, node, self.record()))
        os.kill(pid, signal.SIGSTOP)
        try:
            yield pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
