/* SPDX-License-Identifier: Apache-2.0
 * The agent against a world that does its worst: answers late, never, twice and wrong, kills of agent and
 * server at any moment, disks that do not take what is written, people who stop and start things. After every
 * input: nothing paused without a lease on disk, no effect without its record, settings always owed back, no
 * receiver started behind a fence that was answered.
 * After every story: while server and disk answer, it comes back to serving within a bounded time.
 * SIDING_STORIES says how many, SIDING_SEED where they begin.
 */
#include <stdio.h>

#include "test.h"

#include "agent_trace.h"

enum { STORIES = 3000, EVENTS = 60, PENDING = 16, RUNS = 4, QUIET_STEPS = 6000, QUIET_MS = 500 };

typedef struct Pending {
    OpOrder op; /* borrowed strings are not kept */
    bool taken_effect;
} Pending;

typedef struct World {
    Trace *t;
    uint64_t rng;
    bool up, sql, lease_owed;
    int io; /* ReplIo */
    int64_t applied, received, pid;
    int flush;    /* as it is in the server; 1 is its own */
    bool by_stop; /* the last that stopped the applier was a STOP of this agent */
    bool ours;    /* the applier was stopped by an order of this agent, or by a start of the server */
    bool moves;   /* somebody writes on the primary */
    Pending pending[PENDING], last;
    size_t n_pending;
    bool has_last;
    StrList programs; /* RUN/NAME that are running: one that is being ended may outlive its pause */
    int64_t term;     /* the greatest that was ordered in */
    bool fenced;      /* the fence was answered, and the record still says so */
    bool rescue, hook, hook_before;
    int next_run;
    const char *wrong; /* what does not hold */
    Str story;
} World;

static uint64_t next(World *w)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return w->rng;
}

static size_t below(World *w, size_t n)
{
    return next(w) % n;
}

static bool one_in(World *w, size_t n)
{
    return below(w, n) == 0;
}

/* ---- what must hold --------------------------------------------------------------------------------------
 */

static const char *lease_state(const World *w)
{
    const json_t *l = trace_on_disk(w->t, "lease");
    return l && !json_is_null(l) ? json_str(l, "state") : "";
}

static const json_t *vote_on_disk(const World *w)
{
    return json_object_get(trace_on_disk(w->t, "vote"), "vote");
}

static void must(World *w, bool holds, const char *what)
{
    if (!holds && !w->wrong)
        w->wrong = what;
}

static void check_op(World *w, const OpOrder *o)
{
    must(w, o->kind != OP_START || !pause_is_in_force(&w->t->s), "replication is started under a pause");
    const json_t *l = trace_on_disk(w->t, "lease");
    bool leased = *lease_state(w) != 0;
    if (o->kind == OP_STOP && o->first)
        must(w, str_eq(lease_state(w), "pausing") || str_eq(lease_state(w), "abandoned"),
             "the first STOP without a lease that says so");
    if (o->kind == OP_ALIGN)
        must(w, str_eq(lease_state(w), "aligning") || str_eq(lease_state(w), "abandoned"),
             "an ALIGN without its record");
    if ((o->kind == OP_START && o->boost) || o->kind == OP_RETUNE)
        must(w, leased && json_bool(l, "boosted"), "durability is relaxed without a record of it");
    if (o->kind == OP_RETUNE)
        must(w, json_bool(l, "retuning"), "the applier is stopped for a change without a record of it");
}

static void check_program(World *w, const Effect *e)
{
    AUTOFREE char *key = xasprintf("run/%s", e->owner);
    const json_t *r = trace_on_disk(w->t, key);
    must(w, r && !json_is_null(r), "a program of a run that is not on disk");
    must(w, e->flag || str_eq(json_str(r, "program"), e->word), "a program whose stage is not on disk");
}

/* What is said is on disk, and so. */
static void check_answer(World *w, const char *text)
{
    AUTOJSON json_t *j = json_loads(text, 0, NULL);
    int64_t promised = json_int(json_object_get(vote_on_disk(w), "promised"), "term");
    must(w, json_int(json_object_get(j, "promised"), "term") <= promised,
         "a promise is told before it is on disk");
    if (!json_bool(j, "done") || !str_eq(json_str(j, "kind"), "fence"))
        return;
    must(w, w->io == REPL_IO_NO, "a fence is answered, and the receiver runs");
    w->fenced = json_bool(vote_on_disk(w), "shut");
}

