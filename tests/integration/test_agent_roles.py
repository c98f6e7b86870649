#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whom an agent obeys and whose it is: terms that have passed, a primary that stays closed, one agent a server and a
folder, long polls, metrics."""
import json
import os
import re
import signal
import subprocess
import threading
import time

from agent_case import Base, Refused
from harness import BUILD, main
from machine import Failed, slack, wait_until
from sqlclient import SqlError


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
