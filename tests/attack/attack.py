# SPDX-License-Identifier: Apache-2.0
"""What attackers have at hand. See README.md."""
import contextlib
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

from harness import BUILD, ROOT, Failed, slack

ROLES = ("coordinator", "peer", "admin")  # those that have a token in a sandbox


def attack(who, does, gets):
    """Marks a function as one: who does what, and what he must get."""
    def mark(function):
        function.attack = "%s %s: %s" % (who, does, gets)
        return function
    return mark


def agent(c, node):
    return c.env["AGENT%s_URL" % node[2:]]


def coordinator(c):
    return c.env["SIDINGD_URL"]


def token(c, role):
    with open(os.path.join(c.folder, "credentials", role + ".token"), encoding="ascii") as f:
        return f.read()


def request(c, method, url, body=None, role=None, headers=None, within_s=20):
    """(status, text) of a request with the token of a role, or with none."""
    data = None if body is None else json.dumps(body).encode()
    shown = {"Content-Type": "application/json", "Authorization": "Bearer " + token(c, role) if role else ""}
    shown.update(headers or {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, shown, method=method), timeout=within_s * slack()) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


ROUTE = re.compile(r'^    \{"(GET|POST|DELETE)", "([^"]+)", ([A-Z_ |]+), ', re.M)


def routes(daemon):
    """[(method, path, takes a peer, is for everybody)] of all that a daemon answers, as its table of routes has it, with something in each
    place of a path."""
    source = {"agent": "replica-agent/agent/api/api.c", "sidingd": "orchestrator/daemon/routes.c"}[daemon]
    with open(os.path.join(ROOT, source), encoding="utf-8") as f:
        found = ROUTE.findall(f.read())
    if len(found) < 25:
        raise Failed("%s has %d routes" % (source, len(found)))
    fill = {"{file...}": "manifest.json", "{name}": "db1", "{id}": "999.1", "{run}": "999.1", "{task}": "1", "{owner}": "x"}
    return [(method, re.sub(r"\{[^}]*\}", lambda m: fill[m[0]], path), "PEER" in roles or roles == "FETCHES", roles == "ROLE_HEALTH")
            for method, path, roles in found]


def expect_refused(c, method, url, body, needs, **keywords):
    """403, and the answer names the roles that the call needs."""
    status, text = request(c, method, url, body, **keywords)
    if status != 403 or "needs the role " + needs not in text:
        raise Failed("%s %s: %d %s, not 403 with the role %s" % (method, url, status, text, needs))


def as_nobody(*command, group=None, within_s=30, env=None):
    """(status, output) of a program run by another account of this machine; needs root."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, user=65534,
                          group=group or 65534, extra_groups=[], timeout=within_s * slack(), check=False,
                          env=dict(os.environ, PATH=BUILD + ":" + os.environ["PATH"], **(env or {})))
    return done.returncode, done.stdout


@contextlib.contextmanager
def configured(c, path, change, process):
    """The process ends, to come back with what `change` makes of its configuration; afterwards all is as it was."""
    with open(path, encoding="utf-8") as f:
        old = f.read()
    try:
        with open(path, "w", encoding="utf-8") as f:
            f.write(change(old))
        c.kill(process)
        yield
    finally:
        with open(path, "w", encoding="utf-8") as f:
            f.write(old)
        c.kill(process)
        c.up()


def term_of(c, node):
    return json.loads(request(c, "GET", agent(c, node) + "/v1/state", role="coordinator")[1])["term"]