static void on_effect(Trace *t, const Effect *e)
{
    World *w = t->arg;
    w->fenced = w->fenced && json_bool(vote_on_disk(w), "shut");
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
        must(w, trace_on_disk(t, "hook") != NULL, "a hook without its record");
    } else if (e->kind == FX_NEWS && e->number == PAUSE_NEWS_FROZEN && str_eq(e->owner, LEASE_MANUAL)) {
        must(w, str_eq(lease_state(w), "frozen"),
             "a person is told that it stands frozen, and it is not on disk");
    }
}

static void check(World *w)
{
    const AgentState *s = &w->t->s;
    bool leased = *lease_state(w) != 0;
    bool known =
        w->up && s->flight.boot.seen && s->known.server.id.pid == w->pid; /* else it has yet to look */
    bool remembered =
        !w->by_stop && (s->durable.pause != PAUSE_NONE || s->flight.boot.start_due || s->durable.vote.owed);
    bool owed = json_bool(trace_on_disk(w->t, "vote"), "owed"); /* it is started when a failover lets it */
    must(w, w->sql || !w->ours || !known || leased || remembered || owed,
         "it stands still by our doing, and no lease says so");
    must(w, w->flush == 1 || leased, "durability is relaxed, and no lease owes it back");
}

/* ---- inputs ----------------------------------------------------------------------------------------------
 */

static void happen(World *w, Input *in)
{
    str_addf(&w->story, "%s %s %s", input_name(in->kind), in->owner ? in->owner : "",
             in->text ? in->text : "");
    if (in->op)
        str_addf(&w->story, " %d ends %d way %d", (int)in->op->kind, (int)in->op->end, (int)in->op->way);
    str_addf(&w->story, " [up %d sql %d io %d ours %d pid %d disk %d]", w->up, w->sql, w->io, w->ours,
             (int)w->pid, !w->t->disk_fails);
    trace_input(w->t, in);
    str_addf(&w->story, " -> %s, on disk %s\n", pause_state_name(w->t->s.durable.pause), lease_state(w));
    check(w);
}

static Input *make(InputKind kind, const char *owner)
{
    Input *in = NEW(Input);
    in->kind = kind;
    in->owner = xstrdup(owner);
    in->token = 1;
    return in;
}

static char *gtid(int64_t n)
{
    return xasprintf("0-1-%lld", (long long)n);
}

static ReplStatus status_of(const World *w)
{
    return (ReplStatus){.is_replica = true,
                        .channels = 1,
                        .io = (ReplIo)w->io,
                        .sql_running = w->sql,
                        .uses_gtid = true,
                        .source_host = xstrdup("db0"),
                        .source_port = 3306,
                        .applied = gtid(w->applied),
                        .binlog = gtid(w->applied),
                        .received = gtid(w->received),
                        .exec_file = xstrdup("bin.1"),
                        .exec_pos = w->applied,
                        .read_file = xstrdup("bin.1"),
                        .read_pos = w->received,
                        .relay_bytes = 1000,
                        .sql_error = xstrdup(""),
                        .read_only = true,
                        .server_id = 2};
}

static LeaseServer server_of(const World *w)
{
    return (LeaseServer){
        .pid = w->pid, .pid_start = w->pid, .started_at = w->pid * 1000, .boot_id = xstrdup("boot")};
}

static void reads(World *w, int64_t age_ms)
{
    Input *in = make(IN_READING, NULL);
    Reading *r = in->reading = NEW(Reading);
    *r = (Reading){.ok = w->up,
                   .version = {.flavor = DB_MARIADB, .text = "10.11"},
                   .begun_ms = w->t->now_ms - age_ms,
                   .spool_free = 1 << 30,
                   .state_free = 1 << 30,
                   .relay_free = 1 << 30};
    if (w->up) {
        r->status = status_of(w);
        r->id = server_of(w);
    } else {
        err_set(&r->err, ERR_UNREACHABLE, 0, "down");
    }
    happen(w, in);
}

/* ---- the server does what it is asked, or not
 * -------------------------------------------------------------- */

static bool nothing_kept(const World *w)
{
    return w->applied >= w->received;
}

