#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siding bootstrap on a real server: twice the same, accounts that may do their work and nothing else, a procedure
that belongs to the caller's transaction."""
import json
import os
import re
import stat
import subprocess
import time

from harness import BUILD, ClusterTest, main
from machine import call, slack, wait_until

ACCOUNTS = {"coordinator": "siding", "agent": "siding_agent", "job": "siding_job", "load": "siding_load"}

CONFIG = """
cluster_name = "{name}";
state_dir = "{folder}/coordinator";
listen = [ "unix:{folder}/coordinator/siding.sock" ];
agents = ( {{ name = "db0"; url = "http://127.0.0.1:{agent}"; }} );
database_defaults_file = "{folder}/credentials/coordinator.cnf";
admin_defaults_file = "{admin}";
credentials_dir = "{folder}/credentials";
grants = {{ hosts = [ "localhost", "127.0.0.1" ]; read = [ "shop" ]; load = [ "shop" ];
    submit = ( {{ account = "app@localhost"; jobs = [ "dump", "x" ]; databases = [ "shop" ]; least_priority = -5; most_priority = 9;
                  most_waiting = {waiting}; }}, {{ account = "trusted@%"; jobs = [ "*" ]; databases = [ "*" ]; }} ); }};
"""


class Bootstrap:
    replicas, servers_only = 1, True

    def configure(self, name="sandbox", admin=None, waiting=50):
        folder = self.cluster.folder
        with open(os.path.join(folder, "test.conf"), "w", encoding="utf-8") as f:
            f.write(CONFIG.format(name=name, folder=folder, waiting=waiting, agent=int(self.cluster.env["DB0_PORT"]) + 10,
                                  admin=admin or self.credentials("admin")))

    def setUp(self):
        self.configure()
        self.mariadb = self.cluster.flavor == "mariadb"

    def sql(self, statements, node="db0"):
        return [list(row) for row in self.cluster.sql(node, statements)]

    def bootstrap(self, *options, status=0):
        """What it says: on stdout, or on stderr where it must fail."""
        found, out, err = call(os.path.join(BUILD, "siding"), "--config", os.path.join(self.cluster.folder, "test.conf"),
                               "bootstrap", *options)
        self.assertEqual(found, status, out + err)
        return err if status else out

    def credentials(self, file):
        return os.path.join(self.cluster.folder, "credentials", file + ".cnf")

    def as_account(self, file, statement):
        return call("mariadb", "--defaults-file=" + self.credentials(file), "-S", self.cluster.socket("db0"), "-NB",
                    "-e", statement)

    def may(self, file, statement):
        status, out, err = self.as_account(file, statement)
        self.assertEqual(status, 0, "%s may not %s: %s" % (file, statement, err))
        return [line.split("\t") for line in out.splitlines()]

    def may_not(self, file, statement):
        status, _, err = self.as_account(file, statement)
        self.assertNotEqual(status, 0, "%s may %s" % (file, statement))
        self.assertRegex(err, "denied|1044|1142|1227")

    def schema(self):
        return self.sql("""SELECT table_name, column_name, column_type, is_nullable
            FROM information_schema.columns WHERE table_schema = 'siding' ORDER BY 1, ordinal_position""")

    # -- what bootstrap makes

    def test_a_dry_run_changes_nothing(self):
        self.sql("""CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(20));
            INSERT INTO shop.item VALUES (1, 'one'); CREATE DATABASE secret; CREATE TABLE secret.t (id INT PRIMARY KEY);
            CREATE USER app@localhost IDENTIFIED BY 'app'; GRANT SELECT, INSERT ON shop.* TO app@localhost;
            CREATE USER stranger@localhost IDENTIFIED BY 'stranger'; CREATE USER trusted@localhost IDENTIFIED BY 'trusted'""")
        said = self.bootstrap("--dry-run")
        self.assertIn("CREATE TABLE IF NOT EXISTS siding.task", said)
        self.assertIn("CREATE USER IF NOT EXISTS 'siding_job'@'127.0.0.1' IDENTIFIED BY '…'", said)
        self.assertEqual(self.schema(), [])
        self.assertFalse(os.path.exists(self.credentials("job")))

    def test_twice_is_the_same(self):
        self.assertIn("account 'siding_agent'@'localhost'", self.bootstrap())
        first, files = self.schema(), {}
        self.assertGreater(len(first), 60)
        for file in self.accounts:
            self.assertEqual(stat.S_IMODE(os.stat(self.credentials(file)).st_mode), 0o600)
            with open(self.credentials(file), encoding="utf-8") as f:
                files[file] = f.read()
        self.sql("""GRANT EXECUTE ON PROCEDURE siding.submit TO app@localhost, stranger@localhost, trusted@localhost;
            INSERT INTO siding.job VALUES ('dump', 'dump', 'replica', 1, NOW(3)), ('x', 'command', 'replica', 1, NOW(3)),
            ('secret', 'command', 'primary', 0, NOW(3)); UPDATE siding.meta SET value='old' WHERE name='routines'""")
        self.assertIn("made procedure", self.bootstrap())
        self.assertNotIn("made procedure", self.bootstrap())
        self.assertEqual(self.schema(), first)
        for file, text in files.items():
            with open(self.credentials(file), encoding="utf-8") as f:
                self.assertEqual(f.read(), text)
        meta = dict(self.sql("SELECT name, value FROM siding.meta"))
        self.assertEqual((meta["schema_version"], meta["term"], meta["cluster_name"]), ("8", "0", "sandbox"))

    def test_existing_passwords_are_kept(self):
        with open(self.credentials("job"), "w", encoding="utf-8") as f:
            f.write("# mine\n[client]\nuser = siding_job\npassword = \"it's mine\"\n")
        self.assertIn("job.cnf holds another password than it has", self.bootstrap(status=1))
        self.sql("DROP USER siding_job@localhost, siding_job@127.0.0.1")
        self.bootstrap()
        self.assertEqual(self.may("job", "SELECT name FROM shop.item"), [["one"]])
        os.chmod(self.credentials("job"), 0o644)
        self.assertIn("chmod", self.bootstrap(status=1))
        os.chmod(self.credentials("job"), 0o600)

    def test_another_host_replaces_no_password(self):
        """A bootstrap without the files of the first one would lock out every host that has them."""
        aside = self.credentials("agent") + ".aside"
        os.rename(self.credentials("agent"), aside)
        self.assertRegex(self.bootstrap(status=1), "siding_agent is there already, and .*agent.cnf is not: copy agent.cnf .*--rotate")
        self.assertFalse(os.path.exists(self.credentials("agent")))
        os.rename(aside, self.credentials("agent"))
        self.may("agent", "SELECT 1")

    def test_no_password_stands_in_the_servers_log(self):
        """Whoever may read that, or what goes to it, gets a hash."""
        for name, host in self.sql("SELECT User, Host FROM mysql.user WHERE User = 'siding_job'"):
            self.sql("DROP USER '%s'@'%s'" % (name, host))
        os.remove(self.credentials("job"))
        self.sql("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1")
        try:
            self.bootstrap()
        finally:
            self.sql("SET GLOBAL general_log = 0; SET GLOBAL log_output = DEFAULT")
        with open(self.credentials("job"), encoding="utf-8") as f:
            password = re.search(r'(?m)^password *= *"?([^"\n]+)', f.read())[1]
        self.may("job", "SELECT 1")
        told = [str(row[0]) for row in self.sql("SELECT argument FROM mysql.general_log")]
        self.assertTrue([t for t in told if "CREATE USER" in t and "siding_job" in t])
        self.assertEqual([t for t in told if password in t], [])
        self.sql("TRUNCATE mysql.general_log")

    def test_a_rotation_keeps_both_until_its_end(self):
        old = {}
        for file in self.accounts:
            with open(self.credentials(file), encoding="utf-8") as f:
                old[file] = f.read()
        self.assertIn("old and new passwords are both valid", self.bootstrap("--rotate"))
        for file in self.accounts:
            self.may(file, "SELECT 1")
            with open(self.credentials(file), encoding="utf-8") as f:
                self.assertNotEqual(f.read(), old[file])
            with open(self.credentials(file + ".old"), "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as f:
                f.write(old[file])
            self.may(file + ".old", "SELECT 1")
        self.assertIn("is not ended", self.bootstrap("--rotate", status=1))
        # As if it had been killed after the last account was changed and before its file was put in place.
        for file in self.accounts:
            if os.path.exists(self.credentials(file).replace(".cnf", ".cnf.new")):
                os.remove(self.credentials(file).replace(".cnf", ".cnf.new"))
        self.assertIn("valid no more", self.bootstrap("--end-rotation"))
        for file in self.accounts:
            self.may(file, "SELECT 1")
            self.may_not(file + ".old", "SELECT 1")
        self.assertNotIn("made procedure", self.bootstrap())

    def test_a_rotation_that_was_killed_goes_on(self):
        """The server has the new password, the file not yet: the next call finds it in FILE.new."""
        with open(self.credentials("job"), encoding="utf-8") as f:
            before = f.read()
        self.bootstrap("--rotate")
        os.rename(self.credentials("job"), self.credentials("job") + ".new")
        with open(self.credentials("job"), "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(before)
        self.may("job", "SELECT 1")
        for file in self.accounts:
            if file != "job":
                os.rename(self.credentials(file), self.credentials(file) + ".new")
        self.bootstrap("--rotate")
        self.bootstrap("--end-rotation")
        self.may("job", "SELECT 1")

    def test_the_rescuer_is_read_by_nobody_on_the_way(self):
        hosts = dict(self.sql("SELECT Host, ssl_type FROM mysql.user WHERE User = 'siding_rescue'"))
        self.assertEqual(hosts, {"localhost": "", "127.0.0.1": "ANY"} if self.mariadb else {})

    def test_the_account_that_answers_is_the_one_meant(self):
        """A file that cannot be opened, or one without a name, is not a login of the operating system's user."""
        agent = os.path.join(BUILD, "siding-dump")
        for text, says in (("[client]\nuser=nobody_there\npassword=x\n", "nobody_there"), (None, "cannot read")):
            path = os.path.join(self.cluster.folder, "other.cnf")
            if text:
                with open(path, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as f:
                    f.write(text)
                self.sql("CREATE USER IF NOT EXISTS ''@localhost; GRANT SELECT ON *.* TO ''@localhost")
            else:
                os.remove(path)
            status, _, err = call(agent, "--defaults-file=" + path, "--socket", self.cluster.socket("db0"), "--database", "shop",
                                  "--output", os.path.join(self.cluster.folder, "dumped"))
            self.assertEqual(status, 1)
            self.assertIn(says, err)
        self.sql("DROP USER ''@localhost")

    # -- what the accounts may do

    def test_all_accounts_get_in(self):
        for file, account in self.accounts.items():
            self.assertEqual(self.may(file, "SELECT CURRENT_USER()"), [[account + "@localhost"]])

    def test_coordinator_has_its_schema_only(self):
        self.may("coordinator", "UPDATE siding.meta SET value = value; INSERT INTO siding.event (at, what, text)"
                                " VALUES (NOW(3), 'x', 'x'); DELETE FROM siding.event")
        for statement in ("SELECT * FROM shop.item", "INSERT INTO shop.item VALUES (9, 'x')", "SET GLOBAL sync_binlog=1"):
            self.may_not("coordinator", statement)

    def test_agent_steers_and_reads_nothing(self):
        self.may("agent", "SET SESSION sql_log_bin=0; SET GLOBAL sync_binlog=1;"
                          "SET GLOBAL innodb_flush_log_at_trx_commit=1; SHOW REPLICA STATUS; SHOW PROCESSLIST")
        self.may("agent", "SET GLOBAL read_only=0; SET GLOBAL rpl_semi_sync_master_enabled=1; SHOW MASTER STATUS;"
                          "SHOW ALL SLAVES STATUS; SET GLOBAL slave_parallel_threads=0; STOP SLAVE" if self.mariadb else
                 "SET GLOBAL super_read_only=0; SET GLOBAL read_only=0; SET GLOBAL rpl_semi_sync_source_enabled=1;"
                 "SHOW BINARY LOG STATUS; SET GLOBAL replica_parallel_workers=4")
        for statement in ("SELECT * FROM shop.item", "UPDATE shop.item SET name = 'x'", "SELECT * FROM siding.task",
                          "CREATE TABLE shop.x (id INT)"):
            self.may_not("agent", statement)

    def test_job_reads_and_writes_nothing(self):
        self.may("job", "SELECT name FROM shop.item; SHOW CREATE TABLE shop.item; SHOW TRIGGERS FROM shop;"
                        "SHOW EVENTS FROM shop; START TRANSACTION WITH CONSISTENT SNAPSHOT; COMMIT")
        for statement in ("INSERT INTO shop.item VALUES (9, 'x')", "DELETE FROM shop.item", "DROP TABLE shop.item",
                          "CREATE TABLE shop.x (id INT)", "SELECT * FROM secret.t", "SELECT * FROM siding.task",
                          "FLUSH TABLES", "SET GLOBAL sync_binlog=1", "STOP REPLICA", "SET SESSION sql_log_bin=0"):
            self.may_not("job", statement)

    def test_load_writes_its_databases(self):
        self.may("load", "CREATE TABLE shop.n (id INT PRIMARY KEY); INSERT INTO shop.n VALUES (1);"
                         "INSERT INTO siding.ledger VALUES ('1.1', 'c', 1, NOW(3));"
                         "RENAME TABLE shop.n TO shop.m; DROP TABLE shop.m; DELETE FROM siding.ledger")
        for statement in ("INSERT INTO siding.task (id) VALUES (1)", "SELECT * FROM secret.t",
                          "INSERT INTO secret.t VALUES (1)", "CREATE USER x", "SET GLOBAL sync_binlog=1"):
            self.may_not("load", statement)

    # -- the procedure

    def submit(self, job, args=None, options=None, around="{}", account="app"):
        """(exit status, the id, stderr) of a CALL by an application's account, in the middle of `around`."""
        def literal(value):
            if value is None:
                return "NULL"
            value = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        statement = "CALL siding.submit(%s, %s, %s, @id); SELECT @id;" % tuple(map(literal, (job, args, options)))
        script = os.path.join(self.cluster.folder, "submit.sql")  # longer than a command line may be
        with open(script, "w", encoding="utf-8") as f:
            f.write(around.format(statement))
        status, out, err = call("sh", "-c", "exec \"$@\" < '%s'" % script, "sh", "mariadb", "--no-defaults", "-S",
                                self.cluster.socket("db0"), "-NB", "--user=" + account, "--password=" + account,
                                "--default-character-set=utf8mb4")
        return status, out.strip(), err

    def test_a_submit_belongs_to_the_transaction(self):
        status, task, err = self.submit("dump", around="BEGIN; INSERT INTO shop.item VALUES (2, 'two'); {} ROLLBACK;")
        self.assertEqual((status, err), (0, ""))
        self.assertGreater(int(task), 0)
        self.assertEqual(self.sql("SELECT COUNT(*) FROM siding.task UNION ALL SELECT COUNT(*) FROM shop.item"),
                         [["0"], ["1"]])
        options = {"priority": 5, "name": "nightly", "run_at": "2026-05-01T22:30:00.250Z", "unique": "n",
                   "fixed_time": True, "sleeptime_ms": 86400000, "options": {"databases": ["shop"]}, "window": None}
        status, task, err = self.submit("dump", ["a b", "ü"], options,
                                        around="BEGIN; INSERT INTO shop.item VALUES (2, 'two'); {} COMMIT;")
        self.assertEqual((status, err), (0, ""))
        row = self.sql("""SELECT kind, on_role, job, name, s.user, args, JSON_EXTRACT(options, '$.databases[0]'), state,
            priority, replicas, run_at, sleeptime_ms, fixed_time, time_window, unique_name, max_attempts
            FROM siding.task t JOIN siding.spec s ON s.task_id = t.id WHERE id = """ + task)[0]
        self.assertEqual(row, ["dump", "replica", "dump", "nightly", "app", '["a b", "ü"]', '"shop"', "waiting", "5", "1",
                               "2026-05-01 22:30:00.250", "86400000", "1", None, "n", "1"])
        self.assertEqual(self.sql("SELECT proc, status, sleeptime, priority FROM siding.schTASK"),
                         [["nightly", "WAITING", "86400s", "5"]])

    def test_a_unique_name_is_kept_while_it_lives(self):
        self.assertIn('a task of the unique name "n" is not ended', self.submit("dump", None, {"unique": "n"})[2])
        self.sql("UPDATE siding.task SET state='done'; DELETE FROM siding.unique_name")  # as the coordinator does
        self.assertEqual(self.submit("dump", None, {"unique": "n"})[0], 0)

    def test_a_unique_name_holds_up_nobody_else(self):
        """An application that got the refusal, and stays in its transaction, has locked that name and nothing beside it."""
        holder = subprocess.Popen(["mariadb", "--no-defaults", "-S", self.cluster.socket("db0"), "-N", "--user=app",
                                   "--password=app", "--force", "--unbuffered"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        try:
            holder.stdin.write("BEGIN; CALL siding.submit('dump', NULL, '{\"unique\": \"n\"}', @id); SELECT 'held';\n")
            holder.stdin.flush()
            self.assertEqual(holder.stdout.readline().strip(), "held")
            begun = time.time()
            for unique in (None, "a", "m", "o", "z"):
                self.assertEqual(self.submit("dump", None, {"unique": unique} if unique else None)[0], 0)
            self.assertLess(time.time() - begun, 3 * slack())
        finally:
            holder.kill()
            holder.communicate()
        self.sql("DELETE FROM siding.task; DELETE FROM siding.unique_name")

    def test_a_plain_insert_is_checked_and_gets_a_receipt(self):
        self.sql("GRANT INSERT, SELECT ON siding.enqueue TO app@localhost")
        status, out, err = self.as_app("INSERT INTO siding.enqueue (job, args) VALUES ('dump', '[\"a\"]');"
                                       "SELECT id, LAST_INSERT_ID(), task_id FROM siding.enqueue")
        self.assertEqual((status, err), (0, ""))
        row, receipt, task = out.split()
        self.assertEqual(row, receipt)
        self.assertEqual(self.sql("SELECT job, args, user FROM siding.spec WHERE task_id = " + task), [["dump", '["a"]', "app"]])
        self.assertEqual(self.sql("SELECT COUNT(*) FROM siding.inbox WHERE task_id = " + task), [["1"]])
        status, _, err = self.as_app("INSERT INTO siding.enqueue (job, options) VALUES ('dump', '{\"priority\": 99}')")
        self.assertEqual(status, 1)
        self.assertIn("may give priorities from -5 to 9, not 99", err)
        self.sql("DELETE FROM siding.task; DELETE FROM siding.enqueue; REVOKE INSERT, SELECT ON siding.enqueue FROM app@localhost")

    def as_app(self, statements):
        return call("mariadb", "--no-defaults", "-S", self.cluster.socket("db0"), "-NB", "--user=app", "--password=app", "-e", statements)

    def refused(self, rows, account="app"):
        before = self.sql("SELECT COUNT(*), COALESCE(MAX(id), 0) FROM siding.task")
        for job, args, options, text in rows:
            with self.subTest(job=str(job)[:60], args=str(args)[:60], options=str(options)[:80]):
                status, _, err = self.submit(job, args, options, account=account)
                self.assertEqual(status, 1, "taken, but should have said: " + text)
                self.assertIn(text, err)
        self.assertEqual(self.sql("SELECT COUNT(*), COALESCE(MAX(id), 0) FROM siding.task"), before)

    def test_bad_submits_are_told(self):
        self.refused((
            ("", None, None, "the job has no name"),
            ("x" * 200, None, None, 'option "job" has 200 characters'),
            ("x" * 2000, None, None, "too long"),
            ("x\n", None, None, 'option "job" holds control characters'),
            ("x", "{}", None, "args must be a JSON array"),
            ("x", "[1", None, "args must be a JSON array"),
            ("x", ["a", 1], None, 'option "args" holds integer'),
            ("x", ["a"] * 1001, None, 'option "args" has 1001 elements'),
            ("x", ["a" * 16385], None, 'option "args" holds a longer text'),
            ("x", ["a" * 16000] * 5, None, 'option "args" is longer'),
            ("x", "[%s]" % ",".join(['"' + "a" * 1000 + '"'] * 500), None, "args are too long"),
            ("x", '["\\u0000"]', None, "no character"),
            ("x", '["\\ud800"]', None, "args"),
            ("x", '["\\udc00\\ud800"]', None, "args"),
            ("x", None, "[]", "options must be a JSON object"),
            ("x", None, {"prority": 1}, 'unknown option "prority", did you mean "priority"?'),
            ("x", None, {"priority ": 1}, 'unknown option "priority ", did you mean "priority"?'),
            ("x", None, {"Priority": 1}, 'unknown option "Priority", did you mean "priority"?'),
            ("x", None, {"user": "root"}, 'unknown option "user"'),
            ("x", None, {"options": {"database": ["shop"]}}, 'unknown option "database", did you mean "databases"?'),
            ("x", None, {"options": {"limits": {"relay_byte": 1}}}, 'did you mean "relay_bytes"?'),
            ("x", None, {"databases": ["shop"]}, 'unknown option "databases"'),
            ("x", None, {'a"b\\c': 1}, "unknown option"),
            ("x", None, {"k" * 300: 1}, "unknown option"),
            ("x", None, {"priority": "high"}, 'option "priority" is string, it must be a whole number'),
            ("x", None, {"priority": 1.5}, 'option "priority" is d'),
            ("x", None, {"priority": 1000001}, 'option "priority" is 1000001'),
            ("x", None, {"priority": 10 ** 30}, 'option "priority" is'),
            ("x", None, {"sleeptime_ms": 9 * 10 ** 15}, 'option "sleeptime_ms" is 9000000000000000, it must be'),
            ("x", None, {"sleeptime_ms": -1}, 'option "sleeptime_ms" is -1'),
            ("x", None, {"pause_limit_ms": 10 ** 12}, 'option "pause_limit_ms" is'),
            ("x", None, {"max_attempts": 0}, 'option "max_attempts" is 0'),
            ("x", None, {"sequence_id": 10 ** 19}, 'option "sequence_id" is'),
            ("x", None, {"name": 5}, 'option "name" is integer'),
            ("x", None, {"name": ""}, 'option "name" has 0 characters'),
            ("x", None, {"name": "n" * 200}, 'option "name" has 200 characters'),
            ("x", None, {"name": "a\tb"}, 'option "name" holds control characters'),
            ("x", None, {"name": "a\u202eb"}, 'option "name" holds control characters'),
            ("x", None, {"name": "a\u0085b"}, 'option "name" holds control characters'),
            ("x", None, {"unique": "u" * 600}, 'option "unique" has 600 characters'),
            ("x", None, {"window": "w" * 70}, 'option "window" has 70 characters'),
            ("x", None, {"kind": "upload"}, 'option "kind" is "upload", it must be dump, index or command'),
            ("x", None, {"kind": "dump "}, 'option "kind" is "dump "'),
            ("x", None, {"replicas": 0}, 'option "replicas" is 0'),
            ("x", None, {"replicas": -2}, 'option "replicas" is -2'),
            ("x", None, {"on": "moon"}, 'option "on" is "moon", it must be replica or primary'),
            ("x", None, {"fixed_time": 1}, 'option "fixed_time" is integer'),
            ("x", None, {"host": "nosuchnode"}, 'there is no node "nosuchnode"'),
            ("x", None, {"host": "h" * 65}, 'option "host" has 65 characters'),
            ("x", None, {"run_at": "tomorrow"}, "a time in UTC"),
            ("x", None, {"run_at": "2026-13-45T00:00:00Z"}, "a time in UTC"),
            ("x", None, {"run_at": "2026-02-30T00:00:00Z"}, "a time in UTC"),
            ("x", None, {"run_at": "2026-05-01T22:30:00Z\n"}, "a time in UTC"),
            ("x", None, {"run_at": "9999-01-01T00:00:00Z"}, "a time in UTC"),
            ("x", None, {"options": {"databases": []}}, 'option "options.databases" has 0 elements'),
            ("x", None, {"options": {"databases": ["a" * 65]}}, "holds a name of 65 characters"),
            ("x", None, {"options": {"databases": "shop"}}, 'option "options.databases" is string'),
            ("x", None, {"options": {"allow": ["all"]}}, 'option "options.allow" holds "all"'),
            ("x", None, {"options": {"limits": {"at_limit": "wait"}}}, 'option "options.limits.at_limit" is "wait"')))

    def test_jobs_that_nobody_knows_and_sessions_that_do_not_replicate(self):
        self.refused((("xx", None, None, 'no agent has ever told of a job "xx", did you mean "x"?'),), account="trusted")
        status, _, err = call("mariadb", "--no-defaults", "-S", self.cluster.socket("db0"), "-NB", "-e",
                              "SET sql_log_bin = 0; CALL siding.submit('x', NULL, NULL, @id)")
        self.assertEqual(status, 1)
        self.assertIn("sql_log_bin is off", err)

    def test_grants_of_submitters(self):
        self.sql("INSERT IGNORE INTO siding.node VALUES ('db7', 'replica', 'http://127.0.0.1:1', 1, NOW(3))")
        self.refused((
            ("secret", None, None, 'app may not submit the job "secret"'),
            ("x ", None, None, 'app may not submit the job "x "'),
            ("x", None, {"priority": 10}, "app may give priorities from -5 to 9, not 10"),
            ("x", None, {"priority": -6}, "app may give priorities from -5 to 9, not -6"),
            ("dump", None, {"options": {"databases": ["secret"]}}, 'app may not name the database "secret"'),
            ("dump", None, {"options": {"databases": ["shop", "*"]}}, 'app may not name the database "*"'),
            ("dump", ["--database=secret"], None, "app names databases by options alone"),
            ("dump", ["--threads=2", "--table=secret.t"], None, "app names databases by options alone"),
            ("x", None, {"host": "db8"}, 'there is no node "db8", did you mean "db7"?')))
        self.refused((("x", None, None, "stranger@localhost has no line in grants.submit"),), account="stranger")
        status, task, err = self.submit("secret", ["\\ud800 as it stands", "\U0001f600"], {"priority": 10}, account="trusted")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(self.sql("SELECT user, job, JSON_VALUE(args, '$[0]') FROM siding.spec WHERE task_id = " + task),
                         [["trusted", "secret", "\\ud800 as it stands"]])
        self.configure(waiting=2)
        self.assertIn("grants.submit: 2 accounts", self.bootstrap())
        self.assertNotIn("grants.submit", self.bootstrap())
        self.sql("DELETE FROM siding.task")
        self.assertEqual([self.submit("x")[0] for _ in range(2)], [0, 0])
        self.refused((("x", None, None, "2 tasks of app wait already"),))
        self.sql("UPDATE siding.task SET state = 'done' LIMIT 1")
        self.assertEqual(self.submit("x")[0], 0)
        self.sql("DELETE FROM siding.task")

    def test_bytes_that_are_no_utf8(self):
        """Refused by a session in strict mode, as both servers have it by default: never altered in silence."""
        for charset, literal in (("utf8mb4", "_binary x'5B22FF225D'"), ("binary", "x'5B22FF225D'")):
            with self.subTest(charset=charset, literal=literal):
                statement = "CALL siding.submit('x', %s, NULL, @id); SELECT @id" % literal
                status, out, _ = call("mariadb", "--no-defaults", "-S", self.cluster.socket("db0"), "-NB", "--user=app", "--password=app",
                                      "--default-character-set=" + charset, "-e", statement)
                if status == 0:
                    args = self.sql("SELECT HEX(args) FROM siding.spec WHERE task_id = " + out.strip())
                    self.fail("taken as " + str(args))

    def test_all_of_it_replicates(self):
        self.sql("STOP REPLICA; START REPLICA", "db1")
        self.cluster.expect_caught_up()
        self.cluster.expect_equal()

    # -- an older schema

    def test_version_1_is_brought_forward(self):
        self.sql("DROP DATABASE siding")
        said = self.bootstrap("--dry-run")
        first = said[said.index("CREATE TABLE IF NOT EXISTS siding.meta"):said.index("CREATE TABLE IF NOT EXISTS siding.submitter (")]
        self.sql("CREATE DATABASE siding CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;" + first)
        self.sql("""REPLACE INTO siding.meta VALUES ('schema_version', '1'), ('term', '7'), ('cluster_name', 'sandbox');
            INSERT INTO siding.task (id, kind, job, name, on_role, user, args, options, state, priority, run_at, submitted_at,
            unique_name, sequence_id, updated_at, finished_at) VALUES
            (5, 'command', 'count', 'one', 'replica', 'me', '["a"]', '{}', 'done', 3, NOW(3), NOW(3), NULL, NULL, NOW(3), NOW(3)),
            (6, NULL, 'count', 'two', NULL, 'me', '[]', '{"x": 1}', 'waiting', -2, NOW(3), NOW(3), 'u', 4, NOW(3), NULL),
            (7, 'command', 'count', 'three', 'replica', 'me', '[]', '{}', 'running', 0, NOW(3), NOW(3), NULL, NULL, NOW(3), NULL);
            INSERT INTO siding.run (task_id, no, state, term, nodes, started_at, result_dir) VALUES
            (5, 1, 'done', 7, '["db1"]', NOW(3), '/spool/5.1'), (7, 1, 'running', 7, '["db1"]', NOW(3), NULL)""")
        self.bootstrap()
        self.assertEqual(self.sql("SELECT id, state, user, priority, sequence_id, request FROM siding.task ORDER BY id"),
                         [["5", "done", "me", "3", None, None], ["6", "waiting", "me", "-2", "4", None],
                          ["7", "running", "me", "0", None, None]])
        self.assertEqual(self.sql("SELECT task_id, name, args, options, unique_name FROM siding.spec ORDER BY task_id"),
                         [["5", "one", '["a"]', "{}", None], ["6", "two", "[]", '{"x": 1}', "u"], ["7", "three", "[]", "{}", None]])
        self.assertEqual(self.sql("SELECT name, task_id FROM siding.unique_name"), [["u", "6"]])
        self.assertEqual(self.sql("SELECT task_id FROM siding.run WHERE sealed_at IS NOT NULL"), [["5"]])
        self.assertEqual(dict(self.sql("SELECT name, value FROM siding.meta WHERE name IN ('term', 'schema_version')")),
                         {"term": "7", "schema_version": "8"})
        after = [row for row in self.schema() if row[0] not in ("schTASK", "hstTASK")]  # MySQL looks at a view's columns anew
        self.sql("UPDATE siding.meta SET value = '1' WHERE name = 'schema_version'")  # cut off before its end
        self.bootstrap()
        self.assertEqual([row for row in self.schema() if row[0] not in ("schTASK", "hstTASK")], after)
        self.assertEqual(self.sql("SELECT COUNT(*) FROM siding.spec"), [["3"]])

    # -- servers it refuses

    def test_another_cluster_is_refused(self):
        self.configure(name="other")
        self.assertIn('belongs to cluster "sandbox"', self.bootstrap(status=1))

    def test_a_server_that_is_not_ready_is_refused(self):
        wrong, right = ["replica_preserve_commit_order=OFF"], ["replica_preserve_commit_order=ON"]
        if self.mariadb:
            wrong, right = ["gtid_strict_mode=OFF", "binlog_format=MIXED"], ["gtid_strict_mode=ON", "binlog_format=ROW"]
        self.sql("; ".join("SET GLOBAL " + w for w in wrong))
        said = self.bootstrap(status=1)
        for r in right:
            name, value = r.split("=")
            self.assertIn("mend: SET GLOBAL %s='%s'" % (name, value), said)
        self.sql("; ".join("SET GLOBAL " + r for r in right))

    def test_a_replica_is_refused(self):
        admin = self.credentials("admin1")
        with open(self.credentials("admin"), encoding="utf-8") as f:
            text = f.read().replace(self.cluster.env["DB0_PORT"], self.cluster.env["DB1_PORT"])
        with open(admin, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(admin, 0o600)
        self.configure(admin=admin)
        self.assertIn("bootstrap runs on the primary", self.bootstrap(status=1))

    def test_a_read_only_primary_is_opened_for_the_time(self):
        variable = "read_only" if self.mariadb else "super_read_only"
        self.sql("SET GLOBAL %s=1" % variable)
        self.bootstrap()
        self.assertEqual(self.sql("SELECT @@global.%s" % variable), [["1"]])
        self.sql("SET GLOBAL %s=0" % variable)
        self.sql("SET GLOBAL read_only=0")

    def test_all_of_it_can_be_taken_away(self):
        self.sql("""CREATE TABLE shop._item_siding_new (id INT PRIMARY KEY); CREATE TABLE shop._siding_keys (id INT PRIMARY KEY);
            CREATE TABLE shop._item_sidings (id INT PRIMARY KEY); CREATE USER siding_job@'10.1.%';
            UPDATE siding.task SET state = 'done'; INSERT INTO siding.task (user, state, run_at)
            VALUES ('x', 'running', NOW())""")
        self.assertIn("1 tasks are under way", self.bootstrap("--remove", status=1))
        self.sql("UPDATE siding.task SET state = 'killed'")
        self.assertIn("DROP DATABASE `siding`", self.bootstrap("--remove", "--dry-run"))
        self.assertNotEqual(self.schema(), [])
        kept = self.sql("SELECT value FROM siding.meta WHERE name = 'semi_sync_before'")
        variable = "rpl_semi_sync_master_enabled" if self.mariadb else "rpl_semi_sync_source_enabled"
        self.assertIn(kept, ([["on"]], [["off"]]))
        self.sql("UPDATE siding.meta SET value = 'off' WHERE name = 'semi_sync_before'; SET GLOBAL %s = 1" % variable)
        said = self.bootstrap("--remove")
        self.assertEqual(self.sql("SELECT @@global.%s" % variable), [["0"]])
        for part in ("semi-sync as a source is off again", "taken away: 2 tables, 1 schemas", "db0: siding-agent (stop it first)", "siding.ballast",
                     "read_only = OFF", "skip_slave_start"):
            self.assertIn(part, said)
        self.assertNotIn("read_only is", said)
        self.assertEqual(self.sql("SELECT User, Host FROM mysql.user WHERE User IN ('siding', 'siding_agent', 'siding_job', 'siding_load', 'siding_rescue')"), [])
        self.assertEqual(sorted(self.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop'")),
                         [["_item_sidings"], ["item"]])
        self.assertEqual(self.schema(), [])
        self.assertIn("taken away: 0 tables, 0 schemas, 0 accounts", self.bootstrap("--remove"))
        self.assertIn("account 'siding_job'@'localhost'", self.bootstrap())

    def is_closed(self):
        return self.sql("SELECT @@global.%s" % ("read_only" if self.mariadb else "super_read_only")) == [["1"]]

    def close(self):
        self.sql("SET GLOBAL %s=1" % ("read_only" if self.mariadb else "super_read_only"))

    def test_all_that_was_set_is_put_back(self):
        self.bootstrap()
        self.assertEqual(self.sql("SELECT value FROM siding.meta WHERE name = 'read_only_before'"), [["off"]])
        # closed meanwhile, as an agent does without its coordinator; and an agent's ballast
        folder = os.path.dirname(self.sql("SELECT COALESCE(NULLIF(@@GLOBAL.relay_log_basename, ''), CONCAT(@@GLOBAL.datadir, 'x'))")[0][0])
        ballast = os.path.join(folder, "siding.ballast")
        with open(ballast, "wb") as f:
            f.write(bytes(4096))
        self.close()
        said = self.bootstrap("--remove", "--dry-run")
        self.assertIn("rm " + ballast, said)
        self.assertIn("SET GLOBAL", said)
        self.assertTrue(self.is_closed() and os.path.exists(ballast))
        said = self.bootstrap("--remove")
        self.assertIn("read_only is off again, as before bootstrap", said)
        self.assertIn("removed " + ballast, said)
        self.assertFalse(self.is_closed() or os.path.exists(ballast))
        self.assertEqual(self.schema(), [])
        # found closed, opened by Siding: closed again, but not below programs that use it
        self.close()
        self.bootstrap()
        self.assertEqual(self.sql("SELECT value FROM siding.meta WHERE name = 'read_only_before'"), [["on"]])
        self.assertTrue(self.is_closed())
        self.sql("SET GLOBAL super_read_only=0" if not self.mariadb else "SELECT 1")
        self.sql("SET GLOBAL read_only=0")
        with self.cluster.session("db0") as program:
            self.assertEqual(program.sql("SELECT 1"), [("1",)])
            self.assertIn("left open: the first bootstrap found this server read-only", self.bootstrap("--remove", "--dry-run"))
        wait_until(lambda: "left open" not in self.bootstrap("--remove", "--dry-run"), 20, "nobody is connected")
        self.assertIn("read_only is on again, as before bootstrap", self.bootstrap("--remove"))
        self.assertTrue(self.is_closed())
        self.sql("SET GLOBAL super_read_only=0" if not self.mariadb else "SELECT 1")
        self.sql("SET GLOBAL read_only=0")
        self.assertIn("account 'siding_job'@'localhost'", self.bootstrap())

    def test_a_wrong_password_is_told(self):
        with open(self.credentials("admin"), "w", encoding="utf-8") as f:
            f.write("[client]\nuser=siding_admin\npassword=wrong\nhost=127.0.0.1\nport=%s\n"
                    % self.cluster.env["DB0_PORT"])
        self.assertIn("Access denied", self.bootstrap(status=1))


class MariaDB(Bootstrap, ClusterTest):
    accounts = dict(ACCOUNTS, rescue="siding_rescue")

    def test_the_rescuer_may_steer_its_own_connection_and_no_more(self):
        self.sql("SET GLOBAL read_only=0")
        self.may("rescue", "SET SESSION sql_log_bin=0; CHANGE MASTER 'siding_rescue' TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, "
                           "MASTER_USE_GTID=slave_pos; SET GLOBAL siding_rescue.replicate_do_db='x'; SHOW ALL SLAVES STATUS; "
                           "RESET SLAVE 'siding_rescue' ALL; SELECT @@GLOBAL.gtid_binlog_state")
        for statement in ("CREATE DATABASE replayed", "CREATE USER replayed@localhost", "SELECT * FROM mysql.global_priv"):
            self.may_not("rescue", statement)
        self.may_not("agent", "CREATE DATABASE replayed")
        self.may_not("agent", "RESET SLAVE 'siding_rescue' ALL")


class MySQL(Bootstrap, ClusterTest):
    flavor = "mysql"
    accounts = ACCOUNTS

    def test_the_server_rescues_itself(self):
        self.assertFalse(os.path.exists(self.credentials("rescue")))


if __name__ == "__main__":
    main()
