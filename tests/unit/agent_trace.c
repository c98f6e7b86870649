/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_trace.h"

#include <signal.h>
#include <string.h>

#include "common/base/clock.h"

enum { WORDS = 24, MOST_POSTS = 1000, WALL_BEGIN_S = 1800000000 };

typedef struct Words {
    char *text, *v[WORDS];
    size_t n;
} Words;

static void words_done(Words *w)
{
    free(w->text);
}

static Words split(const char *line)
{
    Words w = {.text = xstrdup(line)};
    char *save = NULL;
    for (char *p = strtok_r(w.text, " ", &save); p && w.n < WORDS; p = strtok_r(NULL, " ", &save))
        w.v[w.n++] = p;
    return w;
}

static bool has(const Words *w, const char *word)
{
    for (size_t i = 1; i < w->n; i++)
        if (str_eq(w->v[i], word))
            return true;
    return false;
}

/* The value of "key=value"; NULL if there is none. */
static const char *value(const Words *w, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 1; i < w->n; i++)
        if (strncmp(w->v[i], key, n) == 0 && w->v[i][n] == '=')
            return w->v[i] + n + 1;
    return NULL;
}

static int64_t number(const Words *w, const char *key, int64_t otherwise)
{
    long long v;
    const char *text = value(w, key);
    return text && str_to_i64(text, INT64_MIN, INT64_MAX, &v) ? v : otherwise;
}

/* ---- effects as lines ------------------------------------------------------------------------------------
 */

static const char *const op_names[OP_KINDS] = {
    [OP_SURVEY] = "survey",   [OP_STOP] = "stop",       [OP_ALIGN] = "align",
    [OP_VERIFY] = "verify",   [OP_START] = "start",     [OP_RETUNE] = "retune",
    [OP_DURABLE] = "durable", [OP_RESTORE] = "restore", [OP_ROLE] = "role",
};

static const char *const news_names[] = {
    [PAUSE_NEWS_FROZEN] = "frozen",   [PAUSE_NEWS_FAILED] = "failed",     [PAUSE_NEWS_VOID] = "void",
    [PAUSE_NEWS_RESUMED] = "resumed", [PAUSE_NEWS_RELEASED] = "released", [PAUSE_NEWS_NOT_HELD] = "not held",
};

static void line_of_op(Trace *t, const OpOrder *o)
{
    t->op[o->kind] = o->id;
    free(t->op_run[o->kind]);
    t->op_run[o->kind] = xstrdup(o->run);
    str_addf(&t->out, "sql %s", op_names[o->kind]);
    if (o->run)
        str_addf(&t->out, " for %s", o->run);
    if (o->gtid)
        str_addf(&t->out, " to %s", o->gtid);
    if (o->first)
        str_adds(&t->out, " first");
    if (o->thorough)
        str_adds(&t->out, " thorough");
    if (o->fresh_server)
        str_adds(&t->out, " fresh");
    if (o->kind == OP_START && !o->may_end_rescue)
        str_adds(&t->out, " beside a rescue");
    if (o->allow_downstream || o->allow_delayed)
        str_addf(&t->out, " allows%s%s", o->allow_downstream ? " downstream" : "",
                 o->allow_delayed ? " delayed" : "");
    if (o->boost || o->kind == OP_RETUNE)
        str_addf(&t->out, " flush=%s workers=%s", o->boosted.flush_log,
                 o->boosted.workers ? o->boosted.workers : "-");
    if (o->kind == OP_ROLE)
        str_adds(&t->out, o->open ? " open" : " closed");
}

static void line_of_rest(Trace *t, const Effect *e)
{
    str_adds(&t->out, effect_name(e->kind));
    if (e->owner)
        str_addf(&t->out, " %s", e->owner);
    if (e->word && e->kind != FX_EVENT)
        str_addf(&t->out, " %s", e->word);
    if (e->kind == FX_SIGNAL)
        str_addf(&t->out, " %s",
                 e->number == SIGTERM   ? "TERM"
                 : e->number == SIGUSR1 ? "USR1"
                 : e->number == SIGTSTP ? "TSTP"
                                        : "CONT");
    if (e->kind == FX_HOOK)
        str_adds(&t->out, e->flag ? " before_pause" : " after_caught_up");
    if (e->kind == FX_PROGRAM && e->flag)
        str_adds(&t->out, " find");
    if (e->kind == FX_CHANGED)
        str_adds(&t->out, e->flag ? " a little" : "");
    if (e->kind == FX_EVENT)
        str_addf(&t->out, " (%s)",
                 e->level == LOG_LEVEL_ERROR  ? "error"
                 : e->level == LOG_LEVEL_WARN ? "warn"
                                              : "info");
    if (e->kind == FX_NEWS)
        str_addf(&t->out, " %s", news_names[e->number]);
    if (e->err.kind != ERR_NONE)
        str_addf(&t->out, ": %s", e->err.text);
    else if (e->text)
        str_addf(&t->out, ": %s", e->text);
}

