#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sidingd replaces a primary: what it takes for dead, whom it orders what, what it does when it is killed in the midst.
The queue's server is real, the agents only talk."""
import json
import os
import subprocess

from harness import BUILD, ClusterTest, main
from machine import call
from sidingd_case import Sidingd

FAILOVER = """
token_file = "FOLDER/credentials/admin.token";
failover = { automatic = %s; after = "2s"; again_after = "1s"; fence_after = "1s"; close = "0s"; never = [ "db3" ]; };
"""
PHASES = ["close", "fence", "accept", "drain", "follow", "arm", "open", "probe"]


class Takeover(Sidingd):

    def setUp(self):
        self.within(20, lambda: self.get("/v1/failover")["analysis"] == "well", "the primary is well")
        self.within(10, lambda: self.get("/v1/failover")["strict"], "its commits were seen waiting")

    def tearDown(self):
        for a in self.agents:
            a.set(waits={})
        super().tearDown()

    # ---- tools ----------------------------------------------------------------------------------------------------

    def siding(self, *args, status=0, within_s=60):
        got, out, err = call(os.path.join(BUILD, "siding"), "--config", self.config, *args, within_s=within_s)
        assert got == status, (got, out, err)
        return out + err

    def agent(self, name):
        return next(a for a in self.agents if a.name == name)

    def orders(self, agent):
        with agent.changed:
            return [b for m, p, b in agent.calls if p == "/v1/order"]

    def failover(self, number=None):
        if number is None:
            number = self.get("/v1/failovers")[-1]["id"]
        return self.get(f"/v1/failovers/{number}")

    def failover_ends(self, seconds=30):
        self.within(seconds, lambda: self.failover()["outcome"], "the failover ends")
        return self.failover()

    def primary(self):
        return self.get("/v1/primary")["name"]

    def server_dies(self):
        """The primary's, whose agent and replicas notice."""
        self.cluster.stop("db0")
        db0 = self.agent("db0")
        with db0.changed:
            db0.server.update(up=False, error="it was killed")
            db0.bump()
        for a in self.agents[1:]:
            with a.changed:
                a.server["io"] = "connecting"
                a.bump()

    def all_as_before(self):
        """db0 is the primary again, the others follow it."""
        self.cluster.start("db0")
        port = self.cluster.ports.base
        for i, a in enumerate(self.agents):
            with a.changed:
                a.ended, a.calls = False, []
                a.vote = {"promised": {"term": 0, "owner": None}, "shut": False, "accepted": {"version": 0}}
                a.server.update(up=True, error=None, is_replica=i > 0, io="yes" if i else "", read_only=i > 0,
                                source_host="127.0.0.1" if i else None, source_port=port if i else 0, semi_sync_acks=1)
                a.bump()
        self.kill()
        journal = os.path.join(self.cluster.folder, "sidingd", "cluster.json")
        with open(journal, encoding="utf-8") as f:
            cluster = json.load(f)
        cluster.update(primary="db0", address="127.0.0.1", port=port, failover={"ballot": cluster["failover"]["ballot"]})
        with open(journal, "w", encoding="utf-8") as f:
            json.dump(cluster, f)
        self.start()


