# SPDX-License-Identifier: Apache-2.0
"""Whoever reaches an address is not yet somebody: who may do what."""
import contextlib
import http.server
import json
import os
import ssl
import stat
import threading
import urllib.error
import urllib.request

from attack import agent, as_nobody, attack, configured, coordinator, expect_refused, request, routes, term_of
from door import tls_ports
from harness import BUILD, Failed, call, slack, wait_until

MOST = 9223372036854775807


@attack(who="a local user", does="pauses a replica over loopback, at its agent and at the coordinator",
        gets="403, which names the role; the replica goes on")
def pause_by_loopback(c):
    expect_refused(c, "POST", agent(c, "db1") + "/v1/pause", {"for_s": 600, "by": "root"}, "coordinator or operator")
    expect_refused(c, "POST", coordinator(c) + "/v1/nodes/db1/pause", {"for_s": 600, "by": "root"}, "operator")
    c.expect_replicating("db1")


@attack(who="a local user", does="calls everything that changes something, or reads more than health",
        gets="403 at each, and health all the same")
def every_route_by_loopback(c):
    calls = [("GET", "/v1/state", "coordinator or viewer"), ("POST", "/v1/poll", "coordinator"), ("POST", "/v1/role", "coordinator"),
             ("GET", "/v1/runs", "coordinator or viewer"), ("POST", "/v1/runs", "coordinator"),
             ("DELETE", "/v1/runs/1.1", "coordinator"), ("POST", "/v1/runs/1.1/request", "coordinator or operator"),
             ("POST", "/v1/runs/1.1/split", "peer"), ("GET", "/v1/runs/1.1/log", "coordinator or viewer"),
             ("GET", "/v1/logs/1", "coordinator or viewer"),
             ("DELETE", "/v1/results/1.1", "coordinator or admin"), ("POST", "/v1/results/1.1/copy", "coordinator"),
             ("GET", "/v1/results/1.1/manifest.json", "coordinator or peer or operator"),
             ("POST", "/v1/resume", "coordinator or operator"), ("POST", "/v1/purge-hold", "coordinator"),
             ("POST", "/v1/fill", "coordinator"), ("GET", "/v1/preflight", "coordinator or viewer")]
    for method, path, needs in calls:
        expect_refused(c, method, agent(c, "db1") + path, {} if method == "POST" else None, needs)
    calls = [("POST", "/v1/tasks", "operator"), ("GET", "/v1/tasks", "viewer"), ("POST", "/v1/tasks/1/request", "operator"),
             ("GET", "/v1/status", "viewer"), ("GET", "/v1/events", "viewer"), ("GET", "/v1/results/1.1", "viewer"),
             ("GET", "/v1/tasklets", "viewer"), ("POST", "/v1/nodes/db1/provision", "admin"), ("POST", "/v1/nodes/db1/remove", "admin"),
             ("POST", "/v1/nodes/db9/invite", "admin"), ("POST", "/v1/nodes/db9/revoke", "admin"), ("GET", "/v1/invitations", "viewer"),
             ("GET", "/v1/provision", "viewer"), ("GET", "/v1/results/1.1/manifest.json", "operator")]
    for method, path, needs in calls:
        expect_refused(c, method, coordinator(c) + path, {} if method == "POST" else None, needs)
    for daemon, url in (("agent", agent(c, "db1")), ("sidingd", coordinator(c))):
        for method, path, _, everybody in routes(daemon):
            if everybody and request(c, method, url + path)[0] != 200:
                raise Failed("%s%s is not for everybody" % (url, path))
            if not everybody:
                expect_refused(c, method, url + path, {} if method == "POST" else None, "")


