/* SPDX-License-Identifier: Apache-2.0 */
#include "provisions.h"

#include <inttypes.h>
#include <stdio.h>

#include "agents.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/json.h"
#include "common/wire/bounds.h"
#include "events.h"
#include "handlers.h"
#include "orchestrator/core/provision.h"
#include "orchestrator/core/topology.h"

enum { PAUSE_S = 12 * 3600, CALL_MS = 120000, AGAIN_LEAST_MS = 500, AGAIN_MOST_MS = 5000 };

typedef struct Provisions {
    ProvisionRecord r; /* id NULL: none yet */
    bool busy;         /* a call is under way */
    int64_t serial;    /* of that call */
    Retry retry;
    Reprovision itself;
} Provisions;

/* ---- the record ------------------------------------------------------------------------------------- */

static char *path_of(const Coord *c)
{
    return xasprintf("%s/provision.json", c->conf.state_dir);
}

static bool save(const Coord *c, const ProvisionRecord *r, Err *err)
{
    AUTOFREE char *path = path_of(c);
    AUTOJSON json_t *j = wire_write(provision_record_fields, r);
    return json_replace_file(path, j, 0640, err);
}

/* Kept for a person. Whatever was under way is over: its agent goes on by itself, and the donor's pause ends.
 */
static void put_aside(Coord *c, const char *path, const Err *why)
{
    Err err;
    ProvisionRecord *r = &c->provisions->r;
    AUTOFREE char *aside = xasprintf("%s.unreadable", path);
    wire_free(provision_record_fields, r);
    reprovision_note_unknown(r, clock_wall_ms());
    events_add(c, "error", "replica", 0, NULL, NULL,
               "what replicas were given new data cannot be read (%s): it is put aside as %s, and none is "
               "given any by itself for a day",
               why->text, aside);
    if (rename(path, aside) != 0 || !save(c, r, &err))
        log_error("%s cannot be replaced", path);
}

void provisions_open(Coord *c)
{
    Err err;
    AUTOFREE char *path = path_of(c);
    AUTOJSON json_t *j = NULL;
    Provisions *p = c->provisions = NEW(Provisions);
    c->provision = &p->r;
    bool ok = json_read_file(path, &j, &err) && wire_read(provision_record_fields, j, &p->r, &err);
    if (!ok && err.kind != ERR_NOT_FOUND)
        put_aside(c, path, &err);
}

void provisions_close(Coord *c)
{
    if (!c->provisions)
        return;
    wire_free(provision_record_fields, &c->provisions->r);
    reprovision_done(&c->provisions->itself);
    c->provision = NULL;
    free(STEAL(c->provisions));
}

/* ---- calls ------------------------------------------------------------------------------------------ */

static void tell_end(Coord *c)
{
    const ProvisionRecord *r = &c->provisions->r;
    char took[CLOCK_TEXT];
    clock_format_duration(r->ended_at - r->started_at, took);
    if (r->phase == PROVISION_DONE)
        events_add(c, "info", "replica", 0, NULL, r->node, "%s is a replica with the data of %s, after %s",
                   r->node, r->donor, took);
    else
        events_add(c, "error", "replica", 0, NULL, r->node, "%s was not made a replica: %s", r->node,
                   r->error);
}

/* What is on disk counts. */
static bool keep(Coord *c, const json_t *before)
{
    Err err, ignored;
    ProvisionRecord *r = &c->provisions->r;
    AUTOJSON json_t *now = wire_write(provision_record_fields, r);
    if (json_equal(now, before))
        return true;
    if (!save(c, r, &err)) {
        log_error("%s", err.text);
        wire_free(provision_record_fields, r);
        (void)!wire_read(provision_record_fields, before, r, &ignored);
        return false;
    }
    retry_reset(&c->provisions->retry);
    coord_step_soon(c);
    if (!provision_is_under_way(r) && !json_is_string(json_object_get(before, "ended_at")))
        tell_end(c);
    return true;
}

/* A donor that is paused by then, perhaps for the filling before, is waited for: the step knows how long. */
static bool is_final(const char *word, const Err *err)
{
    if (str_eq(word, "resume") || (str_eq(word, "pause") && err->kind == ERR_CONFLICT))
        return false;
    return err->kind == ERR_REFUSED || err->kind == ERR_CONFLICT || err->kind == ERR_USAGE ||
           err->kind == ERR_NOT_FOUND || err->kind == ERR_AUTH;
}

static void answered(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    Coord *c = ref->c;
    Provisions *p = c->provisions;
    (void)body;
    if (!p || ref->task != p->serial)
        return;
    p->busy = false;
    if (ok || err->kind == ERR_CANCELLED)
        return;
    log_info("%s of %s: %s", ref->word, ref->node, err->text);
    retry_failed(c, &p->retry, AGAIN_LEAST_MS, AGAIN_MOST_MS);
    if (!is_final(ref->word, err))
        return;
    AUTOJSON json_t *before = wire_write(provision_record_fields, &p->r);
    AUTOFREE char *why = xasprintf("%s: %s", ref->node, err->text);
    provision_refused(&p->r, why, clock_wall_ms());
    (void)!keep(c, before);
}

