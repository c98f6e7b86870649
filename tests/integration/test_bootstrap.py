#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siding bootstrap on a real server: twice the same, accounts that may do their work and nothing else, a procedure
that belongs to the caller's transaction."""
import json
import os
import stat

from harness import BUILD, ClusterTest, call, main

ACCOUNTS = {"coordinator": "siding", "agent": "siding_agent", "job": "siding_job", "load": "siding_load"}

CONFIG = """
cluster_name = "{name}";
state_dir = "{folder}/coordinator";
listen = [ "unix:{folder}/coordinator/siding.sock" ];
agents = ( {{ name = "db0"; url = "http://127.0.0.1:{agent}"; }} );
database_defaults_file = "{folder}/credentials/coordinator.cnf";
admin_defaults_file = "{admin}";
credentials_dir = "{folder}/credentials";
grants = {{ hosts = [ "localhost", "127.0.0.1" ]; read = [ "shop" ]; load = [ "shop" ]; }};
"""


class Bootstrap:
    replicas, servers_only = 1, True

    def configure(self, name="sandbox", admin=None):
        folder = self.cluster.folder
        with open(os.path.join(folder, "test.conf"), "w", encoding="utf-8") as f:
            f.write(CONFIG.format(name=name, folder=folder, agent=int(self.cluster.env["DB0_PORT"]) + 10,
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
            CREATE USER app@localhost IDENTIFIED BY 'app'; GRANT SELECT, INSERT ON shop.* TO app@localhost""")
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
        self.sql("""GRANT EXECUTE ON PROCEDURE siding.submit TO app@localhost;
            UPDATE siding.meta SET value='old' WHERE name='routines'""")
        self.assertIn("made procedure", self.bootstrap())
        self.assertNotIn("made procedure", self.bootstrap())
        self.assertEqual(self.schema(), first)
        for file, text in files.items():
            with open(self.credentials(file), encoding="utf-8") as f:
                self.assertEqual(f.read(), text)
        meta = dict(self.sql("SELECT name, value FROM siding.meta"))
        self.assertEqual((meta["schema_version"], meta["term"], meta["cluster_name"]), ("1", "0", "sandbox"))

    def test_existing_passwords_are_kept(self):
        with open(self.credentials("job"), "w", encoding="utf-8") as f:
            f.write("# mine\n[client]\nuser = siding_job\npassword = \"it's mine\"\n")
        self.bootstrap()
        self.assertEqual(self.may("job", "SELECT name FROM shop.item"), [["one"]])
        os.chmod(self.credentials("job"), 0o644)
        self.assertIn("chmod", self.bootstrap(status=1))
        os.chmod(self.credentials("job"), 0o600)

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

    def submit(self, job, args=None, options=None, around="{}"):
        """(exit status, the id, stderr) of a CALL by the application's account, in the middle of `around`."""
        def literal(value):
            if value is None:
                return "NULL"
            value = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        statement = "CALL siding.submit(%s, %s, %s, @id); SELECT @id;" % tuple(map(literal, (job, args, options)))
        status, out, err = call("mariadb", "--no-defaults", "-S", self.cluster.socket("db0"), "-NB", "--user=app",
                                "--password=app", "--default-character-set=utf8mb4", "-e", around.format(statement))
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
        row = self.sql("""SELECT kind, job, name, user, args, JSON_EXTRACT(options, '$.databases[0]'), state,
            priority, priority_rank, replicas, run_at, sleeptime_ms, fixed_time, time_window, unique_name, max_attempts
            FROM siding.task WHERE id = """ + task)[0]
        self.assertEqual(row, [None, "dump", "nightly", "app", '["a b", "ü"]', '"shop"', "waiting", "5", "-5", "1",
                               "2026-05-01 22:30:00.250", "86400000", "1", None, "n", "1"])
        self.assertEqual(self.sql("SELECT proc, status, sleeptime, priority FROM siding.schTASK"),
                         [["nightly", "WAITING", "86400s", "5"]])

    def test_a_unique_name_is_kept_while_it_lives(self):
        self.assertIn('a task of the unique name "n" is not ended', self.submit("dump", None, {"unique": "n"})[2])
        self.sql("UPDATE siding.task SET state='done'")
        self.assertEqual(self.submit("dump", None, {"unique": "n"})[0], 0)

    def test_bad_submits_are_told(self):
        before = self.sql("SELECT COUNT(*) FROM siding.task")
        for job, args, options, text in (
                ("", None, None, "the job has no name"),
                ("x", "{}", None, "args must be a JSON array"),
                ("x", "[1", None, "args must be a JSON array"),
                ("x", ["a", 1], None, "element 1 is none"),
                ("x", None, "[]", "options must be a JSON object"),
                ("x", None, {"prority": 1}, 'unknown option "prority"'),
                ("x", None, {'a"b\\c': 1}, "unknown option"),
                ("x", None, {"priority": "high"}, 'option "priority" must be of type integer, not string'),
                ("x", None, {"name": 5}, 'option "name" must be of type string'),
                ("x", None, {"kind": "upload"}, "dump, index or command"),
                ("x", None, {"replicas": 0}, "at least 1"),
                ("x", None, {"on": "moon"}, "replica or primary"),
                ("x", None, {"run_at": "tomorrow"}, "a time in UTC"),
                ("x", None, {"run_at": "2026-13-45T00:00:00Z"}, "Incorrect datetime"),
                ("x", None, {"name": "n" * 200}, "too long")):
            with self.subTest(job=job, args=args, options=options):
                status, _, err = self.submit(job, args, options)
                self.assertEqual(status, 1)
                self.assertIn(text, err)
        self.assertEqual(self.sql("SELECT COUNT(*) FROM siding.task"), before)

    def test_all_of_it_replicates(self):
        self.sql("STOP REPLICA; START REPLICA", "db1")
        self.cluster.expect_caught_up()
        self.cluster.expect_equal()

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