@attack(who="a job on one host, with what its agent shows to peers", does="steers another agent", gets="403; it may fetch, no more")
def steer_as_a_peer(c):
    for path, needs in (("/v1/pause", "coordinator or operator"), ("/v1/poll", "coordinator"), ("/v1/runs", "coordinator")):
        expect_refused(c, "POST", agent(c, "db1") + path, {"for_s": 60, "term": 1}, needs, role="peer")
    expect_refused(c, "DELETE", agent(c, "db1") + "/v1/results/1.1", None, "coordinator or admin", role="peer")
    for method, path, peer, everybody in routes("agent"):
        if not peer and not everybody:
            expect_refused(c, method, agent(c, "db1") + path, {} if method == "POST" else None, "", role="peer")
    c.expect_replicating("db1")


def with_certificate(folder, name, port, method, path):
    """(status, text) of a request over TLS; name None: without a certificate."""
    trusted = ssl.create_default_context(cafile=folder + "/ca.pem")
    if name:
        trusted.load_cert_chain("%s/%s.pem" % (folder, name), "%s/%s.key" % (folder, name))
    asked = urllib.request.Request("https://127.0.0.1:%d%s" % (port, path), b"{}" if method == "POST" else None,
                                   {"Content-Type": "application/json", "Authorization": ""}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=20 * slack(), context=trusted) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


@attack(who="one with the certificate that a load balancer has, with that of another database host, and with one of a CA of his own",
        does="calls everything that the daemons answer, over TLS",
        gets="the first: health, and 403 for all else; the second: at an agent what peers may, and 403 for the rest; the third, and who has none: no connection")
def certificates(c):
    with tls_ports(c, "db0") as (folder, agent_port, sidingd_port):
        before = term_of(c, "db1")
        for daemon, port in (("agent", agent_port), ("sidingd", sidingd_port)):
            for name in ("balancer", "db0"):
                for method, path, peer, everybody in routes(daemon):
                    status, text = with_certificate(folder, name, port, method, path)
                    if everybody:
                        allowed = status == 200
                    elif peer and name == "db0" and daemon == "agent":
                        allowed = status != 403
                    else:
                        allowed = status == 403 and "needs the role " in text and name + " has health" in text
                    if not allowed:
                        raise Failed("%s %s of %s as %s: %d %s" % (method, path, daemon, name, status, text[:300]))
        own = os.path.join(folder, "own")
        for words in (("init", "--dir", own), ("issue", "--dir", own, "--address", "127.0.0.1", "sidingd")):
            if call(os.path.join(BUILD, "siding"), "cert", *words)[0]:
                raise Failed("no CA of his own")
        for name in ("own/sidingd", None):
            for port in (agent_port, sidingd_port):
                try:
                    answer = with_certificate(folder, name, port, "GET", "/healthz")
                except OSError:
                    continue
                raise Failed("%s gets %s" % (name or "who has no certificate", answer))
        if term_of(c, "db1") != before:
            raise Failed("the term is another")
    c.expect_replicating("db1")


@attack(who="an account of this machine", does="calls everything that an agent answers by its unix socket, as a member of no group, and of one that may read",
        gets="health, or what viewers may; 403 for the rest: the kernel says who he is")
def by_the_agents_socket(c):
    path = os.path.join(c.folder, "db1", "agent.conf")
    mode = stat.S_IMODE(os.stat(c.folder).st_mode)
    try:
        with configured(c, path, lambda old: old.replace("roles = {", 'roles = { viewer = [ "group:nogroup" ];', 1), "agent1"):
            c.up()
            for folder in (c.folder, os.path.join(c.folder, "db1"), os.path.dirname(c.env["AGENT1_SOCKET"])):
                os.chmod(folder, 0o711)
            for group, reads in ((12345, False), (65534, True)):
                for method, route, _, everybody in routes("agent"):
                    if "manifest.json" in route and reads:
                        continue
                    words = ["curl", "-s", "-m", "20", "-w", "\n%{http_code}", "-X", method, "--unix-socket", c.env["AGENT1_SOCKET"], "http://localhost" + route]
                    status, out = as_nobody(*words, *(["-H", "Content-Type: application/json", "-d", "{}"] if method == "POST" else []), group=group)
                    text, _, code = out.rpartition("\n")
                    may = everybody or (reads and method == "GET")
                    if status or may != (code != "403") or (not may and "nobody has health" not in text):
                        raise Failed("%s %s as a member of group %d: %s %s" % (method, route, group, status, out[-300:]))
    finally:
        os.chmod(os.path.join(c.folder, "db1"), 0o700)
        os.chmod(c.folder, mode)
    c.expect_replicating("db1")


