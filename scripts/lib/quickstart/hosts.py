# SPDX-License-Identifier: Apache-2.0
# On one machine the replicas' work would take CPU time from the primary, which it does not where each has a host
# of its own. So while latencies are measured the replicas, their agents and jobs keep to one half of the CPUs and
# leave the other half alone. The primary, its agent, and the reindex on the primary itself may use all.
import os

ALL = set(os.sched_getaffinity(0))


def replica_cpus():
    cpus = sorted(ALL)
    return set(cpus[len(cpus) // 2:])


def bind(pid, cpus):
    """All threads of a process; what it starts later inherits it. A process that has ended is left out."""
    try:
        for thread in os.listdir("/proc/%d/task" % pid):
            os.sched_setaffinity(int(thread), cpus)
    except (OSError, ValueError):
        pass


def bind_replicas(env, cpus):
    """The replicas' servers and agents, and ourselves: we are no part of the primary either."""
    bind(os.getpid(), cpus)
    for name, value in env.items():
        if name.endswith("_PID") and name.startswith(("DB", "AGENT")) and name not in ("DB0_PID", "AGENT0_PID") and value.isdigit():
            bind(int(value), cpus)


def apart(env):
    bind_replicas(env, replica_cpus())


def together(env):
    bind_replicas(env, ALL)


def told():
    if len(ALL) < 2:
        return "one CPU stands for all hosts: latencies include the replicas' work"
    return "replicas and their jobs keep to CPU %s, as on hosts of their own" % ",".join(map(str, sorted(replica_cpus())))
