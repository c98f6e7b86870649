# SPDX-License-Identifier: Apache-2.0
"""What a node did, as labels that are the same in every run: no ids, times, positions, ports or folders.

Kinds of labels. Ordered: `sql` (a statement that changes or locks something), `file` (a name that appeared, was replaced or
went; what its JSON says of state), `start` (a program), `signal`, `ask` (a request that was taken), `reply` (what such a
request was answered), `call` (a request that was sent). Unordered: `look` (a statement that reads), `told` (what a reading
of the state says of pause and runs), `shape` (which keys an answer has)."""
import dataclasses
import json
import os
import re

ORDERED = ("sql", "file", "start", "signal", "ask", "reply", "call")
KINDS = ORDERED + ("look", "told", "shape")
READS = re.compile(r"(DO 1$|SELECT|SHOW|XA RECOVER|SET NAMES|SET SESSION|SET @|ROLLBACK|BEGIN|START TRANSACTION|COMMIT)\b", re.I)
LOCKS = re.compile(r"\b(GET_LOCK|RELEASE_LOCK|RELEASE_ALL_LOCKS)\(", re.I)
FACTS = ("state", "phase", "program", "outcome", "cut_outcome", "role", "boosted", "durable", "hold", "restarted", "retuning",
         "taken_over", "verified", "aligning", "raised", "ended_by")
GIVEN = ("voided",)  # sentences: that there is one
LONGEST = 400
TICKS = ("progress.json",)  # written now and then, as long as a program runs
NORMAL = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(:[0-9:,-]+)?", "UUID"),
    (r"\b\d+-\d+-\d+\b", "GTID"),
    (r"siding-relay-[\w.-]+", "siding-relay-FILE"),
    (r"siding-trial-\d+", "siding-trial-PID"),
    (r"\b(\w*(?:binlog|relay)\w*)\.\d{6}\b", r"\1.N"),
    (r"((?:parallel_(?:threads|workers)|capacity|max_queued|pending_jobs_size_max|progress_done|progress_total|eta_s)=)[\d.]+", r"\1N"),
    (r"(/v1/tasks/|\b'claimed',|\btask_id ?= ?|\bupload_task ?= ?|\bid ?= ?|siding\.run \([^)]*\) VALUES \(|\bNULLIF\()(?!0\b)\d+", r"\1ID"),
    (r"(GTID_WAIT\('\w+', |WAIT_FOR_EXECUTED_GTID_SET\('\w+', )[\d.]+", r"\1S"),
    (r"(agent/runs/R\d+/\w+|spool/\.\w+-R\d+)/[\w.-]+ gone", r"\1/* gone"),
    (r"\b\d{4,}\b", "N"),
)
STRING = re.compile(r"'((?:[^'\\]|\\.|'')*)'")
RUN = re.compile(r"(?<![\w.])\d+\.[1-9]\d?(?![\w]|\.\d)")


@dataclasses.dataclass(frozen=True)
class Event:
    at: float
    kind: str
    label: str


class Names:
    """Gives runs of a scenario the names R1, R2 …, in the order in which they are met; takes folders away."""

    def __init__(self, folder):
        self.folder, self.runs = folder, {}

    def forget(self):
        self.runs.clear()

    def run(self, match):
        return self.runs.setdefault(match[0], "R%d" % (len(self.runs) + 1))

    def normal(self, text):
        text = text.replace(self.folder, "")
        text = STRING.sub(lambda m: m[0] if len(m[1]) < 30 else "'…'", text)
        for pattern, word in NORMAL[:1]:
            text = re.sub(pattern, word, text)
        text = RUN.sub(self.run, text)
        for pattern, word in NORMAL[1:]:
            text = re.sub(pattern, word, text)
        return text


def facts(value):
    """What a JSON object says of a state, below its run too."""
    if not isinstance(value, dict):
        return ""
    of_run = value.get("run") if isinstance(value.get("run"), dict) else {}
    found = {**{k: of_run.get(k) for k in ("state", "outcome")}, **{k: value[k] for k in FACTS if k in value}}
    found.update({k: "yes" for k in GIVEN if value.get(k)})
    return "".join(" %s=%s" % (k, os.path.basename(str(v))) for k, v in found.items() if v not in (None, False, ""))


