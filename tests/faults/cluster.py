# SPDX-License-Identifier: Apache-2.0
"""A sandbox made to be broken: small file systems that can be filled, relays between coordinator and agents, clocks
that can be set, and short limits, so that what takes hours on real hosts happens within seconds."""
import contextlib
import glob
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time

import encryption
import load
from dialect import DIALECTS
from harness import BUILD, Cluster
from machine import Failed, parent, running, wait_until
from prepare import RELAY_OFFSET, write
from relay import Relays

HERE = os.path.dirname(os.path.abspath(__file__))
SHUTDOWN_WITHIN_S = 15

COMMAND = 'kind = "command"; on = "replica"; upload = "none"; program = %s;'
JOBS = {
    "words": """kind = "index"; upload = "swap";
index = { target = "town.word_index"; key = "note"; fields = ( { name = "body"; query = "SELECT id, body FROM town.note"; } );
  changed_since = "SELECT id FROM town.note WHERE changed_at >= :frozen_at UNION SELECT id FROM town.deleted_note WHERE deleted_at >= :frozen_at";
  changed_margin = "5s"; on_change = "delta"; };""",
    "totals": """kind = "command"; on = "replica"; upload = "append"; target = "town.totals"; columns = [ "run", "n", "total", "transfers" ];
program = "/bin/bash"; args = [ "%s/jobs/totals.sh", "%d" ];""" % (HERE, load.TOTALS),
    "pair": COMMAND % ('"/bin/bash"; args = [ "%s/jobs/pair.sh" ]' % HERE),
    "quick": COMMAND % '"/bin/true"',
    "noop": COMMAND % '"/bin/true"',
    "expire": COMMAND % '"/bin/sleep"; args = [ "20" ]',
}
DAEMON = """#!/bin/bash
%(python)s %(prepare)s "$2" %(disks)d || exit 1
export SIDING_TEST_HOST=${2%%/*} LD_PRELOAD=%(shift)s
exec %(program)s "$@"
"""
SERVER = """#!/bin/bash
conf=${1#--defaults-file=}
if [[ $conf == %(folder)s/db[0-9]/my.cnf ]]; then
	%(python)s %(prepare)s "$conf" %(disks)d || exit 1
fi
if [[ $conf == %(folder)s/db[1-9]/my.cnf ]]; then
	node=${conf%%/*}
	mkdir -p "$node/relay"
	set -- "$@" "--relay-log=$node/relay/relay" --max-relay-log-size=262144
	if [[ $node == %(folder)s/db2 ]]; then
		set -- "$@" '--replicate-wild-ignore-table=scratch.pad%%'
	fi
	set -- "$@" %(keys)s
	if [[ -e $node/options ]]; then
		mapfile -t more <"$node/options"
		set -- "$@" "${more[@]}"
	fi
fi
exec %(program)s "$@"
"""


class Init:
    """Starts servers again that end by themselves, as the system of a real host does, while all should be running.
    `crashed`: their names, once for each time."""

    def __init__(self, cluster):
        self.cluster, self.crashed, self.on = cluster, [], True
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        while self.on:
            for name in ("server0", "server1", "server2"):
                if not self.cluster.pid(name):
                    self.crashed.append(name)
                    self.cluster.launch(name)
            time.sleep(0.3)

    def stop(self):
        self.on = False
        self.thread.join(30)


