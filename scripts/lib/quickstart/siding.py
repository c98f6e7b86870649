# SPDX-License-Identifier: Apache-2.0
# The command line `siding`, as a user would type it, and the two jobs followed to their end.
import json
import subprocess
import time
from datetime import datetime

FINAL = {"done", "done_with_errors", "error", "killed", "stopped", "acknowledged", "deleted"}


class JobFailed(Exception):
    pass


class Siding:
    def __init__(self, env):
        self.env = env

    def call(self, *words, timeout=60):
        done = subprocess.run(["siding", *words], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        if done.returncode:
            raise JobFailed("siding %s: %s" % (" ".join(words), done.stderr.decode("utf-8", "replace").strip()))
        return done.stdout.decode()

    def json(self, *words):
        return json.loads(self.call("--json", *words))

    def submit(self, *words):
        return self.call("submit", *words).split()[-1].strip("#")

    def task(self, task):
        return self.json("task", "show", str(task))

    def manifest(self, task):
        with open(self.result_path(task) + "/manifest.json", encoding="utf-8") as f:
            return json.load(f)

    def result_path(self, task):
        return self.call("result", "path", str(task)).strip()

    def explain(self, task):
        """The last words of a failed task."""
        told = []
        for stream in ("err", "log"):
            try:
                told += self.call("task", stream, str(task)).strip().split("\n")[-5:]
            except JobFailed:
                pass
        return "; ".join(line for line in told if line)


def last_run(task):
    return task["runs"][-1] if task.get("runs") else {}


def epoch(text):
    """Seconds since 1970 of an RFC 3339 time, None for None."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None


def sql_time(text):
    return text.replace("T", " ").replace("Z", "")


def told(task):
    """One task in a few words: "dump on db1 running 45 %"."""
    run = last_run(task)
    progress = run.get("progress") or {}
    share = " %d %%" % (100 * progress["done"] / progress["total"]) if run.get("state") == "running" and progress.get("total") else ""
    where = " on " + "+".join(run["nodes"]) if run.get("nodes") else ""
    return "%s%s %s%s" % (task["kind"], where, run.get("state") or task["state"], share)


class Follower:
    """Polls some tasks, and the uploads that come of them, until all have ended."""

    def __init__(self, siding, deadline_s=900):
        self.siding, self.tasks, self.end = siding, {}, time.monotonic() + deadline_s

    def add(self, task):
        self.tasks[str(task)] = self.siding.task(task)

    def poll(self):
        for number, task in list(self.tasks.items()):
            if task["state"] not in FINAL:
                task = self.tasks[number] = self.siding.task(number)
            if task["state"] in FINAL - {"done"}:
                run = last_run(task)
                raise JobFailed("%s, task %s, ended as %s: %s (%s)" % (task["kind"], number, task["state"], run.get("error") or
                                                                     task.get("error"), self.siding.explain(number)))
            upload = last_run(task).get("upload_task")
            if upload and str(upload) not in self.tasks:
                self.add(upload)
        if time.monotonic() > self.end:
            raise JobFailed("not ended in time: " + self.told())

    def until(self, condition, show=lambda text: None):
        while True:
            self.poll()
            show(self.told())
            if condition(self.tasks):
                return
            time.sleep(0.25)

    def told(self):
        return ", ".join(told(t) for t in self.tasks.values() if t["state"] not in FINAL)

    def upload_of(self, task):
        return self.tasks.get(str(last_run(self.tasks[str(task)]).get("upload_task")))


def is_frozen(number):
    return lambda tasks: bool(last_run(tasks[str(number)]).get("frozen_at")) or tasks[str(number)]["state"] in FINAL


def all_ended(tasks):
    """A run may still replay after its job's end; a task is done only after that."""
    return all(t["state"] in FINAL for t in tasks.values())
