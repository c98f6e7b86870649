#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with servers, accounts and agents is told all at once, each with what mends it; a job that meets it
ends with the sentence, and nothing stays paused."""
import json
import os
import re
import signal

from harness import ClusterTest, Failed, call, main, wait_until


class Mends:
    """One cluster that is broken in many ways, looked at, and mended as told."""

    def check(self):
        """siding check --json: (exit status, findings that are not ok)."""
        c = self.cluster
        status, out, err = call("siding", "check", "--json", env=c.env)
        try:
            findings = json.loads(out)
        except ValueError:
            raise Failed("siding check printed no JSON: %s%s" % (out, err)) from None
        return status, [f for f in findings if f["level"] != "ok"]

    def expect_finding(self, node, text, mend):
        def found():
            self.seen = self.check()
            return [f for f in self.seen[1] if (f["node"] or "") == node and re.search(text, f["text"])
                    and re.search(mend, f["mend"] or "")]
        wait_until(found, 20, lambda: "a finding on %s with %r and the mend %r: %s" % (node, text, mend, self.seen))
        self.assertEqual(self.seen[0], 1)

    def test_1_a_sound_cluster_passes(self):
        wait_until(lambda: self.check()[0] == 0, 20, lambda: "siding check is content: %s" % (self.check(),))

    def test_2_all_at_once(self):
        c = self.cluster
        c.sql_alone("db1", "REVOKE %s ON *.* FROM siding_agent@localhost" % self.privilege)
        c.sql("db1", "STOP REPLICA SQL_THREAD; SET GLOBAL %s=%s; SET GLOBAL binlog_format=STATEMENT; START REPLICA SQL_THREAD"
              % self.gtid_mode)
        c.sql_alone("db2", "ALTER USER siding_agent@localhost IDENTIFIED BY 'another'")
        c.kill("agent0")
        self.expect_finding("db1", "%s|grant|privilege" % self.privilege, "GRANT .*" + self.privilege)
        self.expect_finding("db1", self.gtid_mode[0], "%s='ON'" % self.gtid_mode[0])
        self.expect_finding("db1", "binlog_format", self.row_binlog)
        self.expect_finding("db2", "Access denied", ".")
        self.expect_finding("db0", "cannot reach|cannot be reached", "siding-agent")

    def test_3_a_job_is_refused_with_the_reason(self):
        c = self.cluster
        said = ""
        task = None
        try:
            task = c.submit("dump", "--database", "siding")
        except Failed as error:
            said = str(error)
        if task:
            wait_until(lambda: c.task(task).get("why") or c.task(task)["state"] == "error", 20, lambda: c.describe(task))
            said = "%s %s" % (c.task(task).get("why"), c.task(task).get("error"))
            if c.task(task)["state"] != "error":
                c.siding("task", "kill", task)
        self.assertRegex(said, "db[012]")
        for node in ("db1", "db2"):
            self.assertNotIn("lease", c.journal(node))

    def test_4_mended_as_told(self):
        c = self.cluster
        c.sql_alone("db1", "GRANT %s ON *.* TO siding_agent@localhost" % self.privilege)
        c.sql("db1", "SET GLOBAL %s=ON; %s" % (self.gtid_mode[0], self.row_binlog))
        with open(os.path.join(c.folder, "credentials", "agent.cnf"), encoding="utf-8") as f:
            password = re.search(r"password=(\S+)", f.read()).group(1)
        c.sql_alone("db2", "ALTER USER siding_agent@localhost IDENTIFIED BY '%s'" % password)
        c.up()
        wait_until(lambda: self.check()[0] == 0, 30, lambda: "siding check is content: %s" % (self.check(),))
        task = c.submit("dump", "--database", "siding")
        c.expect_state(task, "done", 60)

    def test_5_a_server_that_starts_replication_by_itself(self):
        c = self.cluster
        path = os.path.join(c.folder, "db1", "my.cnf")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.assertIn(self.skip_start, text)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(self.skip_start, "#" + self.skip_start))
        c.stop("db1")
        c.start("db1")
        self.expect_finding("db1", self.skip_start + "|by itself", self.skip_start)
        c.siding("replica", "pause", "db1", "--for", "60s", "--reason", "a look", status=1)
        c.expect_replicating("db1")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        c.stop("db1")
        c.start("db1")
        wait_until(lambda: self.check()[0] == 0, 30, lambda: "siding check is content: %s" % (self.check(),))

    def test_6_the_primary_is_gone(self):
        c = self.cluster
        c.kill("server0")
        self.expect_finding("db0", "cannot connect|does not answer|not reach", ".")
        wait_until(lambda: re.search("database|primary", self.refused("submit", "dump", "--database", "siding")), 20,
                   lambda: "a submission is refused with the reason: " + self.refused("submit", "dump", "--database", "siding"))
        c.up()
        wait_until(lambda: self.check()[0] == 0, 30, lambda: "siding check is content: %s" % (self.check(),))

    def test_9_jobs_that_could_not_end_well(self):
        """What would make an index, its delta or an upload fail is told by the check, and before a replica is paused."""
        c = self.cluster
        c.sql("db0", """CREATE DATABASE shop; CREATE TABLE shop.r (id INT PRIMARY KEY, t VARCHAR(20), at DATETIME);
            INSERT INTO shop.r VALUES (1, 'one', NOW()); CREATE TABLE shop.m (id INT PRIMARY KEY) ENGINE=MyISAM;
            CREATE TABLE shop.w (id INT PRIMARY KEY); CREATE TRIGGER shop.tr AFTER INSERT ON shop.w FOR EACH ROW SET @x = 1;""")
        c.expect_caught_up()
        index = ('name = "%s"; kind = "index"; upload = "swap"; index = { target = "shop.%s"; key = "record"; fields = ( { name = "t"; '
                 'query = "SELECT id, %s FROM shop.r"; } ); changed_since = "SELECT id FROM shop.r WHERE at >= %s"; on_change = "delta"; };')
        jobs = {"never": (index % ("never", "index1", "t", "CONVERT_TZ(:frozen_at, 'UTC', 'Nowhere/Atlantis')"), "CONVERT_TZ.* is NULL"),
                "nofield": (index % ("nofield", "index1", "nothing", ":frozen_at"), 'field .*nothing'),
                "trigger": (index % ("trigger", "w", "t", ":frozen_at"), "has triggers"),
                "myisam": ('name = "myisam"; kind = "command"; program = "/bin/true"; upload = "append"; target = "shop.m";', "MyISAM")}
        paths = [c.job(name, text) for name, (text, _) in jobs.items()]
        for name, (_, words) in jobs.items():
            self.expect_finding("db1", "job %s: .*%s" % (name, words), "mend it")
            kind = ["command", "--on", "replica", name] if name == "myisam" else ["index", "--job", name]
            task = c.submit(*kind)
            wait_until(lambda t=task, w=words: re.search(w, "%s %s" % (c.task(t).get("why"), json.dumps(c.task(t)))), 30, lambda: c.describe(task))
            for node in ("db1", "db2"):
                self.assertFalse(os.path.exists(os.path.join(c.folder, node, "agent", "lease.json")))
            if c.task(task)["state"] != "error":
                c.siding("task", "kill", task)
        self.expect_finding("db0", "job myisam", "mend it")
        for path in paths:
            os.remove(path)
        for i in range(3):
            os.kill(c.pid("agent%d" % i), signal.SIGHUP)
        c.sql("db0", "DROP DATABASE shop")
        wait_until(lambda: self.check()[0] == 0, 30, lambda: "siding check is content: %s" % (self.check(),))

    def refused(self, *args):
        status, _, err = call("siding", *args, env=self.cluster.env)
        return err if status == 1 else ""


class MariaDB(Mends, ClusterTest):
    privilege, gtid_mode, skip_start = "BINLOG MONITOR", ("gtid_strict_mode", "OFF"), "skip_slave_start"
    row_binlog = "SET GLOBAL binlog_format='ROW'"


class MySQL(Mends, ClusterTest):
    """Left out: a primary that is gone, whichever it was."""
    flavor = "mysql"
    test_6_the_primary_is_gone = None
    privilege, gtid_mode, skip_start = "REPLICATION_SLAVE_ADMIN", ("gtid_mode", "ON_PERMISSIVE"), "skip_replica_start"
    row_binlog = "STOP REPLICA SQL_THREAD; SET GLOBAL binlog_format='ROW'; START REPLICA SQL_THREAD"

    def restart_with(self, *lines, without=()):
        """db1, with lines added to its option file."""
        c = self.cluster
        with open(os.path.join(c.folder, "db1", "my.cnf"), encoding="utf-8") as f:
            text = f.read()
        for line in without:
            self.assertIn(line, text)
            text = text.replace(line, "#" + line)
        c.stop("db1")
        with open(os.path.join(c.folder, "db1", "my.cnf"), "w", encoding="utf-8") as f:
            f.write(text + "[mysqld]\n" + "".join(line + "\n" for line in lines))
        c.start("db1")

    def test_7_persisted_settings_are_as_good_as_the_option_file(self):
        c = self.cluster
        c.sql("db1", "SET PERSIST_ONLY skip_replica_start=ON; SET PERSIST super_read_only=ON")
        self.restart_with(without=("skip_replica_start=ON", "super_read_only=ON"))
        wait_until(lambda: self.check()[0] == 0, 30, lambda: "siding check is content: %s" % (self.check(),))
        c.kill("db1")
        c.start("db1")
        self.assertEqual(c.sql("db1", "SELECT @@GLOBAL.skip_replica_start, @@GLOBAL.super_read_only"), [("1", "1")])
        c.expect_replicating("db1")

    def test_8_a_buffer_that_a_restart_throws_away_is_refused(self):
        c = self.cluster
        self.restart_with("relay_log_recovery=ON")
        self.expect_finding("db1", "relay_log_recovery", "relay_log_recovery=OFF")
        refusal = c.siding("replica", "pause", "db1", "--for", "60s", "--reason", "a look", status=1)
        self.assertIn("relay_log_recovery", str(refusal))
        c.expect_replicating("db1")


if __name__ == "__main__":
    main()
