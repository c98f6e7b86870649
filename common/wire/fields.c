/* SPDX-License-Identifier: Apache-2.0
 * The fields that come from outside. What a column of schema `siding` or an agent's own limit can hold is the
 * upper end of a bound; the rest are generous sizes that still let a hundred tasks be listed at once.
 */
#include "bounds.h"
#include "tasklet.h"
#include "wire_task.h"

#define BOTH (DOOR_API | DOOR_AGENT)
#define TERM                                                                                                 \
    {                                                                                                        \
        "term", BOUND_INT, DOOR_AGENT, 0, INT64_MAX, .doc = "The coordinator's term."                        \
    }
#define EVERYWHERE (DOOR_API | DOOR_SQL | DOOR_CLI)
#define FILES_TOO (EVERYWHERE | DOOR_FILE)

static const char *const kinds[] = {"dump", "index", "command", NULL};
static const char *const roles[] = {"primary", "replica", NULL};
static const char *const places[] = {"replica", "primary", NULL};
static const char *const policies[] = {"stop", "kill", "let-finish", NULL};
static const char *const schedule_actions[] = {"enable", "disable", "run-now", NULL};
static const char *const orphans[] = {"retry", "fail", "hold", NULL};
static const char *const missed[] = {"run-once", "skip", "run-all", NULL};
static const char *const allowed[] = {"downstream", "delayed", NULL};
static const char *const actions[] = {"stop", "kill",   "sleep", "wake",    "retry",
                                      "ack",  "delete", "run",   "requeue", NULL};
static const char *const preempts[] = {"never", "requeue", NULL};
static const char *const window_ends[] = {"finish", "sleep", "stop", NULL};
static const char *const on_errors[] = {"continue", "block", "queue", NULL};

enum { MOST_REPLICAS = 64 };
#define LAST_SEQUENCE INT64_C(999999999999999999) /* eighteen digits: any server casts them */

