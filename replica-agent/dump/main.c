/* SPDX-License-Identifier: Apache-2.0
 * siding-dump: the order of a dump. Exit status 0 only when the folder is whole; 2 for wrong words.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/proc.h"
#include "common/base/text.h"
#include "common/file/codec.h"
#include "common/file/json.h"
#include "common/wire/progress.h"
#include "control.h"
#include "data.h"
#include "metadata.h"
#include "options.h"
#include "rights.h"
#include "schema.h"
#include "snapshot.h"
#include "snapshot_catalogue.h"
#include "users.h"

typedef struct Dump {
    const DumpOptions *options;
    DbTarget target;
    Snapshot snapshot;
    Catalogue catalogue;
    DumpFolder *output;
    Journal *journal;
    SplitWork *split;
    int64_t kept_rows;
    json_t *definitions; /* what files.json says of them; NULL: nothing */
} Dump;

/* What a dump has once is in the part of the first replica. */
static bool is_first(const Dump *d)
{
    return d->options->shard == 0;
}

static bool is_transactional(const char *engine)
{
    return str_eq(engine, "InnoDB") || str_eq(engine, "ROCKSDB") || str_eq(engine, "TokuDB") || !*engine;
}

static void tell_moving_tables(const Dump *d)
{
    size_t n = 0;
    const DumpTable *one = NULL;
    for (size_t i = 0; i < d->catalogue.n_databases; i++) {
        const Database *db = &d->catalogue.databases[i];
        for (size_t t = 0; t < db->n_tables; t++)
            if (db->tables[t].kind == TABLE_BASE && db->tables[t].has_rows &&
                !is_transactional(db->tables[t].engine)) {
                one = &db->tables[t];
                n++;
            }
    }
    if (n && !d->snapshot.frozen_gtid)
        text_print(stderr,
                   "siding-dump: note: %zu table%s (such as %s.%s, %s) without snapshots: rows are those of "
                   "the moment they are read\n",
                   n, n == 1 ? "" : "s", one->database, one->name, one->engine);
}

/* What an unfinished dump must have in common with this one to be gone on with. */
static json_t *identity(const Dump *d)
{
    const DumpOptions *o = d->options;
    char digest[65];
    chunkplan_digest(&d->catalogue, digest);
    AUTOFREE char *position = snapshot_position(&d->snapshot);
    json_t *j = json_object();
    json_set_str(j, "position", position);
    json_set_str(j, "definitions", digest);
    json_set_str(j, "format", o->format_name);
    json_set_str(j, "compress", o->compress);
    json_set_str(j, "where", o->where ? o->where : "");
    json_set_int(j, "bytes_per_file", o->bytes_per_file);
    json_set_int(j, "rows_per_file", o->rows_per_file);
    json_set_bool(j, "verify", o->verify);
    return j;
}

/* A position that is not known proves nothing: such a dump begins anew. A part of one that is split is never
 * gone on with: what it had done was given to others. */
static bool open_journal(Dump *d, Err *err)
{
    if (d->split)
        return true;
    AUTOJSON json_t *id = identity(d);
    bool goes_on = journal_exists(d->options->output);
    if (!*json_str(id, "position")) {
        if (goes_on)
            return err_set(
                err, ERR_REFUSED, 0,
                "%s holds an unfinished dump, and the server's position is not known: empty the folder",
                d->options->output);
        return true;
    }
    if (!journal_open(d->options->output, id, &d->journal, err) ||
        !dumpfolder_keep(d->output, journal_files(d->journal), err))
        return false;
    if (goes_on && journal_has_chunks(d->journal))
        text_print(stderr, "siding-dump: note: going on with an unfinished dump: %zu files are kept\n",
                   json_array_size(journal_files(d->journal)));
    return true;
}

static bool open_dump(Dump *d, Err *err)
{
    const DumpOptions *o = d->options;
    SnapshotPlan plan = {&d->target, (size_t)o->threads, o->frozen_gtid, (o->lock_wait_ms + 999) / 1000};
    d->split = splitwork_open();
    dump_options_target(o, &d->target);
    if (!o->checksum && !dumpfolder_open(o->output, o->compress, &d->output, err))
        return false;
    if (!snapshot_connect(&plan, &d->snapshot, err) ||
        !snapshot_catalogue_open(&plan, &o->filter, &d->snapshot, &d->catalogue, err))
        return false;
    tell_moving_tables(d);
    return !d->output || open_journal(d, err);
}

static void close_dump(Dump *d)
{
    catalogue_done(&d->catalogue);
    snapshot_close(&d->snapshot);
    dumpfolder_free(d->output);
    journal_close(d->journal);
    json_decref(d->definitions);
    splitwork_close(d->split);
    db_target_done(&d->target);
}

static json_t *describe_snapshot(const Dump *d)
{
    const Snapshot *s = &d->snapshot;
    json_t *j = json_object();
    json_set_str(j, "method", s->method);
    json_set_str(j, "server_version", db_version(s->control)->text);
    json_set_str(j, "applied", s->applied);
    json_set_str(j, "binlog_gtid", s->binlog_gtid);
    json_set_str(j, "binlog_file", s->binlog_file);
    json_set_int(j, "binlog_pos", s->binlog_pos);
    json_set_time(j, "started_at", s->started_at);
    json_set_time(j, "finished_at", clock_wall_ms());
    return j;
}

/* A restore compares it with what its server takes. */
static void describe_longest(const Dump *d, json_t *more)
{
    enum { MOST_OF_ANY = 1 << 30 };
    const char *file;
    int64_t longest = dumpfolder_longest(d->output, &file);
    json_set_int(more, "longest_statement", longest);
    json_set_str(more, "longest_statement_in", file);
    if (longest >= MOST_OF_ANY)
        text_print(stderr,
                   "siding-dump: note: %s holds a statement of %lld bytes, more than any server takes: dump "
                   "that table "
                   "by --format tsv\n",
                   file, (long long)longest);
}

