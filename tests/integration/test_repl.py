#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""common/db.c, repl.c and servercheck.c on a real pair: runs exercise_db and passes its TAP on.
usage: test_repl.py [mariadb|mysql]"""
import os
import subprocess
import sys

from servers import BUILD, servers

PORT = int(os.environ.get("SIDING_TEST_PORT", "14400"))


def main():
    flavor = sys.argv[1] if len(sys.argv) > 1 else "mariadb"
    with servers(PORT, flavor) as s:
        program = os.path.join(BUILD, "tests", "integration", "exercise_db")
        env = dict(s.env, CMOCKA_MESSAGE_OUTPUT="TAP")
        return subprocess.run([program], env=env, timeout=240, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
