#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""More replicas: an empty server becomes one by one command, a broken one gets new data; whatever is killed on the way."""
import os
import pwd
import re
import signal
import subprocess
import threading
import time

from harness import BUILD, ClusterTest, main
from machine import call, wait_until
from provisioned import Provisioned


class Replicas(Provisioned):
    """One life of a cluster that grows."""

    def test_what_cannot_be_is_refused(self):
        c = self.cluster
        self.assertEqual(c.add("--empty"), "db3")
        self.refused('there is no node "db9"', "db9")
        self.refused("is the primary", "db0")
        self.refused("is a replica already: siding replica reprovision", "db1")
        self.refused('there is no node "db8"', "db3", "--from", "db8")
        self.refused("the node itself", "db3", "--from", "db3")
        self.refused("db0 cannot be the donor", "db3", "--from", "db0")
        self.alone("db3", "CREATE DATABASE mine")
        self.refused("this server is not empty, it holds mine", "db3")
        self.assertEqual(self.record()["phase"], "failed")
        self.assertIn(("mine",), c.sql("db3", "SHOW DATABASES"))
        self.alone("db3", "DROP DATABASE mine")
        with open("%s/db3/agent.conf" % c.folder, encoding="utf-8") as f:
            before = f.read()
        self.configure("db3", before.replace("min_free_bytes = 104857600L", "min_free_bytes = %dL" % (1 << 60)))
        self.refused("free: make room there", "db3")
        self.configure("db3", before)
        self.assertEqual(c.position("db3"), "")

    def test_a_host_is_invited(self):
        """Its files, and on a server that has the accounts, or not, what it is filled with: nothing of that is in its binary log."""
        c, folder = self.cluster, os.path.join(self.cluster.folder, "join")
        ca, conf = os.path.join(folder, "ca"), os.path.join(c.folder, "coordinator", "sidingd.conf")
        for words in (("init",), ("issue", "sidingd", "--address", "127.0.0.1")):
            self.must("siding", "cert", *words, "--dir", ca)
        with open(conf, "a", encoding="utf-8") as f:
            f.write('tls = { certificate_file = "%s/sidingd.pem"; key_file = "%s/sidingd.key"; ca_file = "%s/ca.pem"; };\n'
                    'join_listen = "127.0.0.1:%d";\n' % (ca, ca, ca, c.ports.base + 31))
        os.kill(c.pid("sidingd"), signal.SIGHUP)
        token = os.path.join(folder, "token")
        invite = ("siding", "replica", "invite", "db9", "--address", "127.0.0.1:%s" % c.env["DB3_PORT"], "--via", "127.0.0.1", "--ca", ca, "--write", token)
        wait_until(lambda: call(os.path.join(BUILD, invite[0]), *invite[1:], env=c.env)[0] == 0, 20, "sidingd has read its configuration")
        here = ("--dir", folder + "/etc", "--state", folder + "/state", "--user", pwd.getpwuid(os.getuid()).pw_name)
        said = self.must("siding-agent", "join", "--token", token, *here, "--socket", c.socket("db3"), "--admin", c.folder + "/credentials/admin.cnf")
        self.assertRegex(said, r"(?s)1\. systemctl enable --now siding-agent.*siding replica add db9")
        self.assertEqual(c.position("db3"), "")
        for name in ("agent", "provision"):
            status, out, err = call("mariadb", "--defaults-file=%s/etc/%s.cnf" % (folder, name), "-S", c.socket("db3"), "-NBe", "SELECT CURRENT_USER()")
            self.assertEqual((status, out), (0, "siding_%s@localhost\n" % name), err)
        self.assertRegex(c.sql("db3", "SHOW GRANTS FOR siding_provision@localhost")[0][0], "^GRANT (ALL|SELECT, INSERT).*WITH GRANT OPTION$")
        self.assertEqual(c.sql("db3", "SELECT Host FROM mysql.user WHERE User = 'siding_provision'"), [("localhost",)])
        self.assertEqual(c.sql("db1", "SELECT Host FROM mysql.user WHERE User = 'siding_provision'"), [("127.0.0.1",)])
        self.alone("db3", "DROP USER siding_provision@localhost")

    def must(self, program, *words):
        status, out, err = call(os.path.join(BUILD, program), *words, env=self.cluster.env)
        self.assertEqual(status, 0, out + err)
        return out + err

    def configure(self, node, text):
        c = self.cluster
        with open("%s/%s/agent.conf" % (c.folder, node), "w", encoding="utf-8") as f:
            f.write(text)
        os.kill(c.pid("agent" + node[2:]), signal.SIGHUP)

    def test_an_empty_server_becomes_a_replica_while_others_write(self):
        c = self.cluster
        with c.writers(rate=50) as writers:
            r = self.add("db3", "--from", "db1")
            self.assertEqual((r["phase"], r["donor"], r["node"]), ("done", "db1", "db3"))
            self.assertGreater(writers.transactions(), 0)
        self.expect_counted_in("db3")
        task = c.submit("dump", "--database", "catalogue", "--replicas", "3")
        c.expect_state(task, "done", within_s=120)
        self.assertEqual(sorted(c.last_run(task)["nodes"]), ["db1", "db2", "db3"])  # it takes its share at once
        self.refused("is a replica already", "db3")
        told = [e["text"] for e in self.get("/v1/events?limit=500")]
        self.assertTrue(any("db3 is a replica with the data of db1" in t for t in told), told[-20:])

    def test_killed_on_the_way_it_goes_on(self):
        """The agent and the coordinator while the donor is read; agent, program and server while the data are put in."""
        c = self.cluster
        self.assertEqual(c.add("--empty"), "db4")
        self.begin("db4", "--from", "db2")
        with self.held("db4", "siding-dump"):
            self.assertTrue(self.node("db2")["agent"]["lease"]["owner"])
            self.assertNotIn("db4", [n["name"] for n in self.get("/v1/failover")["nodes"] if n["can"]])
            c.kill("agent4")
            c.kill("sidingd")
            c.start("coordinator")
            c.start("db4")
        with self.held("db4", "siding-restore") as restore:
            self.expect_let_go()
            c.kill("agent4")
            c.start("db4")
            c.kill_pid(restore)
        with self.held("db4", "siding-restore"):
            c.kill("server4")
            c.start("db4")
        self.expect_done()
        self.expect_counted_in("db4")

    def test_a_donor_that_dies_ends_it_and_the_same_command_begins_again(self):
        c = self.cluster
        self.add("db4", "--confirm", "db4", "--from", "db2", "--wait", "0s", verb="reprovision")
        with self.held("db4", "siding-dump") as dump:
            c.kill("server2")
            c.kill_pid(dump)
        c.start("db2")
        wait_until(lambda: self.record()["phase"] == "failed", 120, lambda: "it failed: %s" % self.record())
        self.expect_let_go()
        self.assertFalse(c.replication("db4"))
        self.add("db4", "--from", "db1")
        self.expect_counted_in("db4")

    def test_transactions_of_its_own_are_given_up_only_when_asked(self):
        c = self.cluster
        reopen = "SET GLOBAL super_read_only=0; " if c.flavor == "mysql" else ""
        c.sql("db3", reopen + "CREATE DATABASE errant")
        if c.flavor == "mysql":
            c.sql("db3", "SET GLOBAL super_read_only=1")
        self.alone("db3", "CREATE USER stale@'%'; CREATE ROLE staler; ALTER USER 'it''s'@'10.%' IDENTIFIED BY 'other'")
        err = c.siding("replica", "reprovision", "db3", status=2)
        self.assertIn("confirm it", err)
        wait_until(lambda: self.node("db3")["errant"], 30, "the errant transaction is seen")
        self.refused("--discard-its-transactions gives them up", "db3", "--confirm", "db3", verb="reprovision")
        self.assertIn(("errant",), c.sql("db3", "SHOW DATABASES"))
        self.add("db3", "--confirm", "db3", "--discard-its-transactions", verb="reprovision")
        self.assertNotIn(("errant",), c.sql("db3", "SHOW DATABASES"))
        if c.flavor == "mariadb":
            of = "SHOW CREATE USER 'it''s'@'10.%'"
            self.assertEqual(c.sql("db3", of), c.sql("db0", of))
        self.expect_counted_in("db3")

    def test_after_a_switchover_it_is_recorded_before_it_acknowledges(self):
        c = self.cluster
        c.siding("cluster", "switchover", "--to", "db1", within_s=120)
        self.assertEqual(c.add("--empty"), "db5")
        time.sleep(2)  # a coordinator that had it follow would have done so
        self.assertEqual(c.replication("db5"), {})
        self.add("db5")
        self.expect_counted_in("db5")
        wait_until(lambda: self.node("db5")["agent"]["server"]["acknowledges"], 30, "it acknowledges")
        c.siding("cluster", "switchover", "--to", "db5", within_s=120)
        for node in ("db0", "db1"):  # there is one without a source: the primary
            c.expect_replicating(node)
        c.expect_equal()

    def test_a_tail_that_nobody_has_is_given_up_only_when_asked(self):
        """On a server that replicates no more, as an old primary: others are further on, and lack it."""
        c = self.cluster
        wait_until(lambda: self.node("db1")["agent"]["server"]["acknowledges"], 30, "another acknowledges")
        c.sql("db0", "STOP REPLICA")
        for i in range(10, 20):
            c.sql("db5", "INSERT INTO shop.t VALUES (%d, 1)" % i)
        c.sql("db0", c.words["reopen"] % "CREATE DATABASE tail; RESET REPLICA ALL")
        self.refused("--discard-its-transactions gives them up", "db0", "--confirm", "db0", verb="reprovision")
        self.assertIn(("tail",), c.sql("db0", "SHOW DATABASES"))
        self.add("db0", "--confirm", "db0", "--discard-its-transactions", verb="reprovision")
        self.expect_counted_in("db0")

    def test_one_is_counted_out(self):
        c = self.cluster
        self.assertIn("is the primary", c.siding("replica", "remove", "db5", status=1))
        wait_until(lambda: all(n in self.get("/v1/failover")["members"] for n in ("db2", "db3")), 30, "they are members")
        self.assertIn("still replicates: STOP REPLICA", c.siding("replica", "remove", "db2", status=1))
        self.assertIn("db2", self.get("/v1/failover")["members"])
        c.sql("db2", "STOP REPLICA")
        c.sql("db5", "INSERT INTO shop.t VALUES (70, 1)")
        wait_until(lambda: self.node("db2")["agent"]["server"]["io"] == "no", 20, "it is seen that it stands")
        r = c.siding("replica", "remove", "db2")
        self.assertTrue(r["removed"] and r["left_to_do"], r)
        self.assertNotIn("db2", self.get("/v1/failover")["members"])
        enabled = "SELECT @@GLOBAL.rpl_semi_sync_%s_enabled" % ("slave" if c.flavor == "mariadb" else "replica")
        wait_until(lambda: c.value("db2", enabled) == "0", 20, "it would acknowledge nothing, whoever starts it")
        c.kill("db2")
        c.sql("db5", "INSERT INTO shop.t VALUES (71, 1)")
        c.kill("db3")
        wait_until(lambda: self.node("db3")["state"] == "unreachable", 30, "its end is noticed")
        self.assertIn("--its-host-is-off", c.siding("replica", "remove", "db3", status=1))
        self.assertTrue(c.siding("replica", "remove", "db3", "--its-host-is-off")["removed"])
        self.expect_it_releases_nothing("db3")
        c.start("db2")
        wait_until(lambda: all(n in self.get("/v1/failover")["members"] for n in ("db2", "db3")), 60, "who comes back is counted in")
        c.expect_caught_up()
        c.expect_equal()

    def expect_it_releases_nothing(self, node):
        """Counted out while its host was off, it comes back and has heard nothing of that: the coordinator stands still. It
        receives what is committed, and no member does."""
        c = self.cluster
        members = self.get("/v1/failover")["members"].split(", ")
        sidingd = c.pid("sidingd")
        told = threading.Event()

        def write():
            c.sql("db5", "INSERT INTO shop.t VALUES (72, 1)")
            told.set()
        os.kill(sidingd, signal.SIGSTOP)
        writer = threading.Thread(target=write)
        try:
            c.start(node)
            c.expect_replicating(node)
            for member in members:
                c.sql(member, "STOP REPLICA IO_THREAD")
            writer.start()
            wait_until(lambda: c.value(node, "SELECT COUNT(*) FROM shop.t WHERE a = 72") == "1", 30, "%s has received it" % node)
            self.assertFalse(told.wait(2), "no member has it, and it is told to the client")  # an acknowledgement comes at once
            for member in members:
                self.assertEqual(c.value(member, "SELECT COUNT(*) FROM shop.t WHERE a = 72"), "0")
        finally:
            for member in members:
                c.sql(member, "START REPLICA IO_THREAD")
            os.kill(sidingd, signal.SIGCONT)
            writer.join(60)
        self.assertTrue(told.is_set())
        wait_until(lambda: self.node(node)["agent"]["server"]["acknowledges"], 60, "%s is counted in, and acknowledges" % node)

    def test_it_says_how_far_it_is(self):
        c = self.cluster
        c.add("--empty")
        command = subprocess.Popen([os.path.join(BUILD, "siding"), "replica", "add", "db6"], env=c.env, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        with self.held("db6", "siding-restore"):
            def shown():
                return call(os.path.join(BUILD, "siding"), "replica", "list", env=c.env)[1]
            wait_until(lambda: re.search(r"db6 .*gets the data of db\d: restoring", shown()), 20, shown)
        out, err = command.communicate(timeout=240)
        self.assertEqual(command.returncode, 0, err)
        self.assertIn("equal by their checksums", out)
        self.assertRegex(err, "db6: (dumping|restoring)")


class MariaDb(Replicas, ClusterTest):
    pass


class MySql(Replicas, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
