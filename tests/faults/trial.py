# SPDX-License-Identifier: Apache-2.0
"""Carries a failover trial out on a standing cluster: load and job, the fault, the coordinator's death, who comes back;
then all must come to rest, and trial_oracle judges."""
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
import zlib

import trial_oracle
from cluster import HERE, Init
from harness import TASK_ENDS
from machine import Failed
from trial_cluster import within

RATE = 300
ACCEPTED_WITHIN_S, REST_WITHIN_S, JOB_BEGINS_WITHIN_S, STEP_WITHIN_S = 60, 90, 30, 30
AFTERWARDS_S = 1.5  # of load, once all have come back


@dataclasses.dataclass
class Outcome:
    name: str
    wrong: list
    struck: list
    odd: list
    seconds: float
    figures: dict = dataclasses.field(default_factory=dict)
    steps: list = dataclasses.field(default_factory=list)  # of the coordinator's own record

    @property
    def ok(self):
        return not self.wrong


class TrialLoad:
    """The clients, as a process of their own, and what they have written down."""

    def __init__(self, cluster, number):
        self.path = cluster.path("acknowledged.%d" % number)
        sockets = ["%s=%s" % (n, cluster.socket(n)) for n in cluster.nodes]
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "trial_load.py"), self.path, str(number), str(RATE), *sockets],
                                        stdin=subprocess.PIPE)
        self.position, self.acks, self.lock = 0, [], threading.Lock()

    def read(self):
        """All so far: (begin, end, node, kind, client, n)."""
        with self.lock:
            if os.path.exists(self.path):
                with open(self.path, "rb") as f:
                    f.seek(self.position)
                    data = f.read()
                whole = data[:data.rfind(b"\n") + 1]
                self.position += len(whole)
                for line in whole.decode().splitlines():
                    begun, ended, node, kind, client, n = line.split()
                    self.acks.append((float(begun), float(ended), node, kind, int(client), int(n)))
            return self.acks

    def first(self, since, nodes):
        """The first taken of those begun after `since` on one of the nodes."""
        return min((a for a in self.read() if a[0] >= since and a[2] in nodes), key=lambda a: a[1], default=None)

    def stop(self):
        self.process.kill()
        self.process.communicate()


