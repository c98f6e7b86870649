#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siding without a coordinator: bad configuration and a coordinator that does not run each give one clear
sentence and the right exit status, and `siding check` tells all of it at once."""
import contextlib
import json
import os
import pty
import shutil
import socket
import stat
import subprocess
import tempfile

from servers import BUILD, run_tap

SIDING = os.path.join(BUILD, "siding")
PORT = int(os.environ.get("SIDING_TEST_PORT", "14380"))

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
        return subprocess.run([SIDING, *words], env=env, capture_output=True, text=True, timeout=60, check=False)

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


def bad_configuration():
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


def no_configuration():
    with Place() as place:
        expect(place.siding("task", "list", config=False), 2, "give --config FILE or set SIDING_CONFIG")
        expect(place.siding("--config", "/nonexistent/x", "task", "list"), 1,
               "cannot read configuration file /nonexistent/x: No such file or directory")
        done = place.siding("--config", place.conf, "task", "list", config=False)
        expect(done, 1, "Is sidingd running?")


def coordinator_does_not_run():
    with Place() as place:
        for words in (["task", "list"], ["submit", "dump", "--database", "a"], ["status"], ["cluster", "primary"],
                      ["replica", "pause", "db1", "--for", "1m", "--reason", "x"], ["result", "list"],
                      ["task", "log", "1"], ["--json", "replica", "list"], ["submit", "x", "--wait"]):
            expect(place.siding(*words), 1, f"cannot reach unix:{place.dir}/s: ",
                   f"Start it with: sidingd --config {place.conf}")


def a_server_that_is_no_coordinator():
    with Place() as place, socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(os.path.join(place.dir, "s"))
        deaf.listen(1)
        child = subprocess.Popen([SIDING, "--config", place.conf, "cluster", "primary"], stderr=subprocess.PIPE, text=True)
        connection, _ = deaf.accept()
        connection.recv(1000)
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        connection.close()
        _, text = child.communicate(timeout=60)
        assert child.returncode == 1, text
        assert f"unix:{place.dir}/s" in text, text


def check_tells_all_at_once():
    with Place() as place:
        place.write(place.good() + f'admin_defaults_file = "{place.dir}/admin.cnf";\n'
                    f'credentials_dir = "{place.dir}/credentials";\n')
        place.secret("coordinator.cnf", 0o644)
        os.rmdir(os.path.join(place.dir, "state"))
        done = place.siding("check")
        assert done.returncode == 1 and done.stderr == "", done
        for part in ("ok       configuration: " + place.conf,
                     "error    state_dir: ", "mend: mkdir -p " + place.dir + "/state",
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


def watch_waits_for_the_coordinator():
    with Place() as place:
        done = place.siding("status", "--watch", "--count", "2", "--interval", "100ms")
        assert done.returncode == 0 and done.stdout.count("Is sidingd running?") == 2, done


def on_a_terminal(place, term, *words):
    """What siding writes to a terminal of this kind."""
    master, slave = pty.openpty()
    env = dict(os.environ, SIDING_CONFIG=place.conf, TERM=term)
    child = subprocess.Popen([SIDING, *words], env=env, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    text = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(master, 65536):
            text += part
    os.close(master)
    assert child.wait(timeout=60) == 0, text
    return text.decode()


def watch_redraws_only_where_it_can():
    with Place() as place:
        words = ("status", "--watch", "--count", "2", "--interval", "100ms")
        smart = on_a_terminal(place, "xterm", *words)
        assert smart.count("\033[H") == 2 and smart.endswith("\033[?25h\033[?1049l"), smart
        dumb = on_a_terminal(place, "dumb", *words)
        assert "\033" not in dumb and dumb.count("Is sidingd running?") == 2, dumb


def output_that_nobody_reads():
    with Place() as place:
        with open("/dev/full", "w", encoding="utf-8") as full:
            assert stat.S_ISCHR(os.fstat(full.fileno()).st_mode)
            done = subprocess.run([SIDING, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        assert done.returncode == 1 and "cannot write the output" in done.stderr, done
        for verb in ("submit", "task list", "task log", "result verify", "replica pause", "status", "check", "bootstrap"):
            done = place.siding(*verb.split(), "--help", config=False)
            assert done.returncode == 0 and done.stdout.startswith(f"Usage: siding {verb} "), done
            assert "--config" in done.stdout and "--json" in done.stdout, done.stdout


if __name__ == "__main__":
    run_tap([(f.__name__, f) for f in (bad_configuration, no_configuration, coordinator_does_not_run,
                                       a_server_that_is_no_coordinator, check_tells_all_at_once,
                                       watch_waits_for_the_coordinator, watch_redraws_only_where_it_can,
                                       output_that_nobody_reads)])
