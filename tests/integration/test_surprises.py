#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siding-index and siding-load against what servers, schemas and operators have in store: settings that cut results,
engines without transactions, a target that is another by now, a delta that finds nothing. Each input stands for a kind;
the public report or the page of the manual is named beside it."""
import json
import os
import tempfile

import library
from harness import ClusterTest, main

TITLES = 50


class Surprises:
    replicas, servers_only = 1, True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        library.fill(cls.cluster, TITLES)
        cls.runs = 0

    def folder(self):
        return tempfile.mkdtemp(dir=self.cluster.folder)

    def next_run(self):
        type(self).runs += 1
        return "%d.1" % self.runs

    def conf(self, fields, more='on_change = "discard";', name="surprise.conf", target="lib.word_index"):
        fields = ", ".join('{ name = "f%d"; query = %s; }' % (i, json.dumps(q, ensure_ascii=False)) for i, q in enumerate(fields))
        text = 'name = "lib"; kind = "index"; upload = "swap";\nindex = { target = "%s"; key = "record"; fields = ( %s );\n%s };\n' % (
            target, fields, more)
        return library.definition(self.cluster, name, text=text)

    def index(self, conf, node="db1", status=0, options=()):
        folder = self.folder()
        err = library.index(self.cluster, node, folder, conf, *options, status=status)
        return err if status else folder

    def load(self, folder, *options, run=None, status=0):
        out = library.load(self.cluster, folder, run or self.next_run(), *options, status=status)
        return out if status else json.loads(out)

    def plain(self, lines, definition="(id INT, word VARCHAR(40), KEY (id))", **keywords):
        folder = self.folder()
        library.plain_result(folder, lines, **keywords)
        self.cluster.sql("db0", "DROP TABLE IF EXISTS lib.plain; CREATE TABLE lib.plain " + definition)
        return folder

    def count(self, table="lib.plain"):
        return int(self.cluster.value("db0", "SELECT COUNT(*) FROM " + table))

    # -- what a session inherits: docs/reference/sessions.md

    def test_globals_of_the_replica_cut_nothing(self):
        """sql_select_limit, group_concat_max_len and their kind (MySQL's default for the latter is 1024)."""
        c = self.cluster
        conf = self.conf(["SELECT MOD(id, 2), GROUP_CONCAT(title ORDER BY id SEPARATOR ' ') FROM lib.record GROUP BY MOD(id, 2)",
                          "SELECT id, body FROM lib.record"])
        whole = set(library.rows(self.index(conf)))
        self.assertEqual(len({r for t, r, f, n in whole if f == 2}), TITLES)
        c.sql("db1", "SET GLOBAL sql_select_limit=3; SET GLOBAL group_concat_max_len=40; SET GLOBAL sql_auto_is_null=1; "
              "SET GLOBAL max_sort_length=64; SET GLOBAL init_connect='SET sql_select_limit=2'")
        try:
            self.assertEqual(set(library.rows(self.index(conf))), whole)
            dump = self.folder()
            library.run("siding-dump", *library.at(c, "db1", "job"), "--threads", "1", "--no-objects", "--database", "lib",
                        "--verify", "--output", dump)
            with open(os.path.join(dump, "files.json"), encoding="utf-8") as f:
                rows = {t["table"]: t["rows"] for t in json.load(f)["tables"]}
            self.assertEqual(rows["record"], TITLES)
        finally:
            c.sql("db1", "SET GLOBAL sql_select_limit=DEFAULT; SET GLOBAL group_concat_max_len=DEFAULT; SET GLOBAL sql_auto_is_null=0; "
                  "SET GLOBAL max_sort_length=DEFAULT; SET GLOBAL init_connect=''")

    def test_globals_of_the_primary_let_nothing_through(self):
        """With max_error_count=0 no warning is shown, and LOAD DATA LOCAL cuts values with nothing but a warning."""
        c = self.cluster
        folder = self.plain(["1\tabcdefgh\n"], "(id INT, word CHAR(4))")
        c.sql("db0", "SET GLOBAL max_error_count=0; SET GLOBAL sql_notes=0; SET GLOBAL foreign_key_checks=0; SET GLOBAL unique_checks=0")
        try:
            err = self.load(folder, status=1)
        finally:
            c.sql("db0", "SET GLOBAL max_error_count=DEFAULT; SET GLOBAL sql_notes=1; SET GLOBAL foreign_key_checks=1; SET GLOBAL unique_checks=1")
        self.assertRegex(err, "Data truncated|too long|SET GLOBAL max_error_count=64")
        self.assertEqual(self.count(), 0)
        # With the checks of a server that loads something itself at the same time.
        c.sql("db0", "DROP TABLE IF EXISTS lib.plain, lib.parent; CREATE TABLE lib.parent (id INT PRIMARY KEY); INSERT INTO lib.parent VALUES (1)")
        folder = self.plain(["1\ta\n", "2\tb\n"], "(id INT, word CHAR(4), FOREIGN KEY (id) REFERENCES lib.parent (id))")
        c.sql("db0", "SET GLOBAL foreign_key_checks=0")
        try:
            err = self.load(folder, status=1)
        finally:
            c.sql("db0", "SET GLOBAL foreign_key_checks=1")
        self.assertIn("foreign key constraint fails", err)
        self.assertEqual(self.count(), 0)
        c.sql("db0", "DROP TABLE lib.plain, lib.parent")

    def test_values_that_a_load_would_change_are_errors(self):
        """Error reference: 1264, 1265 (a note only, where digits of a DECIMAL go), 1292, 1366, 1406."""
        for definition, line in (("(id INT, word DECIMAL(5,2))", "1\t1.239\n"), ("(id INT, word DECIMAL(5,2))", "1\t12345.6\n"),
                                 ("(id INT, word DATE)", "1\t2020-02-30\n"), ("(id INT, word DATE)", "1\t2020-02-03 10:11:12\n"),
                                 ("(id TINYINT, word TEXT)", "300\tx\n"), ("(id INT, word ENUM('a'))", "1\tb\n"),
                                 ("(id INT, word VARCHAR(9) CHARACTER SET latin1)", "1\t\u0436\n"), ("(id INT, word SET('a','b'))", "1\ta,c\n"),
                                 ("(id INT, word BIT(2))", "1\t9\n"), ("(id INT, word TIME)", "1\t900:00:00\n"),
                                 ("(id INT UNSIGNED, word TEXT)", "-1\tx\n"), ("(id INT, word VARBINARY(2))", "1\tabc\n")):
            with self.subTest(definition=definition, line=line):
                err = self.load(self.plain([line], definition), status=1)
                self.assertIn("lib.plain", err)
                self.assertEqual(self.count(), 0)

    def test_values_that_a_query_loses_are_errors(self):
        """A function that cannot make a value gives NULL and a warning; the text would be missing in the index."""
        for query, code in (("SELECT id, CAST(title AS CHAR(3)) FROM lib.record", 1292),
                            ("SELECT id, REPEAT(title, 100000000) FROM lib.record", 1301),
                            ("SELECT id, CAST('x' + id AS CHAR) FROM lib.record", 1292),
                            ("SELECT id, CONVERT(UNHEX('FF') USING utf8mb4) FROM lib.record", 1300),
                            ("SELECT id, STR_TO_DATE(title, '%Y') FROM lib.record", 1411),
                            ("SELECT id, DATE_ADD('9999-12-31', INTERVAL id DAY) FROM lib.record", 1441)):
            with self.subTest(query=query):
                self.assertRegex(self.index(self.conf([query]), status=1), 'field "f0": .*warning %d' % code)
        self.index(self.conf(["SELECT id, CONCAT(title, 1 / 0) FROM lib.record UNION ALL SELECT id, title FROM lib.record"]))


class OnMariadb(Surprises, ClusterTest):
    pass


class OnMysql(Surprises, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
