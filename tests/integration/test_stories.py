#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What other managers of failovers got wrong, on real servers: stories that need no server to die. docs/testing.md names
the others."""
import threading
import time

from harness import ClusterTest, Failed, main, wait_until
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
        told, lock = [], threading.Lock()

        def write(k):
            with self.cluster.session(primary, "app") as s:
                try:
                    s.sql("INSERT INTO t.w (k) VALUES ('%s')" % k)
                    with lock:
                        told.append(k)
                except Failed:
                    pass
        waiting = [threading.Thread(target=write, args=("waits-%d" % i,), daemon=True) for i in range(8)]
        for t in waiting:
            t.start()
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


class OnMariadb(Stories, ClusterTest):
    flavor = "mariadb"


class OnMysql(Stories, ClusterTest):
    flavor = "mysql"


del Replaced, Stories

if __name__ == "__main__":
    main()