/* clang-format off */
const Bound task_bounds[] = {
    {"job", BOUND_NAME, FILES_TOO, 1, 128, .option = "", .file = "name", .doc = "A name in the agents' configuration; `dump` is built in. Needed."},
    {"kind", BOUND_WORD, EVERYWHERE, .words = kinds, .option = "", .doc = "Left out: as the job says."},
    {"on", BOUND_WORD, FILES_TOO, .words = places, .file = "on", .doc = "Where it runs. Left out: as the job says."},
    {"name", BOUND_NAME, EVERYWHERE, 1, 128, .doc = "Name of the task; the job's by default. Two of one name do not run at once."},
    {"user", BOUND_NAME, DOOR_API | DOOR_CLI, 1, 128, .doc = "In whose name. By SQL it is always the session's user."},
    {"args", BOUND_TEXTS, FILES_TOO, 0, 1000, .each = 16384, .bytes = 65536, .option = "",
     .file = "args", .doc = "Arguments of the job, each checked against its `allow_args` by the agent that runs it. By SQL a parameter of its own."},
    {"priority", BOUND_INT, EVERYWHERE, -1000000, 1000000, .doc = "Larger runs first; below −10 only by hand."},
    {"replicas", BOUND_INT, EVERYWHERE, 1, MOST_REPLICAS, .also = REPLICAS_ALL,
     .doc = "Frozen at one GTID, one part each; −1: as many as are free."},
    {"host", BOUND_NAME, EVERYWHERE, 1, BOUND_NODE_CHARS, .doc = "Only on this node, which must be a configured one."},
    {"run_at", BOUND_TIME, EVERYWHERE, .option = "runtime", .doc = "Not before."},
    {"sleeptime_ms", BOUND_INT, EVERYWHERE, 0, BOUND_LONGEST_SLEEP, .option = "sleeptime", .doc = "Run again so long after; 0: once."},
    {"fixed_time", BOUND_BOOL, EVERYWHERE, .doc = "Counted from the planned start, not from the end. Goes with `sleeptime_ms`."},
    {"window", BOUND_NAME, EVERYWHERE, 1, 64, .option = "limit", .doc = "Start only inside: `22:00-03:00`, `Sunday 01:00-05:00`; several with `;` between them."},
    {"at_window_end", BOUND_WORD, EVERYWHERE, .words = window_ends,
     .doc = "What becomes of it if it still runs when its window shuts: it finishes, sleeps until the next opening (on the primary), or stops and waits for that."},
    {"sequence_id", BOUND_INT, EVERYWHERE, 1, LAST_SEQUENCE, .doc = "After the earlier tasks of this sequence."},
    {"preempt", BOUND_WORD, EVERYWHERE, .words = preempts,
     .doc = "What one of a higher priority may do with it while it runs: nothing, or stop it and let it wait again. Left out: on the "
            "primary it sleeps meanwhile, on a replica nothing."},
    {"on_error", BOUND_WORD, EVERYWHERE, .words = on_errors,
     .doc = "What its failure holds until somebody has seen to it: nothing, its sequence or lane, or the whole queue. Left out: as "
            "`queue.on_error` of sidingd.conf says."},
    {"unique", BOUND_NAME, EVERYWHERE, 1, 128, .doc = "Refused while another task of this unique name is not ended."},
    {"unique_existing", BOUND_BOOL, DOOR_API | DOOR_CLI, .doc = "Not refused then: the answer is that other task. Goes with `unique`."},
    {"key", BOUND_NAME, DOOR_API | DOOR_CLI, 1, 128,
     .doc = "Idempotency: submitted again with the same key, however it was answered, there is one task. Kept as long as the task is."},
    {"max_attempts", BOUND_INT, EVERYWHERE, 1, 100, .option = "attempts", .doc = "Runs before it ends with an error."},
    {"pause_limit_ms", BOUND_INT, FILES_TOO, 0, BOUND_LONGEST_PAUSE, .option = "pause-limit",
     .file = "pause_limit", .doc = "Longest pause of a replica; 0: the job's or the configuration's."},
    {"plan", BOUND_OBJECT, EVERYWHERE, .bytes = 16384, .option = "", .doc = "When it runs again:"},
    {"plan.cron", BOUND_NAME, EVERYWHERE, 1, 256, .option = "cron",
     .doc = "Minute, hour, day, month, weekday: `0 2 * * *`, or `@daily` and its like. Goes without `sleeptime_ms`."},
    {"plan.zone", BOUND_NAME, EVERYWHERE, 1, 64, .option = "zone",
     .doc = "Time zone of `cron` and `window`, such as `Europe/Zurich`. Left out: that of the coordinator's host."},
    {"plan.missed", BOUND_WORD, EVERYWHERE, .words = missed, .option = "missed",
     .doc = "Times of `cron` that passed while nothing could be started: one run for all (the default), none, or each."},
    {"plan.jitter_ms", BOUND_INT, EVERYWHERE, 0, BOUND_DAY_MS, .option = "jitter",
     .doc = "Each turn begins up to so much later, by chance."},
    {"plan.not_on", BOUND_NAMES, EVERYWHERE, 0, 71, .each = 10, .option = "not-on",
     .doc = "Days that `cron` leaves out: `Sat`, `12-25`, `2026-04-03`."},
    {"plan.backoff_ms", BOUND_INT, EVERYWHERE, 0, BOUND_LONGEST_SLEEP, .option = "backoff",
     .doc = "Wait before the second attempt, which doubles with each further one; half of it is by chance. 0: 30 seconds."},
    {"plan.backoff_most_ms", BOUND_INT, EVERYWHERE, 0, BOUND_LONGEST_SLEEP, .option = "backoff",
     .doc = "Longest of these waits. 0: an hour."},
    {"plan.run_timeout_ms", BOUND_INT, FILES_TOO, 0, BOUND_LONGEST_SLEEP, .option = "run-timeout",
     .file = "time_limit", .doc = "Longest run of the job, which is ended then; never longer than its file says."},
    {"plan.orphan", BOUND_WORD, EVERYWHERE, .words = orphans, .option = "orphan",
     .doc = "A run that its agent has lost: tried again (three times in a row at most), a failure like others (the default), or held for a person."},
    {"plan.after", BOUND_NAMES, EVERYWHERE, 0, 1000, .each = 19, .option = "after",
     .doc = "Ids of tasks, as texts: all must be done before it starts."},
    {"plan.unique_for_ms", BOUND_INT, EVERYWHERE, 0, BOUND_LONGEST_SLEEP, .option = "unique-for",
     .doc = "The unique name is taken so long from the submission on, ended or not. Goes with `unique`."},
    {"plan.concurrency_key", BOUND_NAME, EVERYWHERE, 1, 128, .option = "concurrency-key",
     .doc = "Takes the place of the name: of one key so many run at once, and start within a time, as `queue.keys` of sidingd.conf says; one "
            "at a time where nothing is said."},
    {"plan.start_by_ms", BOUND_INT, EVERYWHERE, 0, BOUND_LONGEST_SLEEP, .option = "start-by",
     .doc = "An event tells where it has not started so long after its planned time."},
    {"plan.finish_by_ms", BOUND_INT, EVERYWHERE, 0, BOUND_LONGEST_SLEEP, .option = "finish-by",
     .doc = "An event tells where it has not ended so long after its planned time."},
    {"plan.post_process", BOUND_NAME, DOOR_API | DOOR_CLI, 1, 128, .option = "post-process",
     .doc = "A tasklet that is started as a task of its own after each run that went well."},
    {"plan.post_args", BOUND_TEXTS, DOOR_API | DOOR_CLI, 0, TASKLET_MOST_PARAMS, .each = TASKLET_VALUE_BYTES, .bytes = 8192, .option = "post-process",
     .doc = "Its parameters, each `key=value`, checked against its header at the submission. Goes with `post_process`."},
    {"plan.email_logs_to", BOUND_NAMES, DOOR_API | DOOR_CLI, 0, 20, .each = 254, .option = "email-logs-to",
     .doc = "Addresses that get the log of each turn by mail at its end, its attempts being over."},
    {"plan.email_logs_on_error", BOUND_BOOL, DOOR_API | DOOR_CLI, .option = "email-logs-on-error",
     .doc = "The user of the task gets that of a turn that failed."},
    {"plan.schedule", BOUND_NAME, DOOR_API | DOOR_CLI, 1, 100, .option = "", .doc = "Set by `siding schedule apply`: its name."},
    {"plan.disabled", BOUND_BOOL, DOOR_API | DOOR_CLI, .option = "", .doc = "Set by `siding schedule disable`: it does not start."},
    {"options", BOUND_OBJECT, EVERYWHERE, .bytes = 65536, .option = "", .doc = "Of the job itself:"},
    {"options.databases", BOUND_NAMES, EVERYWHERE, 1, 1000, .each = 64, .option = "database",
     .doc = "Of a dump, where they are needed, and of an index; `*`: all of them."},
    {"options.verbose", BOUND_INT, EVERYWHERE, 0, 9, .option = "verbose", .doc = "`SIDING_VERBOSE` of the job."},
    {"options.profile", BOUND_NAME, EVERYWHERE, 1, 256, .option = "profile", .doc = "`SIDING_PROFILE` of the job, which knows what it means."},
    {"options.allow", BOUND_WORDS, EVERYWHERE, 0, 2, .words = allowed, .option = "allow",
     .doc = "Pause a replica that others replicate from, or one that is delayed on purpose."},
    {"options.limits", BOUND_OBJECT, EVERYWHERE, .bytes = 1024, .option = "", .doc = "How far the pause may go:"},
    {"options.limits.relay_bytes", BOUND_INT, FILES_TOO, 0, BOUND_MOST_BYTES, .option = "relay-limit",
     .file = "relay_limit_bytes", .doc = "Most that may arrive in the relay logs meanwhile; 0: as configured."},
    {"options.limits.catchup_ms", BOUND_INT, FILES_TOO, 0, BOUND_LONGEST_PAUSE, .option = "catchup-limit",
     .file = "catchup_limit", .doc = "Most that catching up may be estimated to take; 0: as configured."},
    {"options.limits.free_bytes", BOUND_INT, FILES_TOO, 0, BOUND_MOST_BYTES, .option = "min-free",
     .file = "min_free_bytes", .doc = "Least free space of result and relay log disk."},
    {"options.limits.at_limit", BOUND_WORD, FILES_TOO, .words = policies, .option = "at-limit",
     .file = "at_limit", .doc = "What happens to the job at a limit."},
    {"dry_run", BOUND_BOOL, DOOR_API | DOOR_CLI, .doc = "Nothing is stored: where and when it would start."},
    {NULL},
};

