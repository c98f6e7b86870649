#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A paused replica catches up: faster than by its own settings, told how long it takes, and with its own settings
afterwards, whatever is killed meanwhile."""
import contextlib
import json
import os
import re
import signal
import sys
import threading
import time
import urllib.request

from harness import ROOT, ClusterTest, main
from machine import Failed, slack, wait_until

sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))
import backlog  # noqa: E402

OWN = ("1", "1")


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60 * slack()) as answer:
        return json.load(answer)


class CatchUp:
    replicas, many = 1, 6000
    settings_sql = ""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.b = backlog.Backlog(cls.cluster)
        # The primary may be quick: what is looked at is the replica.
        cls.cluster.sql("db0", "SET GLOBAL innodb_flush_log_at_trx_commit=2; SET GLOBAL sync_binlog=0;" + cls.no_semi_sync)
        # Backlogs of a test are short: ways are tried whatever is left.
        with open(os.path.join(cls.cluster.folder, "db1", "agent.conf"), "a", encoding="utf-8") as f:
            f.write('boost_trials_above = "0s";\n')
        cls.b.prepare()

    def settings(self):
        """flush, sync, workers, mode as the replica has them now."""
        return self.cluster.sql("db1", "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.sync_binlog, " +
                                self.parallel)[0]

    def replay(self):
        """What the coordinator says of the catch-up; {} when there is none."""
        lease = self.b.state()["agent"]["lease"]
        return (lease.get("replay") or {}) if lease.get("phase") == "catching_up" else {}

    def lease(self):
        return self.cluster.journal("db1").get("lease", {})

    def found(self):
        return self.cluster.journal("db1").get("ways", {}).get("found")

    def log(self):
        with open(os.path.join(self.cluster.folder, "db1", "agent.log"), encoding="utf-8") as f:
            return f.read()

    def behind(self, many=None):
        """Stands resumed with a backlog, seen catching up with relaxed settings."""
        self.b.write(backlog.SHAPES["small"], many or self.many)
        self.cluster.siding("replica", "resume", "db1")
        return wait_until(self.replay, 30, "db1 seen catching up")

    def expect_own_settings(self, within_s=180):
        wait_until(lambda: not self.lease(), within_s, lambda: "end of the lease: %s" % self.lease())
        self.assertEqual(self.settings(), self.own)
        self.cluster.expect_replicating("db1")

    # -- what an operator sees

    def test_it_is_boosted_told_and_restored(self):
        self.own = self.settings()
        self.assertEqual(self.own[:2], OWN)
        self.behind()
        boosted = wait_until(lambda: self.settings() if self.settings()[0] == "2" else None, 10, "durability relaxed")
        self.assertEqual(boosted[:2], ("2", "0"))
        seen = wait_until(lambda: (lambda r: r if r.get("rate") and r.get("eta_s", -1) >= 0 else None)(self.replay()), 30,
                          lambda: "a rate and a time: %s" % self.replay())
        self.assertGreater(seen["backlog_trx"], 0)
        self.assertGreater(seen["backlog_bytes"], 100 * seen["backlog_trx"])
        self.assertTrue(seen["way"])
        self.expect_own_settings()
        self.assertNotIn("flush_log_at_trx_commit=0", self.log())
        self.cluster.expect_equal()

    def test_the_next_job_need_not_wait_for_catching_up(self):
        """catch_up_between = false: a job that was queued before has all it must see, and pauses the replica again."""
        c = self.cluster
        self.own = self.settings()
        self.reload_coordinator("catch_up_between = false;\n")
        try:
            c.job("sleeps", 'name = "sleeps"; kind = "command"; program = "/bin/sleep"; allow_args = [ "[0-9.]+" ];')
            wait_until(lambda: "sleeps" in str(self.b.state()["agent"].get("jobs")), 20, "the job is known")
            first = c.submit("sleeps", "--", "600")
            c.expect_run_state(first, "running")
            second = c.submit("sleeps", "--name", "another", "--", "0.1")
            time.sleep(1.5)  # the position behind its submission is read
            self.assertEqual(c.task(second)["state"], "waiting")
            self.b.write_only(backlog.SHAPES["small"], self.many)
            with c.table_held("db1", "bench.sb1", "READ"):  # a busy coordinator would come when all is caught up
                c.siding("task", "stop", first)
                wait_until(lambda: c.last_run(second).get("state") not in (None, "claimed"), 60, "the next one is taken")
            c.expect_state(second, "done", within_s=120)
            cut, next_run = c.last_run(first), c.last_run(second)
            self.assertEqual(cut["replay"]["next_run"], next_run["id"])
            self.assertIsNone(cut.get("caught_up_at"))
            self.assertTrue(cut["replay"]["settings_restored"])
            self.assertTrue(next_run["caught_up_at"])
            self.expect_own_settings()
            c.expect_equal()
        finally:
            with contextlib.suppress(Failed):
                c.siding("task", "kill", first)
            self.reload_coordinator("")

    def reload_coordinator(self, more):
        path = os.path.join(self.cluster.folder, "coordinator", "sidingd.conf")
        with open(path, encoding="utf-8") as f:
            lines = [line for line in f if not line.startswith("catch_up_between")]
        with open(path, "w", encoding="utf-8") as f:
            f.write("".join(lines) + more)
        os.kill(self.cluster.pid("sidingd"), signal.SIGHUP)

    def test_ways_are_compared_and_the_fastest_is_remembered(self):
        self.own = self.settings()
        for factor in (4, 8, 16):  # all ways can be compared in it, however quick the machine is
            if self.found():
                break
            self.behind(self.many * factor)
            self.expect_own_settings()
        fastest = re.findall(r"catching up by way \"(\w+)\": it was the fastest of all", self.log())
        self.assertEqual(self.found()[0]["way"], fastest[-1])
        self.assertGreater(self.found()[0]["rate"], 0)

    def test_the_primarys_position_decides_and_alone_what_was_received(self):
        c = self.cluster
        self.own = self.settings()
        url = self.b.state()["url"]
        self.b.write(backlog.SHAPES["small"], 400)
        c.kill("sidingd")
        poll = {"term": ask(url + "/v1/state")["term"], "primary": self.beyond}
        phase = lambda: ask(url + "/v1/poll", poll)["lease"].get("phase")
        phase()  # before what was received can be reached
        resume = threading.Thread(target=ask, args=(url + "/v1/resume", {"by": "test"}))
        resume.start()
        # Told of a position that nobody has reached yet, it goes on catching up, although all it received is applied.
        wait_until(lambda: phase() == "catching_up", 60, "catching up")
        end = time.monotonic() + 6
        while time.monotonic() < end:
            self.assertEqual(phase(), "catching_up")
            time.sleep(0.05)
        self.assertTrue(c.has_applied("db1", self.b.target))
        # Told nothing more, it is alone: what it received counts.
        self.expect_own_settings(30)
        resume.join()
        c.start("coordinator")

    # -- kills

    def test_kill_of_the_agent_in_mid_boost(self):
        self.own = self.settings()
        self.behind()
        self.cluster.kill("agent1")
        self.assertEqual(self.settings()[0], "2")
        self.assertEqual(self.lease()["original"]["flush_log"], "1")
        self.cluster.start("db1")
        self.expect_own_settings()
        self.cluster.expect_equal()

    def test_kill_of_the_agent_while_it_changes_the_way(self):
        """What such a kill leaves: the applier stopped, and the lease that says by whom."""
        self.own = self.settings()
        self.behind()
        self.cluster.kill("agent1")
        lease = self.lease()
        lease["retuning"] = True
        self.cluster.leave_old_file("db1", "lease.json", lease)
        self.cluster.sql("db1", "STOP REPLICA SQL_THREAD")
        self.cluster.start("db1")
        self.expect_own_settings()
        self.cluster.expect_equal()

    def test_kill_of_the_server_in_mid_boost(self):
        self.own = self.settings()
        self.behind(2500)
        self.cluster.kill("server1")
        self.cluster.start("db1")
        self.expect_own_settings(300)  # what was not applied is applied first, from the files
        self.cluster.expect_equal(within_s=120)


class LastAcknowledger:
    """Semi-sync is on; the other replica is killed while this one catches up."""
    replicas, many = 2, 8000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.b = backlog.Backlog(cls.cluster)
        cls.cluster.sql("db0", "SET GLOBAL innodb_flush_log_at_trx_commit=2; SET GLOBAL sync_binlog=0")
        cls.b.prepare()

    def durability(self):
        return self.cluster.sql("db1", "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.sync_binlog")[0]

    def told(self):
        with open(os.path.join(self.cluster.folder, "coordinator", "sidingd.log"), encoding="utf-8") as f:
            return f.read()

    def test_durability_is_back_once_no_other_acknowledges(self):
        c = self.cluster
        self.assertEqual(self.durability(), OWN)
        wait_until(lambda: c.sql("db0", "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%_clients'")[0][1] == "2", 20, "two acknowledge")
        c.sql("db0", "SET GLOBAL %s=0" % self.semi_sync)  # only to have the backlog written sooner
        self.b.write(backlog.SHAPES["small"], self.many)
        c.sql("db0", "SET GLOBAL %s=1" % self.semi_sync)
        wait_until(lambda: c.sql("db0", "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%_clients'")[0][1] == "2", 20, "two acknowledge")
        try:
            with c.table_held("db1", "bench.sb1", "READ"):  # a quick machine would be done before the other is missed
                c.siding("replica", "resume", "db1")
                wait_until(lambda: self.durability() == ("2", "0"), 20, lambda: "durability relaxed: %s" % self.b.lease())
                c.kill("db2")
                wait_until(lambda: self.durability() == OWN, 20, lambda: "durability put back: %s" % self.b.lease())
                self.assertEqual(self.b.lease().get("phase"), "catching_up")
                wait_until(lambda: "no other replica acknowledges: db1 has its own durability again" in self.told(), 20, "the event")
            # A slow disk would make the rest long; the end of the lease puts this right too.
            c.sql("db1", "SET GLOBAL innodb_flush_log_at_trx_commit=2; SET GLOBAL sync_binlog=0")
            wait_until(lambda: not self.b.lease().get("owner"), 240, lambda: "caught up: %s" % self.b.lease())
            self.assertEqual(self.durability(), OWN)
        finally:
            c.start("db2")
            c.sql("db2", "SET GLOBAL innodb_flush_log_at_trx_commit=2; SET GLOBAL sync_binlog=0")
        c.expect_equal(within_s=180)


class LastAcknowledgerMariaDB(LastAcknowledger, ClusterTest):
    semi_sync = "rpl_semi_sync_master_enabled"


class LastAcknowledgerMySQL(LastAcknowledger, ClusterTest):
    flavor, semi_sync, many = "mysql", "rpl_semi_sync_source_enabled", 14000


class MariaDB(CatchUp, ClusterTest):
    parallel = "@@GLOBAL.slave_parallel_threads, @@GLOBAL.slave_parallel_mode"
    no_semi_sync = "SET GLOBAL rpl_semi_sync_master_enabled=0"
    beyond = "0-1-99999999"


class MySQL(CatchUp, ClusterTest):
    """Left out: what the agent finds in its lease, whoever the server is."""
    flavor = "mysql"
    test_kill_of_the_agent_while_it_changes_the_way = None
    parallel = "@@GLOBAL.replica_parallel_workers, ''"
    no_semi_sync = "SET GLOBAL rpl_semi_sync_source_enabled=0"

    @property
    def beyond(self):
        return self.cluster.position("db0").split(":")[0] + ":1-99999999"


if __name__ == "__main__":
    main()
