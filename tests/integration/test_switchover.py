#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sidingd and agents replace primaries of a real cluster under load. What a client was told is committed must be on the
new primary; the old one comes back, follows, and is counted in."""
import json
import os
import random
import select
import signal
import statistics
import subprocess
import threading
import time

from harness import BUILD, ClusterTest, main
from machine import Failed, call, wait_until
from test_failover import Clients

SETTINGS = 'failover = { automatic = %s; after = "2s"; again_after = "0s"; %s };\n'


class Replaced:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.sql("db0", "CREATE DATABASE t; CREATE TABLE t.w (id BIGINT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(64));"
                        " CREATE TABLE t.probe (node CHAR(8), n BIGINT); CREATE USER app@localhost;"
                        " GRANT SELECT, INSERT, UPDATE, DELETE, LOCK TABLES ON t.* TO app@localhost")
        cls.cluster.expect_caught_up()
        cls.told = []

    # ---- tools ----------------------------------------------------------------------------------------------------

    def ask(self, *args, **keywords):
        return self.cluster.siding("cluster", *args, **keywords)

    def refused(self, *args):
        """What a switchover says that is refused or given up."""
        code, out, err = call(os.path.join(BUILD, "siding"), "cluster", "switchover", *args, env=self.cluster.env)
        self.assertNotEqual(0, code, out)
        return out + err

    def primary(self):
        return self.ask("primary", "--format", "json")["name"]

    def await_well(self):
        def well():
            plan = self.ask("failover", "--dry-run")
            return plan["analysis"] == "well" and plan["strict"]
        wait_until(well, 60, lambda: "the primary is well: %s" % self.ask("failover", "--dry-run"))

    def await_member(self, node):
        """It follows the primary and acknowledges."""
        def acknowledges():
            server = next(n["agent"]["server"] for n in self.ask("status")["nodes"] if n["name"] == node)
            return server["io"] == "yes" and server["acknowledges"]
        wait_until(acknowledges, 60, lambda: "%s acknowledges: %s" % (node, self.ask("status")["nodes"]))

    @classmethod
    def set_failover(cls, automatic, more=""):
        """What sidingd.conf says of failovers, once it is read again."""
        conf = os.path.join(cls.cluster.folder, "coordinator", "sidingd.conf")
        with open(conf, encoding="utf-8") as f:
            lines = [line for line in f if not line.startswith("failover =")]
        with open(conf, "w", encoding="utf-8") as f:
            f.writelines(lines + [SETTINGS % (automatic, more)])

    @classmethod
    def restart_sidingd(cls, automatic, more=""):
        cls.set_failover(automatic, more)
        cls.cluster.kill("sidingd")
        cls.cluster.start("coordinator")

    def begin_well(self):
        self.old = self.primary()
        for node in self.cluster.nodes:
            if node != self.old:
                self.await_member(node)
        self.await_well()

    def await_another(self, within_s=60):
        wait_until(lambda: self.primary() != self.old, within_s,
                   lambda: "another is the primary: %s" % self.ask("failover", "--dry-run"))
        return self.primary()

    def expect_told(self, node, clients):
        type(self).told += clients.stop()
        self.expect_there(node)

    def expect_there(self, node):
        there = {k for (k,) in self.cluster.sql(node, "SELECT k FROM t.w")}
        lost = [k for k in self.told if k not in there]
        self.assertEqual([], lost, "%d of %d acknowledged are not on %s" % (len(lost), len(self.told), node))

    def expect_one_open(self, primary):
        for node in self.cluster.nodes:
            try:
                closed = self.cluster.value(node, "SELECT @@GLOBAL.read_only")
            except Failed:
                continue  # it does not run
            self.assertEqual(node != primary, closed != "0", node)

    def say(self, number=-1):
        last = self.ask("failovers")[number]
        print("# %s: %s to %s, %d ms, %d ms without writes" % (last["kind"], last["from"], last["to"], last["took_ms"],
                                                               last["without_writes_ms"]), flush=True)
        for step in self.ask("failover", "show", str(last["id"]))["steps"]:
            print("# %6d ms  %s" % (step["ms"], step["text"]), flush=True)
        self.assertEqual("promoted", last["outcome"])

    def events(self):
        return call(os.path.join(BUILD, "siding"), "events", "--limit", "500", env=self.cluster.env)[1]

    def comes_back(self, old):
        """It follows and acknowledges; or it has what no client was told of, stays closed, and is told."""
        self.cluster.start(old)
        told = "%s cannot follow the new primary" % old

        def decided():
            server = next(n["agent"]["server"] for n in self.ask("status")["nodes"] if n["name"] == old)
            return (server["io"] == "yes" and server["acknowledges"]) or told in self.events()
        wait_until(decided, 90, lambda: "%s follows or is told: %s" % (old, self.ask("status")["nodes"]))
        self.await_well()


class Probes:
    """Plain accounts that try to write on every server all the time: never two at once."""

    def __init__(self, cluster):
        self.on, self.taken, self.threads = True, {node: [] for node in cluster.nodes}, []
        for node in cluster.nodes:
            self.threads.append(threading.Thread(target=self.go, args=(cluster.socket(node), node), daemon=True))
            self.threads[-1].start()

    def go(self, socket, node):
        while self.on:
            client = subprocess.Popen(["mariadb", "--no-defaults", "-BNfnu", "app", "-S", socket], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            while self.on and client.poll() is None:
                begun = time.monotonic()
                try:
                    client.stdin.write("INSERT INTO t.probe VALUES ('%s', 1); SELECT ROW_COUNT();\n" % node)
                    client.stdin.flush()
                    if not select.select([client.stdout], [], [], 1)[0]:
                        break  # it was refused, which says nothing, or hangs
                    if client.stdout.readline() == "1\n":
                        self.taken[node].append((begun, time.monotonic()))
                except BrokenPipeError:
                    break
                time.sleep(0.02)
            client.kill()
            client.communicate()

    def stop(self):
        """Pairs of nodes that took a write at once."""
        self.on = False
        for t in self.threads:
            t.join(30)
        spans = sorted((end, begun, node) for node, taken in self.taken.items() for begun, end in taken)
        return [(a, b) for a, b in zip(spans, spans[1:]) if a[2] != b[2] and b[1] < a[1]]


class There(Replaced):
    rounds = 10

    def switch(self, target, *args, **keywords):
        return self.cluster.siding("cluster", "switchover", "--to", target, *args, within_s=120, **keywords)

    def open_now(self, node):
        return self.cluster.value(node, "SELECT @@GLOBAL.read_only") == "0"

    def test_1_there_and_back(self):
        """No server is ended, nothing that was told is lost, no two take writes."""
        self.await_well()
        pids = {n: self.cluster.pid("server" + n[2:]) for n in self.cluster.nodes}
        probes, without = Probes(self.cluster), []
        for i in range(self.rounds):
            old, target = self.primary(), ("db1", "db0")[i % 2]
            clients = Clients(self.cluster, old, user="app")
            clients.await_more(50)
            self.switch(target)
            self.expect_told(target, clients)
            self.assertEqual(target, self.primary())
            self.expect_one_open(target)
            self.say()
            without.append(self.ask("failovers")[-1]["without_writes_ms"])
            self.await_member(old)
            self.await_well()
        self.assertEqual([], probes.stop())
        self.assertEqual(pids, {n: self.cluster.pid("server" + n[2:]) for n in self.cluster.nodes})
        self.cluster.expect_equal()
        print("# without writes: %d ms in the median, %d at most, of %d" % (statistics.median(without), max(without), len(without)))
        self.assertLess(max(without), 5000)

    def test_2_a_long_transaction_is_named(self):
        primary, target = self.primary(), "db2"
        with self.cluster.session(primary, "app") as s:
            s.sql("BEGIN; INSERT INTO t.w (k) VALUES ('long')")
            time.sleep(2.5)
            self.assertRegex(self.refused("--to", target), r"session \d+ \(app@localhost\), \d+ s: an open transaction")
            self.assertTrue(self.open_now(primary))
            self.assertEqual("given up", self.ask("failovers")[-1]["outcome"])
            s.sql("INSERT INTO t.w (k) VALUES ('goes on')")
            self.await_well()
            self.switch(target, "--kill-after", "1s")
        self.assertEqual(target, self.primary())
        self.await_member(primary)
        self.await_well()

    def test_3_a_lock_undoes_it(self):
        """What cannot be seen before: it is open again within 5 s, and nobody was told wrong."""
        primary = self.primary()
        target = "db0" if primary != "db0" else "db1"
        with self.cluster.session(primary, "app") as s:
            s.sql("LOCK TABLES t.w WRITE")
            begun = time.monotonic()
            out = self.refused("--to", target)
            self.assertIn("could not be closed", out)
            self.assertTrue(self.open_now(primary))
            print("# undone after %.1f s" % (time.monotonic() - begun))
            s.sql("INSERT INTO t.w (k) VALUES ('under a lock')")
        self.await_well()
        self.switch(target)
        self.await_member(primary)
        self.await_well()

    def test_4_the_coordinator_dies_while_it_is_closed(self):
        """Nobody was decided yet: it is open again soon after its start."""
        primary = self.primary()
        others = [self.cluster.pid("agent" + n[2:]) for n in self.cluster.nodes if n != primary]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            target = "db2" if primary != "db2" else "db1"
            ask = threading.Thread(target=self.refused, args=("--to", target, "--wait", "5s"), daemon=True)
            ask.start()
            wait_until(lambda: not self.open_now(primary), 10, "it is closed")
            self.cluster.kill("sidingd")
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)
        self.cluster.start("coordinator")
        begun = time.monotonic()
        wait_until(lambda: self.open_now(primary), 30, "it is open again")
        print("# open again %.1f s after the coordinator's start" % (time.monotonic() - begun))
        ask.join(60)
        self.assertEqual(primary, self.primary())
        self.await_well()
        for node in self.cluster.nodes:
            if node != primary:
                self.await_member(node)


class Asked(Replaced):
    def test_a_killed_primary_is_replaced(self):
        self.await_well()
        old = self.primary()
        clients = Clients(self.cluster, old)
        clients.await_more(100)
        self.cluster.kill("server" + old[2:])
        wait_until(lambda: self.ask("failover", "--dry-run")["analysis"] == "server dead", 30, "it is found dead")
        self.cluster.siding("cluster", "failover", within_s=120)
        self.expect_told(self.primary(), clients)
        self.expect_one_open(self.primary())
        self.say()
        self.comes_back(old)


class ByItself(Replaced):
    def test_a_killed_primary_is_replaced(self):
        self.restart_sidingd("true")
        self.await_well()
        old = self.primary()
        clients = Clients(self.cluster, old)
        clients.await_more(100)
        self.cluster.kill("server" + old[2:])
        wait_until(lambda: self.primary() != old, 60, "another is the primary")
        self.expect_told(self.primary(), clients)
        self.expect_one_open(self.primary())
        self.say()
        self.comes_back(old)
        task = self.cluster.submit("dump", "--database", "t")
        self.cluster.expect_state(task, "done", within_s=120)  # the queue went on


class Coordinator(Replaced):
    """It is killed at a step of its own record: one drawn at random, or with SIDING_FAILOVER_STEPS=all each of them."""
    STEPS = ["put to the voters", "applies all that was received", "followed by the others", "its members are put",
             "its members acknowledge", "opens", "commits a probe"]
    FAILOVER = ["receivers are stopped"] + STEPS
    SWITCHOVER = ["the primary is closed to writes", "what it has written is applied"] + STEPS

    def steps(self, names):
        return names if os.environ.get("SIDING_FAILOVER_STEPS") == "all" else [random.choice(names)]

    def record(self):
        with open(os.path.join(self.cluster.folder, "coordinator", "failovers.json"), encoding="utf-8") as f:
            return json.load(f)[-1]

    def kill_at(self, step, known):
        """As soon as the record of one after `known` names the step, or is over."""
        pid, until = self.cluster.pid("sidingd"), time.monotonic() + 60
        while time.monotonic() < until:
            try:
                last = self.record()
            except (FileNotFoundError, IndexError):
                last = {"id": 0}
            texts = [s["text"] for s in last.get("steps", [])]
            if last["id"] > known and (last["outcome"] or any(step in text for text in texts)):
                self.cluster.kill_pid(pid)
                print("# killed at: %s" % texts[-1], flush=True)
                return
            time.sleep(0.002)
        raise Failed("no failover has come to the step \"%s\"" % step)

    def known(self):
        return max((f["id"] for f in self.ask("failovers")), default=0)

    def follower(self):
        """Not one that stays closed for what nobody was told of."""
        return next(n["name"] for n in self.ask("status")["nodes"] if n["agent"]["server"]["io"] == "yes" and n["agent"]["server"]["acknowledges"])

    def comes_to_rest(self):
        self.cluster.start("coordinator")
        wait_until(lambda: not self.ask("primary", "--format", "json")["failover"] and
                   all(f["outcome"] for f in self.ask("failovers")), 60, lambda: "it is over: %s" % self.ask("failovers"))
        self.await_well()
        return self.primary()

    def test_1_of_a_failover(self):
        self.restart_sidingd("true")
        self.await_well()
        for step in self.steps(self.FAILOVER):
            old, known = self.primary(), self.known()
            clients = Clients(self.cluster, old, user="app")
            clients.await_more(50)
            if os.environ.get("SIDING_FAILOVER_STEPS") == "all":  # the next step needs one without a tail
                clients.stop()
            self.cluster.kill("server" + old[2:])
            self.kill_at(step, known)
            new = self.comes_to_rest()
            self.assertNotEqual(old, new)
            self.expect_told(new, clients)
            self.expect_one_open(new)
            self.comes_back(old)

    def test_2_of_a_switchover(self):
        """It is undone, or gone on with."""
        self.await_well()
        for step in self.steps(self.SWITCHOVER):
            old, known = self.primary(), self.known()
            target = self.follower()
            clients = Clients(self.cluster, old, user="app")
            clients.await_more(50)
            ask = threading.Thread(target=call, args=(os.path.join(BUILD, "siding"), "cluster", "switchover", "--to", target,
                                                      "--wait", "5s"), kwargs={"env": self.cluster.env}, daemon=True)
            ask.start()
            self.kill_at(step, known)
            new = self.comes_to_rest()
            ask.join(60)
            self.assertIn(new, (old, target))
            self.expect_told(new, clients)
            self.expect_one_open(new)
            self.await_member(old if old != new else target)
            self.await_well()


class ThereMariadb(There, ClusterTest):
    flavor = "mariadb"


class ThereMysql(There, ClusterTest):
    flavor = "mysql"


class AskedMariadb(Asked, ClusterTest):
    flavor = "mariadb"


class AskedMysql(Asked, ClusterTest):
    flavor = "mysql"


class ByItselfMariadb(ByItself, ClusterTest):
    flavor = "mariadb"


class ByItselfMysql(ByItself, ClusterTest):
    flavor = "mysql"


class CoordinatorMariadb(Coordinator, ClusterTest):
    flavor = "mariadb"


class CoordinatorMysql(Coordinator, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
