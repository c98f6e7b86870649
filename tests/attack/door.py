# SPDX-License-Identifier: Apache-2.0
"""A stranger must not reach the safety path: he takes every connection that he can get."""
import contextlib
import json
import os
import resource
import shutil
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from attack import agent, attack, coordinator, request, term_of
from harness import BUILD, Failed, call, slack, wait_until

CROWD = 1500


class Crowd:
    """Holds as many connections as it can get, and takes new ones for those it loses."""

    def __init__(self, url, says=b""):
        where = urllib.parse.urlsplit(url)
        self.address, self.says = (where.hostname, where.port), says
        self.sockets, self.on, self.opened = [], True, 0
        self.thread = threading.Thread(target=self.push, daemon=True)

    def push(self):
        while self.on:
            with contextlib.suppress(OSError):
                s = socket.create_connection(self.address, timeout=2)
                if self.says:
                    s.sendall(self.says)
                self.sockets.append(s)
                self.opened += 1
            if len(self.sockets) >= CROWD:
                for s in self.sockets[:CROWD // 4]:
                    s.close()
                del self.sockets[:CROWD // 4]

    def __enter__(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.limit = soft
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * CROWD) if hard != resource.RLIM_INFINITY else 3 * CROWD, hard))
        self.thread.start()
        wait_until(lambda: self.opened >= CROWD, 30, lambda: "a crowd of %d: %d" % (CROWD, self.opened))
        return self

    def __exit__(self, *_):
        self.on = False
        self.thread.join()
        for s in self.sockets:
            s.close()


def ask(c, url, **keywords):
    """As who asks again when he was pushed out before he had said what he wants: this process is the crowd, too, and comes
    to that as slowly as the crowd is quick. (status, text) within two seconds."""
    begin, status, text = time.monotonic(), 0, ""
    while not status:
        try:
            status, text = request(c, "GET", url, within_s=5, **keywords)
        except (ConnectionError, urllib.error.URLError) as gone:
            text = str(gone)
        if time.monotonic() - begin > 2 * slack():
            raise Failed("%s: %d after %.1f s: %s" % (url, status, time.monotonic() - begin, text))
    return status, text


def health_answers(c, url):
    status, text = ask(c, url + "/healthz")
    if status != 200:
        raise Failed("%s/healthz: %d %s" % (url, status, text))


def log_bytes(c, *path):
    return os.path.getsize(os.path.join(c.folder, *path))


def lease(c):
    return json.loads(ask(c, agent(c, "db1") + "/v1/state", role="coordinator")[1])["lease"]


@attack(who="a local user", does="holds every connection that he can get at an agent, while its replica is paused",
        gets="the replica resumes on time, the load balancer is answered, and the log stays small")
