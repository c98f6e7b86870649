/* SPDX-License-Identifier: Apache-2.0
 * The queue is read once, when the primary is known: schema, cluster and term are checked and the term is
 * taken over; then, page by page, all that is not ended and all that holds others, however old. With each
 * such beginning the queue gets a new incarnation: nobody can tell a restored database, or one that has lost
 * its newest transactions, from one that was only left alone, and ids of runs may come again in it. Runs that
 * are under way keep theirs. What happens to the history under a coordinator that has read it is seen by the
 * number that each of its transactions leaves there (store_batch.c): then all is read again.
 */
#include <inttypes.h>

#include "agents.h"
#include "common/base/clock.h"
#include "coord_brakes.h"
#include "coord_journal.h"
#include "deadlines.h"
#include "events.h"
#include "orchestrator/core/queue_brakes.h"
#include "queue_after.h"
#include "queue_impl.h"

enum { PAGE = 10000, SCHEMA_VERSION = 8 };

static void set_load_error(Coord *c, const char *text)
{
    if (text && !str_eq(c->queue.load_error, text))
        events_add(c, "error", "database", 0, NULL, NULL, "the queue cannot be read: %s", text);
    str_set(&c->queue.load_error, text);
}

static void load_failed(Coord *c, const Err *err)
{
    c->queue.loading = false;
    set_load_error(c, err->text);
    retry_failed(c, &c->queue.load_retry, QUEUE_RETRY_LEAST_MS, QUEUE_RETRY_MOST_MS);
}

/* ---- the pages -------------------------------------------------------------------------------------- */

typedef struct PageOp {
    StoreOp op;
    int64_t after;
    WireList waiting, others; /* the others with their runs */
    WireList holding;         /* with the last page */
    int64_t counts[TASK_UNKNOWN + 1];
    bool last;
} PageOp;

static void sort_out(PageOp *o, WireList *found)
{
    Task *t = found->v;
    for (size_t i = 0; i < found->n; i++) {
        bool waits = t[i].state == TASK_WAITING && t[i].kind != KIND_UPLOAD;
        *(Task *)wire_list_add(waits ? &o->waiting : &o->others, sizeof(Task)) = t[i];
        o->after = t[i].id;
    }
    free(found->v);
}

static bool page_work(Db *db, StoreOp *op, Err *err)
{
    PageOp *o = (PageOp *)op;
    WireList found = {0};
    qdb_free_tasks(&o->waiting);
    qdb_free_tasks(&o->others);
    qdb_free_tasks(&o->holding);
    if (!qdb_live_tasks(db, o->after, PAGE, &found, err)) {
        qdb_free_tasks(&found);
        return false;
    }
    o->last = found.n < PAGE;
    sort_out(o, &found);
    return qdb_add_runs(db, &o->others, err) &&
           (!o->last || (qdb_holding_tasks(db, &o->holding, err) && qdb_count(db, o->counts, err)));
}

static void begin_page(Coord *c, int64_t after);

static void finish(Coord *c, const PageOp *o)
{
    for (int s = 0; s <= TASK_UNKNOWN; s++)
        c->queue.memory->ended[s] = o->counts[s];
    set_load_error(c, NULL);
    c->queue.loading = false;
    c->loaded = true;
    events_add(c, "info", "cluster", 0, NULL, NULL, "the queue is read: %zu tasks not ended; term %" PRId64,
               slots_count(c->slots, SLOT_PLACES) - slots_count(c->slots, SLOT_FAILED), c->journal.term);
}

static void page_done(Coord *c, StoreOp *op)
{
    PageOp *o = (PageOp *)op;
    if (op->ok) {
        queue_take_all(c, &o->waiting, true, INT64_MAX);
        queue_take_all(c, &o->others, true, INT64_MAX);
        queue_take_all(c, &o->holding, true, INT64_MAX);
        if (o->last)
            finish(c, o);
        else
            begin_page(c, o->after);
    } else {
        load_failed(c, &op->err);
    }
    qdb_free_tasks(&o->waiting);
    qdb_free_tasks(&o->others);
    qdb_free_tasks(&o->holding);
    free(o);
}

static void begin_page(Coord *c, int64_t after)
{
    PageOp *o = NEW(PageOp);
    o->op = (StoreOp){.kind = STORE_READ, .what = "read the queue", .work = page_work, .done = page_done};
    o->after = after;
    store_start(c, &o->op);
}

/* ---- taking over ------------------------------------------------------------------------------------ */

