# SPDX-License-Identifier: Apache-2.0
"""Carries a schedule out on a standing cluster: jobs and faults at their times, then everything is undone, and the
oracle judges."""
import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
import threading
import time

import actors
import oracle
from cluster import Init
from machine import Failed, wait_until
from load import Load
from watch import Watch

OPERATION_ARGS = {"index": ("index", "--job", "words"), "dump": ("dump", "--database", "town"),
                  "totals": ("command", "--on", "replica", "totals"), "pair": ("command", "--on", "replica", "pair", "--replicas", "2"),
                  "quick": ("command", "--on", "replica", "quick"),
                  "expire": ("command", "--on", "replica", "expire", "--pause-limit", "1500ms")}
LOADED = ("index", "totals")  # jobs whose results are loaded
CORRUPT_RELAY_LOG = ("1594", "13121")  # a server that could not write one leaves it so, and logs no more until it is started anew
SERVER_DISKS = {"relay_full", "vault_full"}
NEW_BOOT = {"reboot_host", "restart_host"}
CRASHED = r"the machine crashed while durability was relaxed: .*provision it anew"
PHASE_WITHIN_S, UNDO_WITHIN_S, BEFORE_WITHIN_S, CRASHED_WITHIN_S = 15, 90, 15, 20
RELAY_LOG_WRITE_FAILURE, TOLD_WITHIN_S = "1595", 10  # such a server may hang in STOP until it is restarted, which its agent tells


@dataclasses.dataclass
class Outcome:
    name: str
    wrong: list  # sentences; empty: all invariants hold
    struck: list  # what the faults did, with times
    hits: list  # {kind, phase}: faults that found something to strike, and the phase of the first job then
    tasks: str
    odd: list  # lines of logs that should not be there, but break no invariant
    seconds: float
    times: dict = dataclasses.field(default_factory=dict)  # {part of the schedule: seconds}

    @property
    def ok(self):
        return not self.wrong


