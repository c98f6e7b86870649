/* SPDX-License-Identifier: Apache-2.0
 * The agent against a world that does its worst: answers late, never, twice and wrong, kills of agent and
 * server at any moment, disks that do not take what is written, people who stop and start things. After every
 * input: nothing paused without a lease on disk, no effect without its record, settings always owed back, no
 * receiver started behind a fence that was answered.
 * After every story: while server and disk answer, it comes back to serving within a bounded time.
 * SIDING_STORIES says how many, SIDING_SEED where they begin.
 */
#include <stdio.h>

#include "agent_world.h"

enum { STORIES = 3000, EVENTS = 60, QUIET_STEPS = 6000, QUIET_MS = 500 };

/* ---- what happens ----------------------------------------------------------------------------------------
 */

static void program_ends(AgentWorld *w, bool well, bool lost)
{
    if (!w->programs.n)
        return;
    AUTOFREE char *both = w->programs.v[0];
    memmove(w->programs.v, w->programs.v + 1, w->programs.n-- * sizeof *w->programs.v);
    char *name = strchr(both, '/');
    *name++ = 0;
    Input *in = agent_world_input(IN_PROGRAM, both);
    in->program = NEW(ProgramEnd);
    *in->program = (ProgramEnd){.name = xstrdup(name), .well = well, .lost = lost, .can_restart = lost};
    if (!well)
        err_set(&in->program->err, ERR_IO, 0, "status 1");
    if (well && str_eq(name, "seal")) {
        in->program->manifest = json_pack("{s:[]}", "files");
        in->program->result_dir = xstrdup("/spool");
    }
    agent_world_happens(w, in);
}

static void accept_run(AgentWorld *w)
{
    AUTOFREE char *id = xasprintf("%d.1", ++w->next_run);
    Input *in = agent_world_input(IN_ACCEPT, id);
    in->spec = NEW(RunSpec);
    *in->spec = (RunSpec){.run = xstrdup(id),
                          .job = xstrdup("read"),
                          .kind = KIND_COMMAND,
                          .barrier = agent_world_one_in(w, 3),
                          .during_catch_up = agent_world_one_in(w, 4),
                          .pause_limit_ms = 30000,
                          .shards = 1};
    agent_world_happens(w, in);
}

static void by_hand(AgentWorld *w)
{
    Input *in = agent_world_input(IN_PAUSE, LEASE_MANUAL);
    in->wish = NEW(PauseWish);
    *in->wish = (PauseWish){.owner = xstrdup(LEASE_MANUAL),
                            .reason = xstrdup("r"),
                            .by = xstrdup("b"),
                            .limit_ms = 20000,
                            .hold = agent_world_one_in(w, 3)};
    agent_world_happens(w, in);
}

static void of_some_run(AgentWorld *w)
{
    static const char *const words[] = {"stop", "kill", "sleep", "wake"};
    static const InputKind kinds[] = {IN_REQUEST, IN_REQUEST,   IN_GO,           IN_ALIGN,
                                      IN_FORGET,  IN_FORGOTTEN, IN_LIMIT_SEALING};
    if (!w->t->s.n_runs)
        return;
    Input *in = agent_world_input(kinds[agent_world_below(w, COUNT(kinds))],
                                  run_id(w->t->s.runs[agent_world_below(w, w->t->s.n_runs)]));
    in->text = xstrdup(words[agent_world_below(w, COUNT(words))]);
    if (in->kind == IN_ALIGN) {
        in->align = NEW(RunAlign);
        *in->align = (RunAlign){agent_world_gtid(w->applied + 1), xstrdup("bin.1"), 4};
    }
    if (in->kind == IN_FORGOTTEN && !w->t->s.n_runs)
        in->kind = IN_FORGET;
    agent_world_happens(w, in);
}

static void agent_dies(AgentWorld *w)
{
    str_adds(&w->story, "the agent is killed\n");
    while (w->n_pending) {
        Pending p = agent_world_take(w, 0);
        StartWay way;
        if (agent_world_one_in(w, 2) && !p.taken_effect)
            agent_world_carries_out(w, &p.op, &way); /* sent, and done after its death */
        agent_world_drop(&p);
    }
    w->hook = false;
    trace_restart(w->t);
    agent_world_check(w);
}

