#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Others than Siding at work on a replica: operators, clocks that jump, a coordinator that is lost; what is looked at
before a pause; who is told what: readers, hooks, the coordinator, people by mail."""
import contextlib
import json
import os
import re
import signal
import struct
import subprocess
import threading
import time
import urllib.request

from harness import ROOT, ClusterTest, main, numbers
from machine import Failed, mysql_program, slack, wait_until
from agent_case import Agent, Refused
from test_guard import GuardBase


class Operators:

    def test_an_applier_stopped_by_hand_while_it_catches_up_is_left_to_its_operator(self):
        c = self.cluster
        with self.catching_up_slowly() as run:
            c.sql("db1", "STOP REPLICA SQL_THREAD")
            outcome, _, r = self.one.ended(run, 30)
            self.assertEqual(outcome, "killed")
            self.assertIn("somebody stopped the applier", r["replay"]["error"])
            self.assertEqual(self.settings("db1"), self.before["db1"], "nothing stays relaxed")
            time.sleep(1)
            self.assertEqual(c.replication("db1")["sql"], "No", "an operator's STOP is not undone")
            self.told("the replica is left to whoever stopped it", "error")
        c.sql("db1", "START REPLICA SQL_THREAD")

    def test_a_receiver_stopped_by_hand_while_it_catches_up_does_not_hold_the_run(self):
        c = self.cluster
        with self.catching_up_slowly() as run:
            received = c.position("db0")
            wait_until(lambda: self.one.state()["server"]["received"] == received, 30, "all is received")
            c.sql("db1", "STOP REPLICA IO_THREAD")
            outcome, _, _ = self.one.ended(run, 60)
        self.assertEqual(outcome, "killed")
        self.assertEqual(c.applied("db1"), received, "all that was received is applied")
        self.assertEqual(self.settings("db1"), self.before["db1"], "nothing stays relaxed")
        self.told("the receiver is stopped", "warn")
        c.expect_replicating("db1")
        c.expect_caught_up()
        c.expect_equal(["db0", "db1"])

    def test_an_applier_that_fails_while_it_catches_up_goes_on_once_that_is_mended(self):
        c = self.cluster
        run = self.started()
        key = int(c.value("db0", "SELECT COALESCE(MAX(id), 0) FROM t.w")) + 300
        c.sql_alone("db1", "INSERT INTO t.w (id, v) VALUES (%d, 'in the way')" % key)
        self.backlog(600)
        self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
        self.told("the applier failed while catching up", "error")
        self.tried_again()
        c.sql_alone("db1", "DELETE FROM t.w WHERE id = %d AND v = 'in the way'" % key)
        self.assertEqual(self.one.ended(run, 60)[0], "killed")
        c.expect_replicating("db1")
        c.expect_equal(["db0", "db1"])
        self.assertEqual(self.settings("db1"), self.before["db1"], "nothing stays relaxed")

    @contextlib.contextmanager
    def catching_up_slowly(self):
        """A run that was killed, its replica catching up with 600 rows."""
        run = self.started()
        self.backlog(600)
        with self.slow_replay():
            self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
            wait_until(lambda: self.one.lease()["phase"] == "catching_up", 20, "catching up")
            yield run

    def test_a_replica_pointed_elsewhere_under_a_job_yields_no_result(self):
        run = self.started("read", ["20"])
        self.backlog(100)
        c = self.cluster
        ports = [c.value(n, "SELECT @@GLOBAL.port") for n in ("db0", "db2")]
        try:
            c.change_source("db1", "PORT", ports[1])
            outcome, error, _ = self.one.ended(run, 40)
            self.assertEqual(outcome, "error")
            self.assertIn("the frozen state is lost" if "started by somebody" in error else "another source", error)
            self.assertFalse(os.path.exists(self.folder("db1", "spool", run)))
            c.expect_caught_up()
        finally:
            c.change_source("db1", "PORT", ports[0])

    def test_only_the_receiver_pointed_elsewhere_is_seen_too(self):
        run = self.started("read", ["20"])
        c = self.cluster
        ports = [c.value(n, "SELECT @@GLOBAL.port") for n in ("db0", "db2")]
        try:
            c.change_source("db1", "PORT", ports[1], "START REPLICA IO_THREAD")
            outcome, error, _ = self.one.ended(run, 40)
            self.assertEqual(outcome, "error")
            self.assertIn("pointed at another source", error)
            self.told("pointed at another source", "error")
            c.expect_replicating("db1")
            c.expect_caught_up()
        finally:
            c.change_source("db1", "PORT", ports[0])

    def test_a_receiver_stopped_by_hand_is_told_at_once(self):
        run = self.started()
        self.cluster.sql("db1", "STOP REPLICA IO_THREAD")
        self.told("the receiver is stopped", "warn")
        self.cluster.sql("db1", "START REPLICA IO_THREAD")
        self.told("over: the receiver is stopped", "info")
        self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
        self.one.ended(run)


class OperatorsMariaDB(Operators, GuardBase):

    def tried_again(self):
        wait_until(lambda: self.one.lease()["phase"] == "rescuing", 20, "the files are tried")

    @contextlib.contextmanager
    def slow_replay(self):
        """A trigger on the replica alone that makes each replayed row slow."""
        c = self.cluster
        c.sql_alone("db1", "SET GLOBAL slave_run_triggers_for_rbr=YES; "
              "CREATE TRIGGER t.slow BEFORE INSERT ON t.w FOR EACH ROW SET NEW.v = IF(SLEEP(0.02), NEW.v, NEW.v)")
        try:
            yield
        finally:
            c.sql_alone("db1", "DROP TRIGGER t.slow; SET GLOBAL slave_run_triggers_for_rbr=NO")


class Clocks(GuardBase):
    """The agent's wall clock is shifted by a library of the tests; the clock of the boot is not."""
    conf = ('renew = "1s";',)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = os.path.join(cls.cluster.folder, "host-of-db1")
        os.mkdir(cls.host)
        with open(os.path.join(cls.host, "clock"), "wb") as f:
            f.write(bytes(16))
        library = os.path.join(os.environ.get("SIDING_BUILD", os.path.join(ROOT, "build")), "tests", "tools", "libclock_shift.so")
        if not os.path.exists(library):
            raise Failed(library + " is missing: scripts/setup builds it")
        os.environ.update(LD_PRELOAD=library, SIDING_TEST_HOST=cls.host)
        try:
            cls.restart_agent("db1")
        finally:
            del os.environ["LD_PRELOAD"], os.environ["SIDING_TEST_HOST"]

    @classmethod
    def shift(cls, seconds):
        with open(os.path.join(cls.host, "clock"), "r+b") as f:
            f.write(struct.pack("<q", seconds * 1000))

    def now(self):
        return self.one.state()["now"][:13]

    def test_an_hour_forth_and_back_neither_ends_nor_prolongs_a_pause(self):
        run = self.started("read", ["8"], pause_limit_ms=60000)
        hour = self.now()
        for shift in (3600, -3600, 7200):
            self.shift(shift)
            wait_until(lambda: self.now() != hour, 5, "the agent's clock has jumped")
            time.sleep(0.5)
            self.assertEqual(self.one.run_state(run)["state"], "running")
        self.assertEqual(self.one.ended(run)[:2], ("ok", None))
        begin = time.monotonic()
        run = self.started(pause_limit_ms=3000)
        self.shift(-3600)
        outcome, error, _ = self.one.ended(run)
        self.assertEqual(outcome, "error")
        self.assertIn("pause limit", error)
        self.assertLess(time.monotonic() - begin, 30)
        self.shift(0)

    def test_a_lost_coordinator_is_told_and_ends_nothing(self):
        run = self.started("read", ["5"])
        overdue = lambda: self.one.lease()["renew_overdue"]
        wait_until(overdue, 10, "the lease is not renewed")
        self.told("the coordinator is not heard", "warn")
        self.one.post("/v1/poll", term=1)
        wait_until(lambda: not overdue(), 10, "the lease is renewed")
        self.told("over: the coordinator is not heard", "info")
        self.assertEqual(self.one.ended(run)[:2], ("ok", None))


