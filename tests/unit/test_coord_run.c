/* SPDX-License-Identifier: Apache-2.0
 * The coordinator's machine of a run against traces that a person can read: tests/unit/coord_run.trace says
 * what each line means. A trace states every effect of every step, in order, and nothing else.
 */
#include "test.h"

#include <inttypes.h>

#include "common/file/fs.h"
#include "common/file/json.h"
#include "orchestrator/core/coord_run.h"

enum { MAX_PARTS = 4, MAX_WORDS = 16, WALL_MS = 1000000000 };

typedef struct Scene {
    Task task, upload;
    CoordRun run;
    CoordPart parts[MAX_PARTS];
    CoordPartKnown known[MAX_PARTS];
    AgentRun seen[MAX_PARTS];
    bool has_upload, upload_gone, saving, no_flavor;
    TaskState shown; /* the task's state when it was last printed */
} Scene;

typedef struct Words {
    char *v[MAX_WORDS];
    size_t n;
    int line;
} Words;

/* ---- words -------------------------------------------------------------------------------------------- */

/* Splits in place; blanks between quotes belong to the word, and the quotes do not. */
static void split(char *text, Words *w)
{
    char *to = text;
    bool quoted = false, inside = false;
    w->n = 0;
    for (const char *p = text; *p && (quoted || *p != '#'); p++) {
        bool blank = !quoted && (*p == ' ' || *p == '\n');
        if (!blank && !inside) {
            if (w->n == MAX_WORDS)
                fail_msg("line %d: too many words", w->line);
            w->v[w->n++] = to;
        }
        if (blank && inside)
            *to++ = 0;
        inside = !blank;
        if (*p == '"')
            quoted = !quoted;
        else if (!blank)
            *to++ = *p;
    }
    *to = 0;
}

