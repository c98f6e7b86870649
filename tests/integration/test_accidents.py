#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One agent and its server, and what must come of every kind of accident: killed agents, jobs, servers and hosts, full
disks, a statement without an answer."""
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

from agent_case import Base, Load, Refused
from harness import main
from machine import Failed, running, wait_until


class Accidents(Base):

    def test_an_agent_killed_in_any_state_goes_on_where_it_was(self):
        for state in ("pausing", "frozen", "running", "sealing", "resuming"):
            with self.subTest(state=state), Load(self.cluster, 0.001):
                run = self.new_run()
                with self.held_in(run, state):
                    self.one.expect(run, state)
                    self.kill_agent("db1")
                self.cluster.must_sandbox("start", "db1")
                if state == "frozen":
                    self.one.expect(run, "frozen")
                    self.one.call("POST", "/v1/runs/%s/go" % run, {})
                self.assertEqual(self.one.ended(run)[:2], ("ok", None), state)
                self.assertEqual(self.result("db1", run, "begin.tsv.gz"), self.result("db1", run, "end.tsv.gz"))

    @contextlib.contextmanager
    def held_in(self, run, state):
        """The run comes to this state and stays there to the end of the block."""
        c, end = self.cluster, self.folder("db1", "spool", run, "end.tsv")
        with contextlib.ExitStack() as held:
            if state == "pausing":  # the applier does not stop in the middle of a transaction
                held.enter_context(c.table_held("db1", "t.w", "READ"))
                wait_until(lambda: "lock" in str(c.sql("db1", "SHOW PROCESSLIST")), 20, "the applier waits for the table")
            with self.job_held():
                self.one.run(run, args=["1"], barrier=state == "frozen")
                if state in ("running", "sealing", "resuming"):
                    wait_until(lambda: os.path.exists(end) and os.path.getsize(end), 60, "the job has read")
                if state == "running":
                    yield
                    return
                if state == "sealing":
                    held.enter_context(c.file_held(end))
                elif state == "resuming":
                    held.enter_context(c.table_held("db1", "t.w", "READ"))
                    before = c.position("db0")
                    wait_until(lambda: c.position("db0") != before, 20, "there is something to apply")
            yield

    def test_an_agent_killed_while_it_aligns_or_stops_for_nobody_lets_the_replica_go(self):
        """The lease says what was begun; nobody is left who waits for how it ends."""
        for state, forget_run in (("aligning", False), ("pausing", True)):
            with self.subTest(state=state):
                run = self.new_run()
                self.one.run(run, barrier=True, args=["1"])
                self.one.expect(run, "frozen")
                self.kill_agent("db1")
                lease = self.cluster.journal("db1")["lease"]
                self.cluster.leave_old_file("db1", "lease.json",
                                            dict(lease, state=state, owner="999.1" if forget_run else lease["owner"]))
                self.cluster.must_sandbox("start", "db1")
                self.cluster.expect_replicating("db1", 20)
                wait_until(lambda: not self.one.state()["lease"].get("owner"), 20, "end of the lease")
                if not forget_run:
                    outcome, error, _ = self.one.ended(run)
                    self.assertEqual(outcome, "error")
                    self.assertIn("while the replica was brought to the common GTID", error)

    def test_a_stopped_agent_leaves_its_job_running(self):
        run = self.new_run()
        with self.job_held():
            self.one.run(run, args=["1"])
            self.one.expect(run, "running")
            pid = self.process_of("db1", run)["job_pid"]
            agent = self.cluster.pid("agent1")
            os.kill(agent, signal.SIGTERM)
            wait_until(lambda: not running(agent), 20, "end of the agent")
        wait_until(lambda: not running(pid), 30, "the job ends by itself")
        self.assertEqual(self.cluster.replication("db1")["sql"], "No", "still frozen: the result is not sealed")
        self.cluster.must_sandbox("start", "db1")
        self.assertEqual(self.one.ended(run)[:2], ("ok", None))

    def test_a_killed_job_or_supervisor_ends_the_run_cleanly(self):
        for who, words in (("job_pid", "killed by signal 9"), ("pid", "its supervisor was killed")):
            run = self.new_run()
            self.one.run(run, job="strays", args=[])
            self.one.expect(run, "running")
            process = self.process_of("db1", run)
            time.sleep(0.3)
            self.cluster.kill_pid(process[who])
            outcome, error, _ = self.one.ended(run)
            self.assertEqual(outcome, "error")
            self.assertIn(words, error)
            wait_until(lambda p=process: not running(p["job_pid"]), 5, "the job is gone")

    def test_a_lost_host_comes_back_replicating(self):
        run = self.new_run()
        self.one.run(run, job="sleeps", args=[])
        self.one.expect(run, "running")
        pid = self.process_of("db1", run)["job_pid"]
        self.backlog(300)
        self.cluster.kill("db1")
        self.assertFalse(running(pid))
        self.cluster.start("db1")
        self.assertEqual(self.one.ended(run)[0], "error")
        self.cluster.expect_caught_up()

    def test_a_restarted_replica_is_started_by_its_agent(self):
        self.cluster.kill("server1")
        self.backlog(50)
        self.cluster.must_sandbox("start", "db1")
        self.cluster.expect_replicating("db1")
        self.cluster.expect_caught_up()

    def test_a_held_pause_survives_a_restart_of_the_server(self):
        self.one.post("/v1/pause", for_s=300, reason="DROP went through", by="dba", hold=True)
        gtid = self.one.lease()["gtid"]
        self.cluster.kill("server1")
        self.cluster.must_sandbox("start", "db1")
        wait_until(lambda: any("held" in line for line in self.agent_log("db1")[-5:]), 20, "the agent met the server")
        time.sleep(1)
        r = self.cluster.replication("db1")
        self.assertEqual((r["io"], r["sql"]), ("No", "No"))
        self.assertEqual(self.one.lease()["gtid"], gtid)
        self.one.post("/v1/resume", by="dba", reason="rows are saved")

    def agent_log(self, node):
        with open(self.folder(node, "agent.log"), encoding="utf-8") as f:
            return f.read().splitlines()

    def test_a_full_disk_ends_the_job_and_removes_what_it_wrote(self):
        # min_free_bytes: seen in time by the agent; without it: the job itself meets the end of the disk.
        for keep in (8 << 20, 0):
            with self.small_disk(40 << 20) as disk, \
                    self.changed_conf("db1", 'spool_dir = "%s/spool";' % disk, "min_free_bytes = %dL;" % (self.used(disk, 40 << 20) + keep)):
                run = self.new_run()
                self.one.run(run, job="fills", args=[])
                outcome, error, r = self.one.ended(run)
                self.assertEqual((outcome, r["error_kind"]), ("error", "no_space"), error)
                self.assertIn("the disk is full", error)
                self.assertEqual(os.listdir(disk + "/spool"), [])

    def test_a_spool_may_be_bounded(self):
        with self.changed_conf("db1", "result = { spool_limit_bytes = 30000000; };", "min_free_bytes = 1000000L;"):
            run = self.new_run()
            self.one.run(run, job="fills", args=[])
            outcome, error, r = self.one.ended(run)
            self.assertEqual((outcome, r["error_kind"]), ("error", "no_space"), error)
            self.cluster.expect_replicating("db1")

    def test_a_full_state_folder_does_not_keep_the_replica(self):
        if os.getuid():
            return  # only root can mount a small disk
        with self.small_disk(12 << 20) as disk:
            with self.changed_conf("db1", 'state_dir = "%s/agent";' % disk, "min_free_bytes = 0L;"):
                run = self.new_run()
                self.one.run(run, job="sleeps", args=[])
                self.one.expect(run, "running")
                with contextlib.suppress(OSError), open(disk + "/ballast", "wb", buffering=0) as f:
                    while True:
                        f.write(b"x" * 4096)
                self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
                self.one.ended(run)
                self.cluster.expect_replicating("db1")
                os.unlink(disk + "/ballast")

    @contextlib.contextmanager
    def small_disk(self, size):
        """A folder on a file system of its own; without root one in memory, as large as it is."""
        if os.getuid():
            folder = tempfile.mkdtemp(prefix="siding-test", dir="/dev/shm")
        else:
            folder = self.folder("disk")
            os.makedirs(folder, exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % size, "tmpfs", folder], check=True)
        try:
            yield folder
        finally:
            if os.getuid():
                shutil.rmtree(folder)
            else:
                subprocess.run(["umount", "-l", folder], check=True)

    @staticmethod
    def used(disk, size):
        """How much of it may not be used, so that `size` is left."""
        v = os.statvfs(disk)
        return max(0, v.f_bavail * v.f_frsize - size)

    @contextlib.contextmanager
    def changed_conf(self, node, *options):
        path = self.folder(node, "agent.conf")
        with open(path, encoding="utf-8") as f:
            old = f.read()
        names = [option.split(" ")[0] for option in options]
        kept = [line for line in old.splitlines() if line.split(" ")[0].strip() not in names]
        try:
            self.write_conf(node, path, "\n".join(kept + list(options)) + "\n")
            yield
        finally:
            wait_until(lambda: self.agents[int(node[2:])].lease()["owner"] is None, 60, "the lease is gone")
            self.write_conf(node, path, old)

    def write_conf(self, node, path, text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        with contextlib.suppress(Failed):
            pid = self.cluster.pid("agent" + node[2:])
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not running(pid), 20, "end of the agent")
        self.cluster.must_sandbox("start", node)
        wait_until(lambda: self.answers(node), 20, "agent of " + node)

    def test_a_stop_without_an_answer_is_awaited_and_undone(self):
        c = self.cluster
        with self.changed_conf("db1", 'stop_timeout = "1s";'):
            with c.table_held("db1", "t.w", "READ"):  # the applier cannot be stopped in the middle of a transaction
                c.sql("db0", "INSERT INTO t.w (v) VALUES ('s')")
                wait_until(lambda: "lock" in str(c.sql("db1", "SHOW PROCESSLIST")), 20, "the applier waits for the table")
                with self.assertRaises(Refused) as refused:
                    self.one.post("/v1/pause", for_s=60, reason="x", by="dba")
                self.assertEqual(refused.exception.status, 503)
                self.assertEqual(self.one.lease()["phase"], "pausing", "the lease is kept until the thread is seen stopped")
            wait_until(lambda: self.one.lease()["owner"] is None, 40, "started again")
        c.expect_replicating("db1")


if __name__ == "__main__":
    main()
