#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole product on real clusters: a job from its submission to its end under live load, whatever is killed on
the way. What must hold after each: replication runs, settings are back, servers are equal, a result is loaded once."""
import contextlib
import glob
import gzip
import json
import os
import re

from harness import BUILD, ROOT, TASK_ENDS, ClusterTest, main, run_key
from machine import call, wait_until

POSITIONS = """
name = "positions"; kind = "command"; on = "replica"; upload = "none"; program = "/bin/bash";
args = [ "-c", "for i in 1 2 3 4; do mariadb --defaults-file=$SIDING_DEFAULTS_FILE -Ne 'SELECT %s, (SELECT COUNT(*) FROM catalogue.record)' >>$SIDING_RESULT_DIR/seen; sleep 0.3; done; echo $SIDING_GTID >$SIDING_RESULT_DIR/told" ];
"""
SLOW = """
name = "slow"; kind = "command"; on = "replica"; upload = "none"; program = "/bin/bash";
args = [ "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do echo '{\\"done\\":'$i',\\"total\\":10,\\"unit\\":\\"steps\\"}' >&3; sleep 0.1; done; while [ -e %s ]; do sleep 0.05; done; echo end >$SIDING_RESULT_DIR/end" ];
"""
COPIES = """
name = "copies"; kind = "command"; on = "replica"; upload = "append"; target = "catalogue.copied"; program = "/bin/bash";
args = [ "-c", "mariadb --defaults-file=$SIDING_DEFAULTS_FILE -Ne \\"SELECT '$SIDING_RUN_ID', id FROM catalogue.record\\" "
               ">$SIDING_RESULT_DIR/catalogue.copied.00000.tsv; while [ -e %s ]; do sleep 0.05; done" ];
