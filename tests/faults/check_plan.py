#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unit tests of the planner, as TAP."""
import os
import sys
import unittest
import unittest.mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]
import plan  # noqa: E402
import trial_oracle  # noqa: E402
import trial_plan  # noqa: E402
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
        self.assertEqual({len(s.faults) for s in schedules}, {1, 2, 3, 4, 5})

    def test_what_is_struck_besides_changes_nothing_else(self):
        with_it = 0
        for seed in range(400):
            drawn = plan.random_schedule(seed)
            with unittest.mock.patch("plan.BESIDES_IN", 10**9):
                without = plan.random_schedule(seed)
            self.assertEqual((drawn.operations, drawn.faults[:len(without.faults)]), (without.operations, without.faults))
            self.assertFalse(any(plan.BY_NAME[f.kind].besides for f in without.faults))
            with_it += drawn != without
        self.assertTrue(400 / 10 < with_it < 400 / 4, with_it)

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


class Trials(unittest.TestCase):
    def test_a_seed_means_the_same_every_time(self):
        self.assertEqual(trial_plan.random_trial(7), trial_plan.random_trial(7))
        self.assertNotEqual(trial_plan.random_trial(7).as_json(), trial_plan.random_trial(23).as_json())

    def test_sixteen_in_a_row_have_each_fault_with_each_state(self):
        for first in (1, 40):
            cells = {(t.fault, t.state) for t in map(trial_plan.random_trial, range(first, first + 16))}
            self.assertEqual(len(cells), 16)

    def test_every_variant_comes_within_200(self):
        trials = [trial_plan.random_trial(seed) for seed in range(1, 201)]
        self.assertEqual({(t.fault, t.variant) for t in trials}, {(f, v) for f, vs in trial_plan.FAULTS.items() for v in vs})
        self.assertEqual({t.step for t in trials}, {"", *trial_plan.STEPS})
        self.assertEqual({t.replaced for t in trials}, {True, False, None})
        for t in trials:
            self.assertEqual(t, trial_plan.trial_named(t.name))
            self.assertFalse(t.early and t.variant in trial_plan.HEALS)

    def test_lists_of_trials(self):
        names = [t.name for t in trial_plan.trials_named("3-5,host:paused,partitioned/full:none:2")]
        self.assertEqual(names, ["3", "4", "5", "host:paused", "partitioned/full:none:2"])
        self.assertEqual(trial_plan.trial_named("partitioned/full:none:2").variant, "full")
        self.assertNotEqual(trial_plan.trial_named("host:none:1").back, trial_plan.trial_named("host:none:2").back)

    def test_wrong_names_are_told(self):
        for name in ("host", "burnt:none", "host:asleep", "host/full:none", "host:none:1:2", ""):
            with self.assertRaisesRegex(ValueError, "no such trial"):
                trial_plan.trial_named(name)

    def test_two_writers_are_found(self):
        def taken(node, begun):
            return (begun, begun + 0.01, node, "w", 1, 1)
        one_after_the_other = [taken("db0", 1), taken("db0", 2), taken("db1", 3), taken("db1", 4)]
        self.assertEqual(trial_oracle.writers_at_once(one_after_the_other), [])
        self.assertEqual(trial_oracle.writers_at_once([*one_after_the_other, taken("db0", 3.5)]), [("db0", "db1")])
        # One that waited while its server stood still, and is told late.
        self.assertEqual(trial_oracle.writers_at_once([*one_after_the_other, (2, 3.5, "db0", "w", 1, 2)]), [])


if __name__ == "__main__":
    main()
