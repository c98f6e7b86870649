#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One agent and its server: pause, run, seal, resume."""
import os
import re
import time

from agent_case import Base, Load, Refused, sequence
from harness import main
from machine import command_lines, process_stat, running, wait_until


class Exact:
    """What must hold on both flavours."""

    def test_a_run_reads_one_exact_state_under_load(self):
        run = self.new_run()
        self.cluster.expect_caught_up()
        base = int(self.cluster.value("db0", "SELECT COUNT(*) FROM t.w")) - \
            sequence(self.cluster.position("db0"))
        with Load(self.cluster):
            time.sleep(0.5)
            after = self.cluster.position("db0")
            self.one.run(run, args=["3"], after_gtid=after)
            outcome, error, r = self.one.ended(run)
        self.assertEqual((outcome, error), ("ok", None))
        self.assertGreaterEqual(sequence(r["gtid"]), sequence(after))
        begin, end = self.result("db1", run, "begin.tsv.gz"), self.result("db1", run, "end.tsv.gz")
        self.assertEqual(begin, end)
        self.assertEqual(int(begin.split()[0]), sequence(r["gtid"]) + base, "rows at exactly this GTID")
        self.assertGreater(r["replay"]["buffered_trx"], 100)
        self.assertTrue(r["replay"]["settings_restored"])
        self.assertEqual(os.system("cd %s && sha256sum --quiet -c SHA256SUMS" % self.folder("db1", "spool", run)), 0)

    def test_two_replicas_stand_at_one_gtid(self):
        run = self.new_run()
        pair = (self.one, self.two)
        with Load(self.cluster):
            for shard, agent in enumerate(pair):
                agent.run(run, args=["1"], barrier=True, shard=shard, shards=2)
                first = agent.expect(run, "frozen")["gtid"]
                wait_until(lambda at=first: sequence(self.cluster.position("db0")) > sequence(at), 20, "the load has gone on")
                if agent == self.one:
                    wait_until(lambda at=first: sequence(self.cluster.position("db2")) > sequence(at), 20, "the other one has gone on")
            frozen = [agent.expect(run, "frozen") for agent in pair]
            self.assertNotEqual(frozen[0]["gtid"], frozen[1]["gtid"])
            first = max(frozen, key=lambda r: sequence(r["gtid"]))
            for agent in pair:
                agent.post("/v1/runs/%s/align" % run, gtid=first["gtid"], source_file=first["source_file"],
                           source_pos=first["source_pos"])
            for agent in pair:
                wait_until(lambda a=agent: a.run_state(run)["aligned"], 20, "aligned")
                self.assertEqual(agent.run_state(run)["gtid"], first["gtid"])
                agent.call("POST", "/v1/runs/%s/go" % run, {})
            for agent in pair:
                self.assertEqual(agent.ended(run)[:2], ("ok", None))
        self.assertEqual(self.result("db1", run, "begin.tsv.gz"), self.result("db2", run, "begin.tsv.gz"))

    def half_done(self, *statements):
        """A run that awaits its submission when the primary does what leaves something half done: no preflight sees it."""
        self.cluster.expect_caught_up()
        at = self.cluster.position("db0")
        head, n = re.match(r"(.*\D)(\d+)$", at).groups()

        def taken():
            run = self.new_run()
            try:
                self.one.run(run, after_gtid="%s%d" % (head, int(n) + len(statements)))
            except Refused as e:
                if "XA transactions are prepared" in str(e):
                    return None  # what it has last seen of the one before
                raise
            return run
        run = wait_until(taken, 20, "the run is taken")
        self.one.expect(run, "accepted")
        for session, statement in statements:
            session.sql(statement)
        return run

    def test_a_replica_does_not_stand_still_with_something_half_done(self):
        with self.cluster.session("db0") as xa, self.cluster.session("db0") as other:
            prepare = "XA START 'h'; INSERT INTO t.w (v) VALUES ('xa'); XA END 'h'; XA PREPARE 'h'"
            row = "INSERT INTO t.w (v) VALUES ('behind')"
            run = self.half_done((xa, prepare), (other, row))
            wait_until(lambda: self.one.lease()["phase"] == "pausing", 20, "pausing")
            xa.sql("XA COMMIT 'h'")
            outcome, error, r = self.one.ended(run)
            self.assertEqual((outcome, error), ("ok", None))
            self.assertEqual(sequence(r["gtid"]), sequence(self.cluster.position("db0")), "it moved on to the XA COMMIT")
            self.assertEqual(self.result("db1", run, "end.tsv.gz").split()[0], self.cluster.value("db0", "SELECT COUNT(*) FROM t.w"))
            run = self.half_done((xa, prepare), (other, row))
            outcome, error, r = self.one.ended(run)
            self.assertEqual((outcome, r["gtid"]), ("error", None))
            self.assertIn("1 XA transactions are prepared", error)
            self.cluster.expect_replicating("db1")
            xa.sql("XA ROLLBACK 'h'")
            other.sql("SET binlog_format=STATEMENT")
            run = self.half_done((other, "CREATE TEMPORARY TABLE t.x (a INT) ENGINE=InnoDB"), (other, row))
            self.assertIn("temporary tables are open", self.one.ended(run)[1])
            other.sql("DROP TEMPORARY TABLE t.x")  # the end of its session would drop it too, but some time
        self.cluster.expect_caught_up()

    def delay(self, node, seconds):
        self.cluster.sql(node, ("STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_DELAY=%d; START REPLICA" if self.flavor == "mysql" else
                                "STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=%d; START SLAVE") % seconds)

    def test_a_delayed_replica_has_caught_up_when_it_waits_for_its_delay(self):
        def waits():
            return self.cluster.replication("db1")["SQL_Remaining_Delay"]
        self.cluster.expect_caught_up()
        self.delay("db1", 300)
        try:
            with Load(self.cluster):
                wait_until(waits, 20, "the applier waits")
                self.one.post("/v1/pause", for_s=60, reason="a look", by="dba", allow=["delayed"])
                time.sleep(1)
                self.one.post("/v1/resume", by="dba")
                wait_until(lambda: self.one.lease()["owner"] is None, 30, lambda: "no lease: %s" % self.one.lease())
                self.assertEqual(self.settings("db1"), self.before["db1"])
                self.assertTrue(waits(), "and still does")
                self.assertFalse([w for w in self.one.state()["warnings"] if "relay" in w])
        finally:
            self.delay("db1", 0)

    def test_a_killed_server_ends_the_pause_and_replication_goes_on(self):
        for job, args in (("read", ["30"]), ("sleeps", [])):
            run = self.new_run()
            self.one.run(run, job=job, args=args)
            self.one.expect(run, "running")
            self.backlog(300)
            self.cluster.kill("server1")
            time.sleep(0.5)
            self.cluster.must_sandbox("start", "db1")
            outcome, error, _ = self.one.ended(run, 90)
            self.assertEqual(outcome, "error")
            # A job that has a connection may notice first: then its own words stand before.
            self.assertRegex(error, "server restarted (under the job|before replication was started again)")
            self.cluster.expect_replicating("db1")
            self.cluster.expect_caught_up()


