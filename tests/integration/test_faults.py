#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A short slice of the fault schedules, run as a developer would; docs/testing.md tells of the long runs."""
import contextlib
import glob
import json
import os
import signal
import subprocess
import tempfile
import unittest

from harness import ROOT, main
from machine import slack, wait_until

FAULTS = os.path.join(ROOT, "scripts", "faults")
SLICE = "kill_agent:running,lose_primary:running,named:before"


class Faults(unittest.TestCase):
    def faults(self, *args, within_s=400):
        return subprocess.run([FAULTS, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=within_s * slack(), check=False)


class OnMySQL(Faults):
    flavor = "mysql"

    def test_a_server_killed_under_a_job_and_one_that_goes_on_with_encrypted_logs(self):
        done = self.faults("--flavor", "mysql", "--seeds", "kill_server:running,encrypt:running")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, "(?m)^ok - kill_server:running")
        self.assertRegex(done.stdout, r"(?m)^encrypt +1 +1 +0$")


class Slice(Faults):
    def test_a_slice_of_schedules_holds(self):
        with tempfile.TemporaryDirectory(prefix="sdt") as folder:
            out = os.path.join(folder, "outcomes.json")
            done = self.faults("--seeds", SLICE, "--json", out)
            self.assertEqual(done.returncode, 0, done.stdout)
            with open(out, encoding="utf-8") as f:
                outcomes = {o["name"]: o for o in json.load(f)}
            again = self.faults("--seeds", SLICE, "--json", out, "--continue")
            cells = self.faults("--cells", out)
        self.assertEqual(sorted(outcomes), ["kill_agent:running:totals", "lose_primary:running:totals", "named:before:totals"])
        self.assertTrue(all(o["ok"] for o in outcomes.values()))
        self.assertTrue(any("agent" in s and "killed" in s for s in outcomes["kill_agent:running:totals"]["struck"]))
        self.assertTrue(any("has a name" in s for s in outcomes["named:before:totals"]["struck"]))
        self.assertIn("totals error", outcomes["lose_primary:running:totals"]["tasks"])
        self.assertEqual((again.returncode, again.stdout.count("\nok - ")), (0, 0), again.stdout)
        self.assertRegex(cells.stdout, r"(?m)^lose_primary +0 +0 +1 ")

    def test_a_schedule_is_printed_without_running_it(self):
        done = self.faults("--seeds", "17", "--plan")
        # An ordinary user is told before it that disks are left out.
        self.assertEqual(json.loads(done.stdout[done.stdout.index("{"):])["name"], "17")
        self.assertEqual(done.stdout, self.faults("--seeds", "17", "--plan").stdout)

    def test_unknown_schedules_are_told(self):
        done = self.faults("--seeds", "kill_everybody:running")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no such schedule: kill_everybody:running", done.stdout)

    def test_interrupted_it_leaves_nothing(self):
        run = subprocess.Popen([FAULTS, "--seeds", "1-3"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

        def below(pid):
            children = []
            for path in glob.glob("/proc/%d/task/*/children" % pid):  # a thread's children are its own
                with contextlib.suppress(OSError), open(path, encoding="ascii") as f:
                    children += [int(p) for p in f.read().split()]
            return children + [p for c in children for p in below(c)]

        def is_worker(pid):
            with contextlib.suppress(OSError), open("/proc/%d/cmdline" % pid, encoding="utf-8") as f:
                return "--worker" in f.read()
            return False
        workers = wait_until(lambda: [p for p in below(run.pid) if is_worker(p)], 60, "a worker")
        run.send_signal(signal.SIGTERM)
        self.assertEqual(run.wait(120), 130)
        wait_until(lambda: not any(os.path.exists("/proc/%d" % p) for p in workers), 120, "end of the workers")


if __name__ == "__main__":
    main()
