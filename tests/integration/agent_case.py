# SPDX-License-Identifier: Apache-2.0
"""One agent and its server, which tests speak to directly: its calls, load on the primary, and a cluster with jobs. The
coordinator is stopped, because none of this may need it."""
import contextlib
import gzip
import json
import os
import threading
import time
import urllib.error
import urllib.request

from harness import ClusterTest
from machine import slack, wait_until

JOB = """#!/bin/bash
# read SECONDS: the frozen state at the begin and at the end of so many seconds, and of as long as there is a file "hold"
set -e
ask() { mariadb --defaults-file="$SIDING_DEFAULTS_FILE" -N -e "SELECT COUNT(*), COALESCE(MAX(id), 0) FROM t.w"; }
ask >"$SIDING_RESULT_DIR/begin.tsv"
for i in $(seq "$1"); do
	printf '{"done":%d,"total":%d,"unit":"s"}\\n' "$i" "$1" >&3
	echo "line $i"
	sleep 1
done
ask >"$SIDING_RESULT_DIR/end.tsv"
while [ -e "${0%/*}/hold" ]; do sleep 0.05; done
"""


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__("%d %s" % (status, text))
        self.status, self.text = status, text


class Agent:
    """HTTP calls to one agent."""

    def __init__(self, cluster, node):
        self.cluster, self.node = cluster, node
        self.url = cluster.env["AGENT%s_URL" % node[2:]]

    def call(self, method, path, body=None, within_s=100, raw=False, headers=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, dict({"Content-Type": "application/json"}, **(headers or {})),
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=within_s * slack()) as answer:
                text = answer.read()
                return (answer, text) if raw else json.loads(text)
        except urllib.error.HTTPError as e:
            text = e.read().decode()
            with contextlib.suppress(ValueError, KeyError):
                text = json.loads(text)["error"]["text"]
            raise Refused(e.code, text) from None

    def get(self, path, **keywords):
        return self.call("GET", path, **keywords)

    def post(self, path, **body):
        return self.call("POST", path, body)

    def state(self):
        return self.get("/v1/state")

    def run(self, run, job="read", args=("1",), **more):
        return self.post("/v1/runs", run=run, cluster_name="sandbox", job=job, term=1, args=list(args), **more)

    def run_state(self, run):
        return self.get("/v1/runs/" + run)

    def expect(self, run, state, within_s=40):
        def there():
            with contextlib.suppress(OSError, Refused):
                return self.run_state(run)["state"] == state and self.run_state(run)
            return None
        return wait_until(there, within_s, lambda: "%s: run %s %s: %s" % (self.node, run, state, self.run_state(run)))

    def ended(self, run, within_s=60):
        """The run walked to its end: replication goes on and the settings are back."""
        r = self.expect(run, "caught_up", within_s)
        return r["outcome"], r["error"], r

    def lease(self):
        return self.state()["lease"]