def promised(c):
    """What the agent of db1 has on disk, but for what time alone changes."""
    return {key: value for key, value in c.journal("db1").items() if key not in ("events", "server")}


@attack(who="an administrator, or one who makes his browser do it", does="reads at every address of both daemons, with what changes something in the query or the body",
        gets="answers or refusals; nothing is changed")
def read_everywhere(c):
    before = promised(c), c.siding("task", "list"), c.siding("cluster", "primary")
    if not before[0]:
        raise Failed("an agent without a journal")
    for daemon, url, role in (("agent", agent(c, "db1"), "coordinator"), ("sidingd", coordinator(c), "admin")):
        answered = {path for method, path, _, _ in routes(daemon) if method == "GET"}
        for path in sorted({path for _, path, _, _ in routes(daemon)}):
            for query in ("", "?term=%d" % MOST, "?action=kill", "?for_s=600&reason=x"):
                status, text = request(c, "GET", url + path + query, role=role)
                if status >= 500 or (path not in answered and status < 400):
                    raise Failed("GET %s%s: %d %s" % (path, query, status, text[:300]))
    after = promised(c), c.siding("task", "list"), c.siding("cluster", "primary")
    if after != before:
        raise Failed("before: %s\nafter: %s" % (before, after))
    c.expect_replicating("db1")


@attack(who="anybody", does="fences the coordinator for good with a term that nothing is above, by GET, by POST, as an administrator",
        gets="no term is taken but the coordinator's own, and none that jumps")
def term_of_nobody(c):
    before = term_of(c, "db1")
    for method, path, body, role in (
            ("GET", "/v1/state?term=%d" % MOST, None, None), ("GET", "/v1/state?term=%d" % MOST, None, "admin"),
            ("GET", "/healthz?term=%d" % MOST, None, None), ("POST", "/v1/poll", {"term": MOST}, None),
            ("POST", "/v1/poll", {"term": MOST}, "admin"), ("POST", "/v1/resume", {"term": MOST}, "admin"),
            ("DELETE", "/v1/results/999.1?term=%d" % MOST, None, "admin"), ("POST", "/v1/poll", {"term": MOST}, "coordinator"),
            ("POST", "/v1/role", {"role": "replica", "term": before + 5000}, "coordinator"),
            ("POST", "/v1/resume", {"term": before + 1001}, "coordinator")):
        status, text = request(c, method, agent(c, "db1") + path, body, role=role)
        if status < 400:
            raise Failed("%s %s as %s: %d %s" % (method, path, role, status, text))
    if term_of(c, "db1") != before:
        raise Failed("the agent has taken term %d" % term_of(c, "db1"))
    wait_until(lambda: c.siding("cluster", "status")["term"] == before, 10, "the coordinator goes on in its term")


@attack(who="one who had the coordinator's token, or an older version", does="leaves an agent with a term far ahead",
        gets="reset-term, with confirmation, puts it in order, and the coordinator goes on")
