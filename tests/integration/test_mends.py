#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with servers, accounts and agents is told all at once, each with what mends it; a job that meets it
ends with the sentence, and nothing stays paused."""
import json
import os
import re

from harness import ClusterTest, Failed, call, main, wait_until


class Mends(ClusterTest):
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
        c.sql("db1", "SET SESSION sql_log_bin=0; REVOKE BINLOG MONITOR ON *.* FROM siding_agent@localhost")
        c.sql("db1", "SET GLOBAL gtid_strict_mode=OFF; SET GLOBAL binlog_format=STATEMENT")
        c.sql("db2", "SET SESSION sql_log_bin=0; SET PASSWORD FOR siding_agent@localhost = PASSWORD('another')")
        c.kill("agent0")
        self.expect_finding("db1", "BINLOG MONITOR|grant|privilege", "GRANT .*BINLOG MONITOR")
        self.expect_finding("db1", "gtid_strict_mode", "gtid_strict_mode *= *ON|gtid_strict_mode=1")
        self.expect_finding("db1", "binlog_format", "binlog_format *= *'?ROW")
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
            self.assertFalse(os.path.exists(os.path.join(c.folder, node, "agent", "lease.json")))

    def test_4_mended_as_told(self):
        c = self.cluster
        c.sql("db1", "SET SESSION sql_log_bin=0; GRANT BINLOG MONITOR ON *.* TO siding_agent@localhost")
        c.sql("db1", "SET GLOBAL gtid_strict_mode=ON; SET GLOBAL binlog_format=ROW")
        with open(os.path.join(c.folder, "credentials", "agent.cnf"), encoding="utf-8") as f:
            password = re.search(r"password=(\S+)", f.read()).group(1)
        c.sql("db2", "SET SESSION sql_log_bin=0; SET PASSWORD FOR siding_agent@localhost = PASSWORD('%s')" % password)
        c.up()
        wait_until(lambda: self.check()[0] == 0, 30, lambda: "siding check is content: %s" % (self.check(),))
        task = c.submit("dump", "--database", "siding")
        c.expect_state(task, "done", 60)

    def test_5_a_server_that_starts_replication_by_itself(self):
        c = self.cluster
        path = os.path.join(c.folder, "db1", "my.cnf")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.assertIn("skip_slave_start", text)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("skip_slave_start", "#skip_slave_start"))
        c.stop("db1")
        c.start("db1")
        self.expect_finding("db1", "skip_slave_start|by itself", "skip_slave_start")
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

    def refused(self, *args):
        status, _, err = call("siding", *args, env=self.cluster.env)
        return err if status == 1 else ""


if __name__ == "__main__":
    main()