class Load:
    """Rows into t.w on the primary, one a transaction."""

    def __init__(self, cluster, pause_s=0.003):
        self.session, self.pause_s, self.on = cluster.session("db0"), pause_s, True
        self.thread = threading.Thread(target=self.go)
        self.thread.start()

    def go(self):
        while self.on:
            self.session.sql("INSERT INTO t.w (v) VALUES (REPEAT('x', 40))")
            time.sleep(self.pause_s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.on = False
        self.thread.join()
        self.session.close()


def sequence(gtid):
    return int(gtid.rsplit("-", 1)[1])


class Base(ClusterTest):
    runs = 0

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.stop("coordinator")
        c.sql("db0", "CREATE DATABASE t; CREATE TABLE t.w (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200)) ENGINE=InnoDB")
        cls.program("read.sh", JOB)
        for name, text in (("read", 'program = "%s/read.sh"; allow_args = [ "[0-9]+" ];' % c.folder),
                           ("stubborn", 'program = "/bin/bash"; args = [ "-c", "trap : TERM TSTP; while :; do sleep 0.1; done" ];'),
                           ("fails", 'program = "/bin/bash"; args = [ "-c", "echo this went wrong >&2; exit 3" ];'),
                           ("missing", 'program = "/no/such/program";'),
                           ("sleeps", 'program = "/bin/sleep"; args = [ "600" ];'),
                           ("fills", 'program = "/bin/bash"; args = [ "-c", "head -c 60M /dev/urandom >$SIDING_RESULT_DIR/x && sleep 60" ];'),
                           ("strays", 'program = "/bin/bash"; args = [ "-c", "setsid sleep 601 & sleep 600" ];'),
                           ("talks", 'program = "/bin/bash"; args = [ "-c", "for i in {1..40000}; do echo line $i of a long log which goes on and on; done" ];'),
                           ("here", 'on = "primary"; program = "/bin/bash"; args = [ "-c", "echo a >$SIDING_RESULT_DIR/t.c.00000.tsv" ]; upload = "append"; target = "t.c";')):
            c.job(name, 'name = "%s"; kind = "command"; %s\n' % (name, text))
        c.expect_caught_up()
        cls.agents = [Agent(c, node) for node in c.nodes]
        for agent in cls.agents:
            wait_until(lambda a=agent: len(a.state()["jobs"]) > 8, 10, "job files are read")

    @classmethod
    def program(cls, name, text):
        path = os.path.join(cls.cluster.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o755)

    def setUp(self):
        self.primary, self.one, self.two = self.agents[0], self.agents[1], self.agents[-1]
        self.before = {a.node: self.settings(a.node) for a in self.agents}

    def tearDown(self):
        """Whatever happened, replication runs with the server's own settings and nothing is left of a pause."""
        for agent in self.agents[1:]:
            for r in agent.get("/v1/runs"):
                if r["state"] not in ("caught_up", "ended"):  # left by a failed test
                    agent.post("/v1/runs/%s/request" % r["spec"]["run"], action="kill", by="the end of the test")
            wait_until(lambda a=agent: a.lease()["owner"] is None, 60, lambda a=agent: "no lease on %s: %s" % (a.node, a.lease()))
            self.cluster.expect_replicating(agent.node)
            self.assertEqual(self.settings(agent.node), self.before[agent.node], agent.node)
        self.cluster.expect_equal()

    def settings(self, node):
        return self.cluster.settings(node)

    def new_run(self):
        Base.runs += 1
        return "%d.1" % Base.runs

    def folder(self, node, *names):
        return os.path.join(self.cluster.folder, node, *names)

    def result(self, node, run, name):
        with gzip.open(self.folder(node, "spool", run, name), "rt", encoding="utf-8") as f:
            return f.read()

    def start_agent(self, node):
        self.cluster.must_sandbox("up")
        self.cluster.stop("coordinator")
        wait_until(lambda: self.answers(node), 20, "agent of %s" % node)

    def answers(self, node):
        with contextlib.suppress(OSError):
            return self.agents[int(node[2:])].state()["server"]["up"]
        return False

    def kill_agent(self, node):
        self.cluster.kill("agent" + node[2:])

    @contextlib.contextmanager
    def job_held(self):
        """A job "read" that begins in this block does not end before its end."""
        hold = os.path.join(self.cluster.folder, "hold")
        open(hold, "w", encoding="ascii").close()
        try:
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(hold)

    def backlog(self, n):
        """n transactions on the primary, fast."""
        self.cluster.sql("db0", "".join("INSERT INTO t.w (v) VALUES ('b%d');\n" % i for i in range(n)), within_s=120)

    def process_of(self, node, run, program="job"):
        path = self.folder(node, "agent", "runs", run, program, "supervisor.json")
        wait_until(lambda: os.path.exists(path), 10, path)
        with open(path, encoding="utf-8") as f:
            return json.load(f)