static bool is_shown(const Effect *e)
{
    bool news_of_run = e->kind == FX_NEWS && !str_eq(e->owner, LEASE_MANUAL);
    return e->kind != FX_POST && !news_of_run;
}

/* That others are told is said once in a row. */
static void drop_repeated_line(Str *s)
{
    static const char *const lines[] = {"  changed\n", "  changed a little\n"};
    for (size_t i = 0; i < COUNT(lines); i++) {
        size_t n = strlen(lines[i]);
        if (s->len >= 2 * n && memcmp(s->p + s->len - n, lines[i], n) == 0 &&
            memcmp(s->p + s->len - 2 * n, lines[i], n) == 0) {
            s->len -= n;
            s->p[s->len] = 0;
        }
    }
}

static void show(Trace *t, const Effect *e)
{
    if (t->done) {
        t->done(t, e);
        return;
    }
    if (!is_shown(e))
        return;
    str_adds(&t->out, "  ");
    if (e->kind == FX_SQL)
        line_of_op(t, &e->op);
    else
        line_of_rest(t, e);
    str_addc(&t->out, '\n');
    drop_repeated_line(&t->out);
}

/* What a story may be about, as far as it is set. */
static void show_members(Trace *t, const json_t *record)
{
    static const char *const flags[] = {"boosted",   "retuning", "durable",  "taken_over", "stalled",
                                        "restarted", "hold",     "aligning", "verified",   "resumed_early"};
    static const char *const texts[] = {"gtid", "program", "voided", "cut_outcome", "boost_boot_id"};
    static const char *const numbers[] = {"limit_ms", "relay_bytes", "tries"};
    const json_t *run = json_object_get(record, "run"), *replay = json_object_get(record, "replay"),
                 *rescue = json_object_get(record, "rescue");
    for (size_t i = 0; i < COUNT(flags); i++)
        if (json_bool(record, flags[i]))
            str_addf(&t->out, " %s", flags[i]);
    for (size_t i = 0; i < COUNT(texts); i++)
        if (*json_str(record, texts[i]))
            str_addf(&t->out, " %s=%s", texts[i], json_str(record, texts[i]));
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (json_int(record, numbers[i]))
            str_addf(&t->out, " %s=%lld", numbers[i], (long long)json_int(record, numbers[i]));
    if (*json_str(run, "outcome"))
        str_addf(&t->out, " outcome=%s", json_str(run, "outcome"));
    if (json_int(replay, "buffered_trx") || json_int(replay, "applied_trx"))
        str_addf(&t->out, " buffered=%lld applied=%lld", (long long)json_int(replay, "buffered_trx"),
                 (long long)json_int(replay, "applied_trx"));
    if (*json_str(rescue, "target"))
        str_addf(&t->out, " rescue from=%s to=%s done=%lld of %lld tries=%lld", json_str(rescue, "from"),
                 json_str(rescue, "target"), (long long)json_int(rescue, "done"),
                 (long long)json_int(rescue, "total"), (long long)json_int(rescue, "tries"));
}

static void show_records(Trace *t, const Record *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *state = json_str(r[i].value, "state"), *owner = json_str(r[i].value, "owner");
        str_addf(&t->out, "  %s %s", t->disk_fails ? "not written:" : "written:", r[i].key);
        if (!r[i].value)
            str_adds(&t->out, " gone");
        else if (str_eq(r[i].key, "role"))
            str_addf(&t->out, " %s %lld", json_str(r[i].value, "role"),
                     (long long)json_int(r[i].value, "seen_term"));
        else if (*state)
            str_addf(&t->out, " %s", state);
        else if (*owner)
            str_addf(&t->out, " %s%s", owner, json_bool(r[i].value, "over") ? " over" : "");
        show_members(t, r[i].value);
        str_addc(&t->out, '\n');
    }
}

