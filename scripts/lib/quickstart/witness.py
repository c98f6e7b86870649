# SPDX-License-Identifier: Apache-2.0
# An independent witness: asks the replicas themselves ten times a second where they stand, and tells
# afterwards how long each was paused, at which GTID, what was buffered and how fast it was replayed.
import re
import threading
import time

from servers import Session

EVERY_S = 0.1
INDEX_STANDS = "EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = 'catalogue' AND table_name = 'word_index')"


def sequence(gtid):
    """The last number of a position, "0-1-12" or "uuid:1-12"; quickstart's cluster has one domain and one source."""
    return int(re.split("[-:]", gtid.split(",")[0])[-1]) if gtid else 0


class Sample:
    def __init__(self, session):
        self.at = time.time()
        flavor = session.flavor
        values = session.rows("SELECT " + ", ".join([flavor.applied] + ["@@global." + s for s in flavor.settings]))[0]
        status = session.row(flavor.status)
        self.applied, self.settings = values[0], tuple(values[1:])
        self.received = status[flavor.received]
        self.sql, self.io = status[flavor.sql] == "Yes", status[flavor.io]
        self.error = status["Last_SQL_Error"] or status["Last_IO_Error"]


class Witness(threading.Thread):
    def __init__(self, env, nodes):
        super().__init__(daemon=True)
        self.env, self.nodes = env, nodes
        self.samples = {node: [] for node in nodes}
        self.not_swapped_at = None  # the last time that the primary was seen without the index
        self.ending, self.error = threading.Event(), None

    def run(self):
        try:
            sessions = {node: Session(node, self.env[node.upper() + "_SOCKET"], timeout=30) for node in self.nodes}
            primary, swapped = Session("db0", self.env["DB0_SOCKET"], timeout=30), False
            while not self.ending.is_set():
                for node, session in sessions.items():
                    self.samples[node].append(Sample(session))
                if not swapped:
                    now, swapped = primary.rows("SELECT UTC_TIMESTAMP(3), " + INDEX_STANDS)[0]
                    swapped = swapped == "1"
                    self.not_swapped_at = self.not_swapped_at if swapped else now
                self.ending.wait(EVERY_S)
            for session in (*sessions.values(), primary):
                session.close()
        except Exception as e:
            self.error = e

    def end(self):
        self.ending.set()
        self.join(60)
        if self.error:
            raise self.error

    def is_paused(self, node):
        samples = self.samples[node]
        return bool(samples) and not samples[-1].sql


def pauses(samples):
    """Each stretch of samples with the SQL thread stopped, told as a dict; the last may lack its resume."""
    found, i = [], 0
    while i < len(samples):
        if samples[i].sql:
            i += 1
            continue
        j = i
        while j < len(samples) and not samples[j].sql:
            j += 1
        found.append(describe(samples, i, j))
        i = j
    return merge_adjacent(found)


def merge_adjacent(found):
    """Settings are changed with the SQL thread stopped for a moment: such a blink during replay is no pause of its own."""
    merged = []
    for pause in found:
        if merged and pause["seconds"] < 0.5 and merged[-1].get("caught_up_at", 0) > pause["from"]:
            continue
        merged.append(pause)
    return merged


def describe(samples, i, j):
    stood, last = samples[i], samples[j - 1]
    frozen = {s.applied for s in samples[i + 1:j]} or {stood.applied}
    end = samples[j] if j < len(samples) else None
    result = {"from": stood.at, "to": end.at if end else None, "seconds": (end or last).at - stood.at, "gtids": frozen,
              "gtid": last.applied, "samples": j - i, "buffered": sequence(last.received) - sequence(last.applied),
              "receiving": all(s.io == "Yes" for s in samples[i:j]),
              "write_rate": (sequence(last.received) - sequence(stood.received)) / max(0.1, last.at - stood.at)}
    for k in range(j, len(samples)):
        s = samples[k]
        if s.sql and sequence(samples[k - 1].received) <= sequence(s.applied):
            seconds = max(0.1, s.at - last.at)
            result.update(caught_up_at=s.at, replay_seconds=seconds,
                          replay_rate=(sequence(s.applied) - sequence(last.applied)) / seconds,
                          replay_settings=sorted({x.settings for x in samples[j:k + 1]}))
            break
    return result


def variables(socket, node):
    """Every global variable that is a setting, not a position."""
    session = Session(node, socket)
    found = {name: value for name, value in session.rows("SHOW GLOBAL VARIABLES") if name.lower() not in session.flavor.positions}
    session.close()
    return found


def threads(socket, node):
    """What the server says of its receiver and its applier."""
    session = Session(node, socket)
    row = session.row(session.flavor.status)
    session.close()
    return row[session.flavor.io], row[session.flavor.sql]
