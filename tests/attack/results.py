# SPDX-License-Identifier: Apache-2.0
"""Results leave by two doors, the agent's and the coordinator's: who gets them, and what he can rely on."""
import contextlib
import glob
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.parse
from concurrent import futures

from attack import agent, as_nobody, attack, coordinator, expect_refused, request, token
from harness import BUILD, Failed, call, slack, wait_until
from roles import roles_of_sidingd


def sums_are_right(folder):
    done = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                          check=False)
    if done.returncode:
        raise Failed("%s: %s" % (folder, done.stdout))


def sealed_dump(c, doublings=11):
    """(run, folder, largest file) of a dump with a file of several parts."""
    c.sql("db0", "CREATE DATABASE thick; CREATE TABLE thick.t (id INT AUTO_INCREMENT PRIMARY KEY, x TEXT NOT NULL); INSERT INTO thick.t (x) VALUES ('x')")
    for _ in range(doublings):
        c.sql("db0", "INSERT INTO thick.t (x) SELECT HEX(RANDOM_BYTES(1000)) FROM thick.t")
    task = c.submit("dump", "--database", "thick")
    c.expect_state(task, "done", 120)
    folder = c.siding("result", "show", task)["path"]
    largest = max(glob.glob(folder + "/**/*.*z*", recursive=True), key=os.path.getsize)
    if os.path.getsize(largest) < 1200000:
        raise Failed("%s has %d bytes" % (largest, os.path.getsize(largest)))
    return task + ".1", folder, os.path.relpath(largest, folder)


@attack(who="an account of this machine that is in the operators' group, and one in the viewers'", does="fetches a result with nothing but the coordinator's socket",
        gets="the operator: the files, compared with their checksums here; the viewer: 403, which names the role; the trail tells both")
def fetch_by_the_socket(c):
    run, folder, largest = sealed_dump(c)
    siding = os.path.join(BUILD, "siding")
    mine = tempfile.mkdtemp(prefix="sdf", dir="/tmp")
    os.chown(mine, 65534, 65534)
    roles = 'roles = { viewer = [ "group:daemon" ]; operator = [ "group:nogroup" ]; admin = [ "token:%s/credentials/admin.token" ]; };' % c.folder
    try:
        with roles_of_sidingd(c, roles) as socket:
            fetch = [siding, "--config", socket, "result", "fetch", run, "--to", mine]
            status, out = as_nobody(*fetch, group=1)
            if status != 1 or "needs the role operator, and nobody has health or viewer" not in out or os.listdir(mine) not in ([], [run]):
                raise Failed("a viewer fetches: %d %s %s" % (status, out, os.listdir(mine)))
            if glob.glob(mine + "/*/*"):
                raise Failed("a viewer has got %s" % glob.glob(mine + "/*/*"))
            status, out = as_nobody(*fetch)
            if (status, out) != (0, "%s/%s\n" % (mine, run)):
                raise Failed("an operator fetches: %d %s" % (status, out))
            sums_are_right(os.path.join(mine, run))
            # cut off half way: the same command goes on
            os.truncate(os.path.join(mine, run, largest), 700001)
            status, out = as_nobody(*fetch)
            if status:
                raise Failed("after an interruption: %d %s" % (status, out))
            sums_are_right(os.path.join(mine, run))
            status, out = as_nobody(siding, "--config", socket, "result", "verify", run)
            if status or largest + ": OK" not in out:
                raise Failed("it verifies: %d %s" % (status, out))
            damage_is_seen(c, siding, socket, run, os.path.join(folder, largest), mine)
            told = [json.loads(line)["text"] for line in call(siding, "events", "--kind", "audit", "--json", env=c.env)[1].splitlines()]
        reads = [t for t in told if t.startswith("nobody (unix socket) asked to read ") and "of the result of run " + run in t]
        if not any(": refused (403)" in t for t in reads) or len([t for t in reads if t.endswith(": done")]) != 1:
            raise Failed("the trail: %s" % reads)
    finally:
        shutil.rmtree(mine)
        c.sql("db0", "DROP DATABASE thick")


def damage_is_seen(c, siding, socket, run, path, mine):
    with open(path, "r+b") as f:
        f.seek(600000)
        byte = f.read(1)
        f.seek(600000)
        f.write(bytes([byte[0] ^ 1]))
    try:
        status, out = as_nobody(siding, "--config", socket, "result", "fetch", run, "--to", os.path.join(mine, "again"))
        if status == 0 or "arrived damaged" not in out or os.path.exists(os.path.join(mine, "again", run, "manifest.json")):
            raise Failed("a damaged file: %d %s" % (status, out))
    finally:
        with open(path, "r+b") as f:
            f.seek(600000)
            f.write(byte)


@attack(who="an operator", does="asks the coordinator for files beside those of a sealed result, by names that lead elsewhere",
        gets="404 or 400; strangers get 403")
def names_beside_a_result(c):
    task = c.submit("dump", "--database", "siding")
    c.expect_state(task, "done", 120)
    base = coordinator(c) + "/v1/results/"
    expect_refused(c, "GET", base + task + "/manifest.json", None, "operator")
    expect_refused(c, "GET", base + task + "/manifest.json", None, "operator", role="peer", headers={"Authorization": "Bearer nonsense"})
    status, text = request(c, "GET", base + task + "/manifest.json", role="admin")
    if status != 200 or json.loads(text)["run"] != task + ".1":
        raise Failed("%d %s" % (status, text))
    for name in ("%2e%2e/%2e%2e/agent.conf", "../../agent.conf", "%2e%2e%2fagent.conf", "files.json", ".siding-sealed", "nosuch", "/etc/passwd",
                 "manifest.json/x", "manifest.json?node=nosuch", "manifest.json?node=db0&node=db1"):
        status, text = request(c, "GET", base + task + "/" + name, role="admin")
        if status not in (400, 404):
            raise Failed("%s: %d %s" % (name, status, text[:300]))
    for run in ("999999", "0", "-1", "1.1.1", "x", "999999.1-abcdefghij"):
        status, text = request(c, "GET", base + run + "/manifest.json", role="admin")
        if status not in (400, 404):
            raise Failed("%s: %d %s" % (run, status, text[:300]))


