#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The primary's disk hangs, is full, or takes no writes: each server has a file system of its own for its data."""
import contextlib
import os
import subprocess
import sys
import time

from harness import ClusterTest, main
from machine import running, wait_until
from test_switchover import Probes, Replaced

SIZE = 1 << 30  # sparse

# Mounts go with this process.
if __name__ == "__main__" and os.geteuid() == 0 and "SIDING_OWN_MOUNTS" not in os.environ:
    os.environ["SIDING_OWN_MOUNTS"] = "1"
    os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


class Disks(Replaced):
    def setUp(self):
        self.begin_well()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for node in cls.cluster.nodes:
            cls.move(node)
        cls.cluster.expect_caught_up()
        cls.restart_sidingd("true")

    @classmethod
    def data(cls, node):
        return os.path.join(cls.cluster.folder, node, "data")

    @classmethod
    def mount(cls, node):
        run("mount", "-o", "loop", cls.data(node) + ".img", cls.data(node))

    @classmethod
    def move(cls, node):
        data = cls.data(node)
        cls.cluster.stop(node)
        os.rename(data, data + ".was")
        os.mkdir(data)
        with open(data + ".img", "wb") as f:
            f.truncate(SIZE)
        run("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1", data + ".img")
        cls.mount(node)
        run("cp", "-a", data + ".was/.", data)
        run("rm", "-rf", data + ".was")
        cls.cluster.start(node)

    def write(self, text):
        """Until a commit is not answered, or refused."""
        with contextlib.suppress(Exception):
            for i in range(100000):
                self.cluster.sql(self.old, "INSERT INTO t.w (k) VALUES ('%s-%d')" % (text, i), within_s=2)
                type(self).told.append("%s-%d" % (text, i))

    def test_1_a_full_disk_is_told_and_others_have_no_more_room(self):
        fill, pid = os.path.join(self.data(self.old), "fill"), self.cluster.pid("server" + self.old[2:])
        with open(fill, "wb", buffering=0) as f:
            for size in (1 << 20, 4096):
                with contextlib.suppress(OSError):
                    while f.write(b"x" * size) == size:
                        pass
        begun = time.monotonic()
        try:
            full = "the disk of %s is full" % os.path.realpath(self.data(self.old))
            wait_until(lambda: full in self.events(), 10, self.events)  # of a server that lives, or has ended by it
            print("# told after %.1f s" % (time.monotonic() - begun))
            time.sleep(5)  # longer than failover.after
            ended = not running(pid)  # by itself: InnoDB of MySQL does not wait for room
            self.assertEqual(ended, (self.await_another() if ended else self.primary()) != self.old)
        finally:
            os.unlink(fill)
        if ended:
            self.comes_back(self.old)
        self.await_well()
        self.cluster.sql(self.primary(), "INSERT INTO t.w (k) VALUES ('room again')", within_s=30)

    def test_2_a_disk_that_hangs(self):
        probes = Probes(self.cluster)
        self.cluster.sql(self.old, "INSERT INTO t.w (k) VALUES ('before')")
        type(self).told.append("before")
        run("fsfreeze", "-f", self.data(self.old))
        begun = time.monotonic()
        try:
            self.write("hangs")
            winner = self.await_another()
            print("# replaced after %.1f s" % (time.monotonic() - begun))
            self.say()
            self.expect_there(winner)
            time.sleep(3)
        finally:
            run("fsfreeze", "-u", self.data(self.old))
        self.assertEqual([], probes.stop())
        self.comes_back(self.old)

    def test_3_a_disk_that_takes_no_writes(self):
        probes = Probes(self.cluster)
        self.cluster.sql(self.old, "INSERT INTO t.w (k) VALUES ('written')")
        type(self).told.append("written")
        run("sync", "-f", self.data(self.old))  # its files were copied there a moment ago: they survive
        run("mount", "-o", "remount,abort", self.data(self.old))  # as after an error of the disk
        begun = time.monotonic()
        self.write("refused")
        winner = self.await_another()
        print("# replaced after %.1f s" % (time.monotonic() - begun))
        self.say()
        self.expect_there(winner)
        self.assertEqual([], probes.stop())
        self.cluster.kill(self.old)
        run("umount", self.data(self.old))
        subprocess.run(["e2fsck", "-fy", self.data(self.old) + ".img"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.mount(self.old)
        self.comes_back(self.old)


class OnMariadb(Disks, ClusterTest):
    flavor = "mariadb"


class OnMysql(Disks, ClusterTest):
    flavor = "mysql"


del Replaced, Disks

if __name__ == "__main__":
    main()