typedef struct LoadOp {
    StoreOp op;
    char *cluster_name, *owner;
    char incarnation[RUNKEY_INCARNATION + 1];
    int64_t term;
    WireList nodes; /* Node, names, urls and roles */
    WireList brakes, starts;
    int64_t starts_within_ms; /* 0: no key has a rate */
} LoadOp;

static bool check_schema(Db *db, const LoadOp *o, Err *err)
{
    int64_t version;
    AUTOFREE char *name = NULL;
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
    if (!qdb_meta(db, "cluster_name", &name, err))
        return false;
    return str_eq(name, o->cluster_name) ||
           err_set(err, ERR_CONFIG, 0,
                   "schema siding belongs to cluster \"%s\", the configuration says \"%s\"", name ? name : "",
                   o->cluster_name);
}

static bool load_work(Db *db, StoreOp *op, Err *err)
{
    LoadOp *o = (LoadOp *)op;
    brakes_free(&o->brakes);
    qdb_free_starts(&o->starts);
    if (!check_schema(db, o, err) || !qdb_take_over(db, &o->term, o->owner, err) ||
        !qdb_set_meta(db, "incarnation", o->incarnation, err) || !qdb_brakes(db, &o->brakes, err) ||
        (o->starts_within_ms && !qdb_starts(db, o->starts_within_ms, &o->starts, err)))
        return false;
    const Node *nodes = o->nodes.v;
    for (size_t i = 0; i < o->nodes.n; i++)
        if (!qdb_set_node(db, nodes[i].name, nodes[i].role, nodes[i].url, o->term, err))
            return false;
    return true;
}

static int64_t longest_rate_ms(const Coord *c)
{
    int64_t most = 0;
    const QueueKey *k = c->conf.queue.keys.v;
    for (size_t i = 0; i < c->conf.queue.keys.n; i++)
        if (k[i].starts && k[i].per_ms > most)
            most = k[i].per_ms;
    return most;
}

static void take_starts(Coord *c, const WireList *starts)
{
    const QdbStart *s = starts->v;
    for (size_t i = 0; i < starts->n; i++) {
        SlotLimit limit = queue_limit_of(c, s[i].key);
        slots_started(c->slots, s[i].key, &limit, clock_mono_ms() - s[i].ago_ms);
    }
}

static void load_done(Coord *c, StoreOp *op)
{
    LoadOp *o = (LoadOp *)op;
    Err err = op->err;
    bool ok = op->ok && (o->term <= c->journal.term || coord_journal_set_term(c, o->term, &err));
    if (ok) {
        str_set(&c->incarnation, o->incarnation);
        coord_brakes_load(c, &o->brakes);
        take_starts(c, &o->starts);
        begin_page(c, 0);
    } else {
        load_failed(c, &err);
    }
    for (size_t i = 0; i < o->nodes.n; i++)
        wire_free(node_fields, (Node *)o->nodes.v + i);
    free(o->nodes.v);
    free(o->cluster_name);
    free(o->owner);
    brakes_free(&o->brakes);
    qdb_free_starts(&o->starts);
    free(o);
}

void queue_read_anew(Coord *c)
{
    events_add(
        c, "error", "database", 0, NULL, NULL,
        "the queue's database is at an earlier time than before (a restore, or a new primary that lacks "
        "the newest transactions): the queue is read anew. Tasks that are gone are to be submitted again; "
        "their runs are ended");
    queue_asked_fail(c);
    queue_after_free(c);
    deadlines_free(c);
    queue_memory_close(c);
    state_free_entries(c);
    queue_memory_open(c);
    c->alive_until = clock_wall_ms();
    c->queue.inbox_after = c->queue.sweep_after = 0;
    c->loaded = false;
}

void queue_load(Coord *c)
{
    if (c->loaded || c->queue.loading || !c->journal.primary || !retry_due(&c->queue.load_retry) ||
        !agents_are_heard(c))
        return;
    LoadOp *o = NEW(LoadOp);
    o->op = (StoreOp){.kind = STORE_WRITE,
                      .what = "take over the queue",
                      .work = load_work,
                      .done = load_done,
                      .takes_over = true};
    o->cluster_name = xstrdup(c->conf.cluster_name);
    o->owner = xstrdup(c->journal.owner);
    o->term = c->journal.term;
    runkey_draw(o->incarnation);
    for (size_t i = 0; i < c->n_agents; i++) {
        Node *n = wire_list_add(&o->nodes, sizeof *n);
        n->name = xstrdup(c->agents[i]->name);
        n->url = xstrdup(c->agents[i]->url);
        n->role = state_role(c, n->name);
    }
    o->starts_within_ms = longest_rate_ms(c);
    c->queue.loading = true;
    store_start(c, &o->op);
}