"""
KEPT = """
name = "%s"; kind = "command"; on = "replica"; upload = "%s"; target = "catalogue.nothing"; keep = %d; program = "/bin/bash";
args = [ "-c", "echo 1 >$SIDING_RESULT_DIR/catalogue.nothing.00000.tsv" ];
"""


class Pipeline:
    """One cluster with a small catalogue, scenarios after each other."""
    records, reindexes = 3000, 2
    loaders = (("coordinator", "sidingd"), ("db0", "agent0"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.load_catalogue(cls.records)
        with open(os.path.join(ROOT, "scripts", "lib", "quickstart", "catalogue.conf"), encoding="utf-8") as f:
            c.job("catalogue", f.read())
        c.job("positions", POSITIONS % c.words["applied"])
        cls.hold = os.path.join(c.folder, "hold")  # there: jobs do not end
        c.job("slow", SLOW % cls.hold)
        wait_until(lambda: cls.knows("slow"), 15, "the coordinator knows the jobs")
        cls.before = [c.settings(n) for n in ("db1", "db2")]

    @classmethod
    def knows(cls, job):
        nodes = cls.cluster.siding("cluster", "status")["nodes"]
        return all(any(j["name"] == job for j in n["agent"]["jobs"]) for n in nodes)

    def expect_as_before(self):
        """Nothing of a run is left on the replicas, and the servers are equal."""
        c = self.cluster
        for node in ("db1", "db2"):
            c.expect_replicating(node)
            wait_until(lambda n=node: "lease" not in c.journal(n), 60,
                       "the lease on %s is gone" % node)
        self.assertEqual([c.settings(n) for n in ("db1", "db2")], self.before)
        c.expect_equal()

    def uploads_of(self, task):
        return [t for t in self.cluster.siding("task", "list") if t.get("parent_task") == int(task)]

    def expect_index_right(self, task):
        """The index holds each name's words as they are now, but for records that changed after the upload began."""
        c = self.cluster
        begun = self.uploads_of(task)[0]["runs"][-1]["started_at"].replace("T", " ").rstrip("Z")
        rows = c.sql("db0", "SET time_zone = '+00:00'; SELECT r.id, r.name, GROUP_CONCAT(i.term, '=', i.frequency ORDER BY i.term) "
                     "FROM catalogue.record r LEFT JOIN catalogue.word_index i ON i.record = r.id AND i.field = 1 "
                     "WHERE r.changed_at < '%s' GROUP BY r.id" % begun)
        # The rules of other characters have tests of their own.
        rows = [r for r in rows if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", r[1])]
        self.assertGreater(len(rows), self.records / 3)
        for key, name, found in rows:
            words = name.split("-")
            want = ",".join("%s=%d" % (w, words.count(w)) for w in sorted(set(words)))
            self.assertEqual(found, want, "record %s, %s" % (key, name))

    # -- jobs under live load

    def test_1_a_reindex_with_changes_under_way(self):
        c = self.cluster
        first, second = [r[0] for r in c.sql("db0", "SELECT id FROM catalogue.record ORDER BY id LIMIT 2")]
        with c.writers(rate=100):
            task = c.submit("index", "--job", "catalogue")
            wait_until(lambda: c.last_run(task).get("gtid"), 30, "the replica is frozen")
            c.sql("db0", "UPDATE catalogue.record SET name = 'changedmeanwhile' WHERE id = %s; START TRANSACTION; "
                  "DELETE FROM catalogue.link WHERE %s IN (record_id, target_id); DELETE FROM catalogue.record_keyword WHERE "
                  "record_id = %s; DELETE FROM catalogue.record_person WHERE record_id = %s; DELETE FROM catalogue.record WHERE "
                  "id = %s; COMMIT" % (first, second, second, second, second))
            c.expect_state(task, "done", 120)
            self.assertEqual(c.value("db0", "SELECT record FROM catalogue.word_index WHERE term = 'changedmeanwhile'"), first)
            self.assertEqual(c.value("db0", "SELECT COUNT(*) FROM catalogue.word_index WHERE record = %s" % second), "0")
        run = c.last_run(task)
        self.assertRegex(run["gtid"], c.words["gtid"])
        self.assertTrue(run["replay"]["settings_restored"])
        self.assertEqual([t["state"] for t in self.uploads_of(task)], ["done"])
        self.expect_as_before()

    def test_2_a_dump_under_load(self):
        c = self.cluster
        with c.writers(rate=100):
            task = c.submit("dump", "--database", "catalogue")
            c.expect_state(task, "done", 120)
        c.siding("result", "verify", task)
        path = c.siding("result", "path", task)
        path = path if isinstance(path, str) else path["path"]
        with open(os.path.join(path, "manifest.json"), encoding="utf-8") as f:
            manifest = json.load(f)
        self.assertEqual(manifest["gtid"], c.last_run(task)["gtid"])
        for key in ("run", "job", "gtid", "frozen_at", "flavor", "server_version", "shard", "shards", "files", "started_at", "finished_at"):
            self.assertIn(key, manifest)
        self.expect_as_before()

    def test_3_two_replicas_at_one_gtid(self):
        c = self.cluster
        with c.writers(rate=200):
            task = c.submit("command", "--on", "replica", "positions", "--replicas", "2")
            c.expect_state(task, "done", 120)
        run = c.last_run(task)
        self.assertEqual(sorted(run["nodes"]), ["db1", "db2"])
        folder = os.path.join(c.folder, run["nodes"][0], "spool", run_key(run))
        files = [n for n in os.listdir(folder) if n.startswith("seen")]
        self.assertEqual(sorted(files), ["seen.gz", "seen.s1.gz"])
        seen = {line for name in files for line in read_result(os.path.join(folder, name)).splitlines()}
        self.assertEqual(len(seen), 1, seen)
        self.assertEqual(seen.pop().split("\t")[0], run["gtid"])
        self.expect_as_before()

    def test_4_a_pause_by_hand(self):
        c = self.cluster
        with c.writers(rate=100):
            answer = c.siding("replica", "pause", "db1", "--for", "60s", "--reason", "a look")
            gtid = answer.get("gtid") or answer["lease"]["gtid"]
            self.assertEqual(c.applied("db1"), gtid)
            self.assertIn("db1", c.siding("replica", "pause", "db1", "--for", "60s", "--reason", "again", status=1))
            self.assertEqual(c.applied("db1"), gtid)
            c.siding("replica", "resume", "db1")
        self.expect_as_before()

    # -- kills

    @contextlib.contextmanager
    def jobs_held(self):
        open(self.hold, "w", encoding="ascii").close()
        try:
            yield
        finally:
            self.let_go()

    def let_go(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.hold)

    def killed_while_running(self, what):
        c = self.cluster
        with c.writers(rate=100):
            with self.jobs_held():
                task = c.submit("command", "--on", "replica", "slow")
                run = c.expect_run_state(task, "running", 30)
                node, process = what(run["nodes"][0])
                c.kill(process)
                c.start(node)
            c.expect_state(task, "done", 60)
        self.expect_as_before()

    def test_5_kill_9_of_the_coordinator(self):
        self.killed_while_running(lambda _: ("coordinator", "sidingd"))

    def test_5_kill_9_of_the_agent(self):
        self.killed_while_running(lambda node: (node, "agent" + node[2:]))

    def test_5_kill_9_of_the_job(self):
        c = self.cluster
        with self.jobs_held():
            task = c.submit("command", "--on", "replica", "slow")
            run = c.expect_run_state(task, "running", 30)
            pids = wait_until(lambda: processes_of(c, run["id"]), 10, "the job's process")
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    c.kill_pid(pid)
        c.expect_state(task, "error", 60)
        self.assertFalse(glob.glob(os.path.join(c.folder, run["nodes"][0], "spool", run_key(run), "manifest.json")))
        self.expect_as_before()

    def test_6_kills_during_an_upload_load_it_once(self):
        c = self.cluster
        for node, process in self.loaders:
            with c.table_held("db0", "catalogue.word_index", "READ"):
                task = c.submit("index", "--job", "catalogue")
                c.expect_run_state(task, "uploading", 60)
                c.kill(process)
            c.start(node)
            c.expect_state(task, "done", 120)
            self.assertEqual([t["state"] for t in self.uploads_of(task)], ["done"])
            self.expect_index_right(task)
        self.expect_as_before()

    def test_7_reindexes_end_with_equal_servers(self):
        c = self.cluster
        for _ in range(self.reindexes):
            with c.writers(rate=150):
                task = c.submit("index", "--job", "catalogue")
                c.expect_state(task, "done", 120)
            self.expect_index_right(task)
            self.expect_as_before()

    # -- results

    def restored_from_another_host(self, restore, run):
        """The command sees nothing of the agent's folder; of the files a part is there already, damaged."""
        c, copies = self.cluster, os.path.join(self.cluster.folder, "copies")
        spool = os.path.join(c.folder, run["nodes"][0], "spool")
        name = glob.glob(os.path.join(spool, run_key(run), "shop.item.0*"))[0]
        part = os.path.join(copies, run["id"], os.path.basename(name))
        os.makedirs(os.path.dirname(part))
        with open(part, "w", encoding="utf-8") as f:
            f.write("no gzip")
        elsewhere = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else []), "bash", "-c",
                     'mount -t tmpfs none "$0" && exec "$@"', spool, *restore, "--overwrite", "--fetch-to", copies]
        status, _, err = call(*elsewhere, env=c.env)
        self.assertEqual((status, "arrived damaged" in err), (1, True), err)
        status, out, err = call(*elsewhere, env=c.env)
        self.assertEqual((status, "1 tables equal the dump" in out), (0, True), out + err)
        self.assertTrue(os.path.exists(os.path.join(copies, run["id"], "manifest.json")))

    def test_8_a_dump_is_restored_by_its_task(self):
        c = self.cluster
        c.sql("db0", "CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50)); "
              "INSERT INTO shop.item (name) VALUES ('one'), ('two'), ('three')")
        task = c.submit("dump", "--database", "shop")
        c.expect_state(task, "done", 60)
        run = c.last_run(task)
        target = os.path.join(c.folder, "target.cnf")
        with open(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as f:
            f.write("[client]\nsocket=%s\nuser=root\n" % c.socket("db0"))
        restore = [os.path.join(BUILD, "siding"), "restore", str(task), "--to", target]
        status, _, err = call(*restore, env=c.env)
        self.assertEqual((status, "database shop on the server is not empty" in err), (1, True), err)
        c.sql("db0", "DELETE FROM shop.item")
        status, out, err = call(*restore, "--overwrite", env=c.env)
        self.assertEqual((status, "1 tables equal the dump" in out), (0, True), out + err)
        names = "SELECT GROUP_CONCAT(name ORDER BY id) FROM shop.item"
        self.assertEqual(c.value("db0", names), "one,two,three")
        c.sql("db0", "DELETE FROM shop.item")
        self.restored_from_another_host(restore, run)
        self.assertEqual(c.value("db0", names), "one,two,three")
        self.expect_as_before()


class MariaDB(Pipeline, ClusterTest):

    def kept(self, job):
        """{task: whether its result is kept}, by the list and by the folders, which must say the same."""
        c, found = self.cluster, {}
        for r in c.siding("result", "list"):
            if r["job"] == job:
                there = os.path.exists(os.path.join(r["path"], "manifest.json"))
                found[str(r["task"])] = there if there == (not r["expired_at"]) else None
        return found

    def test_8_results_are_kept_as_configured(self):
        c = self.cluster
        c.job("kept", KEPT % ("kept", "none", 2))
        c.job("needed", KEPT % ("needed", "append", 1))
        wait_until(lambda: self.knows("kept") and self.knows("needed"), 15, "the coordinator knows the jobs")
        leftover = os.path.join(c.folder, "db1", "spool", ".expired-1.1")
        os.makedirs(os.path.join(leftover, "below"))
        tasks = []
        for _ in range(4):
            tasks.append(c.submit("command", "--on", "replica", "kept"))
            c.expect_state(tasks[-1], "done", 60)
        c.kill("sidingd")
        c.kill("agent1")
        c.up()
        want = dict(zip(tasks, (False, False, True, True)))
        wait_until(lambda: self.kept("kept") == want, 60, lambda: "kept: %r" % self.kept("kept"))
        self.assertIn("has expired", c.siding("result", "show", tasks[0], status=1))
        wait_until(lambda: not os.path.exists(leftover), 10, "the leftover is gone")
        # A failed upload holds those behind it until somebody has seen it; neither result goes before.
        first = c.submit("command", "--on", "replica", "needed")
        c.expect_state(first, "error", 60)
        second = c.submit("command", "--on", "replica", "needed")
        c.expect_run_state(second, "uploading", 60)
        wait_until(lambda: self.kept("needed") == {first: True, second: True}, 60, lambda: "needed: %r" % self.kept("needed"))
        for upload in self.uploads_of(first):
            c.siding("task", "ack", str(upload["id"]))
        c.siding("task", "ack", first)
        c.expect_state(second, "error", 60)
        want = {first: False, second: True}
        wait_until(lambda: self.kept("needed") == want, 60, lambda: "needed: %r" % self.kept("needed"))


class MySQL(Pipeline, ClusterTest):
    """Left out: how long results are kept."""
    flavor, records, reindexes, loaders = "mysql", 1500, 1, (("db0", "agent0"),)

    def test_9_kills_in_each_phase_append_once(self):
        c = self.cluster
        c.sql("db0", "CREATE TABLE IF NOT EXISTS catalogue.copied (run VARCHAR(20), record INT UNSIGNED); CREATE TABLE IF NOT EXISTS catalogue.first (a INT)")
        c.job("copies", COPIES % self.hold)
        wait_until(lambda: self.knows("copies"), 15, "the coordinator knows the job")
        all_of_it = c.sql("db0", "SELECT COUNT(*), COUNT(*) FROM catalogue.record")[0]
        for state, what in (("pausing", "agent"), ("running", "server"), ("sealing", "agent"), ("resuming", "server"),
                            ("uploading", "agent0"), ("uploading", "server0")):
            with self.subTest(state=state, killed=what):
                with self.held_in(state) as task:
                    run = c.expect_run_state(task, state)
                    process = what if what[-1] == "0" else what + run["nodes"][0][2:]
                    c.kill(process)
                c.start("db" + process[-1])
                wait_until(lambda n=task: c.task(n)["state"] in TASK_ENDS, 90, lambda n=task: c.describe(n))
                rows = c.sql("db0", "SELECT COUNT(*), COUNT(DISTINCT record) FROM catalogue.copied WHERE run = '%s'"
                             % c.last_run(task)["id"])[0]
                # A server that was killed under its job had nothing to seal.
                done = c.task(task)["state"] == "done"
                self.assertEqual(rows, all_of_it if done else ("0", "0"), c.describe(task))
                self.assertTrue(done or what == "server", c.describe(task))
        self.expect_as_before()

    @contextlib.contextmanager
    def held_in(self, state):
        """A task whose run comes to this state and stays there to the end of the block."""
        c = self.cluster
        with contextlib.ExitStack() as held:
            if state == "pausing":
                yield self.held_pausing(held)
                return
            if state == "uploading":
                held.enter_context(c.table_held("db0", "catalogue.copied"))
                yield c.submit("command", "--on", "replica", "copies")
                return
            open(self.hold, "w", encoding="ascii").close()
            held.callback(self.let_go)
            task = c.submit("command", "--on", "replica", "copies")
            run = c.expect_run_state(task, "running")
            rows = os.path.join(c.folder, run["nodes"][0], "spool", run_key(run), "catalogue.copied.00000.tsv")
            wait_until(lambda: os.path.exists(rows) and os.path.getsize(rows), 30, "the job has read")
            if state == "resuming":
                held.enter_context(c.table_held(run["nodes"][0], "catalogue.first", "READ"))
                c.sql("db0", "INSERT INTO catalogue.first VALUES (1)")
            elif state == "sealing":
                held.enter_context(c.file_held(rows))
            if state != "running":
                self.let_go()
            yield task

    def held_pausing(self, held):
        """The applier stands in the middle of the transaction behind the task's submission, where it cannot be stopped."""
        c, first = self.cluster, contextlib.ExitStack()
        with first:
            for node in ("db1", "db2"):
                held.enter_context(c.table_held(node, "catalogue.copied", "READ"))
                first.enter_context(c.table_held(node, "catalogue.first", "READ"))
            c.sql("db0", "INSERT INTO catalogue.first VALUES (1)")
            task = c.submit("command", "--on", "replica", "copies")
            c.sql("db0", "INSERT INTO catalogue.copied VALUES ('held', 1)")
        return task


def read_result(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as f:
        return f.read()


def processes_of(cluster, run):
    """Processes of a run's job, by their environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as f:
                env = f.read().split(b"\0")
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                command = f.read()
        except OSError:
            continue
        if b"SIDING_RUN_ID=" + run.encode() in env and any(e.startswith(b"SIDING_RESULT_DIR=" + cluster.folder.encode()) for e in env) \
                and b"siding-agent" not in command:
            found.append(int(pid))
    return found


if __name__ == "__main__":
    main()
