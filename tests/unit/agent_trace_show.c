/* SPDX-License-Identifier: Apache-2.0
 * What an agent does, and what it tells, as lines.
 */
#include <signal.h>
#include <string.h>

#include "agent_trace_impl.h"
#include "common/base/clock.h"

/* ---- effects as lines ------------------------------------------------------------------------------------
 */

const char *const trace_op_names[OP_KINDS] = {
    [OP_SURVEY] = "survey", [OP_STOP] = "stop",     [OP_ALIGN] = "align",     [OP_VERIFY] = "verify",
    [OP_START] = "start",   [OP_RETUNE] = "retune", [OP_DURABLE] = "durable", [OP_RESTORE] = "restore",
    [OP_ROLE] = "role",     [OP_ORDER] = "order",
};

static const char *const act_names[] = {
    [ORDER_STOP_RECEIVER] = "stop receiver",
    [ORDER_KILL_SERVER] = "kill server",
    [ORDER_READ_LOG] = "read log",
    [ORDER_SET_CLOSED] = "close",
    [ORDER_REOPEN] = "open again",
    [ORDER_APPLY_ALL] = "apply all",
    [ORDER_REPOINT] = "repoint",
    [ORDER_SET_ARMED] = "arm",
    [ORDER_SET_SILENT] = "be silent",
    [ORDER_SET_OPEN] = "open",
    [ORDER_WRITE_PROBE] = "probe",
};

static const char *const news_names[] = {
    [PAUSE_NEWS_FROZEN] = "frozen",     [PAUSE_NEWS_FAILED] = "failed",
    [PAUSE_NEWS_VOID] = "void",         [PAUSE_NEWS_RESTARTED] = "restarted",
    [PAUSE_NEWS_RESUMED] = "resumed",   [PAUSE_NEWS_RELEASED] = "released",
    [PAUSE_NEWS_NOT_HELD] = "not held",
};

static void line_of_op(Trace *t, const OpOrder *o)
{
    t->op[o->kind] = o->id;
    free(t->op_run[o->kind]);
    t->op_run[o->kind] = xstrdup(o->run);
    str_addf(&t->out, "sql %s", trace_op_names[o->kind]);
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
    if (o->kind == OP_START && o->shut)
        str_adds(&t->out, " shut");
    if (o->kind == OP_START && o->silent && !o->shut)
        str_adds(&t->out, " silent");
    if (o->kind == OP_ORDER)
        str_addf(&t->out, ": %s%s", act_names[o->act], o->receiver_alone ? ", the receiver alone" : "");
    if (o->allow_downstream || o->allow_delayed)
        str_addf(&t->out, " allows%s%s", o->allow_downstream ? " downstream" : "",
                 o->allow_delayed ? " delayed" : "");
    if (o->boost || o->kind == OP_RETUNE)
        str_addf(&t->out, " flush=%s workers=%s", o->boosted.flush_log,
                 o->boosted.workers ? o->boosted.workers : "-");
    if (o->kind == OP_ROLE)
        str_adds(&t->out, o->open ? " open" : o->cut_off ? " cut off" : " closed");
    if (o->delay_s)
        str_addf(&t->out, " delay=%lld", (long long)o->delay_s);
}

static const char *const effect_names[FX_KINDS] = {
    [FX_LOG] = "log",         [FX_EVENT] = "event",
    [FX_POST] = "post",       [FX_SQL] = "sql",
    [FX_CANCEL] = "cancel",   [FX_DROP_HELD] = "drop held connection",
    [FX_PROGRAM] = "program", [FX_SIGNAL] = "signal",
    [FX_CLEAN] = "clean",     [FX_FORGET] = "forget",
    [FX_RESCUE] = "rescue",   [FX_FILL] = "fill",
    [FX_HOOK] = "hook",       [FX_CLEAR_VAULT] = "clear vault",
    [FX_ROLE_HOOK] = "hook",  [FX_END_ROLE_HOOK] = "end hook",
    [FX_ANSWER] = "answer",   [FX_NEWS] = "news",
    [FX_CHANGED] = "changed", [FX_ASK] = "ask",
};

