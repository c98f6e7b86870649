#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siding-restore on real servers: what was dumped comes back value by value, also by myloader; killed restores go on
where they were; random schemas."""
import contextlib
import fcntl
import getpass
import glob
import gzip
import hashlib
import json
import os
import pty
import random
import re
import shutil
import subprocess
import tempfile
import termios
import time

import library
import random_schema
import test_dump
from harness import BUILD, ClusterTest, lacks, main, needs_package
from machine import slack, wait_until
from test_dump import STATE, checksums, clean_env, definitions, dump, folder, one_sentence, option_file, socket, sql, value

SEEDS = int(os.environ.get("SIDING_SEEDS") or 4)
SEED = int(os.environ.get("SIDING_SEED") or random.SystemRandom().randrange(10 ** 6))


def command(path, *options, defaults=None):
    return [os.path.join(BUILD, "siding-restore"), "--defaults-file", defaults or option_file(0), *options, path]


def restore(path, *options, defaults=None, status=0):
    done = subprocess.run(command(path, *options, defaults=defaults), env=clean_env(), text=True, capture_output=True, timeout=300 * slack(),
                          check=False)
    assert done.returncode == status, f"exit status {done.returncode}: {done.stdout}{done.stderr}"
    return done


def myloader(path):
    """What it says."""
    if not shutil.which("myloader"):
        raise AssertionError("myloader is missing: apt-get install --no-install-recommends mydumper")
    argv = ["myloader", "-S", socket(), "-u", "root", "-d", path, "-t", "2"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120 * slack(), check=False)
    assert done.returncode == 0 or "CRITICAL" in done.stderr, done.stderr
    return done.stderr


def on_a_terminal(argv, typed):
    """The program with a terminal of its own for what it asks, once it has asked: how it ended, and all that the terminal showed."""
    master, slave = pty.openpty()

    def take_terminal():
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    with subprocess.Popen(argv, env=clean_env(), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          start_new_session=True, preexec_fn=take_terminal) as run:
        shown = ""
        while "Password: " not in shown:
            shown += os.read(master, 4096).decode()
        os.close(slave)  # not before the program has opened it
        wait_until(lambda: not termios.tcgetattr(master)[3] & termios.ECHO, 20, "the terminal shows nothing")
        os.write(master, typed.encode() + b"\n")
        out, err = run.communicate(timeout=60 * slack())
        with contextlib.suppress(OSError):  # the end of a terminal
            while part := os.read(master, 4096):
                shown += part.decode()
    os.close(master)
    return subprocess.CompletedProcess(argv, run.returncode, out, err), shown


def refused(done, *words):
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("siding-restore: "), done.stderr
    for word in words:
        assert word in lines[0], f"no {word!r} in {lines[0]!r}"


def relist(path, name):
    """The list says of a file what it is now, as if it had been written so."""
    with open(path + "/files.json", encoding="utf-8") as f:
        listed = json.load(f)
    with open(os.path.join(path, name), "rb") as f:
        text = f.read()
    for entry in listed["files"]:
        if entry["name"] == name:
            entry.update(compressed_bytes=len(text), sha256=hashlib.sha256(text).hexdigest())
    with open(path + "/files.json", "w", encoding="utf-8") as f:
        json.dump(listed, f)


def rewrite(path, pattern, change):
    """Changes the text of a compressed file, and its entry in the list."""
    (name,) = glob.glob(os.path.join(path, pattern))
    with gzip.open(name) as f:
        text = change(f.read())
    with gzip.open(name, "wb") as f:
        f.write(text)
    relist(path, os.path.basename(name))
    return os.path.basename(name)


def rewrite_text(path, pattern, change):
    """The same; what it was."""
    was = []
    rewrite(path, pattern, lambda text: was.append(text) or change(text))
    return was[0]


def picture(database):
    """Definitions and checksums; for each sequence its next value."""
    return definitions(database), checksums(database)


def values(database):
    """Every value of every table, as the client prints it in bytes."""
    tables = sql(f"SELECT table_name FROM information_schema.tables WHERE table_schema='{database}' AND table_type='BASE TABLE'")
    return {t: test_dump.dumped_value(database, t) for (t,) in tables}


def expect_same(before, after):
    assert before[0].keys() == after[0].keys(), before[0].keys() ^ after[0].keys()
    for name, text in before[0].items():
        assert text == after[0][name], f"{name}:\n{text}\n{after[0][name]}"
    assert before[1] == after[1]


# Accounts as people have them, and some as nobody should; "kept" is there before the restore, and has become another since.
ACCOUNTS = {
    "mariadb": """
        CREATE ROLE reader; CREATE ROLE `odd role`; GRANT SELECT ON acc.* TO reader; GRANT reader TO `odd role` WITH ADMIN OPTION;
        CREATE USER plain@localhost IDENTIFIED BY 'secret'; CREATE USER 'it''s'@'10.%' IDENTIFIED VIA unix_socket OR
        mysql_native_password USING PASSWORD('x y'); CREATE USER '`b "\\\\ TO `x`@`y`'@'%' REQUIRE SSL WITH MAX_USER_CONNECTIONS 3
        PASSWORD EXPIRE INTERVAL 30 DAY; CREATE USER locked@'192.168.0.0/255.255.0.0' IDENTIFIED BY 'l' PASSWORD EXPIRE ACCOUNT LOCK;
        CREATE USER kept@'%' IDENTIFIED BY 'before'; CREATE USER ''@'nohost' IDENTIFIED BY 'anonymous';
        GRANT ALL ON *.* TO 'it''s'@'10.%' WITH GRANT OPTION; GRANT SELECT (a, `to`), INSERT ON acc.t TO '`b "\\\\ TO `x`@`y`'@'%';
        GRANT EXECUTE ON PROCEDURE acc.p TO plain@localhost; GRANT `odd role` TO plain@localhost; GRANT reader TO plain@localhost;
        SET DEFAULT ROLE `odd role` FOR plain@localhost; GRANT SELECT ON acc.t TO kept@'%'; GRANT UPDATE ON `acc\\_x`.* TO ''@'nohost';
        GRANT SELECT ON acc.t TO PUBLIC""",
    "mysql": """
        CREATE ROLE reader; CREATE ROLE `odd role`; GRANT SELECT ON acc.* TO reader; GRANT reader TO `odd role` WITH ADMIN OPTION;
        CREATE USER plain@localhost IDENTIFIED BY 'secret' COMMENT 'it''s'; CREATE USER 'it''s'@'10.%' IDENTIFIED WITH sha256_password
        BY 'x y'; CREATE USER '`b "\\\\ TO `x`@`y`'@'%' REQUIRE SSL WITH MAX_USER_CONNECTIONS 3 PASSWORD EXPIRE INTERVAL 30 DAY;
        CREATE USER locked@'192.168.0.0/255.255.0.0' IDENTIFIED BY 'l' PASSWORD EXPIRE ACCOUNT LOCK;
        CREATE USER kept@'%' IDENTIFIED BY 'before'; CREATE USER ''@'nohost' IDENTIFIED BY 'anonymous';
        GRANT ALL ON *.* TO 'it''s'@'10.%' WITH GRANT OPTION; GRANT SELECT (a, `to`), INSERT ON acc.t TO '`b "\\\\ TO `x`@`y`'@'%';
        GRANT EXECUTE ON PROCEDURE acc.p TO plain@localhost; GRANT `odd role`, reader TO plain@localhost;
        SET DEFAULT ROLE `odd role` TO plain@localhost; GRANT SELECT ON acc.t TO kept@'%'; GRANT UPDATE ON `acc\\_x`.* TO ''@'nohost'"""}
OURS = ("siding_agent", "siding_job")


def in_order(grant):
    """Columns have none of their own."""
    return re.sub(r"\(([^()]*)\)", lambda m: "(%s)" % ", ".join(sorted(m.group(1).split(", "))), grant)


def accounts():
    """{account: what makes it and what it may}, those of the server and of the sandbox aside."""
    role = "is_role = 'Y'" if STATE["flavor"] == "mariadb" else "0"
    found = {}
    for user, host, is_role in sql(f"SELECT QUOTE(User), QUOTE(Host), {role} FROM mysql.user WHERE User NOT IN ('root', 'PUBLIC', "
                                   f"'mariadb.sys', '{getpass.getuser()}') AND User NOT LIKE 'mysql.%' AND User NOT LIKE 'siding%'"):
        name = user if is_role == "1" else f"{user}@{host}"
        statements = [] if is_role == "1" else sql(f"SHOW CREATE USER {name}")
        found[name] = sorted(in_order(row[0]) for row in [*statements, *sql(f"SHOW GRANTS FOR {name}")])
    return found


class Restores:
    replicas, servers_only = 0, True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        STATE.update(cluster=cls.cluster, flavor=cls.flavor, work=tempfile.mkdtemp(prefix="siding-restore", dir="/tmp"))
        cls.addClassCleanup(shutil.rmtree, STATE["work"], ignore_errors=True)
        test_dump.make_data()

    def test_every_type_and_object_comes_back(self):
        before, rows = picture("types"), values("types")
        for form in (["--compress", "zlib:6"], ["--format", "tsv"]):
            with folder() as out:
                dump("--database", "types", "--output", out, "--verify", *form)
                sql("DROP DATABASE types")
                text = restore(out).stdout
            assert "tables equal the dump by their checksums" in text, text
            expect_same(before, picture("types"))
            assert rows == values("types"), form
        assert value("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'siding_restore'") == "0"

    def test_rows_are_fed_as_lines_where_the_server_takes_them(self):
        """Every type both ways; LOCAL would pass over a row that is there twice: the INSERT says so."""
        before, rows, was = picture("types"), values("types"), value("SELECT @@GLOBAL.local_infile")
        loads = lambda: int(sql("SHOW GLOBAL STATUS LIKE 'Com_load'")[0][1])  # noqa: E731
        with folder() as out:
            dump("--database", "types", "--output", out, "--verify")
            for takes in (1, 0):
                sql(f"SET GLOBAL local_infile = {takes}; DROP DATABASE types")
                begun = loads()
                assert "tables equal the dump by their checksums" in restore(out).stdout
                assert (loads() > begun) == bool(takes), (takes, begun, loads())
                expect_same(before, picture("types"))
                assert rows == values("types"), takes
        sql("SET GLOBAL local_infile = 1; CREATE DATABASE twice; CREATE TABLE twice.t (a INT PRIMARY KEY, b VARCHAR(9)); "
            "INSERT INTO twice.t VALUES (1, 'a'), (2, 'b')")
        with folder() as out:
            dump("--database", "twice", "--output", out)
            name = glob.glob(f"{out}/twice.t.0*")[0]
            with gzip.open(name) as f:
                text = f.read()
            with gzip.open(name, "wb") as f:
                f.write(text.replace(b"(2,'b')", b"(1,'b')"))
            relist(out, os.path.basename(name))
            sql("DROP DATABASE twice")
            refused(restore(out, "--no-verify", status=1), "Duplicate entry '1'")
            assert value("SELECT COUNT(*) FROM twice.t") == "0"
        sql(f"DROP DATABASE twice; DROP DATABASE siding_restore; SET GLOBAL local_infile = {was}")

    def test_another_dump_s_restore_is_given_up(self):
        sql("CREATE DATABASE half; CREATE TABLE half.t (id INT PRIMARY KEY); INSERT INTO half.t VALUES (1)")
        with folder() as broken, folder() as whole:
            dump("--database", "half", "--output", broken)
            sql("INSERT INTO half.t VALUES (2)")
            dump("--database", "half", "--output", whole)
            sql("DROP DATABASE half")
            rewrite(broken, "half.t.00*", lambda _: b"INSERT INTO nonsense;\n")
            restore(broken, status=1)
            sql("DROP DATABASE half")
            refused(restore(whole, status=1), "unfinished restore of another dump", "--overwrite")
            restore(whole, "--overwrite")
        assert value("SELECT COUNT(*) FROM half.t") == "2"
        sql("DROP DATABASE half")

    @needs_package("mydumper")
    def test_myloader_loads_it(self):
        if STATE["flavor"] == "mysql":
            # Its text holds a quoted line that ends in a semicolon, where myloader cuts it.
            with folder() as out:
                note = dump("--table", "types.select", "--output", out).stderr
                assert "TRIGGER types.before_select holds" in note and "second_select" not in note, note
            sql("DROP TRIGGER types.before_select")
        before, rows = picture("types"), values("types")
        with folder() as out:
            dump("--database", "types", "--output", out, "--verify")
            sql("DROP DATABASE types")
            said = myloader(out)
            assert "CRITICAL" not in said, said
        expect_same(before, picture("types"))
        assert rows == values("types")

    def test_random_schemas_come_back(self):
        for seed in range(SEED, SEED + SEEDS):
            sql(random_schema.schema("chance", seed))
            before = picture("chance")
            with folder() as out:
                try:
                    dump("--database", "chance", "--output", out, "--verify", "--rows-per-file", "17", "--statement-size", "1K",
                         "--threads", "3")
                    sql("DROP DATABASE chance")
                    restore(out, "--transaction-size", "1K")
                    expect_same(before, picture("chance"))
                except AssertionError as e:
                    raise AssertionError(f"SIDING_SEED={seed}: {e}") from e

    def test_a_killed_restore_goes_on(self):
        sql("USE big; CREATE TABLE mine (n INT) ENGINE=MyISAM; INSERT INTO mine SELECT * FROM numbers")
        before = checksums("big")
        with folder() as out:
            dump("--database", "big", "--output", out, "--verify", "--bytes-per-file", "256K", "--statement-size", "16K")
            sql("DROP DATABASE big")
            kills, rows = 0, -1
            while kills < 4:
                run = subprocess.Popen(command(out, "--transaction-size", "32K"), env=clean_env(), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
                moved = random.Random(SEED + kills).uniform(0.02, 0.6)
                deadline = time.monotonic() + moved
                wait_until(lambda r=run, d=deadline: time.monotonic() > d or r.poll() is not None, 20, "a moment to kill at")
                if run.poll() is not None:
                    break
                run.kill()
                run.wait()
                kills += 1
            assert kills, "the restore was too quick to be killed"
            if value("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'siding_restore'") == "1":
                text = restore(out).stdout
                assert "gone on with" in text or rows < 0, text
        assert before == checksums("big")
        sql("DROP TABLE big.mine")

    def test_a_row_that_is_refused_is_named(self):
        """Error reference: 1406, 1264, 1062, 1048, 1136; the server names a column, the restore the row."""
        sql("""DROP DATABASE IF EXISTS bad; CREATE DATABASE bad; CREATE TABLE bad.t (id INT PRIMARY KEY, b VARCHAR(9), n TINYINT NOT NULL);
            CREATE TABLE bad.m (id INT PRIMARY KEY, b VARCHAR(9)) ENGINE=MyISAM""")
        sql("INSERT INTO bad.t VALUES " + ", ".join(f"({i}, 'v{i}', {i % 50})" for i in range(700)) + "; INSERT INTO bad.m SELECT id, b FROM bad.t")
        with folder() as out:
            dump("--database", "bad", "--output", out, "--verify", "--statement-size", "4K", "--compress", "zlib:1")
            for old, new, words in ((b"(333,'v333',33)", b"(333,'much too long',33)", "Data too long for column 'b'"), (b"(7,'v7',7)", b"(7,'v7',777)", "Out of range"),
                                    (b"(699,'v699',49)", b"(333,'twice',1)", "Duplicate entry '333'"), (b"(500,'v500',0)", b"(500,'v500',NULL)", "cannot be null"),
                                    (b"(1,'v1',1)", b"(1,'v1')", "Column count")):
                sql("DROP DATABASE IF EXISTS bad")
                sql("DROP DATABASE IF EXISTS siding_restore")
                whole = rewrite_text(out, "bad.t.00000*", lambda text, a=old, b=new: text.replace(a, b))
                assert old in whole
                statement = whole[:whole.index(old)].count(b"INSERT INTO")
                row = whole[:whole.index(old)].rpartition(b"VALUES\n")[2].count(b"\n") + 1
                done = restore(out, status=1)
                for said in (words, "bad.t.00000.sql.gz", f"INSERT {statement} of the file, row {row}: ", new.decode()[:40]):
                    assert said in done.stderr, (said, done.stderr)
                rewrite_text(out, "bad.t.00000*", lambda _, text=whole: text)
            assert "gone on with" in restore(out).stdout
            sql("DROP DATABASE bad")
            rewrite(out, "bad.m.00000*", lambda text: text.replace(b"'v650'", b"'much too long'"))
            refused(restore(out, status=1), "bad.m.00000.sql.gz: INSERT ", "Data too long", "(650,'much too long'")
        assert value("SELECT COUNT(*) FROM bad.t") == "700"
        sql("DROP DATABASE bad; DROP DATABASE siding_restore")

    def test_lost_connections_are_made_again(self):
        """Connections that are killed, and a server that is killed and comes back: each row is there once."""
        c, before = STATE["cluster"], checksums("big")
        for server in (False, True):
            with folder() as out:
                dump("--database", "big", "--output", out, "--verify", "--bytes-per-file", "256K", "--statement-size", "16K")
                sql("DROP DATABASE big")
                with c.session("db0") as other:
                    run = subprocess.Popen(command(out, "--threads", "3", "--transaction-size", "32K"), env=clean_env(), text=True,
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    wait_until(lambda: run.poll() is not None or (value("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = "  # noqa: B023
                               "'siding_restore'") == "1" and value("SELECT COUNT(*) FROM siding_restore.ledger WHERE file LIKE 'big.%.00%'") != "0"),
                               20, "rows are loaded")
                    other.sql("LOCK TABLES siding_restore.ledger READ")  # held in mid-work, however fast the machine is
                    held = "SELECT id FROM information_schema.processlist WHERE state LIKE 'Waiting for table%' AND info LIKE 'REPLACE%siding_restore.ledger%'"
                    wait_until(lambda: sql(held), 20, "a thread waits")
                    if server:
                        c.kill("db0")
                        c.start("db0")
                        sql("SET GLOBAL " + ("read_only=0" if self.flavor == "mariadb" else "super_read_only=0; SET GLOBAL read_only=0"))
                    else:
                        for (number,) in sql(held):
                            sql(f"KILL {number}")
                        other.sql("UNLOCK TABLES")
                    done = run.communicate(timeout=120 * slack())
                assert "a connection is lost" in done[1], done
                if server and "read-only" in done[1]:  # so a server begins here, and might be a replica by now
                    again = restore(out)
                    done, run.returncode = (again.stdout, again.stderr), 0
                assert run.returncode == 0 and "tables equal the dump by their checksums" in done[0], done
                assert before == checksums("big")

    def test_locks_of_others_are_waited_out(self):
        """1205: of rows, of a table without transactions, of every table (a backup's FLUSH TABLES WITH READ LOCK); 1213: a
        deadlock, where who has changed less is the victim. The statement, or its whole transaction, is tried again, and told."""
        c, waits = STATE["cluster"], "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        last = "SELECT 1 FROM information_schema.tables WHERE table_schema = 'locked' AND table_name = 'm'"
        sql("""CREATE DATABASE locked; USE locked; CREATE TABLE a (id INT PRIMARY KEY, t VARCHAR(200)); CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM;
            CREATE TABLE b (id INT PRIMARY KEY, v VARCHAR(9)); CREATE VIEW v AS SELECT COUNT(*) FROM b;
            INSERT INTO b SELECT n, 'ours' FROM big.numbers WHERE n < 1000; INSERT INTO m SELECT n FROM big.numbers WHERE n < 1000;
            CREATE DATABASE heavy; CREATE TABLE heavy.t (id INT PRIMARY KEY)""")
        for i in range(4):  # its rows are the first, and keep the restore busy while the others' tables are there and empty
            sql(f"INSERT INTO locked.a SELECT n + {i} * {test_dump.ROWS}, REPEAT(n, 20) FROM big.numbers")
        before = checksums("locked")
        with folder() as out:
            dump("--database", "locked", "--output", out, "--verify")
            for held, code in (("every table", 1205), ("a table without transactions", 1205), ("a row", 1205), ("a deadlock", 1213)):
                sql("DROP DATABASE locked")
                with c.session("db0") as other, c.session("db0") as gate:
                    if held == "every table":
                        other.sql("FLUSH TABLES WITH READ LOCK")
                    run = subprocess.Popen(command(out, "--threads", "1", "--lock-wait", "30s" if held == "a deadlock" else "1s"), env=clean_env(), text=True,
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    if held != "every table":
                        wait_until(lambda: sql(last), 20, "the tables are there")
                    if held == "a table without transactions":
                        other.sql("LOCK TABLES locked.m READ")
                    elif held != "every table":
                        gate.sql("LOCK TABLES siding_restore.ledger READ")
                        other.sql("START TRANSACTION; INSERT INTO locked.b VALUES (999, 'other')")
                        if held == "a deadlock":
                            other.sql("INSERT INTO heavy.t SELECT n FROM big.numbers")
                        gate.sql("UNLOCK TABLES")
                        wait_until(lambda: value(waits) != "0", 30, "the restore waits")
                    if held == "a deadlock":
                        other.sql("INSERT INTO locked.b VALUES (0, 'other')")
                    said, where = "", "(locked.b.00000" if held in ("a row", "a deadlock") else "("
                    while not re.search(rf"locks are in the way {re.escape(where)}.*\(server error {code}\)", said):
                        line = run.stderr.readline()
                        assert line, (held, said, run.stdout.read())
                        said += line
                    other.sql("UNLOCK TABLES; ROLLBACK")
                    done = run.communicate(timeout=60 * slack())
                assert run.returncode == 0 and "tables equal the dump by their checksums" in done[0], (held, said, done)
                assert before == checksums("locked"), held
        sql("DROP DATABASE locked; DROP DATABASE heavy")

    def test_passwords_are_asked_for_on_a_terminal(self):
        """-p: nothing that is typed is shown, and no output goes to the terminal; without one the programs say where else a password may be."""
        sql("CREATE USER asked@localhost IDENTIFIED BY 'p w\"'; GRANT ALL ON *.* TO asked@localhost")
        with folder() as out, folder() as result, folder() as index:
            dump("--database", "types", "--output", out)
            library.plain_result(result, ["1\tword\n"])
            with open(index + "/lib.conf", "w", encoding="utf-8") as f:
                f.write(library.DEFINITION % 'on_change = "discard";')
            for program, words in (("siding-dump", ("--checksum", "--database", "types")), ("siding-restore", (out,)),
                                   ("siding-index", ("--definition", index + "/lib.conf", "--output", index + "/out")),
                                   ("siding-load", ("--manifest", result, "--run", "1.1"))):
                argv = [os.path.join(BUILD, program), "-p", "--user", "asked", "--socket", socket(), *words]
                for password, right in (("p w\"", True), ("wrong", False)):
                    done, shown = on_a_terminal(argv, password)
                    assert shown.strip() == "Password:", (program, shown)
                    assert ("Access denied" not in done.stderr) == right, (program, password, done)
                    assert password not in done.stdout + done.stderr, done
                done = subprocess.run(argv, env=clean_env(), text=True, capture_output=True, timeout=20 * slack(), start_new_session=True, check=False)
                assert done.returncode == 2 and "--defaults-file" in done.stderr and "MYSQL_PWD" in done.stderr, done
        sql("DROP USER asked@localhost")

    def test_refusals(self):
        with folder() as out:
            dump("--database", "big", "--table", "big.words", "--output", out, "--verify")
            refused(restore(out, status=1), "database big", "--overwrite")
            refused(restore(out, defaults=option_file(0, "nobody", "wrong"), status=1), "Access denied")
            refused(restore("/nonexistent", status=1), "/nonexistent")
            sql("CREATE DATABASE kept; CREATE TABLE kept.t (a INT)")
            name = rewrite(out, "big.words.00000.*", lambda text: text.replace(b"(1,'", b"(1,'X", 1))
            refused(restore(out, "--overwrite", status=1), "big.words differs from the dump")
            sql("DROP DATABASE siding_restore")
            rewrite(out, "big.words.00000.*", lambda text: text[:-20])
            refused(restore(out, "--overwrite", status=1), name, "middle of a statement")
            os.unlink(f"{out}/metadata")
            refused(restore(out, status=1), "not a complete dump", "metadata")
            sql("DROP DATABASE siding_restore; DROP DATABASE kept")


    def test_accounts_come_back(self):
        sql("CREATE DATABASE acc; CREATE TABLE acc.t (a INT, `to` INT); CREATE PROCEDURE acc.p() SELECT 1; " + ACCOUNTS[self.flavor])
        # What its definer may see through another's view he must be allowed before it is made.
        sql("CREATE USER viewer@localhost; GRANT SELECT, CREATE VIEW, SHOW VIEW ON acc.* TO viewer@localhost; "
            "CREATE DEFINER=viewer@localhost VIEW acc.v AS SELECT a FROM acc.t; "
            "CREATE DEFINER=viewer@localhost VIEW acc.w AS SELECT a FROM acc.v; GRANT SELECT ON acc.w TO viewer@localhost")
        sql("".join(f"CREATE USER {name}@localhost IDENTIFIED BY 'x'; " for name in OURS) + "GRANT SELECT ON acc.t TO siding_agent@localhost")
        if self.flavor == "mysql":
            sql("SET GLOBAL print_identified_with_as_hex = 1")
        before = accounts()
        unknown = "CREATE USER IF NOT EXISTS `later`@`%` IDENTIFIED " + {"mariadb": "VIA nosuch", "mysql": "WITH 'nosuch'"}[self.flavor]
        with folder() as out, folder() as without:
            dump("--database", "acc", "--output", without)
            noted = dump("--database", "acc", "--output", out, "--users").stderr
            assert "2 accounts of Siding's own are left out" in noted, noted
            sql("DROP DATABASE acc")
            refused(restore(without, "--users", status=1), "holds no accounts", "siding-dump --users")
            for name in before:
                sql(f"DROP {'USER' if '@' in name else 'ROLE'} {name}")
            sql("CREATE USER kept@'%' IDENTIFIED BY 'after'" + ("; REVOKE SELECT ON acc.t FROM PUBLIC" if self.flavor == "mariadb" else ""))
            kept = accounts()["'kept'@'%'"]
            # The first ends in the midst; the same command goes on, and knows what it has made.
            text = rewrite_text(out, "siding-users.ddl*", lambda text: text + f"{unknown};\n".encode())
            done = restore(out, "--users", status=1)
            assert "account 'later'@'%'" in done.stderr and "nosuch" in done.stderr, done.stderr
            assert "account 'kept'@'%' is there already and stays as it is" in done.stderr, done.stderr
            rewrite_text(out, "siding-users.ddl*", lambda _: text)
            done = restore(out, "--users")
            assert "gone on with" in done.stdout and f"{len(before) - 1} accounts made" in done.stdout, done.stdout
            assert "'kept'@'%' is there already" in done.stderr and "'plain'@" not in done.stderr, done.stderr
            after = accounts()
            assert after.pop("'kept'@'%'") == kept
            del before["'kept'@'%'"]
            assert before == after, (before, after)
            assert sql("SELECT User FROM mysql.user WHERE User IN %s ORDER BY 1" % (OURS,)) == [(name,) for name in OURS]
            with folder() as other:
                dump("--database", "acc", "--output", other, "--siding-users")
                with gzip.open(glob.glob(other + "/siding-users.ddl*")[0], "rt", encoding="utf-8") as f:
                    assert "`siding_agent`@`localhost`" in f.read()
                sql("DROP DATABASE acc; REVOKE SELECT ON acc.t FROM siding_agent@localhost")
                done = restore(other, "--users")
                assert "'siding_agent'@'localhost' is there already and gets what it lacks" in done.stderr, done.stderr
                assert any("`acc`.`t`" in g for (g,) in sql("SHOW GRANTS FOR siding_agent@localhost"))
        login = subprocess.run(["mariadb", "--no-defaults", "-S", socket(), "-uplain", "-psecret", "-e", "CALL acc.p()"], check=False,
                               capture_output=True, text=True, timeout=60 * slack())
        assert login.returncode == 0, login.stderr
        for name in (*before, "'kept'@'%'", *(f"{name}@localhost" for name in OURS)):
            sql(f"DROP {'USER' if '@' in name else 'ROLE'} {name}")
        sql("DROP DATABASE acc")

    def test_a_dump_that_is_not_whole_is_refused_before_it_begins(self):
        sql("""CREATE DATABASE listed; USE listed; CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2);
            CREATE PROCEDURE p() SELECT 1; CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = 1;
            CREATE VIEW v AS SELECT * FROM t""")
        with folder() as out:
            dump("--database", "listed", "--output", out)
            sql("DROP DATABASE listed")
            names = [f["name"] for f in test_dump.files_of(out)["files"]]
            assert len(names) == 8, names
            for name in names:
                path = os.path.join(out, name)
                os.rename(path, path + "~")
                refused(restore(out, status=1), name, "metadata" if name == "metadata" else "is missing")
                os.rename(path + "~", path)
            with open(os.path.join(out, "listed-schema-post.sql.gz"), "r+b") as f:
                text = f.read()
                f.truncate(len(text) - 1)
                refused(restore(out, status=1), "listed-schema-post.sql.gz", f"has {len(text) - 1} bytes")
                f.seek(0)
                f.write(text[:9] + bytes([text[9] ^ 1]) + text[10:])  # as long as before
            refused(restore(out, status=1), "listed-schema-post.sql.gz", "damaged", "SHA-256")
            sql("DROP DATABASE listed; DROP DATABASE siding_restore")
            with open(os.path.join(out, "listed-schema-post.sql.gz"), "wb") as f:
                f.write(text)
            shutil.copy(os.path.join(out, "listed.t.00000.sql.gz"), os.path.join(out, "listed.t.00001.sql.gz"))
            refused(restore(out, status=1), "listed.t.00001.sql.gz", "does not have")
            os.unlink(os.path.join(out, "listed.t.00001.sql.gz"))
            os.rename(os.path.join(out, "files.json"), os.path.join(out, "kept"))
            refused(restore(out, status=1), "files.json is missing")
            os.rename(os.path.join(out, "kept"), os.path.join(out, "files.json"))
            assert value("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name IN ('listed', 'siding_restore')") == "0"
            restore(out)
        assert value("SELECT COUNT(*) FROM listed.v") == "2"
        sql("DROP DATABASE listed")

    def test_what_others_made_is_never_taken_for_restored(self):
        sql("""CREATE DATABASE mine; USE mine; CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1);
            CREATE PROCEDURE p() SELECT 'mine'; CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1;
            CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1; CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = 1;
            CREATE VIEW v AS SELECT * FROM t""")
        foreign = {"PROCEDURE": "CREATE PROCEDURE mine.p() SELECT 'foreign'", "EVENT":
                   "CREATE EVENT mine.e ON SCHEDULE EVERY 2 DAY DO SELECT 2", "VIEW": "CREATE TABLE mine.v (a INT)",
                   "FUNCTION": "CREATE FUNCTION mine.f() RETURNS INT DETERMINISTIC RETURN 2"}
        with folder() as out:
            dump("--database", "mine", "--output", out)
            for kind, statement in foreign.items():
                sql("DROP DATABASE mine; CREATE DATABASE mine; " + statement)
                for _ in range(2):
                    refused(restore(out, status=1), "database mine on the server is not empty", "--overwrite")
            # Between two tries: the first one ends at a trigger that cannot be made.
            name = rewrite(out, "mine.t-schema-triggers.*", lambda text: text.replace(b"SET @a", b"SETT @a"))
            sql("DROP DATABASE mine")
            restore(out, status=1)
            sql("CREATE PROCEDURE mine.other() SELECT 1")
            refused(restore(out, status=1), "mine.other", "none of those that this restore has made")
            sql("DROP PROCEDURE mine.other; DROP PROCEDURE mine.p; DELETE FROM siding_restore.ledger WHERE file LIKE '+PROC%'; "
                "CREATE PROCEDURE mine.p() SELECT 'foreign'")
            refused(restore(out, status=1), "mine.p", "none of those that this restore has made")
            sql("DROP PROCEDURE mine.p; DELETE FROM siding_restore.ledger WHERE file LIKE 'mine-schema-post%'")
            rewrite(out, "mine.t-schema-triggers.*", lambda text: text.replace(b"SETT @a", b"SET @a"))
            assert "gone on with" in restore(out).stdout, name
        assert sql("CALL mine.p()") == [("mine",)]
        assert value("SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = 'mine'") == "1"
        sql("DROP DATABASE mine")

    def test_one_restore_at_a_time(self):
        sql("CREATE DATABASE alone; CREATE TABLE alone.t (id INT PRIMARY KEY); INSERT INTO alone.t VALUES (1)")
        with folder() as out:
            dump("--database", "alone", "--output", out)
            with STATE["cluster"].session("db0") as other:
                other.sql("SELECT GET_LOCK('siding_restore', 1)")
                refused(restore(out, "--overwrite", status=1), "another siding-restore is at work")
                other.sql("SELECT RELEASE_LOCK('siding_restore'), GET_LOCK('siding_restore.7', 1)")
                refused(restore(out, "--overwrite", "--lock-wait", "1s", status=1), "1 connections of a restore that was killed")
        assert value("SELECT COUNT(*) FROM alone.t") == "1"
        sql("DROP DATABASE alone")

    def test_wrong_words_are_told_by_every_program(self):
        programs = ("siding-dump", "siding-restore", "siding-index", "siding-load", "siding-agent", "siding-run", "sidingd", "siding")
        helpers = [("siding-agent", h) for h in ("fetch", "gather", "rescue", "split")] + [("siding-run", "seal")]
        for words in [(p,) for p in programs] + helpers:
            for wrong in ("--nonsense", "--port=x", "--nonsense=x"):
                done = subprocess.run([os.path.join(BUILD, words[0]), *words[1:], wrong], capture_output=True, text=True, timeout=20,
                                      env=clean_env(MALLOC_PERTURB_="165"), check=False)
                assert done.returncode == 2 and wrong.partition("=")[0] in done.stderr, (words, wrong, done)


class MariaDB(Restores, ClusterTest):
    def test_views_on_what_is_missing_come_back(self):
        names_of = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'broken' ORDER BY 1"
        sql("""CREATE DATABASE broken; USE broken; CREATE TABLE gone (a INT, b INT); CREATE TABLE stays (a INT);
            CREATE VIEW v AS SELECT g.a, s.a AS c FROM gone g JOIN stays s ON g.b = s.a; CREATE VIEW w AS SELECT * FROM v;
            DROP TABLE gone;""")
        with folder() as out:
            dump("--database", "broken", "--output", out)
            sql("DROP DATABASE broken")
            # Others leave out what the server refuses, and load the rest.
            others = [lambda: test_dump.restore(out, "broken", "broken", force=True)]
            if not lacks("mydumper"):
                others.append(lambda: myloader(out))
            for load in others:
                assert "broken.gone' doesn't exist" in load(), "the missing table is not named"
                assert ("stays", "BASE TABLE") in sql(names_of), sql(names_of)
                sql("DROP DATABASE broken")
            restore(out)
        names = sql(names_of)
        assert names == [("stays", "BASE TABLE"), ("v", "VIEW"), ("w", "VIEW")], names
        sql("USE broken; CREATE TABLE gone (a INT, b INT); INSERT INTO gone VALUES (1, 2); INSERT INTO stays VALUES (2)")
        assert sql("SELECT a, c FROM broken.w") == [("1", "2")]
        sql("DROP DATABASE broken")

    def test_history_comes_back(self):
        sql("""CREATE DATABASE past; USE past; CREATE TABLE t (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING;
            CREATE TABLE u (id INT PRIMARY KEY, v INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS
            AS ROW END, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING;""")
        for i in range(5):
            sql(f"REPLACE INTO past.t VALUES (1, {i}), (2, {i}); INSERT INTO past.u (id, v) VALUES ({i}, 1); UPDATE past.u SET v = v + 1")
        sql("DELETE FROM past.t WHERE id = 2")
        before = picture("past")
        rows = sql("SELECT id, v, row_start, row_end FROM past.t FOR SYSTEM_TIME ALL ORDER BY 1, 2, 3")
        assert len(rows) == 10, rows
        for form in ("sql", "tsv"):
            with folder() as out:
                dump("--database", "past", "--output", out, "--verify", "--rows-per-file", "3", "--format", form)
                sql("DROP DATABASE past")
                restore(out)
            expect_same(before, picture("past"))
            assert rows == sql("SELECT id, v, row_start, row_end FROM past.t FOR SYSTEM_TIME ALL ORDER BY 1, 2, 3"), form


class MySQL(Restores, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