/* As op_start does: never a START of both with something in the files. */
static OpEnd start(World *w, const OpOrder *o, StartWay *way)
{
    *way = START_NOT_NEEDED;
    bool receiver_alone = w->sql && w->io == REPL_IO_NO && o->fresh_server && !o->shut;
    if (w->sql && !receiver_alone)
        return END_OK;
    if (!w->sql && w->io == REPL_IO_NO && !nothing_kept(w)) {
        *way = START_RESCUE;
        return END_WAITING;
    }
    if (w->io == REPL_IO_NO && o->shut) {
        *way = START_SHUT;
        return END_WAITING;
    }
    *way = w->io == REPL_IO_NO ? START_BOTH : START_SQL;
    w->fenced = w->fenced && json_bool(vote_on_disk(w), "shut");
    must(w, *way == START_SQL || !w->fenced, "a receiver is started behind a fence");
    if (o->boost)
        w->flush = 2;
    w->io = REPL_IO_YES;
    w->sql = true;
    w->ours = w->by_stop = false;
    return END_OK;
}

static OpEnd restore(World *w)
{
    if (!w->sql && w->t->s.durable.lease.taken_over) {
        w->flush = 1;
        return END_OK;
    }
    if (!w->sql && w->io == REPL_IO_NO)
        return END_STALLED;
    w->flush = 1;
    w->sql = true; /* an earlier try may have stopped it */
    w->ours = w->by_stop = false;
    w->applied = w->received;
    return END_OK;
}

/* As op_order does: a START that is under way ends before the STOP. */
static OpEnd stop_receiver(World *w)
{
    for (size_t i = 0; i < w->n_pending; i++)
        w->pending[i].taken_effect = w->pending[i].taken_effect || w->pending[i].op.kind == OP_START;
    w->io = REPL_IO_NO;
    return END_OK;
}

static OpEnd carry_out(World *w, const OpOrder *o, StartWay *way)
{
    if (!w->up)
        return o->kind == OP_STOP ? END_UNKNOWN : END_FAILED;
    switch (o->kind) {
    case OP_STOP:
        w->by_stop = w->by_stop || w->sql;
        w->ours = w->ours || w->sql;
        w->sql = false;
        return END_OK;
    case OP_ALIGN:
        w->applied = w->applied < w->received ? w->applied + 1 : w->applied;
        return END_OK;
    case OP_START:
        return start(w, o, way);
    case OP_RETUNE:
        if (w->io != REPL_IO_YES)
            return END_WAITING;
        w->flush = 2;
        w->sql = true;
        return END_OK;
    case OP_RESTORE:
        return restore(w);
    case OP_VERIFY:
        return w->sql ? END_MOVED : END_OK;
    case OP_SURVEY:
    case OP_DURABLE:
    case OP_ORDER:
        return stop_receiver(w);
    case OP_ROLE:
    case OP_KINDS:
        break;
    }
    return END_OK;
}

static void report(World *w, const Pending *p, OpEnd end, StartWay way)
{
    ReplStatus status = status_of(w);
    LeaseServer server = server_of(w);
    LeaseSettings own = {.sync_binlog = (char *)"1",
                         .flush_log = (char *)"1",
                         .workers = (char *)"0",
                         .parallel_mode = (char *)"optimistic"};
    WireList findings = {0};
    AUTOFREE char *from = gtid(w->applied), *held = gtid(w->received);
    Input *in = make(IN_OP, NULL);
    in->op = NEW(OpReport);
    *in->op = (OpReport){.kind = p->op.kind,
                         .id = p->op.id,
                         .end = end,
                         .run = p->op.run,
                         .flavor = DB_MARIADB,
                         .status = &status,
                         .server = &server,
                         .settings = &own,
                         .findings = &findings,
                         .way = way,
                         .from = from,
                         .held_gtid = held,
                         .backlog = w->received - w->applied,
                         .open = p->op.open};
    if (end != END_OK)
        err_set(&in->op->err, ERR_DB, 0, "not done");
    happen(w, in);
    repl_status_done(&status);
    wire_free(lease_server_fields, &server);
}

static void drop(Pending *p)
{
    free(p->op.run);
    free(p->op.gtid);
    *p = (Pending){0};
}

static Pending take_pending(World *w, size_t i)
{
    Pending p = w->pending[i];
    memmove(&w->pending[i], &w->pending[i + 1], (w->n_pending - i - 1) * sizeof p);
    w->n_pending--;
    return p;
}

/* `badly`: refused, unanswered (with or without effect), no worker free. */
static void answer(World *w, bool badly)
{
    if (!w->n_pending)
        return;
    Pending p = take_pending(w, below(w, w->n_pending));
    StartWay way = START_NOT_NEEDED;
    OpEnd end = END_FAILED;
    if ((!badly || one_in(w, 2)) && !p.taken_effect)
        end = carry_out(w, &p.op, &way);
    if (badly)
        end = one_in(w, 4) ? END_BUSY : p.op.kind == OP_SURVEY || one_in(w, 2) ? END_FAILED : END_UNKNOWN;
    report(w, &p, end, way);
    if (one_in(w, 10))
        report(w, &p, END_OK, way); /* once more, and wrong */
    drop(&p);
}

