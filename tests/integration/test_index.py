#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siding-index on a frozen replica: its rows against SQL, and how it ends when it cannot go on."""
import gzip
import json
import os
import signal
import subprocess
import tempfile
import time

import library
from harness import ClusterTest, main, numbers
from machine import process_stat, slack, wait_until

SAMPLE = ["debian", "library", "linux", "python", "tool", "server", "files", "c", "x11", "data"]
# Unicode's word boundaries around a word of letters: no letter, digit or _ beside it, nor one behind a dot or apostrophe.
BEFORE, AFTER = (r"(?<![\\p{L}\\p{N}_])(?<![\\p{L}][.''\u2019])", r"(?![\\p{L}\\p{N}_])(?![.''\u2019]\\p{L})")
CATALOGUE = """
name = "catalogue"; kind = "index"; upload = "swap";
index = { target = "catalogue.word_index"; key = "record"; on_change = "discard";
  fields = ( { name = "summary"; query = "SELECT id, summary FROM catalogue.record"; },
             { name = "description"; query = "SELECT id, description FROM catalogue.record"; },
             { name = "people"; query = "SELECT rp.record_id, p.name FROM catalogue.record_person rp JOIN catalogue.person p ON p.id = rp.person_id"; } );
};
"""
MANY = """
name = "many"; kind = "index"; upload = "swap";
index = { target = "lib.many_index"; key = "record"; on_change = "discard";
  fields = ( { name = "t"; query = "SELECT id, t FROM lib.many"; } );
};
"""


class Index:
    replicas, servers_only = 1, True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.load_catalogue(3000)
        library.fill(c, 500)
        c.sql("db1", "STOP REPLICA SQL_THREAD")
        cls.gtid = c.applied("db1")
        c.sql("db0", "UPDATE catalogue.record SET summary = 'afterwards' WHERE id < 100; DELETE FROM lib.record WHERE id < 50")
        cls.conf = library.definition(c, "catalogue.conf", text=CATALOGUE)
        cls.frozen = {"SIDING_GTID": cls.gtid}

    def folder(self):
        return tempfile.mkdtemp(dir=self.cluster.folder)

    def occurrences(self, word, column):
        pattern = BEFORE + word + AFTER
        found = self.cluster.sql("db1", "SET NAMES utf8mb4; SELECT id, n FROM (SELECT id, (CHAR_LENGTH({0}) - CHAR_LENGTH("
                                 "REGEXP_REPLACE({0}, '(?i){1}', ''))) / {2} AS n FROM catalogue.record) t WHERE n > 0"
                                 .format(column, pattern, len(word)))
        return {int(i): int(float(n)) for i, n in found}

    def test_index_is_what_sql_finds_in_the_frozen_state(self):
        folder = self.folder()
        library.index(self.cluster, "db1", folder, self.conf, env=self.frozen)
        rows = library.rows(folder)
        self.assertEqual(rows, sorted(rows, key=lambda r: (r[0].encode(), r[1], r[2])))
        self.assertEqual(len(set(r[:3] for r in rows)), len(rows))
        m = library.manifest(folder)
        self.assertEqual(m["upload"]["rows"], len(rows))
        self.assertIsNone(m["upload"]["target_checksum"])
        self.assertNotIn("afterwards", {r[0] for r in rows})
        for field, column in ((1, "summary"), (2, "COALESCE(description, '')")):
            for word in SAMPLE:
                expected = self.occurrences(word, column)
                found = {r[1]: r[3] for r in rows if r[0] == word and r[2] == field}
                self.assertEqual(found, expected, "%s in %s" % (word, column))
        subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=True)

    def test_shards_add_up_to_the_whole(self):
        total = [0, 0]
        whole = None
        for shards in (1, 3):
            for shard in range(shards):
                folder = self.folder()
                library.index(self.cluster, "db1", folder, self.conf, "--range", "100",
                              env=dict(self.frozen, SIDING_SHARD=str(shard), SIDING_SHARDS=str(shards)))
                part = [int(n) for n in library.manifest(folder)["upload"]["checksum"].split(":")]
                if shards == 1:
                    whole = part
                else:
                    total = [a + b for a, b in zip(total, part)]
        self.assertEqual(total, whole)

    def test_a_replica_that_is_not_frozen_there_is_refused(self):
        folder = self.folder()
        before = self.gtid.rsplit("-", 1)[0] + "-1"
        err = library.index(self.cluster, "db1", folder, self.conf, env={"SIDING_GTID": before}, status=1)
        self.assertIn("stands at GTID " + self.gtid, err)
        self.assertEqual(os.listdir(folder), [])

    def test_bad_input_is_named(self):
        c, folder = self.cluster, self.folder()
        cases = (("SELECT id, nam FROM lib.record", 'field "a": Unknown column'),
                 ("SELECT id FROM lib.record", "gives 1 columns"),
                 ("SELECT title, id FROM lib.record", 'its key "title" is not an integer'),
                 ("SELECT id / 2, title FROM lib.record", "is no 64-bit integer"))
        for query, words in cases:
            conf = library.definition(c, "bad.conf", text='name = "x"; kind = "index"; index = { target = "lib.t"; '
                                      'fields = ( { name = "a"; query = "%s"; } ); };' % query)
            self.assertIn(words, library.index(c, "db1", folder, conf, status=1))
            self.assertEqual(os.listdir(folder), [])
        conf = library.definition(c, "bad.conf", text='name = "x"; kind = "index"; index = { target = "lib.record"; '
                                  'fields = ( { name = "a"; query = "SELECT id, title FROM lib.record"; } ); };')
        self.assertIn("lib.record exists and is not an index of this job", library.index(c, "db1", folder, conf, status=1))
        self.assertIn("--definition is missing", library.run("siding-index", "-o", folder, status=2))
        self.assertIn("--threads", library.run("siding-index", "--thraeds", "2", status=2))
        self.assertIn("cannot connect", library.run("siding-index", "-f", self.conf, "-o", folder, "-h", "127.0.0.1", "-P", "1",
                                                    status=1))
        with open(os.path.join(folder, "left"), "w", encoding="utf-8"):
            self.assertIn("is not empty", library.index(c, "db1", folder, self.conf, status=1))

    def slow(self):
        """A definition whose ranges take long enough to be interrupted."""
        return library.definition(self.cluster, "slow.conf", text='name = "x"; kind = "index"; index = { target = "lib.t"; fields = '
                                  '( { name = "a"; query = "SELECT id, IF(SLEEP(0.004), title, title) FROM lib.record"; } ); };')

    def test_stops_when_asked_and_leaves_nothing(self):
        folder = self.folder()
        job = library.start("siding-index", "-f", self.slow(), "-o", folder, "--range", "10", *library.at(self.cluster, "db1", "job"))
        wait_until(lambda: os.path.isdir(os.path.join(folder, ".runs")), 10, "start")
        time.sleep(0.2)
        job.send_signal(signal.SIGTERM)
        _, err = job.communicate(timeout=20 * slack())
        self.assertEqual(job.returncode, 1)
        self.assertIn("asked to stop", err)
        self.assertEqual(os.listdir(folder), [])

    def test_sleeps_between_ranges_and_wakes(self):
        folder = self.folder()
        job = library.start("siding-index", "-f", self.slow(), "-o", folder, "--range", "10", *library.at(self.cluster, "db1", "job"))
        wait_until(lambda: os.path.isdir(os.path.join(folder, ".runs")), 10, "start")
        job.send_signal(signal.SIGTSTP)
        wait_until(lambda: process_stat(job.pid)[0] == "T", 10, "asleep")
        busy = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%AS source%' AND INFO NOT LIKE '%PROCESS%'"
        # The server takes a moment to forget what it has answered.
        wait_until(lambda: self.cluster.value("db1", busy) == "0", 10, "no query is left open")
        job.send_signal(signal.SIGCONT)
        _, err = job.communicate(timeout=60 * slack())
        self.assertEqual(job.returncode, 0, err)
        self.assertEqual(library.manifest(folder)["upload"]["rows"], sum(len(set(library.title(i).lower().split())) for i in range(1, 501)))


