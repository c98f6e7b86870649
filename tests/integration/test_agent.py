#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One agent and its server: pause, run, seal, resume, and what must come of every kind of accident. The agents
are spoken to directly; the coordinator is stopped, because none of this may need it."""
import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

from sqlclient import SqlError

from harness import BUILD, ClusterTest, Failed, command_lines, main, process_stat, running, slack, wait_until

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


class Exact:
    """What must hold on both flavours."""

    def test_a_run_reads_one_exact_state_under_load(self):
        run = self.new_run()
        self.cluster.expect_caught_up()
        base = int(self.cluster.value("db0", "SELECT COUNT(*) FROM t.w")) - \
            sequence(self.cluster.position("db0"))
        with Load(self.cluster):
            time.sleep(0.5)
            after = self.cluster.position("db0")
            self.one.run(run, args=["3"], after_gtid=after)
            outcome, error, r = self.one.ended(run)
        self.assertEqual((outcome, error), ("ok", None))
        self.assertGreaterEqual(sequence(r["gtid"]), sequence(after))
        begin, end = self.result("db1", run, "begin.tsv.gz"), self.result("db1", run, "end.tsv.gz")
        self.assertEqual(begin, end)
        self.assertEqual(int(begin.split()[0]), sequence(r["gtid"]) + base, "rows at exactly this GTID")
        self.assertGreater(r["replay"]["buffered_trx"], 100)
        self.assertTrue(r["replay"]["settings_restored"])
        self.assertEqual(os.system("cd %s && sha256sum --quiet -c SHA256SUMS" % self.folder("db1", "spool", run)), 0)

    def test_two_replicas_stand_at_one_gtid(self):
        run = self.new_run()
        pair = (self.one, self.two)
        with Load(self.cluster):
            for shard, agent in enumerate(pair):
                agent.run(run, args=["1"], barrier=True, shard=shard, shards=2)
                first = agent.expect(run, "frozen")["gtid"]
                wait_until(lambda at=first: sequence(self.cluster.position("db0")) > sequence(at), 20, "the load has gone on")
                if agent == self.one:
                    wait_until(lambda at=first: sequence(self.cluster.position("db2")) > sequence(at), 20, "the other one has gone on")
            frozen = [agent.expect(run, "frozen") for agent in pair]
            self.assertNotEqual(frozen[0]["gtid"], frozen[1]["gtid"])
            first = max(frozen, key=lambda r: sequence(r["gtid"]))
            for agent in pair:
                agent.post("/v1/runs/%s/align" % run, gtid=first["gtid"], source_file=first["source_file"],
                           source_pos=first["source_pos"])
            for agent in pair:
                wait_until(lambda a=agent: a.run_state(run)["aligned"], 20, "aligned")
                self.assertEqual(agent.run_state(run)["gtid"], first["gtid"])
                agent.call("POST", "/v1/runs/%s/go" % run, {})
            for agent in pair:
                self.assertEqual(agent.ended(run)[:2], ("ok", None))
        self.assertEqual(self.result("db1", run, "begin.tsv.gz"), self.result("db2", run, "begin.tsv.gz"))

    def half_done(self, *statements):
        """A run that awaits its submission when the primary does what leaves something half done: no preflight sees it."""
        self.cluster.expect_caught_up()
        at = self.cluster.position("db0")
        head, n = re.match(r"(.*\D)(\d+)$", at).groups()

        def taken():
            run = self.new_run()
            try:
                self.one.run(run, after_gtid="%s%d" % (head, int(n) + len(statements)))
            except Refused as e:
                if "XA transactions are prepared" in str(e):
                    return None  # what it has last seen of the one before
                raise
            return run
        run = wait_until(taken, 20, "the run is taken")
        self.one.expect(run, "accepted")
        for session, statement in statements:
            session.sql(statement)
        return run

    def test_a_replica_does_not_stand_still_with_something_half_done(self):
        with self.cluster.session("db0") as xa, self.cluster.session("db0") as other:
            prepare = "XA START 'h'; INSERT INTO t.w (v) VALUES ('xa'); XA END 'h'; XA PREPARE 'h'"
            row = "INSERT INTO t.w (v) VALUES ('behind')"
            run = self.half_done((xa, prepare), (other, row))
            wait_until(lambda: self.one.lease()["phase"] == "pausing", 20, "pausing")
            xa.sql("XA COMMIT 'h'")
            outcome, error, r = self.one.ended(run)
            self.assertEqual((outcome, error), ("ok", None))
            self.assertEqual(sequence(r["gtid"]), sequence(self.cluster.position("db0")), "it moved on to the XA COMMIT")
            self.assertEqual(self.result("db1", run, "end.tsv.gz").split()[0], self.cluster.value("db0", "SELECT COUNT(*) FROM t.w"))
            run = self.half_done((xa, prepare), (other, row))
            outcome, error, r = self.one.ended(run)
            self.assertEqual((outcome, r["gtid"]), ("error", None))
            self.assertIn("1 XA transactions are prepared", error)
            self.cluster.expect_replicating("db1")
            xa.sql("XA ROLLBACK 'h'")
            other.sql("SET binlog_format=STATEMENT")
            run = self.half_done((other, "CREATE TEMPORARY TABLE t.x (a INT) ENGINE=InnoDB"), (other, row))
            self.assertIn("temporary tables are open", self.one.ended(run)[1])
            other.sql("DROP TEMPORARY TABLE t.x")  # the end of its session would drop it too, but some time
        self.cluster.expect_caught_up()

    def delay(self, node, seconds):
        self.cluster.sql(node, ("STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_DELAY=%d; START REPLICA" if self.flavor == "mysql" else
                                "STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=%d; START SLAVE") % seconds)

    def test_a_delayed_replica_has_caught_up_when_it_waits_for_its_delay(self):
        def waits():
            return self.cluster.replication("db1")["SQL_Remaining_Delay"]
        self.cluster.expect_caught_up()
        self.delay("db1", 300)
        try:
            with Load(self.cluster):
                wait_until(waits, 20, "the applier waits")
                self.one.post("/v1/pause", for_s=60, reason="a look", by="dba", allow=["delayed"])
                time.sleep(1)
                self.one.post("/v1/resume", by="dba")
                wait_until(lambda: self.one.lease()["owner"] is None, 30, lambda: "no lease: %s" % self.one.lease())
                self.assertEqual(self.settings("db1"), self.before["db1"])
                self.assertTrue(waits(), "and still does")
                self.assertFalse([w for w in self.one.state()["warnings"] if "relay" in w])
        finally:
            self.delay("db1", 0)

    def test_a_killed_server_ends_the_pause_and_replication_goes_on(self):
        for job, args in (("read", ["30"]), ("sleeps", [])):
            run = self.new_run()
            self.one.run(run, job=job, args=args)
            self.one.expect(run, "running")
            self.backlog(300)
            self.cluster.kill("server1")
            time.sleep(0.5)
            self.cluster.must_sandbox("start", "db1")
            outcome, error, _ = self.one.ended(run, 90)
            self.assertEqual(outcome, "error")
            # A job that has a connection may notice first: then its own words stand before.
            self.assertRegex(error, "server restarted (under the job|before replication was started again)")
            self.cluster.expect_replicating("db1")
            self.cluster.expect_caught_up()


class Runs(Exact, Base):

    def test_catching_up_is_boosted_and_the_settings_come_back(self):
        run = self.new_run()
        self.one.run(run, job="sleeps", args=[])
        self.one.expect(run, "running")
        self.backlog(3000)
        with self.cluster.table_held("db1", "t.w", "READ"):  # it cannot be over before it is looked at
            self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
            wait_until(lambda: self.one.lease()["phase"] == "catching_up", 60, lambda: "catching up: %s" % self.one.lease())
            self.assertEqual(self.settings("db1")[0][:2], ("0", "2"))
        seen = set()

        def caught_up():
            seen.add(self.settings("db1")[0][:2])
            return self.one.run_state(run)["state"] == "caught_up"
        wait_until(caught_up, 60, "caught up")
        self.assertNotIn(("0", "0"), seen)
        replay = self.one.run_state(run)["replay"]
        self.assertGreaterEqual(replay["buffered_trx"], 2900)
        self.assertGreater(replay["rate"], 0)
        self.assertGreater(replay["seconds"], 0)
        self.assertTrue(replay["settings_restored"])

    def test_the_job_gets_its_contract_and_nothing_else(self):
        run = self.new_run()
        self.cluster.job("env", 'name = "env"; kind = "command"; program = "/usr/bin/env";\n')
        wait_until(lambda: any(j["name"] == "env" for j in self.one.state()["jobs"]), 10, "job env")
        self.one.run(run, job="env", args=[])
        self.one.ended(run)
        _, text = self.one.get("/v1/runs/%s/log" % run, raw=True)
        env = dict(line.split("=", 1) for line in text.decode().splitlines())
        self.assertEqual(env["SIDING_RUN_ID"], run)
        self.assertEqual(env["SIDING_GTID"], self.one.run_state(run)["gtid"])
        self.assertEqual((env["SIDING_SHARD"], env["SIDING_SHARDS"]), ("0", "1"))
        self.assertEqual(env["SIDING_RESULT_DIR"], self.folder("db1", "spool", run))
        self.assertIn("SIDING_DEFAULTS_FILE", env)
        self.assertFalse(os.path.exists(env["SIDING_DEFAULTS_FILE"]), "its password does not outlive it")
        self.assertNotIn("SIDING_CONFIG", env)

    def test_a_failing_job_leaves_no_result_and_says_why(self):
        run = self.new_run()
        self.one.run(run, job="fails", args=[])
        outcome, error, _ = self.one.ended(run)
        self.assertEqual(outcome, "error")
        self.assertIn("ended with status 3: this went wrong", error)
        self.assertFalse(os.path.exists(self.folder("db1", "spool", run)))

    def test_a_job_without_its_program_takes_no_replica(self):
        with self.assertRaises(Refused) as refused:
            self.one.run(self.new_run(), job="missing", args=[])
        self.assertIn("/no/such/program: there is no such file", str(refused.exception))
        self.assertFalse(self.one.lease().get("owner"))

    def test_stop_kill_sleep_and_wake(self):
        run = self.new_run()
        self.one.run(run, job="sleeps", args=[])
        self.one.expect(run, "running")
        self.one.post("/v1/runs/%s/request" % run, action="sleep", by="test")
        self.one.expect(run, "sleeping")
        pid = self.process_of("db1", run)["job_pid"]
        wait_until(lambda: process_stat(pid)[0] == "T", 20, "the job stands still")
        self.assertEqual(self.one.lease()["phase"], "frozen")
        self.one.post("/v1/runs/%s/request" % run, action="wake", by="test")
        wait_until(lambda: process_stat(pid)[0] != "T", 5, "the job goes on")
        self.one.post("/v1/runs/%s/request" % run, action="stop", by="test")
        self.assertEqual(self.one.ended(run)[:2], ("stopped", "stopped by test"))
        self.assertFalse(running(pid))

        run = self.new_run()
        self.one.run(run, job="stubborn", args=[])
        self.one.expect(run, "running")
        self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
        self.assertEqual(self.one.ended(run, 10)[0], "killed")

    def test_nothing_of_a_killed_job_lives_on(self):
        run = self.new_run()
        self.one.run(run, job="strays", args=[])
        self.one.expect(run, "running")
        wait_until(lambda: self.strays(), 5, "the stray process")
        self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
        self.one.ended(run)
        self.assertEqual(self.strays(), [])

    @staticmethod
    def strays():
        return [pid for pid, words in command_lines().items() if words == ["sleep", "601"] and running(pid)]

    def test_the_pause_limit_ends_the_job_and_frees_the_replica(self):
        run = self.new_run()
        self.one.run(run, job="sleeps", args=[], pause_limit_ms=2000)
        outcome, error, r = self.one.ended(run, 30)
        self.assertEqual(outcome, "error")
        self.assertIn("pause limit", error)
        self.assertEqual(r["error_kind"], "timeout")

    def test_a_second_pause_is_refused_with_the_name_of_the_first(self):
        run = self.new_run()
        self.one.run(run, job="sleeps", args=[])
        self.one.expect(run, "running")
        with self.assertRaises(Refused) as refused:
            self.one.run(self.new_run(), args=["1"])
        self.assertEqual(refused.exception.status, 409)
        self.assertIn("paused already, by run " + run, refused.exception.text)
        with self.assertRaises(Refused) as refused:
            self.one.post("/v1/pause", for_s=5, reason="x", by="me")
        self.assertEqual(refused.exception.status, 409)
        self.assertEqual(self.one.run(run, job="sleeps", args=[])["state"], "running", "the same run again is no second one")
        self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
        self.one.ended(run)

    def test_bad_requests_are_refused_and_touch_nothing(self):
        for body, status, words in (
                ({"job": "nothing"}, 422, 'the job "nothing" is not in the configuration of db1'),
                ({"args": ["1; rm"]}, 422, "may not be given the argument"),
                ({"cluster_name": "other"}, 422, 'belongs to cluster "sandbox"'),
                ({"run": "../x"}, 400, "must be a run's id"),
                ({"term": 0, "run": 5}, 400, "wrong type")):
            with self.assertRaises(Refused) as refused:
                self.one.post("/v1/runs", **dict({"run": self.new_run(), "cluster_name": "sandbox", "job": "read", "term": 1}, **body))
            self.assertEqual(refused.exception.status, status, refused.exception.text)
            self.assertIn(words, refused.exception.text)
        with self.assertRaises(Refused) as refused:
            self.primary.run(self.new_run())
        self.assertEqual(refused.exception.status, 422)
        self.assertIn("is not a replica", refused.exception.text)
        self.assertIsNone(self.one.lease()["owner"])

    def test_an_unapplied_submission_is_given_up_without_a_pause(self):
        run = self.new_run()
        self.one.run(run, after_gtid="0-1-99999999")
        self.one.expect(run, "accepted")
        self.assertIsNone(self.one.lease()["owner"])
        self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
        self.assertEqual(self.one.expect(run, "ended")["outcome"], "killed")

    def test_results_are_served_by_range_and_logs_by_offset(self):
        run = self.new_run()
        self.one.run(run, args=["2"])
        self.one.ended(run)
        answer, whole = self.one.get("/v1/results/%s/end.tsv.gz" % run, raw=True)
        tag = answer.headers["ETag"].strip('"')
        self.assertEqual(tag, next(f["sha256"] for f in self.one.run_state(run)["manifest"]["files"] if f["name"] == "end.tsv.gz"))
        answer, part = self.one.get("/v1/results/%s/end.tsv.gz" % run, raw=True, headers={"Range": "bytes=3-6"})
        self.assertEqual((answer.status, part), (206, whole[3:7]))
        for bad in ("/v1/results/%s/../../agent/role.json" % run, "/v1/results/..%2fagent/role.json", "/v1/results/7777.1/manifest.json"):
            with self.assertRaises(Refused) as refused:
                self.one.get(bad)
            self.assertIn(refused.exception.status, (400, 404))
        answer, text = self.one.get("/v1/runs/%s/log?stream=log&offset=7" % run, raw=True)
        self.assertEqual((text, answer.headers["X-Siding-Size"]), (b"line 2\n", "14"))
        self.assertIn(run, [m["run"] for m in self.one.get("/v1/results")])
        self.one.call("DELETE", "/v1/runs/" + run)
        with self.assertRaises(Refused):
            self.one.run_state(run)
        self.assertTrue(os.path.exists(self.folder("db1", "spool", run, "manifest.json")), "the result stays")

    def test_a_long_log_is_rotated_and_read_on_from_any_offset(self):
        run = self.new_run()
        self.one.run(run, job="talks", args=[])
        self.one.ended(run)
        answer, _ = self.one.get("/v1/runs/%s/log?offset=0" % run, raw=True)
        size = int(answer.headers["X-Siding-Size"])
        self.assertGreater(size, 1 << 20)
        _, text = self.one.get("/v1/runs/%s/log?offset=%d" % (run, size - 60), raw=True)
        self.assertTrue(text.endswith(b"line 40000 of a long log which goes on and on\n"))
        self.assertEqual(len(text), 60)

    def test_a_run_on_the_primary_touches_no_replication(self):
        run = self.new_run()
        self.assertEqual(self.primary.run(run, job="here", args=[], on="primary")["spec"]["on"], "primary")
        r = self.primary.expect(run, "ended")
        self.assertEqual((r["outcome"], r["sealed"]), ("ok", True))
        self.assertIsNone(r["paused_at"])
        self.assertEqual(r["manifest"]["upload"], {"mode": "append", "allow_nontransactional": False, "target": "t.c", "job": "here"})
        self.assertEqual(r["manifest"]["files"][0]["rows"], 1)


class OnMySQL(Exact, Base):
    flavor = "mysql"

    def test_by_hand_and_an_applier_started_by_somebody_else(self):
        lease = self.one.post("/v1/pause", for_s=60, reason="a look", by="dba")
        self.assertEqual(lease["gtid"], self.cluster.position("db1"))
        self.one.post("/v1/resume", by="dba")
        run = self.new_run()
        wait_until(lambda: self.one.lease()["owner"] is None, 20, "the lease is gone")
        with self.job_held():
            self.one.run(run, args=["1"])
            self.one.expect(run, "running")
            self.cluster.sql("db1", "START REPLICA SQL_THREAD")
        outcome, error, _ = self.one.ended(run)
        self.assertEqual(outcome, "error")
        self.assertIn("the frozen state is lost", error)


class Pauses(Base):

    def test_by_hand_it_answers_once_frozen_and_once_applying(self):
        with Load(self.cluster):
            lease = self.one.post("/v1/pause", for_s=60, reason="a look", by="dba")
            applied = self.cluster.value("db1", "SELECT @@GLOBAL.gtid_slave_pos")
            self.assertEqual((lease["gtid"], lease["owner"], lease["phase"]), (applied, "manual", "frozen"))
            self.assertEqual(self.cluster.replication("db1")["sql"], "No")
            self.assertEqual(self.cluster.replication("db1")["io"], "Yes")
            with self.assertRaises(Refused) as refused:
                self.one.get("/healthz?role=replica&max_lag_s=100")
            self.assertEqual(refused.exception.status, 503)
            with self.assertRaises(Refused) as refused:
                self.one.post("/v1/pause", for_s=60, reason="me too", by="other")
            self.assertIn("by hand by dba", refused.exception.text)
            self.one.post("/v1/resume", by="dba", reason="done")
            self.assertEqual(self.cluster.replication("db1")["sql"], "Yes")
        wait_until(lambda: self.one.lease()["owner"] is None, 30, "the lease is gone")
        self.assertTrue(self.one.get("/healthz?role=replica&max_lag_s=100")["ok"])
        with self.assertRaises(Refused) as refused:
            self.one.post("/v1/resume", by="dba")
        self.assertEqual(refused.exception.status, 409)

    def test_it_ends_by_itself_at_its_limit(self):
        self.one.post("/v1/pause", for_s=1, reason="short", by="dba")
        wait_until(lambda: self.one.lease()["owner"] is None, 20, "the lease is gone")

    def test_resuming_by_hand_ends_the_run_that_holds_the_replica(self):
        run = self.new_run()
        self.one.run(run, job="sleeps", args=[])
        self.one.expect(run, "running")
        self.one.post("/v1/resume", by="dba", reason="needed")
        outcome, error, _ = self.one.ended(run)
        self.assertEqual((outcome, error), ("stopped", "the replica was resumed by hand by dba: needed"))

    def test_an_applier_that_somebody_else_stopped_is_left_alone_and_told(self):
        self.cluster.sql("db1", "STOP SLAVE SQL_THREAD")
        wait_until(lambda: any("somebody stopped it" in w for w in self.one.state()["warnings"]), 10, "the warning")
        with self.assertRaises(Refused) as refused:
            self.one.run(self.new_run())
        self.assertEqual(refused.exception.status, 422)
        self.assertIn("START SLAVE SQL_THREAD", refused.exception.text)
        self.kill_agent("db1")
        self.cluster.sql("db1", "STOP SLAVE")
        self.start_agent_here()
        time.sleep(1.5)
        self.assertEqual(self.cluster.replication("db1")["sql"], "No")
        self.cluster.sql("db1", "START SLAVE")

    def start_agent_here(self):
        """Without scripts/sandbox up, which waits for replication."""
        self.cluster.must_sandbox("start", "db1")
        wait_until(lambda: self.answers("db1"), 20, "agent of db1")

    def test_an_applier_started_under_a_job_voids_its_result(self):
        run = self.new_run()
        with self.job_held():
            self.one.run(run, args=["1"])
            self.one.expect(run, "running")
            self.cluster.sql("db1", "START SLAVE SQL_THREAD")
        outcome, error, _ = self.one.ended(run)
        self.assertEqual(outcome, "error")
        self.assertIn("the frozen state is lost", error)
        self.assertFalse(os.path.exists(self.folder("db1", "spool", run)))

    def test_a_write_on_the_replica_itself_voids_the_result(self):
        run = self.new_run()
        with self.job_held():
            self.one.run(run, args=["1"])
            self.one.expect(run, "running")
            before = self.cluster.value("db1", "SELECT @@GLOBAL.gtid_slave_pos")
            self.cluster.sql("db1", "SET SESSION gtid_domain_id=7; FLUSH STATUS")
        outcome, error, _ = self.one.ended(run)
        self.assertEqual(outcome, "error")
        self.assertIn("its own binlog moved", error)
        self.assertTrue(before)

    def test_a_receiver_that_stopped_under_the_pause_costs_nothing(self):
        """A START with both threads stopped would throw the buffer away: it is applied first."""
        run = self.new_run()
        self.one.run(run, job="sleeps", args=[])
        self.one.expect(run, "running")
        self.backlog(100)
        end = self.cluster.position("db0")
        wait_until(lambda: self.one.state()["server"]["received"] == end, 20, "all is received")
        self.cluster.sql("db1", "STOP SLAVE IO_THREAD")
        self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
        self.assertEqual(self.one.ended(run)[0], "killed")
        with open(self.folder("db1", "agent.log"), encoding="utf-8") as f:
            self.assertIn("100 transactions in the relay files are not applied", f.read())


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


class Roles(Base):
    replicas = 1

    def test_terms_that_have_passed_are_refused(self):
        self.one.post("/v1/role", role="replica", term=3)
        for call in (lambda: self.one.post("/v1/role", role="replica", term=2), lambda: self.one.post("/v1/poll", term=2),
                     lambda: self.one.run(self.new_run())):
            with self.assertRaises(Refused) as refused:
                call()
            self.assertEqual(refused.exception.status, 412)
        self.assertEqual(self.one.state()["term"], 3)
        self.one.get("/v1/state?after=0&events_after=0")  # a look changes nothing
        self.assertEqual(self.one.state()["term"], 3)
        for poll, named in (({}, '"term" is 0'), ({"term": 3, "wait_ms": -1}, "wait_ms"), ({"term": "3"}, '"term"'),
                            ({"term": 3, "acknowledger": "soul"}, '"soul" (did you mean "sole"?)')):
            with self.assertRaises(Refused) as refused:
                self.one.post("/v1/poll", **poll)
            self.assertIn(named, str(refused.exception))

    def test_a_restarted_primary_stays_closed_until_its_role_is_repeated(self):
        c = self.cluster
        term = self.primary.state()["term"]
        self.assertEqual(c.value("db0", "SELECT @@GLOBAL.read_only"), "0")
        c.kill("server0")
        c.must_sandbox("start", "db0")
        time.sleep(2)
        self.assertEqual(c.value("db0", "SELECT @@GLOBAL.read_only"), "1")
        self.assertTrue(any("until the coordinator repeats its role" in w for w in self.primary.state()["warnings"]))
        self.primary.post("/v1/poll", term=term)
        wait_until(lambda: c.value("db0", "SELECT @@GLOBAL.read_only") == "0", 10, "the primary is open")
        self.assertEqual(c.value("db0", "SELECT @@GLOBAL.rpl_semi_sync_master_enabled"), "1")

    def test_no_commit_that_waits_is_told_to_be_safe(self):
        """The primary is told to become a replica while a commit waits for its replica: its client gets no answer, since
        nobody else has the row; a later one is refused; semi-sync is off in the end."""
        c = self.cluster
        term = self.primary.state()["term"]
        os.kill(c.pid("agent1"), signal.SIGSTOP)  # it would start the receiver again
        try:
            c.sql("db1", "STOP SLAVE IO_THREAD")
            client = c.session("db0")
            said = []
            waiting = threading.Thread(target=lambda: said.append(self.outcome(client, "INSERT INTO t.w (v) VALUES ('tail')")))
            waiting.start()
            wait_until(lambda: c.sql("db0", "SHOW STATUS LIKE 'Rpl_semi_sync_master_wait_sessions'")[0][1] == "1", 20,
                       "the commit waits")
            self.primary.post("/v1/role", role="replica", term=term)
            wait_until(lambda: c.value("db0", "SELECT @@GLOBAL.read_only * 10 + @@GLOBAL.rpl_semi_sync_master_enabled") == "10",
                       20, "it is closed, and semi-sync off")
            waiting.join()
            self.assertRegex(said[0], "2013|Lost connection|gone away")
            self.assertNotIn("tail", [v for (v,) in c.sql("db1", "SELECT v FROM t.w")])
        finally:
            os.kill(c.pid("agent1"), signal.SIGCONT)
            c.sql("db1", "START SLAVE IO_THREAD")
            self.primary.post("/v1/role", role="primary", term=term)
        wait_until(lambda: c.value("db0", "SELECT @@GLOBAL.read_only") == "0", 20, "the primary is open")
        c.expect_caught_up()

    @staticmethod
    def outcome(client, sql):
        try:
            client.sql(sql)
            return "acknowledged"
        except (SqlError, Failed) as e:
            return str(e)

    def test_a_long_poll_answers_when_something_changes(self):
        seq = self.one.state()["seq"]
        changed = threading.Timer(0.5, lambda: self.cluster.sql("db0", "INSERT INTO t.w (v) VALUES ('n')"))
        changed.start()
        answer = self.one.get("/v1/state?after=%d&wait_ms=50000" % seq, within_s=40)
        self.assertGreater(answer["seq"], seq)
        changed.join()
        wait_until(lambda: self.quiet(), 20, "nothing changes")

    def quiet(self):
        seq = self.one.state()["seq"]
        begin = time.monotonic()
        self.one.get("/v1/state?after=%d&wait_ms=700" % seq)
        return time.monotonic() - begin > 0.6

    def spawned(self, name, *changes):
        """An agent beside those of the sandbox, by a configuration that is db1's but for these."""
        with open(self.folder("db1", "agent.conf"), encoding="utf-8") as f:
            text = f.read()
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        conf = os.path.join(self.cluster.folder, name + ".conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(text)
        log = os.path.join(self.cluster.folder, name + ".log")
        with open(log, "w", encoding="utf-8") as f:
            return conf, log, subprocess.Popen([os.path.join(BUILD, "siding-agent"), "--config", conf, "--allow-root"], stderr=f)

    @staticmethod
    def expect_said(log, words):
        def said():
            with open(log, encoding="utf-8") as f:
                return words in f.read()
        wait_until(said, 20, '"%s" in %s' % (words, log))

    def test_an_agent_is_one_servers_and_a_server_one_agents(self):
        c = self.cluster
        port = re.search(r"\d+$", self.one.url).group(0)
        other = os.path.join(c.folder, "other")
        _, log, agent = self.spawned("second", (self.folder("db1", "agent"), other), (":" + port, ":%d" % (int(port) + 9)))
        try:
            self.expect_said(log, "another agent works with this server")
        finally:
            agent.kill()
            agent.wait()
        self.one.post("/v1/role", role="replica", term=self.one.state()["term"] + 1)
        self.kill_agent("db0")
        self.kill_agent("db1")
        conf, log, agent = self.spawned("moved", (c.socket("db1"), c.socket("db0")))
        try:
            self.expect_said(log, "another server answers")
            state = self.one.state()
            self.assertFalse(state["server"]["up"])
            self.one.post("/v1/role", role="replica", term=state["term"])
            time.sleep(1)
            self.assertEqual(c.value("db0", "SELECT @@GLOBAL.read_only"), "0", "the primary is not closed")
            agent.kill()
            agent.wait()
            done = subprocess.run([os.path.join(BUILD, "siding-agent"), "--config", conf, "--adopt", "--allow-root"], stdout=subprocess.PIPE,
                                  timeout=20, check=True)
            self.assertIn(self.folder("db1"), json.loads(done.stdout)["bound"]["identity"])
            agent = self.spawned("moved", (c.socket("db1"), c.socket("db0")))[2]
            wait_until(lambda: self.answers("db1"), 20, "it has taken the server for its own")
            self.assertFalse(self.one.state()["server"]["is_replica"])
        finally:
            agent.kill()
            agent.wait()
            subprocess.run([os.path.join(BUILD, "siding-agent"), "--config", conf, "--adopt", "--allow-root"], stdout=subprocess.DEVNULL,
                           timeout=20, check=True)
            self.start_agent("db1")

    def test_one_agent_a_state_folder_and_no_plain_listener_outside(self):
        agent = os.path.join(BUILD, "siding-agent")
        conf = self.folder("db1", "agent.conf")
        done = subprocess.run([agent, "--config", conf, "--allow-root"], stderr=subprocess.PIPE, timeout=20 * slack(),
                              check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"another agent works with", done.stderr)
        with open(conf, encoding="utf-8") as f:
            text = f.read()
        bad = os.path.join(self.cluster.folder, "bad.conf")
        for old, new, words in (("127.0.0.1:", "0.0.0.0:", b"needs tls"), ("state_dir", "stat_dir", b'"state_dir"')):
            with open(bad, "w", encoding="utf-8") as f:
                f.write(text.replace(old, new))
            done = subprocess.run([agent, "--config", bad], stderr=subprocess.PIPE, timeout=20 * slack(), check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr)
            self.assertIn(b"bad.conf:", done.stderr)

    def test_metrics_are_prometheus_text(self):
        _, text = self.one.get("/metrics", raw=True)
        values = dict(line.rsplit(" ", 1) for line in text.decode().splitlines() if not line.startswith("#"))
        self.assertEqual(values['siding_server_up{node="db1"}'], "1")
        self.assertEqual(values['siding_paused{node="db1"}'], "0")


if __name__ == "__main__":
    main()
