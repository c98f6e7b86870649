/* SPDX-License-Identifier: Apache-2.0
 * The terms of a cluster put in order by hand: one that was made up keeps the coordinator out for good. All
 * agents take the new term whatever they have heard, then the queue's database, then this coordinator, which
 * works again if it had stood back. Killed on the way it can be asked again.
 */
#include "reset_term.h"

#include <inttypes.h>
#include <stdio.h>

#include "agents.h"
#include "common/file/json.h"
#include "coord_journal.h"
#include "coord_store.h"
#include "events.h"
#include "handlers.h"
#include "queue_db.h"

enum { CALL_MS = 10000 };
/* No cluster comes here by itself: what is above was made up, and counting begins anew. */
static const int64_t most_believed = INT64_C(1) << 40;

typedef struct TermReset {
    Coord *c;
    HttpRequest *req;
    int64_t term;
    size_t missing;
    json_t *nodes, *failed;
} TermReset;

typedef struct TermOp {
    StoreOp op;
    int64_t term;
    char *owner;
    TermReset *reset; /* the loop's */
} TermOp;

static void finish(TermReset *r, const Err *err)
{
    Coord *c = r->c;
    Err why;
    if (!coord_journal_set_term(c, r->term, &why)) {
        http_reply_error(r->req, &why);
    } else {
        c->fenced = false;
        for (size_t i = 0; i < c->n_agents; i++)
            c->agents[i]->refused_term = false;
        events_add(c, "warn", "cluster", 0, NULL, NULL, "the term was set to %" PRId64 " by hand", r->term);
        if (err)
            json_set_str(r->failed, "database", err->text);
        http_reply_json(r->req, 200,
                        json_pack("{s:I, s:O, s:O}", "term", (json_int_t)r->term, "nodes", r->nodes, "failed",
                                  r->failed));
    }
    coord_step_soon(c);
    json_decref(r->nodes);
    json_decref(r->failed);
    free(r);
}

/* Whatever stands there: this coordinator is its writer from here on. */
static bool term_work(Db *db, StoreOp *op, Err *err)
{
    TermOp *o = (TermOp *)op;
    int64_t term = o->term;
    return qdb_set_meta(db, "term", "0", err) && qdb_take_over(db, &term, o->owner, err);
}

static void term_done(Coord *c, StoreOp *op)
{
    TermOp *o = (TermOp *)op;
    (void)c;
    finish(o->reset, op->ok ? NULL : &op->err);
    free(o->owner);
    free(o);
}

static void then_the_database(TermReset *r)
{
    TermOp *o = NEW(TermOp);
    o->op = (StoreOp){.kind = STORE_WRITE,
                      .what = "set the term",
                      .work = term_work,
                      .done = term_done,
                      .takes_over = true};
    o->reset = r;
    o->term = r->term;
    o->owner = xstrdup(r->c->journal.owner);
    store_start(r->c, &o->op);
}

static void agent_told(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    TermReset *r = ref->arg;
    (void)body;
    if (ok)
        json_array_append_new(r->nodes, json_string(ref->node));
    else
        json_set_str(r->failed, ref->node, err->text);
    if (--r->missing == 0)
        then_the_database(r);
}

void handle_reset_term(HttpRequest *req, void *context)
{
    Coord *c = context;
    json_t *body;
    const char *confirm;
    Err err;
    if (!http_body(req, &body, &err) || !json_req_str(body, "confirm", &confirm, &err)) {
        http_reply_error(req, &err);
        return;
    }
    if (!str_eq(confirm, c->conf.cluster_name)) {
        handle_error(req, ERR_REFUSED, "\"confirm\" must be the name of the cluster, \"%s\"",
                     c->conf.cluster_name);
        return;
    }
    TermReset *r = NEW(TermReset);
    int64_t base = c->journal.term < most_believed ? c->journal.term : 0;
    *r = (TermReset){c, req, base + 1, c->n_agents, json_array(), json_object()};
    AUTOJSON json_t *order =
        json_pack("{s:I, s:s}", "term", (json_int_t)r->term, "cluster_name", c->conf.cluster_name);
    for (size_t i = 0; i < c->n_agents; i++) {
        CallRef ref = {.done = agent_told, .arg = r};
        snprintf(ref.node, sizeof ref.node, "%s", c->agents[i]->name);
        agents_call(c->agents[i], "POST", "/v1/term", order, CALL_MS, &ref);
    }
}
