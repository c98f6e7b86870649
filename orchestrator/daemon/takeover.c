/* SPDX-License-Identifier: Apache-2.0
 * What begins a failover, and what it has come to.
 */
#include "takeover.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/password.h"
#include "common/file/json.h"
#include "coord_journal.h"
#include "events.h"
#include "failover_impl.h"

enum {
    FOLLOW_WAIT_MS = 3000,
    CLEAN_FOLLOW_WAIT_MS = 100, /* of a switchover: who is late is counted in afterwards */
    PHASE_LIMIT_MS = 10000,
    LOSS_AFTER_MS = 5000,
    CLOSE_WAIT_MS = 5000,
    CLOSED_MOST_MS = 2000, /* before the primary opens by itself */
};

/* ---- the journal ------------------------------------------------------------------------------------ */

bool failover_journal(Coord *c, const char *key, json_t *value, Err *err)
{
    json_t *o = c->journal.failover ? json_copy(c->journal.failover) : json_object();
    json_object_set_new(o, key, value);
    return coord_journal_set_failover(c, o, err);
}

void failover_note(Coord *c, const char *key, json_t *value)
{
    Err err;
    if (!failover_journal(c, key, value, &err))
        log_error("%s", err.text);
}

static void note_decision(Coord *c)
{
    WireDecision w;
    failover_write_decision(c, &c->failover->f.base, &w);
    failover_note(c, "decision", wire_write(wire_decision_fields, &w));
    wire_free(wire_decision_fields, &w);
}

bool failover_was_strict(const Coord *c)
{
    return json_bool(c->journal.failover, "strict");
}

int64_t failover_maintenance_until(const Coord *c)
{
    return json_int(c->journal.failover, "maintenance_until");
}

/* ---- what is known ---------------------------------------------------------------------------------- */