static const char *after(const char *word, const char *key)
{
    size_t n = strlen(key);
    return strncmp(word, key, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

static int named(const WireEnum *e, const char *name, int line)
{
    int v = wire_enum_find(e, name);
    if (!v || v == wire_enum_unknown(e))
        fail_msg("line %d: \"%s\" is no name of this kind", line, name);
    return v;
}

static ErrKind kind_named(const char *name, int line)
{
    static const struct {
        const char *name;
        ErrKind kind;
    } kinds[] = {{"refused", ERR_REFUSED},
                 {"usage", ERR_USAGE},
                 {"not_found", ERR_NOT_FOUND},
                 {"auth", ERR_AUTH},
                 {"lost", ERR_LOST},
                 {"unreachable", ERR_UNREACHABLE},
                 {"timeout", ERR_TIMEOUT},
                 {"conflict", ERR_CONFLICT},
                 {"cancelled", ERR_CANCELLED},
                 {"protocol", ERR_PROTOCOL},
                 {"io", ERR_IO}};
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    fail_msg("line %d: \"%s\" is no kind of error", line, name);
    return ERR_NONE;
}

static size_t part_named(const Scene *s, const char *node, int line)
{
    for (size_t i = 0; i < s->run.n_parts; i++)
        if (strcmp(s->parts[i].node, node) == 0)
            return i;
    fail_msg("line %d: the run is not on \"%s\"", line, node);
    return 0;
}

/* ---- what is known ------------------------------------------------------------------------------------ */

static void scene_done(Scene *s)
{
    wire_free(task_fields, &s->task);
    wire_free(task_fields, &s->upload);
    for (size_t i = 0; i < s->run.n_parts; i++) {
        free(s->parts[i].node);
        wire_free(agent_run_fields, &s->seen[i]);
    }
    memset(s, 0, sizeof *s);
}

static Run *run_of(Scene *s)
{
    return (Run *)s->task.runs.v + s->task.runs.n - 1;
}

/* Earlier ones that were lost too. */
static void add_crashed(Scene *s, long long n)
{
    for (long long i = 0; i < n; i++) {
        Run *r = wire_list_add(&s->task.runs, sizeof *r);
        r->state = CRUN_ERROR;
        json_object_set_new(coord_run_detail(r), "crashed", json_true());
    }
}

static void add_part(Scene *s, const char *node)
{
    size_t i = s->run.n_parts++;
    s->parts[i].node = xstrdup(node);
    s->known[i] = (CoordPartKnown){.configured = true, .fresh = true};
    strlist_add(&run_of(s)->nodes, node);
}

static bool task_option(Scene *s, const char *word, int line)
{
    Task *t = &s->task;
    const char *v;
    if ((v = after(word, "on")))
        t->on = (NodeRole)named(&node_role_names, v, line);
    else if ((v = after(word, "state")))
        run_of(s)->state = (CoordRunState)wire_enum_find(&coord_run_state_names, v);
    else if ((v = after(word, "attempts")))
        t->attempts = atoll(v);
    else if ((v = after(word, "of")))
        t->max_attempts = atoll(v);
    else if ((v = after(word, "every_s")))
        t->sleeptime_ms = atoll(v) * 1000;
    else if ((v = after(word, "due_s")))
        t->run_at = WALL_MS + atoll(v) * 1000;
    else if ((v = after(word, "planned_s")))
        t->planned_at = WALL_MS + atoll(v) * 1000;
    else if ((v = after(word, "orphan")))
        t->plan = json_pack("{s:s}", "orphan", v);
    else if ((v = after(word, "post")))
        t->plan = json_pack("{s:s}", "post_process", v);
    else if ((v = after(word, "mail")))
        t->plan = json_pack("{s:[s]}", "email_logs_to", v);
    else if (strcmp(word, "mail_on_error") == 0) {
        t->plan = json_pack("{s:b}", "email_logs_on_error", 1);
        str_set(&t->user, "ann");
    } else if (after(word, "crashed"))
        ; /* the run is the last */
    else if ((v = after(word, "snoozes")))
        t->snoozes = atoll(v);
    else if (strcmp(word, "fixed_time") == 0)
        t->fixed_time = true;
    else if ((v = after(word, "upload")))
        run_of(s)->upload_task = atoll(v);
    else if (strcmp(word, "gathered") == 0)
        json_object_set_new(coord_run_detail(run_of(s)), "gathered", json_true());
    else if (strcmp(word, "no_flavor") == 0)
        s->no_flavor = true;
    else if ((v = after(word, "error"))) {
        run_of(s)->error = xstrdup(v);
        t->error = xstrdup(v);
    } else
        return false;
    return true;
}

static void begin_scene(Scene *s, const Words *w)
{
    scene_done(s);
    s->task = (Task){.id = 12, .state = TASK_RUNNING, .max_attempts = 1, .attempts = 1, .on = ROLE_REPLICA};
    for (size_t i = 1; i < w->n; i++)
        if (after(w->v[i], "crashed"))
            add_crashed(s, atoll(after(w->v[i], "crashed")));
    Run *r = wire_list_add(&s->task.runs, sizeof *r);
    r->id = xstrdup("12.1");
    r->state = CRUN_CLAIMED;
    s->run = (CoordRun){.task = &s->task, .parts = s->parts};
    for (size_t i = 1; i < w->n; i++)
        if (!task_option(s, w->v[i], w->line))
            add_part(s, w->v[i]);
    if (r->state == CRUN_WAITING) {
        s->task.state = TASK_WAITING;
        s->task.attempts = 0;
    }
    if (coord_run_is_final(r->state)) {
        s->task.state = TASK_ERROR;
        r->finished_at = s->task.finished_at = WALL_MS;
    }
    s->shown = s->task.state;
}

static bool seen_flag(AgentRun *a, const char *word)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"sealed", &a->sealed},     {"aligned", &a->aligned},      {"split", &a->split},
                 {"gathered", &a->gathered}, {"barrier", &a->spec.barrier}, {"renounced", &a->renounced},
                 {"primary", NULL}};
    for (size_t i = 0; i < COUNT(flags); i++)
        if (strcmp(flags[i].name, word) == 0) {
            if (flags[i].flag)
                *flags[i].flag = true;
            else
                a->spec.on = ROLE_PRIMARY;
            return true;
        }
    return false;
}

