/* SPDX-License-Identifier: Apache-2.0
 * siding-load: loads a verified result folder into the primary, each row exactly once.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/proc.h"
#include "common/db/askpass.h"
#include "common/file/fs.h"
#include "common/wire/progress.h"
#include "common/wire/uploadfiles.h"
#include "replica-agent/index/connopts.h"
#include "replica-agent/index/jobctl.h"
#include "replica-agent/index/tokenize.h"
#include "replica-agent/load/lineage.h"
#include "replica-agent/load/load.h"
#include "replica-agent/load/program_load.h"

typedef struct Options {
    DbTarget target;
    bool ask_password;
    StrList databases;
    char *manifest, *definition, *run, *work, *mode, *program;
    StrList args;
    bool json, drop_old, allow_nontransactional, allow_older, same_history, allow_ahead;
    int64_t rows_per_transaction, bytes_per_transaction, max_txn_ms, max_running, max_commit_ms, max_lag_ms;
    int64_t throttle_limit_ms, rename_wait_ms, lock_wait_ms, retry_ms;
} Options;

static const Opt option_table[] = {
    {"manifest", 'm', OPT_STR, offsetof(Options, manifest), "DIR",
     .doc = "The result folder, with manifest.json. Required.", .section = "What"},
    {"run", 'r', OPT_STR, offsetof(Options, run), "ID",
     .doc = "Name of this load in siding.ledger: the same name goes on where it stopped; default: "
            "$SIDING_RUN_ID."},
    {"definition", 'f', OPT_STR, offsetof(Options, definition), "FILE",
     .doc = "The job's file; an index with on_change = \"delta\" needs it."},
    {"mode", 0, OPT_STR, offsetof(Options, mode), "MODE",
     .doc = "swap, append, replace or program; default: what the manifest says."},
    {"program", 0, OPT_STR, offsetof(Options, program), "PATH",
     .doc = "What mode program runs, with the words behind \"--\" as its arguments and the folder in "
            "SIDING_RESULT_DIR. It may be run again after a crash."},
    {"work", 'w', OPT_STR, offsetof(Options, work), "DIR", .doc = "Write outcome.json there."},
    {"json", 0, OPT_FLAG, offsetof(Options, json), .doc = "Print the outcome on stdout."},
    {"drop-old", 0, OPT_FLAG, offsetof(Options, drop_old), .doc = "Drop the old table after a swap."},
    {"allow-nontransactional", 0, OPT_FLAG, offsetof(Options, allow_nontransactional),
     .doc =
         "Append and replace also into an engine without transactions, such as MyISAM or Aria: after a crash "
         "rows may be there twice."},
    {"allow-older", 0, OPT_FLAG, offsetof(Options, allow_older),
     .doc = "Swap and replace also where the target holds a result that was frozen later, or in another "
            "history."},

    {"same-history", 0, OPT_FLAG, offsetof(Options, same_history),
     .doc = "Refuse a result that was made of transactions which this server never had, as after a failover "
            "that lost some. The agent gives it."},
    {"allow-ahead", 0, OPT_FLAG, offsetof(Options, allow_ahead), .doc = "Load it all the same."},
    {"rows-per-transaction", 0, OPT_INT, offsetof(Options, rows_per_transaction), "N", "20000", 1, 10000000,
     "Most rows of one transaction.", "How gently"},
    {"bytes-per-transaction", 0, OPT_SIZE, offsetof(Options, bytes_per_transaction), "SIZE", "4M", 1, 1 << 30,
     "Most bytes of one transaction; one row may be larger."},
    {"max-txn-ms", 0, OPT_INT, offsetof(Options, max_txn_ms), "MS", "100", 1, 3600000,
     "Transactions become smaller while they take longer."},
    {"max-running", 0, OPT_INT, offsetof(Options, max_running), "N", "64", 0, 1000000,
     "Wait while more threads run in the server; 0: never."},
    {"max-commit-ms", 0, OPT_INT, offsetof(Options, max_commit_ms), "MS", "1000", 0, 3600000,
     "Wait after a transaction that took longer; 0: never."},
    {"max-lag", 0, OPT_DURATION, offsetof(Options, max_lag_ms), "TIME", "10s", 0, 86400000,
     "Wait while a serving replica is further behind, which the agent tells; 0: never."},
    {"throttle-limit", 0, OPT_DURATION, offsetof(Options, throttle_limit_ms), "TIME", "30m", 0, INT64_MAX,
     "Give up after waiting this long for a busy server."},
    {"rename-wait", 0, OPT_DURATION, offsetof(Options, rename_wait_ms), "TIME", "10m", 0, INT64_MAX,
     "Give up the swap when the target was in use this long."},
    {"lock-wait", 0, OPT_DURATION, offsetof(Options, lock_wait_ms), "TIME", "5m", 0, INT64_MAX,
     "Wait this long for another load of the same target."},
    {"retry", 0, OPT_DURATION, offsetof(Options, retry_ms), "TIME", "2m", 0, INT64_MAX,
     "Connect again this long when the primary goes away."},
    CONNECTION_OPTIONS(Options),
    {NULL},
};

static const char usage[] = "siding-load --manifest DIR --run ID [options]";
static const char intro[] = "Verifies a result folder and loads it into the primary.";

static bool from_environment(Options *o, Err *err)
{
    if (!o->run)
        o->run = xstrdup(getenv("SIDING_RUN_ID"));
    if (!o->manifest)
        return err_set(err, ERR_USAGE, 0, "option --manifest is missing: the result folder");
    if (!o->run || !*o->run)
        return err_set(err, ERR_USAGE, 0, "option --run is missing: a name for this load");
    if (strlen(o->run) > 40 ||
        o->run[strspn(o->run, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")])
        return err_set(err, ERR_USAGE, 0,
                       "option --run: \"%s\" is not a run ID: 1 to 40 letters, digits, . _ -", o->run);
    if (!o->target.defaults_file)
        o->target.defaults_file = xstrdup(getenv("SIDING_DEFAULTS_FILE"));
    if (o->databases.n)
        o->target.database = xstrdup(o->databases.v[0]);
    return true;
}

/* ---- what may be loaded how ---------------------------------------------------------------------- */

