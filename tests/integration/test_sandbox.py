#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sandbox itself: what scripts/sandbox promises to users and to every other test."""
import os
import signal
import stat
import subprocess
import sys
import tempfile
import unittest

from harness import SANDBOX, Cluster, ClusterTest, main
from machine import Failed, call, command_lines, listening_ports, running, wait_until

TABLE = "CREATE DATABASE t; CREATE TABLE t.x (a INT PRIMARY KEY, b INT); INSERT INTO t.x VALUES (1, 1)"


# A server that was killed in the middle of much work: its first thread is a zombie, another one still ends and holds the port.
ENDING = """
import ctypes, os, socket, sys, threading, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
threading.Thread(target=lambda: (time.sleep(1.5), os._exit(0))).start()
print("listening", flush=True)
ctypes.CDLL(None).syscall(60, 0)
"""


class Standing(ClusterTest):
    """One life of a cluster without coordinator and agents."""
    servers_only = True

    def test_up_returns_with_replicas_following_and_read_only(self):
        c = self.cluster
        self.assertEqual(c.primary(), "db0")
        for node in ("db1", "db2"):
            self.assertEqual(c.replication(node)["io"], "Yes")
            self.assertEqual(c.value(node, "SELECT @@GLOBAL.read_only"), "1")
        c.sql("db0", TABLE)
        c.expect_caught_up()
        c.expect_equal()

    def test_settings_that_matter_in_production_are_on(self):
        c = self.cluster
        for node in c.nodes:
            for name, value in (("gtid_strict_mode", "1"), ("binlog_format", "ROW"), ("log_slave_updates", "1"),
                                ("sync_binlog", "1"), ("innodb_flush_log_at_trx_commit", "1"),
                                ("relay_log_recovery", "0"), ("rpl_semi_sync_slave_enabled", "1"),
                                ("rpl_semi_sync_master_wait_point", "AFTER_SYNC")):
                self.assertEqual(c.value(node, "SELECT @@GLOBAL.%s" % name), value, "%s on %s" % (name, node))
            if node != "db0":
                self.assertEqual(c.replication(node)["Using_Gtid"], "Slave_Pos")
        self.assertEqual(c.sql("db0", "SHOW STATUS LIKE 'Rpl_semi_sync_master_clients'")[0][1], "2")
        wait_until(lambda: c.value("db0", "SELECT @@GLOBAL.rpl_semi_sync_master_enabled") == "1", 10, "semi-sync is on")
        acknowledged = "SHOW STATUS LIKE 'Rpl_semi_sync_master_yes_tx'"
        before = int(c.sql("db0", acknowledged)[0][1])
        c.sql("db0", "CREATE DATABASE IF NOT EXISTS t; CREATE OR REPLACE TABLE t.acknowledged (a INT PRIMARY KEY);"
              "INSERT INTO t.acknowledged VALUES (1)")
        self.assertGreaterEqual(int(c.sql("db0", acknowledged)[0][1]), before + 2)

    def test_nobody_else_gets_into_the_folder(self):
        c = self.cluster
        self.assertEqual(stat.S_IMODE(os.stat(c.folder).st_mode), 0o700)
        for name in os.listdir(os.path.join(c.folder, "credentials")):
            mode = os.stat(os.path.join(c.folder, "credentials", name)).st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o600, name)
        status, _, err = call("mariadb", "--no-defaults", "-uroot", "-h127.0.0.1", "-P" + c.env["DB0_PORT"], "-e", "DO 1")
        self.assertNotEqual(status, 0)
        self.assertIn("Access denied", err)

    def test_kill_is_a_lost_host_and_start_brings_it_back(self):
        c = self.cluster
        pid = c.pid("server1")
        c.kill("db1")
        self.assertFalse(running(pid))
        self.assertNotIn("DB1_PID", c.env)
        c.sql("db0", "INSERT INTO t.x VALUES (2, 2)")
        c.start("db1")
        c.expect_replicating("db1")
        c.expect_caught_up()
        c.expect_equal()

    def test_start_needs_no_primary(self):
        c = self.cluster
        c.kill("db0")
        c.stop("db2")
        c.start("db2")
        self.assertEqual(c.value("db2", "SELECT COUNT(*) FROM t.x"), "2")

    def test_up_starts_whatever_does_not_run(self):
        c = self.cluster
        c.kill("db1")
        before = c.pid("server2")
        c.up()
        self.assertEqual(c.pid("server2"), before)
        self.assertEqual(c.value("db0", "SELECT @@GLOBAL.read_only"), "0")
        c.expect_equal()

    def test_a_reused_pid_is_no_server(self):
        c = self.cluster
        c.kill("db2")
        with open(os.path.join(c.folder, "db2", "pid"), "w", encoding="ascii") as f:
            f.write("%d\n" % os.getpid())
        status, _, err = c.sandbox("stop", "db2")
        self.assertEqual(status, 0, err)
        c.start("db2")
        c.expect_replicating("db2")

    def test_start_waits_for_the_end_of_what_was_killed(self):
        c = self.cluster
        c.kill("db1")
        ending = subprocess.Popen([sys.executable, "-c", ENDING, c.env["DB1_PORT"]], stdout=subprocess.PIPE, text=True)
        self.assertEqual(ending.stdout.readline(), "listening\n")
        wait_until(lambda: command_lines().get(ending.pid) == [], 10, "its first thread has ended")
        self.assertTrue(running(ending.pid))
        self.assertIn(int(c.env["DB1_PORT"]), listening_ports())
        with open(os.path.join(c.folder, "db1", "pid"), "w", encoding="ascii") as f:
            f.write("%d\n" % ending.pid)
        c.start("db1")
        ending.communicate()
        c.expect_replicating("db1")

    def test_contradicting_options_are_refused(self):
        status, _, err = self.cluster.sandbox("up", "--replicas", "3")
        self.assertEqual(status, 1)
        self.assertIn("was made with --replicas 2", err)

    def test_down_keeps_the_data(self):
        c = self.cluster
        pids = [c.pid("server%d" % i) for i in range(3)]
        c.must_sandbox("down")
        self.assertFalse([p for p in pids if running(p)])
        c.up()
        self.assertEqual(c.value("db0", "SELECT COUNT(*) FROM t.x"), "2")
        c.expect_equal()


