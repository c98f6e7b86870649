#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How far a pause may go: limits of a job, and disks that fill. The replica resumes in every case, and it is told."""
import contextlib
import glob
import os
import shutil
import signal
import subprocess
import sys
import threading

from harness import main
from machine import Failed, running, wait_until
from agent_case import Base, Refused

MB = 1 << 20


def inside_own_mounts():
    """Small disks are mounted: an ordinary user does that in a name space of the kernel's, or fails loudly."""
    if os.getuid():
        os.execvp("unshare", ["unshare", "--user", "--map-root-user", "--mount", sys.executable, *sys.argv])


class GuardBase(Base):
    conf = ()  # agent.conf lines of db1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if cls.conf:
            cls.edit_conf("db1", *cls.conf)

    @classmethod
    def edit_conf(cls, node, *options):
        """Replaces these options and restarts the agent."""
        path = os.path.join(cls.cluster.folder, node, "agent.conf")
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
        names = [option.split(" ")[0] for option in options]
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join([line for line in lines if line.split(" ")[0].strip() not in names] + list(options)) + "\n")
        cls.restart_agent(node)

    @classmethod
    def restart_agent(cls, node):
        c = cls.cluster
        with contextlib.suppress(Failed):
            pid = c.pid("agent" + node[2:])
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not running(pid), 20, "end of the agent")
        c.must_sandbox("start", node)
        wait_until(lambda: cls.up(node), 20, "agent of " + node)

    @classmethod
    def up(cls, node):
        with contextlib.suppress(OSError):
            return cls.agents[int(node[2:])].state()["server"]["up"]
        return False

    def events(self, agent=None):
        return (agent or self.one).get("/v1/state?events_after=%d" % self.mark)["events"]

    def setUp(self):
        super().setUp()
        self.mark = self.one.state()["events_last"]

    def told(self, words, level=None, within_s=20):
        """The agent has an event that says so."""
        def there():
            return next((e for e in self.events() if words in e["text"] and (level is None or e["level"] == level)), None)
        return wait_until(there, within_s, lambda: '"%s" (%s) is told: %s' % (words, level, self.events()))

    def started(self, job="sleeps", args=(), **more):
        run = self.new_run()
        self.one.run(run, job=job, args=list(args), **more)
        self.one.expect(run, "running")
        return run

    def wide_rows(self, n, width=60000):
        """n transactions of `width` bytes on the primary."""
        self.cluster.sql("db0", "".join("INSERT INTO t.wide (v) VALUES (REPEAT('x', %d));\n" % width for _ in range(n)), within_s=120)

    def metric(self, name):
        _, text = self.one.get("/metrics", raw=True)
        values = [line.rsplit(" ", 1) for line in text.decode().splitlines() if not line.startswith("#")]
        return float(next(v for n, v in values if n.startswith(name)))


