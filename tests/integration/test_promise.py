#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a pause promises, kept where nobody is left to keep it: an agent that is not started again, a host that is shut
down, a state folder that is old or cannot be read, settings that others have changed meanwhile."""
import contextlib
import os
import signal
import time

from harness import main
from machine import running, wait_until
from test_guard import GuardBase


class Held:
    """A replica whose catching up is held open."""

    def relaxed(self):
        return self.cluster.sql("db1", "SELECT @@GLOBAL.sync_binlog, @@GLOBAL.innodb_flush_log_at_trx_commit")[0]

    def watchers(self):
        config = "--config=" + os.path.realpath(self.folder("db1", "agent.conf"))
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open("/proc/%s/cmdline" % pid, encoding="utf-8") as f:
                    words = f.read().split("\0")
                if words[1:3] == ["watch", config]:
                    found.append(int(pid))
        return found

    def agent_log(self):
        with open(self.folder("db1", "agent.log"), encoding="utf-8") as f:
            return f.read()

    def said(self, words, within_s=40):
        wait_until(lambda: words in self.agent_log(), within_s, '"%s" in the log of the agent' % words)

    def no_lease(self):
        wait_until(lambda: self.one.lease()["owner"] is None, 60, lambda: "no lease: %s" % self.one.lease())

    @contextlib.contextmanager
    def held_catching_up(self):
        """Replication is started with relaxed durability, and waits for a table as long as the session lives."""
        c = self.cluster
        self.one.post("/v1/pause", for_s=600, reason="test", by="test")
        self.backlog(30)
        session = c.session("db1")
        try:
            session.sql("LOCK TABLES t.w READ")
            self.one.post("/v1/resume", by="test", reason="test")
            wait_until(lambda: self.one.lease()["phase"] == "catching_up", 20, "it catches up")
            self.assertEqual(self.relaxed(), ("0", "2"))
            yield session
        finally:
            session.client.kill()

    def end_agent(self, how=signal.SIGKILL):
        pid = self.cluster.pid("agent1")
        os.kill(pid, how)
        wait_until(lambda: not running(pid), 30, "end of the agent")

    def end_server(self, how):
        pid = self.cluster.pid("server1")
        os.kill(pid, how)
        wait_until(lambda: not running(pid), 60, "end of the server")

    def started(self, node="db1"):
        self.cluster.must_sandbox("start", node)
        wait_until(lambda: self.answers(node), 30, "the agent of " + node)

    def rebooted(self, how):
        """Agent and server end while durability is relaxed, and start in what looks like another boot."""
        c = self.cluster
        with self.held_catching_up() as session:
            self.end_agent()
            lease = c.journal("db1")["lease"]
            self.assertTrue(lease["boost_boot_id"])
            session.client.kill()  # a MySQL does not shut down before its applier has got the table
            self.end_server(how)
        for record in (lease, lease["server"]):
            record["boot_id"] = "of-before"
        lease["boost_boot_id"] = "of-before"
        c.leave_old_file("db1", "lease.json", lease)
        return lease

    def first_log(self):
        return self.cluster.sql("db1", "SHOW BINARY LOGS")[0][0]

    def expect_no_crash_after_a_reboot_in_order(self):
        c, first = self.cluster, self.first_log()
        self.rebooted(signal.SIGTERM)
        self.started()
        self.said("after the server had been shut down in order")
        c.expect_replicating("db1", 60)
        self.no_lease()
        c.expect_caught_up()
        self.assertEqual(self.first_log(), first, "its binary log is still there")


class Promise(Held):
    """What holds on both flavours."""

    # -- nobody is left

    def test_a_pause_whose_agent_is_gone_ends_a_minute_after_its_limit(self):
        c = self.cluster
        self.one.post("/v1/pause", for_s=3, reason="test", by="test")
        self.assertEqual(len(self.watchers()), 1)
        self.end_agent()
        self.backlog(20)
        time.sleep(15)
        self.assertEqual(c.replication("db1")["sql"], "No", "the first minute over the limit is the agent's own")
        wait_until(lambda: c.replication("db1")["sql"] == "Yes", 90, "the watcher has released it")
        wait_until(lambda: "lease" not in c.journal("db1"), 60, "the pause is over")
        self.assertEqual(self.settings("db1"), self.before["db1"])
        c.expect_caught_up()
        wait_until(lambda: not self.watchers(), 20, "the watcher ends with the pause")
        self.started()

    def test_a_watcher_that_is_killed_is_replaced(self):
        self.one.post("/v1/pause", for_s=600, reason="test", by="test")
        first = self.watchers()
        os.kill(first[0], signal.SIGKILL)
        wait_until(lambda: len(self.watchers()) == 1 and self.watchers() != first, 20, "another watcher")
        self.one.post("/v1/resume", by="test", reason="test")
        self.no_lease()
        wait_until(lambda: not self.watchers(), 20, "the watcher ends with the pause")

    # -- the host is shut down

    def test_an_agent_that_is_asked_to_end_leaves_no_relaxed_durability(self):
        c = self.cluster
        with self.held_catching_up():
            self.end_agent(signal.SIGTERM)
            self.assertEqual(self.relaxed(), ("1", "1"))
            self.assertTrue(c.journal("db1")["lease"]["durable"])
            self.started()
            self.assertEqual(self.relaxed(), ("1", "1"), "not relaxed again")
        self.no_lease()

    def test_a_server_that_was_shut_down_in_order_has_not_crashed(self):
        self.expect_no_crash_after_a_reboot_in_order()

    def test_a_state_folder_from_a_backup_makes_no_crash(self):
        c, first = self.cluster, self.first_log()
        lease = self.rebooted(signal.SIGKILL)
        os.unlink(self.folder("db1", "agent", "lease.json"))
        self.started()  # the same boot in truth: the pause ends as ever
        self.no_lease()
        wait_until(lambda: not self.kept(), 20, "no relay file is kept")  # the agent lets go of them
        self.end_agent()
        self.end_server(signal.SIGKILL)
        c.leave_old_file("db1", "lease.json", lease)
        self.started()
        self.said("had ended before: no relay file is kept for it")
        self.no_lease()
        c.expect_replicating("db1", 60)
        self.assertEqual(self.first_log(), first, "its binary log is still there")

    def kept(self):
        return [n for n in os.listdir(self.folder("db1", "vault")) if n.startswith("siding-relay-")]

    # -- settings of others

    def test_what_somebody_sets_during_the_pause_stays(self):
        c = self.cluster
        with self.held_catching_up():
            c.sql("db1", "SET GLOBAL sync_binlog=7")
        self.told("are left so: sync_binlog is 7, not 1", "warn")
        self.no_lease()
        self.assertEqual(self.relaxed(), ("7", "1"))
        c.sql("db1", "SET GLOBAL sync_binlog=1")

    def test_a_server_that_restarts_with_another_option_file_keeps_that(self):
        c, path = self.cluster, self.folder("db1", "my.cnf")
        with open(path, encoding="utf-8") as f:
            before = f.read()
        with self.held_catching_up() as session:
            with open(path, "a", encoding="utf-8") as f:
                f.write("sync_binlog=5\n")
            session.client.kill()
            self.end_server(signal.SIGTERM)
        try:
            c.must_sandbox("start", "db1")
            c.expect_replicating("db1", 60)
            self.no_lease()
            self.assertEqual(self.relaxed(), ("5", "1"))
        finally:
            with open(path, "w", encoding="utf-8") as f:
                f.write(before)
            c.sql("db1", "SET GLOBAL sync_binlog=1")

    # -- the record itself

    def damaged(self, how):
        """Both generations of the journal, in the bytes behind their heads."""
        for name in ("journal.1", "journal.2"):
            path = self.folder("db1", "agent", name)
            if not os.path.exists(path):
                continue
            with open(path, "rb") as f:
                data = f.read()
            with open(path, "wb") as f:
                f.write(how(data))

    def test_a_journal_that_cannot_be_read_claims_nothing(self):
        ways = {"cut": lambda d: d[:60], "cut later": lambda d: d[:300], "bits flipped": lambda d: d[:40] + bytes(b ^ 0x10 for b in d[40:]),
                "of a newer version": lambda d: b"SIDINGJ9" + d[8:], "empty": lambda d: b""}
        for name, how in ways.items():
            with self.subTest(name):
                mark = len(self.agent_log())
                with self.held_catching_up():
                    self.end_agent()
                    self.damaged(how)
                    self.started()
                wait_until(lambda m=mark: "are lost with the agent's journal" in self.agent_log()[m:], 60, "it is told what is lost")
                self.assertIn("sync_binlog = 0, innodb_flush_log_at_trx_commit = 2", self.agent_log()[mark:])
                self.assertNotIn("settings are back", self.agent_log()[mark:])
                self.no_lease()
                self.assertEqual(self.relaxed(), ("0", "2"), "what it says is so")
                self.put_settings_back()

    def test_a_torn_record_costs_nothing_that_was_promised(self):
        with self.held_catching_up():
            self.end_agent()
            self.damaged(lambda d: d.rstrip(b"\0")[:-3].ljust(len(d), b"\0"))
            self.started()
        self.no_lease()

    def put_settings_back(self):
        c, own = self.cluster, self.before["db1"][0]
        c.sql("db1", "SET GLOBAL sync_binlog=%s; SET GLOBAL innodb_flush_log_at_trx_commit=%s" % (own[0], own[1]))
        self.put_workers_back(own)


class OnMariadb(Promise, GuardBase):

    def put_workers_back(self, own):
        self.cluster.sql("db1", "STOP SLAVE SQL_THREAD; SET GLOBAL slave_parallel_threads=%s; SET GLOBAL slave_parallel_mode='%s'; "
                         "SET GLOBAL slave_parallel_max_queued=DEFAULT; START SLAVE SQL_THREAD" % (own[2], own[3]))

    def test_a_crash_gives_up_only_what_the_primary_has(self):
        c, first = self.cluster, self.first_log()
        self.rebooted(signal.SIGKILL)
        self.started()
        self.said("the coordinator has not said yet what the primary has")
        self.assertEqual(self.first_log(), first)
        term = self.one.state()["term"]
        self.one.post("/v1/poll", term=max(term, 1), primary="0-1-1")
        self.said("and the primary has 0-1-1")
        self.one.post("/v1/poll", term=max(term, 1), primary=c.position("db0"))
        c.expect_replicating("db1", 60)
        self.no_lease()
        c.expect_caught_up()


class OnMysql(Promise, GuardBase):
    flavor = "mysql"

    def put_workers_back(self, own):
        self.cluster.sql("db1", "STOP REPLICA SQL_THREAD; SET GLOBAL replica_parallel_workers=%s; SET GLOBAL "
                         "replica_pending_jobs_size_max=DEFAULT; START REPLICA SQL_THREAD" % own[2])


if __name__ == "__main__":
    main()
