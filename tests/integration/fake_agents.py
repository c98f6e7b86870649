# SPDX-License-Identifier: Apache-2.0
"""Agents that only talk: the wire API of siding-agent without a server behind it, steered by a test. A run walks its
states by itself and stops before a state that is gated, so that a test can look (or kill) in each of them."""
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

REPLICA_PATH = ["accepted", "pausing", "running", "sealing", "resuming", "caught_up"]
BARRIER_PATH = ["accepted", "pausing", "frozen", "running", "sealing", "resuming", "caught_up"]
PRIMARY_PATH = ["accepted", "running", "ended"]
STEP_S = 0.02


def now():
    t = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + ".%03dZ" % (t * 1000 % 1000)


def typed(key):
    """What people type for the key of a run: "12.1" for "12.1-k3x9qz07ab"."""
    return key.split("-")[0]


class Runs(dict):
    """By key; found also by what people type."""

    def __contains__(self, name):
        return any(name in (key, typed(key)) for key in self)


class Agent:
    def __init__(self, name, port, server, jobs):
        self.name, self.port, self.jobs = name, port, jobs
        self.server = server
        self.changed = threading.Condition()
        self.seq = int(time.time() * 1000)
        self.role, self.term, self.owner = None, 0, None
        self.runs, self.calls, self.orders = Runs(), [], []
        self.gates = set()       # states not entered while they are in here
        self.refuse = None       # (kind, status, text) for POST /v1/runs
        self.fail = {}           # state at whose end a run fails -> text
        self.deaf = False        # hangs up on everybody
        self.mode = None         # upload mode of sealed results
        self.vote = {"promised": {"term": 0, "owner": None}, "shut": False, "accepted": {"version": 0}}
        self.waits = {}          # kind of order -> what it waits for
        self.ended = False       # a fence killed its server and read its log
        self.httpd = None
        self.stopping = False

    # ---- the agent's own life ----------------------------------------------------------------------------------

    def start(self):
        agent = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                agent.handle(self)

            do_GET = do_POST = do_DELETE = handle_any

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

            def handle_error(self, *_):  # a killed sidingd hangs up
                pass

        self.httpd = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.httpd.serve_forever, args=(0.05,), daemon=True).start()
        threading.Thread(target=self.live, daemon=True).start()

    def stop(self):
        self.stopping = True
        self.httpd.shutdown()
        self.httpd.server_close()

    def bump(self):
        self.seq += 1
        self.changed.notify_all()

    def live(self):
        while not self.stopping:
            time.sleep(STEP_S)
            with self.changed:
                for run in self.runs.values():
                    self.move(run)

    def path_of(self, run):
        if run["spec"]["on"] != "replica":
            return PRIMARY_PATH
        return BARRIER_PATH if run["spec"]["barrier"] else REPLICA_PATH

    def move(self, run):
        path, state = self.path_of(run), run["state"]
        if state in ("caught_up", "ended", "sleeping"):
            return
        following = path[path.index(state) + 1]
        if run.get("killed") and state in ("running", "frozen", "pausing", "accepted"):
            run["outcome"], run["error"] = run["killed"], None
            following = "resuming" if path is not PRIMARY_PATH else "ended"
        elif state in self.fail and not run["outcome"]:
            run["outcome"], run["error"] = "error", self.fail[state]
            following = "resuming" if path is not PRIMARY_PATH else "ended"
        elif state == "frozen" and not run.get("gone"):
            return
        if following in self.gates:
            return
        run["state"] = following
        if following in ("frozen", "running") and run["spec"]["on"] == "replica" and not run["gtid"]:
            run["gtid"], run["frozen_at"] = self.server["applied"], now()
            run["source_file"], run["source_pos"] = self.server["source_file"], self.server["source_pos"]
        if following == "running":
            run["started_at"] = now()
            run["progress"] = {"done": 1, "total": 2, "unit": "rows", "note": None}
        if following == "resuming":
            run["resumed_at"] = now()
            if not run["outcome"]:
                run["outcome"] = "ok"
                run["sealed"], run["result_dir"] = True, f"/spool/{run['spec']['run']}"
                run["manifest"] = {"run": run["spec"]["run"], "upload": {"mode": self.mode} if self.mode else None}
        if following in ("caught_up", "ended"):
            run["caught_up_at"] = run["finished_at"] = now()
            run["outcome"] = run["outcome"] or "ok"
        self.bump()

    # ---- the wire ---------------------------------------------------------------------------------------------------

    def state(self):
        return {"node": self.name, "cluster_name": "sandbox", "version": "fake", "boot_id": "b", "seq": self.seq,
                "term": self.term, "term_owner": self.owner, "role": self.role, "now": now(), "server": dict(self.server, read_at=now()),
                "lease": {}, "runs": list(self.runs.values()), "jobs": self.jobs, "spool_free_bytes": 1 << 40,
                "vote": self.vote, "warnings": []}

    def new_run(self, spec):
        return {"spec": spec, "state": "accepted", "outcome": None, "error": None, "gtid": None, "aligned": False,
                "accepted_at": now(), "sealed": False, "manifest": None, "result_dir": None, "source_file": None,
                "source_pos": 0}

    def note(self, method, path, parts, body):
        """Calls are kept with runs as people type them, orders as they came."""
        if path == "/v1/runs":
            self.orders.append(body)
            source = dict(body["source"] or {}, run=typed(body["source"]["run"] or "")) if body.get("source") else None
            body = dict(body, run=typed(body["run"]), source=source)
        if len(parts) > 2 and parts[1] == "runs":
            path = "/" + "/".join(parts[:2] + [typed(parts[2])] + parts[3:])
        self.calls.append((method, path, body))

    def answer(self, method, path, query, body, owner):
        parts = path.strip("/").split("/")
        if path == "/v1/poll":
            return self.poll(body["after"], body["wait_ms"], body["term"], owner)
        if path == "/v1/state":
            return self.poll(int(query["after"][0]), int(query["wait_ms"][0]), 0, None)
        with self.changed:
            self.note(method, path, parts, body)
            if path == "/v1/role":
                self.role, self.term, self.owner = body["role"], body["term"], owner
                self.bump()
                return 200, {"role": self.role, "term": self.term}
            if path == "/v1/order":
                return self.obey(body)
            if path == "/v1/runs":
                return self.take(body)
            if path == "/v1/preflight":
                return 200, [{"ok": True, "name": "fake", "text": "all is well", "mend": None}]
            if path in ("/v1/pause", "/v1/resume"):
                return 200, {"gtid": self.server["applied"]}
            run = self.runs.get(parts[2]) if len(parts) > 2 and parts[1] == "runs" else None
            if parts[1] == "results":
                run, _, incarnation = parts[2].partition("-")
                return 200, {"run": run, "incarnation": incarnation or None, "files": []}
            if parts[-1] == "log":
                return 200, f"{query['stream'][0]} of {typed(parts[2])} on {self.name}\n"
            if not run:
                return 404, {"error": {"kind": "not_found", "text": "no such run", "code": 0}}
            if method == "DELETE":
                self.runs.pop(parts[2], None)
            elif parts[3] == "gather":
                run["gathered"] = True
            elif parts[3] == "align":
                run["gtid"], run["aligned"] = body["gtid"], True
            elif parts[3] == "go":
                run["gone"] = True
            elif parts[3] == "request":
                self.request(run, body["action"])
            self.bump()
            return 200, {}

    def request(self, run, action):
        if action == "sleep" and run["state"] == "running":
            run["state"] = "sleeping"
        elif action == "wake" and run["state"] == "sleeping":
            run["state"] = "running"
        elif action in ("kill", "stop"):
            run["killed"] = {"kill": "killed", "stop": "stopped"}[action]
            if run["state"] == "sleeping":
                run["state"] = "running"

    def take(self, spec):
        if self.refuse:
            kind, status, text = self.refuse
            return status, {"error": {"kind": kind, "text": text, "code": 0}}
        if spec["run"] not in self.runs.keys():
            self.runs[spec["run"]] = self.new_run(spec)
            self.bump()
        return 200, self.runs[spec["run"]]

    # ---- orders of a failover: what an agent answers that has nothing to do but its vote -------------------------------

    def obey(self, order):
        kind, ballot, v = order["kind"], order["ballot"], self.vote
        promised, decision = v["promised"], order.get("decision")
        answer = {"kind": kind, "done": True, "waits_for": self.waits.get(kind), "promised": promised, "accepted": v["accepted"]}
        if ballot["term"] < promised["term"] or (ballot["term"] == promised["term"] and ballot != promised):
            error = {"kind": "conflict", "text": "%s has promised term %d" % (self.name, promised["term"]), "code": 0}
            return 409, dict(answer, done=False, error=error)
        if answer["waits_for"]:
            return 200, dict(answer, done=False)
        v["promised"] = answer["promised"] = ballot
        if kind == "fence":
            v["shut"] = v["shut"] or v["accepted"].get("ballot") != ballot
            if self.server["is_replica"]:
                self.server["io"] = "no"
            elif order["kill"]:
                self.server["up"], self.server["read_only"], self.ended = False, True, True
            elif order["clean"]:
                self.server["read_only"] = answer["closed"] = True
            answer.update(received=self.server["received"] if self.server["is_replica"] else self.server["binlog"], ended=self.ended)
        elif kind == "close":
            self.server["read_only"] = True
            answer.update(received=self.server["binlog"], closed=True, closed_for_ms=1)
        elif kind == "accept":
            v["accepted"], v["shut"] = decision, False
        elif kind == "drain":
            self.server["applied"] = self.server["binlog"] = answer["received"] = self.server["received"]
        elif kind == "follow":
            self.server.update(is_replica=True, io="yes", source_host=order["source"]["host"],
                               source_port=order["source"]["port"])
        elif kind == "arm":
            self.server["acknowledges"] = True
        elif kind == "open":
            self.server.update(is_replica=False, read_only=False, semi_sync_acks=1)
        self.bump()
        return 200, answer

    def poll(self, after, wait_ms, term, owner):
        deadline = time.time() + wait_ms / 1000
        with self.changed:
            if term and (term < self.term or (term == self.term and self.owner not in (None, owner))):
                return 412, {"error": {"kind": "stale_term", "text": f"term {self.term} was seen", "code": 0}}
            while self.seq <= after and time.time() < deadline and not self.stopping:
                self.changed.wait(max(0.01, deadline - time.time()))
            return 200, self.state()

    def handle(self, http):
        url = urlsplit(http.path)
        length = int(http.headers.get("Content-Length") or 0)
        body = json.loads(http.rfile.read(length)) if length else None
        if self.deaf or self.stopping:
            http.close_connection = True
            return
        status, answer = self.answer(http.command, url.path, parse_qs(url.query), body, http.headers.get("X-Siding-Owner"))
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        try:
            http.send_response(status)
            http.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
            http.send_header("Content-Length", str(len(data)))
            http.end_headers()
            http.wfile.write(data)
        except OSError:
            pass

    # ---- for tests ----------------------------------------------------------------------------------------------------

    def count(self, method, path):
        with self.changed:
            return sum(1 for m, p, _ in self.calls if m == method and p == path)

    def set(self, **values):
        with self.changed:
            for key, value in values.items():
                setattr(self, key, value)
            self.bump()


def make_agents(port, replicas, server_port, jobs, flavor, gtid):
    """db0 is the primary, whose server is real and listens on server_port; the replicas are made up. All stand at `gtid`."""
    base = {"up": True, "flavor": flavor, "version": {"mariadb": "10.11.1", "mysql": "9.7.0"}[flavor], "uses_gtid": True, "server_id": 1,
            "uptime_s": 10, "address": "127.0.0.1", "applied": gtid, "binlog": gtid, "received": gtid, "semi_sync_acks": 1, "source_file": "b.000001", "source_pos": 400}
    agents = [Agent("db0", port, dict(base, port=server_port, is_replica=False, read_only=False), jobs)]
    for i in range(1, replicas + 1):
        agents.append(Agent(f"db{i}", port + i,
                            dict(base, port=server_port + i, is_replica=True, sql_running=True, io="yes",
                                 read_only=True, source_host="127.0.0.1", source_port=server_port), jobs))
    return agents
