# SPDX-License-Identifier: Apache-2.0
# Quickstart after set-up: stage by stage, from an empty folder to the summary. scripts/quickstart calls it, ends it
# with SIGTERM, and takes the cluster down.
import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import catalogue
import changes
import compare
import flavor
import hosts
import latency
import load
import proof
import summary
from screen import Screen, Stage, number
from servers import Scratch, Session, SqlError, sandbox_env
from siding import Follower, JobFailed, Siding, all_ended, is_frozen, last_run
from witness import Witness, pauses, variables

HERE = os.path.dirname(os.path.abspath(__file__))
RATES = (200, 100, 50)  # live transactions a second: the first that this machine sustains
SUSTAINED_P50_MS = 25
BASELINE_S, AFTER_S, ON_PRIMARY_S = 8, 5, 5
STAGES = {"cluster": 6, "catalogue": 8, "loading": 8, "writers alone": BASELINE_S, "the reindex on the primary": 8,
          "the jobs on replicas": 15, "afterwards": AFTER_S, "proofs": 30}


class Run:
    """What is known of this run; filled stage by stage."""

    def __init__(self, options):
        self.root, self.directory, self.work, self.options = options.root, options.dir, options.work, options
        self.build = os.environ.get("SIDING_BUILD", os.path.join(self.root, "build"))
        self.flavor, self.replicas = flavor.NAMED[options.flavor], ["db1", "db2"]
        self.windows, self.writers, self.scratch, self.witness, self.postings = {}, None, None, None, 0
        self.tables, self.source, self.problem = None, None, None

    def definition(self):
        return os.path.join(self.directory, "jobs", "catalogue.conf")


def free_ports(wanted):
    """The first port of 32 that nobody listens on."""
    if wanted:
        return wanted
    for base in range(13300, 15300, 40):
        for port in range(base, base + 32):
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(("127.0.0.1", port))
                except OSError:
                    break
        else:
            return base
    raise SystemExit("quickstart: no 32 free ports in a row between 13300 and 15300; give --base-port")


def read_catalogue(run):
    try:
        run.source, run.tables = catalogue.write(run.work, run.options.records)
    except Exception as e:
        run.problem = e


def start_cluster(run, stage):
    run.base_port = free_ports(run.options.base_port)
    log = os.path.join(run.work, "sandbox.log")
    command = [os.path.join(run.root, "scripts", "sandbox"), "up", run.directory, "--replicas", "2", "--flavor", run.flavor.name,
               "--base-port", str(run.base_port)]
    with open(log, "wb") as f:
        done = subprocess.run(command, stdout=f, stderr=f, stdin=subprocess.DEVNULL)
    if done.returncode:
        with open(log, encoding="utf-8", errors="replace") as f:
            raise RuntimeError("the cluster does not come up:\n" + f.read().strip())
    run.env = sandbox_env(run.directory)
    shutil.copy(os.path.join(HERE, "catalogue.conf"), run.definition())
    for name, value in run.env.items():
        if name.startswith("AGENT") and name.endswith("_PID"):
            os.kill(int(value), signal.SIGHUP)
    run.siding = Siding(run.env)
    run.scratch = Scratch(run.flavor, run.options.server, os.path.join(run.work, "scratch"), run.base_port + 30, 900)
    run.scratch.prepare()
    stage.text = "primary db0, replicas db1 and db2, agents, coordinator; ports from %d" % run.base_port


def give_room(run):
    """The sandbox's servers are small ones; a table of a million rows wants the room it would have in production."""
    for node in ("db0", *run.replicas):
        session = Session(node, run.env[node.upper() + "_SOCKET"])
        for setting in run.flavor.room:
            session.query("SET GLOBAL %s = 256 * 1024 * 1024" % setting)
        session.close()


def load_catalogue(run, stage):
    give_room(run)
    rows = load.load(run.env["DB0_SOCKET"], run.tables)
    gtid = compare.position(run.env["DB0_SOCKET"])
    for node in run.replicas:
        if not compare.wait_for(node, run.env[node.upper() + "_SOCKET"], gtid):
            raise RuntimeError("%s does not apply the loaded data" % node)
    stage.text = "%s rows into the primary, both replicas have them" % number(rows)


def window(run, name, seconds=None, function=None):
    """Measures live transactions while `function` runs, or for some seconds."""
    start = latency.now_ms()
    end = time.monotonic() + (seconds or 0)
    result = function() if function else None
    while time.monotonic() < end:
        run.writers.check()
        time.sleep(0.1)
    run.windows[name] = (start, latency.now_ms())
    return result


def start_writers(run):
    """At the highest rate at which the primary, left alone, answers without a queue."""
    tool = os.path.join(run.build, "tests", "tools", "live_writers")
    for rate in RATES:
        if run.writers:
            run.writers.stop()
        run.writers = latency.Writers(tool, run.env["DB0_SOCKET"], run.work, rate)
        time.sleep(1)  # connections, caches
        start = latency.now_ms()
        time.sleep(1.5)
        run.writers.check()
        seen = latency.window(latency.read(run.writers.path), start, latency.now_ms() - 500)
        if seen and seen["p50"] < SUSTAINED_P50_MS:
            return