static bool finish(Dump *d, json_t *tables, Err *err)
{
    if (!snapshot_still_frozen(&d->snapshot, err)) {
        json_decref(tables);
        return false;
    }
    json_t *more = json_object();
    json_object_set_new(more, "tables", tables);
    if (d->definitions)
        json_object_update(more, d->definitions);
    json_object_set_new(more, "snapshot", describe_snapshot(d));
    describe_longest(d, more);
    json_set_str(more, "compress", d->options->compress);
    AUTOFREE char *codec = codec_resolved(d->options->compress);
    json_set_str(more, "codec", codec);
    json_set_str(more, "format", d->options->format_name);
    AUTO(str_done) Str metadata = STR_INIT;
    metadata_write(&metadata, &d->snapshot, clock_wall_ms());
    return dumpfolder_finish(d->output, more, is_first(d) ? &metadata : NULL, err) &&
           (!d->journal || journal_remove(d->journal, err));
}

static bool print_checksums(Dump *d, json_t *tables, Err *err)
{
    AUTOJSON json_t *all = json_object();
    json_object_set_new(all, "tables", tables);
    if (!snapshot_still_frozen(&d->snapshot, err))
        return false;
    AUTOFREE char *text = json_text(all);
    puts(text);
    return fflush(stdout) == 0 ? true : err_set(err, ERR_IO, 0, "cannot write to the standard output");
}

static bool write_definitions(Dump *d, Err *err)
{
    const DumpOptions *o = d->options;
    if (!d->output || o->data_only || !is_first(d))
        return true;
    SchemaParts parts = {.triggers = !o->no_objects,
                         .others = !o->no_objects && !filter_is_partial(&o->filter)};
    if (parts.triggers && !rights_check(d->snapshot.control, &d->catalogue, parts.others, err))
        return false;
    return schema_write(d->snapshot.control, &d->catalogue, &parts, d->output, &d->definitions, err) &&
           (!o->users || users_write(d->snapshot.control, o->siding_users, d->output, err));
}

static bool write_rows(Dump *d, json_t **ret, Err *err)
{
    const DumpOptions *o = d->options;
    AUTOJSON json_t *id = identity(d);
    DataPlan plan = {.target = &d->target,
                     .snapshot = &d->snapshot,
                     .catalogue = &d->catalogue,
                     .output = d->output,
                     .journal = d->journal,
                     .format = o->format,
                     .size = {o->bytes_per_file, o->rows_per_file},
                     .statement_bytes = o->statement_bytes,
                     .where = o->where,
                     .verify = o->verify,
                     .max_rate = o->max_rate,
                     .split = {d->split, (size_t)o->shards, id}};
    *ret = json_array();
    if (o->schema_only)
        return true;
    json_decref(*ret);
    return data_dump(&plan, ret, &d->kept_rows, err);
}

static bool run_dump(Dump *d, Err *err)
{
    json_t *tables;
    if (!open_dump(d, err) || !write_definitions(d, err) || !write_rows(d, &tables, err))
        return false;
    progress_end();
    return d->options->checksum ? print_checksums(d, tables, err) : finish(d, tables, err);
}

static void tell_result(const Dump *d, int64_t took_ms)
{
    if (!d->output)
        return;
    size_t files;
    int64_t bytes, compressed;
    char took[CLOCK_TEXT];
    dumpfolder_totals(d->output, &files, &bytes, &compressed);
    clock_format_duration(took_ms, took);
    AUTOFREE char *codec = codec_resolved(d->options->compress);
    printf("%zu files, %lld bytes, %lld by %s, in %s%s; %s\n", files, (long long)bytes, (long long)compressed,
           codec, took, d->options->verify ? ", verified against the server" : "", d->snapshot.method);
    if (d->kept_rows)
        printf("%lld rows were kept of the unfinished dump\n", (long long)d->kept_rows);
}

static void tell_failure(const Dump *d, const Err *err)
{
    text_print(stderr, "siding-dump: %s\n", err->text);
    if (d->journal && journal_has_chunks(d->journal) && err->kind != ERR_REFUSED && err->kind != ERR_CORRUPT)
        fprintf(
            stderr,
            "siding-dump: note: finished parts stay in %s: the same command goes on with the rest while the "
            "position is the same\n",
            d->options->output);
}

static int run(const DumpOptions *o)
{
    Err err;
    Dump d = {.options = o};
    int64_t from = clock_mono_ms();
    if (!control_begin(&err)) {
        text_print(stderr, "siding-dump: %s\n", err.text);
        return 1;
    }
    progress_start("bytes");
    bool ok = run_dump(&d, &err);
    progress_end();
    if (ok)
        tell_result(&d, clock_mono_ms() - from);
    else
        tell_failure(&d, &err);
    close_dump(&d);
    return ok ? 0 : err_exit_status(&err);
}

int main(int argc, char **argv)
{
    Err err;
    DumpOptions o;
    OptSpecial special;
    proc_no_core();
    if (!dump_options_read(argc, argv, &o, &special, &err)) {
        text_print(stderr, "siding-dump: %s\n", err.text);
        return err_exit_status(&err);
    }
    int status = 0;
    if (special == OPT_HELP) {
        AUTO(str_done) Str help = STR_INIT;
        dump_options_help(&help);
        fputs(help.p, stdout);
    } else if (special == OPT_VERSION) {
        puts("siding-dump " SIDING_VERSION);
    } else {
        status = run(&o);
    }
    dump_options_done(&o);
    return status;
}