class KeptSemiSync:
    def test_semi_sync_that_a_person_keeps(self):
        """Whatever becomes of the server, it stays as it is, and what it lacks is told."""
        c = self.cluster
        term, variable = self.primary.state()["term"], "rpl_semi_sync_%s_enabled" % ("source" if self.flavor == "mysql" else "master")
        conf = os.path.join(c.folder, "db0", "agent.conf")
        with open(conf, encoding="utf-8") as f:
            old = f.read()

        def restart_with(text):
            with open(conf, "w", encoding="utf-8") as f:
                f.write(text)
            c.kill("agent0")
            c.start("db0")

        def look():
            return c.value("db0", "SELECT CONCAT(@@GLOBAL.read_only + 0, @@GLOBAL.%s + 0)" % variable)

        def told():
            return [x for x in self.primary.get("/v1/preflight") if x["name"] == "semi_sync_source"]
        try:
            restart_with(old + 'semi_sync = "leave";\n')
            for value in "10":
                c.sql("db0", "SET GLOBAL %s=%s" % (variable, value))
                for role, closed in (("replica", "1"), ("primary", "0")):
                    self.primary.post("/v1/role", role=role, term=term)
                    wait_until(lambda expected=closed + value: look() == expected, 20, lambda role=role: "as %s: %s" % (role, look()))
                wait_until(lambda value=value: bool(told()) == (value == "0"), 20, lambda: "what it lacks is told: %s" % told())
            c.sql("db0", told()[0]["mend"])
            wait_until(lambda: not told(), 20, lambda: "it is mended as told: %s" % told())
        finally:
            restart_with(old)
            c.sql("db0", "SET GLOBAL %s=1" % variable)
            self.primary.post("/v1/role", role="primary", term=term)
        self.primary.post("/v1/role", role="replica", term=term)
        wait_until(lambda: look() == "10", 20, lambda: "without it, it is switched: %s" % look())
        self.primary.post("/v1/role", role="primary", term=term)
        wait_until(lambda: look() == "01", 20, lambda: "and back: %s" % look())


