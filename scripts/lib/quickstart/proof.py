# SPDX-License-Identifier: Apache-2.0
# Everything quickstart claims, proven. Each proof is a name, a sentence with figures, and what is wrong (nothing, if
# all is well). One that cannot be made counts as wrong.
import os
import subprocess
from collections import Counter

import changes
import compare
import restore
import witness
import words
from screen import number
from servers import together
from siding import last_run, sql_time

DATABASES = ("catalogue", "siding")


class Proof:
    def __init__(self, name):
        self.name, self.text, self.wrong = name, "", []


class Proofs:
    def __init__(self, run):
        self.run, self.all = run, []

    def prove(self, name, function):
        proof = Proof(name)
        self.all.append(proof)
        try:
            proof.text, proof.wrong = function()
        except Exception as e:  # an unproven claim is a failed one
            proof.wrong = ["cannot be proven: %s" % e]
        return proof

    def failed(self):
        return [p for p in self.all if p.wrong]


def frozen_still(run):
    """The replicas stood at the runs' GTIDs, through every sample of the pauses, and went on receiving."""
    wrong, told = [], []
    for task in (run.dump, run.index):
        r = last_run(task)
        node = r["nodes"][0]
        pause = run.pauses.get(node)
        if not pause:
            wrong.append("nobody saw %s paused" % node)
            continue
        told.append("%s in %d looks" % (node, pause["samples"]))
        if pause["gtids"] != {r["gtid"]}:
            wrong.append("%s stood at %s, the run says %s" % (node, ", ".join(sorted(pause["gtids"])), r["gtid"]))
        if not pause["receiving"]:
            wrong.append(node + " stopped receiving while it was paused")
    return "stood still at its run's GTID and went on receiving: " + ", ".join(told), wrong


def settings_back(run):
    wrong, count = [], 0
    for node, before in run.variables.items():
        now = witness.variables(run.env[node.upper() + "_SOCKET"], node)
        count = len(before)
        wrong += ["%s: %s was %s and is %s" % (node, k, before.get(k), now.get(k)) for k in sorted(set(before) | set(now))
                  if before.get(k) != now.get(k)]
        threads = witness.threads(run.env[node.upper() + "_SOCKET"], node)
        if threads != ("Yes", "Yes"):
            wrong.append("%s does not replicate: IO %s, SQL %s" % (node, *threads))
    return "all %d variables of each replica are as before, replication runs" % count, wrong


def files_whole(run):
    """By coreutils, not by our own word; then by `siding result verify`."""
    wrong, count = [], 0
    for task in (run.dump, run.index):
        path = run.siding.result_path(task["id"])
        done = subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=path, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode:
            wrong.append("%s: %s" % (path, done.stdout.decode().strip()[:200]))
        with open(os.path.join(path, "SHA256SUMS"), encoding="utf-8") as f:
            count += sum(1 for _ in f)
        run.siding.call("result", "verify", str(task["id"]))
    return "%d result files agree with their SHA-256 sums" % count, wrong


def dump_restored(run):
    folder, manifest = run.siding.result_path(run.dump["id"]), run.siding.manifest(run.dump["id"])
    run.scratch.start()
    restore.restore(run.scratch, folder)
    tables, rows, wrong = restore.check_frozen(run.scratch, manifest)
    restore.join(run.scratch, manifest["gtid"], int(run.env["DB0_PORT"]), os.path.join(run.directory, "credentials", "repl.cnf"))
    return "restored by zcat | %s it equals the frozen state: %d tables, %s rows" % (
        os.path.basename(run.scratch.loader), tables, number(rows)), wrong


def index_in_sql(run):
    gtid = last_run(run.index)["gtid"]
    restore.forward(run.scratch, gtid)
    words.collect_texts(run.scratch)
    chosen, rows, total, wrong = words.check_sample(run.scratch, run.siding.result_path(run.index["id"]), gtid)
    run.postings = total
    return "%d words (%s, …): %s rows equal to SQL on the texts at %s" % (len(chosen), ", ".join(chosen[:3]), number(rows), gtid), wrong


def servers_equal(run):
    restore.forward(run.scratch)
    others = {node: run.env[node.upper() + "_SOCKET"] for node in run.replicas}
    others["scratch"] = run.scratch.socket
    gtid, tables, rows, wrong = compare.equal_servers(run.env["DB0_SOCKET"], others, DATABASES)
    told = "db0, %s and the restored server are equal at %s: %d tables, %s rows" % (", ".join(run.replicas), gtid, tables, number(rows))
    return told, ["%s: %s" % (server, w) for server, list_ in wrong.items() for w in list_]


def change_and_deletion(run):
    posted = Counter(record for _, record, _, _ in words.read_index(run.siding.result_path(run.index["id"]))
                     if record in (changes.CHANGED, changes.DELETED))
    text = "record %d, changed during the run, is found as it is now; record %d, deleted, is not" % (changes.CHANGED, changes.DELETED)
    return text, changes.check(run.env["DB0_SOCKET"], posted)


def all_changes(run):
    """From the freeze to the last moment before the swap; what changes later is not this run's to index."""
    since, until = sql_time(last_run(run.index)["frozen_at"]), run.witness.not_swapped_at
    changed, deleted, odd, wrong = words.check_changed(run.env["DB0_SOCKET"], since, until)
    if not changed:
        wrong.append("no record changed between %s and %s" % (since, until))
    return "%s records that live transactions changed before the swap are found as they are, %s deleted ones are not" % (
        number(changed), number(deleted)), wrong


# Those of one chain build on each other: the scratch server holds the dump, goes on to the index's position, then
# to the end. The two chains touch nothing of each other's.
CHAINS = ((("dump", dump_restored), ("index", index_in_sql), ("servers", servers_equal)),
          (("freeze", frozen_still), ("settings", settings_back), ("files", files_whole), ("delta", change_and_deletion),
           ("live", all_changes)))
ORDER = ("freeze", "settings", "files", "dump", "index", "servers", "delta", "live")


def prove_all(run, screen_text):
    proofs, made = Proofs(run), []

    def prove_chain(chain):
        for name, function in chain:
            made.append(proofs.prove(name, lambda f=function: f(run)))
            screen_text("%d of %d made" % (len(made), len(ORDER)))
    together([lambda c=chain: prove_chain(c) for chain in CHAINS])
    proofs.all.sort(key=lambda p: ORDER.index(p.name))
    return proofs
