/* SPDX-License-Identifier: Apache-2.0
 * The options of a submission that say when a task runs again.
 */
#pragma once

#include "common/base/opts.h"
#include "common/file/json.h"

typedef struct SubmitPlan {
    char *cron, *zone, *missed, *backoff, *orphan, *concurrency_key, *post_process;
    int64_t jitter_ms, retries, run_timeout_ms, unique_for_ms, start_by_ms, finish_by_ms;
    StrList not_on, after, email_logs_to;
    bool email_logs_on_error;
} SubmitPlan;

/* clang-format off */
#define SUBMIT_PLAN_OPTIONS(T, plan)                                                                         \
    {"cron", 0, OPT_STR, offsetof(T, plan.cron), .arg = "LINE",                                              \
     .doc = "Run again by minute, hour, day, month and weekday: \"0 2 * * *\", or @daily.",                  \
     .section = "Again"},                                                                                    \
    {"zone", 0, OPT_STR, offsetof(T, plan.zone), .arg = "ZONE",                                              \
     .doc = "Time zone of --cron and --limit, such as Europe/Zurich; that of the coordinator's host otherwise."}, \
    {"missed", 0, OPT_STR, offsetof(T, plan.missed), .arg = "run-once|skip|run-all",                         \
     .doc = "Times of --cron that passed while nothing could be started: one run for all, none, or each."},  \
    {"jitter", 0, OPT_DURATION, offsetof(T, plan.jitter_ms), .arg = "D",                                     \
     .doc = "Begin each turn up to so much later, by chance."},                                              \
    {"not-on", 0, OPT_STRS, offsetof(T, plan.not_on), .arg = "DAY",                                          \
     .doc = "Days that --cron leaves out: Sat, 12-25, 2026-04-03; may be repeated."},                        \
    {"retry", 0, OPT_INT, offsetof(T, plan.retries), .arg = "N", .min = 1, .max = 99,                        \
     .doc = "Try again after failures, N times at most."},                                                   \
    {"backoff", 0, OPT_STR, offsetof(T, plan.backoff), .arg = "D[..D]",                                      \
     .doc = "Wait before that, which doubles each time up to the second: 30s..1h. Half of it is by chance."},   \
    {"run-timeout", 0, OPT_DURATION, offsetof(T, plan.run_timeout_ms), .arg = "D",                           \
     .doc = "End a run that takes longer."},                                                                 \
    {"orphan", 0, OPT_STR, offsetof(T, plan.orphan), .arg = "retry|fail|hold",                               \
     .doc = "A run that its agent has lost is tried again, is a failure, or is held for a person."},         \
    {"start-by", 0, OPT_DURATION, offsetof(T, plan.start_by_ms), .arg = "D",                                 \
     .doc = "Tell where it has not started so long after its planned time."},                                \
    {"finish-by", 0, OPT_DURATION, offsetof(T, plan.finish_by_ms), .arg = "D",                               \
     .doc = "Tell where it has not ended so long after its planned time."},                                  \
    {"after", 0, OPT_STRS, offsetof(T, plan.after), .arg = "ID",                                             \
     .doc = "Start only once this task is done; may be repeated."},                                          \
    {"post-process", 0, OPT_STR, offsetof(T, plan.post_process), .arg = "TASKLET[key=value,…]",              \
     .doc = "A tasklet that is started, as a task of its own, after each run that went well."},              \
    {"email-logs-to", 0, OPT_STRS, offsetof(T, plan.email_logs_to), .arg = "ADDRESS,…",                      \
     .doc = "Mail the log of each turn at its end; may be repeated."},                                       \
    {"email-logs-on-error", 0, OPT_FLAG, offsetof(T, plan.email_logs_on_error),                              \
     .doc = "Mail the log of a turn that failed to the user of the task."},                                  \
    {"concurrency-key", 0, OPT_STR, offsetof(T, plan.concurrency_key), .arg = "KEY",                          \
     .doc = "In place of the name: one of this key runs at once, or as many as queue.keys of sidingd.conf says."}, \
    {"unique-for", 0, OPT_DURATION, offsetof(T, plan.unique_for_ms), .arg = "D",                             \
     .doc = "With --unique: the name is taken so long, ended or not."}
/* clang-format on */

/* "name[key=value]" into a plan; ERR_USAGE without the option's name. */
MUST_CHECK bool submit_plan_post_process(const char *text, json_t *plan, Err *err);
/* "a@example.org, b@example.org" to those that are there. */
void submit_plan_addresses(const char *list, json_t *plan);
/* Adds `plan` and `max_attempts` to the body, where they are asked for. */
MUST_CHECK bool submit_plan_fill(const SubmitPlan *p, json_t *body, Err *err);