class FaultCluster(Cluster):
    """db0 and two replicas. With `disks` (root only) spool, state and tmp of each node and the relay logs of each replica
    are small file systems of their own; they belong to the mount namespace of this process and go with it."""
    jobs, server_script = JOBS, SERVER
    has_keys = True  # those of encrypted logs

    def __init__(self, disks, flavor="mariadb"):
        super().__init__(flavor=flavor)
        self.disks, self.dialect = disks, DIALECTS[flavor]
        self.programs = self.folder + ".bin"
        self.relays = None
        self.stopped = set()  # processes that stand still
        self.launching = threading.Lock()

    def __enter__(self):
        self.make_programs()
        return super().__enter__()

    # -- set-up

    def make_programs(self):
        """Wrappers of the daemons (clocks, configuration) and of the server (relay logs in a folder of their own)."""
        os.makedirs(self.programs + "/jobs")
        for name, text in self.jobs.items():
            write(os.path.join(self.programs, "jobs", name + ".conf"), 'name = "%s"; %s\n' % (name, text))
        for name in ("siding", "siding-run", "siding-dump", "siding-index", "siding-load"):
            os.symlink(os.path.join(BUILD, name), os.path.join(self.programs, name))
        words = {"python": sys.executable, "prepare": os.path.join(HERE, "prepare.py"), "disks": self.disks, "folder": self.folder,
                 "keys": " ".join("'--%s'" % option for option in self.keys()),
                 "shift": os.path.join(BUILD, "tests", "tools", "libclock_shift.so")}
        for name in ("sidingd", "siding-agent"):
            self.wrapper(name, DAEMON % dict(words, program=os.path.join(BUILD, name)))
        self.wrapper(self.dialect.server, self.server_script % dict(words, program=self.real_server()))

    def keys(self):
        """Options by which replicas have the keys of encrypted logs, which they do not write until told to."""
        return encryption.mariadb_keys(self.programs) if self.has_keys and self.flavor == "mariadb" else []

    def real_server(self):
        if self.flavor == "mysql":
            own = encryption.program("mysql-server")
            self.has_keys = self.has_keys and bool(encryption.home_of(own))
            return encryption.mysqld_with_keyring(self.programs) if self.has_keys else own
        return shutil.which("mariadbd", path=os.environ["PATH"] + ":/usr/sbin")

    def wrapper(self, name, text):
        write(os.path.join(self.programs, name), text, 0o755)

    def sandbox(self, *args, within_s=300):
        # its PATH finds the wrapper of the server first
        old = dict(os.environ)
        os.environ.update(SIDING_BUILD=self.programs, PATH=self.programs + ":" + old["PATH"], MYSQLD=os.path.join(self.programs, "mysqld"))
        try:
            return super().sandbox(*args, within_s=within_s)
        finally:
            os.environ.clear()
            os.environ.update(old)

    def up(self):
        if not self.relays:
            self.relays = Relays({n: (self.agent_port(n) + RELAY_OFFSET, self.agent_port(n)) for n in self.nodes})
        super().up()

    def fill(self):
        load.fill(self)
        # as agents leave it after each start of the primary
        wait_until(lambda: self.value("db0", "SELECT @@GLOBAL." + self.dialect.semi_sync) == "1", 20, "semi-sync on the primary")
        wait_until(lambda: self.knows_jobs(), 20, "the coordinator knows the jobs")
        self.expect_caught_up()

    def agent_port(self, node):
        return self.ports.base + 10 + int(node[2:])

    def knows_jobs(self):
        nodes = self.siding("cluster", "status")["nodes"]
        return all(set(self.jobs) <= {j["name"] for j in n["agent"].get("jobs", [])} for n in nodes)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def down(self):
        for pid in list(self.stopped):
            self.go_on(pid)
        if self.relays:
            self.relays.close()
            self.relays = None
        if os.path.exists(self.path("sandbox.conf")):
            self.sandbox("down")
        for folder in glob.glob(self.folder + "/db*/*"):
            if os.path.ismount(folder):
                subprocess.run(["umount", "-l", folder], check=False)
        super().down()
        shutil.rmtree(self.programs, ignore_errors=True)

    # -- processes

    def pid_file(self, process):
        """Of "server1", "agent1" or "sidingd"."""
        if process == "sidingd":
            return self.path("coordinator", "pid")
        return self.path("db" + process[-1], "agent.pid" if process.startswith("agent") else "pid")

    def pid(self, process):
        """0 if it does not run."""
        with contextlib.suppress(OSError, ValueError), open(self.pid_file(process), encoding="ascii") as f:
            pid = int(f.read())
            with open("/proc/%d/cmdline" % pid, encoding="utf-8", errors="replace") as f:
                if self.folder in f.read() and running(pid):
                    return pid
        return 0

    def launch(self, process):
        """Starts a process that does not run, as the sandbox does."""
        with self.launching:
            if not self.pid(process):
                self.launch_now(process)

    def launch_now(self, process):
        if process == "sidingd":
            log, command = self.path("coordinator", "sidingd.log"), ["sidingd", "--config", self.path("coordinator", "sidingd.conf")]
        elif process.startswith("agent"):
            node = self.path("db" + process[-1])
            log, command = node + "/agent.log", ["siding-agent", "--config", node + "/agent.conf",
                                                    *(["--allow-root"] if os.geteuid() == 0 else [])]
        else:
            node = self.path("db" + process[-1])
            log, command = node + "/error.log", [self.dialect.server, "--defaults-file=%s/my.cnf" % node]
            for left in ("", ".lock"):
                with contextlib.suppress(OSError):
                    os.unlink(self.socket("db" + process[-1]) + left)
        command[0] = os.path.join(self.programs, command[0])
        with open(log, "ab") as out:
            subprocess.run(["setsid", "-f", "bash", "-c", 'echo $$ >"$0"; exec "$@"', self.pid_file(process), *command],
                           stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", check=True, close_fds=True)
        wait_until(lambda: self.pid(process), 10, "start of " + process)

    def processes(self):
        """{pid: (command line, environment)} of all that work in this cluster's folder."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open("/proc/%s/cmdline" % pid, encoding="utf-8", errors="replace") as f:
                    command = f.read().replace("\0", " ").strip()
                with open("/proc/%s/environ" % pid, encoding="utf-8", errors="replace") as f:
                    environment = f.read()
                ours = self.folder + "/" in command + environment and int(pid) != os.getpid()
                if ours and running(int(pid)) and "--no-defaults" not in command:
                    found[int(pid)] = (command, environment)
        return found

    def below_agent(self, node, supervisors=True, jobs=True):
        """Processes that an agent started: supervisors, and what runs below them."""
        all_of = self.processes()
        heads = {pid for pid, (command, _) in all_of.items() if "siding-run supervise " + self.path(node, "agent") in command}
        mark = "SIDING_RESULT_DIR=%s/" % self.path(node)
        below = [pid for pid, (_, environment) in all_of.items() if pid not in heads and (mark in environment or parent(pid) in heads)]
        return (sorted(heads) if supervisors else []) + (below if jobs else [])

    def watchers(self, node):
        """Processes beside a pause of this node that would release it if its agent did not."""
        mark = "siding-agent watch --config=%s" % self.path(node, "agent.conf")
        return [pid for pid, (command, _) in self.processes().items() if mark in command]

    def kill_pids(self, pids, number=signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGKILL:
            wait_until(lambda: not any(running(p) for p in pids), 10, "end of processes %s" % pids)

    def end_server(self, server):
        """As systemd does: one whose shutdown hangs, as MariaDB's may beside parallel workers, is killed; then False."""
        pid, until = self.pid(server), time.monotonic() + SHUTDOWN_WITHIN_S
        if pid:
            self.go_on(pid)
            self.kill_pids([pid], signal.SIGTERM)
        while pid and running(pid) and time.monotonic() < until:
            time.sleep(0.1)
        hangs = bool(pid and running(pid))
        if hangs:
            self.kill_pids([pid])
        return not hangs

    def stand_still(self, pids):
        self.stopped.update(pids)
        self.kill_pids(pids, signal.SIGSTOP)

    def go_on(self, pid):
        self.stopped.discard(pid)
        self.kill_pids([pid], signal.SIGCONT)

    # -- clocks

    def set_clock(self, node, wall_ms, boot_ms=None):
        """How far a host's clocks are off; node is a name or "coordinator"."""
        with open(self.path(node, "clock"), "r+b") as f:
            f.write(struct.pack("<q", wall_ms))
            if boot_ms is not None:
                f.write(struct.pack("<q", boot_ms))

    def new_boot(self, node):
        """The host was switched off and on: another boot id, a clock since boot that begins again."""
        with open("/proc/sys/kernel/random/uuid", encoding="ascii") as f:
            write(self.path(node, "boot_id"), f.read())
        up_ms = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
        with open(self.path(node, "clock"), "r+b") as f:
            f.seek(8)
            f.write(struct.pack("<q", 5000 - up_ms))

    # -- logs

    def mark_logs(self):
        """{path: size} of all logs now."""
        return {p: os.path.getsize(p) for p in glob.glob(self.folder + "/db*/agent.log") + [self.path("coordinator", "sidingd.log")]
                if os.path.exists(p)}

    def logs_since(self, marks):
        """{"db1" …, "coordinator": text written since}."""
        texts = {}
        for path in self.mark_logs():
            with open(path, encoding="utf-8", errors="replace") as f:
                f.seek(marks.get(path, 0))
                texts[os.path.basename(os.path.dirname(path))] = f.read()
        return texts

    def replication_now(self, node, within_s=8):
        """SHOW REPLICA STATUS with the keys io, sql, port, file (of the source, received) and received (a GTID position or
        set) in either flavour; None if the server does not answer in time."""
        answer = self.try_query(node, "SHOW REPLICA STATUS", within_s)
        if not answer:
            return None
        names, rows = answer
        return self.neutral({name: value or "" for name, value in zip(names, rows[0])} if rows else {})

    @staticmethod
    def neutral(row):
        names = {"io": "Slave_IO_Running Replica_IO_Running", "sql": "Slave_SQL_Running Replica_SQL_Running",
                 "port": "Master_Port Source_Port", "file": "Master_Log_File Source_Log_File", "received": "Gtid_IO_Pos Retrieved_Gtid_Set"}
        return dict(row, **{key: next((row[n] for n in either.split() if n in row), None) for key, either in names.items()})

    def connections(self, node):
        """{name: its row of replication_now} of all by which a node replicates, but a rescue's; {} if it does not answer."""
        names, rows = self.try_query(node, self.dialect.connections) or ((), ())
        found = [{name: value or "" for name, value in zip(names, row)} for row in rows]
        return {row[self.dialect.connection_name]: self.neutral(row) for row in found if row[self.dialect.connection_name] != "siding_rescue"}

    def try_query(self, node, statement, within_s=8):
        """(names, rows), or None"""
        with contextlib.suppress(Failed, OSError):
            return self.query(node, statement, within_s=within_s)
        return None

    def try_sql(self, node, statement, within_s=15):
        """Rows, or None if that did not work; never hangs for long."""
        with contextlib.suppress(Failed, subprocess.SubprocessError, OSError):
            return self.sql(node, statement, within_s=within_s)
        return None