class TrialRun:
    def __init__(self, cluster, trial):
        self.cluster, self.trial = cluster, trial
        self.struck, self.wrong, self.odd, self.figures = [], [], [], {}
        self.began, self.fault_at, self.task = time.monotonic(), None, None
        self.back, self.away = threading.Event(), []  # times in which there was no coordinator
        self.stopped, self.init = [], None

    def note(self, text):
        at = time.monotonic() - (self.fault_at or self.began)
        self.struck.append("%s%.1f s: %s" % ("" if self.fault_at else "before, ", at, text))

    # -- set-up

    def go(self):
        c = self.cluster
        c.trials += 1
        c.await_rest()
        self.old = c.primary_now()
        self.replicas = [n for n in c.nodes if n != self.old]
        best = zlib.crc32(self.trial.name.encode()) % 2
        self.best, self.other = self.replicas[best], self.replicas[1 - best]
        self.known = max((f["id"] for f in c.records()), default=0)
        self.last_event = max((e["seq"] for e in c.get("/v1/events?limit=500") or []), default=0)
        self.load = TrialLoad(c, c.trials)
        try:
            within(30, self.load.read, "the first write is acknowledged")
            self.steps()
        finally:
            if self.init:
                self.init.stop()
            self.load.stop()
        judge = trial_oracle.TrialOracle(self)
        judge.all()
        self.record = judge.record
        return Outcome(self.trial.name, self.wrong + judge.wrong, self.struck, self.odd + judge.odd, time.monotonic() - self.began,
                       self.figures, ["%d ms %s" % (s["ms"], s["text"]) for s in (judge.record or {}).get("steps", [])])

    def steps(self):
        t, c = self.trial, self.cluster
        if t.state in ("paused", "lost"):
            self.begin_job()
        time.sleep(t.delay)
        self.cut_other()
        threads = [threading.Thread(target=self.guard, args=(f,), daemon=True) for f in self.companions()]
        if t.lost_after >= 0 or t.state != "lost":
            self.strike()
        for thread in threads:
            thread.start()
        if not self.fault_at:
            time.sleep(-t.lost_after)
            self.strike()
        self.await_accepted()
        for thread in threads:
            thread.join(90)
            if thread.is_alive():
                self.wrong.append("the harness itself is stuck: %s" % thread)
        for process in ("server0", "server1", "server2", "agent0", "agent1", "agent2", "sidingd"):
            if not c.pid(process):
                self.note("%s is started, it did not run" % process)
                c.launch(process)
        self.come_to_rest()
        time.sleep(AFTERWARDS_S)
        self.end_job()

    def guard(self, function):
        try:
            function()
        except (Failed, OSError, subprocess.SubprocessError) as e:
            self.wrong.append("%s: %s" % (function.__name__, e))

    def companions(self):
        yield self.come_back
        if self.trial.state == "coordinator":
            yield self.kill_coordinator
        if self.trial.state == "lost":
            yield self.lose_server

    def begin_job(self):
        c = self.cluster
        self.task = c.submit("command", "--on", "replica", "--host", self.best, "vigil")

        def runs():
            t = c.get("/v1/tasks/%s" % self.task) or {}
            if t.get("state") in TASK_ENDS:
                raise Failed("the job has ended before the fault: %s" % t)
            return (t.get("runs") or [{}])[-1].get("state") == "running"
        within(JOB_BEGINS_WITHIN_S, runs, lambda: "the job runs: %s" % c.get("/v1/tasks/%s" % self.task))
        self.note("a job runs on %s" % self.best)

    def cut_other(self):
        if self.trial.ahead:
            self.cluster.mesh.lose([(self.old, self.other), (self.other, self.old)])
            time.sleep(self.trial.ahead)

    # -- the fault

    def ways(self):
        """That are lost in a partition, or with a host."""
        old, others = self.old, [*self.replicas, "coordinator"]
        out, back = [(old, x) for x in others], [(x, old) for x in others]
        if self.trial.variant == "sends":
            return out
        if self.trial.variant == "receives":
            return back
        if self.trial.variant in ("minority", "beside"):
            ours = {old, self.best} if self.trial.variant == "minority" else {old, "coordinator"}
            everybody = {*others, old}
            return [(a, b) for a in everybody for b in everybody if (a in ours) != (b in ours)]
        return out + back

    def strike(self):
        t, c, n = self.trial, self.cluster, self.old[2:]
        self.fault_at = time.monotonic()
        if t.fault == "killed":
            os.kill(c.pid("server" + n), signal.SIGKILL)
        elif t.fault == "host":
            c.mesh.lose(self.ways())
            self.kill_host()
        elif t.fault == "frozen":
            self.stopped = [p for p in [c.pid("server" + n)] + [c.pid("agent" + n)] * (t.variant == "host") if p]
            c.stand_still(self.stopped)
        else:
            c.mesh.lose(self.ways())
        self.note("%s: primary %s %s" % (self.old, t.fault, t.variant))

    def kill_host(self):
        c, names = self.cluster, ("server" + self.old[2:], "agent" + self.old[2:])
        pids = [p for p in map(c.pid, names) if p]
        while pids:  # until nothing new was forked meanwhile
            c.kill_pids(pids)
            pids = c.below_agent(self.old) + c.watchers(self.old) + [p for p in map(c.pid, names) if p]

    def lose_server(self):
        c, t, server = self.cluster, self.trial, "server" + self.best[2:]
        if self.fault_at:
            time.sleep(max(0.0, self.fault_at + t.lost_after - time.monotonic()))
        pid = c.pid(server)
        if pid:
            os.kill(pid, signal.SIGKILL)
        self.note("%s killed" % server)
        time.sleep(t.lost_for)
        c.launch(server)
        self.note("%s started" % server)

    # -- the coordinator

    def begun(self):
        """The record of this trial's failover; None before."""
        return next((f for f in self.cluster.records() if f["id"] > self.known), None)

    def kill_coordinator(self):
        c, t = self.cluster, self.trial
        until = time.monotonic() + STEP_WITHIN_S if t.step else self.fault_at + t.step_after
        at = "after %.1f s" % t.step_after
        while time.monotonic() < until:
            record = self.begun() if t.step else None
            texts = [s["text"] for s in (record or {}).get("steps", [])]
            if record and (record["outcome"] or any(t.step in text for text in texts)):
                at = "at: %s" % texts[-1]
                break
            if not self.trial.replaced and self.back.is_set() and not record:
                break  # no failover comes
            time.sleep(0.003)
        c.kill_pids([c.pid("sidingd")])
        gone = time.monotonic()
        self.note("the coordinator killed %s" % at)
        time.sleep(t.away)
        c.launch("sidingd")
        self.away.append((gone, time.monotonic()))
        self.note("the coordinator started")

    # -- who comes back

    def winner_takes_writes(self):
        return self.load.first(self.fault_at, self.replicas)

    def come_back(self):
        t, c, n = self.trial, self.cluster, self.old[2:]
        while not self.fault_at:
            time.sleep(0.01)
        if t.replaced:
            within(ACCEPTED_WITHIN_S, self.winner_takes_writes, "another primary takes writes, so that the old one comes back")
        time.sleep(t.back)
        if t.fault in ("host", "partitioned") or t.ahead:
            c.mesh.keep(t.mend)
        for pid in self.stopped:
            c.go_on(pid)
        for what in t.order:
            if not c.pid(what + n):
                c.launch(what + n)
        # A server that an order which came late has killed is started again, as by the system of a host.
        self.init = Init(c)
        self.back_at = time.monotonic()
        self.back.set()
        self.note("%s is back" % self.old)

    def await_accepted(self):
        """A write that was begun after the fault, on whoever may take it; with that the time is known."""
        t = self.trial

        def taken():
            if t.replaced:
                return self.winner_takes_writes()
            return self.back.is_set() and self.load.first(self.back_at, self.cluster.nodes)
        try:
            within(ACCEPTED_WITHIN_S, taken, "")
        except Failed:
            self.wrong.append("stuck: no write was taken within %d s; %s" % (ACCEPTED_WITHIN_S, self.cluster.why_not_at_rest()))

    # -- the end

    def come_to_rest(self):
        """Whoever has transactions that the new primary lacks stays closed, is told, and gets its data anew, as a person
        would have it after a look: nobody was told that they are committed, which is judged first."""
        c, apart = self.cluster, set()

        def rests():
            for node in c.nodes:
                if node not in apart and c.extra_told(node, self.last_event):
                    apart.add(node)
            return not c.why_not_at_rest(apart)
        try:
            within(REST_WITHIN_S, rests, lambda: c.why_not_at_rest(apart))
        except Failed as e:
            self.wrong.append("stuck: %s" % e)
            return
        primary = c.primary_now()
        for node in sorted(apart - {primary}):
            if not c.servers().get(node, {}).get("acknowledges"):
                self.reprovision(node, primary)
        with contextlib.suppress(Failed):
            c.await_rest(within_s=30)
        if c.why_not_at_rest():
            self.wrong.append("stuck: %s" % c.why_not_at_rest())

    def reprovision(self, node, primary):
        c = self.cluster
        lost = trial_oracle.missing(c, primary, self.load.read())
        if lost:
            self.wrong.append("%d acknowledged transactions are not on %s: %s" % (len(lost), primary, lost[:3]))
            return
        begun, words = time.monotonic(), ("--confirm", node, "--discard-its-transactions")
        while True:
            try:
                c.siding("replica", "reprovision", node, *words, within_s=150)
                self.note("%s had transactions that nobody was told of: its data were replaced in %.1f s"
                          % (node, time.monotonic() - begun))
            except Failed as e:
                # The only other replica is at a job, or catches up with it.
                if "no replica serves" in str(e) and time.monotonic() < begun + 90:
                    time.sleep(1)
                    continue
                self.wrong.append("%s could not be given new data: %s" % (node, e))
            break
        self.figures["tail"] = node

    def end_job(self):
        if not self.task:
            return
        c = self.cluster

        def ended():
            return (c.get("/v1/tasks/%s" % self.task) or {}).get("state") in TASK_ENDS
        try:
            within(60, ended, "")
        except Failed:
            self.wrong.append("stuck: the job does not end: %s" % c.get("/v1/tasks/%s" % self.task))
