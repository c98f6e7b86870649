/* SPDX-License-Identifier: Apache-2.0 */
#include "coord_run.h"

#include <inttypes.h>

#include "align.h"
#include "common/db/gtid.h"
#include "common/file/json.h"
#include "coord_run_impl.h"

enum {
    RECORD_LEAST_MS = 250,
    CLAIM_DEADLINE_MS = 60000, /* an agent that has not taken a run by then does not get it */
};

/* ---- the claim, and answers ------------------------------------------------------------------------- */

/* It is on record with its event. */
static void claimed(RunLook *l)
{
    const CoordRunRow *row = coord_run_find(l->r->state, CRUN_EV_CLAIM);
    if (!row) {
        look_no_place(l, CRUN_EV_CLAIM);
        return;
    }
    l->run->claimed_ms = l->in->now_ms;
    l->run->own_claim = true;
    l->t->attempts++;
    l->t->finished_at = 0;
    str_set(&l->t->error, NULL);
    str_set(&l->t->why, NULL);
    look_change(l, row);
}

static bool is_refusal(const RunLook *l)
{
    switch (l->in->err.kind) {
    case ERR_REFUSED:
    case ERR_USAGE:
    case ERR_NOT_FOUND:
    case ERR_AUTH:
        return true;
    default:
        return l->in->now_ms > l->run->claimed_ms + CLAIM_DEADLINE_MS;
    }
}

/* Whether it was delivered is not known: it may be read late, by an agent that stands still. */
static bool is_unanswered(const Err *err)
{
    return err->kind == ERR_TIMEOUT || err->kind == ERR_LOST || err->kind == ERR_CANCELLED ||
           err->kind == ERR_PROTOCOL || err->kind == ERR_IO;
}

/* Nobody else gets the run while an order of it may still be begun. */
static bool may_still_begin(RunLook *l, CoordPart *p)
{
    int64_t late = l->known->parts[l->in->part].late_ms;
    if (is_unanswered(&l->in->err) && late > p->begins_until_ms)
        p->begins_until_ms = late;
    if (!l->run->own_claim && !p->begins_until_ms && late)
        p->begins_until_ms = l->run->claimed_ms + COORD_RUN_BEGIN_MS;
    return l->in->now_ms < p->begins_until_ms;
}

static void posted(RunLook *l)
{
    CoordPart *p = look_part(l, l->in->part);
    p->busy = false;
    bool waits = !l->in->ok && may_still_begin(l, p);
    if (l->in->ok) {
        p->accepted = true;
        p->accepted_poll = l->known->parts[l->in->part].polls_sent;
        retry_reset(&p->retry);
    } else if (is_refusal(l) && !waits) {
        p->refused = l->in->err;
    } else {
        look_retry(l, p);
        look_log(l, "info", xasprintf("%s does not take it yet: %s", p->node, l->in->err.text));
    }
}

/* The agent's state shows the effect; until then it is told again. */
static void steered(RunLook *l)
{
    CoordPart *p = look_part(l, l->in->part);
    p->busy = false;
    look_retry(l, p);
    if (!l->in->ok)
        look_log(l, "info", xasprintf("%s was not steered: %s", p->node, l->in->err.text));
}

static void asked(RunLook *l)
{
    CoordPart *p = look_part(l, l->in->part);
    p->busy = false;
    if (l->in->ok)
        p->request_taken = l->in->action;
    if (l->in->ok || !err_is_transient(&l->in->err)) {
        p->request_sent = l->in->action;
        retry_reset(&p->retry);
    } else {
        look_retry(l, p);
    }
    if (!l->in->ok)
        look_log(l, "warn",
                 xasprintf("request %s on %s: %s",
                           wire_enum_text(&task_action_names, (int)l->in->action, NULL), p->node,
                           l->in->err.text));
}

