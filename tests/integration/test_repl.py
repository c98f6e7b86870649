#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""common/db/db.c, repl.c and servercheck.c on a real pair of servers: runs the program exercise_db."""
import os
import subprocess

from harness import BUILD, ClusterTest, call, main

PROGRAM = os.path.join(BUILD, "tests", "integration", "exercise_db")


class OnServers:
    replicas, servers_only = 1, True

    def test_statements_and_replication(self):
        self.exercise(10)

    def exercise(self, least, **env):
        status, out, err = call(PROGRAM, within_s=240, env={**self.cluster.env, "CMOCKA_MESSAGE_OUTPUT": "TAP", **env})
        self.assertEqual(status, 0, out + err)
        self.assertGreaterEqual(out.count("\nok "), least)

    def test_tls_with_a_password_that_is_never_sent_plain(self):
        c = self.cluster
        folder = os.path.join(c.folder, "tls")
        os.mkdir(folder)
        path = lambda name: os.path.join(folder, name)

        def openssl(*args):
            subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for ca in ("ca", "other"):
            openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=" + ca, "-keyout", path(ca + ".key"),
                    "-out", path(ca + ".pem"))
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=db1", "-keyout", path("db1.key"), "-out", path("db1.csr"))
        with open(path("db1.ext"), "w", encoding="ascii") as f:
            f.write("subjectAltName=IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", path("db1.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial", "-days", "2",
                "-extfile", path("db1.ext"), "-out", path("db1.pem"))
        c.sql("db0", "CREATE USER by_tls@'127.0.0.1' IDENTIFIED BY 'for the wire' REQUIRE SSL")
        c.expect_caught_up()
        with open(os.path.join(c.folder, "db1", "my.cnf"), "a", encoding="utf-8") as f:
            f.write("[mysqld]\nssl_ca=%s\nssl_cert=%s\nssl_key=%s\n" % (path("ca.pem"), path("db1.pem"), path("db1.key")))
        c.stop("db1")
        c.start("db1")
        self.exercise(2, DB_TLS_CA=path("ca.pem"), DB_TLS_OTHER_CA=path("other.pem"))


class MariaDB(OnServers, ClusterTest):
    pass


class MySQL(OnServers, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
