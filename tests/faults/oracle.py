# SPDX-License-Identifier: Apache-2.0
"""What must hold when a schedule is over, whatever it was: each check returns sentences about what is wrong."""
import collections
import glob
import gzip
import json
import os
import re
import subprocess
import time
import urllib.request

import load
from dialect import last_number
from harness import TASK_ENDS, run_key
from machine import Failed, parent, wait_until

# Global variables that move by themselves.
MOVING = re.compile(r"gtid_|timestamp$|.*_pos$|last_|rand_seed|innodb_buffer_pool_load|hostname|error_count|warning_count|pseudo|"
                    r"identity|insert_id|in_transaction|proxy_user|external_user")
# Why a job on several replicas may not begin: a pause that waits for the others has an end.
NOT_BEGUN = re.compile("brought to the common GTID|waited frozen for the others")
TOLD_WITHIN_S = 15
LEFTOVER_TABLES = ("SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables WHERE table_schema = 'town' "
                   "AND (table_name LIKE '%siding_new' OR table_name LIKE '%siding_todo' OR table_name LIKE '#sql%')")


def get(cluster, path):
    with urllib.request.urlopen("http://127.0.0.1:%d%s" % (cluster.ports.base + 20, path), timeout=10) as answer:
        return json.loads(answer.read())


def tasks_since(cluster, base):
    return [t for t in get(cluster, "/v1/tasks?limit=200") if t["id"] > base]


def settings(cluster):
    """{node: {variable: value}}."""
    return {n: {k: v for k, v in cluster.sql(n, "SHOW GLOBAL VARIABLES") if not MOVING.match(k)} for n in cluster.nodes}


