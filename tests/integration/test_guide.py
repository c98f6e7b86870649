#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/guide.md as a person does it: its own blocks of commands, in their order, on five hosts. Each host is a namespace of mounts,
network and name, with an address, a /etc, a /var and programs of its own; the servers are MariaDB with Debian's option files. Then
what happens to such a cluster later: a certificate that is wrong, one that is renewed, a server without its relay logs' name."""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

from harness import BUILD, ROOT, main
from machine import Failed, call, slack, wait_until

GUIDE = os.path.join(ROOT, "docs", "guide.md")
SHIMS = os.path.join(ROOT, "tests", "integration", "guide")
HOSTS = {"db0": "10.77.0.1", "db1": "10.77.0.2", "db2": "10.77.0.3", "ops": "10.77.0.4", "db3": "10.77.0.5"}
SERVERS = ("db0", "db1", "db2")
LATER = "db3"  # empty, and no host of the cluster before section 11
WHERE = {"all": SERVERS + ("ops",), "new": (LATER,), "db": SERVERS, "primary": ("db0",), "replicas": ("db1", "db2"), "ops": ("ops",), "build": ("build",)}
INSIDE = "SIDING_TEST_GUIDE"

# What Debian's mariadb-server puts into /etc/mysql, comments left out.
DEBIAN = """[server]
[mysqld]
pid-file = /run/mysqld/mysqld.pid
basedir = /usr
bind-address = 127.0.0.1
expire_logs_days = 10
character-set-server = utf8mb4
collation-server = utf8mb4_general_ci
"""
# What the DBA of a cluster has added: the guide presumes it. Small, because all data are in memory here.
CLUSTER = """[mysqld]
server_id = %d
bind_address = 0.0.0.0
log_bin
performance_schema = OFF
innodb_buffer_pool_size = 64M
innodb_log_file_size = 8M
"""
SAMPLE = """CREATE DATABASE library; USE library; CREATE TABLE book (id INT PRIMARY KEY, title VARCHAR(100));
INSERT INTO book SELECT seq, CONCAT('title ', seq) FROM seq_1_to_1000;"""


def blocks():
    """[(role, language, text)] of the guide's blocks that name where they are run, in order."""
    with open(GUIDE, encoding="utf-8") as f:
        found = re.findall(r"^```(sh|sql) (\w+)\n(.*?)^```$", f.read(), re.M | re.S)
    return [(role, language, text) for language, role, text in found]


def in_namespaces():
    """This program again, where nothing that it makes outlives it: in namespaces of its own."""
    words = ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"]
    if os.getuid():
        words[1:1] = ["--user", "--map-root-user", "--map-auto"]
    return words + [sys.executable, os.path.abspath(__file__), *sys.argv[1:]]