/* ---- the disk --------------------------------------------------------------------------------------------
 */

static Record *on(TraceDisk *d, const char *key)
{
    for (size_t i = 0; i < d->n; i++)
        if (str_eq(d->v[i].key, key))
            return &d->v[i];
    return NULL;
}

static void keep(TraceDisk *d, const Record *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!on(d, r[i].key)) {
            d->v = xrealloc(d->v, (d->n + 1) * sizeof *d->v);
            d->v[d->n++] = (Record){xstrdup(r[i].key), NULL};
        }
        json_decref(on(d, r[i].key)->value);
        on(d, r[i].key)->value = json_incref(r[i].value);
    }
}

const json_t *trace_on_disk(const Trace *t, const char *key)
{
    const Record *r = on((TraceDisk *)&t->disk, key);
    return r ? r->value : NULL;
}

static bool waits_for(Trace *t, const char *key)
{
    return on(&t->waiting, key) != NULL;
}

static void disk_free(TraceDisk *d)
{
    recordlog_free_records(d->v, d->n);
    *d = (TraceDisk){0};
}

/* What could not be written before is now. */
static void show_waiting(Trace *t)
{
    show_records(t, t->waiting.v, t->waiting.n);
    keep(&t->disk, t->waiting.v, t->waiting.n);
    disk_free(&t->waiting);
    t->waits = false;
}

static Input *input(InputKind kind, const char *owner)
{
    Input *in = NEW(Input);
    in->kind = kind;
    in->owner = xstrdup(owner);
    return in;
}

/* ---- draining as the loop does ---------------------------------------------------------------------------
 */

typedef struct Drain {
    Input *queue[MOST_POSTS];
    size_t n;
    Effects fx;
} Drain;

static void step_all(Trace *t, Drain *d)
{
    for (size_t next = 0; next < d->n; next++) {
        size_t from = d->fx.n;
        d->queue[next]->now_ms = t->now_ms;
        d->queue[next]->wall_ms = t->wall_ms;
        agent_step(&t->s, d->queue[next], &d->fx);
        for (size_t i = from; i < d->fx.n && d->n < MOST_POSTS; i++)
            if (d->fx.v[i].kind == FX_POST)
                d->queue[d->n++] = STEAL(d->fx.v[i].post);
        input_free(d->queue[next]);
    }
    if (d->n == MOST_POSTS)
        str_adds(&t->out, "  the queue does not come to an end\n");
    d->n = 0;
}

static Input *failure_of(const Effect *e)
{
    Input *in = NEW(Input);
    err_set(&in->err, ERR_NO_SPACE, 0, "the disk is full");
    if (e->kind == FX_SQL) {
        in->kind = IN_OP;
        in->op = NEW(OpReport);
        *in->op = (OpReport){.kind = e->op.kind, .id = e->op.id, .end = END_NOT_WRITTEN, .err = in->err};
    } else if (e->kind == FX_PROGRAM) {
        in->kind = IN_PROGRAM;
        in->owner = xstrdup(e->owner);
        in->program = NEW(ProgramEnd);
        *in->program = (ProgramEnd){.name = xstrdup(e->word), .not_started = true, .err = in->err};
    } else if (e->kind == FX_HOOK) {
        in->kind = IN_HOOK;
        in->flag = e->flag;
        in->flag2 = true;
    } else {
        input_free(in);
        return NULL;
    }
    return in;
}

static bool needs_record(const Effects *fx)
{
    for (size_t i = 0; i < fx->n; i++)
        if (fx->v[i].after_record && fx->v[i].kind != FX_CHANGED)
            return true;
    return false;
}

static void carry_out_held(Trace *t, Effects *fx, bool written, Drain *next)
{
    for (size_t i = 0; i < fx->n; i++) {
        Effect *e = &fx->v[i];
        if (!e->after_record)
            continue;
        if (written || e->kind == FX_ANSWER) {
            if (!written)
                err_set(&e->err, ERR_NO_SPACE, 0, "the disk is full");
            show(t, e);
            continue;
        }
        Input *in = failure_of(e);
        if (in)
            next->queue[next->n++] = in;
    }
}

static void drain(Trace *t, Drain *d);

