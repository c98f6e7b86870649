# SPDX-License-Identifier: Apache-2.0
"""One function a kind of fault: it strikes, and returns an Effect: what was struck, how it is undone, and where it
must be told. A fault that found nothing to strike says so."""
import contextlib
import dataclasses
import itertools
import os
import shutil
import signal
import time
from typing import Callable, Optional

from dialect import last_number
from machine import Failed, running, wait_until
from plan import BOTH, BUSY
from prepare import write

UNAIDED_S = 60  # for a replica to rescue what it has without a primary


@dataclasses.dataclass
class Effect:
    what: str
    undo: Optional[Callable] = None
    told: list = dataclasses.field(default_factory=list)  # pairs (node or "coordinator", regular expression that what it said must match)
    killed: tuple = ()  # processes that are not there because of it: "agent1" …
    struck: bool = True


def nothing(why):
    return Effect(why, struck=False)


class Stage:
    """What the actors act on: the cluster, the load, and the job that phases are about."""

    def __init__(self, cluster, watch, writers):
        self.cluster, self.watch, self.writers, self.task = cluster, watch, writers, 0
        self.operators = set()  # nodes on which an operator has, or will have, a hand in replication

    def node(self, fault):
        return self.watch.node_of(self.task) if fault.target == BUSY else fault.target

    def nodes(self, fault):
        return {"all": self.cluster.nodes, BOTH: self.cluster.nodes[1:]}.get(fault.target) or [self.node(fault)]

    def workplaces(self, fault):
        """Where programs of the job may run: its replica, and the primary's host, which loads."""
        return [self.node(fault)] + ["db0"] * (self.task in self.watch.uploads)

    def lease(self, node):
        return (self.watch.states.get(node, {}).get("lease") or {}).get("phase")


# ------------------------------------------------------------------ kills

SERVER_GONE = r"the server does not answer|met the server|the server restarted"
AGENT_BEGINS = r"siding-agent \S+ of %s in"


def kill_process(stage, process, told):
    c = stage.cluster
    pid = c.pid(process)
    if not pid:
        return nothing("%s did not run" % process)
    c.stopped.discard(pid)
    c.kill_pids([pid])
    return Effect("%s killed" % process, lambda: c.launch(process), [told], (process,))


def kill_agent(stage, fault):
    node = stage.node(fault)
    return kill_process(stage, "agent" + node[2:], (node, AGENT_BEGINS % node))


def kill_coordinator(stage, _):
    return kill_process(stage, "sidingd", ("coordinator", r"sidingd \S+: cluster"))


def kill_server(stage, fault):
    node = stage.node(fault)
    return kill_process(stage, "server" + node[2:], (node, SERVER_GONE))


def kill_primary(stage, _):
    return kill_process(stage, "server0", ("db0", SERVER_GONE))


def restart_primary(stage, _):
    """In good order; clients wait for it meanwhile."""
    c = stage.cluster
    pid = c.pid("server0")
    if not pid:
        return nothing("server0 did not run")
    c.go_on(pid)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not c.pid("server0"), 60, "end of the primary")
    return Effect("server0 stopped", lambda: c.launch("server0"), [("db0", SERVER_GONE)], ("server0",))


def kill_all_of(stage, node):
    """Everything of a node at once; False if nothing ran."""
    c, names = stage.cluster, ("server" + node[2:], "agent" + node[2:])
    pids = found = [p for p in map(c.pid, names) if p]
    for _ in range(20):  # until nothing new was forked meanwhile
        if not pids:
            break
        c.kill_pids(pids)
        pids = c.below_agent(node) + c.watchers(node) + [p for p in map(c.pid, names) if p]
    return bool(found)


def start_host(stage, node):
    for name in ("server" + node[2:], "agent" + node[2:]):
        stage.cluster.launch(name)


