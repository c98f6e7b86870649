#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""common/db.c, repl.c and servercheck.c on a real pair of servers: runs the program exercise_db."""
import os

from harness import BUILD, ClusterTest, call, main


class OnServers:
    replicas, servers_only = 1, True

    def test_statements_and_replication(self):
        program = os.path.join(BUILD, "tests", "integration", "exercise_db")
        status, out, err = call(program, within_s=240, env={**self.cluster.env, "CMOCKA_MESSAGE_OUTPUT": "TAP"})
        self.assertEqual(status, 0, out + err)
        self.assertGreater(out.count("\nok "), 10)


class MariaDB(OnServers, ClusterTest):
    pass


class MySQL(OnServers, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