def reset_term(c):
    before = term_of(c, "db1")
    for _ in range(3):
        status, text = request(c, "POST", agent(c, "db1") + "/v1/poll", {"term": term_of(c, "db1") + 1000}, role="coordinator")
        if status != 200:
            raise Failed("%d %s" % (status, text))
    wait_until(lambda: any("another coordinator has taken over" in w for w in c.siding("status")["warnings"]), 20, "the coordinator stands back")
    expect_refused(c, "POST", agent(c, "db1") + "/v1/term", {"term": 1, "cluster_name": "sandbox"}, "coordinator or admin", role="peer")
    expect_refused(c, "POST", coordinator(c) + "/v1/cluster/reset-term", {"confirm": "sandbox"}, "admin")
    for arguments in ((), ("--confirm", "another")):
        c.siding("cluster", "reset-term", *arguments, status=1 if arguments else 2)
    if term_of(c, "db1") != before + 3000:
        raise Failed("the term was reset without confirmation")
    now = c.siding("cluster", "reset-term", "--confirm", "sandbox")
    if now["term"] != before + 1 or now["failed"]:
        raise Failed("%s, before it was %d" % (now, before))
    wait_until(lambda: {term_of(c, n) for n in c.nodes} == {before + 1}, 20, "all have the term")
    task = c.submit("dump", "--database", "siding")
    c.expect_state(task, "done", 120)
    if c.value("db0", "SELECT value FROM siding.meta WHERE name = 'term'") != str(before + 1):
        raise Failed("the queue has another term")


@attack(who="a web page in a browser on this machine", does="posts to the daemons, with whatever right the browser holds",
        gets="403 for each request with Origin or Sec-Fetch-Site, and for foreign names of the host")
def post_by_browser(c):
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-origin"}):
        for url, role in ((coordinator(c) + "/v1/nodes/db1/pause", "admin"), (agent(c, "db1") + "/v1/pause", "admin")):
            status, text = request(c, "POST", url, {"for_s": 600}, role=role, headers=headers)
            if status != 403 or "browser" not in text:
                raise Failed("%s with %s: %d %s" % (url, headers, status, text))
    status, text = request(c, "POST", coordinator(c) + "/v1/nodes/db1/pause", {"for_s": 600}, role="admin", headers={"Host": "evil.example"})
    if status != 422:
        raise Failed("a foreign host: %d %s" % (status, text))
    c.expect_replicating("db1")


