# SPDX-License-Identifier: Apache-2.0
"""From a submission to the process, beside a loop of five seconds as BibSched's and the claim of Solid Queue, in a full queue."""
import contextlib
import json
import os
import statistics
import subprocess
import threading
import time
import urllib.request

from bench import Peer
from harness import BUILD, Cluster, Session, numbers

JOB = 'name = "stamp"; kind = "command"; on = "primary"; program = "/bin/bash"; args = [ "-c", "echo $SIDING_RUN_ID $EPOCHREALTIME >>%s/truth" ];\n'
PIECE, SLOTS = 10000, 32
IMITATIONS = """
DROP DATABASE IF EXISTS imitations; CREATE DATABASE imitations; USE imitations;
CREATE TABLE schTASK (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, proc VARCHAR(255) NOT NULL, host VARCHAR(255) NOT NULL DEFAULT '',
  user VARCHAR(50) NOT NULL, runtime DATETIME NOT NULL, sleeptime VARCHAR(20), arguments MEDIUMBLOB, status VARCHAR(50), progress VARCHAR(255),
  priority TINYINT NOT NULL DEFAULT 0, sequenceid INT, KEY status (status), KEY runtime (runtime), KEY priority (priority)) ENGINE=InnoDB;
CREATE TABLE ready (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, job_id BIGINT NOT NULL, queue_name VARCHAR(64) NOT NULL, priority INT NOT NULL,
  created_at DATETIME(6) NOT NULL, UNIQUE KEY (job_id), KEY poll_all (priority, job_id), KEY poll_by_queue (queue_name, priority, job_id)) ENGINE=InnoDB;
CREATE TABLE claimed (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, job_id BIGINT NOT NULL, process_id BIGINT, created_at DATETIME(6) NOT NULL,
  UNIQUE KEY (job_id)) ENGINE=InnoDB;
CREATE TABLE job (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, queue_name VARCHAR(64) NOT NULL, class_name VARCHAR(64) NOT NULL, priority INT NOT NULL,
  finished_at DATETIME(6), KEY (finished_at)) ENGINE=InnoDB;
"""


def options(parser):
    parser.add_argument("--waiting", type=int, default=100000, metavar="N", help="tasks that wait, none of them eligible (default 100000)")
    parser.add_argument("--ended", type=int, default=1000000, metavar="N", help="tasks that have ended (default 1000000)")
    parser.add_argument("--submissions", type=int, default=100, metavar="N", help="measured by each way (default 100)")
    parser.add_argument("--burst", type=int, default=300, metavar="N", help="tasks submitted at once (default 300)")