def parsed(data):
    try:
        return json.loads(data)
    except ValueError:
        return None


def shape(value):
    """The keys of an answer, an array's by its first element."""
    if isinstance(value, list):
        return "[%s]" % (shape(value[0]) if value else "")
    return "{%s}" % " ".join(sorted(value)) if isinstance(value, dict) else type(value).__name__


class Reader:
    """Turns the calls of one node into events. The folder is the node's own: …/db1, or …/coordinator."""

    def __init__(self, folder, names):
        self.folder, self.names, self.parents = folder, names, {}
        self.role = {}      # process: what it is: "", a helper's name, or None: a job, whose own doings are its own
        self.written = {}   # path: the last bytes written to it
        self.pending = {}   # connection: the request that was read there
        self.halves = {}    # connection: bytes of an unfinished message
        self.last_told = {}

    def events(self, call):
        kind = {"execve": self.program, "kill": self.signal, "write": self.write, "pwrite64": self.write, "sendto": self.send,
                "writev": self.send, "readv": self.request}.get(call.name, self.files)
        if call.name == "execve" or self.role.get(call.process, self.role.get(self.parents.get(call.process), "")) is not None:
            for event in kind(call):
                yield dataclasses.replace(event, label=self.who(call) + self.names.normal(event.label)[:LONGEST])

    def who(self, call):
        role = self.role.get(call.process)
        return "%s: " % role if role else ""

    def path(self, path):
        inside = path.startswith(self.folder + "/")
        return re.sub(r"//|/\./", "/", path[len(self.folder) + 1:]) if inside else None

    # -- programs

    def program(self, call):
        words = call.strings()
        if not call.ok or len(words) < 2:
            return
        above = self.role.get(call.process, self.role.get(self.parents.get(call.process), ""))
        name = os.path.basename(words[1])
        if above is None or self.role.get(call.process, "") is None:
            self.role[call.process] = None
            return
        if name.startswith("siding-agent") or name == "sidingd":
            helper = words[2] if len(words) > 2 and not words[2].startswith("-") else ""
            self.role[call.process] = helper
        else:
            self.role[call.process] = None
        yield Event(call.begun, "start", " ".join([name, *words[2:]]))

    def signal(self, call):
        found = re.match(r"-?\d+, (\w+)", call.text)
        if found and found[1] != "0":
            yield Event(call.begun, "signal", found[1] + (" to its group" if call.text.startswith("-") else ""))

    # -- files

    def files(self, call):
        if not call.ok or call.name in ("fsync", "fdatasync", "clone", "clone3", "vfork", "fork"):
            yield from self.synced(call)
            return
        paths = [self.path(p) for p in call.strings() if p.startswith("/")]
        if not paths or paths[-1] is None or paths[-1].startswith("data/"):
            return
        name = os.path.basename(paths[-1])
        if name in TICKS or name.endswith(".tmp"):
            return
        verb = {"unlink": " gone", "unlinkat": " gone", "rmdir": " gone", "link": " linked", "linkat": " linked"}.get(call.name, "")
        text = self.written.pop(paths[0], b"") if call.name.startswith("rename") else b""
        yield Event(call.ended, "file", paths[-1] + verb + facts(parsed(text)))

    def synced(self, call):
        """A file that is written in place, and on disk now: a journal. Its last line counts."""
        path = self.path(call.descriptor()) if call.name in ("fsync", "fdatasync") and call.ok else None
        text = self.written.get(path)
        if text and not path.endswith(".tmp") and not path.startswith("data/"):
            del self.written[path]
            lines = [line for line in text.split(b"\n") if b"{" in line] or [b""]
            yield Event(call.ended, "file", path + " appended" + facts(parsed(lines[-1][lines[-1].index(b"{"):] if lines[-1] else b"")))

    def write(self, call):
        path = self.path(call.descriptor())
        if path and not path.endswith(".log"):
            keep = self.written.get(path, b"") if path.endswith(".tmp") else b""
            self.written[path] = (keep + call.bytes())[-1 << 20:]
        yield from ()

    # -- SQL and HTTP

    def send(self, call):
        data, to = call.bytes(), call.descriptor()
        if data.startswith(b"HTTP/1.") or to in self.halves:
            yield from self.reply(call, to, self.halves.pop(to, b"") + data)
        elif re.match(rb"(GET|POST|PUT|DELETE) /", data):
            method, path = data.split(b" ", 2)[:2]
            if method != b"GET" and path != b"/v1/poll":  # the coordinator's look, with what the agent is to know
                yield Event(call.begun, "call", "%s %s%s" % (method.decode(), path.decode().split("?")[0], body_of(data)))
        elif len(data) > 5 and data[3] == 0 and data[4] == 3 and re.match(r"(UNIX|TCP)", to):
            yield from self.statement(call, data[5:].decode("utf-8", "replace"))

    def statement(self, call, text):
        text = " ".join(text.split())
        looks = READS.match(text) and not LOCKS.search(text)
        yield Event(call.begun, "look" if looks else "sql", text)

    def request(self, call):
        data = call.bytes()
        found = re.match(rb"(GET|POST|PUT|DELETE) (\S+) HTTP", data)
        if not found:
            return
        method, path = found[1].decode(), found[2].decode().split("?")[0]
        if path == "/v1/poll":
            method, path = "GET", "/v1/state"
        self.pending[call.descriptor()] = (method, path)
        if method != "GET":
            yield Event(call.ended, "ask", "%s %s%s" % (method, path, body_of(data)))

    def reply(self, call, to, data):
        if to not in self.pending:
            return
        method, path = self.pending[to]
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        if length and len(body) < int(length[1]):
            self.halves[to] = data
            return
        del self.pending[to]
        status, value = data[9:12].decode("ascii", "replace"), parsed(body)
        if method != "GET":
            yield Event(call.begun, "reply", "%s %s: %s%s" % (method, path, status, facts(value)))
        yield Event(call.begun, "shape", "%s %s: %s %s" % (method, path, status, shape(value)))
        if method == "GET" and path == "/v1/state" and isinstance(value, dict):
            told = "lease %s%s" % ((value.get("lease") or {}).get("phase"), "".join(
                "; %s %s" % (r["spec"]["run"], r["state"]) for r in value.get("runs", []) if r["state"] not in ("caught_up", "ended")))
            if self.last_told.get(path) != told:
                self.last_told[path] = told
                yield Event(call.begun, "told", told)


