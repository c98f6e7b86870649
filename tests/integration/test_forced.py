#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two of three hosts are lost: no majority is left, and a person decides. What is told names the command, and the command
does it."""
import os
import re
import threading

from harness import BUILD, ClusterTest, main
from machine import call, wait_until
from test_failover import Clients
from test_switchover import Replaced


class Forced(Replaced):
    def says(self, *command):
        """(status, text) of siding."""
        status, out, err = call(os.path.join(BUILD, "siding"), *command, env=self.cluster.env)
        return status, out + err

    def end_host(self, number):
        self.cluster.kill("agent%d" % number)
        self.cluster.kill("server%d" % number)

    def named(self, text, pattern):
        """The command that a sentence names."""
        got = re.search(pattern.replace("COMMAND", r"(siding cluster failover(?: --[a-z-]+)*)"), text)
        self.assertIsNotNone(got, text)
        return got[1].split()[1:]

    def warnings(self):
        return "\n".join(self.cluster.siding("status")["warnings"])

    def test_1_refused_while_it_answers(self):
        self.await_well()
        forced = ("cluster", "failover", "--force", "--old-primary-is-off", "--accept-data-loss")
        status, text = self.says(*forced)
        self.assertNotEqual(0, status)
        self.assertIn("the primary's server db0 answers", text)
        plan = self.ask("failover", "--dry-run")["loss"]
        self.assertTrue(plan["nothing"] and plan["majority"], plan)
        self.assertEqual("siding cluster failover", plan["command"])
        self.assertIn("no acknowledged commit is lost", self.says("cluster", "failover", "--dry-run")[1])
        self.assertEqual([], self.ask("failovers"))

    def test_2_the_last_one_takes_over(self):
        clients = Clients(self.cluster, "db0")
        clients.await_more(100)
        told = clients.stop()
        self.cluster.expect_caught_up()
        self.cluster.kill("server0")
        forced = ("cluster", "failover", "--force", "--old-primary-is-off")
        wait_until(lambda: "agent of db0 answers" in self.says(*forced)[1], 20, "refused: its agent answers")
        self.end_host(2)
        self.cluster.kill("agent0")
        wait_until(lambda: "only if the host of db0 is off" in self.events(), 30, lambda: "it is told: %s" % self.events())
        self.named(self.events(), "no other coordinator runs: COMMAND")
        loss = self.ask("failover", "--dry-run")["loss"]
        self.assertFalse(loss["nothing"] or loss["majority"], loss)
        self.assertTrue(any(line.startswith("db2 had ") for line in loss["lines"]), loss)
        # Asked for without that it waits, and says what it waits for; also after a restart of the coordinator.
        status, text = self.says("cluster", "failover", "--wait", "2s")
        self.assertNotEqual(0, status, text)
        wait_until(lambda: "needs decision" in self.warnings(), 30, self.warnings)
        self.named(self.warnings(), "COMMAND goes on")
        self.cluster.kill("sidingd")
        self.cluster.start("coordinator")
        wait_until(lambda: self.ask("failover", "--dry-run")["analysis"] == "coordinator alone", 30, "it looks again")
        command = self.named(self.says("cluster", "failover", "--dry-run")[1], "by: COMMAND")
        self.assertEqual(["--force", "--old-primary-is-off", "--accept-data-loss"], command[2:])
        status, text = self.says(*command)
        self.assertEqual(0, status, text)
        self.assertEqual("db1", self.primary())
        there = {k for (k,) in self.cluster.sql("db1", "SELECT k FROM t.w")}
        self.assertEqual([], [k for k in told if k not in there])
        self.cluster.sql("db1", "INSERT INTO t.w (k) VALUES ('alone')")
        last = self.ask("failovers")[-1]
        self.assertEqual(["old_primary_is_off", "accept_data_loss"], [d["what"] for d in last["decisions"]])
        self.assertTrue(all(d["by"] and d["at"] for d in last["decisions"]), last)
        self.assertIn("who says that the old primary is off", self.says("cluster", "failover", "show", str(last["id"]))[1])
        self.assertIn("no majority of the agents knows", self.warnings())
        self.say()

    def test_3_the_others_come_back(self):
        for node in ("db2", "db0"):
            self.cluster.start(node)
            wait_until(lambda n=node: self.cluster.replication(n).get("io") == "Yes", 60, "%s follows" % node)
            self.assertNotEqual("0", self.cluster.value(node, "SELECT @@GLOBAL.read_only"))
        wait_until(lambda: "no majority" not in self.warnings(), 20, self.warnings)
        self.assertIn("its commits wait for nobody", self.events())
        wait_until(lambda: self.cluster.replication("db2").get("io") == "Yes" and
                   "db2" in self.ask("failover", "--dry-run")["members"], 30, "db2 is a member")
        def waits_again():
            plan = self.ask("failover", "--dry-run")
            return plan["acks"] == 1 and plan["strict"] and plan["loss"]["nothing"]
        wait_until(waits_again, 60, lambda: "its commits wait: %s" % self.ask("failover", "--dry-run"))
        self.assertIn("commits of db1 wait for 1 of its replicas again", self.events())
        for node in ("db0", "db2"):
            self.await_member(node)
        for node in ("db0", "db2"):
            self.cluster.sql(node, "STOP REPLICA IO_THREAD")
        told = []
        client = threading.Thread(target=lambda: told.append(self.cluster.sql("db1", "INSERT INTO t.w (k) VALUES ('waits')")))
        client.start()
        client.join(2)
        self.assertEqual([], told)
        for node in ("db0", "db2"):
            self.cluster.sql(node, "START REPLICA IO_THREAD")
        client.join(60)
        self.assertEqual(1, len(told))
        self.cluster.expect_caught_up()
        self.cluster.kill("server1")
        wait_until(lambda: self.ask("failover", "--dry-run")["analysis"] == "server dead", 30, "it is found dead")
        self.cluster.siding("cluster", "failover", "--to", "db2", within_s=60)
        self.cluster.start("db1")
        for node in ("db0", "db1"):
            self.await_member(node)
        self.await_well()
        self.cluster.expect_equal()

    def test_4_a_majority_that_lacks_a_member(self):
        """Two agents answer, of which one has no server: its message names the command that is enough."""
        old = self.primary()
        others = [n for n in self.cluster.nodes if n != old]
        self.cluster.expect_caught_up()
        self.end_host(int(old[2:]))
        self.cluster.kill("server" + others[0][2:])
        ask = threading.Thread(target=self.says, args=("cluster", "failover", "--wait", "3s"), daemon=True)
        wait_until(lambda: self.ask("failover", "--dry-run")["analysis"] == "server dead", 30, "it is found dead")
        ask.start()
        wait_until(lambda: "goes on" in self.warnings(), 40, self.warnings)
        command = self.named(self.warnings(), "COMMAND goes on")
        ask.join(30)
        status, text = self.says(*command)
        self.assertEqual(0, status, text)
        self.assertEqual(others[1], self.primary())


class OnMariadb(Forced, ClusterTest):
    flavor = "mariadb"


class OnMysql(Forced, ClusterTest):
    flavor = "mysql"


del Replaced, Forced

if __name__ == "__main__":
    main()
