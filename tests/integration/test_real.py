#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Schemas and inputs from public reports: the table is real_data/*.toml, one [[case]] each.

  reference     the report: project and number, with its title or what it says
  stands_for    the kind of input that it stands for
  does          what is done with it: a function of DOES below; the other fields are its own
  servers       the servers that have the feature; both if it is left out

Names of databases are unique in the table. Cases of `round_trip` go through one dump and one restore together."""
import contextlib
import glob
import gzip
import os
import shutil
import subprocess
import tempfile
import tomllib

import test_dump
import test_restore
from harness import ClusterTest, main, needs_package
from test_dump import STATE, dump, folder, sql
from test_restore import restore

HERE = os.path.dirname(os.path.abspath(__file__))
FIELDS = {"name", "reference", "stands_for", "does", "servers"}


def table():
    found = []
    for path in sorted(glob.glob(os.path.join(HERE, "real_data", "*.toml"))):
        with open(path, "rb") as f:
            found += tomllib.load(f)["case"]
    return found


def run_statements(text):
    """By the client, which knows DELIMITER; in one session."""
    argv = ["mariadb", "--no-defaults", "--comments", "--default-character-set=utf8mb4", "-S", test_dump.socket()]
    done = subprocess.run(argv, input=text, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def answers(checks):
    return [(query, sql(query)) for query in checks]


def environments(database):
    """The columns that a definition's meaning hangs on."""
    return sorted(sql(f"""
        SELECT 'view', table_name, character_set_client, collation_connection, '', '', '', definer
            FROM information_schema.views WHERE table_schema = '{database}'
        UNION ALL SELECT routine_type, routine_name, character_set_client, collation_connection, database_collation, sql_mode, '',
            definer FROM information_schema.routines WHERE CAST(routine_schema AS BINARY) = '{database}'
        UNION ALL SELECT 'trigger', trigger_name, character_set_client, collation_connection, database_collation, sql_mode, '', definer
            FROM information_schema.triggers WHERE CAST(trigger_schema AS BINARY) = '{database}'
        UNION ALL SELECT 'event', event_name, character_set_client, collation_connection, database_collation, sql_mode, time_zone,
            definer FROM information_schema.events WHERE CAST(event_schema AS BINARY) = '{database}'"""))


def picture(case):
    found = {}
    for database in case["databases"]:
        found[database] = (test_dump.definitions(database), environments(database),
                           sql(f"SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = '{database}'"))
    return found


def drop(databases):
    for database in databases:
        with contextlib.suppress(Exception):
            sql(f"ALTER DATABASE {test_dump.quoted(database)} READ ONLY=0")
        sql(f"SET foreign_key_checks=0; DROP DATABASE IF EXISTS {test_dump.quoted(database)}")


def same(case, before, after):
    for database, parts in before.items():
        for one, other in zip(parts, after[database]):
            assert one == other, f"{case['name']}: {database}:\n{one}\n{other}"


# ---- what is done with a case -----------------------------------------------------------------------------------

def round_trip(cases):
    """`sql` makes `databases`; `queries` answer the same before and after; `told` stands on the dump's stderr."""
    databases = [d for case in cases for d in case["databases"]]
    for case in cases:
        run_statements(case["sql"])
    before = [(picture(case), answers(case.get("queries", []))) for case in cases]
    for case, (_, found) in zip(cases, before):
        want = case.get("answers")
        assert not want or [rows for _, rows in found] == [[tuple(r) for r in rows] for rows in want], (case["name"], found)
    with folder() as out:
        done = dump(*(w for d in databases for w in ("--database", d)), "--verify", "--output", out)
        for case in cases:
            for words in case.get("told", []):
                assert words in done.stderr, f"{case['name']}: not told {words!r}: {done.stderr}"
        drop(databases)
        restore(out)
    for case, (parts, found) in zip(cases, before):
        same(case, parts, picture(case))
        assert found == answers(case.get("queries", [])), f"{case['name']}:\n{found}\n{answers(case.get('queries', []))}"
    drop(databases)