class Runs(KeptSemiSync, Exact, Base):

    def test_catching_up_is_boosted_and_the_settings_come_back(self):
        run = self.new_run()
        self.one.run(run, job="sleeps", args=[])
        self.one.expect(run, "running")
        self.backlog(3000)
        with self.cluster.table_held("db1", "t.w", "READ"):  # it cannot be over before it is looked at
            self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
            wait_until(lambda: self.one.lease()["phase"] == "catching_up", 60, lambda: "catching up: %s" % self.one.lease())
            self.assertEqual(self.settings("db1")[0][:2], ("0", "2"))
        seen = set()

        def caught_up():
            seen.add(self.settings("db1")[0][:2])
            return self.one.run_state(run)["state"] == "caught_up"
        wait_until(caught_up, 60, "caught up")
        self.assertNotIn(("0", "0"), seen)
        replay = self.one.run_state(run)["replay"]
        self.assertGreaterEqual(replay["buffered_trx"], 2900)
        self.assertGreater(replay["rate"], 0)
        self.assertGreater(replay["seconds"], 0)
        self.assertTrue(replay["settings_restored"])

    def test_the_job_gets_its_contract_and_nothing_else(self):
        run = self.new_run()
        self.cluster.job("env", 'name = "env"; kind = "command"; program = "/usr/bin/env";\n')
        wait_until(lambda: any(j["name"] == "env" for j in self.one.state()["jobs"]), 10, "job env")
        self.one.run(run, job="env", args=[])
        self.one.ended(run)
        _, text = self.one.get("/v1/runs/%s/log" % run, raw=True)
        env = dict(line.split("=", 1) for line in text.decode().splitlines())
        self.assertEqual(env["SIDING_RUN_ID"], run)
        self.assertEqual(env["SIDING_GTID"], self.one.run_state(run)["gtid"])
        self.assertEqual((env["SIDING_SHARD"], env["SIDING_SHARDS"]), ("0", "1"))
        self.assertEqual(env["SIDING_RESULT_DIR"], self.folder("db1", "spool", run))
        self.assertIn("SIDING_DEFAULTS_FILE", env)
        self.assertFalse(os.path.exists(env["SIDING_DEFAULTS_FILE"]), "its password does not outlive it")
        self.assertNotIn("SIDING_CONFIG", env)

    def test_a_failing_job_leaves_no_result_and_says_why(self):
        run = self.new_run()
        self.one.run(run, job="fails", args=[])
        outcome, error, _ = self.one.ended(run)
        self.assertEqual(outcome, "error")
        self.assertIn("ended with status 3: this went wrong", error)
        self.assertFalse(os.path.exists(self.folder("db1", "spool", run)))

    def test_a_job_without_its_program_takes_no_replica(self):
        with self.assertRaises(Refused) as refused:
            self.one.run(self.new_run(), job="missing", args=[])
        self.assertIn("/no/such/program: there is no such file", str(refused.exception))
        self.assertFalse(self.one.lease().get("owner"))

    def test_stop_kill_sleep_and_wake(self):
        run = self.new_run()
        self.one.run(run, job="sleeps", args=[])
        self.one.expect(run, "running")
        self.one.post("/v1/runs/%s/request" % run, action="sleep", by="test")
        self.one.expect(run, "sleeping")
        pid = self.process_of("db1", run)["job_pid"]
        wait_until(lambda: process_stat(pid)[0] == "T", 20, "the job stands still")
        self.assertEqual(self.one.lease()["phase"], "frozen")
        self.one.post("/v1/runs/%s/request" % run, action="wake", by="test")
        wait_until(lambda: process_stat(pid)[0] != "T", 5, "the job goes on")
        self.one.post("/v1/runs/%s/request" % run, action="stop", by="test")
        self.assertEqual(self.one.ended(run)[:2], ("stopped", "stopped by test"))
        self.assertFalse(running(pid))

        run = self.new_run()
        self.one.run(run, job="stubborn", args=[])
        self.one.expect(run, "running")
        self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
        self.assertEqual(self.one.ended(run, 10)[0], "killed")

    def test_nothing_of_a_killed_job_lives_on(self):
        run = self.new_run()
        self.one.run(run, job="strays", args=[])
        self.one.expect(run, "running")
        wait_until(lambda: self.strays(), 5, "the stray process")
        self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
        self.one.ended(run)
        self.assertEqual(self.strays(), [])

    @staticmethod
    def strays():
        return [pid for pid, words in command_lines().items() if words == ["sleep", "601"] and running(pid)]

    def test_the_pause_limit_ends_the_job_and_frees_the_replica(self):
        run = self.new_run()
        self.one.run(run, job="sleeps", args=[], pause_limit_ms=2000)
        outcome, error, r = self.one.ended(run, 30)
        self.assertEqual(outcome, "error")
        self.assertIn("pause limit", error)
        self.assertEqual(r["error_kind"], "timeout")

    def test_a_second_pause_is_refused_with_the_name_of_the_first(self):
        run = self.new_run()
        self.one.run(run, job="sleeps", args=[])
        self.one.expect(run, "running")
        with self.assertRaises(Refused) as refused:
            self.one.run(self.new_run(), args=["1"])
        self.assertEqual(refused.exception.status, 409)
        self.assertIn("paused already, by run " + run, refused.exception.text)
        with self.assertRaises(Refused) as refused:
            self.one.post("/v1/pause", for_s=5, reason="x", by="me")
        self.assertEqual(refused.exception.status, 409)
        self.assertEqual(self.one.run(run, job="sleeps", args=[])["state"], "running", "the same run again is no second one")
        self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
        self.one.ended(run)

    def test_bad_requests_are_refused_and_touch_nothing(self):
        for body, status, words in (
                ({"job": "nothing"}, 422, 'the job "nothing" is not in the configuration of db1'),
                ({"args": ["1; rm"]}, 422, "may not be given the argument"),
                ({"cluster_name": "other"}, 422, 'belongs to cluster "sandbox"'),
                ({"run": "../x"}, 400, "must be a run's id"),
                ({"term": 0, "run": 5}, 400, "wrong type")):
            with self.assertRaises(Refused) as refused:
                self.one.post("/v1/runs", **dict({"run": self.new_run(), "cluster_name": "sandbox", "job": "read", "term": 1}, **body))
            self.assertEqual(refused.exception.status, status, refused.exception.text)
            self.assertIn(words, refused.exception.text)
        with self.assertRaises(Refused) as refused:
            self.primary.run(self.new_run())
        self.assertEqual(refused.exception.status, 422)
        self.assertIn("is not a replica", refused.exception.text)
        self.assertIsNone(self.one.lease()["owner"])

    def test_an_unapplied_submission_is_given_up_without_a_pause(self):
        run = self.new_run()
        self.one.run(run, after_gtid="0-1-99999999")
        self.one.expect(run, "accepted")
        self.assertIsNone(self.one.lease()["owner"])
        self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
        self.assertEqual(self.one.expect(run, "ended")["outcome"], "killed")

    def test_results_are_served_by_range_and_logs_by_offset(self):
        run = self.new_run()
        self.one.run(run, args=["2"])
        self.one.ended(run)
        answer, whole = self.one.get("/v1/results/%s/end.tsv.gz" % run, raw=True)
        tag = answer.headers["ETag"].strip('"')
        self.assertEqual(tag, next(f["sha256"] for f in self.one.run_state(run)["manifest"]["files"] if f["name"] == "end.tsv.gz"))
        answer, part = self.one.get("/v1/results/%s/end.tsv.gz" % run, raw=True, headers={"Range": "bytes=3-6"})
        self.assertEqual((answer.status, part), (206, whole[3:7]))
        for bad in ("/v1/results/%s/../../agent/role.json" % run, "/v1/results/..%2fagent/role.json", "/v1/results/7777.1/manifest.json"):
            with self.assertRaises(Refused) as refused:
                self.one.get(bad)
            self.assertIn(refused.exception.status, (400, 404))
        answer, text = self.one.get("/v1/runs/%s/log?stream=log&offset=7" % run, raw=True)
        self.assertEqual((text, answer.headers["X-Siding-Size"]), (b"line 2\n", "14"))
        self.assertIn(run, [m["run"] for m in self.one.get("/v1/results")])
        self.one.call("DELETE", "/v1/runs/" + run)
        with self.assertRaises(Refused):
            self.one.run_state(run)
        self.assertTrue(os.path.exists(self.folder("db1", "spool", run, "manifest.json")), "the result stays")

    def test_a_long_log_is_rotated_and_read_on_from_any_offset(self):
        run = self.new_run()
        self.one.run(run, job="talks", args=[])
        self.one.ended(run)
        answer, _ = self.one.get("/v1/runs/%s/log?offset=0" % run, raw=True)
        size = int(answer.headers["X-Siding-Size"])
        self.assertGreater(size, 1 << 20)
        _, text = self.one.get("/v1/runs/%s/log?offset=%d" % (run, size - 60), raw=True)
        self.assertTrue(text.endswith(b"line 40000 of a long log which goes on and on\n"))
        self.assertEqual(len(text), 60)

    def test_a_run_on_the_primary_touches_no_replication(self):
        run = self.new_run()
        self.assertEqual(self.primary.run(run, job="here", args=[], on="primary")["spec"]["on"], "primary")
        r = self.primary.expect(run, "ended")
        self.assertEqual((r["outcome"], r["sealed"]), ("ok", True))
        self.assertIsNone(r["paused_at"])
        self.assertEqual(r["manifest"]["upload"], {"mode": "append", "allow_nontransactional": False, "target": "t.c", "job": "here"})
        self.assertEqual(r["manifest"]["files"][0]["rows"], 1)


