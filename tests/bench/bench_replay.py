# SPDX-License-Identifier: Apache-2.0
"""Replaying a backlog: Siding's catch-up, the server's defaults, and settings tuned by hand."""
import contextlib
import os
import signal
import statistics
import threading
import time

import backlog
from bench import Peer
from machine import Failed, wait_until

ETA_FROM_S = 60  # with less, a tenth is over before every way could be tried for a moment

# What a person may set without giving up safety: never flush 0. Names of MariaDB and of MySQL.
RELAXED = {"innodb_flush_log_at_trx_commit": "2", "sync_binlog": "0"}
GRIDS = {
    "mariadb": {"relaxed, 0 threads": {"slave_parallel_threads": "0"},
                "relaxed, 2 optimistic": {"slave_parallel_threads": "2", "slave_parallel_mode": "optimistic"},
                "relaxed, 4 optimistic": {"slave_parallel_threads": "4", "slave_parallel_mode": "optimistic"},
                "relaxed, 4 aggressive": {"slave_parallel_threads": "4", "slave_parallel_mode": "aggressive"},
                "relaxed, 8 aggressive": {"slave_parallel_threads": "8", "slave_parallel_mode": "aggressive"},
                "relaxed, 4 conservative": {"slave_parallel_threads": "4", "slave_parallel_mode": "conservative"}},
    "mysql": {"relaxed, 1 worker": {"replica_parallel_workers": "1"},
              "relaxed, 4 workers": {"replica_parallel_workers": "4"},
              "relaxed, 8 workers": {"replica_parallel_workers": "8"}},
}


def options(parser):
    parser.add_argument("--shape", action="append", choices=sorted(backlog.SHAPES), help="only this shape; repeatable")
    parser.add_argument("--transactions", type=int, metavar="N", help="of the small shapes (default 50000)")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="so many times as large a backlog, of every shape")
    parser.add_argument("--grid", action="store_true", help="only the grid of settings tuned by hand, no Siding")
    parser.add_argument("--default-runs", type=int, metavar="N", help="fewer runs with the server's defaults, which are slow; 0: none")
    parser.add_argument("--by-hand", metavar="NAME", help="the best settings by hand, as an earlier grid found them; no grid then")


class ByHand(Peer):
    """The agent stands aside; a person sets this and starts the applier."""

    def __init__(self, b, name, settings, most=None):
        super().__init__(name, self.replay, self.ready, b.server_pids, most)
        self.b, self.settings = b, settings

    def ready(self):
        c = self.b.cluster
        self.b.rewind()
        agent = c.pid("agent" + self.b.number)
        os.kill(agent, signal.SIGTERM)
        wait_until(lambda: not os.path.exists("/proc/%d" % agent), 30, "end of the agent")
        c.sql(self.b.replica, "".join("SET GLOBAL %s='%s';" % s if not s[1].isdigit() else "SET GLOBAL %s=%s;" % s
                                      for s in self.settings.items()))

    def replay(self):
        self.b.cluster.sql(self.b.replica, "START REPLICA SQL_THREAD")
        self.b.await_applied()


class BySiding(Peer):
    def __init__(self, b):
        super().__init__("Siding", self.replay, b.rewind, b.server_pids)
        self.b, self.told = b, []

    def replay(self):
        told, over = [], threading.Event()
        watch = threading.Thread(target=self.watch, args=(told, over))
        start = time.monotonic()
        watch.start()
        try:
            self.b.cluster.siding("replica", "resume", self.b.replica, within_s=3600)
            self.b.await_applied()
            seconds = time.monotonic() - start
        finally:
            over.set()
            watch.join()
        wait_until(lambda: not self.b.lease().get("owner"), 120, lambda: "settings back: %s" % self.b.lease())
        self.told.append((start, start + seconds, told))
        return {"seconds": seconds, "released_s": time.monotonic() - start}

    def watch(self, told, over):
        """Notes when which time left was told, and which way was taken."""
        while not over.wait(0.5):
            with contextlib.suppress(Failed):
                replay = self.b.lease().get("replay") or {}
                if replay.get("rate"):
                    told.append((time.monotonic(), replay))

    def promises(self):
        """Rows (part of the time, promised s, true s) of the last run."""
        start, end, told = self.told[-1]
        for part in (0.1, 0.25, 0.5):
            later = [(at, r["eta_s"]) for at, r in told if at >= start + part * (end - start)]
            if later:
                at, eta = later[0]
                yield part, eta, end - at

    def ways(self):
        names = []
        for _, replay in self.told[-1][2]:
            if replay.get("way") and names[-1:] != [replay["way"]]:
                names.append(replay["way"])
        return names


def main(bench):
    flavor = bench.options.flavor
    with backlog.cluster_of(flavor) as cluster:
        b = backlog.Backlog(cluster)
        b.prepare()
        for key in bench.options.shape or ("small", "large", "hot"):
            one(bench, b, backlog.SHAPES[key], key)


def one(bench, b, shape, key):
    flavor = bench.options.flavor
    b.keep()
    count = shape.count if shape.threads == 1 else bench.options.transactions or shape.count
    count = max(shape.threads, count * bench.options.times // (50 if bench.quick else 1))
    written_s, written = b.write(shape, count)
    bench.say("%s: %d transactions, written on the primary in %.1f s" % (shape.name, written, written_s))
    hands = {name: ByHand(b, name, {**RELAXED, **settings}) for name, settings in GRIDS[flavor].items()}
    best = hands.get(bench.options.by_hand)
    if not best:
        grid = bench.compare("%s, by hand" % shape.name, list(hands.values()), runs=1)
        best = min(grid.peers, key=lambda p: p.median())
        best = ByHand(b, best.name, best.settings)
    if bench.options.grid:
        return
    siding = BySiding(b)
    default = [ByHand(b, "server's defaults", {}, most=bench.options.default_runs)]
    c = bench.compare(shape.name, (default if bench.options.default_runs != 0 else []) + [best, siding])
    bench.say("the primary wrote it in %.1f s, %.2f times as long as Siding's replay" % (
        written_s, written_s / siding.median()))
    bench.say("ways taken: %s; settings back %.1f s after the resume" % (
        ", ".join(siding.ways()), statistics.median(siding.figures("released_s"))))
    for part, promised, true in siding.promises():
        bench.say("after %2.0f %% of the time %.1f s were promised, %.1f s were true: %+.0f %%" % (
            part * 100, promised, true, 100 * (promised / true - 1)))
        if part == 0.1 and siding.median() >= ETA_FROM_S:
            bench.target("%s: the time told after a tenth, off by" % shape.name, abs(promised / true - 1), at_most=0.2)
    if key == "small" and bench.options.default_runs != 0:
        bench.target("%s: times as fast as the server's defaults" % shape.name, 1 / c.ratio("Siding"), at_least=3)
    bench.target("%s: time against the best settings by hand" % shape.name, c.ratio("Siding", to=best.name), at_most=1.2)