static void not_written(Trace *t, Effects *fx)
{
    Drain next = {0};
    Input *in = NEW(Input);
    in->kind = IN_NOT_WRITTEN;
    in->flag = waits_for(t, "lease");
    in->flag2 = waits_for(t, "role");
    err_set(&in->err, ERR_NO_SPACE, 0, "the disk is full");
    next.queue[next.n++] = in;
    carry_out_held(t, fx, false, &next);
    effects_done(fx);
    drain(t, &next);
}

static void drain(Trace *t, Drain *d)
{
    size_t n;
    step_all(t, d);
    bool wait = needs_record(&d->fx);
    for (size_t i = 0; i < d->fx.n; i++)
        if (!wait || !d->fx.v[i].after_record)
            show(t, &d->fx.v[i]);
    Record *r = agent_records(&t->s, &n);
    bool again = !t->disk_fails && t->waits;
    if (again)
        show_waiting(t);
    show_records(t, r, n);
    if (again)
        d->queue[d->n++] = input(IN_WRITTEN, NULL);
    keep(t->disk_fails ? &t->waiting : &t->disk, r, n);
    t->waits = t->waits || (t->disk_fails && n);
    recordlog_free_records(r, n);
    if (wait && t->disk_fails) {
        not_written(t, &d->fx);
        return;
    }
    if (wait)
        carry_out_held(t, &d->fx, true, d);
    effects_done(&d->fx);
    if (d->n)
        drain(t, d);
}

static bool happens(Trace *t, Input *in)
{
    Drain d = {.queue = {in}, .n = 1};
    drain(t, &d);
    return true;
}

void trace_input(Trace *t, Input *in)
{
    happens(t, in);
}

/* ---- words as inputs -------------------------------------------------------------------------------------
 */

static ReplStatus status_of(const Words *w)
{
    const char *applied = value(w, "applied"), *received = value(w, "received");
    applied = applied ? applied : "0-1-10";
    return (ReplStatus){.is_replica = !has(w, "primary"),
                        .channels = 1,
                        .io = has(w, "no-io")        ? REPL_IO_NO
                              : has(w, "connecting") ? REPL_IO_CONNECTING
                                                     : REPL_IO_YES,
                        .sql_running = !has(w, "stopped") && !has(w, "failed"),
                        .uses_gtid = true,
                        .source_host = xstrdup(value(w, "source") ? value(w, "source") : "db0"),
                        .source_port = 3306,
                        .applied = xstrdup(applied),
                        .binlog = xstrdup(value(w, "binlog") ? value(w, "binlog") : "0-1-10"),
                        .received = xstrdup(received ? received : applied),
                        .exec_file = xstrdup("bin.000001"),
                        .exec_pos = number(w, "exec", 100),
                        .read_file = xstrdup("bin.000001"),
                        .read_pos = number(w, "read", 100),
                        .relay_bytes = number(w, "relay", 1000),
                        .sql_errno = has(w, "failed") ? number(w, "errno", 1062) : 0,
                        .io_errno = number(w, "io_errno", 0),
                        .sql_error = xstrdup(has(w, "failed") ? "Duplicate entry" : ""),
                        .read_only = !has(w, "writable"),
                        .server_id = 2};
}

static LeaseServer server_of(const Trace *t)
{
    return (LeaseServer){.pid = t->server_pid,
                         .pid_start = t->server_pid * 10,
                         .started_at = t->server_pid * 1000,
                         .boot_id = xstrdup("boot")};
}

static bool reading(Trace *t, const Words *w)
{
    Input *in = input(IN_READING, NULL);
    Reading *r = in->reading = NEW(Reading);
    *r = (Reading){.ok = !has(w, "down"),
                   .hangs = has(w, "hangs"),
                   .version = {.flavor = DB_MARIADB, .text = "10.11"},
                   .begun_ms = t->now_ms - number(w, "age", 0),
                   .spool_free = number(w, "spool", 1 << 30),
                   .state_free = number(w, "state", 1 << 30),
                   .relay_dir = xstrdup(value(w, "relay_dir")),
                   .semi_sync = {.acks = number(w, "acks", 0), .acknowledges = has(w, "acknowledges")},
                   .relay_free = number(w, "disk", 1 << 30)};
    if (!r->ok)
        err_set(&r->err, ERR_UNREACHABLE, 0, "the server is down");
    else {
        r->status = status_of(w);
        r->id = server_of(t);
    }
    return happens(t, in);
}

