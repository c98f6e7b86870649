#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agents' side of a failover: a coordinator of the test's own gives the orders, step by step, and real servers and
agents carry them out. sidingd is stopped. What a client was told is committed must be on the new primary."""
import contextlib
import json
import threading
import time
import urllib.error
import urllib.request

from harness import ClusterTest, main
from machine import Failed, slack, wait_until
from agent_case import Agent

OWNER = "00000000c0ffee01"


class Refused(Exception):
    def __init__(self, answer):
        super().__init__(json.dumps(answer))
        self.answer = answer


class Coordinator:
    """Gives orders in one ballot, each until it is done."""

    def __init__(self, cluster, term, owner=OWNER):
        self.cluster, self.ballot, self.version = cluster, {"term": term, "owner": owner}, 0

    def once(self, node, kind, **more):
        """(status, answer) of one order."""
        url = self.cluster.env["AGENT%s_URL" % node[2:]] + "/v1/order"
        body = dict({"kind": kind, "ballot": self.ballot}, **more)
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30 * slack()) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as e:
            return e.code, json.load(e)

    def order(self, node, kind, within_s=60, **more):
        last = []

        def done():
            with contextlib.suppress(OSError):
                last[:] = self.once(node, kind, **more)
                if last[0] != 200:
                    raise Refused(last[1])
                return last[1]["done"] and last[1]
            return None
        return wait_until(done, within_s, lambda: "%s of %s: %s" % (kind, node, last))

    def server(self, node):
        return {"node": node, "host": "127.0.0.1", "port": int(self.cluster.value(node, "SELECT @@port"))}

    def decide(self, voters, primary, held_by, members, is_open, acks=1):
        self.version += 1
        self.decision = {"ballot": self.ballot, "version": self.version, "primary": primary, "held_by": held_by,
                         "open": is_open, "members": members, "acks": acks}
        for node in voters:
            self.order(node, "accept", decision=self.decision)

    def carry(self, node, kind, **more):
        return self.order(node, kind, decision=self.decision, **more)

    def arm(self, node):
        """Out of the silence that its start as a replica has begun. Refused while its agent's last look at the server is of before it followed: asked again, as sidingd does."""
        last = []

        def armed():
            try:
                return self.carry(node, "arm", silence=self.carry(node, "accept")["silence"])
            except Refused as e:
                last[:] = [str(e)]
                return None
        wait_until(armed, 10, lambda: "%s is armed: %s" % (node, last))

    def promote(self, winner, followers, old, voters, donor=None):
        """After the fence: decide, drain, follow, record, arm, open, probe."""
        self.decide(voters, winner, old, followers + [winner], False)
        had = self.carry(winner, "drain", **(donor or {}))["received"]
        for node in followers:
            self.carry(node, "follow", source=self.server(winner), gtid=had)
        self.decide(voters, winner, winner, followers, True)
        for node in followers:
            self.arm(node)
        self.carry(winner, "open")
        self.carry(winner, "probe")
        return had


class Clients:
    """Short transactions on a node until it dies: `told` is what it said is committed."""

    def __init__(self, cluster, node, n=4, user="root"):
        self.cluster, self.node, self.told, self.lock, self.on = cluster, node, [], threading.Lock(), True
        self.user = user
        self.threads = [threading.Thread(target=self.go, args=(i,), daemon=True) for i in range(n)]
        for t in self.threads:
            t.start()

    def go(self, i):
        n = 0
        with contextlib.suppress(Failed, ValueError), self.cluster.session(self.node, self.user) as s:
            while self.on:
                n += 1
                s.sql("INSERT INTO t.w (k) VALUES ('%s-%d-%d')" % (self.node, i, n))
                with self.lock:
                    self.told.append("%s-%d-%d" % (self.node, i, n))

    def stop(self):
        self.on = False
        for t in self.threads:
            t.join(30)
        return self.told

    def await_more(self, n):
        start = len(self.told)
        wait_until(lambda: len(self.told) >= start + n, 30, "%d transactions" % n)