class Checks:
    """What is looked at before a pause, and who may be read."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.sql("db0", "CREATE TABLE t.nokey (a INT) ENGINE=InnoDB; INSERT INTO t.nokey SELECT seq FROM %s; "
              "CREATE TABLE t.rests (a INT) ENGINE=InnoDB" % numbers(300))
        c.expect_caught_up()

    def finding(self, name, agent=None):
        findings = (agent or self.one).get("/v1/preflight")
        found = next((f for f in findings if f["name"] == name), None)
        self.assertIsNotNone(found, "%s is looked at: %s" % (name, findings))
        return found

    def refused(self, words, **body):
        with self.assertRaises(Refused) as refused:
            self.one.post("/v1/pause", **dict({"for_s": 60, "reason": "a look", "by": "dba"}, **body))
        self.assertIn(words, refused.exception.text)
        self.assertIsNone(self.one.lease()["owner"])

    def health(self, agent, query):
        try:
            return agent.get("/healthz?" + query)
        except Refused as e:
            return e.status

    def paused_by_hand(self, **body):
        return self.one.post("/v1/pause", **dict({"for_s": 60, "reason": "a look", "by": "dba"}, **body))

    def resumed(self):
        self.one.post("/v1/resume", by="dba")
        wait_until(lambda: self.one.lease()["owner"] is None, 30, "the lease is gone")

    def test_keyless_tables_that_change_are_named(self):
        def warned():
            """Small tables have their statistics made anew soon, and with them the counters."""
            self.cluster.sql("db0", "INSERT INTO t.nokey VALUES (9)")
            found = self.finding("keyless_changes")
            return found["level"] == "warning" and found
        f = wait_until(warned, 30, "the table is named")
        self.assertIn("t.nokey", f["text"])
        self.assertNotIn("t.rests", f["text"])
        self.assertIn("ADD PRIMARY KEY", f["mend"])
        # This host's disk is not judged.
        wait_until(lambda: self.folder("db1", "data") in self.finding("relay_disk")["text"], 20, lambda: str(self.finding("relay_disk")))
        self.assertEqual(self.finding("sync_relay_log")["level"], "ok")
        self.assertEqual(self.finding("semi_sync_acks", self.primary)["level"], "ok")

    def wrong(self):
        """Findings that somebody would act on."""
        return {f["name"]: f for f in self.one.get("/v1/preflight") if f["level"] != "ok"}

    def test_what_a_pause_explains_is_no_fault(self):
        """Neither while it is frozen nor while it catches up is a START printed, which would end the job."""
        before = set(self.wrong())
        run = self.started()
        wrong = self.wrong()
        self.assertLessEqual(set(wrong), before, wrong)
        self.assertIn("pause of run " + run, self.finding("applier_stopped")["text"])
        self.assertEqual([f for f in wrong.values() if "START" in (f["mend"] or "")], [])
        with self.cluster.table_held("db1", "t.rests", "READ"):
            self.cluster.sql("db0", "INSERT INTO t.rests VALUES (1)")
            self.one.post("/v1/runs/%s/request" % run, action="stop")
            wait_until(lambda: self.one.lease()["phase"] == "catching_up", 30, lambda: "it catches up: %s" % self.one.lease())
            wrong = self.wrong()
            self.assertLessEqual(set(wrong), before, wrong)
            self.assertIn("catch-up of run " + run, self.finding("flush_log")["text"])
        wait_until(lambda: self.one.lease()["owner"] is None, 30, "the lease is gone")
        self.assertLessEqual(set(self.wrong()), before)

    def test_servers_behind_the_replica_refuse_a_pause_unless_allowed(self):
        reader = subprocess.Popen(self.log_reader(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: self.finding("downstream")["level"] == "error", 20, "the reader is seen")
            self.refused("connections read this replica's binary log")
            self.paused_by_hand(allow=["downstream"])
            self.resumed()
        finally:
            reader.kill()
            reader.wait()
            for (number,) in self.cluster.sql("db1", "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"):
                self.cluster.sql("db1", "KILL %s" % number)  # it would see the end only with its next event

    def test_a_delayed_replica_refuses_a_pause_unless_allowed(self):
        c = self.cluster
        c.change_source("db1", "DELAY", 3600)
        try:
            c.expect_replicating("db1")
            wait_until(lambda: self.one.state()["server"]["sql_running"], 10, "seen")
            self.refused("delayed by 3600 s")
            self.paused_by_hand(allow=["delayed"])
        finally:
            c.change_source("db1", "DELAY", 0)
        wait_until(lambda: self.one.lease()["owner"] is None, 30, "the lease is gone")

    def test_only_the_primary_is_told_writable(self):
        term = self.primary.state()["term"]
        self.primary.post("/v1/poll", term=term)
        self.assertTrue(self.health(self.primary, "role=primary")["ok"])
        self.assertEqual(self.health(self.one, "role=primary"), 503)
        self.assertEqual(self.health(self.primary, "role=replica"), 503)
        for query in ("role=master", "rol=primary", "Role=primary", "role=", "role=replica&role=primary", "max_lag_s=1", "role=primary&max_lag_s=1"):
            self.assertEqual(self.health(self.primary, query), 400, query)


class ChecksMariaDB(Checks, GuardBase):
    """Besides, the programs told about a pause."""

    HOOK = """#!/bin/bash
