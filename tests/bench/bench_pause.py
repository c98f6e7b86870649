# SPDX-License-Identifier: Apache-2.0
"""Pausing one and three replicas at a common GTID under load, and replaying what built up meanwhile."""
import datetime
import statistics
import time

from bench import Peer
from harness import Cluster
from machine import Failed, in_parallel, wait_until

JOB = """name = "hold";
kind = "command";
on = "replica";
program = "/bin/sleep";
args = [ "%d" ];
"""


def options(parser):
    parser.add_argument("--rate", type=int, default=500, metavar="N", help="transactions a second (default 500)")
    parser.add_argument("--hold", type=int, default=10, metavar="S", help="seconds that the job runs (default 10)")


def seconds_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def settle(bench, c, replicas):
    """Waits until the replicas keep pace again: what an earlier run left is not to be measured."""
    nodes = c.nodes[1:1 + replicas]

    def near():
        position = c.position("db0")
        start = time.monotonic()
        return all(c.value(n, "SELECT MASTER_GTID_WAIT('%s', 1)" % position) == "0" for n in nodes) and \
            time.monotonic() - start < 1
    try:
        wait_until(near, 120, "replicas near the primary")
    except Failed:
        bench.say("# the replicas do not keep pace with this load here: what follows measures their lag")


class Pause(Peer):
    """From the request to the last replica frozen at the common GTID; the job then runs and the replicas catch up."""

    def __init__(self, bench, cluster, replicas):
        super().__init__("frozen", self.once, lambda: settle(bench, cluster, replicas))
        self.cluster, self.replicas = cluster, replicas

    def once(self):
        c, asked = self.cluster, time.time()
        task = c.submit("command", "--on", "replica", "hold", "--replicas", str(self.replicas))
        c.expect_state(task, "done", 300)
        run = c.last_run(task)
        assert len(run["nodes"]) == self.replicas, run
        replay = run["replay"]
        wait_until(lambda: all(n["state"] == "serving" for n in c.siding("replica", "list")), 60, "all serve again")
        return {"seconds": seconds_of(run["frozen_at"]) - asked, "buffered": replay.get("buffered_trx") or 0,
                "replay_s": replay.get("seconds") or 0, "rate": replay.get("rate") or 0}


class Anyway(Peer):
    """What the last transaction before the request needs to be applied on all of them, without any pause."""

    def __init__(self, bench, cluster, replicas):
        super().__init__("last transaction applied anyway", self.once, lambda: settle(bench, cluster, replicas))
        self.cluster, self.nodes = cluster, cluster.nodes[1:1 + replicas]

    def once(self):
        c = self.cluster
        with c.session("db0") as primary:
            sessions = [c.session(n) for n in self.nodes]
            try:
                for s in [primary] + sessions:
                    s.sql("SELECT 1")
                start = time.monotonic()
                position = c.position("db0")
                wait = "SELECT %s('%s', 60)" % (c.words["wait"], position)
                in_parallel([lambda s=s: s.sql(wait) for s in sessions])
                return {"seconds": time.monotonic() - start}
            finally:
                for s in sessions:
                    s.close()


def main(bench):
    hold = 2 if bench.quick else bench.options.hold
    with Cluster(3, bench.options.flavor) as c:
        c.load_catalogue(3000)
        c.job("hold", JOB % hold)
        wait_until(lambda: all(any(j["name"] == "hold" for j in n["agent"]["jobs"])
                               for n in c.siding("cluster", "status")["nodes"]), 15, "the coordinator knows the job")
        with c.writers(rate=bench.options.rate, threads=8) as writers:
            for replicas in (1, 3):
                one(bench, c, replicas, hold)
            count, start = writers.transactions(), time.monotonic()
            wait_until(lambda: time.monotonic() - start > 2, 10, "two seconds of load")
            bench.say("load: %.0f transactions/s" % ((writers.transactions() - count) / (time.monotonic() - start)))


def one(bench, c, replicas, hold):
    pause = Pause(bench, c, replicas)
    found = bench.compare("%d replica%s" % (replicas, "s" if replicas > 1 else ""), [Anyway(bench, c, replicas), pause])
    bench.say("frozen %.0f ms after the request, %.0f ms more than the last transaction needs anyway" % (
        1000 * pause.median(), 1000 * (pause.median() - found.base.median())))
    bench.say("in %d s of pause %d transactions built up; caught up after %.1f s, %.0f transactions/s" % (
        hold, statistics.median(pause.figures("buffered")), statistics.median(pause.figures("replay_s")),
        statistics.median(pause.figures("rate"))))