static bool seen_text(AgentRun *a, const char *word)
{
    const struct {
        const char *key;
        char **to;
    } texts[] = {{"gtid", &a->gtid},       {"file", &a->source_file},          {"error", &a->error},
                 {"kind", &a->error_kind}, {"gather_error", &a->gather_error}, {"dir", &a->result_dir},
                 {"note", &a->note},       {"unit", &a->progress.unit},        {"work", &a->progress.note}};
    for (size_t i = 0; i < COUNT(texts); i++)
        if (after(word, texts[i].key)) {
            *texts[i].to = xstrdup(after(word, texts[i].key));
            return true;
        }
    return false;
}

static bool seen_number(AgentRun *a, const char *word)
{
    const struct {
        const char *key;
        int64_t *to;
    } numbers[] = {{"pos", &a->source_pos},
                   {"snooze_ms", &a->snooze_ms},
                   {"snooze_most", &a->snooze_most},
                   {"started", &a->started_at},
                   {"frozen", &a->frozen_at},
                   {"resumed", &a->resumed_at},
                   {"caught_up", &a->caught_up_at},
                   {"done", &a->progress.done},
                   {"total", &a->progress.total},
                   {"bytes", &a->result_bytes},
                   {"compressed", &a->result_compressed_bytes}};
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (after(word, numbers[i].key)) {
            *numbers[i].to = atoll(after(word, numbers[i].key));
            return true;
        }
    if (!after(word, "rate"))
        return false;
    a->replay.rate = atof(after(word, "rate"));
    return true;
}

static void see(Scene *s, const Words *w)
{
    size_t i = part_named(s, w->v[1], w->line);
    AgentRun *a = &s->seen[i];
    wire_free(agent_run_fields, a);
    s->known[i].seen = strcmp(w->v[2], "nothing") == 0 ? NULL : a;
    if (!s->known[i].seen)
        return;
    a->spec.on = ROLE_REPLICA;
    a->state = (AgentRunState)named(&agent_run_state_names, w->v[2], w->line);
    for (size_t k = 3; k < w->n; k++) {
        const char *word = w->v[k];
        int outcome = wire_enum_find(&run_outcome_names, word);
        if (seen_flag(a, word) || seen_text(a, word) || seen_number(a, word))
            continue;
        if (after(word, "mode"))
            a->manifest = json_pack("{s:{s:s}}", "upload", "mode", after(word, "mode"));
        else if (after(word, "lost"))
            strlist_add(&a->lost, after(word, "lost"));
        else if (after(word, "rows"))
            a->outcome_detail = json_pack("{s:I}", "rows", (json_int_t)atoll(after(word, "rows")));
        else if (strcmp(word, "later_outcome") == 0) {
            a->outcome = OUTCOME_UNKNOWN;
            a->outcome_text = xstrdup(word);
        } else if (outcome != OUTCOME_UNKNOWN)
            a->outcome = (RunOutcome)outcome;
        else
            fail_msg("line %d: \"%s\" is nothing that an agent reports", w->line, word);
    }
}

static void change_agent(Scene *s, const Words *w)
{
    CoordPartKnown *k = &s->known[part_named(s, w->v[1], w->line)];
    const char *what = w->v[2];
    if (strcmp(what, "polled") == 0) {
        k->polls_seen = k->polls_sent;
        k->polls_sent++;
    } else if (strcmp(what, "away") == 0 || strcmp(what, "back") == 0)
        k->fresh = strcmp(what, "back") == 0;
    else if (strcmp(what, "removed") == 0)
        k->configured = k->fresh = false;
    else if (after(what, "late"))
        k->late_ms = atoll(after(what, "late"));
    else
        fail_msg("line %d: an agent is polled, away, back, removed or late=MS", w->line);
}