class Host:
    """One host: a process that holds its namespaces, and a folder (in memory) with what it has of its own."""
    own = ("root", "run", "tmp", "opt", "usr/local", "var/lib", "var/log")

    def __init__(self, name, folder):
        self.name, self.folder = name, os.path.join(folder, name)
        os.makedirs(self.folder)
        shutil.copytree("/etc", os.path.join(self.folder, "etc"), symlinks=True, ignore=shutil.ignore_patterns("siding", "mysql"))
        for part in self.own:
            os.makedirs(os.path.join(self.folder, part))
        os.chmod(os.path.join(self.folder, "tmp"), 0o1777)
        mounts = "".join("mount --bind %s/%s /%s; " % (self.folder, part, part) for part in ("etc",) + self.own)
        script = "mount --make-rprivate /; %shostname %s; ip link set lo up; echo; exec sleep 100000" % (mounts, name)
        self.holder = subprocess.Popen(["unshare", "--mount", "--net", "--uts", "sh", "-ec", script], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "\n":
            raise Failed("the namespaces of %s cannot be made" % name)

    def command(self, *words):
        return ["nsenter", "-t", str(self.holder.pid), "--mount", "--net", "--uts", "--wdns=/root", "env", "-i", "HOME=/root", "USER=root",
                "LANG=C.UTF-8", "PATH=/opt/siding-test:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *words]

    def run(self, script, status=0, within_s=120):
        """What it says, both ways; a person at a shell goes on only while nothing fails."""
        found, out, err = call(*self.command("bash", "-ec", script), within_s=within_s)
        if found != status:
            raise Failed("on %s: exit status %d, not %d\n%s\n%s%s%s" % (self.name, found, status, script, out, err, self.logs()))
        return out + err

    def sql(self, text):
        return self.run("mariadb -NB <<'END_OF_SQL'\n%s\nEND_OF_SQL" % text)

    def logs(self):
        text = ""
        for name in ("mariadb", "siding-agent", "sidingd"):
            path = os.path.join(self.folder, "var/log", name + ".log")
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    text += "---- %s on %s\n%s" % (name, self.name, f.read()[-3000:])
        return text

    def write(self, path, text):
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)


class Network:
    """The hosts, a bridge between them, and their servers as they are before the guide."""

    def __init__(self):
        self.folder = "/mnt"  # in memory, and gone with the namespace
        self.shell("mount -t tmpfs -o mode=0755,size=3G guide /mnt; ip link set lo up; ip link add guide type bridge; ip link set guide up")
        self.hosts = {name: Host(name, self.folder) for name in HOSTS}
        for name, host in self.hosts.items():
            self.connect(name, host)
        os.makedirs(self.scratch)
        for part in ("build", "scripts"):
            os.symlink(os.path.join(ROOT, part), os.path.join(self.scratch, part))

    @property
    def scratch(self):
        return os.path.join(self.folder, "build-host")

    @staticmethod
    def shell(script):
        subprocess.run(["sh", "-ec", script], check=True)

    def connect(self, name, host):
        self.shell("ip link add v-%s type veth peer name eth0 netns %d; ip link set v-%s master guide up" % (name, host.holder.pid, name))
        host.run("ip addr add %s/24 dev eth0; ip link set eth0 up" % HOSTS[name])
        hosts = "127.0.0.1 localhost\n" + "".join("%s %s\n" % (address, other) for other, address in HOSTS.items())
        host.write("etc/hosts", hosts)
        for file in ("systemctl", "scp"):
            host.write("opt/siding-test/" + file, open(os.path.join(SHIMS, file), encoding="utf-8").read())
            os.chmod(os.path.join(host.folder, "opt/siding-test", file), 0o755)
        for other in HOSTS:
            host.write("opt/siding-test/hosts/" + other, "%d\n" % self.hosts[other].holder.pid)

    def servers(self):
        """As Debian's package leaves them, and as a DBA has made a primary and replicas of them, by file and position."""
        for i, name in enumerate(SERVERS + (LATER,)):
            host = self.hosts[name]
            host.run("id mysql >/dev/null 2>&1 || { groupadd -f --system mysql; useradd --system --gid mysql --home-dir /nonexistent --shell /bin/false mysql; }; "
                     "install -d -o mysql -g mysql /var/lib/mysql /run/mysqld")
            shutil.copytree("/etc/mysql", os.path.join(host.folder, "etc/mysql"), symlinks=True)
            host.run("ln -sfn /etc/mysql/mariadb.cnf /etc/mysql/my.cnf")
            host.write("etc/mysql/mariadb.conf.d/50-server.cnf", DEBIAN)
            host.write("etc/mysql/mariadb.conf.d/60-cluster.cnf", CLUSTER % (i + 1))
        first = self.hosts["db0"]
        first.run("mariadb-install-db --user=mysql --skip-test-db --auth-root-authentication-method=socket >/dev/null 2>&1")
        for name in SERVERS[1:] + (LATER,):
            self.shell("cp -a %s/var/lib/mysql/. %s/var/lib/mysql/" % (first.folder, self.hosts[name].folder))
        for name in SERVERS + (LATER,):
            self.hosts[name].run("systemctl start mariadb")
        first.sql("CREATE USER repl@'10.77.0.%' IDENTIFIED BY 'change me'; GRANT REPLICATION SLAVE ON *.* TO repl@'10.77.0.%'; " + SAMPLE)
        for name in SERVERS[1:]:
            self.hosts[name].sql("CHANGE MASTER TO MASTER_HOST='10.77.0.1', MASTER_USER='repl', MASTER_PASSWORD='change me', MASTER_CONNECT_RETRY=1, "
                                 "MASTER_USE_GTID=no; START SLAVE;")
            self.await_row(name, 1000)

    def await_row(self, name, row):
        wait_until(lambda: self.hosts[name].run("mariadb -NBe 'SELECT COUNT(*) FROM library.book WHERE id = %d' 2>&1 || :" % row).strip() == "1",
                   60, lambda: "row %d on %s: %s" % (row, name, self.hosts[name].sql("SHOW SLAVE STATUS\\G")))

    def run_block(self, role, language, text):
        for name in WHERE[role]:
            if name == "build":
                # scp of the build host reaches all hosts as theirs does.
                env = {"PATH": "%s/db0/opt/siding-test:%s" % (self.folder, os.environ["PATH"])}
                os.makedirs("/opt/siding-test", exist_ok=True)
                self.shell("mount --bind %s/db0/opt/siding-test /opt/siding-test" % self.folder)
                status, out, err = call("bash", "-ec", "cd %s\n%s" % (self.scratch, text), env=env, within_s=300)
                if status:
                    raise Failed("on the build host: exit status %d\n%s%s%s" % (status, text, out, err))
            elif language == "sql":
                self.hosts[name].sql(text)
            else:
                said = self.hosts[name].run(text)
                if os.environ.get("SIDING_TEST_SHOW"):
                    print("".join("# %s: %s\n" % (name, line) for line in said.splitlines()), end="", flush=True)


class Guide(unittest.TestCase):
    """Runs only inside the namespaces; each step needs those before it."""
    net = None

    @classmethod
    def setUpClass(cls):
        cls.net = Network()
        cls.net.servers()
        cls.ops, cls.db0, cls.db1 = (cls.net.hosts[n] for n in ("ops", "db0", "db1"))

    failed = False

    def setUp(self):
        if Guide.failed:
            self.fail("a step before this one has failed")

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        Guide.failed = Guide.failed or len(result.failures) + len(result.errors) > before

    def check(self):
        """(exit status, findings that are not ok) of siding check on the coordinator's host."""
        status, out, err = call(*self.ops.command("siding", "check", "--json"))
        try:
            return status, [f for f in json.loads(out) if f["level"] != "ok"]
        except ValueError:
            raise Failed("siding check printed no JSON: %s%s" % (out, err)) from None

    def expect(self, node, text, mend):
        def found():
            self.seen = self.check()
            return [f for f in self.seen[1] if (f["node"] or "") == node and re.search(text, f["text"]) and re.search(mend, f["mend"] or "")]
        return wait_until(found, 30, lambda: "a finding on %s with %r and the mend %r: %s" % (node, text, mend, self.seen))[0]

    def expect_well(self):
        wait_until(lambda: self.check()[0] == 0, 30, lambda: "siding check is content: %s" % (self.check(),))

    def test_1_the_guide_as_it_stands(self):
        found = blocks()
        self.assertGreater(len(found), 10)
        self.assertEqual({role for role, _, _ in found} - set(WHERE), set())
        for role, language, text in found:
            self.net.run_block(role, language, text)
        self.db0.sql("INSERT INTO library.book VALUES (2000, 'written while Siding runs')")
        for name in SERVERS[1:] + (LATER,):
            self.net.await_row(name, 2000)

    def test_2_what_it_leaves(self):
        status, findings = self.check()
        self.assertEqual((status, [f for f in findings if f["name"] not in ("keyless_tables",)]), (0, []))
        all_of_it = self.ops.run("siding check --all")
        for words in ("certificate: /etc/siding/db1.pem of db1, for db1, 10.77.0.2, 824 days left", "clock: goes with",
                      "source: replicates from db0", "relay_log=mysqld-relay-bin", "siding_load@localhost has what it needs"):
            self.assertIn(words, all_of_it)
        for name in SERVERS:
            said = self.net.hosts[name].run("stat -c '%a %U' /etc/siding /etc/siding/*.cnf /etc/siding/*.key | sort -u")
            self.assertEqual(said, "600 mysql\n700 mysql\n")
        self.assertEqual(self.ops.run("find /etc/siding /root/siding -name '*.key' -perm /077; find /etc/siding -name '*.cnf' -perm /077"), "")

    def test_3_a_host_that_restarts(self):
        self.db1.run("systemctl stop siding-agent; systemctl restart mariadb")
        self.expect("db1", "Connection refused", "systemctl start siding-agent")
        self.db1.run("systemctl start siding-agent")
        self.db0.sql("INSERT INTO library.book VALUES (3000, 'after a restart')")
        self.net.await_row("db1", 3000)
        self.expect_well()

    def test_4_an_agent_with_another_hosts_certificate(self):
        """It runs: nobody is told to start it."""
        self.db1.run("cp -p /etc/siding/db1.pem /root/; cp -p /etc/siding/db1.key /root/")
        self.ops.run("scp -pq /root/siding/ca/../db2/db2.pem /root/siding/db2/db2.key db1:/etc/siding/")
        self.db1.run("cd /etc/siding; mv db2.pem db1.pem; mv db2.key db1.key; chown mysql:mysql db1.*; systemctl reload siding-agent; "
                     "systemctl restart siding-agent")
        found = self.expect("db1", "not accepted here is the certificate of https://10.77.0.2:3310", "siding cert issue db1 --renew --address 10.77.0.2")
        self.assertNotIn("start siding-agent", found["mend"])
        said = self.db1.run("setpriv --reuid mysql --regid mysql --clear-groups siding-agent --config /etc/siding/agent.conf --check-config", status=1)
        self.assertIn("does not name 10.77.0.2, where others reach this program", said)
        self.db1.run("cp -p /root/db1.* /etc/siding/; systemctl reload siding-agent")
        self.expect_well()

    def test_5_a_certificate_is_renewed(self):
        """As siding check says it: issue, copy, reload."""
        served = "openssl s_client -connect 10.77.0.2:3310 </dev/null 2>/dev/null | openssl x509 -noout -serial"
        before = self.ops.run(served)
        self.ops.run("cp /root/siding/db1/db1.pem /root/siding/db1/db1.key /root/siding/ca/; "
                     "siding cert issue db1 --renew --dir /root/siding/ca; scp -pq /root/siding/ca/db1.pem /root/siding/ca/db1.key db1:/etc/siding/")
        self.db1.run("chown mysql:mysql /etc/siding/db1.*; systemctl reload siding-agent")
        wait_until(lambda: self.ops.run(served) not in ("", before), 20, "the new certificate is served")
        self.expect_well()

    # -- a host that joins: db3 is a member by the guide's own words; here what an attacker, a kill and a mistake get

    def test_6_what_a_host_has_joined_with(self):
        later = self.net.hosts[LATER]
        self.assertEqual(later.run("stat -c '%a %U' /etc/siding/*.* | sort -u"), "600 mysql\n")
        self.assertEqual(later.run("find /etc/siding -name '.joining' -o -name 'accounts.sql'"), "")
        self.assertEqual(self.ops.run("find /root/siding /etc/siding -name 'db3*' -o -name '.invite'"), "")
        node = next(n for n in json.loads(self.ops.run("siding cluster status --json"))["nodes"] if n["name"] == LATER)
        self.assertEqual((node["state"], node["agent"]["server"]["read_only"]), ("serving", True))
        audit = self.ops.run("siding events --kind audit")
        for words in ("root (unix socket) asked to invite db3 to join: done", "db3 was given its files by the token of its invitation, from 10.77.0.5",
                      "db3 has its files on its disk, its token is used up, from 10.77.0.5"):
            self.assertIn(words, audit)
        self.assertIn("received", self.ops.run("siding replica invite"))
        self.assertIn("REQUIRE SSL", self.db1.sql("SHOW CREATE USER siding_provision@'10.77.0.5'"))
        password = re.search(r"password=(\S+)", self.ops.run("cat /etc/siding/agent.cnf")).group(1)
        self.assertEqual(self.ops.run("grep -rlF -e %s -e 'PRIVATE KEY' /var/lib/sidingd /var/log || :" % password), "")

    def invite(self, node, *options):
        """The token. Of a host whose server is no member of anything: only its files are looked at."""
        return self.ops.run("siding replica invite %s --address 10.77.0.5 %s 2>/dev/null" % (node, " ".join(options))).strip()

    def join(self, token, where="/root/joined", host=None, status=0):
        host = host or self.net.hosts[LATER]
        host.run("umask 077; echo '%s' > /root/token" % token)
        return host.run("siding-agent join --token /root/token --dir %s" % where, status=status)

    def test_7_tokens_that_open_nothing(self):
        later = self.net.hosts[LATER]
        token = self.invite("db4")
        prefix, node, address, pin, secret = token.split("~")
        flipped = secret[:-1] + ("0" if secret[-1] != "0" else "1")
        for parts, says in (((prefix, node, address, pin, flipped), "not valid here"), ((prefix, "db3", address, pin, secret), "not valid here"),
                            ((prefix, "db5", address, pin, secret), "not valid here"),
                            ((prefix, node, address, "A" * 43 + "=", secret), "this is not the sidingd that the token was made by"),
                            # an agent's certificate is of the same CA, and does not help
                            ((prefix, node, "10.77.0.1:3310", pin, secret), "this is not the sidingd that the token was made by")):
            self.assertIn(says, self.join("~".join(parts), status=1))
        self.assertIn("no token, or not all of it", self.join(token[:-3], status=2))
        self.assertEqual(later.run("ls -A /root/joined 2>/dev/null || :"), "")
        self.assertIn("asked to join as db4 with a token that is not", self.ops.run("siding events --kind audit"))
        self.assertIn("that is sidingd's own certificate", self.ops.run("siding replica invite sidingd --address 10.77.0.5 2>&1", status=2))
        # a guesser neither gets in nor keeps the right one out
        guess = "for i in $(seq 60); do curl -sk -o /dev/null -w '%%{http_code}\n' -H 'Content-Type: application/json' -d '{\"node\": \"db4\", \"proof\": \"%s\"}' " \
                "https://10.77.0.4:3311/v1/join; done | sort | uniq -c" % ("0" * 64)
        codes = dict(reversed(line.split()) for line in later.run(guess).splitlines())
        self.assertGreater(int(codes.get("503", 0)), 30, codes)
        self.assertEqual(set(codes) - {"403", "503"}, set())
        for path in ("/v1/status", "/healthz", "/v1/nodes/db4/revoke"):
            self.assertEqual(later.run("curl -sk -o /dev/null -w '%%{http_code}' https://10.77.0.4:3311%s" % path), "404")
        said = self.join(token)
        self.assertIn("siding replica add db4", said)
        # The server of db3 is in use: its accounts are left as they are, and what would make them lies there.
        self.assertRegex(said, "it holds [0-9]+ databases already.*run the statements of /root/joined/accounts.sql")
        self.assertIn("SET SESSION sql_log_bin=0;\nCREATE USER IF NOT EXISTS 'siding_agent'@'localhost' ", later.run("cat /root/joined/accounts.sql"))
        self.assertEqual(later.run("stat -c '%a %U' /root/joined/db4.key"), "600 mysql\n")
        self.assertIn("/root/joined/db4.key", later.run("cat /root/joined/agent.conf"))
        self.assertIn("is not one that sidingd takes", self.ops.run("siding cert init --dir /root/other >/dev/null; siding replica invite db4 --address 10.77.0.5 "
                                                                     "--ca /root/other 2>&1 || rm -r /root/other"))
        # used; and nothing is replaced
        self.assertIn("not valid here", self.join(token, where="/root/second", status=1))
        self.assertIn("is there already", self.join(self.invite("db4"), status=1))
        later.run("rm -r /root/joined")

    def test_8_who_comes_second_or_too_late(self):
        later = self.net.hosts[LATER]
        token = self.invite("db5")
        # It was answered, and could not keep what it got.
        later.run("mkdir /root/full; mount -t tmpfs -o size=4k none /root/full")
        self.join(token, where="/root/full/siding", status=1)
        self.assertIn("fetched", self.ops.run("siding replica invite"))
        said = self.join(token, where="/root/stolen", host=self.db1, status=1)
        self.assertIn("used from another address already", said)
        self.assertIn("somebody at 10.77.0.2 showed the token of db5, whose files were fetched from 10.77.0.5 before", self.ops.run("siding events --kind audit"))
        # What sidingd has promised outlives it.
        self.ops.run("kill -9 $(cat /run/sidingd.test-pid); systemctl start sidingd")
        self.join(token)
        later.run("umount /root/full; rm -r /root/joined")
        # The server's account has a folder ready, in which root's files would go where it likes.
        token = self.invite("db5")
        later.run("cp /etc/hosts /root/victim; install -d -o mysql /root/given; ln -s /root/victim /root/given/accounts.sql.tmp; ln -s /root /root/given/.joining")
        self.assertIn("may change /root/given", self.join(token, where="/root/given", status=1))
        later.run("cmp /etc/hosts /root/victim; rm -r /root/given /root/victim; test ! -e /root/join.json")
        self.ops.run("siding replica invite db5 --revoke")
        self.assertIn("not valid here", self.join(token, status=1))
        token = self.invite("db5")
        self.invite("db5")
        self.assertIn("not valid here", self.join(token, status=1))
        token = self.invite("db5", "--valid", "1s")
        wait_until(lambda: "the invitation of db5 has expired" in self.ops.run("siding events --kind audit"), 30, "it expires")
        self.assertIn("not valid here", self.join(token, status=1))

    def test_9_a_join_that_is_killed(self):
        """Before each of its steps: then agent.conf is there only with all that it names, and the same again goes on and ends it."""
        later, token, killed = self.net.hosts[LATER], self.invite("db6"), {False: 0, True: 0}
        names = "agent.cnf agent.conf ca.pem db6.key db6.pem donor.cnf job.cnf load.cnf provision.cnf repl.cnf rescue.cnf siding.cnf".split()
        folder = os.path.join(later.folder, "root/joined")
        later.run("umask 077; echo '%s' > /root/token" % token)
        shutil.copy(os.path.join(BUILD, "tests/tools/libkill_at.so"), os.path.join(later.folder, "root"))  # a host has a /tmp of its own
        for _ in range(300):
            staged = os.path.exists(folder + "/.joining/join.json")
            killed[staged] += 1
            later.run("LD_PRELOAD=/root/libkill_at.so SIDING_TEST_KILL_AT=%d siding-agent join --token /root/token --dir /root/joined "
                      ">/dev/null 2>&1 || test $? = 137" % killed[staged])
            here = set(os.listdir(folder)) if os.path.exists(folder) else set()
            if "agent.conf" in here:
                self.assertEqual(set(names) - here, set())
                if not os.path.exists(folder + "/.joining/join.json"):
                    break  # all is done
                # The file is its account's by now, and may say what it likes: root makes no folder for that.
                later.run("echo 'state_dir = \"/root/led-astray\";' > /root/joined/agent.conf")
        self.assertGreater(killed[False], 30)
        self.assertGreater(killed[True], 5)  # each goes on from where the one before was
        self.assertEqual(later.run("ls -d /root/led-astray 2>/dev/null || cat /root/joined/agent.conf"), 'state_dir = "/root/led-astray";\n')
        self.assertEqual(here - {".joining"}, set(names) | {"jobs", "accounts.sql"})
        self.assertEqual(later.run("stat -c '%a %U' /root/joined/*.* | sort | uniq -c | sort -n").split(), ["1", "600", "root", "12", "600", "mysql"])

    def test_A_relay_logs_without_a_name(self):
        self.db1.run("sed -i /^relay_log=/d /etc/mysql/mariadb.conf.d/70-siding.cnf; systemctl restart mariadb")
        self.expect("db1", "relay_log is empty", "^relay_log=mysqld-relay-bin in the server's option file")


class Blocks(unittest.TestCase):
    def test_every_block_says_where_it_is_run(self):
        self.assertEqual({role for role, _, _ in blocks()} - set(WHERE), set())


class InNamespaces(unittest.TestCase):
    flavor = "mariadb"

    def test_the_guide_on_five_hosts(self):
        if os.getuid() and not shutil.which("newuidmap"):
            self.fail("an ordinary user needs newuidmap: apt-get install uidmap, and a range in /etc/subuid; or run it as root")
        done = subprocess.run(in_namespaces(), env=dict(os.environ, **{INSIDE: "1"}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=600 * slack(), check=False)
        print("".join("# %s\n" % line for line in done.stdout.splitlines()), end="", flush=True)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:])
        self.assertGreater(done.stdout.count("\nok ") + done.stdout.startswith("ok "), 4)


if os.environ.get(INSIDE):
    del Blocks, InNamespaces
else:
    del Guide

if __name__ == "__main__":
    main()