def alone(case):
    """Like round_trip, with `options` of the restore, its exit `status`, what it says on stderr (`says`), `meanwhile` run
    between dump and restore, and `answers` of `queries` afterwards."""
    run_statements(case["sql"])
    with folder() as out:
        done = dump(*(w for d in case["databases"] for w in ("--database", d)), "--output", out, *case.get("dump_options", []),
                    status=case.get("dump_status", 0))
        for words in case.get("told", []):
            assert words in done.stderr, f"{case['name']}: not told {words!r}: {done.stderr}"
        drop(case["databases"])
        if not case.get("dump_status"):
            after_dump(case, out)
    drop(case["databases"] + ["siding_restore"])
    run_statements(case.get("cleanup", ""))


def after_dump(case, out):
    run_statements(case.get("meanwhile", ""))
    options = [o.replace("FILE", out + "/../views.sql") for o in case.get("options", [])]
    done = restore(out, *options, status=case.get("status", 0))
    for words in case.get("says", []):
        assert words in done.stderr, f"{case['name']}: {words!r} is not said: {done.stderr}"
    expect_answers(case)
    if "then" in case:
        run_statements(case["then"])
        restore(out, *case.get("options", []))
        assert [sql(q) for q in case["queries"]] == [[tuple(r) for r in rows] for rows in case["then_answers"]], case["name"]


def expect_answers(case):
    found = [sql(query) for query in case.get("queries", [])]
    assert found == [[tuple(r) for r in rows] for rows in case.get("answers", [])], f"{case['name']}: {found}"


def others_dump(case):
    """`files` of a dump of another program are restored: `answers` of `queries`, or `says` with exit status 1."""
    with folder() as out:
        for name, text in case["files"].items():
            path, written = os.path.join(out, name), text.encode()
            if name.endswith(".gz"):
                written = gzip.compress(written)
            elif name.endswith(".zst"):
                written = subprocess.run(["zstd", "-q", "-c"], input=written, capture_output=True, check=True, timeout=20).stdout
            with open(path, "wb") as f:
                f.write(written)
        done = restore(out, status=case.get("status", 0))
        for words in case.get("says", []):
            assert words in done.stderr, f"{case['name']}: {words!r} is not said: {done.stderr}"
        expect_answers(case)
    drop(case["databases"] + ["siding_restore"])


def mydumper_dump(case):
    """`sql` makes `databases`, Debian's mydumper dumps them with `options`; restored they are the same, or `says` why not."""
    assert shutil.which("mydumper"), "mydumper is missing: apt-get install --no-install-recommends mydumper"
    run_statements(case["sql"])
    before = {d: test_dump.checksums(d) for d in case["databases"]}
    pattern = "^(%s)[.]" % "|".join(d.replace(".", "[.]") for d in case["databases"])
    with folder() as out:
        subprocess.run(["mydumper", "-S", test_dump.socket(), "-u", "root", "-o", out, "-t", "2", "--regex", pattern,
                        *case.get("options", [])], capture_output=True, check=True, timeout=60)
        drop(case["databases"])
        done = restore(out, status=case.get("status", 0))
        for words in case.get("says", []):
            assert words in done.stderr, f"{case['name']}: {words!r} is not said: {done.stderr}"
    if not case.get("status"):
        after = {d: test_dump.checksums(d) for d in case["databases"]}
        assert before == after, f"{case['name']}: {before}\n{after}"
    drop(case["databases"] + ["siding_restore"])


DOES = {"round_trip": round_trip, "alone": alone, "others_dump": others_dump, "mydumper_dump": mydumper_dump}


class Real:
    replicas, servers_only = 0, True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        STATE.update(cluster=cls.cluster, flavor=cls.flavor, work=tempfile.mkdtemp(prefix="siding-real", dir="/tmp"))
        cls.addClassCleanup(shutil.rmtree, STATE["work"], ignore_errors=True)

    @contextlib.contextmanager
    def option(self, line):
        """The server runs with one more line in its option file meanwhile."""
        path = os.path.join(self.cluster.folder, "db0", "my.cnf")
        with open(path, encoding="utf-8") as f:
            before = f.read()
        try:
            for text in (before + line + "\n", before):
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
                self.cluster.stop("db0")
                self.cluster.start("db0")
                sql("SET GLOBAL " + ("read_only=0" if self.flavor == "mariadb" else "super_read_only=0; SET GLOBAL read_only=0"))
                if text != before:
                    yield
        finally:
            with open(path, "w", encoding="utf-8") as f:
                f.write(before)

    def cases(self, does):
        return [c for c in table() if c["does"] == does and self.flavor in c.get("servers", ["mariadb", "mysql"])]

    def each(self, does):
        cases = self.cases(does)
        assert cases, does
        for case in cases:
            with self.subTest(case["name"]):
                DOES[does](case)

    def test_the_table_is_well_formed(self):
        names = [c["name"] for c in table()]
        assert len(names) == len(set(names)), sorted(n for n in names if names.count(n) > 1)
        for case in table():
            assert FIELDS - {"servers"} <= case.keys() and case["does"] in DOES, case

    def test_what_comes_back_as_it_was(self):
        round_trip(self.cases("round_trip"))

    def test_what_is_told_refused_or_made_otherwise(self):
        self.each("alone")

    def test_dumps_of_other_programs(self):
        self.each("others_dump")

    @needs_package("mydumper")
    def test_dumps_of_mydumper(self):
        self.each("mydumper_dump")