static void recorded(RunLook *l)
{
    l->run->recording = false;
    if (!l->in->ok) {
        retry_later(&l->run->record_retry, l->in->now_ms, RECORD_LEAST_MS, RETRY_MOST_MS);
        look_effect(l, CRUN_FX_WAKE)->number = l->run->record_retry.next_ms;
        return;
    }
    if (!l->in->upload_task)
        return;
    l->r->upload_task = l->in->upload_task;
    look_write(l);
    look_say(
        l, "info", l->r->nodes.v[0],
        xasprintf("sealed; task %" PRId64 " uploads it once the replica has caught up", l->r->upload_task));
}

static void revived(RunLook *l)
{
    if (coord_run_is_final(l->r->state) && l->r->state != CRUN_DONE)
        look_enter(l, CRUN_EV_UPLOAD, NULL);
}

/* ---- duties: parts that are lost or refuse ---------------------------------------------------------- */

static bool always(const RunLook *l)
{
    (void)l;
    return true;
}

static bool is_lost(const RunLook *l, size_t i)
{
    const CoordPart *p = look_part(l, i);
    const CoordPartKnown *k = &l->known->parts[i];
    if (!k->configured)
        return true;
    return !l->seen[i] && k->fresh && p->accepted && k->polls_seen > p->accepted_poll;
}

static void note_missed(RunLook *l, size_t i)
{
    CoordPart *p = look_part(l, i);
    const CoordPartKnown *k = &l->known->parts[i];
    if (k->configured && k->fresh)
        p->unseen_ms = 0;
    else if (!p->unseen_ms)
        p->unseen_ms = l->in->now_ms;
    if (p->unseen_ms && !p->refused.kind && run_part_is_missed(l->seen, i, l->in->now_ms - p->unseen_ms))
        err_set(&p->refused, ERR_LOST, 0,
                "its agent cannot be reached, and the others have ended: its part of the result is missing");
}

static void note_lost(RunLook *l)
{
    for (size_t i = 0; i < l->run->n_parts; i++) {
        CoordPart *p = look_part(l, i);
        /* After a restart acceptance is known from the run's state alone. */
        if (l->r->state != CRUN_CLAIMED)
            p->accepted = true;
        if (!l->known->parts[i].configured && !p->refused.kind)
            err_set(&p->refused, ERR_LOST, 0, "it is no longer among the agents");
        if (is_lost(l, i) && !p->refused.kind)
            err_set(&p->refused, ERR_LOST, 0, "its agent had taken run %.*s and knows nothing of it any more",
                    RUN_TEXT(l->r->id));
        note_missed(l, i);
    }
}

/* What the first part's agent has given to the others ends there, if it still runs. */
static void end_lost(RunLook *l)
{
    for (size_t i = 0; i < l->run->n_parts; i++) {
        const AgentRun *a = l->seen[i];
        const char *node = look_part(l, i)->node;
        if (!run_part_is_lost(l->seen, i))
            continue;
        if (look_works(l, i) && !a->outcome)
            look_ask(l, i, ACTION_KILL, "siding: its part was given to the others");
        if (!coord_run_detail_add(l->r, "lost", node))
            continue;
        look_write(l);
        look_say(l, "warn", node,
                 xasprintf("%s was lost to the run%s%s: its part of the work is done by the others", node,
                           a && a->error ? ", " : "", a && a->error ? a->error : ""));
    }
}

static const CoordPart *refused_part(const RunLook *l)
{
    for (size_t i = 0; i < l->run->n_parts; i++)
        if (look_part(l, i)->refused.kind && !run_part_is_lost(l->seen, i))
            return look_part(l, i);
    return NULL;
}

static bool part_refused(const RunLook *l)
{
    return refused_part(l) != NULL;
}

/* The others end theirs. True: some may still have something of it. */
static bool end_others(RunLook *l)
{
    bool wait = false;
    for (size_t i = 0; i < l->run->n_parts; i++) {
        const CoordPart *p = look_part(l, i);
        if (p->refused.kind == ERR_LOST)
            continue;
        wait = wait || p->busy || (p->accepted && !l->seen[i] && !is_lost(l, i));
        if (look_works(l, i)) {
            look_ask(l, i, ACTION_KILL, "siding");
            wait = true;
        }
    }
    return wait;
}

