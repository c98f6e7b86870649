#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sidingd against a real primary and agents that only talk: the way of a run in every turn, kill -9 in each of its
states, tasks from SQL, several replicas, a database that goes away, bad requests."""
import datetime
import os
import re
import signal
import subprocess
import time
import zoneinfo

from harness import BUILD, ClusterTest, main
from machine import slack
from sidingd_case import Sidingd


class Queue(Sidingd):
    """What stands and falls with the database."""

    def saved_state(self, task):
        return self.sql(f"SELECT t.state, r.state, r.upload_task FROM siding.task t JOIN siding.run r ON "
                                 f"r.task_id = t.id WHERE t.id = {task} ORDER BY r.no DESC LIMIT 1")[0]

    # ---- tests ------------------------------------------------------------------------------------------------------

    def test_a_job_runs_on_a_replica(self):
        task = self.submit("count")
        t = self.ends(task)
        run = t["runs"][0]
        assert run["id"] == f"{task}.1" and run["state"] == "done" and run["gtid"] == self.gtid(100), run
        assert run["nodes"] == ["db1"] and run["result_dir"], run
        self.within(3, lambda: self.saved_state(task)[:2] == ("done", "done"), "the end is on record")
        self.everything_forgotten()
        assert self.agents[0].role == "primary" and self.agents[1].role == "replica"

    def test_submit_to_start_takes_milliseconds(self):
        times = []
        for _ in range(5):
            begun = time.time()
            task = self.submit("count")
            self.within(5, lambda: any(f"{task}.1" in a.runs for a in self.agents) or
                        self.task(task)["state"] == "done", "an agent has it")
            times.append(time.time() - begun)
            self.ends(task)
        assert sorted(times)[2] < 0.2 * slack(), times

    def test_the_job_sees_its_submission(self):
        task = self.submit("count")
        self.ends(task)
        spec = [b for a in self.agents for m, p, b in a.calls if p == "/v1/runs" and b["run"] == f"{task}.1"][0]
        seq = int(spec["after_gtid"].rsplit("-", 1)[1])
        assert seq > 1, spec
        assert spec["term"] == self.get("/v1/status")["term"] and spec["shards"] == 1, spec

    def test_tasks_from_sql_are_found_within_a_second(self):
        begun = time.time()
        task = int(self.value("CALL siding.submit('count', '[\"a\"]', NULL, @id); SELECT @id"))
        self.within(3, lambda: self.task(task)["state"] != "waiting", "it is found")
        assert time.time() - begun < 1.2 * slack()
        t = self.ends(task)
        assert t["kind"] == "command" and t["args"] == ["a"], t
        self.sql("START TRANSACTION; CALL siding.submit('count', NULL, NULL, @id); ROLLBACK")
        count = len(self.get("/v1/tasks"))
        time.sleep(1.2)
        assert len(self.get("/v1/tasks")) == count
        self.sql_refuses('no agent has ever told of a job "nonsense"', "CALL siding.submit('nonsense', NULL, NULL, @id)")
        self.sql_refuses("sql_log_bin is off", "SET sql_log_bin = 0; CALL siding.submit('count', NULL, NULL, @id)")
        self.sql("INSERT INTO siding.job VALUES ('lost', 'command', 'replica', 0, NOW(3))")
        gone = int(self.value("CALL siding.submit('lost', NULL, NULL, @id); SELECT @id"))
        self.within(3, lambda: '"lost"' in self.get(f"/v1/tasks/{gone}/why")["why"], "it says why it waits")
        self.sql(f"DELETE FROM siding.task WHERE id = {gone}")
        self.within(3, lambda: gone not in [t["id"] for t in self.get("/v1/tasks")], "it is gone")
        self.within(5, lambda: self.get("/v1/status")["counts"].get("waiting", 0) == 0, "its slot is gone too")

    def test_rows_of_enqueue_are_tasks_with_a_receipt(self):
        receipt = int(self.value("INSERT INTO siding.enqueue (job, args) VALUES ('count', '[\"x\"]'); SELECT LAST_INSERT_ID()"))
        task = int(self.value(f"SELECT task_id FROM siding.enqueue WHERE id = {receipt}"))
        assert self.ends(task)["args"] == ["x"]
        self.sql_refuses("must be a JSON array", "INSERT INTO siding.enqueue (job, args) VALUES ('count', '{}')")

    def test_kill_9_in_each_state_leads_on(self):
        for a in self.agents:
            a.set(mode="append")
        for gate in ("pausing", "running", "sealing", "resuming", "caught_up"):
            self.gate(gate)
            task = self.submit("words")
            before = {"pausing": "claimed", "running": "pausing", "sealing": "running", "resuming": "sealing",
                      "caught_up": "resuming"}[gate]
            if gate == "pausing":
                self.within(5, lambda: any(a.runs for a in self.agents), "an agent has it")
            else:
                self.within(5, lambda: self.run_state(task) == before, f"{task} is {before}")
            self.kill()
            self.gate()
            time.sleep(0.1)
            self.start()
            t = self.ends(task)
            assert len(t["runs"]) == 1, t
            uploads = int(self.value(f"SELECT COUNT(*) FROM siding.task WHERE parent_task = {task}"))
            assert uploads == 1, uploads
            posts = sum(a.count("POST", "/v1/runs") for a in self.agents)
            assert posts, gate
        self.everything_forgotten()
        self.agents[0].set(gates={"running"})
        task = self.submit("words")
        self.within(5, lambda: self.run_state(task) == "uploading" and self.agents[0].runs, "uploading")
        self.restart()
        self.agents[0].set(gates=set())
        self.ends(task)
        assert int(self.value(f"SELECT COUNT(*) FROM siding.run r JOIN siding.task t ON t.id = r.task_id WHERE "
                                   f"t.parent_task = {task}")) == 1
        for a in self.agents:
            a.set(mode=None)

    def test_a_claim_whose_post_was_lost_is_posted_again(self):
        for a in self.agents:
            a.set(refuse=("unreachable", 503, "not now"))
        task = self.submit("count")
        self.within(5, lambda: self.run_state(task) == "claimed", "claimed")
        self.kill()
        for a in self.agents:
            a.set(refuse=None)
        self.start()
        t = self.ends(task)
        assert len(t["runs"]) == 1

    def test_requests_reach_the_agent(self):
        self.gate("sealing")
        task = self.submit("count")
        self.within(5, lambda: self.run_state(task) == "running", "running")
        ask = lambda action: self.call("POST", f"/v1/tasks/{task}/request", {"action": action, "by": "me"})
        ask("sleep")
        self.within(5, lambda: self.task(task)["state"] == "sleeping", "sleeping")
        self.refuses(409, "nothing to put to sleep", "POST", f"/v1/tasks/{task}/request", {"action": "sleep"})
        ask("wake")
        self.within(5, lambda: self.task(task)["state"] == "running", "running again")
        self.refuses(409, "first stop or kill it", "POST", f"/v1/tasks/{task}/request", {"action": "delete"})
        assert ask("kill")["state"] == "stopping"
        self.refuses(409, "has been asked to kill", "POST", f"/v1/tasks/{task}/request", {"action": "stop"})
        t = self.ends(task, "killed")
        assert t["runs"][0]["state"] == "killed" and t["request"] is None, t
        task = self.submit("count")
        self.within(5, lambda: self.run_state(task) == "running", "running")
        self.sql(f"UPDATE siding.task SET request = 'stop', request_by = 'sql' WHERE id = {task}")
        self.ends(task, "stopped")
        self.gate()

    def test_several_replicas_stand_at_one_gtid(self):
        for a, n in zip(self.agents[1:], (98, 101, 100)):
            a.set(server=dict(a.server, applied=self.gtid(n), source_pos=n))
        task = self.submit("count", replicas=3)
        t = self.ends(task)
        run = t["runs"][0]
        assert sorted(run["nodes"]) == ["db1", "db2", "db3"] and run["gtid"] == self.gtid(101), run
        for a in self.agents[1:]:
            assert a.count("POST", f"/v1/runs/{task}.1/go") >= 1
            aligned = [b for m, p, b in a.calls if p == f"/v1/runs/{task}.1/align"]
            assert aligned[0]["gtid"] == self.gtid(101) and aligned[0]["source_pos"] == 101, aligned
        shards = sorted(b["shard"] for a in self.agents[1:] for m, p, b in a.calls
                        if p == "/v1/runs" and b["run"] == f"{task}.1")
        assert sorted(set(shards)) == [0, 1, 2], shards

    def test_the_database_goes_and_comes_back(self):
        self.gate("sealing")
        task = self.submit("count")
        self.within(5, lambda: self.run_state(task) == "running", "running")
        os.kill(int(self.cluster.env["DB0_PID"]), signal.SIGSTOP)
        try:
            self.gate()
            self.within(15, lambda: self.run_state(task) == "done", "the run ends without its database")
            begun = time.time()
            self.get("/v1/status")
            assert time.time() - begun < 1
            self.within(30, lambda: not self.get("/v1/status")["database"]["ok"], "it is told")
            assert any(a.runs for a in self.agents), "forgotten before the end was on record"
        finally:
            os.kill(int(self.cluster.env["DB0_PID"]), signal.SIGCONT)
        self.within(30, lambda: self.get("/v1/status")["database"]["ok"], "it is back")
        self.within(10, lambda: self.saved_state(task)[:2] == ("done", "done"), "the end is on record")
        self.everything_forgotten()

    def test_a_claim_whose_outcome_was_lost_leads_on(self):
        self.gate("sealing")
        first = self.submit("count", name="same")
        self.within(5, lambda: self.run_state(first) == "running", "running")
        task = self.submit("count", name="same")
        self.sql(f"UPDATE siding.task SET state = 'running', attempts = 1 WHERE id = {task};"
                 f"INSERT INTO siding.run (task_id, no, state, term, nodes, started_at) VALUES ({task}, 1, 'claimed', 1,"
                 " '[\"db3\"]', NOW(3))")
        self.gate()
        self.ends(first)
        runs = self.ends(task)["runs"]
        assert [(r["id"], r["nodes"]) for r in runs] == [(f"{task}.1", ["db3"])], runs

    def test_a_run_given_up_is_ended_at_its_agent(self):
        self.gate("sealing")
        task = self.submit("count")
        self.within(5, lambda: self.run_state(task) == "running", "running")
        self.within(3, lambda: self.saved_state(task)[1] == "running", "its freeze is on record")
        self.kill()
        self.sql(f"UPDATE siding.task SET state = 'error' WHERE id = {task};"
                 f"UPDATE siding.run SET state = 'error' WHERE task_id = {task}")
        self.start()
        self.gate()
        self.everything_forgotten()

    def test_a_wrong_password_is_told_and_mended(self):
        path = os.path.join(self.cluster.folder, "credentials", "coordinator.cnf")
        with open(path, encoding="utf-8") as f:
            right = f.read()
        self.kill()
        with open(path, "w", encoding="utf-8") as f:
            f.write("[client]\nuser=siding\npassword=wrong\n")
        type(self).daemon = subprocess.Popen([os.path.join(BUILD, "sidingd"), "--config", self.config],
                                             stderr=self.log)
        self.within(10, lambda: "Access denied" in self.database_error(), "it is told")
        self.refuses(503, "Access denied", "POST", "/v1/tasks", {"job": "count"})
        assert [n["state"] for n in self.get("/v1/nodes")] == ["serving"] * 4
        with open(path, "w", encoding="utf-8") as f:
            f.write(right)
        self.within(10, self.is_ready, "it is mended")

    def database_error(self):
        return self.get("/v1/status")["database"]["error"] or ""

    def steps(self):
        return int(re.search(r"^siding_loop_steps_total (\d+)$", self.get("/metrics"), re.M)[1])

    def test_a_missing_schema_is_told_and_mended(self):
        self.kill()
        self.sql("RENAME TABLE siding.meta TO siding.gone")
        type(self).daemon = subprocess.Popen([os.path.join(BUILD, "sidingd"), "--config", self.config],
                                             stderr=self.log)
        self.within(10, lambda: "siding bootstrap" in self.database_error(), "it is told")
        self.refuses(503, "siding bootstrap", "GET", "/v1/tasks/1")
        self.sql("RENAME TABLE siding.gone TO siding.meta")
        self.within(10, self.is_ready, "it is mended")

    def test_a_newer_coordinator_fences_this_one(self):
        term = self.get("/v1/status")["term"]
        self.sql(f"UPDATE siding.meta SET value = {term + 5} WHERE name = 'term'")
        self.refuses(412, "another one has taken over", "POST", "/v1/tasks", {"job": "count"})
        self.within(5, lambda: any("another coordinator" in w for w in self.get("/v1/status")["warnings"]), "fenced")
        self.restart()
        assert self.get("/v1/status")["term"] > term + 5
        self.within(10, lambda: not [t for t in self.get("/v1/tasks?state=waiting,running")], "it leads on")

    def test_a_replaced_coordinator_answers_no_success(self):
        for a in self.agents:
            a.set(gates={"sealing"})
        task = self.submit("count")
        self.within(5, lambda: self.run_state(task) == "running", "it runs")
        for a in self.agents:
            a.set(deaf=True)
        term = self.get("/v1/status")["term"]
        self.sql(f"UPDATE siding.meta SET value = {term + 5} WHERE name = 'term'")
        self.refuses(412, "another", "POST", f"/v1/tasks/{task}/request", {"action": "kill"})
        assert self.value(f"SELECT COALESCE(request, 'none') FROM siding.task WHERE id = {task}") == "none"
        self.kill()
        time.sleep(0.5)  # what it sent to the agents before it knew is not to be heard by them afterwards
        for a in self.agents:
            a.set(deaf=False, gates=set())
        self.start()
        self.ends(task)

    def test_a_term_is_of_one_coordinator(self):
        term = self.get("/v1/status")["term"]
        self.kill()
        for a in self.agents:  # another one was started at the same time, and heard first
            a.term, a.owner = term + 1, "another"
        self.start()
        self.within(10, lambda: self.get("/v1/status")["term"] == term + 2, "it counts on")
        self.ends(self.submit("count"))

class MariaDB(Queue, ClusterTest):

    def test_a_result_is_uploaded_once_and_in_order(self):
        for a in self.agents:
            a.set(mode="swap")
        self.agents[0].set(gates={"running"})
        first, second = self.submit("words", name="a"), self.submit("words", name="b")
        for task in (first, second):
            self.within(10, lambda t=task: self.run_state(t) == "uploading", f"{task} is uploading")
        uploads = [t for t in self.get("/v1/tasks") if t["kind"] == "upload" and t["parent_task"] >= first]
        assert len(uploads) == 2 and sorted(u["parent_task"] for u in uploads) == [first, second], uploads
        later = max(uploads, key=lambda u: u["id"])
        assert "order of their creation" in self.get(f"/v1/tasks/{later['id']}/why")["why"]
        assert self.task(first)["state"] == "running"
        self.agents[0].set(gates=set())
        of = {u["parent_task"]: u["id"] for u in uploads}  # whichever was sealed first
        assert self.ends(first)["runs"][0]["upload_task"] == of[first]
        self.ends(second)
        order = [b["run"] for m, p, b in self.agents[0].calls if p == "/v1/runs" and b["kind"] == "upload"][-2:]
        assert order == [f"{u}.1" for u in sorted(of.values())], order
        spec = [b for m, p, b in self.agents[0].calls if p == "/v1/runs" and b["run"] == f"{of[first]}.1"][0]
        assert spec["source"]["run"] == f"{first}.1" and spec["source"]["url"].startswith("http://127.0.0.1:"), spec
        assert spec["job"] == "words"
        for a in self.agents:
            a.set(mode=None)

    def test_a_run_its_agent_lost_fails(self):
        self.gate("sealing")
        task = self.submit("count")
        self.within(5, lambda: self.run_state(task) == "running", "running")
        self.within(3, lambda: self.saved_state(task)[1] == "running", "its freeze is on record")
        self.kill()
        for a in self.agents:
            with a.changed:
                a.runs.clear()
        self.gate()
        self.start()
        t = self.ends(task, "error")
        assert "knows nothing of it" in t["error"], t
        assert "ack" and self.call("POST", f"/v1/tasks/{task}/request", {"action": "ack", "by": "me"})["state"] == \
            "acknowledged"

    def test_a_refusal_is_told(self):
        for a in self.agents:
            a.set(refuse=("refused", 422, "skip_slave_start is off: set it"))
        task = self.submit("count")
        t = self.ends(task, "error")
        assert "skip_slave_start is off" in t["error"], t
        for a in self.agents:
            a.set(refuse=None)
        assert self.call("POST", f"/v1/tasks/{task}/request", {"action": "retry"})["state"] in ("waiting", "running")
        t = self.ends(task)
        assert [r["id"] for r in t["runs"]] == [f"{task}.1", f"{task}.2"], t

    def test_a_failed_job_and_its_reason(self):
        for a in self.agents:
            a.set(fail={"running": "exit status 3"})
        task = self.submit("count", max_attempts=1)
        t = self.ends(task, "error")
        assert t["error"] == "exit status 3" and t["runs"][0]["caught_up_at"], t
        for a in self.agents:
            a.set(fail={})

    def test_a_failed_upload_is_tried_again(self):
        for a in self.agents:
            a.set(mode="append")
        self.agents[0].set(fail={"running": "table is gone"})
        task = self.submit("words")
        t = self.ends(task, "error")
        assert "table is gone" in t["error"] and f"task {t['runs'][0]['upload_task']}" in t["error"], t
        self.agents[0].set(fail={})
        self.call("POST", f"/v1/tasks/{task}/request", {"action": "retry"})
        t = self.ends(task)
        assert len(t["runs"]) == 1 and t["runs"][0]["state"] == "done", t
        for a in self.agents:
            a.set(mode=None)

    def test_waiting_tasks_say_why(self):
        self.gate("sealing")
        first = self.submit("count", name="x")
        self.within(5, lambda: self.run_state(first) == "running", "running")
        same = self.submit("count", name="x")
        later = self.submit("count", name="y", run_at="2099-01-01T00:00:00Z")
        low = self.submit("count", name="z", priority=-11)
        why = lambda t: self.get(f"/v1/tasks/{t}/why")["why"]
        self.within(2, lambda: "same name" in why(same), "same name")
        assert "due at 2099" in why(later) and "priority" in why(low)
        for n in range(2):
            self.submit("count", name=f"f{n}")
        last = self.submit("count", name="last")
        self.within(2, lambda: "no replica is free: db1 has run" in why(last), "no replica")
        assert self.call("POST", f"/v1/tasks/{later}/request", {"action": "kill"})["state"] == "killed"
        assert self.call("POST", f"/v1/tasks/{low}/request", {"action": "stop"})["state"] == "stopped"
        self.call("POST", f"/v1/tasks/{low}/request", {"action": "delete"})
        self.refuses(404, "there is no task", "GET", f"/v1/tasks/{low}")
        self.gate()
        self.ends(last)
        self.ends(same)

    def test_one_of_several_refuses_and_all_resume(self):
        self.agents[2].set(refuse=("refused", 422, "no space"))
        task = self.submit("count", replicas=3)
        t = self.ends(task, "error")
        assert "db2: no space" in t["error"], t
        self.agents[2].set(refuse=None)
        self.everything_forgotten()
        self.agents[3].set(server=dict(self.agents[3].server, applied="1-9-5"))
        task = self.submit("count", replicas=3)
        t = self.ends(task, "error")
        assert "diverged" in t["error"], t
        for a in self.agents[1:]:
            a.set(server=dict(a.server, applied="0-1-100"))
        self.within(5, lambda: all(n["lag_trx"] == 0 for n in self.get("/v1/nodes")), "the replicas are equal again")
        self.everything_forgotten()

    def test_a_server_of_the_other_kind_is_refused(self):
        for a in self.agents[1:]:
            a.set(server=dict(a.server, flavor="mysql", version="9.7.0"))
        words = "db2 runs mysql 9.7.0 and the primary db0 mariadb 10.11.1: their GTIDs mean nothing to each other"
        def told():
            warnings = self.get("/v1/status")["warnings"]
            return any(words in w for w in warnings) and sum("their GTIDs mean nothing" in w for w in warnings) == 3
        self.within(5, told, "it is told of each")
        task = self.submit("count")
        self.within(5, lambda: words in self.get(f"/v1/tasks/{task}/why")["why"], "the task says why")
        self.refuses(422, words, "POST", "/v1/nodes/db2/pause", {"for_s": 60, "reason": "x"})
        assert [f["node"] for f in self.get("/v1/check") if f["name"] == "flavor"] == ["db1", "db2", "db3"]
        for a in self.agents[1:]:
            a.set(server=dict(a.server, flavor="mariadb", version="10.11.1"))
        self.ends(task)

    def test_bad_requests_get_a_sentence(self):
        self.refuses(422, 'did you mean "count"', "POST", "/v1/tasks", {"job": "cuont"})
        self.refuses(400, "job", "POST", "/v1/tasks", {"jbo": "count"})
        self.refuses(400, '"job" is missing', "POST", "/v1/tasks", {})
        self.refuses(400, '"priority"', "POST", "/v1/tasks", {"job": "count", "priority": "high"})
        self.refuses(400, "is of kind", "POST", "/v1/tasks", {"job": "count", "kind": "dump"})
        self.refuses(422, "the cluster has 3", "POST", "/v1/tasks", {"job": "count", "replicas": 9})
        self.refuses(400, "from 1 to 64, or -1", "POST", "/v1/tasks", {"job": "dump", "replicas": -2})
        self.refuses(404, "no task 99999", "GET", "/v1/tasks/99999")
        self.refuses(400, "no task id", "GET", "/v1/tasks/abc")
        self.refuses(404, "no node", "POST", "/v1/nodes/db9/pause", {})
        self.refuses(422, "is the primary", "POST", "/v1/nodes/db0/pause", {})
        self.refuses(400, '"action" is "explode"', "POST", f"/v1/tasks/{self.submit('tidy')}/request", {"action": "explode"})
        plan = self.call("POST", "/v1/tasks", {"job": "count", "dry_run": True})

        assert len(plan["nodes"]) == 1 and plan["starts"] == "now", (plan, [
            (n["name"], n["state"], n["lag_trx"]) for n in self.get("/v1/nodes")])
        self.refuses(400, "no limit window", "POST", "/v1/tasks", {"job": "count", "window": "sometimes"})
        task = self.submit("count", unique="u", run_at="2099-01-01T00:00:00Z")
        self.refuses(409, "is not ended", "POST", "/v1/tasks", {"job": "count", "unique": "u"})
        self.call("POST", f"/v1/tasks/{task}/request", {"action": "kill"})

    def test_a_recurring_task_comes_again(self):
        task = self.submit("count", sleeptime_ms=3600000)
        self.within(5, lambda: self.task(task)["runs"] and self.task(task)["runs"][-1]["state"] == "done", "ran once")
        self.within(5, lambda: "due at" in self.get(f"/v1/tasks/{task}/why")["why"], "waits for the next time")
        self.call("POST", f"/v1/tasks/{task}/request", {"action": "kill"})

    def test_a_cron_line_comes_again_whatever_became_of_its_run(self):
        """By a zone of the system's database; each turn's planned time is on record, and a failure ends nothing."""
        plan = {"cron": "0 2 * * *", "zone": "Europe/Zurich", "missed": "skip"}
        self.refuses(400, "no time zone", "POST", "/v1/tasks", {"job": "count", "plan": {"cron": "@daily", "zone": "Europe/Bern"}})
        self.refuses(400, "no minute", "POST", "/v1/tasks", {"job": "count", "plan": {"cron": "77 2 * * *"}})
        self.refuses(400, "not both", "POST", "/v1/tasks", {"job": "count", "sleeptime_ms": 5000, "plan": plan})
        task = self.submit("count", name="cronned", plan=plan)
        here = datetime.datetime.now(zoneinfo.ZoneInfo("Europe/Zurich"))
        t = self.task(task)
        planned = datetime.datetime.fromisoformat(t["planned_at"].replace("Z", "+00:00")).astimezone(here.tzinfo)
        assert (planned.hour, planned.minute) == (2, 0) and planned > here, t
        assert t["plan"] == plan and t["state"] == "waiting" and t["run_at"] == t["planned_at"], t
        self.sql(f"UPDATE siding.task SET run_at = UTC_TIMESTAMP(3) WHERE id = {task}")
        for a in self.agents:
            a.set(fail={"running": "exit status 3"})
        self.restart()  # reads the row again
        self.within(15, lambda: self.task(task)["runs"] and self.task(task)["runs"][-1]["state"] == "error", "failed")
        self.within(5, lambda: self.value(f"SELECT CONCAT(state, attempts) FROM siding.task WHERE id = {task}") == "waiting0",
                    "goes on")
        t = self.task(task)
        assert t["error"] == "exit status 3" and t["planned_at"] == t["run_at"] > t["runs"][0]["finished_at"], t
        # A turn that passed while no coordinator was there is left out, as the plan says.
        self.kill()
        self.sql(f"UPDATE siding.task SET run_at = UTC_TIMESTAMP(3), planned_at = UTC_TIMESTAMP(3) - INTERVAL 1 HOUR"
                 f" WHERE id = {task}")
        lock = os.path.join(self.cluster.folder, "sidingd", "sidingd.lock")
        os.utime(lock, (time.time() - 7200, time.time() - 7200))
        self.start()
        self.within(5, lambda: self.task(task)["planned_at"] == t["planned_at"], "the turn is left out")
        self.within(5, lambda: len(self.task(task)["runs"]) == 1, "and none has run for it")
        assert [e for e in self.get("/v1/events?limit=500") if e["task"] == task and "is left out" in e["text"]]
        self.call("POST", f"/v1/tasks/{task}/request", {"action": "delete"})

    def test_a_key_and_a_unique_name_give_the_task_that_is_there(self):
        first = self.call("POST", "/v1/tasks", {"job": "count", "key": "order-7"})["id"]
        self.ends(first)
        assert self.call("POST", "/v1/tasks", {"job": "count", "key": "order-7"})["id"] == first
        held = self.submit("count", unique="v", run_at="2099-01-01T00:00:00Z")
        self.refuses(409, "is not ended", "POST", "/v1/tasks", {"job": "count", "unique": "v"})
        assert self.call("POST", "/v1/tasks", {"job": "count", "unique": "v", "unique_existing": True})["id"] == held
        self.call("POST", f"/v1/tasks/{held}/request", {"action": "kill"})
        # A name may be taken for longer than its task lives.
        t = self.submit("count", unique="w", plan={"unique_for_ms": 3000})
        self.ends(t)
        self.refuses(409, "is not ended", "POST", "/v1/tasks", {"job": "count", "unique": "w"})
        self.within(10, lambda: self.submit("count", unique="w"), "the name is free again")
        assert len(self.sql("SELECT id FROM siding.task JOIN siding.spec ON task_id = id WHERE submit_key = 'order-7'")) == 1

    def test_a_batch_and_what_comes_after_it(self):
        for a in self.agents:
            a.set(gates={"running"})
        batch = [self.submit("count", name=f"part {i}") for i in range(2)]
        last = self.submit("count", name="whole", plan={"after": [str(i) for i in batch]})
        self.within(5, lambda: f"it comes after task {batch[0]}" in self.get(f"/v1/tasks/{last}/why")["why"], "it says so")
        self.restart()
        for a in self.agents:
            a.set(gates=set(), fail={"running": "exit status 3"})
        for i in batch:
            self.ends(i, "error")
        self.within(10, lambda: f"task {batch[0]}, which it comes after, ended as error" in self.get(f"/v1/tasks/{last}/why")["why"],
                    "a failure holds it, and it says which")
        for a in self.agents:
            a.set(fail={})
        self.call("POST", f"/v1/tasks/{batch[0]}/request", {"action": "retry"})
        self.call("POST", f"/v1/tasks/{batch[1]}/request", {"action": "ack"})
        self.ends(last)
        t, first = self.task(last), self.task(batch[0])
        assert t["runs"][0]["started_at"] >= first["runs"][-1]["finished_at"], (t, first)
        self.refuses(400, "is no task id", "POST", "/v1/tasks", {"job": "count", "plan": {"after": ["x"]}})

    def test_what_was_asked_for_is_set_anew(self):
        task = self.submit("count", run_at="2099-01-01T00:00:00Z")
        t = self.call("POST", f"/v1/tasks/{task}/set", {"priority": 7, "name": "other", "by": "ann"})
        assert (t["priority"], t["name"], t["run_at"][:4]) == (7, "other", "2099"), t
        self.refuses(400, 'did you mean "priority"?', "POST", f"/v1/tasks/{task}/set", {"priorty": 7})
        self.call("POST", f"/v1/tasks/{task}/set", {"run_at": "2020-01-01T00:00:00Z"})
        self.ends(task)
        self.refuses(409, "has ended already", "POST", f"/v1/tasks/{task}/set", {"priority": 7})
        rows = self.sql(f"SELECT by_user, text FROM siding.event WHERE task_id = {task} AND what = 'audit' AND text LIKE 'set by%'")
        assert len(rows) >= 2 and "ann" in rows[0][0], rows

    def test_schedules_are_kept_by_name(self):
        spec = {"job": "count", "plan": {"cron": "0 2 * * *", "zone": "Europe/Zurich"}, "priority": 3}
        self.refuses(400, "runs again", "POST", "/v1/schedules/nightly", {"job": "count"})
        self.refuses(404, "no schedule", "GET", "/v1/schedules/nightly")
        assert self.call("POST", "/v1/schedules/nightly", dict(spec, dry_run=True))["change"] == "new"
        task = self.call("POST", "/v1/schedules/nightly", spec)["task"]
        assert self.call("POST", "/v1/schedules/nightly", dict(spec, dry_run=True))["change"] == "none"
        s = self.get("/v1/schedules/nightly")
        assert s["spec"]["plan"] == spec["plan"] and s["enabled"] and s["next"] and not s["last_run"], s
        # By hand now, and its turn of the night stays.
        self.call("POST", "/v1/schedules/nightly/request", {"action": "run-now"})
        self.within(10, lambda: self.get("/v1/schedules/nightly")["last_state"] == "done", "ran")
        self.within(5, lambda: self.get("/v1/schedules/nightly")["next"] == s["next"], "the night's turn stays")
        # What is changed keeps the task, and says what it changes.
        new = dict(spec, plan={"cron": "30 3 * * *", "zone": "Europe/Zurich"})
        d = self.call("POST", "/v1/schedules/nightly", dict(new, dry_run=True))
        assert (d["change"], [f["field"] for f in d["fields"]]) == ("changed", ["plan"]), d
        assert self.call("POST", "/v1/schedules/nightly", new)["task"] == task
        self.within(5, lambda: self.get("/v1/schedules/nightly")["next"] != s["next"], "another time")
        self.call("POST", "/v1/schedules/nightly/request", {"action": "disable"})
        self.within(5, lambda: "is disabled" in self.get(f"/v1/tasks/{task}/why")["why"], "it says so")
        assert not [f for f in self.get("/v1/forecast") if f["name"] == "nightly"]
        self.restart()
        assert not self.get("/v1/schedules/nightly")["enabled"]
        self.call("POST", "/v1/schedules/nightly/request", {"action": "enable"})
        self.within(5, lambda: [f for f in self.get("/v1/forecast") if f["name"] == "nightly" and f["lasts_ms"] > 0], "is forecast")
        self.call("POST", f"/v1/tasks/{task}/request", {"action": "delete"})
        self.refuses(404, "no schedule", "GET", "/v1/schedules/nightly")

    def test_deadlines_are_told_and_jobs_measured(self):
        for a in self.agents:
            a.set(gates={"running"})
        task = self.submit("count", name="late", plan={"finish_by_ms": 1000})
        waits = self.submit("count", name="late", plan={"start_by_ms": 1000})
        def told(text, of):
            return [e for e in self.get("/v1/events?limit=500") if e["task"] == of and e["kind"] == "deadline" and text in e["text"]]
        self.within(15, lambda: told("should have ended by now", task) and told("should have started by now", waits), "both are told")
        for a in self.agents:
            a.set(gates=set())
        self.ends(task)
        self.ends(waits)
        assert len(told("should have ended by now", task)) == 1
        assert 'siding_job_last_success_timestamp_seconds{job="count"}' in self.get("/metrics")

    def test_the_rest_of_the_api_answers(self):
        task = self.submit("count")
        self.ends(task)
        results = self.get("/v1/results")
        assert results[0]["run"] == f"{task}.1" and results[0]["path"], results[0]
        assert self.get(f"/v1/results/{task}")["manifest"]["run"] == f"{task}.1"
        node = self.task(task)["runs"][0]["nodes"][0]
        assert self.get(f"/v1/tasks/{task}/log?stream=err") == f"err of {task}.1 on {node}\n"
        assert self.call("POST", "/v1/nodes/db1/pause", {"for_s": 5, "by": "me"})["gtid"] == "0-1-100"
        assert {f["name"] for f in self.get("/v1/check")} >= {"primary", "queue", "fake", "agent"}
        assert [n["state"] for n in self.get("/v1/nodes")] == ["serving"] * 4
        assert "siding_tasks{state=\"waiting\"}" in self.get("/metrics")
        events = self.get("/v1/events?limit=5")
        last = events[-1]["seq"]
        begun = time.time()
        assert self.get(f"/v1/events?after={last}&wait_ms=300") == [] and time.time() - begun > 0.25
        self.within(5, lambda: int(self.value("SELECT COUNT(*) FROM siding.event WHERE level <> 'info'")) > 0, "warnings are stored")

    def test_an_agent_goes_and_comes_back(self):
        self.agents[1].set(deaf=True)
        self.within(15, lambda: self.get("/v1/nodes")[1]["state"] == "unreachable", "unreachable")
        task = self.submit("count")
        assert self.ends(task)["runs"][0]["nodes"] == ["db2"]
        self.agents[1].set(deaf=False)
        self.within(10, lambda: self.get("/v1/nodes")[1]["state"] == "serving", "back")
        texts = [e["text"] for e in self.get("/v1/events?limit=1000")]
        assert sum("agent of db1 cannot be reached" in t for t in texts) == 1, texts
        assert sum("agent of db1 is back" in t for t in texts) == 1

    def test_a_missing_password_file_is_told_and_waited_for(self):
        path = os.path.join(self.cluster.folder, "credentials", "coordinator.cnf")
        os.rename(path, path + ".away")
        try:
            for connection, in self.sql("SELECT id FROM information_schema.processlist WHERE user = 'siding'"):
                self.sql(f"KILL {connection}")
            self.within(20, lambda: path in self.database_error(), "it is told")
            before = self.steps()
            time.sleep(2)
            assert self.steps() - before < 100, "it does not wait between its tries"
        finally:
            os.rename(path + ".away", path)
        self.within(15, lambda: self.get("/v1/status")["database"]["ok"], "it is mended")

    def test_a_second_sidingd_is_refused(self):
        done = subprocess.run([os.path.join(BUILD, "sidingd"), "--config", self.config], capture_output=True, text=True,
                              timeout=10 * slack(), check=False)
        assert done.returncode == 1 and "another sidingd" in done.stderr, done

    def test_sigterm_ends_it(self):
        self.daemon.send_signal(signal.SIGTERM)
        assert self.daemon.wait(10) == 0


class MySQL(Queue, ClusterTest):
    """What goes through the queue's tables."""
    flavor = "mysql"

    @classmethod
    def gtid(cls, n):
        return "11111111-2222-3333-4444-555555555555:1-%d" % n


if __name__ == "__main__":
    main()