const Bound request_bounds[] = {
    TERM,
    {"action", BOUND_WORD, BOTH, .words = actions, .doc = "What is asked of the task. Needed."},
    {"by", BOUND_NAME, BOTH, 0, BOUND_BY_CHARS, .doc = "Who asks, as he says."},
    {NULL},
};

const Bound set_bounds[] = {
    {"priority", BOUND_INT, DOOR_API, -1000000, 1000000, .doc = "Larger runs first."},
    {"run_at", BOUND_TIME, DOOR_API, .doc = "Not before; of a recurring task this turn."},
    {"name", BOUND_NAME, DOOR_API, 1, 128, .doc = "Name of the task."},
    {"sleeptime_ms", BOUND_INT, DOOR_API, 0, BOUND_LONGEST_SLEEP, .doc = "Run again so long after; 0: not again."},
    {"window", BOUND_NAME, DOOR_API, 1, 64, .doc = "Start only inside."},
    {"max_attempts", BOUND_INT, DOOR_API, 1, 100, .doc = "Runs before it ends with an error."},
    {"by", BOUND_NAME, DOOR_API, 0, BOUND_BY_CHARS, .doc = "Who asks, as he says."},
    {NULL},
};

const Bound schedule_bounds[] = {
    {"action", BOUND_WORD, DOOR_API, .words = schedule_actions, .doc = "What is asked of the schedule. Needed."},
    {"by", BOUND_NAME, DOOR_API, 0, BOUND_BY_CHARS, .doc = "Who asks, as he says."},
    {NULL},
};

