#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The frame of the benchmarks: its figures, its order, its exit. What it measures is never a condition of a test."""
import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import types
import unittest
from contextlib import redirect_stdout

from harness import ROOT, main
from machine import call

sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))
import bench  # noqa: E402

BENCH = os.path.join(ROOT, "scripts", "bench")


def frame(runs=3):
    return bench.Bench("probe", argparse.Namespace(runs=runs, quick=True, json=None))


def scripted(name, seconds, order=None):
    """A peer whose runs take what the list says."""
    left = list(seconds)

    def work():
        if order is not None:
            order.append(name)
        return {"seconds": left.pop(0), "cpu": 0.5}
    return bench.Peer(name, work)


def quiet(function, *args, **keywords):
    out = io.StringIO()
    with redirect_stdout(out):
        return function(*args, **keywords), out.getvalue()


class Frame(unittest.TestCase):
    def test_medians_and_ratios(self):
        c, out = quiet(frame().compare, "shape", [scripted("old", [9, 1, 3]), scripted("new", [1, 7, 1.5])])
        self.assertEqual((c.peer("old").median(), c.peer("new").median()), (3, 1.5))
        self.assertEqual((c.ratio("old"), c.ratio("new"), c.ratio("old", to="new")), (1, 0.5, 2))
        self.assertIn(("new", 3, "1.50", "1.00-7.00", "0.50", "0.50"), c.rows())
        self.assertIn("of old", out)

    def test_an_even_number_of_runs_and_another_base(self):
        c, _ = quiet(frame(2).compare, "shape", [scripted("old", [1, 2]), scripted("new", [4, 8])], base="new")
        self.assertEqual((c.peer("old").median(), c.ratio("old")), (1.5, 0.25))

    def test_peers_take_turns_in_being_first(self):
        order = []
        quiet(frame().compare, "t", [scripted(n, [1, 1, 1], order) for n in "abc"])
        self.assertEqual("".join(order), "abcbcacab")

    def test_a_slow_peer_may_have_fewer_runs(self):
        slow = scripted("slow", [9])
        slow.most = 1
        c, _ = quiet(frame().compare, "t", [slow, scripted("new", [1, 2, 3])])
        self.assertEqual([len(p.runs) for p in c.peers], [1, 3])
        self.assertEqual(c.ratio("slow", to="new"), 4.5)

    def test_cpu_of_children_and_of_servers_is_counted(self):
        burn = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"]
        run = bench.Peer("child", lambda: subprocess.run(burn, check=True) and None).measure()
        self.assertGreaterEqual(run["cpu"], 0.28)
        self.assertGreaterEqual(run["seconds"], 0.28)

        def spin():
            end = sum(os.times()[:2]) + 0.3
            while sum(os.times()[:2]) < end:
                pass
        self.assertGreaterEqual(bench.Peer("server", spin, pids=lambda: [os.getpid()]).measure()["cpu"], 0.25)

    def test_preparation_is_not_timed(self):
        prepared = []
        self.assertLess(bench.Peer("p", lambda: None, prepare=lambda: prepared.append(1)).measure()["seconds"], 5)
        self.assertEqual(prepared, [1])

    def test_targets_and_json(self):
        b = frame()
        quiet(b.compare, "shape", [scripted("old", [9, 1, 3]), scripted("new", [1, 7, 1.5])])
        met = [quiet(b.target, "x", 3.0, at_least=3)[0], quiet(b.target, "y", 1.3, at_most=1.2)[0]]
        self.assertEqual(met, [True, False])
        j = json.loads(json.dumps(b.as_json()))
        self.assertEqual([p["median_s"] for p in j["comparisons"][0]["peers"]], [3, 1.5])
        self.assertEqual(len(j["comparisons"][0]["peers"][1]["runs"]), 3)
        self.assertEqual([t["met"] for t in j["targets"]], met)
        self.assertGreater(j["machine"]["cpus"], 0)


class Command(unittest.TestCase):
    def test_list(self):
        status, out, err = call(BENCH, "--list")
        self.assertEqual((status, err), (0, ""))
        listed = {line.split(None, 1)[0]: line.split(None, 1)[1] for line in out.splitlines()}
        files = [f[6:-3] for f in os.listdir(os.path.join(ROOT, "tests", "bench")) if f.startswith("bench_")]
        self.assertEqual(sorted(listed), sorted(files))
        self.assertTrue(all(listed.values()))

    def test_an_unknown_name_is_named(self):
        status, _, err = call(BENCH, "nosuch")
        self.assertEqual(status, 2)
        self.assertIn("no such benchmark: nosuch", err)

    def test_a_benchmark_runs_and_writes_its_figures(self):
        module = types.ModuleType("bench_probe", "A benchmark of nothing.")
        module.options = lambda parser: parser.add_argument("--size", type=int, default=3)
        module.main = lambda b: b.compare("size %d" % b.options.size, [scripted("old", [2]), scripted("new", [1])])
        sys.modules["bench_probe"] = module
        with tempfile.NamedTemporaryFile() as f:
            _, out = quiet(bench.run, "probe", ["--quick", "--size", "5", "--json", f.name])
            written = json.load(f)
        self.assertEqual(written["comparisons"][0]["title"], "size 5")
        self.assertEqual([p["ratio"] for p in written["comparisons"][0]["peers"]], [1, 0.5])
        self.assertEqual(written["options"]["size"], 5)
        self.assertIn("processors", out.splitlines()[0])


if __name__ == "__main__":
    main()