static uint64_t draw_owner(void)
{
    char text[33];
    uint64_t h = 0xcbf29ce484222325u;
    random_password(text, sizeof text - 1);
    for (const char *p = text; *p; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    return h ? h : 1;
}

static NodeSet all_nodes(Coord *c)
{
    NodeSet set = 0;
    for (size_t i = 0; i < c->n_agents; i++) {
        int node = failover_number(c, c->agents[i]->name);
        if (node != FAILOVER_NOBODY)
            set |= (NodeSet)1 << node;
    }
    return set;
}

/* Before any failover all replicas may acknowledge: one too many in the list makes it harder to take over,
 * never wrong. */
static Decision first_decision(Coord *c)
{
    int primary = failover_number(c, c->journal.primary);
    return (Decision){.version = 1,
                      .primary = primary,
                      .held_by = primary,
                      .open = true,
                      .members = all_nodes(c) & ~((NodeSet)1 << primary),
                      .acks = 1};
}

void failover_know(Coord *c)
{
    FailoverEdge *e = c->failover;
    WireDecision w = {0};
    Err err;
    if (!c->journal.primary)
        return;
    Decision d = first_decision(c);
    /* Nothing was decided yet: whoever is configured may acknowledge. */
    if (e->known && !e->f.base.ballot.term && e->f.phase == FAILOVER_IDLE)
        e->f.base.members = d.members;
    if (e->known)
        return;
    json_t *kept = json_object_get(c->journal.failover, "decision");
    if (json_is_object(kept) && wire_read(wire_decision_fields, kept, &w, &err) && w.version)
        d = failover_decision(c, &w);
    wire_free(wire_decision_fields, &w);
    str_set(&e->drained,
            *json_str(c->journal.failover, "drained") ? json_str(c->journal.failover, "drained") : NULL);
    failover_init(&e->f, &d);
    e->known = true;
}

void failover_open(Coord *c)
{
    FailoverEdge *e = c->failover = NEW(FailoverEdge);
    e->owner = draw_owner();
    e->watch = primary_watch_new(c);
}

void failover_close(Coord *c)
{
    FailoverEdge *e = c->failover;
    if (!e)
        return;
    primary_watch_free(e->watch);
    for (int i = 0; i < e->n_peers; i++) {
        free(e->peers[i].name);
        free(e->peers[i].position);
        free(e->peers[i].waits);
        free(e->peers[i].told);
    }
    json_decref(e->record);
    free(e->only);
    free(e->refused);
    free(e->drained);
    free(e->told);
    free(e->leaving.node);
    free(e->leaving.position);
    free(e);
    c->failover = NULL;
}

bool failover_is_under_way(const Coord *c)
{
    const FailoverEdge *e = c->failover;
    return e->known && e->f.phase != FAILOVER_IDLE && e->f.phase != FAILOVER_DEPOSED;
}

/* ---- who may become the primary --------------------------------------------------------------------- */

void failover_candidates(Coord *c, const AgentLink *a, StrList *never, StrList *avoid)
{
    AUTOFREE const Node **nodes = state_nodes(c);
    const AgentLink *primary = state_primary_agent(c);
    CandidateRules rules = {&c->conf.failover.never, &c->conf.failover.avoid, c->failover->only,
                            c->conf.max_lag_ms};
    candidate_reasons(nodes, c->n_agents, primary ? &primary->node : NULL, &a->node, &rules, never, avoid);
}

void failover_rules(Coord *c, FailoverRules *ret)
{
    const FailoverEdge *e = c->failover;
    *ret = (FailoverRules){.voters = all_nodes(c),
                           .servers = all_nodes(c),
                           .acks = (int)c->conf.failover.acks,
                           .alone = c->conf.failover.alone,
                           .loose = !failover_was_strict(c),
                           .loss_after_ms = e->takes_loss ? LOSS_AFTER_MS : 0,
                           .old_is_off = e->old_is_off,
                           .fence_wait_ms =
                               c->conf.failover.fence_after_ms * 101 / 100 + c->conf.failover.close_ms,
                           .close_wait_ms = CLOSE_WAIT_MS + e->kill_after_ms,
                           .closed_most_ms = CLOSED_MOST_MS,
                           .follow_wait_ms = e->f.clean ? CLEAN_FOLLOW_WAIT_MS : FOLLOW_WAIT_MS,
                           .phase_limit_ms = PHASE_LIMIT_MS};
    for (size_t i = 0; i < c->n_agents; i++) {
        AUTO(strlist_done) StrList never = STRLIST_INIT, avoid = STRLIST_INIT;
        int node = failover_number(c, c->agents[i]->name);
        NodeSet bit = node == FAILOVER_NOBODY ? 0 : (NodeSet)1 << node;
        failover_candidates(c, c->agents[i], &never, &avoid);
        /* Nobody waits closed until what a paused one holds back is applied. */
        bool late = e->f.clean && c->agents[i]->node.agent.lease.owner;
        ret->never |= never.n || late ? bit : 0;
        ret->avoid |= avoid.n ? bit : 0;
        ret->prefer |= strlist_has(&c->conf.failover.prefer, c->agents[i]->name) ? bit : 0;
    }
}

/* ---- the beginning ---------------------------------------------------------------------------------- */

static int64_t greatest_term(Coord *c)
{
    int64_t most = json_int(c->journal.failover, "ballot");
    if (c->failover->f.heard > most)
        most = c->failover->f.heard;
    for (size_t i = 0; i < c->n_agents; i++) {
        const VoteState *v = &c->agents[i]->node.agent.vote;
        if (v->promised.term > most)
            most = v->promised.term;
    }
    return most;
}

/* On disk before it is used. */
static bool next_ballot(Coord *c, Ballot *ret, Err *err)
{
    *ret = (Ballot){greatest_term(c) + 1, c->failover->owner};
    return failover_journal(c, "ballot", json_integer(ret->term), err);
}

/* What a person takes upon himself counts for one that waits as well. */
static bool join(Coord *c, const FailoverWish *w, int64_t *ret_id, Err *err)
{
    FailoverEdge *e = c->failover;
    FailoverEvent ev = {.kind = FAILOVER_EV_TICK};
    bool waits = e->f.phase == FAILOVER_FENCING || (e->f.phase == FAILOVER_WAITING && w->old_is_off);
    if (!waits || !(w->takes_loss || w->old_is_off))
        return err_set(err, ERR_CONFLICT, 0, "failover %" PRId64 " is under way", failover_record_id(c));
    e->takes_loss |= w->takes_loss;
    e->old_is_off |= w->old_is_off;
    failover_record(c, "%s", w->cause);
    *ret_id = failover_record_id(c);
    failover_feed(c, &ev);
    failover_send(c);
    return true;
}

bool failover_begin(Coord *c, const FailoverWish *w, int64_t *ret_id, Err *err)
{
    FailoverEdge *e = c->failover;
    FailoverEvent ev = {.kind = FAILOVER_EV_BEGIN, .clean = w->clean};
    if (!e->known)
        return err_set(err, ERR_UNREACHABLE, 0, "the primary is not known yet: nothing can be taken over");
    if (e->record)
        return join(c, w, ret_id, err);
    if (failover_is_unfinished(c))
        return err_set(
            err, ERR_CONFLICT, 0,
            "an earlier failover is not finished: what the agents have accepted is confirmed first; "
            "try again in some seconds");
    if (!next_ballot(c, &ev.ballot, err))
        return false;
    str_set(&e->only, w->only);
    e->takes_loss = w->takes_loss;
    e->old_is_off = w->old_is_off;
    e->kill_after_ms = w->kill_after_ms;
    str_set(&e->refused, NULL);
    for (int i = 0; i < e->n_peers; i++)
        str_set(&e->peers[i].position, NULL);
    failover_record_begin(c, w);
    *ret_id = failover_record_id(c);
    events_add(c, w->clean ? "info" : "warn", "failover", 0, NULL, c->journal.primary,
               "failover %" PRId64 " of %s begins (%s): %s", failover_record_id(c), c->journal.primary,
               w->kind, w->cause);
    failover_feed(c, &ev);
    failover_send(c);
    return true;
}

/* Without a person who could be answered. */
void failover_begin_own(Coord *c, const FailoverWish *w)
{
    Err err;
    int64_t id;
    if (!failover_begin(c, w, &id, &err))
        log_error("%s", err.text);
}

void failover_confirm_last(Coord *c)
{
    FailoverEvent ev = {.kind = FAILOVER_EV_TAKE_OVER};
    Err err;
    if (!next_ballot(c, &ev.ballot, &err)) {
        log_error("%s", err.text);
        return;
    }
    log_info("failover: votes are not of one decision; the last is confirmed in term %" PRId64,
             ev.ballot.term);
    failover_feed(c, &ev);
}

/* ---- what a phase has come to ----------------------------------------------------------------------- */

char *failover_what_is_missing(Coord *c)
{
    FailoverEdge *e = c->failover;
    const Failover *f = &e->f;
    Str out = STR_INIT;
    NodeSet all = all_nodes(c);
    if (f->phase == FAILOVER_FENCING) {
        AUTOFREE char *have = failover_names(c, f->fenced);
        AUTOFREE char *lack = failover_names(c, all & ~f->fenced);
        AUTOFREE char *members = failover_names(c, f->base.members);
        str_addf(&out, "needs decision: promised have %s; not %s. A new primary needs a majority", have,
                 lack);
        if (failover_was_strict(c))
            str_addf(&out, ", and %d of the members (%s)",
                     __builtin_popcount(f->base.members) - f->base.acks + 1, members);
        str_adds(&out, ", or the old primary's binary log; what only those hold that have not promised would "
                       "be lost by siding cluster failover --accept-data-loss");
    }
    for (int i = 0; i < e->n_peers; i++)
        if (e->peers[i].wanted && e->peers[i].waits)
            str_addf(&out, "%s%s: %s", out.len ? "; " : "", e->peers[i].name, e->peers[i].waits);
    if (!out.len)
        str_adds(&out, "answers of the agents");
    return str_take(&out);
}

static const char *const phases[FAILOVER_PHASES] = {
    [FAILOVER_ASKING] = "the voters are asked for the last decision",
    [FAILOVER_CONFIRM] = "it is confirmed",
    [FAILOVER_CLOSING] = "the primary is closed to writes",
    [FAILOVER_FENCING] = "receivers are stopped, the old primary is ended where it can be reached",
    [FAILOVER_DECIDING] = "is put to the voters",
    [FAILOVER_DRAINING] = "applies all that was received",
    [FAILOVER_FOLLOWING] = "is followed by the others",
    [FAILOVER_RECORDING] = "its members are put to the voters",
    [FAILOVER_WAITING] = "waits until the old primary has closed",
    [FAILOVER_ARMING] = "its members acknowledge",
    [FAILOVER_OPENING] = "opens",
    [FAILOVER_PROBING] = "commits a probe",
};

static void record_phase(Coord *c)
{
    FailoverEdge *e = c->failover;
    const Failover *f = &e->f;
    const char *winner = failover_name(c, f->chosen.primary);
    if (f->phase == FAILOVER_DECIDING) {
        AUTOFREE char *fenced = failover_names(c, f->fenced);
        failover_record(c, "promised: %s%s", fenced,
                        f->base.held_by != FAILOVER_NOBODY && f->nodes[f->base.held_by].ended
                            ? f->clean ? "; the old primary is closed, and has told its last position"
                                       : "; the old primary's binary log was read to its end"
                            : "");
        for (int i = 0; i < e->n_peers; i++)
            if ((f->fenced & (NodeSet)1 << i) && e->peers[i].position)
                failover_record(c, "%s has %s", e->peers[i].name, e->peers[i].position);
        if (f->donor != FAILOVER_NOBODY)
            failover_record(c, "%s gives what %s lacks", failover_name(c, f->donor), winner);
    }
    if (f->phase == FAILOVER_FENCING && f->clean)
        failover_record(c, "%s is closed; what it has written is applied by the others",
                        failover_name(c, f->base.held_by));
    else if (phases[f->phase])
        failover_record(c, "%s%s%s", f->phase >= FAILOVER_DECIDING && winner ? winner : "",
                        f->phase >= FAILOVER_DECIDING && winner ? " " : "", phases[f->phase]);
}

/* The queue goes on with the winner, and the agents hear their roles. */
static void adopt(Coord *c, const char *name)
{
    const AgentLink *a = state_agent(c, name);
    Err err;
    if (!a)
        return;
    const ServerState *s = &a->node.agent.server;
    if (!coord_journal_set_primary(c, name, s->address ? s->address : "127.0.0.1", s->port, &err)) {
        log_error("%s", err.text);
        return;
    }
    lag_samples_done(&c->samples);
    c->failover->detect = (Detect){0};
    c->failover->watched = (WatchResult){0};
}

static void promoted(Coord *c)
{
    FailoverEdge *e = c->failover;
    const char *winner = failover_name(c, e->f.base.primary);
    AUTOFREE char *from = xstrdup(c->journal.primary);
    adopt(c, winner);
    bool switches = str_eq(json_str(e->record, "kind"), "switchover");
    int64_t id = failover_record_id(c);
    failover_record(c, "%s is the primary", winner);
    failover_record_end(c, "promoted", winner);
    if (!switches)
        e->again_ms = clock_mono_ms() + c->conf.failover.again_after_ms;
    events_add(c, "warn", "failover", 0, NULL, winner,
               "%s is the primary, in place of %s (failover %" PRId64 ")", winner, from, id);
}

static void settled(Coord *c, FailoverPhase before)
{
    FailoverEdge *e = c->failover;
    note_decision(c);
    if (before == FAILOVER_PROBING) {
        failover_note(c, "drained", e->drained ? json_string(e->drained) : json_null());
        promoted(c);
    } else if (e->f.base.open && e->record) {
        failover_record(c, "given up: %s stays the primary%s%s", failover_name(c, e->f.base.primary),
                        e->refused ? ". " : "", e->refused ? e->refused : "");
        failover_record_end(c, "given up", NULL);
    } else if (e->f.base.open && !str_eq(failover_name(c, e->f.base.primary), c->journal.primary)) {
        events_add(c, "warn", "failover", 0, NULL, failover_name(c, e->f.base.primary),
                   "the voters have %s as the primary, this coordinator had %s: it follows them",
                   failover_name(c, e->f.base.primary), c->journal.primary);
        adopt(c, failover_name(c, e->f.base.primary));
    }
    if (!e->grows) /* a member more changes nothing in what is still to be opened */
        e->opens = before == FAILOVER_CONFIRM && e->f.base.open;
    e->grows = false;
    str_set(&e->only, NULL);
    e->takes_loss = e->old_is_off = false;
}

void failover_phase_changed(Coord *c, FailoverPhase before)
{
    FailoverEdge *e = c->failover;
    coord_step_soon(c);
    if (e->f.phase == FAILOVER_DEPOSED) {
        events_add(c, "error", "failover", 0, NULL, NULL,
                   "an agent has promised a later term to another coordinator: this one leaves the failover "
                   "to it");
        failover_record_end(c, "left to another coordinator", NULL);
        return;
    }
    if (e->f.phase == FAILOVER_IDLE)
        settled(c, before);
    else if (e->record)
        record_phase(c);
}