def kill_host(stage, fault):
    node = stage.node(fault)
    if not kill_all_of(stage, node):
        return nothing("nothing ran on %s" % node)
    return Effect("all of %s killed" % node, lambda: start_host(stage, node), [(node, AGENT_BEGINS % node)],
                  ("server" + node[2:], "agent" + node[2:]))


kill_primary_host = kill_host


def reboot_host(stage, fault):
    effect = kill_host(stage, fault)
    if effect.struck:
        stage.cluster.new_boot(stage.node(fault))
        effect.what += ", booted anew"
    return effect


def restart_host(stage, fault):
    """Shut down in good order, the agent first, as its unit has it, and booted anew."""
    c, node = stage.cluster, stage.node(fault)
    for name in ("agent" + node[2:], "server" + node[2:]):
        pid = c.pid(name)
        if not pid:
            return nothing("%s did not run" % name)
        c.go_on(pid)
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda n=name: not c.pid(n), 60, "end of " + name)
    c.kill_pids(c.below_agent(node) + c.watchers(node))
    c.new_boot(node)
    return Effect("%s shut down and booted anew" % node, lambda: start_host(stage, node), [(node, AGENT_BEGINS % node)],
                  ("server" + node[2:], "agent" + node[2:]))


def restore_state(stage, fault):
    """The agent's state folder comes back as it was some seconds before."""
    c, node = stage.cluster, stage.node(fault)
    folder, copy = c.path(node, "agent"), c.path(node, "agent.backup")
    if stage.lease(node):
        return nothing("%s is at work: nobody brings back its state" % node)
    shutil.rmtree(copy, ignore_errors=True)
    os.mkdir(copy)
    for name in ("journal.1", "journal.2"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(os.path.join(folder, name), copy)

    def bring_back():
        pid = c.pid("agent" + node[2:])
        if stage.lease(node) or not pid:
            return
        c.go_on(pid)
        c.kill_pids([pid])
        for name in os.listdir(copy):
            shutil.copy2(os.path.join(copy, name), folder)
        c.launch("agent" + node[2:])
    return Effect("the state of %s of now comes back" % node, bring_back)


def processes_below(stage, fault, **which):
    """Of jobs or supervisors: those that are there, or come within a second."""
    with contextlib.suppress(Failed):
        return wait_until(lambda: [p for n in stage.workplaces(fault) for p in stage.cluster.below_agent(n, **which)], 1, "a process")
    return []


def kill_job(stage, fault):
    pids = processes_below(stage, fault, supervisors=False)
    places = stage.workplaces(fault)  # an upload may have begun meanwhile
    commands = stage.cluster.processes()  # on a busy machine some end while the others are looked for; a rescue is no job
    pids = [p for p in pids if p in commands and running(p) and " rescue " not in commands[p][0] + " "]
    if not pids:
        return nothing("no job ran")
    stage.cluster.kill_pids(pids)
    return Effect("job processes %s killed" % pids, told=[(places, r"signal|was lost|was killed|ended with status|run \S+ error|went away")])


def kill_supervisor(stage, fault):
    pids = processes_below(stage, fault, jobs=False)
    places = stage.workplaces(fault)
    commands = stage.cluster.processes()
    pids = [p for p in pids if p in commands]
    if not pids:
        return nothing("no supervisor ran")
    stage.cluster.kill_pids(pids)
    # one that had written down how its program ended is not missed
    missed = [p for p in pids if not os.path.exists(os.path.join(commands[p][0].split(" ")[2], "exit.json"))]
    # nor one of the sealing that was complete by then
    words = r"supervisor|was lost|lost" + (r"|sealing -> resuming" if stage.watch.phase_now(stage.task) != "running" else "")
    return Effect("supervisors %s killed" % pids, told=[(places, words)] if missed else [])


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
    c, nodes = stage.cluster, stage.nodes(fault)
    effect = Effect("the coordinator is cut off from %s (%s)" % (fault.target, fault.option))
    c.relays.cut(nodes, fault.option)
    mends, coordinator = c.relays.mends, c.pid("sidingd")

    def undo():
        # a connection that was open and idle is missed only once its long poll should have been answered
        if fault.option == "refuse" and fault.lasts >= 3 and (c.relays.mends, c.pid("sidingd")) == (mends, coordinator):
            effect.told += [(n, r"cannot be reached") for n in nodes]
        c.relays.mend()
    effect.undo = undo
    return effect


def lose_coordinator(stage, fault):
    """For longer than a lease is good without being renewed."""
    c = stage.cluster

    def frozen():
        leases = {n: stage.watch.states.get(n, {}).get("lease") or {} for n in c.nodes[1:]}
        return {(n, lease.get("owner")) for n, lease in leases.items() if lease.get("phase") == "frozen"}
    effect, before, mends = cut_coordinator(stage, fault), frozen(), c.relays.mends
    mend = effect.undo

    def undo():
        # a pause that lasted all the time went unrenewed, which its agent tells
        if c.relays.mends == mends:
            effect.told += [(n, r"the coordinator is not heard") for n, _ in before & frozen()]
        mend()
    effect.undo = undo
    return effect


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

def fill_up(filler):
    """Fast, but not faster than a disk is."""
    with contextlib.suppress(OSError), open(filler, "ab", buffering=0) as f:
        while True:
            f.write(b"\0" * (4 << 20))
            time.sleep(0.01)
    with contextlib.suppress(OSError), open(filler, "ab", buffering=0) as f:
        while True:
            f.write(b"\0" * 4096)


def fill_disks(stage, fault, name, told):
    """Fills a file system on each node of the fault."""
    c, fillers = stage.cluster, []
    for node in stage.nodes(fault):
        folder = c.path(node, {"state": "agent"}.get(name, name))
        if os.path.ismount(folder):
            fillers.append((node, os.path.join(folder, "filler")))
    if not fillers:
        return nothing("%s is no file system of its own" % name)
    for node, filler in fillers:
        fill_up(filler)
        if name in ("tmp", "relay"):
            stage.operators.add(node)  # a thread that broke by it is started again by whoever has freed the disk

    def free():
        for _, filler in fillers:
            with contextlib.suppress(OSError):
                os.unlink(filler)
    return Effect("%s of %s is full" % (name, ", ".join(n for n, _ in fillers)), free,
                  [(n, told) for n, _ in fillers if told and c.pid("agent" + n[2:])])


def spool_full(stage, fault):
    return fill_disks(stage, fault, "spool", r"(?i)disk|no space|bytes free")


def state_full(stage, fault):
    return fill_disks(stage, fault, "state", r"(?i)disk|no space|bytes free")


def tmp_full(stage, fault):
    return fill_disks(stage, fault, "tmp", "")  # what breaks by it is told: see Execution.heal_by_hand


def relay_full(stage, fault):
    return fill_disks(stage, fault, "relay", r"(?i)disk|no space|bytes free|does not answer")


def vault_full(stage, fault):
    """No inode is left where relay files and the links to them are made."""
    c, node = stage.cluster, stage.node(fault)
    if not os.path.ismount(c.path(node, "relay")):
        return nothing("relay is no file system of its own")
    folder, frozen = c.path(node, "relay", "filler"), stage.lease(node) == "frozen"
    with contextlib.suppress(OSError):
        os.mkdir(folder)
        for i in itertools.count():
            open(os.path.join(folder, str(i)), "w", encoding="ascii").close()
    stage.operators.add(node)
    effect = Effect("%s has no inode left for relay files" % node)

    def free():
        if frozen and stage.lease(node) == "frozen" and fault.lasts >= 2:
            effect.told.append((node, r"not kept safe|the receiver is stopped|No space"))
        shutil.rmtree(folder, ignore_errors=True)
    effect.undo = free
    return effect


# ------------------------------------------------------------------ primary

def purge_primary(stage, _):
    """Purges all that the replicas have received, so that nobody can fetch again what he had buffered."""
    c = stage.cluster
    rows = c.try_sql("db0", "FLUSH BINARY LOGS; " + c.dialect.binlog_status)
    if not rows:
        return nothing("the primary did not answer")
    newest = rows[-1][0]
    for node in c.nodes[1:]:
        def there(n=node):
            return ((c.replication_now(n) or {}).get("file") or "") >= newest
        with contextlib.suppress(Failed):
            wait_until(there, 2, "received")
        if not there():
            return nothing("%s has not received all" % node)
    done = c.try_sql("db0", "PURGE BINARY LOGS TO '%s'" % newest)
    return Effect("binary logs before %s purged" % newest) if done is not None else nothing("PURGE failed")


def lose_primary(stage, fault):
    """The primary is gone, and a replica's host is killed as well. The host comes back alone ("twice": is killed again
    in between), and must apply all that it had received before anybody could help it: the primary stays away until then."""
    c, node = stage.cluster, stage.node(fault)
    received = (c.replication_now(node) or {}).get("received")
    if not received or not c.pid("server0"):
        return nothing("%s has received nothing, or there is no primary" % node)
    acknowledged = dict(stage.writers.seen)
    c.stopped.discard(c.pid("server0"))
    c.kill_pids([c.pid("server0")])
    kill_all_of(stage, node)

    def alone():
        start_host(stage, node)
        if fault.option == "twice":
            with contextlib.suppress(Failed):
                wait_until(lambda: stage.lease(node) == "rescuing", 3, "rescue")
            kill_all_of(stage, node)
            start_host(stage, node)
        wait_until(lambda: c.try_sql(node, "SELECT 1") and c.has_applied(node, received), UNAIDED_S,
                   lambda: "%s has not applied all it had received before the primary was lost, %s: %s; lease %s" % (
                       node, received, c.try_sql(node, c.dialect.position), stage.lease(node)))
        there = {t for (t,) in c.sql(node, "SELECT token FROM town.transfer")}
        lost = [t for t, (_, most) in acknowledged.items() if most <= last_number(received) and t not in there]
        if lost:
            raise Failed("%s had received %s and has lost %d transactions of it: %s" % (node, received, len(lost), lost[:3]))

    def undo():
        try:
            alone()
        finally:
            c.launch("server0")
    return Effect("the primary is lost, and all of %s killed (%s)" % (node, fault.option), undo,
                  [("db0", SERVER_GONE), (node, AGENT_BEGINS % node)], ("server0", "server" + node[2:], "agent" + node[2:]))


# --------------------------------------------------------------- strangers

def large_row(stage, _):
    """A transaction of one row above the packets that replicas take by default."""
    c = stage.cluster
    done = c.try_sql("db0", "CREATE TABLE IF NOT EXISTS town.large (id INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB); "
                     "INSERT INTO town.large (v) VALUES (REPEAT('0123456789abcdef', 900000)); DELETE FROM town.large", within_s=30)
    return Effect("a row of 14 MB") if done is not None else nothing("the primary did not take it")


def foreign_lock(stage, fault):
    """Somebody else's session keeps the whole server from committing for a while."""
    c, node = stage.cluster, stage.node(fault)
    if not c.pid("server" + node[2:]) or c.try_sql(node, "SELECT 1") is None:
        return nothing("%s did not answer" % node)
    session = c.session(node)
    try:
        session.sql("FLUSH TABLES WITH READ LOCK", within_s=3)
    except Exception:
        session.client.kill()
        return nothing("the lock of %s was not to be had" % node)
    return Effect("%s is locked by somebody" % node, session.client.kill)


def changed_options(stage, node, option, killed=False):
    """Somebody has changed the server's option file, and starts it anew; later the line goes again."""
    c = stage.cluster
    server, options = "server" + node[2:], c.path(node, "options")

    def start_anew():
        pid = c.pid(server)
        if not pid:
            return False
        if killed:
            c.stopped.discard(pid)
            c.kill_pids([pid])
        else:
            c.end_server(server)
        c.launch(server)
        return True

    def back():
        with contextlib.suppress(FileNotFoundError):
            os.unlink(options)
        # MariaDB hangs for good where SIGTERM comes while it starts its slave threads
        wait_until(lambda: not c.pid(server) or c.try_sql(node, "SELECT 1") is not None, 60, "begin of " + server)
        start_anew()
    write(options, option + "\n")
    if start_anew():
        return Effect("%s %sstarted with %s" % (server, "killed and " * killed, option), back, [(node, SERVER_GONE)], (server,))
    os.unlink(options)
    return nothing("%s did not run" % server)


def option_file(stage, fault):
    return changed_options(stage, stage.node(fault), fault.option)


def encrypt(stage, fault):
    """A server encrypts the logs that it writes, for a while. What it has written then stays so until it is gone."""
    if not stage.cluster.has_keys:
        return nothing("the servers of the system have no keys")
    return changed_options(stage, stage.node(fault), stage.cluster.dialect.encrypt, fault.option == "killed")


def errant(stage, fault):
    """Somebody writes on a replica, in a table that the primary does not have."""
    c, node = stage.cluster, stage.node(fault)
    if c.try_sql(node, c.dialect.unlock + "CREATE DATABASE stray; CREATE TABLE stray.pad (id INT PRIMARY KEY); "
                 "INSERT INTO stray.pad VALUES (1)" + c.dialect.lock) is None:
        return nothing("%s took no write" % node)
    return Effect("a transaction of its own on %s" % node, told=[(node, "does not have.*errant")])


# --------------------------------------------------------------- operator

def by_hand(stage, node, statement):
    stage.operators.add(node)
    return stage.cluster.try_sql(node, statement) is not None


def operator_start_sql(stage, fault):
    node = stage.node(fault)

    def stands_frozen():
        # while it is sealed the frozen state has been verified already, and the pause ends at once
        return stage.lease(node) == "frozen" and stage.watch.phase_on(node) in ("pausing", "running")
    status = stage.cluster.replication_now(node) or {}
    if status.get("io") == "No":
        return nothing("the receiver of %s was stopped: nobody starts the applier then" % node)
    before = stands_frozen()
    if not by_hand(stage, node, "START REPLICA SQL_THREAD"):
        return nothing("%s did not answer" % node)
    frozen = before and stands_frozen()
    return Effect("SQL thread of %s started by hand%s" % (node, " while frozen" if frozen else ""),
                  told=[(node, r"started by somebody|moved on|not frozen")] if frozen else [])  # the last: a job saw it first


def stop_by_hand(stage, fault, thread, key, told):
    """The operator takes his STOP back, but leaves a replica alone that Siding is at work on."""
    c, node = stage.cluster, stage.node(fault)
    ran = (c.replication_now(node) or {}).get(key) == "Yes"
    if not by_hand(stage, node, "STOP REPLICA %s_THREAD" % thread):
        return nothing("%s did not answer" % node)
    effect = Effect("%s thread of %s stopped by hand%s" % (thread, node, "" if ran else ", it did not run"))

    def start():
        now = c.replication_now(node) or {}
        if ran and now.get(key) == "No" and fault.lasts >= 1.5 and stage.lease(node) != "frozen" and c.pid("agent" + node[2:]):
            effect.told.append((node, told))
        if not stage.lease(node):
            by_hand(stage, node, start_statement(now))
    effect.undo = start
    return effect


def start_statement(now):
    """Both threads at once only if both are stopped."""
    return "START REPLICA" + (" SQL_THREAD" if now.get("io") != "No" else " IO_THREAD" if now.get("sql") != "No" else "")


def operator_stop_sql(stage, fault):
    return stop_by_hand(stage, fault, "SQL", "sql", r"somebody stopped")


def operator_stop_io(stage, fault):
    return stop_by_hand(stage, fault, "IO", "io", r"receiver")


def operator_delay(stage, fault):
    """Lets a replica wait on purpose, while Siding is not at work on it, and takes that back."""
    c, node = stage.cluster, stage.node(fault)

    def delay(seconds):
        now = c.connections(node).get("") or {}
        if stage.lease(node) or now.get("sql") != "Yes":
            return False
        return by_hand(stage, node, "STOP REPLICA SQL_THREAD; %s; START REPLICA SQL_THREAD" % (c.dialect.delay % seconds))

    def back():
        c.launch("server" + node[2:])
        wait_until(lambda: delay(0), 60, "%s is delayed no more" % node)
    try:
        wait_until(lambda: delay(2), 5, "a moment between two pauses")
    except Failed:
        return nothing("%s was at work" % node)
    return Effect("%s is delayed by 2 s" % node, back)


def operator_repoint(stage, fault):
    """Lets one replica follow the other for a while."""
    c, node = stage.cluster, stage.node(fault)
    other = next(n for n in c.nodes[1:] if n != node)

    def point_to(source):
        port = c.ports.base + int(source[2:])
        return "" in c.connections(node) and by_hand(stage, node, "STOP REPLICA; %s; START REPLICA" % (c.dialect.point_to % port))

    effect = Effect("%s follows %s" % (node, other))

    def back():
        still = c.connections(node).get("", {}).get("port") == str(c.ports.base + int(other[2:]))  # or somebody else was here
        if still and fault.lasts >= 2 and c.pid("sidingd") and c.pid("agent" + node[2:]):
            effect.told.append((node, r"pointed at another source|replicates from"))
        c.launch("server" + node[2:])  # it may have crashed meanwhile
        wait_until(lambda: point_to("db0"), 60, "%s follows the primary again" % node)
    if not point_to(other):
        wait_until(lambda: point_to("db0"), 60, "%s follows the primary again" % node)
        return nothing("%s did not answer" % node)
    effect.undo = back
    return effect


def make_connection(stage, node, name):
    """The only one of a node, of this name; whatever others have received is applied before they go. False: not now."""
    c, words = stage.cluster, stage.cluster.dialect
    there = c.connections(node)
    if not there and c.try_sql(node, "SELECT 1") is None or stage.lease(node):
        return False
    for other, now in there.items():
        if other == name:
            continue
        if now["sql"] != "Yes" and not name:  # the server was started anew meanwhile, and begins with what it has received
            by_hand(stage, node, words.start % other)
        if now["sql"] != "Yes" or not by_hand(stage, node, words.stop_receiver % other):
            return False
        with contextlib.suppress(Failed):
            wait_until(lambda n=other: c.has_applied(node, c.connections(node)[n]["received"]), 3, "applied")
        done = c.connections(node).get(other)
        if not done or stage.lease(node) or not c.has_applied(node, done["received"]) or not by_hand(stage, node, words.remove % (other, other)):
            by_hand(stage, node, words.start % other)
            return False
    follow = words.follow % {"name": name, "port": c.ports.base}
    return (name in there or by_hand(stage, node, follow)) and by_hand(stage, node, words.start % name)


def named(stage, fault):
    """The one connection of a replica has a name for a while. It is made anew while Siding is not at work there."""
    c, node = stage.cluster, stage.node(fault)

    def made(name):
        with contextlib.suppress(Failed, KeyError):
            return make_connection(stage, node, name)
        return False
    effect = Effect("the connection of %s has a name" % node)

    def back():
        c.launch("server" + node[2:])
        wait_until(lambda: made(""), 60, "%s follows by the default connection" % node)
    try:
        wait_until(lambda: made("east"), 5, "a moment between two pauses")
    except Failed:
        back()
        return nothing("%s was at work" % node)
    effect.undo = back
    return effect


def strike(stage, fault):
    return globals()[fault.kind](stage, fault)
