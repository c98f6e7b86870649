#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The coordinator with real agents and servers: jobs to their end, processes killed on the way, two replicas at one
GTID, tasks from SQL, a primary that hangs."""
import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.request

from harness import ClusterTest, main
from machine import Failed, slack, wait_until

# A job that waits in its result folder until a test lets it go on. Its rows are what it sees on the replica.
JOB = """#!/bin/bash
set -eu
client() { mariadb --defaults-file="$SIDING_DEFAULTS_FILE" -NB "$@"; }
echo '{"done":1,"total":2,"unit":"rows"}' >&3
echo "on shard $SIDING_SHARD of $SIDING_SHARDS at $SIDING_GTID"
while [ ! -e "$GATE" ]; do sleep 0.05; done
client -e "SELECT id, '$SIDING_RUN_ID' FROM shop.item" > "$SIDING_RESULT_DIR/shop.copy.00000.tsv"
echo "to err" >&2
"""
# The same, with a file that no upload loads.
LOOK = JOB + """client -e "SELECT COUNT(*) FROM shop.item" > "$SIDING_RESULT_DIR/count"
"""


class Common:
    """What holds on both flavours. Tests follow each other on one cluster."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        cls.gate = os.path.join(c.folder, "gate")
        for name, text in (("job", JOB), ("look", LOOK)):
            program = os.path.join(c.folder, name)
            with open(program, "w", encoding="utf-8") as f:
                f.write(text.replace("$GATE", cls.gate))
            os.chmod(program, 0o755)
        c.sql("db0", """CREATE DATABASE shop;
            CREATE TABLE shop.item (id BIGINT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(60) NOT NULL,
              changed_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3));
            CREATE TABLE shop.copy (item BIGINT NOT NULL, run VARCHAR(40) NOT NULL, PRIMARY KEY (item, run));
            INSERT INTO shop.item (name) WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 900)
              SELECT CONCAT('item number ', n) FROM s""")
        c.job("copy", f'name = "copy"; kind = "command"; on = "replica"; upload = "append"; target = "shop.copy";\n'
                      f'program = "{c.folder}/job";\n')
        c.job("look", f'name = "look"; kind = "command"; on = "replica"; upload = "none"; program = "{c.folder}/look";\n')
        c.job("words", """name = "words"; kind = "index"; upload = "swap";
            index = { target = "shop.word_index"; key = "item";
              fields = ( { name = "name"; query = "SELECT id, name FROM shop.item"; } );
              changed_since = "SELECT id FROM shop.item WHERE changed_at >= :frozen_at"; on_change = "delta"; };\n""")
        wait_until(lambda: cls.knows("words"), 15, "the agents know the jobs")

    @classmethod
    def knows(cls, job):
        return all(job in [j["name"] for j in n["agent"]["jobs"]] for n in cls.api("/v1/nodes"))

    def setUp(self):
        self.open_gate()

    def tearDown(self):
        c = self.cluster
        self.open_gate()
        for node in ("db1", "db2"):
            c.expect_replicating(node)
        wait_until(lambda: [n["state"] for n in self.api("/v1/nodes")] == ["serving"] * 3, 60, "all nodes serve")

    # -- tools

    @classmethod
    def api(cls, path, timeout=10):
        url = "http://127.0.0.1:%d%s" % (cls.cluster.ports.base + 20, path)
        with urllib.request.urlopen(url, timeout=timeout * slack()) as answer:
            return json.loads(answer.read())

    def open_gate(self):
        open(self.gate, "w", encoding="ascii").close()

    def close_gate(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.gate)

    def ends(self, task, state="done", within_s=90):
        return self.cluster.expect_state(task, state, within_s)

    def running(self, task):
        return self.cluster.expect_run_state(task, "running", 30)

    def uploads_of(self, task):
        return int(self.cluster.value("db0", f"SELECT COUNT(*) FROM siding.task WHERE parent_task = {task}"))

    def expect_copied_once(self, task):
        c = self.cluster
        rows = c.sql("db0", f"SELECT COUNT(*), COUNT(DISTINCT item) FROM shop.copy WHERE run = '{task}.1'")[0]
        items = c.value("db0", "SELECT COUNT(*) FROM shop.item")
        self.assertEqual(rows, (items, items))
        self.assertEqual(self.uploads_of(task), 1)

    def restart_coordinator(self):
        c = self.cluster
        c.kill("sidingd")
        c.start("coordinator")
        wait_until(lambda: self.api("/v1/status")["database"]["ok"], 20, "the queue is read again")

    # -- to the end

    def test_a_dump_to_its_end(self):
        task = self.cluster.submit("dump", "--database", "shop")
        run = self.ends(task)["runs"][0]
        self.assertEqual(run["state"], "done")
        self.assertTrue(os.path.exists(os.path.join(run["result_dir"], "manifest.json")))
        done = subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=run["result_dir"], check=False)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.cluster.siding("result", "list")[0]["run"], f"{task}.1")

    def test_a_job_sees_what_was_there_at_its_submission(self):
        c = self.cluster
        for _ in range(3):
            c.sql("db0", "INSERT INTO shop.item (name) VALUES ('just before')")
            task = c.submit("command", "--on", "replica", "look")
            run = self.ends(task)["runs"][0]
            with open(os.path.join(run["result_dir"], "count.gz"), "rb") as f:
                count = subprocess.run(["zcat"], stdin=f, capture_output=True, check=True).stdout.decode().strip()
            self.assertEqual(count, c.value("db0", "SELECT COUNT(*) FROM shop.item"))

    def test_logs_stay_after_the_end(self):
        c = self.cluster
        task = c.submit("command", "--on", "replica", "look")
        run = self.ends(task)["runs"][0]
        wait_until(lambda: not [r for n in self.api("/v1/nodes") for r in n["agent"]["runs"]], 10, "agents forget it")
        url = "http://127.0.0.1:%d/v1/tasks/%s/log" % (c.ports.base + 20, task)
        with urllib.request.urlopen(url, timeout=10 * slack()) as answer:
            self.assertEqual(answer.read().decode(), f"on shard 0 of 1 at {run['gtid']}\n")
        with urllib.request.urlopen(url + "?stream=err", timeout=10 * slack()) as answer:
            self.assertEqual(answer.read().decode(), "to err\n")

    # -- from SQL

    def test_a_task_from_sql_is_found_within_a_second(self):
        c = self.cluster
        self.close_gate()
        task = c.value("db0", "CALL siding.submit('look', NULL, NULL, @id); SELECT @id")
        begun = time.monotonic()
        wait_until(lambda: c.task(task)["state"] == "running", 5, "it starts")
        self.assertLess(time.monotonic() - begun, 1.5 * slack())
        self.open_gate()
        self.ends(task)
        before = c.value("db0", "SELECT COUNT(*) FROM siding.task")
        c.sql("db0", "START TRANSACTION; CALL siding.submit('look', NULL, NULL, @id); ROLLBACK")
        self.assertEqual(c.value("db0", "SELECT COUNT(*) FROM siding.task"), before)

    # -- two replicas

    def test_two_replicas_stand_at_one_gtid(self):
        c = self.cluster
        with contextlib.ExitStack() as stack:
            session = stack.enter_context(c.session("db0"))
            self.close_gate()
            task = c.submit("command", "--on", "replica", "--replicas", "2", "look")
            for i in range(200):
                session.sql(f"INSERT INTO shop.item (name) VALUES ('while pausing {i}')")
            run = self.running(task)
            at = [c.applied(n) for n in ("db1", "db2")]
            self.assertEqual(at, [run["gtid"]] * 2)
            counts = [c.value(n, "SELECT COUNT(*) FROM shop.item") for n in ("db1", "db2")]
            self.assertEqual(counts[0], counts[1])
            self.open_gate()
            self.assertEqual(sorted(self.ends(task)["runs"][0]["nodes"]), ["db1", "db2"])
        c.expect_equal()

    # -- by hand

    def test_pause_by_hand(self):
        c = self.cluster
        answer = c.siding("replica", "pause", "db1", "--for", "60s", "--reason", "test")
        self.assertEqual(answer["gtid"], c.applied("db1"))
        self.assertIn("paused", c.siding("replica", "pause", "db1", "--for", "60s", "--reason", "again", status=1))
        task = c.submit("look")
        self.assertEqual(self.ends(task)["runs"][0]["nodes"], ["db2"])
        c.siding("replica", "resume", "db1")
        c.expect_replicating("db1")

    def test_all_is_equal_in_the_end(self):
        self.cluster.expect_equal()


