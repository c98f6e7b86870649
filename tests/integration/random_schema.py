# SPDX-License-Identifier: Apache-2.0
"""Schemas and rows from a seed: random names, types, keys, partitions, values at the edges of their types."""
import random

NAMES = ["a", "order", "sel`ect", "x y", "Größe", "a.b", "it's", 'say "so"', "tab\\le", "n-1", "d$", "漢字", "_", "A" * 60,
         "with/slash", "-schema", "semi;colon", "per%cent", "two  blanks"]
TEXTS = ["''", "' '", "'it''s'", r"'back\\slash'", r"'new\nline;\n'", "'tab\t'", r"'\0\Z'", "'é漢😀'", "'NULL'", r"'\\N'", "');'", "'0x41'",
         "REPEAT('ab\\\\', 300)"]
CHARSETS = ["utf8mb4", "latin1", "utf8mb3", "utf16", "ascii", "gbk"]


def whole(bits, signed):
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return lambda r: str(r.choice([low, high, 0, 1, r.randint(low, high)]))


def text(charset):
    def value(r):
        literal = r.choice(TEXTS)
        plain = all(ord(c) < 128 for c in literal)
        return literal if plain or charset.startswith("utf") and (charset != "utf8mb3" or "😀" not in literal) else "'plain'"
    return value


def binary(most):
    return lambda r: "x'%s'" % bytes(r.randrange(256) for _ in range(r.choice([0, 1, 2, most]))).hex()


def real(r):
    return r.choice(["0", "-0e0", "0.1", "1/3", "1e-30", "-3.4028234e38", "123456.789", "%r" % r.uniform(-1e6, 1e6)])


def types(r):
    """(type, value, whether it can stand in a key)"""
    charset = r.choice(CHARSETS)
    return r.choice([
        ("INT", whole(32, True), True), ("BIGINT UNSIGNED", whole(64, False), True), ("TINYINT", whole(8, True), True),
        ("MEDIUMINT(5) ZEROFILL", whole(24, False), True), ("DECIMAL(20,5)", lambda r: "%.5f" % r.uniform(-1e9, 1e9), True),
        ("DECIMAL(65,30)", lambda r: "%d.%030d" % (r.randrange(10 ** 35), r.randrange(10 ** 30)), True),
        ("FLOAT", real, False), ("DOUBLE", real, False), ("BIT(11)", lambda r: "b'%s'" % bin(r.randrange(2048))[2:], False),
        ("VARCHAR(400) CHARACTER SET " + charset, text(charset), True), ("CHAR(40) CHARACTER SET " + charset, lambda r: "'c%d'" % r.randrange(99), True),
        ("TEXT CHARACTER SET " + charset, text(charset), False), ("LONGTEXT", text("utf8mb4"), False),
        ("VARBINARY(60)", binary(60), True), ("BINARY(8)", binary(8), True), ("BLOB", binary(200), False), ("LONGBLOB", binary(5000), False),
        ("DATE", lambda r: "'%d-%02d-%02d'" % (r.randint(1000, 9999), r.randint(1, 12), r.randint(1, 28)), True),
        ("DATETIME(6)", lambda r: "'%d-01-02 03:04:05.%06d'" % (r.randint(1000, 9999), r.randrange(10 ** 6)), True),
        ("TIMESTAMP(3)", lambda r: "FROM_UNIXTIME(%d)" % r.randint(1, 2 ** 31 - 90000), True),
        ("TIME(2)", lambda r: "'%d:10:11.12'" % r.randint(-838, 838), True), ("YEAR", lambda r: str(r.randint(1901, 2155)), True),
        ("ENUM('x','it''s','')", lambda r: r.choice(["1", "2", "3"]), False), ("SET('a','b','c')", lambda r: str(r.randrange(8)), False),
        ("JSON", lambda r: r.choice(["'{}'", "'[1, \"é\", null]'", "'{\"a\": \"it\\\\\\\\n\"}'"]), False),
        ("POINT", lambda r: "POINT(%d, %r)" % (r.randrange(9), r.random()), False)])


def quoted(name):
    return "`%s`" % name.replace("`", "``")


def table(r, name):
    columns = [(n, *types(r), r.random() < 0.4) for n in r.sample(NAMES, r.randint(1, 9))]
    lines = ["%s %s %s" % (quoted(n), t, "NULL" if null else "NOT NULL") for n, t, _, _, null in columns]
    parts = [c for c in columns if c[3] and not c[4]][:r.randint(0, 3)]
    if parts:
        lines.append("%s (%s)" % (r.choice(["PRIMARY KEY", "PRIMARY KEY", "UNIQUE KEY"]), ", ".join(
            quoted(c[0]) + r.choice(["", "", " DESC"]) for c in parts)))
    if r.random() < 0.3:
        lines.append("%s INT AS (1 + 1) %s" % (quoted("made"), r.choice(["VIRTUAL", "STORED"])))
    sql = "CREATE TABLE %s (%s) CHARACTER SET utf8mb4;\n" % (quoted(name), ", ".join(lines))
    names = ", ".join(quoted(c[0]) for c in columns)
    for _ in range(r.choice([0, 1, 5, 60])):
        sql += "INSERT IGNORE INTO %s (%s) VALUES %s;\n" % (quoted(name), names, ", ".join(
            "(%s)" % ", ".join("NULL" if c[4] and r.random() < 0.2 else c[2](r) for c in columns) for _ in range(r.randint(1, 40))))
    return sql


def schema(database, seed):
    r = random.Random(seed)
    sql = "SET NAMES utf8mb4, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; DROP DATABASE IF EXISTS %s; CREATE DATABASE %s; USE %s;\n" % (
        (database,) * 3)
    for name in r.sample(NAMES, r.randint(3, 7)):
        sql += table(r, name)
    return sql
