#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/faults: runs fault schedules by seed, unattended, and prints a table."""
import argparse
import collections
import contextlib
import dataclasses
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from typing import Callable

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]
import plan  # noqa: E402
import report  # noqa: E402
import trial_plan  # noqa: E402
import trial_report  # noqa: E402
from report import Outcomes, cells  # noqa: E402

PER_CLUSTER = 12  # schedules on one cluster


@dataclasses.dataclass(frozen=True)
class Kind:
    """Schedules of faults, or trials of failovers."""
    one: Callable  # of a name
    several: Callable  # of a list in words
    show: Callable  # an outcome
    table: Callable  # of all outcomes


SCHEDULES = Kind(plan.schedule_named, plan.schedules_named, report.show, report.table)
TRIALS = Kind(trial_plan.trial_named, trial_plan.trials_named, trial_report.show, trial_report.table)


def options():
    p = argparse.ArgumentParser(prog="scripts/faults", description="Breaks a cluster under load by schedules made from seeds, and checks "
                                "that nothing is lost, doubled, left paused or left behind.")
    p.add_argument("--failover", action="store_true", help="trials of failovers instead: the primary dies under load; names of "
                   "trials are numbers, and FAULT[/VARIANT]:STATE[:NUMBER] such as host:paused")
    p.add_argument("--seeds", default="1-20", metavar="LIST", help="1-200, 17, kill_agent:running (a cell of the matrix fault by phase), "
                   "kill_agent:*, matrix, matrix:dump, none; several by commas (default: 1-20)")
    p.add_argument("--jobs", type=int, default=1, metavar="N", help="clusters side by side")
    p.add_argument("--keep", action="store_true", help="leaves the cluster of the first failure standing")
    p.add_argument("--logs", metavar="DIR", help="where logs of failures go (default: a new folder below /tmp)")
    p.add_argument("--json", metavar="FILE", help="keeps all outcomes there, beside those it holds already")
    p.add_argument("--continue", action="store_true", dest="go_on", help="leaves out schedules of which the file of --json has an outcome")
    p.add_argument("--flavor", default="mariadb", choices=("mariadb", "mysql"), help="of the servers (default: mariadb)")
    p.add_argument("--without", default="", metavar="KINDS", help="leaves out schedules with these kinds of fault, by commas")
    p.add_argument("--plan", action="store_true", help="prints the schedules and runs nothing")
    p.add_argument("--cells", nargs="*", metavar="FILE", help="prints the matrix fault by phase, with what the outcomes in these files of "
                   "--json struck, and runs nothing")
    p.add_argument("--no-disks", action="store_true", help="without small file systems; faults of full disks then find nothing")
    p.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return p.parse_args()


# ---------------------------------------------------------------- worker

