# SPDX-License-Identifier: Apache-2.0
"""The machine that the tests run on: how busy it is, and so how long is waited; its programs, processes and ports."""
import contextlib
import fcntl
import glob
import os
import shutil
import subprocess
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PORTS = 32  # a sandbox's share


class Failed(AssertionError):
    pass


def slack():
    """How many times longer than on a quiet machine things may take just now: by the load of each processor."""
    with open("/proc/loadavg", encoding="ascii") as f:
        minute, _, _, tasks = f.read().split()[:4]
    return min(max(1, float(minute) / os.cpu_count(), int(tasks.split("/")[0]) / os.cpu_count()), 10)


def wait_until(condition, within_s, what):
    """Returns the first true value of condition(); Failed, naming `what`, after within_s seconds of a quiet machine."""
    start = time.monotonic()
    pause = 0.03
    while True:
        begun = time.monotonic()
        value = condition()
        if value:
            return value
        if begun - start > within_s * slack():
            raise Failed("not within %g s (%.0f on this busy machine): %s" % (within_s, begun - start, what() if callable(what) else what))
        # Most conditions start a client: a look never takes more than half of the time.
        pause = min(pause * 1.25, 0.25)
        time.sleep(max(pause, min(time.monotonic() - begun, 1)))


def call(*command, within_s=120, env=None):
    """Runs a command to its end: (exit status, stdout, stderr). Output goes through files, so that a server
    started on the way cannot hold a pipe open."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=within_s * slack(),
                                env=dict(os.environ, **(env or {})), check=False).returncode
        texts = []
        for f in (out, err):
            f.seek(0)
            texts.append(f.read().decode("utf-8", "replace"))
    return (status, *texts)


def mysql_program(name):
    """Oracle's program of this name, of the installation whose server the sandbox starts."""
    status, out, err = call(os.path.join(ROOT, "scripts", "mysql-server"))
    if status:
        raise Failed(err)
    beside = os.path.join(os.path.dirname(out.strip()), name)
    return beside if os.path.exists(beside) else shutil.which(name)


def command_lines():
    """{pid: words} of all processes."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(path, "rb") as f:
            found[int(path.split("/")[2])] = f.read().decode("utf-8", "replace").split("\0")[:-1]
    return found


def processes_naming(text):
    """Command lines of the processes that name `text`."""
    return [line for line in (" ".join(words) for words in command_lines().values()) if text in line]


def process_stat(pid):
    """What /proc/PID/stat says behind the command: state, parent … (the fields from 3 of proc(5) on). OSError: there is none."""
    with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
        return f.read().rsplit(") ", 1)[1].split()


def parent(pid):
    """0: there is no such process."""
    with contextlib.suppress(OSError):
        return int(process_stat(pid)[1])
    return 0


def running(pid):
    """The process exists: it is no zombie, or one of which other threads have not ended, who hold its ports and files."""
    try:
        return process_stat(pid)[0] not in "ZX" or len(os.listdir("/proc/%d/task" % pid)) > 1
    except OSError:
        return False


def in_parallel(functions):
    """Runs the functions at once; their results in order, or the first exception."""
    results, errors = [None] * len(functions), []

    def run(i, function):
        try:
            results[i] = function()
        except BaseException as e:
            errors.append(e)
    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def listening_ports():
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as f:
            for line in list(f)[1:]:
                fields = line.split()
                if fields[3] == "0A":
                    ports.add(int(fields[1].rsplit(":", 1)[1], 16))
    return ports


class PortRange:
    """32 ports that nobody listens on, held by a file lock against other test programs."""

    def __init__(self):
        folder = os.path.join(tempfile.gettempdir(), "siding-test-ports-%d" % os.getuid())
        os.makedirs(folder, mode=0o700, exist_ok=True)
        taken = listening_ports()
        for base in range(int(os.environ.get("SIDING_TEST_PORT", "15000")), 32000, PORTS):
            if taken & set(range(base, base + PORTS)):
                continue
            self.lock = open(os.path.join(folder, str(base)), "w", encoding="ascii")
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.base = base
                return
            except OSError:
                self.lock.close()
        raise Failed("no 32 free ports below 32000")

    def release(self):
        self.lock.close()
