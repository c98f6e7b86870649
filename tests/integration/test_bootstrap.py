#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siding bootstrap on a real server: twice the same, accounts that may do their work and nothing else, a procedure
that belongs to the caller's transaction.
usage: test_bootstrap.py [mariadb|mysql]"""
import json
import os
import stat
import subprocess
import sys

from servers import BUILD, run_tap, servers

PORT = int(os.environ.get("SIDING_TEST_PORT", "14440"))
FLAVOR = sys.argv[1] if len(sys.argv) > 1 else "mariadb"
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


class Test:
    def __init__(self, s):
        self.s = s
        self.config = os.path.join(s.folder, "test.conf")
        self.configure("sandbox")

    def configure(self, name, admin=None):
        admin = admin or f"{self.s.folder}/credentials/admin.cnf"
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(name=name, folder=self.s.folder, agent=PORT + 10, admin=admin))

    def bootstrap(self, *options):
        return subprocess.run([os.path.join(BUILD, "siding"), "--config", self.config, "bootstrap", *options],
                              capture_output=True, text=True, timeout=60, check=False)

    def credentials(self, file):
        return os.path.join(self.s.folder, "credentials", file + ".cnf")

    def as_account(self, file, statement):
        return self.s.mariadb(0, statement, "--defaults-file=" + self.credentials(file), check=False)

    def may(self, file, statement):
        done = self.as_account(file, statement)
        assert done.returncode == 0, f"{file} may not {statement}: {done.stderr}"
        return [line.split("\t") for line in done.stdout.splitlines()]

    def may_not(self, file, statement):
        done = self.as_account(file, statement)
        assert done.returncode != 0, f"{file} may {statement}"
        assert any(word in done.stderr for word in ("denied", "1142", "1044", "1227")), done.stderr

    def schema(self):
        return self.s.mariadb(0, """SELECT table_name, column_name, column_type, is_nullable
            FROM information_schema.columns WHERE table_schema = 'siding' ORDER BY 1, ordinal_position""")

    # ------------------------------------------------------------------------------------------------

    def a_dry_run_changes_nothing(self):
        self.s.mariadb(0, "CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(20));"
                          "INSERT INTO shop.item VALUES (1, 'one'); CREATE DATABASE secret; CREATE TABLE secret.t (id INT"
                          " PRIMARY KEY); CREATE USER app@localhost IDENTIFIED BY 'app';"
                          "GRANT SELECT, INSERT ON shop.* TO app@localhost")
        done = self.bootstrap("--dry-run")
        assert done.returncode == 0, done.stderr
        assert "CREATE TABLE IF NOT EXISTS siding.task" in done.stdout, done.stdout
        assert "CREATE USER IF NOT EXISTS 'siding_job'@'127.0.0.1'" in done.stdout
        assert self.schema() == []
        assert not os.path.exists(self.credentials("job"))

    def twice_is_the_same(self):
        done = self.bootstrap()
        assert done.returncode == 0, done.stderr
        assert "account 'siding_agent'@'localhost'" in done.stdout, done.stdout
        first, files = self.schema(), {}
        assert len(first) > 60
        for file in ACCOUNTS:
            assert stat.S_IMODE(os.stat(self.credentials(file)).st_mode) == 0o600
            with open(self.credentials(file), encoding="utf-8") as f:
                files[file] = f.read()
        self.s.mariadb(0, "GRANT EXECUTE ON PROCEDURE siding.submit TO app@localhost;"
                          "UPDATE siding.meta SET value='old' WHERE name='routines'")
        for _ in range(2):
            done = self.bootstrap()
            assert done.returncode == 0, done.stderr
        assert self.schema() == first
        for file, text in files.items():
            with open(self.credentials(file), encoding="utf-8") as f:
                assert f.read() == text
        meta = dict(self.s.mariadb(0, "SELECT name, value FROM siding.meta"))
        assert meta["schema_version"] == "1" and meta["term"] == "0" and meta["cluster_name"] == "sandbox", meta

    def existing_passwords_are_kept(self):
        with open(self.credentials("job"), "w", encoding="utf-8") as f:
            f.write("# mine\n[client]\nuser = siding_job\npassword = \"it's mine\"\n")
        done = self.bootstrap()
        assert done.returncode == 0, done.stderr
        assert self.may("job", "SELECT name FROM shop.item") == [["one"]]
        os.chmod(self.credentials("job"), 0o644)
        done = self.bootstrap()
        assert done.returncode == 1 and "chmod" in done.stderr, done.stderr
        os.chmod(self.credentials("job"), 0o600)

    def all_accounts_get_in(self):
        for file, account in ACCOUNTS.items():
            assert self.may(file, "SELECT CURRENT_USER()") == [[account + "@localhost"]]

    def coordinator_has_its_schema_only(self):
        self.may("coordinator", "UPDATE siding.meta SET value = value; INSERT INTO siding.event (at, what, text)"
                                " VALUES (NOW(3), 'x', 'x'); DELETE FROM siding.event")
        self.may_not("coordinator", "SELECT * FROM shop.item")
        self.may_not("coordinator", "INSERT INTO shop.item VALUES (9, 'x')")
        self.may_not("coordinator", "SET GLOBAL sync_binlog=1")

    def agent_steers_and_reads_nothing(self):
        mariadb = FLAVOR == "mariadb"
        self.may("agent", "SET SESSION sql_log_bin=0; SET GLOBAL sync_binlog=1;"
                          "SET GLOBAL innodb_flush_log_at_trx_commit=1; SHOW REPLICA STATUS; SHOW PROCESSLIST")
        self.may("agent", "SET GLOBAL read_only=0; SET GLOBAL rpl_semi_sync_master_enabled=1; SHOW MASTER STATUS;"
                          "SHOW ALL SLAVES STATUS; SET GLOBAL slave_parallel_threads=0; STOP SLAVE" if mariadb else
                 "SET GLOBAL super_read_only=0; SET GLOBAL read_only=0; SET GLOBAL rpl_semi_sync_source_enabled=1;"
                 "SHOW BINARY LOG STATUS; SET GLOBAL replica_parallel_workers=4")
        self.may_not("agent", "SELECT * FROM shop.item")
        self.may_not("agent", "UPDATE shop.item SET name = 'x'")
        self.may_not("agent", "SELECT * FROM siding.task")
        self.may_not("agent", "CREATE TABLE shop.x (id INT)")

    def job_reads_and_writes_nothing(self):
        assert self.may("job", "SELECT name FROM shop.item") == [["one"]]
        self.may("job", "SHOW CREATE TABLE shop.item; SHOW TRIGGERS FROM shop; SHOW EVENTS FROM shop;"
                        "START TRANSACTION WITH CONSISTENT SNAPSHOT; COMMIT")
        for statement in ("INSERT INTO shop.item VALUES (9, 'x')", "DELETE FROM shop.item", "DROP TABLE shop.item",
                          "CREATE TABLE shop.x (id INT)", "SELECT * FROM secret.t", "SELECT * FROM siding.task",
                          "FLUSH TABLES", "SET GLOBAL sync_binlog=1", "STOP REPLICA", "SET SESSION sql_log_bin=0"):
            self.may_not("job", statement)

    def load_writes_its_databases(self):
        self.may("load", "CREATE TABLE shop.n (id INT PRIMARY KEY); INSERT INTO shop.n VALUES (1);"
                         "INSERT INTO siding.ledger VALUES ('1.1', 'c', 1, NOW(3));"
                         "RENAME TABLE shop.n TO shop.m; DROP TABLE shop.m; DELETE FROM siding.ledger")
        for statement in ("INSERT INTO siding.task (id) VALUES (1)", "SELECT * FROM secret.t",
                          "INSERT INTO secret.t VALUES (1)", "CREATE USER x", "SET GLOBAL sync_binlog=1"):
            self.may_not("load", statement)

    def submit(self, job, args=None, options=None, around="{}"):
        def text(value):
            if value is None:
                return "NULL"
            value = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        call = f"CALL siding.submit('{job}', {text(args)}, {text(options)}, @id); SELECT @id;"
        return self.s.mariadb(0, around.format(call), "--user=app", "--password=app", check=False)

    def a_submit_belongs_to_the_transaction(self):
        done = self.submit("dump", around="BEGIN; INSERT INTO shop.item VALUES (2, 'two'); {} ROLLBACK;")
        assert done.returncode == 0 and done.stdout.strip(), done.stderr
        assert self.s.value(0, "SELECT COUNT(*) FROM siding.task") == "0"
        assert self.s.value(0, "SELECT COUNT(*) FROM shop.item") == "1"
        options = {"priority": 5, "name": "nightly", "run_at": "2026-05-01T22:30:00.250Z", "unique": "n",
                   "fixed_time": True, "sleeptime_ms": 86400000, "options": {"databases": ["shop"]}, "window": None}
        done = self.submit("dump", ["a b", "ü"], options,
                           around="BEGIN; INSERT INTO shop.item VALUES (2, 'two'); {} COMMIT;")
        assert done.returncode == 0, done.stderr
        row = self.s.mariadb(0, f"""SELECT kind, job, name, user, args, JSON_EXTRACT(options, '$.databases[0]'), state,
            priority, priority_rank, replicas, run_at, sleeptime_ms, fixed_time, time_window, unique_name, max_attempts
            FROM siding.task WHERE id = {done.stdout.strip()}""")[0]
        assert row == ["NULL", "dump", "nightly", "app", '["a b", "ü"]', '"shop"', "waiting", "5", "-5", "1",
                       "2026-05-01 22:30:00.250", "86400000", "1", "NULL", "n", "1"], row
        view = self.s.mariadb(0, "SELECT proc, status, sleeptime, priority FROM siding.schTASK")
        assert view == [["nightly", "WAITING", "86400s", "5"]], view

    def a_unique_name_is_kept_while_it_lives(self):
        done = self.submit("dump", None, {"unique": "n"})
        assert done.returncode and 'a task of the unique name "n" is not ended' in done.stderr, done.stderr
        self.s.mariadb(0, "UPDATE siding.task SET state='done'")
        done = self.submit("dump", None, {"unique": "n"})
        assert done.returncode == 0, done.stderr

    def bad_submits_are_told(self):
        before = self.s.value(0, "SELECT COUNT(*) FROM siding.task")
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
            done = self.submit(job, args, options)
            assert done.returncode and text in done.stderr, (job, args, options, done.stderr)
        assert self.s.value(0, "SELECT COUNT(*) FROM siding.task") == before

    def all_of_it_replicates(self):
        query = "SELECT id, job, state, unique_live, submitted_at FROM siding.task ORDER BY id"
        written = self.s.mariadb(0, query)
        gtid = self.s.value(0, "SELECT @@global.gtid_binlog_pos" if FLAVOR == "mariadb" else
                            "SELECT REPLACE(@@global.gtid_executed, '\\n', '')")
        wait = "MASTER_GTID_WAIT" if FLAVOR == "mariadb" else "WAIT_FOR_EXECUTED_GTID_SET"
        assert self.s.value(1, f"SELECT {wait}('{gtid}', 10)") == "0"
        assert self.s.mariadb(1, query) == written

    def another_cluster_is_refused(self):
        self.configure("other")
        done = self.bootstrap()
        assert done.returncode == 1 and 'belongs to cluster "sandbox"' in done.stderr, done.stderr
        self.configure("sandbox")

    def a_server_that_is_not_ready_is_refused(self):
        variable = "gtid_strict_mode" if FLAVOR == "mariadb" else "replica_preserve_commit_order"
        if FLAVOR == "mariadb":
            self.s.mariadb(0, "SET GLOBAL gtid_strict_mode=OFF; SET GLOBAL binlog_format=MIXED")
        else:
            self.s.mariadb(0, "SET GLOBAL replica_preserve_commit_order=OFF")
        done = self.bootstrap()
        assert done.returncode == 1 and f"mend: SET GLOBAL {variable}='ON'" in done.stderr, done.stderr
        if FLAVOR == "mariadb":
            assert "SET GLOBAL binlog_format='ROW'" in done.stderr
        self.s.mariadb(0, "SET GLOBAL gtid_strict_mode=ON; SET GLOBAL binlog_format=ROW" if FLAVOR == "mariadb" else
                       "SET GLOBAL replica_preserve_commit_order=ON")

    def a_replica_is_refused(self):
        admin = os.path.join(self.s.folder, "credentials", "admin1.cnf")
        with open(self.credentials("admin"), encoding="utf-8") as f:
            text = f.read().replace(f"port={PORT}", f"port={PORT + 1}")
        with open(admin, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(admin, 0o600)
        self.configure("sandbox", admin)
        done = self.bootstrap()
        assert done.returncode == 1 and "bootstrap runs on the primary" in done.stderr, done.stderr
        self.configure("sandbox")

    def a_read_only_primary_is_opened_for_the_time(self):
        variable = "read_only" if FLAVOR == "mariadb" else "super_read_only"
        self.s.mariadb(0, f"SET GLOBAL {variable}=1; ")
        done = self.bootstrap()
        assert done.returncode == 0, done.stderr
        assert self.s.value(0, f"SELECT @@global.{variable}") == "1"

    def a_wrong_password_is_told(self):
        with open(self.credentials("admin"), "w", encoding="utf-8") as f:
            f.write(f"[client]\nuser=siding_admin\npassword=wrong\nhost=127.0.0.1\nport={PORT}\n")
        done = self.bootstrap()
        assert done.returncode == 1 and "Access denied" in done.stderr, done.stderr


def main():
    with servers(PORT, FLAVOR) as s:
        test = Test(s)
        names = [name for name, value in vars(Test).items() if callable(value) and "_" in name.strip("_")
                 and name not in ("may_not", "as_account")]
        run_tap([(name, getattr(test, name)) for name in names])


if __name__ == "__main__":
    main()