static bool check_mode(const Options *o, const Bundle *b, const char **ret, Err *err)
{
    const char *mode = o->mode ? o->mode : b->mode;
    static const char *const known[] = {"swap", "append", "replace", "program"};
    for (size_t i = 0; i < COUNT(known); i++)
        if (str_eq(known[i], mode))
            *ret = known[i];
    if (!*ret)
        return err_set(err, ERR_USAGE, 0, "mode \"%s\" is none of swap, append, replace, program", mode);
    if (str_eq(mode, "program") && (!o->program || *o->program != '/'))
        return err_set(err, ERR_USAGE, 0, "mode program needs the option --program with an absolute path%s%s",
                       o->program ? ", not " : "", o->program ? o->program : "");
    return true;
}

static bool check_swap(const Bundle *b, Err *err)
{
    if (!*b->create)
        return err_set(err, ERR_REFUSED, 0,
                       "the manifest has no create statement: this result is not for a swap");
    if (!*b->checksum || !b->columns.n)
        return err_set(err, ERR_REFUSED, 0,
                       "the manifest has no checksum of the rows: this result is not for a swap");
    return true;
}

static bool check_definition(const Options *o, const Bundle *b, JobFile *job, Err *err)
{
    if (!str_eq(b->on_change, "delta"))
        return true;
    if (!o->definition)
        return err_set(err, ERR_USAGE, 0, "option --definition is missing: on_change is \"delta\"");
    if (!b->frozen_at)
        return err_set(err, ERR_CORRUPT, 0, "the manifest does not say when the state was frozen");
    if (!definition_load(o->definition, job, err) ||
        (*b->layout && !definition_set_layout(&job->index, b->layout, err)))
        return false;
    AUTOFREE char *fingerprint = definition_fingerprint(&job->index);
    if (!str_eq(fingerprint, b->definition))
        return err_set(err, ERR_REFUSED, 0,
                       "%s is not the definition this result was made with: run the job again",
                       o->definition);
    if (!str_eq(b->tokenizer, tokenizer_version()))
        return err_set(
            err, ERR_REFUSED, 0,
            "the result's words were made with \"%s\", changed records would be indexed with \"%s\": "
            "install the same ICU and siding here as where the job ran, and run it again",
            b->tokenizer, tokenizer_version());
    return true;
}

/* ---- outcome ------------------------------------------------------------------------------------- */

static bool write_outcome(const Options *o, const Bundle *b, const char *mode, const LoadOutcome *out,
                          double seconds, Err *err)
{
    AUTOJSON json_t *j = json_object();
    json_set_str(j, "mode", mode);
    json_set_str(j, "target", b->target);
    json_set_int(j, "rows", out->rows);
    json_set_bool(j, "swapped", out->swapped);
    json_set_int(j, "delta_keys", out->delta_keys);
    json_set_bool(j, "stale_swap", out->stale_swap);
    json_set_int(j, "longest_transaction_ms", out->longest_txn_ms);
    json_set_num(j, "seconds", seconds);
    if (o->json) {
        AUTOFREE char *text = json_text(j);
        puts(text);
    }
    if (!o->work)
        return true;
    AUTOFREE char *path = xasprintf("%s/outcome.json", o->work);
    return fs_mkdirs(o->work, 0700, err) && json_replace_file(path, j, 0600, err);
}

