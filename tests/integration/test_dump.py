#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siding-dump on real servers: everything comes back value by value by plain `zcat FILE | mariadb`, at one moment,
also under writers; every failure is one sentence and no dump."""
import contextlib
import glob
import gzip
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time

from harness import BUILD, ClusterTest, main
from machine import Failed, slack, wait_until
from held_socket import HeldSocket

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = 30000  # of the bigger tables
UNFINISHED = ("--database", "big", "--threads", "2", "--bytes-per-file", "64K", "--compress", "zlib:9")

STATE = {}  # of the class under test: cluster, flavor, work


# ---- helpers ----------------------------------------------------------------------------------------------------

def socket(node=0):
    return STATE["cluster"].socket(f"db{node}")


def option_file(node, user="root", password=None, path=None):
    """An option file for the server's own socket, or another one at `path`."""
    name = os.path.join(STATE["work"], f"{user}-{node}{'-held' if path else ''}.cnf")
    with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as f:
        f.write(f"[client]\nsocket={path or socket(node)}\nuser={user}\n")
        if password:
            f.write(f"password={password}\n")
    return name


def command(*options, node=0, defaults=None):
    return [os.path.join(BUILD, "siding-dump"), "--defaults-file", defaults or option_file(node), *options]


def clean_env(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("SIDING_")}
    return dict(env, **more)


def dump(*options, node=0, defaults=None, env=None, limits=None, status=0):
    done = subprocess.run(command(*options, node=node, defaults=defaults), env=clean_env(**(env or {})), text=True,
                          capture_output=True, timeout=120 * slack(), preexec_fn=limits, check=False)
    assert done.returncode == status, f"exit status {done.returncode}: {done.stdout}{done.stderr}"
    return done


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp(dir=STATE["work"])
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def sql(statements, database=None, node=0):
    return STATE["cluster"].sql(f"db{node}", statements, database)


def value(statement, node=0):
    return sql(statement, node=node)[0][0]


def checksums(database, node=0):
    out = json.loads(dump("--checksum", "--database", database, node=node).stdout)
    return {t["table"]: t["checksum"] for t in out["tables"]}


def load_file(path, database, node=0, force=False):
    """zcat FILE | mariadb DATABASE, with nothing of ours; what it says."""
    if path.endswith(".gz"):
        with gzip.open(path) as f:
            text = f.read()
    else:
        with open(path, "rb") as f:
            text = f.read()
    argv = ["mariadb", "--no-defaults", "--comments", "-S", socket(node), *(["--force"] if force else []), database]
    done = subprocess.run(argv, input=text, capture_output=True, timeout=120 * slack(), check=False)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0 or force, f"{path}: {said}"
    return said


def restore(path, source, database, force=False):
    collation = sql(f"SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = '{source}'")
    collation, said = collation[0][0] if collation else None, ""
    sql(f"DROP DATABASE IF EXISTS {database}; CREATE DATABASE {database} " + (f"COLLATE {collation}" if collation else ""))
    names = sorted(glob.glob(os.path.join(path, source + "*.sql*")))
    kinds = ["-schema-sequence.", "-schema.", "", "-schema-post.", "-schema-view.", "-schema-triggers."]
    for kind in kinds:
        for name in names:
            base = os.path.basename(name)
            if (kind and kind in base) or (not kind and "-schema" not in base):
                said += load_file(name, database, force=force)
    return said


def files_of(path):
    with open(os.path.join(path, "files.json"), encoding="utf-8") as f:
        return json.load(f)


def wait_for(what, within_s, condition):
    return wait_until(condition, within_s, what)


# ---- data -------------------------------------------------------------------------------------------------------