static void give_up(RunLook *l)
{
    if (end_others(l))
        return;
    const CoordPart *bad = refused_part(l);
    CoordRunEvent event = l->r->state == CRUN_CLAIMED ? CRUN_EV_REFUSED : CRUN_EV_LOST;
    AUTOFREE char *text = xasprintf("%s: %s", bad->node, bad->refused.text);
    str_set(&l->r->error, text);
    look_enter(l, event, text);
}

/* ---- duties: the run itself ------------------------------------------------------------------------- */

static void take_report(RunLook *l)
{
    if (coord_run_take_report(l->r, l->seen, l->run->n_parts))
        look_write(l);
}

/* The claim is on record: whoever does not know the run yet gets it, again after a restart. */
static void give_out(RunLook *l)
{
    for (size_t i = 0; i < l->run->n_parts; i++) {
        CoordPart *p = look_part(l, i);
        if (p->busy || p->accepted || p->refused.kind)
            continue;
        if (l->seen[i])
            p->accepted = true;
        else if (look_may_call(l, i))
            look_call(l, CRUN_FX_POST, i);
    }
}

static bool all_report(const RunLook *l)
{
    return l->v.complete && !l->v.over;
}

/* Where the least advanced part is; an event without a row is a state that was passed by. */
static void follow(RunLook *l)
{
    const CoordRunRow *row = coord_run_find(l->r->state, l->v.event);
    if (row)
        look_enter(l, l->v.event, NULL);
}

static bool slept_as_asked(const RunLook *l)
{
    return l->t->request == ACTION_SLEEP;
}

static bool woke_as_asked(const RunLook *l)
{
    return l->t->request == ACTION_WAKE;
}

static void request_done(RunLook *l)
{
    l->t->request = ACTION_NONE;
    str_set(&l->t->request_by, NULL);
    look_write(l);
}

/* On record, so that it is known after a restart whether somebody else wakes it. */
static void fell_asleep(RunLook *l)
{
    json_set_str(coord_run_detail(l->r), "slept_by", l->t->request_by ? l->t->request_by : "");
    request_done(l);
}

static void woke_up(RunLook *l)
{
    json_object_del(coord_run_detail(l->r), "slept_by");
    request_done(l);
}

static bool is_asked(const RunLook *l)
{
    return l->t->request != ACTION_NONE;
}

/* To the agents a requeue is a stop: what comes after is the queue's affair. */
static void pass_request_on(RunLook *l)
{
    TaskAction action = l->t->request == ACTION_REQUEUE ? ACTION_STOP : l->t->request;
    for (size_t i = 0; i < l->run->n_parts; i++)
        if (look_works(l, i) || (l->seen[i] && l->seen[i]->state == ARUN_GATHERING))
            look_ask(l, i, action, l->t->request_by ? l->t->request_by : "siding");
}

/* ---- duties: several replicas at one GTID ----------------------------------------------------------- */

static bool is_barrier(const RunLook *l)
{
    return l->run->n_parts > 1;
}

static bool all_seen(const RunLook *l)
{
    for (size_t i = 0; i < l->run->n_parts; i++)
        if (!l->seen[i])
            return false;
    return true;
}

static bool stands_stopped(const RunLook *l)
{
    return is_barrier(l) && l->v.all_stopped && all_seen(l);
}

static void begin_parts(RunLook *l)
{
    for (size_t i = 0; i < l->run->n_parts; i++)
        if (l->seen[i] && l->seen[i]->state == ARUN_FROZEN && look_may_call(l, i))
            look_call(l, CRUN_FX_GO, i);
}

static void align_part(RunLook *l, size_t i, const RunAlign *target)
{
    const AgentRun *a = l->seen[i];
    bool there = a->aligned && gtid_compare_text(l->known->flavor, a->gtid, target->gtid) == GTID_EQUAL;
    if (!there && look_may_call(l, i))
        wire_copy(run_align_fields, &look_call(l, CRUN_FX_ALIGN, i)->align, target);
}