static void call(Coord *c, AgentLink *a, const char *word, const json_t *body)
{
    Provisions *p = c->provisions;
    AUTOFREE char *path = xasprintf("/v1/%s", word);
    CallRef ref = {.done = answered, .task = ++p->serial};
    snprintf(ref.node, sizeof ref.node, "%s", a->name);
    snprintf(ref.word, sizeof ref.word, "%s", word);
    p->busy = true;
    agents_call(a, "POST", path, body, CALL_MS, &ref);
}

static void pause_donor(Coord *c, AgentLink *donor)
{
    const ProvisionRecord *r = &c->provisions->r;
    AUTOFREE char *reason = provision_reason(r);
    AUTOJSON json_t *body = json_object();
    json_set_int(body, "for_s", PAUSE_S);
    json_set_str(body, "reason", reason);
    json_set_str(body, "by", r->by);
    call(c, donor, "pause", body);
}

static void resume_donor(Coord *c, AgentLink *donor)
{
    AUTOJSON json_t *body = json_object();
    json_set_str(body, "reason", "its data are copied");
    json_set_str(body, "by", c->provisions->r.by);
    call(c, donor, "resume", body);
}

static void fill(Coord *c, AgentLink *node, const AgentLink *donor)
{
    const ProvisionRecord *r = &c->provisions->r;
    const AgentLink *primary = state_primary_agent(c);
    if (!primary)
        return;
    FillOrder o = {.id = provision_order(r),
                   .gtid = xstrdup(r->gtid),
                   .replaces = r->replaces,
                   .discards = r->discards,
                   .max_rate = r->max_rate,
                   .by = xstrdup(r->by)};
    o.donor = agents_server(donor);
    o.source = agents_server(primary);
    AUTOJSON json_t *body = wire_write(fill_order_fields, &o);
    wire_free(fill_order_fields, &o);
    call(c, node, "fill", body);
}

/* ---- a turn ----------------------------------------------------------------------------------------- */

static ProvisionView view_of(Coord *c, const AgentLink *node, const AgentLink *donor)
{
    AUTOFREE const Node **nodes = state_nodes(c);
    ProvisionView v = {.node = node ? &node->node : NULL,
                       .donor = donor ? &donor->node : NULL,
                       .donor_heard = donor && donor->fresh,
                       .max_lag_ms = c->conf.max_lag_ms,
                       .now_ms = clock_wall_ms()};
    if (node && !node->fresh)
        v.node_silent_ms = node->seen_ms ? clock_mono_ms() - node->seen_ms : 1;
    v.follows = node && str_eq(topology_source(nodes, c->n_agents, &node->node), c->journal.primary);
    return v;
}

static void step_record(Coord *c)
{
    Provisions *p = c->provisions;
    if (!p->r.id || p->busy || c->fenced)
        return;
    AgentLink *node = state_agent(c, p->r.node), *donor = state_agent(c, p->r.donor);
    AUTOJSON json_t *before = wire_write(provision_record_fields, &p->r);
    ProvisionView v = view_of(c, node, donor);
    ProvisionAct act = provision_step(&p->r, &v);
    if (!keep(c, before) || !retry_due(&p->retry))
        return;
    if (act == PROVISION_PAUSE)
        pause_donor(c, donor);
    else if (act == PROVISION_RESUME)
        resume_donor(c, donor);
    else if (act == PROVISION_FILL)
        fill(c, node, donor);
}

/* What is waited for, of each node: beside how far its agent says that it is. */
static void set_note(Coord *c, AgentLink *a)
{
    const Provisions *p = c->provisions;
    if (!provision_is_under_way(&p->r) || !str_eq(p->r.node, a->name)) {
        str_set(&a->node.note, reprovision_text(&p->itself, a->name));
        return;
    }
    ProvisionView v = view_of(c, a, state_agent(c, p->r.donor));
    AUTOFREE char *waits = provision_waits_for(&p->r, &v);
    str_set(&a->node.note, waits);
}

void provisions_step(Coord *c)
{
    step_record(c);
    reprovisions_step(c, &c->provisions->itself, &c->provisions->retry);
    for (size_t i = 0; i < c->n_agents; i++)
        set_note(c, c->agents[i]);
}

void provisions_warnings(const Coord *c, StrList *ret)
{
    const Reprovision *s = &c->provisions->itself;
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].text)
            strlist_add(ret, s->v[i].text);
}

/* ---- what people ask -------------------------------------------------------------------------------- */

/* The first that serves and is not the worst candidate for everything else: whoever is least behind. */
AgentLink *provisions_donor(Coord *c, const AgentLink *node)
{
    AgentLink *best = NULL;
    for (size_t i = 0; i < c->n_agents; i++) {
        AgentLink *a = c->agents[i];
        bool serves = a->fresh && a != node && !str_eq(a->name, c->journal.primary) &&
                      topology_node_health(&a->node, c->journal.primary) == NODE_SERVING;
        if (serves && (!best || a->node.lag_ms < best->node.lag_ms))
            best = a;
    }
    return best;
}

