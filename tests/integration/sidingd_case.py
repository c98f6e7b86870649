# SPDX-License-Identifier: Apache-2.0
"""A sidingd with a real primary and agents that only talk: its configuration, its calls, and a wait for each state."""
import json
import os
import subprocess
import urllib.error
import urllib.request

from fake_agents import make_agents
from harness import BUILD
from machine import Failed, call, slack, wait_until

JOBS = [{"name": "dump", "kind": "dump", "on": "replica", "upload": "none"},
        {"name": "words", "kind": "index", "on": "replica", "upload": "swap"},
        {"name": "count", "kind": "command", "on": "replica", "upload": "none"},
        {"name": "tidy", "kind": "command", "on": "primary", "upload": "none"}]

CONFIG = """
cluster_name = "sandbox";
state_dir = "{folder}/sidingd";
listen = [ "127.0.0.1:{api}" ];
queue = {{ on_error = "task"; }};
agents = ( {agents} );
database_defaults_file = "{folder}/credentials/coordinator.cnf";
admin_defaults_file = "{folder}/credentials/admin.cnf";
credentials_dir = "{folder}/credentials";
grants = {{ submit = ( {{ account = "root@%"; jobs = [ "*" ]; databases = [ "*" ]; }} ); }};
roles = {{ admin = [ "token:{folder}/credentials/admin.token" ]; }};
"""


class ApiError(Exception):
    def __init__(self, status, error):
        super().__init__(f"{status} {error}")
        self.status, self.error = status, error


class Sidingd:
    """A coordinator with a real primary and agents that only talk."""
    replicas, servers_only = 0, True
    settings = ""  # more lines of its configuration

    @classmethod
    def gtid(cls, n):
        """A position n transactions after the first."""
        return "0-1-%d" % n

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder, base = cls.cluster.folder, cls.cluster.ports.base
        cls.api, cls.config, cls.daemon = base + 20, os.path.join(folder, "test.conf"), None
        cls.agents = make_agents(base + 10, 3, base, JOBS, cls.flavor, cls.gtid(100))
        with open(cls.config, "w", encoding="utf-8") as f:
            f.write(cls.settings.replace("FOLDER", folder) + CONFIG.format(folder=folder, api=cls.api, agents=", ".join(
                f'{{ name = "{a.name}"; url = "http://127.0.0.1:{a.port}"; }}' for a in cls.agents)))
        status, _, err = call(os.path.join(BUILD, "siding"), "--config", cls.config, "bootstrap")
        if status:
            raise Failed(err)
        os.makedirs(os.path.join(folder, "coordinator"), exist_ok=True)
        cls.log = open(os.path.join(folder, "coordinator", "sidingd.log"), "a", encoding="utf-8")
        cls.addClassCleanup(cls.end)
        for a in cls.agents:
            a.start()
        cls.start()

    @classmethod
    def end(cls):
        if cls.daemon and cls.daemon.poll() is None:
            cls.kill()
        cls.log.close()
        for a in cls.agents:
            a.stop()

    def tearDown(self):
        for a in self.agents:
            a.set(gates=set(), refuse=None, fail={}, deaf=False, mode=None)

    # ---- tools --------------------------------------------------------------------------------------------------

    @classmethod
    def start(cls):
        cls.daemon = subprocess.Popen([os.path.join(BUILD, "sidingd"), "--config", cls.config], stderr=cls.log)
        wait_until(cls.is_ready, 15, "the queue is read")

    @classmethod
    def is_ready(cls):
        try:
            return cls.get("/v1/status")["database"]["ok"]
        except OSError:
            return False

    @classmethod
    def kill(cls):
        cls.daemon.kill()
        cls.daemon.wait()

    def restart(self):
        self.kill()
        self.start()

    @classmethod
    def call(cls, method, path, body=None, timeout=15):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{cls.api}{path}", data, {"Content-Type": "application/json"},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout * slack()) as answer:
                text = answer.read()
                return json.loads(text) if "json" in answer.headers["Content-Type"] else text.decode()
        except urllib.error.HTTPError as e:
            raise ApiError(e.code, json.loads(e.read())["error"]) from None

    @classmethod
    def get(cls, path):
        return cls.call("GET", path)

    def sql(self, statements):
        return self.cluster.sql("db0", statements)

    def sql_refuses(self, words, statements):
        try:
            self.sql(statements)
        except Failed as e:
            assert words in str(e), e
            return
        raise AssertionError(f"{statements} was not refused")

    def value(self, statements):
        return self.cluster.value("db0", statements)

    def within(self, seconds, condition, what):
        def holds():
            try:
                return condition()
            except (OSError, ApiError):
                return False
        wait_until(holds, seconds, what)

    def submit(self, job, **fields):
        return self.call("POST", "/v1/tasks", dict(fields, job=job, user="tester"))["id"]

    def task(self, task):
        return self.get(f"/v1/tasks/{task}")

    def ends(self, task, state="done", seconds=15):
        def over():
            return self.task(task)["state"] in ("done", "error", "killed", "stopped", "acknowledged")
        self.within(seconds, over, f"task {task} ends")
        t = self.task(task)
        assert t["state"] == state, t
        return t

    def run_state(self, task):
        runs = self.task(task)["runs"]
        return runs[-1]["state"] if runs else None

    def refuses(self, status, words, method, path, body=None):
        try:
            got = self.call(method, path, body)
        except ApiError as e:
            assert e.status == status, e
            assert words in e.error["text"], e
            return
        raise AssertionError(f"{path} was not refused: {got}")

    def gate(self, *states):
        for a in self.agents:
            a.set(gates=set(states))

    def everything_forgotten(self):
        self.within(5, lambda: not any(a.runs for a in self.agents), "agents forget ended runs")
