#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Quickstart's proofs can fail: each is given something wrong and must name it. Then the whole, from a clean start
to nothing left behind."""
import gzip
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from collections import Counter

from harness import ROOT, ClusterTest, main
from machine import PortRange, call, processes_naming, wait_until

sys.path.insert(0, os.path.join(ROOT, "scripts", "lib", "quickstart"))
import catalogue  # noqa: E402
import compare  # noqa: E402
import flavor  # noqa: E402
import latency  # noqa: E402
import restore  # noqa: E402
import summary  # noqa: E402
import witness  # noqa: E402
import words  # noqa: E402
from servers import Session, SqlError  # noqa: E402


class Look:
    """A witness's sample."""

    def __init__(self, at, applied, received, sql, settings=("1", "1")):
        self.at, self.applied, self.received = at, "0-1-%d" % applied, "0-1-%d" % received
        self.sql, self.io, self.settings, self.error = sql, "Yes", settings, ""


class Pure(unittest.TestCase):
    def test_a_record_of_the_package_index(self):
        (s,) = catalogue.stanzas("Package: a\nVersion: 1\nDescription: one\n more of it\nMaintainer: A B <a@b>\n"
                                 "Depends: cc (>= 1) | dd, cc (<= 2), ee:any\nTag: x::{y,z}, w\nSection: non-free/net\n\n")
        self.assertEqual(s["Description"], "one\nmore of it")
        self.assertEqual(catalogue.links(s, {"cc": 1, "dd": 2}), {("depends", 1): [">= 1", "<= 2"], ("depends", 2): [""]})
        self.assertEqual(catalogue.keywords(s), ["net", "w", "x::y", "x::z"])
        self.assertEqual(catalogue.people("A B <a@b>"), [("A B", "a@b")])

    def test_a_pause_with_its_buffer_and_replay(self):
        looks = [Look(0, 10, 10, True), Look(1, 12, 12, False), Look(2, 12, 40, False), Look(3, 12, 72, False),
                 Look(3.1, 12, 75, True, ("2", "0")), Look(3.2, 60, 78, False), Look(3.3, 60, 80, True),
                 Look(4, 95, 95, True), Look(5, 100, 100, True)]
        (pause,) = witness.pauses(looks)
        self.assertEqual((pause["gtids"], pause["buffered"]), ({"0-1-12"}, 60))
        self.assertAlmostEqual(pause["seconds"], 2.1)
        self.assertAlmostEqual(pause["write_rate"], 30)
        self.assertEqual(pause["caught_up_at"], 4)

    def test_positions_of_both_servers(self):
        uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
        self.assertEqual([witness.sequence(p) for p in ("", "0-1-12", uuid + ":7", uuid + ":1-12", uuid + ":1-5:7-12")], [0, 12, 7, 12, 12])
        self.assertEqual((summary.short("0-1-12"), summary.short(uuid + ":1-12")), ("0-1-12", "3e11fa47…:1-12"))
        self.assertEqual([flavor.of(v).name for v in ("10.11.19-MariaDB-0+deb12u1-log", "9.7.4")], ["mariadb", "mysql"])
        self.assertEqual(dir(flavor.MariaDB), dir(flavor.MySQL))

    def test_latencies_by_window(self):
        samples = [(t, 1000 * (t % 100 + 1), "edit", t != 150) for t in range(200)]
        w = latency.window(samples, 100, 200)
        self.assertEqual((w["count"], w["p50"], w["p99"], w["worst"], w["errors"]), (100, 51, 100, 100, 1))
        self.assertIsNone(latency.window(samples, 300, 400))

    def test_words_of_a_text(self):
        self.assertEqual(words.tokens("LibBoost-filesystem1.74.0 (>= 1.5), it's a_b 3,4 x.y _ a.1"),
                         ["libboost", "filesystem1.74.0", "1.5", "it's", "a_b", "3,4", "x.y", "a", "1"])

    def test_files_of_a_dump_in_order(self):
        steps = restore.plan(["d.t.00000.sql.gz", "d.t-schema.sql", "d-schema-create.sql", "d.t-schema-triggers.sql", "metadata"])
        self.assertEqual([s for s in steps if s], [["d-schema-create.sql"], ["d.t-schema.sql"], ["d.t.00000.sql.gz"],
                                                   ["d.t-schema-triggers.sql"]])
        with self.assertRaises(SqlError):
            restore.plan(["stray.sql"])


