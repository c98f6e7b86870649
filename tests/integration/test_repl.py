#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""common/db on a real pair of servers: runs the programs exercise_db, exercise_session and exercise_repl."""
import os
import subprocess

from harness import BUILD, ClusterTest, main
from machine import call


class OnServers:
    replicas, servers_only = 1, True

    def test_statements_and_replication(self):
        for program, tests in (("exercise_db", 8), ("exercise_session", 2), ("exercise_repl", 8)):
            self.exercise(program, tests)

    def exercise(self, name, tests, **env):
        program = os.path.join(BUILD, "tests", "integration", name)
        status, out, err = call(program, within_s=240, env={**self.cluster.env, "CMOCKA_MESSAGE_OUTPUT": "TAP", **env})
        self.assertEqual(status, 0, out + err)
        self.assertEqual(out.count("\nok "), tests)

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
        self.exercise("exercise_db", 2, DB_TLS_CA=path("ca.pem"), DB_TLS_OTHER_CA=path("other.pem"))
        self.option_files(path)

    def option_files(self, path):
        """An account that wants TLS, by option files: what they ask for is done, or refused."""
        c = self.cluster
        c.sql("db0", "GRANT SELECT, SHOW VIEW ON *.* TO by_tls@'127.0.0.1'; CREATE DATABASE vacant")
        c.expect_caught_up()

        def dump(node, *lines):
            file = path("client.cnf")
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as f:
                f.write("\n".join(["[client]", "user=by_tls", 'password="for the wire"', "host=127.0.0.1",
                                   "port=%s" % c.env[node.upper() + "_PORT"], *lines, ""]))
            return call(os.path.join(BUILD, "siding-dump"), "--defaults-file", file, "--checksum", "-B", "vacant", "--threads", "1",
                        "--no-objects", env=c.env)[::2]
        ca, other = "ssl-ca=" + path("ca.pem"), "ssl-ca=" + path("other.pem")
        for lines in (["ssl"], ["ssl=1"], ["ssl-mode=REQUIRED"], ["ssl_mode=PREFERRED"], [ca], [ca, "ssl-verify-server-cert"],
                      ["ssl-mode=VERIFY_IDENTITY", ca], ["tls-version=TLSv1.3", "ssl"]):
            status, err = dump("db1", *lines)
            self.assertEqual(status, 0, "%s: %s" % (lines, err))
        for lines, words in ((["ssl-mode=DISABLED"], "Access denied"), (["skip-ssl"], "Access denied"),
                             (["ssl-verify-server-cert", other], "certificate"), (["ssl-verify-server-cert"], "certificate"),
                             (["ssl-mode=VERIFY_IDENTITY", other], "certificate"), (["ssl-mode=SOMETIMES"], "is not known"),
                             (["protocol=memory"], "is not known"), (["ssl", "ssl-cipher=NONE"], "TLS|cipher")):
            status, err = dump("db1", *lines)
            self.assertNotEqual(status, 0, lines)
            self.assertRegex(err, words)
        if c.flavor == "mariadb":  # db0 has no TLS
            c.sql("db0", "ALTER USER by_tls@'127.0.0.1' REQUIRE NONE")
            self.assertEqual(dump("db0")[0], 0)
            for line in ("ssl", "ssl-mode=REQUIRED", "ssl-verify-server-cert", ca):
                self.assertRegex(dump("db0", line)[1], "TLS|SSL")


class MariaDB(OnServers, ClusterTest):
    pass


class MySQL(OnServers, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
