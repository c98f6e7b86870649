/* SPDX-License-Identifier: Apache-2.0 */
#include "effect.h"

static const char *const input_names[IN_KINDS] = {
    [IN_BOOT] = "boot",
    [IN_TICK] = "tick",
    [IN_READING] = "reading",
    [IN_OP] = "operation",
    [IN_HOOK] = "hook",
    [IN_STANDS] = "stands",
    [IN_RESCUE_PROGRESS] = "rescue progress",
    [IN_RESCUE_ENDED] = "rescue ended",
    [IN_FILL] = "fill",
    [IN_FILL_PROGRESS] = "fill progress",
    [IN_FILL_ENDED] = "fill ended",
    [IN_PROGRAM] = "program",
    [IN_PROGRESS] = "progress",
    [IN_SPLIT] = "split",
    [IN_ACCEPT] = "accept",
    [IN_ALIGN] = "align",
    [IN_GO] = "go",
    [IN_REQUEST] = "request",
    [IN_GATHER] = "gather",
    [IN_FORGET] = "forget",
    [IN_FORGOTTEN] = "forgotten",
    [IN_PAUSE] = "pause by hand",
    [IN_RESUME] = "resume by hand",
    [IN_START] = "start by hand",
    [IN_ROLE] = "role",
    [IN_ENDING] = "ending",
    [IN_TERM] = "term set",
    [IN_ORDER] = "order",
    [IN_OPEN] = "opened by hand",
    [IN_HEARD] = "coordinator heard",
    [IN_RULES] = "rules",
    [IN_NOT_WRITTEN] = "not written",
    [IN_WRITTEN] = "written",
    [IN_WISH] = "wish",
    [IN_RELEASE] = "release",
    [IN_MOVE_ON] = "move on",
    [IN_CUT] = "cut",
    [IN_LIMIT_SEALING] = "limit while sealing",
    [IN_NEWS] = "news",
    [IN_MEETS] = "meets",
    [IN_RUNS_SEEN] = "runs seen",
    [IN_BEFORE_PAUSE] = "before pause",
    [IN_TAKE] = "take",
    [IN_CAUGHT_UP] = "caught up",
};

const char *input_name(InputKind k)
{
    return input_names[k];
}

static void reading_free(Reading *r)
{
    if (!r)
        return;
    repl_status_done(&r->status);
    wire_free(lease_server_fields, &r->id);
    wire_free(lease_settings_fields, &r->settings);
    free(r->relay_dir);
    free(r->log_file);
    free(r);
}

static void program_end_free(ProgramEnd *p)
{
    if (!p)
        return;
    json_decref(p->manifest);
    json_decref(p->detail);
    free(p->name);
    free(p->result_dir);
    free(p);
}

static void wish_free(PauseWish *w)
{
    if (!w)
        return;
    free(w->owner);
    free(w->reason);
    free(w->by);
    free(w);
}

static void cut_free(RunCut *c)
{
    if (!c)
        return;
    free(c->text);
    free(c);
}

static void free_by_fields(const WireField *fields, void *s)
{
    if (s)
        wire_free(fields, s);
    free(s);
}

void input_free(Input *in)
{
    if (!in)
        return;
    reading_free(in->reading);
    program_end_free(in->program);
    wish_free(in->wish);
    cut_free(in->cut);
    free_by_fields(progress_fields, in->progress);
    free_by_fields(run_spec_fields, in->spec);
    free_by_fields(run_align_fields, in->align);
    free_by_fields(gather_order_fields, in->gather);
    free_by_fields(written_fields, in->written);
    free_by_fields(replay_fields, in->replay);
    free_by_fields(agent_order_fields, in->order);
    free_by_fields(fill_order_fields, in->fill);
    if (in->lost)
        strlist_done(in->lost);
    free(in->lost);
    free(in->op);
    free(in->owner);
    free(in->text);
    free(in->by);
    free(in);
}

void effects_drop(Effect *e)
{
    free(e->owner);
    free(e->word);
    free(e->text);
    free(e->op.run);
    free(e->op.gtid);
    free(e->op.file);
    wire_free(lease_settings_fields, &e->op.boosted);
    wire_free(agent_order_fields, &e->op.order);
    input_free(e->post);
    *e = (Effect){0};
}

void effects_done(Effects *fx)
{
    for (size_t i = 0; i < fx->n; i++)
        effects_drop(&fx->v[i]);
    free(fx->v);
    *fx = (Effects){0};
}

Effect *fx_add(Turn *t, EffectKind kind)
{
    Effects *fx = t->out;
    if (fx->n == fx->cap) {
        fx->cap = fx->cap ? fx->cap * 2 : 16;
        fx->v = xrealloc(fx->v, fx->cap * sizeof *fx->v);
    }
    Effect *e = &fx->v[fx->n++];
    *e = (Effect){.kind = kind};
    return e;
}

void fx_log(Turn *t, LogLevel level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    Effect *e = fx_add(t, FX_LOG);
    e->level = level;
    e->text = xvasprintf(fmt, ap);
    va_end(ap);
}

void fx_event(Turn *t, const char *level, const char *kind, const char *run, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    Effect *e = fx_add(t, FX_EVENT);
    e->level = str_eq(level, "error")  ? LOG_LEVEL_ERROR
               : str_eq(level, "warn") ? LOG_LEVEL_WARN
                                       : LOG_LEVEL_INFO;
    e->word = xstrdup(kind);
    e->owner = xstrdup(run);
    e->text = xvasprintf(fmt, ap);
    va_end(ap);
}

void fx_changed(Turn *t)
{
    fx_add(t, FX_CHANGED)->after_record = true;
}

void fx_changed_slightly(Turn *t)
{
    fx_add(t, FX_CHANGED)->flag = true;
}

Input *fx_post(Turn *t, InputKind kind, const char *owner)
{
    Input *in = NEW(Input);
    in->kind = kind;
    in->owner = xstrdup(owner);
    fx_add(t, FX_POST)->post = in;
    return in;
}

OpOrder *fx_sql(Turn *t, OpKind kind, bool after_record)
{
    Effect *e = fx_add(t, FX_SQL);
    e->after_record = after_record;
    e->op.kind = kind;
    e->op.id = ++t->s->flight.last_op;
    e->op.shut = !vote_lets_receive(t->s);
    e->op.silent = t->s->durable.vote.vote.accepted.version > 0;
    return &e->op;
}

void fx_answer(Turn *t, uint64_t token, const char *run, const Err *err)
{
    if (!token)
        return;
    Effect *e = fx_add(t, FX_ANSWER);
    e->after_record = true;
    e->token = token;
    e->owner = xstrdup(run);
    if (err)
        e->err = *err;
}
