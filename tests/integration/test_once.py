#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each row of a result is in the primary once, whatever is killed during the upload: the loader, the agent, the
coordinator, the primary. SIDING_UPLOAD_KILLS=N kills so many times instead of a few; SIDING_UPLOAD_SEED=S begins with
that seed."""
import contextlib
import os
import random
import signal
import time

from harness import ClusterTest, main
from machine import Failed, command_lines, wait_until

ROWS = 4000
JOB = """
name = "rows"; kind = "command"; on = "replica"; upload = "append"; target = "shop.word"; program = "/bin/bash";
args = [ "-c", "seq 1 %d | sed \\"s/^/${SIDING_RUN_ID%%.*}\\\\t/\\" >$SIDING_RESULT_DIR/shop.word.00000.tsv" ];
upload_args = [ "--rows-per-transaction", "5" ];
""" % ROWS


class Uploads:
    replicas, few = 1, 5

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.sql("db0", "CREATE DATABASE shop; CREATE TABLE shop.word (task INT NOT NULL, n INT NOT NULL, KEY (task, n))")
        c.job("rows", JOB)
        wait_until(lambda: "rows" in str(c.siding("cluster", "status")["nodes"][1]["agent"].get("jobs")), 20, "the job is known")

    def test_one_that_was_given_up_goes_on_where_it_stopped(self):
        c = self.cluster
        # Without it a quick machine would be done before the loader has been killed too often.
        c.sql("db0", "CREATE TRIGGER shop.slow BEFORE INSERT ON shop.word FOR EACH ROW SET NEW.n = IF(SLEEP(0.01), NEW.n, NEW.n)")
        task = self.begin()
        loaded = lambda: int(self.cluster.value("db0", "SELECT COUNT(*) FROM shop.word WHERE task = %s" % task))
        wait_until(lambda: loaded() > 0, 30, "first rows")
        while self.cluster.task(task)["state"] != "error":
            self.kill_loader()
            time.sleep(0.1)
        self.assertLess(loaded(), ROWS)
        c.sql("db0", "DROP TRIGGER shop.slow")
        self.kill("sidingd")  # what the next one knows of ended tasks comes with the results
        self.finish(task)
        self.expect_once(task)

    def test_killed_at_random_they_load_each_row_once(self):
        seed = int(os.environ.get("SIDING_UPLOAD_SEED", random.randrange(1 << 30)))
        wanted, kills, rounds = int(os.environ.get("SIDING_UPLOAD_KILLS", self.few)), {}, 0
        while sum(kills.values()) < wanted:
            self.upload(random.Random(seed + rounds), wanted, kills)
            rounds += 1
        print("# seed %d, %d uploads, kills: %s" % (seed, rounds, kills), flush=True)
        self.cluster.expect_equal()

    def upload(self, dice, wanted, kills):
        c, task = self.cluster, self.begin()
        for _ in range(12):
            time.sleep(dice.uniform(0, 0.6))
            if sum(kills.values()) >= wanted or c.task(task)["state"] == "done":
                break
            what = dice.choice(("loader", "loader", "agent0", "sidingd", "server0"))
            if self.kill(what):
                kills[what] = kills.get(what, 0) + 1
        self.finish(task)
        self.expect_once(task)

    def begin(self):
        """An upload whose loader has only begun."""
        with self.cluster.table_held("db0", "shop.word"):
            task = self.cluster.submit("command", "--on", "replica", "rows")
            self.cluster.expect_run_state(task, "uploading", 60)
        return task

    def expect_once(self, task):
        rows = self.cluster.sql("db0", "SELECT COUNT(*), COUNT(DISTINCT n), MAX(n) FROM shop.word WHERE task = %s" % task)
        self.assertEqual(rows, [(str(ROWS), str(ROWS), str(ROWS))], "task %s" % task)
        uploads = [t for t in self.cluster.siding("task", "list") if t.get("parent_task") == int(task)]
        self.assertEqual([t["state"] for t in uploads], ["done"])

    def finish(self, task):
        """A loader that was killed too often is given up: a person says to go on."""
        state = lambda: self.cluster.task(task)["state"]
        while wait_until(lambda: state() if state() in ("done", "error") else None, 240, lambda: self.cluster.describe(task)) == "error":
            self.cluster.siding("task", "retry", task)
            wait_until(lambda: state() != "error", 20, "it is tried again")

    def kill(self, what):
        """True if there was something to kill; what is started by nobody else is started again."""
        c = self.cluster
        if what == "loader":
            return self.kill_loader()
        try:
            c.kill(what)
        except Failed:
            return False
        c.up()
        return True

    def kill_loader(self):
        for pid, words in command_lines().items():
            if words and os.path.basename(words[0]) == "siding-load" and any(w.startswith(self.cluster.folder) for w in words):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    return True
        return False


class Once(Uploads, ClusterTest):
    """On MySQL, kills in each phase of an append are in test_pipeline; SIDING_UPLOAD_FLAVOR=mysql does these there too."""
    flavor = os.environ.get("SIDING_UPLOAD_FLAVOR", "mariadb")


if __name__ == "__main__":
    main()
