/* SPDX-License-Identifier: Apache-2.0
 * The queue is read once, when the primary is known: schema, cluster and term are checked, what is not ended
 * and the newest that is comes into memory.
 */
#include <inttypes.h>

#include "coord_journal.h"
#include "events.h"
#include "queue_db.h"
#include "queue_impl.h"

enum { HISTORY_AT_START = 200, SCHEMA_VERSION = 1 };

typedef struct LoadOp {
    StoreOp op;
    char *cluster_name;
    int64_t term;
    WireList nodes; /* Node, names, urls and roles */
    WireList live, ended;
} LoadOp;

static bool check_schema(Db *db, const LoadOp *o, Err *err)
{
    int64_t version;
    char *name = NULL;
    if (!qdb_schema_version(db, &version, err)) {
        if (err->kind == ERR_DB || err->kind == ERR_NOT_FOUND)
            err_prefix(err, "schema siding is not there or not readable; run \"siding bootstrap\"");
        return false;
    }
    if (version < SCHEMA_VERSION)
        return err_set(err, ERR_REFUSED, 0,
                       "schema siding has version %" PRId64
                       ", this sidingd needs %d; run \"siding bootstrap\"",
                       version, SCHEMA_VERSION);
    if (!qdb_cluster_name(db, &name, err))
        return false;
    bool ours = str_eq(name, o->cluster_name);
    if (!ours)
        err_set(err, ERR_CONFIG, 0, "schema siding belongs to cluster \"%s\", the configuration says \"%s\"",
                name, o->cluster_name);
    free(name);
    return ours;
}

static bool load_work(Db *db, StoreOp *op, Err *err)
{
    LoadOp *o = (LoadOp *)op;
    int64_t there;
    if (!check_schema(db, o, err) || !qdb_term(db, &there, err))
        return false;
    if (there >= o->term)
        o->term = there + 1;
    if (!qdb_set_term(db, o->term, err))
        return false;
    const Node *nodes = o->nodes.v;
    for (size_t i = 0; i < o->nodes.n; i++)
        if (!qdb_set_node(db, nodes[i].name, nodes[i].role, nodes[i].url, o->term, err))
            return false;
    return qdb_live_tasks(db, &o->live, err) &&
           qdb_ended_tasks(db, INT64_MAX, HISTORY_AT_START, &o->ended, err);
}

static void set_load_error(Coord *c, const char *text)
{
    if (text && !str_eq(c->queue.load_error, text))
        events_add(c, "error", "database", 0, NULL, NULL, "the queue cannot be read: %s", text);
    free(c->queue.load_error);
    c->queue.load_error = xstrdup(text);
}

static void take_queue(Coord *c, LoadOp *o)
{
    Err err;
    if (o->term > c->journal.term && !coord_journal_set_term(c, o->term, &err)) {
        set_load_error(c, err.text);
        retry_failed(c, &c->queue.load_retry, QUEUE_RETRY_LEAST_MS, QUEUE_RETRY_MOST_MS);
        return;
    }
    queue_adopt(c, &o->ended);
    queue_adopt(c, &o->live);
    set_load_error(c, NULL);
    c->loaded = true;
    events_add(c, "info", "cluster", 0, NULL, NULL, "the queue is read: %zu tasks not ended; term %" PRId64,
               o->live.n, c->journal.term);
}

static void load_done(Coord *c, StoreOp *op)
{
    LoadOp *o = (LoadOp *)op;
    c->queue.loading = false;
    if (op->ok) {
        take_queue(c, o);
    } else {
        set_load_error(c, op->err.text);
        retry_failed(c, &c->queue.load_retry, QUEUE_RETRY_LEAST_MS, QUEUE_RETRY_MOST_MS);
    }
    queue_free_tasks(&o->live);
    queue_free_tasks(&o->ended);
    for (size_t i = 0; i < o->nodes.n; i++)
        wire_free(node_fields, (Node *)o->nodes.v + i);
    free(o->nodes.v);
    free(o->cluster_name);
    free(o);
}

void queue_load(Coord *c)
{
    if (c->loaded || c->queue.loading || !c->journal.primary || !retry_due(&c->queue.load_retry))
        return;
    LoadOp *o = NEW(LoadOp);
    o->op = (StoreOp){.what = "read the queue", .work = load_work, .done = load_done, .transaction = true};
    o->cluster_name = xstrdup(c->conf.cluster_name);
    o->term = c->journal.term;
    for (size_t i = 0; i < c->n_agents; i++) {
        Node *n = wire_list_add(&o->nodes, sizeof *n);
        n->name = xstrdup(c->agents[i]->name);
        n->url = xstrdup(c->agents[i]->url);
        n->role = state_role(c, n->name);
    }
    Err err;
    c->queue.loading = true;
    if (!store_start(c, &o->op, &err)) {
        o->op.ok = false;
        o->op.err = err;
        load_done(c, &o->op);
    }
}
