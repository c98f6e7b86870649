# SPDX-License-Identifier: Apache-2.0
"""What is printed of failover trials: a line each, and a table of times by fault and state."""
import statistics

import trial_plan
from report import show_lines


def show(outcome):
    f = outcome["figures"]
    words = [str(trial_plan.trial_named(outcome["name"]))]
    if "accepted_s" in f:
        words.append("writes after %.2f s, %.2f of it drain, %.2f without a coordinator; bound %.2f" % (
            f["accepted_s"], f["drain_s"], f["away_s"], f["bound_s"]))
    elif "longest_gap_s" in f:
        words.append("not replaced, longest time without an acknowledgement %.2f s" % f["longest_gap_s"])
    show_lines(outcome, "; ".join(words))


def percentile(values, part):
    """The least value that so large a part of them does not exceed."""
    return sorted(values)[max(0, -(-len(values) * part // 100) - 1)]


def row(outcomes):
    nets = [o["figures"]["net_s"] for o in outcomes if o["ok"] and "net_s" in o["figures"]]
    bounds = [o["figures"]["bound_s"] for o in outcomes if o["ok"] and "net_s" in o["figures"]]
    within = sum(n <= b for n, b in zip(nets, bounds))
    times = ("%.2f" % statistics.median(nets), "%.2f" % percentile(nets, 95), "%.2f" % max(bounds), "%d/%d" % (within, len(nets))) if nets else ("-",) * 4
    return (len(outcomes), sum(o["ok"] for o in outcomes), sum(o["figures"].get("acknowledged", 0) for o in outcomes), *times)


def table(outcomes):
    """Of each fault with each state: trials, how many are right, acknowledged writes; and of those that were replaced the time
    from the fault to the first write that the new primary took, drain and time without a coordinator apart."""
    print("\n%-24s %-12s %6s %6s %13s %8s %8s %8s %8s" % ("primary", "besides", "trials", "right", "acknowledged", "median s", "p95 s", "bound s", "within"))

    def line(fault, state, some):
        if some:
            print("%-24s %-12s %6d %6d %13d %8s %8s %8s %8s" % (fault, state, *row(some)))
    kinds = [(f, v) for f, vs in trial_plan.FAULTS.items() for v in vs]
    for fault, variant in kinds:
        for state in trial_plan.STATES:
            line(fault + (" (%s)" % variant if variant else ""), state, [o for o in outcomes if (
                o["schedule"]["fault"], o["schedule"]["variant"], o["schedule"]["state"]) == (fault, variant, state)])
    for fault in trial_plan.FAULTS:
        line(fault, "all", [o for o in outcomes if o["schedule"]["fault"] == fault])
    line("all", "", outcomes)
    failed = [o["name"] for o in outcomes if not o["ok"]]
    if failed:
        print("again: scripts/faults --failover --seeds %s" % ",".join(failed))