static void line_of_answer(Trace *t, const Effect *e)
{
    AUTOJSON json_t *j = json_loads(e->text, 0, NULL);
    str_addf(&t->out, "answer %lld to %s", (long long)e->number, json_str(j, "kind"));
    if (json_bool(j, "done"))
        str_adds(&t->out, ": done");
    else
        str_addf(&t->out, ": %s", json_str(j, "waits_for"));
    if (*json_str(j, "received"))
        str_addf(&t->out, ", received %s", json_str(j, "received"));
    if (json_bool(j, "ended"))
        str_adds(&t->out, ", ended");
    if (json_int(j, "closed_for_ms") >= 0)
        str_addf(&t->out, ", closed for %lld ms", (long long)json_int(j, "closed_for_ms"));
    else if (json_bool(j, "closed"))
        str_adds(&t->out, ", closed");
}

static void line_of_rest(Trace *t, const Effect *e)
{
    if (e->kind == FX_ANSWER && e->text && e->err.kind == ERR_NONE) {
        line_of_answer(t, e);
        return;
    }
    str_adds(&t->out, effect_names[e->kind]);
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
    if (e->kind == FX_ROLE_HOOK)
        str_addf(&t->out, " %s term=%lld attempt=%llu", e->flag ? "after_promotion" : "after_demotion",
                 (long long)e->number, (unsigned long long)e->token);
    if (e->kind == FX_PROGRAM && e->flag)
        str_adds(&t->out, " find");
    if (e->kind == FX_CHANGED)
        str_adds(&t->out, e->flag ? " a little" : "");
    if (e->kind == FX_EVENT)
        str_addf(&t->out, " (%s)",
                 e->level == LOG_LEVEL_ERROR  ? "error"
                 : e->level == LOG_LEVEL_WARN ? "warn"
                                              : "info");
    if (e->kind == FX_EVENT && e->number)
        str_addf(&t->out, " of term %lld", (long long)e->number);
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

void trace_show(Trace *t, const Effect *e)
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
    static const char *const flags[] = {"closed_by_hand", "boosted",   "retuning", "durable",  "taken_over",
                                        "stalled",        "restarted", "hold",     "aligning", "verified",
                                        "resumed_early",  "reread",    "lost",     "seen"};
    const json_t *ours = json_object_get(record, "ours"), *own = json_object_get(record, "original");
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
    if (json_object_get(record, "apply_rate"))
        str_addf(&t->out, " apply_rate=%.0f", json_number_value(json_object_get(record, "apply_rate")));
    if (t->rules.sync_relay_log && *json_str(ours, "sync_relay"))
        str_addf(&t->out, " sync_relay=%s", json_str(ours, "sync_relay"));
    if (*json_str(ours, "workers") && !str_eq(json_str(own, "workers"), "0"))
        str_addf(&t->out, " workers=%s for %s", json_str(ours, "workers"), json_str(own, "workers"));
    if (*json_str(run, "outcome"))
        str_addf(&t->out, " outcome=%s", json_str(run, "outcome"));
    if (*json_str(run, "error_kind") && !str_eq(json_str(run, "error_kind"), "io"))
        str_addf(&t->out, " (%s)", json_str(run, "error_kind"));
    if (json_int(replay, "buffered_trx") || json_int(replay, "applied_trx"))
        str_addf(&t->out, " buffered=%lld applied=%lld", (long long)json_int(replay, "buffered_trx"),
                 (long long)json_int(replay, "applied_trx"));
    if (*json_str(rescue, "target"))
        str_addf(&t->out, " rescue from=%s to=%s done=%lld of %lld tries=%lld", json_str(rescue, "from"),
                 json_str(rescue, "target"), (long long)json_int(rescue, "done"),
                 (long long)json_int(rescue, "total"), (long long)json_int(rescue, "tries"));
}

static void show_ways(Trace *t, const json_t *record)
{
    size_t i;
    json_t *found;
    json_array_foreach(json_object_get(record, "found"), i, found)
        str_addf(&t->out, " %s at %.0f/s for size %lld", json_str(found, "way"),
                 json_number_value(json_object_get(found, "rate")), (long long)json_int(found, "size_class"));
}

