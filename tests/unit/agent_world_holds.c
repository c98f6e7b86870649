/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_world.h"

const char *agent_world_lease(const AgentWorld *w)
{
    const json_t *l = trace_on_disk(w->t, "lease");
    return l && !json_is_null(l) ? json_str(l, "state") : "";
}

const json_t *agent_world_vote(const AgentWorld *w)
{
    return json_object_get(trace_on_disk(w->t, "vote"), "vote");
}

void agent_world_must(AgentWorld *w, bool holds, const char *what)
{
    if (!holds && !w->wrong)
        w->wrong = what;
}

static void check_op(AgentWorld *w, const OpOrder *o)
{
    agent_world_must(w, o->kind != OP_START || !pause_is_in_force(&w->t->s),
                     "replication is started under a pause");
    const json_t *l = trace_on_disk(w->t, "lease");
    bool leased = *agent_world_lease(w) != 0;
    if (o->kind == OP_STOP && o->first)
        agent_world_must(w,
                         str_eq(agent_world_lease(w), "pausing") || str_eq(agent_world_lease(w), "abandoned"),
                         "the first STOP without a lease that says so");
    if (o->kind == OP_ALIGN)
        agent_world_must(
            w, str_eq(agent_world_lease(w), "aligning") || str_eq(agent_world_lease(w), "abandoned"),
            "an ALIGN without its record");
    if ((o->kind == OP_START && o->boost) || o->kind == OP_RETUNE)
        agent_world_must(w, leased && json_bool(l, "boosted"),
                         "durability is relaxed without a record of it");
    if (o->kind == OP_RETUNE)
        agent_world_must(w, json_bool(l, "retuning"),
                         "the applier is stopped for a change without a record of it");
}

static void check_program(AgentWorld *w, const Effect *e)
{
    AUTOFREE char *key = xasprintf("run/%s", e->owner);
    const json_t *r = trace_on_disk(w->t, key);
    agent_world_must(w, r && !json_is_null(r), "a program of a run that is not on disk");
    agent_world_must(w, e->flag || str_eq(json_str(r, "program"), e->word),
                     "a program whose stage is not on disk");
}

/* What is said is on disk, and so. */
static void check_answer(AgentWorld *w, const char *text)
{
    AUTOJSON json_t *j = json_loads(text, 0, NULL);
    int64_t promised = json_int(json_object_get(agent_world_vote(w), "promised"), "term");
    agent_world_must(w, json_int(json_object_get(j, "promised"), "term") <= promised,
                     "a promise is told before it is on disk");
    if (!json_bool(j, "done") || !str_eq(json_str(j, "kind"), "fence"))
        return;
    agent_world_must(w, w->io == REPL_IO_NO, "a fence is answered, and the receiver runs");
    w->fenced = json_bool(agent_world_vote(w), "shut");
}

void agent_world_effect(Trace *t, const Effect *e)
{
    AgentWorld *w = t->arg;
    w->fenced = w->fenced && json_bool(agent_world_vote(w), "shut");
    if (e->kind == FX_ANSWER && e->text && e->err.kind == ERR_NONE)
        check_answer(w, e->text);
    if (e->kind == FX_SQL) {
        check_op(w, &e->op);
        str_addf(&w->story, "  order %d\n", (int)e->op.kind);
        if (w->n_pending < PENDING) {
            w->pending[w->n_pending] = (Pending){.op = e->op};
            w->pending[w->n_pending].op.run = xstrdup(e->op.run);
            w->pending[w->n_pending].op.gtid = xstrdup(e->op.gtid);
            w->n_pending++;
        }
    } else if (e->kind == FX_PROGRAM) {
        check_program(w, e);
        AUTOFREE char *both = xasprintf("%s/%s", e->owner, e->word);
        if (!strlist_has(&w->programs, both)) /* else found again */
            strlist_add(&w->programs, both);
    } else if (e->kind == FX_RESCUE) {
        w->rescue = true;
    } else if (e->kind == FX_HOOK) {
        w->hook = true;
        w->hook_before = e->flag;
        agent_world_must(w, trace_on_disk(t, "hook") != NULL, "a hook without its record");
    } else if (e->kind == FX_NEWS && e->number == PAUSE_NEWS_FROZEN && str_eq(e->owner, LEASE_MANUAL)) {
        agent_world_must(w, str_eq(agent_world_lease(w), "frozen"),
                         "a person is told that it stands frozen, and it is not on disk");
    }
}

void agent_world_check(AgentWorld *w)
{
    const AgentState *s = &w->t->s;
    bool leased = *agent_world_lease(w) != 0;
    bool known =
        w->up && s->flight.boot.seen && s->known.server.id.pid == w->pid; /* else it has yet to look */
    bool remembered =
        !w->by_stop && (s->durable.pause != PAUSE_NONE || s->flight.boot.start_due || s->durable.vote.owed);
    bool owed = json_bool(trace_on_disk(w->t, "vote"), "owed"); /* it is started when a failover lets it */
    agent_world_must(w, w->sql || !w->ours || !known || leased || remembered || owed,
                     "it stands still by our doing, and no lease says so");
    agent_world_must(w, w->flush == 1 || leased, "durability is relaxed, and no lease owes it back");
}