class OnMysql(Common, ClusterTest):
    flavor = "mysql"


class OnMariadb(Common, ClusterTest):
    # -- results loaded into the primary

    def test_an_index_is_swapped_in_with_what_changed_meanwhile(self):
        c = self.cluster
        task = c.submit("words")
        c.sql("db0", "UPDATE shop.item SET name = 'marmalade' WHERE id = 7")
        run = self.ends(task)["runs"][0]
        self.assertTrue(run["upload_task"])
        found = c.sql("db0", "SELECT item FROM shop.word_index WHERE term = 'marmalade'")
        self.assertEqual(found, [("7",)])
        c.expect_equal()

    def test_a_result_is_appended_once(self):
        task = self.cluster.submit("copy")
        self.ends(task)
        self.expect_copied_once(task)

    # -- kill -9

    def test_the_coordinator_is_killed_while_the_job_runs(self):
        self.close_gate()
        task = self.cluster.submit("copy")
        self.running(task)
        self.restart_coordinator()
        self.open_gate()
        self.assertEqual(len(self.ends(task)["runs"]), 1)
        self.expect_copied_once(task)

    def test_the_coordinator_is_killed_and_the_replica_resumes_alone(self):
        c = self.cluster
        self.close_gate()
        task = c.submit("copy")
        node = self.running(task)["nodes"][0]
        c.kill("sidingd")
        self.open_gate()
        c.expect_replicating(node)
        c.start("coordinator")
        self.ends(task)
        self.expect_copied_once(task)

    def test_the_coordinator_is_killed_at_any_moment(self):
        for delay in (0, 0.1, 0.3, 0.5, 0.8, 1.2):
            task = self.cluster.submit("copy")
            time.sleep(delay)
            self.restart_coordinator()
            self.assertEqual(len(self.ends(task)["runs"]), 1)
            self.expect_copied_once(task)

    def test_the_agent_is_killed_while_the_job_runs(self):
        c = self.cluster
        self.close_gate()
        task = c.submit("copy")
        node = self.running(task)["nodes"][0]
        c.kill("agent" + node[2:])
        c.start(node)
        self.open_gate()
        self.ends(task)
        self.expect_copied_once(task)

    def test_the_primarys_agent_is_killed_while_it_uploads(self):
        c = self.cluster
        with c.table_held("db0", "shop.copy"):
            task = c.submit("copy")
            c.expect_run_state(task, "uploading", 30)
            wait_until(lambda: "`shop`.`copy`" in str(c.sql("db0", "SHOW FULL PROCESSLIST")), 30, "the loader waits for the table")
            c.kill("agent0")
        c.start("db0")
        self.ends(task)
        self.expect_copied_once(task)

    def test_a_killed_job_fails_and_its_replica_resumes(self):
        c = self.cluster
        self.close_gate()
        task = c.submit("copy")
        run = self.running(task)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if f"SIDING_RUN_ID={run['id']}\0".encode() in f.read():
                        os.kill(int(pid), signal.SIGKILL)
        t = self.ends(task, "error")
        self.assertIn("signal 9", t["error"])
        self.assertEqual(self.uploads_of(task), 0)
        c.expect_replicating(run["nodes"][0])

    # -- requests

    def test_sleep_wake_and_kill(self):
        c = self.cluster
        self.close_gate()
        task = c.submit("look")
        self.running(task)
        c.siding("task", "sleep", task)
        wait_until(lambda: c.task(task)["state"] == "sleeping", 60, "it sleeps")
        c.siding("task", "wake", task)
        wait_until(lambda: c.task(task)["state"] == "running", 30, "it runs again")
        c.siding("task", "kill", task)
        self.ends(task, "killed")

    def test_stop(self):
        self.close_gate()
        task = self.cluster.submit("look")
        self.running(task)
        self.cluster.siding("task", "stop", task)
        self.ends(task, "stopped")

    # -- what goes wrong

    def test_a_primary_that_hangs_blocks_nothing(self):
        c = self.cluster
        self.close_gate()
        task = c.submit("look")
        node = self.running(task)["nodes"][0]
        server = c.pid("server0")
        os.kill(server, signal.SIGSTOP)
        try:
            self.open_gate()
            wait_until(lambda: c.replication(node).get("sql") == "Yes", 30, "the replica resumes")
            self.api("/v1/status", timeout=2 * slack())
        finally:
            os.kill(server, signal.SIGCONT)
        self.ends(task)

    def test_what_cannot_be_is_refused_and_nothing_is_left(self):
        c = self.cluster
        before = c.value("db0", "SELECT COUNT(*) FROM siding.task")
        for words, text in ((("lok",), 'did you mean "look"'),
                            (("command", "--on", "replica", "--replicas", "5", "look"), "the cluster has 2"),
                            (("look", "--", "an argument"), "argument")):
            with self.subTest(words=words):
                try:
                    self.assertIn(text, c.siding("submit", *words, status=1))
                except Failed:
                    # An agent judges arguments, when the run comes to it.
                    task = c.value("db0", "SELECT MAX(id) FROM siding.task")
                    self.assertIn(text, self.ends(task, "error")["error"])
                    before = c.value("db0", "SELECT COUNT(*) FROM siding.task")
        self.assertEqual(c.value("db0", "SELECT COUNT(*) FROM siding.task"), before)

    def test_all_is_still_equal(self):
        self.cluster.expect_equal()


if __name__ == "__main__":
    main()