/* Every part stands stopped: to the common GTID, and on from there once all are at it. */
static void align(RunLook *l)
{
    size_t n = l->run->n_parts;
    AUTOFREE AlignPart *parts = xcalloc(n, sizeof *parts);
    RunAlign target = {0};
    Err err;
    for (size_t i = 0; i < n; i++)
        parts[i] = (AlignPart){look_part(l, i)->node, l->seen[i]->gtid, l->seen[i]->source_file,
                               l->seen[i]->source_pos};
    if (!l->known->flavor_known)
        return;
    if (l->v.all_aligned && align_is_equal(l->known->flavor, parts, n)) {
        begin_parts(l);
        return;
    }
    if (!align_target(l->known->flavor, parts, n, &target, &err)) {
        look_part(l, 0)->refused = err;
        return;
    }
    for (size_t i = 0; i < n; i++)
        align_part(l, i, &target);
    wire_free(run_align_fields, &target);
}

/* All were aligned, and some part has begun: those still frozen were not told. */
static bool part_left_behind(const RunLook *l)
{
    return is_barrier(l) && l->v.left && !l->v.over;
}

static bool part_failed(const RunLook *l)
{
    return is_barrier(l) && !stands_stopped(l) && !l->v.over && l->v.failed < l->run->n_parts &&
           !run_goes_on_without(l->seen, l->v.failed);
}

static void end_unfailed(RunLook *l)
{
    for (size_t i = 0; i < l->run->n_parts; i++)
        if (look_works(l, i) && !l->seen[i]->outcome)
            look_ask(l, i, ACTION_KILL, "siding");
}

/* ---- duties: what is over on the agents ------------------------------------------------------------- */

static bool over_on_replica(const RunLook *l)
{
    return l->v.over && l->t->on == ROLE_REPLICA;
}

static void catch_up(RunLook *l)
{
    look_enter(l, CRUN_EV_CAUGHT_UP, NULL);
}

static bool over_badly(const RunLook *l)
{
    return l->v.over && l->v.end != CRUN_EV_OK;
}

static void end_badly(RunLook *l)
{
    const AgentRun *a = l->seen[l->v.failed];
    const char *node = is_barrier(l) ? look_part(l, l->v.failed)->node : "", *colon = *node ? ": " : "";
    AUTOFREE char *text = NULL;
    if (a->error)
        text = xasprintf("%s%s%s", node, colon, a->error);
    else if (l->v.end == CRUN_EV_FAILED)
        text = xasprintf("%s%sit ended with \"%s\" and gave no reason", node, colon,
                         WIRE_TEXT(run_outcome_names, a, outcome));
    if (text)
        str_set(&l->r->error, text);
    look_enter(l, l->v.end, text);
}

/* ---- duties: one result of several ------------------------------------------------------------------ */

/* All are over, or the first is and the others have sealed: before a replica can be lost that has its part
 * alone. */
static bool results_are_there(const RunLook *l)
{
    bool first_over = l->v.sealed && l->v.end == CRUN_EV_OK && run_part_is_over(l->seen[0]);
    return is_barrier(l) && (l->v.over || first_over);
}

static bool to_be_gathered(const RunLook *l)
{
    return results_are_there(l) && !json_bool(l->r->detail, "gathered");
}

static bool gather_failed(const RunLook *l)
{
    return to_be_gathered(l) && l->seen[0]->gather_error && l->seen[0]->state != ARUN_GATHERING;
}

static void end_ungathered(RunLook *l)
{
    AUTOFREE char *text = xasprintf("%s: the results of the other replicas could not be brought here: %s",
                                    look_part(l, 0)->node, l->seen[0]->gather_error);
    str_set(&l->r->error, text);
    look_enter(l, CRUN_EV_FAILED, text);
}

static bool not_gathered(const RunLook *l)
{
    return to_be_gathered(l) && !l->seen[0]->gathered;
}

static void gather(RunLook *l)
{
    if (!look_may_call(l, 0))
        return;
    CoordRunEffect *e = look_call(l, CRUN_FX_GATHER, 0);
    e->parts = xcalloc(l->run->n_parts, sizeof *e->parts);
    for (size_t i = 1; i < l->run->n_parts; i++)
        if (!run_part_is_lost(l->seen, i))
            e->parts[e->n_parts++] = i;
}