static void change_upload(Scene *s, const Words *w)
{
    wire_free(task_fields, &s->upload);
    s->upload_gone = strcmp(w->v[1], "gone") == 0;
    s->has_upload = !s->upload_gone && strcmp(w->v[1], "not-known") != 0;
    if (!s->has_upload)
        return;
    s->upload.id = 13;
    s->upload.state = (TaskState)named(&task_state_names, w->v[1], w->line);
    for (size_t i = 2; i < w->n; i++)
        if (after(w->v[i], "error"))
            s->upload.error = xstrdup(after(w->v[i], "error"));
        else if (after(w->v[i], "rows"))
            ((Run *)wire_list_add(&s->upload.runs, sizeof(Run)))->detail =
                json_pack("{s:I}", "rows", (json_int_t)atoll(after(w->v[i], "rows")));
}

static bool is_setting(Scene *s, const Words *w)
{
    const char *word = w->v[0];
    if (strcmp(word, "run") == 0)
        begin_scene(s, w);
    else if (strcmp(word, "sees") == 0 && w->n > 2)
        see(s, w);
    else if (strcmp(word, "agent") == 0 && w->n > 2)
        change_agent(s, w);
    else if (strcmp(word, "upload") == 0 && w->n > 1)
        change_upload(s, w);
    else if (strcmp(word, "saving") == 0 && w->n > 1)
        s->saving = strcmp(w->v[1], "yes") == 0;
    else if (strcmp(word, "request") == 0 && w->n > 1) {
        s->task.request = (TaskAction)named(&task_action_names, w->v[1], w->line);
        str_set(&s->task.request_by, w->n > 2 ? w->v[2] : NULL);
        for (size_t i = 0; i < s->run.n_parts; i++)
            s->parts[i].request_sent = ACTION_NONE;
    } else
        return false;
    return true;
}

/* ---- a step ------------------------------------------------------------------------------------------- */

static void read_answer(const Scene *s, const Words *w, CoordRunInput *in)
{
    size_t at = 3;
    if (w->n < 4)
        fail_msg("line %d: NODE and ok, or a kind of error and its text", w->line);
    in->part = part_named(s, w->v[2], w->line);
    if (in->kind == CRUN_IN_ASKED)
        in->action = (TaskAction)named(&task_action_names, w->v[at++], w->line);
    in->ok = strcmp(w->v[at], "ok") == 0;
    if (!in->ok)
        err_set(&in->err, kind_named(w->v[at], w->line), 0, "%s", at + 1 < w->n ? w->v[at + 1] : "because");
}

static CoordRunInput read_input(const Scene *s, const Words *w)
{
    static const char *const names[] = {
        [CRUN_IN_CLAIMED] = "claimed", [CRUN_IN_LOOK] = "look",   [CRUN_IN_POSTED] = "posted",
        [CRUN_IN_STEERED] = "steered", [CRUN_IN_ASKED] = "asked", [CRUN_IN_RECORDED] = "recorded",
        [CRUN_IN_REVIVED] = "revived"};
    CoordRunInput in = {.now_ms = atoll(w->v[0] + 1)};
    in.wall_ms = WALL_MS + in.now_ms;
    size_t k = 0;
    while (k < COUNT(names) && (w->n < 2 || strcmp(names[k], w->v[1]) != 0))
        k++;
    if (k == COUNT(names))
        fail_msg("line %d: no such input", w->line);
    in.kind = (CoordRunInputKind)k;
    if (in.kind == CRUN_IN_POSTED || in.kind == CRUN_IN_STEERED || in.kind == CRUN_IN_ASKED)
        read_answer(s, w, &in);
    if (in.kind == CRUN_IN_RECORDED) {
        in.ok = w->n > 2 && strcmp(w->v[2], "failed") != 0;
        in.upload_task = in.ok ? atoll(w->v[2]) : 0;
    }
    return in;
}

