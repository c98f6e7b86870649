/* SPDX-License-Identifier: Apache-2.0
 * siding-index: builds the inverted index a definition describes, as sorted files for siding-load.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/proc.h"
#include "common/db/askpass.h"
#include "common/db/flavor.h"
#include "common/file/fs.h"
#include "common/file/gz.h"
#include "common/wire/progress.h"
#include "common/wire/splitwork.h"
#include "replica-agent/index/build.h"
#include "replica-agent/index/connopts.h"
#include "replica-agent/index/jobctl.h"
#include "replica-agent/index/manifest.h"
#include "replica-agent/index/proof.h"
#include "replica-agent/index/tokenize.h"
#include "replica-agent/index/upload.h"

typedef struct Options {
    DbTarget target;
    bool ask_password;
    StrList databases;
    char *definition, *output, *codec, *words, *layout;
    int64_t threads, memory_bytes, range_rows, rows_per_file;
} Options;

static const Opt option_table[] = {
    {"definition", 'f', OPT_STR, offsetof(Options, definition), "FILE",
     .doc = "The job's file with its index definition. Required.", .section = "Index"},
    {"output", 'o', OPT_STR, offsetof(Options, output), "DIR",
     .doc = "Folder of the result; default: $SIDING_RESULT_DIR."},
    {"layout", 0, OPT_STR, offsetof(Options, layout), "LAYOUT",
     .doc = "postings (a row for each word, record and field) or hitlist (a row for each word, with a "
            "compressed list); default: what the definition says."},
    {"threads", 't', OPT_INT, offsetof(Options, threads), "N", "2", 1, 64,
     "Connections that read and threads that tokenize."},
    {"memory", 'm', OPT_SIZE, offsetof(Options, memory_bytes), "SIZE", "256M", 1 << 20, INT64_MAX,
     "Memory of the program; more text is sorted on disk."},
    {"compress", 0, OPT_STR, offsetof(Options, codec), "CODEC", "gzip",
     .doc = "gzip, igzip:0 to igzip:3, zlib:1 to zlib:9, zstd:1 to zstd:19, or none."},
    {"rows-per-file", 0, OPT_INT, offsetof(Options, rows_per_file), "N", "1000000", 1, INT64_MAX,
     "Rows of one result file."},
    {"range", 0, OPT_INT, offsetof(Options, range_rows), "N", "5000", 1, 100000000,
     "Records read by one statement."},
    {"words", 0, OPT_STR, offsetof(Options, words), "TEXT",
     .doc = "Print the terms of TEXT under this definition, one a line, and do nothing else."},
    CONNECTION_OPTIONS(Options),
    {NULL},
};

static const char usage[] = "siding-index --definition FILE --output DIR [options]";
static const char intro[] =
    "Builds an inverted index from the texts of a frozen server: which words stand in which records.";

static bool from_environment(Options *o, Err *err)
{
    if (!o->definition)
        return err_set(err, ERR_USAGE, 0, "option --definition is missing: the job's file");
    if (!o->output)
        o->output = xstrdup(getenv("SIDING_RESULT_DIR"));
    if (!o->output && !o->words)
        return err_set(err, ERR_USAGE, 0, "option --output is missing: the folder of the result");
    if (!o->target.defaults_file)
        o->target.defaults_file = xstrdup(getenv("SIDING_DEFAULTS_FILE"));
    if (o->databases.n)
        o->target.database = xstrdup(o->databases.v[0]);
    if (!gz_codec_known(o->codec))
        return err_set(err, ERR_USAGE, 0, "option --compress: \"%s\" is none of gzip, zlib:1 to zlib:9, none",
                       o->codec);
    return true;
}

/* ---- --words ------------------------------------------------------------------------------------- */

static void print_term(void *arg, const char *term, size_t n, uint32_t word)
{
    (void)arg, (void)word;
    printf("%.*s\n", (int)n, term);
}

static bool print_words(const IndexDefinition *d, const char *text, Err *err)
{
    Tokenizer *t;
    if (!tokenizer_new(d->language, d->min_length, &d->stop_words, &t, err))
        return false;
    tokenizer_run(t, text, strlen(text), print_term, NULL);
    tokenizer_free(t);
    return true;
}

/* ---- the run ------------------------------------------------------------------------------------- */

/* A result is of one folder: what an earlier run left would be taken for part of it. */
static bool folder_is_free(const char *folder, Err *err)
{
    StrList names = STRLIST_INIT;
    bool ok = fs_mkdirs(folder, 0700, err) && fs_list(folder, &names, err);
    for (size_t i = 0; ok && i < names.n; i++)
        if (names.v[i][0] != '.')
            ok = err_set(err, ERR_CONFLICT, 0, "the folder %s is not empty, it holds %s", folder, names.v[i]);
    strlist_done(&names);
    return ok;
}

typedef struct IndexRun {
    const Options *o;
    JobFile job;
    Manifest manifest;
    FrozenTarget target;
    BuildResult result;
    const char *gtid; /* demanded; NULL outside the agent */
} IndexRun;