def body_of(data):
    """Which keys a request has, and what it asks for."""
    value = parsed(data.partition(b"\r\n\r\n")[2])
    if not isinstance(value, dict):
        return ""
    return " {%s}" % " ".join(k if k != "action" and k != "role" else "%s=%s" % (k, v) for k, v in sorted(value.items()))


def by_part(found):
    """The nodes by the part they play: the first replica that was asked to do something is "replica"."""
    asked = {node: min((e.at for e in events if e.kind == "ask" and re.match(r"POST /v1/(runs|pause)\b", e.label)), default=0)
             for node, events in found.items() if node[-1] not in "r0"}
    first = min((n for n in asked if asked[n]), key=asked.get, default="db1")
    parts = {n: "replica" if n == first else "other" for n in asked}
    parts["db0"] = "primary"

    def renamed(text):
        return re.sub(r"\bdb\d\b", lambda m: parts.get(m[0], m[0]), text)
    return {parts.get(node, node): [dataclasses.replace(e, label=renamed(e.label)) for e in events] for node, events in found.items()}


def collapsed(events):
    """Without what only repeats: a label that stands there already since the last ordered event of another label."""
    out, last = [], None
    seen = set()
    for event in sorted(events, key=lambda e: e.at):
        if event.kind in ORDERED:
            if last and (last.kind, last.label) == (event.kind, event.label):
                continue
            last = event
        elif (event.kind, event.label) in seen:
            continue
        seen.add((event.kind, event.label))
        out.append(event)
    return out