static void note_gathered(RunLook *l)
{
    json_object_set_new(coord_run_detail(l->r), "gathered", json_true());
    look_write(l);
}

static bool is_over(const RunLook *l)
{
    return l->v.over;
}

static void drop_others(RunLook *l)
{
    for (size_t i = 1; i < l->run->n_parts; i++) {
        CoordPart *p = look_part(l, i);
        if (p->result_dropped || !l->known->parts[i].configured || !l->seen[i] || !l->seen[i]->sealed)
            continue;
        p->result_dropped = true;
        look_effect(l, CRUN_FX_DROP)->part = i;
    }
}

static bool not_yet_over(const RunLook *l)
{
    return !l->v.over;
}

static void wait(RunLook *l)
{
    (void)l;
}

/* ---- duties: the upload ----------------------------------------------------------------------------- */

static bool upload_wanted(const RunLook *l)
{
    const AgentRun *first = l->seen[0];
    const char *mode =
        first && first->sealed ? json_str(json_object_get(first->manifest, "upload"), "mode") : "";
    return l->r->upload_task || l->run->recording || (*mode && !str_eq(mode, "none"));
}

static bool sealed_well(const RunLook *l)
{
    return l->v.end == CRUN_EV_OK && l->v.sealed && !l->r->upload_task;
}

static void record_upload(RunLook *l)
{
    if (!upload_wanted(l) || l->run->recording || l->known->saving ||
        !retry_is_due(&l->run->record_retry, l->in->now_ms))
        return;
    l->run->recording = true;
    look_effect(l, CRUN_FX_RECORD_UPLOAD);
}

static bool nothing_to_load(const RunLook *l)
{
    return l->v.over && !upload_wanted(l);
}

static void end_well(RunLook *l)
{
    look_enter(l, CRUN_EV_OK, NULL);
}

static bool upload_not_recorded(const RunLook *l)
{
    return !l->r->upload_task;
}

static bool upload_not_known(const RunLook *l)
{
    return !l->known->upload;
}

static bool upload_is_gone(const RunLook *l)
{
    return !l->known->upload && l->known->upload_gone;
}

static void end_without_upload(RunLook *l)
{
    AUTOFREE char *text =
        xasprintf("its upload (task %" PRId64 ") was deleted: the result is not loaded", l->r->upload_task);
    str_set(&l->r->error, text);
    look_enter(l, CRUN_EV_FAILED, text);
}

static void look_up(RunLook *l)
{
    look_effect(l, CRUN_FX_LOOK_UP)->number = l->r->upload_task;
}

static void begin_upload(RunLook *l)
{
    look_enter(l, CRUN_EV_UPLOAD, NULL);
}

static const json_t *upload_detail(const RunLook *l)
{
    const Task *up = l->known->upload;
    return up->runs.n ? ((const Run *)up->runs.v)[up->runs.n - 1].detail : NULL;
}

static bool upload_has_news(const RunLook *l)
{
    const json_t *detail = upload_detail(l);
    return detail && !json_equal(json_object_get(l->r->detail, "upload"), detail);
}

static void take_upload(RunLook *l)
{
    json_object_set_new(coord_run_detail(l->r), "upload", json_deep_copy(upload_detail(l)));
    look_write(l);
}

static bool upload_done(const RunLook *l)
{
    return l->known->upload->state == TASK_DONE;
}

static bool upload_failed(const RunLook *l)
{
    return task_state_is_final(l->known->upload->state);
}

static void end_unloaded(RunLook *l)
{
    const Task *up = l->known->upload;
    AUTOFREE char *text =
        xasprintf("its upload (task %" PRId64 ") ended as %s%s%s", up->id,
                  WIRE_TEXT(task_state_names, up, state), up->error ? ": " : "", up->error ? up->error : "");
    str_set(&l->r->error, text);
    look_enter(l, CRUN_EV_FAILED, text);
}

/* ---- the duties, in their order --------------------------------------------------------------------- */

typedef struct Duty {
    uint32_t in; /* set of states */
    bool (*when)(const RunLook *l);
    void (*act)(RunLook *l);
    bool last; /* nothing below it in this look */
} Duty;

