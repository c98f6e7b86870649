# SPDX-License-Identifier: Apache-2.0
"""Loading a result: siding-load against one LOAD DATA of the same rows, and short transactions beside both."""
import json
import os
import statistics
import subprocess
import threading
import time

from bench import Peer
from dump_data import fill
from harness import BUILD, Cluster

DEFINITION = """
name = "bench"; kind = "index"; on = "replica"; upload = "swap";
index = {
  target = "bench.word"; key = "id"; on_change = "discard";
  fields = ( { name = "body"; query = "SELECT id AS `key`, body AS text FROM text.article"; } );
};
"""
LEDGER = "CREATE DATABASE siding; CREATE TABLE siding.ledger (run_id VARCHAR(40) CHARACTER SET ascii NOT NULL, chunk VARCHAR(200) NOT NULL, " \
         "row_count BIGINT NOT NULL, at DATETIME(3) NOT NULL, PRIMARY KEY (run_id, chunk)); " \
         "CREATE TABLE siding.meta (name VARCHAR(40) PRIMARY KEY, value TEXT NOT NULL); " \
         "INSERT INTO siding.meta VALUES ('load_lock', 'secret of the bench')"


def options(parser):
    parser.add_argument("--megabytes", type=int, default=96, metavar="N", help="of SQL text that is indexed (default 96)")


class Short(threading.Thread):
    """Short transactions, one after the other: how long each took, in ms."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.session, self.over, self.ms = cluster.session("db0"), threading.Event(), []

    def run(self):
        i = 0
        while not self.over.wait(0.005):
            i += 1
            start = time.monotonic()
            self.session.sql("UPDATE bench.short SET n = n + 1 WHERE id = %d" % (i * 37 % 1000))
            self.ms.append((time.monotonic() - start) * 1000)

    def end(self):
        self.over.set()
        self.join()
        self.session.close()
        return statistics.quantiles(self.ms, n=100)[98] if len(self.ms) > 100 else max(self.ms)


class Loads:
    def __init__(self, bench, cluster):
        self.bench, self.cluster, self.socket = bench, cluster, cluster.socket("db0")
        self.folder, self.count = os.path.join(cluster.folder, "result"), 0

    def make(self):
        definition = os.path.join(self.cluster.folder, "bench.conf")
        with open(definition, "w", encoding="utf-8") as f:
            f.write(DEFINITION)
        subprocess.run([os.path.join(BUILD, "siding-index"), "-f", definition, "-o", self.folder, "-S", self.socket, "-u", "root"],
                       check=True, stderr=subprocess.DEVNULL)
        with open(os.path.join(self.folder, "manifest.json"), encoding="utf-8") as f:
            manifest = json.load(f)
        self.rows, self.create = manifest["upload"]["rows"], manifest["upload"]["create"]
        self.files = [os.path.join(self.folder, f["name"]) for f in manifest["files"] if ".tsv" in f["name"]]

    def clear(self):
        tables = self.cluster.sql("db0", "SELECT table_name FROM information_schema.tables WHERE table_schema = 'bench' AND table_name LIKE '%word%'")
        self.cluster.sql("db0", "DELETE FROM siding.ledger; " + "".join("DROP TABLE bench.`%s`;" % t for (t,) in tables), within_s=120)

    def beside(self, work):
        def timed():
            short, start = Short(self.cluster), time.monotonic()
            short.start()
            figures = work() or {}
            return {"seconds": time.monotonic() - start, **figures, "p99_ms": short.end()}
        return timed

    def siding(self):
        self.count += 1
        done = subprocess.run([os.path.join(BUILD, "siding-load"), "--manifest", self.folder, "--run", "%d.1" % self.count, "--json",
                               "-S", self.socket, "-u", "root"], check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return {"longest_ms": json.loads(done.stdout)["longest_transaction_ms"]}

    def load_data(self):
        table = self.create.split("(", 1)
        self.cluster.sql("db0", "CREATE TABLE bench.word (%s" % table[1], within_s=60)
        feed = subprocess.Popen(["zcat", *self.files], stdout=subprocess.PIPE)
        start = time.monotonic()
        subprocess.run(["mariadb", "--no-defaults", "--local-infile=1", "-S", self.socket, "-e",
                        "LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE bench.word CHARACTER SET utf8mb4"], stdin=feed.stdout, check=True)
        feed.wait()
        return {"longest_ms": (time.monotonic() - start) * 1000}


def main(bench):
    megabytes = 8 if bench.quick else bench.options.megabytes
    with Cluster(1, bench.options.flavor, servers_only=True) as cluster:
        cluster.sql("db0", "SET GLOBAL innodb_buffer_pool_size = 2147483648; CREATE DATABASE bench; CREATE TABLE bench.short (id INT PRIMARY KEY, n INT); "
                    "INSERT INTO bench.short VALUES " + ", ".join("(%d, 0)" % i for i in range(1, 1001)) + "; " + LEDGER)
        cluster.sql("db1", "SET GLOBAL innodb_buffer_pool_size = 2147483648")
        bench.say("# filling a table with %d MB and indexing it" % megabytes)
        fill(cluster.socket("db0"), "text", "text", megabytes)
        loads = Loads(bench, cluster)
        loads.make()
        cluster.sql("db0", "DROP DATABASE text", within_s=120)
        cluster.expect_caught_up(600)

        def ready():
            # The replica has a host of its own in real life: here it receives and acknowledges, and applies in between.
            cluster.sql("db1", "START REPLICA SQL_THREAD")
            loads.clear()
            cluster.expect_caught_up(600)
            cluster.sql("db1", "STOP REPLICA SQL_THREAD")
        pids = lambda: [cluster.pid("server0")]  # noqa: E731
        peers = [Peer("LOAD DATA, one transaction", loads.beside(loads.load_data), ready, pids),
                 Peer("siding-load", loads.beside(loads.siding), ready, pids),
                 Peer("nothing, 10 s", loads.beside(lambda: time.sleep(10)), ready, pids)]
        c = bench.compare("%d rows" % loads.rows, peers)
        for p in peers:
            longest = "%8.0f ms" % p.median("longest_ms") if p.figures("longest_ms") else "        --"
            bench.say("  %-28s %9.0f rows/s, longest transaction %s, p99 of short ones beside it %6.1f ms" % (
                p.name, 0 if p is peers[2] else loads.rows / p.median(), longest, p.median("p99_ms")))
        bench.target("rows a second of siding-load over LOAD DATA's", 1 / c.ratio("siding-load"), at_least=0.85)
        bench.say("  longest transactions of the runs: %s ms" % ", ".join("%d" % ms for ms in sorted(peers[1].figures("longest_ms"))))
        bench.target("longest transaction in ms, median of the runs", peers[1].median("longest_ms"), at_most=150)
        bench.target("p99 of short transactions beside siding-load over that beside nothing",
                     peers[1].median("p99_ms") / peers[2].median("p99_ms"))