class OnMySQL(KeptSemiSync, Exact, Base):
    flavor = "mysql"

    def test_by_hand_and_an_applier_started_by_somebody_else(self):
        lease = self.one.post("/v1/pause", for_s=60, reason="a look", by="dba")
        self.assertEqual(lease["gtid"], self.cluster.position("db1"))
        self.one.post("/v1/resume", by="dba")
        run = self.new_run()
        wait_until(lambda: self.one.lease()["owner"] is None, 20, "the lease is gone")
        with self.job_held():
            self.one.run(run, args=["1"])
            self.one.expect(run, "running")
            self.cluster.sql("db1", "START REPLICA SQL_THREAD")
        outcome, error, _ = self.one.ended(run)
        self.assertEqual(outcome, "error")
        self.assertIn("the frozen state is lost", error)


class Pauses(Base):

    def test_by_hand_it_answers_once_frozen_and_once_applying(self):
        with Load(self.cluster):
            lease = self.one.post("/v1/pause", for_s=60, reason="a look", by="dba")
            applied = self.cluster.value("db1", "SELECT @@GLOBAL.gtid_slave_pos")
            self.assertEqual((lease["gtid"], lease["owner"], lease["phase"]), (applied, "manual", "frozen"))
            self.assertEqual(self.cluster.replication("db1")["sql"], "No")
            self.assertEqual(self.cluster.replication("db1")["io"], "Yes")
            with self.assertRaises(Refused) as refused:
                self.one.get("/healthz?role=replica&max_lag_s=100")
            self.assertEqual(refused.exception.status, 503)
            with self.assertRaises(Refused) as refused:
                self.one.post("/v1/pause", for_s=60, reason="me too", by="other")
            self.assertIn("by hand by dba", refused.exception.text)
            self.one.post("/v1/resume", by="dba", reason="done")
            self.assertEqual(self.cluster.replication("db1")["sql"], "Yes")
        wait_until(lambda: self.one.lease()["owner"] is None, 30, "the lease is gone")
        self.assertTrue(self.one.get("/healthz?role=replica&max_lag_s=100")["ok"])
        with self.assertRaises(Refused) as refused:
            self.one.post("/v1/resume", by="dba")
        self.assertEqual(refused.exception.status, 409)

    def test_it_ends_by_itself_at_its_limit(self):
        self.one.post("/v1/pause", for_s=1, reason="short", by="dba")
        wait_until(lambda: self.one.lease()["owner"] is None, 20, "the lease is gone")

    def test_resuming_by_hand_ends_the_run_that_holds_the_replica(self):
        run = self.new_run()
        self.one.run(run, job="sleeps", args=[])
        self.one.expect(run, "running")
        self.one.post("/v1/resume", by="dba", reason="needed")
        outcome, error, _ = self.one.ended(run)
        self.assertEqual((outcome, error), ("stopped", "the replica was resumed by hand by dba: needed"))

    def test_an_applier_that_somebody_else_stopped_is_left_alone_and_told(self):
        self.cluster.sql("db1", "STOP SLAVE SQL_THREAD")
        wait_until(lambda: any("somebody stopped it" in w for w in self.one.state()["warnings"]), 10, "the warning")
        with self.assertRaises(Refused) as refused:
            self.one.run(self.new_run())
        self.assertEqual(refused.exception.status, 422)
        self.assertIn("START SLAVE SQL_THREAD", refused.exception.text)
        self.kill_agent("db1")
        self.cluster.sql("db1", "STOP SLAVE")
        self.start_agent_here()
        time.sleep(1.5)
        self.assertEqual(self.cluster.replication("db1")["sql"], "No")
        self.cluster.sql("db1", "START SLAVE")

    def start_agent_here(self):
        """Without scripts/sandbox up, which waits for replication."""
        self.cluster.must_sandbox("start", "db1")
        wait_until(lambda: self.answers("db1"), 20, "agent of db1")

    def test_an_applier_started_under_a_job_voids_its_result(self):
        run = self.new_run()
        with self.job_held():
            self.one.run(run, args=["1"])
            self.one.expect(run, "running")
            self.cluster.sql("db1", "START SLAVE SQL_THREAD")
        outcome, error, _ = self.one.ended(run)
        self.assertEqual(outcome, "error")
        self.assertIn("the frozen state is lost", error)
        self.assertFalse(os.path.exists(self.folder("db1", "spool", run)))

    def test_a_write_on_the_replica_itself_voids_the_result(self):
        run = self.new_run()
        with self.job_held():
            self.one.run(run, args=["1"])
            self.one.expect(run, "running")
            before = self.cluster.value("db1", "SELECT @@GLOBAL.gtid_slave_pos")
            self.cluster.sql("db1", "SET SESSION gtid_domain_id=7; FLUSH STATUS")
        outcome, error, _ = self.one.ended(run)
        self.assertEqual(outcome, "error")
        self.assertIn("its own binlog moved", error)
        self.assertTrue(before)

    def test_a_receiver_that_stopped_under_the_pause_costs_nothing(self):
        """A START with both threads stopped would throw the buffer away: it is applied first."""
        run = self.new_run()
        self.one.run(run, job="sleeps", args=[])
        self.one.expect(run, "running")
        self.backlog(100)
        end = self.cluster.position("db0")
        wait_until(lambda: self.one.state()["server"]["received"] == end, 20, "all is received")
        self.cluster.sql("db1", "STOP SLAVE IO_THREAD")
        self.one.post("/v1/runs/%s/request" % run, action="kill", by="test")
        self.assertEqual(self.one.ended(run)[0], "killed")
        with open(self.folder("db1", "agent.log"), encoding="utf-8") as f:
            self.assertIn("100 transactions in the relay files are not applied", f.read())


if __name__ == "__main__":
    main()