void trace_show_records(Trace *t, const Record *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *state = json_str(r[i].value, "state"), *owner = json_str(r[i].value, "owner");
        str_addf(&t->out, "  %s %s", t->disk_fails ? "not written:" : "written:", r[i].key);
        if (!r[i].value)
            str_adds(&t->out, " gone");
        else if (str_eq(r[i].key, "role"))
            str_addf(&t->out, " %s %lld%s%s", json_str(r[i].value, "role"),
                     (long long)json_int(r[i].value, "seen_term"),
                     *json_str(r[i].value, "seen_owner") ? " of " : "", json_str(r[i].value, "seen_owner"));
        else if (str_eq(r[i].key, "ways"))
            show_ways(t, r[i].value);
        else if (str_eq(r[i].key, "vote")) {
            const json_t *vote = json_object_get(r[i].value, "vote"),
                         *accepted = json_object_get(vote, "accepted");
            str_addf(&t->out, " promised %lld%s%s",
                     (long long)json_int(json_object_get(vote, "promised"), "term"),
                     json_bool(vote, "shut") ? " shut" : "", json_bool(r[i].value, "stale") ? " stale" : "");
            if (json_bool(r[i].value, "owed"))
                str_adds(&t->out, " owed");
            if (json_int(r[i].value, "delay_s"))
                str_addf(&t->out, " delay=%lld", (long long)json_int(r[i].value, "delay_s"));
            if (json_int(accepted, "version"))
                str_addf(&t->out, " accepted %s version %lld%s", json_str(accepted, "primary"),
                         (long long)json_int(accepted, "version"),
                         json_bool(accepted, "open") ? " open" : "");
        } else if (str_eq(r[i].key, "fill"))
            str_addf(&t->out, " %s %s%s%s%s", json_str(json_object_get(r[i].value, "order"), "id"),
                     json_str(r[i].value, "phase"), json_bool(r[i].value, "touched") ? " touched" : "",
                     *json_str(r[i].value, "error") ? ": " : "", json_str(r[i].value, "error"));
        else if (*state)
            str_addf(&t->out, " %s", state);
        else if (*owner)
            str_addf(&t->out, " %s%s", owner, json_bool(r[i].value, "over") ? " over" : "");
        show_members(t, r[i].value);
        str_addc(&t->out, '\n');
    }
}

static void show_guard(Trace *t)
{
    const GuardFlight *g = &t->s.flight.guard;
    for (GuardCause c = 0; c < GUARD_CAUSES; c++) {
        if (g->verdict.limit[c] && g->reading.value[c] != GUARD_UNKNOWN)
            str_addf(&t->out, "  told: %s %lld of %lld\n", guard_cause_name(c),
                     (long long)g->reading.value[c], (long long)g->verdict.limit[c]);
        if (g->said[c])
            str_addf(&t->out, "  told: %s\n", g->said[c]);
        if (g->hits[c])
            str_addf(&t->out, "  told: limits reached, %s: %lld\n", guard_cause_name(c),
                     (long long)g->hits[c]);
    }
    if (g->renew_overdue)
        str_adds(&t->out, "  told: the coordinator is not heard\n");
}

static void show_replay(Trace *t, const Replay *r)
{
    str_addf(&t->out, " buffered=%lld at %.1f/s, applied=%lld at %.1f/s, left=%lld/%lld eta=%.1f way=%s",
             (long long)r->buffered_trx, r->write_rate, (long long)r->applied_trx, r->rate,
             (long long)r->backlog_trx, (long long)r->backlog_bytes, r->eta_s, r->way ? r->way : "-");
    if (r->settings_restored)
        str_adds(&t->out, ", settings restored");
    if (r->error)
        str_addf(&t->out, ": %s", r->error);
    str_addc(&t->out, '\n');
}

static int64_t since_begin(int64_t wall_ms)
{
    return wall_ms ? wall_ms - (int64_t)WALL_BEGIN_S * 1000 : -1;
}

