# SPDX-License-Identifier: Apache-2.0
"""A sandbox for failover trials: all that its hosts say to each other goes through a mesh of relays, and the coordinator
replaces a dead primary by itself, soon."""
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time

import load
import oracle
from cluster import HERE, JOBS, FaultCluster
from harness import Cluster
from machine import Failed
from prepare import RELAY_OFFSET, replace, set_options, write
from trial_plan import AFTER_S, CLOSE_S, FENCE_AFTER_S

SERVER_RELAY_OFFSET = 25  # of a server's relay from its port
ROWS, LOOKS = 2000, 70  # of the job: it takes about 11 s
VIGIL = """kind = "command"; on = "replica"; upload = "append"; target = "town.totals"; columns = [ "run", "n", "total", "transfers" ];
program = "/bin/bash"; args = [ "%s/jobs/vigil.sh", "%d", "%d" ];""" % (HERE, ROWS, LOOKS)
SERVER = """#!/bin/bash
conf=${1#--defaults-file=}
if [[ $conf == %(folder)s/db[0-9]/my.cnf ]]; then
	mkdir -p "${conf%%/*}/relay"
	set -- "$@" "--relay-log=${conf%%/*}/relay/relay"
	if [[ -e ${conf%%/*}/options ]]; then
		mapfile -t more <"${conf%%/*}/options"
		set -- "$@" "${more[@]}"
	fi
fi
exec %(program)s "$@"
"""
# Semi-sync waits for ever, from the option file on, as docs/failover.md wants it.
# Receivers miss a lost host after a second.
STRICT = {"mariadb": {"rpl_semi_sync_master_timeout": (1 << 32) - 1, "rpl_semi_sync_master_enabled": 1, "slave_net_timeout": 1},
          "mysql": {"rpl_semi_sync_source_timeout": (1 << 32) - 1, "rpl_semi_sync_source_enabled": 1, "replica_net_timeout": 1}}
FAILOVER = '{ automatic = true; after = "%dms"; again_after = "0s"; fence_after = "%dms"; close = "%dms"; }' % (
    AFTER_S * 1000, FENCE_AFTER_S * 1000, CLOSE_S * 1000)
SCHEMA = """CREATE DATABASE trial; CREATE TABLE trial.w (trial INT, client INT, n INT, node CHAR(3) NOT NULL, PRIMARY KEY (trial, client, n)) ENGINE=InnoDB;
CREATE USER app@localhost IDENTIFIED BY ''; GRANT SELECT, INSERT ON trial.* TO app@localhost"""


