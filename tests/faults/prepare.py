#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run by the wrappers of cluster.py before a daemon's first start: small file systems, short limits, relays, jobs.
usage: prepare CONFIGURATION DISKS(0|1), where CONFIGURATION is agent.conf, sidingd.conf or my.cnf of a sandbox"""
import importlib
import os
import re
import shutil
import subprocess
import sys

# Small enough to be filled at once, large enough for what a schedule needs.
DISK_MB = {"agent": 8, "spool": 48, "tmp": 16, "relay": 256}
AGENT_OPTIONS = {"min_free_bytes": "2097152L", "statement_timeout": '"3s"', "stop_timeout": '"6s"', "applied_timeout": '"15s"',
                 "barrier_timeout": '"4s"', "pause_limit": '"25s"', "stop_grace": '"2s"', "sleep_grace": '"1s"',
                 "probe_interval": '"100ms"', "renew": '"4s"'}
RELAY_INODES = 4000
RELAY_OFFSET = 11  # of the relay's port from the agent's


def write(path, text, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as f:
        f.write(text)


def set_options(path, options):
    """Sets top-level options of a configuration as the sandbox writes it."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for name, value in options.items():
        text = re.sub(r"(?m)^%s = .*\n" % name, "", text) + "%s = %s;\n" % (name, value)
    write(path, text)


def replace(path, pattern, new):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    write(path, re.sub(pattern, new, text))


def mount(node, names):
    for name in names:
        folder = os.path.join(node, name)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not os.path.ismount(folder):
            options = "size=%dm,mode=0700" % DISK_MB[name] + (",nr_inodes=%d" % RELAY_INODES if name == "relay" else "")
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "siding-test", folder], check=True)


def place_jobs(source, folder):
    """All agents share them, and start side by side: none may find a file that another has just begun to write."""
    os.makedirs(os.path.join(folder, "jobs"), exist_ok=True)
    for name in os.listdir(source):
        begun = os.path.join(folder, "%s.%d" % (name, os.getpid()))
        shutil.copy(os.path.join(source, name), begun)
        os.replace(begun, os.path.join(folder, "jobs", name))


def encryption():
    """Loaded once for a server, not at each start of a daemon."""
    sys.dont_write_bytecode = True
    sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))
    return importlib.import_module("encryption")


def main():
    conf, disks = sys.argv[1], sys.argv[2] == "1"
    folder, name = os.path.split(conf)
    done, programs = os.path.join(folder, name + ".prepared"), os.path.dirname(folder) + ".bin"
    if os.path.exists(done):
        return
    has_relay = not folder.endswith("/db0")
    if not os.path.exists(folder + "/clock"):
        write(folder + "/clock", "\0" * 16)
    if name == "my.cnf" and disks:
        mount(folder, ("relay", "tmp") if has_relay else ("tmp",))
    if name == "my.cnf" and has_relay and os.path.isdir(programs + "/mysql"):
        encryption().give_keyring(folder + "/data")
    elif name == "agent.conf":
        set_options(conf, AGENT_OPTIONS)
        # the vault needs the file system of the relay logs
        replace(conf, r'vault_dir = "(.*)/vault"', r'vault_dir = "\1/relay/vault"')
        if disks:
            mount(folder, ("agent", "spool"))
        place_jobs(os.path.join(programs, "jobs"), os.path.dirname(folder))
    elif name == "sidingd.conf":
        replace(conf, r"127\.0\.0\.1:(\d+)\"; }", lambda m: '127.0.0.1:%d"; }' % (int(m[1]) + RELAY_OFFSET))
    write(done, "")


if __name__ == "__main__":
    main()
