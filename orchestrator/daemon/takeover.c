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

/* Before any failover all replicas may acknowledge: one too many in the list makes it harder to take over,
 * never wrong. */
static Decision first_decision(Coord *c)
{
    int primary = failover_number(c, c->journal.primary);
    return (Decision){.version = 1,
                      .primary = primary,
                      .held_by = primary,
                      .open = true,
                      .members = failover_nodes(c) & ~((NodeSet)1 << primary),
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
    free(e->raising.position);
    free(e->leaving.node);
    free(e->leaving.position);
    free(e);
    c->failover = NULL;
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
    bool waits = e->f.phase == FAILOVER_FENCING || (e->f.phase <= FAILOVER_WAITING && w->old_is_off);
    if (!waits || !(w->takes_loss || w->old_is_off))
        return err_set(err, ERR_CONFLICT, 0, "failover %" PRId64 " is under way", failover_record_id(c));
    e->takes_loss |= w->takes_loss;
    e->old_is_off |= w->old_is_off;
    failover_record(c, "%s", w->cause);
    failover_record_decision(c, w);
    *ret_id = failover_record_id(c);
    failover_feed(c, &ev);
    failover_send(c);
    return true;
}

/* Another primary than ours, by the votes. */
static const char *opened_elsewhere(const Coord *c)
{
    for (size_t i = 0; i < c->n_agents; i++) {
        const WireDecision *d = &c->agents[i]->node.agent.vote.accepted;
        if (c->agents[i]->fresh && d->version && d->open && !str_eq(d->primary, c->journal.primary))
            return d->primary;
    }
    return NULL;
}

/* What the votes say of an earlier one is confirmed first. Without a majority nobody does that by himself. */
static bool is_finished(Coord *c, const FailoverWish *w, Err *err)
{
    if (!failover_is_unfinished(c))
        return true;
    bool alone = w->old_is_off && !failover_hears_majority(c);
    const char *other = opened_elsewhere(c);
    if (alone && !other)
        return true;
    if (!alone)
        return err_set(
            err, ERR_CONFLICT, 0,
            "an earlier failover is not finished: what the agents have accepted is confirmed first; "
            "try again in some seconds");
    c->failover->old_is_off = true;
    failover_confirm_last(c, "a person asks for another primary");
    return err_set(
        err, ERR_CONFLICT, 0,
        "an earlier failover has made %s the primary: this is confirmed; siding cluster primary shows it",
        other);
}

bool failover_begin(Coord *c, const FailoverWish *w, int64_t *ret_id, Err *err)
{
    FailoverEdge *e = c->failover;
    FailoverEvent ev = {.kind = FAILOVER_EV_BEGIN, .clean = w->clean};
    if (!e->known)
        return err_set(err, ERR_UNREACHABLE, 0, "the primary is not known yet: nothing can be taken over");
    if (e->record)
        return join(c, w, ret_id, err);
    if (!is_finished(c, w, err))
        return false;
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
    json_set_int(e->record, "term", ev.ballot.term);
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

void failover_confirm_last(Coord *c, const char *why)
{
    FailoverEvent ev = {.kind = FAILOVER_EV_TAKE_OVER};
    Err err;
    if (!next_ballot(c, &ev.ballot, &err)) {
        log_error("%s", err.text);
        return;
    }
    log_info("failover: %s; the last decision is confirmed in term %" PRId64, why, ev.ballot.term);
    failover_feed(c, &ev);
}

/* ---- what a phase has come to ----------------------------------------------------------------------- */

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
                            ? f->clean ? "; the old primary is closed, and has reported its last position"
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
    if (!e->f.base.acks)
        events_add(
            c, "error", "failover", 0, NULL, winner,
            "no replica follows %s: its commits wait for nobody, until replicas follow it and hold all",
            winner);
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
        e->takes_loss = e->old_is_off = false;
        return;
    }
    if (e->f.phase == FAILOVER_IDLE)
        settled(c, before);
    else if (e->record)
        record_phase(c);
}