static void show_lease(Trace *t)
{
    const Lease *l = &t->s.durable.lease;
    const LeaseRescue *r = &l->rescue;
    if (t->s.durable.pause == PAUSE_NONE)
        return;
    str_addf(&t->out, "  told: %s, taken %lld frozen %lld resumed %lld\n",
             pause_state_name(t->s.durable.pause), (long long)since_begin(l->taken_at),
             (long long)since_begin(l->frozen_at), (long long)since_begin(l->resumed_at));
    if (l->resumed_at) {
        str_adds(&t->out, "  told: replay");
        show_replay(t, &l->replay);
    }
    if (r->target)
        str_addf(&t->out, "  told: rescue done=%lld of %lld, %.1f/s, eta=%.1f\n", (long long)r->done,
                 (long long)r->total, r->rate, r->eta_s);
}

static void show_runs(Trace *t)
{
    for (size_t i = 0; i < t->s.n_runs; i++) {
        const AgentRun *w = &t->s.runs[i]->j.run;
        str_addf(&t->out, "  told: run %s, started %lld job ended %lld finished %lld", run_id(t->s.runs[i]),
                 (long long)since_begin(w->started_at), (long long)since_begin(w->job_ended_at),
                 (long long)since_begin(w->finished_at));
        if (w->progress.note)
            str_addf(&t->out, ", progress %s", w->progress.note);
        if (w->split || w->lost.n)
            str_addf(&t->out, ", %s, %zu lost", w->split ? "split" : "not split", w->lost.n);
        if (w->sealed)
            str_addf(&t->out, ", result of %lld bytes%s", (long long)w->result_bytes,
                     json_object_get(w->manifest, "files") ? "" : ", its files not named");
        if (json_object_get(w->outcome_detail, "rows"))
            str_addf(&t->out, ", rows %lld", (long long)json_int(w->outcome_detail, "rows"));
        if (w->aligned)
            str_adds(&t->out, ", aligned");
        if (w->caught_up_at)
            str_addf(&t->out, ", caught up %lld", (long long)since_begin(w->caught_up_at));
        if (w->snooze_ms)
            str_addf(&t->out, ", again in %lld", (long long)w->snooze_ms);
        str_addc(&t->out, '\n');
        if (w->resumed_at) {
            str_adds(&t->out, "  told: its replay");
            show_replay(t, &w->replay);
        }
    }
}

static void show_fill(Trace *t)
{
    const FillState *f = &t->s.durable.fill;
    if (f->order.id)
        str_addf(&t->out, "  told: fill %s %s %lld of %lld, %.1f/s, eta=%.1f, moved %lld ms ago\n",
                 f->order.id, wire_enum_name(&fill_phase_names, (int)f->phase), (long long)f->done,
                 (long long)f->total, f->rate, f->eta_s, (long long)(t->wall_ms - f->moved_at));
}

static void show_troubles(Trace *t)
{
    const char *texts[] = {t->s.flight.pause.trouble, t->s.flight.boot.trouble, t->s.flight.vote.trouble};
    for (size_t i = 0; i < COUNT(texts); i++)
        if (texts[i])
            str_addf(&t->out, "  told: %s\n", texts[i]);
}

/* "look [silence]": what is told to whoever asks, and leaves no effect. */
bool trace_look(Trace *t, bool silence)
{
    const Inflow *f = &t->s.known.inflow;
    if (silence) {
        int64_t since = t->s.flight.vote.silence;
        str_addf(&t->out, since ? "  told: silence now%+lld ms\n" : "  told: no silence\n",
                 (long long)(since - t->wall_ms));
        return true;
    }
    show_lease(t);
    show_runs(t);
    show_fill(t);
    show_troubles(t);
    show_guard(t);
    if (lag_in_transactions(&t->s) > 0)
        str_addf(&t->out, "  told: %lld transactions behind\n", (long long)lag_in_transactions(&t->s));
    if (wants_close_readings(&t->s))
        str_adds(&t->out, "  told: readings follow each other closely\n");
    if (role_is_closed_by_hand(&t->s))
        str_adds(&t->out, "  told: closed by hand\n");
    if (inflow_is_known(f))
        str_addf(&t->out, "  told: %.0f bytes came, %s%s%s:%lld\n", f->total, f->source,
                 *f->source ? ", " : "", f->file, (long long)f->pos);
    return true;
}