static bool check_position(IndexRun *r, Db *db, Err *err)
{
    if (r->gtid)
        return position_check(db, r->gtid, err);
    if (r->manifest.gtid)
        return true;
    log_warn("no SIDING_GTID: the server is not known to be frozen, the result is of no single instant");
    return position_read(db, &r->manifest.gtid, err);
}

static bool begin(IndexRun *r, Err *err)
{
    Db *db = NULL;
    bool checksum = !str_eq(r->job.index.on_change, "delta");
    bool ok = db_connect(&r->o->target, 0, &db, err) && check_position(r, db, err) &&
              proof_of_index(db, &r->job.index, err) &&
              frozen_target_read(db, &r->job.index, checksum, &r->target, err);
    if (ok) {
        r->manifest.flavor = flavor_of(db_version(db)->flavor)->name;
        r->manifest.server_version = xstrdup(db_version(db)->text);
    }
    db_close(db);
    return ok;
}

static bool build(IndexRun *r, Err *err)
{
    const Options *o = r->o;
    BuildOptions b = {.target = o->target,
                      .definition = &r->job.index,
                      .folder = o->output,
                      .codec = o->codec,
                      .threads = o->threads,
                      .memory_bytes = o->memory_bytes,
                      .range_rows = o->range_rows,
                      .rows_per_file = o->rows_per_file};
    if (!splitwork_shard(&b.shard, &b.shards, err))
        return false;
    r->manifest.shard = b.shard;
    r->manifest.shards = b.shards;
    return build_index(&b, &r->result, err);
}

static bool finish(IndexRun *r, Err *err)
{
    Db *db = NULL;
    bool ok = db_connect(&r->o->target, 0, &db, err) && check_position(r, db, err);
    db_close(db);
    if (!ok)
        return false;
    AUTOFREE char *checksum = rowsum_text(&r->result.sum);
    r->manifest.job = r->job.name;
    r->manifest.files = r->result.files;
    r->manifest.upload =
        upload_object(&r->job, &r->target, r->result.sum.rows, checksum, r->manifest.frozen_at);
    r->manifest.target = r->job.index.target;
    r->manifest.rows = r->result.sum.rows;
    r->manifest.checksum = checksum;
    return manifest_write(r->o->output, &r->manifest, err);
}

static void run_done(IndexRun *r)
{
    json_decref(r->result.files);
    json_decref(r->manifest.upload);
    free(r->manifest.gtid);
    free(r->manifest.server_version);
    frozen_target_done(&r->target);
    job_file_done(&r->job);
}

static bool run(const Options *o, Err *err)
{
    IndexRun r = {.o = o, .gtid = getenv("SIDING_GTID")};
    r.gtid = r.gtid && *r.gtid ? r.gtid : NULL;
    r.manifest.started_at = r.manifest.frozen_at = clock_wall_ms();
    int64_t begun = clock_mono_ms();
    if (!definition_load(o->definition, &r.job, err))
        return false;
    bool ok = !o->layout || definition_set_layout(&r.job.index, o->layout, err);
    if (!ok) {
        job_file_done(&r.job);
        return false;
    }
    if (o->words) {
        ok = print_words(&r.job.index, o->words, err);
    } else {
        progress_start("records");
        ok = folder_is_free(o->output, err) && begin(&r, err) && build(&r, err) && finish(&r, err);
        progress_end();
        if (ok)
            log_info("%s: %lld rows from %lld records, %.1f MB of text, in %.1f s", r.job.index.target,
                     (long long)r.result.sum.rows, (long long)r.result.records,
                     (double)r.result.text_bytes / 1e6, (double)(clock_mono_ms() - begun) / 1e3);
    }
    run_done(&r);
    return ok;
}

int main(int argc, char **argv)
{
    Options o = {0};
    Err err;
    OptSpecial special = OPT_RUN;
    StrList words = STRLIST_INIT;
    proc_no_core();
    log_setup("siding-index", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    jobctl_start();
    bool ok = opts_parse(option_table, argc, argv, false, &o, &words, NULL, &special, &err);
    if (ok && special == OPT_HELP) {
        AUTO(str_done) Str help = STR_INIT;
        opts_write_help(option_table, usage, intro, &help);
        fputs(str_z(&help), stdout);
    } else if (ok && special == OPT_VERSION) {
        puts("siding-index " SIDING_VERSION);
    } else if (ok) {
        if (words.n)
            ok = err_set(&err, ERR_USAGE, 0, "\"%s\" is not an option", words.v[0]);
        ok = ok && from_environment(&o, &err) && (!o.ask_password || askpass(&o.target.password, &err)) &&
             run(&o, &err);
    }
    if (!ok)
        log_error("%s", err.text);
    strlist_done(&words);
    opts_free(option_table, &o);
    free(o.target.database);
    free(o.target.password);
    return ok ? 0 : err_exit_status(&err);
}