class Orders(ClusterTest):
    term = 0

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.kill("sidingd")
        cls.cluster.sql("db0", "CREATE DATABASE t; CREATE TABLE t.w (id BIGINT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(64))")
        cls.cluster.expect_caught_up()

    def coordinator(self):
        type(self).term += 1
        return Coordinator(self.cluster, self.term)

    def primary_of(self):
        return next(n for n in self.cluster.nodes if self.cluster.value(n, "SELECT @@GLOBAL.read_only") == "0")

    def vote(self, node):
        return Agent(self.cluster, node).state()["vote"]

    def expect_told(self, node, told):
        there = {k for (k,) in self.cluster.sql(node, "SELECT k FROM t.w")}
        lost = [k for k in told if k not in there]
        self.assertEqual([], lost, "%d of %d acknowledged are not on %s" % (len(lost), len(told), node))

    def receiver(self, node):
        return self.cluster.replication(node).get("io")

    def restart_agent(self, node):
        self.cluster.kill("agent" + node[2:])
        self.cluster.start(node)
        wait_until(lambda: self.answers(node), 30, "%s's agent answers" % node)

    def answers(self, node):
        with contextlib.suppress(OSError):
            return Agent(self.cluster, node).state()["server"]["up"]

    def test_1_a_promise_survives_and_an_older_one_is_refused(self):
        c = self.coordinator()
        for node in self.cluster.nodes:
            self.assertTrue(c.order(node, "promise")["done"])
        self.restart_agent("db1")
        self.assertEqual(c.ballot, self.vote("db1")["promised"])
        older = Coordinator(self.cluster, self.term, "00000000deadbeef")
        status, answer = older.once("db1", "fence")
        self.assertEqual((409, c.ballot), (status, answer["promised"]))
        self.assertEqual("conflict", answer["error"]["kind"])
        self.assertEqual("Yes", self.receiver("db1"))
        c.decide(self.cluster.nodes, "db0", "db0", ["db1", "db2"], True)
        self.assertEqual("Yes", self.receiver("db1"))
        self.cluster.sql("db0", "INSERT INTO t.w (k) VALUES ('before')")

    def test_2_a_fence_stands_over_restarts_and_by_hand(self):
        c = self.coordinator()
        answer = c.order("db1", "fence")
        self.assertEqual("No", self.receiver("db1"))
        self.assertTrue(answer["received"])
        self.restart_agent("db1")
        self.assertTrue(self.vote("db1")["shut"])
        self.cluster.kill("server1")
        self.cluster.start("db1")
        wait_until(lambda: self.answers("db1"), 30, "db1 answers")
        time.sleep(2)  # an agent that starts it does so within a second
        self.assertEqual("No", self.receiver("db1"))
        with contextlib.suppress(Exception):
            Agent(self.cluster, "db1").post("/v1/resume", by="test", reason="by hand")
        self.cluster.sql("db1", "START REPLICA")
        wait_until(lambda: self.receiver("db1") == "No", 20, "a START by hand is taken back")
        # The primary lives: what stood is accepted again, and db1 follows it as before.
        c.decide(self.cluster.nodes, "db0", "db0", ["db1", "db2"], True)
        self.cluster.expect_replicating("db1")
        self.assertFalse(self.vote("db1")["shut"])

    def test_2_what_was_closed_opens_by_itself(self):
        """Its coordinator is gone: nothing was promised that would keep it closed."""
        c = self.coordinator()
        answer = c.order("db0", "close", for_ms=1000)
        self.assertTrue(answer["closed"])
        self.assertEqual(self.flavor == "mysql", answer["ended"])
        self.assertTrue(self.covers(answer["received"], self.cluster.position("db0")))
        self.assertNotEqual("0", self.cluster.value("db0", "SELECT @@GLOBAL.read_only"))
        wait_until(lambda: self.cluster.value("db0", "SELECT @@GLOBAL.read_only") == "0", 10, "it opens by itself")
        self.cluster.sql("db0", "INSERT INTO t.w (k) VALUES ('open again')")
        # With a fence it stays so, until what stood is accepted again.
        c = self.coordinator()
        c.order("db0", "close", for_ms=1000)
        self.assertTrue(c.order("db0", "fence", clean=True)["closed"])
        time.sleep(2)
        self.assertNotEqual("0", self.cluster.value("db0", "SELECT @@GLOBAL.read_only"))
        c.decide(self.cluster.nodes, "db0", "db0", ["db1", "db2"], True)
        c.carry("db0", "open")
        self.cluster.sql("db0", "INSERT INTO t.w (k) VALUES ('and again')")
        self.cluster.expect_replicating("db1")

    def test_3_the_primary_is_killed_and_a_replica_takes_over(self):
        clients = Clients(self.cluster, "db0")
        clients.await_more(200)
        self.cluster.kill("server0")
        told = clients.stop()
        c = self.coordinator()
        begun = time.monotonic()
        received = {n: c.order(n, "fence")["received"] for n in ("db1", "db2")}
        end = c.order("db0", "fence", kill=True)
        self.assertTrue(end["ended"])
        winner = max(received, key=lambda n: (self.covers(received[n], received["db1"]), self.covers(received[n], received["db2"])))
        other = "db2" if winner == "db1" else "db1"
        had = c.promote(winner, [other], "db0", self.cluster.nodes)
        print("# %s took over from db0 in %.2f s" % (winner, time.monotonic() - begun), flush=True)
        self.assertTrue(self.covers(end["received"], had))
        self.expect_told(winner, told)
        self.assertEqual("0", self.cluster.value(winner, "SELECT @@GLOBAL.read_only"))
        self.cluster.sql(winner, "INSERT INTO t.w (k) VALUES ('after')")
        self.cluster.expect_replicating(other)
        wait_until(lambda: self.cluster.value(other, "SELECT COUNT(*) FROM t.w WHERE k = 'after'") == "1", 20, "replicated")
        type(self).told, type(self).winner, type(self).other = told + ["after"], winner, other

    def covers(self, a, b):
        """Position a holds all of b."""
        if self.cluster.flavor == "mysql":
            return self.cluster.value("db1", "SELECT GTID_SUBSET('%s', '%s')" % (b, a)) == "1"
        return int(a.rsplit("-", 1)[1]) >= int(b.rsplit("-", 1)[1])

    def test_4_the_old_primary_comes_back_closed(self):
        self.cluster.start("db0")
        wait_until(lambda: self.answers("db0"), 30, "db0 answers")
        self.assertEqual(self.winner, self.vote("db0")["accepted"]["primary"])
        with contextlib.suppress(Exception):
            Agent(self.cluster, "db0").post("/v1/role", role="primary", term=1)
        time.sleep(3)  # an agent that opens it does so within a second
        self.assertNotEqual("0", self.cluster.value("db0", "SELECT @@GLOBAL.read_only"))

    def test_5_the_new_primary_opens_again_after_a_restart(self):
        self.cluster.kill("server" + self.winner[2:])
        self.restart_agent(self.winner)
        wait_until(lambda: self.answers(self.winner), 30, "%s answers" % self.winner)
        self.assertNotEqual("0", self.cluster.value(self.winner, "SELECT @@GLOBAL.read_only"))
        Agent(self.cluster, self.winner).post("/v1/role", role="primary", term=1)
        wait_until(lambda: self.cluster.value(self.winner, "SELECT @@GLOBAL.read_only") == "0", 20, "it is open again")
        self.cluster.expect_replicating(self.other)
        self.cluster.sql(self.winner, "INSERT INTO t.w (k) VALUES ('again')")

    def test_6_a_paused_replica_is_drained_and_promoted(self):
        other = self.other
        self.cluster.sql(self.winner, "INSERT INTO t.w (k) VALUES ('ahead of the pause')")
        Agent(self.cluster, other).post("/v1/pause", for_s=600, reason="test", by="test")
        clients = Clients(self.cluster, self.winner)
        clients.await_more(100)
        self.cluster.kill("server" + self.winner[2:])
        told = clients.stop()
        self.assertEqual("0", self.cluster.value(other, "SELECT COUNT(*) FROM t.w WHERE k LIKE '%s-%%'" % self.winner))
        c = self.coordinator()
        c.order(other, "fence")
        c.order("db0", "fence")
        self.assertTrue(c.order(self.winner, "fence", kill=True)["ended"])
        c.decide(self.cluster.nodes, other, self.winner, [other], False)
        c.carry(other, "drain")
        self.assertIsNone(Agent(self.cluster, other).lease()["owner"])
        self.expect_told(other, told)
        c.decide(self.cluster.nodes, other, other, [], True, acks=0)
        c.carry(other, "open")
        c.carry(other, "probe")
        self.cluster.sql(other, "INSERT INTO t.w (k) VALUES ('alone')")


class OnMariadb(Orders):
    flavor = "mariadb"


class OnMysql(Orders):
    flavor = "mysql"


del Orders

if __name__ == "__main__":
    main()