class Execution:
    def __init__(self, cluster, schedule, before):
        self.cluster, self.schedule, self.before = cluster, schedule, before
        self.effects, self.struck, self.hits, self.trouble, self.submitted = [], [], [], [], []
        self.broken_by_error = []  # pairs as in Effect.told
        self.first, self.ready, self.lock = threading.Event(), threading.Event(), threading.Lock()
        self.waited_for = sum(f.phase == "before" for f in schedule.faults)
        self.began, self.times = 0.0, {}

    @contextlib.contextmanager
    def timed(self, part):
        begun = time.monotonic()
        yield
        self.times[part] = round(time.monotonic() - begun, 1)

    def note(self, text):
        with self.lock:
            self.struck.append("%.1f s: %s" % (time.monotonic() - self.began, text))

    def go(self):
        c = self.cluster
        self.base = max([t["id"] for t in oracle.get(c, "/v1/tasks?limit=1")] or [0])
        self.marks = c.mark_logs()
        self.last_event = int(c.value("db0", "SELECT COALESCE(MAX(id), 0) FROM siding.event"))
        c.sql("db0", "TRUNCATE town.totals")
        self.watch = Watch({n: c.agent_port(n) for n in c.nodes})
        writers, init = Load(c), None
        self.stage = actors.Stage(c, self.watch, writers)
        self.began = time.monotonic()
        try:
            wait_until(lambda: writers.seen, 20, "first transaction of the load")
            self.began = time.monotonic()
            with self.timed("faults"):
                self.in_threads()
            with self.timed("heal"):
                crashed = self.heal()
                init = Init(c)
                self.heal_crashed()
                for node in self.stage.operators:
                    self.heal_by_hand(node)
            judge = oracle.Oracle(c, self.schedule, writers, self.watch, self.base, self.before, self.submitted, self.last_event)
            judge.wrong += self.trouble
            odd = self.judge(judge, writers)
            crashed = ["%s has ended by itself" % name for name in crashed + init.crashed]
            # servers of either flavour may crash when they cannot write their logs
            (odd if SERVER_DISKS & {f.kind for f in self.schedule.faults} else judge.wrong).extend(crashed)
        finally:
            if init:
                init.stop()
            writers.stop()
            self.watch.stop()
        words = ", ".join("%s%s %s" % (t["job"], "'s upload" if t["kind"] == "upload" else "", t["state"]) for t in reversed(judge.tasks))
        return Outcome(self.schedule.name, judge.wrong, self.struck, self.hits, words, odd, time.monotonic() - self.began, self.times)

    def in_threads(self):
        work = [(self.operate, o) for o in self.schedule.operations] + [(self.fault, (f,)) for f in self.schedule.faults]
        threads = [threading.Thread(target=self.guard, args=w, daemon=True) for w in work]
        for thread in threads:
            thread.start()
        until = time.monotonic() + UNDO_WITHIN_S + PHASE_WITHIN_S
        for thread in threads:
            thread.join(max(0.1, until - time.monotonic()))
            if thread.is_alive():
                self.trouble.append("the harness itself is stuck: %s" % thread.name)

    def guard(self, function, args):
        try:
            function(*args)
        except (Failed, OSError, subprocess.SubprocessError) as e:
            self.trouble.append("%s%s: %s" % (function.__name__, args, e))

    def operate(self, at, operation):
        if self.waited_for:
            self.ready.wait(BEFORE_WITHIN_S)
        time.sleep(at)
        if operation == "manual":
            self.pause_by_hand()
            return

        def submitted():
            try:
                return self.cluster.submit(*OPERATION_ARGS[operation])
            except (Failed, subprocess.SubprocessError):
                return None  # no coordinator, or it has no primary: an operator tries again
        task = int(wait_until(submitted, 60, "submission of %s" % operation))
        self.submitted.append(task)
        if at == 0 and not self.first.is_set():
            self.stage.task = task
            self.first.set()

    def pause_by_hand(self):
        try:
            answer = self.cluster.siding("replica", "pause", "db2", "--for", "3s", "--reason", "a look", within_s=40)
            self.note("db2 paused by hand at %s" % (answer.get("gtid") or answer))
        except (Failed, subprocess.SubprocessError) as e:
            self.note("no pause by hand: %s" % str(e).strip().splitlines()[-1])

    def fault(self, fault):
        if fault.phase == "before":
            where = ""
        elif fault.phase:
            self.first.wait(60)
            comes = fault.phase != "uploading" or self.schedule.operations[0][1] in LOADED
            found = self.watch.await_phase(self.stage.task, fault.phase if comes else "catching_up", PHASE_WITHIN_S)
            phase = found if comes else ""
            where = phase or "no phase, %s never came" % fault.phase
        else:
            where = ""
        time.sleep(fault.delay)
        phase = "before" if fault.phase == "before" else self.watch.phase_now(self.stage.task)
        effect = actors.strike(self.stage, fault)
        self.struck_by(fault, effect, phase)
        self.note("%s%s%s" % (effect.what, " in " + where if where else "", "" if effect.struck else " (nothing struck)"))
        if effect.undo:
            time.sleep(fault.lasts)
            effect.undo()
            self.note("undone: " + effect.what)

    def struck_by(self, fault, effect, phase):
        with self.lock:
            self.effects.append((fault, effect))
            if effect.struck:
                self.hits.append({"kind": fault.kind, "phase": phase})
            self.waited_for -= fault.phase == "before"
            if not self.waited_for:
                self.ready.set()

    def heal(self):
        """Whatever is not there now, and was not killed by us, has crashed."""
        c = self.cluster
        killed = {name for _, effect in self.effects for name in effect.killed}
        crashed = []
        for process in ["server0", "server1", "server2", "agent0", "agent1", "agent2", "sidingd"]:
            if not c.pid(process):
                if process not in killed:
                    crashed.append(process)
                c.launch(process)
        return crashed

    def heal_crashed(self):
        """A replica whose server cannot fetch again what it lost, and whose machine went down while it was written less
        durably, is to be provisioned anew. Here only processes were killed and nothing is lost: its data are as good as new."""
        if not any(f.kind in NEW_BOOT and e.struck for f, e in self.effects):
            return
        for node in self.cluster.nodes[1:]:
            with contextlib.suppress(Failed):
                if wait_until(lambda n=node: self.end_of_boot(n), CRASHED_WITHIN_S, "") == "crashed":
                    self.forget_pause(node)

    def end_of_boot(self, node):
        with contextlib.suppress(subprocess.SubprocessError, ValueError):
            if re.search(CRASHED, self.cluster.logs_since(self.marks).get(node, "")):
                return "crashed"
            if not (self.cluster.journal(node).get("lease") or {}).get("owner"):
                return "well"
        return ""

    def forget_pause(self, node):
        c, agent = self.cluster, "agent" + node[2:]
        c.kill_pids([*filter(None, [c.pid(agent)]), *c.watchers(node), *c.below_agent(node)])
        for name in ("journal.1", "journal.2"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(c.path(node, "agent", name))
        shutil.rmtree(c.path(node, "agent", "runs"), ignore_errors=True)
        c.launch(agent)
        actors.by_hand(self.stage, node, "START REPLICA")
        self.note("%s is provisioned anew, as its agent has asked" % node)

    def out_of_inodes(self):
        """Nodes whose relay logs may be found corrupt only when the applier comes to them."""
        return {self.stage.node(f) for f, e in self.effects if f.kind == "vault_full" and e.struck}

    def heal_by_hand(self, node):
        """An operator who has stopped something, or has freed a disk that something broke by, starts it again once
        Siding has no pause there any more."""
        c, restarted = self.cluster, set()
        begun = time.monotonic()
        until = begun + 40
        while time.monotonic() < until:
            now = c.replication_now(node) or {}
            hangs = not now or now.get("Last_IO_Errno") == RELAY_LOG_WRITE_FAILURE
            if not hangs and (now.get("io"), now.get("sql")) == ("Yes", "Yes") and (node not in self.out_of_inodes() or c.has_applied(node, now["received"])):
                return
            if hangs and node in self.out_of_inodes() - restarted and time.monotonic() > begun + TOLD_WITHIN_S:
                restarted.add(node)
                self.broken_by_error.append((node, r"restart it|no answer from the server|does not answer"))
                self.end_server(node)
            elif not self.stage.lease(node):
                if now.get("Last_SQL_Errno", "0") != "0":
                    self.broken_by_error.append((node, r"applier"))
                if now.get("Last_SQL_Errno") in CORRUPT_RELAY_LOG and node not in restarted:
                    restarted.add(node)
                    self.end_server(node)  # Init starts it again, and its agent replication
                else:
                    actors.by_hand(self.stage, node, actors.start_statement(now))
            time.sleep(0.5)

    def end_server(self, node):
        server = "server" + node[2:]
        if not self.cluster.end_server(server):
            self.note("the shutdown of %s hung; killed" % server)

    def judge(self, judge, writers):
        with self.timed("tasks end"):
            ended = judge.await_tasks()
        writers.stop()
        with self.timed("replication"):
            judge.await_replication()
        with self.timed("results"):
            if ended:
                judge.judge_tasks()
                judge.judge_index()
        with self.timed("queue"):
            judge.judge_queue()
        with self.timed("servers"):
            judge.judge_servers()
            judge.judge_settings()
        with self.timed("leftovers"):
            judge.judge_leftovers()
            told = [pair for _, effect in self.effects if effect.struck for pair in effect.told] + self.broken_by_error
            return judge.judge_telling(told, lambda: self.cluster.logs_since(self.marks))
