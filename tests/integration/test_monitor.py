#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siding monitor on a terminal of tmux, with a real cluster behind it: keys go in, what stands on the screen is
read. How screens look is compared with files in tests/unit/test_monitor.c."""
import os
import shutil
import subprocess
import tempfile

from harness import BUILD, ClusterTest, Failed, call, main, wait_until

SIDING = os.path.join(BUILD, "siding")

class Screen:
    """A terminal with the monitor on it; closed at the end, whatever happens."""

    def __init__(self, cluster, *options, columns=80, lines=24, env=None):
        self.folder = tempfile.mkdtemp(prefix="sdm", dir="/tmp")
        settings = {"SIDING_CONFIG": cluster.env["SIDING_CONFIG"], "LC_ALL": "C.UTF-8", "TZ": "UTC", "USER": "ann", "SUDO_USER": "",
                    "NO_COLOR": "", **(env or {})}
        words = ["env", *["%s=%s" % pair for pair in settings.items()], SIDING, "monitor", *options]
        status_file = os.path.join(self.folder, "status")
        line = " ".join("'%s'" % w.replace("'", "'\\''") for w in words) + f"; echo $? >{status_file}; sleep 600"
        self.status_file = status_file
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", "m", "-x", str(columns), "-y", str(lines), line)

    def tmux(self, *words):
        status, out, err = call("tmux", "-S", os.path.join(self.folder, "tmux"), *words, env={"LC_ALL": "C.UTF-8"})
        if status:
            raise Failed("tmux %s: %s" % (" ".join(words), err))
        return out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["tmux", "-S", os.path.join(self.folder, "tmux"), "kill-server"], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def text(self):
        return self.tmux("capture-pane", "-p", "-t", "m")

    def press(self, *keys):
        self.tmux("send-keys", "-t", "m", *keys)

    def type(self, text):
        self.tmux("send-keys", "-t", "m", "-l", text)
        self.press("Enter")

    def see(self, *parts, within_s=10):
        return wait_until(lambda: all(p in self.text() for p in parts) and self.text(), within_s,
                          lambda: "on the screen: %r; there is:\n%s" % (parts, self.text()))

    def gone(self, part, within_s=10):
        wait_until(lambda: part not in self.text(), within_s, lambda: "not on the screen any more: %r; there is:\n%s" % (part, self.text()))

    def choose(self, view, word):
        """Goes to a view's line."""
        self.press(view, "g")
        self.see(word)  # a search goes through the lines that are there
        self.press("/")
        self.type(word)
        self.see_chosen(word)

    def see_chosen(self, word):
        def chosen():
            return [line for line in self.text().splitlines() if line.startswith(">") and word in line]
        wait_until(chosen, 10, lambda: "the cursor on %r; there is:\n%s" % (word, self.text()))


class Night(ClusterTest):
    """One cluster; each method is a situation of docs/monitor.md, solved by its keys."""
    replicas = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        for name, text in (("slow", 'for i in $(seq 1 600); do echo "{\\"done\\":$i,\\"total\\":600,\\"unit\\":\\"rows\\"}" >&3; '
                                    'echo "step $i"; sleep 1; done\n'),
                           ("fails", 'echo reading; echo "orders: page 7 cannot be read" >&2; exit 3\n')):
            program = os.path.join(c.folder, name + ".sh")
            with open(program, "w", encoding="utf-8") as f:
                f.write("#!/bin/bash\n" + text)
            os.chmod(program, 0o755)
            c.job(name, f'name = "{name}"; kind = "command"; on = "replica"; program = "{program}";\n')


    def tearDown(self):
        for task in self.cluster.siding("task", "list"):
            if task["state"] in ("running", "sleeping", "scheduled", "stopping"):
                self.cluster.siding("task", "kill", str(task["id"]))
                self.cluster.expect_state(str(task["id"]), "killed")
            elif task["state"] == "waiting":
                self.cluster.siding("task", "delete", str(task["id"]))
            elif task["state"] in ("error", "done_with_errors"):
                self.cluster.siding("task", "ack", str(task["id"]))

    def submit(self, *words):
        return self.cluster.submit(*words)

    def test_a_log_is_followed(self):
        task = self.submit("slow")
        self.cluster.expect_run_state(task, "running")
        with Screen(self.cluster) as s:
            s.choose("2", "slow")
            s.press("l")
            s.see("step 2", "followed")
            s.see("step 6", within_s=20)
            s.press("g")
            s.see("step 1\n")
            s.gone("followed")
            s.press("q")
            s.choose("2", "slow")
            s.press("k")
            s.see("Kill task")
            s.press("y")
            self.cluster.expect_state(task, "killed")

    def test_a_replica_is_paused_and_resumed(self):
        with Screen(self.cluster, columns=120) as s:
            s.choose("5", "db2")
            s.press("s")
            s.see("for how long")
            s.type("2h")
            s.see("reason")
            s.type("a look at orders")
            s.see("paused", "1 h 59 min", "a look at orders", "ann", within_s=30)
            self.cluster.sql("db0", "CREATE DATABASE IF NOT EXISTS m; CREATE TABLE IF NOT EXISTS m.t (a INT); INSERT INTO m.t VALUES (1)")
            s.see("buffered")
            s.press("w")
            s.see("resume db2: taken")
            s.gone("a look at orders", within_s=30)
        self.cluster.expect_caught_up()

    def test_viewers_see_what_they_may_not_do(self):
        task = self.submit("slow", "-P", "-20")
        with Screen(self.cluster, "--read-only") as s:
            s.see("READ ONLY")
            s.choose("2", "slow")
            s.press("d")
            s.see("look only")
        self.assertEqual(self.cluster.task(task)["state"], "waiting")

    def test_it_needs_a_terminal(self):
        status, out, err = call(SIDING, "monitor", env=self.cluster.env)
        self.assertEqual((status, out), (2, ""))
        self.assertIn("needs a terminal", err)


if __name__ == "__main__":
    main()