static void write_effect(const Scene *s, const CoordRunEffect *x, Str *out)
{
    static const char *const words[] = {[CRUN_FX_POST] = "post",
                                        [CRUN_FX_GO] = "go",
                                        [CRUN_FX_ALIGN] = "align",
                                        [CRUN_FX_GATHER] = "gather",
                                        [CRUN_FX_ASK] = "ask",
                                        [CRUN_FX_DROP] = "drop the result of",
                                        [CRUN_FX_RECORD_UPLOAD] = "record the upload",
                                        [CRUN_FX_LOOK_UP] = "look up task",
                                        [CRUN_FX_EVENT] = "event",
                                        [CRUN_FX_LOG] = "log",
                                        [CRUN_FX_WAKE] = "wake at",
                                        [CRUN_FX_ENDED] = "ended",
                                        [CRUN_FX_POST_PROCESS] = "post-process",
                                        [CRUN_FX_MAIL_LOG] = "mail the log",
                                        [CRUN_FX_WRITE] = "write"};
    str_addf(out, "    %s", words[x->kind]);
    if (x->kind <= CRUN_FX_DROP)
        str_addf(out, " %s", s->parts[x->part].node);
    if (x->kind == CRUN_FX_ALIGN)
        str_addf(out, " to %s %s:%" PRId64, x->align.gtid, x->align.source_file, x->align.source_pos);
    for (size_t i = 0; i < x->n_parts; i++)
        str_addf(out, "%s %s", i ? "" : " from", s->parts[x->parts[i]].node);
    if (x->kind == CRUN_FX_ASK)
        str_addf(out, " to %s, by %s", wire_enum_name(&task_action_names, (int)x->action), x->text);
    if (x->kind == CRUN_FX_LOOK_UP || x->kind == CRUN_FX_WAKE)
        str_addf(out, " %" PRId64, x->number);
    if (x->kind == CRUN_FX_ENDED || x->kind == CRUN_FX_MAIL_LOG)
        str_adds(out, x->number ? " well" : " badly");
    if (x->kind == CRUN_FX_EVENT || x->kind == CRUN_FX_LOG)
        str_addf(out, " %s%s%s: %s", x->level, x->node ? " " : "", x->node ? x->node : "", x->text);
    str_addc(out, '\n');
}

static void write_task(Scene *s, Str *out)
{
    const Task *t = &s->task;
    if (t->state == s->shown)
        return;
    s->shown = t->state;
    str_addf(out, "    task %s", wire_enum_name(&task_state_names, (int)t->state));
    if (t->state == TASK_WAITING)
        str_addf(out, " at %g s, attempt %" PRId64, (double)(t->run_at - WALL_MS) / 1000, t->attempts);
    if (t->finished_at)
        str_addf(out, ", finished %" PRId64, t->finished_at - WALL_MS);
    if (t->error)
        str_addf(out, ": %s", t->error);
    str_addc(out, '\n');
}

static void take_step(Scene *s, const Words *w, Str *out)
{
    CoordRunInput in = read_input(s, w);
    CoordRunKnown known = {.parts = s->known,
                           .flavor_known = !s->no_flavor,
                           .flavor = DB_MARIADB,
                           .saving = s->saving,
                           .upload = s->has_upload ? &s->upload : NULL,
                           .upload_gone = s->upload_gone};
    CoordRunEffects effects = {0};
    size_t before = out->len;
    coord_run_step(&s->run, &known, &in, &effects);
    for (size_t i = 0; i < effects.n; i++)
        write_effect(s, &effects.v[i], out);
    coord_run_effects_done(&effects);
    write_task(s, out);
    if (out->len == before)
        str_adds(out, "    nothing\n");
}

