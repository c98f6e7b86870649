# SPDX-License-Identifier: Apache-2.0
"""A small library to index, and siding-index and siding-load run as a user would from a shell."""
import gzip
import hashlib
import itertools
import json
import os
import subprocess
import zlib

from harness import BUILD
from machine import Failed, slack

WORDS = "river stone cloud forest engine harbor winter copper signal garden".split()
SCHEMA = """
CREATE DATABASE lib CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE TABLE lib.record (id INT UNSIGNED PRIMARY KEY AUTO_INCREMENT, title VARCHAR(200) NOT NULL, body TEXT,
  changed_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), KEY changed_at (changed_at));
CREATE TABLE lib.deleted_record (id INT UNSIGNED PRIMARY KEY, deleted_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3));
CREATE TRIGGER lib.record_deleted AFTER DELETE ON lib.record FOR EACH ROW INSERT INTO lib.deleted_record (id) VALUES (OLD.id);
CREATE DATABASE IF NOT EXISTS siding;
CREATE TABLE IF NOT EXISTS siding.ledger (run_id VARCHAR(40) NOT NULL, chunk VARCHAR(200) NOT NULL, row_count BIGINT NOT NULL,
  at DATETIME(3) NOT NULL, PRIMARY KEY (run_id, chunk)) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS siding.meta (name VARCHAR(40) PRIMARY KEY, value TEXT NOT NULL) ENGINE=InnoDB;
INSERT INTO siding.meta VALUES ('load_lock', 'secret of the tests') ON DUPLICATE KEY UPDATE value = VALUES(value);
"""
# What siding bootstrap grants.
SERVER_GRANTS = {"mariadb": {"load": "SLAVE MONITOR, BINLOG MONITOR, PROCESS", "job": "SLAVE MONITOR, BINLOG MONITOR"},
                 "mysql": {"load": "REPLICATION CLIENT, PROCESS", "job": "REPLICATION CLIENT, SHOW_ROUTINE"}}
ACCOUNTS = """
CREATE USER siding_load@localhost IDENTIFIED BY 'load'; CREATE USER siding_job@localhost IDENTIFIED BY 'job';
GRANT %(load)s ON *.* TO siding_load@localhost;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, SHOW VIEW, TRIGGER ON lib.* TO siding_load@localhost;
GRANT SELECT, INSERT, UPDATE, DELETE ON siding.ledger TO siding_load@localhost;
GRANT SELECT ON siding.meta TO siding_load@localhost;
GRANT %(job)s ON *.* TO siding_job@localhost;
GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON lib.* TO siding_job@localhost;
GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON catalogue.* TO siding_job@localhost;
"""
DEFINITION = """
name = "lib"; kind = "index"; upload = "swap";
index = { target = "lib.word_index"; key = "record";
  fields = ( { name = "title"; query = "SELECT id, title FROM lib.record"; },
             { name = "body"; query = "SELECT id, body FROM lib.record"; } );
  %s
};
"""
CHANGED = ('changed_since = "SELECT id FROM lib.record WHERE changed_at >= :frozen_at UNION SELECT id FROM '
           'lib.deleted_record WHERE deleted_at >= :frozen_at"; changed_margin = "%s"; on_change = "delta";')


def title(i):
    return "Title%d %s %s" % (i, WORDS[i % 10].capitalize(), WORDS[i // 10 % 10])


def fill(cluster, records):
    cluster.sql("db0", SCHEMA + ACCOUNTS % SERVER_GRANTS[cluster.flavor])
    values = ",".join("(%d, '%s', '%s and %s d''%s caf\u00e9')" % (
        i, title(i), WORDS[i * 7 % 10], WORDS[i * 3 % 10], WORDS[i % 7]) for i in range(1, records + 1))
    cluster.sql("db0", "INSERT INTO lib.record (id, title, body) VALUES " + values)
    cluster.expect_caught_up()


def definition(cluster, name="lib.conf", on_change=CHANGED % "1s", text=None):
    path = os.path.join(cluster.folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text or DEFINITION % on_change)
    return path


def at(cluster, node, account):
    """Options that connect as one of Siding's accounts."""
    path = os.path.join(cluster.folder, account + ".cnf")
    if not os.path.exists(path):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as f:
            f.write("[client]\nuser=siding_%s\npassword=%s\n" % (account, account))
    return ["--defaults-file", path, "--socket", cluster.socket(node)]


def start(program, *args, env=None, **keywords):
    return subprocess.Popen([os.path.join(BUILD, program), *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=dict(os.environ, **(env or {})), **keywords)


def run(program, *args, status=0, env=None, within_s=120):
    """Runs it to its end: stdout, or stderr where a failure is expected."""
    process = start(program, *args, env=env)
    out, err = process.communicate(timeout=within_s * slack())
    if process.returncode != status:
        raise Failed("%s %s: exit %d, not %d\n%s%s" % (program, " ".join(args), process.returncode, status, out, err))
    return err if status else out


def index(cluster, node, output, conf, *options, status=0, env=None):
    return run("siding-index", "--definition", conf, "--output", output, *at(cluster, node, "job"), *options, status=status,
               env=env)


def load(cluster, folder, run_id, *options, status=0):
    return run("siding-load", "--manifest", folder, "--run", run_id, "--json", *at(cluster, "db0", "load"), *options,
               status=status)


def plain_result(folder, lines, mode="append", columns=("id", "word"), target="lib.plain", **upload):
    """A result as a command job would leave it."""
    files, sums, per = [], "", 1000
    for part in range(0, len(lines), per):
        name = "lib.plain.%05d.tsv.gz" % (part // per)
        raw = "".join(lines[part:part + per]).encode()
        packed = gzip.compress(raw)
        with open(os.path.join(folder, name), "wb") as f:
            f.write(packed)
        sha = hashlib.sha256(packed).hexdigest()
        sums += "%s  %s\n" % (sha, name)
        files.append({"name": name, "rows": len(lines[part:part + per]), "bytes": len(raw), "compressed_bytes": len(packed),
                      "sha256": sha})
    upload = {"mode": mode, "target": target, "columns": list(columns), **upload}
    with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as f:
        json.dump({"run": "9.1", "files": files, "upload": upload}, f)
    with open(os.path.join(folder, "SHA256SUMS"), "w", encoding="utf-8") as f:
        f.write(sums)


def manifest(folder):
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as f:
        return json.load(f)


def rows(folder):
    """All rows of a result of layout postings, as tuples (term, record, field, frequency[, positions])."""
    found = []
    for name in sorted(n for n in os.listdir(folder) if n.endswith(".tsv.gz")):
        with gzip.open(os.path.join(folder, name), "rt", encoding="utf-8") as f:
            for line in f:
                term, record, field, frequency, *positions = line.rstrip("\n").split("\t")
                found.append((term, int(record), int(field), int(frequency), *positions))
    return found


def decode(hits, record, positions=False):
    """Entries (record, field, frequency, positions) of a row of layout hitlist; `record` is its `first`."""
    data, i = zlib.decompress(hits[4:]), 0

    def number():
        nonlocal i
        n = shift = 0
        while True:
            i, n, shift = i + 1, n | (data[i] & 127) << shift, shift + 7
            if data[i - 1] < 128:
                return n
    while i < len(data):
        record, field, frequency = record + number(), number(), number()
        steps = [number() for _ in range(min(frequency, 16384) if positions else 0)]
        yield record, field, frequency, list(itertools.accumulate(steps))


def records_with(cluster, term, node="db0"):
    return {int(r[0]) for r in cluster.sql(node, "SELECT record FROM lib.word_index WHERE term = '%s'" % term)}
