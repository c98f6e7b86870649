#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that are not Siding's as jobs on the paused replica: Sphinx's indexer with searchd on the primary's host, mydumper,
the server's own dump program, a script that tells its progress."""
import gzip
import json
import os
import subprocess

from harness import BUILD, ROOT, ClusterTest, main, needs_package, run_key
from machine import Failed, call, mysql_program, wait_until

EXAMPLES = os.path.join(ROOT, "docs", "examples")
JOBS = {
    "sphinx": 'program = "%s/sphinx-index"; upload = "program"; upload_program = "%s/sphinx-rotate"; upload_args = [ "%%s", "%%s/pid" ];'
              % (EXAMPLES, EXAMPLES),
    "mydumper": 'program = "/usr/bin/mydumper"; args = [ "--defaults-file={SIDING_DEFAULTS_FILE}", "--outputdir={SIDING_RESULT_DIR}", '
                '"--database=catalogue", "--compress", "--no-locks", "--threads=2" ]; compress = "none";',
    "sql-dump": 'program = "%s"; stdout = "catalogue.sql"; '
                'args = [ "--defaults-file={SIDING_DEFAULTS_FILE}", "--single-transaction", %s"--databases", "catalogue" ];',
    "row-counts": 'program = "%s/row-counts"; upload = "append"; target = "stats.row_counts";' % EXAMPLES,
    "secret": 'program = "/usr/bin/mariadb-dump"; stdout = "catalogue.sql"; args = [ "--defaults-file={SIDING_DEFAULTS_FILE}", '
              '"--single-transaction", "catalogue", "record" ]; encryption = { program = "/usr/bin/openssl"; suffix = ".aes"; '
              'args = [ "enc", "-aes-256-ctr", "-pbkdf2", "-pass", "file:%s" ]; };',
    "half": 'program = "/bin/bash"; args = [ "-c", "echo a beginning; exit 3" ]; stdout = "half.txt";',
    "too-much": 'program = "/bin/cat"; args = [ "/dev/zero" ]; stdout = "zeros"; time_limit = "2s";',
}
SEARCHD = """
index records {
	type = plain
	path = %(folder)s/records
}
searchd {
	listen = 127.0.0.1:%(port)d:mysql41
	pid_file = %(folder)s/pid
	log = %(folder)s/log
	binlog_path =
	workers = threads
	seamless_rotate = 1
}
"""


