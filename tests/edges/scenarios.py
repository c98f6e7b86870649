# SPDX-License-Identifier: Apache-2.0
"""The scenarios that are recorded, in this order on one cluster. Each gets the cluster and ends when the fault is over;
the recorder waits until all is quiet. A job that must be met in a state waits for the file `release`."""
import os
import time

from harness import TASK_ENDS
from machine import wait_until

JOBS = {
    "holds": 'on = "replica"; upload = "none"; program = "/bin/bash"; args = [ "-c", "while [ ! -e %(folder)s/release ]; do sleep 0.05; '
             'done; echo 1 >$SIDING_RESULT_DIR/one.tsv" ];',
    "fails": 'on = "replica"; upload = "none"; program = "/bin/bash"; args = [ "-c", "echo this went wrong >&2; exit 3" ];',
    "copies": 'on = "replica"; upload = "append"; target = "t.copied"; program = "/bin/bash"; args = [ "-c", "echo 1 '
              '>$SIDING_RESULT_DIR/t.copied.00000.tsv" ];',
    "here": 'on = "primary"; upload = "none"; program = "/bin/true";',
    "quick": 'on = "replica"; upload = "none"; program = "/bin/true";',
}


def prepare(c):
    c.sql("db0", "CREATE DATABASE t; CREATE TABLE t.w (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200)); "
          "CREATE TABLE t.copied (v INT); INSERT INTO t.w (v) VALUES ('a'), ('b'), ('c')")
    for name, text in JOBS.items():
        c.job(name, 'name = "%s"; kind = "command"; %s\n' % (name, text % {"folder": c.folder}))
    c.expect_caught_up()
    wait_until(lambda: all(len(n["agent"].get("jobs", [])) > len(JOBS) for n in c.siding("cluster", "status")["nodes"]), 20, "jobs are known")


def lease(c, node):
    """As the agent tells it to the coordinator."""
    return c.siding("cluster", "status")["nodes"][c.nodes.index(node)]["agent"].get("lease") or {}


def rows(c):
    c.sql("db0", "".join("INSERT INTO t.w (v) VALUES ('row %d');\n" % i for i in range(50)))


def release(c, on=True):
    path = os.path.join(c.folder, "release")
    if on:
        with open(path, "w", encoding="utf-8"):
            pass
    elif os.path.exists(path):
        os.unlink(path)


def held(c, *more):
    """A job that holds its replica frozen: (task, node)."""
    release(c, False)
    task = c.submit("command", "--on", "replica", "holds", *more)
    node = c.expect_run_state(task, "running", 60)["nodes"][0]
    rows(c)
    return task, node


def ended(c, task, state=None):
    wait_until(lambda: c.task(task)["state"] in TASK_ENDS, 120, lambda: c.describe(task))
    if state and c.task(task)["state"] != state:
        raise AssertionError("%s, not %s" % (c.describe(task), state))


def pause_by_hand(c):
    c.siding("replica", "pause", "db1", "--for", "60s", "--reason", "a look")
    rows(c)
    c.siding("replica", "resume", "db1")


def pause_by_hand_expires(c):
    c.siding("replica", "pause", "db1", "--for", "1s", "--reason", "a look")
    rows(c)
    wait_until(lambda: not lease(c, "db1").get("owner"), 60, "the pause is over")


def job(c):
    ended(c, c.submit("command", "--on", "replica", "quick"), "done")


def job_on_the_primary(c):
    ended(c, c.submit("command", "--on", "primary", "here"), "done")


def dump(c):
    ended(c, c.submit("dump", "--database", "t"), "done")


def append(c):
    ended(c, c.submit("command", "--on", "replica", "copies"), "done")


def job_fails(c):
    ended(c, c.submit("command", "--on", "replica", "fails"), "error")


def job_killed(c):
    task, _ = held(c)
    c.siding("task", "kill", task)
    ended(c, task, "killed")


def job_sleeps_and_wakes(c):
    task, _ = held(c)
    c.siding("task", "sleep", task)
    c.expect_run_state(task, "sleeping", 60)
    c.siding("task", "wake", task)
    c.expect_run_state(task, "running", 60)
    release(c)
    ended(c, task, "done")


def limit_reached(c):
    release(c, False)
    ended(c, c.submit("command", "--on", "replica", "holds", "--pause-limit", "1s"))


def two_replicas(c):
    task, _ = held(c, "--replicas", "2")
    release(c)
    ended(c, task, "done")


def agent_killed_while_frozen(c):
    task, node = held(c)
    c.kill("agent" + node[2:])
    time.sleep(0.3)
    c.start(node)
    release(c)
    ended(c, task, "done")


def server_killed_while_frozen(c):
    task, node = held(c)
    c.kill("server" + node[2:])
    c.start(node)
    ended(c, task, "error")


def server_killed_while_held_by_hand(c):
    c.siding("replica", "pause", "db1", "--for", "60s", "--reason", "a look", "--hold")
    rows(c)
    c.kill("server1")
    c.start("db1")
    wait_until(lambda: c.replication("db1").get("sql") == "No" and "db1" in c.siding("replica", "resume", "db1")["node"], 60, "resumed")


def host_killed_while_frozen(c):
    task, node = held(c)
    c.kill(node)
    c.start(node)
    ended(c, task)


def coordinator_killed_while_frozen(c):
    task, _ = held(c)
    c.kill("sidingd")
    c.start("coordinator")
    release(c)
    ended(c, task, "done")


def agent_restarted(c):
    c.kill("agent1")
    c.start("db1")


def primary_restarted(c):
    c.stop("db0")
    c.start("db0")
    wait_until(lambda: all((c.replication(n).get("io"), c.replication(n).get("sql")) == ("Yes", "Yes") for n in c.nodes[1:]), 60, "replication")


ALL = (pause_by_hand, pause_by_hand_expires, job, job_on_the_primary, dump, append, job_fails, job_killed, job_sleeps_and_wakes,
       limit_reached, two_replicas, agent_killed_while_frozen, server_killed_while_frozen, server_killed_while_held_by_hand,
       host_killed_while_frozen, coordinator_killed_while_frozen, agent_restarted, primary_restarted)