static void write_row(Scene *s, Str *out)
{
    const Run *r = run_of(s);
    const Task *t = &s->task;
    AUTOFREE char *detail = r->detail ? json_dumps(r->detail, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    str_addf(out, "    state %s", coord_run_state_name(r->state));
    const char *const texts[][2] = {{"outcome", WIRE_TEXT(run_outcome_names, r, outcome)},
                                    {"gtid", r->gtid},
                                    {"dir", r->result_dir},
                                    {"error", r->error},
                                    {"note", r->note},
                                    {"unit", r->progress.unit},
                                    {"work", r->progress.note},
                                    {"detail", detail},
                                    {"request", WIRE_TEXT(task_action_names, t, request)},
                                    {"by", t->request_by},
                                    {"why", t->why}};
    for (size_t i = 0; i < COUNT(texts); i++)
        if (texts[i][1] && *texts[i][1])
            str_addf(out, ", %s %s", texts[i][0], texts[i][1]);
    const struct {
        const char *name;
        int64_t n;
    } numbers[] = {{"frozen", r->frozen_at},
                   {"resumed", r->resumed_at},
                   {"caught_up", r->caught_up_at},
                   {"finished", r->finished_at ? r->finished_at - WALL_MS : 0},
                   {"done", r->progress.done},
                   {"total", r->progress.total},
                   {"rate", (int64_t)r->replay.rate},
                   {"upload", r->upload_task},
                   {"planned", t->planned_at ? t->planned_at - WALL_MS : 0}};
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (numbers[i].n)
            str_addf(out, ", %s %" PRId64, numbers[i].name, numbers[i].n);
    for (size_t i = 0; i < s->run.n_parts; i++)
        if (s->parts[i].request_taken)
            str_addf(out, ", %s has taken %s", s->parts[i].node,
                     wire_enum_name(&task_action_names, (int)s->parts[i].request_taken));
    str_addc(out, '\n');
}

/* ---- the file ----------------------------------------------------------------------------------------- */

/* What the file would be if each step led to what it leads to: equal to the file. */
static void replay(char *text, Str *out)
{
    Scene s = {0};
    int line = 0;
    for (char *at = text, *next; *at; at = next) {
        char *end = strchr(at, '\n');
        next = end ? end + 1 : at + strlen(at);
        line++;
        if (strncmp(at, "    ", 4) == 0) /* an effect: written anew */
            continue;
        AUTOFREE char *copy = xstrndup(at, (size_t)(next - at));
        str_add(out, at, (size_t)(next - at));
        Words w = {.line = line};
        split(copy, &w);
        if (!w.n)
            continue;
        if (w.v[0][0] == '@')
            take_step(&s, &w, out);
        else if (strcmp(w.v[0], "row") == 0)
            write_row(&s, out);
        else if (!is_setting(&s, &w))
            fail_msg("line %d: what is \"%s\"?", line, w.v[0]);
    }
    scene_done(&s);
}

static void show_difference(const char *want, const char *got)
{
    int line = 1;
    const char *begin = want, *begun = got;
    while (*want && *want == *got) {
        if (*want == '\n') {
            line++;
            begin = want + 1;
            begun = got + 1;
        }
        want++;
        got++;
    }
    fail_msg("coord_run.trace, line %d says\n%.*s\nand it is\n%.*s", line, (int)strcspn(begin, "\n"), begin,
             (int)strcspn(begun, "\n"), begun);
}

static void the_traces_hold(void **state)
{
    (void)state;
    AUTO(str_done) Str want = STR_INIT, got = STR_INIT;
    AUTOFREE char *path = xasprintf("%s/tests/unit/coord_run.trace", getenv("SIDING_SOURCE_DIR"));
    Err err;
    assert_ok(fs_read(path, 1 << 20, &want, &err), err);
    AUTOFREE char *text = xstrdup(str_z(&want));
    replay(text, &got);
    if (getenv("SIDING_TRACE_OUT")) /* to look at while a trace is written */
        assert_ok(fs_replace(getenv("SIDING_TRACE_OUT"), str_z(&got), got.len, 0644, &err), err);
    if (strcmp(str_z(&want), str_z(&got)) != 0)
        show_difference(str_z(&want), str_z(&got));
}

static void the_diagram_in_the_docs_is_the_table(void **state)
{
    (void)state;
    AUTO(str_done) Str diagram = STR_INIT, docs = STR_INIT;
    AUTOFREE char *path = xasprintf("%s/docs/architecture.md", getenv("SIDING_SOURCE_DIR"));
    Err err;
    coord_run_diagram(&diagram);
    assert_ok(fs_read(path, 1 << 20, &docs, &err), err);
    if (!strstr(docs.p, diagram.p))
        fail_msg("docs/architecture.md does not hold what sidingd --print-machine prints:\n%s", diagram.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_traces_hold),
                                       cmocka_unit_test(the_diagram_in_the_docs_is_the_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
