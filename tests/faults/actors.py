# SPDX-License-Identifier: Apache-2.0
"""One function a kind of fault: it strikes, and returns an Effect: what was struck, how it is undone, and where it
must be told. A fault that found nothing to strike says so."""
import contextlib
import dataclasses
import os
import signal
import time
from typing import Callable, Optional

from harness import Failed, wait_until
from plan import BUSY


@dataclasses.dataclass
class Effect:
    what: str
    undo: Optional[Callable] = None
    told: str = ""  # a regular expression that logs, events or warnings must match afterwards
    killed: tuple = ()  # processes that are not there because of it: "agent1" …
    struck: bool = True


def nothing(why):
    return Effect(why, struck=False)


class Stage:
    """What the actors act on: the cluster, and the job that phases are about."""

    def __init__(self, cluster, watch):
        self.cluster, self.watch, self.task = cluster, watch, 0
        self.operators = set()  # nodes on which an operator has, or will have, a hand in replication

    def node(self, fault):
        return self.watch.node_of(self.task) if fault.target == BUSY else fault.target

    def nodes(self, fault):
        return self.cluster.nodes if fault.target == "all" else [self.node(fault)]


# ------------------------------------------------------------------ kills

def kill_process(stage, process, told):
    c = stage.cluster
    pid = c.pid(process)
    if not pid:
        return nothing("%s did not run" % process)
    c.stopped.discard(pid)
    c.kill_pids([pid])
    return Effect("%s killed" % process, lambda: c.launch(process), told, (process,))


def kill_agent(stage, fault):
    number = stage.node(fault)[2:]
    return kill_process(stage, "agent" + number, r"siding-agent \S+ of db%s in" % number)


def kill_coordinator(stage, _):
    return kill_process(stage, "sidingd", r"sidingd \S+: cluster")


def kill_server(stage, fault):
    number = stage.node(fault)[2:]
    return kill_process(stage, "server" + number, r"the server|met the server|database server")


def kill_primary(stage, _):
    return kill_process(stage, "server0", r"the server|database")


def restart_primary(stage, _):
    """In good order; clients wait for it meanwhile."""
    c = stage.cluster
    pid = c.pid("server0")
    if not pid:
        return nothing("server0 did not run")
    c.go_on(pid)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not c.pid("server0"), 60, "end of the primary")
    return Effect("server0 stopped", lambda: c.launch("server0"), r"the server|database", ("server0",))


def kill_host(stage, fault):
    """Everything of a node at once."""
    c, node = stage.cluster, stage.node(fault)
    names = ("server" + node[2:], "agent" + node[2:])
    pids = [p for p in map(c.pid, names) if p]
    if not pids:
        return nothing("nothing ran on %s" % node)
    for _ in range(20):  # until nothing new was forked meanwhile
        c.kill_pids(pids)
        pids = c.below_agent(node) + [p for p in map(c.pid, names) if p]
        if not pids:
            break

    def start():
        for name in names:
            c.launch(name)
    return Effect("all of %s killed" % node, start, r"siding-agent \S+ of %s in" % node, names)


def reboot_host(stage, fault):
    effect = kill_host(stage, fault)
    if effect.struck:
        stage.cluster.new_boot(stage.node(fault))
        effect.what += ", booted anew"
    return effect


def processes_below(stage, fault, **which):
    """Of jobs or supervisors: those that are there, or come within a second."""
    with contextlib.suppress(Failed):
        return wait_until(lambda: stage.cluster.below_agent(stage.node(fault), **which), 1, "a process")
    return []


def kill_job(stage, fault):
    pids = processes_below(stage, fault, supervisors=False)
    if not pids:
        return nothing("no job ran")
    stage.cluster.kill_pids(pids)
    return Effect("job processes %s killed" % pids, told=r"signal|was lost|was killed|ended with status|run \S+ error|went away")


def kill_supervisor(stage, fault):
    pids = processes_below(stage, fault, jobs=False)
    if not pids:
        return nothing("no supervisor ran")
    stage.cluster.kill_pids(pids)
    return Effect("supervisors %s killed" % pids, told=r"supervisor|was lost|lost")


# ------------------------------------------------------------------ stops

def stand_still(stage, pids, what):
    if not pids:
        return nothing("%s did not run" % what)
    c = stage.cluster
    c.stand_still(pids)
    return Effect("%s stands still" % what, lambda: [c.go_on(p) for p in pids])


def stop_process(stage, process):
    pid = stage.cluster.pid(process)
    return stand_still(stage, [pid] if pid else [], process)


def stop_agent(stage, fault):
    return stop_process(stage, "agent" + stage.node(fault)[2:])


def stop_server(stage, fault):
    return stop_process(stage, "server" + stage.node(fault)[2:])


def stop_coordinator(stage, _):
    return stop_process(stage, "sidingd")


def stop_primary(stage, _):
    return stop_process(stage, "server0")


def stop_job(stage, fault):
    return stand_still(stage, processes_below(stage, fault, supervisors=False), "a job")


# ------------------------------------------------------------------ network, clocks

def cut_coordinator(stage, fault):
    c = stage.cluster
    c.relays.cut(stage.nodes(fault), fault.option)
    told = r"cannot be reached" if fault.option == "refuse" and fault.lasts >= 3 else ""
    return Effect("the coordinator is cut off from %s (%s)" % (fault.target, fault.option), c.relays.mend, told)


