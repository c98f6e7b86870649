#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The queue's rules with real agents, jobs and servers: modes, failures, lanes, cordons."""
import os
import re
import signal
import time

from harness import BUILD, ClusterTest, main
from machine import call, wait_until

JOBS = {
    "works": 'on = "primary"; program = "/bin/true"',
    "fails": 'on = "primary"; program = "/bin/bash"; args = [ "-c", "test -e GATE.mended" ]',
    "tells": 'on = "primary"; program = "/bin/bash"; args = [ "-c", "echo $SIDING_VERBOSE $SIDING_PROFILE" ]',
    "waits": 'on = "primary"; program = "/bin/bash"; args = [ "-c", "until [ -e GATE ]; do sleep 0.05; done" ]',
    "looks": 'on = "replica"; program = "/bin/bash"; args = [ "-c", "until [ -e GATE ]; do sleep 0.05; done" ]',
}


class Rules:
    replicas = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        cls.gate = os.path.join(c.folder, "gate")
        for name, text in JOBS.items():
            c.job(name, 'name = "%s"; kind = "command"; upload = "none"; %s;\n' % (name, text.replace("GATE", cls.gate)))
        wait_until(lambda: "waits" in str(c.siding("cluster", "status")["nodes"][1]["agent"].get("jobs")), 20, "the jobs are known")

    def setUp(self):
        self.gates(False)

    def tearDown(self):
        self.gates(True)

    def gates(self, is_open):
        for path in (self.gate, self.gate + ".mended"):
            if is_open:
                open(path, "w", encoding="ascii").close()
            elif os.path.exists(path):
                os.unlink(path)

    def why(self, task):
        return self.cluster.siding("task", "why", task)["why"]

    def expect_why(self, task, words, within_s=20):
        wait_until(lambda: re.search(words, self.why(task)), within_s, lambda: "%s: %s, not %s" % (task, self.why(task), words))

    def restart_coordinator(self):
        self.cluster.kill("sidingd")
        self.cluster.start("coordinator")

    def configure(self, line):
        """One line of sidingd.conf for another."""
        path = os.path.join(self.cluster.folder, "coordinator/sidingd.conf")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        key = line.split(" ")[0]
        changed = re.sub(r"(?m)^\s*%s = .*$" % key, line, text)
        with open(path, "w", encoding="utf-8") as f:
            f.write(changed if line in changed else text + line + "\n")
        os.kill(self.cluster.pid("sidingd"), signal.SIGHUP)

    def test_1_manual_mode_starts_only_what_a_person_names(self):
        c = self.cluster
        self.assertEqual(c.siding("status")["queue"]["mode"], "automatic")
        c.siding("queue", "manual", "--reason", "new disks")
        one, two, low = c.submit("works"), c.submit("works"), c.submit("works", "-P", "-50", "-N", "low")
        self.expect_why(one, "manual mode since .* by .* \\(new disks\\); siding task run %s" % one)
        self.expect_why(low, "its priority -50 is below -10: .*siding task run %s" % low)
        c.siding("status", status=1)
        c.siding("task", "run", two)
        c.expect_state(two, "done")
        self.restart_coordinator()
        self.expect_why(one, "manual mode since .* by .* \\(new disks\\)")
        c.siding("task", "run", low)
        c.expect_state(low, "done")
        self.assertIn("done: only one that waits", c.siding("task", "run", two, status=1))
        c.siding("queue", "auto")
        c.expect_state(one, "done")
        c.siding("queue", "manual", "--for", "1s")
        wait_until(lambda: c.siding("queue", "show")["mode"] == "automatic", 20, "manual mode ends by itself")

    def test_2_a_failure_holds_its_lane(self):
        c = self.cluster
        self.configure('queue = { on_error = "lane"; };')
        bad = c.submit("fails", "-N", "nightly")
        c.expect_state(bad, "error")
        after, other = c.submit("works", "-N", "nightly"), c.submit("works")
        c.expect_state(other, "done")
        self.expect_why(after, 'task %s of the same name "nightly" failed at 20.* retry, acknowledge or delete it' % bad)
        self.restart_coordinator()
        self.expect_why(after, "task %s of the same name" % bad)
        c.siding("status", status=1)
        queue = c.siding("queue", "show")
        self.assertEqual((queue["errors"], queue["failures"][0]["task"], queue["failures"][0]["waiting"]), (1, int(bad), 1))
        c.siding("task", "ack", bad)
        c.expect_state(after, "done")
        self.assertEqual(c.siding("status")["queue"]["errors"], 0)
        free = c.submit("fails", "-N", "nightly", "--on-error", "continue")
        c.expect_state(free, "error")
        c.expect_state(c.submit("works", "-N", "nightly"), "done")
        c.siding("task", "delete", free)

    def test_3_a_failure_stops_the_queue_where_it_is_told_to(self):
        c = self.cluster
        bad = c.submit("fails", "--on-error", "queue")
        c.expect_state(bad, "error")
        self.restart_coordinator()
        waits = c.submit("works")
        self.expect_why(waits, "manual mode since .* by siding \\(task %s failed\\)" % bad)
        self.assertRegex(c.siding("queue", "auto", status=1), "1 failed task has not been seen to, the first is task %s since 20" % bad)
        c.siding("queue", "manual", "--for", "1s")
        wait_until(lambda: "its time is over, and 1 failures have not been seen to" in
                   call(os.path.join(BUILD, "siding"), "events", "--json", "--limit", "50", env=c.env)[1], 20, "it stays")
        self.gates(True)
        c.siding("task", "retry", bad)
        c.expect_state(bad, "done")  # manual mode's time was over: seen to, it has ended by itself
        c.expect_state(waits, "done")

    def test_4_a_lane_is_held_and_a_node_cordoned(self):
        c = self.cluster
        c.siding("queue", "hold", "works", "--reason", "numbers look wrong")
        held = c.submit("works")
        self.expect_why(held, 'lane "works" is held since .*numbers look wrong.*siding queue release "works"')
        runs = c.submit("looks")
        c.expect_run_state(runs, "running")
        c.siding("replica", "cordon", "db1", "--reason", "kernel")
        c.siding("replica", "drain", "db1", "--timeout", "1s", status=1)
        waits = c.submit("looks", "-N", "other")
        self.restart_coordinator()
        self.expect_why(waits, "db1 is cordoned since .*kernel")
        self.gates(True)
        c.siding("replica", "drain", "db1")
        c.expect_state(runs, "done")
        self.assertEqual(c.task(waits)["state"], "waiting")
        c.siding("replica", "uncordon", "db1")
        c.siding("queue", "release", "works")
        c.expect_state(waits, "done")
        c.expect_state(held, "done")
        self.assertIn("not held", c.siding("queue", "release", "works", status=1))


    def test_5_a_lower_priority_sleeps_for_a_higher_and_is_woken(self):
        c = self.cluster
        low = c.submit("waits", "-N", "low")
        c.expect_run_state(low, "running")
        high = c.submit("works", "-P", "5")
        c.expect_state(high, "done")
        self.gates(True)
        c.expect_state(low, "done")  # woken
        self.gates(False)
        low = c.submit("waits", "-N", "low")
        c.expect_run_state(low, "running")
        high = c.submit("waits", "-N", "high", "-P", "5")
        c.expect_run_state(low, "sleeping")
        self.restart_coordinator()
        self.expect_why(low, "it sleeps for tasks of a higher priority and is woken")
        self.expect_why(c.submit("works", "-N", "low"), "task %s of the same name" % low)
        self.gates(True)
        c.expect_state(high, "done")
        c.expect_state(low, "done")

    def test_6_a_job_that_may_be_preempted_is_requeued(self):
        c = self.cluster
        low = c.submit("looks", "-N", "low", "--preempt", "requeue")
        c.expect_run_state(low, "running")
        high = c.submit("looks", "-N", "high", "-P", "5")
        c.expect_run_state(high, "running")
        task = c.task(low)
        self.assertEqual((task["state"], task["attempts"], [r["state"] for r in task["runs"]]), ("waiting", 0, ["stopped"]))
        urgent = c.submit("works", "-N", "high", "-P", "101")
        c.expect_state(urgent, "done")  # of the same name: that is stopped, and waits again
        self.gates(True)
        c.expect_state(high, "done")
        c.expect_state(low, "done")


    def test_7_groups_keep_out_of_each_others_way(self):
        c = self.cluster
        self.configure('queue = { on_error = "task"; alone = [ "house" ]; groups = ( { names = [ "load", "index" ]; } ); };')
        self.restart_coordinator()
        one = c.submit("looks", "-N", "load:a")
        c.expect_run_state(one, "running")
        two, house = c.submit("works", "-N", "index"), c.submit("works", "-N", "house")
        self.expect_why(two, 'task %s \\("load:a"\\) of the same group is under way' % one)
        self.expect_why(house, 'it runs alone, and task %s \\("load:a"\\) is under way' % one)
        self.gates(True)
        for task in (one, two, house):
            c.expect_state(task, "done")

    def test_8_a_window_ends_over_a_task(self):
        c = self.cluster
        end = time.localtime(time.time() + 60 + 60 - time.localtime().tm_sec)  # the next minute but one
        begin = time.localtime(time.time() - 3600)
        window = "%s-%s" % (time.strftime("%H:%M", begin), time.strftime("%H:%M", end))
        sleeps = c.submit("waits", "-L", window, "--at-window-end", "sleep")
        c.expect_run_state(sleeps, "running")
        self.assertIn("keeps its replica frozen", c.siding("submit", "looks", "-L", window, "--at-window-end", "sleep", status=2))
        c.expect_run_state(sleeps, "sleeping", 150)
        self.expect_why(sleeps, "its window .* opens in 2[0-9] h")
        c.siding("task", "kill", sleeps)
        c.expect_state(sleeps, "killed")

    def test_9_keys_rates_zones_and_node_lists(self):
        c = self.cluster
        self.configure('queue = { on_error = "task"; keys = ( { names = [ "api" ]; at_once = 0; starts = 2; per = "25s"; } ); };')
        path = os.path.join(c.folder, "coordinator/sidingd.conf")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(re.sub(r'(name = "db1";)', r'\1 jobs = [ "dump", "work*" ];', text))
        self.restart_coordinator()
        try:
            calls = [c.submit("works", "-N", "call%d" % i, "--concurrency-key", "api") for i in range(3)]
            for task in calls[:2]:
                c.expect_state(task, "done")
            self.expect_why(calls[2], 'its concurrency key "api" has had its starts .queue.keys., the next may be in')
            self.restart_coordinator()
            self.expect_why(calls[2], "has had its starts")
            listed = c.submit("looks")
            self.expect_why(listed, 'db1 does not take job "looks" .agents.jobs.')
            c.siding("task", "delete", listed)
            holder, other = [c.submit("waits", "-N", name, "--concurrency-key", "mail") for name in ("one", "two")]
            self.expect_why(other, 'task %s of the same concurrency key "mail" is under way' % holder)
            here = [time.strftime("%H:%M", time.gmtime(time.time() + s + 14 * 3600)) for s in (-300, 3600)]  # in Kiritimati
            inside = c.submit("works", "-L", "-".join(here), "--zone", "Pacific/Kiritimati")
            outside = c.submit("works", "-N", "utc", "-L", "-".join(here), "--zone", "UTC")
            self.expect_why(outside, "its window .* opens in")
            self.gates(True)
            c.expect_state(inside, "done")
            c.expect_state(other, "done")
            c.expect_state(calls[2], "done", 60)
            self.assertEqual(c.task(outside)["state"], "waiting")
            c.siding("task", "delete", outside)
        finally:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            self.restart_coordinator()

    def test_10_the_guides_words(self):
        c = self.cluster
        quiet = c.submit("fails", "-N", "quiet", "--continue-on-error")
        c.expect_state(quiet, "error")
        self.assertEqual(c.siding("queue", "show")["mode"], "automatic")
        loud = c.submit("fails", "-N", "loud", "--stop-on-error")
        c.expect_state(loud, "error")
        wait_until(lambda: c.siding("queue", "show")["mode"] == "manual", 20, "the queue stops")
        self.gates(True)
        c.siding("task", "reinit", loud, quiet)
        c.siding("task", "run", loud, quiet)
        for task in (loud, quiet):
            c.expect_state(task, "done")
        c.siding("queue", "auto")
        tells, other = c.submit("tells", "-v", "9", "--profile", "calls,time"), c.submit("tells", "-N", "other")
        for task, said in ((tells, "9 calls,time\n"), (other, "1\n")):
            c.expect_state(task, "done")
            self.assertEqual(self.log(task), said)
        self.assertEqual(c.siding("queue", "purge", "-s", "DONE", "-S", "1h", "-t", "tells"), {"purged": 0})
        wait_until(lambda: c.siding("queue", "purge", "-s", "DONE", "-S", "-1s", "-t", "tells")["purged"] == 1, 20, "it is a second old")
        self.assertIn("no task %s" % tells, c.siding("task", "show", tells, status=1))
        self.assertEqual(c.task(other)["state"], "done")

    HELLO = "#!/bin/sh\n# tasklet: bst_hello\n# text: Says what it is given.\n# param: to text\n# param: n int = 2\n\necho \"$@\"\n"

    def tasklets(self):
        """A tasklet and one that is none, known to the coordinator."""
        c = self.cluster
        c.tasklet("bst_hello.sh", self.HELLO)
        c.tasklet("bst_bad.py", "#!/bin/sh\n# tasklet: bst_bad\n# param: n float\n")
        wait_until(lambda: len(c.siding("tasklet", "list")["broken"]) == 2 and c.siding("tasklet", "list")["tasklets"], 20,
                   "the tasklets are told")

    def log(self, task):
        return self.cluster.siding("task", "log", task)["text"]

    def test_11_tasklets_are_checked_before_they_are_queued(self):
        c = self.cluster
        self.tasklets()
        told = c.siding("submit", "tasklet", "-l")
        self.assertEqual([(t["name"], t["on"], t["nodes"]) for t in told["tasklets"]], [("bst_hello", "primary", ["db0", "db1"])])
        self.assertEqual({(b["name"], b["node"]) for b in told["broken"]}, {("bst_bad.py", "db0"), ("bst_bad.py", "db1")})
        self.assertIn('line 3: the type of n is "float"', told["broken"][0]["error"])
        self.assertIn("tasklet left out", call(os.path.join(BUILD, "siding"), "check", env=c.env)[1])
        before = len(c.siding("task", "list"))
        for words, status, why in (((), 2, "needs -T NAME"),
                                   (("-T", "bst_hello"), 2, r"tasklet bst_hello: it needs to=… \(text\)"),
                                   (("-T", "bst_hello", "-a", "to=x", "-a", "n=many"), 2, "n is \"many\"; it must be a whole number"),
                                   (("-T", "bst_hello", "-a", "ot=x"), 2, 'no parameter "ot"; it takes to, n'),
                                   (("-T", "bst_helo", "-a", "to=x"), 1, 'did you mean "bst_hello"'),
                                   (("-T", "bst_bad"), 1, "bst_bad.py of db0 is broken: line 3"),
                                   (("-T", "works"), 1, 'the job "works" is no tasklet')):
            self.assertRegex(c.siding("submit", "tasklet", *words, status=status), why)
        self.assertIn("it must be a whole number", c.siding("submit", "bst_hello", "--", "to=x", "n=", status=2))
        self.assertEqual(len(c.siding("task", "list")), before, "nothing of it is queued")
        task = c.submit("tasklet", "-T", "bst_hello", "-a", "to=$(id); x")
        c.expect_state(task, "done")
        self.assertEqual(self.log(task), "to=$(id); x n=2\n")

    def follow_ups(self, task):
        return [t for t in self.cluster.siding("task", "list") if t["parent_task"] == int(task)]

    def test_12_a_tasklet_follows_a_task_that_went_well(self):
        c = self.cluster
        self.tasklets()
        call_ = "bst_hello[to='a, b', n=3]"
        self.assertIn("it needs to=", c.siding("submit", "works", "--post-process", "bst_hello", status=2))
        self.assertIn("is no tasklet", c.siding("submit", "works", "--post-process", "looks", status=1))
        bad = c.submit("fails", "-N", "bad", "--continue-on-error", "--post-process", call_)
        held = c.submit("waits", "-N", "held", "--post-process", call_)
        c.expect_run_state(held, "running")
        self.cluster.kill("sidingd")
        self.gates(True)
        c.start("coordinator")
        c.expect_state(held, "done")
        wait_until(lambda: self.follow_ups(held), 20, "its post-process")
        after = self.follow_ups(held)[0]
        follows = str(after["id"])
        self.assertEqual((after["job"], after["kind"], after["user"]), ("bst_hello", "command", c.task(held)["user"]))
        c.expect_state(follows, "done")
        self.assertEqual(self.log(follows), "to=a, b n=3\n")
        self.assertEqual(len(self.follow_ups(held)), 1)
        self.assertEqual((c.expect_state(bad, "error")["state"], self.follow_ups(bad)), ("error", []))
        c.siding("task", "delete", bad)

    def test_13_logs_go_out_by_mail_and_over_recurrences(self):
        c = self.cluster
        self.tasklets()
        program, mails = (os.path.join(c.folder, name) for name in ("mail.sh", "mails"))
        with open(program, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n[ ! -e %s.shut ] || { echo no relay; exit 75; }\ncat >>%s\n" % (mails, mails))
        os.chmod(program, 0o755)
        self.configure('mail = { program = "%s"; };' % program)

        def mailed(words):
            return os.path.exists(mails) and re.search(words, open(mails, encoding="utf-8").read(), re.S)
        often = c.submit("tasklet", "-T", "bst_hello", "-a", "to=often", "-s", "1s", "--email-logs-to", "ann@example.org, bob@example.org")
        bad = c.submit("fails", "-N", "bad", "-u", "ann", "--email-logs-on-error", "--continue-on-error")
        self.assertIn("is no address", c.siding("submit", "works", "--email-logs-to", "Ann <a@b>", status=2))
        wait_until(lambda: mailed("To: ann@example.org, bob@example.org\nSubject: .siding sandbox. task %s bst_hello: done\n.*to=often n=2" % often),
                   20, "the log comes by mail")
        wait_until(lambda: mailed("To: ann\nSubject: .siding sandbox. task %s bad: error\n" % bad), 20, "the error comes by mail")
        wait_until(lambda: "==== run %s.3 " % often in self.log(often), 20, lambda: self.log(often))
        self.assertRegex(self.log(often), "^==== run %s.1 on db0, .* ====\nto=often n=2\n==== run %s.2 on db0" % (often, often))
        self.assertEqual(self.log(often + ".2"), "to=often n=2\n")
        c.siding("queue", "hold", "bst_hello")
        c.expect_state(often, "waiting")
        c.siding("task", "delete", often, bad)
        c.siding("queue", "release", "bst_hello")
        with open(mails + ".shut", "w", encoding="ascii"):
            late = c.submit("tasklet", "-T", "bst_hello", "-a", "to=late", "--email-logs-to", "bob")
        wait_until(lambda: "its log could not be mailed, it is tried again: " in
                   call(os.path.join(BUILD, "siding"), "events", "--json", "--limit", "50", env=c.env)[1], 20, "it is told")
        self.cluster.kill("sidingd")
        os.unlink(mails + ".shut")
        c.start("coordinator")
        wait_until(lambda: mailed("To: bob\nSubject: .siding sandbox. task %s bst_hello: done\n.*to=late" % late), 20, "the next coordinator mails it")


class MariaDb(Rules, ClusterTest):
    flavor = "mariadb"


class MySql(Rules, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
