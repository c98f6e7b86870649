#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siding: bad configuration, a coordinator that does not run and bad requests each give one clear sentence and the
right exit status, and `siding check` tells all of it at once; good requests are answered for people and programs."""
import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import socket
import stat
import struct
import subprocess
import tempfile
import termios
import time
import unittest
import unittest.mock
import urllib.error
import urllib.request

from harness import BUILD, ClusterTest, main
from machine import call, running, slack, wait_until

SIDING = os.path.join(BUILD, "siding")
PORT = 1  # nobody may listen there

GOOD = """cluster_name = "test";
state_dir = "{dir}/state";
listen = [ "unix:{dir}/s", "127.0.0.1:{port}" ];
agents = ( {{ name = "db0"; url = "http://127.0.0.1:{agent0}"; }},
           {{ name = "db1"; url = "http://127.0.0.1:{agent1}"; }} );
database_defaults_file = "{dir}/coordinator.cnf";
"""


class Place:
    """A folder with a configuration file and what it names."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="siding-c", dir="/tmp")
        self.conf = os.path.join(self.dir, "sidingd.conf")
        self.write(self.good())
        os.mkdir(os.path.join(self.dir, "state"))
        self.secret("coordinator.cnf", 0o600)

    def good(self):
        return GOOD.format(dir=self.dir, port=PORT, agent0=PORT + 1, agent1=PORT + 2)

    def write(self, text):
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(text)

    def secret(self, name, mode):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("[client]\nuser=siding\npassword=x\n")
        os.chmod(path, mode)
        return path

    def siding(self, *words, config=True):
        env = {k: v for k, v in os.environ.items() if k != "SIDING_CONFIG"}
        if config:
            env["SIDING_CONFIG"] = self.conf
        return subprocess.run([SIDING, *words], env=env, capture_output=True, text=True, timeout=60 * slack(), check=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)


def expect(done, status, *parts):
    text = done.stderr
    assert done.returncode == status, (done.returncode, done.stdout, text)
    for part in parts:
        assert part in text, (part, text)
    assert text.count("\n") == 1, f"one sentence, not: {text}"
    assert done.stdout == "", done.stdout