static void take_paths(const Bundle *b, StrList *ret)
{
    for (size_t i = 0; i < b->file_count; i++)
        if (b->files[i].data)
            strlist_addf(ret, "%s/%s", b->folder, b->files[i].name);
}

static bool check_history(const Options *o, const Bundle *b, Err *err)
{
    Db *db;
    if (!db_connect(&o->target, 0, &db, err))
        return false;
    bool ok = lineage_holds(db, b->gtid, err);
    db_close(db);
    return ok;
}

static bool load(const Options *o, const Bundle *b, const JobFile *job, const char *mode, LoadOutcome *ret,
                 Err *err)
{
    if (str_eq(mode, "program")) {
        ret->rows = b->rows;
        return (!o->same_history || o->allow_ahead || check_history(o, b, err)) &&
               program_load(&o->target, b, o->run, o->program, &o->args, err);
    }
    LoadOptions lo = {
        .target = o->target,
        .run = o->run,
        .replace = str_eq(mode, "replace"),
        .drop_old = o->drop_old,
        .allow_older = o->allow_older,
        .same_history = o->same_history && !o->allow_ahead,
        .allow_nontransactional = o->allow_nontransactional,
        .rows_per_transaction = o->rows_per_transaction,
        .bytes_per_transaction = o->bytes_per_transaction,
        .max_txn_ms = o->max_txn_ms,
        .throttle = {.running = o->max_running, .commit_ms = o->max_commit_ms, .lag_ms = o->max_lag_ms},
        .work = o->work,
        .throttle_limit_ms = o->throttle_limit_ms,
        .rename_wait_ms = o->rename_wait_ms,
        .lock_wait_ms = o->lock_wait_ms,
        .retry_ms = o->retry_ms};
    Load l = {.o = &lo,
              .bundle = b,
              .definition = job->index.fields.n ? &job->index : NULL,
              .swap = str_eq(mode, "swap")};
    take_paths(b, &l.paths);
    bool ok = tables_open(b, o->run, &l.tables, err);
    l.tables.allow_older = o->allow_older;
    ok = ok && load_run(&l, err);
    free(l.state);
    tables_close(&l.tables);
    strlist_done(&l.paths);
    delta_keys_done(&l.first_round);
    *ret = l.outcome;
    return ok;
}

static bool run(const Options *o, Err *err)
{
    Bundle b = {0};
    JobFile job = {0};
    const char *mode = NULL;
    LoadOutcome outcome = {0};
    int64_t begun = clock_mono_ms();
    progress_start("rows");
    if (!bundle_open(o->manifest, &b, err))
        return false;
    bool ok = check_mode(o, &b, &mode, err) &&
              uploadfiles_check(mode, b.target, json_object_get(b.json, "files"), err) &&
              (!str_eq(mode, "swap") || check_swap(&b, err)) &&
              (!str_eq(mode, "swap") || check_definition(o, &b, &job, err)) && bundle_verify(&b, err) &&
              load(o, &b, &job, mode, &outcome, err);
    if (ok)
        progress_set(outcome.rows, outcome.rows, "done");
    progress_end();
    ok = ok && write_outcome(o, &b, mode, &outcome, (double)(clock_mono_ms() - begun) / 1e3, err);
    if (ok)
        log_info("%s: %lld rows, %s, in %.1f s", *b.target ? b.target : o->program, (long long)outcome.rows,
                 outcome.swapped           ? "swapped"
                 : str_eq(mode, "program") ? "handed over"
                                           : "loaded",
                 (double)(clock_mono_ms() - begun) / 1e3);
    job_file_done(&job);
    bundle_done(&b);
    return ok;
}

int main(int argc, char **argv)
{
    Options o = {0};
    Err err;
    OptSpecial special = OPT_RUN;
    StrList words = STRLIST_INIT;
    proc_no_core();
    log_setup("siding-load", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    jobctl_start();
    bool ok = opts_parse(option_table, argc, argv, false, &o, &words, &o.args, &special, &err);
    if (ok && special == OPT_HELP) {
        AUTO(str_done) Str help = STR_INIT;
        opts_write_help(option_table, usage, intro, &help);
        fputs(str_z(&help), stdout);
    } else if (ok && special == OPT_VERSION) {
        puts("siding-load " SIDING_VERSION);
    } else if (ok) {
        if (words.n || (o.args.n && !o.program))
            ok = err_set(&err, ERR_USAGE, 0, "\"%s\" is not an option", words.n ? words.v[0] : o.args.v[0]);
        ok = ok && from_environment(&o, &err) && (!o.ask_password || askpass(&o.target.password, &err)) &&
             run(&o, &err);
    }
    if (!ok)
        log_error("%s", err.text);
    strlist_done(&words);
    strlist_done(&o.args);
    opts_free(option_table, &o);
    free(o.target.database);
    free(o.target.password);
    return ok ? 0 : err_exit_status(&err);
}