class Asked(Takeover, ClusterTest):
    """By a person."""
    settings = FAILOVER % "false"

    def test_a_well_primary_is_not_failed_over(self):
        self.refuses(422, "siding cluster switchover", "POST", "/v1/failover", {})
        self.refuses(422, "failover.never", "POST", "/v1/failover", {"switchover": True, "to": "db3"})
        self.refuses(404, 'no node "db9"', "POST", "/v1/failover", {"switchover": True, "to": "db9"})
        self.refuses(422, "it is the primary", "POST", "/v1/failover", {"switchover": True, "to": "db0"})
        text = self.siding("cluster", "failover", "--dry-run")
        assert "primary db0: well" in text and "db1 can become" in text and "db3 cannot become" in text, text
        assert "failover.automatic is off" in text, text

    def test_the_primary_as_programs_want_it(self):
        port = self.cluster.ports.base
        assert self.siding("cluster", "primary") == "db0\n"
        assert self.siding("cluster", "primary", "--format", "host:port") == f"127.0.0.1:{port}\n"
        assert self.siding("cluster", "primary", "--format", "dsn") == f"mysql://127.0.0.1:{port}\n"
        assert json.loads(self.siding("cluster", "primary", "--format", "json"))["name"] == "db0"
        assert "name, host:port, dsn or json" in self.siding("cluster", "primary", "--format", "x", status=2)

    def test_a_switchover_asks_in_order(self):
        with self.agent("db2").changed:
            self.agent("db2").server["received"] = self.gtid(101)  # it has more than db1
        out = self.siding("cluster", "switchover", "--to", "db2")
        try:
            assert "promoted db2" in out and "without writes" in out, out
            assert self.primary() == "db2"
            kinds = [o["kind"] for o in self.orders(self.agent("db2"))]
            acts = [k for k in kinds if k != "accept"]  # each order has the decision, so that its acceptance may come late
            assert [k for i, k in enumerate(acts) if k not in acts[:i]] == ["fence", "drain", "open", "probe"], kinds
            assert "accept" in kinds, kinds
            close, fence = self.orders(self.agent("db0"))[:2]
            assert close["kind"] == "close" and 0 < close["for_ms"] < 5000 and not close["kill_after_ms"], close
            assert fence["kind"] == "fence" and fence["clean"], fence
            assert not any(o["kill"] for a in self.agents for o in self.orders(a))
            held, other = (next(o for o in self.orders(self.agent(n)) if o["kind"] == "fence") for n in ("db2", "db1"))
            assert held["gtid"] == self.agent("db0").server["binlog"] and not held["clean"], held
            assert not other["gtid"] and not other["clean"], other  # it cannot win: nobody waits for it
            follow = next(o for o in self.orders(self.agent("db1")) if o["kind"] == "follow")
            assert follow["source"]["node"] == "db2" and follow["gtid"] == self.gtid(101), follow
            self.within(10, lambda: (self.agent("db1").vote["accepted"] or {}).get("open"), "it has accepted the last version too")
            decision = self.agent("db1").vote["accepted"]
            assert decision["primary"] == "db2" and sorted(decision["members"]) == ["db0", "db1", "db3"], decision
            self.within(10, lambda: self.agent("db1").role == "replica" and self.agent("db2").role == "primary", "roles")
            assert "db2" in self.siding("cluster", "failovers")
            self.within(15, lambda: self.agent("db0").server.get("acknowledges"), "the old primary acknowledges")
        finally:
            self.all_as_before()

    def test_killed_in_each_phase_it_goes_on(self):
        for kind in PHASES:
            for a in self.agents:
                a.set(waits={kind: "the test holds it"})
            self.call("POST", "/v1/failover", {"switchover": True, "to": "db1"})
            self.within(10, lambda k=kind: any(o["kind"] == k for a in self.agents for o in self.orders(a)), kind)
            self.kill()
            for a in self.agents:
                a.set(waits={}, calls=[])
            self.start_without_queue()
            if kind in ("close", "fence", "accept"):  # nobody was decided: db0 is the primary, and opens again
                self.within(30, lambda: not self.get("/v1/primary")["failover"] and not self.agent("db0").vote["shut"] and
                            not self.agent("db0").server["read_only"] or kind == "close", f"after {kind}: open")
                assert self.primary() == "db0"
                self.all_as_before()
                self.setUp()
                continue
            self.within(30, lambda: not self.get("/v1/primary")["failover"] and self.primary() == "db1", f"after {kind}: db1")
            self.within(10, lambda: self.agent("db1").vote["accepted"].get("open"), "it is open")
            assert not self.agent("db1").server["read_only"]
            votes = {json.dumps(a.vote["accepted"]["ballot"]) for a in self.agents}
            self.within(15, lambda: len({json.dumps(a.vote["accepted"]["ballot"]) for a in self.agents}) == 1, f"{votes}")
            self.all_as_before()
            self.setUp()

    def start_without_queue(self):
        type(self).daemon = subprocess.Popen([os.path.join(BUILD, "sidingd"), "--config", self.config], stderr=self.log)
        self.within(15, lambda: self.get("/v1/status"), "it answers")

    def test_who_cannot_be_asked_is_waited_for(self):
        """db2 and the old primary's agent are away: what db2 alone has may be lost, which a person decides."""
        self.agent("db2").set(deaf=True)
        self.agent("db0").set(deaf=True)
        self.server_dies()
        try:
            self.within(20, lambda: self.get("/v1/failover")["analysis"] != "well", "it is noticed")
            self.call("POST", "/v1/failover", {})
            self.within(30, lambda: any("needs decision" in w for w in self.get("/v1/status")["warnings"]), "needs decision")
            assert self.primary() == "db0"
            self.siding("cluster", "failover", "--give-up")
        finally:
            for a in self.agents:
                a.set(deaf=False)
            self.all_as_before()


class ByItself(Takeover, ClusterTest):
    settings = FAILOVER % "true"

    def test_connections_used_up_are_no_death(self):
        self.sql("SET GLOBAL max_connections = 10")
        sessions = []
        try:
            while len(sessions) < 12:
                try:
                    sessions.append(self.cluster.session("db0"))
                    sessions[-1].sql("SELECT 1")
                except Exception:  # pylint: disable=broad-except
                    break
            self.agent("db0").set(deaf=True)
            self.within(20, lambda: self.get("/v1/failover")["analysis"] in ("connections used up", "agent dead, server alive"),
                        "named")
            assert not self.get("/v1/failovers") or self.failover()["outcome"]
        finally:
            for s in sessions:
                s.close()
            self.agent("db0").set(deaf=False)
            self.sql("SET GLOBAL max_connections = 151")

    def test_maintenance_keeps_it_from_that(self):
        self.siding("cluster", "maintenance", "on", "--for", "10m")
        before = len(self.get("/v1/failovers"))
        self.server_dies()
        try:
            self.within(20, lambda: any("maintenance until" in w for w in self.get("/v1/status")["warnings"]), "told")
            self.within(20, lambda: any("needs decision" in e["text"] and "maintenance" in e["text"]
                                        for e in self.get("/v1/events?limit=200")), "needs decision")
            assert len(self.get("/v1/failovers")) == before
            self.siding("cluster", "maintenance", "off")
            self.within(20, lambda: len(self.get("/v1/failovers")) > before, "then it begins")
            assert self.failover_ends()["outcome"] == "promoted"
        finally:
            self.all_as_before()

    def test_a_dead_primary_is_replaced(self):
        self.server_dies()
        try:
            self.within(20, lambda: self.primary() != "db0", "another is the primary")
            got = self.failover_ends()
            assert got["kind"] == "automatic" and got["outcome"] == "promoted" and got["to"] in ("db1", "db2"), got
            assert "server dead" in got["cause"] and got["without_writes_ms"] >= 2000, got
            assert "the primary" in self.siding("cluster", "failover", "show", str(got["id"]))
        finally:
            self.all_as_before()


if __name__ == "__main__":
    main()