class Readings:
    """Limits whose readings come from the server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.sql("db0", "CREATE TABLE IF NOT EXISTS t.wide (id BIGINT AUTO_INCREMENT PRIMARY KEY, v MEDIUMTEXT) ENGINE=InnoDB")
        cls.cluster.expect_caught_up()

    def test_relay_bytes_warn_first_then_end_the_job(self):
        run = self.started(options={"limits": {"relay_bytes": 1000000}})
        self.wide_rows(15)
        self.told("near a limit: relay limit", "warn")
        self.assertEqual(self.one.run_state(run)["state"], "running")
        self.assertGreaterEqual(self.one.lease()["limit_percent"], 80)
        self.wide_rows(3)
        outcome, error, r = self.one.ended(run)
        self.assertEqual((outcome, r["error_kind"]), ("error", "no_space"))
        self.assertIn("relay limit: ", error)
        self.told("relay limit: ", "error")
        self.assertEqual(self.metric('siding_guard_hits_total{node="db1",limit="relay"}'), 1)

    def test_the_estimated_catch_up_time_is_a_limit(self):
        run = self.started()
        self.backlog(400)
        self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
        self.one.ended(run)
        run = self.started(options={"limits": {"catchup_ms": 20}})
        self.backlog(400)
        outcome, error, _ = self.one.ended(run)
        self.assertEqual(outcome, "error")
        self.assertIn("catch-up limit: catching up would take about", error)


class Limits(Readings, GuardBase):
    conf = ('stop_grace = "300s";', "min_free_bytes = 1000000L;")

    def test_kill_does_not_wait_for_a_stubborn_job(self):
        run = self.started("stubborn", options={"limits": {"relay_bytes": 300000, "at_limit": "kill"}})
        self.wide_rows(6)
        self.assertEqual(self.one.ended(run, 25)[0], "error")  # there was no grace

    def test_let_finish_only_tells(self):
        with self.job_held():
            run = self.started("read", ["1"], options={"limits": {"relay_bytes": 300000, "at_limit": "let-finish"}})
            self.wide_rows(6)
            self.told("relay limit: ", "error")
        self.assertEqual(self.one.ended(run)[:2], ("ok", None))

    def test_let_finish_has_a_hard_end(self):
        run = self.started(pause_limit_ms=2000, options={"limits": {"at_limit": "let-finish"}})
        outcome, error, r = self.one.ended(run)
        self.assertEqual((outcome, r["error_kind"]), ("error", "timeout"))
        self.assertIn("pause limit", error)

    def test_a_pause_by_hand_ends_at_its_limit_and_is_told(self):
        self.one.post("/v1/pause", for_s=1, reason="short", by="dba")
        wait_until(lambda: self.one.lease()["owner"] is None, 20, "the lease is gone")
        self.told("db1 is resumed: pause limit", "error")

    def test_wrong_limits_are_refused_before_anything_is_stopped(self):
        for options, words in (({"limits": {"relay_byte": 1}}, "relay_bytes"), ({"limits": {"at_limit": "wait"}}, "let-finish"),
                               ({"allow": ["everything"]}, "must be an array of downstream or delayed")):
            with self.assertRaises(Refused) as refused:
                self.one.run(self.new_run(), options=options)
            self.assertIn(words, refused.exception.text)
        self.assertIsNone(self.one.lease()["owner"])

    def test_events_wait_until_they_are_stored(self):
        self.one.post("/v1/pause", for_s=1, reason="short", by="dba")
        wait_until(lambda: self.one.lease()["owner"] is None, 20, "the lease is gone")
        event = self.told("db1 is resumed: pause limit")
        self.kill_agent("db1")
        self.cluster.must_sandbox("start", "db1")
        wait_until(lambda: self.up("db1"), 20, "agent of db1")
        self.assertIn(event, self.events(), "a killed agent has kept it")
        self.one.post("/v1/poll", term=self.one.state()["term"] or 1, events_stored=event["seq"])
        wait_until(lambda: event not in self.one.get("/v1/state?events_after=0")["events"], 5, "forgotten once it is stored")


class Disks:
    """The relay logs of db1 on a disk of 96 MB."""
    SIZE = 96 * MB

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        cls.disk = os.path.join(c.folder, "relay-disk")
        os.makedirs(cls.disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % cls.SIZE, "tmpfs", cls.disk], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "-l", cls.disk], check=True)
        c.sql("db0", "CREATE TABLE IF NOT EXISTS t.wide (id BIGINT AUTO_INCREMENT PRIMARY KEY, v MEDIUMTEXT) ENGINE=InnoDB")
        c.expect_caught_up()
        cls.move_relay_logs(os.path.join(c.folder, "db1", "data"))
        cls.replace(os.path.join(c.folder, "db1", "my.cnf"), "relay_log=relay\n", "relay_log=%s/relay\n" % cls.disk)
        cls.replace(os.path.join(c.folder, "db1", "agent.conf"), c.folder + "/db1/vault", cls.disk + "/vault")
        c.must_sandbox("start", "db1")
        cls.edit_conf("db1", "min_free_bytes = 40000000L;", "ballast_bytes = 8388608L;", 'stop_grace = "2s";', 'probe_interval = "100ms";')
        c.expect_replicating("db1")
        wait_until(lambda: os.path.exists(cls.disk + "/siding.ballast"), 20, "the ballast")

    @staticmethod
    def replace(path, old, new):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))

    def setUp(self):
        """The test before has left relay files as large as the disk allowed. They are applied, but a server gives one back only when
        it has gone on from the one after it."""
        super().setUp()

        def has_room():
            self.cluster.expect_caught_up()
            if self.one.state()["relay_free_bytes"] > 70 * MB:
                return True
            self.cluster.sql("db1", "FLUSH RELAY LOGS")
            self.wide_rows(1, 10)
            return False
        wait_until(has_room, 30, lambda: "the relay disk is free again: %s" %
                   subprocess.run(["ls", "-lR", self.disk], capture_output=True, text=True, check=True).stdout)

    def accepted(self, job):
        try:
            return self.started(job)
        except Refused:
            return None

    def test_a_relay_disk_filled_by_others_does_not_keep_the_replica(self):
        # What was written before counts as this primary's rate for a while.
        run = wait_until(lambda: self.accepted("stubborn"), 150, "the pause is allowed again")
        foreign = os.path.join(self.disk, "foreign")
        # In one piece: a writer still at it would take what the ballast gives back.
        left = os.statvfs(self.disk)
        with open(foreign, "wb") as f:
            os.posix_fallocate(f.fileno(), 0, left.f_bavail * left.f_frsize)
        self.wide_rows(20)
        self.told("the ballast of 8388608 bytes has been removed", "error")
        outcome, error, _ = self.one.ended(run, 120)
        self.assertEqual(outcome, "error")
        self.assertIn("the disk of the relay logs is nearly full", error)
        self.cluster.expect_replicating("db1", 90)
        os.unlink(foreign)
        self.cluster.expect_caught_up()
        wait_until(lambda: os.path.exists(self.disk + "/siding.ballast"), 30, "the ballast is back")

    def test_a_filling_relay_disk_ends_the_job_in_time(self):
        run = self.started()
        stop = threading.Event()
        writer = threading.Thread(target=self.fill_slowly, args=(stop,))
        writer.start()
        try:
            outcome, error, r = self.one.ended(run, 90)
        finally:
            stop.set()
            writer.join()
        self.assertEqual((outcome, r["error_kind"]), ("error", "no_space"))
        self.assertIn("the disk of the relay logs is nearly full", error)
        self.told("the disk of the relay logs is nearly full", "error")
        self.assertTrue(os.path.exists(self.disk + "/siding.ballast"), "it was not needed")
        self.cluster.expect_caught_up()

    def fill_slowly(self, stop):
        while not stop.is_set():
            self.wide_rows(10, 100000)
            stop.wait(0.2)

    def test_a_full_relay_disk_refuses_the_pause(self):
        foreign = os.path.join(self.disk, "foreign")
        with open(foreign, "wb", buffering=0) as f:
            f.write(b"x" * (50 * MB))
        try:
            wait_until(lambda: self.one.state()["relay_free_bytes"] < 40000000, 10, "seen")
            with self.assertRaises(Refused) as refused:
                self.one.run(self.new_run())
            self.assertIn("must stay free", refused.exception.text)
        finally:
            os.unlink(foreign)
        wait_until(lambda: self.one.state()["relay_free_bytes"] > 40000000, 10, "seen")


class DisksMariaDB(Disks, GuardBase):

    @classmethod
    def move_relay_logs(cls, data):
        cls.cluster.stop("db1")
        for name in glob.glob(data + "/relay.*"):
            shutil.move(name, cls.disk)
        for path in (cls.disk + "/relay.index", data + "/relay-log.info"):
            cls.replace(path, "./", cls.disk + "/")


class Held:

    def test_preflight_and_holds(self):
        self.cluster.sql("db0", "CREATE TABLE t.nokey (a INT) ENGINE=InnoDB; INSERT INTO t.nokey VALUES (1); "
                         "SET GLOBAL binlog_expire_logs_seconds=600")
        self.cluster.expect_caught_up()
        found = {f["name"]: f["level"] for f in self.one.get("/v1/preflight")}
        self.assertEqual((found["downstream"], found["grants"]), ("ok", "ok"))
        self.assertIn("relay_disk", found)  # how it is judged is this host's affair
        self.assertIn("keyless_changes", found)
        self.assertEqual({f["name"]: f["level"] for f in self.primary.get("/v1/preflight")}["purge_horizon"], "warning")
        self.primary.post("/v1/purge-hold", owner="db1", keep_s=7200, for_s=3)
        expire = "SELECT @@GLOBAL.binlog_expire_logs_seconds"
        wait_until(lambda: self.cluster.value("db0", expire) == "7200", 10, "raised")
        wait_until(lambda: self.cluster.value("db0", expire) == "600", 20, "put back without anybody asking")


class MySQL(Disks, Readings, Held, GuardBase):
    """Left out: what is decided without a reading, and a disk that others fill, which is the agent's affair."""
    flavor, replicas = "mysql", 1
    test_a_relay_disk_filled_by_others_does_not_keep_the_replica = None

    @classmethod
    def move_relay_logs(cls, data):
        """Where they are stands in a table."""
        cls.cluster.kill("agent1")
        cls.cluster.sql("db1", "STOP REPLICA; RESET REPLICA")
        cls.cluster.stop("db1")


if __name__ == "__main__":
    inside_own_mounts()
    main()
