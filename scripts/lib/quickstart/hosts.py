# SPDX-License-Identifier: Apache-2.0
# On one machine the replicas' work would take CPU time from the primary, which it does not where each has a host
# of its own. So while latencies are measured some CPUs stand for the primary's host and the others for the replicas'.
import os


ALL = set(os.sched_getaffinity(0))


def split():
    """(CPUs of the primary's host, CPUs of the replicas' hosts); both are all CPUs where there is only one."""
    cpus = sorted(ALL)
    if len(cpus) < 2:
        return set(cpus), set(cpus)
    half = len(cpus) // 2
    return set(cpus[:half]), set(cpus[half:])


def bind(pid, cpus):
    """All threads of a process; what it starts later inherits it. A process that has ended is left out."""
    try:
        for thread in os.listdir("/proc/%d/task" % pid):
            os.sched_setaffinity(int(thread), cpus)
    except (OSError, ValueError):
        pass


def apart(env):
    """Binds the cluster's daemons by the role of their node, and ourselves to where the primary is not. Returns the
    CPUs of the primary's host."""
    primary, replicas = split()
    bind(os.getpid(), replicas)
    for name, value in env.items():
        if name.endswith("_PID") and name[:2] in ("DB", "AG", "SI") and value.isdigit():
            bind(int(value), primary if name in ("DB0_PID", "AGENT0_PID", "SIDINGD_PID") else replicas)
    return primary


def together(env):
    bind(os.getpid(), ALL)
    for name, value in env.items():
        if name.endswith("_PID") and value.isdigit():
            bind(int(value), ALL)


def told():
    primary, replicas = split()
    if primary == replicas:
        return "one CPU stands for all hosts: latencies include the replicas' work"
    names = [",".join(map(str, sorted(s))) for s in (primary, replicas)]
    return "CPU %s stands for the primary's host, CPU %s for the replicas' hosts" % tuple(names)
