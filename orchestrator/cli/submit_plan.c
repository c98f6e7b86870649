/* SPDX-License-Identifier: Apache-2.0 */
#include "submit_plan.h"

#include <string.h>

#include "common/wire/tasklet.h"
#include "when.h"

/* "30s" or "30s..1h" */
static bool fill_backoff(const char *text, json_t *plan, Err *err)
{
    const char *dots = strstr(text, "..");
    AUTOFREE char *first = xstrndup(text, dots ? (size_t)(dots - text) : strlen(text));
    int64_t least, most = 0;
    if (!when_parse_span(first, &least, err) || (dots && !when_parse_span(dots + 2, &most, err)))
        return err_prefix(err, "option --backoff");
    if (dots && most < least)
        return err_set(err, ERR_USAGE, 0, "option --backoff: \"%s\" ends before it begins", text);
    json_set_int(plan, "backoff_ms", least);
    if (dots)
        json_set_int(plan, "backoff_most_ms", most);
    return true;
}

static bool check_pairs(const SubmitPlan *p, const json_t *body, Err *err)
{
    const struct {
        const char *option;
        bool given;
    } rows[] = {{"missed", p->missed != NULL}, {"not-on", p->not_on.n > 0}};
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].given && !p->cron)
            return err_set(err, ERR_USAGE, 0, "option --%s goes with --cron only", rows[i].option);
    return !p->zone || p->cron || json_object_get(body, "window") ||
           err_set(err, ERR_USAGE, 0, "option --zone goes with --cron or --limit only");
}

bool submit_plan_post_process(const char *text, json_t *plan, Err *err)
{
    AUTOFREE char *name = NULL;
    AUTO(strlist_done) StrList args = STRLIST_INIT;
    if (!tasklet_read_call(text, &name, &args, err))
        return false;
    json_set_str(plan, "post_process", name);
    if (args.n)
        json_set_strs(plan, "post_args", &args);
    return true;
}

void submit_plan_addresses(const char *list, json_t *plan)
{
    AUTO(strlist_done) StrList some = STRLIST_INIT;
    json_t *all = json_object_get(plan, "email_logs_to");
    strlist_split(&some, list, ',');
    if (!all)
        json_object_set_new(plan, "email_logs_to", all = json_array());
    for (size_t i = 0; i < some.n; i++) {
        AUTOFREE char *one = xstrtrim(some.v[i], strlen(some.v[i]));
        json_array_append_new(all, json_string(one));
    }
}

bool submit_plan_fill(const SubmitPlan *p, json_t *body, Err *err)
{
    json_t *plan = json_object();
    json_object_set_new(body, "plan", plan);
    if (!check_pairs(p, body, err) || (p->backoff && !fill_backoff(p->backoff, plan, err)))
        return false;
    if (p->post_process && !submit_plan_post_process(p->post_process, plan, err))
        return err_prefix(err, "option --post-process");
    for (size_t i = 0; i < p->email_logs_to.n; i++)
        submit_plan_addresses(p->email_logs_to.v[i], plan);
    if (p->email_logs_on_error)
        json_set_bool(plan, "email_logs_on_error", true);
    if (p->cron)
        json_set_str(plan, "cron", p->cron);
    if (p->zone)
        json_set_str(plan, "zone", p->zone);
    if (p->missed)
        json_set_str(plan, "missed", p->missed);
    if (p->jitter_ms)
        json_set_int(plan, "jitter_ms", p->jitter_ms);
    if (p->not_on.n)
        json_set_strs(plan, "not_on", &p->not_on);
    if (p->run_timeout_ms)
        json_set_int(plan, "run_timeout_ms", p->run_timeout_ms);
    if (p->unique_for_ms)
        json_set_int(plan, "unique_for_ms", p->unique_for_ms);
    if (p->start_by_ms)
        json_set_int(plan, "start_by_ms", p->start_by_ms);
    if (p->finish_by_ms)
        json_set_int(plan, "finish_by_ms", p->finish_by_ms);
    if (p->concurrency_key)
        json_set_str(plan, "concurrency_key", p->concurrency_key);
    if (p->orphan)
        json_set_str(plan, "orphan", p->orphan);
    if (p->after.n)
        json_set_strs(plan, "after", &p->after);
    if (p->retries)
        json_set_int(body, "max_attempts", p->retries + 1);
    if (!json_object_size(plan))
        json_object_del(body, "plan");
    return true;
}
