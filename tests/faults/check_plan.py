#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unit tests of the planner, as TAP."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]
import plan  # noqa: E402
from harness import main  # noqa: E402


class Planner(unittest.TestCase):
    def test_a_seed_means_the_same_every_time(self):
        self.assertEqual(plan.random_schedule(7), plan.random_schedule(7))
        self.assertNotEqual(plan.random_schedule(7).as_json(), plan.random_schedule(8).as_json())

    def test_every_kind_target_phase_and_job_comes_within_400_seeds(self):
        schedules = [plan.random_schedule(seed) for seed in range(400)]
        faults = [f for s in schedules for f in s.faults]
        self.assertEqual({f.kind for f in faults}, set(plan.BY_NAME))
        self.assertEqual({f.phase for f in faults}, {"", *plan.PHASES})
        self.assertEqual({o for s in schedules for _, o in s.operations}, set(plan.OPERATIONS))
        self.assertEqual({len(s.faults) for s in schedules}, {1, 2, 3, 4})

    def test_faults_stay_within_their_kind(self):
        for seed in range(400):
            for f in plan.random_schedule(seed).faults:
                kind = plan.BY_NAME[f.kind]
                self.assertIn(f.target, kind.targets)
                self.assertIn(f.option, kind.options)
                self.assertIn(f.phase, ("", *kind.phases))
                self.assertTrue(kind.lasts[0] <= f.lasts <= kind.lasts[1], f)

    def test_heavy_faults_are_rare(self):
        faults = [f for seed in range(400) for f in plan.random_schedule(seed).faults]
        heavy = sum(plan.BY_NAME[f.kind].heavy for f in faults)
        self.assertLess(heavy, len(faults) / 10)
        self.assertGreater(heavy, 0)

    def test_the_first_job_has_a_result_and_begins_at_once(self):
        for seed in range(200):
            at, operation = plan.random_schedule(seed).operations[0]
            self.assertEqual(at, 0)
            self.assertIn(operation, ("index", "dump", "totals", "pair"))

    def test_the_matrix_holds_each_fault_in_each_phase_once(self):
        cells = [(s.faults[0].kind, s.faults[0].phase) for s in plan.matrix()]
        self.assertEqual(len(cells), len(set(cells)))
        self.assertEqual(set(cells), {(k.name, p) for k in plan.KINDS for p in k.phases})

    def test_harmless_means_all_faults_are(self):
        self.assertTrue(plan.schedule_named("none").harmless)
        self.assertTrue(plan.schedule_named("kill_agent:running").harmless)
        self.assertFalse(plan.schedule_named("kill_server:running").harmless)

    def test_lists_of_schedules(self):
        names = [s.name for s in plan.schedules_named("3-5,9,kill_job:sealing,none,clock:running:dump")]
        self.assertEqual(names, ["3", "4", "5", "9", "kill_job:sealing:totals", "none", "clock:running:dump"])
        self.assertEqual(len(plan.schedules_named("kill_agent:*")), len(plan.PHASES))
        self.assertEqual(len(plan.schedules_named("matrix:totals")), sum(len(k.phases) for k in plan.KINDS))
        self.assertEqual([f.kind for f in plan.schedule_named("kill_primary+kill_host:running").faults], ["kill_primary", "kill_host"])
        for s in plan.schedules_named("matrix,1-5,kill_primary+kill_host:running"):
            self.assertEqual(plan.schedule_named(s.name), s)

    def test_wrong_names_are_told(self):
        for name in ("kill_everybody:running", "kill_agent:dreaming", "kill_agent", "kill_agent:running:dance", ""):
            with self.assertRaisesRegex(ValueError, "no such schedule"):
                plan.schedules_named(name)


if __name__ == "__main__":
    main()
