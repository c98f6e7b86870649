#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients of a failover trial, of a plain account, on every server all the time: writers where writes are taken, and on
each server one that tries, so that it is known who takes them. What a server has acknowledged stands in the log before
the client goes on: begin and end (s of the monotonic clock), node, w(riter) or p(robe), client, number.

usage: trial_load LOG TRIAL RATE NODE=SOCKET …"""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))
from sqlclient import Connection, SqlError  # noqa: E402

WRITERS, PROBE_EVERY_S, PROBE_WAITS_S, WRITER_WAITS_S = 4, 0.05, 2, 120


class Clients:
    def __init__(self, log, trial, rate, sockets):
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.trial, self.pause_s = trial, WRITERS / rate
        for i, (node, socket) in enumerate(sockets):
            taken = threading.Event()
            self.begin(self.probe, node, socket, 10 * i, taken)
            for j in range(1, WRITERS + 1):
                self.begin(self.write, node, socket, 10 * i + j, taken)

    @staticmethod
    def begin(function, *args):
        threading.Thread(target=function, args=args, daemon=True).start()

    def insert(self, connection, node, kind, client, n):
        begun = time.monotonic()
        connection.query("INSERT INTO trial.w (trial, client, n, node) VALUES (%d, %d, %d, '%s')" % (self.trial, client, n, node))
        os.write(self.log, b"%.6f %.6f %s %s %d %d\n" % (begun, time.monotonic(), node.encode(), kind, client, n))
        return begun

    def probe(self, node, socket, client, taken):
        connection, n = None, 0
        while True:
            n += 1
            try:
                connection = connection or Connection(socket, None, PROBE_WAITS_S, "app")
                self.insert(connection, node, b"p", client, n)
                taken.set()
            except SqlError as e:
                taken.clear()
                if not refused(e) and connection:
                    connection.close()
                    connection = None
            time.sleep(PROBE_EVERY_S)

    def write(self, node, socket, client, taken):
        connection, n, due = None, 0, 0.0
        while True:
            taken.wait()
            n += 1
            try:
                connection = connection or Connection(socket, None, WRITER_WAITS_S, "app")
                begun = self.insert(connection, node, b"w", client, n)
                due = max(due + self.pause_s, begun)
                time.sleep(max(0.0, due - time.monotonic()))
            except SqlError as e:
                if not refused(e) and connection:
                    connection.close()
                    connection = None
                time.sleep(PROBE_EVERY_S)


def refused(error):
    """The server lives, and takes no writes."""
    return any("ERROR %d " % code in str(error) for code in (1290, 1836))


if __name__ == "__main__":
    Clients(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), [w.split("=", 1) for w in sys.argv[4:]])
    sys.stdin.read()  # until whoever has started it ends it, or is gone
    os._exit(0)