/* ---- what happens ----------------------------------------------------------------------------------------
 */

static void program_ends(World *w, bool well, bool lost)
{
    if (!w->programs.n)
        return;
    AUTOFREE char *both = w->programs.v[0];
    memmove(w->programs.v, w->programs.v + 1, w->programs.n-- * sizeof *w->programs.v);
    char *name = strchr(both, '/');
    *name++ = 0;
    Input *in = make(IN_PROGRAM, both);
    in->program = NEW(ProgramEnd);
    *in->program = (ProgramEnd){.name = xstrdup(name), .well = well, .lost = lost, .can_restart = lost};
    if (!well)
        err_set(&in->program->err, ERR_IO, 0, "status 1");
    if (well && str_eq(name, "seal")) {
        in->program->manifest = json_pack("{s:[]}", "files");
        in->program->result_dir = xstrdup("/spool");
    }
    happen(w, in);
}

static void accept_run(World *w)
{
    AUTOFREE char *id = xasprintf("%d.1", ++w->next_run);
    Input *in = make(IN_ACCEPT, id);
    in->spec = NEW(RunSpec);
    *in->spec = (RunSpec){.run = xstrdup(id),
                          .job = xstrdup("read"),
                          .kind = KIND_COMMAND,
                          .barrier = one_in(w, 3),
                          .during_catch_up = one_in(w, 4),
                          .pause_limit_ms = 30000,
                          .shards = 1};
    happen(w, in);
}

static void by_hand(World *w)
{
    Input *in = make(IN_PAUSE, LEASE_MANUAL);
    in->wish = NEW(PauseWish);
    *in->wish = (PauseWish){.owner = xstrdup(LEASE_MANUAL),
                            .reason = xstrdup("r"),
                            .by = xstrdup("b"),
                            .limit_ms = 20000,
                            .hold = one_in(w, 3)};
    happen(w, in);
}

static void of_some_run(World *w)
{
    static const char *const words[] = {"stop", "kill", "sleep", "wake"};
    static const InputKind kinds[] = {IN_REQUEST, IN_REQUEST,   IN_GO,           IN_ALIGN,
                                      IN_FORGET,  IN_FORGOTTEN, IN_LIMIT_SEALING};
    if (!w->t->s.n_runs)
        return;
    Input *in = make(kinds[below(w, COUNT(kinds))], run_id(w->t->s.runs[below(w, w->t->s.n_runs)]));
    in->text = xstrdup(words[below(w, COUNT(words))]);
    if (in->kind == IN_ALIGN) {
        in->align = NEW(RunAlign);
        *in->align = (RunAlign){gtid(w->applied + 1), xstrdup("bin.1"), 4};
    }
    if (in->kind == IN_FORGOTTEN && !w->t->s.n_runs)
        in->kind = IN_FORGET;
    happen(w, in);
}

static void agent_dies(World *w)
{
    str_adds(&w->story, "the agent is killed\n");
    while (w->n_pending) {
        Pending p = take_pending(w, 0);
        StartWay way;
        if (one_in(w, 2) && !p.taken_effect)
            carry_out(w, &p.op, &way); /* sent, and done after its death */
        drop(&p);
    }
    w->hook = false;
    trace_restart(w->t);
    check(w);
}

static void server_dies(World *w)
{
    str_adds(&w->story, "the server is killed\n");
    w->up = !one_in(w, 3);
    w->pid++;
    w->sql = false;
    w->io = REPL_IO_NO;
    w->ours = true; /* it starts nothing by itself: the agent does */
    w->by_stop = false;
    w->flush = 1;
}

static void somebody(World *w)
{
    switch (below(w, 4)) {
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
            w->io = one_in(w, 2) ? REPL_IO_NO : REPL_IO_YES;
        w->ours = w->ours && *lease_state(w) != 0; /* else a person is at it */
        break;
    default:
        w->up = true;
        break;
    }
    str_addf(&w->story, "somebody: up %d sql %d io %d\n", w->up, w->sql, w->io);
}

static void time_passes(World *w, int64_t ms)
{
    w->t->now_ms += ms;
    w->t->wall_ms += ms;
    if (w->up && w->io == REPL_IO_YES && w->moves)
        w->received += (int64_t)below(w, 3);
    if (w->up && w->sql)
        w->applied =
            w->received - (w->moves ? (int64_t)below(w, 2) : 0) > w->applied ? w->received : w->applied;
}