static const struct {
    const char *word;
    OpEnd end;
} op_ends[] = {{"ok", END_OK},         {"fails", END_FAILED},    {"unknown", END_UNKNOWN},
               {"waits", END_WAITING}, {"stalled", END_STALLED}, {"moved", END_MOVED},
               {"busy", END_BUSY}};

static const struct {
    const char *word;
    StartWay way;
} start_ways[] = {{"not-needed", START_NOT_NEEDED},
                  {"sql", START_SQL},
                  {"both", START_BOTH},
                  {"rescue", START_RESCUE},
                  {"unreadable", START_UNREADABLE},
                  {"errant", START_ERRANT},
                  {"refetch", START_REFETCH},
                  {"crashed", START_CRASHED}};

static bool op_kind(const char *name, OpKind *ret)
{
    for (size_t i = 0; i < OP_KINDS; i++)
        if (str_eq(op_names[i], name)) {
            *ret = (OpKind)i;
            return true;
        }
    return false;
}

/* "op KIND END [words of a reading] [way=…] [held=…] [backlog=…]" */
static bool operation(Trace *t, const Words *w)
{
    OpKind kind;
    if (w->n < 3 || !op_kind(w->v[1], &kind) || !t->op[kind])
        return false;
    ReplStatus status = status_of(w);
    LeaseServer server = server_of(t);
    LeaseSettings settings = {.sync_binlog = (char *)"1",
                              .flush_log = (char *)"1",
                              .workers = (char *)"0",
                              .parallel_mode = (char *)"optimistic",
                              .sync_relay = (char *)"10000",
                              .queue_bytes = (char *)"131072"};
    WireList findings = {0};
    Input *in = input(IN_OP, NULL);
    OpReport *op = in->op = NEW(OpReport);
    *op = (OpReport){.kind = kind,
                     .id = t->op[kind],
                     .run = t->op_run[kind],
                     .flavor = DB_MARIADB,
                     .status = &status,
                     .server = &server,
                     .settings = &settings,
                     .findings = &findings,
                     .from = value(w, "from"),
                     .held_gtid = value(w, "held"),
                     .backlog = number(w, "backlog", 0),
                     .open = has(w, "open")};
    for (size_t i = 0; i < COUNT(op_ends); i++)
        if (str_eq(w->v[2], op_ends[i].word))
            op->end = op_ends[i].end;
    for (size_t i = 0; i < COUNT(start_ways); i++)
        if (str_eq(value(w, "way"), start_ways[i].word))
            op->way = start_ways[i].way;
    if (op->end != END_OK)
        err_set(&op->err, ERR_DB, 0, "%s was not done", w->v[1]);
    t->op[kind] = 0;
    happens(t, in);
    repl_status_done(&status);
    wire_free(lease_server_fields, &server);
    return true;
}

/* "accept RUN [upload] [primary] [barrier] [next] [after=GTID] [limit=MS] [shards=N]" */
static bool accept(Trace *t, const Words *w)
{
    Input *in = input(IN_ACCEPT, w->v[1]);
    in->token = ++t->token;
    in->spec = NEW(RunSpec);
    *in->spec = (RunSpec){.run = xstrdup(w->v[1]),
                          .job = xstrdup("read"),
                          .kind = has(w, "upload") ? KIND_UPLOAD : KIND_COMMAND,
                          .on = has(w, "primary") ? ROLE_PRIMARY : ROLE_NONE,
                          .barrier = has(w, "barrier"),
                          .during_catch_up = has(w, "next"),
                          .after_gtid = xstrdup(value(w, "after")),
                          .shards = number(w, "shards", 1),
                          .pause_limit_ms = number(w, "limit", 0)};
    if (value(w, "relay_bytes"))
        in->spec->options =
            json_pack("{s:{s:I}}", "limits", "relay_bytes", (json_int_t)number(w, "relay_bytes", 0));
    if (has(w, "upload")) {
        in->spec->source.node = xstrdup(has(w, "local") ? "db1" : "db2");
        in->spec->source.run = xstrdup("1.1");
    }
    return happens(t, in);
}

