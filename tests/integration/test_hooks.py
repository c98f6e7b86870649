#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is told that the primary has moved: programs of agent.conf, good ones and bad ones, and HAProxy. The examples of
docs/examples are what is run."""
import os
import re
import shutil
import signal
import subprocess
import time

from harness import ROOT, ClusterTest, main
from machine import PortRange, call, processes_naming, wait_until
from test_switchover import Replaced

EXAMPLES = os.path.join(ROOT, "docs", "examples")


class Hooks(Replaced):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = os.path.join(cls.cluster.folder, "hooks")
        for node in cls.cluster.nodes:
            os.makedirs(os.path.join(cls.folder, node))
            conf = os.path.join(cls.cluster.folder, node, "agent.conf")
            with open(conf, "a", encoding="utf-8") as f:
                f.write('hooks = { after_promotion = "%s"; after_demotion = "%s"; timeout = "2s"; };\n' % ((cls.hook(node),) * 2))
            cls.put(node, "exit 0")
            cls.cluster.kill("agent" + node[2:])
            cls.cluster.start(node)

    @classmethod
    def hook(cls, node):
        return os.path.join(cls.folder, node, "hook")

    @classmethod
    def put(cls, node, text, mode=0o755):
        """The node's hook: also notes each call."""
        with open(cls.hook(node) + ".new", "w", encoding="utf-8") as f:
            f.write('#!/bin/bash\necho "$SIDING_HOOK $SIDING_NODE $SIDING_PRIMARY $SIDING_TERM $SIDING_ATTEMPT $SIDING_SERVER" '
                    '>>"%s/calls"\n%s\n' % (cls.folder, text))
        os.chmod(cls.hook(node) + ".new", mode)
        os.replace(cls.hook(node) + ".new", cls.hook(node))

    def calls(self):
        try:
            with open(os.path.join(self.folder, "calls"), encoding="utf-8") as f:
                return [line.split() for line in f]
        except FileNotFoundError:
            return []

    def move(self, target):
        old = self.primary()
        self.await_well()
        self.await_member(target)
        self.cluster.siding("cluster", "switchover", "--to", target, within_s=60)
        last = self.ask("failovers")[-1]
        self.await_member(old)
        return last

    def steps(self, failover):
        return [s["text"] for s in self.ask("failover", "show", str(failover["id"]))["steps"]]

    def timeline_says(self, failover, text, within_s=20):
        wait_until(lambda: any(re.search(text, s) for s in self.steps(failover)), within_s,
                   lambda: "%s is told: %s" % (text, self.steps(failover)))

    def test_1_both_are_called_with_what_they_need(self):
        last = self.move("db1")
        self.timeline_says(last, "db1: hook after_promotion has ended well after")
        self.timeline_says(last, "db0: hook after_demotion has ended well after")
        term, port = str(last["term"]), self.cluster.value("db1", "SELECT @@port")
        self.assertIn(["after_promotion", "db1", "db1", term, "1", "127.0.0.1:" + port], self.calls())
        self.assertIn(["after_demotion", "db0", "db1", term, "1"], [c[:5] for c in self.calls()])
        self.assertEqual(2, len(self.calls()))

    def test_2_bad_ones_stop_nothing_and_are_told(self):
        bad = [("sleep 613 & sleep 614", 0o755, "did not end|took longer|killed"),
               ("trap '' TERM HUP; sleep 615 & while :; do sleep 1; done", 0o755, "did not end|took longer|killed"),
               ("echo no luck; exit 3", 0o755, "status 3.*no luck|no luck"),
               ("head -c 10000000 /dev/zero | tr '\\0' x; exit 1", 0o755, "status 1"),
               ("kill -SEGV $$", 0o755, "signal 11"),
               ("exit 0", 0o644, "ermission denied|cannot be"),
               ("read -r x </dev/tty || exit 7", 0o755, "status 7")]
        for i, (text, mode, says) in enumerate(bad):
            target = ("db0", "db1")[i % 2]
            self.put(target, text, mode)
            begun = time.monotonic()
            last = self.move(target)
            print("# %s: %d ms, %d ms without writes" % (text[:30], last["took_ms"], last["without_writes_ms"]), flush=True)
            self.assertEqual("promoted", last["outcome"])
            self.assertLess(last["without_writes_ms"], 2000)  # less than the hook's deadline
            self.timeline_says(last, "%s: hook after_promotion: .*(%s).*it is tried again" % (target, says))
            wait_until(lambda: not [p for n in ("613", "614", "615") for p in processes_naming("sleep " + n)], 10,
                       "what it started has ended")
            self.put(target, "exit 0")
            self.timeline_says(last, "%s: hook after_promotion has ended well" % target)
            attempts = [c[4] for c in self.calls() if c[:4] == ["after_promotion", target, target, str(last["term"])]]
            self.assertEqual(["1", "2"] if mode == 0o755 else ["2"], attempts, "after %.1f s" % (time.monotonic() - begun))

    def test_3_it_is_given_up_in_the_end(self):
        old = self.primary()
        target = next(n for n in self.cluster.nodes if n != old)
        self.put(old, "exit 9")
        last = self.move(target)
        self.timeline_says(last, "%s: hook after_demotion: .*status 9.*do by hand" % old, 40)
        self.assertEqual(3, len([c for c in self.calls() if c[0] == "after_demotion" and c[3] == str(last["term"])]))
        self.put(old, "exit 0")

    def test_4_an_agent_that_is_killed_calls_it_again(self):
        old = self.primary()
        target = next(n for n in self.cluster.nodes if n != old)
        self.put(target, "sleep 1.5")
        last = self.move(target)
        wait_until(lambda: [c for c in self.calls() if c[:2] == ["after_promotion", target] and c[3] == str(last["term"])], 10,
                   "it is called")
        self.cluster.kill("agent" + target[2:])
        self.put(target, "exit 0")
        self.cluster.start(target)
        self.timeline_says(last, "%s: hook after_promotion has ended well" % target)
        self.await_well()

    def test_5_an_address_goes_with_the_primary(self):
        """docs/examples/vip, each node in a network namespace of its own; in a failover too."""
        holders = {}
        try:
            for node in self.cluster.nodes:
                holders[node] = subprocess.Popen(["unshare", "-Urn", "sh", "-c", "ip link set lo up && echo ready && exec sleep 3600"], stdout=subprocess.PIPE, text=True)
                self.assertEqual("ready\n", holders[node].stdout.readline())
                shutil.copy(os.path.join(EXAMPLES, "vip"), self.hook(node))
                with open(os.path.join(self.folder, node, "vip.conf"), "w", encoding="utf-8") as f:
                    f.write('ADDRESS=192.0.2.10/24 DEVICE=lo IP="nsenter -t %d -U -n --preserve-credentials ip"\n' % holders[node].pid)

            def who():
                return [n for n, p in holders.items() if "192.0.2.10/24" in
                        call("nsenter", "-t", str(p.pid), "-U", "-n", "--preserve-credentials", "ip", "addr")[1]]
            old = self.primary()
            target = next(n for n in self.cluster.nodes if n != old)
            self.move(target)
            wait_until(lambda: who() == [target], 10, lambda: "%s has the address: %s" % (target, who()))
            self.move(old)
            wait_until(lambda: who() == [old], 10, lambda: "%s has the address: %s" % (old, who()))
            self.await_well()
            self.cluster.kill("server" + old[2:])
            wait_until(lambda: self.ask("failover", "--dry-run")["analysis"] == "server dead", 30, "it is found dead")
            self.cluster.siding("cluster", "failover", within_s=60)
            wait_until(lambda: who() == [self.primary()], 20, lambda: "%s has the address: %s" % (self.primary(), who()))
            self.cluster.start(old)
            self.await_member(old)
            self.assertEqual([self.primary()], who())
        finally:
            for p in holders.values():
                p.kill()
                p.communicate()
            for node in self.cluster.nodes:
                self.put(node, "exit 0")

    def test_6_a_file_of_sql(self):
        """docs/examples/run-sql"""
        old = self.primary()
        target = next(n for n in self.cluster.nodes if n != old)
        shutil.copy(os.path.join(EXAMPLES, "run-sql"), self.hook(target))
        with open(os.path.join(self.folder, target, "hook.cnf"), "w", encoding="utf-8") as f:
            f.write("[client]\nuser=root\n")
        with open(os.path.join(self.folder, target, "after_promotion.sql"), "w", encoding="utf-8") as f:
            f.write("INSERT INTO t.w (k) VALUES ('by the hook');\n")
        last = self.move(target)
        self.timeline_says(last, "%s: hook after_promotion has ended well" % target)
        self.assertEqual("1", self.cluster.value(target, "SELECT COUNT(*) FROM t.w WHERE k = 'by the hook'"))
        self.put(target, "exit 0")

    def test_7_haproxy(self):
        """docs/examples/haproxy.cfg, with the sandbox's ports."""
        ports = PortRange()
        listen = ports.base
        with open(os.path.join(EXAMPLES, "haproxy.cfg"), encoding="utf-8") as f:
            text = f.read().replace("bind 127.0.0.1:3306", "bind 127.0.0.1:%d" % listen).replace("bind 127.0.0.1:3307", "bind 127.0.0.1:%d" % (listen + 1))
        for i, node in enumerate(self.cluster.nodes):
            agent = self.cluster.env["AGENT%d_URL" % i].rsplit(":", 1)[1]
            text = text.replace("server %s 10.1.2.1%d:3306 port 3310" % (node, i),
                                "server %s 127.0.0.1:%s port %s" % (node, self.cluster.value(node, "SELECT @@port"), agent))
        self.assertNotIn("3310", text)
        conf = os.path.join(self.folder, "haproxy.cfg")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(text)
        self.cluster.sql(self.primary(), "CREATE USER viaproxy; GRANT SELECT, INSERT ON t.* TO viaproxy")
        self.cluster.expect_caught_up()
        haproxy = subprocess.Popen(["haproxy", "-db", "-f", conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def at(port, statement="SELECT @@port"):
                status, out, self.last = call("mariadb", "--no-defaults", "-BN", "-h127.0.0.1", "-P%d" % port, "-uviaproxy", "--connect-timeout=2",
                                      "-e", statement)
                return out.strip() if status == 0 else None

            def is_primary():
                return at(listen) == self.cluster.value(self.primary(), "SELECT @@port")
            wait_until(is_primary, 20, lambda: "HAProxy finds the primary: %s" % self.last)
            old = self.primary()
            target = next(n for n in self.cluster.nodes if n != old)
            self.move(target)
            begun = time.monotonic()
            wait_until(is_primary, 20, "HAProxy follows a switchover")
            print("# HAProxy follows within %.1f s after it" % (time.monotonic() - begun))
            self.assertEqual("", at(listen, "INSERT INTO t.w (k) VALUES ('through HAProxy')"))
            self.assertNotEqual(self.cluster.value(target, "SELECT @@port"), at(listen + 1))
            self.await_well()
            self.cluster.kill("server" + target[2:])
            wait_until(lambda: self.ask("failover", "--dry-run")["analysis"] == "server dead", 30, "it is found dead")
            self.cluster.siding("cluster", "failover", within_s=60)
            wait_until(is_primary, 20, "HAProxy follows a failover")
            self.assertEqual("", at(listen, "INSERT INTO t.w (k) VALUES ('after a failover')"))
        finally:
            haproxy.send_signal(signal.SIGTERM)
            haproxy.wait(20)


class OnMariadb(Hooks, ClusterTest):
    flavor = "mariadb"


class OnMysql(Hooks, ClusterTest):
    flavor = "mysql"


del Replaced, Hooks

if __name__ == "__main__":
    main()