static void hook_ends(World *w)
{
    if (!w->hook)
        return;
    w->hook = false;
    Input *in = make(IN_HOOK, NULL);
    in->flag = w->hook_before;
    if (one_in(w, 4))
        err_set(&in->err, ERR_REFUSED, 0, "no");
    happen(w, in);
}

static void rescue_ends(World *w, bool well)
{
    if (!w->rescue)
        return;
    w->rescue = false;
    Input *in = make(IN_RESCUE_ENDED, NULL);
    if (well && w->up)
        w->applied = w->received;
    else
        err_set(&in->err, ERR_IO, 0, "no");
    happen(w, in);
}

static void order(World *w, OrderKind kind, int64_t term)
{
    Input *in = make(IN_ORDER, NULL);
    WireBallot ballot = {term, (char *)"000000000000000a"};
    AgentOrder o = {.kind = kind, .ballot = ballot};
    if (kind == ORDER_ACCEPT)
        o.decision = (WireDecision){
            .ballot = ballot, .version = 1, .primary = (char *)"db0", .held_by = (char *)"db0", .open = true};
    in->order = NEW(AgentOrder);
    wire_copy(agent_order_fields, in->order, &o);
    w->term = term > w->term ? term : w->term;
    happen(w, in);
}

/* A coordinator that begins, fences, gives up; in its term, a later one, or one that has passed. */
static void some_order(World *w)
{
    static const OrderKind kinds[] = {ORDER_PROMISE, ORDER_FENCE, ORDER_FENCE, ORDER_ACCEPT};
    order(w, kinds[below(w, COUNT(kinds))], w->term + (int64_t)below(w, 3) - (one_in(w, 4) && w->term > 1));
}

static void something(World *w)
{
    time_passes(w, (int64_t)below(w, 3000));
    switch (below(w, 25)) {
    case 0:
        accept_run(w);
        break;
    case 1:
        by_hand(w);
        break;
    case 2:
        happen(w, make(IN_RESUME, NULL));
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
        w->t->disk_fails = one_in(w, 2);
        break;
    case 10:
        program_ends(w, one_in(w, 2), one_in(w, 5));
        break;
    case 11:
        hook_ends(w);
        break;
    case 12:
        rescue_ends(w, one_in(w, 2));
        break;
    case 13:
    case 14:
        happen(w, make(IN_TICK, NULL));
        break;
    case 15:
        answer(w, true);
        break;
    case 16:
    case 17:
    case 18:
        reads(w, one_in(w, 4) ? 2000 : 0);
        break;
    case 19:
    case 20:
        some_order(w);
        break;
    default:
        answer(w, false);
        break;
    }
}

/* ---- the way back ----------------------------------------------------------------------------------------
 */

static bool serves(const World *w)
{
    const AgentState *s = &w->t->s;
    for (size_t i = 0; i < s->n_runs; i++)
        if (run_is_under_way(s->runs[i]))
            return false;
    return s->durable.pause == PAUSE_NONE && !s->flight.pause.beginning && w->flush == 1 &&
           (w->sql || !w->ours) && !*lease_state(w);
}

/* Server and disk answer, programs end when they are asked to, nobody wants anything more. */
static void quiet(World *w)
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
            answer(w, false);
        hook_ends(w);
        rescue_ends(w, true);
        program_ends(w, true, false);
        reads(w, 0);
        happen(w, make(IN_TICK, NULL));
    }
    must(w, serves(w), "it does not come back to serving");
}

static void begin(World *w, Trace *t, uint64_t seed)
{
    *w = (World){.t = t,
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
    t->done = on_effect;
    t->arg = w;
    t->rules.calls_before_pause = t->rules.calls_after_caught_up = one_in(w, 4);
    t->rules.boost = !one_in(w, 4);
    t->rules.boost_trials = one_in(w, 3);
    t->s.known.rules = t->rules;
}

static bool story(uint64_t seed)
{
    Trace t;
    World w;
    begin(&w, &t, seed);
    order(&w, ORDER_ACCEPT, 1);
    reads(&w, 0);
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
                (unsigned long long)seed, w.wrong, lease_state(&w), pause_state_name(t.s.durable.pause),
                w.sql, w.io, w.ours, str_z(&w.story));
    while (w.n_pending) {
        Pending p = take_pending(&w, 0);
        drop(&p);
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