JOB = """
name = "sleeper"; kind = "command"; on = "replica"; upload = "none";
program = "/bin/bash"; args = [ "-c", "setsid sleep 1000 & exec sleep 1000" ];
"""


class Whole(ClusterTest):
    """One life of a cluster with coordinator and agents."""

    def processes(self):
        return [self.cluster.pid(p) for p in ("server0", "server1", "server2", "agent0", "agent1", "agent2", "sidingd")]

    def sleepers(self):
        """Processes of the job, also those that left its session."""
        return [int(p) for p in os.listdir("/proc") if p.isdigit() and running(int(p)) and self.belongs(p)]

    def belongs(self, pid):
        try:
            with open("/proc/%s/environ" % pid, "rb") as f:
                return b"SIDING_RESULT_DIR=" + self.cluster.folder.encode() in f.read()
        except OSError:
            return False

    def test_up_returns_with_a_whole_cluster(self):
        c = self.cluster
        self.assertEqual(len(set(self.processes())), 7)
        status = c.siding("cluster", "status")
        self.assertEqual(status["primary"], "db0")
        self.assertEqual([n["state"] for n in status["nodes"]], ["serving"] * 3)
        c.expect_equal()

    def test_up_again_starts_what_is_missing_and_only_that(self):
        c = self.cluster
        before = self.processes()
        for what in ("sidingd", "agent1", "server2"):
            c.kill(what)
        c.up()
        after = self.processes()
        self.assertEqual([a == b for a, b in zip(before, after)], [True, True, False, True, False, True, False])
        c.expect_equal()

    def test_kill_ends_the_jobs_too(self):
        c = self.cluster
        c.job("sleeper", JOB)
        task = wait_until(lambda: self.submitted(), 10, "the agents know the job")
        run = c.expect_run_state(task, "running")
        node = run["nodes"][0]
        wait_until(lambda: len(self.sleepers()) >= 2, 10, "both processes of the job")
        c.kill(node)
        self.assertEqual(self.sleepers(), [])
        c.start(node)
        c.expect_replicating(node)
        wait_until(lambda: c.task(task)["state"] in ("error", "waiting"), 60, lambda: c.describe(task))

    def submitted(self):
        try:
            return self.cluster.submit("command", "--on", "replica", "sleeper")
        except Failed:
            return None

    def test_down_ends_everything_and_up_brings_it_back(self):
        c = self.cluster
        pids = self.processes()
        c.must_sandbox("down")
        self.assertFalse([p for p in pids if running(p)])
        self.assertEqual(self.sleepers(), [])
        self.assertNotIn("SIDINGD_PID", c.env)
        c.up()
        self.assertEqual(c.value("db0", "SELECT @@GLOBAL.read_only"), "0")
        c.expect_equal()


