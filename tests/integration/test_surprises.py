#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siding-index and siding-load against what servers, schemas and operators have in store: settings that cut results,
engines without transactions, a target that is another by now, a delta that finds nothing. Each input stands for a kind;
the public report or the page of the manual is named beside it."""
import json
import os
import signal
import tempfile

import library
from harness import ClusterTest, main
from machine import Failed, slack, wait_until

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

    def test_notes_that_are_kept_quiet(self):
        """MariaDB, note_verbosity: without 'basic' not even sql_notes shows that digits of a DECIMAL are cut off. MySQL,
        sql_require_primary_key: a new table without a key; terminology_use_previous: names of columns that are read."""
        c = self.cluster
        before, after = "SET GLOBAL note_verbosity=''", "SET GLOBAL note_verbosity=DEFAULT"
        if c.flavor == "mysql":
            before = "SET GLOBAL sql_require_primary_key=1; SET GLOBAL terminology_use_previous='BEFORE_8_0_26'"
            after = "SET GLOBAL sql_require_primary_key=0; SET GLOBAL terminology_use_previous='NONE'"
        folder = self.plain(["1\t1.239\n"], "(id INT, word DECIMAL(5,2))")
        c.sql("db0", before)
        try:
            self.assertIn("lib.plain", self.load(folder, status=1))
        finally:
            c.sql("db0", after)
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

    def test_a_deprecation_is_logged_and_no_error(self):
        """Error 1287: DES_ENCRYPT() of MariaDB from 10.10 on; && of MySQL. Each is told once, not with each statement."""
        old = {"mariadb": "IF(DES_ENCRYPT('a', 'k') IS NULL, title, title)", "mysql": "IF(1 && 1, title, title)"}[self.cluster.flavor]
        folder, plain = self.folder(), self.folder()
        run = library.start("siding-index", "--definition", self.conf([f"SELECT id, {old} FROM lib.record", f"SELECT id, {old} FROM lib.record"]),
                            "--output", folder, *library.at(self.cluster, "db1", "job"))
        _, err = run.communicate(timeout=60 * slack())
        self.assertEqual(run.returncode, 0, err)
        self.assertEqual(err.count("(1287)"), 1, err)
        self.assertRegex(err, r"the server warns: .*deprecated.* \(1287\)")
        library.index(self.cluster, "db1", plain, self.conf(["SELECT id, title FROM lib.record"] * 2, name="plain.conf"))
        self.assertEqual(library.rows(folder), library.rows(plain))

    # -- locks of others

    def loading(self, folder, run):
        return library.start("siding-load", "--manifest", folder, "--run", run, "--rows-per-transaction", "100",
                             *library.at(self.cluster, "db0", "load"))

    def test_locks_of_others_are_waited_out(self):
        """1205: a transaction that waits too long for a row is taken back. 1213: it is a deadlock's victim. Each is begun
        anew, told, and each row is there once."""
        c, of_innodb = self.cluster, "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        lines = ["%d\tword%d\n" % (i, i) for i in range(1000)]
        for code in (1205, 1213):
            folder = self.plain(lines, "(id INT PRIMARY KEY, word VARCHAR(40))")
            with c.session("db0") as other:
                other.sql("CREATE TABLE IF NOT EXISTS lib.heavy (id INT PRIMARY KEY AUTO_INCREMENT, word TEXT)")
                other.sql("START TRANSACTION; INSERT INTO lib.plain VALUES (950, 'of another')")
                if code == 1213:  # the victim is who has changed less
                    other.sql("INSERT INTO lib.heavy (word) SELECT a.title FROM lib.record a, lib.record b, lib.record d LIMIT 20000")
                load = self.loading(folder, self.next_run())
                wait_until(lambda: c.value("db0", of_innodb) != "0", 30, "the load waits")
                if code == 1213:
                    other.sql("INSERT INTO lib.plain VALUES (%s, 'of another')" % c.value(
                        "db0", "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; SELECT MAX(id) FROM lib.plain WHERE id < 950"))
                said = ""
                while "looking again" not in said:
                    line = load.stderr.readline()
                    self.assertTrue(line, said)
                    said += line
                self.assertIn("(server error %d)" % code, said)
                other.sql("ROLLBACK; DROP TABLE lib.heavy")
                _, err = load.communicate(timeout=60 * slack())
                self.assertEqual(load.returncode, 0, said + err)
            self.assertEqual(c.sql("db0", "SELECT COUNT(*), SUM(id), SUM(word = CONCAT('word', id)) FROM lib.plain"), [("1000", "499500", "1000")])


    # -- a target that is another by now

    def swap(self, conf, status=0, before=None, options=()):
        """An index of the paused replica, loaded after `before` has changed the primary."""
        c = self.cluster
        c.expect_caught_up()
        c.sql("db1", "STOP REPLICA SQL_THREAD")
        try:
            folder = self.index(conf)
            if before:
                c.sql("db0", before)
            return self.load(folder, "--definition", conf, *options, status=status)
        finally:
            c.sql("db1", "START REPLICA SQL_THREAD")

    def create(self, table="lib.word_index"):
        return self.cluster.sql("db0", "SHOW CREATE TABLE " + table)[0][1]

    def test_the_primarys_definition_counts(self):
        """A column, a key or a comment that the primary got while the replica stood still (point 11 of gh-ost's and
        spirit's lists of what a shadow table loses)."""
        c, query = self.cluster, "SELECT id, title FROM lib.record"
        c.sql("db0", "DROP TABLE IF EXISTS lib.word_index")
        refuse, discard = self.conf([query], 'on_change = "refuse";', "refuse.conf"), self.conf([query])
        self.swap(refuse)
        # A column with its data is never swapped away.
        for conf in (refuse, discard):
            err = self.swap(conf, 1, "ALTER TABLE lib.word_index ADD COLUMN note INT; UPDATE lib.word_index SET note = 7 LIMIT 1")
            self.assertRegex(err, "note.*on the primary")
            self.assertEqual(c.value("db0", "SELECT COUNT(*) FROM lib.word_index WHERE note = 7"), "1")
            c.sql("db0", "ALTER TABLE lib.word_index DROP COLUMN note")
        # A key: refused, or kept, as the job says. One that only the replica has is not copied.
        self.assertIn("defined otherwise on the primary", self.swap(refuse, 1, "ALTER TABLE lib.word_index ADD KEY mine (field)"))
        c.sql("db0", "ALTER TABLE lib.word_index DROP KEY mine")
        c.expect_caught_up()
        c.sql_alone("db1", "ALTER TABLE lib.word_index ADD KEY replicas_own (frequency)")
        outcome = self.swap(discard, before="ALTER TABLE lib.word_index ADD KEY mine (field)")
        self.assertTrue(outcome["swapped"])
        self.assertIn("KEY `mine`", self.create())
        self.assertNotIn("replicas_own", self.create())
        c.sql("db0", "DROP TABLE lib.word_index")

    def test_an_alter_during_the_load_is_kept(self):
        c = self.cluster
        c.sql("db0", "DROP TABLE IF EXISTS lib.word_index")
        conf = self.conf(["SELECT id, title FROM lib.record"])
        self.swap(conf)
        folder = self.index(conf)
        load = library.start("siding-load", "--manifest", folder, "--run", self.next_run(), "--definition", conf, "--rows-per-transaction",
                             "5", *library.at(c, "db0", "load"))
        wait_until(lambda: c.sql("db0", "SHOW TABLES FROM lib LIKE '_word_index_siding_new'"), 20, "the new table")
        load.send_signal(signal.SIGSTOP)
        c.sql("db0", "ALTER TABLE lib.word_index ADD KEY late (frequency)")
        load.send_signal(signal.SIGCONT)
        _, err = load.communicate(timeout=60)
        self.assertEqual(load.returncode, 1, err)
        self.assertIn("was changed while", err)
        self.assertIn("KEY `late`", self.create())
        self.assertEqual(c.sql("db0", "SHOW TABLES FROM lib LIKE '_word_index%new'"), [])
        c.sql("db0", "DROP TABLE lib.word_index")

    def test_named_checks_are_no_obstacle(self):
        """MySQL's names of checks are unique in a schema: error 3822."""
        c = self.cluster
        c.sql("db0", "DROP TABLE IF EXISTS lib.word_index")
        conf = self.conf(["SELECT id, title FROM lib.record"])
        self.swap(conf)
        c.sql("db0", "ALTER TABLE lib.word_index ADD CONSTRAINT `some (CHECK) name` CHECK (frequency > 0)")
        for _ in range(2):
            self.assertTrue(self.swap(conf)["swapped"])
            self.assertRegex(self.create(), r"CHECK \(+`frequency` > 0")
        c.sql("db0", "DROP TABLE lib.word_index, lib._word_index_siding_old")

    def test_a_child_that_the_account_does_not_see(self):
        c = self.cluster
        c.sql("db0", "DROP TABLE IF EXISTS lib.word_index")
        conf = self.conf(["SELECT id, title FROM lib.record"])
        self.swap(conf)
        c.sql("db0", "CREATE DATABASE hidden; CREATE TABLE hidden.child (t VARCHAR(64) COLLATE utf8mb4_bin, r BIGINT, "
              "f TINYINT UNSIGNED, FOREIGN KEY (t, r, f) REFERENCES lib.word_index (term, record, field))")
        self.assertIn("referenced by foreign keys", self.swap(conf, 1))
        c.sql("db0", "DROP DATABASE hidden; DROP TABLE lib.word_index")

    # -- order

    def test_an_older_replace_brings_nothing_back(self):
        """A run's upload that is tried again after a later run has loaded."""
        c, u = self.cluster, "6580c060-e877-11f1-a221-02fc0000000"
        at = {"old": "0-1-5", "new": "0-1-9", "other": "0-1-4,1-1-4"}
        if c.flavor == "mysql":
            at = {"old": u + "1:1-5", "new": u + "1:1-9", "other": u + "2:1-9"}

        def result(name):
            folder = self.folder()
            library.plain_result(folder, ["1\t%s\n" % name], mode="replace")
            path = os.path.join(folder, "manifest.json")
            with open(path, encoding="utf-8") as f:
                manifest = json.load(f)
            with open(path, "w", encoding="utf-8") as f:
                json.dump(dict(manifest, gtid=at[name], frozen_at="2026-11-28T10:00:00.000Z"), f)
            return folder
        c.sql("db0", "DROP TABLE IF EXISTS lib.plain; CREATE TABLE lib.plain (id INT PRIMARY KEY, word VARCHAR(40))")
        old, runs = result("old"), [self.next_run() for _ in range(4)]
        self.load(old, run=runs[0])
        self.load(result("new"), run=runs[1])
        for folder, run in ((old, runs[2]), (result("other"), runs[3])):
            self.assertIn("frozen later", self.load(folder, run=run, status=1))
            self.assertEqual(c.sql("db0", "SELECT word FROM lib.plain"), [("new",)])
        self.load(old, run=runs[0])  # loaded already: nothing is done
        self.assertEqual(c.sql("db0", "SELECT word FROM lib.plain"), [("new",)])
        self.load(old, "--allow-older", run=runs[2])
        self.assertEqual(c.sql("db0", "SELECT word FROM lib.plain"), [("old",)])
        self.load(result("new"))

    # -- engines

    def test_engines_without_transactions_are_refused_or_swapped(self):
        """Kills gave 312,000 to 339,000 rows of 300,000 in Aria and MyISAM."""
        c, lines = self.cluster, ["%d\tw\n" % i for i in range(3000)]
        for engine in ("MyISAM", "Aria") if c.flavor == "mariadb" else ("MyISAM",):
            definition = "(id INT PRIMARY KEY, word VARCHAR(40)) ENGINE=" + engine
            for mode in ("append", "replace"):
                err = self.load(self.plain(lines, definition, mode=mode), status=1)
                self.assertRegex(err, "%s.*allow_nontransactional" % engine)
                self.assertEqual(self.count(), 0)
            self.load(self.plain(lines, definition), "--allow-nontransactional")
            self.assertEqual(self.count(), 3000)
            self.load(self.plain(lines, definition, allow_nontransactional=True))
        folder = self.plain(lines, "(id INT, word VARCHAR(40)) ENGINE=InnoDB")
        c.sql("db0", "ALTER TABLE siding.ledger ENGINE=MyISAM")
        try:
            self.assertIn("ALTER TABLE siding.ledger ENGINE=InnoDB", self.load(folder, status=1))
        finally:
            c.sql("db0", "ALTER TABLE siding.ledger ENGINE=InnoDB")

    def test_a_killed_swap_of_myisam_has_each_row_once(self):
        c = self.cluster
        c.sql("db0", "DROP TABLE IF EXISTS lib.word_index")
        conf = self.conf(["SELECT id, CONCAT(title, ' ', body) FROM lib.record"])
        self.swap(conf)
        c.sql("db0", "ALTER TABLE lib.word_index ENGINE=MyISAM")
        c.expect_caught_up()
        folder, run = self.index(conf), self.next_run()
        for kill in range(4):
            load = library.start("siding-load", "--manifest", folder, "--run", run, "--rows-per-transaction", "2", *library.at(c, "db0", "load"))
            wait_until(lambda: load.poll() is not None or int(c.value("db0", "SELECT COUNT(*) FROM siding.ledger WHERE run_id='%s'" % run)) > 5,
                       20, "some rows")
            load.kill()
            load.communicate()
        self.load(folder, run=run)
        rows = library.rows(folder)
        self.assertEqual(self.count("lib.word_index"), len(rows))
        self.assertIn("ENGINE=MyISAM", self.create())
        c.sql("db0", "DROP TABLE lib.word_index")

    def test_tables_that_hold_no_rows_of_their_own(self):
        """MERGE, FEDERATED and BLACKHOLE: rows would go elsewhere, or nowhere."""
        c = self.cluster
        c.sql("db0", "DROP TABLE IF EXISTS lib.part; CREATE TABLE lib.part (id INT, word VARCHAR(40)) ENGINE=MyISAM")
        for engine in ("MERGE UNION=(lib.part) INSERT_METHOD=LAST", "BLACKHOLE"):
            try:
                folder = self.plain(["1\ta\n"], "(id INT, word VARCHAR(40)) ENGINE=" + engine)
            except Failed:
                continue  # MariaDB 10.11 of Debian has no BLACKHOLE loaded
            self.assertIn("no rows of its own", self.load(folder, "--allow-nontransactional", status=1))
            self.assertEqual(self.count("lib.part"), 0)
        c.sql("db0", "DROP TABLE IF EXISTS lib.plain; CREATE VIEW lib.plain AS SELECT * FROM lib.part")
        folder = self.folder()
        library.plain_result(folder, ["1\ta\n"])
        self.assertIn("is a view", self.load(folder, status=1))
        c.sql("db0", "DROP VIEW lib.plain; DROP TABLE lib.part")

    # -- queries

    def test_queries_with_comments_and_semicolons_in_texts(self):
        conf = self.conf(["-- all of them; really\nSELECT id, CONCAT(title, ' a;b /* no */ ''; ') FROM lib.record # end;\n",
                          "/* first; */ (SELECT id, body /* it's */ FROM lib.record)", "WITH t AS (SELECT id, title FROM lib.record) SELECT * FROM t -- x"])
        found = library.rows(self.index(conf))
        self.assertEqual({f for _, _, f, _ in found}, {1, 2, 3})
        for query, words in (("SELECT 1, 'x'; SELECT 2, 'y'", "semicolon"), ("SELECT id, title FROM lib.record;", "semicolon"),
                             ("SELECT 1, 'x", "has no end"), ("SELECT 1, 'x' /* y", "has no end"), ("SELECT 1, 'x') AS a JOIN (SELECT 2, 'y'", "parenthesis"),
                             ("-- SELECT", "not a SELECT"), ("DELETE FROM lib.record", "not a SELECT")):
            self.assertIn(words, self.index(self.conf([query]), status=1))

    def test_a_delta_that_would_find_nothing(self):
        """CONVERT_TZ is NULL while the time zone tables are empty; a column that nobody sets is NULL too."""
        c, field = self.cluster, ["SELECT id, title FROM lib.record"]
        c.sql("db0", "CREATE TABLE IF NOT EXISTS lib.changes (id INT, at DATETIME)")
        c.expect_caught_up()

        def delta(query):
            return self.conf(field, 'changed_since = %s; on_change = "delta";' % json.dumps(query))
        for query, words in (
                ("SELECT id FROM lib.record WHERE changed_at >= CONVERT_TZ(:frozen_at, 'UTC', 'Nowhere/Atlantis')", "CONVERT_TZ.*is NULL"),
                ("SELECT id FROM lib.record WHERE changed_at >= DATE_ADD(CONVERT_TZ(:frozen_at, '+00:00', 'X'), INTERVAL 1 DAY)", "is NULL"),
                ("SELECT id FROM lib.record WHERE NULLIF(title, title) >= :frozen_at", "finds no key"),
                ("SELECT id FROM lib.record WHERE changed_at >= ':frozen_at'", "does not use :frozen_at"),
                ("SELECT id FROM lib.record /* :frozen_at */", "does not use :frozen_at"),
                ("SELECT id FROM lib.record WHERE id >= :frozen_at", "warning 1292"),
                ("SELECT id FROM lib.nothing WHERE at >= :frozen_at", "changed_since"),
                ("SELECT id FROM lib.record WHERE changed_at >= :frozen_at AND", "changed_since")):
            with self.subTest(query=query):
                self.assertRegex(self.index(delta(query), status=1), words)
        for query in ("SELECT id FROM lib.changes WHERE at >= :frozen_at -- none yet", "SELECT id FROM lib.record WHERE UNIX_TIMESTAMP(changed_at) >= "
                      "UNIX_TIMESTAMP(:frozen_at) UNION SELECT id FROM `lib`.`changes` WHERE at >= :frozen_at /* it's */"):
            self.index(delta(query))
        c.sql("db0", "DROP TABLE lib.changes")


class OnMariadb(Surprises, ClusterTest):
    def test_z_names_kept_in_lower_case(self):
        """lower_case_table_names=1: the new table was never found under the name it was asked for, and made again for
        ever."""
        c = self.cluster
        conf = self.conf(["SELECT id, title FROM lib.record"], target="lib.Word_Index")
        folder = self.index(conf)
        path = os.path.join(c.folder, "db0", "my.cnf")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        with open(path, "a", encoding="utf-8") as f:
            f.write("[mysqld]\nlower_case_table_names=1\n")
        c.stop("db0")
        c.start("db0")
        c.sql("db0", "SET GLOBAL read_only=0")
        try:
            self.assertTrue(self.load(folder)["swapped"])
            self.assertEqual(self.count("lib.word_index"), len(library.rows(folder)))
            self.assertTrue(self.load(folder)["swapped"])  # an index over one that is there
        finally:
            c.sql("db0", "DROP TABLE lib.word_index")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            c.stop("db0")
            c.start("db0")
            c.sql("db0", "SET GLOBAL read_only=0")


class OnMysql(Surprises, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