class MariaDB(Index, ClusterTest):

    def test_memory_threads_and_ranges_change_nothing(self):
        sums = set()
        for options in (("-t", "1"), ("-t", "3", "--range", "77"), ("-m", "1M", "-t", "2"), ("--rows-per-file", "9999")):
            folder = self.folder()
            library.index(self.cluster, "db1", folder, self.conf, *options, env=self.frozen)
            sums.add(library.manifest(folder)["upload"]["checksum"])
        self.assertEqual(len(sums), 1, sums)
        files = library.manifest(folder)["files"]
        self.assertGreater(len(files), 3)
        self.assertEqual([f["rows"] for f in files[:-1]], [9999] * (len(files) - 1))

    def test_parts_written_side_by_side_are_one_sorted_whole(self):
        c = self.cluster
        c.sql("db1", "SET sql_log_bin = 0; CREATE TABLE lib.many (id INT PRIMARY KEY, t VARCHAR(200)); INSERT INTO lib.many SELECT seq, "
              "CONCAT_WS(' ', 'all', CONCAT('a', seq %% 7), CONCAT('b', seq %% 1009), CONCAT('c', seq), LEFT(SHA2(seq, 256), 3), 'all') FROM %s"
              % numbers(300000), within_s=60)
        conf = library.definition(c, "many.conf", text=MANY)
        texts = {}
        for threads in ("1", "3"):
            folder = self.folder()
            library.index(c, "db1", folder, conf, "-t", threads, "-m", "8M", env=self.frozen)
            manifest = library.manifest(folder)
            texts[threads] = b"".join(gzip.open(os.path.join(folder, f["name"])).read() for f in manifest["files"])
            self.assertGreaterEqual(len(manifest["files"]), 3)
            self.assertEqual([f["name"] for f in manifest["files"]], sorted(n for n in os.listdir(folder) if n.endswith(".gz")))
        self.assertEqual(texts["1"], texts["3"])
        rows = [tuple(line.split(b"\t")) for line in texts["1"].splitlines()]
        keys = [(term, int(record)) for term, record, *_ in rows]
        self.assertEqual(keys, sorted(set(keys)))
        self.assertEqual(sum(int(frequency) for *_, frequency in rows), 6 * 300000)
        self.assertEqual(sum(row[0] == b"all" for row in rows), 300000)

    def test_progress_comes_on_descriptor_3(self):
        folder, log = self.folder(), os.path.join(self.cluster.folder, "progress")
        with open(log, "w", encoding="utf-8") as f:
            command = " ".join([os.path.join(os.environ.get("SIDING_BUILD", library.BUILD), "siding-index"), "-f", self.conf, "-o", folder,
                                *library.at(self.cluster, "db1", "job")])
            subprocess.run(["bash", "-c", command + " 3>" + f.name], check=True, env=dict(os.environ, **self.frozen),
                           stderr=subprocess.DEVNULL)
        with open(log, encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        self.assertEqual((lines[-1]["done"], lines[-1]["total"], lines[-1]["unit"]), (3000, 3000, "records"))


class MySQL(Index, ClusterTest):
    """Left out: what the program does with the rows it has read."""
    flavor = "mysql"


if __name__ == "__main__":
    main()