class Oracle:
    """Judges one schedule. `deadline_s`: for everything that has to come by itself."""

    def __init__(self, cluster, schedule, writers, watch, base, before, submitted=(), last_event=0, deadline_s=60):
        self.last_event = last_event
        self.submitted = set(submitted)
        self.cluster, self.schedule, self.writers, self.watch = cluster, schedule, writers, watch
        self.base, self.before, self.until = base, before, time.monotonic() + deadline_s
        self.wrong, self.tasks, self.error, self.acknowledged = [], [], None, set()

    def left_s(self):
        return max(2.0, self.until - time.monotonic())

    def expect(self, condition, what):
        """The condition within the deadline, errors on the way forgiven; otherwise the sentence is noted."""
        def holds():
            try:
                self.error = None
                return condition()
            except (Failed, OSError, ValueError, subprocess.SubprocessError) as e:
                self.error = e
                return False
        try:
            wait_until(holds, self.left_s(), "")
            return True
        except Failed:
            self.wrong.append("%s%s" % (self.sentence(what), ": %s" % self.error if self.error else ""))
        return False

    @staticmethod
    def sentence(what):
        try:
            return what() if callable(what) else what
        except (Failed, OSError, ValueError, subprocess.SubprocessError) as e:
            return "cannot be looked at: %s" % e

    # -- tasks

    def await_tasks(self):
        def ended():
            self.tasks = tasks_since(self.cluster, self.base)
            self.acknowledge()
            return self.submitted <= {t["id"] for t in self.tasks} and all(t["state"] in TASK_ENDS for t in self.tasks)

        def which():
            return "not ended or not known: %s; " % sorted(self.submitted - {t["id"] for t in self.tasks}) + "; ".join(
                "task %d (%s) is %s, run %s (%s)" % (t["id"], t["job"], t["state"], (t["runs"] or [{}])[-1].get("state"), t.get("why"))
                for t in self.tasks if t["state"] not in TASK_ENDS)
        return self.expect(ended, which)

    def judge_tasks(self):
        for t in self.tasks:
            if t["state"] in ("error", "acknowledged") and not t.get("error"):
                self.wrong.append("task %d ended with an error and no reason" % t["id"])
            if t["job"] == "expire":
                if t["state"] == "done":
                    self.wrong.append("task %d was to sleep 20 s with a pause limit of 1.5 s and is done" % t["id"])
            elif self.schedule.harmless and t["state"] != "done" and not NOT_BEGUN.search(t.get("error") or ""):
                self.wrong.append("task %d (%s%s) is %s, though no fault can have harmed it: %s"
                                  % (t["id"], "upload of " if t["kind"] == "upload" else "", t["job"], t["state"], t.get("error")))
            if t["kind"] != "upload":
                for run in t["runs"]:
                    self.judge_run(t, run, run is t["runs"][-1])

    def judge_run(self, task, run, last):
        sealed = []
        for node in run["nodes"]:
            folder = self.cluster.path(node, "spool", run_key(run))
            if os.path.exists(os.path.join(folder, "manifest.json")):
                sealed.append(folder)
            elif os.path.exists(folder):
                self.wrong.append("%s holds a partial result: %s" % (folder, os.listdir(folder)))
        done = last and task["state"] == "done"
        # Of several replicas the first gathers the parts of the others.
        if done and self.cluster.path(run["nodes"][0], "spool", run_key(run)) not in sealed:
            self.wrong.append("run %s is done and has no sealed result" % run["id"])
        for folder in sealed:
            self.judge_result(task, run, folder)
        if task["job"] == "totals":
            self.judge_totals(run, done)
        if task["job"] == "pair" and done:
            looks = {self.text(f, n) for f in sealed for n in os.listdir(f) if re.fullmatch(r"(first|second)(\.s\d+)?\.gz", n)}
            if len(looks) != 1:
                self.wrong.append("run %s: two replicas at one GTID looked different: %s" % (run["id"], looks))

    def text(self, folder, name):
        with gzip.open(os.path.join(folder, name), "rt", encoding="utf-8") as f:
            return f.read()

    def judge_result(self, task, run, folder):
        bad = subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, check=False)
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as f:
            manifest = json.load(f)
        if bad.returncode and manifest["files"]:
            self.wrong.append("%s: checksums: %s" % (folder, bad.stdout.decode()))
        missing = [f["name"] for f in manifest["files"] if not os.path.exists(os.path.join(folder, f["name"]))]
        if missing or manifest["run"] != run["id"]:
            self.wrong.append("%s: manifest of run %s, missing files: %s" % (folder, manifest["run"], missing))
        if task["job"] == "dump":
            self.judge_dump(run, folder, manifest["gtid"])
        if task["job"] == "pair":
            self.judge_count(run, int(self.text(folder, "first.gz").split()[0]))

    def judge_count(self, run, total):
        if total != load.TOTAL:
            self.wrong.append("run %s: the accounts add up to %d, not %d: it did not read one state" % (run["id"], total, load.TOTAL))

    def judge_dump(self, run, folder, gtid):
        """Exactly the transfers of its GTID."""
        def rows(table):
            names = [n for n in os.listdir(folder) if re.match(r"town\.%s\.\d+\.sql\.gz" % table, n)]
            return "".join(self.text(folder, n) for n in names)
        self.judge_count(run, sum(int(balance) for _, balance in re.findall(r"\((\d+),(-?\d+)\)", rows("account"))))
        there, sequence = set(re.findall(r"\('(t[0-9a-f]+-\d+-\d+)'", rows("transfer"))), last_number(gtid)
        seen = self.writers.seen
        missing = [t for t, (_, most) in seen.items() if most <= sequence and t not in there]
        early = [t for t, (least, _) in seen.items() if least > sequence and t in there]
        if missing or early:
            self.wrong.append("run %s at %s: %d transactions of before are missing in the dump, %d of after are in it: %s"
                              % (run["id"], gtid, len(missing), len(early), (missing + early)[:3]))

    def judge_totals(self, run, done):
        count, different, totals = self.cluster.sql("db0", "SELECT COUNT(*), COUNT(DISTINCT n), GROUP_CONCAT(DISTINCT total) "
                                                    "FROM town.totals WHERE run = '%s'" % run["id"])[0]
        if count != different or done and count != str(load.TOTALS) or int(count) and totals != str(load.TOTAL):
            self.wrong.append("run %s: %s rows loaded, %s different, totals %s" % (run["id"], count, different, totals))

    def judge_index(self):
        """What the last loaded index says of notes that have not changed since its upload began."""
        done = [t for t in self.tasks if t["job"] == "words" and t["kind"] != "upload" and t["state"] == "done" and t["id"] in self.watch.uploads]
        if not done:
            return
        begun = self.watch.uploads[max(t["id"] for t in done)]
        utc = "SET time_zone = '+00:00'; "
        notes = self.cluster.sql("db0", utc + "SELECT id, body FROM town.note WHERE changed_at < FROM_UNIXTIME(%.3f)" % (begun - 0.1))
        gone = self.cluster.sql("db0", utc + "SELECT id FROM town.deleted_note WHERE deleted_at < FROM_UNIXTIME(%.3f) "
                                "AND id NOT IN (SELECT id FROM town.note)" % (begun - 0.1))
        index = {}
        for key, term, frequency in self.cluster.sql("db0", "SELECT note, term, frequency FROM town.word_index"):
            index.setdefault(key, {})[term] = int(frequency)
        bad = [(key, body, index.get(key)) for key, body in notes if index.get(key) != dict(collections.Counter(body.split(" ")))]
        stale = [key for (key,) in gone if key in index]
        if bad or stale:
            self.wrong.append("the index is wrong for %d of %d notes, and has %d deleted ones: %s" % (len(bad), len(notes), len(stale), bad[:2]))

    # -- servers

    def await_replication(self):
        c = self.cluster
        for node in c.nodes[1:]:
            def runs(n=node):
                now = c.replication_now(n) or {}
                return (now.get("io"), now.get("sql"), now.get("port")) == ("Yes", "Yes", str(c.ports.base))

            def how(n=node):
                now = c.replication_now(n) or {}
                keys = ("io", "sql", "port", "Last_IO_Error", "Last_SQL_Error", "received", "Slave_SQL_Running_State")
                return "replication does not run on %s: %s; lease: %s" % (n, {k: now.get(k) for k in keys}, self.lease(n))
            if self.expect(runs, how) and self.expect(lambda n=node: c.has_applied(n, c.position("db0")), "%s does not catch up" % node):
                self.expect(lambda n=node: not self.lease(n), lambda n=node: "a lease is left on %s: %s" % (n, self.lease(n)))

    def lease(self, node):
        lease = self.cluster.journal(node).get("lease")
        return lease and {k: lease.get(k) for k in ("owner", "state", "gtid")}

    def judge_servers(self):
        c = self.cluster
        def each(sql):
            return [c.value(n, sql) for n in c.nodes]
        if not self.schedule.spoils:
            self.expect(lambda: len(set(each(c.dialect.position))) == 1, lambda: "GTID positions differ: %s" % each(c.dialect.position))
        self.expect(lambda: each(c.dialect.read_only) == ["0", "1", "1"],
                    lambda: "read_only is %s on %s" % (each(c.dialect.read_only), c.nodes))
        try:
            c.expect_equal(within_s=self.left_s(), without=("scratch", "stray"))
        except (Failed, subprocess.SubprocessError) as e:
            self.wrong += [str(e), *self.different_rows()]
        total = c.value("db0", "SELECT SUM(balance) FROM town.account")
        if total != str(load.TOTAL):
            self.wrong.append("the accounts add up to %s on the primary" % total)
        filtered = c.value("db2", "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'scratch'")
        if filtered != "0":
            self.wrong.append("what db2 filters is there")
        there = {t for (t,) in c.sql("db0", "SELECT token FROM town.transfer")}
        lost = [t for t in self.writers.seen if t not in there]
        if lost:
            self.wrong.append("%d acknowledged transactions are lost: %s" % (len(lost), lost[:3]))

    def different_rows(self):
        """A few, of each table and replica, for whoever looks for the cause."""
        c = self.cluster
        for table in ("account", "transfer", "note", "deleted_note", "bulk"):
            rows = {n: set(c.try_sql(n, "SELECT * FROM town." + table) or ()) for n in c.nodes}
            for node in c.nodes[1:]:
                more, less = rows[node] - rows["db0"], rows["db0"] - rows[node]
                if more or less:
                    yield "%s of %s: %d rows that the primary has not, %s; %d rows are missing, %s" % (
                        table, node, len(more), sorted(more)[:2], len(less), sorted(less)[:2])

    def judge_settings(self):
        def different():
            now = settings(self.cluster)
            return ["%s: %s is %s, was %s" % (n, k, now[n].get(k), v) for n in now for k, v in self.before[n].items() if now[n].get(k) != v]
        self.expect(lambda: not different(), lambda: "settings are not as before: " + "; ".join(different()[:6]))

    # -- what is left behind

    def judge_leftovers(self):
        c = self.cluster
        tables = [t for (t,) in c.sql("db0", LEFTOVER_TABLES)]
        failed = any(t["kind"] == "upload" and t["state"] == "error" for t in self.tasks)
        if tables and failed:  # another try would go on with them; here nobody tries again
            c.sql("db0", "DROP TABLE " + ", ".join(tables))
        elif tables:
            self.wrong.append("tables are left on the primary: %s" % tables)
        daemons = ["sidingd", *("agent%d" % i for i in range(3)), *("server%d" % i for i in range(3))]

        def strays():
            own = {c.pid(d) for d in daemons}
            return {pid: command[:120] for pid, (command, _) in c.processes().items()
                    if pid not in own and not ("disk-look" in command and parent(pid) in own)}
        self.expect(lambda: not strays(), lambda: "stray processes: %s" % strays())
        self.expect(lambda: not self.files(), lambda: "files are left: %s" % self.files())

    def files(self):
        c, found = self.cluster, []
        for node in c.nodes:
            found += glob.glob(c.path(node, "agent", "runs", "*"))
            found += glob.glob(c.path(node, "tmp", "*")) if node != "db0" else []
            for name in os.listdir(c.path(node, "spool")):
                if not os.path.exists(c.path(node, "spool", name, "manifest.json")):
                    found.append(c.path(node, "spool", name))
            for folder, _, names in os.walk(c.path(node, "spool")):
                found += [os.path.join(folder, n) for n in names if n.endswith((".tmp", ".siding-tmp"))]
        return found

    def judge_queue(self):
        """A job on both replicas still runs, on one where they have nothing in common. A primary that was just started is
        opened within seconds."""
        c, task, replicas = self.cluster, None, "1" if self.schedule.spoils else "2"

        def submitted():
            nonlocal task
            task = c.submit("command", "--on", "replica", "noop", "--replicas", replicas)
            return task
        if not self.expect(submitted, "nothing can be submitted any more"):
            return

        def state():
            return c.task(task)["state"]
        if self.expect(lambda: state() in TASK_ENDS, lambda: "the queue is stuck: " + c.describe(task)) and state() != "done":
            self.wrong.append("a job that does nothing fails afterwards: " + c.describe(task))
        self.acknowledge()

    def acknowledge(self):
        """As a person does: a failed upload holds those after it into the same table until then."""
        for t in self.tasks:
            if t["state"] == "error" and t["id"] not in self.acknowledged:
                self.cluster.siding("task", "ack", str(t["id"]))
                self.acknowledged.add(t["id"])

    def said(self, logs):
        """By an agent: in its log, its warnings, and events about it."""
        said = {name: logs.get(name, "") + "\n".join(self.watch.warnings.get(name, ())) for name in ("coordinator", *self.cluster.nodes)}
        for node, text in self.cluster.sql("db0", "SELECT COALESCE(NULLIF(node, ''), 'coordinator'), text FROM siding.event "
                                           "WHERE id > %d" % self.last_event):
            said[node] = said.get(node, "") + "\n" + text
        return said

    def judge_telling(self, told, read_logs):
        """`told`: pairs of a node (or several, one of which does) and what must stand in what it said; "coordinator" for its
        log and events about nobody. Some of it is told only once it was seen for seconds. Returns lines that should not be
        there."""
        self.until = max(self.until, time.monotonic() + TOLD_WITHIN_S)
        for where, pattern in told:
            nodes = [where] if isinstance(where, str) else where

            def stands(pattern=pattern, nodes=nodes):
                said = self.said(read_logs())
                return any(re.search(pattern, said[n]) for n in nodes)
            self.expect(stands, "not told: /%s/ stands in no log, event or warning of %s" % (pattern, " or ".join(nodes)))
        odd = "does not belong to state|has no place in state|Assertion|Sanitizer" + ("" if self.schedule.faults else "| error siding(?!.*pause limit)")
        return [line for text in self.said(read_logs()).values() for line in re.findall(r"(?m)^.*(?:%s).*$" % odd, text)]