cd %(folder)s
echo "$SIDING_HOOK $SIDING_NODE run=$SIDING_RUN_ID gtid=$SIDING_GTID reason=$SIDING_REASON" >>hooks.log
. ./hook-now
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.cluster.folder
        cls.program("hook.sh", cls.HOOK % {"folder": folder})
        cls.hook_does("true")
        cls.edit_conf("db1", 'hooks = { before_pause = "%s/hook.sh"; after_caught_up = "%s/hook.sh"; timeout = "2s"; };' % (folder, folder))

    @classmethod
    def hook_does(cls, text):
        with open(os.path.join(cls.cluster.folder, "hook-now"), "w", encoding="ascii") as f:
            f.write(text + "\n")

    def hooks(self):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.cluster.folder, "hooks.log"), encoding="utf-8") as f:
            return f.read().splitlines()
        return []

    def setUp(self):
        super().setUp()
        self.hook_does("true")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.cluster.folder, "hooks.log"))

    def log_reader(self):
        return ["mariadb-binlog", "--no-defaults", "-S", self.cluster.socket("db1"), "--read-from-remote-server", "--stop-never",
                "--stop-never-slave-server-id=99", "binlog.000001"]

    def test_hooks_are_called_around_a_pause_and_readers_are_sent_away(self):
        self.assertTrue(self.health(self.one, "role=replica&max_lag_s=10")["ok"])
        self.hook_does("python3 -c 'import http.client as h; c = h.HTTPConnection(\"%s\"); c.request(\"GET\", \"/healthz?role=replica\"); "
                       "print(c.getresponse().status, end=\"\")' >health" % self.one.url.split("//")[1])
        lease = self.paused_by_hand()
        with open(os.path.join(self.cluster.folder, "health"), encoding="ascii") as f:
            self.assertEqual(f.read(), "503", "readers are sent away before it is paused")
        self.assertEqual(self.health(self.one, "role=replica&max_lag_s=10"), 503)
        self.hook_does("true")
        self.resumed()
        wait_until(lambda: len(self.hooks()) == 2, 10, "after_caught_up")
        self.assertEqual(self.hooks(), ["before_pause db1 run= gtid= reason=a look",
                                        "after_caught_up db1 run= gtid=%s reason=a look" % lease["gtid"]])

    def test_a_hook_that_fails_refuses_the_pause(self):
        for does, words in (("echo the pool says no; exit 3", "ended with status 3: the pool says no"),
                            ("sleep 60", "did not end within 2 s")):
            self.hook_does("[ $SIDING_HOOK = after_caught_up ] || { %s; }" % does)
            before = len(self.hooks())
            self.refused(words)
            self.told(words, "error")
            wait_until(lambda n=before: len(self.hooks()) == n + 2, 10, "after_caught_up follows all the same")
            self.assertEqual(self.cluster.replication("db1")["sql"], "Yes")
        run = self.new_run()
        self.hook_does("[ $SIDING_HOOK = after_caught_up ] || exit 4")
        self.one.run(run)
        outcome, error, _ = self.one.ended(run)
        self.assertEqual(outcome, "error")
        self.assertIn("ended with status 4", error)
        wait_until(lambda: self.hooks()[-1].startswith("after_caught_up"), 10, "after_caught_up follows here too")

    def test_an_agent_killed_in_a_hook_tells_the_readers_that_the_replica_is_back(self):
        self.hook_does("[ $SIDING_HOOK = after_caught_up ] || sleep 1.5")
        with contextlib.suppress(OSError, Refused):
            caller = threading.Thread(target=lambda: self.assertRaises(OSError, self.paused_by_hand))
            caller.start()
        wait_until(lambda: (self.hooks() or [""])[-1].startswith("before_pause"), 10, "before_pause")
        told = len(self.hooks())
        self.kill_agent("db1")
        caller.join()
        self.cluster.must_sandbox("start", "db1")
        wait_until(lambda: self.up("db1"), 20, "agent of db1")
        wait_until(lambda: len(self.hooks()) > told, 10, "after_caught_up")
        self.assertIn("after_caught_up", self.hooks()[-1])
        self.assertIsNone(self.one.lease()["owner"])


