# SPDX-License-Identifier: Apache-2.0
"""A dump split over replicas: how evenly the work spreads, and what the splitting costs."""
import json
import os
import time

from bench import Peer, process_cpu
from dump_data import fill
from harness import Cluster
from machine import process_stat


def options(parser):
    parser.add_argument("--megabytes", type=int, default=512, metavar="N", help="of SQL text in the table (default 512)")


def with_children(pid):
    fields = process_stat(pid)
    return process_cpu(pid) + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


class Dumps:
    def __init__(self, cluster):
        self.cluster = cluster

    def cpu(self):
        """Of the servers, and of the agents with the programs that they ran."""
        c = self.cluster
        return (sum(process_cpu(c.pid("server%d" % i)) for i in range(1, c.replicas + 1)) +
                sum(with_children(c.pid("agent%d" % i)) for i in range(1, c.replicas + 1)))

    def dump(self, replicas):
        def work():
            c = self.cluster
            before, start = self.cpu(), time.monotonic()
            task = c.submit("dump", "--database", "text", "--replicas", str(replicas), "--", "--threads=1")
            c.expect_state(task, "done", 1800)
            seconds = time.monotonic() - start
            time.sleep(1)  # the last helper's time reaches its agent
            path = c.siding("result", "path", task)
            with open(os.path.join(path if isinstance(path, str) else path["path"], "manifest.json"), encoding="utf-8") as f:
                files = json.load(f)["files"]
            shards = {}
            for f in files:
                shards[f.get("shard", 0)] = shards.get(f.get("shard", 0), 0) + f["bytes"]
            run = c.last_run(task)
            return {"seconds": seconds, "cpu": self.cpu() - before, "spread": max(shards.values()) * len(shards) / sum(shards.values()),
                    "shards": len(shards), "frozen_s": stamp(run["resumed_at"]) - stamp(run["frozen_at"])}
        return work


def stamp(text):
    whole, _, rest = text.rstrip("Z").partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (rest or "0"))


def main(bench):
    megabytes = 16 if bench.quick else bench.options.megabytes
    with Cluster(4, bench.options.flavor) as cluster:
        for i in range(5):
            cluster.sql("db%d" % i, "SET GLOBAL innodb_buffer_pool_size = %d" % max(1 << 28, megabytes * 2 << 20))
        bench.say("# filling a table with %d MB on a primary and four replicas" % megabytes)
        fill(cluster.socket("db0"), "text", "text", megabytes)
        cluster.expect_caught_up(1800)
        dumps = Dumps(cluster)
        peers = [Peer("%d replica%s" % (n, "s" if n > 1 else ""), dumps.dump(n)) for n in (1, 2, 4)]
        c = bench.compare("dump of %d MB, one thread a replica" % megabytes, peers)
        for p in peers:
            bench.say("  %-11s frozen for %5.1f s, most of a shard over the mean %.2f" % (p.name, p.median("frozen_s"), p.median("spread")))
        for p in peers[1:]:
            bench.target("%s: most of a shard over the mean" % p.name, p.median("spread"), at_most=1.1)
            bench.target("%s: CPU over that of one" % p.name, p.median("cpu") / c.base.median("cpu"), at_most=1.05)