class Forger(http.server.BaseHTTPRequestHandler):
    """Serves a result that nobody has made."""
    asked = []

    def do_GET(self):  # pylint: disable=invalid-name
        self.asked.append(self.path)
        body = json.dumps({"run": "999.1", "job": "words", "files": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@attack(who="one who speaks for the coordinator", does="has an agent fetch a result from an address of his own",
        gets="refused: results come from configured nodes only, at their configured addresses")
def source_of_ones_own(c):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = "http://127.0.0.1:%d" % server.server_port
        try:
            for node in ("evil", "", None):
                source = {"run": "999.1", "url": url, **({} if node is None else {"node": node})}
                orders = (("/v1/runs", {"run": "1000.1", "cluster_name": "sandbox", "kind": "upload", "job": "words", "on": "primary",
                                        "term": term_of(c, "db0"), "source": source}),
                          ("/v1/results/999.1/copy", {k: v for k, v in source.items() if k != "run"}))
                for path, body in orders:
                    status, text = request(c, "POST", agent(c, "db0") + path, body, role="coordinator")
                    if status not in (400, 422) or ("peers" not in text and "node" not in text):
                        raise Failed("%s from %s: %d %s" % (path, source, status, text))
            # of a node that is known, at an address that is not its own: the agent's file counts
            request(c, "POST", agent(c, "db0") + "/v1/results/999.1/copy", {"node": "db1", "url": url}, role="coordinator")
        finally:
            server.shutdown()
    if Forger.asked:
        raise Failed("the agent has asked the forger: %s" % Forger.asked)


@contextlib.contextmanager
def roles_of_sidingd(c, text):
    """sidingd with other roles for a while, and with a socket that strangers reach."""
    path = os.path.join(c.folder, "coordinator", "sidingd.conf")
    mode = stat.S_IMODE(os.stat(c.folder).st_mode)

    def others(old):
        return "\n".join(line for line in old.splitlines() if not line.startswith("roles")) + "\n" + text + "\n"
    try:
        with configured(c, path, others, "sidingd"):
            os.chmod(c.folder, 0o711)
            os.chmod(os.path.join(c.folder, "coordinator"), 0o711)
            c.up()
            os.chmod(c.folder, 0o711)
            yield "unix:" + os.path.join(c.folder, "coordinator", "siding.sock")
    finally:
        os.chmod(c.folder, mode)


@attack(who="an account of this machine, named as viewer by its group", does="reads, and then submits and pauses by the socket",
        gets="what viewers may, and 403 for the rest; the trail names the account, and what it claims to be")
def account_with_less(c):
    with roles_of_sidingd(c, 'roles = { viewer = [ "group:nogroup" ]; admin = [ "token:%s/credentials/admin.token" ]; };' % c.folder) as socket:
        status, out = as_nobody(os.path.join(BUILD, "siding"), "--config", socket, "cluster", "primary")
        if (status, out) != (0, "db0\n"):
            raise Failed("a viewer reads: %d %s" % (status, out))
        status, out = as_nobody(os.path.join(BUILD, "siding"), "--config", socket, "replica", "pause", "db1", "--for", "60s", "--reason", "x",
                                env={"USER": "root", "SUDO_USER": "root"})
        if status != 1 or "needs the role operator, and nobody has health or viewer" not in out:
            raise Failed("a viewer pauses: %d %s" % (status, out))
        status, out = as_nobody(os.path.join(BUILD, "siding"), "--config", socket, "cluster", "primary", group=12345)
        if status != 1 or "needs the role viewer" not in out:
            raise Failed("another account reads: %d %s" % (status, out))
        out = call(os.path.join(BUILD, "siding"), "events", "--kind", "audit", "--json", env=c.env)[1]
        told = [json.loads(line)["text"] for line in out.splitlines()]
        if not any(t.startswith("nobody (unix socket) asked to pause db1: refused (403)") for t in told):
            raise Failed("the trail: %s" % told)
    c.expect_replicating("db1")


@attack(who="an operator", does="says that he is somebody else", gets="the trail and the task name both")
def claims_to_be_another(c):
    status, text = request(c, "POST", coordinator(c) + "/v1/tasks", {"job": "dump", "args": ["--database=nosuch"], "user": "alice"}, role="admin")
    if status != 201:
        raise Failed("%d %s" % (status, text))
    task = json.loads(text)
    if task["user"] != "alice (by token admin)":
        raise Failed("the task is %s's" % task["user"])
    told = [e["text"] for e in json.loads(request(c, "GET", coordinator(c) + "/v1/events", role="admin")[1]) if e["task"] == task["id"]]
    if "token admin (loopback TCP, says to be alice) asked to submit dump: done" not in told:
        raise Failed("the trail: %s" % told)
    request(c, "POST", coordinator(c) + "/v1/tasks/%d/request" % task["id"], {"action": "kill"}, role="admin")
    wait_until(lambda: c.task(str(task["id"]))["state"] in ("killed", "error", "done"), 60, "the end of the task")


@attack(who="one who finds the socket, and nothing else", does="works as an operator",
        gets="everything that his account may: no configuration, folder or key of a daemon is needed")
def nothing_but_the_socket(c):
    socket = "unix:" + os.path.join(c.folder, "coordinator", "siding.sock")
    status, out, err = call(os.path.join(BUILD, "siding"), "--config", socket, "cluster", "primary")
    if (status, out) != (0, "db0\n"):
        raise Failed("%d %s%s" % (status, out, err))
    path = os.path.join(c.folder, "client.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write('url = "%s";\ntoken_file = "%s/credentials/admin.token";\n' % (coordinator(c), c.folder))
    status, out, err = call(os.path.join(BUILD, "siding"), "--config", path, "cluster", "primary")
    os.unlink(path)
    if (status, out) != (0, "db0\n"):
        raise Failed("%d %s%s" % (status, out, err))
