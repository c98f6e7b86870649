#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Jobs split over several replicas at one GTID: one ordinary result, also when a replica is lost on the way."""
import contextlib
import glob
import json
import os
import signal
import time

import library
from harness import BUILD, ClusterTest, main, numbers, run_key
from machine import call, wait_until
from agent_case import Agent, Load, Refused

INDEX = """
name = "%s"; kind = "index"; on = "replica"; upload = "swap"; allow_args = [ "--range=2", "--threads=1" ];
index = {
  target = "%s"; key = "id"; layout = "%s"; on_change = "discard";
  fields = ( { name = "t"; query = "SELECT id AS `key`, t AS text FROM shop.big"; } );
};
"""
PARTS = """
name = "parts"; kind = "command"; on = "replica"; upload = "append"; target = "shop.part"; program = "/bin/bash";
args = [ "-c", "echo $SIDING_SHARD | sed 's/$/\\tof the work/' >$SIDING_RESULT_DIR/shop.part.tsv" ];
"""
# A program of ten lines that shares work by the list.
SHARING = """
name = "sharing"; kind = "command"; on = "replica"; upload = "none"; program = "%s";
"""
PROGRAM = """#!/usr/bin/env python3
import json, os, time
list_ = os.fdopen(int(os.environ["SIDING_SPLIT_FD"]), "r+b", buffering=0)
def ask(**request):
    list_.write(json.dumps(request).encode() + b"\\n")
    return json.loads(list_.readline())
for line in b"[]", b"7", b"no JSON", b'{"op":"join","streams":[],"x":"' + b"y" * (5 << 20) + b'"}':
    list_.write(line + b"\\n")
    assert "error" in json.loads(list_.readline()), line[:40]
ask(op="join", streams=[{"name": "parts", "count": 40}])
assert "error" in ask(op="join", streams=[{"name": "parts", "count": 40}])
with open("done", "w") as out:
    while not (piece := ask(op="take")).get("end"):
        if piece.get("wait"):
            time.sleep(0.1)
            continue
        time.sleep(0.02 if os.environ["SIDING_SHARD"] == "0" else 0.1)
        out.write("%d\\n" % piece["number"])
        ask(op="done", stream="parts", number=piece["number"])
"""
# One that ends with status 0 on the shard it is told, with a piece in its hands.
QUITTING = """
name = "quitting"; kind = "command"; on = "replica"; upload = "none"; program = "%s"; allow_args = [ "^[0-9]$" ];
"""
QUITTER = PROGRAM.replace("import json, os, time", "import json, os, sys, time").replace(
    "        time.sleep(0.02", "        if os.environ['SIDING_SHARD'] == sys.argv[1]:\n            sys.exit(0)\n        time.sleep(0.02")
COPIED = """
name = "copied"; kind = "command"; on = "replica"; upload = "none"; program = "/bin/bash"; keep = 1;
destinations = [ "db0", "%s" ];
args = [ "-c", "echo $SIDING_RUN_ID >$SIDING_RESULT_DIR/run; seq 1 200000 >$SIDING_RESULT_DIR/numbers" ];
"""
DUMP = ("dump", "--database", "shop", "--replicas", "3", "--", "--rows-per-file=100", "--threads=1")
TABLES = ("big", "composite", "nokey", "empty")