class Adding:
    """One more node in a standing cluster; its own life, since it changes the cluster for all."""

    def blank(self, node):
        self.assertEqual(self.cluster.replication(node), {})
        self.assertEqual(self.cluster.position(node), "")
        self.assertEqual(self.cluster.sql(node, "SELECT schema_name FROM information_schema.schemata WHERE schema_name "
                                          "NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')"), [])

    def node_state(self, node):
        return next((n for n in self.cluster.siding("cluster", "status")["nodes"] if n["name"] == node), {}).get("state")

    def test_a_node_more_is_a_replica_like_the_others(self):
        c = self.cluster
        c.sql("db0", TABLE)
        self.assertEqual(c.add(), "db2")
        c.expect_replicating("db2")
        self.assertEqual(c.value("db2", "SELECT COUNT(*) FROM t.x"), "1")
        c.sql("db0", "INSERT INTO t.x VALUES (9, 9)")
        c.expect_caught_up()
        c.expect_equal()
        wait_until(lambda: self.node_state("db2") == "serving", 30, lambda: "db2 serves: %s" % self.node_state("db2"))

    def test_an_empty_one_waits_to_be_filled(self):
        c = self.cluster
        self.assertEqual(c.add("--empty"), "db3")
        self.blank("db3")
        self.assertIsNotNone(self.node_state("db3"))
        c.must_sandbox("down")
        c.up()
        self.blank("db3")
        self.assertEqual(c.primary(), "db0")
        self.assertEqual(c.value("db2", "SELECT COUNT(*) FROM t.x"), "2")

    def test_what_does_not_stand_is_not_added_to(self):
        c = self.cluster
        c.kill("db1")
        status, _, err = c.sandbox("add")
        self.assertEqual(status, 1)
        self.assertIn("db1 does not answer", err)
        c.start("db1")


class AddingMariaDb(Adding, ClusterTest):
    replicas = 1


class AddingMySql(Adding, ClusterTest):
    flavor, replicas = "mysql", 1


class SideBySide(unittest.TestCase):
    def test_two_clusters_and_a_taken_port(self):
        with Cluster(replicas=1, servers_only=True) as one, Cluster(replicas=1, servers_only=True) as two:
            one.sql("db0", TABLE)
            self.assertEqual(two.sql("db1", "SHOW DATABASES LIKE 't'"), [])
            folder = tempfile.mkdtemp(prefix="sdt", dir="/tmp")
            status, _, err = call(SANDBOX, "up", folder, "--base-port", str(two.ports.base - 1),
                                  env={"SANDBOX_SERVERS_ONLY": "1"})
            self.assertEqual(status, 1)
            self.assertIn("port %d (server db1), %d (server db2);" % (two.ports.base, two.ports.base + 1), err)
            self.assertEqual(os.listdir(folder), [], "nothing was begun")
            os.rmdir(folder)
            ports = set(range(one.ports.base, one.ports.base + 32))
            one.down()
            self.assertFalse(ports & listening_ports())
            two.expect_equal()


class Folders(unittest.TestCase):
    def up_in(self, folder):
        with Cluster(replicas=0, servers_only=True) as c:
            c.must_sandbox("down", "--purge")
            c.folder = folder(c.folder)
            c.up()
            self.assertEqual(c.value("db0", "SELECT @@GLOBAL.read_only"), "0")
            socket = c.socket("db0")
            c.down()
            self.assertFalse(os.path.exists(os.path.dirname(socket)))

    def test_a_space_in_the_name(self):
        self.up_in(lambda f: os.path.join(f, "with space"))

    def test_too_deep_for_sockets(self):
        self.up_in(lambda f: os.path.join(f, *["much-too-deep-for-sockets"] * 5))

    def test_a_folder_with_foreign_files_is_left_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "mine"), "w", encoding="ascii"):
                pass
            for verb in (["up"], ["down"], ["down", "--purge"], ["kill"]):
                status, _, err = call(SANDBOX, verb[0], folder, *verb[1:], *(["db0"] if verb == ["kill"] else []),
                                      env={"SANDBOX_SERVERS_ONLY": "1"})
                self.assertEqual(status, 1, err)
                self.assertIn("not a sandbox", err)
            self.assertEqual(os.listdir(folder), ["mine"])