def baseline(run, stage):
    hosts.apart(run.env)
    start_writers(run)
    window(run, "writers alone", BASELINE_S)
    stage.text = "%d short transactions a second on the primary" % run.writers.rate


def on_primary(run, stage):
    """The same program, the same data, on the primary's host and server: what Siding spares them."""
    end, times = time.monotonic() + ON_PRIMARY_S, []

    def reindex():
        while not times or time.monotonic() + times[-1] / 2 < end:
            start, out = time.monotonic(), os.path.join(run.work, "on-primary")
            shutil.rmtree(out, ignore_errors=True)
            done = subprocess.run(["siding-index", "--socket", run.env["DB0_SOCKET"], "--definition", run.definition(), "--output", out],
                                  env=run.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=180,
                                  preexec_fn=lambda: os.sched_setaffinity(0, hosts.primary_cpus()))
            if done.returncode:
                raise RuntimeError("siding-index on the primary: " + done.stderr.decode("utf-8", "replace").strip())
            times.append(time.monotonic() - start)
    window(run, "reindex on the primary", function=reindex)
    stage.text = "for comparison: %.1f s each, %d in a row" % (sum(times) / len(times), len(times))


def jobs_on_replicas(run, stage):
    run.variables = {node: variables(run.env[node.upper() + "_SOCKET"], node) for node in run.replicas}
    run.witness = Witness(run.env, run.replicas)
    run.witness.start()
    follower, start = Follower(run.siding), latency.now_ms()

    def show(text):
        stage.text = text
        run.writers.check()
    # The dump first: the check of the index needs it frozen earlier (restore.py says why).
    dump = run.siding.submit("dump", *(word for d in proof.DATABASES for word in ("--database", d)))
    follower.add(dump)
    follower.until(is_frozen(dump), show)
    index = run.siding.submit("index", "--job", "catalogue")
    follower.add(index)
    follower.until(is_frozen(index), show)
    changes.make(run.env["DB0_SOCKET"])
    follower.until(all_ended, show)
    end = latency.now_ms()
    run.dump, run.index, run.upload = follower.tasks[dump], follower.tasks[index], follower.upload_of(index)
    time.sleep(0.5)  # the witness's last look
    run.witness.end()
    run.pauses = {node: (pauses(run.witness.samples[node]) or [None])[0] for node in run.replicas}
    if not run.upload:
        raise JobFailed("the index job has no upload")
    upload = last_run(run.upload)
    run.windows["reindex and dump on replicas"] = (start, int(summary.epoch(upload["started_at"]) * 1000))
    run.windows["the index is loaded and swapped in"] = (int(summary.epoch(upload["started_at"]) * 1000), end)
    stage.text = "dump on %s, index on %s, index swapped in" % (last_run(run.dump)["nodes"][0], last_run(run.index)["nodes"][0])


def afterwards(run, stage):
    window(run, "afterwards", AFTER_S)
    counts = run.writers.stop()
    hosts.together(run.env)
    run.samples = latency.read(run.writers.path)
    stage.text = "%s live transactions, %d failed" % (number(counts["transactions"]), counts["errors"])


def prove(run, stage):
    def show(text):
        stage.text = text
    run.proofs = proof.prove_all(run, show)
    found = ((query, *changes.search(run.env["DB0_SOCKET"], query)) for query in summary.SEARCHES)
    run.searches = [f for f in found if f[1]][:3]
    failed = len(run.proofs.failed())
    stage.text = "%d of %d hold" % (len(run.proofs.all) - failed, len(run.proofs.all))


def stages(run, screen):
    reader = threading.Thread(target=read_catalogue, args=(run,), daemon=True)
    reader.start()
    with Stage(screen, "cluster") as stage:
        start_cluster(run, stage)
    with Stage(screen, "catalogue") as stage:
        reader.join()
        if run.problem:
            raise run.problem
        stage.text = "%s records from %s" % (number(run.tables["record"][2]), run.source)
    for title, function in (("loading", load_catalogue), ("writers alone", baseline), ("the reindex on the primary", on_primary),
                            ("the jobs on replicas", jobs_on_replicas), ("afterwards", afterwards), ("proofs", prove)):
        with Stage(screen, title) as stage:
            function(run, stage)


def parse():
    parser = argparse.ArgumentParser()
    for name in ("root", "dir", "work", "flavor", "server"):
        parser.add_argument("--" + name, required=True)
    for name in ("records", "base-port", "keep"):
        parser.add_argument("--" + name, type=int, default=0)
    return parser.parse_args()


def stop(signum, frame):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, stop)
    run, status = Run(parse()), 1
    screen = Screen(STAGES)
    screen.line("Siding quickstart on %s, in %s" % (run.flavor.title, run.directory))
    screen.line()
    try:
        stages(run, screen)
        status = 0 if summary.write(run, screen) else 1
    except KeyboardInterrupt:
        screen.line("stopped")
        status = 130
    except (JobFailed, SqlError, RuntimeError, OSError, subprocess.SubprocessError, KeyError) as e:
        screen.line()
        screen.line("NOT DONE: %s: %s" % (type(e).__name__, e) if isinstance(e, KeyError) else "NOT DONE: %s" % e)
    finally:
        if run.writers:
            run.writers.stop()
        if run.scratch:
            run.scratch.stop()
    return status


if __name__ == "__main__":
    sys.exit(main())
