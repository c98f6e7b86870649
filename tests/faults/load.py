# SPDX-License-Identifier: Apache-2.0
"""Live load whose truth is known: transfers between accounts whose sum never changes, each with a token and, once
acknowledged, its GTID, so that of any GTID it can be said which tokens must be there; and notes to be indexed."""
import itertools
import random
import threading
import time
import zlib

from harness import Session
from machine import Failed

ACCOUNTS, START, NOTES, BULK = 100, 1000, 3000, 6000
TOTALS = 20000  # rows that an append loads
TOTAL = ACCOUNTS * START
WORDS = ("amber birch cedar delta ember fjord grove heron inlet jetty knoll larch maple north ocean pearl quill reed "
         "spruce tidal umber vale willow yarrow").split()

SCHEMA = """
CREATE DATABASE town CHARACTER SET utf8mb4;
USE town;
CREATE TABLE account (id INT PRIMARY KEY, balance BIGINT NOT NULL) ENGINE=InnoDB;
CREATE TABLE transfer (token VARCHAR(20) CHARACTER SET ascii PRIMARY KEY, payer INT NOT NULL, payee INT NOT NULL, amount INT NOT NULL) ENGINE=InnoDB;
CREATE TABLE note (id INT PRIMARY KEY, body VARCHAR(200) NOT NULL, changed_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
  ON UPDATE CURRENT_TIMESTAMP(3), KEY (changed_at)) ENGINE=InnoDB;
CREATE TABLE deleted_note (id INT PRIMARY KEY, deleted_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)) ENGINE=InnoDB;
CREATE TRIGGER note_deleted AFTER DELETE ON note FOR EACH ROW
  INSERT INTO deleted_note (id) VALUES (OLD.id) ON DUPLICATE KEY UPDATE deleted_at = CURRENT_TIMESTAMP(3);
CREATE TABLE bulk (id INT PRIMARY KEY, v BIGINT NOT NULL) ENGINE=InnoDB;
CREATE TABLE totals (id BIGINT AUTO_INCREMENT PRIMARY KEY, run VARCHAR(20) NOT NULL, n INT NOT NULL, total BIGINT NOT NULL,
  transfers BIGINT NOT NULL, KEY (run)) ENGINE=InnoDB;
"""
# One replica filters this table, with its making.
SCRATCH = "CREATE DATABASE scratch; CREATE TABLE scratch.pad (id BIGINT AUTO_INCREMENT PRIMARY KEY, token VARCHAR(20)) ENGINE=InnoDB"


# By which a replica receives when an operator has made its connection anew.
EAST = "CREATE USER east IDENTIFIED BY 'p'; GRANT REPLICATION SLAVE ON *.* TO east"


def fill(cluster):
    def rows(of, count):
        return ",".join(of(i) for i in range(1, count + 1))
    cluster.sql("db0", SCHEMA)
    cluster.sql("db0", SCRATCH)
    cluster.sql("db0", EAST)
    cluster.sql("db0", "INSERT INTO account VALUES " + rows(lambda i: "(%d,%d)" % (i, START), ACCOUNTS), database="town")
    cluster.sql("db0", "INSERT INTO bulk VALUES " + rows(lambda i: "(%d,0)" % i, BULK), database="town")
    cluster.sql("db0", "INSERT INTO note (id, body) VALUES " + rows(
        lambda i: "(%d,'%s %s start')" % (i, WORDS[i % 24], WORDS[i // 24 % 24]), NOTES), database="town")


def word_of(number):
    """A word of its own for each number."""
    letters = ""
    while number:
        number, digit = divmod(number, 26)
        letters += chr(97 + digit)
    return "zz" + letters


class Load:
    """Threads that write until stop(). `seen`: {token: (least, most)} of what was acknowledged: between them lies the
    sequence number of its GTID."""
    prefixes = itertools.count(1)

    def __init__(self, cluster, rate=120, threads=3):
        self.cluster, self.pause_s = cluster, threads / rate
        self.seen, self.tried, self.on = {}, set(), True
        self.threads = [threading.Thread(target=self.work, args=(i,), daemon=True) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def work(self, number):
        dice = random.Random(number)
        prefix = "t%x-%d-" % (int(time.time() * 1000), next(self.prefixes))
        session, count = None, 0
        while self.on:
            count += 1
            token = "%s%d" % (prefix, count)
            try:
                session = session or Session(self.cluster.socket("db0"))
                self.tried.add(token)
                rows = session.sql(self.transaction(dice, token, count), within_s=20)
                self.seen[token] = self.cluster.dialect.bounds(rows)
            except (Failed, OSError, IndexError, ValueError, TypeError):
                if session:
                    session.close()
                session = None
                time.sleep(0.2)
            time.sleep(self.pause_s * dice.uniform(0.2, 1.8))
        if session:
            session.close()

    def transaction(self, dice, token, count):
        payer, payee = dice.sample(range(1, ACCOUNTS + 1), 2)
        amount, note = dice.randint(1, 50), dice.randint(1, NOTES)
        words = "%s %s %s" % (dice.choice(WORDS), dice.choice(WORDS), word_of(zlib.crc32(token.encode())))
        statements = ["BEGIN", "UPDATE town.account SET balance = balance + IF(id = %d, -%d, %d) WHERE id IN (%d, %d)"
                      % (payer, amount, amount, payer, payee),
                      "INSERT INTO town.transfer VALUES ('%s', %d, %d, %d)" % (token, payer, payee, amount)]
        if dice.random() < 0.05:
            statements.append("DELETE FROM town.note WHERE id = %d" % note)
        else:
            statements.append("INSERT INTO town.note (id, body) VALUES (%d, '%s') ON DUPLICATE KEY UPDATE body = VALUES(body)"
                              % (note, words))
        if count % 7 == 0:  # one replica filters these rows
            statements.append("INSERT INTO scratch.pad (token) VALUES ('%s')" % token)
        if count % 60 == 0:
            statements.append("UPDATE town.bulk SET v = v + 1")
        d = self.cluster.dialect
        return ";\n".join([d.gtid_before] * bool(d.gtid_before) + statements + ["COMMIT", d.gtid_after])

    def stop(self):
        self.on = False
        for thread in self.threads:
            thread.join(30)