def on_a_terminal(config, term, *words):
    """What siding writes to a terminal of this kind."""
    master, slave = pty.openpty()
    env = dict(os.environ, SIDING_CONFIG=config, TERM=term)
    child = subprocess.Popen([SIDING, *words], env=env, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    text = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(master, 65536):
            text += part
    os.close(master)
    assert child.wait(timeout=60 * slack()) == 0, text
    return text.decode()


def completed(shell, script, line):
    """What a shell offers for the end of a line, with the script of siding completion; a sorted list."""
    words = line.split(" ")
    quoted = " ".join("'%s'" % w for w in words)
    ask = {"bash": f"compopt() {{ :; }}; source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
                   '_siding; printf "%s\\n" "${COMPREPLY[@]}"',
           "fish": f"source {script}; complete -C '{line}'"}[shell]
    status, out, err = call(shell, "-c", ask)
    assert (status, err) == (0, ""), (shell, line, status, err)
    return sorted(row.split("\t")[0] for row in out.splitlines() if row)


class WithoutCoordinator(unittest.TestCase):
    def test_completion_and_the_manual_page_come_from_the_commands(self):
        offered = {"siding t": ["task", "tasklet"], "siding task k": ["kill"], "siding submit --on ": ["primary", "replica"],
                   "siding completion ": ["bash", "fish", "zsh"], "siding cert ": ["init", "issue"], "siding task kill --js": ["--json"]}
        with tempfile.TemporaryDirectory(prefix="sdc", dir="/tmp") as folder:
            for shell in ("bash", "zsh", "fish"):
                status, text, err = call(SIDING, "completion", shell)
                self.assertEqual((status, err), (0, ""))
                script = os.path.join(folder, shell)
                with open(script, "w", encoding="utf-8") as f:
                    f.write(text)
                self.assertEqual(call(shell, "-n", script)[0], 0, shell)
                for line, wanted in offered.items() if shell != "zsh" else ():
                    found = [w for w in completed(shell, script, line) if w != "--help"]
                    self.assertEqual(found, wanted, (shell, line))
        expect(subprocess.run([SIDING, "completion", "csh"], capture_output=True, text=True, check=False), 2, "there are: bash, zsh, fish")
        status, page, err = call(SIDING, "man")
        self.assertEqual((status, err), (0, ""))
        overview = call(SIDING, "--help")[1]
        for command in re.findall(r"^  (\w+(?: [\w-]+)?)(?: [A-Z|\[]| {2})", overview, re.M):
            self.assertIn('.SS "siding ' + command, page)
        self.assertEqual(subprocess.run(["groff", "-man", "-ww", "-Kutf8", "-Tutf8"], input=page, capture_output=True, text=True, check=True).stderr, "")

    def test_bad_configuration(self):
        rows = [
            ("cluster_name", "cluster_nam", [":1: option \"cluster_nam\"", "did you mean \"cluster_name\"?"]),
            ("state_dir = \"", "state_dir = \"x", [":2: option \"state_dir\"", "is not an absolute path"]),
            ("listen = [ \"unix:", "listen = [ \"0.0.0.0:1\", \"unix:",
             [":3: option \"listen\": \"0.0.0.0:1\" is neither a unix socket nor loopback", "tls"]),
            ("name = \"db1\"", "name = \"db0\"", [":5: option \"agents.[1].name\": \"db0\" is named twice"]),
            ("\"db1\"; url = \"http://127.0.0.1", "\"db1\"; url = \"http://db1.example",
             [":5: option \"agents.[1].url\"", "use https:// and tls"]),
            ("agents = (", "agents = ; (", [":4: syntax error"]),
            ("cluster_name = \"test\";", "", ["option \"cluster_name\": missing; it is required"]),
            ("cluster_name = \"test\"", "tls = { key_file = \"/nonexistent\"; }; cluster_name = \"test\"",
             [":1: option \"tls\": tls.certificate_file is missing"]),
            ("cluster_name = \"test\"", "min_serving = -1; cluster_name = \"test\"",
             [":1: option \"min_serving\": -1 is outside 0 to 1000"]),
        ]
        with Place() as place:
            for old, new, parts in rows:
                assert old in place.good(), old
                place.write(place.good().replace(old, new, 1))
                expect(place.siding("task", "list"), 1, place.conf, *parts)

    def test_no_configuration(self):
        with Place() as place:
            expect(place.siding("task", "list", config=False), 2, "give --config FILE or set SIDING_CONFIG")
            expect(place.siding("--config", "/nonexistent/x", "task", "list"), 1,
                   "cannot read configuration file /nonexistent/x: No such file or directory")
            done = place.siding("--config", place.conf, "task", "list", config=False)
            expect(done, 1, "Is sidingd running?")

    def test_coordinator_does_not_run(self):
        with Place() as place:
            for words in (["task", "list"], ["submit", "dump", "--database", "a"], ["status"], ["cluster", "primary"],
                          ["replica", "pause", "db1", "--for", "1m", "--reason", "x"], ["result", "list"],
                          ["task", "log", "1"], ["--json", "replica", "list"], ["submit", "x", "--wait"]):
                expect(place.siding(*words), 1, f"cannot reach unix:{place.dir}/s: ",
                       f"Start it with: sidingd --config {place.conf}")

    def test_a_server_that_is_no_coordinator(self):
        with Place() as place, socket.socket(socket.AF_UNIX) as deaf:
            deaf.bind(os.path.join(place.dir, "s"))
            deaf.listen(1)
            child = subprocess.Popen([SIDING, "--config", place.conf, "cluster", "primary"], stderr=subprocess.PIPE,
                                     text=True)
            connection, _ = deaf.accept()
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            connection.close()
            _, text = child.communicate(timeout=60 * slack())
            assert child.returncode == 1, text
            assert f"unix:{place.dir}/s" in text, text

    def test_check_tells_all_at_once(self):
        with Place() as place:
            place.write(place.good() + f'admin_defaults_file = "{place.dir}/admin.cnf";\n'
                        f'credentials_dir = "{place.dir}/credentials";\n')
            place.secret("coordinator.cnf", 0o644)
            os.rmdir(os.path.join(place.dir, "state"))
            done = place.siding("check", "--all")
            assert done.returncode == 1 and done.stderr == "", done
            for part in ("ok       configuration: " + place.conf,
                         "error    state_dir: ", "mend: install -d -o siding -g siding -m 0750 " + place.dir + "/state",
                         "error    database_defaults_file: ", "run chmod 600 " + place.dir + "/coordinator.cnf",
                         "error    admin_defaults_file: ", "error    credentials_dir: ",
                         "error    sidingd: is not running", "mend: sidingd --config " + place.conf,
                         "error    db0: agent: cannot reach http://127.0.0.1:", "error    db1: agent: cannot reach"):
                assert part in done.stdout, (part, done.stdout)
            found = json.loads(place.siding("check", "--json").stdout)
            assert {f["name"] for f in found if f["level"] == "error"} >= {"sidingd", "agent", "state_dir"}, found
            place.write("cluster_name = ;")
            done = place.siding("check")
            assert done.returncode == 1 and f"error    configuration: {place.conf}:1: syntax error" in done.stdout, done

    def test_watch_waits_for_the_coordinator(self):
        with Place() as place:
            done = place.siding("status", "--watch", "--count", "2", "--interval", "100ms")
            assert done.returncode == 0 and done.stdout.count("Is sidingd running?") == 2, done

    def test_watch_redraws_only_where_it_can(self):
        with Place() as place:
            words = ("status", "--watch", "--count", "2", "--interval", "100ms")
            smart = on_a_terminal(place.conf, "xterm", *words)
            assert smart.count("\033[H") == 2 and smart.endswith("\033[?25h\033[?1049l"), smart
            dumb = on_a_terminal(place.conf, "dumb", *words)
            assert "\033" not in dumb and dumb.count("Is sidingd running?") == 2, dumb

    def test_output_that_nobody_reads(self):
        with Place() as place:
            with open("/dev/full", "w", encoding="utf-8") as full:
                assert stat.S_ISCHR(os.fstat(full.fileno()).st_mode)
                done = subprocess.run([SIDING, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60 * slack(),
                                      check=False)
            assert done.returncode == 1 and "cannot write the output" in done.stderr, done
            for verb in ("submit", "task list", "task log", "result verify", "replica pause", "status", "check",
                         "bootstrap"):
                done = place.siding(*verb.split(), "--help", config=False)
                assert done.returncode == 0 and done.stdout.startswith(f"Usage: siding {verb} "), done
                assert "--config" in done.stdout and "--json" in done.stdout, done.stdout


class Requests(ClusterTest):
    """One cluster whose coordinator and agents answer."""
    replicas = 1

    def siding(self, *words, status=0):
        found, out, err = call(SIDING, *words, env=self.cluster.env)
        self.assertEqual(found, status, (words, out, err))
        return out, err

    def refuse(self, *words, says, status=1):
        out, err = self.siding(*words, status=status)
        self.assertEqual(out, "", words)
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, err, words)
        self.assertEqual(err.count("\n"), 1, err)

    def test_unknown_things_are_named(self):
        self.refuse("submit", "nosuch", says="nosuch")
        self.refuse("submit", "index", "--job", "nosuch", says="nosuch")
        self.refuse("submit", "command", "--on", "replica", "nosuch", says="nosuch")
        self.refuse("task", "show", "999", says="there is no task 999")
        self.refuse("task", "stop", "999", says="999")
        self.refuse("task", "log", "999", says="there is no task 999")
        self.refuse("result", "path", "999", says="there is no run 999")
        self.refuse("result", "verify", "7.1", says="there is no run 7.1")
        self.refuse("replica", "resume", "db9", says="there is no node \"db9\"")
        self.refuse("replica", "pause", "db9", "--for", "1m", "--reason", "x", says="there is no node \"db9\"")
        out, err = self.siding("submit", "dump", "--database", "nosuch_database", "--wait", "--timeout", "60s", status=1)
        self.assertRegex(out, r"^\d+\n$")
        self.assertIn('database "nosuch_database" does not exist', err)
        self.refuse("submit", "dump", "--database", "x", "-L", "Someday 25:00", says="Someday 25:00", status=2)

    def test_only_replicas_are_paused_and_only_once(self):
        self.refuse("replica", "pause", "db0", "--for", "1m", "--reason", "x", says="db0 is the primary")
        self.refuse("replica", "resume", "db1", says="db1")
        out, _ = self.siding("replica", "pause", "db1", "--for", "5m", "--reason", "a look")
        self.assertRegex(out, r"^0-\d+-\d+\n$")
        self.refuse("replica", "pause", "db1", "--for", "5m", "--reason", "again", says="db1")
        out, _ = self.siding("replica", "list")
        self.assertIn("by hand (", out)
        self.assertIn("a look", out)
        self.siding("replica", "resume", "db1")
        self.cluster.expect_caught_up()

    def see_to_failures(self):
        """Else siding status says what waits for a person, with 1."""
        for task in self.cluster.siding("task", "list"):
            if task["state"] in ("error", "done_with_errors"):
                self.cluster.siding("task", "ack", str(task["id"]))

    def test_status_and_lists_for_people_and_programs(self):
        self.see_to_failures()
        out, _ = self.siding("status")
        for part in ("cluster sandbox, term ", "primary db0", "NODE", "db1"):
            self.assertIn(part, out)
        self.assertEqual(self.siding("cluster", "primary")[0], "db0\n")
        for words in (("task", "list"), ("result", "list"), ("replica", "list"), ("replica", "check")):
            self.assertIsInstance(self.cluster.siding(*words), list, words)
        self.assertEqual([n["name"] for n in self.cluster.siding("replica", "list")], ["db1"])
        self.assertEqual(self.cluster.siding("cluster", "status")["primary"], "db0")
        out, _ = self.siding("check", "--all")
        self.assertIn("ok       sidingd: unix:", out)
        self.assertIn("checks: 0 errors, ", out)
        self.assertNotIn("ok       ", self.siding("check")[0])

    def test_colours_are_for_terminals(self):
        self.see_to_failures()
        shown = on_a_terminal(self.cluster.env["SIDING_CONFIG"], "xterm", "status")
        self.assertIn("\x1b[32mserving\x1b[0m", shown)
        self.assertNotIn("\x1b", self.siding("status")[0])
        with unittest.mock.patch.dict(os.environ, NO_COLOR="1"):
            self.assertNotIn("\x1b", on_a_terminal(self.cluster.env["SIDING_CONFIG"], "xterm", "status"))
        self.assertNotIn("\x1b", on_a_terminal(self.cluster.env["SIDING_CONFIG"], "dumb", "status"))

    def test_a_dump_from_submission_to_verification(self):
        c = self.cluster
        c.sql("db0", "CREATE DATABASE shop; CREATE TABLE shop.t (a INT PRIMARY KEY); "
              "INSERT INTO shop.t VALUES (1), (2)")
        before = c.siding("task", "list")
        # The pause before may not be over for the coordinator yet.
        plan = wait_until(lambda: (lambda p: p["nodes"] and p)(c.siding("submit", "dump", "--database", "shop", "--dry-run")), 10,
                          "a replica is free")
        self.assertEqual((plan["job"], plan["nodes"]), ("dump", ["db1"]))
        self.assertEqual(c.siding("task", "list"), before)
        out, err = self.siding("submit", "dump", "--database", "shop", "--wait", "--timeout", "60s")
        task = out.strip()
        self.assertRegex(out, r"^\d+\n$")
        self.assertIn("task %s done" % task, err)
        out, _ = self.siding("result", "verify", task)
        self.assertTrue(out and all(line.endswith(": OK") for line in out.splitlines()), out)
        path = self.siding("result", "path", task)[0].rstrip("\n")
        self.assertTrue(os.path.exists(os.path.join(path, "manifest.json")), path)
        self.assertIn("gtid", self.siding("result", "show", task)[0])
        self.assertIn("has ended: done", self.siding("task", "why", task)[0])
        self.siding("task", "err", task)
        self.assertEqual(c.siding("task", "log", task)["task"], int(task))
        victim = next(f for f in sorted(os.listdir(path)) if f.endswith(".gz"))
        with open(os.path.join(path, victim), "r+b") as file:
            file.seek(-1, os.SEEK_END)
            last = file.read(1)
            file.seek(-1, os.SEEK_END)
            file.write(bytes([last[0] ^ 1]))
        out, err = self.siding("result", "verify", task, status=1)
        self.assertIn(victim + ": FAILED: checksum is ", out)
        self.assertIn("is damaged", err)
        self.refuse("task", "wake", task, says="task %s" % task)

    def request(self, path, body=None, **headers):
        """(status, error) of a request as some other program might send it."""
        url = self.cluster.env["SIDINGD_URL"] + path
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30 * slack()) as answer:
                return answer.status, None
        except urllib.error.HTTPError as e:
            return e.code, json.load(e)["error"]["text"]

    def test_requests_that_no_client_of_ours_sends(self):
        json_type = {"Content-Type": "application/json"}
        rows = [
            (("/v1/nodes",), {"Host": "evil.example"}, 422, "Host header \"evil.example\" does not name a loopback address"),
            (("/v1/tasks", b'{"job": "dump"}'), {"Content-Type": "text/plain"}, 415, "application/json"),
            (("/v1/tasks", b'{"job": "dump", "prioritty": 3}'), json_type, 400, "did you mean \"priority\"?"),
            (("/v1/tasks", b'{"job": 7}'), json_type, 400, "field \"job\""),
            (("/v1/tasks", b'{"job": '), json_type, 400, "not valid JSON: line 1"),
            (("/v1/tasks", b'[]'), json_type, 400, "must be a JSON object"),
            (("/v1/tasks/1/request", b'{"action": "explode"}'), json_type, 400, '"action" is "explode"'),
            (("/v1/tasks/999/request", b'{"action": "stop"}'), json_type, 404, "there is no task 999"),
            (("/v1/tasks?limit=0",), {}, 400, "parameter \"limit\" is \"0\""),
            (("/healthz?role=primary",), {}, 400, "unknown parameter \"role\""),
            (("/v1/tasks?states=running",), {}, 400, "did you mean \"state\""),
            (("/v1/tasks?state=runing",), {}, 400, "did you mean \"running\""),
            (("/v1/tasks/x",), {}, 400, "\"x\" is no task id"),
            (("/v1/nothing",), {}, 404, "no such path: /v1/nothing"),
            (("/v1/nodes/..%2fdb1/pause", b'{}'), json_type, 404, "no such path"),
            (("/v1/nodes", b'{}'), json_type, 405, "it takes GET"),
        ]
        for arguments, headers, status, says in rows:
            found, text = self.request(*arguments, **headers)
            self.assertEqual(found, status, (arguments, text))
            self.assertIn(says, text, arguments)
        self.assertEqual(self.request("/healthz")[0], 200)

    def coordinator(self):
        with open(os.path.join(self.cluster.folder, "coordinator", "sidingd.lock"), encoding="ascii") as f:
            return int(f.read())

    def test_start_stop_halt_and_restart_as_in_bibsched(self):
        c = self.cluster
        gate = os.path.join(c.folder, "gate")
        for name, role in (("looks", "replica"), ("waits", "primary")):
            c.job(name, f'name = "{name}"; kind = "command"; on = "{role}"; upload = "none"; program = "/bin/bash";\n'
                  f'args = [ "-c", "until [ -e {gate} ]; do sleep 0.05; done" ];\n')
        wait_until(lambda: "waits" in str(c.siding("cluster", "status")["nodes"][0]["agent"].get("jobs")), 20, "the job is known")
        self.assertIn("sidingd runs already, process %d\n" % self.coordinator(), self.siding("start")[1])
        # Whoever stops the queue and is gone leaves no trace in it.
        self.assertEqual(self.request("/v1/queue/quiet", b'{"for_s": 1}', **{"Content-Type": "application/json"}), (200, None))
        held = c.submit("waits")
        self.assertIn("somebody stops the coordinator", c.siding("task", "why", held)["why"])
        c.expect_state(held, "running", within_s=10)
        waiting, halted = c.submit("waits"), c.submit("looks")
        c.expect_run_state(halted, "running")

        # halt, and restart of what does not run: tasks go on under their agents, and what ended meanwhile is known.
        first, supervised = self.coordinator(), c.last_run(held)["id"]
        self.assertIn("sidingd has ended\n", self.siding("halt")[1])
        self.assertFalse(running(first))
        self.assertIn("sidingd did not run\n", self.siding("halt")[1])
        self.refuse("stop", says="Is sidingd running?")
        self.assertRegex(self.siding("restart")[1], r"sidingd runs, process \d+, its log is .*sidingd.log\n")
        second = self.coordinator()
        self.siding("restart")
        self.assertNotIn(self.coordinator(), (first, second))
        c.expect_state(held, "running")
        self.assertEqual(c.last_run(held)["id"], supervised)

        # The report by state, age and name.
        self.see_to_failures()
        out, _ = self.siding("status", "-s", "RUNNING,ABOUT TO STOP", "-S", "1h", "-t", "waits")
        self.assertRegex(out, r"automatic mode\n(?s:.*)running tasks: 1\n(?s:.*) waits (?s:.*)stopping tasks: 0\n$")
        self.assertEqual([t["id"] for t in c.siding("status", "-t", "waits,looks")], [int(halted), int(held), int(waiting)])
        wait_until(lambda: not c.siding("status", "-S", "1s", "-t", "waits", "-s", "running"), 10, "the task is older than a second")

        # stop: nothing starts any more, not even what has waited for the name; too long is told, and the queue goes on.
        _, err = self.siding("stop", "--finish", "--within", "1s", status=1)
        self.assertIn("not ended in time: tasks", err)
        _, err = self.siding("stop")
        self.assertIn(f'task {held} "waits": stop asked for\n', err)
        self.assertIn("sidingd has ended\n", err)
        open(gate, "w", encoding="ascii").close()
        self.siding("start")
        for task, state in ((held, "stopped"), (halted, "stopped"), (waiting, "done")):
            c.expect_state(task, state)
        # stop at once: it waits until the queue has been read
        self.siding("stop")
        with c.table_held("db0", "siding.task") as held:
            self.siding("start")
            with subprocess.Popen([SIDING, "stop"], env=c.env, stderr=subprocess.PIPE, text=True) as stop:
                time.sleep(2)
                self.assertIsNone(stop.poll(), "it was refused")
                held.close()
                self.assertIn("sidingd has ended", stop.communicate(timeout=60 * slack())[1])
        self.assertEqual(stop.returncode, 0)
        self.siding("start")

    def test_a_log_is_followed_over_the_runs_of_a_task(self):
        c = self.cluster
        c.job("tries", 'name = "tries"; kind = "command"; on = "primary"; upload = "none"; program = "/bin/bash";\n'
              'args = [ "-c", "echo try $SIDING_RUN_ID; sleep 0.7; echo over $SIDING_RUN_ID; exit 1" ];\n')
        wait_until(lambda: "tries" in str(c.siding("cluster", "status")["nodes"][0]["agent"].get("jobs")), 20, "the job is known")
        task = c.submit("tries", "--attempts", "3", "--backoff", "1s..1s")
        c.expect_run_state(task, "running")
        out, err = self.siding("task", "log", "--follow", task)
        self.assertEqual(c.task(task)["state"], "error")
        self.assertEqual(out, "".join("try %s.%d\nover %s.%d\n" % (task, n, task, n) for n in (1, 2, 3)))
        self.assertEqual(err, "run %s.2\nrun %s.3\n" % (task, task))
        self.assertEqual(self.siding("task", "log", "--follow", task + ".2")[0], "try %s.2\nover %s.2\n" % (task, task))
        self.see_to_failures()
        c.up()  # the file "env" names a process that is gone

    def test_bare_siding_opens_the_monitor_on_a_terminal(self):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        env = dict(os.environ, SIDING_CONFIG=self.cluster.env["SIDING_CONFIG"], TERM="xterm")
        with subprocess.Popen([SIDING], env=env, stdin=slave, stdout=slave, stderr=slave) as child:
            os.close(slave)
            text = b""
            while b"sandbox" not in text:
                text += os.read(master, 65536)
            os.write(master, b"q")
            with contextlib.suppress(OSError):  # the end of a terminal
                while part := os.read(master, 65536):
                    text += part
            self.assertEqual(child.wait(timeout=20 * slack()), 0, text)
        os.close(master)
        out, err = self.siding(status=2)
        self.assertEqual(out, "")
        self.assertIn("Usage: siding", err)
        self.assertIn("task list", err)

    def test_sidingd_gone_and_back(self):
        self.cluster.kill("sidingd")
        self.refuse("task", "list", says="Start it with: sidingd --config ")
        out, _ = self.siding("check", "--all", status=1)
        self.assertIn("error    sidingd: is not running", out)
        self.assertIn("ok       db1: agent: http://127.0.0.1:", out)
        self.cluster.up()
        self.assertEqual(self.siding("cluster", "primary")[0], "db0\n")


if __name__ == "__main__":
    main()
