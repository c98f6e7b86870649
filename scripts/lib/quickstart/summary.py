# SPDX-License-Identifier: Apache-2.0
# The summary: what happened, in figures a database administrator can check, and the proofs.
import re

import hosts
import latency
from screen import number, size, table
from siding import epoch, last_run

# The first three that find something: the catalogue may be a small one.
SEARCHES = (("chess",), ("mysql", "database"), ("strategy", "game"), ("python", "library"), ("tools",))
__all__ = ["write", "epoch", "SEARCHES"]


def short(gtid):
    """For a column of a table: of a server's UUID the beginning."""
    return re.sub(r"\b([0-9a-f]{8})-[0-9a-f-]{27}(?=:)", r"\1…", gtid)


def pauses(run):
    rows = [("", "job", "paused", "at GTID", "buffered", "written at", "replayed at", "caught up in")]
    for task in (run.dump, run.index):
        node = last_run(task)["nodes"][0]
        p = run.pauses[node]
        rows.append((node, task["kind"], "%.1f s" % p["seconds"], short(p["gtid"]), number(p["buffered"]), "%.0f/s" % p["write_rate"],
                     "%.0f/s" % p["replay_rate"] if "replay_rate" in p else "?",
                     "%.1f s" % p["replay_seconds"] if "replay_seconds" in p else "?"))
    return table(rows, 2) + ["buffered: transactions received and kept while the replica stood still"]


def latencies(run):
    rows = [("short transactions on the primary", "p50", "p99", "worst", "count", "failed")]
    for name, (start, end) in run.windows.items():
        w = latency.window(run.samples, start, end)
        if w:
            rows.append((name, "%.1f ms" % w["p50"], "%.1f ms" % w["p99"], "%.0f ms" % w["worst"], number(w["count"]), str(w["errors"])))
    return table(rows) + [hosts.told()]


def results(run):
    rows = [("", "files", "data", "compressed", "ratio", "in")]
    for task in (run.dump, run.index):
        manifest = run.siding.manifest(task["id"])
        files = manifest["files"]
        raw, packed = sum(f["bytes"] for f in files), sum(f["compressed_bytes"] for f in files)
        rows.append((task["kind"], number(len(files)), size(raw), size(packed), "%.1f : 1" % (raw / max(1, packed)),
                     run.siding.result_path(task["id"])))
    lines = [row for row in table([r[:5] for r in rows])]
    upload = last_run(run.upload)
    seconds = epoch(upload["finished_at"]) - epoch(upload["started_at"])
    return lines + ["index: %s rows loaded and swapped in, %.1f s from first fetch to last delta" % (
        number(run.postings), seconds)]


def searches(run, width):
    lines = []
    for words, hits, best in run.searches:
        lines.append("%s: %s records" % (" ".join(words), number(hits)))
        lines += ["    %s: %s" % title for title in best]
    return [line if len(line) <= width - 4 else line[:width - 5] + "…" for line in lines]


def proofs(run):
    lines = []
    for p in run.proofs.all:
        lines.append((" ok         " if not p.wrong else " NOT EQUAL  ", p.name, p.text if not p.wrong else "; ".join(p.wrong[:3])))
    return lines


def write(run, screen):
    """Prints it; True if everything holds."""
    screen.block("Pauses (seen by a witness that asked the servers ten times a second)", pauses(run))
    screen.block("Latency", latencies(run))
    screen.block("Results", results(run))
    screen.block("Three searches answered by the new index", searches(run, screen.width))
    screen.line()
    screen.line("Proofs")
    for mark, name, text in proofs(run):
        head = "%s%-9s" % (mark, name)
        screen.wrapped_after(head, text)
    failed = [p.name for p in run.proofs.failed()] + (["no three searches find anything"] if len(run.searches) < 3 else [])
    if run.writers.counts["errors"]:
        failed.append("live transactions: " + run.writers.counts["last_error"])
    screen.line()
    if failed:
        screen.line("NOT EQUAL: " + "; ".join(failed))
    elif run.options.keep:
        next_steps(run, screen)
    return not failed


def next_steps(run, screen):
    screen.line("The cluster stays up. To look around:")
    for line in (". %s/env" % run.directory, "siding status --watch", "siding task list; siding result list",
                 "siding submit index --job catalogue --wait", "siding submit dump --database catalogue --wait",
                 "siding replica pause db1 --for 5m --reason 'a look around'; siding replica resume db1",
                 'mariadb -S "$DB1_SOCKET" catalogue', "%s/scripts/sandbox down %s --purge" % (run.root, run.directory)):
        screen.line("  " + line)