class Proofs(ClusterTest):
    """The catalogue on servers without agents; replicas are written to."""
    servers_only = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for node in ("db1", "db2"):
            cls.cluster.sql(node, "SET GLOBAL read_only = OFF")

    def sample(self, node="db1"):
        class Server:
            socket = self.cluster.socket(node)
        return Server

    def test_1_a_row_that_differs_is_named(self):
        c = self.cluster
        c.load_catalogue(2000)
        others = {node: c.socket(node) for node in ("db1", "db2")}
        _, tables, rows, wrong = compare.equal_servers(c.socket("db0"), others, ["catalogue"])
        self.assertEqual((tables, wrong), (8, {"db1": [], "db2": []}))
        self.assertGreater(rows, 4000)
        c.sql("db2", "SET sql_log_bin=0; UPDATE catalogue.record SET size = size + 1 WHERE id = 7")
        _, _, _, wrong = compare.equal_servers(c.socket("db0"), others, ["catalogue"])
        self.assertEqual(wrong["db1"], [])
        self.assertIn("catalogue.record differs", wrong["db2"][0])

    def test_2_an_index_that_differs_is_named(self):
        c, folder = self.cluster, tempfile.mkdtemp(dir=self.cluster.folder)
        c.sql("db0", "INSERT INTO catalogue.record (name, version, section, summary) VALUES ('x', '1', 's', "
              "'Émigré ﬁne straße, node.js o’clock Øre don''t 1.5 fine_x fine.')")
        c.expect_caught_up()
        session = Session("db1", c.socket("db1"))
        words.collect_texts(self.sample())
        postings = Counter((t, int(r), int(f)) for r, f, text in session.rows("SELECT record, field, text FROM words.texts")
                           if text.isascii() for t in words.tokens(text))
        expected = {"emigre": 1, "fine": 2, "strasse": 1, "node.js": 1, "ore": 1, "node": 0, "js": 0, "fine_x": 1, "1.5": 1}
        last = int(session.value("SELECT MAX(record) FROM words.texts"))
        for word, n in expected.items():
            found = words.count_in_server(self.sample(), [word]).get((word, last, 2), 0)
            self.assertEqual(found, n, word)
        session.close()
        self.write(folder, postings)
        c.sql("db1", "DELETE FROM words.texts WHERE odd")
        chosen, rows, total, wrong = words.check_sample(self.sample(), folder, "seed", 24)
        self.assertEqual((wrong, total), ([], len(postings)))
        word = chosen[5]
        key = next(k for k in postings if k[0] == word)
        self.write(folder, {k: n + (k == key) for k, n in postings.items()})
        self.assertIn("%s in record %d" % key[:2], words.check_sample(self.sample(), folder, "seed", 24)[3][0])
        self.write(folder, {k: n for k, n in postings.items() if k != key})
        self.assertIn("%s in record %d" % key[:2], words.check_sample(self.sample(), folder, "seed", 24)[3][0])

    @staticmethod
    def write(folder, postings):
        with gzip.open(os.path.join(folder, "catalogue.word_index.00000.tsv.gz"), "wt", encoding="utf-8") as f:
            f.writelines("%s\t%d\t%d\t%d\n" % (*key, n) for key, n in sorted(postings.items()))


class MainJob:
    """scripts/quickstart as a user runs it, on a small catalogue, without a terminal."""
    records = 3000

    def setUp(self):
        self.ports = PortRange()
        self.addCleanup(self.ports.release)
        self.folder = tempfile.mkdtemp(prefix="sdq", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.command = [os.path.join(ROOT, "scripts", "quickstart"), "--flavor", self.flavor, "--records", str(self.records),
                        "--dir", self.folder, "--base-port", str(self.ports.base)]

    def leftovers(self):
        return " ".join(processes_naming(self.folder)) + " ".join(os.listdir(self.folder) if os.path.exists(self.folder) else [])

    def test_the_main_job_is_done_and_proven(self):
        status, out, err = call(*self.command, within_s=800)
        self.assertEqual(status, 0, out + err)
        self.assertIn("proofs: 8 of 8 hold", out)
        self.assertNotRegex(out, "[^\n -~…]")
        self.assertLessEqual(max(len(line) for line in out.split("\n")), 100)
        self.assertEqual(self.leftovers(), "")


class Whole(MainJob, unittest.TestCase):
    flavor = "mariadb"

    def test_interrupted_it_leaves_nothing(self):
        with tempfile.NamedTemporaryFile("w") as out:
            quickstart = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            self.addCleanup(quickstart.kill)

            def said(text):
                with open(out.name, encoding="utf-8") as f:
                    return text in f.read()
            wait_until(lambda: said("ok  loading") or quickstart.poll() is not None, 300, "the load of the catalogue")
            quickstart.send_signal(signal.SIGTERM)
            self.assertEqual(quickstart.wait(120), 143)
        self.assertEqual(self.leftovers(), "")

    def test_a_folder_that_is_in_use_is_refused(self):
        with open(os.path.join(self.folder, "precious"), "w", encoding="ascii") as f:
            f.write("x")
        status, _, err = call(*self.command)
        self.assertEqual(status, 1)
        self.assertIn("is not an empty folder", err)
        self.assertEqual(os.listdir(self.folder), ["precious"])

    def test_an_unknown_server_is_refused(self):
        status, _, err = call(*self.command, "--flavor", "oracle")
        self.assertEqual(status, 2)
        self.assertIn('--flavor is mariadb or mysql, not "oracle"', err)


class WholeOnMySQL(MainJob, unittest.TestCase):
    flavor, records = "mysql", 1000


if __name__ == "__main__":
    main()