static bool knows_how(const AgentLink *a, Err *err)
{
    return a->node.agent.fill.phase != FILL_UNKNOWN ||
           err_set(err, ERR_REFUSED, 0, "the agent of %s is of another version", a->name);
}

/* A transaction that nobody else has would be lost. */
static bool check_errant(const AgentLink *node, bool discards, Err *err)
{
    const char *errant = node->node.errant;
    return discards || !errant || !*errant ||
           err_set(err, ERR_REFUSED, 0,
                   "%s has transactions that the primary lacks (%.300s): they would be lost; "
                   "--discard-its-transactions gives them up",
                   node->name, errant);
}

static bool may_begin(Coord *c, const ProvisionWish *w, Err *err)
{
    const ProvisionRecord *under_way = &c->provisions->r;
    const AgentLink *primary = state_primary_agent(c);
    if (c->fenced)
        return err_set(err, ERR_CONFLICT, 0, "another coordinator has taken over this cluster");
    if (provision_is_under_way(under_way))
        return err_set(err, ERR_CONFLICT, 0,
                       "%s is being made a replica with the data of %s: one after the other", under_way->node,
                       under_way->donor);
    return provision_may_begin(&w->node->node, w->donor ? &w->donor->node : NULL,
                               primary ? &primary->node : NULL, w->replaces, err) &&
           knows_how(w->node, err) && (!w->replaces || check_errant(w->node, w->discards, err));
}

static void tell_begin(Coord *c)
{
    const ProvisionRecord *r = &c->provisions->r;
    if (r->why)
        events_add(c, "warn", "replica", 0, NULL, r->node,
                   "%s gets the data of %s, in place of its own, by itself: %s", r->node, r->donor, r->why);
    else
        events_add(c, "info", "replica", 0, NULL, r->node, "%s gets the data of %s%s, asked for by %s",
                   r->node, r->donor, r->replaces ? ", in place of its own" : "", r->by);
}

bool provisions_begin(Coord *c, const ProvisionWish *w, Err *err)
{
    Provisions *p = c->provisions;
    if (!may_begin(c, w, err))
        return false;
    ProvisionRecord r = {.id = xasprintf("%s-%" PRId64, w->node->name, clock_wall_ms()),
                         .node = xstrdup(w->node->name),
                         .donor = xstrdup(w->donor->name),
                         .by = xstrdup(w->by),
                         .phase = PROVISION_PAUSING,
                         .replaces = w->replaces,
                         .discards = w->discards,
                         .max_rate = w->max_rate,
                         .why = xstrdup(w->why),
                         .started_at = clock_wall_ms()};
    EXCHANGE(r.history, p->r.history);
    if (r.why)
        reprovision_note(&r);
    bool ok = save(c, &r, err);
    if (ok)
        EXCHANGE(p->r, r);
    else
        EXCHANGE(r.history, p->r.history);
    wire_free(provision_record_fields, &r);
    if (!ok)
        return false;
    tell_begin(c);
    coord_step_soon(c);
    return true;
}

static bool begin(Coord *c, HttpRequest *req, Err *err)
{
    json_t *body;
    AgentLink *node = state_agent(c, http_param(req, "name"));
    if (!http_body(req, &body, err) || !bounds_check(provision_bounds, DOOR_API, body, err))
        return false;
    const char *from = json_str(body, "from");
    if (!node)
        return err_set(err, ERR_NOT_FOUND, 0,
                       "there is no node \"%s\": start its agent and name it in sidingd.conf",
                       http_param(req, "name"));
    if (*from && !state_agent(c, from))
        return err_set(err, ERR_NOT_FOUND, 0, "there is no node \"%s\"", from);
    AUTOFREE char *by = http_by(req, json_str(body, "by"));
    int64_t max_rate = json_int(body, "max_rate");
    ProvisionWish w = {.node = node,
                       .donor = *from ? state_agent(c, from) : provisions_donor(c, node),
                       .replaces = json_bool(body, "replaces"),
                       .discards = json_bool(body, "discards"),
                       .max_rate = max_rate ? max_rate : c->conf.provision.max_rate,
                       .by = by};
    return provisions_begin(c, &w, err);
}

static json_t *record_json(const Coord *c)
{
    const ProvisionRecord *r = &c->provisions->r;
    const AgentLink *node = state_agent(c, r->node);
    AUTOFREE char *order = r->id ? provision_order(r) : NULL;
    json_t *o = wire_write(provision_record_fields, r);
    if (node && str_eq(node->node.agent.fill.order.id, order))
        json_object_set_new(o, "fill", wire_write(fill_state_fields, &node->node.agent.fill));
    json_set_int(o, "lag_ms", node ? node->node.lag_ms : -1);
    json_set_str(o, "waits_for", node ? node->node.note : NULL);
    return o;
}

void handle_provision(HttpRequest *req, void *context)
{
    Coord *c = context;
    Err err;
    if (begin(c, req, &err))
        http_reply_json(req, 200, record_json(c));
    else
        http_reply_error(req, &err);
}

void handle_provision_show(HttpRequest *req, void *context)
{
    http_reply_json(req, 200, record_json(context));
}