def crowd_at_an_agent(c):
    for process in ("agent0", "agent1", "sidingd"):
        with open("/proc/%d/limits" % c.pid(process), encoding="ascii") as f:
            files = next(line for line in f if line.startswith("Max open files")).split()
        if files[3] != files[4]:
            raise Failed("%s may have %s files open, and could have %s" % (process, files[3], files[4]))
    before = log_bytes(c, "db1", "agent.log")
    for says in (b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with Crowd(agent(c, "db1"), says) as crowd:
            c.siding("replica", "pause", "db1", "--for", "6s", "--reason", "a crowd stands before its agent")
            if c.replication("db1")["sql"] != "No":
                raise Failed("it was not paused")
            for _ in range(5):
                health_answers(c, agent(c, "db1"))
            wait_until(lambda: c.replication("db1")["sql"] == "Yes", 16, "the replica resumes when its time is over")
            wait_until(lambda: lease(c)["owner"] is None, 20, "its settings are back")
            if crowd.opened < CROWD:
                raise Failed("the crowd was %d" % crowd.opened)
    c.expect_replicating("db1")
    written = log_bytes(c, "db1", "agent.log") - before
    if written > 200000:
        raise Failed("the agent logged %d bytes about it" % written)


@attack(who="a local user", does="holds every connection that he can get at the coordinator",
        gets="operators work on, /healthz answers, and the log stays small")
def crowd_at_the_coordinator(c):
    before = log_bytes(c, "coordinator", "sidingd.log")
    with Crowd(coordinator(c)):
        for _ in range(5):
            health_answers(c, coordinator(c))
            if c.siding("cluster", "status")["primary"] != "db0":
                raise Failed("the coordinator does not know its primary")
            status, text = ask(c, coordinator(c) + "/v1/status", role="admin")
            if status != 200:
                raise Failed("over the same address: %d %s" % (status, text))
    written = log_bytes(c, "coordinator", "sidingd.log") - before
    if written > 200000:
        raise Failed("the coordinator logged %d bytes about it" % written)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def tls_ports(c, *names):
    """db1's agent and sidingd listen with TLS besides: (folder of the certificates, port of the agent, port of sidingd). There are
    certificates of a balancer, which is named nowhere, and of these names."""
    folder, old, ports = os.path.join(c.folder, "ca"), {}, {}
    siding = os.path.join(BUILD, "siding")
    made = [call(siding, "cert", "init", "--dir", folder)] + [call(siding, "cert", "issue", "--dir", folder, "--address", "127.0.0.1", n) for n in ("here", "balancer", *names)]
    if any(status for status, _, _ in made):
        raise Failed("certificates: %s" % made)
    files = {"agent": os.path.join(c.folder, "db1", "agent.conf"), "sidingd": os.path.join(c.folder, "coordinator", "sidingd.conf")}
    try:
        for what, path in files.items():
            with open(path, encoding="utf-8") as f:
                old[path] = f.read()
            ports[what] = free_port()
            with open(path, "w", encoding="utf-8") as f:
                f.write(old[path].replace("listen = [ ", 'listen = [ "tls:127.0.0.1:%d", ' % ports[what], 1) +
                        'tls = { certificate_file = "%s/here.pem"; key_file = "%s/here.key"; ca_file = "%s/ca.pem"; };\n' % (folder, folder, folder))
        was = term_of(c, "db1")
        c.kill("sidingd")
        c.kill("agent1")
        c.up()
        wait_until(lambda: all(term_of(c, n) > was for n in c.nodes), 20, "the new coordinator was heard everywhere")
        yield folder, ports["agent"], ports["sidingd"]
    finally:
        for path, text in old.items():
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        c.kill("sidingd")
        c.kill("agent1")
        c.up()
        shutil.rmtree(folder)


def slow_from_elsewhere(folder, port, crowd):
    """As a balancer at another address than the crowd's, which does not say at once what it wants: hundreds of the crowd come in between."""
    trusted = ssl.create_default_context(cafile=folder + "/ca.pem")
    trusted.load_cert_chain(folder + "/balancer.pem", folder + "/balancer.key")
    with socket.create_connection(("127.0.0.1", port), timeout=5 * slack(), source_address=("127.0.0.2", 0)) as plain:
        before, until = crowd.opened, time.monotonic() + 3
        while crowd.opened < before + 600 and time.monotonic() < until:
            time.sleep(0.02)
        with trusted.wrap_socket(plain, server_hostname="127.0.0.1") as s:
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = s.recv(1000)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise Failed("port %d: %r" % (port, answer))


def health_over_tls(folder, port):
    """As a balancer asks, which tries again before it gives a host up: in the crowd a handshake may be pushed out."""
    trusted = ssl.create_default_context(cafile=folder + "/ca.pem")
    trusted.load_cert_chain(folder + "/balancer.pem", folder + "/balancer.key")
    said = []
    for _ in range(3):
        try:
            with urllib.request.urlopen("https://127.0.0.1:%d/healthz" % port, timeout=5 * slack(), context=trusted) as answer:
                if answer.status == 200:
                    return
                said.append(answer.status)
        except OSError as e:
            said.append(e)
    raise Failed("port %d: %s" % (port, said))


@attack(who="somebody in the network without a certificate", does="holds every connection that he can get at the TLS ports of an agent and of the coordinator, before "
        "any handshake and in the middle of one, while a replica is paused",
        gets="the replica resumes on time, load balancers are answered at both doors, operators work on, and the logs stay small")
def crowd_before_a_handshake(c):
    with tls_ports(c) as (folder, agent_port, sidingd_port):
        before = [log_bytes(c, "db1", "agent.log"), log_bytes(c, "coordinator", "sidingd.log")]
        for says in (b"", b"\x16\x03\x01\x02\x00\x01\x00"):
            with Crowd("https://127.0.0.1:%d" % agent_port, says) as here, Crowd("https://127.0.0.1:%d" % sidingd_port, says) as there:
                slow_from_elsewhere(folder, agent_port, here)
                slow_from_elsewhere(folder, sidingd_port, there)
                c.siding("replica", "pause", "db1", "--for", "6s", "--reason", "a crowd stands before its TLS port")
                if c.replication("db1")["sql"] != "No":
                    raise Failed("it was not paused")
                for url, port in ((agent(c, "db1"), agent_port), (coordinator(c), sidingd_port)):
                    for _ in range(3):
                        health_answers(c, url)
                        health_over_tls(folder, port)
                if c.siding("cluster", "status")["primary"] != "db0":
                    raise Failed("the coordinator does not know its primary")
                wait_until(lambda: c.replication("db1")["sql"] == "Yes", 16, "the replica resumes when its time is over")
                wait_until(lambda: lease(c)["owner"] is None, 20, "its settings are back")
        c.expect_replicating("db1")
        written = [log_bytes(c, "db1", "agent.log") - before[0], log_bytes(c, "coordinator", "sidingd.log") - before[1]]
        if max(written) > 200000:
            raise Failed("the agent and the coordinator logged %s bytes about it" % written)


@attack(who="a local user", does="sends a request very slowly, or half of one", gets="closed after two seconds")
def slow_request(c):
    where = urllib.parse.urlsplit(agent(c, "db1"))
    for says in (b"", b"GET /healthz HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\nX: "):
        with socket.create_connection((where.hostname, where.port), timeout=20 * slack()) as s:
            begin, closed = time.monotonic(), False
            s.sendall(says)
            while not closed and time.monotonic() - begin < 15 * slack():
                with contextlib.suppress(OSError):
                    s.sendall(b"x" if says.endswith(b": ") else b"")
                s.settimeout(0.5)
                try:
                    closed = s.recv(100) == b""
                except TimeoutError:
                    pass
                except OSError:
                    closed = True
            if not closed or time.monotonic() - begin < 1:
                raise Failed("%r: %s after %.1f s" % (says, "closed" if closed else "still open", time.monotonic() - begin))
