# SPDX-License-Identifier: Apache-2.0
"""A sandbox whose daemons run under strace: each writes what it and its helpers do, in order, to a file of its own."""
import os
import shutil

from harness import BUILD, Cluster

CALLS = ("rename,renameat,renameat2,unlink,unlinkat,link,linkat,rmdir,fsync,fdatasync,execve,kill,clone,clone3,vfork,fork,"
         "write,pwrite64,writev,sendto,readv")
# -D: the daemon keeps the pid under which the sandbox started it; the tracer stands beside it and ends with it.
WRAPPER = """#!/bin/bash
node=${2%%/*}
exec strace -D -f -qqq --seccomp-bpf -ttt -yy -s 65536 -e trace=%(calls)s -e signal=none -o "%(traces)s/${node##*/}.$$" %(program)s "$@"
"""


class TracedCluster(Cluster):
    """`traces`: a folder for files NODE.PID."""

    def __init__(self, flavor):
        super().__init__(flavor=flavor)
        self.programs, self.traces = self.folder + ".bin", self.folder + ".traces"

    def __enter__(self):
        os.mkdir(self.programs, 0o700)
        os.mkdir(self.traces, 0o700)
        for name in os.listdir(BUILD):
            path, program = os.path.join(self.programs, name), os.path.join(BUILD, name)
            if name in ("sidingd", "siding-agent"):
                with open(path, "w", encoding="utf-8") as f:
                    f.write(WRAPPER % {"calls": CALLS, "traces": self.traces, "program": program})
                os.chmod(path, 0o755)
            elif name.startswith("siding"):
                os.symlink(program, path)
        return super().__enter__()

    def sandbox(self, *args, within_s=300):
        old = os.environ.get("SIDING_BUILD")
        os.environ["SIDING_BUILD"] = self.programs
        try:
            return super().sandbox(*args, within_s=within_s)
        finally:
            del os.environ["SIDING_BUILD"]
            if old:
                os.environ["SIDING_BUILD"] = old

    def down(self):
        super().down()
        for folder in (self.programs, self.traces):
            shutil.rmtree(folder, ignore_errors=True)
