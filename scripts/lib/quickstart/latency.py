# SPDX-License-Identifier: Apache-2.0
# The live writers, and the latency of their transactions in windows of time. A transaction belongs to the
# window in which it should have started.
import json
import os
import signal
import subprocess
import time

import hosts


class Writers:
    def __init__(self, tool, socket, folder, rate):
        self.path, self.error_path = os.path.join(folder, "latencies.tsv"), os.path.join(folder, "writers.err")
        with open(self.error_path, "wb") as err:
            # As long as the slowest run may take; it is stopped before.
            self.process = subprocess.Popen([tool, "--socket", socket, "--out", self.path, "--rate", str(rate), "--seconds", "3600"],
                                            stdout=subprocess.PIPE, stderr=err, start_new_session=True,
                                            preexec_fn=lambda: os.sched_setaffinity(0, hosts.ALL))
        self.rate, self.counts = rate, None

    def check(self):
        if self.counts is None and self.process.poll() is not None:
            with open(self.error_path, encoding="utf-8", errors="replace") as f:
                raise RuntimeError("the live writers ended by themselves: " + f.read().strip())

    def stop(self):
        """Ends them cleanly; their counts."""
        if self.counts is None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            try:
                out, _ = self.process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                out, _ = self.process.communicate()
            self.counts = json.loads(out.decode() or '{"transactions":0,"errors":1,"last_error":"no counts"}')
        return self.counts


def now_ms():
    return int(time.time() * 1000)


def read(path):
    """[(scheduled ms, latency µs, kind, ok)]"""
    samples = []
    with open(path, encoding="ascii") as f:
        for line in f:
            parts = line.split()
            if len(parts) == 4:
                samples.append((int(parts[0]), int(parts[1]), parts[2], parts[3] == "ok"))
    return samples


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))]


def window(samples, start_ms, end_ms):
    """{count, rate, p50, p99, worst (ms), errors}, or None where no transaction was due."""
    chosen = [s for s in samples if start_ms <= s[0] < end_ms]
    if not chosen:
        return None
    values = sorted(s[1] / 1000 for s in chosen)
    return {"count": len(values), "rate": len(values) * 1000 / max(1, end_ms - start_ms), "p50": percentile(values, 0.50),
            "p99": percentile(values, 0.99), "worst": values[-1], "errors": sum(not s[3] for s in chosen)}
