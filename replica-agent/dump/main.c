/* SPDX-License-Identifier: Apache-2.0
 * siding-dump: the order of a dump. Exit status 0 only when the folder is whole; 2 for wrong words.
 */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/progress.h"
#include "control.h"
#include "data.h"
#include "metadata.h"
#include "options.h"
#include "schema.h"
#include "snapshot.h"

typedef struct Dump {
    const DumpOptions *options;
    DbTarget target;
    Snapshot snapshot;
    Catalogue catalogue;
    Output *output;
} Dump;

/* On a live server nobody may alter or drop a table between here and its turn: a transaction that has touched
 * it keeps its definition. */
static bool hold_definitions(Dump *d, Err *err)
{
    if (d->snapshot.frozen_gtid)
        return true;
    if (!db_exec(d->snapshot.control, err, "START TRANSACTION READ ONLY", ""))
        return false;
    for (size_t i = 0; i < d->catalogue.n_databases; i++) {
        const Database *db = &d->catalogue.databases[i];
        for (size_t t = 0; t < db->n_tables; t++) {
            if (db->tables[t].kind != TABLE_BASE)
                continue;
            AUTO(str_done) Str sql = STR_INIT;
            str_adds(&sql, "SELECT 1 FROM ");
            db_quote_table(&sql, db->name, db->tables[t].name);
            str_adds(&sql, " LIMIT 0");
            if (!db_exec(d->snapshot.control, err, sql.p, ""))
                return err_prefix(err, "%s.%s", db->name, db->tables[t].name);
        }
    }
    return true;
}

static bool is_transactional(const char *engine)
{
    return str_eq(engine, "InnoDB") || str_eq(engine, "ROCKSDB") || str_eq(engine, "TokuDB") || !*engine;
}

static void tell_moving_tables(const Dump *d)
{
    size_t n = 0;
    const Table *one = NULL;
    for (size_t i = 0; i < d->catalogue.n_databases; i++) {
        const Database *db = &d->catalogue.databases[i];
        for (size_t t = 0; t < db->n_tables; t++)
            if (db->tables[t].kind == TABLE_BASE && !is_transactional(db->tables[t].engine)) {
                one = &db->tables[t];
                n++;
            }
    }
    if (n && !d->snapshot.frozen_gtid)
        fprintf(
            stderr,
            "siding-dump: note: %zu tables (such as %s.%s, %s) have no snapshots: their rows are those of "
            "the moment they are read\n",
            n, one->database, one->name, one->engine);
}

static bool open_dump(Dump *d, Err *err)
{
    const DumpOptions *o = d->options;
    SnapshotPlan plan = {&d->target, (size_t)o->threads, o->frozen_gtid, (o->lock_wait_ms + 999) / 1000};
    dump_options_target(o, &d->target);
    if (!o->checksum && !output_open(o->output, o->compress, &d->output, err))
        return false;
    if (!snapshot_open(&plan, &d->snapshot, err) ||
        !catalogue_read(d->snapshot.control, &o->databases, &d->catalogue, err) || !hold_definitions(d, err))
        return false;
    tell_moving_tables(d);
    return true;
}

static void close_dump(Dump *d)
{
    catalogue_done(&d->catalogue);
    snapshot_close(&d->snapshot);
    output_free(d->output);
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

static bool finish(Dump *d, json_t *tables, Err *err)
{
    if (!snapshot_still_frozen(&d->snapshot, err)) {
        json_decref(tables);
        return false;
    }
    json_t *more = json_object();
    json_object_set_new(more, "tables", tables);
    json_object_set_new(more, "snapshot", describe_snapshot(d));
    json_set_str(more, "compress", d->options->compress);
    AUTO(str_done) Str metadata = STR_INIT;
    metadata_write(&metadata, &d->snapshot, clock_wall_ms());
    return output_finish(d->output, more, &metadata, err);
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

static bool run_dump(Dump *d, Err *err)
{
    const DumpOptions *o = d->options;
    json_t *tables;
    if (!open_dump(d, err) ||
        (d->output && !schema_write(d->snapshot.control, &d->catalogue, d->output, err)))
        return false;
    DataPlan plan = {&d->target,     &d->snapshot,       &d->catalogue, d->output,
                     o->chunk_bytes, o->statement_bytes, o->verify};
    if (!data_dump(&plan, &tables, err))
        return false;
    progress_end();
    return o->checksum ? print_checksums(d, tables, err) : finish(d, tables, err);
}

static void tell_result(const Dump *d, int64_t took_ms)
{
    if (!d->output)
        return;
    size_t files;
    int64_t bytes, compressed;
    char took[CLOCK_TEXT];
    output_totals(d->output, &files, &bytes, &compressed);
    clock_format_duration(took_ms, took);
    printf("%zu files, %lld bytes, %lld compressed, in %s%s; %s\n", files, (long long)bytes,
           (long long)compressed, took, d->options->verify ? ", verified against the server" : "",
           d->snapshot.method);
}

static int run(const DumpOptions *o)
{
    Err err;
    Dump d = {.options = o};
    int64_t from = clock_mono_ms();
    if (!control_begin(&err)) {
        fprintf(stderr, "siding-dump: %s\n", err.text);
        return 1;
    }
    progress_start("rows");
    bool ok = run_dump(&d, &err);
    progress_end();
    if (ok)
        tell_result(&d, clock_mono_ms() - from);
    else
        fprintf(stderr, "siding-dump: %s\n", err.text);
    close_dump(&d);
    return ok ? 0 : err_exit_status(&err);
}

int main(int argc, char **argv)
{
    Err err;
    DumpOptions o;
    OptSpecial special;
    if (!dump_options_read(argc, argv, &o, &special, &err)) {
        fprintf(stderr, "siding-dump: %s\n", err.text);
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
