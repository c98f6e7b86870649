#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Data to measure dumps with: dump_data.py SOCKET DATABASE KIND MEGABYTES [SEED].
text: a table of articles, realistic words and numbers, gzip makes about a third of it; digits: random digits, about half.
MEGABYTES is the size as SQL text, about. The same seed gives the same rows."""
import itertools
import random
import subprocess
import sys

LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
TEXT = """CREATE TABLE article (id BIGINT NOT NULL PRIMARY KEY, title VARCHAR(120) NOT NULL, body TEXT NOT NULL,
    author VARCHAR(40), price DECIMAL(10,2), views INT UNSIGNED NOT NULL, created DATETIME NOT NULL) ENGINE=InnoDB"""
DIGITS = "CREATE TABLE digits (id BIGINT NOT NULL PRIMARY KEY, a VARCHAR(100) NOT NULL, b VARCHAR(100) NOT NULL) ENGINE=InnoDB"


def vocabulary(r, n=8000):
    """Words of letters as frequent as in English, short ones more often; a word's weight falls with its rank."""
    weights = [1 / (i + 2) for i in range(len(LETTERS))]
    words = set()
    while len(words) < n:
        words.add("".join(r.choices(LETTERS, weights, k=min(12, 2 + int(r.expovariate(0.28))))))
    words = sorted(words)
    r.shuffle(words)
    words.sort(key=lambda w: len(w) + r.random() * 6)
    return words, list(itertools.accumulate(1 / (i + 2.7) for i in range(n)))


def phrases(r, n=3000):
    """Words that go together, as they do in a text: what a compressor finds again."""
    words, weights = vocabulary(r)
    texts = [" ".join(r.choices(words, cum_weights=weights, k=2 + i % 4)) for i in range(n)]
    return texts, list(itertools.accumulate(1 / (i + 30) for i in range(n)))


def articles(r):
    texts, weights = phrases(r)
    people = [t.title()[:40] for t in texts[:900]]
    for i in itertools.count(1):
        if i % 1000 == 1:
            pool = iter(r.choices(texts, cum_weights=weights, k=10000))
        title = " ".join(itertools.islice(pool, 1 + i % 2)).capitalize()
        body = " ".join(itertools.islice(pool, 4 + i * 7 % 4)) + "."
        yield "%d\t%s\t%s\t%s\t%.2f\t%d\t2026-%02d-%02d %02d:%02d:00\n" % (
            i * 3, title, body, people[int(r.random() ** 2 * 900)], r.randrange(400) / 4, r.randrange(1000),
            1 + i // 30 % 12, 1 + i // 7 % 28, i % 24, i % 60)


def digits(r):
    for i in itertools.count(1):
        yield "%d\t%0100d\t%0100d\n" % (i, r.randrange(10 ** 100), r.randrange(10 ** 100))


KINDS = {"text": ("article", TEXT, articles), "digits": ("digits", DIGITS, digits)}


ORIGINAL_MB = 64  # what follows are copies with keys of their own: far beyond what a compressor looks back


def client(socket, statements, **keywords):
    return subprocess.Popen(["mariadb", "--no-defaults", "--local-infile=1", "-S", socket, "-e", statements], **keywords)


def fill(socket, database, kind, megabytes, seed=1):
    table, create, rows = KINDS[kind]
    load = client(socket, "CREATE DATABASE IF NOT EXISTS %s; USE %s; %s; LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE %s"
                  % (database, database, create, table), stdin=subprocess.PIPE)
    size, source = min(megabytes, ORIGINAL_MB), rows(random.Random(seed))
    left = size << 20
    while left > 0:
        chunk = "".join(itertools.islice(source, 2000))
        load.stdin.write(chunk.encode())
        left -= len(chunk) + 2000 * (11 if kind == "text" else 7)
    load.stdin.close()
    others = {"text": "title, body, author, price, views, created", "digits": "a, b"}[kind]
    copies = "".join("INSERT INTO %s.%s SELECT id + %d, %s FROM %s.%s WHERE id < 10000000;"
                     % (database, table, i * 10000000, others, database, table) for i in range(1, megabytes // size))
    if load.wait() or client(socket, copies + "ANALYZE TABLE %s.%s" % (database, table), stdout=subprocess.DEVNULL).wait():
        sys.exit("%s.%s could not be filled" % (database, table))


if __name__ == "__main__":
    fill(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), *map(int, sys.argv[5:6]))
