# SPDX-License-Identifier: Apache-2.0
# The dump restored with nothing but zcat and the server's client into a scratch server, compared with the checksums
# that were taken in the frozen replica; then the scratch server joins replication at the dump's GTID.
#
# It also gives the frozen state of the *index* job back: that state is gone once its replica has resumed,
# but the dump was frozen earlier, so the scratch server replays the primary's binlog up to exactly the
# index's GTID and stops there. The check of the index thus shares no server, no file and no code with it.
import configparser
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from servers import Session, SqlError, quote

# In the order of loading; the files of one step are loaded together.
STEPS = (r"-schema-create\.sql", r"-schema-sequence\.sql", r"(?<!-create)-schema\.sql", r"\.\d+\.sql", r"-schema-view\.sql",
         r"-schema-triggers\.sql", r"-schema-post\.sql")


def plan(files):
    """The dump's SQL files by step; a file that fits no step is an error."""
    steps = [[] for _ in STEPS]
    for file in sorted(files):
        if ".sql" not in file:
            continue
        for i, pattern in enumerate(STEPS):
            if re.search(pattern + r"(\.gz)?$", file):
                steps[i].append(file)
                break
        else:
            raise SqlError("the dump holds a file that is none of mydumper's: " + file)
    return steps


def load_file(scratch, folder, file):
    database = None if file.endswith(("-schema-create.sql", "-schema-create.sql.gz")) else re.split(r"[.]|-schema-post", file)[0]
    client = [scratch.loader, "--no-defaults", "-S", scratch.socket, "--default-character-set=utf8mb4", "--max-allowed-packet=256M",
              "--init-command=SET SESSION foreign_key_checks=0, unique_checks=0, sql_log_bin=0"] + ([database] if database else [])
    cat = subprocess.Popen(["zcat" if file.endswith(".gz") else "cat", os.path.join(folder, file)], stdout=subprocess.PIPE)
    done = subprocess.run(client, stdin=cat.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300)
    cat.stdout.close()
    if cat.wait() or done.returncode:
        raise SqlError("restoring %s: %s" % (file, done.stderr.decode("utf-8", "replace").strip()[:300]))


def load_views(scratch, folder, files):
    """A view may stand on others: those that fail are tried again as long as a round makes one."""
    while files:
        failed = []
        for file in files:
            try:
                load_file(scratch, folder, file)
            except SqlError as e:
                failed.append((file, e))
        if len(failed) == len(files):
            raise failed[0][1]
        files = [f for f, _ in failed]


def restore(scratch, folder, threads=4):
    for step in plan(os.listdir(folder)):
        if any("-schema-view.sql" in f for f in step):
            load_views(scratch, folder, step)
            continue
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda f: load_file(scratch, folder, f), sorted(step, key=lambda f: -os.path.getsize(os.path.join(folder, f)))))


LONG = ("mediumblob", "longblob", "mediumtext", "longtext", "json")


def row_sum(session, database, table):
    """The checksum of the manifest ("rows:sum"), as replica-agent/dump/rowcheck.h describes it, written anew."""
    columns = session.rows(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = %s AND table_name ="
        " %s AND %s ORDER BY ordinal_position" % (quote(database), quote(table), session.flavor.stored))
    parts = ["CONCAT(CRC32(`%s`), ',', LENGTH(`%s`))" % (c[0], c[0]) if c[1] in LONG else "`%s`" % c[0] for c in columns]
    nulls = ["ISNULL(`%s`)" % c[0] for c in columns if c[2] == "YES"]
    if nulls:
        parts.append("CONCAT(%s)" % ", ".join(nulls))
    return session.value("SELECT CONCAT(COUNT(*), ':', COALESCE(SUM(CRC32(CONCAT_WS(_binary X'00FF00' COLLATE `binary`, %s))), "
                         "0)) FROM `%s`.`%s`" % (", ".join(parts), database, table))


def check_frozen(scratch, manifest):
    """(tables, rows, differences) of the restored server against what the frozen replica said."""
    session = Session("scratch", scratch.socket)
    session.query("SET SESSION time_zone = '+00:00'")
    wrong, rows = [], 0
    for table in manifest["tables"]:
        label = "%s.%s" % (table["database"], table["table"])
        frozen, restored = table["checksum"], row_sum(session, table["database"], table["table"])
        if ":" not in str(frozen):
            frozen = "%s:%s" % (table["rows"], frozen)
        rows += int(table["rows"])
        if restored != frozen:
            wrong.append("%s differs (frozen %s, restored %s)" % (label, frozen, restored))
    session.close()
    return len(manifest["tables"]), rows, wrong


def join(scratch, gtid, primary_port, credentials):
    """Points the scratch server at the primary from `gtid` on; it does not start yet."""
    client = configparser.ConfigParser(interpolation=None)
    client.read(credentials)
    session = Session("scratch", scratch.socket)
    session.query(session.flavor.begin_at % quote(gtid))
    session.query(session.flavor.follow % (primary_port, quote(client["client"]["user"]), quote(client["client"]["password"])))
    session.close()


def forward(scratch, gtid=None):
    """Replays up to exactly `gtid` and stops there, or goes on for good."""
    session = Session("scratch", scratch.socket, timeout=150)
    flavor = session.flavor
    if not gtid:
        session.query(flavor.start)
    elif session.value("SELECT " + flavor.applied) != gtid:
        session.query(flavor.until % quote(gtid))
        wait_to(session, gtid)
        session.query(flavor.stop)
        if session.value("SELECT " + flavor.applied) != gtid:
            raise SqlError("the scratch server went past " + gtid)
    session.close()


def wait_to(session, gtid, seconds=120):
    for i in range(seconds):
        if session.value("SELECT %s(%s, 1)" % (session.flavor.wait, quote(gtid))) == "0":
            return
        status = session.row(session.flavor.status)
        error = status["Last_SQL_Error"] or (i > 10 and status["Last_IO_Error"])
        if error:
            raise SqlError("the scratch server cannot follow: " + error)
    raise SqlError("the scratch server does not reach %s in %d s" % (gtid, seconds))