class Queue:
    def __init__(self, cluster):
        self.c = cluster
        self.url = "http://127.0.0.1:%d" % (cluster.ports.base + 20)

    def fill(self, waiting, ended):
        """As SQL has them: in thirds they wait for a hand (priority -11), for a host that is not there, for next year."""
        sql = Session(self.c.socket("db0"))
        for first in range(0, waiting + ended, PIECE):
            live, n = first < waiting, min(PIECE, (waiting if first < waiting else waiting + ended) - first)
            state = "'waiting'" if live else "'done'"
            base = int(sql.sql("SELECT COALESCE(MAX(id), 0) FROM siding.task")[0][0])
            rows = "(SELECT %d + seq AS id, seq MOD 3 AS third FROM %s) n" % (base, numbers(n))
            sql.sql("START TRANSACTION; INSERT INTO siding.task (id, state, user, priority, run_at, finished_at) SELECT id, %s, 'bench', "
                    "IF(%d AND third = 0, -11, 0), IF(%d AND third = 2, '2040-01-01', UTC_TIMESTAMP(3)), IF(%d, NULL, UTC_TIMESTAMP(3)) FROM %s; "
                    "INSERT INTO siding.spec (task_id, job, name, on_role, kind, user, args, options, host, submitted_at) SELECT id, 'stamp', "
                    "CONCAT('filler', id), 'primary', 'command', 'bench', '[]', '{}', IF(%d AND third = 1, 'db9', NULL), UTC_TIMESTAMP(3) FROM %s; COMMIT"
                    % (state, live, live, live, rows, live, rows), 600)
            if not live:
                sql.sql("INSERT INTO siding.run (task_id, no, state, outcome, term, nodes, started_at, finished_at) SELECT %d + seq, 1, 'done', 'ok', 1, "
                        "'[\"db0\"]', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) FROM %s" % (base, numbers(n)), 600)

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def truth(self):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.c.folder, "truth"), encoding="utf-8") as f:
            return {words[0].split(".")[0]: float(words[1]) for words in map(str.split, f) if len(words) == 2}
        return {}

    def wait_for(self, task, within_s=120):
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            at = self.truth().get(str(task))
            if at:
                return at
            time.sleep(0.002)
        raise RuntimeError("task %s was not started: %s" % (task, self.call("GET", "/v1/tasks/%s/why" % task)))

    def by_api(self, n):
        times = []
        for i in range(n):
            begun = time.time()
            task = self.call("POST", "/v1/tasks", {"job": "stamp", "name": "api%d" % i})["id"]
            times.append((self.wait_for(task) - begun) * 1000)
        return times

    def by_sql(self, n):
        sql, times = Session(self.c.socket("db0")), []
        for i in range(n):
            begun = time.time()
            task = sql.sql("CALL siding.submit('stamp', NULL, '{\"name\": \"sql%d\"}', @id); SELECT @id" % i)[-1][0]
            times.append((self.wait_for(task) - begun) * 1000)
        return times

    def burst(self, n):
        """Starts a second: from the first submission until the last process has begun."""
        begun, tasks, lock = time.time(), [], threading.Lock()

        def some(part):
            for i in range(n // 4):
                task = self.call("POST", "/v1/tasks", {"job": "stamp", "name": "burst%d-%d" % (part, i)})["id"]
                with lock:
                    tasks.append(str(task))
        threads = [threading.Thread(target=some, args=(k,)) for k in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        stored = time.time() - begun
        while not set(tasks) <= set(self.truth()):
            time.sleep(0.05)
            if time.time() - begun > 600:
                raise RuntimeError("%d of %d have begun" % (len(set(tasks) & set(self.truth())), len(tasks)))
        return len(tasks) / stored, len(tasks) / (max(self.truth()[t] for t in tasks) - begun)


class Imitations:
    """Both start their programs as they do it: by a process of the operating system."""

    def __init__(self, cluster, waiting, ended):
        self.c = cluster
        self.sql = Session(cluster.socket("db0"))
        self.sql.sql(IMITATIONS, 60)
        for first in range(0, waiting + ended, PIECE):
            n = min(PIECE, waiting + ended - first)
            status = "WAITING" if first < waiting else "DONE"
            self.sql.sql("USE imitations; INSERT INTO schTASK (proc, host, user, runtime, arguments, status, priority) SELECT CONCAT('filler', seq), "
                         "IF(seq MOD 3 = 1, 'db9', ''), 'bench', IF(seq MOD 3 = 2, '2037-01-01', NOW()), '', '%s', IF(seq MOD 3 = 0, -11, 0) FROM %s" % (status, numbers(n)), 600)
            if first < waiting:  # a paused queue; those due later and bound elsewhere would not be ready there
                self.sql.sql("USE imitations; INSERT INTO ready (job_id, queue_name, priority, created_at) SELECT %d + seq, 'paused', 0, NOW(6) FROM %s" % (first + 10 ** 9, numbers(n)), 600)
            else:
                self.sql.sql("USE imitations; INSERT INTO job (queue_name, class_name, priority, finished_at) SELECT 'q', 'stamp', 0, NOW(6) FROM %s" % numbers(n), 600)

    def run(self, n, submit, turn, pause_s):
        """A worker's loop beside a client that submits when the last one has begun."""
        state = {"stop": False, "at": {}}

        def work():
            sql = Session(self.c.socket("db0"))
            while not state["stop"]:
                for key in turn(sql):
                    subprocess.Popen(["/bin/true"]).wait()
                    state["at"][key] = time.time()
                time.sleep(pause_s)
        thread = threading.Thread(target=work)
        thread.start()
        times = []
        try:
            for i in range(n):
                begun = time.time()
                key = submit(i)
                while key not in state["at"]:
                    time.sleep(0.002)
                times.append((state["at"][key] - begun) * 1000)
                time.sleep(pause_s * ((i * 0.37) % 1))  # not in step with the loop
        finally:
            state["stop"] = True
            thread.join()
        return times

    def bibsched(self, n):
        """Reads all that waits, in its order, and starts the first that may: one a cycle of five seconds."""
        def submit(i):
            return self.sql.sql("USE imitations; INSERT INTO schTASK (proc, user, runtime, arguments, status) VALUES ('stamp%d', 'bench', NOW(), '', 'WAITING'); "
                                "SELECT LAST_INSERT_ID()" % i)[-1][0]

        def turn(sql):
            sql.sql("USE imitations")
            running = sql.sql("SELECT id, proc, runtime, status, priority, host, sequenceid FROM schTASK WHERE status IN ('RUNNING','CONTINUING','SLEEPING','ABOUT TO STOP','ABOUT TO SLEEP')")
            rows = sql.sql("SELECT id, proc, runtime, status, priority, host, sequenceid FROM schTASK WHERE (status = 'WAITING' OR status = 'SLEEPING') AND runtime <= NOW() "
                           "ORDER BY priority DESC, runtime ASC, id ASC")
            for task in rows:
                if int(task[4]) < -10 or task[5] not in ("", "db0") or task[1] in {r[1] for r in running}:
                    continue
                sql.sql("UPDATE schTASK SET status = 'SCHEDULED', host = 'db0' WHERE id = %s AND status = 'WAITING'" % task[0])
                sql.sql("UPDATE schTASK SET status = 'DONE' WHERE id = %s" % task[0])
                return [task[0]]
            return []
        return self.run(n, submit, turn, 5)

    def solid_queue(self, n):
        """Its poll of 0.1 s: the statement that claims from the queues that are not paused, the claim, the deletion."""
        def submit(_):
            return self.sql.sql("USE imitations; START TRANSACTION; INSERT INTO job (queue_name, class_name, priority) VALUES ('default', 'stamp', 0); SET @id = LAST_INSERT_ID(); "
                                "INSERT INTO ready (job_id, queue_name, priority, created_at) VALUES (@id, 'default', 0, NOW(6)); COMMIT; SELECT @id")[-1][0]

        def turn(sql):
            found = sql.sql("USE imitations; START TRANSACTION; SELECT id, job_id FROM ready WHERE queue_name = 'default' ORDER BY priority ASC, job_id ASC LIMIT 3 FOR UPDATE SKIP LOCKED")
            if not found:
                sql.sql("ROLLBACK")
                return []
            sql.sql("INSERT INTO claimed (job_id, process_id, created_at) VALUES %s; DELETE FROM ready WHERE id IN (%s); COMMIT" %
                    (", ".join("(%s, 1, NOW(6))" % r[1] for r in found), ", ".join(r[0] for r in found)))
            ids = ", ".join(r[1] for r in found)
            sql.sql("START TRANSACTION; UPDATE job SET finished_at = NOW(6) WHERE id IN (%s); DELETE FROM claimed WHERE job_id IN (%s); COMMIT" % (ids, ids))
            return [r[1] for r in found]
        return self.run(n, submit, turn, 0.1)


def p99(times):
    return sorted(times)[max(0, -(-len(times) * 99 // 100) - 1)]


def memory_mb(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


def start(c, q):
    """Starts it: the process, and the seconds until it says that the queue is read."""
    begun = time.monotonic()
    with open(os.path.join(c.folder, "coordinator", "bench.log"), "a", encoding="utf-8") as log:
        daemon = subprocess.Popen([os.path.join(BUILD, "sidingd"), "--config", c.env["SIDING_CONFIG"]], stderr=log)
    while True:
        with contextlib.suppress(OSError, KeyError):
            if q.call("GET", "/v1/status")["database"]["ok"]:
                break
        time.sleep(0.01)
    return daemon, time.monotonic() - begun


def seconds(work):
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def main(bench):
    o = bench.options
    waiting, ended, n, burst = (3000, 10000, 5, 40) if bench.quick else (o.waiting, o.ended, o.submissions, o.burst)
    with Cluster(1, o.flavor) as c:
        for i in range(2):
            c.sql("db%d" % i, "SET GLOBAL innodb_buffer_pool_size = %d" % (1 << 30))
        c.job("stamp", JOB % c.folder)
        q = Queue(c)
        time.sleep(2)
        c.kill("sidingd")
        with open(c.env["SIDING_CONFIG"], "a", encoding="utf-8") as conf:
            conf.write("primary_slots = %d;\n" % SLOTS)  # the end of one task is no part of the next one's start
        bench.say("# filling: %d waiting, %d ended" % (waiting, ended))
        q.fill(waiting, ended)
        imitations = Imitations(c, waiting, ended)
        daemon, start_s = start(c, q)
        try:
            q.by_api(3)
            figures = {}

            def peer(name, work, count):
                def timed():
                    figures.setdefault(name, []).extend(work(count))
                    return {"seconds": statistics.median(figures[name]) / 1000}
                return Peer(name, timed)
            bench.compare("submit to process", [peer("siding, API", q.by_api, n), peer("siding, SQL", q.by_sql, n),
                                                peer("Solid Queue's claim", imitations.solid_queue, n),
                                                peer("BibSched's loop", imitations.bibsched, max(3, n // 10))])
            for name, times in figures.items():
                bench.say("  %-20s median %7.1f ms, p99 %7.1f ms, of %d" % (name, statistics.median(times), p99(times), len(times)))
            stored, started = q.burst(burst)
            bench.target("API: submit to process, median ms", statistics.median(figures["siding, API"]), at_most=20)
            bench.target("API: p99 ms", p99(figures["siding, API"]), at_most=60)
            bench.target("SQL: p99 ms", p99(figures["siding, SQL"]), at_most=150)
            bench.target("burst: submissions on record a second", stored, at_least=500)
            bench.target("burst: processes begun a second", started, at_least=500)
            bench.target("memory of sidingd, MB", memory_mb(daemon.pid), at_most=64)
            for path in ("/v1/tasks?limit=100", "/v1/tasks?limit=1000", "/v1/tasks?state=done&limit=100", "/v1/tasks?state=waiting&limit=100", "/v1/status", "/v1/results", "/v1/schedules"):
                bench.target("GET %s, s" % path, statistics.median(seconds(lambda p=path: q.call("GET", p)) for _ in range(5)), at_most=0.2)
            bench.target("start of the daemon, s", start_s, at_most=3)
        finally:
            daemon.kill()
            daemon.wait()
