# SPDX-License-Identifier: Apache-2.0
"""Follows the agents by long polls, so that a fault can strike in the very phase it is planned for. The agents are
asked directly, past the relays that cut the coordinator off."""
import http.client
import json
import threading
import time

from plan import PHASES

ORDER = {phase: i for i, phase in enumerate(PHASES)}
OF_STATE = {"accepted": "pausing", "pausing": "pausing", "frozen": "pausing", "running": "running", "sleeping": "running",
            "cutting": "running", "sealing": "sealing", "resuming": "resuming", "caught_up": "catching_up"}


class Watch:
    """`runs`: {task: (latest phase, node)}; `uploads`: {task: time its upload was first seen to run}; `warnings`: all
    sentences of warning that any agent showed."""

    def __init__(self, ports):
        """ports: {node: the agent's port}"""
        self.on, self.changed = True, threading.Condition()
        self.runs, self.uploads, self.states, self.warnings = {}, {}, {}, set()
        self.threads = [threading.Thread(target=self.follow, args=pair, daemon=True) for pair in ports.items()]
        for thread in self.threads:
            thread.start()

    def follow(self, node, port):
        connection, seq = None, 0
        while self.on:
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=2)
                connection.request("GET", "/v1/state?after=%d&wait_ms=1000" % seq)
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
                self.warnings.update(state["warnings"])
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
        phase = OF_STATE.get(run["state"])
        if phase == "resuming" and lease.get("phase") == "catching_up":
            phase = "catching_up"
        if phase:
            self.reached(int(spec["run"].split(".")[0]), phase, node)

    def reached(self, task, phase, node):
        if task not in self.runs or ORDER[phase] > ORDER[self.runs[task][0]]:
            self.runs[task] = (phase, node)

    def await_phase(self, task, phase, within_s):
        """The phase found when `phase` or a later one was reached; "" if that has not come."""
        with self.changed:
            self.changed.wait_for(lambda: ORDER[self.runs.get(task, ("pausing", ""))[0]] >= ORDER[phase] and task in self.runs,
                                  within_s)
            found = self.runs.get(task, ("", ""))[0]
            return found if found and ORDER[found] >= ORDER[phase] else ""

    def phase_on(self, node):
        """Of the run under way on a node; "" if there is none."""
        phases = [OF_STATE.get(r["state"], "") for r in self.states.get(node, {}).get("runs", []) if not r.get("outcome")]
        return phases[-1] if phases else ""

    def node_of(self, task):
        return self.runs.get(task, ("", "db1"))[1]

    def stop(self):
        self.on = False