class Programs:
    replicas, jobs, mydumper_cuts = 1, JOBS, ()

    @classmethod
    def dump_program(cls):
        """The server's own, and options of its own."""
        return "/usr/bin/mariadb-dump", ""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.load_catalogue(3000)
        c.sql("db0", "CREATE DATABASE stats; "
              "CREATE TABLE stats.row_counts (run VARCHAR(40), name VARCHAR(200), n BIGINT, PRIMARY KEY (run, name))")
        cls.sphinx = os.path.join(c.folder, "sphinx")
        os.mkdir(cls.sphinx)
        cls.key = os.path.join(c.folder, "key")
        with open(cls.key, "w", encoding="ascii") as f:
            f.write("a passphrase")
        for name in cls.jobs:
            places = {"sphinx": (cls.sphinx, cls.sphinx), "secret": cls.key, "sql-dump": cls.dump_program()}.get(name)
            text = JOBS[name]
            c.job(name, 'name = "%s"; kind = "command"; on = "replica"; %s\n' % (name, text % places if places else text))
        wait_until(lambda: cls.knows(*cls.jobs), 15, "the coordinator knows the jobs")

    @classmethod
    def knows(cls, *jobs):
        nodes = cls.cluster.siding("cluster", "status")["nodes"]
        return all(set(jobs) <= {j["name"] for j in n["agent"]["jobs"]} for n in nodes)

    def submit(self, job):
        return self.cluster.submit("command", "--on", "replica", job)

    def done(self, job, within_s=60):
        c = self.cluster
        task = self.submit(job)
        c.expect_state(task, "done", within_s)
        c.expect_replicating("db1")
        return task

    def folder(self, task):
        path = self.cluster.siding("result", "path", task)
        return path if isinstance(path, str) else path["path"]

    def restored(self, database, script, without=()):
        """What a client makes of it on another server equals the frozen state: nothing was written meanwhile."""
        names = [r[0] for r in self.cluster.sql("db0", "SELECT table_name FROM information_schema.tables WHERE table_schema = 'catalogue' "
                                                "AND table_type = 'BASE TABLE'") if r[0] not in without]
        script(database)
        sums = [[r[1] for r in self.cluster.sql("db0", "CHECKSUM TABLE " + ", ".join("%s.%s" % (d, n) for n in names))]
                for d in ("catalogue", database)]
        self.assertEqual(sums[0], sums[1])
        self.assertNotIn("NULL", sums[1])
        self.cluster.sql("db0", "DROP DATABASE " + database)

    def test_the_servers_own_dump_is_captured_and_compressed(self):
        c = self.cluster
        folder = self.folder(self.done("sql-dump"))
        self.assertEqual({n for n in os.listdir(folder) if not n.startswith(".")}, {"catalogue.sql.gz", "manifest.json", "SHA256SUMS"})
        with gzip.open(os.path.join(folder, "catalogue.sql.gz"), "rt", encoding="utf-8") as f:
            text = f.read()
        self.assertIn("-- Dump completed", text)

        def restore(name):
            c.sql("db0", "CREATE DATABASE %s" % name)
            plain = text.replace("`catalogue`", "`%s`" % name)
            subprocess.run(["mariadb", "--no-defaults", "-S", c.socket("db0")], input=plain, text=True, check=True)
        self.restored("again", restore)

    @needs_package("mydumper")
    def test_mydumper_runs_and_myloader_loads_its_result(self):
        folder = self.folder(self.done("mydumper"))

        def restore(name):
            subprocess.run(["myloader", "-S", self.cluster.socket("db0"), "--enable-binlog", "--source-db=catalogue",
                            "--database=" + name, "-d", folder], check=True, stdout=subprocess.DEVNULL)
        self.restored("loaded", restore, self.mydumper_cuts)

    def test_a_script_tells_its_progress_and_its_rows_are_appended(self):
        c = self.cluster
        task = self.done("row-counts")
        run = c.last_run(task)
        self.assertEqual((run["progress"]["unit"], run["progress"]["done"]), ("tables", run["progress"]["total"]))
        found = dict(c.sql("db0", "SELECT name, n FROM stats.row_counts WHERE run = '%s'" % run["id"]))
        self.assertEqual(found["catalogue.record"], "3000")
        self.assertGreater(len(found), 4)

    def test_what_stops_an_upload_is_found_on_the_primary_before_a_pause(self):
        """The replica's tables are an older state: there is no trigger, and the engine is another."""
        c = self.cluster
        c.job("swapped", 'name = "swapped"; kind = "index"; upload = "swap"; index = { target = "stats.words"; key = "record"; '
              'fields = ( { name = "name"; query = "SELECT id, name FROM catalogue.record"; } ); on_change = "discard"; };')
        c.sql("db0", "CREATE TABLE stats.words (term VARCHAR(64) COLLATE utf8mb4_bin, record BIGINT, field TINYINT UNSIGNED, frequency INT)")
        wait_until(lambda: self.knows("swapped"), 15, "the coordinator knows the job")
        rows = ("command", "--on", "replica", "row-counts")
        engine = c.value("db0", "SELECT engine FROM information_schema.tables WHERE table_schema = 'stats' AND table_name = 'row_counts'")
        for what, before, words, after in (
                (("swapped",), "CREATE TRIGGER stats.late BEFORE INSERT ON stats.words FOR EACH ROW SET @a = 1", "has triggers", "DROP TRIGGER stats.late"),
                (("swapped",), "ALTER TABLE stats.words ADD COLUMN note INT", "note on the primary", "ALTER TABLE stats.words DROP COLUMN note"),
                (rows, "ALTER TABLE stats.row_counts ENGINE=MyISAM", "allow_nontransactional", "ALTER TABLE stats.row_counts ENGINE=" + engine)):
            with self.subTest(words=words):
                c.sql_alone("db0", before)
                try:
                    self.assertRegex(c.siding("submit", *what, "--dry-run", status=1), "db0: .*" + words)
                    task = c.submit(*what)
                    c.expect_state(task, "error", 40)
                finally:
                    c.sql_alone("db0", after)
                self.assertRegex(c.last_run(task)["error"], "db0: .*" + words)
                self.assertFalse(c.last_run(task).get("gtid"))
                self.assertEqual(c.siding("submit", *what, "--dry-run")["obstacles"], [])

    # -- Sphinx

    def searched(self, word):
        status, out, err = call("mariadb", "--no-defaults", "-h127.0.0.1", "-P%d" % (self.cluster.ports.base + 30), "-BN", "-e",
                                "SELECT id FROM records WHERE MATCH('%s') LIMIT 1000 OPTION max_matches=1000" % word)
        if status:
            raise Failed(err)
        return {int(line.split("\t")[0]) for line in out.splitlines()}

    def test_sphinx_indexes_the_replica_and_searchd_rotates(self):
        c = self.cluster
        self.done("sphinx")
        conf = os.path.join(self.sphinx, "searchd.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(SEARCHD % {"folder": self.sphinx, "port": c.ports.base + 30})
        searchd = subprocess.Popen(["searchd", "--config", conf, "--nodetach"], stdout=subprocess.DEVNULL)
        try:
            def answers():
                try:
                    return self.searched("library")
                except Failed:
                    return False
            found = wait_until(answers, 20, "searchd answers")
            with_library = "CONCAT_WS(' ', name, summary, description) RLIKE '(?i)(?<![a-z0-9_])library(?![a-z0-9_])'"
            expected = {int(r[0]) for r in c.sql("db0", "SELECT id FROM catalogue.record WHERE " + with_library)}
            self.assertEqual(found, expected)
            self.assertEqual(self.searched("quaggaloup"), set())
            c.sql("db0", "UPDATE catalogue.record SET summary = 'a quaggaloup' WHERE id = 77")
            self.done("sphinx")
            self.assertEqual(self.searched("quaggaloup"), {77})
        finally:
            searchd.terminate()
            searchd.wait(20)


class MariaDB(Programs, ClusterTest):

    # -- encryption

    def decrypted(self, path):
        return subprocess.run(["openssl", "enc", "-d", "-aes-256-ctr", "-pbkdf2", "-pass", "file:" + self.key, "-in", path], check=True,
                              stdout=subprocess.PIPE).stdout

    def test_files_of_a_result_are_encrypted_by_a_program(self):
        task = self.done("secret")
        folder = self.folder(task)
        self.assertEqual({n for n in os.listdir(folder)}, {"catalogue.sql.gz.aes", "manifest.json", "SHA256SUMS"})
        text = gzip.decompress(self.decrypted(os.path.join(folder, "catalogue.sql.gz.aes")))
        self.assertIn(b"-- Dump completed", text)
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as f:
            manifest = json.load(f)
        self.assertEqual((manifest["encrypted"], manifest["files"][0]["bytes"]), (".aes", len(text)))
        self.cluster.siding("result", "verify", task)
        self.assertIn("are encrypted (*.aes)", self.cluster.siding("restore", task, "--to", self.key, status=1))

    def test_a_dump_that_was_encrypted_is_restored_once_it_is_decrypted(self):
        c = self.cluster
        with open(os.path.join(c.folder, "db1", "agent.conf"), "a", encoding="utf-8") as f:
            f.write('dump_encryption = { program = "/usr/bin/openssl"; suffix = ".aes"; '
                    'args = [ "enc", "-aes-256-ctr", "-pbkdf2", "-pass", "file:%s" ]; };\n' % self.key)
        c.stop("db1")
        c.start("db1")
        wait_until(lambda: self.knows("secret"), 30, "the agent is back")
        task = c.submit("dump", "--database", "catalogue")
        c.expect_state(task, "done", 60)
        folder, clear = self.folder(task), os.path.join(c.folder, "clear")
        names = [n for n in os.listdir(folder) if n not in ("manifest.json", "SHA256SUMS") and n[0] != "."]
        self.assertTrue(all(n.endswith(".aes") for n in names), names)
        os.mkdir(clear)
        for name in names:
            with open(os.path.join(clear, name[:-4]), "wb") as f:
                f.write(self.decrypted(os.path.join(folder, name)))

        before = c.table_state("db0", ["catalogue"])
        c.sql("db0", "DELETE FROM catalogue.link LIMIT 100")
        status, _, err = call(os.path.join(BUILD, "siding-restore"), "-S", c.socket("db0"), "--overwrite", clear)
        self.assertEqual(status, 0, err)
        self.assertEqual(c.table_state("db0", ["catalogue"]), before)

    def test_sealing_that_is_cut_off_while_it_encrypts_goes_on(self):
        folder = os.path.join(self.cluster.folder, "sealed")
        os.makedirs(os.path.join(folder, "below"))
        for i, name in enumerate(("a", "b", "below/c", "d")):
            with open(os.path.join(folder, name), "w", encoding="ascii") as f:
                f.write("line\n" * 1000 * (i + 1))
        facts = os.path.join(self.cluster.folder, "facts.json")
        with open(facts, "w", encoding="ascii") as f:
            f.write('{"run": "1.1"}')
        mark = os.path.join(self.cluster.folder, "encrypted-once")
        script = "test -e %s || { touch %s; exec cat; }; %s" % (mark, mark, "%s")

        def seal(how):
            return call(os.path.join(BUILD, "siding-run"), "seal", "--manifest", facts, "--dir", folder, "--encrypt", "/bin/bash",
                        "--encrypt-suffix", ".x", "--", "-c", script % how)
        for how in ("exit 3", "kill -9 $PPID"):
            self.assertNotEqual(seal(how)[0], 0)
            self.assertFalse(os.path.exists(os.path.join(folder, "manifest.json")))
        status, _, err = seal("exec cat")
        self.assertEqual(status, 0, err)
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as f:
            files = {f["name"]: f for f in json.load(f)["files"]}
        self.assertEqual(set(files), {"a.gz.x", "b.gz.x", "below/c.gz.x", "d.gz.x"})
        self.assertEqual([files[n]["rows"] for n in sorted(files)], [1000, 2000, 3000, 4000])
        subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
        for name in files:
            with open(os.path.join(folder, name), "rb") as f:
                self.assertEqual(len(gzip.decompress(f.read())), files[name]["bytes"])
        self.assertEqual({n for n in os.listdir(folder) if n.startswith(".") or n.endswith(("tmp", ".gz"))}, set())

    # -- what goes wrong

    def test_output_of_a_job_that_fails_is_removed(self):
        c = self.cluster
        for job, words in (("half", "ended with status 3"), ("too-much", "time limit")):
            task = self.submit(job)
            c.expect_state(task, "error", 40)
            run = c.last_run(task)
            self.assertIn(words, run["error"])
            self.assertFalse(os.path.exists(os.path.join(c.folder, "db1", "spool", run_key(run))))
        c.expect_replicating("db1")

    def test_an_upload_program_that_fails_is_told_and_tried_again(self):
        c = self.cluster
        mark = os.path.join(c.folder, "mark")
        c.job("refused", 'name = "refused"; kind = "command"; on = "replica"; program = "/bin/bash"; args = [ "-c", "echo 1 >x" ]; '
              'upload = "program"; upload_program = "/bin/bash"; '
              'upload_args = [ "-c", "test -e %s && cat $SIDING_RESULT_DIR/x.gz >>%s.copy", "{SIDING_RUN_ID}" ];' % (mark, mark))
        wait_until(lambda: self.knows("refused"), 15, "the coordinator knows the job")
        task = self.submit("refused")

        def upload():
            found = [t for t in c.siding("task", "list") if t.get("parent_task") == int(task)]
            return found and found[0]["state"] in ("error", "done") and found[0]
        failed = wait_until(upload, 60, "end of the upload")
        self.assertEqual(failed["state"], "error")
        self.assertIn("/bin/bash ended with status 1", failed["runs"][-1]["error"])
        with open(mark, "w", encoding="ascii"):
            pass
        c.siding("task", "retry", str(failed["id"]))
        c.expect_state(task, "done", 60)
        with open(mark + ".copy", "rb") as f:
            self.assertEqual(gzip.decompress(f.read()), b"1\n")


class MySQL(Programs, ClusterTest):
    """Left out: what becomes of a result whoever made it."""
    flavor, jobs = "mysql", ("sphinx", "mydumper", "sql-dump", "row-counts")
    mydumper_cuts = ("record",)  # mydumper 0.10 takes a default of CURRENT_TIMESTAMP for a generated column

    @classmethod
    def dump_program(cls):
        return mysql_program("mysqldump"), '"--set-gtid-purged=OFF", "--no-tablespaces", '


if __name__ == "__main__":
    main()
