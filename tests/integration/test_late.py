#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An agent that stands still reads its orders late: by then the task may be with another host. It runs once."""
import json
import os
import signal
import subprocess
import time

from harness import BUILD, ClusterTest, main
from machine import wait_until

JOB = """
name = "once"; kind = "command"; on = "replica"; program = "/bin/bash";
args = [ "-c", "echo $SIDING_RUN_ID >>%s/truth" ];
"""


class Late:
    replicas = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.job("once", JOB % c.folder)
        wait_until(lambda: all("once" in str(n["agent"].get("jobs")) for n in c.siding("cluster", "status")["nodes"]), 30, "the job is known")

    def truth(self):
        path = os.path.join(self.cluster.folder, "truth")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            return f.read().split()

    def test_1_a_thawed_agent_does_not_begin_what_another_has_done(self):
        c = self.cluster
        c.siding("replica", "cordon", "db2", "--reason", "test")
        agent = c.pid("agent1")
        os.kill(agent, signal.SIGSTOP)
        try:
            task = c.submit("command", "--on", "replica", "--attempts", "3", "--backoff", "1s", "once")
            c.expect_run_state(task, "claimed", 20)
            self.assertEqual(c.last_run(task)["nodes"], ["db1"])
            c.siding("replica", "uncordon", "db2")
            c.expect_state(task, "done", 150)
        finally:
            os.kill(agent, signal.SIGCONT)
        run = c.last_run(task)
        self.assertEqual(run["nodes"], ["db2"], c.describe(task))
        self.assertEqual(self.truth(), [run["id"]])
        wait_until(lambda: c.siding("cluster", "status")["nodes"][1]["state"] == "serving", 60, "db1 serves again")
        time.sleep(5)  # what waited in its sockets has been read
        self.assertEqual(self.truth(), [run["id"]])
        again = c.submit("command", "--on", "replica", "--host", "db1", "once")
        c.expect_state(again, "done", 60)
        self.assertEqual(self.truth(), [run["id"], "%s.1" % again])

    def supervise(self, name, **more):
        folder = os.path.join(self.cluster.folder, name)
        os.makedirs(folder)
        spec = {"program": "/bin/sh", "args": ["-c", "echo ran >%s/ran" % folder], "env": [], "stop_grace_ms": 1000, "sleep_grace_ms": 1000}
        with open(os.path.join(folder, "spec.json"), "w", encoding="utf-8") as f:
            json.dump(dict(spec, **more), f)
        subprocess.run([os.path.join(BUILD, "siding-run"), "supervise", folder], timeout=30, check=False)
        with open(os.path.join(folder, "exit.json"), encoding="utf-8") as f:
            return json.load(f), os.path.exists(os.path.join(folder, "ran"))

    def test_2_the_supervisor_looks_last(self):
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
            boot = f.read().strip()
        now = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
        for name, more, late in (("in-time", {"start_by": {"boot_id": boot, "mono_ms": now + 60000}}, False),
                                 ("any-time", {}, False),
                                 ("late", {"start_by": {"boot_id": boot, "mono_ms": now - 1}}, True),
                                 ("of-another-boot", {"start_by": {"boot_id": "another", "mono_ms": now + 60000}}, True)):
            end, ran = self.supervise(name, **more)
            self.assertEqual((end["late"], end["started"], ran), (late, not late, not late), name)


class MariaDB(Late, ClusterTest):
    flavor = "mariadb"


if __name__ == "__main__":
    main()
