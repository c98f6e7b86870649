# SPDX-License-Identifier: Apache-2.0
"""What must hold after a failover trial: each check adds sentences about what is wrong. Also its figures."""
import bisect

from machine import Failed
from trial_cluster import ROWS, within


def missing(cluster, node, acks):
    """Of what was acknowledged: keys that the server does not have."""
    trial = cluster.trials
    there = set(cluster.sql(node, "SELECT client, n FROM trial.w WHERE trial = %d" % trial))
    return [(a[2], a[4], a[5]) for a in acks if (str(a[4]), str(a[5])) not in there]


def writers_at_once(acks):
    """Of writes that were taken: pairs (a, b) on two servers, where a was begun after one of another server had been
    acknowledged, though that server took one that was begun later still."""
    nodes = sorted({a[2] for a in acks})
    first_end = {n: min(a[1] for a in acks if a[2] == n) for n in nodes}
    last_begin = {n: max(a[0] for a in acks if a[2] == n) for n in nodes}
    return [(m, n) for i, m in enumerate(nodes) for n in nodes[i + 1:] if last_begin[m] > first_end[n] and last_begin[n] > first_end[m]]


class TrialOracle:
    def __init__(self, run):
        self.run, self.cluster, self.trial = run, run.cluster, run.trial
        self.wrong, self.odd = [], []
        self.acks = run.load.read()
        self.record = run.begun()

    def all(self):
        c = self.cluster
        self.primary = c.primary_now()
        if not self.primary:
            self.wrong.append("the coordinator does not answer at the end")
            return
        for check in (self.judge_primary, self.judge_acknowledged, self.judge_writers, self.judge_job, self.judge_equal):
            try:
                check()
            except (Failed, OSError, TypeError) as e:
                self.wrong.append("%s: %s" % (check.__name__, e))
        self.take_figures()

    def judge_primary(self):
        t, old = self.trial, self.run.old
        if t.replaced is False and self.primary != old:
            self.wrong.append("%s was replaced by %s, though its side had the majority" % (old, self.primary))
        if t.replaced and self.primary == old:
            self.wrong.append("%s was not replaced" % old)
        failed = [f for f in self.cluster.records() if f["id"] > self.run.known and f["outcome"] != "promoted"]
        self.odd += ["failover %d: %s" % (f["id"], f["outcome"]) for f in failed]
        read_only = self.cluster.dialect.read_only
        is_open = [n for n in self.cluster.nodes if self.cluster.value(n, read_only) == "0"]
        if is_open != [self.primary]:
            self.wrong.append("%s is the primary, and open are %s" % (self.primary, is_open))

    def judge_acknowledged(self):
        for node in self.cluster.nodes:
            if node == self.primary or not self.run.wrong:
                self.cluster.has_applied(node, self.cluster.position(self.primary))
                lost = missing(self.cluster, node, self.acks)
                if lost and node != self.primary:  # it may be behind
                    within(20, lambda n=node: not missing(self.cluster, n, self.acks), "all that was acknowledged is on %s" % node)
                elif lost:
                    self.wrong.append("%d of %d acknowledged transactions are lost: %s" % (len(lost), len(self.acks), lost[:3]))

    def judge_writers(self):
        for a, b in writers_at_once(self.acks):
            self.wrong.append("two writers: %s and %s took writes at once" % (a, b))

    def judge_job(self):
        c, run = self.cluster, self.run
        if not run.task:
            return
        task = c.get("/v1/tasks/%s" % run.task)
        if task["state"] == "error" and not task.get("error"):
            self.wrong.append("the job ended with an error and no reason")
        ids = ",".join("'%s'" % r["id"] for r in task["runs"])
        counts = [int(n) for n, in c.sql(self.primary, "SELECT COUNT(*) FROM town.totals WHERE run IN (%s) GROUP BY run" % ids)]
        uploads = [t for t in c.get("/v1/tasks?limit=50") if t["kind"] == "upload" and t["id"] > int(run.task)]
        run.note("job %s%s%s" % (task["state"], ", %s" % task["error"] if task.get("error") else "",
                                 "; upload " + uploads[0]["state"] if uploads else ""))
        if task["state"] == "done" and not uploads and counts != [ROWS] or [n for n in counts if n != ROWS] or len(counts) > 1:
            self.wrong.append("the job is %s and has loaded %s rows of %d" % (task["state"], counts, ROWS))
        for node in c.nodes:
            within(20, lambda n=node: not c.journal(n).get("lease"), "no pause is left on %s" % node)
        if task["state"] == "error":
            c.siding("task", "ack", run.task)

    def judge_equal(self):
        if not self.run.wrong:
            self.cluster.expect_equal(within_s=40)

    # -- figures

    def take_figures(self):
        run, at = self.run, self.run.fault_at
        f = run.figures
        f["acknowledged"] = len(self.acks)
        before = [a for a in self.acks if a[0] < at]
        if before:
            f["rate"] = round(len([a for a in before if a[0] > at - 1]), 0)
        others = [a for a in self.acks if a[2] == self.primary and a[0] > at]
        f["replaced"] = self.primary != run.old
        if not others or not f["replaced"]:
            f["longest_gap_s"] = self.longest_gap()
            return
        first = min(a[1] for a in others)
        f["accepted_s"] = round(first - at, 2)
        f["drain_s"] = self.step_s("applies all that was received")
        f["away_s"] = round(sum(min(b, first) - a for a, b in run.away if a < first), 2)
        f["net_s"] = round(f["accepted_s"] - f["drain_s"] - f["away_s"], 2)
        f["bound_s"] = round(self.trial.bound_s, 2)

    def longest_gap(self):
        ends = sorted(a[1] for a in self.acks)
        i = max(0, bisect.bisect(ends, self.run.fault_at) - 1)
        return round(max((b - a for a, b in zip(ends[i:], ends[i + 1:])), default=0), 2)

    def step_s(self, text):
        steps = (self.record or {}).get("steps", [])
        for a, b in zip(steps, steps[1:]):
            if text in a["text"]:
                return round((b["ms"] - a["ms"]) / 1000, 2)
        return 0.0
