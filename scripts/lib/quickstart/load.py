# SPDX-License-Identifier: Apache-2.0
# Loads the catalogue into the primary, all tables at once, and waits until the replicas have it.
import os

from servers import Session, quote, together

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "catalogue.sql")


def create(socket):
    session = Session("db0", socket)
    with open(SCHEMA, encoding="utf-8") as f:
        text = "\n".join(line for line in f.read().split("\n") if not line.startswith("--"))
    for statement in text.split(";\n"):
        if statement.strip():
            session.query(statement)
    session.close()


def load_table(socket, name, path, columns):
    session = Session("db0", socket, "catalogue")
    session.query("SET SESSION foreign_key_checks=0, unique_checks=0")
    # In one call: a later statement makes the server forget its warnings.
    warnings = session.rows("LOAD DATA LOCAL INFILE %s INTO TABLE %s CHARACTER SET utf8mb4 (%s);\nSHOW WARNINGS LIMIT 1" % (
        quote(path), name, columns))
    rows = int(session.value("SELECT COUNT(*) FROM " + name))
    session.close()
    if warnings:
        raise RuntimeError("loading %s: %s" % (name, warnings[0][2]))
    return rows


def load(socket, tables):
    """`tables` as catalogue.write gives it. Returns the rows in all tables; fewer than written is an error."""
    create(socket)
    names = sorted(tables, key=lambda n: -os.path.getsize(tables[n][0]))
    counts = together([lambda n=n: load_table(socket, n, *tables[n][:2]) for n in names])
    for name, count in zip(names, counts):
        if count != tables[name][2]:
            raise RuntimeError("table %s holds %d of %d rows" % (name, count, tables[name][2]))
    return sum(counts)
