# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: peers that do the same work are run by turns, in one go, so that what else the machine does meets all
of them alike; what counts is the ratio of their medians. A benchmark is a file bench_NAME.py beside this one:

    'One line for --list: the docstring'
    def options(parser): …     # optional: argparse options of its own
    def main(bench): …         # bench.compare(…), bench.target(…)
"""
import argparse
import contextlib
import importlib
import json
import os
import platform
import re
import resource
import signal
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "integration")]
from machine import process_stat  # noqa: E402


class Peer:
    """One way to do the work. `work()` is timed; it may return a dict of figures, of which "seconds" and "cpu"
    replace what was measured around it. `prepare()` runs before it, untimed. `pids()` names running processes that
    work for it, such as servers: their CPU time counts beside that of the children that have ended. A peer that takes
    very long may have fewer runs than the others: `most`."""

    def __init__(self, name, work, prepare=None, pids=None, most=None):
        self.name, self.work, self.prepare, self.pids, self.most = name, work, prepare, pids, most
        self.runs = []

    def measure(self):
        if self.prepare:
            self.prepare()
        pids = self.pids() if self.pids else []
        cpu, start = children_cpu() + sum(map(process_cpu, pids)), time.monotonic()
        figures = self.work() or {}
        run = {"seconds": time.monotonic() - start, "cpu": children_cpu() + sum(map(process_cpu, pids)) - cpu}
        run.update(figures)
        self.runs.append(run)
        return run

    def figures(self, key):
        return [r[key] for r in self.runs if r.get(key) is not None]

    def median(self, key="seconds"):
        return statistics.median(self.figures(key))


def children_cpu():
    """User and system time of all children that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def process_cpu(pid):
    fields = process_stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Comparison:
    def __init__(self, title, peers, base=None):
        self.title, self.peers = title, peers
        self.base = next(p for p in peers if base in (None, p.name))

    def peer(self, name):
        return next(p for p in self.peers if p.name == name)

    def ratio(self, name, to=None):
        """How many times as long as the base (or the peer `to`) it takes, by medians."""
        return self.peer(name).median() / (self.peer(to) if to else self.base).median()

    def rows(self):
        return [(p.name, len(p.runs), "%.2f" % p.median(), "%.2f-%.2f" % (min(p.figures("seconds")), max(p.figures("seconds"))),
                 "%.2f" % p.median("cpu"), "%.2f" % self.ratio(p.name)) for p in self.peers]

    def table(self):
        return table([(self.title, "runs", "median s", "min-max s", "CPU s", "of " + self.base.name)] + self.rows())

    def as_json(self):
        return {"title": self.title, "base": self.base.name,
                "peers": [{"name": p.name, "median_s": p.median(), "min_s": min(p.figures("seconds")),
                           "max_s": max(p.figures("seconds")), "cpu_s": p.median("cpu"), "ratio": self.ratio(p.name),
                           "runs": p.runs} for p in self.peers]}


def table(rows):
    """Columns as wide as they must be: the first to the left, the others to the right."""
    widths = [max(len(str(r[i])) for r in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(r, widths)))
                     .rstrip() for r in rows)


class Bench:
    def __init__(self, name, options):
        self.name, self.options, self.runs, self.quick = name, options, options.runs, options.quick
        self.comparisons, self.targets, self.facts = [], [], machine()
        self.started_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.load_before = os.getloadavg()[0]

    def say(self, *text):
        print(*text, flush=True)

    def compare(self, title, peers, base=None, runs=None):
        """Runs the peers by turns, the first place going round, and prints their table. The base, by default the
        first peer, is what the others are compared with."""
        runs = runs or self.runs
        for i in range(runs):
            for k in range(len(peers)):
                p = peers[(i + k) % len(peers)]
                if p.most and len(p.runs) >= p.most:
                    continue
                r = p.measure()
                self.say("# %s, run %d of %d, %s: %.2f s, CPU %.2f s" % (title, i + 1, runs, p.name, r["seconds"], r["cpu"]))
        c = Comparison(title, peers, base)
        self.comparisons.append(c)
        self.say("\n%s\n" % c.table())
        return c

    def target(self, text, value, at_least=None, at_most=None):
        """States whether a figure is where it should be; a missed target is told and fails nothing."""
        met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
        self.targets.append({"text": text, "value": value, "at_least": at_least, "at_most": at_most, "met": met})
        self.say("%s: %s: %.2f" % ("met" if met else "MISSED", text, value))
        return met

    def as_json(self):
        return {"bench": self.name, "started_at": self.started_at, "machine": self.facts,
                "load_before": self.load_before, "load_after": os.getloadavg()[0],
                "options": {k: v for k, v in vars(self.options).items() if isinstance(v, (str, int, float, bool))},
                "comparisons": [c.as_json() for c in self.comparisons], "targets": self.targets}


def machine():
    def first(path, pattern):
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as f:
            found = re.search(pattern, f.read(), re.M)
            return found[1] if found else None
        return None
    return {"cpu": first("/proc/cpuinfo", r"^model name\s*: (.*)"), "cpus": len(os.sched_getaffinity(0)),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "kernel": platform.release(),
            "system": first("/etc/os-release", r'^PRETTY_NAME="(.*)"'), "python": platform.python_version()}


def machine_line(facts, load):
    return "%s, %d processors, %.0f GiB, Linux %s, %s; load %.1f" % (
        facts["cpu"], facts["cpus"], facts["memory_bytes"] / 2**30, facts["kernel"], facts["system"], load)


def names():
    return sorted(f[6:-3] for f in os.listdir(HERE) if re.fullmatch(r"bench_\w+\.py", f))


def load(name):
    return importlib.import_module("bench_" + name)


def parser_of(name, module):
    p = argparse.ArgumentParser(prog="scripts/bench " + name, description=module.__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--runs", type=positive, metavar="N", help="runs of each peer (default 3, with --quick 1)")
    p.add_argument("--json", metavar="FILE", help="write every figure of every run there as well")
    p.add_argument("--quick", action="store_true", help="little work: shows that it runs, measures nothing")
    p.add_argument("--flavor", choices=("mariadb", "mysql"), default="mariadb", help="the servers (default mariadb)")
    if hasattr(module, "options"):
        module.options(p)
    return p


def positive(text):
    n = int(text)
    if n < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return n


def interrupt(*_):
    raise KeyboardInterrupt


def run(name, args):
    module = load(name)
    options = parser_of(name, module).parse_args(args)
    options.runs = options.runs or (1 if options.quick else 3)
    bench = Bench(name, options)
    bench.say(machine_line(bench.facts, bench.load_before))
    try:
        module.main(bench)
    finally:
        if options.json:
            with open(options.json, "w", encoding="utf-8") as f:
                json.dump(bench.as_json(), f, indent=1)
                f.write("\n")
    bench.say("load at the end: %.1f" % os.getloadavg()[0])


def main(args):
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    usage = "usage: scripts/bench NAME [--runs N] [--json FILE] [--quick] …\n       scripts/bench --list"
    if args in (["-h"], ["--help"]):
        print(usage)
    elif args == ["--list"]:
        for name in names():
            print("%-12s %s" % (name, load(name).__doc__.strip().splitlines()[0]))
    elif args and args[0] in names():
        run(args[0], args[1:])
    else:
        print("bench: no such benchmark: %s (there are: %s)\n%s" % (args[0] if args else "(none named)", ", ".join(names()),
                                                                    usage), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.modules["bench"] = sys.modules["__main__"]  # benchmarks import this module, not a second copy
    sys.exit(main(sys.argv[1:]))
