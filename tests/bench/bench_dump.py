# SPDX-License-Identifier: Apache-2.0
"""Dumps and restores side by side: siding-dump, mydumper, mariadb-dump with gzip and pigz; memory by size of rows."""
import os
import resource
import shutil
import subprocess
import sys

from bench import Peer
from dump_data import fill
from harness import BUILD, Cluster
from machine import mysql_program

sys.dont_write_bytecode = True
THREADS = str(len(os.sched_getaffinity(0)))


def options(parser):
    parser.add_argument("--megabytes", type=int, default=1024, metavar="N", help="SQL text of each table (default 1024)")
    parser.add_argument("--kind", action="append", choices=("text", "digits"), help="only this table")
    parser.add_argument("--no-dump", action="store_true", help="without dumps")
    parser.add_argument("--no-restore", action="store_true", help="without restores")
    parser.add_argument("--no-memory", action="store_true", help="without the peak memory of dumps by size of rows")


class Place:
    """A folder for output, and the server's figures."""

    def __init__(self, cluster, database):
        self.cluster, self.database, self.folder = cluster, database, os.path.join(cluster.folder, "out")
        self.socket = cluster.socket("db0")

    def clear(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.mkdir(self.folder)

    def size(self):
        return sum(os.path.getsize(os.path.join(w, f)) for w, _, names in os.walk(self.folder) for f in names)

    def peer(self, name, command, shell=False):
        def work():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(["bash", "-c", "set -o pipefail; " + command] if shell else command, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            client = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            return {"client_cpu": client, "bytes": self.size()}
        return Peer(name, work, self.clear, lambda: [self.cluster.pid("server0")])

    def dump(self, *more):
        return [os.path.join(BUILD, "siding-dump"), "-S", self.socket, "-B", self.database, "-t", THREADS,
                "-o", self.folder, *more]

    def client_dump(self):
        """MariaDB's mariadb-dump, or the mysqldump beside the MySQL server."""
        return "mariadb-dump" if self.cluster.flavor == "mariadb" else mysql_program("mysqldump")

    def mydumper(self, *more):
        return ["mydumper", "-S", self.socket, "-B", self.database, "-t", THREADS, "-r", "200000", "-o", self.folder, *more]


def need(programs):
    missing = [p for p in programs if not shutil.which(p)]
    if missing:
        sys.exit("bench: missing: %s (apt-get install --no-install-recommends mydumper pigz)" % ", ".join(missing))


def igzip_seconds(place):
    """CPU seconds of the compressor alone, as the difference between a dump with and without it."""
    figures = []
    for codec in ("gzip", "none"):
        peer = place.peer(codec, place.dump("--compress", codec))
        figures.append(min(peer.measure()["client_cpu"] for _ in range(2)))
    return figures[0] - figures[1]


def dumps(bench, place, kind):
    plain = place.client_dump()
    pipe = "%s --no-defaults -S %s %s | %%s > %s/dump.gz" % (plain, place.socket, place.database, place.folder)
    name = os.path.basename(plain)
    peers = [place.peer("siding-dump", place.dump()),
             place.peer("siding-dump --verify", place.dump("--verify")),
             place.peer("mydumper -c", place.mydumper("-c")),
             place.peer("mydumper, uncompressed", place.mydumper()),
             place.peer(name + " | pigz -1", pipe % "pigz -1", shell=True),
             place.peer(name + " | gzip", pipe % "gzip", shell=True)]
    c = bench.compare("dump, " + kind, peers, "siding-dump")
    for p in peers:
        bench.say("  %-24s client CPU %6.2f s, %5.0f MB, %.2f : 1" % (
            p.name, p.median("client_cpu"), p.median("bytes") / 2**20,
            c.peer("mydumper, uncompressed").median("bytes") / p.median("bytes")))
    targets(bench, c, kind, name, igzip_seconds(place))


def targets(bench, c, kind, plain, igzip):
    ours, verified = c.peer("siding-dump"), c.peer("siding-dump --verify")
    least = 2.2 if kind == "text" else None
    for name in ("mydumper -c", plain + " | pigz -1", plain + " | gzip"):
        bench.target("%s: wall time of %s over ours" % (kind, name), c.ratio(name),
                     at_least=5 if kind == "digits" and name == "mydumper -c" else least)
    bench.target("%s: our client CPU over mydumper -c's" % kind,
                 ours.median("client_cpu") / c.peer("mydumper -c").median("client_cpu"), at_most=1 / 3)
    bound = c.peer("mydumper, uncompressed").median() + igzip / int(THREADS)
    bench.say("bound: %.2f s of uncompressed mydumper, and %.2f s of igzip's CPU on %s processors: %.2f s" % (
        c.peer("mydumper, uncompressed").median(), igzip, THREADS, bound))
    bench.target("%s: our wall time over the bound" % kind, ours.median() / bound, at_most=1.25 if kind == "text" else None)
    bench.target("%s: our output over pigz -1's" % kind,
                 ours.median("bytes") / c.peer(plain + " | pigz -1").median("bytes"), at_most=1)
    bench.target("%s: our output over gzip -6's" % kind,
                 ours.median("bytes") / c.peer(plain + " | gzip").median("bytes"))
    bench.target("%s: what --verify costs, of a dump without" % kind, verified.median() / ours.median() - 1, at_most=0.3)


def restores(bench, place, kind):
    shutil.rmtree(place.folder + "-dump", ignore_errors=True)
    place.clear()
    subprocess.run(place.dump(), check=True, stdout=subprocess.DEVNULL)
    os.rename(place.folder, place.folder + "-dump")

    def empty():
        place.clear()
        place.cluster.sql("db0", "DROP DATABASE IF EXISTS %s" % place.database, within_s=300)
    ours = place.peer("siding-restore", [os.path.join(BUILD, "siding-restore"), "-S", place.socket, "-t", THREADS,
                                         "--no-verify", place.folder + "-dump"])
    theirs = place.peer("myloader", ["myloader", "-S", place.socket, "-t", THREADS, "-e", "-d", place.folder + "-dump"])
    ours.prepare = theirs.prepare = empty
    c = bench.compare("restore, " + kind, [ours, theirs])
    bench.target("%s: wall time of myloader over our restore" % kind, c.ratio("myloader"), at_least=1.3)


def memory(bench, place):
    """Peak memory of a dump of about 128 MB in rows of different sizes."""
    for size in (10, 1000, 100000, 10 << 20, 64 << 20):
        rows = max(2, min(1000000, (16 if bench.quick else 128) << 20) // size)
        place.cluster.sql("db0", "SET GLOBAL max_allowed_packet = 1 << 30")
        place.cluster.sql("db0", """DROP DATABASE IF EXISTS sizes; CREATE DATABASE sizes; USE sizes; CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY,
            b LONGBLOB); CREATE TABLE d (n INT PRIMARY KEY); INSERT INTO d VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
            INSERT INTO t (b) SELECT REPEAT('x', %d) FROM d a, d b, d c, d d, d e, d f LIMIT %d""" % (size, rows), within_s=600)
        other = Place(place.cluster, "sizes")
        other.clear()
        script = ("import resource, subprocess, sys; r = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL);"
                  "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(r)")
        used = int(subprocess.run([sys.executable, "-c", script, *other.dump("--memory", "64M")], check=True, text=True,
                                  stdout=subprocess.PIPE).stdout)
        bench.target("memory in MB with rows of %d bytes, set to 64" % size, used / 1024, at_most=64)
    place.cluster.sql("db0", "DROP DATABASE sizes", within_s=300)


def main(bench):
    need(["mydumper", "myloader", "pigz", "mariadb-dump"])
    megabytes = 16 if bench.quick else bench.options.megabytes
    with Cluster(0, bench.options.flavor, servers_only=True) as cluster:
        cluster.sql("db0", "SET GLOBAL innodb_buffer_pool_size = %d, GLOBAL innodb_flush_log_at_trx_commit = 0, GLOBAL sync_binlog = 0"
                    % max(1 << 28, megabytes * 3 << 20))
        for kind in bench.options.kind or ("text", "digits"):
            bench.say("# filling a table with %d MB of %s" % (megabytes, kind))
            place = Place(cluster, kind)
            fill(place.socket, kind, kind, megabytes)
            if not bench.options.no_dump:
                dumps(bench, place, kind)
            if not bench.options.no_restore:
                restores(bench, place, kind)
            cluster.sql("db0", "DROP DATABASE IF EXISTS %s" % kind, within_s=300)
        if not bench.options.no_memory:
            memory(bench, place)
