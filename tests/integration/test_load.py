#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siding-load on a real primary: swap, changes since the freeze, exactly once over kills, damaged results."""
import getpass
import gzip
import hashlib
import json
import os
import random
import re
import shutil
import signal
import tempfile
import time

import library
from harness import ClusterTest, main
from machine import slack, wait_until

RECORDS = 3000
ON_CHANGE = {"refuse": 'on_change = "refuse";', "discard": 'on_change = "discard";', "delta": library.CHANGED % "1s"}


class Load(ClusterTest):
    replicas, servers_only = 1, True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        library.fill(cls.cluster, RECORDS)
        cls.conf = {mode: library.definition(cls.cluster, mode + ".conf", text) for mode, text in ON_CHANGE.items()}
        cls.runs = 0

    def folder(self):
        return tempfile.mkdtemp(dir=self.cluster.folder)

    def next_run(self):
        type(self).runs += 1
        return "%d.1" % self.runs

    def index(self, mode="delta", node="db1"):
        """A result from the frozen replica, which goes on replicating afterwards."""
        c, folder = self.cluster, self.folder()
        c.expect_caught_up()
        c.sql("db1", "STOP REPLICA SQL_THREAD")
        library.index(c, node, folder, self.conf[mode], "--rows-per-file", "400")  # of several files the table is verified in halves
        return folder

    def thaw(self):
        self.cluster.sql("db1", "START REPLICA SQL_THREAD")

    def tearDown(self):
        self.thaw()

    def load(self, folder, *options, run=None, mode="delta", status=0):
        out = library.load(self.cluster, folder, run or self.next_run(), "--definition", self.conf[mode], *options,
                           status=status)
        return out if status else json.loads(out)

    def expect_index_of_now(self):
        """The live index equals one made from the primary now."""
        folder = self.folder()
        library.index(self.cluster, "db0", folder, self.conf["discard"])
        live = self.cluster.sql("db0", "SELECT term, record, field, frequency FROM lib.word_index")
        now = set(library.rows(folder))
        live = {(t, int(r), int(f), int(n)) for t, r, f, n in live}
        self.assertEqual(live - now, set())
        self.assertEqual(now - live, set())

    def tables(self):
        return {r[0] for r in self.cluster.sql("db0", "SHOW TABLES FROM lib")}

    # -- swap

    def test_1_swap_makes_a_target_that_is_not_there(self):
        folder = self.index("refuse")
        outcome = self.load(folder, mode="refuse")
        self.assertEqual((outcome["swapped"], outcome["stale_swap"], outcome["rows"]),
                         (True, False, library.manifest(folder)["upload"]["rows"]))
        self.expect_index_of_now()
        self.assertNotIn("_word_index_siding_new", self.tables())
        self.assertNotIn("_word_index_siding_old", self.tables())

    def test_2_swap_again_keeps_the_old_table_and_its_definition(self):
        self.cluster.sql("db0", "ALTER TABLE lib.word_index ADD KEY by_field (field, term)")
        self.cluster.expect_caught_up()
        folder = self.index("refuse")
        run = self.next_run()
        self.load(folder, run=run, mode="refuse")
        self.assertIn("_word_index_siding_old", self.tables())
        self.assertTrue(self.cluster.sql("db0", "SHOW INDEX FROM lib.word_index WHERE Key_name = 'by_field'"))
        # The same run again does nothing; an older result must not come over a newer one.
        self.assertEqual(self.load(folder, run=run, mode="refuse")["rows"], library.manifest(folder)["upload"]["rows"])
        self.thaw()
        self.load(self.index("refuse"), "--drop-old", mode="refuse")
        self.assertNotIn("_word_index_siding_old", self.tables())
        self.assertIn("this result is older", self.load(folder, mode="refuse", status=1))

    def test_delta_finds_records_as_they_are_now(self):
        c = self.cluster
        folder = self.index("delta")
        time.sleep(1.1)
        c.sql("db0", "UPDATE lib.record SET title = 'Zebra crossing' WHERE id = 7; DELETE FROM lib.record WHERE id = 8;"
              "INSERT INTO lib.record (title, body) VALUES ('Newcomer', 'zebra')")
        outcome = self.load(folder)
        self.assertGreaterEqual(outcome["delta_keys"], 3)
        self.assertEqual(library.records_with(c, "crossing"), {7})
        self.assertEqual(library.records_with(c, "title8"), set())
        self.assertEqual(library.records_with(c, "title7"), set())
        self.assertEqual(len(library.records_with(c, "zebra")), 2)
        self.expect_index_of_now()

    def test_delta_under_a_live_indexer_loses_nothing(self):
        """Records change all the time, each with its index in one transaction, before, during and after the swap."""
        c = self.cluster
        folder = self.index("delta")
        with c.session("db0") as writer:
            load = library.start("siding-load", "--manifest", folder, "--run", self.next_run(), "--definition",
                                 self.conf["delta"], "--rows-per-transaction", "20", *library.at(c, "db0", "load"))
            n = 0
            while load.poll() is None:
                n += 1
                i = random.randint(20, 60)
                try:
                    writer.sql("START TRANSACTION; UPDATE lib.record SET title = 'wave%d' WHERE id = %d;"
                               "DELETE FROM lib.word_index WHERE record = %d AND field = 1;"
                               "INSERT IGNORE INTO lib.word_index SELECT 'wave%d', id, 1, 1 FROM lib.record WHERE id = %d; COMMIT" %
                               (n, i, i, n, i))
                except Exception:  # a deadlock makes the client leave: the application would try again
                    writer.close()
                    writer = self.enterContext(c.session("db0"))
            self.assertEqual(load.wait(), 0, load.stderr.read())
        self.assertGreater(n, 20)
        self.expect_index_of_now()

    def test_changed_target_is_refused_or_told(self):
        c = self.cluster
        folder = self.index("refuse")
        c.sql("db0", "INSERT INTO lib.word_index VALUES ('byhand', 1, 1, 1)")
        err = self.load(folder, mode="refuse", status=1)
        self.assertIn("has changed since it was frozen", err)
        self.assertEqual(library.records_with(c, "byhand"), {1})
        self.assertNotIn("_word_index_siding_new", self.tables())
        self.thaw()
        folder = self.index("discard")
        c.sql("db0", "INSERT INTO lib.word_index VALUES ('byhand', 2, 1, 1)")
        self.assertTrue(self.load(folder, mode="discard")["stale_swap"])
        self.assertEqual(library.records_with(c, "byhand"), set())
        self.thaw()
        self.assertFalse(self.load(self.index("discard"), mode="discard")["stale_swap"])

    def test_rename_waits_for_a_reader_and_says_so(self):
        c = self.cluster
        folder = self.index("delta")
        with c.session("db0") as reader:
            reader.sql("START TRANSACTION; SELECT COUNT(*) FROM lib.word_index")
            err = self.load(folder, "--rename-wait", "2s", run="blocked.1", status=1)
            self.assertIn("was in use without a pause", err)
            self.assertRegex(err, "waiting to rename, try 2: lib.word_index is in use; perhaps by connection [0-9]+ of " + getpass.getuser())
            before = time.monotonic()
            self.assertTrue(c.value("db0", "SELECT COUNT(*) FROM lib.word_index"))
            self.assertLess(time.monotonic() - before, 2 * slack())
            load = library.start("siding-load", "--manifest", folder, "--run", "blocked.1", "--definition",
                                 self.conf["delta"], *library.at(c, "db0", "load"))
            time.sleep(2.5)
            self.assertIsNone(load.poll())
            reader.sql("COMMIT")
            _, err = load.communicate(timeout=30 * slack())
            self.assertEqual(load.returncode, 0, err)
            self.assertIn("the new table is verified", err)  # not loaded a second time

    def test_triggers_and_foreign_keys_are_refused(self):
        c = self.cluster
        folder = self.index("delta")
        c.sql("db0", "CREATE TRIGGER lib.t BEFORE DELETE ON lib.word_index FOR EACH ROW SET @x = 1")
        self.assertIn("has triggers", self.load(folder, status=1))
        c.sql("db0", "DROP TRIGGER lib.t")
        self.load(folder)

    def test_another_definition_is_refused(self):
        folder = self.index("delta")
        other = library.definition(self.cluster, "other.conf", library.CHANGED % "1s" + ' min_length = 3;')
        err = library.load(self.cluster, folder, self.next_run(), "--definition", other, status=1)
        self.assertIn("is not the definition this result was made with", err)
        self.assertIn("--definition is missing", library.load(self.cluster, folder, self.next_run(), status=2))

    def test_a_result_that_is_ahead_of_the_primary_is_refused(self):
        """Made of transactions that a failover has lost: on MariaDB the primary may have given their numbers to others."""
        folder = self.index("delta")
        path = os.path.join(folder, "manifest.json")
        with open(path, encoding="utf-8") as f:
            manifest = json.load(f)
        self.load(folder, "--same-history")
        own = manifest["gtid"]
        lost = [re.sub(r"(\d+)$", lambda m: str(int(m[1]) + 1000), own)]
        if self.cluster.flavor == "mariadb":
            lost.append(re.sub(r"^(\d+)-\d+-", r"\1-77-", own))
        for gtid in lost:
            with open(path, "w", encoding="utf-8") as f:
                json.dump(dict(manifest, gtid=gtid), f)
            said = self.load(folder, "--same-history", status=1)
            self.assertIn("ahead of the primary: it was made at " + gtid, said)
            self.assertIn("Run the job again", said)
        self.load(folder, "--same-history", "--allow-ahead", "--allow-older")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(manifest, f)
        self.load(folder, "--allow-older")  # what the target remembers is of this history again

    def test_words_of_another_version_are_refused(self):
        folder = self.index("delta")
        path = os.path.join(folder, "manifest.json")
        with open(path, encoding="utf-8") as f:
            manifest = json.load(f)
        self.assertRegex(manifest["upload"]["tokenizer"],
                         r"^icu [\d.]+, unicode [\d.]+, word rules [0-9a-f]{8}, folding \d+$")
        manifest["upload"]["tokenizer"] = "icu 63.1, unicode 11.0, word rules 00000001, folding 1"
        with open(path, "w", encoding="utf-8") as f:
            json.dump(manifest, f)
        tables = self.cluster.sql("db0", "SHOW TABLES FROM lib")
        err = self.load(folder, status=1)
        self.assertIn('made with "icu 63.1, unicode 11.0, word rules 00000001, folding 1"', err)
        self.assertEqual(tables, self.cluster.sql("db0", "SHOW TABLES FROM lib"))

    # -- kills

    def kill_until_loaded(self, folder, run, *options):
        """Kills siding-load at random moments twenty times, then lets it end."""
        kills = 0
        while True:
            load = library.start("siding-load", "--manifest", folder, "--run", run, "--definition", self.conf["delta"],
                                 "--rows-per-transaction", "20", *options, *library.at(self.cluster, "db0", "load"))
            if kills < 20:
                time.sleep(random.uniform(0.002, 0.04))
                if load.poll() is None:
                    load.send_signal(signal.SIGKILL)
                    kills += 1
            _, err = load.communicate(timeout=120 * slack())
            if load.returncode != -signal.SIGKILL:
                self.assertEqual(load.returncode, 0, err)
                return kills

    def test_killed_swap_ends_with_each_row_once(self):
        folder = self.index("delta")
        kills = self.kill_until_loaded(folder, self.next_run())
        self.assertGreaterEqual(kills, 8)
        self.expect_index_of_now()

    def test_primary_killed_in_mid_load_is_waited_for(self):
        c, folder = self.cluster, self.plain_result(12000)
        load = library.start("siding-load", "--manifest", folder, "--run", self.next_run(), "--rows-per-transaction", "20",
                             *library.at(c, "db0", "load"))
        wait_until(lambda: int(c.value("db0", "SELECT COUNT(*) FROM lib.plain")) > 500, 20, "rows")
        c.kill("db0")
        time.sleep(0.5)
        c.start("db0")
        c.sql("db0", "SET GLOBAL read_only = 0")
        _, err = load.communicate(timeout=60 * slack())
        self.assertEqual(load.returncode, 0, err)
        self.assertIn("looking again", err)
        self.assertEqual(c.sql("db0", "SELECT COUNT(*), COUNT(DISTINCT id) FROM lib.plain"), [("12000", "12000")])

    def plain_result(self, rows, mode="append", columns=("id", "word"), text=None):
        folder = self.folder()
        library.plain_result(folder, text or ["%d\tline\\n%d\\\\\n" % (i, i) for i in range(rows)], mode, columns)
        self.cluster.sql("db0", "DROP TABLE IF EXISTS lib.plain; CREATE TABLE lib.plain (id INT, word VARCHAR(40), KEY (id))")
        return folder

    def test_killed_append_has_each_row_once(self):
        folder = self.plain_result(12000)
        kills = self.kill_until_loaded(folder, self.next_run())
        self.assertGreaterEqual(kills, 8)
        self.assertEqual(self.cluster.sql("db0", "SELECT COUNT(*), COUNT(DISTINCT id), MIN(word) FROM lib.plain"),
                         [("12000", "12000", "line\n0\\")])
        self.assertEqual(self.cluster.value("db0", "SELECT COUNT(*) FROM siding.ledger WHERE chunk LIKE 'rows-%'"), "0")

    def test_random_kills_of_loader_and_primary_leave_each_row_once(self):
        """Up to twenty kills a round. SIDING_LOAD_ROUNDS=N runs N rounds, SIDING_LOAD_SEED=S makes them those of S."""
        seed = int(os.environ.get("SIDING_LOAD_SEED", time.time()))
        for i in range(int(os.environ.get("SIDING_LOAD_ROUNDS", "1"))):
            loaders, primaries = self.kill_at_random(random.Random(seed + i))
            print("# seed %d: %d kills of the loader, %d of the primary" % (seed + i, loaders, primaries), flush=True)
            self.assertTrue(loaders)
            self.assertEqual(self.cluster.sql("db0", "SELECT COUNT(*), COUNT(DISTINCT id), MAX(id) FROM lib.plain"), [("8000", "8000", "7999")])
            self.assertEqual(self.cluster.value("db0", "SELECT COUNT(*) FROM siding.ledger WHERE chunk LIKE 'rows-%'"), "0")

    def kill_at_random(self, rng):
        c, folder, run, kills = self.cluster, self.plain_result(8000), self.next_run(), [0, 0]
        while True:
            load = library.start("siding-load", "--manifest", folder, "--run", run, "--rows-per-transaction", "4", *library.at(c, "db0", "load"))
            if sum(kills) < 20:
                time.sleep(rng.uniform(0.01, 0.2))
                if rng.random() < 0.15:
                    c.kill("db0")
                    kills[1] += 1
                    c.start("db0")
                    c.sql("db0", "SET GLOBAL read_only = 0")
                    time.sleep(rng.uniform(0, 1.2))  # it connects again after a second
                if load.poll() is None and (not kills[0] or rng.random() < 0.9):
                    load.send_signal(signal.SIGKILL)
                    kills[0] += 1
            _, err = load.communicate(timeout=120 * slack())
            if load.returncode != -signal.SIGKILL:
                self.assertEqual(load.returncode, 0, err)
                return kills

    def test_append_refuses_a_row_that_is_there_and_replace_replaces_it(self):
        c, folder = self.cluster, self.plain_result(3000)
        c.sql("db0", "ALTER TABLE lib.plain ADD UNIQUE KEY only (id); INSERT INTO lib.plain VALUES (2500, 'mine')")
        run = self.next_run()
        err = self.load(folder, "--rows-per-transaction", "100", run=run, status=1)
        self.assertIn("Duplicate entry '2500'", err)
        self.assertEqual(c.value("db0", "SELECT word FROM lib.plain WHERE id = 2500"), "mine")
        # whole transactions before that row; a slow server gets shorter ones than were asked for
        there, least, most = map(int, c.sql("db0", "SELECT COUNT(*), MIN(id), MAX(id) FROM lib.plain WHERE id <> 2500")[0])
        self.assertTrue(2400 <= there <= 2500 and most - least + 1 == there, (there, least, most))
        c.sql("db0", "DELETE FROM lib.plain WHERE id = 2500")
        self.assertEqual(self.load(folder, run=run)["rows"], 3000)
        self.assertEqual(c.value("db0", "SELECT COUNT(*) FROM lib.plain"), "3000")
        folder = self.plain_result(100, mode="replace")
        c.sql("db0", "ALTER TABLE lib.plain ADD UNIQUE KEY only (id); INSERT INTO lib.plain VALUES (50, 'mine')")
        self.load(folder)
        self.assertEqual(c.sql("db0", "SELECT COUNT(*), MAX(IF(id = 50, word, '')) FROM lib.plain"), [("100", "line\n50\\")])

    def test_a_bad_value_is_an_error_not_a_warning(self):
        for line in ("x\ty\n", "1\n", "1\ta\tb\n", "1\t%s\n" % ("y" * 41)):
            folder = self.plain_result(1, text=[line])
            self.load(folder, status=1)
            self.assertEqual(self.cluster.value("db0", "SELECT COUNT(*) FROM lib.plain"), "0")

    # -- damage

    def test_damaged_results_are_named_and_nothing_is_loaded(self):
        whole = self.plain_result(3000)
        name = "lib.plain.00001.tsv.gz"

        def damage(change, words):
            folder = self.folder()
            shutil.copytree(whole, folder, dirs_exist_ok=True)
            change(folder)
            err = self.load(folder, status=1)
            self.assertIn(words, err)
            self.assertEqual(self.cluster.value("db0", "SELECT COUNT(*) FROM lib.plain"), "0")

        def flip(folder):
            with open(os.path.join(folder, name), "r+b") as f:
                f.seek(500)
                byte = f.read(1)
                f.seek(500)
                f.write(bytes([byte[0] ^ 1]))

        def edit(file, pattern, by):
            def change(folder):
                path = os.path.join(folder, file)
                with open(path, encoding="utf-8") as f:
                    text = f.read()
                with open(path, "w", encoding="utf-8") as f:
                    f.write(re.sub(pattern, by, text, count=1))
            return change
        damage(flip, name + " is corrupted")
        damage(lambda f: os.truncate(os.path.join(f, name), 700), name + " is truncated: 700 of ")
        damage(lambda f: os.remove(os.path.join(f, name)), name + " is missing")
        damage(lambda f: shutil.copy(os.path.join(f, name), os.path.join(f, "lib.plain.00009.tsv.gz")), "lib.plain.00009.tsv.gz is surplus")
        damage(edit("SHA256SUMS", "[0-9a-f]{64}", "0" * 64), "has another checksum in SHA256SUMS")
        damage(edit("SHA256SUMS", ".*\n", ""), "SHA256SUMS does not name lib.plain.00000.tsv.gz")
        damage(edit("manifest.json", '"rows": 1000', '"rows": 999'), "holds 1000 rows")
        damage(edit("manifest.json", r'\{"name"', '{"nmae"'), 'field "name"')
        damage(edit("manifest.json", "lib.plain.00000", "../lib.plain.00000"), "a part of it is empty")
        damage(edit("manifest.json", "^.", ""), "manifest.json")

    def test_what_is_missing_on_the_primary_is_told(self):
        c, folder = self.cluster, self.plain_result(10)
        c.sql("db0", "RENAME TABLE siding.ledger TO siding.away")
        try:
            self.assertIn('run "siding bootstrap"', self.load(folder, status=1))
        finally:
            c.sql("db0", "RENAME TABLE siding.away TO siding.ledger")
        c.sql("db0", "DROP TABLE lib.plain")
        self.assertIn("lib.plain", self.load(folder, status=1))
        self.assertIn("no such file", self.load(self.folder(), status=1).lower())

    def test_who_holds_a_load_back_must_know_its_lock(self):
        c, folder = self.cluster, self.plain_result(10)
        secret = c.value("db0", "SELECT value FROM siding.meta WHERE name = 'load_lock'")
        name = lambda text: "siding_load_" + hashlib.sha256(text.encode()).hexdigest()[:40]
        with c.session("db0") as a:
            a.sql("SELECT GET_LOCK('siding_load', 1), GET_LOCK('%s', 1)" % name("lib.plain"))
            self.load(folder)
            holder = a.sql("SELECT GET_LOCK('%s', 1), CONNECTION_ID()" % name(secret + " lib.plain"))[0][1]
            said = self.load(self.plain_result(10), "--lock-wait", "1s", status=1)
            self.assertIn("another siding-load works on lib.plain", said)
            self.assertIn("connection has the number %s there" % holder, said)

    def test_waits_while_the_primary_is_busy_and_gives_up(self):
        c, folder = self.cluster, self.plain_result(10)
        with c.session("db0") as a:
            a.client.stdin.write("SELECT SLEEP(4);\n")
            a.client.stdin.flush()
            time.sleep(0.3)
            err = self.load(folder, "--max-running", "1", "--throttle-limit", "1s", status=1)
            self.assertRegex(err, "gave up after 1 s of waiting; waiting: [0-9]+ threads run on the primary, the limit is 1")

    def test_waits_while_a_replica_is_behind(self):
        folder = self.plain_result(10)
        work = tempfile.mkdtemp(dir=self.cluster.folder)
        with open(os.path.join(work, "replica_lag"), "w", encoding="ascii") as f:
            f.write("2500\n")
        err = self.load(folder, "--work", work, "--max-lag", "2s", "--throttle-limit", "1s", status=1)
        self.assertIn("waiting: a serving replica is 2500 ms behind, the limit is 2000 ms", err)
        self.load(folder, "--work", work, "--max-lag", "3s", "--throttle-limit", "1s")

    # -- layouts

    def layout(self, name, layout):
        text = (library.DEFINITION % (library.CHANGED % "1s" + " positions = true;")).replace('name = "title";', 'name = "title"; weight = 3;')
        self.conf[name + " now"] = library.definition(self.cluster, name + "-now.conf", text=text.replace("word_index", "nothing"))
        text = text.replace("word_index", name + "_index").replace("positions", 'layout = "%s"; positions' % layout)
        self.conf[name] = library.definition(self.cluster, name + ".conf", text=text)

    def postings(self, name):
        """What stands in the live table, in whatever layout."""
        if name == "place":
            return {(t, int(r), int(f), int(n), p) for t, r, f, n, p in
                    self.cluster.sql("db0", "SELECT term, record, field, frequency, positions FROM lib.place_index")}
        found = []
        for term, first, records, hits in self.cluster.sql("db0", "SELECT term, first, records, HEX(hits) FROM lib.hit_index"):
            entries = list(library.decode(bytes.fromhex(hits), int(first), positions=True))
            self.assertEqual(len({e[0] for e in entries}), int(records))
            self.assertEqual(entries[0][0], int(first))
            found += [(term, r, f, n, ",".join(map(str, p))) for r, f, n, p in entries]
        self.assertEqual(len(set(found)), len(found))
        return set(found)

    def test_layouts_hold_the_same_before_and_after_a_delta(self):
        c = self.cluster
        for name, layout in (("place", "postings"), ("hit", "hitlist")):
            self.layout(name, layout)
            with self.subTest(layout=layout):
                self.load(self.index(name), mode=name)
                self.assertIn('{"name":"title","weight":3}', c.value("db0", "SELECT table_comment FROM information_schema.tables "
                                                                     "WHERE table_schema = 'lib' AND table_name = '%s_index'" % name))
                self.expect_postings_of_now(name)
                self.thaw()
                folder = self.index(name)
                time.sleep(1.1)
                c.sql("db0", "UPDATE lib.record SET title = 'Zebra, the crossing zebra %s', body = NULL WHERE id IN (12, 900); DELETE FROM lib.record WHERE id = %d;"
                      "INSERT INTO lib.record (title, body) VALUES ('Aardvark', 'zebra river Żurnal zzz')" % (name, 13 + len(name)))
                self.assertGreaterEqual(self.load(folder, mode=name)["delta_keys"], 4)
                self.expect_postings_of_now(name)
                found = {p for p in self.postings(name) if p[0] == "zebra" and p[1] == 12}
                self.assertEqual(found, {("zebra", 12, 1, 2, "1,4")})
                self.thaw()

    def test_delta_of_a_list_that_is_longer_than_a_row(self):
        c = self.cluster
        c.sql("db0", "CREATE TABLE lib.many (id INT PRIMARY KEY, word VARCHAR(20) NOT NULL, changed_at TIMESTAMP(3) NOT NULL "
              "DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)); INSERT INTO lib.many (id, word) SELECT ROW_NUMBER() OVER (), "
              "'common' FROM lib.record a JOIN (SELECT id FROM lib.record LIMIT 150) b", within_s=60)
        count = int(c.value("db0", "SELECT COUNT(*) FROM lib.many"))
        self.conf["many"] = library.definition(c, "many.conf", text="""name = "many"; kind = "index"; upload = "swap";
            index = { target = "lib.many_index"; layout = "hitlist"; fields = ( { name = "word"; query = "SELECT id, word FROM lib.many"; } );
            changed_since = "SELECT id FROM lib.many WHERE changed_at >= :frozen_at"; changed_margin = "0s"; on_change = "delta"; };""")
        time.sleep(0.1)
        folder = self.index("many")
        time.sleep(1.1)
        c.sql("db0", "UPDATE lib.many SET word = 'other' WHERE id IN (1, 7, %d); INSERT INTO lib.many (id, word) VALUES (-5, 'common'), (%d, 'common')"
              % (count - 3, count + 9))
        self.assertEqual(self.load(folder, mode="many")["delta_keys"], 5)
        lists = c.sql("db0", "SELECT first, records, HEX(hits) FROM lib.many_index WHERE term = 'common' ORDER BY first")
        self.assertEqual(len(lists), 2)
        found = [r for first, _, hits in lists for r, _, _, _ in library.decode(bytes.fromhex(hits), int(first))]
        self.assertEqual(found, [-5, *(i for i in range(2, count + 1) if i not in (7, count - 3)), count + 9])
        self.assertEqual(c.value("db0", "SELECT SUM(records) FROM lib.many_index WHERE term = 'other'"), "3")

    def test_a_phrase_is_found_in_plain_sql(self):
        c = self.cluster
        self.layout("place", "postings")
        self.load(self.index("place"), mode="place")
        first, second = library.title(2034).lower().split()[1:]
        found = c.sql("db0", "SELECT DISTINCT a.record FROM lib.place_index a JOIN lib.place_index b USING (record, field), "
                      "JSON_TABLE(CONCAT('[', a.positions, ']'), '$[*]' COLUMNS (n INT PATH '$')) p "
                      "WHERE a.term = '%s' AND b.term = '%s' AND FIND_IN_SET(p.n + 1, b.positions) ORDER BY 1" % (first, second))
        expected = c.sql("db0", "SELECT id FROM lib.record WHERE CONCAT(title, ' | ', COALESCE(body, '')) LIKE '%%%s %s%%' ORDER BY 1" % (first, second))
        self.assertGreater(len(expected), 10)
        self.assertEqual(found, expected)
        score = c.value("db0", "SELECT SUM(frequency * JSON_EXTRACT(table_comment, CONCAT('$.fields[', field - 1, '].weight'))) FROM lib.place_index, "
                        "information_schema.tables WHERE table_schema = 'lib' AND table_name = 'place_index' AND term = 'title2034' AND record = 2034")
        self.assertEqual(float(score), 3)

    def expect_postings_of_now(self, name):
        folder = self.folder()
        library.index(self.cluster, "db0", folder, self.conf[name + " now"])
        now = set(library.rows(folder))
        live = self.postings(name)
        self.assertEqual(live - now, set())
        self.assertEqual(now - live, set())


class OnMysql(Load):
    flavor = "mysql"


for name in vars(Load):  # the rest does not depend on the server
    if re.match("test_(2|changed|another|primary|killed_append|damaged|what|waits)", name):
        setattr(OnMysql, name, None)


if __name__ == "__main__":
    main()
