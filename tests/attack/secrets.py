# SPDX-License-Identifier: Apache-2.0
"""What programs hold, write and print: memory, files, passwords on the way, and terminals."""
import contextlib
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import threading
import time

from attack import as_nobody, attack
from harness import BUILD, Failed, call, slack, wait_until


@attack(who="an account of this machine", does="reads memory and environment of the daemons, and has one of them crash",
        gets="permission denied, and no core file")
def memory_of_the_daemons(c):
    for process in ("agent0", "agent1", "agent2", "sidingd"):
        pid = c.pid(process)
        with open("/proc/%d/limits" % pid, encoding="ascii") as f:
            core = next(line for line in f if line.startswith("Max core file size")).split()
        if core[4:6] != ["0", "0"]:
            raise Failed("%s may dump core: %s" % (process, core))
        for what in ("environ", "mem", "maps", "fd/0"):
            status, out = as_nobody("/bin/cat", "/proc/%d/%s" % (pid, what))
            if status == 0 or "ermission denied" not in out:
                raise Failed("%s of %s: %d %s" % (what, process, status, out[:200]))
    pid = c.pid("agent1")
    folder, before = os.readlink("/proc/%d/cwd" % pid), time.time()
    os.kill(pid, signal.SIGSEGV)
    wait_until(lambda: not os.path.exists("/proc/%d/exe" % pid), 20, "the agent is gone")
    c.up()
    with os.scandir(folder) as there:
        cores = [e.name for e in there if e.name.startswith("core") and e.stat(follow_symlinks=False).st_mtime >= before - 1]
    if cores:
        raise Failed("it has left %s in %s" % (cores, folder))
    c.expect_replicating("db1")


@attack(who="an account of this machine", does="looks for files of the daemons that he may read", gets="none: keys, state, spool, logs of jobs are their owner's")
def files_of_the_daemons(c):
    task = c.submit("dump", "--database", "siding")
    c.expect_state(task, "done", 120)
    seen, open_to_all = 0, []
    for part in ("credentials", "coordinator", "db0/agent", "db1/agent", "db2/agent", "db1/spool", "db2/spool", "db1/vault"):
        for folder, _, names in os.walk(os.path.join(c.folder, part)):
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    mode = os.lstat(path).st_mode
                    seen += 1
                    if stat.S_ISREG(mode) and mode & 0o007 and not name.endswith((".log", ".conf", ".pid")):
                        open_to_all.append("%s %o" % (path, stat.S_IMODE(mode)))
    if open_to_all or seen < 20:
        raise Failed("of %d files others may read %s" % (seen, open_to_all))


ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\x1b[8m"


@attack(who="a job", does="writes sequences into its log that clear a terminal, name its window and turn the text round, and an operator reads it",
        gets="shown as what they are on a terminal; the bytes themselves go into a pipe only")
def terminal_of_an_operator(c):
    path = os.path.join(c.folder, "writes")
    with open(path, "w", encoding="utf-8") as f:
        f.write(ESCAPES + "\nplain\n")
    os.chmod(path, 0o755)
    job = c.job("writes", 'name = "writes"; kind = "command"; program = "/bin/cat"; args = [ "%s" ];\n' % path)
    try:
        wait_until(lambda: "writes" in [j["name"] for n in c.siding("replica", "list") for j in (n.get("agent") or {}).get("jobs") or []], 20, "the job is known")
        task = c.submit("command", "--on", "replica", "writes")
        c.expect_state(task, "done", 120)
        command = [os.path.join(BUILD, "siding"), "task", "log", task]
        raw = subprocess.run(command, env=dict(os.environ, **c.env), stdout=subprocess.PIPE, check=True, timeout=60 * slack()).stdout
        if ESCAPES.encode() not in raw:
            raise Failed("into a pipe: %r" % raw)
        shown = on_a_terminal(command, c.env)
        if b"plain" not in shown or re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xc2[\x80-\x9f]|\xe2\x80\xae", shown):
            raise Failed("on a terminal: %r" % shown)
    finally:
        os.unlink(job)
        os.unlink(path)
        c.let_agents_read()


def on_a_terminal(command, env):
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env={**os.environ, **env, "TERM": "dumb"}, stdin=theirs, stdout=theirs, stderr=theirs) as program:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the end of the other side
            while piece := os.read(ours, 4096):
                shown += piece
        program.wait(30 * slack())
    os.close(ours)
    return shown


class Wire:
    """A way to a port of this host by an address that is none of loopback; what goes over it is read."""

    def __init__(self, port):
        words = subprocess.run(["hostname", "-I"], stdout=subprocess.PIPE, text=True, check=True, timeout=10).stdout.split()
        ours = [w for w in words if "." in w]
        if not ours:
            raise Failed("this host has no address but loopback")
        self.to, self.read = port, b""
        self.listener = socket.create_server((ours[0], 0))
        self.address, self.port = self.listener.getsockname()[:2]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.to))
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    def copy(self, source, target):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                self.read += piece
                target.sendall(piece)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()


@attack(who="one who reads what goes over the network", does="waits for a bootstrap from another host, and for a rotation of passwords",
        gets="nothing: without TLS neither begins")
def bootstrap_in_clear(c):
    admin, conf = os.path.join(c.folder, "credentials", "far.cnf"), os.path.join(c.folder, "far.conf")
    with open(os.path.join(c.folder, "credentials", "admin.cnf"), encoding="utf-8") as f:
        text = f.read()
    with contextlib.closing(Wire(int(c.env["DB0_PORT"]))) as wire:
        lines = [line for line in text.splitlines() if not re.match(r"\s*(host|port|socket|ssl|disable-ssl|skip-ssl|protocol)", line)]
        with open(admin, "w", encoding="utf-8", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
            f.write("\n".join(lines) + "\nhost=%s\nport=%d\n" % (wire.address, wire.port))
        with open(os.path.join(c.folder, "coordinator", "sidingd.conf"), encoding="utf-8") as f:
            whole = f.read()
        with open(conf, "w", encoding="utf-8") as f:
            f.write(whole.replace("credentials/admin.cnf", "credentials/far.cnf"))
        hashes = "SELECT GROUP_CONCAT(user, authentication_string ORDER BY user, host) FROM mysql.user WHERE user LIKE 'siding%'"
        before = c.value("db0", hashes)
        for options in ((), ("--rotate",), ("--remove",)):
            status, out, err = call(os.path.join(BUILD, "siding"), "--config", conf, "bootstrap", *options)
            if status == 0 or "TLS" not in err:
                raise Failed("bootstrap %s: %d %s%s" % (options, status, out, err))
        if c.value("db0", hashes) != before:
            raise Failed("passwords have changed")
        for name in os.listdir(os.path.join(c.folder, "credentials")):
            with open(os.path.join(c.folder, "credentials", name), encoding="utf-8") as f:
                for password in re.findall(r"(?m)^password\s*=\s*\"?(\S+?)\"?$", f.read()):
                    if password.encode() in wire.read:
                        raise Failed("the password of %s went over the wire" % name)
        if not wire.read:
            raise Failed("nothing went over the wire")
    os.unlink(admin)
    os.unlink(conf)
