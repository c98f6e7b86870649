/* SPDX-License-Identifier: Apache-2.0
 * What the agents report of a run, taken over into its row. What stands on record is written with the next
 * save; progress, note and replay figures change with every look and go with it.
 */
#include "common/file/json.h"
#include "coord_run.h"

json_t *coord_run_detail(Run *r)
{
    if (!json_is_object(r->detail)) {
        json_decref(r->detail);
        r->detail = json_object();
    }
    return r->detail;
}

bool coord_run_detail_add(Run *r, const char *key, const char *text)
{
    json_t *list = json_object_get(coord_run_detail(r), key);
    if (!json_is_array(list))
        json_object_set_new(r->detail, key, list = json_array());
    if (json_has_str(list, text))
        return false;
    json_array_append_new(list, json_string(text));
    return true;
}

static bool take_text(char **to, const char *value)
{
    if (!value || !*value || str_eq(*to, value))
        return false;
    str_set(to, value);
    return true;
}

static bool take_time(int64_t *to, int64_t value)
{
    if (!value || *to == value)
        return false;
    *to = value;
    return true;
}

static void copy_progress(Run *r, const AgentRun *const *parts, size_t n)
{
    wire_free(progress_fields, &r->progress);
    for (size_t i = 0; i < n; i++) {
        if (!parts[i])
            continue;
        r->progress.done += parts[i]->progress.done;
        r->progress.total += parts[i]->progress.total;
        if (parts[i]->progress.unit)
            str_set(&r->progress.unit, parts[i]->progress.unit);
        if (parts[i]->progress.note)
            str_set(&r->progress.note, parts[i]->progress.note);
    }
}

/* True: something is new. */
static bool take_members(json_t *to, const json_t *from)
{
    const char *key;
    json_t *v;
    bool changed = false;
    json_object_foreach((json_t *)(uintptr_t)from, key, v)
    {
        if (json_equal(json_object_get(to, key), v))
            continue;
        json_object_set_new(to, key, json_deep_copy(v));
        changed = true;
    }
    return changed;
}

/* An upload reports what the loader said; a sealed run how large its result is. */
static bool take_detail(Run *r, const AgentRun *a)
{
    bool changed = take_members(coord_run_detail(r), a->outcome_detail);
    if (!a->sealed || a->outcome_detail || json_object_get(r->detail, "result_bytes"))
        return changed;
    json_set_int(r->detail, "result_bytes", a->result_bytes);
    json_set_int(r->detail, "result_compressed_bytes", a->result_compressed_bytes);
    return true;
}

/* What parts do not share, as the first part that knows it reports: taken from each in turn it would change
 * with every look, and each change is a write into the queue. */
typedef struct Shared {
    const char *gtid, *result_dir, *outcome_text;
    RunOutcome outcome;
    int64_t frozen_at, resumed_at, caught_up_at;
} Shared;

static void collect(Shared *s, const AgentRun *a)
{
    bool standing = !a->spec.barrier || a->started_at;
    s->gtid = standing && a->gtid ? a->gtid : s->gtid;
    s->result_dir = a->sealed ? a->result_dir : s->result_dir;
    s->frozen_at = a->frozen_at ? a->frozen_at : s->frozen_at;
    s->resumed_at = a->resumed_at ? a->resumed_at : s->resumed_at;
    s->caught_up_at = a->caught_up_at ? a->caught_up_at : s->caught_up_at;
    if (!a->outcome)
        return;
    s->outcome = a->outcome;
    s->outcome_text = a->outcome_text;
}

static bool take_outcome(Run *r, const Shared *s)
{
    bool same = r->outcome == s->outcome && str_eq(r->outcome_text, s->outcome_text);
    if (!s->outcome || same)
        return false;
    r->outcome = s->outcome;
    str_set(&r->outcome_text, s->outcome_text);
    return true;
}

static void copy_figures(Run *r, const AgentRun *a, bool first)
{
    str_set(&r->note, a->note);
    if (!first && r->replay.rate)
        return;
    wire_free(replay_fields, &r->replay);
    wire_copy(replay_fields, &r->replay, &a->replay);
}

bool coord_run_take_report(Run *r, const AgentRun *const *seen, size_t n)
{
    Shared s = {0};
    bool changed = false;
    for (size_t i = n; i-- > 0;) {
        if (!seen[i])
            continue;
        collect(&s, seen[i]);
        copy_figures(r, seen[i], i == 0);
        if (i == 0)
            changed = take_detail(r, seen[i]);
    }
    changed = take_text(&r->gtid, s.gtid) || changed;
    changed = take_text(&r->result_dir, s.result_dir) || changed;
    changed = take_outcome(r, &s) || changed;
    changed = take_time(&r->frozen_at, s.frozen_at) || changed;
    changed = take_time(&r->resumed_at, s.resumed_at) || changed;
    changed = take_time(&r->caught_up_at, s.caught_up_at) || changed;
    copy_progress(r, seen, n);
    return changed;
}
