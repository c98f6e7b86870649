#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What other managers of failovers got wrong, on real servers: stories that need no server to die. docs/testing.md names
the others."""
import contextlib
import os
import re
import signal
import threading
import time

from harness import BUILD, ClusterTest, main
from machine import Failed, call, wait_until
from test_switchover import Replaced


class Stories(Replaced):
    def switch(self, *args, **keywords):
        return self.cluster.siding("cluster", "switchover", *args, within_s=120, **keywords)

    def node(self, name):
        return next(n for n in self.ask("failover", "--dry-run")["nodes"] if n["name"] == name)

    def says(self, name, text):
        wait_until(lambda: any(text in t for t in self.node(name)["never"]), 20,
                   lambda: "%s: %s; it is %s" % (name, text, self.node(name)))
        self.assertFalse(self.node(name)["can"])

    def all_well(self):
        for name in self.cluster.nodes:
            if name != self.primary():
                self.await_member(name)
        self.await_well()

    def writer(self, primary, k, told):
        """A client that commits one row, and adds it to `told` when it has heard so."""
        def write():
            with self.cluster.session(primary, "app") as s, contextlib.suppress(Failed):
                s.sql("INSERT INTO t.w (k) VALUES ('%s')" % k)
                told.append(k)
        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        return thread

    def test_1_a_replica_delayed_on_purpose_is_no_candidate(self):
        self.all_well()
        self.cluster.change_source("db1", "DELAY", "3600")
        self.says("db1", "it is delayed by 60 min 00 s on purpose")
        self.switch()  # the other one, and this one stays delayed
        self.assertEqual("db2", self.primary())
        self.await_member("db1")
        self.assertEqual("3600", str(self.cluster.replication("db1")["SQL_Delay"]))
        self.cluster.change_source("db1", "DELAY", "0")
        wait_until(lambda: self.node("db1")["can"], 20, "db1 can be the primary")
        self.all_well()

    def test_2_a_replica_with_filters_is_no_candidate(self):
        self.cluster.sql("db1", "STOP REPLICA")
        self.cluster.sql("db1", {"mariadb": "SET GLOBAL replicate_ignore_table = 'scratch.x'",
                                 "mysql": "CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = (scratch.x)"}[self.flavor])
        self.cluster.sql("db1", "START REPLICA")
        self.says("db1", "Replicate_Ignore_Table=scratch.x")
        self.assertIn("Replicate_Ignore_Table=scratch.x", self.refused("--to", "db1"))
        self.assertNotEqual("db1", self.primary())
        self.cluster.sql("db1", "STOP REPLICA")
        self.cluster.sql("db1", {"mariadb": "SET GLOBAL replicate_ignore_table = ''",
                                 "mysql": "CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = ()"}[self.flavor])
        self.cluster.sql("db1", "START REPLICA")
        wait_until(lambda: self.node("db1")["can"], 20, "db1 can be the primary")
        self.all_well()

    def test_3_commits_that_wait_are_never_cut_off(self):
        """Nobody acknowledges: the switchover is refused, and each of them is told the truth in the end."""
        primary = self.primary()
        others = [n for n in self.cluster.nodes if n != primary]
        for node in others:
            self.cluster.sql(node, "STOP REPLICA IO_THREAD")
        told = []
        waiting = [self.writer(primary, "waits-%d" % i, told) for i in range(8)]
        time.sleep(3)
        self.assertEqual([], told)
        # which is found first depends on how long the replicas have not received
        self.assertRegex(self.refused(), "commits wait for an acknowledgement|behind: let it catch up first")
        self.assertEqual(primary, self.primary())
        self.assertEqual("0", self.cluster.value(primary, "SELECT @@GLOBAL.read_only"))
        for node in others:
            if self.cluster.replication(node).get("io") == "No":
                self.cluster.sql(node, "START REPLICA IO_THREAD")
        self.cluster.sql(primary, "INSERT INTO t.w (k) VALUES ('after')")
        for t in waiting:
            t.join(60)
        self.assertEqual(8, len(told))
        self.all_well()

    def test_4_a_server_that_was_primary_twice_follows(self):
        """In two domains on MariaDB; what each has written itself is its position."""
        for _ in range(2):
            primary = self.primary()
            target = next(n for n in self.cluster.nodes if n != primary)
            if self.flavor == "mariadb":
                self.cluster.sql(primary, "SET SESSION gtid_domain_id = 7; INSERT INTO t.w (k) VALUES ('domain 7')")
            self.cluster.sql(primary, "INSERT INTO t.w (k) VALUES ('domain 0')")
            self.switch("--to", target)
            self.all_well()
            self.switch("--to", primary)
            self.all_well()
        self.cluster.expect_equal()

    def test_5_commits_that_every_replica_has_are_acknowledged(self):
        """Received while no receiver acknowledged, and sent to none of them a second time."""
        self.all_well()
        primary, coordinator, told, waiting = self.primary(), self.cluster.pid("sidingd"), [], []
        others = [n for n in self.cluster.nodes if n != primary]
        os.kill(coordinator, signal.SIGSTOP)
        try:
            for node in others:
                self.cluster.sql(node, "SET GLOBAL rpl_semi_sync_%s_enabled = 0; STOP REPLICA IO_THREAD; START REPLICA IO_THREAD"
                                 % {"mariadb": "slave", "mysql": "replica"}[self.flavor])
            for i in range(2):  # two groups in the binary log: MariaDB lets no third one in then
                waiting.append(self.writer(primary, "stands-%d" % i, told))
                for node in others:
                    wait_until(lambda n=node, i=i: int(self.cluster.value(
                        n, "SELECT COUNT(*) FROM t.w WHERE k LIKE 'stands-%'")) > i, 20, "%s has received it" % node)
            self.assertEqual([], told)
        finally:
            os.kill(coordinator, signal.SIGCONT)
        for t in waiting:
            t.join(60)
        self.assertEqual(["stands-0", "stands-1"], sorted(told))
        self.assertEqual(primary, self.primary())
        self.all_well()


    def test_6_settings_unlike_the_primarys(self):
        """What stops replicas forbids it, what applications notice speaks against it; both are told all the time."""
        self.all_well()
        primary = self.primary()
        node = next(n for n in self.cluster.nodes if n != primary)
        self.assertEqual([[], []], [self.node(node)["never"], self.node(node)["avoid"]])

        def set_mode(value):
            self.cluster.sql(node, "SET GLOBAL sql_mode = '%s'" % value)
        was = self.cluster.value(node, "SELECT @@GLOBAL.sql_mode")
        set_mode("ANSI_QUOTES")
        wait_until(lambda: any('its sql_mode is "ANSI_QUOTES"' in t for t in self.node(node)["avoid"]), 20,
                   lambda: "%s: %s" % (node, self.node(node)))
        self.assertTrue(self.node(node)["can"])
        out = call(os.path.join(BUILD, "siding"), "check", env=self.cluster.env)[1]
        self.assertIn('its sql_mode is "ANSI_QUOTES", that of %s' % primary, out)
        set_mode(was)
        if self.flavor == "mariadb":
            self.cluster.sql(node, "SET GLOBAL gtid_domain_id = 9")
            self.says(node, 'its gtid_domain_id is "9", that of %s "0"' % primary)
            self.cluster.sql(node, "SET GLOBAL gtid_domain_id = 0")
        wait_until(lambda: self.node(node)["can"] and not self.node(node)["avoid"], 20, lambda: "nothing is said: %s" % self.node(node))

    def test_7_an_account_that_a_server_does_not_let_in(self):
        """Of replication, on one that others would have to follow: told before it matters."""
        self.all_well()
        primary = self.primary()
        node, other = [n for n in self.cluster.nodes if n != primary]
        account = re.search(r"^user *= *(\S+)", self.account_file(other), re.M)[1]
        name = self.cluster.value(
            node, "SELECT CONCAT(QUOTE(User), '@', QUOTE(Host)) FROM mysql.user WHERE User = '%s' LIMIT 1" % account)

        def let_in(how):
            read_only = {"mariadb": "read_only", "mysql": "super_read_only"}[self.flavor]
            self.cluster.sql(node, "SET SESSION sql_log_bin = 0; SET GLOBAL %s = 0; ALTER USER %s ACCOUNT %s; SET GLOBAL %s = 1"
                             % (read_only, name, how, read_only))
        let_in("LOCK")
        try:
            told = "%s could not replicate from it: " % other
            wait_until(lambda: any(t.startswith(told) for t in self.node(node)["avoid"]), 60,
                       lambda: "%s: %s" % (node, self.node(node)))
            self.assertTrue(self.node(node)["can"])
            self.assertEqual([], self.node(other)["avoid"])
            out = call(os.path.join(BUILD, "siding"), "check", env=self.cluster.env)[1]
            self.assertIn("could not replicate from %s, if that became the primary" % node, out)
        finally:
            let_in("UNLOCK")
        wait_until(lambda: not self.node(node)["avoid"], 60, lambda: "nothing is said: %s" % self.node(node))

    def account_file(self, node):
        with open(os.path.join(self.cluster.folder, node, "agent.conf"), encoding="utf-8") as f:
            path = re.search(r'replication_defaults_file *= *"([^"]+)"', f.read())[1]
        with open(path, encoding="utf-8") as f:
            return f.read()

    @contextlib.contextmanager
    def leaves_semi_sync(self, *nodes):
        """By their agent.conf it is switched on by a person there, and by nobody else."""
        old = {}

        def restart_with(node, text):
            with open(os.path.join(self.cluster.folder, node, "agent.conf"), "w", encoding="utf-8") as f:
                f.write(text)
            self.cluster.kill("agent" + node[2:])
            self.cluster.start(node)
        try:
            for node in nodes:
                with open(os.path.join(self.cluster.folder, node, "agent.conf"), encoding="utf-8") as f:
                    old[node] = f.read()
                restart_with(node, old[node] + 'semi_sync = "leave";\n')
            yield
        finally:
            for node, text in old.items():
                restart_with(node, text)

    def semi_sync(self, node, *settings):
        """As a source. A commit of an applier waits like any other: not where wait_none is 0 and nobody follows."""
        name = {"mariadb": "rpl_semi_sync_master", "mysql": "rpl_semi_sync_source"}[self.flavor]
        none = {"mariadb": "wait_no_slave", "mysql": "wait_no_replica"}[self.flavor]
        for setting in settings:
            self.cluster.sql(node, "SET GLOBAL %s_%s" % (name, setting.replace("wait_none", none)))

    def test_8_semi_sync_that_nobody_switches_on(self):
        """Where it is a person's, and off, a primary would be refused when all others have been stopped for it already."""
        self.all_well()
        primary, count = self.primary(), len(self.ask("failovers"))
        node, other = [n for n in self.cluster.nodes if n != primary]
        told = 'semi-sync as a source is off on it, and semi_sync = "leave" in its agent.conf'
        with self.leaves_semi_sync(node, other):
            for n in (node, other):
                self.says(n, told)
                self.assertIn(told, self.refused("--to", n))
            self.assertIn("no replica can become the primary", self.refused())
            plan = self.ask("failover", "--dry-run")
            self.assertIn("no replica can become the primary", plan["obstacles"])
            self.assertEqual(count, len(self.ask("failovers")), "nothing was begun, nothing closed")
            out = call(os.path.join(BUILD, "siding"), "check", env=self.cluster.env)[1]
            for n in (node, other):
                self.assertRegex(out, r'(?s)%s\b.{0,80}it cannot become the primary: semi-sync as a source is off.*semi_sync = "manage"' % n)
        with self.leaves_semi_sync(node):
            self.says(node, told)
            wait_until(lambda: self.node(other)["can"], 20, lambda: "the mend that is named mends: %s" % self.node(other))
            self.switch()
            self.assertEqual(other, self.primary(), "another is taken")
            self.all_well()
            self.semi_sync(node, "wait_none=0", "enabled=1")
            wait_until(lambda: self.node(node)["can"], 20, lambda: "a person has switched it on: %s" % self.node(node))
            self.cluster.sql(other, "INSERT INTO t.w (k) VALUES ('applied')")
            self.cluster.expect_caught_up()
            self.switch("--to", node)
            self.assertEqual(node, self.primary())
            self.all_well()
        self.semi_sync(node, "wait_none=1")
        self.all_well()

    def test_9_a_switchover_says_nothing_of_what_follows(self):
        """A replica that is paused keeps no primary closed; one that died is replaced by it all the same."""
        self.all_well()
        self.switch()
        self.all_well()
        others = [n for n in self.cluster.nodes if n != self.primary()]
        for node in others:
            self.cluster.siding("replica", "pause", node, "--for", "5m", "--reason", "test")
        try:
            wait_until(lambda: all(any("it is paused" in t for t in self.node(n)["avoid"]) for n in others), 20,
                       lambda: "both are paused: %s" % self.ask("failover", "--dry-run"))
            self.assertNotIn("no replica can become the primary", self.ask("failover", "--dry-run")["obstacles"])
            self.assertRegex(self.refused(), "is paused")
        finally:
            for node in others:
                self.cluster.siding("replica", "resume", node)
        self.all_well()


class OnMariadb(Stories, ClusterTest):
    flavor = "mariadb"


class OnMysql(Stories, ClusterTest):
    flavor = "mysql"


del Replaced, Stories

if __name__ == "__main__":
    main()