/* clang-format off */
static const Duty duties[] = {
    {BEFORE_CAUGHT_UP, always, note_lost, false},
    {ANY_BEFORE_END, always, end_lost, false},
    {ANY_BEFORE_END, always, take_report, false},
    {S(CLAIMED), always, give_out, false},
    {BEFORE_CAUGHT_UP, part_refused, give_up, true},
    {ANY_BEFORE_END, all_report, follow, false},
    {S(SLEEPING), slept_as_asked, fell_asleep, false},
    {S(RUNNING), woke_as_asked, woke_up, false},
    {ANY_BEFORE_END, is_asked, pass_request_on, false},
    {ANY_BEFORE_END, stands_stopped, align, false},
    {ANY_BEFORE_END, part_left_behind, begin_parts, false},
    {ANY_BEFORE_END, part_failed, end_unfailed, false},
    {ANY_BEFORE_END, sealed_well, record_upload, false},
    /* over on the agents */
    {BEFORE_CAUGHT_UP, over_on_replica, catch_up, false},
    {ANY_BEFORE_END, over_badly, end_badly, true},
    {ANY_BEFORE_END, gather_failed, end_ungathered, true},
    {ANY_BEFORE_END, not_gathered, gather, true},
    {ANY_BEFORE_END, to_be_gathered, note_gathered, false},
    {ANY_BEFORE_END, is_over, drop_others, false},
    {ANY_BEFORE_END, nothing_to_load, end_well, true},
    /* its upload; of a run that is not over on every agent only where its replicas have caught up */
    {BEFORE_CAUGHT_UP, not_yet_over, wait, true},
    {ANY_BEFORE_END, upload_not_recorded, record_upload, true},
    {ANY_BEFORE_END, upload_is_gone, end_without_upload, true},
    {ANY_BEFORE_END, upload_not_known, look_up, true},
    {ANY_UNDER_WAY, always, begin_upload, false},
    {ANY_BEFORE_END, upload_has_news, take_upload, false},
    {ANY_BEFORE_END, upload_done, end_well, true},
    {ANY_BEFORE_END, upload_failed, end_unloaded, true},
};
/* clang-format on */

/* Once its results are one, a run does not wait for an agent that cannot be reached: its part is over as far
 * as the run goes, and its replica is its agent's own affair. */
static void leave_behind(RunLook *l)
{
    if (!l->seen[0] || !json_bool(l->r->detail, "gathered"))
        return;
    for (size_t i = 1; i < l->run->n_parts; i++)
        if (!l->known->parts[i].configured || !l->known->parts[i].fresh)
            l->seen[i] = l->seen[0];
}

static void look(RunLook *l)
{
    size_t n = l->run->n_parts;
    AUTOFREE const AgentRun **seen = xcalloc(n + 1, sizeof *seen);
    for (size_t i = 0; i < n; i++)
        seen[i] = l->known->parts[i].seen;
    l->seen = seen;
    leave_behind(l);
    l->v = run_view(seen, n);
    for (size_t i = 0; i < COUNT(duties); i++) {
        const Duty *d = &duties[i];
        if (!(d->in & (1u << l->r->state)) || !d->when(l))
            continue;
        d->act(l);
        if (d->last)
            return;
    }
}

static void (*const inputs[])(RunLook *l) = {
    [CRUN_IN_CLAIMED] = claimed, [CRUN_IN_LOOK] = look,   [CRUN_IN_POSTED] = posted,
    [CRUN_IN_STEERED] = steered, [CRUN_IN_ASKED] = asked, [CRUN_IN_RECORDED] = recorded,
    [CRUN_IN_REVIVED] = revived,
};

void coord_run_step(CoordRun *run, const CoordRunKnown *known, const CoordRunInput *in, CoordRunEffects *ret)
{
    Task *t = run->task;
    RunLook l = {
        .run = run, .t = t, .r = (Run *)t->runs.v + (t->runs.n - 1), .known = known, .in = in, .out = ret};
    inputs[in->kind](&l);
}