class Shards:
    replicas, ways, losses = 3, (("2", 2), ("all", 3)), ("agent and server", "server")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.cluster
        c.sql("db0", """CREATE DATABASE t; CREATE TABLE t.w (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200));
            CREATE DATABASE shop; USE shop;
            CREATE TABLE shop.big (id INT PRIMARY KEY AUTO_INCREMENT, t VARCHAR(200) NOT NULL, v INT);
            CREATE TABLE shop.composite (a INT, b VARCHAR(20), c INT, PRIMARY KEY (a, b));
            CREATE TABLE shop.nokey (x INT, y CHAR(32)); CREATE TABLE shop.empty (id INT PRIMARY KEY);
            CREATE TABLE shop.part (shard INT, note VARCHAR(20));
            INSERT INTO shop.big (t, v) SELECT CONCAT('word', seq %% 97, ' number ', seq, ' ', LEFT(SHA2(seq, 256), 32)), seq FROM %s;
            INSERT INTO shop.composite SELECT seq %% 50, CONCAT('k', seq), seq FROM %s;
            INSERT INTO shop.nokey SELECT seq, LEFT(SHA2(seq, 256), 32) FROM %s;
            CREATE VIEW shop.seen AS SELECT id FROM shop.big;""" % (numbers(20000), numbers(3000), numbers(500)))
        cls.program = os.path.join(c.folder, "sharing.py")
        with open(cls.program, "w", encoding="utf-8") as f:
            f.write(PROGRAM)
        os.chmod(cls.program, 0o755)
        c.job("words1", INDEX % ("words1", "shop.words1", "postings"))
        c.job("words2", INDEX % ("words2", "shop.words2", "postings"))
        c.job("hits", INDEX % ("hits", "shop.hits", "hitlist"))
        c.job("parts", PARTS)
        cls.nas = os.path.join(c.folder, "nas")
        os.mkdir(cls.nas)
        c.job("copied", COPIED % cls.nas)
        c.job("sharing", SHARING % cls.program)
        quitter = os.path.join(c.folder, "quitting.py")
        with open(quitter, "w", encoding="utf-8") as f:
            f.write(QUITTER)
        os.chmod(quitter, 0o755)
        c.job("quitting", QUITTING % quitter)
        for i in (1, 2, 3):
            path = os.path.join(c.folder, "db%d" % i, "agent.conf")
            with open(path, "a", encoding="utf-8") as f:
                f.write('split_silence = "6s";\n')
            c.kill("agent%d" % i)
        c.up()
        wait_until(cls.knows, 30, "the coordinator knows the jobs")
        c.expect_caught_up()

    @classmethod
    def knows(cls):
        nodes = cls.cluster.siding("cluster", "status")["nodes"]
        return all(any(j["name"] == "sharing" for j in n["agent"].get("jobs") or []) and not n.get("agent_error") for n in nodes)

    def folder_of(self, task):
        path = self.cluster.siding("result", "path", task)
        return path if isinstance(path, str) else path["path"]

    def manifest(self, task):
        with open(os.path.join(self.folder_of(task), "manifest.json"), encoding="utf-8") as f:
            return json.load(f)

    def expect_ordinary(self, task):
        """One result: whole by its checksums, nothing of it left on the other replicas, and as a dump equal to the source."""
        c = self.cluster
        run, manifest = c.last_run(task), self.manifest(task)
        self.assertEqual((manifest["run"], manifest["gtid"], manifest["shard"]), (run["id"], run["gtid"], 0))
        c.siding("result", "verify", task)
        self.assertEqual(len([r for r in c.siding("result", "list") if r["run"] == run["id"]]), 1)
        others = [n for n in run["nodes"][1:] if n not in ((run.get("detail") or {}).get("lost") or [])]
        wait_until(lambda: not any(glob.glob(os.path.join(c.folder, n, "spool", run_key(run), "manifest.json")) for n in others), 15,
                   "the parts on %s are gone" % others)
        self.assertEqual(glob.glob(os.path.join(c.folder, "db*", "spool", ".gather-*")), [])
        return manifest

    def expect_dump_right(self, task, restore=True):
        c = self.cluster
        manifest = self.expect_ordinary(task)
        rows = {t["table"]: t["rows"] for t in manifest["tables"] if t["database"] == "shop"}
        for table in TABLES:
            self.assertEqual(str(rows[table]), c.value("db0", "SELECT COUNT(*) FROM shop.%s" % table), table)
        self.assertTrue(all(t["verified"] for t in manifest["tables"]))
        if not restore:
            return
        before = c.table_state("db0", ["shop"])
        c.sql("db0", "DROP DATABASE shop")
        status, out, err = call(os.path.join(BUILD, "siding-restore"), "-S", c.socket("db0"), "-u", "root",
                                self.folder_of(task), within_s=120)
        self.assertEqual(status, 0, out + err)
        self.assertEqual(c.table_state("db0", ["shop"]), before)
        c.expect_equal()

    def expect_idle(self, task, nodes):
        """All pieces but the one that is held are done: only who holds it can go on."""
        journal = "%s/%s/agent/runs/%s/split.jsonl" % (self.cluster.folder, nodes[0], run_key(self.cluster.last_run(task)))

        def idle():
            before = requests(journal)
            time.sleep(0.5)
            now = requests(journal)
            out = [[r["op"] for r in now if r.get("shard") == shard] for shard in (1, 2)]
            return len(before) == len(now) and not any(has_a_piece(ops) for ops in out)
        wait_until(idle, 60, "the others are done")

    def expect_all_running(self):
        c = self.cluster
        for node in ("db1", "db2", "db3"):
            c.expect_replicating(node, 60)
            wait_until(lambda n=node: "lease" not in c.journal(n), 60,
                       "the lease on %s is gone" % node)
        c.expect_caught_up()
        # Helpers end with their programs.
        wait_until(lambda: not helpers(c.folder), 10, lambda: "helpers are gone: %s" % helpers(c.folder))

    @contextlib.contextmanager
    def held(self):
        """A dump by all three, whose first replica's program waits for a table, with a piece of it in its hands, for as long."""
        c = self.cluster
        if self.flavor == "mysql":  # it locks no table for writing while it is read-only
            with self.stopped("siding-dump", DUMP) as both:
                yield both
            return
        with contextlib.ExitStack() as locks:
            locked = {n: locks.enter_context(c.table_held(n, "shop.big")) for n in ("db1", "db2", "db3")}
            task = c.submit(*DUMP)
            nodes = wait_until(lambda: c.last_run(task).get("nodes"), 30, "the run has its replicas")
            for node in nodes[1:]:
                locked[node].close()
            journal = "%s/%s/agent/runs/%s/split.jsonl" % (c.folder, nodes[0], run_key(c.last_run(task)))
            wait_until(lambda: has_a_piece(own_requests(journal)), 60, "the first replica has a piece in its hands")
            wait_until(lambda: c.last_run(task).get("state") == "running", 60, lambda: c.describe(task))
            yield task, nodes

    @contextlib.contextmanager
    def stopped(self, program, submit):
        """The same of a program that looks at the whole table first, for which the others would not wait: it stands still
        once it has joined."""
        c = self.cluster
        task = c.submit(*submit)
        first = wait_until(lambda: (c.last_run(task).get("nodes") or [None])[0], 30, "the run has its replicas")
        command = "%s .*--output %s/%s/" % (program, c.folder, first)
        pid = int(wait_until(lambda: call("pgrep", "-f", command)[1].split(), 60, "%s runs on %s" % (program, first))[0])
        journal = "%s/%s/agent/runs/%s/split.jsonl" % (c.folder, first, run_key(c.last_run(task)))
        try:
            wait_until(lambda: own_requests(journal), 30, "the first replica has joined")
            wait_until(lambda: stopped_with_a_piece(pid, journal), 30, "the first replica has a piece in its hands")
            wait_until(lambda: c.last_run(task).get("state") == "running", 60, lambda: c.describe(task))
            yield task, c.last_run(task)["nodes"]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    # -- the ordinary way

    def test_1_a_dump_by_two_and_by_all(self):
        c = self.cluster
        for replicas, shards in self.ways:
            with self.subTest(replicas=replicas):
                with Load(c):  # no two replicas are at one GTID by themselves
                    task = c.submit("dump", "--database", "shop", "--replicas", replicas, "--", "--rows-per-file=1000")
                    c.expect_state(task, "done", 120)
                manifest = self.manifest(task)
                self.assertEqual((manifest["shards"], len(manifest["nodes"])), (shards, shards))
                self.expect_dump_right(task)
        self.expect_all_running()

    def test_3_an_index_is_the_same_by_one_and_by_three(self):
        c = self.cluster
        for words in (("words1",), ("words2", "--replicas", "3"), ("hits", "--replicas", "3")):
            c.expect_state(c.submit("index", "--job", *words), "done", 120)
        one, three = [c.sql("db0", "SELECT term, COUNT(*), SUM(frequency), SUM(id * field) FROM shop.%s GROUP BY 1 ORDER BY 1" % table)
                      for table in ("words1", "words2")]
        self.assertGreater(len(one), 1000)
        self.assertEqual(one, three)
        self.expect_hits_right([(term, count) for term, count, *_ in one])
        self.expect_all_running()

    def expect_hits_right(self, counts):
        """Records of each term, and rows that do not interleave."""
        last, records = None, {}
        for term, first, hits in self.cluster.sql("db0", "SELECT term, first, HEX(hits) FROM shop.hits ORDER BY term, first"):
            found = [record for record, *_ in library.decode(bytes.fromhex(hits), int(first))]
            self.assertEqual(found[0], int(first))
            self.assertTrue(term != last or found[0] > records[term][-1], "rows of %s interleave" % term)
            records.setdefault(term, []).extend(found)
            last = term
        self.assertEqual([(term, str(len(r))) for term, r in records.items()], counts)

    # -- something is lost on the way

    def test_6_a_replica_is_lost(self):
        c = self.cluster
        for what in self.losses:
            with self.subTest(lost=what):
                with self.held() as (task, nodes):
                    lost = nodes[1]
                    if what == "server":  # of a program that has nothing to do any more and does not miss it by itself
                        self.expect_idle(task, nodes)
                    c.kill(lost if what == "agent and server" else lost.replace("db", "server"))
                    time.sleep(0.3)
                c.expect_state(task, "done", 120)
                run = c.last_run(task)
                self.assertEqual(run["detail"]["lost"], [lost])
                c.start(lost)
                c.expect_caught_up()
                self.expect_dump_right(task, restore=what == "server")
                told = c.sql("db0", "SELECT text FROM siding.event WHERE task_id = %s" % task)
                self.assertIn("%s was lost to the run" % lost, json.dumps(told))
        self.expect_all_running()

    def test_6_lists_of_hits_go_on_without_it(self):
        c = self.cluster
        with self.stopped("siding-index", ("index", "--job", "hits", "--replicas", "3", "--", "--range=2", "--threads=1")) as (task, nodes):
            c.kill(nodes[1])
        c.expect_state(task, "done", 120)
        self.assertEqual(c.last_run(task)["detail"]["lost"], [nodes[1]])
        c.start(nodes[1])
        c.expect_state(c.submit("index", "--job", "words1"), "done", 120)
        self.expect_hits_right(c.sql("db0", "SELECT term, COUNT(*) FROM shop.words1 GROUP BY 1 ORDER BY 1"))
        self.expect_all_running()

    def test_7_the_first_replica_is_lost(self):
        c = self.cluster
        with self.held() as (task, nodes):
            c.kill(nodes[0])
        time.sleep(1)
        c.start(nodes[0])
        c.expect_state(task, "error", 150)
        self.assertEqual(glob.glob(os.path.join(c.folder, "db*", "spool", run_key(c.last_run(task)))), [])
        self.expect_all_running()