static void server_dies(AgentWorld *w)
{
    str_adds(&w->story, "the server is killed\n");
    w->up = !agent_world_one_in(w, 3);
    w->pid++;
    w->sql = false;
    w->io = REPL_IO_NO;
    w->ours = true; /* it starts nothing by itself: the agent does */
    w->by_stop = false;
    w->flush = 1;
}

static void somebody(AgentWorld *w)
{
    switch (agent_world_below(w, 4)) {
    case 0:
        if (w->up && w->io != REPL_IO_NO) { /* an operator starts the applier */
            w->sql = true;
            w->ours = false;
        }
        break;
    case 1:
        if (w->up && w->sql) { /* or stops it */
            w->sql = false;
            w->ours = false;
        }
        break;
    case 2:
        if (w->up)
            w->io = agent_world_one_in(w, 2) ? REPL_IO_NO : REPL_IO_YES;
        w->ours = w->ours && *agent_world_lease(w) != 0; /* else a person is at it */
        break;
    default:
        w->up = true;
        break;
    }
    str_addf(&w->story, "somebody: up %d sql %d io %d\n", w->up, w->sql, w->io);
}

static void time_passes(AgentWorld *w, int64_t ms)
{
    w->t->now_ms += ms;
    w->t->wall_ms += ms;
    if (w->up && w->io == REPL_IO_YES && w->moves)
        w->received += (int64_t)agent_world_below(w, 3);
    if (w->up && w->sql)
        w->applied = w->received - (w->moves ? (int64_t)agent_world_below(w, 2) : 0) > w->applied
                         ? w->received
                         : w->applied;
}

static void hook_ends(AgentWorld *w)
{
    if (!w->hook)
        return;
    w->hook = false;
    Input *in = agent_world_input(IN_HOOK, NULL);
    in->flag = w->hook_before;
    if (agent_world_one_in(w, 4))
        err_set(&in->err, ERR_REFUSED, 0, "no");
    agent_world_happens(w, in);
}

static void rescue_ends(AgentWorld *w, bool well)
{
    if (!w->rescue)
        return;
    w->rescue = false;
    Input *in = agent_world_input(IN_RESCUE_ENDED, NULL);
    if (well && w->up)
        w->applied = w->received;
    else
        err_set(&in->err, ERR_IO, 0, "no");
    agent_world_happens(w, in);
}

static void order(AgentWorld *w, OrderKind kind, int64_t term)
{
    Input *in = agent_world_input(IN_ORDER, NULL);
    WireBallot ballot = {term, (char *)"000000000000000a"};
    AgentOrder o = {.kind = kind, .ballot = ballot};
    if (kind == ORDER_ACCEPT)
        o.decision = (WireDecision){
            .ballot = ballot, .version = 1, .primary = (char *)"db0", .held_by = (char *)"db0", .open = true};
    in->order = NEW(AgentOrder);
    wire_copy(agent_order_fields, in->order, &o);
    w->term = term > w->term ? term : w->term;
    agent_world_happens(w, in);
}

/* A coordinator that begins, fences, gives up; in its term, a later one, or one that has passed. */
static void some_order(AgentWorld *w)
{
    static const OrderKind kinds[] = {ORDER_PROMISE, ORDER_FENCE, ORDER_FENCE, ORDER_ACCEPT};
    order(w, kinds[agent_world_below(w, COUNT(kinds))],
          w->term + (int64_t)agent_world_below(w, 3) - (agent_world_one_in(w, 4) && w->term > 1));
}

static void something(AgentWorld *w)
{
    time_passes(w, (int64_t)agent_world_below(w, 3000));
    switch (agent_world_below(w, 25)) {
    case 0:
        accept_run(w);
        break;
    case 1:
        by_hand(w);
        break;
    case 2:
        agent_world_happens(w, agent_world_input(IN_RESUME, NULL));
        break;
    case 3:
    case 4:
    case 5:
        of_some_run(w);
        break;
    case 6:
        agent_dies(w);
        break;
    case 7:
        server_dies(w);
        break;
    case 8:
        somebody(w);
        break;
    case 9:
        w->t->disk_fails = agent_world_one_in(w, 2);
        break;
    case 10:
        program_ends(w, agent_world_one_in(w, 2), agent_world_one_in(w, 5));
        break;
    case 11:
        hook_ends(w);
        break;
    case 12:
        rescue_ends(w, agent_world_one_in(w, 2));
        break;
    case 13:
    case 14:
        agent_world_happens(w, agent_world_input(IN_TICK, NULL));
        break;
    case 15:
        agent_world_answers(w, true);
        break;
    case 16:
    case 17:
    case 18:
        agent_world_reads(w, agent_world_one_in(w, 4) ? 2000 : 0);
        break;
    case 19:
    case 20:
        some_order(w);
        break;
    default:
        agent_world_answers(w, false);
        break;
    }
}