class Failures(unittest.TestCase):
    def test_a_server_that_cannot_start_is_told_and_all_is_stopped(self):
        with Cluster(replicas=1, servers_only=True) as c:
            c.must_sandbox("down")
            # my.cnf is written anew by up, the data directory is not
            os.rename(os.path.join(c.folder, "db1", "data", "ibdata1"), os.path.join(c.folder, "ibdata1"))
            status, _, err = c.sandbox("up")
            self.assertEqual(status, 1)
            self.assertIn("db1 did not start", err)
            self.assertFalse({c.ports.base, c.ports.base + 1} & listening_ports())
            os.rename(os.path.join(c.folder, "ibdata1"), os.path.join(c.folder, "db1", "data", "ibdata1"))
            c.up()
            c.expect_equal()

    def test_a_hanging_server_is_stopped_all_the_same(self):
        with Cluster(replicas=0, servers_only=True) as c:
            pid = c.pid("server0")
            os.kill(pid, signal.SIGSTOP)
            c.must_sandbox("kill", "db0")
            self.assertFalse(running(pid))


class Arguments(unittest.TestCase):
    def refused(self, *args):
        status, out, err = call(SANDBOX, *args)
        self.assertEqual((status, out), (2, ""), err)
        self.assertIn("usage: scripts/sandbox", err)
        return err

    def test_wrong_arguments_are_usage_errors(self):
        self.assertIn("what to do", self.refused())
        self.assertIn("no such verb: upp", self.refused("upp", "/tmp/x"))
        self.assertIn("which folder", self.refused("up"))
        self.assertIn("which node", self.refused("kill", "/tmp/x"))
        self.assertIn("one argument too many: db2", self.refused("kill", "/tmp/x", "db1", "db2"))
        self.assertIn("--replicas takes a number from 0 to 9", self.refused("up", "/tmp/x", "--replicas", "many"))
        self.assertIn("--replicas takes a number", self.refused("up", "/tmp/x", "--replicas", "10"))
        self.assertIn("--base-port takes a number", self.refused("up", "/tmp/x", "--base-port=80"))
        self.assertIn("--flavor is mariadb or mysql", self.refused("up", "/tmp/x", "--flavor", "postgres"))
        self.assertIn("no option --replica", self.refused("up", "/tmp/x", "--replica", "1"))
        self.assertIn("no option --purge", self.refused("up", "/tmp/x", "--purge"))
        self.assertIn("no option --empty", self.refused("up", "/tmp/x", "--empty"))

    def test_help_is_no_error(self):
        status, out, _ = call(SANDBOX, "--help")
        self.assertEqual(status, 0)
        self.assertIn("usage:", out)


class MySql(ClusterTest):
    flavor, servers_only = "mysql", True

    def test_up_follows_with_gtids_and_semi_sync(self):
        c = self.cluster
        c.sql("db0", TABLE)
        c.expect_caught_up()
        for node in ("db1", "db2"):
            self.assertEqual(c.sql(node, "SELECT @@GLOBAL.super_read_only, @@GLOBAL.skip_replica_start, "
                                   "@@GLOBAL.replica_preserve_commit_order, @@GLOBAL.gtid_mode"), [("1", "1", "1", "ON")])
            self.assertEqual(c.replication(node)["Auto_Position"], "1")
        self.assertEqual(c.sql("db0", "SHOW STATUS LIKE 'Rpl_semi_sync_source_clients'")[0][1], "2")
        c.expect_equal()

    def test_kill_start_and_up_again(self):
        c = self.cluster
        c.kill("db1")
        c.kill("db0")
        c.up()
        c.sql("db0", "INSERT INTO t.x VALUES (3, 3)")
        c.expect_caught_up()
        c.expect_equal()

    def test_a_difference_is_seen(self):
        c = self.cluster
        c.sql("db1", "SET GLOBAL super_read_only = 0; SET sql_log_bin = 0; UPDATE t.x SET b = 7 WHERE a = 1")
        with self.assertRaisesRegex(Failed, "db0 and db1 differ at .*`t`.`x`"):
            c.expect_equal()


if __name__ == "__main__":
    main()
