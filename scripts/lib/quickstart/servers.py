# SPDX-License-Identifier: Apache-2.0
# Servers as quickstart sees them: through the ordinary mariadb client, one lasting session a server.
# Every answer has a deadline. Also the scratch server, a fresh one of its own.
import functools
import os
import pwd
import select
import shutil
import subprocess
import threading
import time

import flavor


class SqlError(Exception):
    pass


class Session:
    """One lasting mariadb client. Not to be shared between threads."""

    def __init__(self, name, socket, database=None, timeout=120):
        self.name, self.timeout, self.sent = name, timeout, 0
        command = ["mariadb", "--no-defaults", "--batch", "--unbuffered", "--local-infile=1", "--default-character-set=utf8mb4",
                   "--max-allowed-packet=64M", "--connect-timeout=10", "-S", socket] + ([database] if database else [])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        start_new_session=True)
        self.buffer = b""

    @functools.cached_property
    def flavor(self):
        return flavor.of(self.value("SELECT VERSION()"))

    def query(self, sql, timeout=None):
        """(column names, rows) of one statement; fields are bytes decoded as UTF-8, NULL is None."""
        self.sent += 1
        mark = b"end-of-answer-%d" % self.sent
        try:
            self.process.stdin.write(sql.encode() + b";\nSELECT '" + mark + b"';\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.fail(sql)
        answer = self.read_until(mark + b"\n" + mark + b"\n", sql, time.monotonic() + (timeout or self.timeout))
        lines = [[field(f) for f in line.decode("utf-8", "replace").split("\t")] for line in answer.split(b"\n")[:-1]]
        return (lines[0], lines[1:]) if lines else ([], [])

    def read_until(self, mark, sql, deadline):
        while not self.buffer.endswith(mark):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 1 << 20) if ready else b""
            if not ready:
                self.close()
                raise SqlError("%s: no answer in time to: %s" % (self.name, sql[:200]))
            if not chunk:
                self.fail(sql)
            self.buffer += chunk
        answer, self.buffer = self.buffer[:-len(mark)], b""
        return answer

    def fail(self, sql):
        text = self.process.stderr.read().decode("utf-8", "replace").strip()
        self.close()
        raise SqlError("%s: %s, in: %s" % (self.name, text or "the client ended", sql[:200]))

    def rows(self, sql, timeout=None):
        return self.query(sql, timeout)[1]

    def value(self, sql, timeout=None):
        rows = self.rows(sql, timeout)
        return rows[0][0] if rows else None

    def row(self, sql, timeout=None):
        """The first row as a dict by column name, {} where there is none."""
        names, rows = self.query(sql, timeout)
        return dict(zip(names, rows[0])) if rows else {}

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for f in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                f.close()
            except OSError:
                pass


ESCAPES = {"\\n": "\n", "\\t": "\t", "\\0": "\0", "\\\\": "\\"}


def field(text):
    if text == "NULL":
        return None
    if "\\" not in text:
        return text
    out, i = [], 0
    while i < len(text):
        two = text[i:i + 2]
        out.append(ESCAPES.get(two, text[i]))
        i += 2 if two in ESCAPES else 1
    return "".join(out)


def quote(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def together(functions):
    """Runs the functions at once, each in a thread; their results in order, or the first exception."""
    results, errors = [None] * len(functions), []

    def run(i, function):
        try:
            results[i] = function()
        except BaseException as e:
            errors.append(e)
    threads = [threading.Thread(target=run, args=(i, f), daemon=True) for i, f in enumerate(functions)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]
    return results


def sandbox_env(directory):
    """What DIR/env exports, as a dict laid over our own environment."""
    out = subprocess.run(["bash", "-c", '. "$1" && env -0', "env", os.path.join(directory, "env")],
                         stdout=subprocess.PIPE, check=True).stdout.decode()
    return dict(item.split("=", 1) for item in out.split("\0") if "=" in item)


class Scratch:
    """A fresh server that knows nothing of the cluster, for restoring the dump. prepare() may run early."""

    def __init__(self, flavor_, server, directory, port, server_id):
        """`server` is the program."""
        self.flavor, self.server, self.directory, self.port, self.server_id = flavor_, server, directory, port, server_id
        self.loader, self.process = flavor_.loader(server), None
        self.socket = os.path.join(directory, "sock")
        self.log = os.path.join(directory, "error.log")

    def common(self):
        # A server that starts removes every #sql… file in its tmpdir: never share one.
        return ["--no-defaults", "--datadir=" + os.path.join(self.directory, "data"),
                "--tmpdir=" + os.path.join(self.directory, "tmp")] + (
            ["--user=root"] if os.geteuid() == 0 else [])

    def prepare(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(os.path.join(self.directory, "tmp"))
        with open(os.path.join(self.directory, "install.log"), "wb") as log:
            subprocess.run(self.flavor.install(self.server, self.common(), self.directory, pwd.getpwuid(os.geteuid()).pw_name),
                           stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True, timeout=120)

    def start(self):
        # Durability is of no use to a server that lives for a minute.
        command = [self.server, *self.common(), "--socket=" + self.socket, "--port=%d" % self.port, "--bind-address=127.0.0.1",
                   "--pid-file=" + os.path.join(self.directory, "pid"), "--log-error=" + self.log,
                   "--server-id=%d" % self.server_id, "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=256M",
                   "--character-set-server=utf8mb4", "--performance-schema=OFF", "--relay-log=relay",
                   "--relay-log-index=relay.index", *self.flavor.server_options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 60
        while subprocess.run(["mariadb-admin", "--no-defaults", "-u", self.user(), "-S", self.socket, "ping"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SqlError("the scratch server does not start, see " + self.log)
            time.sleep(0.1)

    def user(self):
        return pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() else "root"

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
