#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A primary that its members do not answer: it stays open as long as one of them acknowledges, closes when none does, and
opens again. No client is told of a commit that no replica has."""
import json
import os
import signal
import threading
import urllib.error
import urllib.request

from harness import ClusterTest, main
from machine import Failed, slack, wait_until
from sqlclient import SqlError
from test_switchover import Replaced

CLIENTS = 6


class Contact(Replaced):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.sql("db0", "ALTER TABLE t.w MODIFY k VARCHAR(40); CREATE USER client@localhost;"
                        " GRANT SELECT, INSERT ON t.* TO client@localhost")
        cls.restart_sidingd("true", 'fence_after = "2s"; close = "0s";')

    def setUp(self):
        self.frozen = []
        self.begin_well()
        self.others = [n for n in self.cluster.nodes if n != self.old]
        wait_until(self.is_asked, 30, "the members are asked")

    def tearDown(self):
        self.thaw()

    def is_asked(self):
        """The decision in force says for how long their word counts, and they have given it."""
        node = next(n for n in self.ask("status")["nodes"] if n["name"] == self.old)
        return node["agent"]["vote"]["accepted"]["fence_ms"] == 2000 and node["agent"]["server"]["stood_by"] == len(self.others)

    def health(self):
        """(status, text) of what a load balancer asks the primary's agent."""
        url = self.cluster.env["AGENT%s_URL" % self.number(self.old)] + "/healthz?role=primary"
        try:
            with urllib.request.urlopen(url, timeout=20 * slack()) as answer:
                return answer.status, json.dumps(json.load(answer))
        except urllib.error.HTTPError as e:
            return e.code, json.dumps(json.load(e))

    def agent_log(self):
        with open(os.path.join(self.cluster.folder, self.old, "agent.log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def number(self, node):
        return node[2:]

    def freeze(self, *processes):
        for p in processes:
            pid = self.cluster.pid(p)
            os.kill(pid, signal.SIGSTOP)
            self.frozen.append(pid)

    def thaw(self):
        for pid in self.frozen:
            os.kill(pid, signal.SIGCONT)
        self.frozen = []

    def agents_of_others(self):
        return ["agent" + self.number(n) for n in self.others]

    def servers_of_others(self):
        return ["server" + self.number(n) for n in self.others]

    def is_closed(self):
        return self.cluster.value(self.old, "SELECT @@GLOBAL.read_only") == "1"

    def test_1_without_coordinator_and_agents_it_stays_open(self):
        """Their receivers acknowledge a commit of the agent's own, several times over the time in which it would close."""
        asked = "SELECT COUNT(*), COALESCE(MAX(id), 0) FROM siding.probe"
        self.freeze("sidingd", *self.agents_of_others())
        first = int(self.cluster.sql(self.old, asked)[0][1])
        wait_until(lambda: int(self.cluster.sql(self.old, asked)[0][1]) >= first + 4, 60, "its own commits are acknowledged")
        self.cluster.sql(self.old, "INSERT INTO t.w (k) VALUES ('without them')")
        self.assertFalse(self.is_closed())
        self.assertNotIn("stand by it", self.agent_log())

    def test_2_it_closes_and_opens_again(self):
        session = self.cluster.session(self.old, "client")
        session.sql("SELECT 1")
        self.freeze("sidingd", *self.agents_of_others(), *self.servers_of_others())
        wait_until(lambda: self.health()[0] == 503, 60, "load balancers are told")
        self.assertIn("members do not answer", self.health()[1])
        wait_until(lambda: self.is_ended(session), 60, "sessions of clients are ended")
        if self.flavor == "mariadb":  # MySQL keeps the commit that its agent tried, and stays writable to whoever waits too
            wait_until(self.is_closed, 60, "it is closed")
        self.thaw()
        wait_until(lambda: not self.is_closed() and self.health()[0] == 200, 60, "it opens again")
        self.cluster.sql(self.old, "INSERT INTO t.w (k) VALUES ('again')")
        self.assertNotIn("by somebody else", self.agent_log())

    @staticmethod
    def is_ended(session):
        try:
            session.sql("SELECT 1")
            return False
        except (SqlError, Failed):
            return True

    def test_3_nobody_is_told_of_what_nobody_has(self):
        """Commits of several clients, in groups, wait while it is to be closed."""
        said = {}

        def write(client, i):
            try:
                client.sql("INSERT INTO t.w (k) VALUES ('group %d')" % i)
                said[i] = "acknowledged"
            except (SqlError, Failed) as e:
                said[i] = str(e)

        clients = [self.cluster.session(self.old, "client") for _ in range(CLIENTS)]
        self.freeze("sidingd", *self.agents_of_others(), *self.servers_of_others())
        threads = [threading.Thread(target=write, args=(c, i)) for i, c in enumerate(clients)]
        for t in threads:
            t.start()
        wait_until(lambda: "stand by it" in self.agent_log(), 60, "it is to be closed")
        wait_until(lambda: "stays writable as long as commits wait" in self.agent_log() or self.is_closed(), 60, "that was tried")
        self.assertEqual([], [i for i, s in said.items() if s == "acknowledged"])
        self.thaw()
        for t in threads:
            t.join()
        wait_until(lambda: not self.is_closed(), 60, "it is open again")
        self.cluster.expect_caught_up()
        for node in self.others:
            there = {k for (k,) in self.cluster.sql(node, "SELECT k FROM t.w")}
            self.assertEqual([], [i for i, s in said.items() if s == "acknowledged" and "group %d" % i not in there])


class ContactMariadb(Contact, ClusterTest):
    flavor = "mariadb"


class ContactMysql(Contact, ClusterTest):
    flavor = "mysql"


del Replaced, Contact

if __name__ == "__main__":
    main()