const Bound pause_bounds[] = {
    TERM,
    {"for_s", BOUND_INT, BOTH, 1, 14 * 86400, .doc = "Longest pause in seconds. Needed."},
    {"reason", BOUND_NAME, BOTH, 0, 500, .doc = "Shown wherever the pause is."},
    {"by", BOUND_NAME, BOTH, 0, BOUND_BY_CHARS, .doc = "Who asks, as he says."},
    {"hold", BOUND_BOOL, BOTH, .doc = "It outlives a restart of the server."},
    {"allow", BOUND_WORDS, BOTH, 0, 2, .words = allowed, .doc = "What a preflight would refuse otherwise."},
    {NULL},
};

const Bound resume_bounds[] = {
    TERM,
    {"reason", BOUND_NAME, BOTH, 0, 500, .doc = "Why, for the log."},
    {"by", BOUND_NAME, BOTH, 0, BOUND_BY_CHARS, .doc = "Who asks, as he says."},
    {NULL},
};

const Bound provision_bounds[] = {
    {"from", BOUND_NAME, DOOR_API, 1, BOUND_NODE_CHARS, .doc = "The replica whose data are copied; left out: one that serves."},
    {"replaces", BOUND_BOOL, DOOR_API, .doc = "What the node's server holds goes."},
    {"discards", BOUND_BOOL, DOOR_API, .doc = "… also transactions that nobody else has."},
    {"max_rate", BOUND_INT, DOOR_API, BOUND_LEAST_RATE, BOUND_MOST_BYTES, .doc = "Most bytes a second that are read from the donor; left out: provision.max_rate of sidingd.conf."},
    {"by", BOUND_NAME, DOOR_API, 0, BOUND_BY_CHARS, .doc = "Who asks, as he says."},
    {NULL},
};

