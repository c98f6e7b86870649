#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A replica whose data are broken is given new data without a person: once, in time, and never where something would be lost. The
data of a donor come no faster than they may."""
import json
import os
import re
import signal
import time

from harness import BUILD, ClusterTest, main
from machine import call, wait_until
from provisioned import Provisioned

AFTER_S = 5  # the least that sidingd.conf takes
RATE = 1 << 18


class Reprovision(Provisioned):
    """One life of a cluster whose replicas break."""

    records = 3000

    def configure(self, text):
        """In the place of the group that stands there by now."""
        c = self.cluster
        path = c.folder + "/coordinator/sidingd.conf"
        with open(path, encoding="utf-8") as f:
            before = re.sub(r"\nprovision = .*;\n", "\n", f.read())
        with open(path, "w", encoding="utf-8") as f:
            f.write(before + "\nprovision = { %s };\n" % text)
        os.kill(c.pid("sidingd"), signal.SIGHUP)

    def told(self, word):
        return [e["text"] for e in self.get("/v1/events?limit=500") if word in e["text"]]

    def expect_told(self, word, times=1):
        wait_until(lambda: len(self.told(word)) >= times, 60,
                   lambda: '"%s" is told: %s' % (word, [e["text"] for e in self.get("/v1/events?limit=30")]))

    def breaks(self, node, row):
        """A row is there that the primary writes only now."""
        c = self.cluster
        self.alone(node, "INSERT INTO shop.t VALUES (%d, 99)" % row)
        c.sql("db0", "INSERT INTO shop.t VALUES (%d, 1)" % row)
        wait_until(lambda: self.node(node)["agent"]["broken"], 30, lambda: "its agent says that it is broken: %s" % c.replication(node))
        self.assertIn("applier cannot go on", self.node(node)["agent"]["broken"])

    def expect_nothing_begins(self, than):
        """For longer than it would take."""
        until = time.monotonic() + AFTER_S + 3
        while time.monotonic() < until:
            self.assertEqual(self.record()["id"], than)
            time.sleep(0.5)

    def listed(self):
        return call(os.path.join(BUILD, "siding"), "replica", "list", env=self.cluster.env)[1]

    # -- the story

    def test_a_server_is_read_no_faster_than_it_may(self):
        c = self.cluster
        dump = [os.path.join(BUILD, "siding-dump"), "--defaults-file", c.folder + "/credentials/admin.cnf", "--socket",
                c.socket("db1"), "--database", "catalogue", "--format", "tsv", "--compress", "none", "--threads", "3"]

        def took(folder, *more):
            began = time.monotonic()
            status, out, err = call(*dump, "--output", c.folder + "/" + folder, *more)
            self.assertEqual(status, 0, out + err)
            with open(c.folder + "/" + folder + "/files.json", encoding="utf-8") as f:
                about = json.load(f)
            return (time.monotonic() - began, sum(e["bytes"] for e in about["files"]),
                    [(t["table"], t["rows"], t["checksum"]) for t in about["tables"]])
        _, size, tables = took("fast", "--verify")
        self.assertGreater(size, RATE)
        slow, _, same = took("slow", "--verify", "--max-rate", str(RATE))
        self.assertEqual(same, tables)
        self.assertGreater(slow, 0.7 * size / RATE)  # what travels is about what is written
        self.assertIn("nothing to hold back", call(*dump[:5], "--checksum", "--max-rate", "1M")[2])

    def test_what_only_it_has_is_left_to_a_person(self):
        c = self.cluster
        self.configure('automatic = true; after = "%ds"; per_day = 1' % AFTER_S)
        c.sql("db1", c.words["reopen"] % "CREATE DATABASE errant")
        self.expect_told("needs decision: db1 has transactions that the primary lacks")
        self.expect_nothing_begins(None)
        self.assertIn(("errant",), c.sql("db1", "SHOW DATABASES"))
        self.assertIn("needs decision", self.listed())
        r = self.add("db1", "--confirm", "db1", "--discard-its-transactions", "--max-rate", "20M", verb="reprovision")
        self.assertEqual((r["phase"], r["max_rate"], r["why"], r["history"]), ("done", 20 << 20, None, []))
        self.expect_counted_in("db1")

    def test_it_says_how_far_it_is_and_how_long_it_takes(self):
        self.add("db1", "--confirm", "db1", "--max-rate", str(RATE), "--wait", "0s", verb="reprovision")
        phase = r"dumping [\d.]+ \w+ of [\d.]+ \w+ or so, \d+%, [\d.]+ \w+/s, ETA [\d.]+ \w+ \(\w+[.]\w+, \d+ rows in all\)"
        wait_until(lambda: re.search("db1 .*gets the data of db2: " + phase, self.listed()), 30, self.listed)
        self.expect_done()
        self.expect_counted_in("db1")

    def test_a_broken_one_is_healed_once_whatever_is_killed(self):
        c = self.cluster
        before = self.record()["id"]
        self.breaks("db2", 10)
        self.expect_told("db2 will be given new data at")
        self.assertIn("siding replica cordon db2 prevents it", self.listed())
        c.siding("replica", "cordon", "db2", "--reason", "to be looked at")
        self.expect_told("db2 is not given new data: it is cordoned")
        self.expect_nothing_begins(before)
        c.siding("replica", "uncordon", "db2")
        self.expect_told("db2 will be given new data at", times=2)

        def decided():
            with open(c.folder + "/coordinator/provision.json", encoding="utf-8") as f:
                r = json.load(f)
            return r if r["id"] != before else None
        r = self.await_closely(decided)
        c.kill("sidingd")
        self.assertEqual([t["id"] for t in r["history"]], [r["id"]])
        c.start("coordinator")
        with self.held("db2", "siding-dump"):
            wait_until(lambda: re.search("db2 .*gets the data of db1: dumping", self.listed()), 40, self.listed)
        self.expect_done()
        self.expect_counted_in("db2")
        after = self.record()
        self.assertEqual((after["id"], after["why"] is not None, after["by"]), (r["id"], True, "sidingd"))
        self.assertEqual([(t["id"], t["error"]) for t in after["history"]], [(r["id"], None)])
        self.assertEqual(len(self.told("db2 is a replica with the data of db1")), 1)

    def await_closely(self, condition):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            found = condition()
            if found:
                return found
            time.sleep(0.002)
        raise self.failureException("nothing was decided: %s" % self.record())

    def test_a_second_one_the_same_day_is_not(self):
        c = self.cluster
        before = self.record()["id"]
        self.breaks("db2", 11)
        self.expect_told("1 in 24 hours is begun by itself (provision.per_day)")
        self.expect_nothing_begins(before)
        self.assertTrue(any(f["name"] == "new data" and f["node"] == "db2" for f in self.get("/v1/check")))
        self.assertIn("1 in 24 hours", self.listed())
        self.configure('automatic = true; after = "%ds"; per_day = 2' % AFTER_S)  # it was that alone
        wait_until(lambda: self.record()["id"] != before, 60, lambda: "it begins: %s" % self.listed())
        self.expect_done()
        self.expect_counted_in("db2")
        self.assertEqual(len(self.record()["history"]), 2)

    def test_a_record_that_is_cut_counts_as_a_full_day(self):
        c = self.cluster
        path = c.folder + "/coordinator/provision.json"
        c.kill("sidingd")
        with open(path, "r+", encoding="utf-8") as f:
            f.truncate(len(f.read()) // 2)
        c.start("coordinator")
        self.expect_told("what replicas were given new data cannot be read")
        self.assertTrue(os.path.exists(path + ".unreadable"))
        self.breaks("db1", 12)
        self.expect_told("2 in 24 hours are begun by itself")
        self.assertIsNone(self.record()["id"])
        self.add("db1", "--confirm", "db1", verb="reprovision")  # a person may
        self.expect_counted_in("db1")


class MariaDb(Reprovision, ClusterTest):
    pass


class MySql(Reprovision, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
