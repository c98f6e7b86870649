#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A run's number may be given twice: by a queue that was restored, has lost its newest transactions, or was made anew
while agents keep results. Each task runs once and gets its own result; an old one is neither answered nor overwritten."""
import glob
import gzip
import os

from harness import ClusterTest, main, run_key
from machine import wait_until

JOB = """
name = "%s"; kind = "command"; on = "replica"; program = "/bin/bash"; allow_args = [ "[a-z0-9]*" ];
args = [ "-c", "echo $SIDING_RUN_ID $0 >>%s/truth; echo $0 >$SIDING_RESULT_DIR/said; %s" ];
"""


class Identity:
    replicas = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.job("say", JOB % ("say", c.folder, "true"))
        c.job("wait", JOB % ("wait", c.folder, "sleep 600"))
        wait_until(cls.jobs_known, 30, "the jobs are known")

    @classmethod
    def jobs_known(cls):
        return "wait" in str(cls.cluster.siding("cluster", "status")["nodes"][1]["agent"].get("jobs"))

    # ---- tools

    def say(self, word):
        task = self.cluster.submit("command", "--on", "replica", "say", "--", word)
        self.cluster.expect_state(task, "done", 60)
        return task

    def truth(self):
        with open(os.path.join(self.cluster.folder, "truth"), encoding="utf-8") as f:
            return [line.split() for line in f]

    def folder(self, task):
        return os.path.join(self.cluster.folder, "db1", "spool", run_key(self.cluster.last_run(task)))

    @staticmethod
    def said(folder):
        (name,) = glob.glob(os.path.join(folder, "said*"))
        with gzip.open(name, "rt") as f:
            return f.read().strip()

    def tables(self):
        return [row[0] for row in self.cluster.sql("db0", "SELECT table_name FROM information_schema.tables WHERE "
                                                   "table_schema = 'siding' AND table_type = 'BASE TABLE'")]

    def save(self):
        """A copy of the queue as it is now."""
        self.cluster.sql("db0", "DROP DATABASE IF EXISTS saved; CREATE DATABASE saved; " + "; ".join(
            "CREATE TABLE saved.%s LIKE siding.%s; INSERT INTO saved.%s SELECT * FROM siding.%s" % (t, t, t, t) for t in self.tables()))
        return int(self.cluster.value("db0", "SELECT COALESCE(MAX(id), 0) FROM siding.task"))

    def restore(self, newest):
        """The queue as it was then, ids of tasks included: in one transaction, as a new primary shows it."""
        self.cluster.sql("db0", "START TRANSACTION; " + "; ".join(
            "DELETE FROM siding.%s; INSERT INTO siding.%s SELECT * FROM saved.%s" % (t, t, t) for t in self.tables()) + "; COMMIT")
        self.cluster.sql("db0", "ALTER TABLE siding.task AUTO_INCREMENT = %d" % (newest + 1))

    def told(self, words):
        with open(os.path.join(self.cluster.folder, "coordinator", "sidingd.log"), encoding="utf-8") as f:
            return words in f.read()

    def expect_own_result(self, task, word, old_folder, old_word):
        """The task ran itself; what an earlier one of its number left is what it was."""
        self.assertIn(["%s.1" % task, word], self.truth())
        self.assertNotEqual(self.folder(task), old_folder)
        self.assertEqual(self.said(self.folder(task)), word)
        self.assertEqual(self.said(old_folder), old_word)
        self.assertIn(self.folder(task), str(self.cluster.siding("result", "path", task)))

    # ---- tests

    def test_1_history_goes_back_under_a_coordinator_that_lives(self):
        c = self.cluster
        self.say("before")
        newest = self.save()
        first = self.say("old1")
        folder = self.folder(first)
        lost = c.submit("command", "--on", "replica", "wait", "--", "lost")
        c.expect_run_state(lost, "running", 60)
        self.restore(newest)
        wait_until(lambda: self.told("at an earlier time than before"), 30, "it is told")
        wait_until(lambda: not self.agent_runs(), 60, lambda: "the lost run is ended: %s" % self.agent_runs())
        again = self.say("new1")
        self.assertEqual(again, first, "the id comes again")
        self.expect_own_result(again, "new1", folder, "old1")
        c.expect_replicating("db1")

    def agent_runs(self):
        return [r for r in self.cluster.siding("cluster", "status")["nodes"][1]["agent"]["runs"] if not r["outcome"]]

    def goes_back_unseen(self, old, new, meanwhile=lambda: None):
        c = self.cluster
        newest = self.save()
        first = self.say(old)
        folder = self.folder(first)
        c.kill("sidingd")
        self.restore(newest)
        meanwhile()
        c.up()
        again = self.say(new)
        self.assertEqual(again, first)
        self.expect_own_result(again, new, folder, old)

    def test_2_history_goes_back_while_no_coordinator_is_there(self):
        self.goes_back_unseen("old2", "new2")

    def test_3_and_its_folder_is_lost_too(self):
        self.goes_back_unseen("old3", "new3", lambda: os.unlink(os.path.join(self.state_dir(), "cluster.json")))

    def state_dir(self):
        with open(self.cluster.env["SIDING_CONFIG"], encoding="utf-8") as f:
            (line,) = [line for line in f if line.strip().startswith("state_dir")]
        return line.split('"')[1]

    def test_4_a_new_queue_over_agents_that_keep_results(self):
        c = self.cluster
        first = self.say("old4")
        folder = self.folder(first)
        c.kill("sidingd")
        c.sql("db0", "DROP DATABASE siding")
        c.siding("bootstrap")
        c.up()
        again = None
        while again != first:
            again = self.say("new4")
            self.assertLessEqual(int(again), int(first))
        self.expect_own_result(again, "new4", folder, "old4")


class MariaDB(Identity, ClusterTest):
    flavor = "mariadb"


class MySQL(Identity, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
