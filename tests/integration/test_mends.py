#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with servers, accounts and agents is told all at once, each with what mends it; a job that meets it
ends with the sentence, and nothing stays paused."""
import json
import os
import re
import signal

from harness import ClusterTest, main
from machine import Failed, call, wait_until


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
        # The applier stops at the first row event that it may not log so (1666): then there is nothing to stop and start.
        self.expect_finding("db1", "binlog_format is STATEMENT", "(^|STOP REPLICA SQL_THREAD; )SET GLOBAL binlog_format='ROW'")
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
                "lost": ('name = "lost"; kind = "command"; program = "/nonexistent/lost";', "/nonexistent/lost: there is no such file"),
                "myisam": ('name = "myisam"; kind = "command"; program = "/bin/true"; upload = "append"; target = "shop.m";', "MyISAM")}
        paths = [c.job(name, text) for name, (text, _) in jobs.items()]
        for name, (_, words) in jobs.items():
            self.expect_finding("db1", "job %s\\b.*: .*%s" % (name, words), "mend ")
            kind = ["command", "--on", "replica", name] if name in ("myisam", "lost") else ["index", "--job", name]
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

    def test_95_what_sighup_does_not_take_over_is_told(self):
        c = self.cluster
        for name, path, restart, taken in (("agent1", "db1/agent.conf", ('boost_queue_bytes = 1048576;', 'advertise_url = "http://127.0.0.1:1";'), "boost_queue_bytes"),
                                           ("sidingd", "coordinator/sidingd.conf", ("max_lag = 61;", 'state_dir = "/tmp";'), "max_lag")):
            path = os.path.join(c.folder, path)
            with open(path, encoding="utf-8") as f:
                text = f.read()
            key = restart[1].split(" ")[0]
            lines = [line for line in text.splitlines(True) if not re.match(r"\s*(%s|%s)\b" % (key, taken), line)]
            with open(path, "w", encoding="utf-8") as f:
                f.write("".join(lines) + "\n".join(restart) + "\n")
            os.kill(c.pid(name), signal.SIGHUP)
            node = "db1" if name == "agent1" else ""
            wait_until(lambda n=node, k=key: [f for f in self.check()[1] if (f["node"] or "") == n and "need a restart" in f["text"] and f["text"].endswith(": " + k)],
                       20, lambda k=key, n=name: "%s says that %s needs a restart: %s" % (n, k, self.check()))
            with open(path, "w", encoding="utf-8") as f:
                f.write("nonsense = 1;\n" + text)
            os.kill(c.pid(name), signal.SIGHUP)
            wait_until(lambda: [f for f in self.check()[1] if "nonsense" in f["text"]], 20, lambda: "the wrong file is told: %s" % (self.check(),))
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            os.kill(c.pid(name), signal.SIGHUP)
            wait_until(lambda: self.check()[0] == 0 and not [f for f in self.check()[1] if "restart" in f["text"]], 20, lambda: "all is well: %s" % (self.check(),))

    def test_96_configurations_are_checked_without_a_server(self):
        c = self.cluster
        path = os.path.join(c.folder, "db1", "agent.conf")
        status, out, _ = call("siding-agent", "--config", path, "--check-config", env=c.env)
        self.assertEqual((status, "0 errors" in out), (0, True), out)
        job = os.path.join(c.folder, "jobs", "lost.conf")
        with open(job, "w", encoding="utf-8") as f:
            f.write('name = "lost"; kind = "command"; program = "/nonexistent/lost";')
        status, out, _ = call("siding-agent", "--config", path, "--check-config", env=c.env)
        os.remove(job)
        self.assertEqual(status, 1)
        self.assertRegex(out, "program of job lost .*/nonexistent/lost: there is no such file\n +mend: install")
        status, out, _ = call("sidingd", "--config", os.path.join(c.folder, "coordinator", "sidingd.conf"), "--check-config", env=c.env)
        self.assertEqual((status, "0 errors" in out), (0, True), out)

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


class Actions:
    """Each mend that siding check prints is carried out as it stands there, by one who knows nothing else; then the finding
    is gone. None of them throws away what only the relay files hold."""
    replicas = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.sql("db0", "CREATE DATABASE shop; CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(20)) ENGINE=InnoDB")
        c.expect_caught_up()
        wait_until(lambda: not cls.found("db1"), 30, lambda: "siding check is content: %s" % cls.found("db1"))

    @classmethod
    def found(cls, node):
        """{name: finding} of what is wrong on a node."""
        status, out, err = call("siding", "check", "--json", env=cls.cluster.env)
        try:
            return {f["name"]: f for f in json.loads(out) if f["level"] != "ok" and f["node"] == node and f["name"] != "agent"}
        except ValueError:
            raise Failed("siding check printed no JSON: %d %s%s" % (status, out, err)) from None

    def option_file(self, change):
        path = os.path.join(self.cluster.folder, "db1", "my.cnf")
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(change(lines)) + "\n")

    def set_option(self, name, value):
        self.option_file(lambda lines: [line for line in lines if not re.match(r"\s*%s\s*(=|$)" % name, line)] +
                         ["[mysqld]", "%s=%s" % (name, value) if value else name])

    def restart(self):
        self.cluster.stop("db1")
        self.cluster.start("db1")

    def carry_out(self, *mends):
        """As printed. Lines of option files first, then one restart for all that ask for it."""
        restarts, c = False, self.cluster
        for step in [s for mend in mends for s in re.split(r"; (?:and |then )?", mend)]:
            line = re.fullmatch(r"(\w+)=(\S+) in the server's option file(, then restart the server)?", step)
            log = re.fullmatch(r"(log_bin) in the server's option file, and neither (\w+) nor (\w+), then restart the server", step)
            if line:
                self.set_option(line[1], line[2])
                restarts = restarts or bool(line[3])
            elif log:
                self.option_file(lambda lines, m=log: [x for x in lines if x.strip() not in m.groups()[1:]] +
                                 ["log_bin"] * (not any(x.startswith("log_bin") for x in lines)))
                restarts = True
            elif step.startswith("siding "):
                status, out, err = call(*step.split(), "--reason", "mended", env=c.env)
                self.assertEqual(status, 0, "%s: %s%s" % (step, out, err))
            elif re.match(r"(SET|START|STOP|GRANT|RESET|CHANGE|ALTER) ", step):
                c.sql("db1", step)
            else:
                self.assertRegex(step, "^until ", "is an action: " + step)
        if restarts:
            self.restart()

    def mended(self, *names, within_s=30):
        """What check says of these is done, and they are gone."""
        found = {}

        def there():
            found.update(self.found("db1"))
            return set(names) <= set(found)
        wait_until(there, within_s, lambda: "findings %s: %s" % (names, found))
        for name in names:
            self.assertTrue(found[name]["mend"], found[name])
        self.carry_out(*dict.fromkeys(found[n]["mend"] for n in names))  # the same is done once
        self.gone(*names)

    def gone(self, *names):
        wait_until(lambda: not set(names) & set(self.found("db1")), 40, lambda: "%s is mended: %s" % (names, self.found("db1")))

    def test_1_variables(self):
        for name, value in self.at_run_time.values():
            if name in self.stopped:
                self.cluster.sql("db1", "STOP REPLICA SQL_THREAD")
            self.cluster.sql("db1", "SET GLOBAL %s=%s" % (name, value))
        self.cluster.sql("db1", "START REPLICA SQL_THREAD")
        self.mended(*self.at_run_time)
        self.cluster.expect_replicating("db1")
        self.restart()  # what the mends have put into the option file is in force
        self.gone(*self.at_run_time)

    def test_2_option_files(self):
        for name, value in self.in_files.values():
            self.set_option(name, value)
        self.option_file(lambda lines: [line for line in lines if not line.startswith(self.at_boot)])
        self.restart()
        self.mended(*self.in_files, "skip_start", "read_only_at_boot", within_s=40)
        self.cluster.expect_replicating("db1")
        self.cluster.sql("db0", "INSERT INTO shop.t (k) VALUES ('after')")
        self.cluster.expect_caught_up()

    def rows(self):
        return int(self.cluster.value("db1", "SELECT COUNT(*) FROM shop.t"))

    def test_3_threads_that_somebody_stopped(self):
        """The primary has purged what the replica holds: a START that throws it away is never made good."""
        c = self.cluster
        for statements, names in (("STOP REPLICA SQL_THREAD", ["applier_stopped"]), ("STOP REPLICA IO_THREAD", ["receiver_stopped"]),
                                  ("STOP REPLICA SQL_THREAD; DO SLEEP(1); STOP REPLICA IO_THREAD", ["applier_stopped", "receiver_stopped"])):
            before = self.rows()
            first, _, rest = statements.partition("; DO SLEEP(1); ")
            c.sql("db1", first)
            # Without a receiver the first waits for its acknowledgement, a minute in a sandbox.
            c.sql("db0", "".join("INSERT INTO shop.t (k) VALUES ('a');" for _ in range(20)), within_s=120)
            if rest:
                end = self.source_place()
                wait_until(lambda e=end: self.has_received(e), 20, "all is received")
                c.sql("db1", rest)
                c.sql("db0", "FLUSH BINARY LOGS; PURGE BINARY LOGS TO '%s'" % self.newest_binlog())
            self.mended(*names)
            c.expect_replicating("db1")
            wait_until(lambda: self.rows() == before + 20, 30, lambda: "all rows are there: %d of %d" % (self.rows(), before + 20))
        c.expect_caught_up()

    def newest_binlog(self):
        return self.cluster.sql("db0", "SHOW BINARY LOGS")[-1][0]

    def source_place(self):
        file, place = self.cluster.sql("db0", self.binlog_status)[0][:2]
        return file, int(place)

    def has_received(self, place):
        now = self.cluster.replication("db1")
        names = ("Master_Log_File", "Read_Master_Log_Pos") if "Master_Log_File" in now else ("Source_Log_File", "Read_Source_Log_Pos")
        return (now[names[0]], int(now[names[1]])) >= place

    def test_4_errors_of_the_applier_are_told_by_number(self):
        c = self.cluster
        c.sql_alone("db1", "INSERT INTO shop.t VALUES (700001, 'here')")
        c.sql("db0", "INSERT INTO shop.t VALUES (700001, 'there')")
        finding = wait_until(lambda: self.found("db1").get("applier_failed"), 20, lambda: str(self.found("db1")))
        self.assertIn("1062", finding["text"])
        self.assertNotIn("START", finding["mend"])
        first, _, then = finding["mend"].partition("; then ")
        self.assertIn("remove it with SET SESSION sql_log_bin=0", first)
        c.sql_alone("db1", "DELETE FROM shop.t WHERE id = 700001")
        self.carry_out(then)
        c.expect_caught_up()
        self.gone("applier_failed")

    def test_5_a_named_connection(self):
        """Refused, and made the default one as told, without a transaction lost."""
        c = self.cluster
        c.sql("db0", "CREATE USER east IDENTIFIED BY 'p'; GRANT REPLICATION SLAVE ON *.* TO east")
        c.expect_caught_up()
        c.sql("db1", self.to_named % c.ports.base)
        wait_until(lambda: "channels" in self.found("db1"), 20, lambda: str(self.found("db1")))
        c.siding("replica", "pause", "db1", "--for", "60s", "--reason", "a look", status=1)
        c.sql("db0", "INSERT INTO shop.t (k) VALUES ('named')")
        wait_until(lambda: c.has_applied("db1", c.position("db0")), 20, "applied by the named connection")
        finding = self.found("db1")["channels"]
        self.assertIn('"east"', finding["text"])
        words, _, statements = finding["mend"].partition(": ")
        self.assertIn("received is applied", words)
        c.sql("db1", statements.replace("USER='…'", "USER='east'").replace("PASSWORD='…'", "PASSWORD='p'"))
        self.gone("channels")
        c.sql("db0", "INSERT INTO shop.t (k) VALUES ('default')")
        c.expect_replicating("db1")
        c.expect_caught_up()
        def paused():
            return call("siding", "replica", "pause", "db1", "--for", "60s", "--reason", "a look", env=c.env)[0] == 0
        wait_until(paused, 20, "a replica by the default connection is paused")
        c.siding("replica", "resume", "db1")

    def test_9_nothing_is_wrong_at_the_end(self):
        # The least that is needed was set, and that is less than the primary has.
        self.cluster.sql("db1", "SET GLOBAL max_allowed_packet = %s" % self.cluster.value("db0", "SELECT @@GLOBAL.max_allowed_packet"))
        wait_until(lambda: not self.found("db1"), 40, lambda: "siding check is content: %s" % self.found("db1"))
        self.cluster.expect_equal()


class ActionsMariaDB(Actions, ClusterTest):
    stopped, at_boot, binlog_status = (), ("skip_slave_start", "read_only"), "SHOW MASTER STATUS"
    at_run_time = {"gtid": ("gtid_strict_mode", "OFF"), "row_binlog": ("binlog_format", "STATEMENT"), "sync_binlog": ("sync_binlog", "0"),
                   "flush_log": ("innodb_flush_log_at_trx_commit", "2"), "semi_sync_timeout": ("rpl_semi_sync_master_timeout", "1000"),
                   "semi_sync_point": ("rpl_semi_sync_master_wait_point", "'AFTER_COMMIT'"), "local_infile": ("local_infile", "OFF"),
                   "binlog_expiry": ("binlog_expire_logs_seconds", "60"), "sync_relay_log": ("sync_relay_log", "1"), "read_only": ("read_only", "0"),
                   "semi_sync_replica": ("rpl_semi_sync_slave_enabled", "OFF"), "max_allowed_packet": ("max_allowed_packet", "65536")}
    in_files = {"binary_log": ("skip_log_bin", ""), "log_updates": ("log_slave_updates", "OFF"), "relay_log_recovery": ("relay_log_recovery", "ON"),
                "relay_log_space_limit": ("relay_log_space_limit", "1073741824")}
    to_named = ("STOP SLAVE; RESET SLAVE ALL; CHANGE MASTER 'east' TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='east', "
                "MASTER_PASSWORD='p', MASTER_USE_GTID=slave_pos; START SLAVE 'east'")


class ActionsMySQL(Actions, ClusterTest):
    flavor = "mysql"
    stopped, at_boot, binlog_status = ("binlog_format",), ("skip_replica_start", "super_read_only"), "SHOW BINARY LOG STATUS"
    at_run_time = {"gtid": ("gtid_mode", "ON_PERMISSIVE"), "row_binlog": ("binlog_format", "STATEMENT"), "sync_binlog": ("sync_binlog", "0"),
                   "flush_log": ("innodb_flush_log_at_trx_commit", "2"), "semi_sync_timeout": ("rpl_semi_sync_source_timeout", "1000"),
                   "local_infile": ("local_infile", "OFF"), "binlog_expiry": ("binlog_expire_logs_seconds", "60"),
                   "sync_relay_log": ("sync_relay_log", "1"), "read_only": ("super_read_only", "0"),
                   "semi_sync_replica": ("rpl_semi_sync_replica_enabled", "OFF"), "max_error_count": ("max_error_count", "0")}
    in_files = {"binary_log": ("skip_log_bin", ""), "log_updates": ("log_replica_updates", "OFF"), "relay_log_recovery": ("relay_log_recovery", "ON"),
                "relay_log_space_limit": ("relay_log_space_limit", "1073741824"), "commit_order": ("replica_preserve_commit_order", "OFF")}
    to_named = ("STOP REPLICA; RESET REPLICA ALL; CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='east', "
                "SOURCE_PASSWORD='p', SOURCE_AUTO_POSITION=1 FOR CHANNEL 'east'; START REPLICA FOR CHANNEL 'east'")


if __name__ == "__main__":
    main()
