# SPDX-License-Identifier: Apache-2.0
"""Database servers for a test, made by scripts/sandbox in a folder of their own, and a small TAP runner."""
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SIDING_BUILD", os.path.join(ROOT, "build"))
SANDBOX = os.path.join(ROOT, "scripts", "sandbox")


class Servers:
    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        text = subprocess.run(["bash", "-c", '. "$1/env" && env -0', "-", folder], check=True, capture_output=True,
                              text=True, timeout=30).stdout
        self.env = dict(entry.split("=", 1) for entry in text.split("\0") if entry)

    def socket(self, node):
        return self.env[f"DB{node}_SOCKET"]

    def mariadb(self, node, statements, *options, check=True):
        """Runs statements as root, or as `--defaults-extra-file` and the like say. Returns rows of columns."""
        first = [o for o in options if o.startswith("--defaults")] or ["--no-defaults"]
        rest = [o for o in options if not o.startswith("--defaults")]
        done = subprocess.run(["mariadb", *first, "-S", self.socket(node), "-NB", *rest], input=statements, text=True,
                              capture_output=True, timeout=60, check=False)
        if done.returncode and check:
            raise AssertionError(f"{statements}\n{done.stderr}")
        if not check:
            return done
        return [line.split("\t") for line in done.stdout.splitlines()]

    def value(self, node, statement):
        return self.mariadb(node, statement)[0][0]


@contextlib.contextmanager
def servers(port, flavor="mariadb", replicas=1):
    folder = tempfile.mkdtemp(prefix="siding-t", dir="/tmp")
    os.rmdir(folder)
    env = dict(os.environ, SANDBOX_SERVERS_ONLY="1")
    try:
        done = subprocess.run([SANDBOX, "up", folder, "--base-port", str(port), "--replicas", str(replicas),
                               "--flavor", flavor], env=env, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            raise AssertionError(f"no sandbox: {done.stdout}{done.stderr}")
        yield Servers(folder, port)
    finally:
        subprocess.run([SANDBOX, "down", folder, "--purge"], env=env, capture_output=True, timeout=120, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def run_tap(tests):
    """tests: (name, function) in order. Exit status 0 if all pass."""
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for number, (name, function) in enumerate(tests, 1):
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
    sys.exit(1 if failed else 0)
