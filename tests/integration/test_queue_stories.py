#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What other queues got wrong, each as a test on real servers: long jobs rescued by a clock, orphans, a job that ends its
host, clocks that jump, locks and killed connections of the queue's database, children that outlive their job, one error
that stops the night. After each test every task has ended, and no task has overlapped itself by a file that jobs write."""
import collections
import contextlib
import json
import os
import signal
import statistics
import sys
import threading
import time
import urllib.error
import urllib.request

from harness import ROOT, TASK_ENDS, ClusterTest, main, run_key
from machine import Failed, command_lines, parent, slack, wait_until

sys.path.append(os.path.join(ROOT, "tests", "bench"))
import bench_queue  # noqa: E402  pylint: disable=wrong-import-position

# It holds a lock while it lives, so that another of its task says so.
SLEEP = 'name = "%s"; kind = "command"; on = "%s"; program = "/bin/bash"; allow_args = [ "[0-9.]*" ];\n' \
        'args = [ "%s/sleeps" ];\n'
SCRIPT = """cd %s
exec 9>>"locks/${SIDING_RUN_ID%%%%.*}"
flock -n 9 || echo "overlaps $SIDING_RUN_ID" >>truth
echo "begin $SIDING_RUN_ID" >>truth
sleep "$1"
echo "end $SIDING_RUN_ID" >>truth
"""
# A daemon as old programs make it: forked twice, of a session of its own, deaf to TERM, with no descriptor of its parent's.
FORK = """import os, signal, sys, time
if os.fork():
    time.sleep(600)
os.setsid()
if os.fork():
    os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.closerange(0, 1024)
while True:
    with open(sys.argv[1], "a") as f:
        f.write("x")
    time.sleep(0.1)