class MariaDB(Real, ClusterTest):
    def test_a_server_that_stores_names_in_lower_case(self):
        """MySqlBackupNET/MySqlBackup.Net issue 53: after a restore the table names all become lowercase; matrixorigin/matrixone
        issue 20484: tables TT and Tt, after a restore one is left."""
        run_statements("""CREATE DATABASE R_Fold; USE R_Fold; CREATE TABLE Mixed (a INT PRIMARY KEY); INSERT INTO Mixed VALUES (1), (2);
            CREATE VIEW View1 AS SELECT a FROM Mixed; CREATE PROCEDURE Proc1() SELECT 1; CREATE TABLE Mine (a INT) ENGINE=MyISAM;
            CREATE TRIGGER Trig1 BEFORE INSERT ON Mixed FOR EACH ROW SET @a = 1; INSERT INTO Mine VALUES (3);
            CREATE DATABASE r_two; CREATE TABLE r_two.TT (a INT); CREATE TABLE r_two.Tt (b INT)""")
        with folder() as folds, folder() as two, folder() as again:
            dump("--database", "R_Fold", "--verify", "--output", folds)
            dump("--database", "r_two", "--output", two)
            drop(["R_Fold", "r_two"])
            with self.option("lower_case_table_names=1"):  # only databases of such names may be there
                text = restore(folds).stdout
                assert "2 tables equal the dump by their checksums" in text, text
                assert sql("SELECT a FROM R_Fold.View1 ORDER BY 1") == [("1",), ("2",)]
                assert sql("SHOW TABLES FROM r_fold") == [("mine",), ("mixed",), ("view1",)]
                done = restore(two, status=1)
                assert "r_two.T" in done.stderr and "lower_case_table_names" in done.stderr, done.stderr
                assert not sql("SHOW DATABASES LIKE 'r_two'") and not sql("SHOW DATABASES LIKE 'siding_restore'")
                said = dump("--database", "r_fold", "--verify", "--output", again).stderr
                assert "stores names of tables in lower case" in said, said
                drop(["R_Fold"])
                restore(again)
                drop(["R_Fold"])
            # A trigger's text names its table as it was written, which here is another name.
            done = restore(again, status=1)
            assert "r_fold.Mixed" in done.stderr and "restore into a server that does so too" in done.stderr, done.stderr
        drop(["r_fold", "siding_restore"])


class MySQL(Real, ClusterTest):
    flavor = "mysql"

    def test_a_table_whose_server_is_gone(self):
        """HeidiSQL issue 433: possible data loss in source database while exporting FEDERATED table data."""
        with self.option("federated=ON"), folder() as out:
            run_statements("""CREATE DATABASE r_gone; USE r_gone; CREATE TABLE s (id INT NOT NULL, a VARCHAR(5), KEY (id)) ENGINE=FEDERATED
                CONNECTION='mysql://nobody:x@127.0.0.1:1/r/t'; CREATE VIEW v AS SELECT id FROM s; CREATE TABLE t (a INT PRIMARY KEY);
                INSERT INTO t VALUES (1), (2); CREATE TRIGGER x BEFORE INSERT ON s FOR EACH ROW SET @x = 1""")
            said = dump("--database", "r_gone", "--verify", "--output", out).stderr
            assert "r_gone.s (FEDERATED) holds no rows of its own" in said, said
            drop(["r_gone"])
            restore(out)
            assert sql("SELECT a FROM r_gone.t ORDER BY 1") == [("1",), ("2",)]
            assert len(sql("SHOW TABLES FROM r_gone")) == 3
            drop(["r_gone"])


if __name__ == "__main__":
    main()