def clock(stage, fault):
    """Set by an hour, and back at the end."""
    c = stage.cluster
    hosts = [*c.nodes, "coordinator"] if fault.target == "all" else [stage.node(fault)]

    def put(ms):
        for host in hosts:
            c.set_clock(host, ms)
    put(int(fault.option) * 1000)
    return Effect("the clock of %s is set by %s s" % (fault.target, fault.option), lambda: put(0))


# ------------------------------------------------------------------ disks

def fill_disk(stage, node, name):
    """Fills a file system, fast, but not faster than a disk is."""
    c = stage.cluster
    folder = c.path(node, {"state": "agent"}.get(name, name))
    if not os.path.ismount(folder):
        return nothing("%s is no file system of its own" % folder)
    filler = os.path.join(folder, "filler")
    with contextlib.suppress(OSError), open(filler, "ab", buffering=0) as f:
        while True:
            f.write(b"\0" * (4 << 20))
            time.sleep(0.01)
    with contextlib.suppress(OSError), open(filler, "ab", buffering=0) as f:
        while True:
            f.write(b"\0" * 4096)

    def free():
        with contextlib.suppress(OSError):
            os.unlink(filler)
    if name in ("tmp", "relay"):
        stage.operators.add(node)  # an applier that broke by it is started again by whoever has freed the disk
    told = r"(?i)disk|no space|bytes free|space" if name in ("spool", "state") else ""
    return Effect("%s of %s is full" % (name, node), free, told)


def disk_full(stage, fault):
    return fill_disk(stage, stage.node(fault), fault.option)


def relay_full(stage, fault):
    effect = fill_disk(stage, stage.node(fault), "relay")
    if effect.struck:
        effect.told = r"(?i)disk|no space|bytes free|space|does not answer"
    return effect


# ------------------------------------------------------------------ primary

def purge_primary(stage, _):
    """Purges all that the replicas have received, so that nobody can fetch again what he had buffered."""
    c = stage.cluster
    rows = c.try_sql("db0", "FLUSH BINARY LOGS; SHOW MASTER STATUS")
    if not rows:
        return nothing("the primary did not answer")
    newest = rows[-1][0]
    for node in c.nodes[1:]:
        def there(n=node):
            return ((c.replication_now(n) or {}).get("Master_Log_File") or "") >= newest
        with contextlib.suppress(Failed):
            wait_until(there, 2, "received")
        if not there():
            return nothing("%s has not received all" % node)
    done = c.try_sql("db0", "PURGE BINARY LOGS TO '%s'" % newest)
    return Effect("binary logs before %s purged" % newest) if done is not None else nothing("PURGE failed")


# --------------------------------------------------------------- operator

def by_hand(stage, node, statement):
    stage.operators.add(node)
    return stage.cluster.try_sql(node, statement) is not None


def lease_phase(stage, node):
    return (stage.watch.states.get(node, {}).get("lease") or {}).get("phase")


def operator_start_sql(stage, fault):
    node = stage.node(fault)

    def stands_frozen():
        # while it is sealed the frozen state has been verified already, and the pause ends at once
        return lease_phase(stage, node) == "frozen" and stage.watch.phase_on(node) in ("pausing", "running")
    status = stage.cluster.replication_now(node) or {}
    if status.get("io") == "No":
        return nothing("the receiver of %s was stopped: nobody starts the applier then" % node)
    before = stands_frozen()
    if not by_hand(stage, node, "START SLAVE SQL_THREAD"):
        return nothing("%s did not answer" % node)
    frozen = before and stands_frozen()
    return Effect("SQL thread of %s started by hand%s" % (node, " while frozen" if frozen else ""),
                  told=r"started by somebody|moved" if frozen else "")


def start_by_hand(stage, node):
    """The operator takes his STOP back, but leaves a replica alone that Siding is at work on."""
    def start():
        if not lease_phase(stage, node):
            by_hand(stage, node, "START SLAVE")
    return start


def operator_stop_sql(stage, fault):
    node = stage.node(fault)
    if not by_hand(stage, node, "STOP SLAVE SQL_THREAD"):
        return nothing("%s did not answer" % node)
    return Effect("SQL thread of %s stopped by hand" % node, start_by_hand(stage, node))


def operator_stop_io(stage, fault):
    node = stage.node(fault)
    if not by_hand(stage, node, "STOP SLAVE IO_THREAD"):
        return nothing("%s did not answer" % node)
    return Effect("IO thread of %s stopped by hand" % node, start_by_hand(stage, node), r"receiver")


def operator_repoint(stage, fault):
    """Lets one replica follow the other for a while."""
    c, node = stage.cluster, stage.node(fault)
    other = next(n for n in c.nodes[1:] if n != node)

    def point_to(source):
        port = c.ports.base + int(source[2:])
        return by_hand(stage, node, "STOP SLAVE; CHANGE MASTER TO MASTER_PORT=%d, MASTER_HEARTBEAT_PERIOD=0.5; START SLAVE" % port)

    def back():
        wait_until(lambda: point_to("db0"), 60, "%s follows the primary again" % node)
    if not point_to(other):
        back()
        return nothing("%s did not answer" % node)
    return Effect("%s follows %s" % (node, other), back)


def strike(stage, fault):
    return globals()[fault.kind](stage, fault)
