# SPDX-License-Identifier: Apache-2.0
# On one machine the replicas' work would take CPU time from the primary, which it does not where each has a host
# of its own. So while latencies are measured the CPUs are two hosts: one half is the primary's (its server, its
# agent, whatever runs beside them), the other half that of the replicas, their agents and jobs. The live writers
# are clients and may use all.
import os

ALL = set(os.sched_getaffinity(0))


def primary_cpus():
    cpus = sorted(ALL)
    return set(cpus[:max(1, len(cpus) // 2)])


def replica_cpus():
    return ALL - primary_cpus() or ALL


def bind(pid, cpus):
    """All threads of a process; what it starts later inherits it. A process that has ended is left out."""
    try:
        for thread in os.listdir("/proc/%d/task" % pid):
            os.sched_setaffinity(int(thread), cpus)
    except (OSError, ValueError):
        pass


def bind_all(env, primary, replicas):
    """Every server and agent, and ourselves: we are no part of the primary."""
    bind(os.getpid(), replicas)
    for name, value in env.items():
        if name.endswith("_PID") and name.startswith(("DB", "AGENT")) and value.isdigit():
            bind(int(value), primary if name in ("DB0_PID", "AGENT0_PID") else replicas)


def apart(env):
    bind_all(env, primary_cpus(), replica_cpus())


def together(env):
    bind_all(env, ALL, ALL)


def told():
    if len(ALL) < 2:
        return "one CPU stands for all hosts: latencies include the replicas' work"
    return "as on hosts of their own: the primary has CPU %s, the replicas and their jobs have CPU %s" % tuple(
        ",".join(map(str, sorted(cpus))) for cpus in (primary_cpus(), replica_cpus()))
