# SPDX-License-Identifier: Apache-2.0
"""Follows the agents by long polls, so that a fault can strike in the very phase it is planned for. The agents are
asked directly, past the relays that cut the coordinator off."""
import http.client
import json
import threading
import time

from harness import token_of
from plan import PHASES

ORDER = {phase: i for i, phase in enumerate(PHASES)}
OF_STATE = {"accepted": "pausing", "pausing": "pausing", "frozen": "pausing", "running": "running", "sleeping": "running",
            "cutting": "running", "sealing": "sealing", "resuming": "resuming", "caught_up": "catching_up"}


def phase_of(run, lease):
    phase = OF_STATE.get(run["state"], "")
    return "catching_up" if phase == "resuming" and lease.get("phase") == "catching_up" else phase


class Watch:
    """`runs`: {task: (latest phase, node)}; `uploads`: {task: time its upload was first seen to run}; `warnings`:
    {node: all sentences of warning that its agent showed}; `failed`: tasks of which a run has failed."""

    def __init__(self, ports):
        """ports: {node: the agent's port}"""
        self.on, self.changed = True, threading.Condition()
        self.runs, self.uploads, self.states, self.failed = {}, {}, {}, set()
        self.warnings = {node: set() for node in ports}
        self.threads = [threading.Thread(target=self.follow, args=pair, daemon=True) for pair in ports.items()]
        for thread in self.threads:
            thread.start()

    def follow(self, node, port):
        connection, seq = None, 0
        while self.on:
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=2)
                token = token_of("http://127.0.0.1:%d" % port)
                connection.request("GET", "/v1/state?after=%d&wait_ms=1000" % seq,
                                   headers={"Authorization": "Bearer %s" % token} if token else {})
                answer = connection.getresponse()
                state = json.loads(answer.read())
                seq = state["seq"]
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                if connection:
                    connection.close()
                connection, seq = None, 0
                time.sleep(0.05)
                continue
            with self.changed:
                self.states[node] = state
                self.warnings[node].update(state["warnings"])
                for run in state["runs"]:
                    self.take(node, run, state["lease"])
                self.changed.notify_all()

    def take(self, node, run, lease):
        spec = run["spec"]
        if spec["kind"] == "upload":
            task = int((spec["source"].get("run") or "0").split(".")[0])
            if run["state"] == "running":
                self.uploads.setdefault(task, time.time())
                self.reached(task, "uploading", self.runs.get(task, ("", node))[1])
            return
        task, phase = int(spec["run"].split(".")[0]), phase_of(run, lease)
        if run.get("outcome") and run["outcome"] != "ok":
            self.failed.add(task)
        if phase:
            self.reached(task, phase, node)

    def reached(self, task, phase, node):
        if task not in self.runs or ORDER[phase] > ORDER[self.runs[task][0]]:
            self.runs[task] = (phase, node)

    def await_phase(self, task, phase, within_s):
        """The phase found when `phase` or a later one was reached; "" if that has not come, or cannot come any more."""
        def there():
            found = self.runs.get(task, ("", ""))[0]
            return found if found and ORDER[found] >= ORDER[phase] else ""
        with self.changed:
            self.changed.wait_for(lambda: there() or phase == "uploading" and task in self.failed, within_s)
            return there()

    def phase_now(self, task):
        """In which a task is; "" before its first run, and when none is under way."""
        with self.changed:
            for state in self.states.values():
                for run in state["runs"]:
                    spec = run["spec"]
                    if spec["kind"] == "upload":
                        ours = (spec["source"].get("run") or "").split(".")[0] == str(task)
                        phase = "uploading" if run["state"] == "running" else ""
                    else:
                        ours, phase = spec["run"].split(".")[0] == str(task), phase_of(run, state["lease"])
                    if ours and phase:
                        return phase
        return ""

    def phase_on(self, node):
        """Of the run under way on a node; "" if there is none."""
        phases = [OF_STATE.get(r["state"], "") for r in self.states.get(node, {}).get("runs", []) if not r.get("outcome")]
        return phases[-1] if phases else ""

    def node_of(self, task):
        return self.runs.get(task, ("", "db1"))[1]

    def stop(self):
        self.on = False