@attack(who="a job", does="leaves so many files that the manifest of its result takes long to read, and somebody lists results",
        gets="nobody waits for that but who has asked: health is answered, a replica is paused and resumes")
def long_manifest(c):
    folder = os.path.join(c.folder, "db1", "spool", "99999.1-abcdefghij")
    manifest = os.path.join(folder, "manifest.json")
    os.mkdir(folder, 0o700)
    os.mkfifo(manifest)  # takes as long to read as is wanted here
    try:
        with futures.ThreadPoolExecutor(1) as pool:
            listed = pool.submit(request, c, "GET", agent(c, "db1") + "/v1/results", role="coordinator", within_s=120)
            writer = os.open(manifest, os.O_WRONLY)  # comes back once it is being read
            try:
                if request(c, "GET", agent(c, "db1") + "/healthz")[0] != 200:
                    raise Failed("its agent answers nothing meanwhile")
                c.siding("replica", "pause", "db1", "--for", "60s", "--reason", "results are being listed")
                if c.replication("db1")["sql"] != "No":
                    raise Failed("it was not paused")
                c.siding("replica", "resume", "db1")
                wait_until(lambda: c.replication("db1")["sql"] == "Yes", 16, "the replica resumes")
                if listed.done():
                    raise Failed("the list was not held: %s" % (listed.result(),))
            finally:
                os.unlink(manifest)  # nobody begins to read it now
                os.close(writer)
            if listed.result()[0] != 200:
                raise Failed("the list: %s" % (listed.result(),))
    finally:
        shutil.rmtree(folder)
    c.expect_replicating("db1")


MOST_STREAMS = 16


def body_of(s):
    """(bytes that are there, bytes that were promised): read until the other side closes."""
    s.settimeout(60 * slack())
    whole = b""
    while piece := s.recv(1 << 20):
        whole += piece
    head, _, body = whole.partition(b"\r\n\r\n")
    promised = [line.split(b":")[1] for line in head.lower().splitlines() if line.startswith(b"content-length")]
    return body, int(promised[0])


@contextlib.contextmanager
def slow_reader(c, path):
    """It has asked for a file, takes hardly anything of it, and says so to nobody."""
    where = urllib.parse.urlsplit(coordinator(c))
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(20 * slack())
        s.connect((where.hostname, where.port))
        s.sendall(("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n" % (path, token(c, "admin"))).encode())
        wait_until(lambda: s.recv(2000, socket.MSG_PEEK).partition(b"\r\n\r\n")[2], 20, "the first bytes of the file")
        if not s.recv(20, socket.MSG_PEEK).startswith(b"HTTP/1.1 200"):
            raise Failed("it is not read: %r" % s.recv(500))
        yield s


@attack(who="an operator", does="reads more files through the coordinator at once than it passes on, from an agent that does not answer, and then from one that dies in the middle of a file",
        gets="the sixteen wait and are served, the one beyond is told to come again; the file that broke off is seen to be short, and the next try has it whole")
def many_streams(c):
    run, folder, largest = sealed_dump(c, 14)
    path = "/v1/results/%s/%s" % (run, largest)
    with open(os.path.join(folder, largest), "rb") as f:
        size, digest = os.path.getsize(f.name), hashlib.sha256(f.read()).digest()
    if size < 10000000:
        raise Failed("%s has %d bytes: buffers hold it" % (largest, size))
    process = "agent" + os.path.relpath(folder, c.folder)[2]
    paper = coordinator(c) + "/v1/results/%s/SHA256SUMS" % run
    pid = c.pid(process)
    with futures.ThreadPoolExecutor(MOST_STREAMS + 1) as pool:
        os.kill(pid, signal.SIGSTOP)
        try:
            asked = [pool.submit(request, c, "GET", paper, role="admin", within_s=60) for _ in range(MOST_STREAMS + 1)]
            status, text = next(futures.as_completed(asked, 20 * slack())).result()
            if status != 503 or "16 files of results are being read" not in text:
                raise Failed("the one beyond: %d %s" % (status, text))
            if request(c, "GET", coordinator(c) + "/healthz")[0] != 200 or c.siding("cluster", "status")["primary"] != "db0":
                raise Failed("the coordinator does nothing else meanwhile")
        finally:
            os.kill(pid, signal.SIGCONT)
        if sorted(a.result()[0] for a in asked) != [200] * MOST_STREAMS + [503]:
            raise Failed("they got %s" % [a.result() for a in asked])
    with slow_reader(c, path) as s:
        c.kill(process)
        body, promised = body_of(s)
    if promised != size or not 0 < len(body) < size:
        raise Failed("of %d bytes %d were promised and %d came" % (size, promised, len(body)))
    c.up()
    for _ in range(MOST_STREAMS + 1):  # none of those that ended has kept its place
        with slow_reader(c, path):
            pass

    def whole():
        with slow_reader(c, path) as s:
            return hashlib.sha256(body_of(s)[0]).digest() == digest
    wait_until(whole, 20, "the file is there as it was")
    c.sql("db0", "DROP DATABASE thick")
