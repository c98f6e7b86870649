#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What comes from outside has bounds, at every door alike: an attacker or a slip sends what is too long, too large, of no
kind or of no name, and gets a sentence; the queue of everybody else goes on, and its lists stay short."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

from harness import BUILD, ClusterTest, main
from machine import Failed, call, slack, wait_until

SIDING = os.path.join(BUILD, "siding")


class Bounds:
    replicas = 1

    def ask(self, path, body=None):
        """(status, answer) of a request of the API; `body` is JSON text, bytes or an object."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        request = urllib.request.Request(self.cluster.env["SIDINGD_URL"] + path, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30 * slack()) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as e:
            text = e.read()
            return e.code, json.loads(text)["error"]["text"] if text.startswith(b"{") else ""

    def waiting(self):
        return self.ask("/v1/tasks?limit=1000")[1]

    def refused(self, body, says, status=400):
        found, text = self.ask("/v1/tasks", dict({"job": "dump", "options": {"databases": ["a"]}}, **body)
                               if isinstance(body, dict) else body)
        self.assertEqual(found, status, (str(body)[:200], str(text)[:300]))
        self.assertIn(says, text)
        self.assertLess(len(text), 400)

    def test_the_api(self):
        before = [t["id"] for t in self.waiting()]
        for body, says in (
                ({"args": ["x" * 15000000]}, ""),
                ({"args": ["x" * 16385]}, 'field "args" holds a longer text'),
                ({"args": ["x" * 16000] * 5}, 'field "args" is longer'),
                ({"args": ["x"] * 1001}, "has 1001 elements"),
                ({"sleeptime_ms": 9 * 10 ** 15}, 'field "sleeptime_ms" is 9000000000000000'),
                ({"pause_limit_ms": 2 ** 62}, 'field "pause_limit_ms" is'),
                ({"sequence_id": 2 ** 63 - 1}, 'field "sequence_id" is'),
                ({"priority": 2 ** 31}, 'field "priority" is 2147483648'),
                (b'{"job": "dump", "priority": 1e400}', "JSON"),
                (b'{"job": "dump", "priority": 99999999999999999999}', "JSON"),
                (b'{"job": "dump", "priority": 1, "priority": 2}', "JSON"),
                (b'{"job": "dump", "name": "\xff"}', "JSON"),
                (b'{"job": "dump", "name": "a\\u0000b"}', "JSON"),
                (b'{"job": "dump", "name": "\\ud800"}', "JSON"),
                (b"[" * 100000, "JSON"),
                ({"options": {"database": ["a"]}}, 'did you mean "databases"?'),
                ({"options": {"databases": []}}, "has 0 elements"),
                ({"options": {}}, "a dump needs its databases"),
                ({"unique": "u" * 600}, 'field "unique" has 600 characters'),
                ({"user": "u" * 600}, 'field "user" has 600 characters'),
                ({"name": "a\x1b[2Jb"}, 'field "name" holds control characters'),
                ({"host": "db1 "}, 'did you mean "db1"?'),
                ({"run_at": "287225-01-01T00:00:00Z"}, "it must be a time in UTC"),
                ({"window": "w" * 65}, 'field "window" has 65 characters'),
                ({"window": "nonsense"}, "no limit window"),
                ({"kind": "upload"}, 'field "kind" is "upload"'),
                ({"hots": "db1"}, 'did you mean "host"?')):
            with self.subTest(body=str(body)[:60]):
                self.refused(body, says, 413 if len(str(body)) > 10 ** 6 else 422 if "db1 " in str(body) else 400)
        self.refused({"host": "nosuchnode"}, 'there is no node "nosuchnode"', 422)
        for path, says in (("/v1/tasks?state=nonsense", 'field "state" is "nonsense"'), ("/v1/tasks?stat=waiting", 'did you mean "state"?'),
                           ("/v1/tasks?state=", "names none"), ("/v1/tasks?limit=1001", "from 1 to 1000"), ("/v1/nodes?x=1", "unknown parameter"),
                           ("/healthz?role=primary", "unknown parameter")):
            self.assertEqual(self.ask(path)[0], 400, path)
            self.assertIn(says, self.ask(path)[1])
        for body, says in (({"for_s": 10 ** 9, "reason": "x"}, "for_s"), ({"for_s": 5, "reason": "x" * 501}, "reason"),
                           ({"for_s": 5, "reasn": "x"}, 'did you mean "reason"?'), ({"for_s": 5, "by": "b" * 200}, "by")):
            status, text = self.ask("/v1/nodes/db1/pause", body)
            self.assertEqual(status, 400)
            self.assertIn(says, text)
        self.assertEqual([t["id"] for t in self.waiting()], before)

    def test_the_command(self):
        def refuse(*words, says):
            status, out, err = call(SIDING, *words, env=self.cluster.env)
            self.assertEqual((status, out), (2, ""), err)
            self.assertIn(says, err)
        refuse("task", "list", "-s", "nonsense", says='"nonsense"')
        refuse("task", "list", "-s", "waitin", says='did you mean "waiting"?')
        dump = ("submit", "dump", "--database", "a")
        refuse(*dump, "--priority", "2000000", says="option --priority is 2000000")
        refuse(*dump, "--sleeptime", "9000d", says="option --sleeptime is")
        refuse(*dump, "--unique", "u" * 600, says="option --unique has 600 characters")
        refuse(*dump, "-N", "a\nb", says="option --name holds control characters")
        refuse(*dump, "--replicas", "65", says="option --replicas is 65")
        refuse(*dump, "--at-limit", "stopp", says='did you mean "stop"?')
        refuse(*dump, "--", "x" * 16385, says="argument (args) holds a longer text")
        refuse("submit", "dump", "--database", b"caf\xe9", says="no UTF-8")
        refuse(*dump, "--", b"a\xff", says="no UTF-8")
        refuse("replica", "pause", "db1", "--for", "1m", "--reason", b"\xff", says="no UTF-8")

    def test_lists_stay_short(self):
        """The longest task there may be, many times: lists do not carry what was submitted with it."""
        c = self.cluster
        args = ["--match=" + "x" * 1000] * 60
        tasks = [self.ask("/v1/tasks", {"job": "dump", "priority": -11, "args": args, "options": {"databases": ["d%d" % i]}})[1]["id"]
                 for i in range(30)]
        listed = self.waiting()
        self.assertEqual([t["id"] for t in listed[:30]], tasks[::-1])
        self.assertFalse([t for t in listed if "args" in t or "options" in t])
        self.assertEqual(self.ask("/v1/tasks/%d" % tasks[0])[1]["args"], args)
        status = self.ask("/v1/status")[1]
        self.assertLess(len(json.dumps(status)), 200000)
        self.assertEqual(len(c.siding("task", "list", "--limit", "10")), 10)
        self.assertEqual([t["id"] for t in self.ask("/v1/tasks?limit=5&before=%d" % tasks[10])[1]], tasks[9:4:-1])
        for t in tasks:
            self.assertEqual(self.ask("/v1/tasks/%d/request" % t, {"action": "delete"})[0], 200)

    def test_a_task_bound_to_a_host_stays_there(self):
        c = self.cluster
        c.sql("db0", "CREATE DATABASE IF NOT EXISTS a; CREATE TABLE IF NOT EXISTS a.t (i INT PRIMARY KEY)")
        task = c.submit("dump", "--database", "a", "--host", "db0")
        wait_until(lambda: "is the primary" in c.siding("task", "why", task)["why"], 10, "it says that db0 is no replica")
        c.siding("task", "delete", task)
        task = c.value("db0", "CALL siding.submit('dump', NULL, '{\"host\": \"db1\", \"options\": {\"databases\": [\"a\"]}}', @id); SELECT @id")
        c.expect_state(task, "done", 60)
        self.assertEqual(c.last_run(task)["nodes"], ["db1"])

    def test_a_lock_of_a_stranger_keeps_no_replica_paused(self):
        """Whoever may log in can hold any name by GET_LOCK: it decides nothing, and nobody is cut off for it."""
        c = self.cluster
        c.sql("db0", "CREATE USER IF NOT EXISTS stranger@localhost")
        wait_until(lambda: c.value("db1", "SELECT COUNT(*) FROM mysql.user WHERE User = 'stranger'") == "1", 20, "the stranger is there")
        holder = subprocess.Popen(["mariadb", "--no-defaults", "-S", c.socket("db1"), "--user=stranger", "-NB", "-e",
                                   "SELECT GET_LOCK('siding_rescue', 5), SLEEP(120)"], stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: c.value("db1", "SELECT IS_USED_LOCK('siding_rescue') IS NOT NULL") == "1", 10, "it is held")
            self.assertEqual(call(SIDING, "replica", "pause", "db1", "--for", "5m", "--reason", "x", env=c.env)[0], 0)
            self.assertEqual(call(SIDING, "replica", "resume", "db1", env=c.env)[0], 0)
            c.expect_caught_up()
            wait_until(lambda: self.node("db1")["state"] == "serving", 20, "it serves again")
            self.assertIsNone(holder.poll(), "the stranger's connection was cut off")
        finally:
            holder.kill()
            holder.wait()

    def node(self, name):
        return next(n for n in self.ask("/v1/nodes")[1] if n["name"] == name)

    def test_rows_that_plain_sql_puts_there(self):
        """What siding.submit would refuse, siding.enqueue refuses too."""
        c = self.cluster
        for args, options in (("'[\"a\"'", "'{}'"), ("REPEAT('[', 500000)", "'{}'"),
                              ("'[]'", "'{\"database\": [\"a\"]}'")):
            with self.assertRaises(Failed):
                c.sql("db0", "INSERT INTO siding.enqueue (job, args, options) VALUES ('dump', %s, %s)" % (args, options))
        self.assertEqual(c.value("db0", "SELECT COUNT(*) FROM siding.enqueue"), "0")

    def test_an_agent_run_by_root_leaves_nothing_of_root(self):
        """What root writes there, the agent could not read as its own user."""
        if os.geteuid() != 0:
            return
        agent, conf = os.path.join(BUILD, "siding-agent"), os.path.join(self.cluster.folder, "db1", "agent.conf")
        for words in ((), ("--release",)):
            status, _, err = call(agent, "--config", conf, *words)
            self.assertEqual(status, 1)
            self.assertIn("not meant to be run by root", err)
        folder = tempfile.mkdtemp(dir="/tmp")
        try:
            with open(conf, encoding="utf-8") as f:
                text = re.sub(r'"[^"]*/db1/(agent|spool)"', '"%s/\\1"' % folder, f.read())
            text = re.sub(r'listen = \[[^]]*\]', 'listen = [ "unix:%s/s" ]' % folder, text)
            text = re.sub(r"(?s)\b(roles = \{.*?\}|token_file = [^;]*);", "", text)  # its tokens are root's
            self.assertIn('"%s/agent"' % folder, text)
            with open(os.path.join(folder, "agent.conf"), "w", encoding="utf-8") as f:
                f.write(text)
            os.mkdir(os.path.join(folder, "agent"))
            for path in (folder, os.path.join(folder, "agent"), os.path.join(folder, "agent.conf")):
                shutil.chown(path, "nobody")
            process = subprocess.Popen([agent, "--config", os.path.join(folder, "agent.conf"), "--allow-root"], stderr=subprocess.DEVNULL)
            try:
                wait_until(lambda: os.path.exists(os.path.join(folder, "agent", "lock")), 10, "it has begun")
                wait_until(lambda: os.path.exists(os.path.join(folder, "s")), 10, "it serves")
            finally:
                process.terminate()
                process.wait(20)
            left = [os.path.join(where, n) for where, folders, names in os.walk(folder) for n in folders + names]
            self.assertEqual([p for p in left if os.lstat(p).st_uid == 0], [])
        finally:
            shutil.rmtree(folder)

    def test_agents_refuse_what_no_coordinator_says(self):
        for path, body, says in (
                ("/v1/pause", {"for_s": 60, "reson": "x"}, 'did you mean "reason"?'),
                ("/v1/resume", {"by": "b" * 500}, "by"),
                ("/v1/role", {"term": 1, "role": "both"}, "role")):
            agent = next(n["url"] for n in self.ask("/v1/nodes")[1] if n["name"] == "db1")
            request = urllib.request.Request(agent + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=30 * slack()).close()
            self.assertIn(caught.exception.code, (400, 403))
            if caught.exception.code == 400:
                self.assertIn(says, json.load(caught.exception)["error"]["text"])


class MariaDB(Bounds, ClusterTest):
    flavor = "mariadb"


class MySQL(Bounds, ClusterTest):
    flavor = "mysql"


if __name__ == "__main__":
    main()