/* "program RUN NAME well|fails|lost|not-started [gathered] [no-manifest]" */
static bool program(Trace *t, const Words *w)
{
    if (w->n < 4)
        return false;
    Input *in = input(IN_PROGRAM, w->v[1]);
    ProgramEnd *p = in->program = NEW(ProgramEnd);
    p->name = xstrdup(w->v[2]);
    p->well = str_eq(w->v[3], "well");
    p->lost = p->can_restart = str_eq(w->v[3], "lost");
    p->not_started = str_eq(w->v[3], "not-started");
    if (!p->well)
        err_set(&p->err, ERR_IO, 0, "%s ended with status 1", p->name);
    bool result = p->well && (str_eq(p->name, "seal") || str_eq(p->name, "gather")) && !has(w, "no-manifest");
    if (result) {
        p->manifest = json_pack("{s:[{s:i,s:i}],s:b}", "files", "bytes", 10, "compressed_bytes", 5,
                                "gathered", has(w, "gathered"));
        p->result_dir = xasprintf("/spool/%s", w->v[1]);
    }
    return happens(t, in);
}

static bool by_hand(Trace *t, const Words *w)
{
    Input *in = input(IN_PAUSE, LEASE_MANUAL);
    in->token = ++t->token;
    in->wish = NEW(PauseWish);
    *in->wish = (PauseWish){.owner = xstrdup(LEASE_MANUAL),
                            .reason = xstrdup("test"),
                            .by = xstrdup("dba"),
                            .limit_ms = number(w, "for", 60000),
                            .hold = has(w, "hold")};
    return happens(t, in);
}

static bool align_to(Trace *t, const Words *w)
{
    if (w->n < 3)
        return false;
    Input *in = input(IN_ALIGN, w->v[1]);
    in->token = ++t->token;
    in->align = NEW(RunAlign);
    *in->align = (RunAlign){xstrdup(w->v[2]), xstrdup("bin.000001"), 200};
    return happens(t, in);
}

static bool of_run(Trace *t, InputKind kind, const Words *w, const char *text)
{
    Input *in = input(kind, w->v[1]);
    in->token = ++t->token;
    in->text = xstrdup(text);
    in->by = xstrdup("dba");
    if (kind == IN_GATHER)
        in->gather = NEW(GatherOrder);
    return happens(t, in);
}

static bool result(Trace *t, InputKind kind, const Words *w)
{
    Input *in = input(kind, w->n > 2 ? w->v[1] : NULL);
    in->flag = has(w, "before");
    if (has(w, "fails"))
        err_set(&in->err, ERR_REFUSED, 0, "it failed");
    in->token = kind == IN_FORGOTTEN ? ++t->token : 0;
    return happens(t, in);
}

static bool role(Trace *t, const Words *w)
{
    Input *in = input(IN_ROLE, NULL);
    in->token = ++t->token;
    in->text = xstrdup(w->v[1]);
    in->number = number(w, "term", 1);
    return happens(t, in);
}

static bool heard(Trace *t, const Words *w)
{
    Input *in = input(IN_HEARD, NULL);
    in->number = number(w, "term", 1);
    in->text = xstrdup(value(w, "at"));
    in->flag2 = has(w, "sole") || has(w, "not-sole");
    in->flag = has(w, "sole");
    return happens(t, in);
}

static void pass(Trace *t, const Words *w)
{
    long long ms = 0;
    if (w->n > 1 && str_to_i64(w->v[1], 0, INT64_MAX, &ms)) {
        t->now_ms += ms;
        t->wall_ms += ms;
    }
}

static bool progress(Trace *t, const Words *w)
{
    Input *in = input(IN_RESCUE_PROGRESS, NULL);
    in->number = number(w, "done", 0);
    in->total = number(w, "total", 0);
    return happens(t, in);
}

