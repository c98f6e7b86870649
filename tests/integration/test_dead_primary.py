#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What other managers of failovers got wrong, on real servers: stories in which the primary dies, or looks as if it had.
docs/testing.md names the others."""
import contextlib
import os
import re
import signal
import time

from harness import ClusterTest, main
from machine import running, wait_until
from test_failover import Clients
from test_switchover import Probes, Replaced


class Dead(Replaced):
    """Automatic: each test begins with a primary that is well and two members, and leaves them so."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.sql("db0", "CREATE USER locker@localhost; GRANT RELOAD ON *.* TO locker@localhost;"
                        " GRANT SELECT, UPDATE, LOCK TABLES ON t.* TO locker@localhost")
        cls.cluster.expect_caught_up()
        cls.restart_sidingd("true")

    def setUp(self):
        self.begin_well()
        self.others = [n for n in self.cluster.nodes if n != self.old]

    def configure(self, text):
        self.set_failover("true", text)
        os.kill(self.cluster.pid("sidingd"), signal.SIGHUP)


class Winner(Dead):
    """What keeps the winner from being one."""

    def locks(self):
        """Statements of sessions that keep the winner from being one, and what it has to apply besides."""
        return [("FLUSH TABLES WITH READ LOCK", True), ("FLUSH TABLES WITH READ LOCK", False),
                ("LOCK TABLES t.w READ", True), ("LOCK TABLES t.w READ", False), ("LOCK TABLES t.probe READ", True),
                ("BEGIN; SELECT * FROM t.w LOCK IN SHARE MODE", True)] + {
                    "mariadb": [("BACKUP STAGE START; BACKUP STAGE BLOCK_COMMIT", True),
                                ("BACKUP STAGE START; BACKUP STAGE BLOCK_COMMIT", False)],
                    "mysql": []}[self.flavor]

    def test_1_locks_of_others_on_the_winner(self):
        """They are ended; whose they were is told."""
        for lock, busy in self.locks():
            with self.subTest(lock=lock, busy=busy):
                self.setUp()
                self.locked_winner(lock, busy)

    def only_winner(self):
        """The first of the others, which is told to be the only one that may win."""
        winner, other = self.others
        self.configure('never = [ "%s" ];' % other)
        wait_until(lambda: any("failover.never" in t for t in self.node(other)["never"]), 20, "the rules are read")
        return winner

    def node(self, name):
        return next(n for n in self.ask("failover", "--dry-run")["nodes"] if n["name"] == name)

    def locked_winner(self, lock, busy):
        winner = self.only_winner()
        self.cluster.sql(self.old, "REPLACE INTO t.w (id, k) VALUES (1, 'locked')")
        self.cluster.expect_caught_up()
        with self.cluster.session(winner, "locker") as s:
            s.sql(lock)
            if busy:  # and nothing under way: what only the old primary had would keep it from coming back
                clients = Clients(self.cluster, self.old)
                clients.await_more(50)
                type(self).told += clients.stop()
                self.cluster.sql(self.old, "UPDATE t.w SET k = 'locked too' WHERE id = 1")
            self.cluster.kill("server" + self.old[2:])
            begun = time.monotonic()
            self.await_another()
            print("# %s%s: %.1f s" % (lock, ", busy" if busy else "", time.monotonic() - begun))
            self.cluster.sql(winner, "INSERT INTO t.w (k) VALUES ('open'); INSERT INTO t.probe VALUES ('x', 0)", within_s=10)
            self.expect_there(winner)
            self.say()
            self.assertRegex(self.events(), winner + r": .*the sessions of clients are ended \(1\), the longest of them session \d+ \(locker@")
        self.configure("")
        self.comes_back(self.old)

    def only_donor_has(self, winner, text):
        """What another alone has received, and the client was told of. The primary dies after it."""
        self.cluster.sql(winner, "STOP REPLICA IO_THREAD")
        told = ["%s-%d" % (text, i) for i in range(20)]
        for k in told:
            self.cluster.sql(self.old, "INSERT INTO t.w (k) VALUES ('%s')" % k)
        self.cluster.kill("server" + self.old[2:])
        type(self).told += told

    def donor_gave(self, winner):
        self.assertEqual(winner, self.await_another())
        self.say()
        self.expect_there(winner)
        self.configure("")
        self.comes_back(self.old)

    def test_2_a_donor_gives_what_the_winner_lacks(self):
        """It was asked for, and another has received more."""
        winner = self.only_winner()
        self.only_donor_has(winner, "donor")
        self.donor_gave(winner)

    def test_4_a_donor_that_has_not_applied_it(self):
        """Delayed on purpose, stopped, locked, paused: nobody waits for that, and the delay is there again."""
        for late in ("delayed", "stopped", "locked", "paused"):
            with self.subTest(late=late):
                self.setUp()
                winner = self.only_winner()
                donor = self.others[1]
                with self.late(donor, late):
                    self.only_donor_has(winner, late)
                    self.assertEqual("0", self.cluster.value(donor, "SELECT COUNT(*) FROM t.w WHERE k LIKE '%s-%%'" % late))
                    begun = time.monotonic()
                    self.donor_gave(winner)
                    print("# %s: %.1f s" % (late, time.monotonic() - begun))
                    self.await_member(donor)

    @contextlib.contextmanager
    def late(self, donor, how):
        if how == "delayed":
            self.delay(donor, 3600)
            yield
            self.assertEqual(3600, self.server(donor)["delay_s"])
            self.delay(donor, 0)
        elif how == "stopped":
            self.cluster.sql(donor, "STOP REPLICA SQL_THREAD")
            yield
        elif how == "locked":
            with self.cluster.session(donor, "locker") as s:
                s.sql("FLUSH TABLES WITH READ LOCK")
                yield
        else:
            self.cluster.siding("replica", "pause", donor, "--for", "10m", "--reason", "test")
            yield

    def delay(self, node, seconds):
        if seconds:
            self.cluster.expect_caught_up()
        self.cluster.change_source(node, "DELAY", seconds)
        wait_until(lambda: self.server(node)["delay_s"] == seconds, 20, "the delay is read")
        self.await_member(node)

    def server(self, node):
        return next(n["agent"]["server"] for n in self.ask("status")["nodes"] if n["name"] == node)


