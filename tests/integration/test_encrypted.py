#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logs that only the server itself can read. MariaDB: no pause, and the mend that is printed is carried out. MySQL, which
reads its relay files itself after a crash: everything, also where it has to be known how a server ended."""
import contextlib
import glob
import os
import re
import signal
import tempfile

import encryption
from harness import main
from machine import wait_until
from agent_case import Refused
from test_guard import GuardBase
from test_promise import Held


class Encrypted(Held):
    """db1 can be told to encrypt its logs by lines of its option file."""

    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.TemporaryDirectory(prefix="sdtkeys")
        os.chmod(cls.home.name, 0o755)
        cls.prepare()
        super().setUpClass()
        cls.options = cls.cluster.folder + "/db1/my.cnf"
        with open(cls.options, encoding="utf-8") as f:
            cls.plain = f.read()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.home.cleanup()

    @classmethod
    def encrypt(cls, lines):
        with open(cls.options, "w", encoding="utf-8") as f:
            f.write(cls.plain + "".join(line + "\n" for line in lines))

    @classmethod
    def restart(cls):
        cls.cluster.stop("db1")
        cls.cluster.must_sandbox("start", "db1")
        wait_until(lambda: cls.up("db1"), 30, "the agent of db1")
        cls.cluster.expect_replicating("db1", 60)


class OnMysql(Encrypted, GuardBase):
    flavor = "mysql"

    @classmethod
    def prepare(cls):
        os.environ["MYSQLD"] = encryption.mysqld_with_keyring(cls.home.name)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        encryption.give_keyring(cls.cluster.folder + "/db1/data")
        cls.encrypt(["binlog_encryption=ON"])
        cls.restart()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        del os.environ["MYSQLD"]

    def test_1_a_server_that_was_shut_down_in_order_has_not_crashed(self):
        """Its marks are in files that only the next server can read."""
        self.assertEqual(self.cluster.sql("db1", "SHOW BINARY LOGS")[-1][2], "Yes", "it is encrypted")
        self.expect_no_crash_after_a_reboot_in_order()

    def test_2_one_that_was_killed_has(self):
        self.rebooted(signal.SIGKILL)
        self.started()
        self.said("does not end in order")
        self.said("crashed while durability was relaxed")
        self.provision_anew()

    def provision_anew(self):
        """Nothing was lost here, whatever the agent has to fear: it forgets, and replication goes on."""
        c = self.cluster
        self.end_agent()
        for name in ("journal.1", "journal.2", "lease.json"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.folder("db1", "agent", name))
        c.sql("db1", "START REPLICA")
        self.started()
        c.expect_replicating("db1", 60)


class OnMariadb(Encrypted, GuardBase):

    @classmethod
    def prepare(cls):
        cls.lines = encryption.mariadb_options(cls.home.name)

    def test_1_no_pause_where_only_the_server_reads_the_relay_files(self):
        """And the mend that is printed is one."""
        c = self.cluster
        self.encrypt(self.lines)
        self.restart()
        with self.assertRaisesRegex(Refused, "encrypt_binlog is ON.*to mend it: encrypt_binlog=OFF in the server's option file"):
            self.one.post("/v1/pause", for_s=60, reason="test", by="test")
        self.assertIsNone(self.one.lease()["owner"])
        c.expect_replicating("db1")
        self.encrypt_no_more()
        c.expect_caught_up()

        def paused():
            try:
                return self.one.post("/v1/pause", for_s=600, reason="test", by="test")
            except Refused:
                return None  # the applier has not passed the files of before
        wait_until(paused, 40, "it can be paused")
        self.backlog(20)
        self.one.post("/v1/resume", by="test", reason="test")
        self.no_lease()
        c.expect_caught_up()

    def encrypt_no_more(self):
        """The keys stay: there are files of before."""
        self.encrypt([line.replace("binlog=ON", "binlog=OFF") for line in self.lines])
        self.restart()

    def switched_on(self, how):
        """The server of a paused replica ends, and starts with encrypted logs."""
        c = self.cluster
        self.encrypt_no_more()
        self.one.post("/v1/pause", for_s=600, reason="test", by="test")
        self.backlog(30)
        self.end_server(how)
        self.encrypt(self.lines)
        self.backlog(20)
        c.must_sandbox("start", "db1")
        c.expect_replicating("db1", 90)
        self.no_lease()
        c.expect_caught_up()
        c.expect_equal()

    def test_2_switched_on_by_a_kill_of_a_paused_replica(self):
        self.switched_on(signal.SIGKILL)

    def test_3_switched_on_by_a_restart_of_a_paused_replica(self):
        self.switched_on(signal.SIGTERM)

    # -- encrypted files that hold what is not applied

    def encrypted(self):
        self.encrypt(self.lines)
        self.restart()
        self.cluster.expect_caught_up()

    def received(self, at_least):
        """Where the receiver is, once it has that many transactions more than are applied."""
        def beyond():
            now, applied = self.cluster.replication("db1")["Gtid_IO_Pos"], self.cluster.value("db1", "SELECT @@GLOBAL.gtid_slave_pos")
            return now if int(now.split("-")[-1]) - int(applied.split("-")[-1]) >= at_least else ""
        return wait_until(beyond, 30, "%d transactions are received and not applied" % at_least)

    def killed_behind(self, n):
        """The server is killed with encrypted transactions that it has not applied. Returns up to where they reach."""
        self.encrypted()
        session = self.cluster.session("db1")
        try:
            session.sql("LOCK TABLES t.w READ")
            self.backlog(n)
            held = self.received(n)
            self.end_server(signal.SIGKILL)
        finally:
            session.client.kill()
        return held

    def goes_on(self, held):
        c = self.cluster
        self.said("all that was received is applied, up to " + held)
        c.expect_replicating("db1", 60)
        self.no_lease()
        c.expect_caught_up()
        c.expect_equal()

    def delay(self, seconds):
        self.cluster.sql("db1", "STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=%d; START SLAVE" % seconds)

    def test_4_after_a_shutdown_they_are_fetched_again(self):
        self.encrypted()
        self.delay(3600)
        self.backlog(30)
        held = self.received(30)
        self.end_server(signal.SIGTERM)
        self.cluster.must_sandbox("start", "db1")
        self.said("all that was received is applied, up to " + held)
        self.cluster.expect_replicating("db1", 60)
        self.delay(0)
        self.goes_on(held)

    def test_5_after_a_kill_that_tore_the_last_one_off(self):
        self.killed_behind(30)
        folder = os.path.join(self.cluster.folder, "db1", "data")
        index = glob.glob(folder + "/*relay*.index")[0]
        with open(index, encoding="utf-8") as f:
            newest = os.path.join(folder, f.read().split()[-1])
        os.truncate(newest, os.path.getsize(newest) - 7)
        self.cluster.must_sandbox("start", "db1")
        self.cluster.expect_replicating("db1", 60)
        self.no_lease()
        self.cluster.expect_caught_up()
        self.cluster.expect_equal()

    def test_6_they_stay_until_the_source_answers(self):
        c = self.cluster
        held = self.killed_behind(20)
        primary = c.pid("server0")
        os.kill(primary, signal.SIGSTOP)
        try:
            c.must_sandbox("start", "db1")
            self.said("they are fetched again as soon as its source has them. Now: ")
            now = c.replication("db1")
            self.assertEqual((now["Slave_IO_Running"], now["Slave_SQL_Running"]), ("No", "No"), "nothing is thrown away")
        finally:
            os.kill(primary, signal.SIGCONT)
        self.goes_on(held)

    def first_not_applied(self):
        """(relay file, position) of the first transaction that the files hold and that is not applied."""
        c = self.cluster
        applied = int(c.value("db1", "SELECT @@GLOBAL.gtid_slave_pos").split("-")[-1])
        index = glob.glob(os.path.join(c.folder, "db1", "data", "*relay*.index"))[0]
        with open(index, encoding="utf-8") as f:
            names = [os.path.basename(line) for line in f.read().split()]
        for name in names:
            for row in c.sql("db1", "SHOW RELAYLOG EVENTS IN '%s'" % name):
                if row[2] == "Gtid" and int(re.search(r"GTID \d+-\d+-(\d+)", row[5])[1]) > applied:
                    return name, row[1]
        raise AssertionError("nothing is left to apply")

    def test_7_what_the_source_has_purged_is_applied_by_hand(self):
        """As the runbook says it."""
        c = self.cluster
        held = self.killed_behind(20)
        c.sql("db0", "FLUSH BINARY LOGS")

        def purged():  # not while somebody is still sent one
            c.sql("db0", "PURGE BINARY LOGS TO '%s'" % c.sql("db0", "SHOW MASTER STATUS")[0][0])
            return len(c.sql("db0", "SHOW BINARY LOGS")) == 1
        wait_until(purged, 60, "the primary has purged what it has sent")
        c.must_sandbox("start", "db1")
        self.said("the source has purged what is missing here")
        self.end_agent(signal.SIGTERM)
        c.sql("db1", "CHANGE MASTER TO MASTER_USE_GTID=no, RELAY_LOG_FILE='%s', RELAY_LOG_POS=%s; START SLAVE SQL_THREAD" % self.first_not_applied())
        wait_until(lambda: c.value("db1", "SELECT @@GLOBAL.gtid_slave_pos") == held, 30, "all that the files hold is applied")
        c.sql("db1", "STOP SLAVE; CHANGE MASTER TO MASTER_USE_GTID=slave_pos; START SLAVE")
        self.started()
        c.expect_replicating("db1", 60)
        self.no_lease()
        c.expect_caught_up()
        c.expect_equal()


if __name__ == "__main__":
    main()