def make_data():
    with open(os.path.join(HERE, "dump_types_%s.sql" % STATE["flavor"]), encoding="utf-8") as f:
        sql(f.read())
    sql(f"""CREATE DATABASE big; USE big;
        CREATE TABLE digits (n INT PRIMARY KEY); INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
        CREATE TABLE numbers (n INT PRIMARY KEY);
        INSERT INTO numbers SELECT a.n+10*b.n+100*c.n+1000*d.n+10000*e.n FROM digits a, digits b, digits c, digits d,
            digits e WHERE a.n+10*b.n+100*c.n+1000*d.n+10000*e.n < {ROWS};
        CREATE TABLE words (id INT PRIMARY KEY, w VARCHAR(300) NOT NULL, d DOUBLE, f FLOAT);
        INSERT INTO words SELECT n*n, REPEAT(SHA2(n, 256), n % 4 + 1), RAND(n)*1e6, RAND(n) FROM numbers;
        CREATE TABLE strings (k VARCHAR(40) CHARACTER SET latin1 NOT NULL, v INT, PRIMARY KEY (k));
        INSERT INTO strings SELECT CONCAT(LEFT(SHA2(n, 256), 38), n % 7), n FROM numbers;
        CREATE TABLE composite (a INT NOT NULL, b VARCHAR(10) NOT NULL, c DATE NOT NULL, v TEXT, PRIMARY KEY (a,b,c));
        INSERT INTO composite SELECT n % 3, n % 50, DATE'2020-01-01' + INTERVAL n DAY, n FROM numbers;
        CREATE TABLE binaries (k BINARY(16) NOT NULL, v INT, UNIQUE KEY u (k));
        INSERT INTO binaries SELECT UNHEX(LEFT(SHA2(n, 256), 32)), n FROM numbers;
        CREATE TABLE keyless (a INT, b VARCHAR(20)); INSERT INTO keyless SELECT n % 9, n % 5 FROM numbers;
        CREATE TABLE nullable (a INT, UNIQUE KEY (a)); INSERT INTO nullable SELECT n FROM numbers WHERE n < 50;
        INSERT INTO nullable VALUES (NULL), (NULL);""")


# ---- tests ------------------------------------------------------------------------------------------------------

def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def dumped_value(database, table):
    """All columns as the client prints them, in bytes; FLOAT and DOUBLE exactly."""
    columns = sql(f"SELECT column_name, data_type FROM information_schema.columns WHERE table_schema='{database}'"
                  f" AND table_name='{table}' ORDER BY ordinal_position")
    exprs = ", ".join(f"{quoted(n)} * 1e0" if t in ("float", "double") else f"HEX({quoted(n)}), {quoted(n)}"
                      for n, t in columns)
    argv = ["mariadb", "--no-defaults", "--default-character-set=binary", "-S", socket(), "-NB", "-e",
            f"SET time_zone='+00:00'; SELECT {exprs} FROM {database}.{quoted(table)} ORDER BY 1"]
    return subprocess.run(argv, check=True, capture_output=True, timeout=60 * slack()).stdout


def definitions(database):
    out = {}
    for name, kind in sql(f"SELECT table_name, table_type FROM information_schema.tables"
                          f" WHERE table_schema='{database}'"):
        what = {"VIEW": "VIEW", "SEQUENCE": "SEQUENCE"}.get(kind, "TABLE")
        out[name] = sql(f"SHOW CREATE {what} {quoted(name)}", database)
    for name, kind in sql(f"SELECT routine_name, routine_type FROM information_schema.routines"
                          f" WHERE routine_schema='{database}'"):
        out[kind + name] = sql(f"SHOW CREATE {kind} `{name}`", database)
    for (name,) in sql(f"SELECT trigger_name FROM information_schema.triggers"
                       f" WHERE CAST(trigger_schema AS BINARY) = '{database}'"):
        out["trigger" + name] = sql(f"SHOW CREATE TRIGGER `{name}`", database)[0][:5]
    for (name,) in sql(f"SELECT event_name FROM information_schema.events WHERE event_schema='{database}'"):
        out["event" + name] = sql(f"SHOW CREATE EVENT `{name}`", database)
    return json.loads(json.dumps(out).replace(database, "DATABASE").replace(" CHARACTER SET utf8mb4", ""))


@contextlib.contextmanager
def transfers():
    """A writer that moves amounts between two tables: only their sum stays."""
    sql("""DROP DATABASE IF EXISTS moving; CREATE DATABASE moving; USE moving;
        CREATE TABLE a (id INT PRIMARY KEY, n BIGINT); CREATE TABLE b LIKE a;
        INSERT INTO a SELECT n, 1000 FROM big.numbers; INSERT INTO b SELECT n, 1000 FROM big.numbers;""")
    statement = (f"BEGIN; SET @k = FLOOR(RAND()*{ROWS}), @v = FLOOR(RAND()*100);"
                 "UPDATE moving.a SET n = n - @v WHERE id = @k; UPDATE moving.b SET n = n + @v WHERE id = @k;"
                 "COMMIT;\n")
    argv = ["mariadb", "--no-defaults", "-S", socket()]
    writers = [subprocess.Popen(argv, stdin=subprocess.PIPE, text=True) for _ in range(2)]
    for w in writers:
        os.set_blocking(w.stdin.fileno(), True)
    feeders = []
    for w in writers:
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
                for _ in range(100000):
                    os.write(w.stdin.fileno(), statement.encode())
            os._exit(0)
        feeders.append(pid)
    try:
        yield
    finally:
        for pid in feeders:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for w in writers:
            with contextlib.suppress(BrokenPipeError):
                w.stdin.close()
            w.kill()
            w.wait()