def within(seconds, condition, what):
    """As wait_until, and no longer on a busy machine: what is stuck shall be told."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise Failed("not within %d s: %s" % (seconds, what() if callable(what) else what))
        time.sleep(0.1)


class Mesh:
    """mesh.py as a process of its own: it carries all that is replicated."""

    def __init__(self, folder, relays):
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "mesh.py"), folder, *("%s:%d:%d" % r for r in relays)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()

    def ask(self, line):
        with self.lock:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            if self.process.stdout.readline() != "done\n":
                raise Failed("the mesh has ended")

    def lose(self, ways):
        """ways: pairs (from, to) of "db0" … and "coordinator"."""
        self.ask("lose " + " ".join("%s>%s" % w for w in ways))

    def keep(self, how):
        self.ask("keep " + how)

    def close(self):
        self.process.kill()
        self.process.communicate()


class TrialCluster(FaultCluster):
    jobs, server_script = {**JOBS, "vigil": VIGIL}, SERVER
    has_keys = False

    def __init__(self, flavor):
        super().__init__(False, flavor)
        self.trials = 0

    def up(self):
        if not self.relays:
            self.relays = Mesh(self.folder, [(n, self.agent_port(n) + RELAY_OFFSET, self.agent_port(n)) for n in self.nodes] +
                               [(n, self.server_port(n) + SERVER_RELAY_OFFSET, self.server_port(n)) for n in self.nodes])
        Cluster.up(self)

    @property
    def mesh(self):
        return self.relays

    def server_port(self, node):
        return self.ports.base + int(node[2:])

    def fill(self):
        super().fill()
        self.sql("db0", SCHEMA)
        self.expect_caught_up()
        self.through_the_mesh()

    def through_the_mesh(self):
        """Agents and coordinator are started anew with the relays as each other's addresses."""
        self.kill_pids([p for p in map(self.pid, ("sidingd", "agent0", "agent1", "agent2")) if p])
        for node in self.nodes:
            conf = self.path(node, "agent.conf")
            replace(conf, r'url = "http://127\.0\.0\.1:(\d+)"', lambda m: 'url = "http://127.0.0.1:%d"' % (int(m[1]) + RELAY_OFFSET))
            write(self.path(node, "options"), "".join("--%s=%d\n" % o for o in STRICT[self.flavor].items()))
            for name, value in STRICT[self.flavor].items():
                if not name.endswith("enabled"):
                    self.sql(node, "SET GLOBAL %s=%d" % (name, value))
            replace(conf, r"\bport = (\d+);", lambda m: "port = %d;" % (int(m[1]) + SERVER_RELAY_OFFSET))
            if node != "db0":
                self.change_source(node, "PORT", self.server_port("db0") + SERVER_RELAY_OFFSET)
        set_options(self.path("coordinator", "sidingd.conf"), {"failover": FAILOVER})
        for process in ("agent0", "agent1", "agent2", "sidingd"):
            self.launch(process)

    # -- what the coordinator says; None while it does not answer

    def get(self, path):
        with contextlib.suppress(OSError, ValueError):
            return oracle.get(self, path)
        return None

    def primary_now(self):
        return (self.get("/v1/primary") or {}).get("name")

    def servers(self):
        """{node: what its agent says of its server}"""
        return {n["name"]: n["agent"].get("server") or {} for n in self.get("/v1/nodes") or []}

    def why_not_at_rest(self, told_apart=()):
        """What is not as it should be before a trial, and after one; "" if all is well. `told_apart`: nodes that need not follow."""
        plan, primary, failovers = self.get("/v1/failover"), self.get("/v1/primary"), self.get("/v1/failovers")
        if not plan or not primary or failovers is None:
            return "the coordinator does not answer"
        if primary["failover"] or not all(f["outcome"] for f in failovers):
            return "a failover is under way: %s" % (failovers[-1:],)
        if plan["analysis"] != "well" or not plan["strict"] or not plan["automatic"]:
            return "the primary %s: %s, strict %s, obstacles %s" % (primary["name"], plan["analysis"], plan["strict"], plan["obstacles"])
        for node, server in self.servers().items():
            if node == primary["name"] or node in told_apart:
                continue
            if server.get("io") != "yes" or not server.get("acknowledges"):
                return "%s does not follow %s and acknowledge: %s" % (node, primary["name"], {
                    k: server.get(k) for k in ("up", "error", "is_replica", "io", "io_error", "sql", "acknowledges", "source_port")})
            if node not in plan["members"]:
                return "%s is no member: %s" % (node, plan["members"])
        return ""

    def await_rest(self, within_s=60, told_apart=()):
        within(within_s, lambda: not self.why_not_at_rest(told_apart), lambda: self.why_not_at_rest(told_apart))

    def records(self):
        """What the coordinator has written of its failovers; also while it does not run."""
        with contextlib.suppress(OSError, ValueError), open(self.path("coordinator", "failovers.json"), encoding="utf-8") as f:
            return json.load(f)
        return []

    def extra_told(self, node, since):
        """Whether an event after `since` says that this server has what the primary lacks."""
        return any(e["seq"] > since and re.search(r"%s cannot follow the new primary|%s has .*transactions" % (node, node), e["text"])
                   for e in self.get("/v1/events?limit=500") or [])
