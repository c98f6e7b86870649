#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The buffer of a paused replica is never lost: whatever is killed, every transaction that had reached the replica is
applied, with its GTID, before anything starts its replication. The coordinator is stopped, the primary mostly dead.
SIDING_RESCUE_ROUNDS=N runs N random rounds instead of one; SIDING_RESCUE_SEED=S makes them those of S."""
import contextlib
import glob
import os
import random
import socket
import subprocess
import threading
import time

from harness import BUILD, main
from machine import Failed, call, command_lines, wait_until
from rescue_case import DOMAIN, Base, Load, put_incident, size

# What a rescue is disturbed by: threads of its connection, its program, processes.
DISTURBED = ("Slave_IO", "Slave_SQL", "program", "agent", "Slave_SQL", "server")

# Each pair leaves the schema as it was.
DDL = (
    "ALTER TABLE d{name}.t ADD COLUMN c INT, ALGORITHM=COPY;ALTER TABLE d{name}.t DROP COLUMN c, ALGORITHM=COPY",
    "ALTER TABLE d{name}.t ADD INDEX i (v), ALGORITHM=INPLACE;DROP INDEX i ON d{name}.t",
    "ALTER TABLE d{name}.t RENAME TO d{name}.t2;RENAME TABLE d{name}.t2 TO d{name}.t",
    "CREATE TABLE d{name}.m (a INT PRIMARY KEY);CREATE TABLE d{name}.m2 LIKE d{name}.m;DROP TABLE d{name}.m, d{name}.m2",
    "CREATE TABLE d{name}.s SELECT * FROM d{name}.t;CREATE OR REPLACE TABLE d{name}.s (a INT PRIMARY KEY);DROP TABLE d{name}.s",
    "CREATE VIEW d{name}.w AS SELECT 1;CREATE OR REPLACE VIEW d{name}.w AS SELECT {n};DROP VIEW d{name}.w",
    "CREATE TRIGGER d{name}.g BEFORE INSERT ON d{name}.t FOR EACH ROW SET @x = {n};DROP TRIGGER d{name}.g",
    "CREATE PROCEDURE d{name}.p() SELECT {n};DROP PROCEDURE d{name}.p",
    "CREATE EVENT d{name}.e ON SCHEDULE EVERY 1 DAY DO SET @x = {n};DROP EVENT d{name}.e",
    "CREATE USER u{name}@localhost;GRANT SELECT ON d{name}.* TO u{name}@localhost;DROP USER u{name}@localhost",
    "CREATE DATABASE x{name};CREATE TABLE x{name}.t (a INT PRIMARY KEY);DROP DATABASE x{name}",
    "CREATE SEQUENCE d{name}.q;ALTER SEQUENCE d{name}.q MAXVALUE 1000;DROP SEQUENCE d{name}.q",
    "TRUNCATE TABLE d{name}.h;INSERT INTO d{name}.h VALUES ({n})",
    "UPDATE d{name}.t SET v = CONCAT('{n}-', id)",
)


class MariaDB(Base):
    replicas = 1

    def test_a_lost_primary_and_a_lost_paused_replica(self):
        """Two domains, DDL, accounts, an event, and a large transaction that was cut off in the middle."""
        c = self.cluster
        self.pause()
        self.assertTrue(self.kept())
        load = Load(c, ["small", "small", "large", "large"])
        time.sleep(1)
        c.sql("db0", "CREATE DEFINER=root@localhost EVENT t.e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t.w0 WHERE id < 0; CREATE USER reader@localhost "
              "IDENTIFIED BY 'x'; GRANT SELECT ON t.* TO reader@localhost; ALTER TABLE t.shape4 ADD COLUMN late INT;")
        load.stop()
        c.sql("db0", "INSERT INTO t.big2 (v) SELECT REPEAT('y', 200) FROM t.numbers LIMIT 2000")
        self.lose("db0", "db1")
        newest = self.file("data", sorted(os.path.basename(p) for p in glob.glob(self.file("data", "relay.0*")))[-1])
        os.truncate(newest, os.stat(newest).st_size - 100)  # as a machine crash could leave it
        received = self.received()
        self.assertEqual(set(received), {0, DOMAIN})
        os.rename(os.path.join(c.folder, "db0"), os.path.join(c.folder, "db0.gone"))
        try:
            self.start_replica()
            self.expect_rescued(received)
            self.expect_acknowledged(load)
            self.assertEqual(c.sql("db1", "SELECT status, definer FROM information_schema.events WHERE event_name = 'e'"),
                             [("SLAVESIDE_DISABLED", "root@localhost")])
            self.assertIn("late", c.value("db1", "SELECT GROUP_CONCAT(column_name) FROM information_schema.columns WHERE "
                                          "table_name = 'shape4'"))
            self.assertTrue(self.log_says("transactions in the relay files are not applied"))
        finally:
            os.rename(os.path.join(c.folder, "db0.gone"), os.path.join(c.folder, "db0"))

    def test_lost_in_catch_up_and_twice_in_the_rescue(self):
        c = self.cluster
        self.pause()
        load = Load(c, ["small", "small", "large", "small", "ddl", "ddl"])
        time.sleep(3)
        load.stop()
        resume = threading.Thread(target=self.resume_quietly)
        before = sum(self.applied().values())
        resume.start()
        wait_until(lambda: sum(self.applied().values()) > before + 5, 20, "catching up")
        self.lose("db0", "db1")
        resume.join(60)
        received = self.received()
        for _ in range(2):
            self.start_replica()
            wait_until(lambda: os.path.exists(self.file("agent", "rescue", "supervisor.json")) or
                       self.agent.state()["lease"]["owner"] is None, 30, "the rescue")
            time.sleep(random.random())
            self.lose("db1")
        self.start_replica()
        self.expect_rescued(received)
        self.expect_acknowledged(load)

    def test_a_restart_of_the_server_alone_keeps_nothing(self):
        """Its START looks at the relay files and links them for that; nothing of them is left when it runs (tearDown)."""
        c = self.cluster
        for _ in range(2):
            c.sql("db0", "INSERT INTO t.w0 (k) VALUES ('restarted')")
            c.kill("server1")
            self.start_replica()
            c.expect_replicating("db1")
            c.expect_caught_up()

    def test_the_receiver_died_during_the_pause(self):
        """The primary lives, but it has purged what the replica would have to fetch again."""
        c = self.cluster
        self.pause()
        load = Load(c, ["small", "small"])
        time.sleep(1)
        load.stop()
        end = self.expect_received()
        c.sql("db1", "STOP SLAVE IO_THREAD")
        c.sql("db0", "FLUSH BINARY LOGS; FLUSH BINARY LOGS")
        c.sql("db0", "PURGE BINARY LOGS TO '%s'" % c.sql("db0", "SHOW MASTER STATUS")[0][0])
        self.resume_quietly()
        wait_until(lambda: self.lease()["owner"] is None, 60, lambda: "released: %s" % self.lease())
        self.assertGreaterEqual(self.applied()[0], end[0])
        self.expect_acknowledged(load)
        c.expect_replicating("db1")

    def test_a_held_pause_keeps_its_buffer_over_a_restart(self):
        c = self.cluster
        gtid = self.pause(hold=True)
        c.sql("db0", "INSERT INTO t.w0 (k) VALUES ('held'); DROP TABLE t.shape5;")
        self.expect_received()
        self.lose("db1")
        received = self.received()
        self.start_replica()
        wait_until(lambda: self.log_says("the pause is held"), 20, "held")
        time.sleep(1)
        self.assertEqual(self.lease()["phase"], "frozen")
        self.assertEqual(c.value("db1", "SELECT @@GLOBAL.gtid_slave_pos"), gtid)
        self.assertEqual(c.value("db1", "SELECT COUNT(*) FROM t.shape5"), "12000", "the rows of the dropped table can be saved")
        self.assertTrue(self.kept())
        self.assertEqual(c.replication("db1")["io"], "No")
        self.resume_quietly()
        self.expect_rescued(received)
        self.assertEqual(c.sql("db1", "SHOW TABLES FROM t LIKE 'shape5'"), [])
        c.sql("db0", "CREATE TABLE t.shape5 LIKE t.shape4")

    def test_relay_files_that_a_kill_has_left_apart(self):
        """START fails with 1201. What they hold is applied first, then they are begun anew."""
        c = self.cluster
        self.pause()
        load = Load(c, ["small", "small"])
        time.sleep(0.5)
        load.stop()
        self.expect_received()
        self.lose("db1")
        received = self.received()
        with open(self.file("data", "relay-log.info"), "w", encoding="ascii"):
            pass
        self.start_replica()
        self.expect_rescued(received)
        self.assertTrue(self.log_says("they are begun anew"))
        self.expect_acknowledged(load)
        c.expect_replicating("db1")

    def test_a_server_with_writes_of_its_own_is_left_to_a_person(self):
        c = self.cluster
        self.pause()
        c.sql("db0", "INSERT INTO t.w0 (k) VALUES ('a'), ('b')")
        self.expect_received()
        self.lose("db1")
        self.start_server_alone()
        before = c.value("db1", "SELECT @@GLOBAL.gtid_binlog_pos")
        c.sql("db1", "CREATE DATABASE mine")
        self.start_replica()
        wait_until(lambda: any("was written by this server itself" in w for w in self.agent.state()["warnings"]), 20,
                   lambda: "told: %s" % self.agent.state()["warnings"])
        self.assertEqual((c.replication("db1")["io"], c.replication("db1")["sql"]), ("No", "No"))
        self.assertTrue(self.kept())
        # What a person may decide: the database is taken back, and its trace in the server's own log.
        c.sql("db1", "SET SESSION sql_log_bin=0; DROP DATABASE mine; RESET MASTER; SET GLOBAL gtid_slave_pos='%s'" % before)
        wait_until(lambda: self.lease()["owner"] is None, 60, "rescued")
        self.assertEqual(c.value("db1", "SELECT COUNT(*) FROM t.w0 WHERE k IN ('a', 'b')"), "2")

    def lost_with_a_buffer(self):
        """A paused replica whose host was lost together with its primary; its server runs again, its agent does not."""
        self.pause()
        load = Load(self.cluster, ["small", "small"])
        time.sleep(1)
        load.stop()
        self.lose("db0", "db1")
        received = self.received()
        self.start_server_alone()
        return load, received

    def release(self, config=None):
        return call(os.path.join(BUILD, "siding-agent"), "--config", config or self.file("agent.conf"), "--release",
                    *(["--allow-root"] if os.geteuid() == 0 else []))

    def test_released_without_an_agent_and_by_a_running_one(self):
        load, received = self.lost_with_a_buffer()
        status, out, err = self.release()
        self.assertEqual(status, 0, out + err)
        self.assertIn("replication runs, applied up to", out)
        self.expect_acknowledged(load)
        self.assertNotIn("lease", self.cluster.journal("db1"))
        for domain, number in received.items():
            self.assertGreaterEqual(self.applied()[domain], number)
        self.start_replica()
        self.cluster.start("db0")
        self.open_primary()
        self.cluster.expect_replicating("db1")
        self.pause()
        status, out, err = self.release()
        self.assertEqual(status, 0, out + err)
        self.assertIn("its agent runs and is asked", out)
        self.assertIsNone(self.lease()["owner"])

    def test_released_by_the_runbook(self):
        load, received = self.lost_with_a_buffer()
        for _ in range(2):
            self.runbook("mariadb-stopped")
        self.runbook("mariadb-start")
        self.expect_acknowledged(load)
        for domain, number in received.items():
            self.assertGreaterEqual(self.applied()[domain], number)
        self.assertEqual(self.cluster.replication("db1")["sql"], "Yes")

    # -- the rescue is the applier: facts of the server's own rules, which a client that replays would not keep

    def lose_both_and_rescue(self):
        self.lose("db0", "db1")
        received = self.received()
        self.start_replica()
        self.expect_rescued(received)

    def private(self):
        """The rescue's own connection: (names, row); None if there is none."""
        names, rows = self.cluster.query("db1", "SHOW ALL SLAVES STATUS")
        return next((dict(zip(names, r)) for r in rows if r[0] == "siding_rescue"), None)

    def test_what_an_applier_takes_a_rescue_takes(self):
        """Rows above max_allowed_packet (2006), LOAD DATA as a statement without local_infile (4166), statements with user
        variables, CREATE TABLE ... SELECT with a generated column, compressed events, checksums that come and go, an
        event while the scheduler runs."""
        c = self.cluster
        c.sql("db0", "CREATE TABLE t.large (id INT PRIMARY KEY, v LONGBLOB); CREATE TABLE t.loaded (id INT PRIMARY KEY, v "
              "VARCHAR(40)); CREATE TABLE t.gen (a INT PRIMARY KEY, b INT AS (a * 2) STORED); INSERT INTO t.gen (a) VALUES (1), (2)")
        c.expect_caught_up()
        before = c.sql("db0", "SELECT @@GLOBAL.max_allowed_packet, @@GLOBAL.log_bin_compress, @@GLOBAL.binlog_checksum")[0]
        c.sql("db1", "SET GLOBAL local_infile=0, GLOBAL event_scheduler=ON")
        file = os.path.join(c.folder, "db0", "rows.tsv")
        with open(file, "w", encoding="ascii") as f:
            f.writelines("%d\trow %d\n" % (i, i) for i in range(500))
        try:
            self.pause()
            c.sql("db0", "SET GLOBAL max_allowed_packet=128<<20, GLOBAL log_bin_compress=1")
            with c.session("db0") as s:
                s.sql("INSERT INTO t.large VALUES (1, REPEAT(MD5('a'), 14 << 15))")
                s.sql("INSERT INTO t.large VALUES (2, REPEAT('x', 40 << 20))")
                s.sql("SET SESSION binlog_format=STATEMENT")
                s.sql("LOAD DATA INFILE '%s' INTO TABLE t.loaded" % file)
                s.sql("SET @v = 'by a variable'")
                s.sql("INSERT INTO t.loaded VALUES (1000, @v), (1001, CONCAT(@v, RAND(), LAST_INSERT_ID()))")
                s.sql("SET SESSION binlog_format=ROW")
                s.sql("CREATE TABLE t.made AS SELECT * FROM t.gen")
                s.sql("SET GLOBAL binlog_checksum=NONE")
                s.sql("INSERT INTO t.gen (a) VALUES (3)")
                s.sql("SET GLOBAL binlog_checksum=CRC32")
                s.sql("INSERT INTO t.gen (a) VALUES (4)")
                s.sql("CREATE EVENT t.tick ON SCHEDULE EVERY 1 SECOND DO INSERT INTO t.gen (a) VALUES (FLOOR(RAND() * 1000000) + 100)")
                s.sql("DROP EVENT t.tick")
                s.sql("CREATE DEFINER=root@localhost EVENT t.tock ON SCHEDULE EVERY 1 DAY DO DELETE FROM t.gen")
            self.expect_received()
            sums = [c.sql("db0", "CHECKSUM TABLE t.large, t.loaded, t.made, t.gen")]
            self.lose_both_and_rescue()
            self.assertEqual([c.sql("db1", "CHECKSUM TABLE t.large, t.loaded, t.made, t.gen")], sums)
            self.assertEqual(c.sql("db1", "SELECT status, definer FROM information_schema.events WHERE event_name = 'tock'"),
                             [("SLAVESIDE_DISABLED", "root@localhost")])
            self.assertEqual(c.sql("db1", "SHOW TABLES FROM t LIKE 'siding%'"), [], "no temporary copy is left")
            self.assertIsNone(self.private(), "the rescue's own connection is gone")
        finally:
            c.start("db0")
            self.open_primary()
            c.sql("db0", "SET GLOBAL max_allowed_packet=%s, GLOBAL log_bin_compress=%s, GLOBAL binlog_checksum=%s; "
                  "DROP TABLE t.large, t.loaded, t.made, t.gen; DROP EVENT t.tock" % before)

    def test_filters_and_rewrites_hold_in_a_rescue(self):
        """Of the option file, in a rescue after a crash; set at run time, in one of a server that lives."""
        c = self.cluster
        c.sql("db0", "CREATE DATABASE hidden; CREATE DATABASE here; CREATE TABLE hidden.t (a INT PRIMARY KEY); CREATE TABLE here.t "
              "(a INT PRIMARY KEY); CREATE TABLE here.skip_t (a INT PRIMARY KEY)")
        c.expect_caught_up()
        c.sql_alone("db1", "CREATE DATABASE there; CREATE TABLE there.t (a INT PRIMARY KEY); CREATE TABLE there.skip_t (a INT PRIMARY KEY)")
        options = self.file("my.cnf")
        with open(options, encoding="utf-8") as f:
            before = f.read()
        def there():
            return [sorted(a for (a,) in c.sql("db1", "SELECT a FROM " + t))
                    for t in ("hidden.t", "here.t", "there.t", "there.skip_t")]
        try:
            self.pause()
            with open(options, "w", encoding="utf-8") as f:
                f.write(before + "\nreplicate_ignore_db=hidden\nreplicate_rewrite_db=here->there\n")
            for n in (1, 2):
                c.sql("db0", "USE hidden; INSERT INTO hidden.t VALUES ({0}); USE here; INSERT INTO here.t VALUES ({0}); "
                      "INSERT INTO here.skip_t VALUES ({0})".format(n))
            self.expect_received()
            self.lose_both_and_rescue()
            self.assertEqual(there(), [[], [], ["1", "2"], ["1", "2"]])
            c.start("db0")
            self.open_primary()
            c.expect_replicating("db1")

            c.sql("db1", "STOP SLAVE; SET GLOBAL replicate_wild_ignore_table='there.skip%'; START SLAVE")
            c.expect_replicating("db1")
            self.pause()
            c.sql("db0", "USE here; INSERT INTO here.t VALUES (3); INSERT INTO here.skip_t VALUES (3)")
            self.expect_received()
            c.sql("db1", "STOP SLAVE IO_THREAD")
            self.resume_quietly()
            wait_until(lambda: self.lease()["owner"] is None, 60, lambda: "released: %s" % self.lease())
            self.assertEqual(there(), [[], [], ["1", "2", "3"], ["1", "2"]])
        finally:
            with open(options, "w", encoding="utf-8") as f:
                f.write(before)
            self.resume_quietly()
            c.stop("db1")
            c.start("db1")
            c.sql("db0", "SET SESSION sql_log_bin=0; DROP DATABASE hidden; DROP DATABASE here")
            c.sql_alone("db1", "DROP DATABASE hidden; DROP DATABASE here; DROP DATABASE there")

    def test_an_incident_is_not_stepped_over(self):
        """The source says that its log lacks events (1590): the replica stands there, told once, until a person decides."""
        c = self.cluster
        self.pause()
        for n in range(20):
            c.sql("db0", "INSERT INTO t.w0 (k) VALUES ('incident-%d')" % n)
        self.expect_received()
        count = "SELECT COUNT(*) FROM t.w0 WHERE k LIKE 'incident-%'"
        self.lose("db0", "db1")
        received = self.received()
        newest = self.file("data", sorted(os.path.basename(p) for p in glob.glob(self.file("data", "relay.0*")))[-1])
        put_incident(newest, 8)
        self.start_replica()
        wait_until(lambda: any("1590" in w for w in self.agent.state()["warnings"]), 30,
                   lambda: "told: %s" % self.agent.state()["warnings"])
        self.assertEqual(c.value("db1", count), "12", "up to the incident and not beyond")
        time.sleep(5)
        self.assertEqual(c.value("db1", count), "12")
        with open(self.file("agent.log"), encoding="utf-8") as f:
            told = [line for line in f if "1590" in line]
        self.assertLess(len(told), 4, "told once: %s" % told)
        c.sql("db1", "SET GLOBAL sql_slave_skip_counter=1")
        self.resume_quietly()
        self.expect_rescued(received)
        self.assertEqual(c.value("db1", count), "20")

    def test_an_error_of_the_data_is_told_without_the_data(self):
        c = self.cluster
        c.sql("db0", "CREATE TABLE t.unique_here (id INT PRIMARY KEY, k VARCHAR(20)) ENGINE=InnoDB")
        c.expect_caught_up()
        self.pause()
        c.sql("db0", "INSERT INTO t.unique_here (id, k) VALUES (900001, 'a'); INSERT INTO t.unique_here (id, k) VALUES (900002, 'top secret')")
        self.expect_received()
        c.sql_alone("db1", "ALTER TABLE t.unique_here ADD UNIQUE only_here (k); INSERT INTO t.unique_here (id, k) VALUES (900009, 'top secret')")
        self.lose("db0", "db1")
        received = self.received()
        self.start_replica()
        wait_until(lambda: any("1062" in w for w in self.agent.state()["warnings"]), 30,
                   lambda: "told: %s" % self.agent.state()["warnings"])
        self.assertEqual([w for w in self.agent.state()["warnings"] if "secret" in w], [])
        self.assertFalse(self.log_says("top secret"))
        self.assertEqual(c.value("db1", "SELECT COUNT(*) FROM t.unique_here WHERE id IN (900001, 900002)"), "1")
        c.sql_alone("db1", "DELETE FROM t.unique_here WHERE id = 900009; ALTER TABLE t.unique_here DROP KEY only_here")
        self.resume_quietly()
        self.expect_rescued(received)

    def test_little_is_held_twice(self):
        """What the rescue's own connection keeps in files of its own stays near the window, however much there is to apply."""
        c = self.cluster
        self.pause()
        load = Load(c, ["small", "small", "large", "large"])
        wait_until(lambda: sum(os.path.getsize(p) for p in glob.glob(self.file("data", "relay.0*"))) > 16 << 20, 60, "16 MB")
        load.stop()
        self.lose("db0", "db1")
        received, total = self.received(), sum(os.path.getsize(p) for p in self.files())
        self.start_server_alone()
        rescue = subprocess.Popen([os.path.join(BUILD, "siding-agent"), "rescue", "--config", self.file("agent.conf"), "--window", "64K"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        peak = 0
        while rescue.poll() is None:
            peak = max(peak, sum(size(p) for p in glob.glob(self.file("data", "relay-siding_rescue.0*"))))
            time.sleep(0.02)
        self.assertEqual(rescue.returncode, 0, rescue.stderr.read())
        self.assertTrue(0 < peak < total / 2, "%d bytes at most, of %d" % (peak, total))
        self.start_replica()
        self.expect_rescued(received)
        self.expect_acknowledged(load)

    def test_disturbed_in_the_rescue(self):
        """Its receiver and its applier are killed, its program, the agent, the server; strangers ask for the kept
        transactions and hold connections open."""
        c = self.cluster
        self.pause()
        load = Load(c, ["small", "small", "large", "small"])
        time.sleep(2)
        load.stop()
        self.expect_received()
        self.lose("db0", "db1")
        received = self.received()
        self.start_server_alone()
        with c.session("db1") as s:
            s.sql("LOCK TABLES t.w0 READ, t.w1 READ")
            self.start_replica()
            wait_until(lambda: (self.private() or {}).get("Slave_SQL_Running") == "Yes", 20, "the rescue is under way")
            self.expect_strangers_refused(int(self.private()["Master_Port"]))
            self.assertEqual((c.replication("db1")["io"], c.replication("db1")["sql"]), ("No", "No"))
            s.sql("UNLOCK TABLES")
        for what in DISTURBED:
            self.disturb(what)
            time.sleep(random.uniform(0, 0.5))
        self.start_replica()
        self.expect_rescued(received)
        self.expect_acknowledged(load)
        self.assertIsNone(self.private())

    def disturb(self, what):
        c = self.cluster
        with contextlib.suppress(Failed, ProcessLookupError):
            if what == "program":
                for pid, words in command_lines().items():
                    if "rescue" in words and any(c.folder in w for w in words):
                        os.kill(pid, 9)
            elif what in ("agent", "server"):
                c.kill(what + "1")
                self.start_replica()
            else:
                threads = c.sql("db1", "SELECT id FROM information_schema.processlist WHERE command = '%s'" % what)
                # While the default connection stands these are the rescue's. Killed later they do not run any more; one of the
                # default's would be stopped for good, as whoever stops it wants.
                if (c.replication("db1")["io"], c.replication("db1")["sql"]) == ("No", "No"):
                    for (thread,) in threads:
                        c.sql("db1", "KILL " + thread)

    def expect_strangers_refused(self, port):
        with socket.create_connection(("127.0.0.1", port)):  # says nothing: it is not waited for long
            for words in (["-usiding_rescue", "-pwrong"], ["-usiding_rescue", "--skip-password"], ["-uroot"]):
                status, out, err = call("mariadb", "--no-defaults", "--skip-ssl", "-h127.0.0.1", "-P%d" % port, *words, "-e", "SELECT 1")
                self.assertNotEqual(status, 0, out)
                self.assertIn("ERROR 1045", err)

    def test_random_rounds(self):
        seed = int(os.environ.get("SIDING_RESCUE_SEED", str(random.randrange(1 << 30))))
        rounds = int(os.environ.get("SIDING_RESCUE_ROUNDS", "1"))
        print("# rescue rounds: %d, seed %d" % (rounds, seed), flush=True)
        for i in range(rounds):
            self.one_round(random.Random(seed + i), seed + i)

    def test_killed_inside_replicated_ddl(self):
        """MariaDB's crash recovery completes some DDL by itself and logs it under this server's own id, undoes some, and
        leaves some done but not logged. Whatever it was: all that was received is applied, and the servers are equal."""
        seed = int(os.environ.get("SIDING_RESCUE_SEED", str(random.randrange(1 << 30))))
        rounds = int(os.environ.get("SIDING_RESCUE_DDL_ROUNDS", "1"))
        print("# rounds of DDL: %d, seed %d" % (rounds, seed), flush=True)
        for i in range(rounds):
            self.one_ddl_round(random.Random(seed + i), seed + i)

    def one_ddl_round(self, dice, seed):
        c = self.cluster
        self.pause()
        with c.session("db0") as one, c.session("db0") as other:
            other.sql("SET SESSION gtid_domain_id=%d" % DOMAIN)
            for n in range(6):
                for s, name in ((one, "a"), (other, "b")):
                    for statement in dice.sample(DDL, len(DDL)):
                        for part in statement.format(name=name, n=n).split(";"):
                            s.sql(part)
        self.expect_received()
        threading.Thread(target=self.resume_quietly, daemon=True).start()
        before = sum(self.applied().values())
        target = before + dice.randrange(1, 150)
        wait_until(lambda: sum(self.applied().values()) >= target, 60, "catching up")
        time.sleep(dice.uniform(0, 0.03))
        c.kill("server1")
        self.lose("db1")
        received = self.received()
        self.start_replica()
        self.expect_rescued(received)
        c.expect_replicating("db1")
        c.expect_equal()

    def one_round(self, dice, seed):
        c = self.cluster
        begun = time.monotonic()
        paused, caught, again = dice.random() < 0.8, dice.random() < 0.4, dice.randrange(3)
        disturbed = dice.sample(DISTURBED, dice.randrange(4))
        kinds = ["small", "small", dice.choice(["small", "large"]), dice.choice(["small", "large"]),
                 "ddl", "ddl"]
        if paused:
            self.pause()
        load = Load(c, kinds)
        time.sleep(dice.uniform(0.3, 2))
        if paused and caught:
            load.stop()
            threading.Thread(target=self.resume_quietly, daemon=True).start()
            time.sleep(dice.uniform(0.02, 0.8))
        order = ["db0", "db1"]
        dice.shuffle(order)
        c.kill("server" + order[0][2:])
        self.lose(*order)
        load.stop()
        received = self.received()
        for _ in range(again):
            self.start_replica()
            time.sleep(dice.uniform(0, 1.5))
            self.lose("db1")
        self.start_replica()
        for what in disturbed:
            time.sleep(dice.uniform(0, 0.7))
            self.disturb(what)
        self.expect_rescued(received)
        self.expect_acknowledged(load)
        c.start("db0")
        self.open_primary()
        c.expect_replicating("db1")
        c.expect_equal()
        print("# seed %d: %s%s %s, killed again %d times, disturbed by %s, received %s: %.0f s" %
              (seed, "paused" if paused else "running", " catching up" if paused and caught else "", "/".join(kinds), again,
               disturbed, received, time.monotonic() - begun), flush=True)


class MySQL(Base):
    """The server keeps the retrieved set over a kill; its own applier applies it before the receiver is started."""
    flavor = "mysql"
    replicas = 1

    def test_a_lost_primary_and_a_lost_paused_replica(self):
        self.lost_replica(lambda: self.start_replica())

    def test_released_by_the_runbook(self):
        self.lost_replica(lambda: (self.start_server_alone(), self.runbook("mysql-stopped")))
        self.start_replica()

    def lost_replica(self, come_back):
        c = self.cluster
        self.pause()
        load = Load(c, ["small", "small", "large"], domains=False)
        time.sleep(1.5)
        load.stop()
        received = self.agent.state()["server"]["received"]
        self.lose("db0", "db1")
        newest = self.file("data", sorted(os.path.basename(p) for p in glob.glob(self.file("data", "relay.0*")))[-1])
        self.assertGreater(os.stat(newest).st_size, 1000)
        come_back()
        wait_until(lambda: self.alive() and c.has_applied("db1", received), 90, "all that was received is applied")
        self.expect_acknowledged(load)


if __name__ == "__main__":
    main()