"""
PLACES = {"here": "primary", "there": "replica"}


class Stories:
    replicas = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        cls.url = "http://127.0.0.1:%d" % (c.ports.base + 20)
        os.mkdir(os.path.join(c.folder, "locks"), 0o777)
        for name, text in (("truth", ""), ("fork.py", FORK), ("sleeps", SCRIPT % c.folder)):
            with open(os.path.join(c.folder, name), "w", encoding="ascii") as f:
                f.write(text)
        for name, place in PLACES.items():
            c.job(name, SLEEP % (name, place, c.folder))
        c.job("fork", 'name = "fork"; kind = "command"; on = "replica"; program = "/usr/bin/python3"; args = [ "%s/fork.py", "%s/grows" ];\n'
              % (c.folder, c.folder))
        c.job("fails", 'name = "fails"; kind = "command"; on = "primary"; program = "/bin/false";\n')
        wait_until(lambda: cls.knows("fails"), 15, "the agents know the jobs")

    @classmethod
    def knows(cls, job, node=None):
        nodes = cls.cluster.siding("cluster", "status")["nodes"]
        return all(job in [j["name"] for j in n["agent"]["jobs"]] for n in nodes if node in (None, n["name"]))

    def tearDown(self):
        """The invariant of all stories."""
        c = self.cluster
        wait_until(lambda: all(t["state"] in TASK_ENDS for t in c.siding("task", "list")), 60, "the end of all tasks")
        self.assertEqual([run for word, run in self.truth() if word == "overlaps"], [])
        c.expect_replicating("db1")

    def truth(self):
        with open(os.path.join(self.cluster.folder, "truth"), encoding="ascii") as f:
            return [tuple(line.split()) for line in f]

    def begun(self, task):
        return [run for word, run in self.truth() if word == "begin" and run.split(".")[0] == str(task)]

    def submit(self, job, *words):
        place = ("--on", PLACES.get(job, "replica" if job == "fork" else "primary"))
        return self.cluster.submit("command", *place, job, *words)

    def ends(self, task, state="done", within_s=60):
        return self.cluster.expect_state(task, state, within_s)

    def program_tree(self, task):
        """Pids of the run's supervisor and of all below it."""
        folder = "/runs/%s/" % run_key(self.cluster.last_run(task))
        lines = {pid: " ".join(words) for pid, words in command_lines().items()}
        tree = {pid for pid, line in lines.items() if self.cluster.folder in line and folder in line}
        while True:
            more = {pid for pid in lines if parent(pid) in tree} - tree
            if not more:
                return tree
            tree |= more

    def crash(self, agent, task):
        """As where the host kills what it pleases: the agent, the task's supervisor and its program, at one blow."""
        for pid in {self.cluster.pid(agent)} | self.program_tree(task):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.program_tree(task), 10, "end of the program")

    # -- the stories

    def test_a_frozen_agent_and_a_frozen_coordinator_start_nothing_twice(self):
        """QG1: the job is still there, whoever has not been heard of."""
        c = self.cluster
        task = self.submit("there", "--", "22")
        c.expect_run_state(task, "running", 30)
        for process in ("agent1", "sidingd"):
            pid = c.pid(process)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(14 if process == "agent1" else 3)  # longer than a poll may take
            os.kill(pid, signal.SIGCONT)
        self.ends(task)
        self.assertEqual(self.begun(task), ["%s.1" % task])

    def test_an_orphan_is_found_and_its_name_is_free(self):
        """QG2: the agent that comes back under the same name is another one, and knows."""
        c = self.cluster
        task = self.submit("here", "--unique", "orphan", "--", "600")
        wait_until(lambda: self.begun(task), 30, "its begin")
        self.crash("agent0", task)
        c.start("db0")
        found = self.ends(task, "error", 20)
        self.assertIn("was lost", found["error"])
        again = self.submit("here", "--unique", "orphan", "--", "0")
        self.ends(again)
        c.siding("task", "ack", task)

    def test_a_job_that_no_agent_knows_waits_and_says_so(self):
        c = self.cluster
        path = c.job("later", SLEEP % ("later", "primary", c.folder))
        wait_until(lambda: self.knows("later"), 15, "the job is known")
        os.rename(path, path + ".away")
        c.job("here", SLEEP % ("here", "primary", c.folder))
        wait_until(lambda: not self.knows("later", "db0"), 15, "the job is gone")
        task = c.value("db0", "CALL siding.submit('later', '[\"0\"]', NULL, @id); SELECT @id")
        wait_until(lambda: "later" in c.siding("task", "why", task)["why"], 10, lambda: "the reason: %s" % c.siding("task", "why", task))
        os.rename(path + ".away", path)
        c.job("here", SLEEP % ("here", "primary", c.folder))
        self.ends(task)

    def test_a_job_that_ends_its_host_is_held_and_others_go_on(self):
        """QG3"""
        c = self.cluster
        poison = self.submit("here", "--retry", "50", "--backoff", "1s..1s", "--name", "poison", "--", "600")
        innocents = [self.submit("here", "--name", "innocent%d" % i, "--retry", "5", "--", "8") for i in range(3)]
        for n in (1, 2, 3):
            wait_until(lambda k=n: len(self.begun(poison)) == k, 40, lambda: "attempt: %s" % c.describe(poison))
            self.crash("agent0", poison)
            c.start("db0")
        found = self.ends(poison, "error", 40)
        self.assertRegex(found["error"], "lost 3 times in a row")
        self.assertEqual(len(found["runs"]), 3)
        for task in innocents:
            self.assertEqual(len(self.ends(task)["runs"]), 1)
        c.siding("task", "ack", poison)

    def test_children_that_left_their_session_end_with_their_job(self):
        """QG10: also where the agent was killed before; and the replica goes on only then."""
        c, grows = self.cluster, os.path.join(self.cluster.folder, "grows")
        for killed_before in (False, True):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(grows)
            task = self.submit("fork")
            wait_until(lambda: os.path.exists(grows), 40, lambda: "the daemon: %s" % c.describe(task))
            if killed_before:
                c.kill("agent1")
                c.start("db1")
                c.expect_run_state(task, "running", 30)
            c.siding("task", "kill", task)
            sizes = []

            def stopped():
                sizes.append(os.path.getsize(grows))
                runs = c.replication("db1").get("sql") == "Yes"
                if runs and len(sizes) > 1:
                    self.assertEqual(os.path.getsize(grows), sizes[-1], "it goes on beside the applier")
                return runs
            wait_until(stopped, 20, "replication")
            time.sleep(0.5)
            self.assertEqual(os.path.getsize(grows), sizes[-1])
            self.ends(task, "killed")

    def post(self, body):
        request = urllib.request.Request(self.url + "/v1/tasks", method="POST", data=json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(json.load(answer)["id"])

    def events(self):
        with urllib.request.urlopen(self.url + "/v1/events", timeout=30) as answer:
            return answer.read().decode()

    def submitter(self, part, stop, stored):
        """Once each, by its key, however often it is tried."""
        number = 0
        while not stop.is_set():
            body = {"job": "here", "name": "n%d-%d" % (part, number), "key": "k%d-%d" % (part, number), "args": ["0"]}
            with contextlib.suppress(urllib.error.URLError, OSError):
                stored.append(self.post(body))
                number += 1
            stop.wait(0.25)
        while number < 1:
            with contextlib.suppress(urllib.error.URLError, OSError):
                stored.append(self.post(body))
                number += 1

    def lock_and_kill(self):
        """Who loses a deadlock here has had its effect."""
        c = self.cluster
        with c.session("db0") as one, c.session("db0") as other, contextlib.suppress(Failed):
            one.sql("SET innodb_lock_wait_timeout = 1; START TRANSACTION; SELECT COUNT(*) FROM (SELECT id FROM siding.task ORDER BY id LIMIT 1000 FOR UPDATE) x")
            with contextlib.suppress(Failed):
                other.sql("START TRANSACTION; SELECT id FROM siding.task ORDER BY id DESC LIMIT 1 FOR UPDATE SKIP LOCKED")
            time.sleep(0.3)
        for (connection,) in c.sql("db0", "SELECT id FROM information_schema.processlist WHERE user = 'siding'"):
            with contextlib.suppress(Failed):
                c.sql("db0", "KILL " + connection)

    def test_locks_and_killed_connections_end_nothing(self):
        """QG6: sessions that lock the queue's rows both ways, its table, and whoever kills its connections."""
        c, stop, stored = self.cluster, threading.Event(), []
        pid = c.pid("sidingd")
        threads = [threading.Thread(target=self.submitter, args=(k, stop, stored)) for k in range(4)]
        for t in threads:
            t.start()
        try:
            deadline = time.monotonic() + 8
            while time.monotonic() < deadline:
                self.lock_and_kill()
            with c.table_held("db0", "siding.task"):
                with urllib.request.urlopen(self.url + "/v1/tasks", timeout=30) as answer:  # of what is in memory, and it says so
                    self.assertIn("half a second", answer.headers["X-Siding-Partial"])
                time.sleep(4)
            time.sleep(1)
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(c.pid("sidingd"), pid)
        self.assertGreater(len(stored), 8)
        self.assertEqual(len(stored), len(set(stored)))
        for task in stored:
            self.ends(task)
            self.assertEqual(self.begun(task), ["%s.1" % task])

    def test_one_error_holds_its_lane_alone(self):
        """QG11: and who looks in the morning is told so."""
        c = self.cluster
        bad = self.submit("fails", "--name", "lane3", "--on-error", "block")
        behind = self.submit("fails", "--name", "lane3")
        others = [self.submit("here", "--name", "lane%d" % i, "--", "0") for i in range(4, 24)]
        self.ends(bad, "error")
        for task in others:
            self.ends(task)
        self.assertEqual(c.task(behind)["state"], "waiting")
        self.assertIn(bad, json.dumps(c.siding("task", "why", behind)))
        told = c.siding("status", status=1)
        self.assertIsNotNone(told)
        c.siding("task", "ack", bad)
        self.ends(behind, "error")
        c.siding("task", "ack", behind)

    # -- clocks

    @contextlib.contextmanager
    def shifted(self, node, seconds):
        """The node's process lives with another wall clock until the block ends; file: what the clock is then set by."""
        path = os.path.join(self.cluster.folder, "clock")
        with open(path, "w", encoding="ascii") as f:
            f.write("%+d\n" % seconds)
        lib = next(os.path.join(d, "libfaketimeMT.so.1") for d in ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime")
                   if os.path.isdir(d))
        fake = {"LD_PRELOAD": lib, "FAKETIME_TIMESTAMP_FILE": path, "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}
        self.cluster.kill("agent1" if node == "db1" else "sidingd")
        os.environ.update(fake)
        try:
            self.cluster.start(node)
        finally:
            for key in fake:
                del os.environ[key]
        try:
            yield path
        finally:
            self.cluster.kill("agent1" if node == "db1" else "sidingd")
            self.cluster.start(node)

    def in_three_seconds(self):
        asked = time.monotonic()
        task = self.submit("here", "-t", "+3s", "--", "0")
        wait_until(lambda: self.begun(task), 20, lambda: "its begin: %s" % self.cluster.siding("task", "why", task))
        self.ends(task)
        self.assertGreater(time.monotonic() - asked, 2)
        self.assertEqual(self.begun(task), ["%s.1" % task])

    def test_clocks_that_are_wrong_start_nothing_early_or_twice(self):
        """QG5: an agent an hour ahead is told; the coordinator's clock is set forwards and back."""
        c = self.cluster
        with self.shifted("db1", 3600):
            self.ends(self.submit("there", "--", "0"))
            wait_until(lambda: "the clock of db1 is " in self.events(), 20, lambda: "the clock is told: %s" % self.events()[-2000:])
        with self.shifted("coordinator", 3600) as clock:
            self.in_three_seconds()
            running = self.submit("here", "--", "4")
            wait_until(lambda: self.begun(running), 20, "its begin")
            with open(clock, "w", encoding="ascii") as f:
                f.write("-3600\n")
            self.in_three_seconds()
            self.ends(running)
            self.assertEqual(self.begun(running), ["%s.1" % running])


class FullQueue:
    """A queue with much in it, in small what scripts/bench queue measures in full."""
    replicas = 1
    WAITING, ENDED, CLAIMS, READ_MOST = 3000, 20000, 12, 200

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.job("stamp", bench_queue.JOB % c.folder)
        wait_until(lambda: all("stamp" in [j["name"] for j in n["agent"]["jobs"]] for n in c.siding("cluster", "status")["nodes"]), 15,
                   "the agents know the job")
        cls.queue = bench_queue.Queue(c)

    def rows_read(self):
        """By all sessions. MySQL's handler counts what statements read of its own dictionary too, by the thousand."""
        name = "Innodb_rows_read" if self.flavor == "mysql" else "Handler_read_next"
        return int(self.cluster.sql("db0", "SHOW GLOBAL STATUS LIKE '%s'" % name)[0][1])

    def restart(self):
        c = self.cluster
        c.kill("sidingd")
        c.start("coordinator")
        wait_until(lambda: c.siding("status", status=0)["database"]["ok"], 30, "the queue is read")

    def test_1_a_claim_does_not_walk_through_what_has_ended_or_cannot_start(self):
        """QG8: rows read for a claim do not depend on how many there are."""
        c = self.cluster
        self.queue.fill(self.WAITING, self.ENDED)
        self.restart()  # so that those which it has not been told of are in its memory
        self.assertEqual(c.siding("status")["counts"]["waiting"], self.WAITING)
        begun, first = time.monotonic(), self.rows_read()
        time.sleep(2)
        idle = (self.rows_read() - first) / (time.monotonic() - begun)
        begun, first = time.monotonic(), self.rows_read()
        self.queue.by_api(self.CLAIMS)
        each = (self.rows_read() - first - idle * (time.monotonic() - begun)) / self.CLAIMS
        # all that wait are looked through now and then, which falls into one of the two spans or the other
        self.assertLess(each, self.WAITING / 2, "rows read for each claim; idle %.0f a second" % idle)

    def test_2_a_long_transaction_does_not_slow_the_queue(self):
        """QG7: versions of rows that its snapshot keeps are not walked through."""
        c = self.cluster
        with c.session("db0") as other:
            other.sql("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            other.sql("SELECT COUNT(*) FROM siding.task")
            begin = self.queue.by_api(self.CLAIMS)
            sql = "".join("CALL siding.submit('stamp', NULL, '{\"name\": \"churn%d\", \"priority\": -11}', @id);" % i for i in range(500))
            for _ in range(4):
                c.sql("db0", "START TRANSACTION;" + sql + "COMMIT", within_s=120)
            wait_until(lambda: c.value("db0", "SELECT COUNT(*) FROM siding.inbox") == "0", 60, "all is taken")
            begun, first = time.monotonic(), self.rows_read()
            end = self.queue.by_api(self.CLAIMS)
            each = (self.rows_read() - first) / self.CLAIMS
            tenth = sorted(end)[-2]
            self.assertLess(tenth, 5 * max(statistics.median(begin), 20) * slack(), (begin, end))
            self.assertLess(each, 10 * self.READ_MOST * max(1, time.monotonic() - begun), "rows read for each claim")


class FullOnMariadb(FullQueue, ClusterTest):
    pass


class FullOnMysql(FullQueue, ClusterTest):
    flavor = "mysql"


class MariaDB(Stories, ClusterTest):
    pass


class MySQL(Stories, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
