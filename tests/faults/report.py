# SPDX-License-Identifier: Apache-2.0
"""Outcomes of schedules: the file they are kept in, and what is printed of them."""
import json
import os

import plan


class Outcomes:
    """A list in a JSON file, written after each schedule, so that a run that was cut short can go on. A schedule that
    was run again is there twice; the later one counts."""

    def __init__(self, path=None):
        self.path, self.all = path, []
        if path and os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                self.all = json.load(f)

    def add(self, outcome):
        self.all.append(outcome)
        if self.path:
            with open(self.path + ".new", "w", encoding="utf-8") as f:
                json.dump(self.all, f, indent=1)
            os.replace(self.path + ".new", self.path)

    def names(self, flavor):
        return {o["name"] for o in self.all if o["flavor"] == flavor}

    def latest(self, names, flavor):
        return list({o["name"]: o for o in self.all if o["name"] in names and o["flavor"] == flavor}.values())


def show(outcome):
    faults = ", ".join(map(str, plan.schedule_named(outcome["name"]).faults)) or "no faults"
    show_lines(outcome, "%s; %s" % (faults, outcome["tasks"]))


def show_lines(outcome, what):
    print("%s - %s (%.0f s): %s" % ("ok" if outcome["ok"] else "not ok", outcome["name"], outcome["seconds"], what))
    for line in outcome["wrong"] + (["logs: " + outcome["logs"]] if "logs" in outcome else []):
        print(*("#   " + part for part in line.rstrip().splitlines()), sep="\n")
    if outcome["struck"]:
        print(*("#     " + s for s in outcome["struck"]), sep="\n")
    for line in outcome["odd"]:
        print("#   odd: " + line)


def kinds_of(outcome):
    return {f["kind"] for f in outcome["schedule"]["faults"]}


def table(outcomes):
    """How many schedules each kind of fault was in, in how many it found something to strike, how many failed."""
    print("\n%-22s %9s %9s %9s" % ("fault", "schedules", "struck", "failed"))
    for kind in plan.BY_NAME:
        having = [o for o in outcomes if kind in kinds_of(o)]
        if having:
            print("%-22s %9d %9d %9d" % (kind, len(having), sum(any(h["kind"] == kind for h in o["hits"]) for o in having),
                                         sum(not o["ok"] for o in having)))
    failed = [o["name"] for o in outcomes if not o["ok"]]
    print("%-22s %9d %9d %9d" % ("all", len(outcomes), sum(bool(o["hits"]) for o in outcomes), len(failed)))
    if failed:
        print("again: scripts/faults --seeds %s" % ",".join(failed))


def cells(outcomes):
    """Fault by phase: how often each fault struck there, and of those how many schedules failed (struck/failed). A
    cell that makes sense and was never struck is "0", one that makes none is "-"."""
    struck, failed = {}, {}
    for o in outcomes:
        for cell in {(h["kind"], h["phase"]) for h in o["hits"]}:
            struck[cell] = struck.get(cell, 0) + 1
            failed[cell] = failed.get(cell, 0) + (not o["ok"])
    print("%-20s" % "fault" + "".join("%12s" % p for p in (*plan.PHASES, "none")))
    for kind in plan.KINDS:
        words = []
        for phase in (*plan.PHASES, ""):
            n, bad = struck.get((kind.name, phase), 0), failed.get((kind.name, phase), 0)
            sense = n or not phase or phase in kind.phases
            words.append(("%d/%d" % (n, bad) if bad else str(n)) if sense else "-")
        print("%-20s" % kind.name + "".join("%12s" % w for w in words))
    missing = ["%s:%s" % (k.name, p) for k in plan.KINDS for p in k.phases if not struck.get((k.name, p))]
    count = sum(len(k.phases) for k in plan.KINDS)
    print("\n%d of %d cells struck" % (count - len(missing), count))
    if outcomes and missing:
        print("never: scripts/faults --seeds %s" % ",".join(missing))