/* ---- the way back ----------------------------------------------------------------------------------------
 */

static bool serves(const AgentWorld *w)
{
    const AgentState *s = &w->t->s;
    for (size_t i = 0; i < s->n_runs; i++)
        if (run_is_under_way(s->runs[i]))
            return false;
    return s->durable.pause == PAUSE_NONE && !s->flight.pause.beginning && w->flush == 1 &&
           (w->sql || !w->ours) && !*agent_world_lease(w);
}

/* Server and disk answer, programs end when they are asked to, nobody wants anything more. */
static void quiet(AgentWorld *w)
{
    w->up = true;
    w->t->disk_fails = w->moves = false;
    order(w, ORDER_ACCEPT, w->term + 1); /* the primary lives */
    for (int i = 0; i < QUIET_STEPS && !w->wrong; i++) {
        if (serves(w))
            return;
        time_passes(w, QUIET_MS);
        if (w->io == REPL_IO_CONNECTING)
            w->io = REPL_IO_YES;
        while (w->n_pending)
            agent_world_answers(w, false);
        hook_ends(w);
        rescue_ends(w, true);
        program_ends(w, true, false);
        agent_world_reads(w, 0);
        agent_world_happens(w, agent_world_input(IN_TICK, NULL));
    }
    agent_world_must(w, serves(w), "it does not come back to serving");
}

static void begin(AgentWorld *w, Trace *t, uint64_t seed)
{
    *w = (AgentWorld){.t = t,
                      .rng = seed * 0x9E3779B97F4A7C15ULL + 1,
                      .up = true,
                      .sql = true,
                      .io = REPL_IO_YES,
                      .applied = 10,
                      .received = 10,
                      .pid = 100,
                      .flush = 1,
                      .moves = true};
    trace_begin(t);
    t->done = agent_world_effect;
    t->arg = w;
    t->rules.calls_before_pause = t->rules.calls_after_caught_up = agent_world_one_in(w, 4);
    t->rules.boost = !agent_world_one_in(w, 4);
    t->rules.boost_trials = agent_world_one_in(w, 3);
    t->s.known.rules = t->rules;
}

static bool story(uint64_t seed)
{
    Trace t;
    AgentWorld w;
    begin(&w, &t, seed);
    order(&w, ORDER_ACCEPT, 1);
    agent_world_reads(&w, 0);
    for (int i = 0; i < EVENTS && !w.wrong; i++)
        something(&w);
    str_adds(&w.story, "quiet\n");
    if (!w.wrong)
        quiet(&w);
    bool ok = !w.wrong;
    for (size_t i = 0; !ok && i < t.s.n_runs; i++)
        fprintf(stderr, "run %s: %s\n", run_id(t.s.runs[i]), run_state_name(t.s.runs[i]->state));
    if (!ok)
        fprintf(stderr, "seed %llu: %s; lease %s, pause %s, sql %d, io %d, ours %d\n%s\n",
                (unsigned long long)seed, w.wrong, agent_world_lease(&w), pause_state_name(t.s.durable.pause),
                w.sql, w.io, w.ours, str_z(&w.story));
    while (w.n_pending) {
        Pending p = agent_world_take(&w, 0);
        agent_world_drop(&p);
    }
    strlist_done(&w.programs);
    str_done(&w.story);
    trace_end(&t);
    return ok;
}

static long setting(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text ? atol(text) : otherwise;
}

static void stories_end_well(void **state)
{
    (void)state;
    long n = setting("SIDING_STORIES", STORIES), first = setting("SIDING_SEED", 1), wrong = 0;
    for (long i = 0; i < n && wrong < 3; i++)
        wrong += !story((uint64_t)(first + i));
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stories_end_well)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
