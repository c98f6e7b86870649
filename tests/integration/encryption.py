# SPDX-License-Identifier: Apache-2.0
"""Servers whose logs are encrypted: what each flavour needs for its keys, in a folder of the test's own."""
import os
import shutil
import subprocess

from harness import ROOT
from machine import Failed, call

MARIADB_KEY = "1;a7addd9adea9978fda19f21e6be987880e68ac92632ca052e5bb42b1a506939a\n"
KEYRING = "component_keyring_file"


def program(name):
    status, out, err = call(os.path.join(ROOT, "scripts", name), within_s=600)
    if status:
        raise Failed("scripts/%s: %s" % (name, err))
    return out.strip()


def write(path, text, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as f:
        f.write(text)


def home_of(mysqld):
    """The folder of a private copy of MySQL; "" for a server of the system."""
    home = os.path.dirname(os.path.dirname(os.path.realpath(mysqld)))
    return home if os.path.isdir(home + "/root/usr") else ""


def mysqld_with_keyring(folder):
    """A copy of the private MySQL server, of links to its files, that loads the keyring a data folder names: its
    path, for MYSQLD. A server of the system is left alone."""
    own = program("mysql-server")
    home = home_of(own)
    if not home:
        raise Failed("%s is no private copy: its keyring is the system's affair" % own)
    copy = os.path.join(folder, "mysql")
    os.makedirs(copy)
    for name in ("bin", "root"):
        done = subprocess.run(["cp", "-al", os.path.join(home, name), copy], stderr=subprocess.DEVNULL, check=False)
        if done.returncode:  # another file system
            shutil.rmtree(os.path.join(copy, name), ignore_errors=True)
            shutil.copytree(os.path.join(home, name), os.path.join(copy, name), symlinks=True)
    usr = os.path.join(copy, "root", "usr")
    write(usr + "/sbin/mysqld.my", '{ "read_local_manifest": true }', 0o644)
    write("%s/lib/mysql/plugin/%s.cnf" % (usr, KEYRING), '{ "read_local_config": true }', 0o644)
    return os.path.join(copy, "bin", os.path.basename(own))


def give_keyring(data):
    """A data folder of MySQL names its keyring."""
    write(data + "/mysqld.my", '{ "components": "file://%s" }' % KEYRING, 0o644)
    write("%s/%s.cnf" % (data, KEYRING), '{ "path": "%s/keyring", "read_only": false }' % os.path.dirname(data), 0o644)


def mariadb_keys(folder):
    """Lines of an option file with which a MariaDB can read and write encrypted logs."""
    key = os.path.join(folder, "keys.txt")
    write(key, MARIADB_KEY, 0o644)
    return ["plugin_dir=" + program("mariadb-plugin"), "plugin_load_add=file_key_management",
            "file_key_management_filename=" + key]


def mariadb_options(folder):
    """Lines of an option file with which a MariaDB encrypts its logs."""
    return [*mariadb_keys(folder), "encrypt_binlog=ON"]