class MariaDB(Shards, ClusterTest):

    def test_2_replicas_share_the_work(self):
        c = self.cluster
        task = c.submit("command", "--on", "replica", "sharing", "--replicas", "2")
        c.expect_state(task, "done", 60)
        files = sorted(glob.glob(os.path.join(self.folder_of(task), "done*")))
        self.assertEqual([os.path.basename(f) for f in files], ["done.gz", "done.s1.gz"])
        done = [call("zcat", f)[1].split() for f in files]
        self.assertEqual(sorted(int(n) for part in done for n in part), list(range(40)))
        self.assertGreater(len(done[0]), 2 * len(done[1]), "the slower replica did not take fewer pieces")
        self.expect_ordinary(task)

    def test_2_the_list_decides_not_the_exit_status(self):
        c = self.cluster
        task = c.submit("command", "--on", "replica", "quitting", "--replicas", "2", "--", "1")
        c.expect_state(task, "done", 60)
        done = [int(n) for f in glob.glob(os.path.join(self.folder_of(task), "done*")) for n in call("zcat", f)[1].split()]
        self.assertEqual(sorted(done), list(range(40)))  # by the other, which has the piece too
        self.assertEqual(len(c.last_run(task)["detail"]["lost"]), 1)
        task = c.submit("command", "--on", "replica", "quitting", "--replicas", "2", "--", "0")
        c.expect_state(task, "error", 60)
        self.assertRegex(str(c.last_run(task)["error"]), "before it was told that all pieces")
        self.expect_all_running()

    def test_4_rows_of_all_shards_are_appended(self):
        c = self.cluster
        task = c.submit("command", "--on", "replica", "parts", "--replicas", "3")
        c.expect_state(task, "done", 60)
        self.assertEqual(c.sql("db0", "SELECT shard FROM shop.part ORDER BY shard"), [("0",), ("1",), ("2",)])
        self.expect_whole_one_stays(task)

    def expect_whole_one_stays(self, task):
        """Whoever takes it for a part, as he has seen it before the others were gathered, does not remove it."""
        run = self.cluster.last_run(task)
        holder = Agent(self.cluster, run["nodes"][0])
        with self.assertRaisesRegex(Refused, "has the whole result"):
            holder.call("DELETE", "/v1/results/%s?part=1" % run_key(run))
        self.assertEqual(self.manifest(task)["run"], run["id"])

    def test_5_copies_outlive_the_replica(self):
        c = self.cluster
        task = c.submit("command", "--on", "replica", "copied")
        c.expect_state(task, "done", 60)
        run = c.last_run(task)
        places = [os.path.join(c.folder, "db0", "spool", run_key(run)), os.path.join(self.nas, run_key(run))]
        for place in places:
            wait_until(lambda p=place: os.path.exists(os.path.join(p, "manifest.json")), 90, "a copy in %s" % place)
            self.assertEqual(call("sh", "-c", "cd %s && sha256sum -c SHA256SUMS" % place)[0], 0)
        wait_until(lambda: "db0" in ((c.last_run(task).get("detail") or {}).get("copies") or []), 90, "the copy is known")
        c.kill(run["nodes"][0])
        gone = os.path.join(c.folder, run["nodes"][0], "spool", run_key(run))
        os.rename(gone, gone + ".away")  # as on a host of its own
        target = os.path.join(c.folder, "fetched")
        fetch = (os.path.join(BUILD, "siding"), "result", "fetch", task, "--to", target)
        wait_until(lambda: call(*fetch, env=c.env)[0] == 0, 40, "the copy is fetched")
        self.assertEqual(call("zcat", os.path.join(target, run["id"], "run.gz"))[1].strip(), run["id"])
        os.rename(gone + ".away", gone)
        c.start(run["nodes"][0])
        # Of the next one too; the first has expired everywhere then.
        second = c.submit("command", "--on", "replica", "copied")
        c.expect_state(second, "done", 60)
        wait_until(lambda: not any(os.path.exists(p) for p in places), 60, "the copies of the first have expired")
        self.expect_all_running()

    def test_5_bad_words(self):
        c = self.cluster
        for words, said in ((("--replicas", "0"), "neither a number from 1 on nor"), (("--replicas", "some"), "nor \"all\""),
                            (("--replicas", "9"), "the cluster has 3")):
            self.assertIn(said, c.siding("submit", "dump", "--database", "shop", *words, status=1 if "9" in words else 2))

    def test_8_agents_and_the_coordinator_are_killed(self):
        c = self.cluster
        with self.held() as (task, _):
            for process in ("agent1", "sidingd", "agent2", "agent3"):
                c.kill(process)
                c.start(process.replace("agent", "db").replace("sidingd", "coordinator"))
        c.expect_state(task, "done", 120)
        self.assertFalse((c.last_run(task).get("detail") or {}).get("lost"))
        self.expect_dump_right(task, restore=False)
        self.expect_all_running()


class MySQL(Shards, ClusterTest):
    """Freezing at one GTID, and what comes of it when a replica is lost. Left out: what agents do among themselves."""
    flavor, ways, losses = "mysql", (("all", 3),), ("server",)
    test_3_an_index_is_the_same_by_one_and_by_three = test_6_lists_of_hits_go_on_without_it = test_7_the_first_replica_is_lost = None


def requests(journal):
    with contextlib.suppress(FileNotFoundError, ValueError), open(journal, encoding="utf-8") as f:
        return [json.loads(line) for line in f]
    return []


def own_requests(journal):
    """Of shard 0."""
    return [r["op"] for r in requests(journal) if r.get("shard") == 0]


def has_a_piece(requests):
    return requests.count("take") > requests.count("done")


def stopped_with_a_piece(pid, journal):
    """Stops shard 0's program; where it was between two pieces it may go on, for a moment too short for the whole."""
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.05)
    if has_a_piece(own_requests(journal)):
        return True
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.02)
    os.kill(pid, signal.SIGSTOP)
    return False


def helpers(folder):
    out = call("pgrep", "-fa", "siding-agent split --config %s" % folder)[1]
    return [line for line in out.splitlines() if line]


if __name__ == "__main__":
    main()
