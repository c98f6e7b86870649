/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_turn.h"

static JobInfo jobs[] = {
    {.name = (char *)"dump", .kind = KIND_DUMP, .on = ROLE_REPLICA, .upload = (char *)"none"},
    {.name = (char *)"count", .kind = KIND_COMMAND, .on = ROLE_REPLICA, .upload = (char *)"none"}};

const SlotTime now = {NOW, 500};
const char *manual;

static Node node_from(const char *text, char *name)
{
    sscanf(text, "%15s", name);
    Node n = {.name = name, .lag_ms = 0};
    n.agent = (NodeState){.node = name, .jobs = {jobs, COUNT(jobs)}, .spool_free_bytes = 1000};
    n.agent.server =
        (ServerState){.up = !strstr(text, "down"),
                      .flavor = (char *)(strstr(text, "mysql") ? "mysql" : "mariadb"),
                      .version = (char *)(strstr(text, "old") ? "10.6.1-MariaDB" : "10.11.19-MariaDB"),
                      .is_replica = strcmp(name, "db0") != 0,
                      .sql_running = !strstr(text, "stopped"),
                      .io = RECEIVER_YES,
                      .source_host = (char *)"h",
                      .source_port = strstr(text, "other") ? 2 : 1,
                      .applied = (char *)(strstr(text, "domains") ? "0-1-5,1-1-5" : "0-1-5")};
    if (strstr(text, "lag="))
        n.lag_ms = n.lag_trx = atoi(strstr(text, "lag=") + 4);
    if (strstr(text, "paused"))
        n.agent.lease =
            (LeaseState){.owner = (char *)"manual", .reason = (char *)"by hand", .phase = PHASE_FROZEN};
    if (strstr(text, "catching"))
        n.agent.lease = (LeaseState){.owner = (char *)(strstr(text, "by hand") ? "manual" : "7.1"),
                                     .phase = PHASE_CATCHING_UP};
    if (strstr(text, "unreachable"))
        n.agent_error = (char *)"refused";
    if (strstr(text, "jobless"))
        n.agent.jobs = (WireList){NULL, 0};
    return n;
}

void cluster(Cluster *c, const char *text)
{
    AUTO(strlist_done) StrList parts = STRLIST_INIT;
    strlist_split(&parts, text, ';');
    memset(c, 0, sizeof *c);
    c->n = parts.n;
    for (size_t i = 0; i < parts.n; i++) {
        c->nodes[i] = node_from(parts.v[i], c->names[i]);
        const char *taken = strstr(parts.v[i], "taken=");
        if (taken)
            sscanf(taken + 6, "%15s", c->taken[i]);
        c->choose[i] = (ChooseNode){&c->nodes[i], taken ? c->taken[i] : NULL, 0};
    }
}

Wait task(int64_t id, const char *name)
{
    return (Wait){.t = {.id = id,
                        .kind = KIND_COMMAND,
                        .name = name,
                        .job = "count",
                        .on = ROLE_REPLICA,
                        .submitted_at = -1,
                        .replicas = 1}};
}

Wait upload(int64_t id, CoordRunState parent)
{
    return (Wait){.t = {.id = id,
                        .kind = KIND_UPLOAD,
                        .name = "u",
                        .job = "count",
                        .on = ROLE_PRIMARY,
                        .lane = "shop.words",
                        .replicas = 1,
                        .parent_task = id * 100,
                        .parent_no = 1},
                  .parent = parent};
}

Wait active(Wait w)
{
    w.active = true;
    return w;
}

Wait failed(Wait w)
{
    w.failed = true;
    w.t.failed_at = NOW - 60000;
    w.t.holds = w.t.sequence_id ? SLOT_HOLDS_SEQUENCE : SLOT_HOLDS_LANE;
    return w;
}

void put(Slots *q, const Wait *w)
{
    if (w->active)
        slots_start(q, &w->t, &now);
    else if (w->failed)
        slots_fail(q, &w->t, &now);
    else
        slots_put(q, &w->t, &now);
    if (w->t.parent_task)
        slots_parent(q, w->t.parent_task, w->t.parent_no, w->parent, w->scattered);
}

static const QueueDecision *decision_of(const QueueDecisions *d, int64_t id)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].id == id)
            return &d->v[i];
    return NULL;
}

static void expect_row(const Slots *q, const QueueDecisions *d, const Row *row)
{
    const QueueDecision *got = decision_of(d, row->task.t.id);
    AUTOFREE char *why = slots_why(q, row->task.t.id, &now);
    bool started = got && got->kind == DECIDE_START;
    if (row->task.active || row->task.failed)
        return;
    if (started != (row->starts != NULL) || (started && strcmp(got->nodes.v[0], row->starts) != 0) ||
        (!started && row->why && (!why || !strstr(why, row->why))))
        fail_msg("task %d: %s %s", (int)row->task.t.id, started ? got->nodes.v[0] : "waits", why ? why : "");
}

void turn(Slots *q, Cluster *c, const char *hold, QueueDecisions *d)
{
    slots_manual(q, manual);
    DecideInput in = {c->choose, c->n, {"db0", 0, 60000, true}, 1, hold, now, 100};
    slots_job(q, "count", true, ROLE_REPLICA);
    slots_job(q, "dump", true, ROLE_REPLICA);
    assert_false(slots_advance(q, &now, 10000));
    decide(q, &in, d);
}

int64_t expect_turn(const char *nodes, const char *hold, const Row *rows, size_t n)
{
    Cluster c;
    QueueDecisions d = {0};
    Slots *q = slots_new();
    cluster(&c, nodes);
    for (size_t i = 0; i < n; i++)
        put(q, &rows[i].task);
    turn(q, &c, hold, &d);
    for (size_t i = 0; i < n; i++)
        expect_row(q, &d, &rows[i]);
    int64_t next = slots_next_ms(q);
    decisions_done(&d);
    slots_free(q);
    return next;
}
