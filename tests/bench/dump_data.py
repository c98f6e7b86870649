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


def vocabulary(r, n=20000):
    """Words of letters as frequent as in English, short ones more often; a word's weight falls with its rank."""
    weights = [1 / (i + 2) for i in range(len(LETTERS))]
    words = set()
    while len(words) < n:
        words.add("".join(r.choices(LETTERS, weights, k=min(12, 2 + int(r.expovariate(0.28))))))
    words = sorted(words)
    r.shuffle(words)
    words.sort(key=lambda w: len(w) + r.random() * 6)
    return words, list(itertools.accumulate(1 / (i + 2.7) for i in range(n)))


def articles(r):
    words, weights = vocabulary(r)
    people = [" ".join(r.choices(words[200:], k=2)).title() for _ in range(3000)]
    for i in itertools.count(1):
        if i % 1000 == 1:
            pool = iter(r.choices(words, cum_weights=weights, k=26000))
        title = " ".join(itertools.islice(pool, 3 + i % 4)).capitalize()
        body = " ".join(itertools.islice(pool, 10 + i * 7 % 9)) + "."
        yield "%d\t%s\t%s\t%s\t%.2f\t%d\t2026-%02d-%02d %02d:%02d:%02d\n" % (
            i * 3, title, body, people[int(r.random() ** 2 * 3000)], r.random() * 200, r.randrange(100000),
            1 + i % 12, 1 + i // 7 % 28, i % 24, i % 60, i * 7 % 60)


def digits(r):
    for i in itertools.count(1):
        yield "%d\t%0100d\t%0100d\n" % (i, r.randrange(10 ** 100), r.randrange(10 ** 100))


def main():
    socket, database, kind, megabytes = sys.argv[1:5]
    r = random.Random(int(sys.argv[5]) if len(sys.argv) > 5 else 1)
    table, create, rows = {"text": ("article", TEXT, articles), "digits": ("digits", DIGITS, digits)}[kind]
    client = subprocess.Popen(["mariadb", "--no-defaults", "--local-infile=1", "-S", socket, "-e",
                               "CREATE DATABASE IF NOT EXISTS %s; USE %s; %s; LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE %s"
                               % (database, database, create, table)], stdin=subprocess.PIPE)
    left = int(megabytes) << 20
    for chunk in iter(lambda i=rows(r): "".join(itertools.islice(i, 2000)), ""):
        client.stdin.write(chunk.encode())
        left -= len(chunk) + 2000 * (11 if kind == "text" else 7)
        if left <= 0:
            break
    client.stdin.close()
    sys.exit(client.wait())


if __name__ == "__main__":
    main()
