# SPDX-License-Identifier: Apache-2.0
"""Full reindex side by side: siding-index, a script with sort, Sphinx's indexer; peak memory as set."""
import os
import shutil
import subprocess
import sys

from bench import Peer
from dump_data import fill
from harness import BUILD, Cluster

sys.dont_write_bytecode = True
MEMORY_MB = 256
DEFINITION = """
name = "bench"; kind = "index"; on = "replica"; upload = "swap";
index = {
  target = "text.word"; key = "id"; on_change = "discard";
  fields = ( { name = "title"; query = "SELECT id AS `key`, title AS text FROM text.article"; },
             { name = "body"; query = "SELECT id AS `key`, body AS text FROM text.article"; } );
};
"""
SPHINX = """
source articles {
  type = mysql
  sql_host = localhost
  sql_user = bench
  sql_pass = bench
  sql_sock = %s
  sql_db = text
  sql_query = SELECT id, title, body FROM article
}
index articles {
  source = articles
  path = %s/articles
}
indexer { mem_limit = %dM }
"""
# What a person would write in an afternoon: words of each record counted, sorted outside memory.
SCRIPT = r"""
import collections, re, sys, unicodedata
word = re.compile(r"\w+")
def fold(text):
    if text.isascii():
        return text.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", text).casefold() if not unicodedata.combining(c))
out = sys.stdout.write
for line in sys.stdin:
    key, *texts = line.rstrip("\n").split("\t")
    for field, text in enumerate(texts, 1):
        for term, n in collections.Counter(word.findall(fold(text))).items():
            out("%s\t%s\t%d\t%d\n" % (term, key, field, n))
"""


def options(parser):
    parser.add_argument("--megabytes", type=int, default=1024, metavar="N", help="of SQL text in the table (default 1024)")
    parser.add_argument("--script-megabytes", type=int, default=64, metavar="N",
                        help="of a second, smaller table that the slow script is compared on; 0: not at all (default 64)")


class Place:
    def __init__(self, cluster):
        self.cluster, self.socket = cluster, cluster.socket("db0")
        self.folder = os.path.join(cluster.folder, "out")
        self.files = os.path.join(cluster.folder, "files")
        os.mkdir(self.files)

    def path(self, name, text):
        path = os.path.join(self.files, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def clear(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.mkdir(self.folder)

    def peer(self, name, command, most=None, shell=False):
        command = ["bash", "-c", "set -o pipefail; " + command] if shell else command
        script = ("import json, resource, subprocess, sys; r = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
                  "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(json.dumps({'client_cpu': u.ru_utime + u.ru_stime, 'memory_mb': u.ru_maxrss / 1024}));"
                  "sys.exit(r)")

        def work():
            done = subprocess.run([sys.executable, "-c", script, *command], check=True, text=True, stdout=subprocess.PIPE)
            figures = eval(done.stdout, {"__builtins__": {}})  # our own line of numbers
            figures["bytes"] = sum(os.path.getsize(os.path.join(w, f)) for w, _, names in os.walk(self.folder) for f in names)
            return figures
        return Peer(name, work, self.clear, lambda: [self.cluster.pid("server0")], most)


def main(bench):
    missing = [p for p in ("indexer", "pigz") if not shutil.which(p)]
    if missing:
        sys.exit("bench: missing: %s (apt-get install --no-install-recommends sphinxsearch pigz)" % ", ".join(missing))
    megabytes = 16 if bench.quick else bench.options.megabytes
    with Cluster(0, bench.options.flavor, servers_only=True) as cluster:
        cluster.sql("db0", "SET GLOBAL innodb_buffer_pool_size = %d, GLOBAL innodb_flush_log_at_trx_commit = 0, GLOBAL sync_binlog = 0"
                    % max(1 << 28, megabytes * 3 << 20))
        place = Place(cluster)
        cluster.sql("db0", "CREATE USER bench@localhost IDENTIFIED BY 'bench'; GRANT SELECT ON text.* TO bench@localhost")
        compare(bench, place, megabytes, script=False)
        if bench.options.script_megabytes:
            compare(bench, place, 4 if bench.quick else bench.options.script_megabytes, script=True)


def compare(bench, place, megabytes, script):
    bench.say("# filling a table with %d MB" % megabytes)
    place.cluster.sql("db0", "DROP DATABASE IF EXISTS text", within_s=300)
    fill(place.socket, "text", "text", megabytes)
    text = int(place.cluster.value("db0", "SELECT SUM(LENGTH(title) + LENGTH(body)) FROM text.article", within_s=600)) / 1e6
    definition = place.path("bench.conf", DEFINITION)
    sphinx = place.path("sphinx.conf", SPHINX % (place.socket, place.folder, MEMORY_MB))
    program = place.path("script.py", SCRIPT)

    def ours(*more):
        return [os.path.join(BUILD, "siding-index"), "-f", definition, "-o", place.folder, "-S", place.socket, "-u", "root",
                "-m", "%dM" % MEMORY_MB, *more]
    by_script = ("mariadb --no-defaults -S %s -qBN -e 'SELECT id, title, body FROM text.article' | %s %s | LC_ALL=C sort -S %dM -T %s "
                 "| pigz -1 >%s/words.tsv.gz" % (place.socket, sys.executable, program, MEMORY_MB, place.folder, place.folder))
    peers = [place.peer("siding-index", ours()), place.peer("siding-index, hitlist", ours("--layout", "hitlist"))]
    if script:
        peers.append(place.peer("script and sort", by_script, 1, shell=True))
    else:
        peers.append(place.peer("Sphinx's indexer", ["indexer", "--config", sphinx, "--quiet", "articles"]))
    c = bench.compare("index of %.0f MB of text" % text, peers, "siding-index")
    for p in peers:
        bench.say("  %-22s client CPU %6.1f s, %5.2f MB of text a second of it, peak %4.0f MB, result %5.0f MB" % (
            p.name, p.median("client_cpu"), text / p.median("client_cpu"), p.median("memory_mb"), p.median("bytes") / 2**20))
    for p in peers[2:]:
        bench.target("wall time of %s over ours" % p.name, c.ratio(p.name))
        bench.target("client CPU of %s over ours" % p.name, p.median("client_cpu") / peers[0].median("client_cpu"))
    bench.target("peak memory in MB, set to %d" % MEMORY_MB, max(peers[0].figures("memory_mb") + peers[1].figures("memory_mb")),
                 at_most=MEMORY_MB)