static bool understood(Trace *t, const Words *w)
{
    const char *word = w->v[0];
    static const struct {
        const char *word;
        bool (*make)(Trace *, const Words *);
    } rows[] = {{"reading", reading}, {"op", operation},  {"accept", accept},
                {"program", program}, {"pause", by_hand}, {"align", align_to},
                {"role", role},       {"heard", heard},   {"rescue-progress", progress}};
    static const char *const requests[] = {"stop", "kill", "sleep", "wake"};
    for (size_t i = 0; i < COUNT(rows); i++)
        if (str_eq(word, rows[i].word))
            return rows[i].make(t, w);
    for (size_t i = 0; i < COUNT(requests); i++)
        if (str_eq(word, requests[i]))
            return of_run(t, IN_REQUEST, w, word);
    if (str_eq(word, "go"))
        return of_run(t, IN_GO, w, NULL);
    if (str_eq(word, "gather"))
        return of_run(t, IN_GATHER, w, NULL);
    if (str_eq(word, "forget"))
        return of_run(t, IN_FORGET, w, NULL);
    if (str_eq(word, "forgotten"))
        return result(t, IN_FORGOTTEN, w);
    if (str_eq(word, "hook"))
        return result(t, IN_HOOK, w);
    if (str_eq(word, "rescue"))
        return result(t, IN_RESCUE_ENDED, w);
    if (str_eq(word, "resume"))
        return of_run(t, IN_RESUME, &(Words){.v = {NULL, NULL}}, "by hand");
    if (str_eq(word, "tick"))
        return happens(t, input(IN_TICK, NULL));
    if (str_eq(word, "start"))
        return happens(t, input(IN_START, NULL));
    if (str_eq(word, "disk")) {
        t->disk_fails = has(w, "full");
        return true;
    }
    return false;
}

static bool about_the_world(Trace *t, const Words *w)
{
    const char *word = w->v[0];
    if (str_eq(word, "pass"))
        pass(t, w);
    else if (str_eq(word, "server-restarts"))
        t->server_pid++;
    else if (str_eq(word, "agent-restarts"))
        trace_restart(t);
    else if (str_eq(word, "reboot"))
        t->s.known.boot_id = "another boot";
    else if (str_eq(word, "rules")) {
        t->rules.calls_before_pause = has(w, "before_pause");
        t->rules.calls_after_caught_up = has(w, "after_caught_up");
        t->rules.ignores_failed_hooks = has(w, "ignore");
        t->rules.boost = !has(w, "no-boost");
        t->rules.boost_trials = has(w, "trials");
        t->s.known.rules = t->rules;
    } else
        return false;
    return true;
}

bool trace_line(Trace *t, const char *line)
{
    AUTO(words_done) Words w = split(line);
    if (!w.n || about_the_world(t, &w) || understood(t, &w))
        return true;
    str_addf(&t->out, "  not understood: %s\n", line);
    return false;
}

/* ---- begin, kill, end ------------------------------------------------------------------------------------
 */

static void boot(Trace *t)
{
    Err err;
    TraceDisk *d = &t->disk;
    t->s.known.rules = t->rules;
    t->s.known.boot_id = "boot";
    t->s.known.spool_free = t->s.known.state_free = t->s.known.relay_free = -1;
    lag_done(&t->s.known.lag);
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].value && !agent_restore(&t->s, d->v[i].key, d->v[i].value, t->wall_ms, &err))
            str_addf(&t->out, "  left out: %s\n", err.text);
    happens(t, input(IN_BOOT, NULL));
}

void trace_begin(Trace *t)
{
    *t = (Trace){.now_ms = 1000000, .wall_ms = (int64_t)WALL_BEGIN_S * 1000, .server_pid = 100};
    t->rules = (AgentRules){.node = "db1",
                            .state_dir = "/state",
                            .spool_dir = "/spool",
                            .at_limit = "stop",
                            .pause_limit_ms = 28800000,
                            .applied_timeout_ms = 600000,
                            .barrier_timeout_ms = 60000,
                            .renew_ms = 60000,
                            .stop_grace_ms = 30000,
                            .min_free_bytes = 1 << 20,
                            .limit_warn_percent = 80,
                            .boost = true,
                            .boost_workers = 4,
                            .boost_trials_above_ms = 10000};
    boot(t);
    str_clear(&t->out);
}

static void forget_orders(Trace *t)
{
    for (size_t i = 0; i < OP_KINDS; i++) {
        free(STEAL(t->op_run[i]));
        t->op[i] = 0;
    }
}

void trace_restart(Trace *t)
{
    t->s.known.rules.jobs = NULL;
    agent_state_done(&t->s);
    forget_orders(t);
    disk_free(&t->waiting);
    t->waits = false;
    boot(t);
}

void trace_end(Trace *t)
{
    disk_free(&t->disk);
    disk_free(&t->waiting);
    t->s.known.rules.jobs = NULL;
    agent_state_done(&t->s);
    forget_orders(t);
    str_done(&t->out);
}