def keep_logs(cluster, outcome, folder):
    """What is needed to understand a failure."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for path in glob.glob(cluster.path("acknowledged.*")):
        shutil.copy(path, folder)
    for name in ("coordinator", *cluster.nodes):
        for log in ("sidingd.log", "failovers.json", "agent.log", "error.log"):
            path = cluster.path(name, log)
            if os.path.exists(path):
                shutil.copy(path, os.path.join(folder, "%s.%s" % (name, log)))
        for path in (*(cluster.path(name, "agent", "journal.%d" % i) for i in (1, 2)), cluster.path(name, "agent", "runs")):
            copy = shutil.copytree if os.path.isdir(path) else shutil.copy
            if os.path.exists(path):
                copy(path, os.path.join(folder, "%s.%s" % (name, os.path.basename(path))))
    with open(os.path.join(folder, "outcome.json"), "w", encoding="utf-8") as f:
        json.dump(dict(outcome, replication={n: cluster.replication_now(n) for n in cluster.nodes}), f, indent=1)


def run_one(cluster, before, name):
    from schedule import Execution, Outcome
    schedule, start = plan.schedule_named(name), time.monotonic()
    try:
        outcome = Execution(cluster, schedule, before).go()
    except Exception:  # noqa: BLE001 a broken cluster or harness is a failure of this schedule only
        outcome = Outcome(name, ["the harness failed: " + traceback.format_exc()], [], [], "", [], time.monotonic() - start)
    return as_json(cluster, outcome, schedule)


def try_one(cluster, name):
    from trial import Outcome, TrialRun
    trial, start = trial_plan.trial_named(name), time.monotonic()
    try:
        outcome = TrialRun(cluster, trial).go()
    except Exception:  # noqa: BLE001
        outcome = Outcome(name, ["the harness failed: " + traceback.format_exc()], [], [], time.monotonic() - start)
    return as_json(cluster, outcome, trial)


def as_json(cluster, outcome, schedule):
    return dict(vars(outcome), ok=outcome.ok, flavor=cluster.flavor, load=round(os.getloadavg()[0], 1), schedule=schedule.as_json())


def spoils(o, name):
    """Whether the cluster is used no more."""
    return not o.failover and plan.schedule_named(name).spoils


def stand_by(cluster):
    """Keeps a cluster for somebody who wants to look at it."""
    print("# left standing: %s; nsenter --mount --target %d, then . %s/env; ends with kill %d"
          % (cluster.folder, os.getpid(), cluster.folder, os.getpid()), file=sys.stderr, flush=True)
    signal.pause()


def tell(o, cluster, outcome):
    if not outcome["ok"]:
        outcome["logs"] = os.path.join(o.logs, re.sub("[:/]", "-", outcome["name"]))
        keep_logs(cluster, outcome, outcome["logs"])
    print(json.dumps(outcome), flush=True)
    if not outcome["ok"] and o.keep:
        stand_by(cluster)


def no_cluster(o, name):
    """The outcome of a schedule for which there was none, in the midst of that error."""
    schedule = o.kind.one(name).as_json()
    return {"name": name, "ok": False, "wrong": ["no cluster to run it on: " + traceback.format_exc()], "struck": [], "hits": [], "tasks": "",
            "odd": [], "figures": {}, "seconds": 0, "flavor": o.flavor, "schedule": schedule}


@contextlib.contextmanager
def new_cluster(o, name):
    """And what its settings are; (None, None) if it was not to be made, which is told as the outcome of the schedule."""
    from cluster import FaultCluster
    from oracle import settings
    from trial_cluster import TrialCluster
    cluster = TrialCluster(o.flavor) if o.failover else FaultCluster(not o.no_disks, o.flavor)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(cluster)
            cluster.fill()
            before = None if o.failover else settings(cluster)
        except Exception:  # noqa: BLE001 the next one may be made
            tell(o, cluster, no_cluster(o, name))
            cluster = before = None
        yield cluster, before


def work(o):
    """Runs the schedules named on stdin, one a line; one line of JSON each to stdout."""
    names = (line.strip() for line in iter(sys.stdin.readline, ""))
    name = next(names, None)
    while name:
        with new_cluster(o, name) as (cluster, before):
            for _ in range(PER_CLUSTER if cluster else 0):
                outcome = try_one(cluster, name) if o.failover else run_one(cluster, before, name)
                tell(o, cluster, outcome)
                name = next(names, None)
                if not name or not outcome["ok"] or spoils(o, outcome["name"]):
                    break
            if not cluster:
                name = next(names, None)


# ---------------------------------------------------------------- parent

class Pool:
    """Workers as processes; each gets its next schedule when it has finished one."""

    def __init__(self, o, names):
        self.o, self.names = o, collections.deque(names)
        self.kept, self.commit = Outcomes(o.json), commit()
        self.lock, self.workers = threading.Lock(), []

    def serve(self):
        command = [sys.executable, os.path.abspath(__file__), "--worker", "--logs", self.o.logs, "--flavor", self.o.flavor]
        command += ["--keep"] * self.o.keep + ["--no-disks"] * self.o.no_disks + ["--failover"] * self.o.failover
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.workers.append(worker)
        name = self.give(worker)
        for line in worker.stdout:
            if not line.startswith("{"):
                print(line, end="", flush=True)
                continue
            self.take(json.loads(line))
            name = self.give(worker)
        worker.wait()
        if name:
            self.take({"name": name, "ok": False, "wrong": ["the worker ended"], "struck": [], "hits": [], "tasks": "", "odd": [], "figures": {},
                       "seconds": 0, "flavor": self.o.flavor, "schedule": self.o.kind.one(name).as_json()})

    def take(self, outcome):
        outcome["commit"] = self.commit
        with self.lock:
            self.kept.add(outcome)
            self.o.kind.show(outcome)
            sys.stdout.flush()

    def give(self, worker):
        with self.lock:
            name = self.names.popleft() if self.names else None
        try:
            worker.stdin.write(name + "\n" if name else "")
            worker.stdin.flush()
            if not name:
                worker.stdin.close()
        except OSError:
            pass
        return name

    def run(self):
        threads = [threading.Thread(target=self.serve) for _ in range(self.o.jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def end(self, *_):
        for worker in self.workers:
            worker.terminate()
        sys.exit(130)


def commit():
    """Of the project, "+" if it is changed; None where it is no checkout, or git is not there."""
    if not shutil.which("git"):
        return None
    done = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty=+"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=False)
    return done.stdout.strip() or None


def main():
    o = options()
    o.kind = TRIALS if o.failover else SCHEDULES
    if o.cells is not None:
        cells([outcome for path in o.cells for outcome in Outcomes(path).all])
        return
    try:
        chosen = o.kind.several(o.seeds)
        left_out = set(filter(None, o.without.split(",")))
        schedules = [s for s in chosen if not left_out or not {f.kind for f in s.faults} & left_out]
        if not left_out <= set(plan.BY_NAME) or (left_out and o.failover):
            raise ValueError("--without takes kinds of fault: %s" % " ".join(plan.BY_NAME))
    except ValueError as e:
        sys.exit("faults: %s" % e)
    had = Outcomes(o.json).names(o.flavor) if o.go_on else set()
    to_do = [s for s in schedules if s.name not in had]
    if o.plan:
        for s in to_do:
            print(json.dumps(s.as_json()))
        return
    o.logs = os.path.abspath(o.logs or "/tmp/siding-faults-%d" % os.getpid())
    if o.worker:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(143))
        work(o)
        return
    pool = Pool(o, [s.name for s in to_do])
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, pool.end)
    pool.run()
    outcomes = pool.kept.latest({s.name for s in schedules}, o.flavor)
    o.kind.table(outcomes)
    if len(schedules) < len(chosen):
        print("left out by --without %s: %d schedules" % (o.without, len(chosen) - len(schedules)))
    sys.exit(0 if all(x["ok"] for x in outcomes) and len(outcomes) == len({s.name for s in schedules}) else 1)


if __name__ == "__main__":
    main()