class Hangs(Dead):
    def test_a_server_that_hangs(self):
        probes = Probes(self.cluster)
        clients = Clients(self.cluster, self.old)
        clients.await_more(50)
        pid = self.cluster.pid("server" + self.old[2:])
        os.kill(pid, signal.SIGSTOP)
        begun = time.monotonic()
        try:
            winner = self.await_another()
            print("# replaced after %.1f s" % (time.monotonic() - begun))
            self.say()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.expect_told(winner, clients)
        self.assertEqual([], probes.stop())
        wait_until(lambda: not running(pid), 30, "it was ended")
        self.comes_back(self.old)


class WinnerMariadb(Winner, ClusterTest):
    flavor = "mariadb"


class WinnerMysql(Winner, ClusterTest):
    flavor = "mysql"

    def test_3_a_session_that_only_a_person_may_end_is_named(self):
        """Accounts with SYSTEM_USER; and the mend that is printed is one."""
        winner = self.only_winner()
        with self.cluster.session(winner) as s:
            s.sql("FLUSH TABLES WITH READ LOCK")
            self.cluster.sql(self.old, "INSERT INTO t.w (k) VALUES ('locked')")
            self.cluster.kill("server" + self.old[2:])

            def mend():
                return re.search(r"the failover waits: .*To mend it: (KILL \d+) as an account with SYSTEM_USER", self.events())
            self.cluster.sql(winner, wait_until(mend, 60, self.events)[1])
            self.await_another()
            self.say()
        self.configure("")
        self.comes_back(self.old)


class HangsMariadb(Hangs, ClusterTest):
    flavor = "mariadb"


class HangsMysql(Hangs, ClusterTest):
    flavor = "mysql"


del Replaced, Dead, Winner, Hangs

if __name__ == "__main__":
    main()