def sum_after_restore(out):
    restore(out, "moving", "moved")
    return int(value("SELECT (SELECT SUM(n) FROM moved.a) + (SELECT SUM(n) FROM moved.b)"))


def one_sentence(done, *words):
    lines = [line for line in done.stderr.splitlines() if not line.startswith("siding-dump: note: ")]
    assert len(lines) == 1 and lines[0].startswith("siding-dump: "), done.stderr
    for word in words:
        assert word in lines[0], f"no {word!r} in {lines[0]!r}"


def no_dump(out):
    left = os.listdir(out) if os.path.isdir(out) else []
    assert "metadata" not in left and "files.json" not in left, left


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))


@contextlib.contextmanager
def started(out, *options, node=0, env=None, most=1 << 20):
    """A dump in mid-run: a first data file is there, and it stays in mid-run, as no reader of it gets more than `most` bytes
    of rows until go_on() is called."""
    held = HeldSocket(os.path.join(STATE["work"], "held"), socket(node), most)
    argv = command(*UNFINISHED, "--output", out, *options, defaults=option_file(node, path=held.path))
    run = subprocess.Popen(argv, env=clean_env(**(env or {})), text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
    run.go_on = held.release
    try:
        wait_for("it is held in mid-run, with a first file of data", 20,
                 lambda: (held.held.is_set() and glob.glob(f"{out}/big.*.0*")) or run.poll() is not None)
        assert run.poll() is None, run.communicate()
        yield run
    finally:
        if run.poll() is None:
            run.kill()
        held.close()
        run.communicate()


def signal_held(run, number):
    """Sends a signal that the dump reads when it gets to it, and lets it go on when it has read it."""
    run.send_signal(number)

    def taken():
        with open(f"/proc/{run.pid}/status", encoding="utf-8") as f:
            pending = next(line.split()[1] for line in f if line.startswith("ShdPnd:"))
        return not int(pending, 16) >> (number - 1) & 1
    wait_for("the signal is taken", 10, taken)
    run.go_on()


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def replica_sql(stopped):
    word = "REPLICA" if STATE["flavor"] == "mysql" else "SLAVE"
    sql(f"{'STOP' if stopped else 'START'} {word} SQL_THREAD", node=1)


def position(node):
    return value("SELECT @@global.gtid_executed" if STATE["flavor"] == "mysql" else
                 "SELECT @@global.gtid_slave_pos" if node else "SELECT @@global.gtid_binlog_pos", node=node)


class Dumps:
    replicas, servers_only, codecs = 1, True, (("gzip", "2"), ("zlib:6", "4"), ("none", "1"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        STATE.update(cluster=cls.cluster, flavor=cls.flavor, work=tempfile.mkdtemp(prefix="siding-dump", dir="/tmp"))
        cls.addClassCleanup(shutil.rmtree, STATE["work"], ignore_errors=True)
        make_data()

    def test_every_type_and_object_comes_back(self):
        with folder() as out:
            dump("--database", "types", "--output", out, "--verify")
            restore(out, "types", "types_back")
        assert checksums("types") == checksums("types_back")
        tables = [t for (t,) in sql("SELECT table_name FROM information_schema.tables WHERE table_schema='types'"
                                    " AND table_type='BASE TABLE'")]
        assert len(tables) > 5
        for table in tables:
            before, after = dumped_value("types", table), dumped_value("types_back", table)
            for one, other in zip(before.splitlines(), after.splitlines(), strict=True):
                assert one == other, f"{table}: {one[:2000]!r}\n{other[:2000]!r}"
        before, after = definitions("types"), definitions("types_back")
        assert before.keys() == after.keys()
        for name, text in before.items():
            # The server names the database of a sequence wherever the table goes.
            other = [tuple(t.replace("`types`", "`DATABASE`") for t in row) for row in after[name]]
            assert [tuple(row) for row in text] == other, f"{name}:\n{text}\n{other}"

    def test_chunks_of_every_key_hold_every_row_once(self):
        for codec, threads in self.codecs:
            with folder() as out:
                dump("--database", "big", "--output", out, "--verify", "--threads", threads, "--bytes-per-file", "512K",
                     "--statement-size", "64K", "--compress", codec)
                listed = files_of(out)
                parts = {t["table"]: len(glob.glob(f"{out}/big.{t['table']}.0*")) for t in listed["tables"]}
                for table in ("words", "strings", "composite", "binaries"):
                    assert parts[table] > 2, f"{table}: {parts}"
                assert parts["keyless"] == parts["nullable"] == 1
                sums = {t["table"]: t["checksum"] for t in listed["tables"]}
                assert sums == checksums("big")
                if codec != "zlib:6":
                    restore(out, "big", "big_back")
                    assert sums == checksums("big_back")

    def test_files_are_as_listed(self):
        with folder() as out:
            dump("--database", "big", "--output", out)
            listed = files_of(out)
            names = {f["name"] for f in listed["files"]}
            assert names | {"files.json", ".siding-sealed"} == set(os.listdir(out)), names ^ set(os.listdir(out))
            rows = 0
            for f in listed["files"]:
                with open(os.path.join(out, f["name"]), "rb") as g:
                    data = g.read()
                assert hashlib.sha256(data).hexdigest() == f["sha256"]
                assert len(data) == f["compressed_bytes"]
                assert len(gzip.decompress(data) if f["name"].endswith(".gz") else data) == f["bytes"]
                rows += f["rows"]
            assert rows == sum(t["rows"] for t in listed["tables"]) == sum(
                int(value(f"SELECT COUNT(*) FROM big.`{t['table']}`")) for t in listed["tables"])
            with open(os.path.join(out, "metadata"), encoding="utf-8") as f:
                assert f.read().startswith("Started dump at: ")

    def test_a_live_server_is_read_at_one_moment(self):
        sql("CREATE USER IF NOT EXISTS reader@localhost IDENTIFIED BY 'reader-secret';"
            "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON *.* TO reader@localhost;")
        reader = option_file(0, "reader", "reader-secret")
        with transfers():
            begin = value("SELECT SUM(n) FROM moving.a")
            wait_for("writers at work", 10, lambda: value("SELECT SUM(n) FROM moving.a") != begin)
            with folder() as out:
                text = dump("--database", "moving", "--output", out, "--threads", "4", "--bytes-per-file", "256K").stdout
                assert "commits were held for" in text, text
                assert sum_after_restore(out) == 2 * 1000 * ROWS
            with folder() as out:
                if STATE["flavor"] == "mariadb":
                    text = dump("--database", "moving", "--output", out, "--threads", "2", defaults=reader).stdout
                    assert "at one binary log position" in text, text
                    with open(os.path.join(out, "metadata"), encoding="utf-8") as f:
                        assert "\n\tGTID:0-" in f.read()
                    assert sum_after_restore(out) == 2 * 1000 * ROWS
                else:
                    text = dump("--database", "moving", "--output", out, "--threads", "2", defaults=reader,
                                status=1).stderr
                    assert "grant RELOAD" in text and "--threads 1" in text, text
            with folder() as out:
                dump("--database", "moving", "--output", out, "--threads", "1", defaults=reader)
                assert sum_after_restore(out) == 2 * 1000 * ROWS

    def test_tables_that_change_under_a_live_dump(self):
        """Two tables change their names all the time, others come, go and are altered: a dump has each of them as it was at
        its moment, or none is made."""
        sql("""DROP DATABASE IF EXISTS unrest; CREATE DATABASE unrest; USE unrest; CREATE TABLE few (id INT PRIMARY KEY);
            INSERT INTO few SELECT n FROM big.numbers WHERE n < 1000; CREATE TABLE many LIKE few;
            INSERT INTO many SELECT n FROM big.numbers WHERE n < 2000; CREATE TABLE wide (id INT PRIMARY KEY);
            INSERT INTO wide SELECT n FROM big.numbers WHERE n < 500""")
        storm = ("SET lock_wait_timeout = 2; RENAME TABLE unrest.few TO unrest.t, unrest.many TO unrest.few, unrest.t TO unrest.many;"
                 "CREATE TABLE unrest.guest (a INT PRIMARY KEY); INSERT INTO unrest.guest VALUES (1); ALTER TABLE unrest.wide ADD c INT;"
                 "ALTER TABLE unrest.wide DROP c; DROP TABLE unrest.guest;\n")
        argv = ["mariadb", "--no-defaults", "--force", "-S", socket(), "-N"]
        made = 0
        for _ in range(5):
            writer = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
            with folder() as out:
                writer.stdin.write(storm * 40 + "SELECT 1;\n")
                writer.stdin.flush()
                done = subprocess.run(command("--database", "unrest", "--output", out, "--verify", "--threads", "2",
                                              "--lock-wait", "5s"),
                                      env=clean_env(), text=True, capture_output=True, timeout=60 * slack(), check=False)
                writer.kill()
                writer.communicate()
                if done.returncode:
                    one_sentence(done, "siding-dump: ")
                    no_dump(out)
                    continue
                made += 1
                rows = {t["table"]: t["rows"] for t in files_of(out)["tables"]}
                assert sorted((rows.get("few", 0), rows.get("many", 0), rows["wide"])) == [500, 1000, 2000], rows
                assert rows.get("guest", 1) in (0, 1), rows
        assert made >= 2, f"of 5 dumps {made} were made: {done.stderr}"

    def test_a_table_that_is_about_to_change_is_not_left_out(self):
        """MariaDB's information_schema skips a table that another session is about to rename, with warning 1684, for a
        session that holds tables, as the dump does when it lists them again."""
        c = STATE["cluster"]
        sql("DROP DATABASE IF EXISTS unrest; CREATE DATABASE unrest; CREATE TABLE unrest.m (a INT PRIMARY KEY); INSERT INTO unrest.m VALUES (1); "
            "CREATE TABLE unrest.z LIKE unrest.m; CREATE TABLE unrest.few LIKE unrest.m; INSERT INTO unrest.few VALUES (1), (2)")
        waits = "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table%' AND info LIKE "
        with folder() as out, c.session("db0") as locker:
            sql("RENAME TABLE unrest.few TO big.few")
            locker.sql("LOCK TABLES unrest.z WRITE")
            run = subprocess.Popen(command("--database", "unrest", "--output", out, "--threads", "2", "--lock-wait", "20s", "--verify"),
                                   env=clean_env(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            wait_until(lambda: value(waits + "'%unrest%.%z%LIMIT 0'") == "1", 15, "the dump holds m and waits for z")
            sql("RENAME TABLE big.few TO unrest.few")
            renamer = subprocess.Popen(["mariadb", "--no-defaults", "-S", socket(), "-e", "SET lock_wait_timeout = 2; RENAME TABLE unrest.few TO "
                                        "unrest.more, unrest.m TO unrest.n"], stderr=subprocess.DEVNULL)
            wait_until(lambda: value(waits + "'RENAME TABLE unrest%'") == "1", 15, "the renaming waits for m")
            locker.sql("UNLOCK TABLES")
            said = run.communicate(timeout=90 * slack())
            renamer.wait(60)
            assert run.returncode == 0, said
            rows = {t["table"]: t["rows"] for t in files_of(out)["tables"]}
            assert rows in ({"few": 2, "m": 1, "z": 0}, {"more": 2, "n": 1, "z": 0}), rows
        sql("DROP DATABASE unrest")

    def test_bad_input_is_told(self):
        with folder() as out:
            one_sentence(dump("--database", "bgi", "--output", out, status=1), "bgi", 'did you mean "big"?')
            no_dump(out)
            one_sentence(dump("--output", out, defaults=option_file(0, "nobody", "wrong"), status=1), "Access denied")
            one_sentence(dump("--output", out, "--socket", "/nonexistent/sock", status=1), "/nonexistent/sock")
            one_sentence(dump("--output", out, defaults="/nonexistent.cnf", status=1), "/nonexistent.cnf")
            one_sentence(dump("--output", out, "--compress", "lzma", status=2), "lzma", "known: gzip")
            one_sentence(dump("--outptu", out, status=2), "did you mean --output?")
            one_sentence(dump("--database", "big", status=2), "--output is missing")
            one_sentence(dump("--output", out, env={"SIDING_SHARDS": "2", "SIDING_SHARD": "0"}, status=2), "SIDING_SHARDS=2", "SIDING_SPLIT_FD")
            with open(os.path.join(out, "something"), "w", encoding="utf-8"):
                pass
            one_sentence(dump("--database", "big", "--output", out, status=1), out, "not empty", "something")
            assert os.listdir(out) == ["something"]

    def test_a_grant_that_is_missing_is_told(self):
        sql("CREATE USER IF NOT EXISTS little@localhost IDENTIFIED BY 'little-secret';"
            "GRANT SELECT ON types.* TO little@localhost;")
        with folder() as out:
            done = dump("--database", "types", "--output", out, "--threads", "1",
                        defaults=option_file(0, "little", "little-secret"), status=1)
            one_sentence(done, "TRIGGER ON `types`.*", "--no-objects")
            no_dump(out)
        for grant, missing in (("TRIGGER ON types.*", "EVENT ON `types`.*"), ("EVENT ON types.*", "routines"), ("SELECT ON mysql.proc", None)):
            if STATE["flavor"] == "mysql":
                grant = grant.replace("SELECT ON mysql.proc", "SHOW_ROUTINE ON *.*")
            sql(f"GRANT {grant} TO little@localhost")
            with folder() as out:
                done = dump("--database", "types", "--output", out, "--threads", "1", defaults=option_file(0, "little", "little-secret"), status=1)
                one_sentence(done, missing or "types.")  # the last one is about a view
        with folder() as out:
            sql("REVOKE TRIGGER, EVENT ON types.* FROM little@localhost; GRANT SHOW VIEW ON types.* TO little@localhost")
            dump("--database", "types", "--output", out, "--threads", "1", "--no-objects", defaults=option_file(0, "little", "little-secret"))
            assert not glob.glob(out + "/*-schema-triggers*") and not glob.glob(out + "/*-schema-post*")

    def test_a_corrected_command_begins_anew(self):
        with folder() as out:
            one_sentence(dump("--table", "big.digits", "--where", "nn < 5", "--output", out, status=1), "nn")
            dump("--table", "big.digits", "--where", "n < 5", "--output", out)
            assert sum(t["rows"] for t in files_of(out)["tables"]) == 5

    def test_a_condition_that_compares_other_things_is_an_error(self):
        """Error reference, 1292: a word is taken for the number that it begins with, and the server only warns."""
        for options in ([], ["--verify"], ["--checksum"]):
            with folder() as out:
                where = ["--table", "big.words", "--where", "w < 5", *options] + ([] if options == ["--checksum"] else ["--output", out])
                one_sentence(dump(*where, status=1), "big.words", "server warning 1292")

    def test_a_full_disk_ends_it(self):
        with folder() as out:
            one_sentence(dump("--database", "big", "--output", out, limits=limit_files, status=1), "cannot write", out)
            no_dump(out)
        with folder() as out:
            if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", out], check=False,
                                                   capture_output=True).returncode:
                print("# no tmpfs here: tried with a file size limit only")
                return
            try:
                done = dump("--database", "big", "--output", out, status=1)
                one_sentence(done, "No space left on device")
                no_dump(out)
            finally:
                subprocess.run(["umount", out], check=True)

    def test_a_file_that_differs_from_the_table_is_found(self):
        library = os.path.join(BUILD, "tests", "tools", "libdamage.so")
        for name, codec, words in (("big.numbers.00000.sql", "none", ("differs from the table",)),
                                   ("big.numbers.00000.tsv", "none", ("differs from the table",)),
                                   ("big.numbers.00000.sql.gz", "gzip", ("big.numbers.00000.sql.gz",))):
            with folder() as out:
                done = dump("--table", "big.numbers", "--output", out, "--verify", "--compress", codec, "--format",
                            "tsv" if "tsv" in name else "sql", env={"LD_PRELOAD": library, "SIDING_TEST_DAMAGE": name}, status=1)
                one_sentence(done, "big.numbers", *words)
                no_dump(out)

    def test_a_stopped_or_killed_dump_is_none(self):
        with folder() as out, started(out) as run:
            signal_held(run, signal.SIGTERM)
            err = run.communicate(timeout=10 * slack())[1]
            assert run.returncode == 1 and "stopped by a signal" in err, (run.returncode, err)
            no_dump(out)
        with folder() as out, started(out) as run:
            run.kill()
            run.wait()
            no_dump(out)
        wait_for("its connections are gone", 10, lambda: value(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID()"
            " AND info LIKE '%FROM `big`%'") == "0")

    def test_a_killed_dump_is_gone_on_with(self):
        for options in (["--verify"], ["--format", "tsv", "--rows-per-file", "1000"]):
            with folder() as out:
                for _ in range(3):
                    before = len(glob.glob(f"{out}/big.*.0*"))
                    with started(out, *options, most=random.randrange(300000, 600000)) as run:
                        wait_for("more files", 20, lambda n=before: len(glob.glob(f"{out}/big.*.0*")) > n)
                        run.kill()
                        run.wait()
                    no_dump(out)
                kept = {n: os.stat(f"{out}/{n}").st_ino for n in os.listdir(out) if n.startswith("big.")}
                with open(sorted(glob.glob(f"{out}/big.*.0*"))[0], "r+b") as f:
                    f.write(b"damaged")
                done = dump(*UNFINISHED, "--output", out, *options)
                assert "going on with an unfinished dump" in done.stderr, done.stderr
                assert "rows were kept" in done.stdout, done.stdout
                data = [n for n in kept if "-schema" not in n]
                same = [n for n in data if os.stat(f"{out}/{n}").st_ino == kept[n]]
                assert len(same) > len(data) * 2 / 3, (len(same), len(data))
                for f in files_of(out)["files"]:
                    with open(os.path.join(out, f["name"]), "rb") as g:
                        assert hashlib.sha256(g.read()).hexdigest() == f["sha256"], f["name"]
                if "--verify" in options:
                    restore(out, "big", "big_back")
                    assert checksums("big") == checksums("big_back")
                assert {t["table"]: t["rows"] for t in files_of(out)["tables"]} == {
                    t: int(value(f"SELECT COUNT(*) FROM big.`{t}`")) for (t,) in sql("SHOW TABLES FROM big")}

    def test_an_unfinished_dump_of_another_position_is_refused(self):
        with folder() as out:
            with started(out) as run:
                run.kill()
                run.wait()
            one_sentence(dump("--database", "big", "--output", out, "--where", "1", status=1), "other options")
            sql("CREATE TABLE big.moved (a INT); DROP TABLE big.moved;")
            one_sentence(dump(*UNFINISHED, "--output", out, status=1), "unfinished dump of position", "the server is at")

    def test_it_takes_what_it_is_told_to(self):
        def dumped(*options):
            with folder() as out:
                dump("--output", out, "--threads", "1", *options)
                names = {n.removesuffix(".gz") for n in os.listdir(out)}
                return names, {t["table"]: t["rows"] for t in files_of(out)["tables"]}
        names, rows = dumped("--table", "big.nullable", "--table", "big.digits")
        assert rows == {"nullable": 52, "digits": 10} and "big.words-schema.sql" not in names, (names, rows)
        names, rows = dumped("--database", "big", "--match", "^big[.](words|numb)", "--exclude", "words")
        assert rows == {"numbers": ROWS}, rows
        names, rows = dumped("--database", "big", "--table", "big.numbers", "--where", "n < 100 OR n > 29989")
        assert rows == {"numbers": 110}, rows
        names, rows = dumped("--database", "big", "--table", "big.numbers", "--rows-per-file", "10000", "--data-only")
        assert names == {"big.numbers.00000.sql", "big.numbers.00001.sql", "big.numbers.00002.sql", "files.json",
                         "metadata", ".siding-sealed"}, names
        names, rows = dumped("--database", "big", "--table", "big.keyless", "--rows-per-file", "7000", "--data-only")
        assert len([n for n in names if n.startswith("big.keyless.")]) == 5, names
        names, rows = dumped("--database", "big", "--schema-only", "--users")
        assert not rows and "big.words-schema.sql" in names and "siding-users.ddl" in names, names
        with folder() as out:
            one_sentence(dump("--table", "big.nothing", "--output", out, status=1), "big.nothing", "--table")
            one_sentence(dump("--match", "a(", "--output", out, status=2), "--match", "a(")
            one_sentence(dump("--memory", "32M", "--threads", "200", "--output", out, status=2), "--memory", "200")

    def test_tsv_is_loaded_by_load_data(self):
        with folder() as out:
            dump("--database", "types", "--output", out, "--format", "tsv", "--verify", "--compress", "none")
            listed = files_of(out)
            restore(out, "types", "types_tsv")
            for t in listed["tables"]:
                for name in sorted(glob.glob(glob.escape(f"{out}/{t['files']}") + ".0*.tsv")):
                    argv = ["mariadb", "--no-defaults", "--local-infile=1", "-S", socket(), "types_tsv"]
                    text = ("SET NAMES utf8mb4, sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone='+00:00',"
                            " foreign_key_checks=0" + (", check_constraint_checks=0" if STATE["flavor"] == "mariadb" else "")
                            + ";\n" + t["load"].replace("%s", name))
                    subprocess.run(argv, input=text, text=True, check=True, timeout=60 * slack())
        assert checksums("types") == checksums("types_tsv")

    def test_rows_of_any_size_in_little_memory(self):
        sql("""DROP DATABASE IF EXISTS huge; CREATE DATABASE huge; USE huge; CREATE TABLE t (id INT PRIMARY KEY, b LONGBLOB,
            c LONGTEXT); SET GLOBAL max_allowed_packet = 1 << 30;""")
        for n, size in enumerate((0, 1, 100000, 262136, 262144, 1 << 20, 16777215 - 7, 16777216, 20000000, 40 << 20)):
            sql(f"INSERT INTO huge.t VALUES ({n}, REPEAT(x'00ff27', {size // 3}), REPEAT('it''s\n', {size // 5}))")
        with folder() as out:
            argv = command("--database", "huge", "--output", out, "--verify", "--threads", "2", "--memory", "32M")
            done = subprocess.run(["/usr/bin/env", "python3", "-c", "import subprocess, sys, resource; r = subprocess.call("
                                   "sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(r)",
                                   *argv], env=clean_env(), text=True, capture_output=True, timeout=120 * slack(), check=False)
            assert done.returncode == 0, done.stderr
            used = int(done.stdout.splitlines()[-1])
            assert used < 32 << 10, f"{used} KB"
        sql("DROP DATABASE huge")

    def test_it_sleeps_at_a_safe_point_and_goes_on(self):
        with folder() as out, started(out, "--verify") as run:
            signal_held(run, signal.SIGTSTP)
            wait_for("asleep", 10, lambda: state_of(run.pid) == "T")
            count = len(os.listdir(out))
            time.sleep(0.3)
            assert len(os.listdir(out)) == count
            run.send_signal(signal.SIGCONT)
            err = run.communicate(timeout=60 * slack())[1]
            assert run.returncode == 0, err
            assert {t["table"]: t["checksum"] for t in files_of(out)["tables"]} == checksums("big")

    def test_nothing_was_written_to_the_binary_log(self):
        """A dump of a replica must leave no transaction of its own there."""
        wait_for("the replica has caught up", 60, lambda: position(1) == position(0))
        before = STATE["cluster"].position("db1")
        with folder() as out:
            text = dump("--database", "big", "--output", out, "--threads", "2", node=1).stdout
            assert "commits were held" in text, text
        assert before == STATE["cluster"].position("db1")

    def test_a_frozen_replica_is_dumped_as_a_job(self):
        wait_for("the replica has caught up", 60, lambda: position(1) == position(0))
        replica_sql(True)
        try:
            sums, gtid = checksums("big", 1), position(1)
            sql("UPDATE big.words SET w = 'moved on'; CREATE TABLE big.later (a INT)")
            with folder() as out:
                env = {"SIDING_GTID": gtid, "SIDING_RESULT_DIR": out, "SIDING_DEFAULTS_FILE": option_file(1),
                       "SIDING_RUN_ID": "1.1", "SIDING_SHARD": "0", "SIDING_SHARDS": "1"}
                read, write = os.pipe()
                shell = 'exec 3>&"$1"; shift; exec "$@"'
                argv = ["bash", "-c", shell, "-", str(write), os.path.join(BUILD, "siding-dump"), "--database", "big"]
                done = subprocess.run(argv, env=clean_env(**env), pass_fds=[write], capture_output=True, text=True,
                                      timeout=60 * slack(), check=False)
                os.close(write)
                with os.fdopen(read, encoding="utf-8") as f:
                    lines = [json.loads(line) for line in f]
                assert done.returncode == 0, done.stderr
                assert "frozen" in done.stdout and "verified" in done.stdout, done.stdout
                assert lines[-1]["done"] == lines[-1]["total"] > 0 and lines[-1]["unit"] == "bytes", lines
                assert lines[-1]["note"] == "%d rows in all" % sum(t["rows"] for t in files_of(out)["tables"]), lines
                assert {t["table"]: t["checksum"] for t in files_of(out)["tables"]} == sums
                assert files_of(out)["snapshot"]["applied"] == gtid
                with open(os.path.join(out, "metadata"), encoding="utf-8") as f:
                    text = f.read()
                assert "SHOW SLAVE STATUS:\n\tHost: 127.0.0.1\n" in text and f"GTID:{gtid}\n" in text, text
            with folder() as out:
                done = dump("--database", "big", "--output", out, node=1, env={"SIDING_GTID": position(0)}, status=1)
                one_sentence(done, "not frozen at the start", gtid)
                no_dump(out)
            with folder() as out, started(out, node=1, env={"SIDING_GTID": gtid}) as run:
                replica_sql(False)
                wait_for("the replica moves", 20, lambda: position(1) != gtid)
                run.go_on()
                err = run.communicate(timeout=60 * slack())[1]
                assert run.returncode == 1 and "not frozen any more" in err, (run.returncode, err)
                no_dump(out)
        finally:
            with contextlib.suppress(Failed):
                replica_sql(False)


class MariaDB(Dumps, ClusterTest):
    pass


class MySQL(Dumps, ClusterTest):
    """Left out: the dump's own memory and journal."""
    flavor, codecs = "mysql", (("gzip", "2"),)
    test_rows_of_any_size_in_little_memory = test_a_killed_dump_is_gone_on_with = None


if __name__ == "__main__":
    main()
