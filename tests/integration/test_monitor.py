#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siding monitor on a terminal of tmux, with a real cluster behind it: keys go in, what stands on the screen is
read. How screens look is compared with files by tests/unit/monitor_night.c."""
import os
import re
import shutil
import subprocess
import tempfile

from harness import BUILD, ROOT, ClusterTest, main
from machine import Failed, call, wait_until

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


# ---------------------------------------------------------------- ten nights

SPECIAL = {"Enter": "Enter", "Esc": "Escape", "Ctrl-U": "C-u"}


def keys_of_nights():
    """{night: what stands between backticks behind "Keys:"} of docs/monitor.md."""
    with open(os.path.join(ROOT, "docs", "monitor.md"), encoding="utf-8") as f:
        text = f.read().partition("## Ten nights")[2]
    nights = re.findall(r"^\*\*(\d+)\. .*?^Keys: (.*?)^Then: ", text, re.MULTILINE | re.DOTALL)
    return {int(n): re.findall("`([^`]+)`", keys) for n, keys in nights}


class TenNights:
    """The situations of docs/monitor.md made on a real cluster, and solved by the keys that stand there, in their order."""
    replicas = 2
    PROGRAMS = {
        "slow": 'for i in $(seq 1 600); do echo "{\\"done\\":$i,\\"total\\":600}" >&3; sleep 1; done\n',
        "fails": 'echo reading; [ -e "%(folder)s/mended" ] && exit 0; echo "orders: page 7 cannot be read" >&2; exit 3\n',
        "deaf": "trap '' TERM INT\nwhile :; do sleep 1; done\n",
        "rows": 'printf "%%s\\t1\\n" "$1" >"$SIDING_RESULT_DIR/shop.words.00000.tsv"\n'}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        cls.keys = keys_of_nights()
        for name, text in cls.PROGRAMS.items():
            program = os.path.join(c.folder, name + ".sh")
            with open(program, "w", encoding="utf-8") as f:
                f.write("#!/bin/bash\n" + text % {"folder": c.folder})
            os.chmod(program, 0o755)
            more = ' allow_args = [ "^[a-z]+$" ]; upload = "append"; target = "shop.words";' if name == "rows" else ""
            c.job(name, f'name = "{name}"; kind = "command"; on = "replica"; program = "{program}";{more}\n')
        c.sql("db0", "CREATE DATABASE shop")
        c.expect_caught_up()
        c.siding("cluster", "status")
        wait_until(lambda: all({"slow", "rows"} <= {j["name"] for j in n["agent"]["jobs"]}
                               for n in c.siding("cluster", "status")["nodes"]), 15, "the agents know the jobs")

    def setUp(self):
        super().setUp()
        self.mend(False)
        self.at = {}

    def tearDown(self):
        c = self.cluster
        for task in c.siding("task", "list"):
            if task["state"] in ("running", "sleeping", "scheduled", "stopping"):
                c.siding("task", "kill", str(task["id"]))
        wait_until(lambda: not [t for t in c.siding("task", "list") if t["state"] in ("running", "sleeping", "scheduled", "stopping")], 30, "all stand")
        for task in c.siding("task", "list"):
            c.siding("task", "delete", str(task["id"]))
        if c.replication("db2").get("sql") != "Yes":  # where night 7 has failed
            c.sql_alone("db2", "DELETE FROM shop.clash")
            c.sql("db2", "START REPLICA")

    def mend(self, mended=True):
        path = os.path.join(self.cluster.folder, "mended")
        if mended:
            with open(path, "w", encoding="ascii"):
                pass
        elif os.path.exists(path):
            os.unlink(path)

    def keys_in(self, s, night, *keys, typed=None):
        """Presses what the page says next; `typed` is what the situation has in place of the page's word."""
        for key in keys:
            at = self.at.get(night, 0)
            self.assertIn(key, self.keys[night][at:], "night %d of docs/monitor.md, behind %s" % (night, self.keys[night][:at]))
            self.at[night] = self.keys[night].index(key, at) + 1
            key = (typed or {}).get(key, key)
            if key in SPECIAL or len(key) == 1:
                s.press(SPECIAL.get(key, key))
            else:
                s.tmux("send-keys", "-t", "m", "-l", key)

    def failed(self, *words):
        task = self.cluster.submit("command", "--on", "replica", "fails", *words)
        wait_until(lambda: self.cluster.task(task)["error"], 60, "it failed")
        return task

    def screen(self, **options):
        return Screen(self.cluster, columns=120, **options)

    def test_1_a_dump_failed(self):
        task = self.failed("--name", "nightly", "-s", "1d")
        with self.screen() as s:
            s.see("nightly failed in its last turn", "ERR, waits", "page 7 cannot be read")
            s.see_chosen("nightly")
            self.keys_in(s, 1, "L")
            s.see("orders: page 7 cannot be read")
            self.keys_in(s, 1, "q")
            status = self.cluster.siding("status", status=1)
            self.assertEqual(status, "")
            self.mend()
            self.keys_in(s, 1, "i")
            s.see("retry task %s: taken" % task)
            s.see("all is well", within_s=30)
            self.mend(False)
            self.cluster.siding("task", "run", task)
            s.see("nightly failed in its last turn", "ERR, waits", within_s=30)
            self.keys_in(s, 1, "k")
            s.see("It is periodic")
            self.keys_in(s, 1, "y")
            s.see("all is well")
        found = self.cluster.task(task)
        self.assertEqual((found["state"], found["error"]), ("waiting", None))
        self.cluster.siding("status")

    def test_2_an_upload_is_stuck(self):
        c = self.cluster
        first = c.submit("command", "--on", "replica", "rows", "--name", "one", "--", "a")
        c.expect_state(first, "error")  # the table is not there
        second = c.submit("command", "--on", "replica", "rows", "--name", "two", "--", "b")
        wait_until(lambda: c.last_run(second).get("state") == "uploading", 60, "it waits for the first")
        upload = str(c.last_run(first)["upload_task"])
        with self.screen() as s:
            s.see("uploading", "upload:one", "upload:two", "2 failed tasks")
            s.choose("2", "upload:two")
            s.see("upload %s into" % upload, "failed")
            self.keys_in(s, 2, ":9", "Enter", typed={":9": ":" + upload})
            s.see_chosen("upload:one")
            self.keys_in(s, 2, "L")
            s.see("errors of task " + upload, "words")
            self.keys_in(s, 2, "q")
            c.sql("db0", "CREATE TABLE shop.words (w VARCHAR(40) PRIMARY KEY, n INT)")
            self.keys_in(s, 2, "i")
            s.see("all is well", within_s=60)
        for task in (first, second):
            c.expect_state(task, "done")
        self.assertEqual(c.sql("db0", "SELECT w FROM shop.words ORDER BY w"), [("a",), ("b",)])
        c.sql("db0", "DROP TABLE shop.words")
        c.expect_caught_up()

    def test_3_a_pause_is_over_its_limit(self):
        c = self.cluster
        c.siding("replica", "pause", "db2", "--for", "5s", "--reason", "a look at orders")
        c.kill("agent2")
        with self.screen() as s:
            s.see("db2 paused past its limit", within_s=30)
            self.keys_in(s, 3, "5", "/", "db2", "Enter")
            s.see_chosen("db2")
            s.see("a look at orders", "OVER", "start siding-agent there")
            c.start("db2")
            s.see("all is well", within_s=60)
        c.expect_replicating("db2")

    def test_4_nothing_has_run_since_friday(self):
        c = self.cluster
        failed = self.failed("--name", "load")
        c.siding("queue", "manual", "--reason", "new disks on db2")
        behind = c.submit("command", "--on", "replica", "slow")
        with self.screen() as s:
            s.see("MANUAL", "manual mode since", "by", "new disks on db2")
            self.keys_in(s, 4, "e")
            s.see("task %s load since" % failed)
            self.keys_in(s, 4, "q")
            s.see_chosen("load")
            self.keys_in(s, 4, "a")
            s.see("the first is task " + failed)
            self.keys_in(s, 4, "k")
            s.see("ack task %s: taken" % failed)
            self.keys_in(s, 4, "a")
            s.see("AUTO")
            s.see("all is well")
        c.expect_run_state(behind, "running")

    def test_5_a_reindex_is_in_the_way(self):
        task = self.cluster.submit("command", "--on", "replica", "deaf", "--name", "reindex")
        self.cluster.expect_run_state(task, "running")
        with self.screen() as s:
            s.see("deaf:reindex", "running")
            self.keys_in(s, 5, "/", "reindex", "Enter")
            s.see_chosen("reindex")
            self.keys_in(s, 5, "t")
            s.see("asked", "stop by ann")
            s.see("the job must end")
            self.keys_in(s, 5, "k")
            s.see("Kill task " + task)
            self.keys_in(s, 5, "y")
            s.see("killed", within_s=30)
        self.cluster.expect_state(task, "killed")
        for node in ("db1", "db2"):
            self.cluster.expect_replicating(node)

    def test_6_a_report_does_not_start(self):
        c = self.cluster
        self.mend()
        for words, keys in ((("-t", "+5h"), ("j", "Ctrl-U", "now", "Enter")), (("-P", "-20"), ("r",))):
            task = c.submit("command", "--on", "replica", "fails", "--name", "report", *words)
            with self.screen() as s:
                s.see("report", "it is due at" if "-t" in words else "below -10")
                self.at[6] = 0
                self.keys_in(s, 6, "/", "report", "Enter")
                s.see_chosen("report")
                self.keys_in(s, 6, keys[0])
                if len(keys) > 1:
                    s.see("run at (")
                    self.keys_in(s, 6, *keys[1:])
                c.expect_state(task, "done")

    def test_7_a_replica_is_broken(self):
        c = self.cluster
        c.sql("db0", "CREATE TABLE shop.clash (a INT PRIMARY KEY)")
        c.expect_caught_up()
        c.sql_alone("db2", "INSERT INTO shop.clash VALUES (1)")
        c.sql("db0", "INSERT INTO shop.clash VALUES (1)")
        with self.screen(lines=40) as s:
            s.see("db2 has errors", within_s=30)
            self.keys_in(s, 7, "5", "/", "db2", "Enter")
            s.see_chosen("db2")
            self.keys_in(s, 7, "o")
            s.see("1062", "siding replica resume db2" if self.flavor == "mariadb" else "db2")
            self.keys_in(s, 7, "q", "x")
            s.see("reason")
            self.keys_in(s, 7, "its applier stands", "Enter")
            s.see("cordon db2: taken", "its applier stands")
            c.sql_alone("db2", "DELETE FROM shop.clash")
            self.keys_in(s, 7, "w")
            s.see("serving", within_s=30)
            c.expect_replicating("db2")
            self.keys_in(s, 7, "x")
            s.see("uncordon db2: taken")
            s.see("all is well", within_s=30)

    def test_8_sidingd_is_gone(self):
        c = self.cluster
        task = c.submit("command", "--on", "replica", "slow")
        c.expect_run_state(task, "running")
        with self.screen() as s:
            s.see("1 running")
            c.kill("sidingd")
            s.see("AWAY")
            self.keys_in(s, 8, "e")
            s.see("siding start")
            self.keys_in(s, 8, "q")
            c.start("coordinator")
            s.see("sidingd answers again", within_s=30)
            s.see("all is well", "1 running", within_s=30)
        self.assertEqual(c.last_run(task)["state"], "running")

    def test_9_many_failed_for_one_reason(self):
        c = self.cluster
        tasks = [c.submit("command", "--on", "replica", "fails", "--name", "shop%d" % i) for i in range(12)]
        other = c.submit("command", "--on", "replica", "rows", "--name", "other", "-t", "+5h", "--", "a")
        for task in tasks:
            c.expect_state(task, "error")
        with self.screen() as s:
            s.see("12 failed tasks since")
            self.mend()
            self.keys_in(s, 9, "&", "ERROR shop", "Enter")
            s.see("1 hidden by &ERROR shop")
            self.keys_in(s, 9, "*")
            s.see("12 tagged")
            self.keys_in(s, 9, "i")
            s.see("Start anew 12 tasks")
            self.keys_in(s, 9, "y")
            s.see("all is well", within_s=30)
            self.keys_in(s, 9, "Esc")
            s.see("other")
        for task in tasks:
            c.expect_state(task, "done", 120)
        c.siding("task", "delete", other)

    def test_10_it_must_not_run_tonight(self):
        task = self.cluster.submit("command", "--on", "replica", "slow", "--name", "bigdump", "-t", "+1h")
        with self.screen() as s:
            s.see("bigdump")
            self.keys_in(s, 10, "/", "bigdump", "Enter", "j")
            s.see("run at (")
            self.keys_in(s, 10, "Ctrl-U", "2035-11-30 01:00", "Enter")
            s.see("run time of task %s: taken" % task, "2035-11-30 01:00")
            self.keys_in(s, 10, "a")
            s.see("for an hour")
            self.keys_in(s, 10, "2", "no dump tonight")
            s.see("no dump tonight")
            self.keys_in(s, 10, "Enter")
            s.see("MANUAL", "until", "no dump tonight")
            s.press("a")
            s.see("AUTO", "all is well")
        self.assertTrue(self.cluster.task(task)["run_at"].startswith("2035-11-30T01:00"))


class TenNightsOnMariadb(TenNights, ClusterTest):
    pass


class TenNightsOnMysql(TenNights, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
