#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The attacks of tests/attack, each of them on both servers, on one cluster a server."""
import importlib
import os
import sys

from harness import ROOT, ClusterTest, main

FOLDER = os.path.join(ROOT, "tests", "attack")
sys.path.insert(0, FOLDER)


def tests_of(name):
    """{test: method} of one file, in its order."""
    module = importlib.import_module(name)
    return {"test_%s_%s" % (name, f.__name__): lambda self, f=f: f(self.cluster)
            for f in vars(module).values() if hasattr(f, "attack") and f.__module__ == name}


def all_tests():
    found = {}
    for name in sorted(f[:-3] for f in os.listdir(FOLDER) if f.endswith(".py") and f != "attack.py"):
        found.update(tests_of(name))
    return found


OnMariadb = type("OnMariadb", (ClusterTest,), {"__module__": __name__, "flavor": "mariadb", **all_tests()})
OnMysql = type("OnMysql", (ClusterTest,), {"__module__": __name__, "flavor": "mysql", **all_tests()})

if __name__ == "__main__":
    main()