/* The secret itself never comes here, nor what the files say. */
const Bound invite_bounds[] = {
    {"proof_hash", BOUND_NAME, DOOR_API, 64, 64, .doc = "SHA-256 of the proof that the host will show."},
    {"bundle", BOUND_NAME, DOOR_API, 1, 600000, .doc = "Its files, sealed with its token."},
    {"valid_ms", BOUND_INT, DOOR_API, 1000, INT64_C(7) * BOUND_DAY_MS, .doc = "They lie there for so long."},
    {"by", BOUND_NAME, DOOR_API, 0, BOUND_BY_CHARS, .doc = "Who asks, as he says."},
    {NULL},
};

const Bound revoke_bounds[] = {
    {"by", BOUND_NAME, DOOR_API, 0, BOUND_BY_CHARS, .doc = "Who asks, as he says."},
    {NULL},
};

const Bound join_bounds[] = {
    {"node", BOUND_NAME, DOOR_API, 1, BOUND_NODE_CHARS, .doc = "Who joins, as the token says."},
    {"proof", BOUND_NAME, DOOR_API, 64, 64, .doc = "Made of the token's secret."},
    {NULL},
};

const Bound remove_bounds[] = {
    {"its_host_is_off", BOUND_BOOL, DOOR_API, .doc = "Who asks has seen that it acknowledges nothing any more."},
    {"by", BOUND_NAME, DOOR_API, 0, BOUND_BY_CHARS, .doc = "Who asks, as he says."},
    {NULL},
};

const Bound failover_bounds[] = {
    {"to", BOUND_NAME, DOOR_API, 1, BOUND_NODE_CHARS, .doc = "The node that becomes the primary; left out: the best."},
    {"switchover", BOUND_BOOL, DOOR_API, .doc = "The primary lives and is to be moved."},
    {"kill_after_ms", BOUND_INT, DOOR_API, 0, BOUND_DAY_MS, .doc = "Of a switchover: sessions in its way are ended after that; 0: it is refused."},
    {"accept_data_loss", BOUND_BOOL, DOOR_API,
     .doc = "What only those hold that cannot be asked is given up."},
    {"old_primary_is_off", BOUND_BOOL, DOOR_API, .doc = "Its host is off, as a person has seen: nobody waits for it to close, and no majority is needed."},
    {"by", BOUND_NAME, DOOR_API, 0, BOUND_BY_CHARS, .doc = "Who asks, as he says."},
    {NULL},
};

const Bound maintenance_bounds[] = {
    {"on", BOUND_BOOL, DOOR_API, .doc = "Whether it begins or ends."},
    {"for_ms", BOUND_INT, DOOR_API, 0, 30 * (int64_t)BOUND_DAY_MS, .doc = "When it ends by itself, from now."},
    {"by", BOUND_NAME, DOOR_API, 0, BOUND_BY_CHARS, .doc = "Who asks, as he says."},
    {NULL},
};

const Bound brake_bounds[] = {
    {"for_s", BOUND_INT, DOOR_API, 1, 366 * 86400, .doc = "It ends by itself after so many seconds."},
    {"reason", BOUND_NAME, DOOR_API, 0, 255, .doc = "Why, for others to read."},
    {"by", BOUND_NAME, DOOR_API, 0, BOUND_BY_CHARS, .doc = "Who asks, as he says."},
    {NULL},
};

const Bound role_bounds[] = {
    {"term", BOUND_INT, DOOR_AGENT, 1, INT64_MAX, .doc = "The coordinator's term."},
    {"role", BOUND_WORD, DOOR_AGENT, .words = roles, .doc = "What the coordinator takes the node for."},
    {"cluster_name", BOUND_NAME, DOOR_AGENT, 1, 128, .doc = "The cluster that both belong to."},
    {NULL},
};

const Bound purge_hold_bounds[] = {
    TERM,
    {"owner", BOUND_NAME, DOOR_AGENT, 1, 128, .doc = "For whom: a node's name."},
    {"keep_s", BOUND_INT, DOOR_AGENT, 1, 30 * 86400, .doc = "How old a log may be that is still kept."},
    {"for_s", BOUND_INT, DOOR_AGENT, 1, 30 * 86400, .doc = "How long the hold lasts without being asked for again."},
    {NULL},
};
/* clang-format on */