class MySQL(Operators, Checks, GuardBase):
    """Left out: hooks, clocks, events and mail, which ask no server."""
    flavor = "mysql"

    def tried_again(self):
        time.sleep(4)
        self.assertEqual([e["kind"] for e in self.events() if "the applier failed" in e["text"]], ["pause", "node"], "told once")

    @contextlib.contextmanager
    def slow_replay(self):
        """A reader who is quick, but always there again."""
        c, stop = self.cluster, threading.Event()

        def read():
            with c.session("db1") as reader:
                while not stop.is_set():
                    reader.sql("LOCK TABLES t.w READ; DO SLEEP(0.03); UNLOCK TABLES")
        thread = threading.Thread(target=read)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def log_reader(self):
        return [mysql_program("mysqlbinlog"), "--no-defaults", "-S", self.cluster.socket("db1"), "--read-from-remote-server",
                "--stop-never", "--connection-server-id=99", "binlog.000001"]


class Told(ClusterTest):
    """The coordinator runs: its events, its mail, the primary's binary logs while a replica is paused."""
    replicas = 1

    MAIL = """#!/bin/bash
[ "$*" = "-t -i" ] || exit 9
[ ! -e %(folder)s/no-mail ] || { echo the relay is down; exit 75; }
cat >>%(folder)s/mails
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        program = os.path.join(c.folder, "mail.sh")
        with open(program, "w", encoding="ascii") as f:
            f.write(cls.MAIL % {"folder": c.folder})
        os.chmod(program, 0o755)
        with open(os.path.join(c.folder, "coordinator", "sidingd.conf"), "a", encoding="ascii") as f:
            f.write('mail = { to = [ "dba@example.org" ]; program = "%s"; batch = "1s"; level = "warn"; };\n' % program)
        os.kill(c.pid("sidingd"), signal.SIGHUP)
        cls.one = Agent(c, "db1")

    def mails(self):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.cluster.folder, "mails"), encoding="utf-8") as f:
            return f.read()
        return ""

    def coordinator(self, path):
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.port(), path), timeout=20 * slack()) as answer:
            return answer.read().decode()

    def port(self):
        with open(os.path.join(self.cluster.folder, "coordinator", "sidingd.conf"), encoding="utf-8") as f:
            return int(re.search(r'"127\.0\.0\.1:(\d+)" \];', f.read())[1])

    def event(self, words, within_s=30):
        return wait_until(lambda: next((e for e in json.loads(self.coordinator("/v1/events?limit=500")) if words in e["text"]), None),
                          within_s, lambda: '"%s" among the events' % words)

    def short_pause(self, reason):
        self.one.post("/v1/pause", for_s=1, reason=reason, by="dba")
        wait_until(lambda: self.one.lease()["owner"] is None, 30, "the lease is gone")

    def test_an_agents_event_reaches_the_coordinator_and_the_mail(self):
        self.short_pause("short")
        e = self.event("db1: db1 is resumed: pause limit")
        self.assertEqual((e["level"], e["node"]), ("error", "db1"))
        wait_until(lambda: "db1 is resumed: pause limit" in self.mails(), 20, self.mails)
        text = self.mails()
        self.assertIn("To: dba@example.org\n", text)
        self.assertRegex(text, r"Subject: \[siding sandbox\] .*")
        self.assertRegex(self.coordinator("/metrics"), r'siding_events_total\{level="error"\} [1-9]')
        # it counts as sent when its program has ended
        wait_until(lambda: re.search(r"siding_mails_sent_total [1-9]", self.coordinator("/metrics")), 20, "the mail is counted")
        wait_until(lambda: not self.one.state()["events"], 20, "the agent may forget what is stored")

    def test_what_happens_while_the_coordinator_is_killed_is_told_later(self):
        self.cluster.kill("sidingd")
        mark = self.one.state()["events_last"]
        self.short_pause("while nobody looks")
        self.assertTrue(self.one.get("/v1/state?events_after=%d" % mark)["events"])
        before = self.mails().count("db1 is resumed")
        self.cluster.must_sandbox("up")
        wait_until(lambda: self.mails().count("db1 is resumed") > before, 30, self.mails)

    def test_a_mail_that_does_not_go_out_waits(self):
        stop = os.path.join(self.cluster.folder, "no-mail")
        before = self.mails().count("db1 is resumed")
        open(stop, "w", encoding="ascii").close()
        self.short_pause("no mail")
        self.event("ended with status 75: the relay is down")
        self.cluster.kill("sidingd")  # the queue outlives it
        os.unlink(stop)
        self.cluster.must_sandbox("up")
        wait_until(lambda: self.mails().count("db1 is resumed") > before, 30, self.mails)

    def test_the_primarys_binary_logs_are_kept_while_a_replica_is_paused(self):
        c = self.cluster
        c.sql("db0", "SET GLOBAL binlog_expire_logs_seconds=600")
        try:
            c.siding("replica", "pause", "db1", "--for", "2h", "--reason", "long")
            wait_until(lambda: int(c.value("db0", "SELECT @@GLOBAL.binlog_expire_logs_seconds")) >= 7200, 20, "raised")
            self.assertIn("purge", c.journal("db0"))
            c.kill("agent0")
            c.must_sandbox("start", "db0")
            c.siding("replica", "resume", "db1")
            wait_until(lambda: c.value("db0", "SELECT @@GLOBAL.binlog_expire_logs_seconds") == "600", 30, "put back")
            wait_until(lambda: "purge" not in c.journal("db0"), 10, "forgotten")
            self.event("binary logs of db0 are kept for")
        finally:
            c.sql("db0", "SET GLOBAL binlog_expire_logs_seconds=0")

    def test_replica_check_lists_findings_with_their_mends(self):
        c = self.cluster
        names = {f["name"] for f in c.siding("replica", "check", "db1")}
        self.assertLessEqual({"downstream", "relay_disk", "sync_relay_log", "relay_log_space_limit", "keyless_changes"}, names)
        everything = {f["name"] for f in c.siding("replica", "check")}
        self.assertLessEqual({"min_serving", "purge_horizon"}, everything)
        c.sql("db1", "SET GLOBAL sync_relay_log=1")
        try:
            f = next(f for f in c.siding("replica", "check", "db1") if f["name"] == "sync_relay_log")
            self.assertEqual((f["level"], f["node"]), ("warning", "db1"))
            self.assertIn("SET GLOBAL sync_relay_log", f["mend"])
        finally:
            c.sql("db1", "SET GLOBAL sync_relay_log=10000")

    def test_limits_are_given_by_submit(self):
        c = self.cluster
        c.job("nap", 'name = "nap"; kind = "command"; program = "/bin/sleep"; args = [ "600" ]; pause_limit = "3s";\n')
        wait_until(lambda: any(j["name"] == "nap" for j in self.one.state()["jobs"]), 20, "the job is known")
        task = c.submit("nap", "--relay-limit", "20G", "--at-limit", "kill")
        t = c.expect_state(task, "error", 90)
        self.assertEqual(t["options"]["limits"], {"relay_bytes": 20 << 30, "at_limit": "kill"})
        self.assertIn("it may be for 3.0 s", t["error"], "the job's own limit counts where the submitter names none")
        self.assertIn("let-finish", c.siding("submit", "nap", "--at-limit", "wait", status=2))


if __name__ == "__main__":
    main()
